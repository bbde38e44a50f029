// SPDX-License-Identifier: Apache-2.0
// Reads a transcript of model_drive: a letter a line, then integers; asks the model the same, and
// compares number by number.
const NEWLINE = 10, SPACE = 32, MINUS = 45, SAFE_DIGITS = 15;
const EXPIRED = 3;
const REFUSALS = 'reason scope budget rate meter shadow currency limit committed held asked resets_at'.split(' ');
const LETTERS = { R: 'reserve', C: 'check', K: 'commit', L: 'release', D: 'record', E: 'extend', T: 'pass', A: 'apply', B: 'budget', N: 'rates', U: 'quotas', M: 'exchanges', I: 'increases', G: 'grants', V: 'reservation', Q: 'stats', O: 'restart', W: 'world' };

export class Reader {
    constructor(small, big) {
        Object.assign(this, { small, big, model: small, words: [], rest: null, isWhole: false });
        this.counts = { operations: 0, worlds: 0, refusals: 0, restarts: 0 };
        this.world = this.op = 0;
        this.lines = [];
        this.records = new Map();
    }
    where() { return { world: this.world, op: this.op, lines: this.lines }; }

    feed(chunk) {
        const bytes = this.rest ? Buffer.concat([this.rest, chunk]) : chunk;
        const end = bytes.lastIndexOf(NEWLINE) + 1;
        this.bytes = bytes;
        for (this.at = 0; this.at < end;) {
            this.begin = this.at;
            const difference = this.line();
            if (difference) return difference;
        }
        this.rest = end < bytes.length ? bytes.subarray(end) : null;
        return null;
    }

    // The next integer of the line.
    int() {
        const { bytes } = this;
        let at = this.at + 1, c = bytes[at], isNegative = false, n = 0;
        if (bytes[at - 1] !== SPACE) throw new Error('the line is too short');
        if (c === MINUS) { isNegative = true; c = bytes[++at]; }
        const from = at;
        for (; c >= 48; c = bytes[++at]) n = n * 10 + c - 48;
        this.at = at;
        if (at - from > SAFE_DIGITS) { // too long to add up in a double
            const exact = BigInt(bytes.latin1Slice(from, at)) * (isNegative ? -1n : 1n), near = Number(exact);
            return Number.isSafeInteger(near) ? near : exact;
        }
        return isNegative ? -n : n;
    }
    amount() { const n = this.int(); return this.model.BIG ? BigInt(n) : n; }
    text() { return this.words[this.int()]; }
    list(read) { return Array.from({ length: this.int() }, read, this); }

    line() {
        const letter = String.fromCharCode(this.bytes[this.at++]);
        let difference = null;
        if (letter === '#') { this.op = this.int(); this.counts.operations++; }
        else if (letter === 'X') this.word();
        else if (letter === 'W') this.begins();
        else if (letter === 'Z') { this.isWhole = true; this.worldEnds(); }
        else difference = this.operation(letter);
        if (this.bytes[this.at] !== NEWLINE && !difference) throw new Error(`left over: ${this.rawLine()}`);
        this.at = this.bytes.indexOf(NEWLINE, this.at) + 1;
        return difference;
    }
    rawLine() { return this.bytes.latin1Slice(this.begin, this.bytes.indexOf(NEWLINE, this.begin)); }

    word() {
        const n = this.int(), end = this.bytes.indexOf(NEWLINE, this.at);
        this.words[n] = this.bytes.latin1Slice(this.at + 1, end);
        this.at = end;
    }
    begins() {
        this.world = this.int();
        this.op = 0;
        this.model = this.int() ? this.big : this.small;
        this.state = this.model.begin(this.int());
        this.isDurable = this.int();
        this.state.corrects = this.int();
        this.model.enter(this.state);
        this.records.clear();
        this.lines = [];
        this.counts.worlds++;
    }
    worldEnds() {}

    operation(letter) {
        const want = this.ask(letter), { events } = this.model;
        if (!want) { this.at = this.bytes.indexOf(NEWLINE, this.at); return null; }
        const got = [];
        for (let i = 0; i < want.length; i++) {
            const expected = want[i];
            if (expected === null || typeof expected !== 'object') {
                const n = this.int();
                got.push(n);
                if (n != expected && expected !== null) return this.differs(letter, want, got, i);
            } else { // a record's number: the same whenever it is told
                const n = this.int(), known = this.records.get(expected);
                got.push(n);
                if (known ? n !== known : n <= 0) return this.differs(letter, want, got, i);
                this.records.set(expected, n);
            }
        }
        const heard = this.events();
        if (heard.length !== events.length || (heard.length && !this.hears(heard, events))) return this.differs(letter, want, got, -1, heard);
        if (heard.length) this.model.forget();
        return null;
    }
    events() {
        return this.list(() => {
            const row = [this.int(), this.int()];
            this.int(); // seq
            for (let k = 0; k < 8; k++) row.push(this.int());
            return row;
        });
    }
    hears(heard, events) {
        const wanted = events.map((row) => row.join(' ')), got = heard.map((row) => row.join(' '));
        if (wanted.every((row, i) => row === got[i])) return true;
        wanted.sort();
        return got.sort().every((row, i) => row === wanted[i]);
    }
    differs(letter, want, got, at, heard = null) {
        const plain = (list) => list.map((n) => (n !== null && typeof n === 'object' ? '(record)' : String(n))).join(' ');
        const events = heard && `\n  events expected:\n    ${this.model.events.map((r) => r.join(' ')).join('\n    ')}\n  got:\n    ${heard.map((r) => r.join(' ')).join('\n    ')}`;
        return { ...this.where(), what: `${LETTERS[letter] || letter} ${heard ? 'events' : `field ${at}`} ${this.hint(letter, at)}\n  ${this.rawLine()}\n` +
            `  expected: ${plain(want)}\n  got:      ${plain(got)}${events || ''}` };
    }
    hint(letter, at) {
        const names = { R: 'error allowed repeated name expires_at granted has_remaining remaining of retry_at advice refusals'.split(' '),
            K: 'error state cost overrun repeated corrected record'.split(' '),
            B: 'error scope limit base carried committed held start end mode stopped_at throttled soft template revision fired ended'.split(' ') };
        names.C = names.E = names.R; names.L = names.D = names.K;
        if ('RCE'.includes(letter) && at >= 12) return `(refusal ${Math.floor((at - 12) / 12)}: ${REFUSALS[(at - 12) % 12]})`;
        return names[letter] && at >= 0 ? `(${names[letter][at]})` : '';
    }

    // ---- Questions ----
    demand() { return { meter: this.int(), currency: this.int(), fixed: this.amount(), rate: this.amount() }; }
    usage() { return { meter: this.int(), currency: this.int(), amount: this.amount() }; }
    context() {
        return { scope: this.int(), id: this.int(), content: this.int(), model: this.text(), provider: this.text(), session: this.text(), tags: this.list(this.text) };
    }
    call() {
        const call = this.context();
        call.demands = this.list(this.demand);
        call.floor = this.amount(); call.wish = this.amount();
        call.ttl = this.int(); call.expiry = this.int(); call.flags = this.int();
        return call;
    }
    ask(letter) {
        const { model } = this;
        switch (letter) {
        case 'R': { const want = model.reserve(this.call()); this.counts.refusals += want[0] === 0 && want[1] === 0 ? 1 : 0; return want; }
        case 'C': return model.check(this.call());
        case 'E': return model.extend(this.int(), this.list(this.demand), this.amount(), this.amount(), this.int(), this.int());
        case 'K': return model.commit(this.int(), this.list(this.usage), this.int());
        case 'L': return model.release(this.int());
        case 'D': { const call = this.context(); call.usage = this.list(this.usage); return model.record(call); }
        case 'T': return this.pass();
        case 'O': { this.int(); this.counts.restarts++; model.restart(); return []; }
        case 'B': return model.lookBudget(this.int());
        case 'N': return model.lookRates(this.int());
        case 'M': return model.lookExchanges();
        case 'I': return model.lookIncreases(this.int());
        case 'U': return model.lookQuotas(this.int());
        case 'G': return model.lookGrants(this.int(), this.int(), this.int());
        case 'V': return model.lookReservation(this.int());
        case 'Q': return model.stats();
        case 'A': return this.apply();
        default: throw new Error(`unknown line ${this.rawLine()}`);
        }
    }
    pass() {
        const now = this.int(), before = this.at, rows = this.events();
        this.at = before;
        this.model.pass(now, rows.filter((row) => row[0] === EXPIRED).map((row) => row[5]));
        return [];
    }

    // ---- Administration ----
    instant() { const n = this.int(); return n < 0 ? Infinity : n; }
    scopeSpec() { return { kind: this.int(), id: this.int(), organization: this.int(), parent: this.int(), expires: this.instant(), revoked: this.int() }; }
    budgetSpec() {
        return { id: this.int(), scope: this.int(), kind: this.int(), meter: this.int(), currency: this.int(), limit: this.amount(),
            period: this.int(), zone: this.text(), anchor: this.int(), seconds: this.int(),
            matches: this.list(this.match), mode: this.int(), thresholds: this.list(this.int),
            soft: this.amount(), cap: this.amount(),
            controls: { throttle: this.int(), rate: this.int(), stop: this.int(), downgrade: this.int(), cooldown: this.int() },
            starts: this.int(), ends: this.int() };
    }
    rateSpec() {
        return { id: this.int(), scope: this.int(), concurrent: this.int(), meter: this.int(), currency: this.int(), limit: this.amount(),
            period: this.int(), burst: this.amount(), mode: this.int(), matches: this.list(this.match) };
    }
    grantSpec() {
        return { id: this.int(), scope: this.int(), meter: this.int(), currency: this.int(), amount: this.amount(), priority: this.int(),
            expires: this.int(), source: this.text() };
    }
    match() { return { kind: this.int(), pattern: this.text() }; }
    oneChange() {
        const c = { kind: this.int(), flags: this.int() };
        if (c.kind === 1) c.spec = this.scopeSpec();
        else if (c.kind === 2) c.spec = this.budgetSpec();
        else if (c.kind === 6) c.spec = this.grantSpec();
        else if (c.kind === 7) c.spec = this.rateSpec();
        else if (c.kind === 14) c.spec = { from: this.int(), to: this.int(), numerator: this.int(), denominator: this.int(), effective: this.int() };
        else if (c.kind === 9) Object.assign(c, { scope: this.int(), meter: this.int(), currency: this.int() });
        else if (c.kind === 10) Object.assign(c, { handle: this.int(), amount: this.amount() });
        else if (c.kind !== 15) c.handle = this.int();
        if (c.kind === 5) c.parent = this.int();
        if (c.kind === 11) Object.assign(c, { amount: this.amount(), from: this.int(), until: this.int() });
        if (c.kind === 12) c.number = this.int();
        return c;
    }
    // All changes are applied, or none: a batch that must fail is tried on a copy.
    apply() {
        const changes = this.list(this.oneChange), before = this.at, error = this.int(), handles = [];
        if (!error) for (let i = 0; i < changes.length; i++) handles.push(this.int());
        this.at = before;
        const copy = error && changes.length > 1 ? this.model.copyOf(this.state) : null;
        const resolve = (n) => (n >= 0x80000000 ? handles[n - 0x80000000] : n);
        const want = [0];
        if (copy) this.model.enter(copy);
        for (let i = 0; i < changes.length && want[0] === 0; i++) {
            const c = changes[i];
            if (c.spec) c.spec.scope = resolve(c.spec.scope);
            if (c.kind === 1) { c.spec.organization = resolve(c.spec.organization); c.spec.parent = resolve(c.spec.parent); }
            const told = error ? this.model.nextHandle(c.kind) : handles[i], answer = this.model.change(c, told);
            if (answer < 0) { want.length = 0; want.push(answer, i); } else want.push(answer);
        }
        if (copy) this.model.leave(this.state);
        if (error && want[0] === 0) want.length = 1;
        return want;
    }
}
