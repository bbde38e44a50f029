// SPDX-License-Identifier: Apache-2.0
// Proves through the API and the command: what was used is told by scope, model, provider, tag and
// time as adding up the calls would; in the organization's zone; a page at a time; as CSV; to whom it
// belongs and to nobody else. Every reply is checked against docs/openapi.yaml on the way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mete, configuration, run } from './mete.mjs';

let mete;
const keys = {};
const calls = [];
const must = (...args) => mete.must(...args);
const usage = (query = '') => must('GET', `/api/v1/organizations/u1/usage${query}`);
async function fails(status, code, field, ...call) {
  const reply = await mete.api(...call);
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.body.code, code, reply.text);
  if (field !== null) assert.equal(reply.body.field, field, reply.text);
}

/** n micro-dollars as the API writes them. */
const dollars = (micros) => {
  const text = (micros / 1e6).toFixed(6).replace(/0{1,4}$/, '');
  return text;
};

async function call(scope, model, provider, input, micros, tags) {
  const body = { request_id: `r${calls.length}`, scope, model, provider, tags, amount: dollars(micros),
    usage: { input_tokens: input, output_tokens: 7 } };
  await must('POST', '/api/v1/budget/record', body);
  calls.push({ user: scope.user ?? (scope.kind === 'user' ? scope.id : null), scope, model, provider, input, micros, tags });
}

before(async () => {
  mete = await Mete.start({ config: configuration() });
  for (const org of ['u1', 'u2']) {
    await must('POST', '/api/v1/organizations', { id: org, name: org, time_zone: 'Asia/Kolkata' });
    await must('POST', `/api/v1/organizations/${org}/departments`, { id: 'dev', name: 'dev' });
    for (const id of ['ada', 'bob']) await must('POST', `/api/v1/organizations/${org}/users`, { id, name: id, department: 'dev' });
    keys[org] = await must('POST', `/api/v1/organizations/${org}/api-keys`, { name: 'k', user: 'ada' });
  }
  const ada = { kind: 'user', id: 'ada', organization: 'u1' };
  const bob = { kind: 'user', id: 'bob', organization: 'u1' };
  const key = { kind: 'api_key', id: keys.u1.id };
  await call(ada, 'gpt-4o', 'openai', 10, 1500000, ['blue']);
  await call(bob, 'gpt-4o', 'openai', 20, 250000, ['blue', 'red']);
  await call(bob, 'claude', 'anthropic', 30, 1, undefined);
  await call(key, 'claude', 'anthropic', 40, 30, ['red']);
  await call(key, 'gpt-4o', 'openai', 50, 400, undefined);
  await call({ kind: 'user', id: 'ada', organization: 'u2' }, 'gpt-4o', 'openai', 1000, 9000000, ['blue']);
});
after(async () => { await mete?.stop(); });

const figures = (row) => [row.calls, row.input_tokens, row.cost];

test('usage is told by whom, what and by whom it was answered', async () => {
  const all = await usage();
  assert.equal(all.data.length, 1);
  assert.deepEqual(figures(all.totals), [5, 150, '1.750431']);
  assert.deepEqual([all.totals.output_tokens, all.totals.total_tokens, all.totals.failures], [35, 185, 0]);
  assert.deepEqual(all.totals.costs, { USD: '1.750431' });
  assert.equal(all.time_zone, 'Asia/Kolkata');
  const by = async (what, query = '') => (await usage(`?group_by=${what}${query}`)).data.map((row) => [row[what], ...figures(row)]);
  assert.deepEqual(await by('model'), [['gpt-4o', 3, 80, '1.7504'], ['claude', 2, 70, '0.000031']]);
  assert.deepEqual(await by('provider'), [['openai', 3, 80, '1.7504'], ['anthropic', 2, 70, '0.000031']]);
  assert.deepEqual(await by('department'), [['dev', 5, 150, '1.750431']]);
  assert.deepEqual(await by('user'), [['ada', 3, 100, '1.50043'], ['bob', 2, 50, '0.250001']]);
  assert.deepEqual(await by('api_key'), [[keys.u1.id, 2, 90, '0.00043']]);
  assert.deepEqual(await by('tag'), [['blue', 2, 30, '1.75'], ['red', 2, 60, '0.25003']]);
  assert.deepEqual(await by('user', '&model=claude'), [['ada', 1, 40, '0.00003'], ['bob', 1, 30, '0.000001']]);
  assert.deepEqual(await by('model', '&user=ada'), [['gpt-4o', 2, 60, '1.5004'], ['claude', 1, 40, '0.00003']]);
  assert.deepEqual(await by('model', '&department=dev&provider=anthropic'), [['claude', 2, 70, '0.000031']]);
  assert.deepEqual(await by('api_key', '&user=ada'), [[keys.u1.id, 2, 90, '0.00043']]);
  assert.deepEqual(await by('model', `&api_key=${keys.u1.id}`), [['gpt-4o', 1, 50, '0.0004'], ['claude', 1, 40, '0.00003']]);
  assert.deepEqual(await by('model', '&tag=red'), [['gpt-4o', 1, 20, '0.25'], ['claude', 1, 40, '0.00003']]);
  assert.deepEqual(await by('model', '&model=nobody-asked-for'), []);
  const everybody = await must('GET', '/api/v1/cost/usage?group_by=organization');
  assert.deepEqual(everybody.data.filter((row) => row.organization.startsWith('u')).map((row) => [row.organization, row.calls]), [['u1', 5], ['u2', 1]]);
  assert.ok(everybody.totals.calls >= 6);
});

test('it is told by the hour, day and month of the organization', async () => {
  const now = new Date();
  const days = await usage('?interval=day');
  assert.equal(days.data.reduce((sum, row) => sum + row.calls, 0), 5);
  assert.ok(days.data.length >= 30 && days.data.length <= 32, `${days.data.length} days`);
  for (const row of days.data.slice(1, -1)) assert.match(row.start, /T18:30:00Z$/, 'midnight in Kolkata');
  const series = await must('GET', '/api/v1/organizations/u1/usage/series?model=gpt-4o');
  assert.deepEqual([series.hours.length, series.days.length, series.months.length], [48, 30, 12]);
  for (const rows of [series.hours, series.days, series.months]) {
    assert.equal(rows.reduce((sum, row) => sum + row.calls, 0), 3);
    assert.ok(new Date(rows.at(-1).end) > now);
    for (let i = 1; i < rows.length; i++) assert.equal(rows[i].start, rows[i - 1].end);
  }
  const utc = await must('GET', '/api/v1/cost/usage/series?organization=u1&time_zone=UTC');
  for (const row of utc.days) assert.match(row.start, /T00:00:00Z$/);
  const none = await usage('?from=2020-01-01T00:00:00Z&to=2020-03-01T00:00:00Z&interval=month&time_zone=UTC');
  assert.deepEqual(none.data.map((row) => [row.start, row.end, row.calls, row.currency]),
    [['2020-01-01T00:00:00Z', '2020-02-01T00:00:00Z', 0, null], ['2020-02-01T00:00:00Z', '2020-03-01T00:00:00Z', 0, null]]);
});

test('it comes a page at a time, and as CSV', async () => {
  const rows = [];
  let cursor = '';
  do {
    const page = await usage(`?group_by=user&limit=1${cursor}`);
    assert.equal(page.data.length, 1);
    assert.equal(page.totals.calls, 5, 'totals are of all pages');
    rows.push(page.data[0].user);
    cursor = page.next_cursor && `&cursor=${page.next_cursor}`;
  } while (cursor);
  assert.deepEqual(rows, ['ada', 'bob']);
  const long = await usage('?interval=hour&group_by=model&from=2026-01-01T00:00:00Z&limit=1000');
  assert.deepEqual([long.data.length, long.totals.calls], [0, 5], 'a page ends where it has looked at enough');
  assert.ok(long.next_cursor);
  const csv = await mete.api('GET', '/api/v1/organizations/u1/usage?group_by=model&format=csv');
  assert.equal(csv.status, 200);
  assert.match(csv.headers.get('content-type'), /^text\/csv/);
  const lines = csv.text.trimEnd().split('\r\n');
  assert.match(lines[0], /^start,end,model,calls,failures,cache_hits,requests,input_tokens,/);
  assert.match(lines[1], /,"gpt-4o",3,0,0,\d+,80,0,0,21,0,101,,USD,1\.7504$/);
  assert.equal(lines.length, 3);
  const first = await mete.api('GET', '/api/v1/organizations/u1/usage?group_by=model&format=csv&limit=1');
  const next = await mete.api('GET', `/api/v1/organizations/u1/usage?group_by=model&format=csv&limit=1&cursor=${first.headers.get('next-cursor')}`);
  assert.equal(first.text.split('\r\n')[1], lines[1]);
  assert.equal(next.text.split('\r\n')[1], lines[2]);
  assert.equal(next.headers.get('next-cursor'), null);
});

test('each sees its own', async () => {
  const own = await must('GET', '/api/v1/cost/usage?group_by=model', undefined, { token: keys.u1.key });
  assert.deepEqual(own.data.map((row) => [row.model, row.calls]), [['gpt-4o', 1], ['claude', 1]]);
  assert.equal((await must('GET', '/api/v1/cost/usage/series', undefined, { token: keys.u1.key })).time_zone, 'Asia/Kolkata');
  const path = '/api/v1/cost/usage';
  await fails(403, 'forbidden', 'organization', 'GET', `${path}?organization=u1`, undefined, { token: keys.u1.key });
  await fails(403, 'forbidden', 'user', 'GET', `${path}?organization=u1&user=ada`, undefined, { token: keys.u1.key });
  await fails(403, 'forbidden', 'tag', 'GET', `${path}?tag=blue`, undefined, { token: keys.u1.key });
  await fails(403, 'forbidden', 'group_by', 'GET', `${path}?group_by=user`, undefined, { token: keys.u1.key });
  await fails(404, 'not_found', 'api_key', 'GET', `${path}?api_key=${keys.u2.id}`, undefined, { token: keys.u1.key });
  await fails(403, 'forbidden', null, 'GET', '/api/v1/organizations/u1/usage', undefined, { token: keys.u1.key });
  await fails(404, 'not_found', 'api_key', 'GET', `/api/v1/organizations/u1/usage?api_key=${keys.u2.id}`);
  await fails(404, 'not_found', 'org', 'GET', '/api/v1/organizations/nobody/usage');
  await fails(404, 'not_found', 'user', 'GET', '/api/v1/organizations/u1/usage?user=nobody');
  await fails(404, 'not_found', 'department', 'GET', '/api/v1/organizations/u1/usage/series?department=nobody');
  await fails(404, 'not_found', 'organization', 'GET', `${path}?organization=nobody`);
});

test('a key sees what limits it, and how each stands', async () => {
  const org = '/api/v1/organizations/u2';
  await must('POST', `${org}/budgets`, { id: 'ada', scope: { kind: 'user', id: 'ada' }, unit: 'USD', amount: '5.00', period: 'daily' });
  await must('POST', `${org}/rate-limits`, { id: 'org-rpm', scope: { kind: 'organization', id: 'u2' }, unit: 'requests', limit: '60', period_seconds: 60 });
  await must('POST', `${org}/grants`, { id: 'g1', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '1000' });
  const scope = { kind: 'api_key', id: keys.u2.id };
  const held = await must('POST', '/api/v1/budget/reserve', { request_id: 'me-1', scope, amount: '1.25', usage: { total_tokens: 100 } });
  assert.ok(held.success, JSON.stringify(held));
  const me = await must('GET', '/api/v1/me', undefined, { token: keys.u2.key });
  assert.deepEqual(me.budgets.map((b) => [b.id, b.used, b.held, b.remaining]), [['ada', '0.00', '1.25', '3.75']]);
  assert.ok(me.budgets[0].window_end);
  assert.deepEqual(me.rate_limits.map((r) => [r.id, r.organization, r.scope.kind, r.limit, r.taken, r.remaining]), [['org-rpm', 'u2', 'organization', '60', '1', '59']]);
  assert.deepEqual(me.quotas.map((q) => [q.scope.id, q.unit, q.granted, q.drawn, q.held, q.balance]), [['ada', 'tokens', '1000', '0', '100', '900']]);
  const other = await must('GET', '/api/v1/me', undefined, { token: keys.u1.key });
  assert.deepEqual([other.budgets, other.rate_limits, other.quotas], [[], [], []]);
});

test('what cannot be told is refused by name', async () => {
  for (const [field, query] of [
    ['group_by', 'group_by=colour'], ['interval', 'interval=week'], ['from', 'from=yesterday'],
    ['from', 'from=2026-01-01T00:07:00Z'], ['to', 'to=2026-01-01T00:00:01Z'],
    ['from', 'from=2026-02-01T00:00:00Z&to=2026-02-01T00:00:00Z'], ['format', 'format=xml'],
    ['limit', 'limit=0'], ['cursor', 'cursor=7'], ['cursor', 'cursor=x'], ['time_zone', 'time_zone=Mars'],
    ['user', 'user=ada&department=dev'], ['api_key', `user=ada&api_key=${keys.u1.id}`],
    ['tag', 'tag=blue&user=ada'], ['tag', 'tag=blue&group_by=user'], ['group_by', 'group_by=tag&user=ada'],
    ['group_by', 'group_by=department&user=ada'], ['group_by', `group_by=user&api_key=${keys.u1.id}`],
    ['colour', 'colour=red'],
  ]) await fails(400, 'invalid', field, 'GET', `/api/v1/organizations/u1/usage?${query}`);
  await fails(400, 'invalid', 'organization', 'GET', '/api/v1/cost/usage?user=ada');
  await fails(400, 'invalid', 'interval', 'GET', '/api/v1/cost/usage/series?interval=day');
});

test('the command tells it too, beside the server and without one', async () => {
  const report = (...words) => run(['report', ...words, '--data', mete.data], { env: mete.env });
  const table = report('usage', '--organization', 'u1', '--by', 'user');
  assert.equal(table.status, 0, table.stderr);
  assert.match(table.stdout, /user +calls +failed[^\n]*\nada +3 .*1\.50043 +USD\nbob +2 /);
  const json = JSON.parse((report('usage', '--organization', 'u1', '--by', 'model', '--json')).stdout);
  assert.deepEqual(json.data.map((row) => [row.model, row.calls]), [['gpt-4o', 3], ['claude', 2]]);
  const csv = report('usage', '--organization', 'u1', '--per', 'day', '--format', 'csv');
  assert.match(csv.stdout, /^start,end,calls,/);
  const series = report('series', '--organization', 'u1');
  assert.match(series.stdout, /^hours\n[^]*\ndays\n[^]*\nmonths\n/);
  assert.equal(report('usage', '--by', 'colour').status, 2);
  assert.equal(report('usage', '--format', 'xml').status, 2);
  assert.equal(report('series', '--by', 'model').status, 2);
  assert.equal(run(['report']).status, 2);
  await mete.stop();
  assert.equal(report('usage', '--organization', 'u1', '--by', 'user').stdout, table.stdout);
  mete = null;
});
