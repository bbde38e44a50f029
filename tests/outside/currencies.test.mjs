// SPDX-License-Identifier: Apache-2.0
// Several currencies and default budgets through a real server: rates are added and listed, a budget
// in another currency counts what a call comes to in it, what has no rate is refused; a template
// makes a budget for each scope of its kind; all of it is there after a restart. Every reply is
// validated against docs/openapi.yaml.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Mete, configuration, run } from './mete.mjs';

let mete;
before(async () => { mete = await Mete.start({ config: configuration(null) }); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const budgets = (org, rest = '') => `/api/v1/organizations/${org}/budgets${rest}`;
const rates = '/api/v1/exchange-rates';
const reserve = (scope, amount, more = {}) => must('POST', '/api/v1/budget/reserve', { request_id: `r-${Math.random()}`, scope, amount, ...more });

test('a call in dollars counts in a budget in euros', async () => {
  await mete.organization('eu');
  const scope = { kind: 'organization', id: 'eu' };
  const made = await must('POST', budgets('eu'), { id: 'euros', scope, unit: 'EUR', amount: '10.00', period: 'monthly' });
  assert.equal(made.unit, 'EUR');
  const refused = await reserve(scope, '1.00');
  assert.equal(refused.success, false);
  assert.equal(refused.refused_by[0].reason, 'unpriced');
  const rate = await must('POST', rates, { from: 'USD', to: 'EUR', rate: '0.9213', effective_at: '2024-01-01T00:00:00Z' });
  assert.deepEqual([rate.from, rate.to, rate.rate, rate.in_force], ['USD', 'EUR', '0.9213', true]);
  const held = await reserve(scope, '2.00');
  assert.equal(held.success, true);
  assert.equal((await must('GET', budgets('eu', '/euros'))).held, '1.8426');
  await must('POST', rates, { from: 'USD', to: 'EUR', rate: 1.5 });
  await must('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, amount: '1.00' });
  assert.equal((await must('GET', budgets('eu', '/euros'))).used, '0.9213', 'by the rate it was reserved with');
  const listed = await must('GET', rates);
  assert.deepEqual(listed.data.map((r) => [r.rate, r.in_force]), [['0.9213', false], ['1.5', true]]);
  const first = await must('GET', `${rates}?limit=1`);
  assert.equal(first.data.length, 1);
  assert.equal((await must('GET', `${rates}?cursor=${first.next_cursor}`)).data[0].rate, '1.5');
});

test('an amount may be in another currency, and is deducted in the one it was reserved in', async () => {
  await mete.organization('both');
  const scope = { kind: 'organization', id: 'both' };
  const b = await must('POST', budgets('both'), { id: 'yuan', scope, unit: 'CNY', amount: '100', period: 'daily' });
  assert.equal(b.limit, '100.00');
  const held = await reserve(scope, '7.00', { currency: 'CNY' });
  assert.equal(held.success, true);
  assert.equal((await must('GET', budgets('both', '/yuan'))).held, '7.00');
  await must('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, amount: '6.50' });
  assert.equal((await must('GET', budgets('both', '/yuan'))).used, '6.50');
  await must('POST', '/api/v1/budget/record', { request_id: 'late', scope, amount: '1.25', currency: 'CNY' });
  const whole = await reserve(scope, '2.00', { currency: 'CNY' });
  await must('POST', '/api/v1/budget/deduct', { reserve_id: whole.reserve_id });
  assert.equal((await must('GET', budgets('both', '/yuan'))).used, '9.75');
  const reply = await mete.api('POST', '/api/v1/budget/check', { scope, amount: '1', currency: 'yen' });
  assert.deepEqual([reply.status, reply.body.field], [400, 'currency']);
});

test('a rate that is none is refused and names what is wrong', async () => {
  const wrong = [[{ to: 'USD' }, 'to'], [{ rate: '0' }, 'rate'], [{ rate: '-1' }, 'rate'], [{ rate: '0.0000000000000000001' }, 'rate'], [{ rate: '1000000000000000001' }, 'rate'], [{ from: 'usd' }, 'from'], [{ effective_at: '1969-01-01T00:00:00Z' }, 'effective_at']];
  for (const [more, field] of wrong) {
    const reply = await mete.api('POST', rates, { from: 'USD', to: 'EUR', rate: '1', ...more });
    assert.deepEqual([reply.status, reply.body.field], [400, field], JSON.stringify(more));
  }
});

test('each user gets a budget of a template when the first call comes', async () => {
  await mete.organization('many');
  for (const id of ['ann', 'bob']) await must('POST', '/api/v1/organizations/many/users', { id, name: id });
  const template = await must('POST', budgets('many'), { id: 'each', name: 'Each', scope: { kind: 'organization', id: 'many' }, for_kind: 'user', unit: 'USD', amount: '1.00', period: 'daily' });
  assert.deepEqual([template.for_kind, template.window_start, template.window_end], ['user', null, null]);
  const user = (id) => ({ kind: 'user', id, organization: 'many' });
  assert.equal((await reserve(user('ann'), '0.75')).success, true);
  const refused = await reserve(user('ann'), '0.50');
  assert.equal(refused.success, false);
  const made = await must('GET', budgets('many', `/${encodeURIComponent(refused.refused_by[0].budget)}`));
  assert.deepEqual([made.template, made.scope.id, made.amount, made.held], ['each', 'ann', '1.00', '0.75']);
  const raised = await must('PUT', budgets('many', '/each'), { amount: '5.00' });
  assert.equal(raised.for_kind, 'user');
  assert.equal((await reserve(user('bob'), '4.00')).success, true, 'later ones have the new amount');
  await mete.settled();
  const all = await mete.all(budgets('many'));
  assert.deepEqual(all.map((b) => b.name), ['Each', 'Each', 'Each'], 'they are called what their template is');
  assert.ok(all.every((b) => Math.abs(Date.parse(b.created_at) - Date.now()) < 600000));
  assert.deepEqual(all.map((b) => [b.template ?? b.for_kind, b.amount]), [['user', '5.00'], ['each', '1.00'], ['each', '5.00']]);
  const changed = await must('PUT', budgets('many', `/${encodeURIComponent(all[1].id)}`), { amount: '2.00' });
  assert.deepEqual([changed.name, changed.created_at, changed.amount], ['Each', all[1].created_at, '2.00'], 'a change keeps both');
  await must('DELETE', budgets('many', '/each'));
  assert.deepEqual((await mete.all(budgets('many'))).map((b) => [b.name, b.amount]), [['Each', '2.00'], [null, '5.00']], 'without its template it has no name');
  const department = await mete.api('POST', budgets('many'), { scope: user('ann'), for_kind: 'user', unit: 'USD', amount: '1', period: 'daily' });
  assert.deepEqual([department.status, department.body.field], [400, 'scope.kind']);
});

test('all of it is there after a restart', async () => {
  await mete.kill();
  await mete.spawn();
  assert.equal((await must('GET', rates)).data.length, 2);
  assert.equal((await must('GET', budgets('eu', '/euros'))).used, '0.9213');
  assert.equal((await mete.all(budgets('many'))).length, 2);
});

test('a report tells all costs in one currency, by the rates of their time', async () => {
  const scope = { kind: 'organization', id: 'both' };
  await must('POST', rates, { from: 'CNY', to: 'GBP', rate: '0.1', effective_at: '2024-01-01T00:00:00Z' });
  await must('POST', rates, { from: 'CNY', to: 'GBP', rate: '0.9', effective_at: '2099-01-01T00:00:00Z' });
  await must('POST', '/api/v1/budget/record', { request_id: 'in-dollars', scope, amount: '3', currency: 'USD' });
  await mete.settled();
  const path = '/api/v1/cost/usage?organization=both';
  const { totals } = await must('GET', `${path}&currency=GBP`);
  assert.deepEqual(totals.converted, { currency: 'GBP', cost: '0.975', missing: ['USD'] });
  await must('POST', rates, { from: 'USD', to: 'GBP', rate: '0.5', effective_at: '2024-01-01T00:00:00Z' });
  const page = await must('GET', `${path}&currency=GBP&interval=day&group_by=model`);
  assert.deepEqual([page.totals.converted.cost, page.totals.converted.missing], ['2.475', []]);
  assert.equal(page.data.at(-1).converted.cost, '2.475');
  assert.equal((await must('GET', path)).totals.converted, undefined);
  for (const query of ['currency=eur', 'currency=EURO', 'currency=GBP&format=csv']) {
    const reply = await mete.api('GET', `${path}&${query}`);
    assert.deepEqual([reply.status, reply.body.field], [400, 'currency'], query);
  }
  assert.equal((await mete.api('GET', '/api/v1/cost/usage/series?currency=GBP')).status, 400);
  const shown = run(['report', 'usage', '--organization', 'both', '--currency', 'GBP', '--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN]);
  assert.match(shown.stdout, /GBP[\s\S]*2\.475/, shown.stderr);
});
