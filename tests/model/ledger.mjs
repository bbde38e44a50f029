// SPDX-License-Identifier: Apache-2.0
// The ledger again, as plainly as docs/semantics.md says it; from that page, include/mete.h and
// nothing of src/ledger. Lists, and sums over them. Each operation answers with the numbers that
// the engine must have told, in the order of the transcript; `events` has what must be heard.
//
// Amounts are BigInt in the worlds of large amounts (this file imported with ?big), and plain
// numbers in the others, where the driver's amounts keep every sum far below 2^53 (asserted once in
// a while by charge()); products are made exactly by share() and rated(). Instants are numbers.
import { windowAt } from './calendar.mjs';

export const BIG = import.meta.url.endsWith('?big');
const N = BIG ? BigInt : Number, ZERO = N(0), ONE = N(1);
const NEVER = Infinity, OUTCOME_US = 86400e6, MILLION = BIG ? 1000000n : 1e6;
const COST = 0, REQUESTS = 7, CUSTOM = 64, ORGANIZATION = 1, ENFORCE = 0, SHADOW = 1, OFF = 2;
const AMOUNT_MAX = BIG ? 2n ** 62n - 1n : 2 ** 62;
const HELD = 0, COMMITTED = 1, RELEASED = 2, EXPIRED = 3, TOTAL = 7, ROLLING = 8;
export const E = { NOT_FOUND: -2, EXISTS: -3, INVALID: -1, CONTENT: -4, IN_FLIGHT: -5, ENDED: -6, FULL: -7 };
const R = { EXPIRED: 2, REVOKED: 3, UNPRICED: 5, STOP: 6, HARD: 7, QUOTA: 8, THROTTLE: 9, RATE: 10, CONCURRENCY: 11 };
const RATE_PERIODS = 2n ** 62n;
const EVENT = { THRESHOLD: 1, OVERRUN: 2, EXPIRED: 3, LIMIT_BELOW: 4, SOFT_LIMIT: 5, THROTTLED: 6, STOPPED: 7, LIFTED: 8, QUOTA_OVERRUN: 9, CORRECTED: 10 };
const DOWNGRADE = 1, SOFT = 2; // advice
const DRAWS = 16;
const CALL = 1, CHARGE = 1, PROVISIONAL = 1;
const never = (instant) => (instant < 0 ? NEVER : instant);
const shown = (instant) => (instant === NEVER ? -1 : instant);

let w; // the world
export let events;
export function enter(world) { w = world; events = []; touched = []; }
let touched = []; // budgets, by handle
// What is due of them has its own entries, and stays though a batch fails.
export function leave(world) {
    const due = touched;
    enter(world);
    for (const handle of due) if (w.budgets.has(handle)) touch(w.budgets.get(handle));
}
export function begin(now) {
    return { now, scopes: new Map(), budgets: new Map(), rates: new Map(), grants: new Map(), calls: [null], open: [], ids: new Map(), exchanges: [], provisional: 0 };
}
// What changes may change: a batch that fails is tried on it.
export const copyOf = (world) => ({ ...world, exchanges: [...world.exchanges], ...structuredClone({ scopes: world.scopes, budgets: world.budgets, rates: world.rates, grants: world.grants }) });
export const forget = () => { events = []; };

function event(kind, { scope = 0, budget = null, win = null, name = 0, ppm = 0, limit = ZERO }) {
    if (budget) scope = budget.scope;
    events.push([kind, w.now, scope, budget ? budget.handle : 0, 0, name, ppm,
        budget ? limitOf(budget) : limit, win ? committedOf(budget, win) : ZERO, win ? heldOf(budget, win) : ZERO]);
}

// ---- Arithmetic ----
// ceil(rate * quantity / 10^6), exactly.
function rated(rate, quantity) {
    const product = rate * quantity;
    if (BIG) return (product + MILLION - ONE) / MILLION;
    if (product + 1e6 > Number.MAX_SAFE_INTEGER) return Number((BigInt(rate) * BigInt(quantity) + 999999n) / 1000000n);
    return (product + 999999 - (product + 999999) % 1e6) / 1e6;
}
// Whether part is at least so many millionths of whole.
function reached(part, whole, ppm) {
    const left = part * MILLION, right = whole * N(ppm);
    if (BIG || (left <= Number.MAX_SAFE_INTEGER && right <= Number.MAX_SAFE_INTEGER)) return left >= right;
    return BigInt(part) * 1000000n >= BigInt(whole) * BigInt(ppm);
}

const sum = (list, of) => list.reduce((total, x) => total + of(x), ZERO);

// ---- Path and match (1 to 3) ----
function pathOf(handle) {
    const path = [];
    for (let scope = w.scopes.get(handle); scope; scope = w.scopes.get(scope.parent)) path.push(scope);
    return path;
}
const fits = (pattern, text) => (pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern);
function matches(patterns, call) {
    for (const { kind } of patterns) {
        const texts = [null, [call.model], [call.provider], call.tags.length ? call.tags : [''], [call.session]][kind];
        if (!patterns.some((p) => p.kind === kind && texts.some((text) => fits(p.pattern, text)))) return false;
    }
    return true;
}
function budgetsOf(path) {
    const list = [];
    for (const scope of path) for (const b of scope.budgets) if (!b.ended && !b.kind) list.push(b);
    return list;
}
const isOn = (b) => w.now >= (b.starts ?? 0) && (!b.ends || w.now < b.ends);
const counts = (b, call) => b.mode !== OFF && isOn(b) && (b.matches.length === 0 || matches(b.matches, call));

const ratesOf = (path, call) => path.flatMap((scope) => scope.rates.filter((l) => !l.ended && counts(l, call)));

// ---- Windows (4 to 9): a latch is what has fired, or is on, in a window; in a rolling one, while it is reached ----
const newLatch = () => ({ fired: [], soft: false, stop: 0, throttle: false, lifted: false, counts: new Map() });
const windowNow = (b) => (b.kind ? { start: 0, end: NEVER } : windowAt(b, w.now));
function newWindow(b, { start, end }, latch = newLatch()) {
    const win = { start, end, committed: ZERO, held: ZERO, open: 0, provisional: [], latch, base: b.limit, cap: b.cap, skipped: 0 };
    b.windows.push(win);
    return win;
}
const newest = (b) => b.windows[b.windows.length - 1];
function windowOf(b) {
    let win = newest(b);
    if (b.ended || b.kind || w.now < win.end) return win;
    const { start, end } = windowAt(b, w.now), from = Math.max(start, win.end);
    if (b.period === ROLLING) {
        win = newWindow(b, { start, end }, win.latch);
        b.windows = b.windows.filter((other) => mayChange(other) || isRecent(b, other));
        endUnreached(b, win);
        return win;
    }
    handOn(b, win, from);
    win = newWindow(b, { start: from, end });
    while (b.windows.length > 1 && !mayChange(b.windows[0])) { // what nobody can change any more is handed on once and for all
        b.carried = handedOn(b, b.carried, b.windows[0]);
        b.windows.shift();
    }
    b.given = handedDown(b);
    return win;
}
const mayChange = (win) => win.open > 0 || win.provisional.some((name) => mayBeCorrected(w.calls[name]));
const bucketOf = (b) => b.seconds * 15625;
const isRecent = (b, win) => win.start >= newest(b).start - 64 * bucketOf(b);
const beganAt = (b, win) => (b.period === ROLLING ? Math.max(0, newest(b).start - 64 * bucketOf(b)) : win.start);
const committedOf = (b, win) => (b.period === ROLLING ? sum(b.windows.filter((other) => isRecent(b, other)), (other) => other.committed) : win.committed);
const heldOf = (b, win) => (b.period === ROLLING ? sum(b.windows, (other) => other.held) : win.held);

// How many windows nothing touched lie between, as far as they matter.
function handOn(b, win, from) {
    win.base = b.limit;
    win.cap = b.cap;
    win.skipped = 0;
    if (b.cap == 0) return;
    if (b.limit == 0) return;
    for (let at = win.end; at < from && win.skipped * Number(b.limit) <= 2 * Number(b.cap); win.skipped++) at = windowAt(b, at).end;
}
const clamp = (amount, cap) => (amount < 0 ? ZERO : amount > cap ? cap : amount);
function handedOn(b, carried, win) {
    let left = clamp(win.base + carried - win.committed - win.held, win.cap);
    for (let i = 0; i < win.skipped; i++) left = clamp(win.base + left, win.cap);
    return left;
}
const handedDown = (b) => b.windows.slice(0, -1).reduce((carried, win) => handedOn(b, carried, win), b.carried);
const carriedOf = (b) => b.given;
function limitOf(b) {
    const limit = b.limit + carriedOf(b) + b.increased;
    return limit > AMOUNT_MAX ? AMOUNT_MAX : limit;
}

// ---- Controls (12, 13), thresholds, soft limit: in the window that has begun last (an end begins none) ----
const latchOf = (b) => newest(b).latch;
const shareReached = (b, ppm, win = newest(b)) => ppm > 0 && committedOf(b, win) > 0 && reached(committedOf(b, win), limitOf(b), ppm);
const softReached = (b, win) => b.soft > 0 && committedOf(b, win) >= b.soft;
function forgetUnreached(b, win) { // thresholds and the soft limit are armed again
    win.latch.fired = win.latch.fired.filter((ppm) => b.thresholds.includes(ppm) && shareReached(b, ppm, win));
    win.latch.soft = win.latch.soft && softReached(b, win);
}
function endUnreached(b, win) { // with a bucket that begins
    forgetUnreached(b, win);
    if (!shareReached(b, b.controls.stop)) Object.assign(win.latch, { stop: 0, lifted: false });
    if (!shareReached(b, b.controls.throttle)) win.latch.throttle = false;
}
function control(b) {
    const win = newest(b);
    const latch = latchOf(b), { stop, throttle, cooldown } = b.controls, cooled = (at) => at === null || w.now >= at + cooldown * 1e6;
    if (b.mode === OFF || (b.period !== ROLLING && w.now >= win.end)) return;
    if (!latch.stop && shareReached(b, stop) && cooled(b.acted) && !(cooldown ? !cooled(b.lifted) : latch.lifted)) {
        latch.stop = b.acted = w.now;
        event(EVENT.STOPPED, { budget: b, win, ppm: stop });
    }
    if (!latch.throttle && shareReached(b, throttle) && cooled(b.acted)) {
        latch.throttle = true;
        latch.counts = new Map();
        b.acted = w.now;
        event(EVENT.THROTTLED, { budget: b, win, ppm: throttle });
    }
}
function adviceOf(list) {
    return list.reduce((bits, b) => bits | (shareReached(b, b.controls.downgrade) ? DOWNGRADE : 0) | (softReached(b, newest(b)) ? SOFT : 0), 0);
}
// The next call of a leaf: whether it is admitted; it is counted by reservations alone.
function throttles(b, leaf, isCounted) {
    const { counts } = latchOf(b), n = BigInt(counts.get(leaf) || 0) + 1n, share = (calls) => calls * BigInt(b.controls.rate) / 1000000n;
    if (isCounted) counts.set(leaf, Number(n));
    return share(n) === share(n - 1n);
}

// ---- Increases (9) ----
const activeOf = (b) => b.increases.filter((i) => i.from <= w.now && w.now < i.until);
const phasesOf = (b) => b.increases.map((i) => `${i.number} ${w.now < i.from ? 0 : w.now < i.until ? 1 : 2}`).join();
function touch(b) {
    touched.push(b.handle);
    windowOf(b);
    if (!b.ended && phasesOf(b) !== b.phases) increase(b);
}
// A change of the budget, also if what began has ended again; and a new revision if its limit is another.
function increase(b) {
    const was = limitOf(b);
    b.phases = phasesOf(b);
    b.increased = sum(activeOf(b), (i) => i.amount);
    if (limitOf(b) !== was) b.revision++;
    limitChanged(b, was, b.mode);
}
// What was given to the present window may be another after `act` (8): after it, that is a change of the budget too.
function following(b, act) {
    act();
    const was = limitOf(b), given = b.period === ROLLING ? ZERO : handedDown(b);
    if (given === b.given) return;
    b.given = given;
    if (b.ended) return; // nobody is told, but its limit is another
    if (limitOf(b) !== was) b.revision++;
    limitChanged(b, was, b.mode);
}
const isPresent = (b, win) => (b.period === ROLLING ? isRecent(b, win) : win === newest(b) && w.now < win.end);
function limitChanged(b, was, mode) {
    const win = newest(b), taken = committedOf(b, win) + heldOf(b, win);
    // Those that are no longer reached are armed again, those reached that have not fired fire now.
    for (const other of b.period === ROLLING ? [win] : b.windows) forgetUnreached(b, other);
    if (b.mode === ENFORCE && taken > limitOf(b) && (limitOf(b) < was || mode !== ENFORCE)) event(EVENT.LIMIT_BELOW, { budget: b, win });
    if (b.mode !== OFF) fire(b, win);
    if (!shareReached(b, b.controls.throttle)) win.latch.throttle = false;
    if (!b.controls.stop) win.latch.stop = 0;
    control(b);
}

// ---- What is demanded of a unit ----
const same = (a, b) => a.meter === b.meter && a.currency === b.currency;
const amountAt = (d, quantity) => d.fixed + rated(d.rate, quantity);

// ---- Currencies (24): the rates known, and in force, at an instant ----
let fx = null;
const nowRates = () => ({ at: w.now, known: w.exchanges.length });
function exchange(from, to) {
    let best = null;
    for (const x of w.exchanges.slice(0, fx.known))
        if (x.from === from && x.to === to && x.effective <= fx.at && (!best || x.effective >= best.effective)) best = x;
    return best;
}
function converted(amount, { numerator, denominator }, isUp) {
    const product = BigInt(amount) * BigInt(numerator), whole = product / BigInt(denominator), left = product % BigInt(denominator) * 2n;
    const isMore = isUp ? left > 0n : left > BigInt(denominator) || (left === BigInt(denominator) && whole % 2n === 1n);
    return N(isMore ? whole + 1n : whole);
}
const isMoney = (a, b) => a.meter === COST && b.meter === COST;
const touches = (d, unit) => same(d, unit) || isMoney(d, unit);
const isNothing = (d) => d.fixed == 0 && d.rate == 0;
const isUnconverted = (unit, usage) => usage.some((u) => u.amount != 0 && !same(u, unit) && isMoney(u, unit) && !exchange(u.currency, unit.currency));
const isConverted = (unit, list) => list.some((d) => same(d, unit) || (isMoney(d, unit) && exchange(d.currency, unit.currency)));
const isUnpriced = (unit, demands) => demands.some((d) => !same(d, unit) && isMoney(d, unit) && !isNothing(d) && !exchange(d.currency, unit.currency));
// Of a list of amounts; what cannot be converted is nothing.
function inUnit(unit, list, isUp) {
    let total = ZERO;
    for (const u of list) {
        if (same(u, unit)) total += u.amount;
        else if (isMoney(u, unit) && u.amount != 0) {
            const rate = exchange(u.currency, unit.currency);
            if (rate) total += converted(u.amount, rate, isUp);
        }
    }
    return total;
}
const amountsAt = (demands, quantity) => demands.map((d) => ({ meter: d.meter, currency: d.currency, amount: amountAt(d, quantity) }));
const used = (unit, usage) => inUnit(unit, usage, false);
const reserved = (unit, amounts) => inUnit(unit, amounts, true);
// Of an extension (base: what is reserved already) the difference between the whole amounts.
function demanded(unit, list, quantity) {
    const more = amountsAt(list, quantity);
    if (!list.base) return reserved(unit, more);
    const whole = list.base.map((a) => ({ ...a, amount: a.amount + (list.isShrinking ? -exactly(a, more) : exactly(a, more)) }));
    return list.isShrinking ? reserved(unit, list.base) - reserved(unit, whole) : reserved(unit, whole) - reserved(unit, list.base);
}
const exactly = (unit, list) => sum(list.filter((a) => same(a, unit)), (a) => a.amount);

// ---- Rate limits (17 to 20): debt in 1/limit of a microsecond ----
const periodOf = (l) => BigInt(l.period) * 1000n;
const burstOf = (l) => (l.burst == 0 ? l.limit : l.burst);
function owe(l, debt) { // from now on
    l.debt = debt < 0n ? 0n : debt;
    l.at = w.now;
}
function debtOf(l) {
    const debt = l.debt - BigInt(l.limit) * BigInt(w.now - l.at);
    return debt < 0n ? 0n : debt;
}
// null: nothing is taken, and nothing refused.
function askedOf(l, list, quantity) {
    if (l.concurrent) return ONE;
    return demands({ demands: list }, l) ? demanded(l, list, quantity) : l.meter === REQUESTS ? ONE : null;
}
function admits(l, asked) {
    if (asked === null) return true;
    if (l.concurrent) return l.open < l.limit;
    return l.limit != 0 && debtOf(l) + BigInt(asked) * periodOf(l) <= BigInt(burstOf(l)) * periodOf(l);
}
const upDiv = (a, b) => (a + b - 1n) / b;
// Far instants are BigInt, those beyond int64 never.
function later(us) {
    const at = BigInt(w.now) + us;
    return at <= Number.MAX_SAFE_INTEGER ? Number(at) : at >= 2n ** 63n - 1n ? NEVER : at;
}
const takenOf = (l) => (l.concurrent ? N(l.open) : N(upDiv(debtOf(l), periodOf(l))));
function fullAt(l) {
    if (l.concurrent) return null;
    return debtOf(l) === 0n ? w.now : l.limit == 0 ? -1 : shown(later(upDiv(debtOf(l), BigInt(l.limit))));
}
function rateRefusal(l, asked) {
    let retry = l.limit == 0 ? NEVER : 0;
    if (!l.concurrent && l.limit != 0) {
        const over = debtOf(l) + (BigInt(asked) - BigInt(burstOf(l))) * periodOf(l);
        retry = asked > burstOf(l) ? NEVER : later(upDiv(over, BigInt(l.limit)));
    }
    return { l, mode: l.mode, retry, revision: l.revision, row: [l.concurrent ? R.CONCURRENCY : R.RATE, l.scope, 0, l.handle, l.concurrent ? REQUESTS : l.meter,
        l.mode === SHADOW ? 1 : 0, l.currency, l.limit, ZERO, takenOf(l), asked, shown(retry)] };
}
// Of those that took from a rate limit, or of those that now ask it; concurrency after the others.
function rateRefusals(mode, limits, list, floor) {
    const refusing = limits.filter((l) => l.mode === mode && !admits(l, askedOf(l, list, floor)));
    return [0, 1].flatMap((concurrent) => refusing.filter((l) => l.concurrent === concurrent)).map((l) => rateRefusal(l, askedOf(l, list, floor)));
}
function takeRate(l, amount) {
    if (l.concurrent) l.open++;
    else owe(l, debtOf(l) + BigInt(amount || 0) * periodOf(l));
    return { l, taken: amount || ZERO };
}
function settleRate({ l, taken }, charged) {
    if (l.ended) return;
    if (l.concurrent) l.open--;
    else if (l.meter !== REQUESTS) owe(l, debtOf(l) + BigInt(charged - taken) * periodOf(l));
}

// ---- Quotas (21 to 23): a draw is what one call has of one grant ----
const quotasOf = (path) => path.flatMap((scope) => scope.quotas.filter((q) => !q.ended));
const inOrder = (q) => q.grants.sort((a, b) => a.priority - b.priority || (a.expires || NEVER) - (b.expires || NEVER) || a.handle - b.handle || 0);
const isLive = (g) => g.expires === 0 || w.now < g.expires;
const leftOf = (g) => g.amount - g.drawn - g.held;
const some = (q, of) => inOrder(q).filter((g) => isLive(g) && of(g) > 0).slice(0, DRAWS);
// Draws that a call has already take places of the sixteen; what it draws next from the grant it drew from last takes none.
const lastOf = (draws) => (draws.length ? draws[draws.length - 1].g : null);
function covers(q, asked, draws = []) {
    let places = DRAWS - draws.length, left = ZERO;
    for (const g of some(q, leftOf)) {
        if (g !== lastOf(draws) && places-- <= 0) continue;
        left += leftOf(g);
    }
    return asked == 0 || left >= asked;
}
function quotaRefusal(q, asked) {
    const live = q.grants.filter(isLive), unheld = sum(some(q, (g) => g.amount - g.drawn), (g) => g.amount - g.drawn);
    return { mode: ENFORCE, q, revision: q.revision, retry: unheld >= asked ? 0 : NEVER, row: [R.QUOTA, q.scope, 0, 0, q.meter, 0, q.currency,
        sum(live, (g) => g.amount), sum(live, (g) => g.drawn), sum(live, (g) => g.held), asked, -1] };
}
function quotaRefusals(quotas, list, floor, drawsOf = () => []) {
    return quotas.filter((q) => !covers(q, demanded(q, list, floor), drawsOf(q))).map((q) => quotaRefusal(q, demanded(q, list, floor)));
}
function hold(draws, q, asked) {
    for (const g of some(q, leftOf)) {
        const amount = leftOf(g) < asked ? leftOf(g) : asked, is = lastOf(draws) === g ? draws[draws.length - 1] : null;
        if (amount == 0 || (!is && draws.length === DRAWS)) continue;
        g.held += amount;
        asked -= amount;
        if (is) is.amount += amount;
        else draws.push({ g, amount });
    }
}
function unhold(draws, asked) {
    for (let i = draws.length - 1; i >= 0 && asked > 0; i--) {
        const amount = draws[i].amount < asked ? draws[i].amount : asked;
        draws[i].g.held -= amount;
        draws[i].amount -= amount;
        asked -= amount;
        if (draws[i].amount == 0) draws.pop();
    }
}
// What was used leaves the grants: those that were held first, in `spent` what came of each.
function spend(r, { q, draws, spent }, amount) {
    for (const d of draws) {
        const part = d.amount < amount ? d.amount : amount;
        d.g.held -= d.amount;
        d.g.drawn += part;
        amount -= part;
        spent.push({ g: d.g, amount: part });
    }
    draws.length = 0;
    spendMore(q, spent, amount);
}
function spendMore(q, spent, amount) {
    if (amount == 0) return;
    for (const g of some(q, leftOf)) {
        const part = leftOf(g) < amount ? leftOf(g) : amount;
        g.drawn += part;
        amount -= part;
        spent.push({ g, amount: part });
    }
    if (amount == 0) return;
    const last = inOrder(q)[q.grants.length - 1];
    last.drawn += amount;
    spent.push({ g: last, amount });
    events.push([EVENT.QUOTA_OVERRUN, w.now, q.scope, 0, last.handle, 0, 0, last.amount, last.drawn, last.held]);
}

// ---- Reserving (10 to 16) ----
function refusal(reason, scope, b, asked, win, isExtension) {
    if (!b) return { mode: ENFORCE, scope: scope.handle, row: [reason, scope.handle, 0, 0, 0, 0, 0, ZERO, ZERO, ZERO, ZERO, -1], retry: NEVER };
    const limit = limitOf(b), committed = committedOf(b, win), held = heldOf(b, win);
    return { mode: b.mode, b, revision: b.revision, retry: untilItEnds(b, budgetRetry(reason, b, asked, win, isExtension), isExtension), isStop: reason === R.STOP, isExtension,
        row: [reason, b.scope, b.handle, 0, b.meter, b.mode === SHADOW ? 1 : 0, b.currency, limit, committed, held, asked, resetsAt(b, win)] };
}
// A new call is free of a budget from its end on; what grows goes on in it.
const untilItEnds = (b, retry, isExtension) => (b.ends && !isExtension ? Math.min(retry, b.ends) : retry);
function budgetRetry(reason, b, asked, win, isExtension) {
    const limit = limitOf(b), committed = committedOf(b, win), held = heldOf(b, win), isRolling = b.period === ROLLING;
    if (reason === R.STOP) return isRolling ? leaves(b, (left) => !(left > 0 && reached(left, limit, b.controls.stop)), newest(b).end) : newest(b).end;
    if (limit != 0 && committed + asked <= limit) return 0; // only what is held is in the way
    if (limit == 0 || (asked > limit && !(b.cap > 0 && asked <= b.limit + b.cap))) return NEVER;
    if (isRolling) return held + asked > limit ? 0 : leaves(b, (left) => left + held + asked <= limit, 0);
    return isExtension ? NEVER : win.end;
}
function resetsAt(b, win) {
    if (b.period !== ROLLING) return win.end <= w.now ? null : shown(win.end); // of a past window: the page does not say
    return Math.max(...b.windows.filter((other) => isRecent(b, other) && other.committed != 0).map((other) => other.start + 65 * bucketOf(b)), newest(b).end);
}
const demands = (call, unit) => call.demands.some((d) => touches(d, unit));
const room = (b, amount, win = windowOf(b)) => limitOf(b) != 0 && committedOf(b, win) + heldOf(b, win) + amount <= limitOf(b);
const isExpired = (scope) => scope.expires !== 0 && w.now >= scope.expires;

// When so much of a rolling budget has left that what is left is right.
function leaves(b, isRight, atOnce) {
    let left = committedOf(b);
    if (isRight(left)) return atOnce;
    for (const win of b.windows.filter((other) => isRecent(b, other))) {
        left -= win.committed;
        if (isRight(left)) return win.start + 65 * bucketOf(b);
    }
    return NEVER;
}

function unpriced(refused) {
    refused.row[0] = R.UNPRICED;
    refused.row[refused.row.length - 1] = -1;
    return { ...refused, retry: refused.b && !refused.isExtension ? untilItEnds(refused.b, NEVER) : NEVER };
}
const unpricedRate = (l, asked) => unpriced(rateRefusal(l, asked));
const unpricedQuota = (q, asked) => unpriced(quotaRefusal(q, asked));

// What refuses the floor, in order: of the enforced ones, then of the shadow ones. places: [budget, window].
function weigh(call, places, limits, quotas, drawsOf, isExtension = false) {
    const { demands: list, floor } = call, refusals = [];
    for (const mode of [ENFORCE, SHADOW]) {
        const isOf = (x) => x.mode === mode && isUnpriced(x, list);
        for (const [b, win] of places) if (isOf(b)) refusals.push(unpriced(refusal(R.UNPRICED, null, b, demanded(b, list, floor), win)));
        for (const l of limits) if (!l.concurrent && isOf(l)) refusals.push(unpricedRate(l, demanded(l, list, floor)));
        if (mode === ENFORCE) for (const q of quotas) if (isUnpriced(q, list)) refusals.push(unpricedQuota(q, demanded(q, list, floor)));
        for (const [b, win] of places) {
            const asked = demanded(b, list, floor);
            if (b.mode === mode && latchOf(b).stop) refusals.push(refusal(R.STOP, null, b, asked, windowOf(b), isExtension));
            if (b.mode === mode && demands(call, b) && !room(b, asked, win)) refusals.push(refusal(R.HARD, null, b, asked, win, isExtension));
        }
        if (mode === ENFORCE) refusals.push(...quotaRefusals(quotas, list, floor, drawsOf));
        refusals.push(...rateRefusals(mode, limits, list, floor));
    }
    return inPrecedence(refusals);
}
const inPrecedence = (refusals) => refusals.sort((a, b) => a.mode - b.mode || a.row[0] - b.row[0] || 0);
// Only where nothing else refuses.
function throttleRefusals(call, list, isCounted) {
    return list.filter((b) => latchOf(b).throttle && throttles(b, call.scope, isCounted))
        .map((b) => ({ ...refusal(R.THROTTLE, null, b, demanded(b, call.demands, call.floor), windowOf(b)), retry: 0 }));
}
function scopeRefusals(path) {
    const expired = path.filter(isExpired), revoked = path.filter((scope) => (scope.revoked || scope.ended) && !isExpired(scope));
    return [...expired.map((scope) => refusal(R.EXPIRED, scope)), ...revoked.map((scope) => refusal(R.REVOKED, scope))];
}
// The largest quantity in floor..wish that everything enforced affords.
function largest(call, places, limits, quotas, drawsOf = () => []) {
    const asked = places.filter(([b]) => b.mode === ENFORCE && demands(call, b)), rates = limits.filter((l) => l.mode === ENFORCE && !l.concurrent);
    const affords = (quantity) => asked.every(([b, win]) => room(b, demanded(b, call.demands, quantity), win)) &&
        rates.every((l) => admits(l, askedOf(l, call.demands, quantity))) && quotas.every((q) => covers(q, demanded(q, call.demands, quantity), drawsOf(q)));
    let low = call.floor, high = call.wish;
    if (affords(high)) return high;
    while (high - low > 1) { // low is affordable, high is not
        const middle = low + (BIG ? (high - low) / 2n : Math.floor((high - low) / 2));
        if (affords(middle)) low = middle;
        else high = middle;
    }
    return low;
}
function remaining(unit, places, limitBefore = limitOf) {
    let least = null, of = 0;
    for (const [b, win] of places) {
        if (b.mode !== ENFORCE || !same(b, unit)) continue;
        const left = limitBefore(b) - committedOf(b, win) - heldOf(b, win);
        if (least === null || left < least) [least, of] = [left, b.handle];
    }
    return least === null ? [0, ZERO, 0] : [1, least, of];
}
const now = (list) => list.map((b) => [b, windowOf(b)]);
const latest = (refusals) => refusals.reduce((at, r) => (r.retry > at ? r.retry : at), 0);
const enforcedOf = (refusals) => refusals.filter((r) => r.mode === ENFORCE);
const countingOf = (call) => budgetsOf(pathOf(call.scope)).filter((b) => counts(b, call));
function decide(call, isCounted) {
    fx = nowRates();
    const path = pathOf(call.scope), list = countingOf(call), limits = ratesOf(path, call), quotas = quotasOf(path);
    list.forEach(touch);
    const refusals = [...scopeRefusals(path), ...weigh(call, now(list), limits, quotas)];
    if (!enforcedOf(refusals).length) refusals.push(...throttleRefusals(call, list, isCounted));
    const enforced = enforcedOf(inPrecedence(refusals));
    const granted = enforced.length ? ZERO : largest(call, now(list), limits, quotas);
    return { list, limits, quotas, advice: adviceOf(list), refusals, granted, allowed: enforced.length === 0, primary: enforced[0], retry: latest(enforced) };
}
function verdict(v, repeated) {
    const rows = repeated ? (v.primary ? [v.primary] : []) : v.refusals;
    return [0, v.allowed ? 1 : 0, repeated ? 1 : 0, v.name, shown(v.expires), v.granted, ...v.remaining, shown(v.retry), repeated ? 0 : v.advice || 0,
        rows.length, ...rows.flatMap((r) => r.row)];
}

export function check(call) {
    if (!w.scopes.has(call.scope)) return [E.NOT_FOUND];
    if (!makeDefaults(pathOf(call.scope))) return [E.FULL];
    const v = decide(call, false);
    return verdict({ ...v, name: 0, expires: 0, remaining: remaining(call.demands[0], now(v.list)) }, false);
}

export function reserve(call) {
    if (!w.scopes.has(call.scope)) return [E.NOT_FOUND];
    const answer = repeated(call);
    if (answer) return answer;
    if (!makeDefaults(pathOf(call.scope))) return [E.FULL];
    const v = decide(call, true);
    if (!v.allowed) {
        Object.assign(v, { name: 0, expires: 0, remaining: remaining(call.demands[0], now(v.list)) });
        if (call.id && !(call.flags & CALL) && v.retry > 0 && v.primary.row[0] !== R.UNPRICED)
            remember(call, { refused: v, at: w.now });
        return verdict(v, false);
    }
    const r = { name: 0, scope: call.scope, call, made: w.now, expires: w.now + call.ttl * 1e3, state: HELD, ended: 0, usage: [], receipt: null, fx };
    r.granted = v.granted;
    r.amounts = amountsAt(call.demands, v.granted);
    r.takes = v.list.map((b) => take(b, reserved(b, r.amounts), isConverted(b, r.amounts)));
    r.rates = v.limits.map((l) => takeRate(l, askedOf(l, call.demands, v.granted)));
    r.quotas = v.quotas.map((q) => ({ q, draws: [], spent: [] }));
    for (const { q, draws } of r.quotas) hold(draws, q, reserved(q, r.amounts));
    r.name = w.calls.push(r) - 1;
    r.verdict = Object.assign(v, { name: r.name, expires: r.expires, remaining: remaining(call.demands[0], now(v.list)) });
    w.open.push(r);
    if (call.id) remember(call, { reservation: r });
    return verdict(v, false);
}
function take(b, amount, isDemanded) {
    const win = windowOf(b);
    win.held += amount;
    win.open++;
    return { b, win, amount, isDemanded, charged: ZERO };
}

// In the windows it was made in, with the limits in force now (27).
export function extend(name, list, floor, wish, shrink, ttl) {
    if (!list.length && !ttl) return [E.INVALID]; // nothing to do
    const r = name > 0 ? known(name) : null, call = { demands: list, floor, wish }, isAsking = list.length > 0 && !shrink;
    if (!r) return [E.NOT_FOUND];
    if (r.state !== HELD) return [E.ENDED, r.name, ...receipt(r, 1)];
    if (list.some((d) => !r.call.demands.some((e) => same(d, e)))) return [E.INVALID];
    if (shrink && r.amounts.some((a) => exactly(a, amountsAt(list, wish)) > a.amount)) return [E.INVALID];
    fx = r.fx;
    Object.assign(list, { base: r.amounts, isShrinking: shrink === 1 });
    const places = r.takes.filter(({ b }) => !b.ended && b.mode !== OFF).map(({ b, win }) => [b, win]);
    const limits = r.rates.map(({ l }) => l).filter((l) => !l.ended && !l.concurrent && l.mode !== OFF && demands(call, l));
    const quotas = r.quotas.map(({ q }) => q).filter((q) => demands(call, q)), drawsOf = (q) => r.quotas.find((t) => t.q === q).draws;
    if (isAsking) for (const { b } of r.takes) if (!b.ended && b.mode !== OFF) touch(b);
    const refusals = !isAsking ? [] : weigh(call, places, limits, quotas, drawsOf, true), enforced = enforcedOf(refusals), allowed = enforced.length === 0;
    const before = new Map(places.map(([b]) => [b, limitOf(b)]));
    const granted = !allowed || !list.length ? ZERO : shrink ? wish : largest(call, places, limits, quotas, drawsOf);
    if (allowed) {
        const amountOf = (unit) => (shrink ? -demanded(unit, list, granted) : demanded(unit, list, granted));
        for (const t of r.takes) {
            const more = amountOf(t.b);
            t.amount += more;
            following(t.b, () => { t.win.held += more; });
        }
        for (const t of r.rates) {
            if (t.l.concurrent || t.l.ended || t.l.meter === REQUESTS && shrink) continue;
            t.taken += amountOf(t.l);
            owe(t.l, debtOf(t.l) + BigInt(amountOf(t.l)) * periodOf(t.l));
        }
        for (const q of quotas) (shrink ? unhold(drawsOf(q), demanded(q, list, granted)) : hold(drawsOf(q), q, demanded(q, list, granted)));
        for (const a of r.amounts) a.amount += shrink ? -exactly(a, amountsAt(list, granted)) : exactly(a, amountsAt(list, granted));
        r.granted = shrink ? (r.granted > granted ? r.granted - granted : ZERO) : r.granted + granted;
        if (ttl) r.expires = w.now + ttl * 1e3;
    }
    return verdict({ allowed, refusals, granted, name, advice: isAsking ? adviceOf(places.map(([b]) => b)) : 0, expires: r.expires, remaining: isAsking ? remaining(list[0], places, (b) => before.get(b)) : [0, ZERO, 0],
        retry: latest(enforced) }, false);
}

// ---- Repeats (INV-04) ----
// An id that a call gives back is bound by what bound it before.
function remember(call, outcome) {
    const key = `${call.scope} ${call.id}`;
    w.ids.set(key, Object.assign(outcome, { content: call.content, before: outcome.reservation ? w.ids.get(key) : null }));
}
const isGivenBack = ({ reservation: r }) => r && r.givesBack;
function outcomeOf(call) {
    let o = call.id ? w.ids.get(`${call.scope} ${call.id}`) : null;
    while (o && isGivenBack(o)) o = o.before;
    return o;
}
const isStillStopped = (b, since) => latchOf(b).stop && newest(b).start <= since && w.now < newest(b).end;
function binds(o, call) {
    if (o.record) return w.now < o.record.at + OUTCOME_US;
    if (o.reservation) {
        const r = o.reservation;
        if (r.state === HELD) return true;
        return w.now < r.ended + OUTCOME_US;
    }
    const { retry, primary } = o.refused;
    if (w.now >= o.at + OUTCOME_US || w.now >= retry) return false;
    if (primary.isStop && !isStillStopped(primary.b, o.at)) return false;
    if (retry !== NEVER) return true;
    if (primary.l) return primary.l.revision === primary.revision && !primary.l.ended;
    if (primary.b) {
        const isDue = () => !primary.b.ended && phasesOf(primary.b) !== primary.b.phases;
        if (isDue() && makeDefaults(pathOf(call.scope))) countingOf(call).forEach(touch); // its limit changes with this question
        return primary.b.revision === primary.revision && !primary.b.ended && !isDue();
    }
    if (primary.q) return primary.q.revision === primary.revision && !primary.q.ended;
    const scope = w.scopes.get(primary.scope);
    return scope.revoked || scope.ended || isExpired(scope);
}
function repeated(call) {
    const o = outcomeOf(call);
    if (!o || !binds(o, call)) return null;
    if (o.record || o.content !== call.content) return [E.CONTENT];
    if (o.refused) return verdict({ ...o.refused, remaining: [0, ZERO, 0] }, true); // of which only the primary is kept
    const r = o.reservation;
    if (!(call.flags & CALL)) return verdict({ ...r.verdict, granted: r.granted, expires: r.expires }, true);
    return r.state === HELD ? [E.IN_FLIGHT] : [E.ENDED, r.name, ...receipt(r, 1)];
}

// ---- Ends (25, 26) ----
// Beside the number of its record, which only the engine knows: check.mjs sees that it stays.
const receipt = (r, isRepeated) => [r.state, r.cost, r.overrun, isRepeated, r.corrected || 0, r.correction || r];
const costOf = (usage) => { const u = usage.find((v) => v.meter === COST); return u ? u.amount : ZERO; };

function charge(t, usage) {
    const { b, win } = t, amount = used(b, usage), isLeft = b.period === ROLLING && !isRecent(b, win);
    following(b, () => {
        win.held -= t.amount;
        win.open--;
        t.charged = amount;
        if (isLeft) return charged(b, newest(b), false);
        win.committed += amount;
        if (!BIG && !Number.isSafeInteger(win.committed)) throw new Error('amounts too large for plain numbers');
        charged(b, win, (amount > t.amount && (t.isDemanded || isAbove(b, win))) || (b.mode === ENFORCE && isUnconverted(b, usage)));
    });
}
const isAbove = (b, win) => b.mode === ENFORCE && committedOf(b, win) + heldOf(b, win) > limitOf(b);
function charged(b, win, isOverrun) {
    fire(b, win);
    if (isPresent(b, win)) control(b);
    if (isOverrun) event(EVENT.OVERRUN, { budget: b, win });
}
function fire(b, win) {
    for (const ppm of b.thresholds) {
        if (win.latch.fired.includes(ppm) || !shareReached(b, ppm, win)) continue;
        win.latch.fired.push(ppm);
        event(EVENT.THRESHOLD, { budget: b, win, ppm });
    }
    if (win.latch.soft || !softReached(b, win)) return;
    win.latch.soft = true;
    event(EVENT.SOFT_LIMIT, { budget: b, win });
}
function end(r, state, usage) {
    const isOver = events.length;
    r.state = state;
    r.ended = w.now;
    r.usage = usage;
    givesBack(r);
    r.cost = costOf(usage);
    fx = r.fx;
    for (const t of r.takes) charge(t, usage);
    for (const t of r.rates) settleRate(t, used(t.l, usage));
    for (const t of r.quotas) spend(r, t, used(t.q, usage));
    r.overrun = overruns(r, usage, isOver);
    w.open = w.open.filter((other) => other !== r);
}
function givesBack(r) { // an id that was given back stays so
    if (r.call && r.call.flags & CALL && r.usage.every((u) => u.amount == 0)) r.givesBack = true;
}
const known = (name) => { const r = w.calls[name]; return r && (r.state === HELD || w.now < r.ended + OUTCOME_US) ? r : null; };
const equal = (a, b) => a.every((u) => u.amount == 0 || exactly(u, b) == u.amount) && b.every((u) => u.amount == 0 || exactly(u, a) == u.amount);

// ---- Corrections (26) ----
const CORRECTABLE = 1024; // a quarter of the reservations that may be open
const mayBeCorrected = (r) => w.corrects && !r.corrected && w.now < r.ended + OUTCOME_US && w.provisional - r.provisional < CORRECTABLE &&
    (r.state === EXPIRED || (r.state === COMMITTED && r.isProvisional));
function endedProvisionally(r) {
    r.isProvisional = true;
    r.provisional = w.provisional++;
    for (const { win } of r.takes) win.provisional.push(r.name);
}
function correct(r, usage) {
    const before = events.length;
    fx = r.fx;
    for (const t of r.takes) {
        const { b, win } = t, amount = used(b, usage), more = amount - t.charged;
        t.charged = amount;
        if (b.ended) continue;
        if (b.period === ROLLING && !isRecent(b, win)) { charged(b, newest(b), false); continue; }
        following(b, () => {
            win.committed += more;
            charged(b, win, (more > 0 && isAbove(b, win)) || (b.mode === ENFORCE && isUnconverted(b, usage)));
        });
    }
    for (const { q, spent } of r.quotas) respend(q, spent, used(q, usage));
    r.usage = usage;
    givesBack(r);
    Object.assign(r, { correction: {}, cost: costOf(usage), corrected: 1 });
    r.overrun = budgetsOverrun(r, usage, before) ? 1 : 0;
    event(EVENT.CORRECTED, { scope: r.scope, name: r.name });
}
function respend(q, spent, amount) {
    let less = sum(spent, (d) => d.amount) - amount;
    if (less < 0) spendMore(q, spent, -less);
    for (let i = spent.length - 1; i >= 0 && less > 0; i--) {
        const part = spent[i].amount < less ? spent[i].amount : less;
        spent[i].g.drawn -= part < spent[i].g.drawn ? part : spent[i].g.drawn; // some may have been refunded
        spent[i].amount -= part;
        less -= part;
    }
}
function overruns(r, usage, before) {
    const over = usage.some((u) => { const d = r.amounts.find((a) => same(a, u)); return d && u.amount > d.amount; });
    return over || budgetsOverrun(r, usage, before) ? 1 : 0;
}
const budgetsOverrun = (r, usage, before) => r.quotas.some(({ q }) => isUnconverted(q, usage)) ||
    events.slice(before).some(([kind]) => kind === EVENT.OVERRUN || kind === EVENT.QUOTA_OVERRUN);

export function commit(name, usage, flags) {
    const r = name > 0 ? known(name) : null;
    if (!r) return [E.NOT_FOUND];
    const isRepeat = (r.state === COMMITTED || r.corrected) && equal(usage, r.usage);
    if (isRepeat && (flags & PROVISIONAL || !mayBeCorrected(r))) return [0, ...receipt(r, 1)];
    if (r.state !== HELD && !mayBeCorrected(r)) return [E.ENDED, ...receipt(r, 0)];
    if (r.state !== HELD && flags & PROVISIONAL) return [E.ENDED, ...receipt(r, 0)];
    if (r.state === HELD) end(r, COMMITTED, usage);
    else correct(r, usage);
    if (flags & PROVISIONAL) endedProvisionally(r);
    return [0, ...receipt(r, 0)];
}
export function release(name) {
    const r = name > 0 ? known(name) : null;
    if (!r) return [E.NOT_FOUND];
    if (r.state === RELEASED) return [0, ...receipt(r, 1)];
    if (r.state !== HELD) return [E.ENDED, ...receipt(r, 0)];
    end(r, RELEASED, []);
    return [0, ...receipt(r, 0)];
}
export function record(call) {
    if (!w.scopes.has(call.scope)) return [E.NOT_FOUND];
    const o = outcomeOf(call);
    if (o && !o.refused && binds(o)) { // a refusal binds reservations alone
        if (!o.record || o.content !== call.content || !equal(o.record.usage, call.usage)) return [E.CONTENT];
        return [0, ...receipt(o.record, 1)];
    }
    makeDefaults(pathOf(call.scope));
    const list = budgetsOf(pathOf(call.scope)).filter((b) => counts(b, call));
    list.forEach(touch);
    const r = { state: HELD, at: w.now, fx: nowRates(), amounts: [], rates: [], takes: list.map((b) => take(b, ZERO, false)) };
    fx = r.fx;
    for (const l of ratesOf(pathOf(call.scope), call))
        if (!l.concurrent) takeRate(l, call.usage.some((u) => touches(u, l)) ? used(l, call.usage) : l.meter === REQUESTS ? ONE : ZERO);
    r.quotas = quotasOf(pathOf(call.scope)).map((q) => ({ q, draws: [], spent: [] }));
    end(r, COMMITTED, call.usage);
    if (call.id) remember(call, { record: r });
    return [0, ...receipt(r, 0)];
}
function expire(r) {
    endedProvisionally(r);
    end(r, EXPIRED, r.call.expiry === CHARGE || r.call.flags & CALL ? r.amounts : []);
    event(EVENT.EXPIRED, { scope: r.scope, name: r.name });
}
// Of those that expire at the same instant any may be first: the engine's choice is told.
export function pass(now, told) {
    w.now = now;
    const due = w.open.filter((r) => r.expires <= now && !(r.call.flags & CALL)).sort((a, b) => a.expires - b.expires);
    for (const name of told) {
        const next = due.find((r) => r.expires === due[0].expires && r.name === name);
        if (!next) break;
        due.splice(due.indexOf(next), 1);
        expire(next);
    }
    due.forEach(expire);
}

// Calls that were open end at their worst case; what throttles counted is forgotten.
export function restart() {
    for (const r of w.open.filter((other) => other.call.flags & CALL)) expire(r);
    for (const b of w.budgets.values()) newest(b).latch.counts.clear();
    forget();
}

// ---- Administration ----
const findScope = (spec) => [...w.scopes.values()].find((s) => (!s.ended || isScopeHeld(s)) && s.kind === spec.kind && s.id === spec.id && s.organization === spec.organization);
const rank = { 2: [1, 2], 3: [1, 2], 4: [1, 2, 3], 5: [1], 6: [1, 5] }; // who may stand above whom
const isScopeHeld = (scope) => w.open.some((r) => r.scope === scope.handle);
function endScope(handle) {
    const scope = w.scopes.get(handle);
    if (!scope || scope.ended) return E.NOT_FOUND;
    if ([...w.scopes.values()].some((s) => !s.ended && (s.parent === handle || s.organization === handle))) return E.INVALID;
    for (const list of [scope.budgets, scope.rates, scope.quotas]) for (const x of list) x.ended = true;
    scope.ended = true;
    return handle;
}
const DEPARTMENT = 2, DEPARTMENTS_MAX = 3; // one in another
const wayUp = (scope) => (scope ? [scope, ...wayUp(w.scopes.get(scope.parent))] : []);
const departmentsFrom = (scope) => wayUp(scope).filter((s) => s.kind === DEPARTMENT).length;
// Whether a department may stand there, with all that stands in it.
function fitsDepth(scope, parent) {
    if (wayUp(parent).includes(scope)) return false;
    const within = [...w.scopes.values()].filter((s) => !s.ended && s.kind === DEPARTMENT && wayUp(s).includes(scope));
    const below = Math.max(1, ...within.map((s) => wayUp(s).indexOf(scope) + 1));
    return departmentsFrom(parent) + below <= DEPARTMENTS_MAX;
}
function moveScope(handle, to) {
    const scope = w.scopes.get(handle), parent = w.scopes.get(to);
    if (!scope || scope.ended || !parent || parent.ended) return E.NOT_FOUND;
    if (scope.kind === ORGANIZATION || !rank[scope.kind].includes(parent.kind) || organizationOf(parent) !== scope.organization) return E.INVALID;
    if (scope.kind === DEPARTMENT && scope.parent !== to && !fitsDepth(scope, parent)) return E.INVALID;
    scope.parent = to;
    return handle;
}
function flagged(flags, isThere) {
    if (flags & 1 && isThere) return E.EXISTS;
    return flags & 2 && !isThere ? E.NOT_FOUND : 0;
}
function putScope(spec, flags, handle) {
    const is = findScope(spec), parent = w.scopes.get(spec.parent), organization = w.scopes.get(spec.organization);
    if (spec.kind !== ORGANIZATION && (!organization || organization.ended)) return E.NOT_FOUND;
    const error = flagged(flags, is && !is.ended);
    if (error) return error;
    if (is && is.ended) return E.EXISTS;
    if (is) {
        if (is.parent !== spec.parent) return E.INVALID;
        Object.assign(is, { expires: spec.expires, revoked: spec.revoked });
        return is.handle;
    }
    if (spec.kind !== ORGANIZATION) {
        if (!parent || parent.ended || !rank[spec.kind].includes(parent.kind)) return E.INVALID;
        if ((parent.organization || parent.handle) !== spec.organization) return E.INVALID;
        if (spec.kind === DEPARTMENT && departmentsFrom(parent) >= DEPARTMENTS_MAX) return E.INVALID;
    }
    w.scopes.set(handle, { handle, ...spec, ended: false, budgets: [], rates: [], quotas: [] });
    return handle;
}
const organizationOf = (scope) => scope.organization || scope.handle;
const fixed = ['scope', 'kind', 'meter', 'currency', 'period', 'zone', 'anchor', 'seconds'];
const isHeld = (b) => b.windows.some((win) => win.open);
function putBudget(spec, flags, handle) {
    const scope = w.scopes.get(spec.scope);
    if (!scope || scope.ended) return E.NOT_FOUND;
    if (spec.kind && scope.kind !== ORGANIZATION) return E.INVALID;
    const is = findBudget(spec.id, organizationOf(scope));
    const error = flagged(flags, is && !is.ended);
    if (error) return error;
    if (is && is.ended) return E.EXISTS;
    if (!is) {
        if (isFull(scope)) return E.FULL;
        newBudget(scope, { handle, ...spec, template: 0 });
        return handle;
    }
    if (fixed.some((field) => is[field] !== spec[field])) return E.INVALID;
    changeBudget(is, spec);
    return is.handle;
}
function newBudget(scope, spec) {
    const b = { ...spec, organization: organizationOf(scope), ended: false, revision: 1, windows: [], carried: ZERO, given: ZERO,
        increased: ZERO, increases: [], phases: '', numbers: 0, acted: null, lifted: null, made: new Set() };
    newWindow(b, windowNow(b));
    w.budgets.set(b.handle, b);
    scope.budgets.push(b);
}
// Its id is free once nothing holds it.
const findBudget = (id, organization) => [...w.budgets.values()].find((b) => b.id === id && b.organization === organization && (!b.ended || isHeld(b)));
const MOST_BUDGETS = 8;
const isFull = (scope) => scope.budgets.filter((b) => !b.ended).length >= MOST_BUDGETS;
// Templates (28). false: one cannot be made.
function makeDefaults(path) {
    const templates = path.length ? path[path.length - 1].budgets.filter((b) => b.kind && !b.ended && b.mode !== OFF) : [];
    let isDone = true;
    for (const t of templates)
        for (const scope of path) {
            const id = `${t.id}~${scope.handle}`;
            if (t.kind !== scope.kind || scope.ended || t.made.has(scope.handle) || findBudget(id, t.organization)) continue;
            if (isFull(scope)) { isDone = false; continue; }
            t.made.add(scope.handle);
            newBudget(scope, { ...fieldsOf(t), handle: Math.max(0, ...w.budgets.keys()) + 1, id, scope: scope.handle, kind: 0, template: t.handle });
        }
    return isDone;
}
const fieldsOf = (b) => Object.fromEntries([...fixed, ...changeable, 'matches'].map((field) => [field, b[field]]));
const changeable = ['limit', 'mode', 'thresholds', 'soft', 'cap', 'controls', 'starts', 'ends'];
function changeBudget(b, spec) {
    touch(b);
    const was = limitOf(b), { mode } = b;
    if (['limit', 'mode', 'starts', 'ends'].some((field) => b[field] !== spec[field])) b.revision++;
    for (const field of changeable) b[field] = spec[field];
    limitChanged(b, was, mode);
}
function putIncrease(c) {
    const b = w.budgets.get(c.handle);
    if (!b || b.ended) return E.NOT_FOUND;
    if (c.from >= c.until || c.until <= w.now || b.kind) return E.INVALID;
    if (c.flags & 2) return E.NOT_FOUND; // they are only ever made
    touch(b);
    if (liveIncreases(b).length >= 8) return E.FULL;
    b.increases = [...liveIncreases(b), { number: ++b.numbers, amount: c.amount, from: c.from, until: c.until }];
    increase(b);
    return b.numbers;
}
const liveIncreases = (b) => b.increases.filter((i) => w.now < i.until);
function endIncrease(handle, number) {
    const b = w.budgets.get(handle), i = b && !b.ended && liveIncreases(b).find((other) => other.number === number);
    if (!i) return E.NOT_FOUND;
    touch(b);
    b.increases = b.increases.filter((other) => other !== i);
    increase(b);
    return number;
}
export function lookIncreases(handle) {
    const b = w.budgets.get(handle);
    if (!b) return [E.NOT_FOUND];
    if (b.ended) return null;
    touch(b);
    const list = liveIncreases(b);
    return [0, list.length, ...list.flatMap((i) => [i.number, i.amount, i.from, i.until, i.from <= w.now ? 1 : 0])];
}
function putExchange(spec, flags) {
    if (spec.from === spec.to) return E.INVALID;
    if (flags & 2) return E.NOT_FOUND; // they are only ever made
    return w.exchanges.push(spec);
}
export function lookExchanges() {
    fx = nowRates();
    return [0, w.exchanges.length, ...w.exchanges.flatMap((x, i) => [i + 1, x.from, x.to, x.numerator, x.denominator, x.effective, exchange(x.from, x.to) === x ? 1 : 0])];
}
function liftStop(handle) {
    const b = w.budgets.get(handle);
    if (!b || b.ended) return E.NOT_FOUND;
    touch(b);
    const latch = latchOf(b);
    if (!latch.stop) return handle;
    latch.stop = 0;
    latch.lifted = true;
    b.lifted = w.now;
    event(EVENT.LIFTED, { budget: b, win: windowOf(b) });
    return handle;
}
function endBudget(handle) {
    const b = w.budgets.get(handle);
    if (!b || b.ended) return E.NOT_FOUND;
    b.ended = true;
    return handle;
}
function putRate(spec, flags, handle) {
    const scope = w.scopes.get(spec.scope);
    if (!spec.concurrent && (spec.meter === COST) !== (spec.currency !== 0)) return E.INVALID;
    if (!spec.concurrent && periodOf(spec) * BigInt(spec.limit > burstOf(spec) ? spec.limit : burstOf(spec)) >= RATE_PERIODS) return E.INVALID;
    if (!scope || scope.ended) return E.NOT_FOUND;
    const is = [...w.rates.values()].find((l) => !l.ended && l.id === spec.id && l.organization === organizationOf(scope));
    const error = flagged(flags, is);
    if (error) return error;
    if (!is) {
        if (scope.rates.filter((l) => !l.ended).length >= 4) return E.FULL;
        const l = { handle, ...spec, organization: organizationOf(scope), debt: 0n, at: w.now, open: 0, ended: false, revision: 1 };
        w.rates.set(handle, l);
        scope.rates.push(l);
        return handle;
    }
    if (['scope', 'concurrent', 'meter', 'currency'].some((field) => is[field] !== spec[field])) return E.INVALID;
    if (!is.concurrent) owe(is, upDiv(debtOf(is) * periodOf(spec), periodOf(is)));
    if (['limit', 'period', 'mode'].some((field) => is[field] !== spec[field]) || burstOf(is) !== burstOf(spec)) is.revision++;
    Object.assign(is, { limit: spec.limit, period: spec.period, burst: spec.burst, mode: spec.mode });
    return is.handle;
}
function endRate(handle) {
    const l = w.rates.get(handle);
    if (!l || l.ended) return E.NOT_FOUND;
    l.ended = true;
    return handle;
}
const grantFixed = ['meter', 'currency', 'scope'];
function putGrant(spec, flags, handle) {
    const scope = w.scopes.get(spec.scope);
    if ((spec.meter === COST) !== (spec.currency !== 0)) return E.INVALID;
    if (!scope || scope.ended) return E.NOT_FOUND;
    const is = [...w.grants.values()].find((g) => g.id === spec.id && g.organization === organizationOf(scope));
    const error = is && is.q.ended ? (flags & 2 ? E.NOT_FOUND : E.EXISTS) : flagged(flags, is);
    if (error) return error;
    if (is) {
        if (grantFixed.some((field) => is[field] !== spec[field])) return E.INVALID;
        if (spec.amount < is.amount && spec.amount < is.drawn + is.held) return E.INVALID;
        is.q.revision++;
        Object.assign(is, { amount: spec.amount, priority: spec.priority, expires: spec.expires, source: spec.source });
        return is.handle;
    }
    let q = scope.quotas.find((other) => !other.ended && same(other, spec));
    if (!q && scope.quotas.filter((other) => !other.ended).length >= 4) return E.FULL;
    if (!q) scope.quotas.push(q = { scope: spec.scope, meter: spec.meter, currency: spec.currency, grants: [], ended: false, revision: 0 });
    const g = { handle, ...spec, q, organization: organizationOf(scope), drawn: ZERO, held: ZERO, made: w.now };
    w.grants.set(handle, g);
    q.grants.push(g);
    q.revision++;
    return handle;
}
function endQuota(c) {
    const scope = w.scopes.get(c.scope), q = scope && scope.quotas.find((other) => !other.ended && same(other, c));
    if (!q) return E.NOT_FOUND;
    q.ended = true;
    return 0;
}
function refund(c) {
    const g = w.grants.get(c.handle);
    if (!g || g.q.ended) return E.NOT_FOUND;
    if (c.amount > g.drawn) return E.INVALID;
    g.drawn -= c.amount;
    g.q.revision++;
    return c.handle;
}
// What a change that makes something new would get.
export function nextHandle(kind) {
    const made = { 1: w.scopes, 2: w.budgets, 6: w.grants, 7: w.rates }[kind];
    return made ? Math.max(0, ...made.keys()) + 1 : 0;
}
// Negative: the error; else the handle. told: the handle the engine gave, for what is new.
export function change(c, told) {
    if (c.kind === 1) return putScope(c.spec, c.flags, told);
    if (c.kind === 2) return putBudget(c.spec, c.flags, told);
    if (c.kind === 4) return endScope(c.handle);
    if (c.kind === 5) return moveScope(c.handle, c.parent);
    if (c.kind === 6) return putGrant(c.spec, c.flags, told);
    if (c.kind === 7) return putRate(c.spec, c.flags, told);
    if (c.kind === 9) return endQuota(c);
    if (c.kind === 10) return refund(c);
    if (c.kind === 15) return CUSTOM; // the driver makes one a world
    if (c.kind === 14) return putExchange(c.spec, c.flags);
    if (c.kind === 11) return putIncrease(c);
    if (c.kind === 12) return endIncrease(c.handle, c.number);
    if (c.kind === 13) return liftStop(c.handle);
    return c.kind === 8 ? endRate(c.handle) : endBudget(c.handle);
}

// ---- Looking ----
export function lookBudget(handle) {
    const b = w.budgets.get(handle);
    if (!b) return [E.NOT_FOUND];
    touch(b);
    const win = windowOf(b), { latch } = win, ofWindow = [limitOf(b), b.limit, carriedOf(b), committedOf(b, win), heldOf(b, win), beganAt(b, win), shown(win.end)];
    // Which window an ended budget stood in when something last touched it is nobody's promise.
    return [0, b.scope, ...(b.ended ? Array(7).fill(null) : ofWindow), b.mode, ...(b.ended ? [null, null, null] : [latch.stop, latch.throttle ? 1 : 0, softReached(b, win) ? 1 : 0]), b.template, b.ended ? null : b.revision, b.ended ? null : b.thresholds.reduce((bits, ppm, i) => bits | (latch.fired.includes(ppm) ? 1 << i : 0), 0), b.ended ? 1 : 0];
}
export function lookRates(handle) {
    if (!w.scopes.has(handle)) return [E.NOT_FOUND];
    const list = pathOf(handle).flatMap((scope) => scope.rates.filter((l) => !l.ended));
    return [0, list.length, ...list.flatMap((l) => [l.handle, l.scope, l.limit, l.period, l.concurrent ? null : burstOf(l), l.mode, takenOf(l), fullAt(l), 0])];
}
const sums = (list) => [(g) => g.amount, (g) => g.drawn, (g) => g.held, leftOf].map((of) => sum(list, of));
export function lookQuotas(handle) {
    const scope = w.scopes.get(handle);
    if (!scope) return [E.NOT_FOUND];
    const list = quotasOf([scope]);
    return [0, list.length, ...list.flatMap((q) => [q.scope, q.meter, q.currency, ...sums(q.grants.filter(isLive))])];
}
// As they will be drawn, then the expired and empty ones, which the driver puts in order of their handles.
export function lookGrants(handle, meter, currency) {
    const scope = w.scopes.get(handle), q = scope && quotasOf([scope]).find((other) => same(other, { meter, currency }));
    if (!q) return [scope ? 0 : E.NOT_FOUND, ...(scope ? [0] : [])];
    const isDrawn = (g) => isLive(g) && g.amount > g.drawn, list = [...inOrder(q).filter(isDrawn), ...q.grants.filter((g) => !isDrawn(g)).sort((a, b) => a.handle - b.handle)];
    return [0, list.length, ...list.flatMap((g) => [g.handle, g.scope, g.amount, g.drawn, g.held, g.priority, g.expires, g.made, isLive(g) ? 0 : 1])];
}
export function lookReservation(name) {
    const r = name > 0 ? w.calls[name] : null;
    if (!r) return [E.NOT_FOUND];
    if (!known(name)) return null; // maybe still there to be looked at
    if (r.state !== HELD) return [0, r.state, r.scope, 0, 0, 0, 0];
    return [0, r.state, r.scope, r.made, shown(r.expires), r.granted, r.amounts.length,
        ...r.amounts.flatMap((a) => [a.meter, a.currency, a.amount])];
}
export const stats = () => [0, w.open.length, 0];
