// SPDX-License-Identifier: Apache-2.0
// Proves that the official `openai` client, unmodified and with its own retries on, works through
// the gateway: plain, streaming with and without usage, a refusal it does not repeat, an abort whose
// call is still drained and billed, revoked keys, models nobody has or nobody priced. What a call
// cost is compared with the account of the tests' own provider, to the nano.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { Mete, PRICES, configuration, modelCosts } from './mete.mjs';
import { nano } from './money.mjs';
import { Provider } from './provider.mjs';

let provider;
let mete;
let key;
let client;

before(async () => {
  provider = await new Provider({ ...PRICES, 'no-price': { input: '1', output: '1' } }, { seed: 11 }).start();
  mete = await Mete.start({
    config: configuration(provider, { model_costs: { ...modelCosts(PRICES), 'half-priced': { input_per_million: '1' } } }),
  });
  key = await mete.organization('clients');
  client = new OpenAI({ apiKey: key.key, baseURL: `${mete.url}/v1` });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const say = (words) => [{ role: 'user', content: `!${JSON.stringify(words)}` }];

async function recordOf(requestId, token) {
  let found = [];
  await mete.until(async () => {
    found = (await mete.must('GET', `/api/v1/records?request_id=${requestId}`, undefined, { token })).data;
    return found.length > 0;
  });
  assert.equal(found.length, 1, `one record for ${requestId}`);
  return found[0];
}

test('plain: the answer, its usage, and its cost in a header', async () => {
  const { data, response } = await client.chat.completions
    .create({ model: 'test-large', messages: say({ output: 20, cached: 3, reasoning: 7 }), max_tokens: 50 },
      { headers: { 'Idempotency-Key': 'plain-1' } }).withResponse();
  const call = provider.calls.at(-1);
  assert.equal(data.choices[0].message.role, 'assistant');
  assert.equal(data.usage.completion_tokens, 20);
  assert.equal(nano(response.headers.get('x-mete-cost')), call.nano);
  const record = await recordOf('plain-1');
  assert.equal(nano(record.cost), call.nano);
  assert.equal(record.output_tokens, 20);
  assert.equal(record.cached_input_tokens, 3);
  assert.equal(record.reasoning_tokens, 7);
  assert.equal(record.input_tokens, call.usage.input);
  assert.equal(record.total_tokens, call.usage.input + 20);
  assert.equal(record.requests, 1);
  assert.equal(record.model, 'test-large');
  assert.equal(record.provider, 'tests');
  assert.equal(record.ending, 'ok');
  assert.equal(record.state, 'committed');
  assert.deepEqual([record.organization, record.department, record.user, record.api_key], ['clients', 'research', 'ada', key.id]);
});

test('streaming with usage: the usage chunk, with the cost in it', async () => {
  const stream = await client.chat.completions.create(
    { model: 'test-large', messages: say({}), stream: true, stream_options: { include_usage: true } },
    { headers: { 'Idempotency-Key': 'stream-1' } });
  let text = '';
  const usages = [];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    if (chunk.usage) usages.push(chunk.usage);
  }
  const call = provider.calls.at(-1);
  assert.ok(text.length > 0);
  assert.equal(usages.length, 1);
  assert.equal(usages[0].completion_tokens, call.usage.output);
  assert.equal(nano(String((await recordOf('stream-1')).cost)), call.nano);
  assert.ok(Math.abs(Number(usages[0].cost) - Number(call.nano) / 1e9) < 1e-9, `usage.cost ${usages[0].cost}`);
});

test('streaming without usage: no usage chunk reaches the client, and the call is billed all the same', async () => {
  const stream = await client.chat.completions.create(
    { model: 'test-large', messages: say({}), stream: true }, { headers: { 'Idempotency-Key': 'stream-2' } });
  let finish = null;
  for await (const chunk of stream) {
    assert.ok(!chunk.usage, 'nobody asked for usage');
    assert.equal(chunk.choices.length, 1, 'every chunk has its choice');
    finish = chunk.choices[0].finish_reason ?? finish;
  }
  const call = provider.calls.at(-1);
  assert.equal(finish, 'stop');
  assert.equal(call.body.stream_options?.include_usage, true, 'the provider was asked for usage');
  const record = await recordOf('stream-2');
  assert.equal(nano(record.cost), call.nano);
  assert.equal(record.counted, false);
});

test('max_tokens is lowered to what is affordable', async () => {
  const poor = await mete.organization('poor');
  // 1,000 tokens of output at 10 a million are 0.01; the input's bound takes a part of it.
  await mete.budget('poor', { id: 'cap', amount: '0.01' });
  const own = new OpenAI({ apiKey: poor.key, baseURL: `${mete.url}/v1` });
  await own.chat.completions.create({ model: 'test-large', messages: say({ output: 5 }), max_tokens: 100000 });
  const asked = provider.calls.at(-1).body.max_tokens;
  assert.ok(asked > 0 && asked < 1000, `max_tokens ${asked}`);
  await own.chat.completions.create({ model: 'test-large', messages: say({ output: 5 }), max_completion_tokens: 100000 });
  const newer = provider.calls.at(-1).body;
  assert.ok(newer.max_completion_tokens > 0 && newer.max_completion_tokens < 1000);
  await own.chat.completions.create({ model: 'test-large', messages: say({ output: 5 }) });
  const unasked = provider.calls.at(-1).body;
  const bound = unasked.max_tokens ?? unasked.max_completion_tokens;
  assert.ok(bound > 0 && bound < 1000, 'a caller without a bound gets one');
});

test('a rate limit is a RateLimitError that says when; what can never fit is not tried again', async () => {
  const limited = await mete.must('POST', '/api/v1/organizations/clients/api-keys', { name: 'limited', user: 'ada', requests_per_minute: 1 });
  const patient = new OpenAI({ apiKey: limited.key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  const ask = (max_tokens) => patient.chat.completions.create({ model: 'test-small', messages: say({ output: 5 }), max_tokens });
  const before = provider.calls.length;
  await ask(20);
  await assert.rejects(ask(20), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.deepEqual([error.status, error.code], [429, 'rate_limit_exceeded']);
    assert.match(error.message, /1 requests in 60 s/);
    const headers = new Headers(error.headers);
    const wait = Number(headers.get('retry-after'));
    assert.ok(wait > 0 && wait <= 60, `retry-after ${wait}`);
    assert.equal(headers.get('x-ratelimit-limit-requests'), '1');
    assert.equal(headers.get('x-ratelimit-remaining-requests'), '0');
    assert.notEqual(headers.get('x-should-retry'), 'false');
    return true;
  });
  const tiny = await mete.must('POST', '/api/v1/organizations/clients/api-keys', { name: 'tiny', user: 'ada', tokens_per_minute: 2 });
  const eager = new OpenAI({ apiKey: tiny.key, baseURL: `${mete.url}/v1`, maxRetries: 5 });
  await assert.rejects(eager.chat.completions.create({ model: 'test-small', messages: say({ output: 5 }) }), (error) => {
    assert.equal(error.status, 429);
    const headers = new Headers(error.headers);
    assert.equal(headers.get('retry-after'), null);
    assert.equal(headers.get('x-should-retry'), 'false');
    return true;
  });
  assert.equal(provider.calls.length, before + 1, 'nobody was asked for what was refused');
});

test('a refusal is a RateLimitError with insufficient_quota, not repeated, and nobody was asked', async () => {
  const broke = await mete.organization('broke');
  await mete.budget('broke', { id: 'empty', amount: '0' });
  const before_ = provider.calls.length;
  let sent = 0;
  const own = new OpenAI({ apiKey: broke.key, baseURL: `${mete.url}/v1`, fetch: (...args) => { sent += 1; return fetch(...args); } });
  await assert.rejects(
    own.chat.completions.create({ model: 'test-large', messages: say({}) }),
    (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.status, 429);
      assert.equal(error.type, 'insufficient_quota');
      assert.equal(error.headers.get('x-should-retry'), 'false');
      assert.match(error.message, /empty/, 'the message names the budget');
      assert.ok(JSON.stringify(error.error).includes('"empty"'), 'the body names the budget');
      return true;
    });
  assert.equal(sent, 1, 'the client did not repeat it');
  assert.equal(provider.calls.length, before_, 'the provider was not asked');
  await assert.rejects(own.chat.completions.create({ model: 'test-large', messages: say({}), stream: true }),
    (error) => error instanceof OpenAI.RateLimitError && error.type === 'insufficient_quota');
});

test('an abort in mid-stream: the call is drained and billed as the provider reports it', async () => {
  const abort = new AbortController();
  const stream = await client.chat.completions.create(
    { model: 'test-large', messages: say({ output: 200, chunk_ms: 5 }), stream: true },
    { signal: abort.signal, headers: { 'Idempotency-Key': 'abort-1' } });
  let seen = 0;
  for await (const _ of stream) { seen += 1; if (seen === 2) abort.abort(); }
  const call = provider.calls.at(-1);
  await mete.until(() => call.ended !== 'open'); // the record may be there first: it is made at [DONE]
  const record = await recordOf('abort-1');
  assert.equal(record.ending, 'client_gone');
  assert.equal(call.ended, 'done', 'the provider could finish');
  assert.equal(nano(record.cost), call.nano);
  assert.equal(record.output_tokens, call.usage.output);
});

test('an abort of a plain call is billed too', async () => {
  const abort = new AbortController();
  const calls = provider.calls.length;
  const asking = client.chat.completions.create(
    { model: 'test-small', messages: say({ delay_ms: 300 }) }, { signal: abort.signal, headers: { 'Idempotency-Key': 'abort-2' } });
  const outcome = assert.rejects(asking, OpenAI.APIUserAbortError);
  await mete.until(() => provider.calls.length > calls);
  abort.abort();
  await outcome;
  const record = await recordOf('abort-2');
  assert.equal(nano(record.cost), provider.calls.at(-1).nano);
});

test('a revoked key and an unknown one are AuthenticationErrors', async () => {
  const other = await mete.must('POST', '/api/v1/organizations/clients/api-keys', { name: 'to be revoked' });
  const own = new OpenAI({ apiKey: other.key, baseURL: `${mete.url}/v1` });
  await own.chat.completions.create({ model: 'test-small', messages: say({}) });
  const revoked = await mete.must('POST', `/api/v1/api-keys/${other.id}/revoke`);
  assert.equal(revoked.status, 'revoked');
  const calls = provider.calls.length;
  await assert.rejects(own.chat.completions.create({ model: 'test-small', messages: say({}) }), OpenAI.AuthenticationError);
  for (const apiKey of ['sk-nonsense', `${other.key.slice(0, -1)}x`, `mete_sk_${'0'.repeat(48)}`]) {
    const stranger = new OpenAI({ apiKey, baseURL: `${mete.url}/v1` });
    await assert.rejects(stranger.chat.completions.create({ model: 'test-small', messages: say({}) }), OpenAI.AuthenticationError);
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  }
  assert.equal(provider.calls.length, calls);
});

test('a model with no price, or half of one, is refused and never free', async () => {
  const calls = provider.calls.length;
  for (const model of ['no-price', 'half-priced', 'no-such-model-anywhere']) {
    await assert.rejects(client.chat.completions.create({ model, messages: say({}) }), (error) => {
      assert.ok(error.status >= 400 && error.status < 500, `${model}: ${error.status}`);
      assert.equal(error.param, 'model');
      assert.ok(error.message.includes(model), error.message);
      return true;
    });
  }
  assert.equal(provider.calls.length, calls, 'nobody was asked');
});

test('a key of some models may call those alone', async () => {
  const narrow = await mete.must('POST', '/api/v1/organizations/clients/api-keys', { name: 'narrow', models: ['test-s*'] });
  const own = new OpenAI({ apiKey: narrow.key, baseURL: `${mete.url}/v1` });
  await own.chat.completions.create({ model: 'test-small', messages: say({}) });
  const calls = provider.calls.length;
  await assert.rejects(own.chat.completions.create({ model: 'test-large', messages: say({}) }),
    (error) => error.status === 403 || error.status === 404);
  assert.equal(provider.calls.length, calls);
  const names = [];
  for await (const model of own.models.list()) names.push(model.id);
  assert.ok(names.includes('test-small') && !names.includes('test-large'), names.join(' '));
});

test('the list of models has those that can be called', async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  for (const name of Object.keys(PRICES)) assert.ok(names.includes(name), name);
  assert.ok(!names.includes('no-price') && !names.includes('half-priced'));
});

test('the provider never saw a key of mete, and the client never the credential', async () => {
  for (const call of provider.calls) assert.ok(!JSON.stringify(call.headers).includes('mete_sk_'));
});

test('at the end the budgets say what the provider says', async () => {
  await mete.idle();
  await mete.settled();
  const records = await mete.all('/api/v1/records?limit=100');
  const cost = records.reduce((sum, record) => sum + nano(record.cost), 0n);
  assert.equal(cost, provider.billed());
});
