// SPDX-License-Identifier: Apache-2.0
// Proves that a thousand streams at once over a budget for a third of them never take it above its
// limit, that each one that began ends well for its client, and that the provider agrees: to the
// nano where it reported usage, and never above what was committed where it did not, or could not
// because it was cut off. A third of the provider's answers report usage, a third do not, and a
// third come from a model that takes no notice of its bound. Once for a model of which nobody knows
// the tokens, and twice for those whose encoding is public, read by the official clients of OpenAI
// and of Anthropic (translated, and of a provider that speaks their format): then what is charged is
// what tiktoken counts, with usage or without, and a stream that is cut ends at the very token that
// was set aside, as a "length" or "max_tokens" and no exception. The same holds of an encoding that
// the configuration names.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { Tiktoken, get_encoding as encodingOf } from 'tiktoken';
import { Mete, configuration, temporary } from './mete.mjs';
import { nano, text } from './money.mjs';
import { generator } from './provider.mjs';

const CALLS = 1000;
const TOKENS = 40; // asked for by each call
const INPUT = 10; // billed by the provider for each prompt that is not counted
const PRICE = 1000n; // nano-units a token, in and out
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

// Several tokens each, of one byte and of many, with what JSON escapes.
const PHRASES = [' tok', ' streams that', ' cannot outrun their budget.\n', ' "quoted" \\ and\ttabs', ' na\u00efve caf\u00e9s', '\u4f60\u597d\uff0c\u4e16\u754c\u3002', ' \u{1f469}\u200d\u{1f680}', ' 1234567', '\n\n    ', ' ====', 'ing', ' \u041f\u0440\u0438\u0432\u0435\u0442!'];
const tiktoken = encodingOf('o200k_base');
const tokensOf = (said) => tiktoken.encode_ordinary(said).length;
// As OpenAI documents it: three a message and three before the answer, the role is one.
const inputOf = (messages) => messages.reduce((sum, { role, content }) => sum + 3 + tokensOf(role) + tokensOf(content), 3);

// An encoding of nobody's: all bytes, and what some of the phrases are made of, each of two that are
// there before it.
const MERGED = [' t', 'ok', ' tok', ' s', 'tr', ' str', 'ea', 'ms', 'eams', ' streams', 'th', 'at', 'that', 'in', 'ing', '  ', '==', '====', '\n\n', '12', '34'];
const OWN_RANKS = [...Array.from({ length: 256 }, (_, byte) => Buffer.from([byte])), ...MERGED.map((word) => Buffer.from(word))].map((bytes) => bytes.toString('base64'));
const own = new Tiktoken(`! 0 ${OWN_RANKS.join(' ')}`, {}, createRequire(import.meta.url)('tiktoken/encoders/o200k_base.json').pat_str);
const OWN = 'llama-3.3-70b-versatile'; // which is known to show all it makes
const countOf = (model) => (model === OWN ? (said) => own.encode_ordinary(said).length : tokensOf);

class Streams {
  constructor() {
    this.calls = new Map();
    this.random = generator(7);
    this.server = http.createServer(async (request, response) => {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      const body = JSON.parse(Buffer.concat(pieces));
      await (request.url.startsWith('/v1/messages') ? this.message(body, response) : this.answer(body, response));
    });
  }

  async start() {
    // An idle connection that closes under a request loses it, and nothing here is about that.
    this.server.keepAliveTimeout = 0;
    await new Promise((done) => { this.server.listen(0, '127.0.0.1', 4096, done); });
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => { this.server.close(done); });
  }

  /** One token an event; what was written is what is billed. */
  async answer(body, response) {
    const { index, mode } = JSON.parse(body.messages[0].content);
    const exact = body.model !== 'crowd';
    const countTokens = countOf(body.model);
    const call = { mode, input: exact ? inputOf(body.messages) : INPUT, output: 0, text: '' };
    this.calls.set(index, call);
    const bound = body.max_completion_tokens ?? body.max_tokens;
    const length = mode === 'deaf' ? 20 * bound : Math.min(bound, 10 + Math.floor(this.random() * 40));
    const event = (more) => response.write(`data: ${JSON.stringify({ id: `c-${index}`, object: 'chat.completion.chunk', created: 1, model: body.model, ...more })}\n\n`);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    while (call.output < length && !response.destroyed) {
      const content = exact ? PHRASES[Math.floor(this.random() * PHRASES.length)] : ' tok';
      const output = exact ? countTokens(call.text + content) : call.output + 1;
      if (mode !== 'deaf' && output > (call.text ? length : bound)) break; // something is said always
      event({ choices: [{ index: 0, delta: { content } }] });
      Object.assign(call, { output, text: call.text + content });
      await sleep(4 + this.random() * 8);
    }
    if (response.destroyed) return;
    event({ choices: [{ index: 0, delta: {}, finish_reason: call.output === bound ? 'length' : 'stop' }] });
    if (mode !== 'silent') {
      event({ choices: [], usage: { prompt_tokens: call.input, completion_tokens: call.output, total_tokens: call.input + call.output } });
    }
    response.end('data: [DONE]\n\n');
  }

  /** The same in Anthropic's format. Its clients want to be told usage, so nothing is silent. */
  async message(body, response) {
    const { index, mode } = JSON.parse(body.messages[0].content);
    const call = { mode: mode === 'silent' ? 'report' : mode, input: inputOf(body.messages), output: 0, text: '' };
    this.calls.set(index, call);
    const length = mode === 'deaf' ? 20 * body.max_tokens : Math.min(body.max_tokens, 10 + Math.floor(this.random() * 40));
    const event = (type, more) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    event('message_start', { message: { id: `m-${index}`, type: 'message', role: 'assistant', model: body.model, content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: call.input, output_tokens: 1 } } });
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
    while (call.output < length && !response.destroyed) {
      const said = PHRASES[Math.floor(this.random() * PHRASES.length)];
      const output = tokensOf(call.text + said);
      if (mode !== 'deaf' && output > length) break;
      event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: said } });
      Object.assign(call, { output, text: call.text + said });
      await sleep(4 + this.random() * 8);
    }
    if (response.destroyed) return;
    event('content_block_stop', { index: 0 });
    event('message_delta', { delta: { stop_reason: call.output === body.max_tokens ? 'max_tokens' : 'end_turn', stop_sequence: null }, usage: { output_tokens: call.output } });
    event('message_stop', {});
    response.end();
  }

  static bill(call) { return BigInt(call.input + call.output) * PRICE; }
}

let provider;
let mete;
let key;
before(async () => {
  provider = await new Streams().start();
  const config = configuration({ url: provider.url });
  const cost = { input_per_million: '1', output_per_million: '1' };
  config.model_costs = { crowd: cost, 'gpt-4o': cost, 'gpt-4.1': cost };
  config.providers[0].models = ['crowd', 'gpt-4o'];
  config.providers.push({ name: 'native', dialect: 'anthropic', base_url: provider.url, api_key: 'any', models: ['gpt-4.1'] });
  mete = await Mete.start({ config });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const modeOf = (index) => ['report', 'silent', 'deaf'][index % 3];

/** Reads a stream as a client does: 'refused', or its last finish_reason; throws if it is not well-formed. */
async function one(index) {
  const mode = modeOf(index);
  const reply = await mete.chat(key, {
    model: 'crowd', max_tokens: TOKENS, stream: true, messages: [{ role: 'user', content: JSON.stringify({ index, mode }) }],
  }, { headers: { 'X-Request-ID': `s-${index}` } });
  const body = await reply.text();
  if (reply.status === 429) return 'refused';
  assert.equal(reply.status, 200, body);
  const data = body.split('\n\n').filter((event) => event.startsWith('data: ')).map((event) => event.slice(6));
  assert.equal(data.at(-1), '[DONE]', `stream ${index} (${mode}) ends: ${body.slice(-300)}`);
  let finish = null;
  for (const each of data.slice(0, -1)) {
    const chunk = JSON.parse(each);
    assert.ok(!chunk.error, each);
    assert.equal(finish, null, 'nothing follows the end');
    finish = chunk.choices[0].finish_reason ?? null;
  }
  assert.ok(finish === 'stop' || finish === 'length', `finish_reason ${finish}`);
  return finish;
}

const texts = new Map(); // what the official client was told, by call

/** The same, by the official client. */
async function official(index) {
  const client = new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  let finish = null;
  let said = '';
  try {
    const stream = await client.chat.completions.create({
      model: 'gpt-4o', max_tokens: TOKENS, stream: true, messages: [{ role: 'user', content: JSON.stringify({ index, mode: modeOf(index) }) }],
    }, { headers: { 'X-Request-ID': `s-${index}` } });
    for await (const chunk of stream) {
      assert.equal(finish, null, 'nothing follows the end');
      said += chunk.choices[0]?.delta?.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? null;
    }
  } catch (error) {
    if (error.status === 429) return 'refused';
    throw error;
  }
  texts.set(index, said);
  assert.ok(finish === 'stop' || finish === 'length', `finish_reason ${finish}`);
  return finish;
}

/** The same, by Anthropic's: every other one of a provider that speaks its format itself. */
async function anthropic(index) {
  const client = new Anthropic({ apiKey: key, baseURL: mete.url, maxRetries: 0 });
  let message;
  try {
    message = await client.messages.stream({
      model: index % 2 ? 'gpt-4.1' : 'gpt-4o', max_tokens: TOKENS, messages: [{ role: 'user', content: JSON.stringify({ index, mode: modeOf(index) }) }],
    }, { headers: { 'X-Request-ID': `s-${index}` } }).finalMessage();
  } catch (error) {
    if (error.status === 402) return 'refused';
    throw error;
  }
  texts.set(index, message.content.map((part) => part.text).join(''));
  assert.ok(message.stop_reason === 'end_turn' || message.stop_reason === 'max_tokens', `stop_reason ${message.stop_reason}`);
  return message.stop_reason === 'max_tokens' ? 'length' : 'stop';
}

/** A thousand calls of an organization of their own: how they ended, and their records. */
async function crowd(organization, call) {
  key = (await mete.organization(organization)).key;
  const budgets = `/api/v1/organizations/${organization}/budgets`;
  // What one call sets aside is not known here to the token: a first one, alone, tells.
  await mete.budget(organization, { id: 'wide', amount: '1000' });
  const probe = call(3 * CALLS);
  let reserve = 0n;
  await mete.until(async () => {
    const { held } = await mete.must('GET', `${budgets}/wide`);
    reserve = nano(held) > reserve ? nano(held) : reserve;
    return reserve > 0n;
  });
  await probe;
  await mete.idle();
  provider.calls.clear();
  const limit = (reserve * BigInt(CALLS)) / 3n;
  await mete.budget(organization, { id: 'third', amount: text(limit) });

  let watching = true;
  const watch = (async () => {
    while (watching) {
      const { used, held } = await mete.must('GET', `${budgets}/third`);
      assert.ok(nano(used) + nano(held) <= limit, `used ${used} and held ${held} are over ${text(limit)}`);
      await sleep(5);
    }
  })();
  let outcomes;
  try {
    outcomes = await Promise.all(Array.from({ length: CALLS }, (_, index) => call(index)));
    await mete.idle();
  } finally {
    watching = false;
    await watch;
  }
  const count = (what) => outcomes.filter((outcome) => outcome === what).length;
  assert.ok(count('refused') > CALLS / 4, `${count('refused')} were refused`);
  assert.ok(count('stop') + count('length') > CALLS / 10, 'many ran');

  await mete.settled();
  const records = new Map((await mete.all(`/api/v1/records?organization=${organization}&limit=1000`)).map((record) => [record.request_id, record]));
  let sum = 0n;
  for (const index of provider.calls.keys()) {
    assert.ok(records.get(`s-${index}`), `a record of call ${index}`);
    sum += nano(records.get(`s-${index}`).cost);
  }
  const budget = await mete.must('GET', `${budgets}/third`);
  assert.equal(nano(budget.held), 0n);
  assert.equal(nano(budget.used), sum, 'the ledger is what the records say');
  assert.ok(sum <= limit);
  const cut = [...provider.calls.keys()].filter((index) => records.get(`s-${index}`).ending === 'cut').length;
  assert.ok(cut > 10, `${cut} streams were cut`);
  return { outcomes, records, cut };
}

const cuts = async () => (await mete.metrics()).mete_streams_cut_total;

test('a thousand streams over a budget for a third', { timeout: 120000 }, async () => {
  const before = await cuts();
  const { records, cut } = await crowd('crowd', one);
  for (const [index, call] of provider.calls) {
    const record = records.get(`s-${index}`);
    const cost = nano(record.cost);
    const bill = Streams.bill(call);
    if (record.ending === 'ok') assert.equal(cost, bill, `call ${index} (${call.mode})`);
    else assert.ok(bill <= cost, `call ${index} (${call.mode}, ${record.ending}): billed ${bill}, committed ${cost}`);
  }
  assert.equal(await cuts() - before, cut);
});

/** A thousand streams that are counted, read by an official client. */
async function exactly(organization, call) {
  const before = await cuts();
  texts.clear();
  const { records, cut, outcomes } = await crowd(organization, call);
  for (const [index, made] of provider.calls) {
    const record = records.get(`s-${index}`);
    const name = `call ${index} (${made.mode}, ${record.ending})`;
    const said = texts.get(index);
    assert.equal(nano(record.cost), BigInt(record.input_tokens + record.output_tokens) * PRICE, name);
    assert.ok(made.text.startsWith(said), name);
    if (record.ending === 'cut') {
      // All that was set aside, and of the text as much as that is: a character may have some tokens.
      assert.equal(outcomes[index], 'length', name);
      assert.ok(record.output_tokens >= TOKENS && record.output_tokens < made.output, name);
      assert.ok(tokensOf(said) <= record.output_tokens && tokensOf(said) > record.output_tokens - 4, `${name}: ${tokensOf(said)} of ${record.output_tokens}`);
    } else {
      assert.equal(said, made.text, name);
      assert.equal(record.output_tokens, tokensOf(said), name);
      assert.equal(record.counted, made.mode === 'silent', name);
      assert.equal(nano(record.cost), Streams.bill(made), name);
    }
  }
  assert.equal(await cuts() - before, cut);
}

test('the same, counted to the token', { timeout: 120000 }, async () => {
  await exactly('counted', official);
  const metrics = await (await fetch(`${mete.metricsUrl}/metrics`)).text();
  const of = (pattern) => Number(pattern.exec(metrics)[1]);
  const counted = of(/^mete_stream_token_accuracy_count\{encoding="o200k_base"\} (\d+)$/m);
  assert.ok(counted > CALLS / 20, `${counted} streams had usage`);
  assert.equal(of(/^mete_stream_token_accuracy_bucket\{encoding="o200k_base",le="0"\} (\d+)$/m), counted, 'each of them was counted exactly');
});

test('the same, by the other official client', { timeout: 120000 }, async () => {
  await exactly('anthropic', anthropic);
});

test('a translated stream ends at the very token, as its official client reads it', { timeout: 60000 }, async () => {
  key = (await mete.organization('translated')).key;
  await mete.budget('translated', { id: 'b', amount: '0.0002' }); // for some of the hundreds that come
  const client = new Anthropic({ apiKey: key, baseURL: mete.url, maxRetries: 0 });
  const stream = client.messages.stream({
    model: 'gpt-4o', max_tokens: TOKENS, messages: [{ role: 'user', content: JSON.stringify({ index: 'messages', mode: 'deaf' }) }],
  });
  const message = await stream.finalMessage();
  const call = provider.calls.get('messages');
  const said = message.content.map((part) => part.text).join('');
  await mete.idle();
  await mete.settled();
  const [record] = await mete.all('/api/v1/records?organization=translated');
  assert.equal(message.stop_reason, 'max_tokens');
  assert.equal(record.ending, 'cut');
  assert.ok(call.text.startsWith(said) && said.length < call.text.length);
  assert.ok(tokensOf(said) <= record.output_tokens && tokensOf(said) > record.output_tokens - 4, `${tokensOf(said)} of ${record.output_tokens}`);
  assert.equal(message.usage.output_tokens, record.output_tokens);
  assert.ok(nano(record.cost) <= nano('0.0002'));
});

test('a prompt of megabytes is set aside to the token, whatever runs beside it', { timeout: 120000 }, async () => {
  const random = generator(11);
  let long = '';
  while (long.length < 3 << 20) long += PHRASES[Math.floor(random() * PHRASES.length)];
  const messages = [{ role: 'user', content: JSON.stringify({ index: 'long', mode: 'report' }) }, { role: 'user', content: long }];
  const input = BigInt(inputOf(messages));
  const body = { model: 'gpt-4o', max_tokens: 1, stream: true, messages };
  const { key: other } = await mete.organization('beside');
  for (const [organization, amount, status] of [['long-less', input * PRICE, 429], ['long-enough', (input + 1n) * PRICE, 200]]) {
    key = other;
    const beside = Array.from({ length: 20 }, (_, index) => one((status + index) * 300));
    key = (await mete.organization(organization)).key;
    await mete.budget(organization, { id: 'b', amount: text(amount) });
    const reply = await mete.chat(key, body, { headers: { 'X-Request-ID': organization } });
    assert.equal(reply.status, status, (await reply.text()).slice(-500));
    await Promise.all(beside);
  }
  await mete.idle();
  await mete.settled();
  const [record] = await mete.all('/api/v1/records?organization=long-enough');
  assert.equal(BigInt(record.input_tokens), input);
  assert.equal(nano((await mete.must('GET', '/api/v1/organizations/long-enough/budgets/b')).held), 0n);
});

test('an encoding that the configuration names meters streams, and cuts them', { timeout: 60000 }, async () => {
  const directory = temporary();
  fs.writeFileSync(path.join(directory, 'own.tiktoken'), OWN_RANKS.map((word, rank) => `${word} ${rank}\n`).join(''));
  const config = configuration({ url: provider.url });
  config.providers[0].name = 'groq';
  config.model_costs = { [`groq/${OWN}`]: { input_per_million: '1', output_per_million: '1' } };
  config.encodings = [{ name: 'own', file: path.join(directory, 'own.tiktoken'), pattern: 'o200k', models: ['llama-3.3'] }];
  const other = await Mete.start({ config });
  try {
    const { key: ours } = await other.organization('own');
    const client = new OpenAI({ apiKey: ours, baseURL: `${other.url}/v1`, maxRetries: 0 });
    const ask = async (index, mode, id) => {
      let said = '';
      let finish = null;
      const stream = await client.chat.completions.create({ model: OWN, max_tokens: TOKENS, stream: true, messages: [{ role: 'user', content: JSON.stringify({ index, mode }) }] }, { headers: { 'X-Request-ID': id } });
      for await (const chunk of stream) {
        said += chunk.choices[0]?.delta?.content ?? '';
        finish = chunk.choices[0]?.finish_reason ?? finish;
      }
      await other.idle();
      await other.settled();
      const [record] = await other.all(`/api/v1/records?organization=own&request_id=${id}`);
      return { call: provider.calls.get(index), said, finish, record, count: countOf(OWN)(said) };
    };
    let more = 0; // than they have in the encoding of other models
    for (let i = 0; i < 10; i += 1) {
      const { call, said, record, count } = await ask(`own-${i}`, 'silent', `own-${i}`);
      assert.equal(said, call.text);
      more += count - tokensOf(said);
      assert.deepEqual([record.ending, record.counted, record.output_tokens], ['no_usage', true, count]);
    }
    assert.notEqual(more, 0);
    // What one call sets aside, and no more, is what is left.
    const { record: last } = await ask('own-report', 'silent', 'own-report');
    await other.budget('own', { id: 'b', amount: text(BigInt(last.input_tokens + TOKENS + 8) * PRICE) });
    const { call, said, finish, record, count } = await ask('own-deaf', 'deaf', 'own-deaf');
    assert.deepEqual([finish, record.ending], ['length', 'cut']);
    assert.ok(call.text.startsWith(said) && said.length < call.text.length);
    assert.ok(record.output_tokens >= TOKENS && count <= record.output_tokens && count > record.output_tokens - 4, `${count} of ${record.output_tokens}`);
    assert.equal(nano(record.cost), BigInt(record.input_tokens + record.output_tokens) * PRICE);
  } finally {
    await other.stop();
  }
});
