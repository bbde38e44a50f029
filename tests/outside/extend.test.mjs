// SPDX-License-Identifier: Apache-2.0
// An open reservation is made larger, smaller and longer through a real server: in every budget it
// took from or in none, by its own key or the admin, also when the key is revoked; what is held now is
// what a deduct charges; all of it is there after a power cut.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mete, configuration } from './mete.mjs';

let mete;
before(async () => { mete = await Mete.start({ config: configuration() }); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const extend = (call, more, options) => must('POST', '/api/v1/budget/extend', { reserve_id: call.reserve_id, ...more }, options);
const budget = (org, id) => must('GET', `/api/v1/organizations/${org}/budgets/${id}`);
async function begin(org, amount, more = {}) {
  const key = await mete.organization(org);
  await mete.budget(org, { id: 'all', amount: '2.00' });
  await mete.budget(org, { id: 'ada', scope: { kind: 'user', id: 'ada' }, amount: '1.00' });
  const call = await must('POST', '/api/v1/budget/reserve', { request_id: 'r', scope: { kind: 'api_key', id: key.id, organization: org }, amount, ...more });
  return { key, call };
}

test('it grows in every budget it took from, or in none', async () => {
  const { call } = await begin('x1', '0.40');
  const grown = await extend(call, { amount: '0.60' });
  assert.deepEqual([grown.success, grown.remaining, grown.amount, grown.reserve_id], [true, '0.00', '0.60', call.reserve_id]);
  const refused = await extend(call, { amount: '0.01', ttl_seconds: 3000 });
  assert.deepEqual([refused.success, refused.refused_by.map((r) => r.budget), refused.expire_time], [false, ['ada'], grown.expire_time]);
  assert.deepEqual([(await budget('x1', 'ada')).held, (await budget('x1', 'all')).held], ['1.00', '1.00']);
  const back = await extend(call, { amount: '0.75', shrink: true });
  assert.deepEqual([back.success, back.remaining, back.refused_by], [true, null, []]);
  assert.deepEqual([(await budget('x1', 'ada')).held, (await budget('x1', 'all')).held], ['0.25', '0.25']);
  const charged = await must('POST', '/api/v1/budget/deduct', { reserve_id: call.reserve_id });
  assert.equal(charged.amount, '0.25', 'what is held, not what was reserved first');
  const ended = await mete.api('POST', '/api/v1/budget/extend', { reserve_id: call.reserve_id, amount: '0.01' });
  assert.deepEqual([ended.status, ended.body.code, ended.body.field], [409, 'ended', 'reserve_id']);
});

test('its time alone, and an array: each in its place', async () => {
  const { call } = await begin('x2', '0.10', { ttl_seconds: 60 });
  const longer = await extend(call, { ttl_seconds: 3600 });
  const seconds = (Date.parse(longer.expire_time) - Date.parse(call.expire_time)) / 1000;
  assert.ok(seconds > 3500 && seconds < 3600, longer.expire_time);
  const both = await must('POST', '/api/v1/budget/extend', [{ reserve_id: call.reserve_id, amount: '0.05' }, { reserve_id: 'rsv_0000000000z', amount: '0.05' },
    { reserve_id: call.reserve_id, amount: '0.06', shrink: true }]);
  assert.deepEqual([both[0].success, both[1].code, both[1].field, both[2].success], [true, 'not_found', '[1].reserve_id', true]);
  assert.equal((await budget('x2', 'all')).held, '0.09');
});

test('a key extends what is its own, also when it is revoked, and of others nothing', async () => {
  const { key, call } = await begin('x3', '0.10');
  const other = await begin('x4', '0.10');
  assert.ok((await extend(call, { amount: '0.10' }, { token: key.key })).success);
  const reply = await mete.api('POST', '/api/v1/budget/extend', { reserve_id: other.call.reserve_id, amount: '0.10' }, { token: key.key });
  assert.deepEqual([reply.status, reply.body.field], [404, 'reserve_id']);
  await must('POST', `/api/v1/api-keys/${key.id}/revoke`, {});
  assert.ok((await extend(call, { amount: '0.10' }, { token: key.key })).success, 'open calls run on');
  assert.equal((await budget('x3', 'ada')).held, '0.30');
  assert.equal((await budget('x4', 'ada')).held, '0.10');
});

test('an extension that was answered is there after a power cut', async () => {
  const { call } = await begin('x5', '0.10', { ttl_seconds: 3600 });
  await extend(call, { amount: '0.20', ttl_seconds: 7200 });
  await mete.kill();
  await mete.spawn();
  assert.equal((await budget('x5', 'all')).held, '0.30');
  assert.equal((await must('POST', '/api/v1/budget/deduct', { reserve_id: call.reserve_id })).amount, '0.30');
});
