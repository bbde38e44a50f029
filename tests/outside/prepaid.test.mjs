// SPDX-License-Identifier: Apache-2.0
// Proves, over HTTP and by the command: plans and their subscriptions, packages and payments, codes
// (64 at once on one of them), consuming in one step, and the history of all of it with the balance
// after each. Every reply is checked against
// docs/openapi.yaml on the way. What time does to subscriptions is in tests/unit/test_api_memberships.c.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN, Mete, configuration, run, temporary } from './mete.mjs';

const options = { config: configuration(), directory: temporary() };
let mete;
before(async () => { mete = await Mete.start(options); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const orgPath = (org, rest = '') => `/api/v1/organizations/${org}${rest}`;
async function fails(status, code, field, ...call) {
  const reply = await mete.api(...call);
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.body.code, code, reply.text);
  if (field !== null) assert.equal(reply.body.field, field, reply.text);
}
const tokens = (amount, more = {}) => ({ unit: 'tokens', amount, ...more });

test('a plan, and a subscription that is granted at once', async () => {
  await mete.organization('p1');
  const plan = await must('POST', orgPath('p1', '/plans'), { id: 'gold', name: 'Gold', grants: [tokens('1000', { rollover: true, rollover_cap: 500 })] });
  assert.deepEqual(plan.grants, [{ unit: 'tokens', amount: '1000', priority: 0, rollover: true, rollover_cap: '500' }]);
  const made = await must('POST', orgPath('p1', '/subscriptions'), { id: 's', user_id: 'ada', plan: 'gold' });
  assert.deepEqual([made.grants[0].source, made.grants[0].source_id, made.grants[0].expires_at], ['membership', 'gold', made.renews_at]);
  assert.ok(new Date(made.renews_at) > new Date());
  assert.deepEqual((await mete.all(orgPath('p1', '/subscriptions'))).map((s) => s.id), ['s']);
  assert.equal((await must('PUT', orgPath('p1', '/plans/gold'), { description: 'Best' })).description, 'Best');
  await mete.organization('p2');
  await fails(404, 'not_found', 'plan', 'GET', orgPath('p2', '/plans/gold'));
  await fails(404, 'not_found', 'plan', 'POST', orgPath('p2', '/subscriptions'), { user_id: 'ada', plan: 'gold' });
  await fails(404, 'not_found', 'subscription', 'DELETE', orgPath('p2', '/subscriptions/s'));
  await must('DELETE', orgPath('p1', '/subscriptions/s'));
  assert.equal((await must('GET', orgPath('p1', '/quotas/balance?user_id=ada&unit=tokens'))).balance, '1000');
});

test('a restart grants no month twice', async () => {
  await mete.organization('p3');
  await must('POST', orgPath('p3', '/plans'), { id: 'gold', name: 'Gold', grants: [tokens('10')] });
  await must('POST', orgPath('p3', '/subscriptions'), { user_id: 'ada', plan: 'gold' });
  await mete.kill();
  mete = await Mete.start(options);
  assert.equal((await must('GET', orgPath('p3', '/quotas/balance?user_id=ada&unit=tokens'))).granted, '10');
});

test('one payment, reported by many at once, is granted once', async () => {
  await mete.organization('p4');
  await must('POST', orgPath('p4', '/packages'), { id: 'm', name: 'M', price: '9.90', currency: 'EUR', grants: [tokens('100', { expires_in_days: 30 }), { unit: 'USD', amount: '1.50' }] });
  const buy = () => mete.api('POST', orgPath('p4', '/packages/m/purchase'), { user_id: 'ada', reference: 'pay-1' });
  const replies = await Promise.all(Array.from({ length: 16 }, buy));
  assert.deepEqual(replies.map((r) => r.status).sort(), [...Array(15).fill(200), 201]);
  for (const { body } of replies) assert.deepEqual(body.grants.map((g) => g.amount), ['100', '1.50']);
  assert.equal((await must('GET', orgPath('p4', '/quotas/balance?user_id=ada&unit=tokens'))).granted, '100');
  await fails(409, 'exists', 'reference', 'POST', orgPath('p4', '/packages/m/purchase'), { scope: { kind: 'organization', id: 'p4' }, reference: 'pay-1' });
});

test('64 redeem one code of one use at once, and one of them gets it', async () => {
  await mete.organization('p5');
  const users = Array.from({ length: 64 }, (_, i) => `u${i}`);
  for (const id of users) await must('POST', orgPath('p5', '/users'), { id, name: id });
  const { data: [made] } = await must('POST', orgPath('p5', '/codes'), { grants: [tokens('7')] });
  const replies = await Promise.all(users.map((user_id) => mete.api('POST', orgPath('p5', '/redeem'), { code: made.code, user_id })));
  assert.equal(replies.filter((r) => r.status === 201).length, 1);
  assert.ok(replies.every((r) => [201, 404, 429].includes(r.status)), replies.map((r) => r.status).join());
  assert.deepEqual((await mete.all(orgPath('p5', '/quotas'))).map((q) => q.balance), ['7']);
  assert.equal((await must('GET', orgPath('p5', `/codes/${made.id}`))).used, 1);
});

test('the owner of a key redeems for the user it belongs to', async () => {
  await mete.organization('p6');
  const { data: [made] } = await must('POST', orgPath('p6', '/codes'), { grants: [tokens('7')], uses: 3 });
  const { key } = await must('POST', orgPath('p6', '/api-keys'), { name: 'k', user: 'ada' });
  const redeemed = await must('POST', '/api/v1/redeem', { code: made.code }, { token: key });
  assert.deepEqual([redeemed.scope.kind, redeemed.scope.id], ['user', 'ada']);
  await fails(409, 'exists', 'code', 'POST', '/api/v1/redeem', { code: made.code }, { token: key });
  await fails(403, 'forbidden', null, 'POST', orgPath('p6', '/codes'), { grants: [tokens('7')] }, { token: key });
  await fails(403, 'forbidden', null, 'POST', orgPath('p6', '/quotas/consume'), { user_id: 'ada', unit: 'tokens', amount: 1 }, { token: key });
});

test('many consume one balance at once, to the last of it and no further', async () => {
  await mete.organization('p7');
  await must('POST', orgPath('p7', '/quotas/grant'), { user_id: 'ada', quota_type: 'text_token', amount: 1000, source: 'membership', source_id: 'plan-1', description: 'For the new member' });
  const consume = (amount) => must('POST', orgPath('p7', '/quotas/consume'), { user_id: 'ada', quota_type: 'text_token', amount });
  const replies = await Promise.all(Array.from({ length: 64 }, () => consume(30)));
  assert.equal(replies.filter((r) => r.success).length, 33);
  const left = await must('GET', orgPath('p7', '/quotas/balance?user_id=ada&unit=text_token'));
  assert.deepEqual([left.balance, left.drawn, left.held], ['10', '990', '0']);
  assert.equal((await must('GET', orgPath('p7', '/quotas/enough?user_id=ada&unit=tokens&amount=11'))).enough, false);
  const history = await must('GET', orgPath('p7', '/quotas/history?user_id=ada&unit=tokens'));
  assert.equal(history.data[0].balance, '10');
  assert.equal(history.data.find((r) => r.what === 'grant').source_id, 'plan-1');
  const record = replies.find((r) => r.success).record_id;
  assert.equal((await must('GET', `/api/v1/records/${record}`)).user, 'ada');
});

test('the command does the same', async () => {
  await mete.organization('p8');
  const at = ['--data', mete.data, '--server', mete.url, '--token', ADMIN, '--organization', 'p8'];
  const mint = (...words) => run([...words, ...at, '--json']);
  const ok = (...words) => { const done = mint(...words); assert.equal(done.status, 0, done.stderr); return done.stdout ? done.json() : null; };
  ok('plan', 'create', '--id', 'gold', '--name', 'Gold', '--grant', 'tokens=1000,rollover=500', '--grant', 'USD=2.50,priority=3');
  assert.deepEqual(ok('plan', 'show', 'gold').grants.map((g) => [g.unit, g.priority, g.rollover_cap]), [['tokens', 0, '500'], ['USD', 3, null]]);
  assert.equal(ok('plan', 'subscribe', 'gold', '--scope', 'user:ada', '--id', 's').grants.length, 2);
  assert.equal(ok('plan', 'subscriptions').data[0].plan, 'gold');
  ok('package', 'create', '--id', 'm', '--name', 'M', '--price', '9.90', '--grant', 'tokens=5,days=30');
  assert.equal(ok('package', 'buy', 'm', '--scope', 'user:ada', '--reference', 'r1').repeated, false);
  assert.equal(ok('package', 'buy', 'm', '--scope', 'user:ada', '--reference', 'r1').repeated, true);
  const code = ok('code', 'create', '--package', 'm', '--count', '2').data[1].code;
  assert.equal(ok('code', 'redeem', code, '--scope', 'user:ada').grants[0].amount, '5');
  assert.equal(ok('quota', 'consume', '--scope', 'user:ada', '--unit', 'tokens', '--amount', '1010').balance, '0');
  const no = mint('quota', 'consume', '--scope', 'user:ada', '--unit', 'tokens', '--amount', '1');
  assert.deepEqual([no.status, no.json().reason], [1, 'quota']);
  assert.match(run(['code', 'list', ...at]).stdout, /code_/);
  assert.equal(run(['plan', 'create', ...at, '--name', 'X', '--grant', 'pears=1']).status, 2);
  const { id } = ok('code', 'list').data[0];
  for (const words of [['plan', 'unsubscribe', 's'], ['plan', 'delete', 'gold'], ['package', 'delete', 'm'], ['code', 'delete', id]]) {
    const asked = mint(...words);
    assert.deepEqual([asked.status, asked.stdout], [1, ''], words.join(' '));
    assert.match(asked.stderr, /^mete \w+: \w+ \S+ cannot be undone: say --yes\n$/);
    ok(...words, '--yes');
    assert.match(mint(...words, '--yes').stderr, /404/, words.join(' '));
  }
  const ended = ['quota', 'end', '--scope', 'user:ada', '--unit', 'tokens'];
  assert.match(mint(...ended).stderr, /cannot be undone: say --yes/);
  ok(...ended, '--yes');
  assert.equal(run(['plan', 'show', 'gold', ...at]).status, 1);
});

test('the history tells every kind of change with the balance after it, a page at a time', async () => {
  await mete.organization('p9');
  const at = (rest) => orgPath('p9', rest), ada = { user_id: 'ada' };
  await must('POST', at('/quotas/grant'), { ...ada, id: 'gift', unit: 'tokens', amount: 1000, source: 'admin' });
  await must('POST', at('/packages'), { id: 'm', name: 'M', price: '9.90', grants: [tokens('500')] });
  await must('POST', at('/packages/m/purchase'), { ...ada, reference: 'pay-9' });
  await must('POST', at('/plans'), { id: 'gold', name: 'Gold', grants: [tokens('200')] });
  await must('POST', at('/subscriptions'), { ...ada, plan: 'gold' });
  const { data: [code] } = await must('POST', at('/codes'), { grants: [tokens('7')] });
  await must('POST', at('/redeem'), { ...ada, code: code.code });
  await must('POST', at('/quotas/consume'), { ...ada, unit: 'tokens', amount: 300 });
  const held = await must('POST', '/api/v1/budget/reserve', { request_id: 'h9', scope: { kind: 'user', id: 'ada', organization: 'p9' }, usage: { total_tokens: 100 }, amount: '0.00' });
  await must('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, usage: { total_tokens: 60 }, amount: '0.00' });
  const { data: drawn } = await must('GET', at('/grants?user_id=ada&unit=tokens'));
  const used = drawn.find((g) => Number(g.drawn) >= 40);
  await must('POST', at(`/grants/${used.id}/refund`), { amount: '40' });
  await fails(400, 'invalid', 'amount', 'POST', at(`/grants/${used.id}/refund`), { amount: '100000' });

  const whole = (await must('GET', at('/quotas/history?user_id=ada&unit=tokens&limit=100'))).data;
  const paged = await mete.all(at('/quotas/history?user_id=ada&unit=tokens&limit=2'));
  assert.deepEqual(paged, whole, 'pages are the whole');
  const left = await must('GET', at('/quotas/balance?user_id=ada&unit=tokens'));
  assert.deepEqual([left.balance, whole[0].balance], [String(1000 + 500 + 200 + 7 - 300 - 60 + 40), left.balance]);
  let before = 0n;
  for (const row of [...whole].reverse()) {
    const after = before + BigInt(row.granted_change) - BigInt(row.drawn_change) - BigInt(row.held_change);
    assert.equal(BigInt(row.balance), after, JSON.stringify(row));
    before = after;
  }
  const told = whole.map((row) => row.what);
  assert.deepEqual(told, ['refund', 'commit', 'reserve', 'commit', 'reserve', 'grant', 'grant', 'grant', 'grant'], 'what is consumed is reserved and charged in one step');
  assert.deepEqual(whole.filter((row) => row.what === 'grant').map((row) => row.source).sort(), ['admin', 'code', 'membership', 'purchase']);
});
