// SPDX-License-Identifier: Apache-2.0
// A budget's controls and dated increases through a real server: what is said is shown, what they do
// is told in refusals and advice, an operator lifts a stop, an increase ends by itself; all of it is
// there after a restart. Every reply is validated against docs/openapi.yaml.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Mete, configuration, run } from './mete.mjs';
import { nano } from './money.mjs';

let mete;
before(async () => { mete = await Mete.start({ config: configuration(null) }); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const budgets = (org, rest = '') => `/api/v1/organizations/${org}/budgets${rest}`;

async function make(org, more) {
  await mete.organization(org);
  return must('POST', budgets(org), { id: 'b', scope: { kind: 'organization', id: org }, unit: 'USD', amount: '1.00', period: 'monthly', ...more });
}

function caller(org) {
  let n = 0;
  const scope = { kind: 'organization', id: org };
  const body = (amount) => ({ request_id: `${org}-${n += 1}`, scope, amount });
  return {
    reserve: (amount) => must('POST', '/api/v1/budget/reserve', body(amount)),
    record: (amount) => must('POST', '/api/v1/budget/record', body(amount)),
  };
}

test('controls are shown as they were said, and replaced as a whole', async () => {
  const controls = { soft_threshold: 80, throttle_threshold: 85, throttle_rate: 0.25, emergency_stop_threshold: 0.95, downgrade_threshold: 0.5, cooldown_seconds: 60, grace_seconds: 30 };
  const made = await make('c1', { controls });
  assert.deepEqual(made.controls, { ...controls, hard_limit: true, soft_limit: '0.80', soft_threshold: 0.8, throttle_threshold: 0.85 });
  const raised = await must('PUT', budgets('c1', '/b'), { amount: '2.00' });
  assert.deepEqual(raised.controls, { ...made.controls, soft_limit: '1.60' }, 'a share follows the amount');
  const replaced = await must('PUT', budgets('c1', '/b'), { controls: { downgrade_threshold: 1 } });
  assert.deepEqual(replaced.controls, { hard_limit: true, downgrade_threshold: 1 });
  await mete.settled();
  assert.deepEqual((await mete.all(budgets('c1')))[0].controls, replaced.controls);
});

test('a soft limit and a downgrade advise and refuse nothing', async () => {
  await make('c2', { controls: { soft_limit: '0.50', downgrade_threshold: 0.6 } });
  const call = caller('c2');
  assert.equal((await call.reserve('0.01')).advice, undefined);
  await call.record('0.50');
  assert.deepEqual((await call.reserve('0.01')).advice, ['soft_limit']);
  await call.record('0.10');
  const both = await call.reserve('0.01');
  assert.deepEqual([both.success, both.advice], [true, ['downgrade', 'soft_limit']]);
  assert.equal((await must('GET', budgets('c2', '/b'))).soft_limit_reached, true);
});

test('a throttle lets an even share through', async () => {
  await make('c3', { controls: { throttle_threshold: 0.5, throttle_rate: 0.4 } });
  const call = caller('c3');
  await call.record('0.50');
  const seen = [];
  for (let i = 0; i < 10; i += 1) {
    const reply = await call.reserve('0.01');
    seen.push(reply.success);
    if (!reply.success) assert.deepEqual(reply.refused_by.map((r) => r.reason), ['throttle']);
  }
  const five = [false, false, true, false, true];
  assert.deepEqual(seen, [...five, ...five]);
  assert.equal((await must('GET', budgets('c3', '/b'))).throttled, true);
});

test('an emergency stop holds through a restart, until an operator lifts it', async () => {
  await make('c4', { controls: { emergency_stop_threshold: 0.9 } });
  const call = caller('c4');
  await call.record('0.90');
  const refused = await call.reserve('0.01');
  assert.deepEqual([refused.success, refused.refused_by[0].reason], [false, 'emergency_stop']);
  const { stopped_at: at, window_end: end } = await must('GET', budgets('c4', '/b'));
  assert.ok(Math.abs(Date.now() - Date.parse(at)) < 60000);
  assert.equal(refused.retry_at, end);
  await mete.kill();
  await mete.spawn();
  assert.equal((await call.reserve('0.01')).success, false);
  assert.equal((await must('GET', budgets('c4', '/b'))).stopped_at, at);
  assert.equal((await must('POST', budgets('c4', '/b/lift'))).stopped_at, null);
  assert.equal((await call.reserve('0.01')).success, true);
  await call.record('0.05');
  assert.equal((await call.reserve('0.01')).success, true, 'without a cooldown a lift holds for its window');
});

test('an increase raises the limit for its time', async () => {
  await make('c5');
  const call = caller('c5');
  assert.equal((await call.reserve('1.50')).success, false);
  const until = (ms) => new Date(Date.now() + ms).toISOString();
  const long = await must('POST', budgets('c5', '/b/increases'), { amount: '0.50', until: until(3600000) });
  assert.deepEqual([long.number, long.active, nano(long.amount)], [1, true, nano('0.5')]);
  const held = await call.reserve('1.50');
  assert.equal(held.success, true);
  await must('POST', '/api/v1/budget/release', { reserve_id: held.reserve_id });
  const short = await must('POST', budgets('c5', '/b/increases'), { amount: '2', until: until(700) });
  const raised = await must('GET', budgets('c5', '/b'));
  assert.deepEqual([nano(raised.amount), nano(raised.limit), nano(raised.remaining)], [nano('1'), nano('3.5'), nano('3.5')]);
  await new Promise((done) => { setTimeout(done, 800); });
  assert.deepEqual((await must('GET', budgets('c5', '/b/increases'))).data.map((one) => one.number), [1], `${short.number} ended by itself`);
  assert.equal(nano((await must('GET', budgets('c5', '/b'))).limit), nano('1.5'));
  await must('DELETE', budgets('c5', '/b/increases/1'));
  assert.equal(nano((await must('GET', budgets('c5', '/b'))).limit), nano('1'));
  assert.equal((await mete.api('DELETE', budgets('c5', '/b/increases/1'))).status, 404);
});

test('what happened to budgets is told, newest first, in pages, of one or of all, after a restart too', async () => {
  await make('e1', { alert_thresholds: [0.5, 0.9], controls: { soft_limit: '0.60', throttle_threshold: 0.7, emergency_stop_threshold: 0.8 } });
  await must('POST', budgets('e1'), { id: 'ada', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '100', period: 'daily', alert_thresholds: [0.1] });
  await make('e2', { alert_thresholds: [0.5] });
  const call = caller('e1');
  await call.record('0.50');
  await call.record('0.45');
  await must('POST', budgets('e1', '/b/lift'));
  await must('POST', '/api/v1/budget/record', { request_id: 'u', scope: { kind: 'user', id: 'ada', organization: 'e1' }, usage: { total_tokens: 12 } });
  await must('PUT', budgets('e1', '/b'), { amount: '0.10' });
  await caller('e2').record('0.70');
  const path = '/api/v1/organizations/e1/budget-events';
  const events = (query = '') => mete.all(path + query);
  const all = await events();
  const told = all.map((e) => `${e.budget} ${e.event} ${e.threshold ?? ''}`.trim());
  assert.deepEqual(told.slice(-1), ['b threshold 0.5']);
  for (const wanted of ['b threshold 0.9', 'b soft_limit', 'b throttled 0.7', 'b stopped 0.8', 'b lifted', 'b limit_below', 'ada threshold 0.1']) {
    assert.equal(told.filter((e) => e === wanted).length, 1, `${wanted}: ${told}`);
  }
  const order = all.map((e) => e.seq);
  assert.deepEqual(order, [...order].sort((a, b) => b - a), 'newest first');
  const at = all.find((e) => e.event === 'threshold' && e.threshold === 0.9);
  assert.deepEqual([at.used, at.limit, at.unit, at.scope.id], ['0.95', '1.00', 'USD', 'e1']);
  assert.deepEqual(await events('?limit=1'), all, 'a page ends within an entry as well');
  assert.deepEqual((await events('?budget=ada')).map((e) => [e.event, e.used]), [['threshold', '12']]);
  assert.deepEqual((await events('?event=threshold')).map((e) => e.threshold), [0.1, 0.9, 0.5]);
  assert.equal((await mete.api('GET', `${path}?budget=nobody`)).status, 404);
  assert.deepEqual((await mete.all('/api/v1/organizations/e2/budget-events')).map((e) => [e.event, e.scope.id]), [['threshold', 'e2']]);
  await must('DELETE', budgets('e1', '/ada'));
  await mete.kill();
  await mete.spawn();
  assert.deepEqual(await events(), all, 'those of a deleted budget stay');
  const command = (...args) => run(['budget', 'events', ...args, '--organization', 'e1', '--json', '--data', mete.data, '--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN]);
  assert.deepEqual(command().json().data, all);
  assert.deepEqual(command('b', '--event', 'lifted').json().data.map((e) => e.event), ['lifted']);
  assert.equal(command('--event', 'nonsense').status, 2);
});
