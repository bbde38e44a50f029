// SPDX-License-Identifier: Apache-2.0
// Proves that Google's own clients, unmodified, work through the gateway against a provider of their
// format: plain, streaming as events and as one array, tools, pictures, JSON by a schema, errors, a
// refusal, streams that break or that nobody reads; that their keys come as they send them and never
// go on. What a call cost is compared with the provider's own account, to the nano.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { GoogleGenerativeAI, SchemaType } from '@google/generative-ai';
import { GoogleProvider } from './google-provider.mjs';
import { Mete, PRICES, configuration, modelCosts } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';

let provider;
let mete;
let key;
let model;

before(async () => {
  provider = await new GoogleProvider(PRICES, { seed: 5 }).start();
  mete = await Mete.start({
    config: configuration(provider, {
      providers: [{ name: 'google', dialect: 'gemini', base_url: provider.url, api_key: CREDENTIAL }],
      model_costs: modelCosts(PRICES),
    }),
  });
  key = await mete.organization('google');
  model = (id = 'test-large', config = {}) => new GoogleGenerativeAI(key.key).getGenerativeModel({ model: id, ...config }, { baseUrl: mete.url });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const TEXT = 'naïve 漢字 🙂 data: [DONE] ]"}\\ ';
const told = (words) => `!${JSON.stringify(words)}`;

/** The record of the last call that the provider saw. */
async function billed() {
  const call = provider.calls.at(-1);
  await mete.settled();
  await mete.idle();
  await mete.settled();
  const [record] = (await mete.must('GET', '/api/v1/records?limit=1', undefined, { token: key.key })).data;
  return { call, record };
}

async function sameBill() {
  const { call, record } = await billed();
  assert.equal(nano(record.cost), call.nano);
  assert.equal(record.input_tokens, call.usage.input);
  assert.equal(record.output_tokens, call.usage.output);
  assert.equal(record.reasoning_tokens ?? 0, call.usage.reasoning);
  assert.ok(!call.url.includes(key.key) && !JSON.stringify(call.headers).includes(key.key), 'the key stays here');
  return { call, record };
}

test('plain: the answer as it was sent, billed as it was', async () => {
  const { response } = await model().generateContent(told({ output: 30, reasoning: 7, cached: 2 }));
  assert.equal(response.text().replace('Hm.', ''), TEXT);
  assert.equal(response.usageMetadata.thoughtsTokenCount, 7);
  const { call } = await sameBill();
  assert.equal(call.url, '/v1beta/models/test-large:generateContent');
});

test('a bound that is lower than what is asked goes on in its place', async () => {
  await model('test-large', { generationConfig: { maxOutputTokens: 9 } }).generateContent('hi');
  const { call } = await sameBill();
  assert.equal(call.body.generationConfig.maxOutputTokens, 9);
  assert.equal(call.usage.output, 9);
  await model().generateContent('hi');
  assert.ok(provider.calls.at(-1).body.generationConfig.maxOutputTokens > 0, 'who asks for no bound gets one');
});

test('streaming: every event, and the cost in the last', async () => {
  const { stream, response } = await model().generateContentStream(told({ output: 25 }));
  let text = '';
  const usages = [];
  for await (const chunk of stream) {
    text += chunk.text();
    usages.push(chunk.usageMetadata);
  }
  assert.equal(text, TEXT);
  assert.equal((await response).text(), TEXT);
  const { call } = await sameBill();
  assert.equal(call.url, '/v1beta/models/test-large:streamGenerateContent?alt=sse');
  assert.equal(usages.length, 5);
  assert.ok(Math.abs(usages.at(-1).cost - Number(call.nano) / 1e9) < 1e-9, `cost ${usages.at(-1).cost}`);
  assert.ok(usages.slice(0, -1).every((usage) => usage.cost === undefined));
});

test('an array: byte for byte', async () => {
  const reply = await fetch(`${mete.url}/v1beta/models/test-large:streamGenerateContent`, {
    method: 'POST', headers: { 'x-goog-api-key': key.key, 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ parts: [{ text: told({ output: 25 }) }] }] }),
  });
  assert.equal(reply.status, 200);
  const text = await reply.text();
  const { call } = await sameBill();
  assert.equal(text, call.sent);
  assert.equal(JSON.parse(text).length, 5);
  assert.equal(call.url, '/v1beta/models/test-large:streamGenerateContent');
});

test('a key in the query is a key, and goes nowhere', async () => {
  const ask = (query, headers = {}) => fetch(`${mete.url}/v1beta/models/test-large:generateContent?${query}`, {
    method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ contents: [{ parts: [{ text: 'hi' }] }] }),
  });
  const good = await ask(`key=${key.key}`);
  assert.equal(good.status, 200);
  await good.arrayBuffer();
  await sameBill();
  const wrong = await ask('key=sk-mete-nobody');
  assert.equal(wrong.status, 401);
  assert.equal((await wrong.json()).error.status, 'UNAUTHENTICATED');
  const named = await ask('x=1', { 'api-key': key.key });
  assert.equal(named.status, 200);
  await named.arrayBuffer();
});

test('tools: the call, its signature, and its answer', async () => {
  const tools = [{ functionDeclarations: [{ name: 'weather', parameters: { type: SchemaType.OBJECT, properties: { city: { type: SchemaType.STRING } } } }] }];
  const chat = model('test-large', { tools }).startChat();
  const first = await chat.sendMessage('How is it in Paris?');
  assert.deepEqual(first.response.functionCalls(), [{ name: 'weather', args: { city: 'Paris', naïve: '漢字' } }]);
  await sameBill();
  const second = await chat.sendMessage([{ functionResponse: { name: 'weather', response: { sky: 'grey' } } }]);
  assert.equal(second.response.text(), TEXT);
  const { call } = await sameBill();
  assert.equal(call.body.contents[1].parts[0].thoughtSignature, 'c2lnbmF0dXJl');
});

test('pictures and JSON by a schema go on as they are', async () => {
  const picture = { inlineData: { mimeType: 'image/png', data: Buffer.from('not really').toString('base64') } };
  await model().generateContent(['What is it?', picture]);
  assert.deepEqual((await sameBill()).call.body.contents[0].parts[1], picture);
  const responseSchema = { type: SchemaType.OBJECT, properties: { name: { type: SchemaType.STRING } } };
  const { response } = await model('test-large', { generationConfig: { responseMimeType: 'application/json', responseSchema } }).generateContent('Who?');
  assert.deepEqual(JSON.parse(response.text()), { name: 'mete' });
  assert.deepEqual((await sameBill()).call.body.generationConfig.responseSchema, responseSchema);
});

test('errors of the provider and of the gateway are Google\'s', async () => {
  await assert.rejects(model().generateContent(told({ status: 429, word: 'RESOURCE_EXHAUSTED' })), (error) => error.status === 429 && /as told: 429/.test(error.message));
  await assert.rejects(model('nobody-priced-this').generateContent('hi'), (error) => error.status === 400 && error.errorDetails[0].reason === 'model_not_priced');
  await assert.rejects(model().generateContent({ contents: [{ parts: [{ text: 'hi' }] }], tools: [{ somethingNew: {} }] }), (error) => error.status === 400 && error.errorDetails[0].metadata.field === 'tools');
  const calls = provider.calls.length;
  await assert.rejects(model('test-large', { tools: [{ googleSearch: {} }] }).generateContent('hi'), (error) => error.status === 400);
  assert.equal(provider.calls.length, calls, 'searches have no price here');
});

test('a refusal by a budget', async () => {
  const poor = await mete.organization('poor-google');
  await mete.must('POST', '/api/v1/organizations/poor-google/budgets', { id: 'hour', scope: { kind: 'organization', id: 'poor-google' }, unit: 'USD', amount: '0.000001', period: 'hourly' });
  const theirs = new GoogleGenerativeAI(poor.key).getGenerativeModel({ model: 'test-large' }, { baseUrl: mete.url });
  await assert.rejects(theirs.generateContent('hi'), (error) => error.status === 429 && error.errorDetails[0].reason === 'insufficient_quota');
});

test('a stream that breaks off tells so; one that nobody reads is billed', async () => {
  const { stream } = await model().generateContentStream(told({ cut: 0.5 }));
  const errors = [];
  try { for await (const chunk of stream) if (chunk.error) errors.push(chunk.error); } catch (error) { errors.push(error); }
  assert.equal(errors.length, 1);
  assert.equal((await billed()).record.ending, 'lost');
  const controller = new AbortController();
  const left = await new GoogleGenerativeAI(key.key).getGenerativeModel({ model: 'test-large' }, { baseUrl: mete.url })
    .generateContentStream(told({ output: 22, chunk_ms: 10 }), { signal: controller.signal });
  left.response.catch(() => {}); // the client promises the whole too
  await left.stream.next();
  controller.abort();
  const { record } = await sameBill();
  assert.equal(record.ending, 'client_gone');
});

// It is made for Node 20 and newer.
const newer = Number(process.versions.node.split('.')[0]) >= 20 ? test : () => {};
newer('the newer client: plain, streaming, tools, errors', async () => {
  const { GoogleGenAI } = await import('@google/genai');
  const client = new GoogleGenAI({ apiKey: key.key, httpOptions: { baseUrl: mete.url } });
  const plain = await client.models.generateContent({ model: 'test-small', contents: told({ output: 11 }) });
  assert.equal(plain.text, TEXT);
  await sameBill();
  let text = '';
  let last;
  for await (const chunk of await client.models.generateContentStream({ model: 'test-small', contents: told({ output: 12, reasoning: 3 }) })) {
    text += chunk.text ?? '';
    last = chunk;
  }
  assert.equal(text, TEXT);
  assert.equal(last.usageMetadata.thoughtsTokenCount, 3);
  await sameBill();
  const called = await client.models.generateContent({
    model: 'test-small', contents: 'How is it?', config: { tools: [{ functionDeclarations: [{ name: 'weather', parametersJsonSchema: { type: 'object' } }] }] },
  });
  assert.equal(called.functionCalls[0].name, 'weather');
  await sameBill();
  await assert.rejects(client.models.generateContent({ model: 'test-small', contents: told({ status: 400, word: 'INVALID_ARGUMENT' }) }), (error) => error.status === 400);
  await assert.rejects(async () => {
    for await (const chunk of await client.models.generateContentStream({ model: 'test-small', contents: told({ cut: 0.6 }) })) void chunk;
  }, (error) => error.status === 502);
});
