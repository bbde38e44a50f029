// SPDX-License-Identifier: Apache-2.0
// Balances that somebody is to be told of when they become low: told once, told again only after
// they were not low in between; a crash neither loses nor doubles it; of calls of a gateway as of
// what is consumed; whoever is not of the organization sees nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN, Mete, PRICES, configuration, run, temporary } from './mete.mjs';
import { Provider } from './provider.mjs';

let provider;
let mete;
const options = {};
before(async () => {
  provider = await new Provider(PRICES).start();
  Object.assign(options, { config: configuration(provider), directory: temporary() });
  mete = await Mete.start(options);
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const at = (org, rest = '/quotas/alerts') => `/api/v1/organizations/${org}${rest}`;
const grant = (org, amount, more = {}) => mete.must('POST', at(org, '/quotas/grant'), { user_id: 'ada', unit: 'tokens', amount, ...more });
const consume = (org, amount) => mete.must('POST', at(org, '/quotas/consume'), { user_id: 'ada', unit: 'tokens', amount });
/** How it stands, once it does so; a moment later still. */
async function stands(org, id, expected) {
  let seen;
  for (let i = 0; i < 100; i++) {
    seen = await mete.must('GET', at(org, `/quotas/alerts/${id}`));
    if (seen.low === expected[0] && seen.times === expected[1]) return seen;
    await new Promise((done) => { setTimeout(done, 100); });
  }
  assert.deepEqual([seen.low, seen.times], expected);
  return seen;
}
const pause = () => new Promise((done) => { setTimeout(done, 2200); });

test('told once as it becomes low, and again after it was not', async () => {
  await mete.organization('l1');
  await grant('l1', '1000');
  const made = await mete.must('POST', at('l1'), { id: 'a', user_id: 'ada', unit: 'tokens', below: '500' });
  assert.deepEqual([made.low, made.times, made.since, made.below, made.below_percent], [false, 0, null, '500', null]);
  await mete.must('POST', at('l1'), { id: 'p', user_id: 'ada', unit: 'text_token', below_percent: 12.5 });
  await consume('l1', '500');
  await pause();
  assert.equal((await mete.must('GET', at('l1', '/quotas/alerts/a'))).low, false, 'just 500 is not below');
  await consume('l1', '1');
  const low = await stands('l1', 'a', [true, 1]);
  assert.equal(low.left, '499');
  assert.ok(Date.parse(low.since) <= Date.now() && Date.parse(low.since) > Date.now() - 60000);
  await consume('l1', '1');
  await pause();
  await stands('l1', 'a', [true, 1]);
  await mete.kill();
  mete = await Mete.start(options);
  await pause();
  assert.equal((await stands('l1', 'a', [true, 1])).since, low.since, 'a crash does not tell it again');
  await consume('l1', '374');
  assert.equal((await stands('l1', 'p', [true, 1])).left, '124', 'less than an eighth');
  await grant('l1', '1000');
  assert.equal((await stands('l1', 'a', [false, 1])).since, null);
  await stands('l1', 'p', [false, 1]);
  await consume('l1', '1000');
  await stands('l1', 'a', [true, 2]);
  await stands('l1', 'p', [true, 2]);
  assert.deepEqual((await mete.all(at('l1'))).map((a) => [a.id, a.low]), [['a', true], ['p', true]]);
  const audit = await mete.all('/api/v1/audit?limit=100');
  assert.equal(audit.filter((row) => row.actor === 'low-balance').length, 6, 'what was told, and when, is in the audit log');
});

test('calls of the gateway make a balance low as well, and what they hold does not', async () => {
  const { key } = await mete.organization('l2');
  await mete.must('POST', at('l2', '/quotas/grant'), { scope: { kind: 'organization', id: 'l2' }, unit: 'USD', amount: '10' });
  await mete.must('POST', at('l2'), { id: 'money', scope: { kind: 'organization', id: 'l2' }, unit: 'USD', below_percent: '100' });
  const held = await mete.must('POST', '/api/v1/budget/reserve', { request_id: 'h', scope: { kind: 'organization', id: 'l2' }, amount: '5' });
  await pause();
  await stands('l2', 'money', [false, 0]);
  await mete.must('POST', '/api/v1/budget/release', { reserve_id: held.reserve_id });
  const reply = await mete.chat(key, { model: 'test-large', messages: [{ role: 'user', content: '!{"output":20}' }], max_tokens: 200 });
  assert.equal(reply.status, 200, await reply.text());
  const low = await stands('l2', 'money', [true, 1]);
  assert.ok(Number(low.left) < 10 && Number(low.left) > 9);
  const history = await mete.all(at('l2', '/quotas/history?kind=organization&id=l2&unit=USD&limit=1'));
  assert.deepEqual(history.map((row) => row.what), ['commit', 'reserve', 'release', 'reserve', 'grant'], 'a gateway call is in the history as the others are');
  assert.equal(history[0].balance, low.left, 'and with the balance after it');
});

test('more than one page of them, and those whose scope is gone', async () => {
  await mete.organization('l3');
  await grant('l3', '10');
  await consume('l3', '6');
  const ids = Array.from({ length: 150 }, (_, i) => `w${i}`);
  await Promise.all(ids.map((id) => mete.must('POST', at('l3'), { id, user_id: 'ada', unit: 'tokens', below: '5' })));
  for (const id of ['w0', 'w149']) await stands('l3', id, [true, 1]);
  await mete.must('POST', at('l3', '/users'), { id: 'bob', name: 'Bob' });
  await mete.must('POST', at('l3'), { id: 'never', user_id: 'bob', unit: 'tokens', below: '5' });
  await pause();
  await stands('l3', 'never', [false, 0]); // nothing was ever granted: it has no balance
  assert.equal((await mete.all(at('l3', '/quotas/alerts?limit=50'))).length, 151);
  await mete.must('DELETE', at('l3', '/users/bob'));
  for (let i = 0; i < 50 && (await mete.api('GET', at('l3', '/quotas/alerts/never'))).status === 200; i++) await new Promise((done) => { setTimeout(done, 100); });
  assert.equal((await mete.api('GET', at('l3', '/quotas/alerts/never'))).status, 404);
});

test('what cannot be said, and who may not', async () => {
  await mete.organization('l4');
  const wrong = [[{ unit: 'tokens' }, 'below'], [{ unit: 'tokens', below: '1', below_percent: 1 }, 'below_percent'], [{ unit: 'tokens', below: '0' }, 'below'],
    [{ unit: 'tokens', below: '1.5' }, 'below'], [{ unit: 'pears', below: '1' }, 'unit'], [{ below: '1' }, 'unit'], [{ unit: 'tokens', below_percent: '0' }, 'below_percent'],
    [{ unit: 'tokens', below_percent: 100.01 }, 'below_percent'], [{ unit: 'tokens', below_percent: '1.234' }, 'below_percent'], [{ unit: 'tokens', below: '1', id: 'a b' }, 'id']];
  for (const [body, field] of wrong) {
    const reply = await mete.api('POST', at('l4'), { user_id: 'ada', ...body });
    assert.deepEqual([reply.status, reply.body.field], [400, field], JSON.stringify(body));
  }
  assert.equal((await mete.api('POST', at('l4'), { unit: 'tokens', below: '1' })).body.field, 'scope');
  assert.equal((await mete.api('POST', at('l4'), { user_id: 'nobody', unit: 'tokens', below: '1' })).status, 404);
  await mete.must('POST', at('l4'), { id: 'a', user_id: 'ada', unit: 'tokens', below: '1' });
  assert.equal((await mete.api('POST', at('l4'), { id: 'a', user_id: 'ada', unit: 'tokens', below: '1' })).status, 409);
  assert.equal((await mete.api('GET', at('l1', '/quotas/alerts/nothing'))).status, 404);
  const { token } = await mete.must('POST', at('l4', '/service-tokens'), { name: 'reader', permissions: ['quotas.read'] });
  assert.equal((await mete.must('GET', at('l4'), undefined, { token })).data.length, 1);
  assert.equal((await mete.api('POST', at('l4'), { user_id: 'ada', unit: 'tokens', below: '1' }, { token })).status, 403);
  assert.equal((await mete.api('GET', at('l1'), undefined, { token })).status, 404);
  await mete.must('DELETE', at('l4', '/quotas/alerts/a'));
  assert.equal((await mete.api('DELETE', at('l4', '/quotas/alerts/a'))).status, 404);
});

test('the command does the same, and what was told is proven', async () => {
  await mete.organization('l5');
  const quota = (...args) => run(['quota', ...args, '--organization', 'l5', '--json', '--data', mete.data, '--server', mete.url, '--token', ADMIN]);
  const made = quota('alert', '--scope', 'user:ada', '--unit', 'tokens', '--below', '10', '--id', 'x');
  assert.equal(made.status, 0, made.stderr);
  assert.equal(quota('alert', '--scope', 'user:ada', '--unit', 'tokens', '--below-percent', '20').json().below_percent, 20);
  assert.deepEqual(quota('alerts').json().data.map((a) => a.below), ['10', null]);
  assert.equal(quota('alert-end', 'x').status, 1, 'it asks first');
  assert.equal(quota('alert-end', 'x', '--yes').status, 0);
  assert.equal(quota('alerts').json().data.length, 1);
  await mete.stop();
  const proof = run(['verify', mete.data]);
  assert.equal(proof.status, 0, proof.stdout + proof.stderr);
  await mete.spawn();
});
