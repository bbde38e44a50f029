// SPDX-License-Identifier: Apache-2.0
// Windows of every kind through a real server: periods, anchors and zones place them as the calendar
// does (Intl is asked), a rolling window lets go of what is old, a rollover is said and shown, and
// mete verify adds it all up anew. Every reply is validated against docs/openapi.yaml.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Mete, configuration, run } from './mete.mjs';

let mete;
before(async () => { mete = await Mete.start({ config: configuration(null) }); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const budgets = (org, rest = '') => `/api/v1/organizations/${org}/budgets${rest}`;

function make(org, more) {
  return must('POST', budgets(org), { id: 'b', scope: { kind: 'organization', id: org }, unit: 'USD', amount: '1.00', ...more });
}

const clock = (instant, zone) => new Intl.DateTimeFormat('en-GB', { timeZone: zone, weekday: 'short', day: '2-digit', month: '2-digit', hour: '2-digit', minute: '2-digit' })
  .format(new Date(instant));

test('a zone and an anchor place the windows', async () => {
  await mete.organization('w1');
  const zone = 'America/Sao_Paulo';
  const cases = [
    [{ period: 'daily' }, /, 00:00$/],
    [{ period: 'daily', anchor: 6 * 3600 }, /, 06:00$/],
    [{ period: 'weekly', anchor: 7 }, /^Sun.*, 00:00$/],
    [{ period: 'weekly' }, /^Mon.*, 00:00$/],
    [{ period: 'monthly', anchor: 15 }, /15\/.., 00:00$/],
    [{ period: 'quarterly', anchor: 201 }, /01\/(02|05|08|11), 00:00$/],
    [{ period: 'yearly', anchor: 406 }, /06\/04, 00:00$/],
    [{ period: 'minute' }, /:..$/],
  ];
  for (const [i, [said, wanted]] of cases.entries()) {
    const made = await make('w1', { id: `b${i}`, time_zone: zone, ...said });
    assert.deepEqual([made.time_zone, made.anchor, made.period], [zone, said.anchor, said.period]);
    for (const bound of [made.window_start, made.window_end]) assert.match(clock(bound, zone), wanted);
    assert.ok(Date.parse(made.window_start) <= Date.now() && Date.parse(made.window_end) > Date.now() - 60000);
  }
});

test('what places a window cannot change, and must make sense', async () => {
  await mete.organization('w2');
  const field = async (more) => (await mete.api('POST', budgets('w2'), { id: 'x', scope: { kind: 'organization', id: 'w2' }, unit: 'USD', amount: '1', ...more })).body.field;
  assert.equal(await field({ period: 'rolling' }), 'window_seconds');
  assert.equal(await field({ period: 'daily', window_seconds: 60 }), 'window_seconds');
  assert.equal(await field({ period: 'monthly', anchor: 32 }), 'anchor');
  assert.equal(await field({ period: 'hourly', anchor: 1 }), 'anchor');
  assert.equal(await field({ period: 'daily', time_zone: 'Mars/Olympus' }), 'time_zone');
  assert.equal(await field({ period: 'total', rollover: '1' }), 'rollover');
  await make('w2', { period: 'daily' });
  assert.equal((await mete.api('PUT', budgets('w2', '/b'), { anchor: 3600 })).status, 400);
});

test('a rolling window lets go of what is old, when it said it would', { timeout: 30000 }, async () => {
  await mete.organization('w3');
  const made = await make('w3', { period: 'rolling', window_seconds: 2 });
  assert.equal(made.window_seconds, 2);
  let n = 0;
  const reserve = (amount) => must('POST', '/api/v1/budget/reserve', { request_id: `w3-${n += 1}`, scope: { kind: 'organization', id: 'w3' }, amount });
  await must('POST', '/api/v1/budget/record', { request_id: 'w3-0', scope: { kind: 'organization', id: 'w3' }, amount: '0.80' });
  const refused = await reserve('0.50');
  assert.equal(refused.success, false);
  const left = Date.parse(refused.retry_at) - Date.now();
  assert.ok(left > 1000 && left <= 2100, `${left} ms`);
  assert.equal((await must('GET', budgets('w3', '/b'))).used, '0.80');
  await new Promise((done) => { setTimeout(done, left + 5); });
  assert.equal((await reserve('0.50')).success, true);
  const now = await must('GET', budgets('w3', '/b'));
  assert.deepEqual([now.used, now.held], ['0.00', '0.50']);
});

test('a rollover is said, shown and changed', async () => {
  await mete.organization('w4');
  const made = await make('w4', { period: 'daily', rollover: '0.5' });
  assert.deepEqual([made.amount, made.limit, made.rollover, made.carried], ['1.00', '1.00', '0.50', '0.00']);
  assert.equal((await must('PUT', budgets('w4', '/b'), { rollover: '2' })).rollover, '2.00');
  assert.equal((await must('PUT', budgets('w4', '/b'), { rollover: 0 })).rollover, undefined);
});

test('budgets and quotas of keys that name no zone are in their organization\'s', async () => {
  await must('POST', '/api/v1/organizations', { id: 'east', name: 'East', time_zone: 'Asia/Shanghai' });
  const path = '/api/v1/organizations/east/budgets', scope = { kind: 'organization', id: 'east' };
  const put = (id, more) => must('POST', path, { id, scope, unit: 'USD', amount: '5', ...more });
  const hour = (budget) => budget.window_end.slice(11, 16);
  const day = await put('day', { period: 'daily' });
  assert.deepEqual([day.time_zone, hour(day)], ['Asia/Shanghai', '16:00']);
  assert.deepEqual([(await put('own', { period: 'daily', time_zone: 'UTC' })).time_zone, (await put('all', { period: 'total' })).time_zone], ['UTC', 'UTC']);
  const alias = await must('POST', path, { monthly_limit: 7 });
  assert.deepEqual([alias.time_zone, hour(alias)], ['Asia/Shanghai', '16:00']);
  const key = await must('POST', '/api/v1/organizations/east/api-keys', { name: 'k', monthly_request_quota: 9 });
  assert.equal((await must('GET', `${path}/${key.id}`)).time_zone, 'Asia/Shanghai');
  assert.equal((await must('PUT', `${path}/day`, { amount: '6' })).time_zone, 'Asia/Shanghai');
  assert.equal((await must('GET', '/api/v1/organizations/east')).time_zone, 'Asia/Shanghai');
});

test('the command line says the same, and verify adds it up', { timeout: 30000 }, async () => {
  await mete.stop();
  const set = (args) => run(['budget', 'set', '--data', mete.data, '--organization', 'w4', '--json', '--amount', '3', ...args]);
  const rolling = set(['--id', 'r', '--period', 'rolling', '--window-seconds', '3600']).json();
  assert.deepEqual([rolling.period, rolling.window_seconds], ['rolling', 3600]);
  const weekly = set(['--id', 'w', '--period', 'weekly', '--anchor', '7', '--time-zone', 'Asia/Shanghai', '--rollover', '1']).json();
  assert.deepEqual([weekly.anchor, weekly.time_zone, weekly.rollover], [7, 'Asia/Shanghai', '1.00']);
  assert.equal(set(['--id', 'w', '--anchor', '6']).status, 1);
  assert.equal(run(['verify', mete.data]).status, 0);
});
