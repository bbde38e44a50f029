// SPDX-License-Identifier: Apache-2.0
// Windows again, from what Node's Intl says the wall clocks show; nothing is shared with
// src/calendar. A window has a lower bound B in local time; it begins at the first instant at which
// the wall clock shows B or later, and ends where the next one begins.
const DAY = 86400e6;
const HORIZON = [Date.UTC(2017, 0) * 1e3, Date.UTC(2041, 0) * 1e3];

// What a zone's clock is ahead of UTC, in us.
function offsetAt(format, at) {
    const part = {};
    for (const { type, value } of format.formatToParts(Math.floor(at / 1e3))) part[type] = +value;
    const local = Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
    return (local - Math.floor(at / 1e6) * 1e3) * 1e3;
}

// Stretches of one offset: [{from, to, offset}]. Looked for in steps of five days, then halved to the second.
const zones = new Map();
function stretches(zone) {
    if (zones.has(zone)) return zones.get(zone);
    const format = new Intl.DateTimeFormat('en-US', { timeZone: zone || 'UTC', calendar: 'gregory',
        numberingSystem: 'latn', hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
        hour: 'numeric', minute: 'numeric', second: 'numeric' });
    const list = [{ from: -Infinity, offset: offsetAt(format, HORIZON[0]) }];
    for (let day = HORIZON[0]; day < HORIZON[1]; day += 5 * DAY) {
        let low = day, high = day + 5 * DAY;
        const offset = offsetAt(format, high);
        if (offset === list.at(-1).offset) continue;
        while (high - low > 1e6) {
            const middle = low + Math.floor((high - low) / 2e6) * 1e6;
            if (offsetAt(format, middle) === offset) high = middle;
            else low = middle;
        }
        list.push({ from: high, offset });
    }
    list.forEach((stretch, i) => { stretch.to = list[i + 1] ? list[i + 1].from : Infinity; });
    zones.set(zone, list);
    return list;
}

const day0 = (year, month, day) => Date.UTC(year, month, day) * 1e3;
// A date, or the last day of its month if it has none such.
function date(year, month, day) {
    const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    return day0(year, month, Math.min(day, last));
}

// The bound of the window that local time lies in, and the next one.
function bounds(rule, local) {
    const grid = (step, shift = 0) => {
        const from = Math.floor((local - shift) / step) * step + shift;
        return [from, from + step];
    };
    const months = (step, first, day) => {
        const at = new Date(Math.floor(local / 1e3));
        let month = at.getUTCFullYear() * 12 + at.getUTCMonth();
        month -= ((month - first) % step + step) % step;
        const bound = (m) => date(Math.floor(m / 12), m % 12, day);
        if (bound(month) > local) month -= step;
        else if (bound(month + step) <= local) month += step;
        return [bound(month), bound(month + step)];
    };
    const { period, anchor } = rule;
    if (period === 0) return grid(60e6);
    if (period === 1) return grid(3600e6);
    if (period === 2) return grid(DAY, anchor * 1e6);
    if (period === 3) return grid(7 * DAY, (3 + (anchor || 1)) * DAY); // day 0 was a Thursday
    if (period === 4) return months(1, 0, anchor || 1);
    const [month, day] = anchor ? [Math.floor(anchor / 100) - 1, anchor % 100] : [0, 1];
    return months(period === 5 ? 3 : 12, month, day);
}

function firstAt(list, bound) {
    for (const { from, to, offset } of list) if (to + offset > bound) return Math.max(from, bound - offset);
    return Infinity;
}

function calendarWindow(rule, at) {
    const list = stretches(rule.zone);
    let shown = -Infinity; // the latest the wall clock has ever shown
    for (const { from, to, offset } of list) {
        if (from > at) break;
        shown = Math.max(shown, Math.min(at, to - 1) + offset);
    }
    const [low, high] = bounds(rule, shown);
    return { start: Math.max(0, firstAt(list, low)), end: firstAt(list, high) };
}

const memo = new Map(); // the latest window of each rule
export function windowAt(rule, at) {
    if (rule.period === 7) return { start: 0, end: Infinity };
    if (rule.period === 8) {
        const bucket = rule.seconds * 15625, start = Math.floor(at / bucket) * bucket;
        return { start, end: start + bucket };
    }
    const key = `${rule.period} ${rule.anchor} ${rule.zone}`;
    let window = memo.get(key);
    if (!window || at < window.start || at >= window.end) memo.set(key, window = calendarWindow(rule, at));
    return window;
}
