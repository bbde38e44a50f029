// SPDX-License-Identifier: Apache-2.0
// Proves that the official clients of two chat formats reach a provider of the other one through the
// gateway and notice nothing: `openai` at a provider of messages, `@anthropic-ai/sdk` at a provider
// of chat completions; plain, streams, tools and their results, images, shapes, thinking, errors, what
// cannot be said. What a call cost is what the provider's own account says, to the nano.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { MessagesProvider, wordsOf } from './messages-provider.mjs';
import { Mete, PRICES, configuration, modelCosts } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL, Provider } from './provider.mjs';

const wire = (usage) => ({
  prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output,
  prompt_tokens_details: { cached_tokens: usage.cached_input }, completion_tokens_details: { reasoning_tokens: usage.reasoning },
});

/** Chat completions that call tools and reason, told as messages-provider.mjs is told. */
class ChatProvider extends Provider {
  use(body, words) {
    const told = wordsOf(body);
    return super.use({ ...body, messages: [{ content: body.messages }] }, Object.keys(words).length ? words : told);
  }

  message(body) {
    const words = wordsOf(body);
    return {
      role: 'assistant',
      content: words.tools ? null : words.text ?? this.content(4),
      ...(words.thinking ? { reasoning_content: words.thinking } : {}),
      ...(words.tools ? { tool_calls: words.tools.map(([name, input], i) => ({ id: `call_${i}`, type: 'function', function: { name, arguments: JSON.stringify(input) } })) } : {}),
    };
  }

  whole(response, body, words, usage, call) {
    const finish_reason = wordsOf(body).tools ? 'tool_calls' : 'stop';
    call.ended = 'done';
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify({ ...this.envelope(body, 'chat.completion'), choices: [{ index: 0, message: this.message(body), finish_reason }], usage: wire(usage) }));
  }

  async stream(response, body, words, usage, call) {
    const { content, reasoning_content: thinking, tool_calls: calls } = this.message(body);
    const envelope = this.envelope(body, 'chat.completion.chunk');
    const chunk = (delta, finish_reason = null) => ({ ...envelope, choices: [{ index: 0, delta, finish_reason }], usage: null });
    const events = [chunk({ role: 'assistant', content: '' })];
    if (thinking) events.push(...[...thinking].map((each) => chunk({ reasoning_content: each })));
    if (content) events.push(...[...content].map((each) => chunk({ content: each })));
    for (const [index, each] of (calls ?? []).entries()) {
      events.push(chunk({ tool_calls: [{ index, ...each, function: { name: each.function.name, arguments: '' } }] }));
      for (const piece of [...each.function.arguments]) events.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    }
    events.push(chunk({}, calls ? 'tool_calls' : 'stop'));
    const told = wordsOf(body);
    if (told.cut) events.length = told.cut;
    else events.push({ ...envelope, choices: [], usage: wire(usage) });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const bytes = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('') + (told.cut ? '' : 'data: [DONE]\n\n');
    const whole = await this.pieces(response, Buffer.from(bytes), words);
    call.ended = whole ? 'done' : 'left';
    return told.cut ? response.destroy() : response.end();
  }
}

const CHAT_PRICES = Object.fromEntries(Object.entries(PRICES).map(([name, price]) => [name.replace('test', 'chat'), price]));
let claude;
let gpt;
let mete;
let openai;
let anthropic;
let number = 0;

before(async () => {
  claude = await new MessagesProvider(PRICES, { seed: 21 }).start();
  gpt = await new ChatProvider(CHAT_PRICES, { seed: 22 }).start();
  mete = await Mete.start({
    config: configuration(undefined, {
      providers: [
        { name: 'claude', dialect: 'anthropic', base_url: claude.url, api_key: CREDENTIAL, models: ['test-*'] },
        { name: 'gpt', dialect: 'openai', base_url: `${gpt.url}/v1`, api_key: CREDENTIAL, models: ['chat-*'] },
      ],
      model_costs: modelCosts({ ...PRICES, ...CHAT_PRICES }),
    }),
  });
  const { key } = await mete.organization('clients');
  openai = new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: key, baseURL: mete.url, maxRetries: 0 });
});
after(async () => { await mete?.stop(); await claude?.stop(); await gpt?.stop(); });

const say = (words) => [{ role: 'user', content: `!${JSON.stringify(words)}` }];
const id = () => { number += 1; return { headers: { 'Idempotency-Key': `translated-${number}` } }; };
const PICTURE = Buffer.alloc(48, 9).toString('base64');
const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const CALLS = [['weather', { city: 'Köln "am Rhein" 🙂' }], ['weather', {}]];

async function billed({ headers }, provider) {
  let found = [];
  await mete.until(async () => {
    found = (await mete.must('GET', `/api/v1/records?request_id=${headers['Idempotency-Key']}`)).data;
    return found.length > 0;
  });
  assert.equal(found.length, 1);
  const call = provider.calls.at(-1);
  assert.equal(nano(found[0].cost), call.nano);
  assert.deepEqual([found[0].input_tokens, found[0].output_tokens], [call.usage.input, call.usage.output]);
  return found[0];
}

// ---- A client of chat completions, a provider of messages ---------------------------------------

test('openai at messages: plain', async () => {
  const options = id();
  const reply = await openai.chat.completions.create({
    model: 'test-large', max_tokens: 400, temperature: 1.5, stop: 'END', user: 'ada',
    messages: [{ role: 'system', content: 'Be brief.' }, { role: 'developer', content: 'Be kind.' }, ...say({ output: 20, text: 'naïve 漢字 🙂', thinking: 'hm', cached: 3 })],
  }, options);
  const [choice] = reply.choices;
  assert.deepEqual([choice.message.content, choice.message.reasoning_content, choice.finish_reason], ['naïve 漢字 🙂', 'hm', 'stop']);
  assert.deepEqual([reply.object, reply.model, reply.usage.completion_tokens, reply.usage.prompt_tokens_details.cached_tokens], ['chat.completion', 'test-large', 20, 3]);
  assert.ok(Math.abs(reply.created - Date.now() / 1000) < 60);
  const { body, headers } = claude.calls.at(-1);
  assert.equal(headers['anthropic-version'], '2023-06-01');
  assert.deepEqual(body.system.map((block) => block.text), ['Be brief.', 'Be kind.']);
  assert.deepEqual([body.max_tokens, body.temperature, body.stop_sequences, body.metadata], [400, 1, ['END'], { user_id: 'ada' }]);
  await billed(options, claude);
});

test('openai at messages: streams, with usage and without', async () => {
  for (const include_usage of [true, false]) {
    const options = id();
    const stream = await openai.chat.completions.create({
      model: 'test-large', max_tokens: 400, stream: true, ...(include_usage ? { stream_options: { include_usage } } : {}),
      messages: say({ output: 20, text: 'good "morning"\n漢字', thinking: 'a while' }),
    }, options);
    const seen = { content: '', reasoning: '', finish: null, usage: null };
    for await (const chunk of stream) {
      const [choice] = chunk.choices;
      seen.content += choice?.delta?.content ?? '';
      seen.reasoning += choice?.delta?.reasoning_content ?? '';
      seen.finish = choice?.finish_reason ?? seen.finish;
      seen.usage = chunk.usage ?? seen.usage;
    }
    assert.deepEqual([seen.content, seen.reasoning, seen.finish], ['good "morning"\n漢字', 'a while', 'stop']);
    assert.equal(seen.usage?.completion_tokens, include_usage ? 20 : undefined);
    await billed(options, claude);
  }
});

test('openai at messages: tools, in parallel, plain and streamed, and their results', async () => {
  const tools = [{ type: 'function', function: { name: 'weather', description: 'What it is like.', parameters: SCHEMA, strict: true } }];
  const asked = { model: 'test-large', max_tokens: 400, tools, tool_choice: 'required', parallel_tool_calls: false, messages: say({ tools: CALLS }) };
  const plain = (await openai.chat.completions.create(asked)).choices[0];
  assert.equal(plain.finish_reason, 'tool_calls');
  assert.deepEqual(plain.message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), CALLS);
  const { body } = claude.calls.at(-1);
  assert.deepEqual(body.tools, [{ name: 'weather', description: 'What it is like.', input_schema: SCHEMA, strict: true }]);
  assert.deepEqual(body.tool_choice, { type: 'any', disable_parallel_tool_use: true });
  const streamed = await openai.chat.completions.stream({ ...asked, tool_choice: 'auto' }).finalChatCompletion();
  assert.deepEqual(streamed.choices[0].message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), CALLS);
  await openai.chat.completions.create({
    ...asked,
    messages: [...asked.messages, plain.message, ...plain.message.tool_calls.map((call) => ({ role: 'tool', tool_call_id: call.id, content: 'rain' })), { role: 'user', content: 'And?' }],
  });
  const turn = claude.calls.at(-1).body.messages;
  assert.deepEqual(turn.map((message) => message.role), ['user', 'assistant', 'user']);
  assert.deepEqual(turn[1].content.filter((block) => block.type === 'tool_use').map((block) => block.input), CALLS.map(([, input]) => input));
  assert.deepEqual(turn[2].content.map((block) => block.type), ['tool_result', 'tool_result', 'text']);
});

test('openai at messages: images, a shape, an effort', async () => {
  await openai.chat.completions.create({
    model: 'test-large', max_completion_tokens: 5000, reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: SCHEMA, strict: true } },
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${PICTURE}` } }, { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } }, { type: 'text', text: '!{"output":4}' }] }],
  });
  const { body } = claude.calls.at(-1);
  assert.deepEqual(body.messages[0].content.slice(0, 2).map((block) => block.source), [{ type: 'base64', media_type: 'image/png', data: PICTURE }, { type: 'url', url: 'https://example.com/a.png' }]);
  assert.deepEqual(body.output_config, { format: { type: 'json_schema', schema: SCHEMA } });
  assert.deepEqual(body.thinking, { type: 'enabled', budget_tokens: 2048 });
});

test('openai at messages: errors in its own shape, what cannot be said by its name', async () => {
  await assert.rejects(openai.chat.completions.create({ model: 'test-large', messages: say({ status: 404 }) }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.deepEqual([error.error.message, error.code], ['as told: 404', 'not_found_error']);
    return true;
  });
  const asked = claude.calls.length;
  for (const [param, more] of [['n', { n: 2 }], ['logprobs', { logprobs: true }], ['response_format', { response_format: { type: 'json_object' } }]])
    await assert.rejects(openai.chat.completions.create({ model: 'test-large', messages: say({}), ...more }), (error) => error.status === 400 && error.param === param);
  assert.equal(claude.calls.length, asked, 'nobody was asked');
  const stream = await openai.chat.completions.create({ model: 'test-large', messages: say({ error_after: 4 }), stream: true });
  await assert.rejects(async () => { for await (const _ of stream); }, (error) => error instanceof OpenAI.APIError);
});

// ---- A client of messages, a provider of chat completions ---------------------------------------

test('anthropic at chat completions: plain', async () => {
  const options = id();
  const reply = await anthropic.messages.create({
    model: 'chat-large', max_tokens: 400, system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }], temperature: 0.5, top_k: 5,
    stop_sequences: ['END'], metadata: { user_id: 'ada' }, messages: say({ output: 20, text: 'naïve 漢字 🙂', thinking: 'hm', cached: 3 }),
  }, options);
  assert.deepEqual(reply.content, [{ type: 'thinking', thinking: 'hm', signature: '' }, { type: 'text', text: 'naïve 漢字 🙂' }]);
  assert.deepEqual([reply.type, reply.role, reply.model, reply.stop_reason], ['message', 'assistant', 'chat-large', 'end_turn']);
  assert.deepEqual([reply.usage.output_tokens, reply.usage.cache_read_input_tokens, reply.usage.input_tokens], [20, 3, gpt.calls.at(-1).usage.input - 3]);
  const { body } = gpt.calls.at(-1);
  assert.deepEqual(body.messages[0], { role: 'system', content: 'Be brief.' });
  assert.deepEqual([body.max_completion_tokens ?? body.max_tokens, body.temperature, body.stop, body.user], [400, 0.5, ['END'], 'ada']);
  await billed(options, gpt);
});

test('anthropic at chat completions: a stream', async () => {
  const options = id();
  const stream = anthropic.messages.stream({ model: 'chat-large', max_tokens: 400, messages: say({ output: 20, text: 'good "morning"\n漢字', thinking: 'a while' }) }, options);
  const message = await stream.finalMessage();
  assert.deepEqual(message.content.map((block) => [block.type, block.text ?? block.thinking]), [['thinking', 'a while'], ['text', 'good "morning"\n漢字']]);
  assert.deepEqual([message.stop_reason, message.usage.output_tokens], ['end_turn', 20]);
  assert.equal(gpt.calls.at(-1).body.stream_options.include_usage, true);
  await billed(options, gpt);
});

test('anthropic at chat completions: tools, in parallel, plain and streamed, and their results', async () => {
  const tools = [{ name: 'weather', description: 'What it is like.', input_schema: SCHEMA }];
  const asked = { model: 'chat-large', max_tokens: 400, tools, tool_choice: { type: 'tool', name: 'weather', disable_parallel_tool_use: true }, messages: say({ tools: CALLS }) };
  const plain = await anthropic.messages.create(asked);
  assert.equal(plain.stop_reason, 'tool_use');
  assert.deepEqual(plain.content.map((block) => [block.name, block.input]), CALLS);
  const { body } = gpt.calls.at(-1);
  assert.deepEqual(body.tools, [{ type: 'function', function: { name: 'weather', description: 'What it is like.', parameters: SCHEMA } }]);
  assert.deepEqual([body.tool_choice, body.parallel_tool_calls], [{ type: 'function', function: { name: 'weather' } }, false]);
  const streamed = await anthropic.messages.stream({ ...asked, tool_choice: { type: 'auto' } }).finalMessage();
  assert.deepEqual(streamed.content.map((block) => [block.name, block.input]), CALLS);
  const [first, second] = plain.content;
  await anthropic.messages.create({
    ...asked,
    messages: [...asked.messages, { role: 'assistant', content: plain.content }, {
      role: 'user', content: [
        { type: 'tool_result', tool_use_id: first.id, content: [{ type: 'text', text: 'rain' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PICTURE } }] },
        { type: 'tool_result', tool_use_id: second.id, is_error: true, content: 'no such city' }, { type: 'text', text: 'And?' }],
    }],
  });
  const turn = gpt.calls.at(-1).body.messages;
  assert.deepEqual(turn.map((message) => message.role), ['user', 'assistant', 'tool', 'tool', 'user']);
  assert.deepEqual(turn.slice(2, 4).map((message) => [message.tool_call_id, message.content]), [[first.id, 'rain'], [second.id, 'no such city']]);
  assert.deepEqual(turn[4].content.map((part) => part.type), ['image_url', 'text']);
});

test('anthropic at chat completions: images, a shape, a budget to think with', async () => {
  await anthropic.messages.create({
    model: 'chat-large', max_tokens: 20000, thinking: { type: 'enabled', budget_tokens: 8192 }, output_config: { format: { type: 'json_schema', schema: SCHEMA } },
    messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: PICTURE } }, { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }, { type: 'text', text: '!{"output":4}' }] }],
  });
  const { body } = gpt.calls.at(-1);
  assert.deepEqual(body.messages[0].content.slice(0, 2).map((part) => part.image_url.url), [`data:image/png;base64,${PICTURE}`, 'https://example.com/a.png']);
  assert.deepEqual(body.response_format.json_schema.schema, SCHEMA);
  assert.equal(body.reasoning_effort, 'medium');
});

test('anthropic at chat completions: errors in its own shape, what cannot be said by its name', async () => {
  await assert.rejects(anthropic.messages.create({ model: 'chat-large', max_tokens: 9, messages: say({ status: 404 }) }), (error) => {
    assert.ok(error instanceof Anthropic.NotFoundError);
    assert.deepEqual([error.error.error.type, error.error.error.message], ['not_found_error', 'as told: 404']);
    return true;
  });
  const asked = gpt.calls.length;
  const document = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: PICTURE } };
  await assert.rejects(anthropic.messages.create({ model: 'chat-large', max_tokens: 9, messages: [{ role: 'user', content: [document] }] }),
    (error) => error.status === 400 && /documents/.test(error.error.error.message));
  assert.equal(gpt.calls.length, asked, 'nobody was asked');
  await assert.rejects(anthropic.messages.stream({ model: 'chat-large', max_tokens: 99, messages: say({ cut: 4, text: 'never whole' }) }).finalMessage());
});

test('a translated stream that its budget ends is well-formed for its client', async () => {
  const text = 'x'.repeat(4000);
  const words = { output: 60, text, chunk_ms: 1 };
  for (const [name, ask] of [
    ['messages', (key) => new Anthropic({ apiKey: key, baseURL: mete.url, maxRetries: 0 }).messages
      .stream({ model: 'chat-large', max_tokens: 4000, messages: say(words) }).finalMessage().then((message) => [message.stop_reason, message.content[0].text])],
    ['chat', (key) => new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1`, maxRetries: 0 }).chat.completions
      .stream({ model: 'test-large', max_tokens: 4000, messages: say(words) }).finalChatCompletion().then(({ choices: [choice] }) => [choice.finish_reason, choice.message.content])],
  ]) {
    const { key } = await mete.organization(`poor-${name}`);
    await mete.budget(`poor-${name}`, { id: 'cap', amount: '0.02' });
    const [reason, said] = await ask(key);
    assert.ok(text.startsWith(said) && said.length < text.length, `${name}: ${said.length} of ${text.length}`);
    assert.equal(reason, name === 'chat' ? 'length' : 'max_tokens');
  }
});
