// SPDX-License-Identifier: Apache-2.0
// Rate limits of any scope by HTTP and by command: made, listed, shown, changed, deleted; a refusal
// of the authority names the one that refused; narrowed ones look at the calls that match alone; they
// are there after a power cut; another organization's are not there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mete, configuration, run } from './mete.mjs';

let mete;
before(async () => { mete = await Mete.start({ config: configuration() }); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const limits = (org, rest = '') => `/api/v1/organizations/${org}/rate-limits${rest}`;
const put = (org, body) => must('POST', limits(org), body);
async function fails(status, code, field, ...call) {
  const reply = await mete.api(...call);
  assert.deepEqual([reply.status, reply.body.code, reply.body.field ?? null], [status, code, field], reply.text);
}
const of = (kind, id) => ({ kind, id });
const asks = (org, kind, id, more = {}) => must('POST', '/api/v1/budget/reserve', { request_id: `r${Math.random()}`, scope: { kind, id, organization: org }, usage: { total_tokens: 10 }, ...more });

test('a limit of any scope refuses by name, and the whole path of a call is asked', async () => {
  const key = await mete.organization('r1');
  const made = await put('r1', { id: 'team', scope: of('department', 'research'), limit: '2', period_seconds: 3600 });
  assert.deepEqual([made.unit, made.limit, made.burst, made.period_seconds, made.concurrent, made.mode, made.taken, made.scope.kind],
    ['requests', '2', '2', 3600, false, 'enforce', '0', 'department']);
  await put('r1', { id: 'all', scope: of('organization', 'r1'), unit: 'tokens', limit: '1000', burst: '15', period_seconds: 60 });
  assert.ok((await asks('r1', 'api_key', key.id)).success);
  const refused = await asks('r1', 'api_key', key.id);
  assert.equal(refused.success, false);
  assert.deepEqual(refused.refused_by.map((r) => [r.reason, r.rate_limit, r.budget, r.unit, r.limit, r.scope.id]), [['rate_limit', 'all', null, 'tokens', '1000', 'r1']]);
  await must('DELETE', limits('r1', '/all'));
  assert.ok((await asks('r1', 'user', 'ada')).success);
  const last = await asks('r1', 'user', 'ada');
  assert.deepEqual([last.success, last.refused_by[0].rate_limit], [false, 'team']);
  assert.ok(Date.parse(last.retry_at) > Date.now());
  const changed = await must('PUT', limits('r1', '/team'), { limit: '100', burst: '3' });
  assert.deepEqual([changed.limit, changed.burst, changed.period_seconds], ['100', '3', 3600]);
  assert.equal((await must('GET', limits('r1', '/team'))).limit, '100');
  const shadow = await must('PUT', limits('r1', '/team'), { mode: 'shadow' });
  assert.equal(shadow.mode, 'shadow');
  await asks('r1', 'user', 'ada');
  const passed = await asks('r1', 'user', 'ada');
  assert.deepEqual([passed.success, passed.refused_by[0]?.rate_limit, passed.refused_by[0]?.shadow], [true, 'team', true]);
  await fails(404, 'not_found', 'rate', 'GET', limits('r1', '/all'));
});

test('calls at once, given back when they end; and what such a limit does not have', async () => {
  await mete.organization('r2');
  const made = await put('r2', { id: 'two', scope: of('user', 'ada'), concurrent: true, limit: '2' });
  assert.deepEqual([made.concurrent, made.unit, made.period_seconds, made.burst, made.full_at], [true, 'requests', null, null, null]);
  const first = await asks('r2', 'user', 'ada');
  await asks('r2', 'user', 'ada');
  const third = await asks('r2', 'user', 'ada');
  assert.deepEqual([third.success, third.refused_by[0].reason, third.refused_by[0].rate_limit], [false, 'concurrency', 'two']);
  assert.equal((await must('GET', limits('r2', '/two'))).taken, '2');
  await must('POST', '/api/v1/budget/release', { reserve_id: first.reserve_id });
  assert.ok((await asks('r2', 'user', 'ada')).success);
  for (const [field, value] of [['burst', '5'], ['period_seconds', 5]]) {
    await fails(400, 'invalid', field, 'PUT', limits('r2', '/two'), { [field]: value });
    await fails(400, 'invalid', field, 'POST', limits('r2'), { scope: of('user', 'ada'), concurrent: true, limit: '2', [field]: value });
  }
  await fails(400, 'invalid', 'unit', 'POST', limits('r2'), { scope: of('user', 'ada'), concurrent: true, limit: '2', unit: 'tokens' });
});

test('narrowed to models or a provider', async () => {
  await mete.organization('r3');
  const made = await put('r3', { id: 'large', scope: of('organization', 'r3'), limit: '1', models: ['gpt-*'], providers: ['openai'] });
  assert.deepEqual([made.models, made.providers, made.tags], [['gpt-*'], ['openai'], undefined]);
  const call = (model, provider) => asks('r3', 'user', 'ada', { usage: { requests: 1 }, amount: '0.01', model, provider });
  assert.ok((await call('gpt-4o', 'openai')).success);
  assert.equal((await call('gpt-4o', 'openai')).refused_by[0].rate_limit, 'large');
  assert.ok((await call('claude', 'openai')).success);
  assert.ok((await call('gpt-4o', 'other')).success);
  const changed = await must('PUT', limits('r3', '/large'), { limit: '5' });
  assert.deepEqual(changed.models, ['gpt-*'], 'what cannot change stays');
});

test('listed in pages with those of keys, and no other organization has them', async () => {
  await mete.organization('r4');
  await mete.organization('r5');
  const key = await must('POST', '/api/v1/organizations/r4/api-keys', { name: 'k', requests_per_minute: 7, concurrent_requests: 3 });
  for (const id of ['a', 'b', 'c', 'd']) await put('r4', { id, scope: of('user', 'ada'), limit: '5' });
  await fails(409, 'exists', 'id', 'POST', limits('r4'), { id: 'a', scope: of('department', 'research'), limit: '5' });
  await fails(503, 'full', 'scope', 'POST', limits('r4'), { id: 'e', scope: of('user', 'ada'), limit: '5' });
  await put('r5', { id: 'a', scope: of('user', 'ada'), limit: '6' });
  const all = await mete.all(limits('r4', '?limit=2'));
  assert.deepEqual(all.map((r) => r.id), [`${key.id}.requests`, `${key.id}.concurrent`, 'a', 'b', 'c', 'd']);
  assert.deepEqual([all[0].limit, all[0].period_seconds, all[0].scope.kind], ['7', 60, 'api_key']);
  await must('DELETE', limits('r4', '/b'));
  assert.deepEqual((await mete.all(limits('r4'))).map((r) => r.id).slice(2), ['a', 'c', 'd']);
  assert.equal((await must('GET', limits('r5', '/a'))).limit, '6');
  await fails(404, 'not_found', 'rate', 'DELETE', limits('r5', '/c'));
  await fails(404, 'not_found', 'scope.id', 'POST', limits('r5'), { scope: of('organization', 'r4'), limit: '5' });
  await mete.kill();
  await mete.spawn();
  assert.deepEqual((await mete.all(limits('r4'))).map((r) => r.id).slice(2), ['a', 'c', 'd']);
});

test('mete rate sets, lists, shows and deletes', async () => {
  await mete.organization('r6');
  const rate = (...args) => run(['rate', ...args, '--organization', 'r6', '--json', '--data', mete.data, '--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN]);
  const set = rate('set', '--id', 'x', '--limit', '9', '--period-seconds', '30', '--scope', 'user:ada', '--model', 'gpt-*');
  assert.equal(set.status, 0, set.stderr);
  assert.deepEqual([set.json().limit, set.json().period_seconds, set.json().models], ['9', 30, ['gpt-*']]);
  assert.equal(rate('set', '--id', 'x', '--limit', '11').json().limit, '11');
  assert.ok(rate('set', '--concurrent', '4').json().concurrent);
  assert.deepEqual(rate('list').json().data.map((r) => [r.scope.kind, r.limit]), [['user', '11'], ['organization', '4']]);
  assert.equal(rate('show', 'x').json().burst, '9', 'a burst stays as it was');
  assert.equal(rate('delete', 'x').status, 1, 'it asks first');
  assert.equal(rate('delete', 'x', '--yes').status, 0);
  assert.equal(rate('show', 'x').status, 1);
  assert.equal(rate('set').status, 2);
  assert.equal(rate('set', '--limit', '-5').status, 2);
});
