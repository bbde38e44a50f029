// SPDX-License-Identifier: Apache-2.0
// Proves that AWS's own client, with a mete key as its Bearer token, works through the gateway
// against a provider of converse: plain, streaming, tools, pictures, errors, a refusal, streams that
// break or that nobody reads. The client checks every checksum. What a call cost is compared with the
// provider's own account, to the nano.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { BedrockProvider } from './bedrock-provider.mjs';
import { Mete, PRICES, configuration, modelCosts } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';

let provider;
let mete;
let key;
let client;

const clientOf = (token) => new BedrockRuntimeClient({
  region: 'us-east-1', endpoint: mete.url, token: { token }, authSchemePreference: ['httpBearerAuth'], maxAttempts: 1,
  requestHandler: new NodeHttpHandler(), // without it it speaks HTTP/2 in clear
});

before(async () => {
  provider = await new BedrockProvider({ ...PRICES, 'us.test-large-v1:0': PRICES['test-large'] }, { seed: 5 }).start();
  mete = await Mete.start({
    config: configuration(provider, {
      providers: [{ name: 'bedrock', dialect: 'bedrock', base_url: provider.url, api_key: CREDENTIAL }],
      model_costs: modelCosts({ ...PRICES, 'us.test-large-v1:0': PRICES['test-large'] }),
    }),
  });
  key = await mete.organization('bedrock');
  client = clientOf(key.key);
});
after(async () => { client?.destroy(); await mete?.stop(); await provider?.stop(); });

const TEXT = 'naïve 漢字 🙂 data: [DONE]';
const ask = (words, more = {}) => ({
  modelId: 'us.test-large-v1:0', messages: [{ role: 'user', content: [{ text: typeof words === 'string' ? words : `!${JSON.stringify(words)}` }] }], ...more,
});

async function billed() {
  await mete.idle();
  await mete.settled();
  const [record] = (await mete.must('GET', '/api/v1/records?limit=1', undefined, { token: key.key })).data;
  return { call: provider.calls.at(-1), record };
}

async function sameBill() {
  const { call, record } = await billed();
  assert.equal(nano(record.cost), call.nano);
  assert.equal(record.input_tokens, call.usage.input);
  assert.equal(record.output_tokens, call.usage.output);
  assert.equal(record.cache_write_tokens ?? 0, call.usage.cache_write);
  assert.ok(!JSON.stringify(call.headers).includes(key.key), 'the key stays here');
  return { call, record };
}

test('plain: the answer as it was sent, billed as it was', async () => {
  const reply = await client.send(new ConverseCommand(ask({ output: 30, cached: 2, written: 3 })));
  assert.deepEqual(reply.output.message, { role: 'assistant', content: [{ text: TEXT }] });
  assert.equal(reply.usage.outputTokens, 30);
  const { call } = await sameBill();
  assert.equal(call.url, '/model/us.test-large-v1%3A0/converse');
  assert.ok(call.body.inferenceConfig.maxTokens > 0, 'who asks for no bound gets one');
});

test('a bound goes on, and holds', async () => {
  await client.send(new ConverseCommand(ask('hi', { inferenceConfig: { maxTokens: 9 } })));
  assert.equal((await sameBill()).call.usage.output, 9);
});

async function collect(reply) {
  const seen = { text: '', kinds: new Set(), input: '' };
  for await (const event of reply.stream) {
    const [[kind, payload]] = Object.entries(event);
    seen.kinds.add(kind);
    seen.text += payload.delta?.text ?? '';
    seen.input += payload.delta?.toolUse?.input ?? '';
    seen.stop = payload.stopReason ?? seen.stop;
    seen.usage = payload.usage ?? seen.usage;
  }
  return seen;
}

test('streaming: every message, with its checksum', async () => {
  const seen = await collect(await client.send(new ConverseStreamCommand(ask({ output: 25, reasoning: 1 }))));
  assert.equal(seen.text, TEXT);
  assert.equal(seen.stop, 'end_turn');
  assert.equal(seen.usage.outputTokens, 25);
  assert.deepEqual([...seen.kinds], ['messageStart', 'contentBlockDelta', 'contentBlockStop', 'messageStop', 'metadata']);
  await sameBill();
});

test('tools and pictures', async () => {
  const toolConfig = { tools: [{ toolSpec: { name: 'weather', inputSchema: { json: { type: 'object' } } } }] };
  const first = await client.send(new ConverseCommand(ask('Paris?', { toolConfig })));
  assert.equal(first.stopReason, 'tool_use');
  const [, { toolUse }] = first.output.message.content;
  assert.deepEqual(toolUse.input, { city: 'Paris' });
  const messages = [...ask('Paris?').messages, first.output.message, { role: 'user', content: [{ toolResult: { toolUseId: toolUse.toolUseId, content: [{ text: 'grey' }] } }] }];
  const second = await client.send(new ConverseCommand({ ...ask('x', { toolConfig }), messages }));
  assert.equal(second.stopReason, 'end_turn');
  await sameBill();
  const seen = await collect(await client.send(new ConverseStreamCommand(ask('Paris?', { toolConfig }))));
  assert.deepEqual(JSON.parse(seen.input), { city: 'Paris' });
  const bytes = Buffer.from('not really a picture');
  await client.send(new ConverseCommand({ ...ask('x'), messages: [{ role: 'user', content: [{ text: 'What?' }, { image: { format: 'png', source: { bytes } } }] }] }));
  assert.equal((await sameBill()).call.body.messages[0].content[1].image.source.bytes, bytes.toString('base64'));
});

test('errors of the provider and of the gateway are AWS\'s', async () => {
  const fails = (command, name, message, owner = client) => assert.rejects(owner.send(command), (error) => {
    assert.equal(error.name, name);
    assert.match(error.message, message);
    return true;
  });
  await fails(new ConverseCommand(ask({ status: 429, word: 'ThrottlingException' })), 'ThrottlingException', /as told: 429/);
  await fails(new ConverseStreamCommand(ask({ status: 400, word: 'ValidationException' })), 'ValidationException', /as told: 400/);
  await fails(new ConverseCommand(ask('hi', { guardrailConfig: { guardrailIdentifier: 'g', guardrailVersion: '1' } })), 'ValidationException', /Guardrails/);
  await fails(new ConverseCommand({ ...ask('hi'), modelId: 'nobody-priced-this' }), 'ValidationException', /price/);
  const stranger = clientOf('sk-mete-nobody');
  await fails(new ConverseCommand(ask('hi')), 'AccessDeniedException', /key/, stranger);
  stranger.destroy();
  const poor = await mete.organization('poor-bedrock');
  await mete.must('POST', '/api/v1/organizations/poor-bedrock/budgets', { id: 'hour', scope: { kind: 'organization', id: 'poor-bedrock' }, unit: 'USD', amount: '0.000001', period: 'hourly' });
  const theirs = clientOf(poor.key);
  await fails(new ConverseCommand(ask('hi')), 'ServiceQuotaExceededException', /budget/i, theirs);
  theirs.destroy();
});

test('a stream that breaks off tells so; one that nobody reads is billed', async () => {
  const reply = await client.send(new ConverseStreamCommand(ask({ cut: 0.7 })));
  await assert.rejects(collect(reply), (error) => error.name === 'ModelStreamErrorException');
  assert.equal((await billed()).record.ending, 'lost');
  const controller = new AbortController();
  const left = await client.send(new ConverseStreamCommand(ask({ output: 22, chunk_ms: 10 })), { abortSignal: controller.signal });
  const events = left.stream[Symbol.asyncIterator]();
  await events.next();
  controller.abort();
  await events.return?.().catch(() => {});
  const { record } = await sameBill();
  assert.equal(record.ending, 'client_gone');
});
