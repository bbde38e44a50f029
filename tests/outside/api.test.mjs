// SPDX-License-Identifier: Apache-2.0
// Proves that the API does what its contract says, by its success paths and its answers to what
// cannot be: organizations, departments, users, budgets, keys; the authority with single calls and
// arrays; repeats; refusals that name every budget; aliases; who may what; paging; records; /me.
// Every reply is checked against docs/openapi.yaml on the way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mete, PRICES, configuration } from './mete.mjs';
import { charge, nano } from './money.mjs';
import { Provider } from './provider.mjs';

let provider;
let mete;
before(async () => {
  provider = await new Provider(PRICES).start();
  mete = await Mete.start({ config: configuration(provider) });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const must = (...args) => mete.must(...args);
const orgPath = (org, rest = '') => `/api/v1/organizations/${org}${rest}`;

async function fails(status, code, field, ...call) {
  const reply = await mete.api(...call);
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.body.code, code, reply.text);
  if (field !== null) assert.equal(reply.body.field, field, reply.text);
  return reply.body;
}

test('organizations, departments and users are made, shown and listed', async () => {
  const acme = await must('POST', '/api/v1/organizations', { id: 'acme', name: 'Acme Ltd — 百科', currency: 'USD', time_zone: 'UTC' });
  assert.deepEqual([acme.id, acme.name, acme.currency, acme.time_zone], ['acme', 'Acme Ltd — 百科', 'USD', 'UTC']);
  const short = await must('POST', '/api/v1/organizations', { id: 'short', name: 'Short' });
  assert.deepEqual([short.currency, short.time_zone], ['USD', 'UTC']);
  await fails(409, 'exists', 'id', 'POST', '/api/v1/organizations', { id: 'acme', name: 'Other' });
  assert.equal((await must('GET', orgPath('acme'))).name, 'Acme Ltd — 百科');
  await must('POST', orgPath('acme', '/departments'), { id: 'dep', name: 'Dep' });
  await fails(409, 'exists', 'id', 'POST', orgPath('acme', '/departments'), { id: 'dep', name: 'Dep' });
  const user = await must('POST', orgPath('acme', '/users'), { id: 'u1', name: 'U', department: 'dep' });
  assert.deepEqual([user.organization, user.department], ['acme', 'dep']);
  assert.equal((await must('POST', orgPath('acme', '/users'), { id: 'u2', name: 'U' })).department, null);
  await must('POST', orgPath('short', '/departments'), { id: 'dep', name: 'the same id in another organization' });
  await mete.settled();
  assert.equal((await must('GET', orgPath('acme', '/users/u1'))).department, 'dep');
  assert.equal((await must('GET', orgPath('acme', '/departments/dep'))).name, 'Dep');
  assert.deepEqual((await mete.all(orgPath('acme', '/users'))).map((u) => u.id), ['u1', 'u2']);
  assert.deepEqual((await mete.all(orgPath('short', '/departments'))).map((d) => d.id), ['dep']);
  assert.ok((await mete.all('/api/v1/organizations')).some((o) => o.id === 'acme'));
});

test('a list is paged by cursor, and the pages are the list', async () => {
  await mete.organization('paged');
  for (let i = 0; i < 7; i += 1) await must('POST', orgPath('paged', '/users'), { id: `p${i}`, name: 'P' });
  await mete.settled();
  const whole = await mete.all(orgPath('paged', '/users'));
  assert.equal(whole.length, 8);
  const first = await must('GET', orgPath('paged', '/users?limit=3'));
  assert.equal(first.data.length, 3);
  assert.ok(first.next_cursor);
  assert.deepEqual(await mete.all(orgPath('paged', '/users?limit=3')), whole);
  assert.deepEqual(await mete.all(orgPath('paged', '/users?limit=1')), whole);
});

test('a budget is answered as of now, with what is left of it', async () => {
  await mete.organization('b1');
  const budget = await must('POST', orgPath('b1', '/budgets'), {
    id: 'daily', name: 'A day', scope: { kind: 'user', id: 'ada' }, unit: 'USD', amount: '5.00', period: 'daily', alert_thresholds: [0.5, 90],
  });
  assert.equal(nano(budget.amount), nano('5'));
  assert.deepEqual([nano(budget.used), nano(budget.held), nano(budget.remaining)], [0n, 0n, nano('5')]);
  assert.deepEqual(budget.alert_thresholds, [0.5, 0.9], 'percent is stored as a fraction');
  assert.deepEqual(budget.scope, { kind: 'user', id: 'ada', organization: 'b1' });
  assert.deepEqual([budget.status, budget.usage_percentage, budget.mode, budget.period], ['active', 0, 'enforce', 'daily']);
  const scope = { kind: 'user', id: 'ada', organization: 'b1' };
  const reserve = await must('POST', '/api/v1/budget/reserve', { request_id: 'r1', scope, amount: '4.00' });
  const held = await must('GET', orgPath('b1', '/budgets/daily'));
  assert.deepEqual([nano(held.held), nano(held.reserved), nano(held.remaining), nano(held.available)], [nano('4'), nano('4'), nano('1'), nano('1')]);
  assert.deepEqual([held.usage_percentage, held.status], [80, 'warning']);
  await must('POST', '/api/v1/budget/deduct', { reserve_id: reserve.reserve_id, amount: '4.60' });
  const used = await must('GET', orgPath('b1', '/budgets/daily'));
  assert.deepEqual([nano(used.used), nano(used.current_spend), nano(used.held)], [nano('4.6'), nano('4.6'), 0n]);
  assert.equal(used.status, 'critical');
  await must('POST', '/api/v1/budget/record', { request_id: 'r2', scope, amount: '0.40' });
  assert.equal((await must('GET', orgPath('b1', '/budgets/daily'))).status, 'exceeded');
});

test('windows are of the calendar in UTC', async () => {
  await mete.organization('b2');
  const ms = { hourly: 3600000, daily: 86400000 };
  for (const period of ['hourly', 'daily', 'monthly', 'total']) {
    const budget = await must('POST', orgPath('b2', '/budgets'), { id: period, scope: { kind: 'organization', id: 'b2' }, unit: 'USD', amount: '1', period });
    if (period === 'total') { assert.equal(budget.window_end, null); continue; }
    const [start, end, now] = [Date.parse(budget.window_start), Date.parse(budget.window_end), Date.now()];
    assert.ok(start <= now && end > start);
    if (ms[period]) {
      assert.equal(start % ms[period], 0);
      assert.equal(end - start, ms[period]);
    } else {
      assert.match(budget.window_start, /-01T00:00:00(\.0+)?Z$/);
      const day = new Date(start);
      assert.equal(end, Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1));
    }
  }
});

test('the organization\'s own budget is addressed without an id; several are a conflict', async () => {
  await mete.organization('b3');
  await fails(404, 'not_found', null, 'PUT', orgPath('b3', '/budgets'), { amount: '1' });
  await fails(404, 'not_found', null, 'DELETE', orgPath('b3', '/budgets'));
  const alias = await must('POST', orgPath('b3', '/budgets'), { monthly_limit: 10000.5 });
  assert.deepEqual([alias.period, alias.unit, nano(alias.amount), nano(alias.monthly_limit)], ['monthly', 'USD', nano('10000.5'), nano('10000.5')]);
  assert.deepEqual(alias.scope, { kind: 'organization', id: 'b3', organization: 'b3' });
  const changed = await must('PUT', orgPath('b3', '/budgets'), { monthly_limit: '12.25' });
  assert.deepEqual([changed.id, nano(changed.amount)], [alias.id, nano('12.25')]);
  await must('POST', orgPath('b3', '/budgets'), { scope: { kind: 'organization', id: 'b3' }, unit: 'tokens', amount: 1000, period: 'total' });
  assert.equal((await mete.api('PUT', orgPath('b3', '/budgets'), { amount: '1' })).status, 409);
  assert.equal((await mete.api('DELETE', orgPath('b3', '/budgets'))).status, 409);
  await must('DELETE', orgPath('b3', `/budgets/${alias.id}`));
  await fails(404, 'not_found', null, 'GET', orgPath('b3', `/budgets/${alias.id}`));
  await must('DELETE', orgPath('b3', '/budgets'));
  await mete.settled();
  assert.deepEqual(await mete.all(orgPath('b3', '/budgets')), []);
});

test('a budget\'s limit, mode and name change; what is not named stays', async () => {
  await mete.organization('b4');
  await mete.budget('b4', { id: 'x', name: 'Before', amount: '1.00' });
  const scope = { kind: 'organization', id: 'b4' };
  const ask = (id, amount) => must('POST', '/api/v1/budget/reserve', { request_id: id, scope, amount });
  assert.equal((await ask('1', '1.01')).success, false);
  await must('PUT', orgPath('b4', '/budgets/x'), { amount: '2.00' });
  assert.equal((await ask('2', '1.01')).success, true);
  const shadow = await must('PUT', orgPath('b4', '/budgets/x'), { mode: 'shadow', name: 'After' });
  assert.deepEqual([shadow.mode, shadow.name, nano(shadow.amount)], ['shadow', 'After', nano('2')]);
  const over = await ask('3', '5.00');
  assert.equal(over.success, true, 'a shadow budget refuses nothing');
  assert.deepEqual(over.refused_by.map((r) => [r.budget, r.shadow]), [['x', true]], 'and says that it would');
  await must('PUT', orgPath('b4', '/budgets/x'), { mode: 'off' });
  assert.deepEqual((await ask('4', '5.00')).refused_by, []);
});

test('a refusal names every budget that refused, nearest first, and when to come back', async () => {
  const key = await mete.organization('r1');
  await must('POST', orgPath('r1', '/budgets'), { id: 'org-hour', scope: { kind: 'organization', id: 'r1' }, unit: 'USD', amount: '0.02', period: 'hourly' });
  await must('POST', orgPath('r1', '/budgets'), { id: 'dep', scope: { kind: 'department', id: 'research' }, unit: 'USD', amount: '0', period: 'daily' });
  await must('POST', orgPath('r1', '/budgets'), { id: 'wide', scope: { kind: 'organization', id: 'r1' }, unit: 'USD', amount: '100', period: 'total' });
  await must('POST', orgPath('r1', '/budgets'), { id: 'user-tokens', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: 10, period: 'daily' });
  const reply = await must('POST', '/api/v1/budget/reserve',
    { request_id: 'r', scope: { kind: 'api_key', id: key.id }, amount: '0.05', usage: { input_tokens: 8, output_tokens: 4 } });
  assert.equal(reply.success, false);
  assert.equal(reply.reserve_id, null);
  assert.deepEqual(reply.refused_by.map((r) => r.budget), ['user-tokens', 'dep', 'org-hour']);
  const [tokens, dep, hour] = reply.refused_by;
  assert.deepEqual([tokens.reason, tokens.unit, tokens.limit, tokens.asked], ['hard_limit', 'tokens', '10', '12']);
  assert.deepEqual([dep.scope.kind, dep.scope.id, nano(dep.limit)], ['department', 'research', 0n]);
  assert.deepEqual([nano(hour.limit), nano(hour.asked), nano(hour.used), nano(hour.held)], [nano('0.02'), nano('0.05'), 0n, 0n]);
  const budget = await must('GET', orgPath('r1', '/budgets/org-hour'));
  assert.equal(Date.parse(hour.resets_at), Date.parse(budget.window_end));
  const check = await must('POST', '/api/v1/budget/check', { scope: { kind: 'api_key', id: key.id }, amount: '0.01' });
  assert.deepEqual([check.available, check.success], [false, false]);
  assert.equal(nano((await must('GET', orgPath('r1', '/budgets/wide'))).held), 0n, 'taken from every budget or from none');
});

test('a check takes nothing', async () => {
  await mete.organization('c1');
  await mete.budget('c1', { id: 'c', amount: '1.00' });
  const hash = await mete.hash();
  const reply = await must('POST', '/api/v1/budget/check', { scope: { kind: 'organization', id: 'c1' }, amount: '0.60' });
  assert.deepEqual([reply.available, nano(reply.remaining), nano(reply.used), nano(reply.reserved)], [true, nano('1'), 0n, 0n]);
  assert.deepEqual(reply.refused_by, []);
  assert.equal(await mete.hash(), hash);
});

test('the same request id and content: the same answer; other content: 422', async () => {
  await mete.organization('i1');
  await mete.budget('i1', { id: 'i', amount: '1.00' });
  const scope = { kind: 'organization', id: 'i1' };
  const ask = { request_id: 'same', scope, amount: '0.60', ttl_seconds: 600 };
  const first = await must('POST', '/api/v1/budget/reserve', ask);
  assert.deepEqual([first.success, first.repeated], [true, false]);
  const again = await must('POST', '/api/v1/budget/reserve', ask);
  assert.deepEqual({ ...again, repeated: false, timestamp: 0 }, { ...first, timestamp: 0 });
  assert.equal(again.repeated, true);
  await fails(422, 'content_differs', 'request_id', 'POST', '/api/v1/budget/reserve', { ...ask, amount: '0.61' });
  assert.equal(nano((await must('GET', orgPath('i1', '/budgets/i'))).held), nano('0.6'), 'set aside once');
  const refused = { request_id: 'refused', scope, amount: '0.50' };
  assert.equal((await must('POST', '/api/v1/budget/reserve', refused)).success, false);
  const parallel = await Promise.all(Array.from({ length: 20 }, () => mete.api('POST', '/api/v1/budget/reserve', { request_id: 'par', scope, amount: '0.01' })));
  const ids = new Set(parallel.filter((r) => r.status === 200).map((r) => r.body.reserve_id));
  assert.equal(ids.size, 1);
  assert.ok(parallel.every((r) => r.status === 200 || r.status === 409));
  assert.equal(nano((await must('GET', orgPath('i1', '/budgets/i'))).held), nano('0.61'));
});

test('the same request id in two scopes are two calls', async () => {
  await mete.organization('i2');
  await mete.organization('i3');
  const a = await must('POST', '/api/v1/budget/reserve', { request_id: 'x', scope: { kind: 'organization', id: 'i2' }, amount: '1' });
  const b = await must('POST', '/api/v1/budget/reserve', { request_id: 'x', scope: { kind: 'organization', id: 'i3' }, amount: '2' });
  assert.notEqual(a.reserve_id, b.reserve_id);
  assert.equal(b.repeated, false);
});

test('a reservation ends once: deducted or released, and repeats say the same', async () => {
  await mete.organization('e1');
  await mete.budget('e1', { id: 'e', amount: '10' });
  const scope = { kind: 'organization', id: 'e1' };
  const reserve = async (id, amount = '1.00') => (await must('POST', '/api/v1/budget/reserve', { request_id: id, scope, amount })).reserve_id;
  const first = await reserve('1');
  const deducted = await must('POST', '/api/v1/budget/deduct', { reserve_id: first, amount: '0.30' });
  assert.deepEqual([nano(deducted.amount), deducted.overrun, deducted.repeated], [nano('0.3'), false, false]);
  const again = await must('POST', '/api/v1/budget/deduct', { reserve_id: first, amount: '0.30' });
  assert.deepEqual([again.repeated, again.record_id], [true, deducted.record_id]);
  await fails(409, 'ended', null, 'POST', '/api/v1/budget/deduct', { reserve_id: first, amount: '0.31' });
  await fails(409, 'ended', null, 'POST', '/api/v1/budget/release', { reserve_id: first });
  const second = await reserve('2');
  assert.equal((await must('POST', '/api/v1/budget/release', { reserve_id: second })).repeated, false);
  assert.equal((await must('POST', '/api/v1/budget/release', { reserve_id: second })).repeated, true);
  await fails(409, 'ended', null, 'POST', '/api/v1/budget/deduct', { reserve_id: second, amount: '0.01' });
  const third = await reserve('3');
  const over = await must('POST', '/api/v1/budget/deduct', { reserve_id: third, amount: '1.50' });
  assert.deepEqual([over.overrun, nano(over.amount)], [true, nano('1.5')], 'more is charged in full and flagged');
  const fourth = await reserve('4', '0.70');
  assert.equal(nano((await must('POST', '/api/v1/budget/deduct', { reserve_id: fourth })).amount), nano('0.7'), 'without figures: what was reserved');
  const budget = await must('GET', orgPath('e1', '/budgets/e'));
  assert.deepEqual([nano(budget.used), nano(budget.held)], [nano('2.5'), 0n]);
  await fails(404, 'not_found', 'reserve_id', 'POST', '/api/v1/budget/deduct', { reserve_id: '123456789', amount: '1' });
});

test('a reservation nobody ends returns by itself', { timeout: 60000 }, async () => {
  await mete.organization('e2');
  await mete.budget('e2', { id: 'e', amount: '1' });
  const ask = { request_id: 'short', scope: { kind: 'organization', id: 'e2' }, amount: '1', ttl_seconds: 1 };
  const reply = await must('POST', '/api/v1/budget/reserve', ask);
  assert.ok(Date.parse(reply.expire_time) > 0);
  await mete.until(async () => nano((await must('GET', orgPath('e2', '/budgets/e'))).held) === 0n);
  const late = await mete.api('POST', '/api/v1/budget/deduct', { reserve_id: reply.reserve_id, amount: '0.5' });
  assert.ok(late.status === 409 || late.status === 200, late.text);
  const budget = await must('GET', orgPath('e2', '/budgets/e'));
  assert.equal(nano(budget.used), late.status === 200 ? nano('0.5') : 0n);
});

test('usage is counted in its meters and priced by its model', async () => {
  await mete.organization('u1');
  await mete.budget('u1', { id: 'money', amount: '10' });
  await mete.budget('u1', { id: 'tokens', unit: 'tokens', amount: 100000 });
  await mete.budget('u1', { id: 'requests', unit: 'requests', amount: '3' });
  const scope = { kind: 'organization', id: 'u1' };
  const held = await must('POST', '/api/v1/budget/reserve',
    { request_id: '1', scope, model: 'test-large', usage: { input_tokens: 1000, output_tokens: 500 } });
  assert.equal(held.success, true);
  const usage = { input_tokens: 900, cached_input_tokens: 100, output_tokens: 400, reasoning_tokens: 40 };
  const done = await must('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, model: 'test-large', usage });
  const cost = charge(PRICES['test-large'], { input: 900, cached_input: 100, output: 400, reasoning: 40 });
  assert.equal(nano(done.amount), cost);
  assert.equal(nano((await must('GET', orgPath('u1', '/budgets/money'))).used), cost);
  assert.equal((await must('GET', orgPath('u1', '/budgets/tokens'))).used, '1300');
  assert.equal((await must('GET', orgPath('u1', '/budgets/requests'))).used, '1');
  await must('POST', '/api/v1/budget/reserve', { request_id: '2', scope, amount: '0.1' });
  await must('POST', '/api/v1/budget/reserve', { request_id: '3', scope, amount: '0.1' });
  const fourth = await must('POST', '/api/v1/budget/reserve', { request_id: '4', scope, amount: '0.1' });
  assert.deepEqual(fourth.refused_by.map((r) => r.budget), ['requests'], 'every call is a request');
  const unpriced = await mete.api('POST', '/api/v1/budget/reserve', { request_id: '5', scope, model: 'never-heard-of', usage: { input_tokens: 1 } });
  assert.ok(unpriced.status === 400 || unpriced.body.success === false, `an unpriced model is never free: ${unpriced.text}`);
});

test('amounts may be numbers, and are read as their decimal text', async () => {
  await mete.organization('n1');
  await mete.budget('n1', { id: 'n', amount: 1 });
  const scope = { kind: 'organization', id: 'n1' };
  const body = (amount, id) => `{"request_id":"${id}","scope":{"kind":"organization","id":"n1"},"amount":${amount}}`;
  await must('POST', '/api/v1/budget/record', body('0.1', 'a'));
  await must('POST', '/api/v1/budget/record', body('0.2', 'b'));
  await must('POST', '/api/v1/budget/record', body('0.123456789', 'c'));
  assert.equal(nano((await must('GET', orgPath('n1', '/budgets/n'))).used), nano('0.423456789'), 'exact, no double in between');
  const repeat = await must('POST', '/api/v1/budget/record', { request_id: 'c', scope, amount: '0.123456789' });
  assert.equal(repeat.repeated, true, 'a number and its text are the same content');
});

test('an array is answered in its places, and a wrong call harms no other', async () => {
  await mete.organization('a1');
  await mete.budget('a1', { id: 'a', amount: '1.00' });
  const scope = { kind: 'organization', id: 'a1' };
  const replies = await must('POST', '/api/v1/budget/reserve', [
    { request_id: '1', scope, amount: '0.40' }, { request_id: '2', scope, amount: '-1' }, { request_id: '3', scope, amount: '0.40' },
    { request_id: '4', scope, amount: '0.40' }, { request_id: '5', scope: { kind: 'user', id: 'nobody', organization: 'a1' }, amount: '0.1' },
  ]);
  assert.deepEqual(replies.map((r) => r.success ?? r.code), [true, 'invalid', true, false, 'not_found']);
  assert.equal(replies[1].field, '[1].amount');
  const ends = await must('POST', '/api/v1/budget/deduct', [
    { reserve_id: replies[0].reserve_id, amount: '0.10' }, { reserve_id: replies[2].reserve_id, amount: '0.20' }, { reserve_id: '999999999', amount: '1' }]);
  assert.deepEqual(ends.map((r) => r.success ?? r.code), [true, true, 'not_found']);
  assert.equal(nano((await must('GET', orgPath('a1', '/budgets/a'))).used), nano('0.3'));
  const hundred = await must('POST', '/api/v1/budget/reserve', Array.from({ length: 100 }, (_, i) => ({ request_id: `h${i}`, scope, amount: '0.001' })));
  assert.equal(hundred.length, 100);
  assert.equal(new Set(hundred.map((r) => r.reserve_id)).size, 100);
});

test('records: one a call, found by every name it has', async () => {
  const key = await mete.organization('rec');
  const scope = { kind: 'api_key', id: key.id };
  const since = new Date(Date.now() - 60000).toISOString();
  for (let i = 0; i < 5; i += 1) {
    await must('POST', '/api/v1/budget/record', { request_id: `rec-${i}`, scope, amount: `0.0${i}`, model: i % 2 ? 'm-odd' : 'm-even', provider: 'p', status: 200, metadata: { project: 'x', i: String(i) } });
  }
  const again = await must('POST', '/api/v1/budget/record', { request_id: 'rec-3', scope, amount: '0.03', model: 'm-odd', provider: 'p', status: 200, metadata: { project: 'x', i: '3' } });
  assert.equal(again.repeated, true);
  await mete.settled();
  const all = await mete.all('/api/v1/records?organization=rec');
  assert.deepEqual(all.map((r) => r.request_id), ['rec-4', 'rec-3', 'rec-2', 'rec-1', 'rec-0'], 'newest first');
  assert.deepEqual(await mete.all('/api/v1/records?organization=rec&limit=2'), all);
  const [four] = all;
  assert.deepEqual([four.ending, four.state, nano(four.cost), four.currency, four.metadata], ['recorded', 'committed', nano('0.04'), 'USD', { project: 'x', i: '4' }]);
  assert.deepEqual([four.organization, four.department, four.user, four.api_key], ['rec', 'research', 'ada', key.id]);
  const count = async (query) => (await mete.all(`/api/v1/records?${query}`)).length;
  assert.equal(await count('request_id=rec-2'), 1);
  assert.equal(await count('organization=rec&model=m-odd'), 2);
  assert.equal(await count('organization=rec&user=ada'), 5);
  assert.equal(await count('organization=rec&department=research'), 5);
  assert.equal(await count(`api_key=${key.id}`), 5);
  assert.equal(await count(`organization=rec&from=${since}`), 5);
  assert.equal(await count(`organization=rec&to=${since}`), 0);
});

const SIDES = { input: 'input_cost', cached_input: 'input_cost', cache_write: 'input_cost', output: 'output_cost', reasoning: 'output_cost' };
// The parts add up to their sides, and those to the cost.
function addsUp(record) {
  const sums = { input_cost: 0n, output_cost: 0n, other_cost: 0n };
  for (const [part, cost] of Object.entries(record.costs)) sums[SIDES[part] ?? 'other_cost'] += nano(cost);
  for (const [side, sum] of Object.entries(sums)) assert.equal(nano(record[side]), sum, side);
  assert.equal(sums.input_cost + sums.output_cost + sums.other_cost, nano(record.cost));
}

test('records: all that was said of a call, and found by it', async () => {
  const key = await mete.organization('said');
  const other = await mete.organization('unsaid');
  const scope = { kind: 'api_key', id: key.id };
  const usage = { input_tokens: 1001, cached_input_tokens: 300, output_tokens: 41, reasoning_tokens: 7 };
  const held = await must('POST', '/api/v1/budget/reserve', { request_id: 'one', scope, model: 'gpt-4o', usage: { input_tokens: 2000, output_tokens: 100 },
    provider: 'openai', session: 'chat-7', tags: ['blue', 'team:red'] });
  const said = { status: 200, latency_ms: 812, confidence: 0.875, upstream_id: 'chatcmpl-said', metadata: { project: 'x' } };
  const deducted = await must('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, model: 'gpt-4o', usage, ...said });
  const recorded = await must('POST', '/api/v1/budget/record', { request_id: 'two', scope, model: 'gpt-4o', usage, provider: 'openai', session: 'chat-7', tags: ['blue'],
    ...said, status: 500, confidence: 0, upstream_id: 'resp_said' });
  await must('POST', '/api/v1/budget/record', { request_id: 'three', scope, amount: '0.5', session: 'chat-8' });
  const gone = await must('POST', '/api/v1/budget/reserve', { request_id: 'four', scope, amount: '0.1', session: 'chat-7', tags: ['team:red'] });
  await must('POST', '/api/v1/budget/release', { reserve_id: gone.reserve_id });
  await mete.settled();

  const one = await must('GET', `/api/v1/records/${deducted.record_id}`);
  assert.deepEqual([one.id, one.session, one.tags, one.model, one.provider], [deducted.record_id, 'chat-7', ['blue', 'team:red'], 'gpt-4o', 'openai']);
  assert.deepEqual([one.latency_ms, one.confidence, one.upstream_id, one.metadata, one.status], [812, 0.875, 'chatcmpl-said', { project: 'x' }, 200]);
  assert.deepEqual([one.success, one.cache_hit, one.query_complexity, one.stream, one.fingerprint], [true, true, 'medium', null, null]);
  assert.deepEqual(Object.keys(one.costs), ['input', 'cached_input', 'output', 'reasoning']);
  assert.ok(nano(one.input_cost) > 0n && nano(one.output_cost) > 0n);
  addsUp(one);
  const two = await must('GET', `/api/v1/records/${recorded.record_id}`);
  addsUp(two);
  assert.deepEqual([two.cost, two.costs, two.success, two.confidence, two.tags], [one.cost, one.costs, false, 0, ['blue']]);
  const three = (await mete.all('/api/v1/records?session=chat-8'))[0];
  assert.deepEqual([three.input_cost, three.output_cost, three.costs, nano(three.other_cost)], [null, null, null, nano('0.5')]);
  assert.deepEqual([three.tags, three.query_complexity, three.cache_hit, three.success, three.confidence], [[], null, false, true, null]);

  const found = async (query) => (await mete.all(`/api/v1/records?organization=said&${query}`)).map((record) => record.request_id);
  assert.deepEqual(await found('session=chat-7'), ['four', 'two', 'one']);
  assert.deepEqual(await found('tag=team:red'), ['four', 'one']);
  assert.deepEqual(await found('tag=team'), []);
  assert.deepEqual(await found('tag=blue&session=chat-7&limit=1'), ['two', 'one'], 'page by page');
  assert.deepEqual(await found('upstream_id=chatcmpl-said'), ['one']);
  assert.deepEqual(await found('upstream_id=resp_said'), ['two']);
  assert.deepEqual(await found('provider=openai'), ['two', 'one']);
  assert.deepEqual(await found('ending=not_sent'), ['four']);
  assert.deepEqual(await found('ending=recorded&status=500'), ['two']);
  assert.deepEqual(await found('status=404'), []);
  for (const wrong of ['ending=fine', 'status=7', 'status=abc', 'status=20x', `tag=${'x'.repeat(129)}`, 'colour=blue'])
    assert.equal((await mete.api('GET', `/api/v1/records?${wrong}`)).status, 400, wrong);

  // A key sees its own, by number too (INV-12).
  assert.equal((await must('GET', `/api/v1/records/${one.id}`, undefined, { token: key.key })).id, one.id);
  assert.equal((await mete.api('GET', `/api/v1/records/${one.id}`, undefined, { token: other.key })).status, 404);
  assert.equal((await mete.all('/api/v1/records?upstream_id=chatcmpl-said', { token: other.key })).length, 0);
  for (const id of ['rec_0', 'rec_999999999', 'one', 'rec_1x']) assert.equal((await mete.api('GET', `/api/v1/records/${id}`)).status, 404, id);

  for (const wrong of [{ confidence: 1.1 }, { confidence: -0.1 }, { confidence: '0.5' }, { latency_ms: -1 }, { upstream_id: '' }, { upstream_id: 'a b' }, { status: 99 }])
    assert.equal((await mete.api('POST', '/api/v1/budget/record', { request_id: 'five', scope, amount: '0.1', ...wrong })).status, 400, JSON.stringify(wrong));
});

test('keys: the text once, the rest always', async () => {
  await mete.organization('k1');
  const made = await must('POST', orgPath('k1', '/api-keys'), { name: 'k', user: 'ada', models: ['gpt-*', 'test-small'], expires_at: '2099-01-01T02:00:00+02:00' });
  assert.ok(made.key.startsWith(made.prefix));
  assert.deepEqual([made.user, made.department, made.models, made.status], ['ada', 'research', ['gpt-*', 'test-small'], 'active']);
  assert.equal(Date.parse(made.expires_at), Date.UTC(2099, 0, 1));
  await mete.settled();
  const shown = await must('GET', `/api/v1/api-keys/${made.id}`);
  const { key: text, ...rest } = made;
  assert.deepEqual(shown, rest);
  const list = await mete.all(orgPath('k1', '/api-keys'));
  assert.ok(list.some((k) => k.id === made.id));
  assert.ok(!JSON.stringify(list).includes(text.slice(20)));
  const revoked = await must('POST', `/api/v1/api-keys/${made.id}/revoke`, {});
  assert.equal(revoked.status, 'revoked');
  assert.equal((await must('POST', `/api/v1/api-keys/${made.id}/revoke`)).status, 'revoked');
  assert.equal((await mete.api('GET', '/api/v1/me', undefined, { token: text })).status, 401);
  const quota = await must('POST', orgPath('k1', '/api-keys'), { name: 'q', monthly_request_quota: 1 });
  const ask = (id) => must('POST', '/api/v1/budget/reserve', { request_id: id, amount: '0.01' }, { token: quota.key });
  assert.equal((await ask('1')).success, true);
  assert.equal((await ask('2')).success, false, 'one call a month');
});

test('a budget narrowed to models, tags or sessions counts those calls alone', async () => {
  const key = await mete.organization('narrow');
  const token = key.key;
  const made = await mete.budget('narrow', { id: 'large', amount: '1', models: ['big-*', 'huge'], tags: ['blue'] });
  assert.deepEqual([made.models, made.tags, made.sessions], [['big-*', 'huge'], ['blue'], undefined]);
  await mete.budget('narrow', { id: 'session', amount: '0.5', sessions: ['s-*'], providers: ['p'] });
  const record = (request_id, more) => must('POST', '/api/v1/budget/record', { request_id, amount: '0.1', ...more }, { token });
  await record('1', {});
  await record('2', { model: 'big-one' });
  await record('3', { model: 'big-one', tags: ['red', 'blue'] });
  await record('4', { model: 'small', tags: ['blue'], session: 's-1' });
  await record('5', { provider: 'p', session: 's-1' });
  const used = async (id) => (await must('GET', orgPath('narrow', `/budgets/${id}`))).used;
  assert.deepEqual([await used('large'), await used('session')], ['0.10', '0.10']);
  const reserve = (request_id, more) => must('POST', '/api/v1/budget/reserve', { request_id, amount: '0.6', ...more }, { token });
  assert.equal((await reserve('6', { provider: 'p', session: 's-2' })).success, false);
  assert.equal((await reserve('6b', { provider: 'q', session: 's-2' })).success, true);
  assert.equal((await mete.api('POST', '/api/v1/budget/reserve', { request_id: '6b', amount: '0.6', provider: 'p', session: 's-2' }, { token })).status, 422, 'another call');
  const changed = await must('PUT', orgPath('narrow', '/budgets/session'), { amount: '0.7' });
  assert.deepEqual([changed.amount, changed.sessions, changed.providers], ['0.70', ['s-*'], ['p']]);
  assert.equal((await reserve('7', { provider: 'p', session: 's-2' })).success, true);
});

test('a key has rate limits: calls and tokens a minute, calls at once', async () => {
  await mete.organization('k2');
  const made = await must('POST', orgPath('k2', '/api-keys'), { name: 'limited', requests_per_minute: 3, tokens_per_minute: 1000, concurrent_requests: 2 });
  assert.deepEqual([made.requests_per_minute, made.tokens_per_minute, made.concurrent_requests], [3, 1000, 2]);
  const token = made.key;
  const reserve = (request_id, tokens) => must('POST', '/api/v1/budget/reserve', { request_id, usage: { total_tokens: tokens } }, { token });
  const why = (reply) => [reply.success, ...reply.refused_by.map((r) => [r.reason, r.unit, r.limit, r.held, r.asked, r.used])];
  const never = await reserve('never', 1001);
  assert.deepEqual([...why(never), never.retry_at], [false, ['rate_limit', 'tokens', '1000', '0', '1001', null], null], 'more than the burst never fits');
  const one = await reserve('1', 900);
  assert.equal(one.success, true);
  const tight = await reserve('2', 900);
  assert.deepEqual([tight.success, tight.refused_by[0].reason, tight.refused_by[0].unit], [false, 'rate_limit', 'tokens']);
  assert.ok(Date.parse(tight.retry_at) > Date.now());
  await must('POST', '/api/v1/budget/deduct', { reserve_id: one.reserve_id, usage: { total_tokens: 100 } }, { token });
  const two = await reserve('3', 10), three = await reserve('4', 10);
  assert.deepEqual([two.success, three.success], [true, true], 'what a commit did not use is given back');
  const four = await reserve('5', 10);
  assert.deepEqual(four.refused_by.map((r) => [r.reason, r.unit, r.limit]), [['rate_limit', 'requests', '3'], ['concurrency', 'requests', '2']]);
  const zero = await must('POST', orgPath('k2', '/api-keys'), { name: 'none', requests_per_minute: 0 });
  const refused = await must('POST', '/api/v1/budget/reserve', { request_id: 'z', amount: '0.01' }, { token: zero.key });
  assert.deepEqual([refused.success, refused.refused_by[0].limit, refused.retry_at], [false, '0', null]);
});

test('a key sees itself and its budgets, uses the authority for itself, and no more', async () => {
  const key = await mete.organization('w1');
  const other = await mete.organization('w2');
  const token = key.key;
  await mete.budget('w1', { id: 'w-org', amount: '1' });
  await must('POST', orgPath('w1', '/budgets'), { id: 'w-ada', scope: { kind: 'user', id: 'ada' }, unit: 'USD', amount: '1', period: 'total' });
  const me = await must('GET', '/api/v1/me', undefined, { token });
  assert.deepEqual([me.role, me.organization, me.department, me.user, me.api_key.id], ['key', 'w1', 'research', 'ada', key.id]);
  assert.deepEqual(me.budgets.map((b) => b.id), ['w-ada', 'w-org'], 'nearest first');
  const admin = await must('GET', '/api/v1/me');
  assert.deepEqual([admin.role, admin.organization, admin.api_key, admin.budgets], ['admin', null, null, []]);

  const own = await must('POST', '/api/v1/budget/reserve', { request_id: 'own', amount: '0.1' }, { token });
  assert.equal(own.success, true);
  await must('POST', '/api/v1/budget/deduct', { reserve_id: own.reserve_id, amount: '0.1' }, { token });
  await must('POST', '/api/v1/budget/record', { request_id: 'rec', scope: { kind: 'api_key', id: key.id }, amount: '0.1' }, { token });
  await mete.settled();
  assert.equal((await mete.all('/api/v1/records', { token })).length, 2);
  assert.equal((await mete.all('/api/v1/records', { token: other.key })).length, 0);

  const strange = await must('POST', '/api/v1/budget/reserve', { request_id: 's', scope: { kind: 'api_key', id: other.id }, amount: '0.1' });
  const hash = await mete.hash();
  for (const [method, path, body] of [
    ['POST', '/api/v1/organizations', { id: 'mine', name: 'Mine' }], ['GET', '/api/v1/organizations', undefined],
    ['GET', orgPath('w2'), undefined], ['GET', orgPath('w2', '/budgets'), undefined],
    ['POST', orgPath('w1', '/budgets'), { monthly_limit: '1000000' }], ['PUT', orgPath('w1', '/budgets/w-ada'), { amount: '1000' }],
    ['DELETE', orgPath('w1', '/budgets/w-ada'), undefined], ['POST', orgPath('w1', '/api-keys'), { name: 'more' }],
    ['GET', `/api/v1/api-keys/${other.id}`, undefined], ['POST', `/api/v1/api-keys/${other.id}/revoke`, {}],
    ['POST', '/api/v1/budget/reserve', { request_id: 'x', scope: { kind: 'organization', id: 'w1' }, amount: '0.1' }],
    ['POST', '/api/v1/budget/reserve', { request_id: 'x', scope: { kind: 'organization', id: 'w2' }, amount: '0.1' }],
    ['POST', '/api/v1/budget/check', { scope: { kind: 'api_key', id: other.id }, amount: '0.1' }],
    ['POST', '/api/v1/budget/deduct', { reserve_id: strange.reserve_id, amount: '0.1' }],
    ['POST', '/api/v1/budget/release', { reserve_id: strange.reserve_id }],
    ['GET', '/api/v1/budget/stats?hash=1', undefined],
    ['GET', '/api/v1/records?organization=w2', undefined], ['GET', `/api/v1/records?api_key=${other.id}`, undefined],
  ]) {
    const reply = await mete.api(method, path, body, { token });
    assert.ok([403, 404].includes(reply.status), `${method} ${path} -> ${reply.status} ${reply.text}`);
    assert.ok(!reply.text.includes(other.prefix));
  }
  assert.equal(await mete.hash(), hash);
});

test('the key may stand in x-api-key too', async () => {
  const key = await mete.organization('x1');
  const me = await must('GET', '/api/v1/me', undefined, { token: '', headers: { 'x-api-key': key.key } });
  assert.equal(me.api_key.id, key.id);
});

test('stats: counts of the ledger, and the budgets of a scope', async () => {
  await mete.organization('s1');
  await mete.budget('s1', { id: 's', amount: '1' });
  const before_ = await mete.stats();
  await must('POST', '/api/v1/budget/reserve', { request_id: 's', scope: { kind: 'user', id: 'ada', organization: 's1' }, amount: '0.25' });
  const after_ = await mete.stats();
  assert.equal(after_.reserves, before_.reserves + 1);
  assert.equal(after_.reservations_open, before_.reservations_open + 1);
  assert.ok(after_.seq > before_.seq && after_.flushed >= before_.flushed);
  assert.equal(after_.drift, 0);
  const named = await must('GET', '/api/v1/budget/stats?kind=user&id=ada&organization=s1');
  assert.deepEqual(named.budgets.map((b) => [b.id, nano(b.held)]), [['s', nano('0.25')]]);
});
