// SPDX-License-Identifier: Apache-2.0
// Proves through the API and the command: prepaid balances (granted, drawn in order, refused when
// used up, refunded, ended, their history), and scopes that are deleted or moved (children first,
// open calls stay with the department they were made in, ids free again, a deleted key stops).
// Every reply is checked against docs/openapi.yaml on the way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mete, configuration, run } from './mete.mjs';

let mete;
before(async () => { mete = await Mete.start({ config: configuration() }); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const orgPath = (org, rest = '') => `/api/v1/organizations/${org}${rest}`;
async function fails(status, code, field, ...call) {
  const reply = await mete.api(...call);
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.body.code, code, reply.text);
  if (field !== null) assert.equal(reply.body.field, field, reply.text);
  return reply.body;
}
const at = (org, kind, id) => ({ kind, id, organization: org });
const reserve = (scope, tokens, more = {}) => must('POST', '/api/v1/budget/reserve', { request_id: `r${Math.random()}`, scope, usage: { total_tokens: tokens }, ...more });
const deduct = (call, tokens) => must('POST', '/api/v1/budget/deduct', { reserve_id: call.reserve_id, usage: { total_tokens: tokens } });

test('a balance is granted, drawn in order, and refuses when it is used up', async () => {
  await mete.organization('q1');
  const grants = orgPath('q1', '/grants');
  const late = await must('POST', grants, { id: 'late', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '100' });
  assert.deepEqual([late.balance, late.priority, late.source, late.expires_at], ['100', 0, 'admin', null]);
  await must('POST', grants, { id: 'soon', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '50', expires_at: '2099-01-01T00:00:00Z', source: 'purchase' });
  await fails(409, 'exists', 'id', 'POST', grants, { id: 'soon', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '50' });
  const call = await reserve(at('q1', 'user', 'ada'), 60);
  assert.ok(call.success);
  const held = await must('GET', orgPath('q1', '/quotas?kind=user&id=ada'));
  assert.deepEqual(held.data.map((q) => [q.unit, q.granted, q.drawn, q.held, q.balance]), [['tokens', '150', '0', '60', '90']]);
  assert.equal((await must('GET', `${grants}/soon`)).held, '50', 'what expires is drawn first');
  const refused = await reserve(at('q1', 'user', 'ada'), 91);
  assert.deepEqual([refused.success, refused.refused_by[0].reason], [false, 'quota']);
  await deduct(call, 55);
  const list = await must('GET', `${grants}?kind=user&id=ada&unit=tokens`);
  assert.deepEqual(list.data.map((g) => [g.id, g.drawn, g.balance]), [['late', '5', '95'], ['soon', '50', '0']]);
  assert.equal(list.total, 2);
  assert.equal((await must('POST', `${grants}/soon/refund`, { amount: '20' })).balance, '20');
  await fails(400, 'invalid', 'amount', 'POST', `${grants}/soon/refund`, { amount: '31' });
  await fails(400, 'invalid', 'amount', 'PUT', `${grants}/soon`, { amount: '29' });
  const longer = await must('PUT', `${grants}/soon`, { amount: '30', expires_at: null, priority: 7 });
  assert.deepEqual([longer.balance, longer.expires_at, longer.priority, longer.source], ['0', null, 7, 'purchase']);
  await must('DELETE', orgPath('q1', '/quotas?kind=user&id=ada&unit=tokens'));
  await fails(404, 'not_found', 'unit', 'DELETE', orgPath('q1', '/quotas?kind=user&id=ada&unit=tokens'));
  assert.deepEqual((await must('GET', orgPath('q1', '/quotas?kind=user&id=ada'))).data, []);
  await fails(404, 'not_found', 'grant', 'GET', `${grants}/soon`);
  assert.ok((await reserve(at('q1', 'user', 'ada'), 1000)).success, 'without a quota nothing is asked');
  await fails(409, 'exists', 'id', 'POST', grants, { id: 'soon', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '50' });
});

test('quotas of another organization are not there', async () => {
  await mete.organization('q2');
  await mete.organization('q3');
  await must('POST', orgPath('q2', '/grants'), { id: 'own', scope: { kind: 'organization', id: 'q2' }, unit: 'USD', amount: '5.00' });
  assert.equal((await must('GET', orgPath('q2', '/quotas'))).data[0].balance, '5.00');
  await fails(404, 'not_found', 'grant', 'GET', orgPath('q3', '/grants/own'));
  await fails(404, 'not_found', 'id', 'GET', orgPath('q3', '/quotas?kind=organization&id=q2'));
  await fails(400, 'invalid', 'unit', 'GET', orgPath('q2', '/grants'));
  await fails(400, 'invalid', 'id', 'GET', orgPath('q2', '/quotas?kind=user'));
});

test('the balances of all scopes of an organization, in pages', async () => {
  await mete.organization('q4');
  await mete.organization('q5');
  const grant = (org, id, kind, of, unit, amount) => must('POST', orgPath(org, '/grants'), { id, scope: { kind, id: of }, unit, amount });
  assert.deepEqual(await mete.all(orgPath('q4', '/quotas')), []);
  await grant('q4', 'a', 'user', 'ada', 'tokens', '10');
  await grant('q4', 'b', 'user', 'ada', 'tokens', '5');
  await grant('q4', 'c', 'user', 'ada', 'USD', '2.00');
  await grant('q4', 'd', 'organization', 'q4', 'tokens', '7');
  await grant('q4', 'e', 'department', 'research', 'requests', '3');
  await grant('q5', 'a', 'organization', 'q5', 'tokens', '9');
  const all = await mete.all(orgPath('q4', '/quotas'));
  assert.deepEqual(all.map((q) => `${q.scope.id} ${q.unit} ${q.balance}`).sort(), ['ada USD 2.00', 'ada tokens 15', 'q4 tokens 7', 'research requests 3']);
  assert.deepEqual(await mete.all(orgPath('q4', '/quotas?limit=1')), all);
  const first = await must('GET', orgPath('q4', '/quotas?limit=1'));
  assert.deepEqual([first.data.length, first.data[0].scope.id], [1, 'q4'], 'the oldest scope first');
  await must('DELETE', orgPath('q4', '/quotas?kind=user&id=ada&unit=tokens'));
  assert.deepEqual((await mete.all(orgPath('q4', '/quotas'))).map((q) => q.unit).sort(), ['USD', 'requests', 'tokens']);
  assert.deepEqual((await mete.all(orgPath('q5', '/quotas'))).map((q) => q.balance), ['9']);
  const listed = run(['quota', 'list', '--organization', 'q4', '--json', '--data', mete.data, '--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN]);
  assert.equal(listed.json().data.length, 3, listed.stderr);
});

test('its history tells what was granted, held, drawn, refunded and ended, newest first, in pages', async () => {
  await mete.organization('h1');
  const grants = orgPath('h1', '/grants'), user = { kind: 'user', id: 'ada' };
  const history = (query = '') => mete.all(orgPath('h1', `/quotas/history?kind=user&id=ada&unit=tokens${query}`));
  assert.deepEqual(await history(), []);
  await must('POST', grants, { id: 'a', scope: user, unit: 'tokens', amount: '100' });
  await must('POST', grants, { id: 'usd', scope: user, unit: 'USD', amount: '5' });
  const call = await reserve(at('h1', 'user', 'ada'), 60, { amount: '1.00' });
  await deduct(call, 55);
  await must('POST', `${grants}/a/refund`, { amount: '5' });
  const middle = (await history())[0].at;
  await must('POST', grants, { id: 'b', scope: user, unit: 'tokens', amount: '10', expires_at: new Date(Date.now() + 300).toISOString() });
  await new Promise((done) => { setTimeout(done, 400); });
  await must('POST', '/api/v1/budget/record', { request_id: 'rec', scope: at('h1', 'user', 'ada'), usage: { total_tokens: 7 } });
  const all = await history();
  const row = (r) => `${r.what} ${r.grant ?? ''} ${r.granted_change} ${r.drawn_change} ${r.held_change} = ${r.balance}`;
  assert.deepEqual(all.map(row), ['record  0 7 0 = 43', 'grant_expired  -10 0 0 = 50', 'grant b 10 0 0 = 60', 'refund a 0 -5 0 = 50',
    'commit  0 55 -60 = 45', 'reserve  0 0 60 = 40', 'grant a 100 0 0 = 100']);
  assert.deepEqual([all[4].reserve_id, all[4].scope.id, all[6].scope], [call.reserve_id, 'ada', null]);
  assert.deepEqual(await history('&limit=1'), all);
  assert.deepEqual(await history('&limit=3'), all);
  assert.deepEqual(await history(`&since=${middle}`), all.slice(0, 4));
  assert.deepEqual(await mete.all(orgPath('h1', '/quotas/history?unit=tokens')), [], 'the organization itself has none');
  await fails(404, 'not_found', 'id', 'GET', orgPath('h1', '/quotas/history?kind=user&id=nobody&unit=tokens'));
  await mete.kill();
  await mete.spawn();
  assert.deepEqual(await history(), all);
  await must('DELETE', orgPath('h1', '/quotas?kind=user&id=ada&unit=tokens'));
  assert.deepEqual((await history()).slice(1), all);
});

test('a user moves, and open calls stay where they were made', async () => {
  const key = await mete.organization('m1');
  await must('POST', orgPath('m1', '/departments'), { id: 'sales', name: 'Sales' });
  for (const department of ['research', 'sales']) {
    await must('POST', orgPath('m1', '/budgets'), { id: department, scope: { kind: 'department', id: department }, unit: 'tokens', amount: '1000', period: 'daily' });
  }
  const before_ = await reserve(at('m1', 'user', 'ada'), 100);
  const moved = await must('PUT', orgPath('m1', '/users/ada'), { department: 'sales' });
  assert.deepEqual([moved.department, moved.id], ['sales', 'ada']);
  await reserve(at('m1', 'user', 'ada'), 10);
  await deduct(before_, 70);
  assert.equal((await must('GET', orgPath('m1', '/budgets/research'))).used, '70');
  assert.equal((await must('GET', orgPath('m1', '/budgets/sales'))).held, '10');
  await mete.settled();
  assert.equal((await must('GET', orgPath('m1', '/users/ada'))).department, 'sales');
  const shown = async () => [(await must('GET', `/api/v1/api-keys/${key.id}`)).department, (await mete.all(orgPath('m1', '/api-keys')))[0].department,
    (await mete.must('GET', '/api/v1/me', undefined, { token: key.key })).department, (await mete.must('GET', '/api/v1/me', undefined, { token: key.key })).api_key.department];
  assert.deepEqual([key.department, ...await shown()], ['research', 'sales', 'sales', 'sales', 'sales'], 'its keys move with it');
  await fails(404, 'not_found', 'department', 'PUT', orgPath('m1', '/users/ada'), { department: 'nowhere' });
  assert.equal((await must('PUT', orgPath('m1', '/users/ada'), { department: null, name: 'Ada L.' })).department, null);
  await reserve(at('m1', 'user', 'ada'), 1);
  assert.equal((await must('GET', orgPath('m1', '/budgets/sales'))).held, '10');
  assert.deepEqual(await shown(), [null, null, null, null]);
  assert.equal((await must('POST', `/api/v1/api-keys/${key.id}/revoke`, {})).department, null);
});

test('what is deleted is gone, children first, and its id is free again', async () => {
  const key = await mete.organization('d1');
  await fails(409, 'exists', 'user', 'DELETE', orgPath('d1', '/users/ada'));
  await fails(409, 'exists', 'org', 'DELETE', orgPath('d1'));
  const open = await reserve(at('d1', 'api_key', key.id), 5, { ttl_seconds: 600 });
  await must('DELETE', `/api/v1/api-keys/${key.id}`);
  await fails(404, 'not_found', 'key', 'GET', `/api/v1/api-keys/${key.id}`);
  assert.equal((await mete.api('GET', '/api/v1/me', undefined, { token: key.key })).status, 401);
  await deduct(open, 5);
  await must('DELETE', orgPath('d1', '/users/ada'));
  await fails(404, 'not_found', 'user', 'GET', orgPath('d1', '/users/ada'));
  await fails(404, 'not_found', 'scope.id', 'POST', '/api/v1/budget/reserve', { request_id: 'x', scope: at('d1', 'user', 'ada'), usage: { total_tokens: 1 } });
  await must('POST', orgPath('d1', '/users'), { id: 'ada', name: 'another Ada' });
  assert.equal((await must('GET', orgPath('d1', '/users/ada'))).name, 'another Ada');
  assert.ok((await reserve(at('d1', 'user', 'ada'), 1)).success);
  await must('DELETE', orgPath('d1', '/users/ada'));
  for (const user of await mete.all(orgPath('d1', '/users'))) await must('DELETE', orgPath('d1', `/users/${user.id}`));
  for (const department of await mete.all(orgPath('d1', '/departments'))) await must('DELETE', orgPath('d1', `/departments/${department.id}`));
  await must('DELETE', orgPath('d1'));
  await fails(404, 'not_found', 'org', 'GET', orgPath('d1'));
  await must('POST', '/api/v1/organizations', { id: 'd1', name: 'again' });
  assert.deepEqual(await mete.all(orgPath('d1', '/users')), []);
});

test('a deleted key is refused after a restart too', async () => {
  const key = await mete.organization('d2');
  await must('DELETE', `/api/v1/api-keys/${key.id}`);
  await mete.stop();
  await mete.spawn();
  assert.equal((await mete.api('GET', '/api/v1/me', undefined, { token: key.key })).status, 401);
});

test('mete quota grants, shows, refunds, tells the history and ends', async () => {
  await mete.organization('c1');
  const quota = (...args) => run(['quota', ...args, '--organization', 'c1', '--json', '--data', mete.data, '--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN]);
  const made = quota('grant', '--scope', 'user:ada', '--unit', 'tokens', '--amount', '500', '--id', 'g1', '--source', 'purchase', '--priority', '2');
  assert.equal(made.status, 0, made.stderr);
  assert.deepEqual([made.json().id, made.json().balance, made.json().priority], ['g1', '500', 2]);
  assert.equal(quota('show', '--scope', 'user:ada').json().data[0].balance, '500');
  await deduct(await reserve(at('c1', 'user', 'ada'), 60), 60);
  assert.equal(quota('refund', 'g1', '--amount', '10').json().drawn, '50');
  assert.deepEqual(quota('grants', '--scope', 'user:ada', '--unit', 'tokens').json().data.map((g) => g.id), ['g1']);
  assert.deepEqual(quota('history', '--scope', 'user:ada', '--unit', 'tokens').json().data.map((row) => [row.what, row.drawn_change]),
    [['refund', '-10'], ['commit', '60'], ['reserve', '0'], ['grant', '0']]);
  assert.equal(quota('refund', 'g1', '--amount', '1000').status, 2, 'more than was drawn');
  assert.equal(quota('refund', 'nothing', '--amount', '1').status, 1);
  assert.equal(quota('end', '--scope', 'user:ada', '--unit', 'tokens', '--yes').status, 0);
  assert.deepEqual(quota('show', '--scope', 'user:ada').json().data, []);
  assert.equal(quota('grant', '--unit', 'tokens').status, 2);
});
