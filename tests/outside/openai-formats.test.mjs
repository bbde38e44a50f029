// SPDX-License-Identifier: Apache-2.0
// Proves that the official `openai` client, unmodified, works through the gateway with OpenAI's other
// formats: responses (plain, streaming, tools, images, structured output, errors, retries, aborts, in
// the background and stored), completions, embeddings, and all of them as Azure's client asks; that a
// stream the gateway ends is accepted and told as incomplete; that a responses client reaches
// providers that speak chat or messages; and that what is billed is what the provider's own account says,
// once, whoever retrieves an answer how often.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI, { AzureOpenAI } from 'openai';
import { MessagesProvider } from './messages-provider.mjs';
import { Mete, PRICES, configuration, modelCosts } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL, Provider } from './provider.mjs';
import { OpenAIProvider } from './provider-openai.mjs';

const ORG = 'formats';
const AZURE = { 'my-gpt': { input: '3', output: '9' } };
const CHAT = { 'chat-only': { input: '1', output: '2' } };
const CLAUDE = { 'claude-tests': { input: '3', output: '15' } };
let provider;
let chat;
let claude;
let mete;
let key;
let client;

before(async () => {
  provider = await new OpenAIProvider({ ...PRICES, ...AZURE }, { seed: 5 }).start();
  chat = await new Provider(CHAT, { seed: 6 }).start();
  claude = await new MessagesProvider(CLAUDE, { seed: 7 }).start();
  mete = await Mete.start({
    config: configuration(provider, {
      providers: [
        { name: 'tests', dialect: 'openai', base_url: `${provider.url}/v1`, api_key: CREDENTIAL, models: ['test-*'] },
        { name: 'azure', dialect: 'azure', base_url: `${provider.url}/openai/deployments/{model}?api-version=2024-10-21`, api_key: CREDENTIAL, models: ['my-*'] },
        { name: 'chat', dialect: 'openai', base_url: `${chat.url}/v1`, api_key: CREDENTIAL, models: ['chat-*'], speaks: ['chat'] },
        { name: 'claude', dialect: 'anthropic', base_url: claude.url, api_key: CREDENTIAL, models: ['claude-*'] },
      ],
      model_costs: modelCosts({ ...PRICES, ...AZURE, ...CHAT, ...CLAUDE }),
    }),
  });
  key = (await mete.organization(ORG)).key;
  client = new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1` });
});
after(async () => { await mete?.stop(); await provider?.stop(); await chat?.stop(); await claude?.stop(); });

const words = (more) => `!${JSON.stringify(more)}`;
const named = (id) => ({ headers: { 'Idempotency-Key': id } });
const last = () => provider.calls.findLast(({ path, method }) => method === 'POST' && !/\/cancel$/.test(path));

async function recordsOf(id) {
  await mete.settled();
  return (await mete.must('GET', `/api/v1/records?request_id=${id}`)).data;
}

async function billed(id, call = last()) {
  const [record, ...more] = await recordsOf(id);
  assert.equal(more.length, 0);
  assert.equal(nano(record.cost), call.nano, `${id} costs what the provider billed`);
  assert.deepEqual([record.provisional, record.counted], [false, false]);
  return record;
}

// ---- Responses ----------------------------------------------------------------------------------

test('responses: plain, with instructions and an image', async () => {
  const { data, response } = await client.responses.create({
    model: 'test-large', instructions: 'Be brief.', max_output_tokens: 500,
    input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' }, { type: 'input_text', text: words({ say: 'a picture', reasoning: 2, cached: 3 }) }] }],
  }, named('plain')).withResponse();
  assert.equal(data.output_text, 'a picture');
  assert.equal(data.status, 'completed');
  assert.equal(nano(response.headers.get('x-mete-cost')), last().nano);
  const record = await billed('plain');
  assert.deepEqual([record.input_tokens, record.output_tokens, record.cached_input_tokens, record.reasoning_tokens],
    [data.usage.input_tokens, data.usage.output_tokens, 3, 2]);
  assert.equal(last().body.max_output_tokens, 500, 'the request is the client\'s');
});

test('responses: create({stream: true}) yields every event of the provider\'s', async () => {
  const types = [];
  let final;
  for await (const event of await client.responses.create({ model: 'test-large', stream: true, input: words({ say: 'one two three', reasoning: 3 }) }, named('events'))) {
    types.push(event.type);
    final = event;
  }
  assert.deepEqual(types, provider.events(provider.stored.get(final.response.id).whole).map(({ type }) => type));
  assert.equal(final.type, 'response.completed');
  assert.equal(nano(String((await billed('events')).cost)), last().nano);
  assert.ok(Math.abs(Number(final.response.usage.cost) - Number(last().nano) / 1e9) < 1e-9, 'the cost stands in its usage');
});

test('responses: stream() adds up what it is told', async () => {
  let heard = '';
  const stream = client.responses.stream({ model: 'test-small', input: words({ say: 'one two three' }) }, named('stream'));
  stream.on('response.output_text.delta', ({ delta }) => { heard += delta; });
  const final = await stream.finalResponse();
  assert.equal(heard, 'one two three');
  assert.equal(final.output_text, 'one two three');
  await billed('stream');
});

const WEATHER = { type: 'function', name: 'weather', description: 'The weather.', strict: true, parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false } };

test('responses: tools, plain and streaming, and their outputs', async () => {
  const input = words({ call: { city: 'Paris' } });
  const plain = await client.responses.create({ model: 'test-small', tools: [WEATHER], input }, named('tool'));
  assert.deepEqual(JSON.parse(plain.output[0].arguments), { city: 'Paris' });
  const streamed = await client.responses.stream({ model: 'test-small', tools: [WEATHER], input }, named('tool-2')).finalResponse();
  assert.deepEqual(JSON.parse(streamed.output[0].arguments), { city: 'Paris' });
  const answer = await client.responses.create({
    model: 'test-small', tools: [WEATHER],
    input: [{ role: 'user', content: 'Weather?' }, plain.output[0], { type: 'function_call_output', call_id: plain.output[0].call_id, output: words({ say: 'Sunny.' }) }],
  }, named('tool-3'));
  assert.equal(answer.output_text, 'Sunny.');
  await billed('tool-3');
});

const SHAPE = { format: { type: 'json_schema', name: 'city', strict: true, schema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'], additionalProperties: false } } };

test('responses: parse() gets its structured output', async () => {
  const parsed = await client.responses.parse({ model: 'test-small', text: SHAPE, input: words({ say: '{"name":"Rome"}' }) }, named('parse'));
  assert.deepEqual(parsed.output_parsed, { name: 'Rome' });
  await billed('parse');
});

test('responses: errors keep their status, and what the server fails at is tried again', async () => {
  const once = new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  await assert.rejects(once.responses.create({ model: 'test-small', input: words({ status: 422 }) }), (error) => error.status === 422 && error.code === 'as_told');
  await assert.rejects(once.responses.create({ model: 'test-small', input: 7 }), (error) => error.status === 400 && error.param === 'input');
  await assert.rejects(once.responses.create({ model: 'nobody', input: 'x' }), (error) => error instanceof OpenAI.NotFoundError);
  const before_ = provider.calls.length;
  const twice = new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1`, maxRetries: 1 });
  await assert.rejects(twice.responses.create({ model: 'test-small', input: words({ status: 500 }) }, named('retried')), (error) => error.status === 500);
  assert.equal(provider.calls.length - before_, 2);
  for (const record of await recordsOf('retried')) assert.equal(nano(record.cost), 0n);
});

test('responses: hosted tools without a price are refused by name', async () => {
  await assert.rejects(client.responses.create({ model: 'test-small', tools: [{ type: 'web_search' }], input: 'x' }),
    (error) => error.status === 400 && /price/.test(error.message));
});

test('responses: an abort is drained, and billed as the provider bills it', async () => {
  const stream = await client.responses.create({ model: 'test-large', stream: true, input: words({ say: 'word '.repeat(40), chunk_ms: 1 }) }, named('abort'));
  for await (const event of stream) if (event.type === 'response.output_text.delta') break;
  await mete.idle();
  const record = await billed('abort', provider.calls.findLast(({ headers: _, words: told }) => told?.chunk_ms));
  assert.equal(record.ending, 'client_gone');
});

test('responses: a stream that breaks off throws, and leaves nothing half said', async () => {
  const events = [];
  await assert.rejects(async () => {
    for await (const event of await client.responses.create({ model: 'test-small', stream: true, input: words({ say: 'one two three', cut: 5 }) })) events.push(event.type);
  }, (error) => error instanceof OpenAI.APIError && /broke off|charged/.test(error.message));
  assert.equal(events.at(-1), 'response.output_text.delta');
});

// ---- Ended by the gateway -----------------------------------------------------------------------

async function listen(stream, heard) {
  for await (const event of await stream) {
    heard.last = event;
    if (/\.delta$/.test(event.type)) heard.text = (heard.text ?? '') + event.delta;
  }
}

test('responses: a stream that mete ends is incomplete, with all that was said', { timeout: 60000 }, async () => {
  const own = await Mete.start({ config: configuration(provider, { stop_timeout: '300ms' }) });
  const mine = new OpenAI({ apiKey: (await own.organization('cut')).key, baseURL: `${own.url}/v1`, maxRetries: 0 });
  const long = 'word '.repeat(400);
  const ask = (more) => ({ model: 'test-large', tools: [WEATHER], input: words({ chunk_ms: 5, ...more }) });
  const heard = [{}, {}];
  const listening = [{ say: long }, { call: { city: long } }].map((more, i) => listen(mine.responses.create({ ...ask(more), stream: true }), heard[i]));
  const added = mine.responses.stream(ask({ say: long }));
  let snapshot = '';
  added.on('response.output_text.delta', (event) => { snapshot = event.snapshot; });
  await own.until(() => heard.every(({ text }) => text?.length > 20) && snapshot);
  const stopped = own.stop();
  const final = await added.finalResponse();
  await Promise.all(listening);
  await stopped;
  assert.deepEqual([final.status, final.incomplete_details.reason, final.output_text], ['incomplete', 'max_output_tokens', snapshot]);
  for (const { last: event } of heard) {
    assert.equal(event.type, 'response.incomplete');
    assert.equal(event.response.output[0].status, 'incomplete');
    assert.ok(event.response.usage.output_tokens > 0);
  }
  assert.equal(heard[0].last.response.output[0].content[0].text, heard[0].text);
  const [call] = heard[1].last.response.output;
  assert.deepEqual([call.type, call.name, call.arguments], ['function_call', 'weather', heard[1].text]);
});

// ---- Stored answers -----------------------------------------------------------------------------

const spent = async () => nano((await mete.must('GET', `/api/v1/organizations/${ORG}/budgets/roof`)).used);

test('responses: in the background it is charged provisionally, and settled once when it is fetched', async () => {
  await mete.budget(ORG, { id: 'roof', amount: '1000' });
  const begun = await client.responses.create({ model: 'test-large', background: true, max_output_tokens: 300, input: words({ polls: 2, output: 40 }) }, named('background'));
  const { nano: truth } = last();
  assert.equal(begun.status, 'queued');
  const [record] = await recordsOf('background');
  assert.ok(record.provisional && nano(record.cost) > truth);
  assert.equal(await spent(), nano(record.cost));
  const statuses = [];
  for (let i = 0; i < 5; i += 1) statuses.push((await client.responses.retrieve(begun.id)).status);
  assert.deepEqual(statuses, ['in_progress', 'in_progress', 'completed', 'completed', 'completed']);
  const all = await recordsOf('background');
  assert.equal(all.length, 2, 'the record and its correction, and no third');
  assert.equal(all.reduce((sum, each) => sum + nano(each.cost), 0n), truth);
  assert.equal(await spent(), truth);
  assert.equal(all.find(({ corrects }) => !corrects).corrected_by, all.find(({ corrects }) => corrects).id);
});

test('responses: retrieve, also as a stream, list and delete go to the provider that made it, and cost nothing', async () => {
  const made = await client.responses.create({ model: 'test-small', input: words({ say: 'kept' }) }, named('kept'));
  const before_ = await spent();
  assert.equal((await client.responses.retrieve(made.id)).output_text, 'kept');
  const types = [];
  for await (const event of await client.responses.retrieve(made.id, { stream: true, include_obfuscation: false })) types.push(event.type);
  assert.equal(types.at(-1), 'response.completed');
  assert.match(provider.calls.at(-1).query, /stream=true/);
  assert.equal((await client.responses.inputItems.list(made.id)).data.length, 1);
  await client.responses.delete(made.id);
  await assert.rejects(client.responses.retrieve(made.id), (error) => error.status === 404);
  assert.equal(await spent(), before_);
  assert.equal((await recordsOf('kept')).length, 1);
});

test('responses: a background stream that was left is settled by its retrieval', async () => {
  const stream = await client.responses.create({ model: 'test-small', background: true, stream: true, input: words({ cut: 4, say: 'one two three' }) }, named('resumed'));
  let id;
  await assert.rejects(async () => { for await (const event of stream) id ??= event.response?.id; });
  const { nano: truth } = last();
  assert.ok((await recordsOf('resumed'))[0].provisional);
  const final = await client.responses.stream({ response_id: id }).finalResponse();
  assert.equal(final.output_text, 'one two three');
  const all = await recordsOf('resumed');
  assert.equal(all.reduce((sum, each) => sum + nano(each.cost), 0n), truth);
  assert.equal(all.length, 2);
});

test('responses: a retrieval that fails or is left settles nothing; the next one does', async () => {
  const once = new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  const failing = await once.responses.create({ model: 'test-small', background: true, input: words({ fetch: { status: 500 } }) }, named('failing'));
  await assert.rejects(once.responses.retrieve(failing.id), (error) => error.status === 502 && !error.message.includes(CREDENTIAL));
  const cut = await once.responses.create({ model: 'test-small', background: true, input: words({ say: 'one two three', fetch: { cut: 5 } }) }, named('cut-off'));
  await assert.rejects(async () => { for await (const event of await once.responses.retrieve(cut.id, { stream: true })) void event; }, /broke off/);
  const left = await once.responses.create({ model: 'test-small', background: true, input: words({ say: 'word '.repeat(200), fetch: { chunk_ms: 2 } }) }, named('left'));
  for await (const event of await once.responses.retrieve(left.id, { stream: true })) if (event.type === 'response.output_text.delta') break;
  for (const id of ['failing', 'cut-off', 'left']) assert.deepEqual((await recordsOf(id)).map(({ provisional }) => provisional), [true]);
  assert.equal((await once.responses.retrieve(left.id)).status, 'completed');
  const { nano: truth } = last();
  const all = await recordsOf('left');
  assert.equal(all.reduce((sum, each) => sum + nano(each.cost), 0n), truth);
});

test('responses: a cancelled one without figures stays provisional', async () => {
  const begun = await client.responses.create({ model: 'test-small', background: true, input: words({ polls: 9 }) }, named('cancelled'));
  assert.equal((await client.responses.cancel(begun.id)).status, 'cancelled');
  const all = await recordsOf('cancelled');
  assert.deepEqual([all.length, all[0].provisional], [1, true]);
});

test('responses: a stranger\'s answer is not there, neither to be fetched nor to go on from', async () => {
  const made = await client.responses.create({ model: 'test-small', input: 'x' });
  const other = new OpenAI({ apiKey: (await mete.organization('strangers')).key, baseURL: `${mete.url}/v1` });
  const before_ = provider.calls.length;
  for (const ask of [
    () => other.responses.retrieve(made.id), () => other.responses.delete(made.id), () => other.responses.cancel(made.id),
    () => other.responses.inputItems.list(made.id), () => other.responses.retrieve('resp_nobody'), () => client.responses.retrieve('resp_%2e%2e'),
    () => other.responses.create({ model: 'test-small', previous_response_id: made.id, input: 'What did I say?' }),
  ]) await assert.rejects(ask(), (error) => error.status === 404);
  assert.equal(provider.calls.length, before_, 'the provider was not asked');
  const mine = await client.responses.create({ model: 'test-small', previous_response_id: made.id, input: 'And then?' });
  assert.equal(last().body.previous_response_id, made.id);
  assert.equal(mine.status, 'completed');
  const without = new OpenAI({ apiKey: 'mk_wrong', baseURL: `${mete.url}/v1` });
  await assert.rejects(without.responses.retrieve(made.id), (error) => error.status === 401);
  const put = await fetch(`${mete.url}/v1/responses/${made.id}`, { method: 'PUT', headers: { authorization: `Bearer ${key}` } });
  assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, DELETE']);
});

test('responses: after a kill and a start, made in the background before, it is fetched and settled once', { timeout: 60000 }, async () => {
  const own = await Mete.start({ config: configuration(provider) });
  const { key: mine } = await own.organization('restarted');
  const { key: theirs } = await own.organization('others');
  const asking = (apiKey) => new OpenAI({ apiKey, baseURL: `${own.url}/v1`, maxRetries: 0 });
  const begun = await asking(mine).responses.create({ model: 'test-large', background: true, max_output_tokens: 300, input: words({ output: 41 }) }, named('before'));
  const { nano: truth } = last();
  const kept = await asking(mine).responses.create({ model: 'test-small', input: words({ say: 'kept' }) }, named('kept'));
  await own.kill();
  await own.spawn();
  await own.settled();
  await assert.rejects(asking(theirs).responses.retrieve(begun.id), (error) => error.status === 404);
  assert.equal((await asking(mine).responses.retrieve(kept.id)).output_text, 'kept');
  for (let i = 0; i < 3; i += 1) assert.equal((await asking(mine).responses.retrieve(begun.id)).status, 'completed');
  await own.settled();
  const all = (await own.must('GET', '/api/v1/records?request_id=before')).data;
  assert.equal(all.length, 2);
  assert.equal(all.reduce((sum, each) => sum + nano(each.cost), 0n), truth);
  await assert.rejects(asking(mine).responses.retrieve('resp_nobody'), (error) => error.status === 404);
  await own.stop();
});

// ---- Translated ---------------------------------------------------------------------------------

test('responses reach a provider that speaks chat alone', async () => {
  const plain = await client.responses.create({ model: 'chat-only', instructions: 'Be brief.', max_output_tokens: 50, input: words({ output: 9 }) }, named('translated'));
  const asked = chat.calls.at(-1);
  assert.equal(asked.path, '/v1/chat/completions');
  assert.deepEqual(asked.body.messages.map(({ role }) => role), ['system', 'user']);
  assert.equal(plain.status, 'completed');
  assert.ok(plain.output_text.length > 0);
  assert.equal(plain.usage.output_tokens, 9);
  await billed('translated', asked);
  let heard = '';
  const stream = client.responses.stream({ model: 'chat-only', input: words({ output: 12 }) }, named('translated-2'));
  stream.on('response.output_text.delta', ({ delta }) => { heard += delta; });
  const final = await stream.finalResponse();
  assert.equal(final.output_text, heard);
  assert.equal(final.usage.output_tokens, 12);
  await billed('translated-2', chat.calls.at(-1));
  for (const [param, more] of Object.entries({ previous_response_id: { previous_response_id: 'resp_1' }, background: { background: true }, conversation: { conversation: 'conv_1' } }))
    await assert.rejects(client.responses.create({ model: 'chat-only', input: 'x', ...more }), (error) => error.status === 400 && error.param === param);
  await assert.rejects(client.embeddings.create({ model: 'chat-only', input: 'x' }), (error) => error.status === 400 && error.code === 'format_not_spoken');
});

test('responses reach a provider of messages: thinking with its signature, tools, and both again', async () => {
  const calls = [['weather', { city: 'Paris' }], ['weather', { city: 'Rome' }]];
  const asked = { model: 'claude-tests', max_output_tokens: 4000, tools: [WEATHER], reasoning: { effort: 'low' }, input: words({ thinking: 'hm "so"', text: 'Let me see.', tools: calls }) };
  const plain = await client.responses.create(asked, named('claude'));
  await billed('claude', claude.calls.at(-1));
  const stream = client.responses.stream(asked, named('claude-2'));
  let thought = '';
  stream.on('response.reasoning_summary_text.delta', ({ delta }) => { thought += delta; });
  const streamed = await stream.finalResponse();
  await billed('claude-2', claude.calls.at(-1));
  for (const { output, status } of [plain, streamed]) {
    assert.equal(status, 'completed');
    const [reasoning, message, ...functions] = output;
    assert.equal(reasoning.summary[0].text, 'hm "so"');
    assert.ok(reasoning.encrypted_content.length > 0);
    assert.ok(message.content[0].text.length > 0);
    assert.deepEqual(functions.map(({ name, arguments: told }) => [name, JSON.parse(told)]), calls);
    assert.equal(new Set(output.map(({ id }) => id)).size, output.length);
  }
  assert.equal(thought, 'hm "so"');
  const results = streamed.output.filter(({ type }) => type === 'function_call').map(({ call_id }) => ({ type: 'function_call_output', call_id, output: 'rain' }));
  await client.responses.create({ ...asked, input: [{ role: 'user', content: 'Weather?' }, ...streamed.output, ...results, { role: 'user', content: words({ output: 3 }) }] });
  const { messages } = claude.calls.at(-1).body;
  assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'user']);
  assert.deepEqual(messages[1].content.map(({ type }) => type), ['thinking', 'text', 'tool_use', 'tool_use']);
  assert.equal(messages[1].content[0].signature, streamed.output[0].encrypted_content);
  assert.deepEqual(messages[2].content.map(({ type }) => type), ['tool_result', 'tool_result', 'text']);
});

// ---- Completions and embeddings -----------------------------------------------------------------

test('completions: plain, several prompts, streaming', async () => {
  const one = await client.completions.create({ model: 'test-small', prompt: 'It goes on' }, named('completion'));
  assert.equal(one.choices[0].text, ' and so on');
  assert.equal(last().body.max_tokens, undefined, 'sixteen is the default, and affordable');
  await billed('completion');
  const many = await client.completions.create({ model: 'test-small', prompt: ['a', 'b'], n: 2, best_of: 3, max_tokens: 5 }, named('completions'));
  assert.equal(many.choices.length, 4);
  assert.equal((await billed('completions')).output_tokens, 30);
  let text = '';
  for await (const chunk of await client.completions.create({ model: 'test-small', prompt: 'x', stream: true }, named('completion-stream'))) {
    assert.equal(chunk.choices.length, 1, 'no usage chunk: nobody asked');
    text += chunk.choices[0].text;
  }
  assert.equal(text, ' and so on');
  await billed('completion-stream');
});

test('embeddings: the vectors as they came, nothing but input billed', async () => {
  const { data, usage } = await client.embeddings.create({ model: 'test-small', input: ['a', 'b'] }, named('embedding'));
  assert.deepEqual(data.map(({ embedding }) => [...embedding]), [[0.25, -0.5], [0.25, -0.5]]);
  const record = await billed('embedding');
  assert.deepEqual([record.input_tokens, record.output_tokens ?? 0], [usage.prompt_tokens, 0]);
});

// ---- Azure --------------------------------------------------------------------------------------

test('Azure\'s client: deployments in the path, its credential in its header', async () => {
  const azure = new AzureOpenAI({ apiKey: key, endpoint: mete.url, apiVersion: '2024-10-21' });
  const answer = await azure.chat.completions.create({ model: 'my-gpt', messages: [{ role: 'user', content: 'hi' }] }, named('azure'));
  assert.equal(answer.choices[0].message.content, 'from a deployment');
  const asked = last();
  assert.deepEqual([asked.deployment, asked.query, asked.headers['api-key'], asked.headers.authorization], ['my-gpt', '?api-version=2024-10-21', CREDENTIAL, undefined]);
  await billed('azure');
  const { usage } = await azure.embeddings.create({ model: 'my-gpt', input: 'x' }, named('azure-2'));
  assert.equal(last().path, '/openai/deployments/my-gpt/embeddings');
  assert.ok(usage.prompt_tokens > 0);
  await billed('azure-2');
  const completion = await azure.completions.create({ model: 'test-small', prompt: 'x' }, named('azure-3'));
  assert.equal(completion.choices[0].text, ' and so on');
  assert.equal(last().path, '/v1/completions', 'an OpenAI provider is asked on its own paths');
  const response = await azure.responses.create({ model: 'test-small', input: words({ say: 'x' }) }, named('azure-4'));
  assert.equal(response.output_text, 'x');
  // A deployment that the path alone names.
  const bare = await fetch(`${mete.url}/openai/deployments/test-small/completions?api-version=2024-10-21`, { method: 'POST', headers: { 'api-key': key }, body: '{"prompt":"x"}' });
  assert.equal(bare.status, 200);
  assert.equal(last().body.model, 'test-small');
});
