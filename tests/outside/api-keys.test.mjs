// SPDX-License-Identifier: Apache-2.0
// Proves what an API key may not do, by the official clients against a real server: models,
// endpoints and addresses outside its permissions are the format's own error, which names the
// permission and reaches no provider; that a PUT works at the next call; that of two texts of one
// key each works as long as was said, over a crash too; many keys at once; the command alike.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { ADMIN, Mete, PRICES, configuration, run } from './mete.mjs';
import { Provider } from './provider.mjs';

let provider;
let mete;
let made = 0;

before(async () => {
  provider = await new Provider(PRICES, { seed: 23 }).start();
  mete = await Mete.start({ config: configuration(provider) });
  await mete.organization('acme');
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const KEYS = '/api/v1/organizations/acme/api-keys';
const make = (more = {}) => mete.must('POST', KEYS, { name: `key ${made++}`, ...more });
const client = (text) => new OpenAI({ apiKey: text, baseURL: `${mete.url}/v1` });
const say = { model: 'test-small', messages: [{ role: 'user', content: '!{"output":3}' }], max_tokens: 5 };

/** The error of a call that must fail, which asked no provider. */
async function refused(call) {
  const before = provider.calls.length;
  const error = await call.then(() => assert.fail('it went through'), (why) => why);
  assert.equal(provider.calls.length, before, 'a provider was asked');
  return error;
}

test('an endpoint that is not permitted is 403 and named', async () => {
  const key = await make({ permissions: { endpoints: ['chat'] } });
  assert.deepEqual(key.permissions, { endpoints: ['chat'], ip_ranges: [] });
  await client(key.key).chat.completions.create(say);
  const error = await refused(client(key.key).embeddings.create({ model: 'test-small', input: 'x' }));
  assert.equal(error.status, 403);
  assert.ok(error instanceof OpenAI.PermissionDeniedError);
  assert.equal(error.code, 'endpoint_not_allowed');
  assert.match(error.message, /may not use this endpoint: embeddings\. It may use chat/);
  assert.deepEqual(error.error.mete ?? error.error.error?.mete, { permission: 'endpoints', wanted: 'embeddings' });
  assert.ok((await client(key.key).models.list()).data.length > 0, 'a list costs nothing');
});

test('chat is chat in every format', async () => {
  const key = await make({ permissions: { endpoints: ['embeddings'] } });
  const error = await refused(client(key.key).chat.completions.create(say));
  assert.equal(error.code, 'endpoint_not_allowed');
  const responses = await refused(client(key.key).responses.create({ model: 'test-small', input: 'x' }));
  assert.equal(responses.code, 'endpoint_not_allowed');
  const anthropic = new Anthropic({ apiKey: key.key, baseURL: mete.url });
  const messages = await refused(anthropic.messages.create({ model: 'test-small', max_tokens: 5, messages: say.messages }));
  assert.equal(messages.status, 403);
  assert.equal(messages.error.type, 'error');
  assert.equal(messages.error.error.type, 'permission_error');
  assert.match(messages.error.error.message, /endpoint: chat/);
  const count = await refused(anthropic.messages.countTokens({ model: 'test-small', messages: say.messages }));
  assert.equal(count.error.error.type, 'permission_error');
});

test('a model that is not permitted is 403 and named', async () => {
  const key = await make({ models: ['test-l*'] });
  await client(key.key).chat.completions.create({ ...say, model: 'test-large' });
  const error = await refused(client(key.key).chat.completions.create(say));
  assert.deepEqual([error.status, error.code, error.param], [403, 'model_not_allowed', 'model']);
  assert.deepEqual(error.error.mete ?? error.error.error?.mete, { permission: 'models', wanted: 'test-small' });
});

test('an address that is not permitted is 403, at the gateway and at the API', async () => {
  const away = await make({ permissions: { ip_ranges: ['192.0.2.0/24', '2001:db8::/32'] } });
  const error = await refused(client(away.key).chat.completions.create(say));
  assert.deepEqual([error.status, error.code], [403, 'address_not_allowed']);
  assert.match(error.message, /from this address: 127\.0\.0\.1/);
  assert.equal((await refused(client(away.key).models.list())).status, 403);
  assert.equal((await mete.api('GET', '/api/v1/me', undefined, { token: away.key })).status, 403);
  const here = await make({ permissions: { ip_ranges: ['127.0.0.0/8', '::1'] } });
  await client(here.key).chat.completions.create(say);
  await mete.must('GET', '/api/v1/me', undefined, { token: here.key });
});

test('a change works at the next call', async () => {
  const key = await make();
  const path = `/api/v1/api-keys/${key.id}`;
  await client(key.key).chat.completions.create(say);
  await mete.must('PUT', path, { permissions: { endpoints: ['embeddings'] } });
  await refused(client(key.key).chat.completions.create(say));
  await mete.must('PUT', path, { permissions: null, requests_per_minute: 0 });
  const limited = await refused(new OpenAI({ apiKey: key.key, baseURL: `${mete.url}/v1`, maxRetries: 0 }).chat.completions.create(say));
  assert.equal(limited.status, 429);
  await mete.must('PUT', path, { requests_per_minute: null });
  await client(key.key).chat.completions.create(say);
  const shown = await mete.must('GET', path);
  assert.equal(shown.requests_per_minute, null);
  assert.ok(Math.abs(Date.parse(shown.last_used_at) - Date.now()) < 60000);
  assert.ok(!('key' in shown));
});

test('two texts of one key, over a crash', async () => {
  const old = await make({ user: 'ada' });
  const path = `/api/v1/api-keys/${old.id}`;
  const next = await mete.must('POST', `${path}/regenerate`, { overlap_seconds: 3 });
  const over = Date.parse(next.previous_works_until);
  assert.equal(next.id, old.id);
  assert.notEqual(next.key, old.key);
  const again = await mete.api('POST', `${path}/regenerate`, {});
  assert.deepEqual([again.status, again.body.code], [409, 'exists']);
  assert.ok(again.body.detail.includes(next.previous_works_until), again.body.detail);
  await mete.kill();
  await mete.spawn();
  await client(next.key).chat.completions.create(say);
  if (Date.now() < over - 500) await client(old.key).chat.completions.create(say);
  await new Promise((done) => { setTimeout(done, Math.max(0, over - Date.now()) + 50); });
  const error = await refused(client(old.key).chat.completions.create(say));
  assert.equal(error.status, 401);
  assert.match(error.message, /was given a new text/);
  await client(next.key).chat.completions.create(say);
  await mete.settled();
  const records = await mete.all(`/api/v1/records?api_key=${old.id}`);
  assert.ok(records.length >= 2 && records.every((record) => record.api_key === old.id && record.user === 'ada'));
});

test('many at once', async () => {
  const keys = [await make({ labels: { batch: 'one' } }), await make({ labels: { batch: 'one' } })];
  const ids = keys.map(({ id }) => id);
  const named = await mete.all(`${KEYS}?label=${encodeURIComponent('batch=one')}&limit=1`);
  assert.deepEqual(named.map(({ id }) => id), ids);
  const left = await mete.must('POST', `${KEYS}/batch-operations`, { operation: 'revoke', ids: [...ids, 'key_000000000000'], all_or_none: true });
  assert.deepEqual(left.results.map(({ result }) => result), ['left', 'left', 'refused']);
  await client(keys[0].key).chat.completions.create(say);
  const done = await mete.must('POST', `${KEYS}/batch-operations`, { operation: 'revoke', ids });
  assert.equal(done.done, 2);
  for (const key of keys) assert.equal((await refused(client(key.key).chat.completions.create(say))).status, 401);
});

test('the command does the same, and asks before what cannot be undone', async () => {
  const key = (...args) => run(['key', ...args, '--server', mete.url, '--token', ADMIN]);
  const ok = (...args) => {
    const done = key(...args, '--json');
    assert.equal(done.status, 0, done.stderr);
    return done.stdout.trim() ? done.json() : null;
  };
  const id = ok('create', '--organization', 'acme', '--name', 'by command', '--endpoint', 'chat', '--ip-range', '127.0.0.0/8', '--label', 'by=command', '--requests-per-minute', '60').id;
  const changed = ok('update', id, '--ip-range', 'none', '--model', 'test-*', '--requests-per-minute', 'none');
  assert.deepEqual(changed.permissions, { endpoints: ['chat'], ip_ranges: [] });
  assert.deepEqual([changed.models, changed.requests_per_minute, changed.labels], [['test-*'], null, { by: 'command' }]);
  const next = ok('regenerate', id, '--overlap', '60');
  await client(next.key).chat.completions.create(say);
  await mete.settled();
  const [today] = ok('usage', id).data;
  assert.equal(today.calls, 1);
  assert.match(key('usage', id).stdout, /calls/);
  assert.ok(ok('summary', '--organization', 'acme').keys > 0);
  assert.match(key('summary', '--organization', 'acme').stdout, /spent this month/);
  assert.deepEqual(ok('list', '--organization', 'acme', '--label', 'by=command').data.map((one) => one.id), [id]);
  for (const word of ['revoke', 'delete']) {
    const refusal = key(word, id);
    assert.equal(refusal.status, 2);
    assert.match(refusal.stderr, /cannot be undone: say --yes/);
  }
  assert.equal(ok('show', id).status, 'active');
  assert.equal(ok('revoke', id, '--yes').status, 'revoked');
  assert.equal(ok('delete', id, '--yes'), null);
  assert.notEqual(key('show', id).status, 0);
});
