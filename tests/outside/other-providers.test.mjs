// SPDX-License-Identifier: Apache-2.0
// Proves that the official clients of OpenAI and of Anthropic, unmodified, reach providers of Google's
// and of Bedrock's formats: plain, streaming, tools there and back, pictures, JSON by a schema, errors,
// and a clear refusal of what cannot be said there. What a call cost is compared with the provider's
// own account, to the nano.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { BedrockProvider } from './bedrock-provider.mjs';
import { GoogleProvider } from './google-provider.mjs';
import { Mete, PRICES, configuration, modelCosts } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';

const TARGETS = [
  { dialect: 'gemini', Provider: GoogleProvider, text: 'naïve 漢字 🙂 data: [DONE] ]"}\\ ', word: 'INVALID_ARGUMENT',
    picture: (body) => body.contents[0].parts[1].inlineData.data },
  { dialect: 'bedrock', Provider: BedrockProvider, text: 'naïve 漢字 🙂 data: [DONE]', word: 'ValidationException',
    picture: (body) => body.messages[0].content[1].image.source.bytes },
];
const PICTURE = Buffer.from('not really a picture').toString('base64');
const told = (words) => `!${JSON.stringify(words)}`;

for (const target of TARGETS) {
  const { dialect, text } = target;
  let provider;
  let mete;
  let key;
  let openai;
  let anthropic;

  before(async () => {
    provider = await new target.Provider(PRICES, { seed: 9 }).start();
    mete = await Mete.start({
      config: configuration(provider, {
        providers: [{ name: dialect, dialect, base_url: provider.url, api_key: CREDENTIAL }], model_costs: modelCosts(PRICES),
      }),
    });
    key = await mete.organization('clients');
    openai = new OpenAI({ apiKey: key.key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
    anthropic = new Anthropic({ apiKey: key.key, baseURL: mete.url, maxRetries: 0 });
  });
  after(async () => { await mete?.stop(); await provider?.stop(); });

  const sameBill = async () => {
    const call = provider.calls.at(-1);
    await mete.idle();
    await mete.settled();
    const [record] = (await mete.must('GET', '/api/v1/records?limit=1', undefined, { token: key.key })).data;
    assert.equal(nano(record.cost), call.nano);
    assert.equal(record.output_tokens, call.usage.output);
    assert.equal(record.input_tokens, call.usage.input);
    return call;
  };
  const say = (words, more = {}) => ({ model: 'test-large', messages: [{ role: 'user', content: typeof words === 'string' ? words : told(words) }], ...more });

  test(`${dialect}: OpenAI's client, plain`, async () => {
    const { data, response } = await openai.chat.completions.create(say({ output: 30, cached: 2 }, { max_tokens: 40 })).withResponse();
    assert.equal(data.choices[0].message.content, text);
    assert.equal(data.choices[0].finish_reason, 'stop');
    assert.equal(data.usage.completion_tokens, 30);
    assert.equal(data.usage.prompt_tokens_details.cached_tokens, 2);
    const call = await sameBill();
    assert.equal(nano(response.headers.get('x-mete-cost')), call.nano);
  });

  test(`${dialect}: OpenAI's client, streaming with usage`, async () => {
    const stream = await openai.chat.completions.create(say({ output: 25, reasoning: 4 }, { stream: true, stream_options: { include_usage: true } }));
    let said = '';
    const usages = [];
    const finishes = [];
    for await (const chunk of stream) {
      said += chunk.choices[0]?.delta?.content ?? '';
      if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
      if (chunk.usage) usages.push(chunk.usage);
    }
    assert.equal(said, text);
    assert.deepEqual(finishes, ['stop']);
    assert.equal(usages.length, 1);
    assert.equal(usages[0].completion_tokens, 25);
    await sameBill();
  });

  test(`${dialect}: OpenAI's client, tools there and back, whole and streaming`, async () => {
    const tools = [{ type: 'function', function: { name: 'weather', description: 'Of a city.', parameters: { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', properties: { city: { type: 'string' } }, additionalProperties: false } } }];
    const first = await openai.chat.completions.create(say('Paris?', { tools, tool_choice: 'required' }));
    assert.equal(first.choices[0].finish_reason, 'tool_calls');
    const [called] = first.choices[0].message.tool_calls;
    assert.equal(called.function.name, 'weather');
    assert.equal(JSON.parse(called.function.arguments).city, 'Paris');
    const messages = [...say('Paris?').messages, first.choices[0].message, { role: 'tool', tool_call_id: called.id, content: 'grey' }];
    const second = await openai.chat.completions.create({ model: 'test-large', tools, messages });
    assert.equal(second.choices[0].message.content, text);
    await sameBill();
    const runner = openai.chat.completions.stream(say('Paris?', { tools }));
    const { message } = (await runner.finalChatCompletion()).choices[0];
    assert.equal(JSON.parse(message.tool_calls[0].function.arguments).city, 'Paris');
    await sameBill();
  });

  test(`${dialect}: OpenAI's client, a picture, and JSON by a schema`, async () => {
    const content = [{ type: 'text', text: 'What?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${PICTURE}` } }];
    await openai.chat.completions.create({ model: 'test-large', messages: [{ role: 'user', content }] });
    assert.equal(target.picture((await sameBill()).body), PICTURE);
    const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'], additionalProperties: false };
    const { choices } = await openai.chat.completions.parse(say('Who?', { response_format: { type: 'json_schema', json_schema: { name: 'person', strict: true, schema } } }));
    assert.deepEqual(choices[0].message.parsed, { name: 'mete' });
    await sameBill();
  });

  test(`${dialect}: OpenAI's client, errors and refusals`, async () => {
    await assert.rejects(openai.chat.completions.create(say({ status: 400, word: target.word })), (error) => error.status === 400 && /as told: 400/.test(error.message));
    await assert.rejects(openai.chat.completions.create(say({ status: 429, word: 'ThrottlingException' }, { stream: true })), (error) => error.status === 429);
    const calls = provider.calls.length;
    await assert.rejects(openai.chat.completions.create(say('hi', { n: 2 })), (error) => error.status === 400 && error.param === 'n');
    await assert.rejects(openai.chat.completions.create({ model: 'test-large', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://nowhere/picture' } }] }] }), (error) => error.status === 400 && error.param === 'messages');
    assert.equal(provider.calls.length, calls, 'nobody was asked');
    const stream = await openai.chat.completions.create(say({ cut: 0.5 }, { stream: true }));
    await assert.rejects(async () => { for await (const chunk of stream) void chunk; });
  });

  test(`${dialect}: Anthropic's client, plain and streaming`, async () => {
    const plain = await anthropic.messages.create({ ...say({ output: 30 }), max_tokens: 64, system: 'Be brief.' });
    assert.equal(plain.content.at(-1).text, text);
    assert.equal(plain.stop_reason, 'end_turn');
    assert.equal(plain.usage.output_tokens, 30);
    await sameBill();
    const stream = anthropic.messages.stream({ ...say({ output: 22 }), max_tokens: 64 });
    const final = await stream.finalMessage();
    assert.equal(final.content.at(-1).text, text);
    assert.equal(final.usage.output_tokens, 22);
    await sameBill();
  });

  test(`${dialect}: Anthropic's client, tools there and back, and a picture`, async () => {
    const tools = [{ name: 'weather', description: 'Of a city.', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }];
    const ask = { ...say('Paris?'), max_tokens: 64, tools };
    for (const first of [await anthropic.messages.create(ask), await anthropic.messages.stream(ask).finalMessage()]) {
      assert.equal(first.stop_reason, 'tool_use');
      const called = first.content.find((block) => block.type === 'tool_use');
      assert.equal(called.input.city, 'Paris');
      const messages = [...ask.messages, { role: 'assistant', content: first.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: called.id, content: 'grey' }] }];
      assert.equal((await anthropic.messages.create({ ...ask, messages })).content.at(-1).text, text);
      await sameBill();
    }
    const source = { type: 'base64', media_type: 'image/png', data: PICTURE };
    await anthropic.messages.create({ model: 'test-large', max_tokens: 9, messages: [{ role: 'user', content: [{ type: 'text', text: 'What?' }, { type: 'image', source }] }] });
    assert.equal(target.picture((await sameBill()).body), PICTURE);
    await assert.rejects(anthropic.messages.create({ ...say({ status: 400, word: target.word }), max_tokens: 9 }), (error) => error.status === 400 && /as told: 400/.test(error.message));
  });
}
