// SPDX-License-Identifier: Apache-2.0
// Proves that the official `@anthropic-ai/sdk` client, unmodified and with its own retries on, works
// through the gateway: plain, streams, tools, images, thinking, structured output, errors, retries,
// aborts, a refusal it does not repeat, a stream that is cut. What a call cost is compared with the
// account of the tests' own provider, to the nano.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { MessagesProvider } from './messages-provider.mjs';
import { Mete, PRICES, configuration, modelCosts } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';

let provider;
let mete;
let key;
let client;
let number = 0;

before(async () => {
  provider = await new MessagesProvider({ ...PRICES, 'test-short': PRICES['test-small'] }, { seed: 12 }).start();
  mete = await Mete.start({
    config: configuration(provider, {
      providers: [{ name: 'tests', dialect: 'anthropic', base_url: provider.url, api_key: CREDENTIAL, models: ['test-*', 'claude-*'] }],
      model_costs: { ...modelCosts(PRICES), 'test-short': { ...modelCosts(PRICES)['test-small'], max_output_tokens: 321 } },
    }),
  });
  key = await mete.organization('clients');
  client = new Anthropic({ apiKey: key.key, baseURL: mete.url });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const say = (words) => [{ role: 'user', content: `!${JSON.stringify(words)}` }];
const ask = (words, more = {}) => ({ model: 'test-large', max_tokens: 1024, messages: say(words), ...more });
const id = () => { number += 1; return { headers: { 'Idempotency-Key': `anthropic-${number}` } }; };
const TOOL = { name: 'weather', description: 'What it is like.', input_schema: { type: 'object', properties: { city: { type: 'string' } } } };

async function recordOf({ headers }) {
  let found = [];
  await mete.until(async () => {
    found = (await mete.must('GET', `/api/v1/records?request_id=${headers['Idempotency-Key']}`)).data;
    return found.length > 0;
  });
  assert.equal(found.length, 1);
  return found[0];
}

/** The last call is billed as its provider has it in its account. */
async function billed(call_id) {
  const record = await recordOf(call_id);
  const call = provider.calls.at(-1);
  assert.equal(nano(record.cost), call.nano);
  assert.deepEqual([record.input_tokens, record.cached_input_tokens ?? 0, record.cache_write_tokens ?? 0, record.output_tokens, record.reasoning_tokens ?? 0],
    [call.usage.input, call.usage.cached_input, call.usage.cache_write, call.usage.output, call.usage.reasoning]);
  return record;
}

test('plain: the answer, its usage, its cost and its id', async () => {
  const options = id();
  const { data, response, request_id } = await client.messages.create(ask({ output: 20, cached: 3, written: 2, reasoning: 7, text: 'naïve 漢字 🙂' }), options).withResponse();
  assert.equal(data.content[0].text, 'naïve 漢字 🙂');
  assert.equal(data.stop_reason, 'end_turn');
  assert.equal(data.usage.output_tokens, 20);
  assert.equal(nano(response.headers.get('x-mete-cost')), provider.calls.at(-1).nano);
  assert.equal(response.headers.get('x-mete-upstream-request-id'), 'req_tests');
  assert.equal(request_id, options.headers['Idempotency-Key']);
  const record = await billed(options);
  assert.deepEqual([record.model, record.provider, record.ending, record.cache_write_tokens], ['test-large', 'tests', 'ok', 2]);
  const { headers, body } = provider.calls.at(-1);
  assert.match(headers['anthropic-version'], /^\d{4}-\d\d-\d\d$/, 'the client says its own');
  assert.equal(body.max_tokens, 1024);
});

test('a call without a bound gets one, also where that is all the model can make', async () => {
  const { max_tokens, ...unbounded } = ask({ output: 5 });
  for (const model of ['test-large', 'test-short']) await client.messages.create({ ...unbounded, model });
  assert.equal(provider.calls.at(-1).body.max_tokens, 321);
  assert.ok(provider.calls.at(-2).body.max_tokens > 0);
});

test('the version and the betas of the client go on; the version is there without it', async () => {
  await client.messages.create(ask({}), { headers: { 'anthropic-version': '2023-01-01', 'anthropic-beta': 'one-2025-01-01,two-2025-01-01' } });
  assert.equal(provider.calls.at(-1).headers['anthropic-version'], '2023-01-01');
  assert.equal(provider.calls.at(-1).headers['anthropic-beta'], 'one-2025-01-01,two-2025-01-01');
  const reply = await fetch(`${mete.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${key.key}` }, body: JSON.stringify({ model: 'test-small', messages: say({}) }) });
  assert.equal(reply.status, 200, await reply.text());
  assert.equal(provider.calls.at(-1).headers['anthropic-version'], '2023-06-01');
});

test('a stream: every event, put together by the client, with the cost in its last usage', async () => {
  const options = id();
  const stream = client.messages.stream(ask({ output: 30, cached: 2, thinking: 'a while', text: 'good\nmorning' }), options);
  const usages = [];
  stream.on('streamEvent', (event) => { if (event.type === 'message_delta') usages.push({ ...event.usage }); });
  const message = await stream.finalMessage();
  assert.deepEqual(message.content.map((block) => block.type), ['thinking', 'text']);
  assert.equal(message.content[0].thinking, 'a while');
  assert.equal(message.content[0].signature, 'c2ln');
  assert.equal(await stream.finalText(), 'good\nmorning');
  assert.equal(message.usage.output_tokens, 30);
  assert.equal(usages.length, 1);
  assert.ok(Math.abs(usages[0].cost - Number(provider.calls.at(-1).nano) / 1e9) < 1e-9);
  await billed(options);
});

test('tools: calls in parallel, their results, and a stream of arguments', async () => {
  const tools = [['weather', { city: 'Köln "am Rhein"' }], ['weather', {}]];
  const plain = await client.messages.create(ask({ tools }, { tools: [TOOL] }));
  assert.equal(plain.stop_reason, 'tool_use');
  assert.deepEqual(plain.content.filter((block) => block.type === 'tool_use').map((block) => [block.name, block.input]), tools);
  const streamed = await client.messages.stream(ask({ tools }, { tools: [TOOL], tool_choice: { type: 'any' } })).finalMessage();
  assert.deepEqual(streamed.content.filter((block) => block.type === 'tool_use').map((block) => [block.name, block.input]), tools);
  const results = plain.content.filter((block) => block.type === 'tool_use').map((block) => ({ type: 'tool_result', tool_use_id: block.id, content: 'rain', is_error: false }));
  const messages = [...say({ tools }), { role: 'assistant', content: plain.content }, { role: 'user', content: results }];
  await client.messages.create({ model: 'test-large', max_tokens: 99, tools: [TOOL], messages });
  assert.deepEqual(provider.calls.at(-1).body.messages, messages);
});

test('images and documents reach the provider as they are, and are reserved for', async () => {
  const data = Buffer.alloc(300, 7).toString('base64');
  const content = [
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'page' } },
    { type: 'text', text: '!{"output":5}' },
  ];
  const options = id();
  await client.messages.create({ model: 'test-small', max_tokens: 50, messages: [{ role: 'user', content }] }, options);
  assert.deepEqual(provider.calls.at(-1).body.messages[0].content, content);
  await billed(options);
});

test('structured output: the shape reaches the provider, and the client parses the answer', async () => {
  const format = { type: 'json_schema', schema: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false } };
  const message = await client.messages.parse(ask({ text: '{"a":1}' }, { output_config: { format } }));
  assert.deepEqual(provider.calls.at(-1).body.output_config, { format });
  assert.equal(message.content[0].text, '{"a":1}');
});

test('errors of the provider keep their status, type and message', async () => {
  const own = new Anthropic({ apiKey: key.key, baseURL: mete.url, maxRetries: 0 });
  for (const [status, type, error_class] of [[400, 'invalid_request_error', Anthropic.BadRequestError], [404, 'not_found_error', Anthropic.NotFoundError]])
    await assert.rejects(own.messages.create(ask({ status })), (error) => {
      assert.ok(error instanceof error_class);
      assert.deepEqual([error.status, error.error.error.type, error.error.error.message], [status, type, `as told: ${status}`]);
      return true;
    });
});

test('what is not there, not allowed or not understood is an error of the shape it knows', async () => {
  const own = new Anthropic({ apiKey: key.key, baseURL: mete.url, maxRetries: 0 });
  const stranger = new Anthropic({ apiKey: 'sk-ant-nonsense', baseURL: mete.url, maxRetries: 0 });
  const shape = (error, type) => {
    assert.equal(error.error.type, 'error');
    assert.equal(error.error.error.type, type);
    assert.equal(typeof error.error.error.message, 'string');
    return true;
  };
  await assert.rejects(stranger.messages.create(ask({})), (error) => error instanceof Anthropic.AuthenticationError && shape(error, 'authentication_error'));
  await assert.rejects(own.messages.create({ ...ask({}), max_tokens: -1 }), (error) => error instanceof Anthropic.BadRequestError && shape(error, 'invalid_request_error'));
  await assert.rejects(own.messages.create({ ...ask({}), model: 'nobody-has-it' }), (error) => error.status >= 400 && error.status < 500 && error.error.type === 'error');
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const reply = await fetch(`${mete.url}/v1/messages`, { method });
    assert.deepEqual([reply.status, reply.headers.get('allow')], [405, 'POST']);
    assert.equal((await reply.json()).error.type, 'invalid_request_error');
  }
});

test('an empty budget is a 402 billing_error that is not repeated, and nobody is asked', async () => {
  const broke = await mete.organization('broke');
  await mete.budget('broke', { id: 'empty', amount: '0' });
  const asked = provider.calls.length;
  let sent = 0;
  const own = new Anthropic({ apiKey: broke.key, baseURL: mete.url, fetch: (...args) => { sent += 1; return fetch(...args); } });
  for (const stream of [false, true])
    await assert.rejects(own.messages.create(ask({}, { stream })), (error) => {
      assert.equal(error.status, 402);
      assert.equal(error.error.error.type, 'billing_error');
      assert.match(error.error.error.message, /empty/);
      assert.equal(error.error.error.mete.budget, 'empty');
      return true;
    });
  assert.deepEqual([sent, provider.calls.length], [2, asked]);
});

test('a rate limit is a RateLimitError that says when', async () => {
  const limited = await mete.must('POST', '/api/v1/organizations/clients/api-keys', { name: 'limited', user: 'ada', requests_per_minute: 1 });
  const own = new Anthropic({ apiKey: limited.key, baseURL: mete.url, maxRetries: 0 });
  await own.messages.create(ask({ output: 5 }));
  await assert.rejects(own.messages.create(ask({ output: 5 })), (error) => {
    assert.ok(error instanceof Anthropic.RateLimitError);
    assert.equal(error.error.error.type, 'rate_limit_error');
    assert.ok(Number(error.headers.get('retry-after')) > 0);
    return true;
  });
});

test('max_tokens is lowered to what is affordable, and a budget to think with is not undercut', async () => {
  const poor = await mete.organization('poor');
  await mete.budget('poor', { id: 'cap', amount: '0.015' });
  const own = new Anthropic({ apiKey: poor.key, baseURL: mete.url, maxRetries: 0 });
  await own.messages.create(ask({ output: 5 }, { max_tokens: 9000 }));
  const { max_tokens } = provider.calls.at(-1).body;
  assert.ok(max_tokens > 0 && max_tokens < 1500, `max_tokens ${max_tokens}`);
  const asked = provider.calls.length;
  await assert.rejects(own.messages.create(ask({}, { max_tokens: 9000, thinking: { type: 'enabled', budget_tokens: 4096 } })), (error) => error.status === 402);
  assert.equal(provider.calls.length, asked, 'Anthropic would refuse so few');
});

test('retries: the client asks again after a status that asks for it, and each try is one record', async () => {
  const asked = provider.calls.length;
  await assert.rejects(new Anthropic({ apiKey: key.key, baseURL: mete.url, maxRetries: 1 }).messages.create(ask({ status: 529 })),
    (error) => error.status === 529 && error.error.error.type === 'overloaded_error');
  assert.ok(provider.calls.length > asked);
});

test('a failure in mid-stream is an error to the client', async () => {
  const options = id();
  const stream = client.messages.stream(ask({ error_after: 4, output: 9 }), options);
  await assert.rejects(stream.finalMessage(), (error) => /Overloaded/.test(error.message));
  const record = await recordOf(options);
  assert.equal(record.ending, 'error');
});

test('a provider that breaks off in mid-stream is an error to the client, and the call is provisional', async () => {
  const options = id();
  await assert.rejects(client.messages.stream(ask({ cut: 5, output: 9 }), options).finalMessage());
  const record = await recordOf(options);
  assert.deepEqual([record.ending, record.provisional], ['lost', true]);
});

test('an abort in mid-stream: the call is drained and billed as the provider reports it', async () => {
  const options = id();
  const abort = new AbortController();
  const stream = await client.messages.create(ask({ output: 40, chunk_ms: 5, text: 'x'.repeat(3000) }, { stream: true }), { ...options, signal: abort.signal });
  let seen = 0;
  try {
    for await (const _ of stream) { seen += 1; if (seen === 3) abort.abort(); }
  } catch (error) {
    assert.ok(error instanceof Anthropic.APIUserAbortError);
  }
  const record = await billed(options);
  assert.equal(record.ending, 'client_gone');
});

test('the provider never saw a key of mete; at the end the budgets say what it says', async () => {
  for (const call of provider.calls) assert.ok(!JSON.stringify(call.headers).includes('mete_sk_'));
  await mete.idle();
  await mete.settled();
  const records = (await mete.all('/api/v1/records?limit=100')).filter((record) => record.ending === 'ok' || record.ending === 'client_gone');
  const cost = records.reduce((sum, record) => sum + nano(record.cost), 0n);
  assert.equal(cost, provider.billed((call) => call.ended !== 'open' && !JSON.parse(call.text).messages.some((m) => /error_after|"cut"/.test(JSON.stringify(m).replaceAll('\\', '')))));
});

test('countTokens: an estimate of mete\'s own, for which nobody is asked and nothing is charged', async () => {
  const calls = provider.calls.length;
  const before = await mete.hash();
  const count = async (more = {}) => {
    const { input_tokens: tokens, ...rest } = await client.messages.countTokens({ model: 'claude-sonnet-4-5', messages: [{ role: 'user', content: 'Hello, world' }], ...more });
    assert.deepEqual(rest, {});
    assert.ok(Number.isInteger(tokens));
    return tokens;
  };
  const plain = await count();
  assert.ok(plain > 3 && plain < 30, `${plain}`);
  assert.ok(await count({ system: 'Answer in one word, whatever you are asked.' }) > plain + 8);
  assert.ok(await count({ tools: [TOOL] }) > plain + 100, 'what tools are told with is counted');
  assert.equal(await count({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello, world' }] }] }), plain);
  // The same text over and over: once counted on the loop, then by a worker.
  const words = (n, more) => count({ ...more, messages: [{ role: 'user', content: 'The quick brown fox jumps over the lazy dog. '.repeat(n) }] });
  const [few, many, most] = [await words(50), await words(150), await words(20000)];
  assert.ok(Math.abs((many - few) / 100 - (most - many) / 19850) < 0.2, `${few} ${many} ${most}`);
  assert.ok(await words(50, { model: 'claude-opus-4-8' }) > few * 1.1, 'of another tokenizer');
  const all = await Promise.all(Array.from({ length: 30 }, (_, i) => words(140 + i)));
  assert.deepEqual([...all].sort((a, b) => a - b), all, 'each its own answer');
  assert.equal(provider.calls.length, calls);
  assert.equal(await mete.hash(), before);
});

test('countTokens: what is wrong has Anthropic\'s shape', async () => {
  const good = { model: 'claude-sonnet-4-5', messages: [{ role: 'user', content: 'Hello' }] };
  const fails = async (body, status, type, by = client) => {
    const error = await by.messages.countTokens(body).then(() => assert.fail('it was counted'), (reason) => reason);
    assert.equal(error.status, status, `${JSON.stringify(body)}: ${error.message}`);
    assert.equal(error.error?.type, 'error');
    assert.equal(error.error.error.type, type);
    assert.ok(error.error.error.message.length > 5);
  };
  await fails({ ...good, messages: undefined }, 400, 'invalid_request_error');
  await fails({ ...good, messages: [] }, 400, 'invalid_request_error');
  await fails({ ...good, messages: 'Hello' }, 400, 'invalid_request_error');
  await fails({ ...good, model: undefined }, 400, 'invalid_request_error');
  await fails({ ...good, model: 5 }, 400, 'invalid_request_error');
  await fails({ ...good, model: 'nobody-answers-this' }, 404, 'not_found_error');
  await fails(good, 401, 'authentication_error', new Anthropic({ apiKey: `${key.key}x`, baseURL: mete.url }));
  const bound = await mete.must('POST', '/api/v1/organizations/clients/api-keys', { name: 'one model', models: ['test-*'] });
  await fails(good, 403, 'permission_error', new Anthropic({ apiKey: bound.key, baseURL: mete.url }));
  const get = await mete.fetch(`${mete.url}/v1/messages/count_tokens`, { headers: { 'x-api-key': key.key } });
  assert.deepEqual([get.status, get.headers.get('allow'), (await get.json()).type], [405, 'POST', 'error']);
  const broken = await mete.fetch(`${mete.url}/v1/messages/count_tokens`, { method: 'POST', headers: { 'x-api-key': key.key }, body: '{"model":' });
  assert.deepEqual([broken.status, (await broken.json()).type], [400, 'error']);
});
