// SPDX-License-Identifier: Apache-2.0
// Proves that a call which was charged though its outcome was unknown gets its true figures: after a
// timeout of the provider, after kill -9, after its reservation expired; over HTTP and by the
// command; once, in the budget that was charged, with a record of the difference, and that sums of
// records stay right. And that what is final stays so.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN, Mete, PRICES, configuration, run } from './mete.mjs';
import { nano, text } from './money.mjs';
import { Provider } from './provider.mjs';

const ORG = 'settle';
let provider;
let mete;
let key;

before(async () => {
  provider = await new Provider(PRICES, { seed: 11 }).start();
  mete = await Mete.start({ config: configuration(provider, { gateway: { idle_timeout: '1s', first_byte_timeout: '1s' } }) });
  key = (await mete.organization(ORG)).key;
  await mete.budget(ORG, { id: 'roof', amount: '100' });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const used = async () => nano((await mete.must('GET', `/api/v1/organizations/${ORG}/budgets/roof`)).used);
const recordsOf = async (id) => (await mete.must('GET', `/api/v1/records?request_id=${id}`)).data;
const provisional = () => mete.all('/api/v1/records?provisional=true');
const hang = (id, signal, labels = {}) => mete.chat(key, { model: 'test-odd', messages: [{ role: 'user', content: '!{"hang":true}' }], max_tokens: 10 },
  { headers: { 'X-Request-ID': id, ...labels }, signal });
async function timedOut(id) {
  assert.equal((await hang(id)).status, 504);
  await mete.settled();
  const [record] = await recordsOf(id);
  assert.ok(record.provisional && nano(record.cost) > 0n);
  return record;
}

test('a timeout is settled with what the provider\'s account says, once', { timeout: 60000 }, async () => {
  const before_ = await used();
  const record = await timedOut('late-1');
  assert.ok((await provisional()).some(({ id }) => id === record.id));
  const truth = nano(record.cost) / 3n;
  const settled = await mete.must('POST', `/api/v1/records/${record.id}/settle`, { amount: text(truth) });
  assert.deepEqual([settled.settles, nano(settled.amount), settled.repeated, settled.overrun], [record.id, truth, false, false]);
  assert.equal(await used() - before_, truth);
  await mete.settled();
  const [correction, first] = await recordsOf('late-1');
  assert.deepEqual([correction.id, correction.corrects, correction.provisional], [settled.record_id, record.id, false]);
  assert.equal(nano(correction.cost), truth - nano(record.cost), 'below zero: less than was charged');
  assert.equal(first.corrected_by, correction.id);
  assert.equal(nano(first.cost) + nano(correction.cost), truth);
  assert.ok(!(await provisional()).some(({ id }) => id === record.id));

  const again = await mete.must('POST', `/api/v1/records/${record.id}/settle`, { amount: text(truth) });
  assert.deepEqual([again.repeated, again.record_id], [true, settled.record_id]);
  const other = await mete.api('POST', `/api/v1/records/${record.id}/settle`, { amount: '0.5' });
  assert.equal(other.status, 409);
  for (const id of [correction.id, 'rec_0', 'rec_999999999', 'nonsense', 'rec_1x']) {
    const wrong = await mete.api('POST', `/api/v1/records/${id}/settle`, {});
    assert.ok([400, 404].includes(wrong.status), `${id}: ${wrong.status}`);
  }
  assert.equal(await used() - before_, truth);
});

test('an empty body settles a record as it is; usage is priced by the record\'s model', { timeout: 60000 }, async () => {
  const asItIs = await timedOut('late-2');
  const settled = await mete.must('POST', `/api/v1/records/${asItIs.id}/settle`, {});
  assert.equal(nano(settled.amount), nano(asItIs.cost));
  const before_ = await used();
  const priced = await timedOut('late-3');
  const reply = await mete.must('POST', `/api/v1/records/${priced.id}/settle`, { usage: { input_tokens: 1000, output_tokens: 100 } });
  assert.equal(nano(reply.amount), (1000n * nano('0.123456789') + 100n * nano('7.000000001') + 500000n) / 1000000n);
  assert.equal(await used() - before_, nano(reply.amount));
});

test('a record that is final is not settled, and a key settles none', { timeout: 60000 }, async () => {
  const reply = await mete.chat(key, { model: 'test-odd', messages: [{ role: 'user', content: '!{}' }] }, { headers: { 'X-Request-ID': 'fine-1' } });
  assert.equal(reply.status, 200);
  await reply.text();
  await mete.settled();
  const [record] = await recordsOf('fine-1');
  assert.equal((await mete.api('POST', `/api/v1/records/${record.id}/settle`, { amount: '5' })).status, 409);
  assert.equal((await mete.api('POST', `/api/v1/records/${record.id}/settle`, {}, { token: key })).status, 403);
  assert.equal((await mete.api('GET', '/api/v1/records?provisional=perhaps')).status, 400);
});

test('a deduct that comes after its reservation expired is charged all the same', { timeout: 60000 }, async () => {
  const scope = { kind: 'user', id: 'ada', organization: ORG };
  const before_ = await used();
  const held = await mete.must('POST', '/api/v1/budget/reserve', { request_id: 'slow-1', scope, amount: '0.9', ttl_seconds: 1 });
  await mete.until(async () => nano((await mete.must('GET', `/api/v1/organizations/${ORG}/budgets/roof`)).held) === 0n);
  assert.equal(await used(), before_);
  const reply = await mete.must('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, amount: '0.4' });
  assert.deepEqual([reply.state, reply.corrected, nano(reply.amount)], ['expired', true, nano('0.4')]);
  const again = await mete.must('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, amount: '0.4' });
  assert.deepEqual([again.repeated, again.corrected, again.record_id], [true, true, reply.record_id]);
  assert.equal((await mete.api('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, amount: '0.5' })).status, 409);
  assert.equal((await mete.api('POST', '/api/v1/budget/release', { reserve_id: held.reserve_id })).status, 409);
  assert.equal(await used() - before_, nano('0.4'));
});

test('what kill -9 interrupted is listed and settled by the command', { timeout: 120000 }, async () => {
  const first = await timedOut('late-cut'); // asks the same, and lives to see its end
  const before_ = await used();
  const controller = new AbortController();
  const lost = hang('cut-1', controller.signal, { 'X-Mete-Session': 'chat-7', 'X-Mete-Tags': 'blue, team:red' }).catch(() => null);
  await mete.until(async () => nano((await mete.must('GET', `/api/v1/organizations/${ORG}/budgets/roof`)).held) > 0n);
  await mete.kill();
  controller.abort();
  await lost;
  await mete.spawn();
  await mete.settled();
  const env = { METE_ADMIN_TOKEN: ADMIN };
  const listed = run(['record', 'list', '--provisional', '--data', mete.data, '--json'], { env });
  assert.equal(listed.status, 0, listed.stderr);
  const record = listed.json().data.find(({ request_id: id }) => id === 'cut-1');
  assert.ok(record, 'the call is listed');
  assert.deepEqual([record.ending, record.provisional, record.success, record.session, record.tags, record.model], ['expired', true, false, 'chat-7', ['blue', 'team:red'], 'test-odd']);
  assert.equal(record.provider, first.provider, 'whom it was sent to');
  assert.ok(record.fingerprint && record.fingerprint === first.fingerprint, 'the same was asked as before');
  const shown = run(['record', 'show', record.id, '--data', mete.data, '--json'], { env });
  assert.equal(shown.status, 0, shown.stderr);
  assert.deepEqual(shown.json(), record);
  assert.match(run(['record', 'show', record.id, '--data', mete.data], { env }).stdout, /ending +expired/);
  assert.equal(run(['record', 'show', 'rec_999999999', '--data', mete.data], { env }).status, 1);
  const of = (...words) => run(['record', 'list', ...words, '--data', mete.data, '--json'], { env }).json().data.map(({ id }) => id);
  assert.deepEqual(of('--session', 'chat-7', '--tag', 'blue', '--ending', 'expired', '--provider', record.provider), [record.id]);
  assert.deepEqual(of('--tag', 'red'), []);
  assert.equal(await used() - before_, nano(record.cost));
  const settled = run(['record', 'settle', record.id, '--amount', '0.000001', '--data', mete.data, '--json'], { env });
  assert.equal(settled.status, 0, settled.stderr);
  assert.equal(nano(settled.json().amount), nano('0.000001'));
  assert.equal(await used() - before_, nano('0.000001'));
  const other = run(['record', 'settle', record.id, '--amount', '2', '--data', mete.data], { env });
  assert.equal(other.status, 1, other.stderr);
  for (const words of [['record', 'show'], ['record', 'show', record.id, '--tag', 'x'], ['record'], ['record', 'settle'], ['record', 'list', '--amount', '1'], ['record', 'settle', record.id, '--usage', 'nonsense']]) {
    assert.equal(run([...words, '--data', mete.data], { env }).status, 2, words.join(' '));
  }
  assert.ok(run(['record', 'list', '--provisional', '--data', mete.data], { env }).stdout.length > 0);
});
