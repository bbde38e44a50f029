// SPDX-License-Identifier: Apache-2.0
// What is asked of budgets beside themselves, through a real server: usage with its history, alerts
// and who is told of them, advice, the summary, alerts of all organizations; and who may not ask.
// Every reply is validated against docs/openapi.yaml.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Mete, configuration, run } from './mete.mjs';
import { nano } from './money.mjs';

let mete;
before(async () => { mete = await Mete.start({ config: configuration(null) }); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const budgets = (org, rest = '') => `/api/v1/organizations/${org}/budgets${rest}`;
const own = (org, more) => must('POST', budgets(org), { id: 'own', monthly_limit: 10, ...more });
let calls = 0;
const spend = (org, amount) => must('POST', '/api/v1/budget/record', { request_id: `b-${calls += 1}`, scope: { kind: 'organization', id: org }, amount });
const cli = (...args) => run(['budget', ...args, '--data', mete.data], { env: mete.env });

test('the organization\'s own budget and a budget by id tell the same usage', async () => {
  await mete.organization('u1');
  await own('u1');
  await spend('u1', '8.50');
  const usage = await must('GET', budgets('u1', '/usage?history=12'));
  assert.deepEqual([nano(usage.used), usage.usage_percentage, usage.status, usage.over_limit], [nano('8.5'), 85, 'warning', false]);
  assert.deepEqual(usage.thresholds.map((one) => one.reached), [true, false, false]);
  assert.deepEqual(usage.history, []);
  assert.ok(nano(usage.projected_spend) > nano('8.5'));
  const again = await must('GET', budgets('u1', '/own/usage'));
  assert.deepEqual([again.id, again.used, again.history], ['own', usage.used, undefined]);
  assert.equal((await mete.api('GET', budgets('u1', '/none/usage'))).status, 404);
});

test('a rolling window has none before it', async () => {
  await mete.organization('u2');
  await must('POST', budgets('u2'), { id: 'm', scope: { kind: 'organization', id: 'u2' }, unit: 'USD', amount: '5', period: 'rolling', window_seconds: 60 });
  assert.deepEqual((await must('GET', budgets('u2', '/m/usage?history=5'))).history, []);
});

test('a limit lowered below what is spent is allowed, and the reply says so', async () => {
  await mete.organization('u3');
  await own('u3');
  await spend('u3', '6');
  const lowered = await must('PUT', budgets('u3'), { monthly_limit: '2.50' });
  assert.deepEqual([lowered.over_limit, nano(lowered.over_by), lowered.status], [true, nano('3.5'), 'exceeded']);
  assert.equal((await must('POST', '/api/v1/budget/reserve', { request_id: 'x', scope: { kind: 'organization', id: 'u3' }, amount: '0.01' })).success, false);
});

test('who is told is kept over changes and restarts', async () => {
  await mete.organization('a1');
  await own('a1');
  const set = await must('POST', budgets('a1', '/alerts'), { alert_thresholds: [50, 0.9], notify: ['ops@example.org', 'budget-alerts'] });
  assert.deepEqual([set.alert_thresholds, set.notify, set.alert_enabled], [[0.5, 0.9], ['ops@example.org', 'budget-alerts'], true]);
  await must('PUT', budgets('a1'), { monthly_limit: 20, metadata: { cost_centre: '4711' } });
  await mete.kill();
  await mete.spawn();
  const shown = await must('GET', budgets('a1', '/own'));
  assert.deepEqual([shown.notify, shown.alert_thresholds, shown.metadata], [set.notify, [0.5, 0.9], { cost_centre: '4711' }]);
  const tried = await must('GET', budgets('a1', '/alerts/test'));
  assert.deepEqual([tried.would_send, tried.alert.level, tried.alert.threshold], [false, 'info', 0.5]);
  const sent = await mete.api('POST', budgets('a1', '/alerts/test'));
  assert.equal(sent.status, 501);
  assert.match(sent.body.detail, /Nothing was sent: No notifier is configured/);
});

test('advice names every budget that has a say, and takes nothing', async () => {
  await mete.organization('k1');
  await own('k1');
  await must('POST', budgets('k1'), { id: 'ada', scope: { kind: 'user', id: 'ada' }, unit: 'USD', amount: '1', period: 'daily', models: ['test-*'] });
  const scope = { kind: 'user', id: 'ada' };
  const without = await must('POST', budgets('k1', '/check'), { amount: '2', scope });
  assert.deepEqual([without.allowed, without.budgets.map((one) => one.budget)], [true, ['own']]);
  const named = await must('POST', budgets('k1', '/check'), { amount: '2', scope, model: 'test-small' });
  assert.deepEqual([named.allowed, named.budgets.map((one) => [one.budget, one.fits])], [false, [['ada', false], ['own', true]]]);
  assert.deepEqual(named.refused_by.map((one) => one.reason), ['hard_limit']);
  const one = await must('POST', budgets('k1', '/own/check'), { amount: '10.01' });
  assert.deepEqual([one.allowed, one.budgets[0].reason], [false, 'hard_limit']);
  assert.equal(nano((await must('GET', budgets('k1', '/own'))).held), nano('0'));
});

test('a summary adds up by kind of scope and by unit', async () => {
  await mete.organization('s1');
  await own('s1');
  for (const unit of ['USD', 'EUR', 'tokens']) {
    await must('POST', budgets('s1'), { scope: { kind: 'user', id: 'ada' }, unit, amount: '4', period: 'daily' });
  }
  await spend('s1', '9.5');
  const summary = await must('GET', budgets('s1', '/summary?top=1'));
  assert.deepEqual([summary.budgets, summary.by_status.critical, summary.by_status.active], [4, 1, 3]);
  assert.deepEqual(summary.by_scope_kind.map((group) => `${group.kind} ${group.unit}`), ['organization USD', 'user USD', 'user EUR', 'user tokens']);
  assert.deepEqual(summary.totals.map((total) => [total.unit, total.budgets]), [['USD', 2], ['EUR', 1], ['tokens', 1]]);
  assert.deepEqual([nano(summary.totals[0].used), nano(summary.totals[0].remaining)], [nano('9.5'), nano('4.5')]);
  assert.deepEqual(summary.top.map((one) => one.budget), ['own']);
});

test('alerts of all organizations come newest first, in pages under change', async () => {
  for (const org of ['w1', 'w2']) {
    await mete.organization(org);
    await own(org);
    await spend(org, '9.6');
  }
  const first = await must('GET', '/api/v1/budgets/alerts?limit=4');
  assert.deepEqual(first.data.map((row) => `${row.organization} ${row.threshold} ${row.level}`),
    ['w2 0.95 emergency', 'w2 0.9 critical', 'w2 0.8 warning', 'w1 0.95 emergency']);
  await mete.organization('w3');
  await own('w3');
  await spend('w3', '9.6');
  const second = await must('GET', `/api/v1/budgets/alerts?limit=2&cursor=${first.next_cursor}`);
  assert.deepEqual(second.data.map((row) => `${row.organization} ${row.threshold}`), ['w1 0.9', 'w1 0.8'], 'what is new is not in the pages behind');
});

test('keys and strangers are refused, and another organization\'s budget is not there', async () => {
  await mete.organization('x1');
  await mete.organization('x2');
  await own('x1');
  const { key } = await must('POST', '/api/v1/organizations/x2/api-keys', { name: 'k' });
  const paths = [['GET', '/usage'], ['GET', '/alerts'], ['POST', '/alerts', { alert_enabled: true }], ['GET', '/alerts/test'], ['POST', '/alerts/test'], ['POST', '/check', { amount: 1 }]];
  for (const [method, path, body] of paths) {
    assert.equal((await mete.api(method, budgets('x1', path), body, { token: 'nobody' })).status, 401, path);
    assert.ok([403, 404].includes((await mete.api(method, budgets('x1', path), body, { token: key })).status), path);
    assert.equal((await mete.api(method, budgets('x2', `/own${path}`), body)).status, 404, path);
  }
  assert.equal((await mete.api('GET', budgets('x1', '/summary'), undefined, { token: 'nobody' })).status, 401);
  assert.equal((await mete.api('GET', '/api/v1/budgets/alerts', undefined, { token: 'nobody' })).status, 401);
});

test('a budget starts and ends, over a restart and in the journal', async () => {
  await mete.organization('d1');
  const soon = new Date(Date.now() + 1500).toISOString();
  const made = await own('d1', { monthly_limit: '1', end_time: soon });
  assert.deepEqual([made.status, Date.parse(made.ends_at)], ['active', Date.parse(soon)]);
  const body = (id) => ({ request_id: id, scope: { kind: 'organization', id: 'd1' }, amount: '2' });
  assert.equal((await must('POST', '/api/v1/budget/reserve', body('d-1'))).success, false);
  await new Promise((done) => { setTimeout(done, 1600); });
  assert.equal((await must('POST', '/api/v1/budget/reserve', body('d-2'))).success, true, 'it is over');
  const hash = await mete.hash();
  await mete.kill();
  await mete.spawn();
  assert.equal(await mete.hash(), hash, 'a replay comes to the same state');
  assert.equal((await must('GET', budgets('d1', '/own'))).status, 'expired');
  assert.equal((await must('POST', '/api/v1/budget/reserve', body('d-3'))).success, true);
  assert.equal((await must('PUT', budgets('d1'), { ends_at: null })).status, 'active');
  assert.equal((await must('POST', '/api/v1/budget/reserve', body('d-4'))).success, false);
});

test('switches of the environment say what new budgets are', async () => {
  const other = await Mete.start({ config: configuration(null), env: { BUDGET_HARD_LIMITS: 'false', BUDGET_ALERTS: 'off' } });
  try {
    await other.organization('e1');
    const made = await other.must('POST', budgets('e1'), { id: 'own', monthly_limit: 10 });
    assert.deepEqual([made.mode, made.alert_enabled], ['shadow', false]);
    const said = await other.must('POST', budgets('e1'), { monthly_limit: 10, mode: 'enforce' });
    assert.equal(said.mode, 'enforce');
  } finally { await other.stop(); }
  const wrong = run(['serve', '--data', `${mete.directory}/other`], { env: { BUDGET_TRACKING: 'perhaps' } });
  assert.notEqual(wrong.status, 0);
  assert.match(wrong.stderr, /BUDGET_TRACKING must be true or false/);
});

test('the command asks the same', async () => {
  await mete.organization('c1');
  await own('c1');
  await spend('c1', '9');
  const usage = JSON.parse((await cli('usage', '--organization', 'c1', '--json')).stdout);
  assert.equal(usage.id, 'own');
  assert.match((await cli('usage', 'own', '--organization', 'c1')).stdout, /used +9\.00/);
  const set = await cli('alerts', 'own', '--organization', 'c1', '--threshold', '0.5', '--notify', 'ops');
  assert.match(set.stdout, /notify +ops/);
  assert.match((await cli('alerts', '--organization', 'c1')).stdout, /thresholds +0\.5/);
  assert.match((await cli('alerts', '--organization', 'c1', '--test', 'look')).stdout, /No notifier is configured/);
  assert.match((await cli('alerts', '--organization', 'c1', '--enabled', 'false')).stdout, /enabled +false/);
  assert.equal((await cli('alerts', '--organization', 'c1', '--enabled', 'no')).status, 2);
  const fits = await cli('check', '--organization', 'c1', '--amount', '0.50');
  assert.deepEqual([fits.status, /own/.test(fits.stdout)], [0, true]);
  assert.equal((await cli('check', '--organization', 'c1', '--amount', '1.01', '--scope', 'user:ada')).status, 1);
  const dated = await cli('set', '--organization', 'c1', '--id', 'late', '--amount', '5', '--starts-at', '2098-01-01T00:00:00Z', '--ends-at', '2099-01-01T00:00:00Z');
  assert.match(dated.stdout, /status +scheduled[^]*starts +2098-01-01T00:00:00Z[^]*ends +2099-01-01T00:00:00Z/);
  assert.equal((await cli('delete', 'late', '--organization', 'c1')).status, 1, 'it asks first');
  assert.match((await cli('show', 'late', '--organization', 'c1')).stdout, /late/);
  assert.equal((await cli('delete', 'late', '--organization', 'c1', '--yes')).status, 0);
  assert.match((await cli('summary', '--organization', 'c1')).stdout, /organization +USD +1 +10\.00/);
  assert.match((await cli('alerts')).stdout, /c1 +own/);
  assert.equal((await cli('check', '--organization', 'c1')).status, 2);
});

test('a daily and a total budget in one request are two, and one to change and delete', async () => {
  await mete.organization('set');
  const made = await must('POST', budgets('set'), { id: 'c9', daily_budget: 10, total_budget: '25.00', start_time: '2020-01-01T00:00:00Z', end_time: '2100-01-01T00:00:00Z' });
  assert.deepEqual([made.period, nano(made.total_budget), nano(made.daily_budget), made.also], ['total', nano('25'), nano('10'), ['c9.daily']]);
  await spend('set', '6');
  const daily = await must('GET', budgets('set', '/c9.daily'));
  assert.deepEqual([daily.period, nano(daily.used), nano(daily.amount)], ['daily', nano('6'), nano('10')]);
  const refused = await must('POST', '/api/v1/budget/reserve', { request_id: 'set-1', scope: { kind: 'organization', id: 'set' }, amount: '5' });
  assert.deepEqual(refused.refused_by.map((one) => one.budget), ['c9.daily']);
  const at = ['--organization', 'set', '--id', 'c9'];
  assert.equal((await cli('set', ...at, '--daily-budget', '12', '--total-budget', '30')).status, 0);
  const shown = await must('GET', budgets('set', '/c9'));
  assert.deepEqual([nano(shown.total_budget), nano(shown.daily_budget), nano(shown.used_budget)], [nano('30'), nano('12'), nano('6')]);
  assert.equal((await mete.api('DELETE', budgets('set', '/c9'))).status, 204);
  assert.deepEqual((await must('GET', budgets('set'))).data, []);
  assert.equal((await cli('set', '--organization', 'set', '--id', 'c10', '--daily-budget', '1', '--total-budget', '2')).status, 0);
  assert.deepEqual((await must('GET', budgets('set'))).data.map((one) => one.id), ['c10', 'c10.daily']);
});
