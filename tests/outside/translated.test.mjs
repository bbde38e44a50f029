// SPDX-License-Identifier: Apache-2.0
// Proves, with what real providers sent (tests/data), that a client of chat completions, of Anthropic's
// messages or of OpenAI's responses gets from a provider of another format what that provider said
// and billed: for every recorded exchange a plain question in the client's words, the recorded bytes
// behind it in random pieces, and then the same text, the same reasoning, the same calls of tools, why
// it ended, and usage in the client's answer and in the record. What was said is read here from the
// bytes of either side, by readers of the test's own. What ran makes a table of docs/dialects.md, as
// recorded.test.mjs does.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { pool } from './mete.mjs';
import { nano } from './money.mjs';
import { Recorded, answerOf, awsMessages, expectedOf, gateway, load, otherFigures, recordsOf, sseBlocks, sseData, traceOf, writeTable } from './recorded.mjs';

const SEED = Number(process.env.METE_SEED ?? 20261121);
const WIDTH = 12;

// ---- What the provider said ---------------------------------------------------------------------

class Said {
  constructor() { Object.assign(this, { text: '', thinking: '', calls: [], finish: undefined }); }

  call(name, input, id) { this.calls.push({ name, input, id }); }

  piece(text) { this.calls.at(-1).input += text; }

  /** Arguments that came in pieces are JSON text. */
  done() {
    for (const call of this.calls) if (typeof call.input === 'string') call.input = JSON.parse(call.input || '{}');
    return this;
  }
}

const FINISH = {
  end_turn: 'stop', stop_sequence: 'stop', tool_use: 'tool_calls', max_tokens: 'length', refusal: 'content_filter',
  guardrail_intervened: 'content_filter', content_filtered: 'content_filter',
  STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'content_filter', PROHIBITED_CONTENT: 'content_filter',
  tool_calls: 'tool_calls', function_call: 'tool_calls', content_filter: 'content_filter',
  COMPLETE: 'stop', STOP_SEQUENCE: 'stop', TOOL_CALL: 'tool_calls',
  stop: 'stop', length: 'length',
};

const READERS = {
  chat(said, event) {
    const choice = event.choices?.find((each) => (each.index ?? 0) === 0);
    const message = choice?.message ?? choice?.delta ?? {};
    if (event.error) said.failed = true;
    for (const part of [message.content ?? []].flat()) {
      if (typeof part === 'string') said.text += part;
      if (part.type === 'text') said.text += part.text;
      for (const thought of part.thinking ?? []) said.thinking += thought.text;
    }
    said.text += message.refusal ?? '';
    said.thinking += message.reasoning_content ?? message.reasoning ?? '';
    for (const call of message.tool_calls ?? []) {
      if (call.function.name && (choice.message || call.id !== said.calls.at(-1)?.id)) said.call(call.function.name, '', call.id);
      const { arguments: piece = '' } = call.function;
      said.piece(typeof piece === 'string' ? piece : JSON.stringify(piece));
    }
    said.finish = choice?.finish_reason ?? said.finish;
    said.usage = event.usage ?? said.usage;
  },
  responses(said, event) {
    const { response = event.object === 'response' ? event : null } = event;
    if (event.type === 'response.output_text.delta') said.shown = (said.shown ?? '') + event.delta;
    if (!response || !/^(completed|incomplete|failed)$/.test(response.status)) return;
    said.failed = response.status === 'failed';
    for (const item of response.output) {
      if (item.type === 'message') for (const part of item.content) said.text += part.text ?? part.refusal;
      if (item.type === 'reasoning') for (const part of [...item.summary, ...(item.content ?? [])]) said.thinking += part.text;
      if (item.type === 'function_call') said.call(item.name, item.arguments, item.call_id);
    }
    const calls = said.calls.length ? 'tool_calls' : 'stop';
    said.finish = { max_output_tokens: 'length', content_filter: 'content_filter' }[response.incomplete_details?.reason] ?? calls;
    said.usage = response.usage;
  },
  messages(said, event) {
    const block = (each) => {
      if (each.type === 'text') said.text += each.text;
      if (each.type === 'thinking') said.thinking += each.thinking;
      if (each.type === 'tool_use') said.call(each.name, Object.keys(each.input).length ? each.input : '', each.id);
    };
    if (event.type === 'message') {
      event.content.forEach(block);
      said.finish = event.stop_reason;
    }
    said.usage = { ...said.usage, ...event.message?.usage, ...event.usage };
    if (event.type === 'content_block_start') {
      said.open = event.content_block.type;
      block(event.content_block);
    }
    if (event.type === 'content_block_delta') {
      said.text += event.delta.text ?? '';
      said.thinking += event.delta.thinking ?? '';
      if (said.open === 'tool_use') said.piece(event.delta.partial_json ?? '');
    }
    if (event.type === 'message_delta') said.finish = event.delta.stop_reason;
  },
  gemini(said, event) {
    const [candidate] = event.candidates ?? [];
    for (const part of candidate?.content?.parts ?? []) {
      if (part.text !== undefined) said[part.thought ? 'thinking' : 'text'] += part.text;
      if (part.functionCall) said.call(part.functionCall.name, part.functionCall.args ?? {});
    }
    said.finish = candidate?.finishReason ?? said.finish;
  },
  converse(said, event) {
    for (const block of event.output?.message?.content ?? []) {
      said.text += block.text ?? '';
      said.thinking += block.reasoningContent?.reasoningText?.text ?? '';
      if (block.toolUse) said.call(block.toolUse.name, block.toolUse.input);
    }
    const start = event.contentBlockStart?.start;
    const delta = event.contentBlockDelta?.delta ?? {};
    if (start?.toolUse) said.call(start.toolUse.name, '');
    said.text += delta.text ?? '';
    said.thinking += delta.reasoningContent?.text ?? '';
    if (delta.toolUse) said.piece(delta.toolUse.input);
    said.finish = event.stopReason ?? event.messageStop?.stopReason ?? said.finish;
  },
  cohere(said, event) {
    const { message = {} } = event.delta ?? event;
    said.thinking += message.tool_plan ?? '';
    for (const block of [message.content ?? []].flat()) {
      said.text += block.text ?? '';
      said.thinking += block.thinking ?? '';
    }
    for (const call of [message.tool_calls ?? []].flat()) {
      if (call.id) said.call(call.function.name, call.function.arguments);
      else said.piece(call.function.arguments);
    }
    said.finish = event.finish_reason ?? event.delta?.finish_reason ?? said.finish;
  },
  ollama(said, event) {
    said.text += event.message.content;
    said.thinking += event.message.thinking ?? '';
    for (const call of event.message.tool_calls ?? []) said.call(call.function.name, call.function.arguments);
    said.finish = event.done_reason ?? said.finish;
  },
};

/** The documents of an answer, in their order. */
function documents(row) {
  const { headers, bytes } = sentFor(row);
  const type = headers['content-type'];
  if (/amazon/.test(type)) return awsMessages(bytes).map(({ headers: of, payload }) => ({ [of[':event-type']]: JSON.parse(payload) }));
  const text = bytes.toString('utf8');
  if (/event-stream/.test(type)) return sseBlocks(text).map(sseData).filter((data) => data !== null && data !== '[DONE]').map((data) => JSON.parse(data));
  if (row.stream) return text.split('\n').filter((line) => line.trim()).map((line) => JSON.parse(line));
  return [JSON.parse(text)];
}

function saidBy(row) {
  const said = new Said();
  if (!row.stream && format(row).reader === 'chat' && !JSON.parse(row.response).choices?.length) return null;
  for (const document of documents(row)) READERS[format(row).reader](said, document);
  return said.done();
}

const FORMATS = [
  { name: 'OpenAI chat completions', family: 'openai', reader: 'chat', endpoints: ['chat.completions'] },
  { name: 'Anthropic messages', family: 'anthropic', reader: 'messages', endpoints: ['messages'] },
  // Arguments in pieces come only to who asks for them, and no translated request does.
  { name: 'Gemini generateContent', family: 'gemini', reader: 'gemini', endpoints: ['generateContent', 'streamGenerateContent'], model: /models\/([^:/?]+)/,
    only: (row) => !row.response.includes('"partialArgs"') },
  { name: 'Bedrock converse', family: 'bedrock', reader: 'converse', endpoints: ['converse', 'converse-stream'], model: /model\/([^/]+)/ },
  { name: 'Ollama chat', family: 'ollama', reader: 'ollama', endpoints: ['ollama.chat'] },
  { name: 'Cohere chat', family: 'cohere', reader: 'cohere', endpoints: ['cohere.chat'], only: (row) => row.provider === 'cohere' && !/\/v1\//.test(row.uri ?? '') },
];
const format = (row) => FORMATS.find((each) => each.endpoints.includes(row.endpoint) && (each.only?.(row) ?? true));

/** As the provider answers who asks for events: an array of Google's is what others ask for. */
function sentFor(row) {
  const answer = answerOf(row);
  if (row.kind !== 'json-array-stream') return answer;
  const events = JSON.parse(answer.bytes).map((each) => `data: ${JSON.stringify(each)}\r\n\r\n`).join('');
  return { ...answer, headers: { ...answer.headers, 'content-type': 'text/event-stream' }, bytes: Buffer.from(events) };
}

// ---- What the client got ------------------------------------------------------------------------

// The clients: what each asks, and the usage it is told: [input, output, cached, reasoning].
const CLIENTS = [
  { name: 'chat completions', reader: 'chat', path: '/v1/chat/completions',
    ask: (model, stream) => ({ model, messages: [{ role: 'user', content: 'Say it again.' }], ...(stream ? { stream, stream_options: { include_usage: true } } : {}) }),
    usage: (u) => [u.prompt_tokens, u.completion_tokens, u.prompt_tokens_details?.cached_tokens ?? 0] },
  { name: 'messages', reader: 'messages', path: '/v1/messages',
    ask: (model, stream) => ({ model, max_tokens: 4096, messages: [{ role: 'user', content: 'Say it again.' }], ...(stream ? { stream } : {}) }),
    usage: (u) => [u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0), u.output_tokens, u.cache_read_input_tokens ?? 0] },
  { name: 'responses', reader: 'responses', path: '/v1/responses',
    ask: (model, stream) => ({ model, input: 'Say it again.', ...(stream ? { stream } : {}) }),
    usage: (u) => [u.input_tokens, u.output_tokens, u.input_tokens_details?.cached_tokens ?? 0] },
];

function gotBy(one) {
  const got = new Said();
  if (!one.stream) {
    READERS[one.client.reader](got, JSON.parse(one.text));
    return got.done();
  }
  const data = sseBlocks(one.text).map(sseData).filter((each) => each !== null);
  if (one.client.reader === 'chat') assert.equal(data.pop(), '[DONE]');
  for (const each of data) {
    const event = JSON.parse(each);
    assert.equal(event.error ?? undefined, undefined, each);
    READERS[one.client.reader](got, event);
  }
  assert.ok(got.finish, 'it says why it ends');
  return got.done();
}

// ---- The plays ----------------------------------------------------------------------------------

const rows = load().filter((row) => format(row));
const provider = new Recorded(rows, { seed: SEED, answers: sentFor });
const gateways = new Map(); // family -> {mete, key}
const plays = new Map(); // 'client/row' -> what came of it

function modelOf(row) {
  const inPath = format(row).model?.exec(row.uri ?? '')?.[1];
  return row.model_request ?? (inPath ? decodeURIComponent(inPath) : undefined) ?? row.model_response ?? 'recorded';
}

async function play(client, row) {
  const { mete, key } = gateways.get(format(row).family);
  const stream = row.stream || row.endpoint.endsWith('stream');
  const number = CLIENTS.indexOf(client);
  const one = { client, row, stream, name: `${number}/${row.id}`, id: `translated-${number}-${row.id}`, text: '' };
  plays.set(one.name, one);
  try {
    one.reply = await fetch(`${mete.url}${client.path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-request-id': one.id, traceparent: traceOf(row.id, number) },
      body: JSON.stringify(client.ask(modelOf(row), stream)),
    });
    one.text = await one.reply.text();
  } catch (error) {
    one.failure = `${error.message} ${error.cause?.message ?? ''}`;
  }
}

// A client is not translated to a provider that speaks its own format.
const NATIVE = { openai: ['chat', 'responses'], anthropic: ['messages'] };
const translates = (client, each) => !(NATIVE[each.family] ?? []).includes(client.reader);

before(async () => {
  await provider.start();
  for (const each of FORMATS) gateways.set(each.family, await gateway(each.family, provider));
  for (const client of CLIENTS) await pool(rows.filter((row) => translates(client, format(row))), WIDTH, (row) => play(client, row));
  const records = new Map();
  for (const { mete } of gateways.values()) await recordsOf(mete, records);
  for (const one of plays.values()) {
    try {
      one.problems = judge(one, records.get(one.id) ?? []);
    } catch (error) {
      one.problems = [`cannot be read: ${error.message}`];
    }
  }
});
after(async () => {
  await Promise.all([...gateways.values()].map(({ mete }) => mete.stop()));
  await provider.stop();
});

function judge(one, records) {
  const problems = [];
  const { status } = sentFor(one.row);
  if (one.failure) return [one.failure];
  if (!provider.asked.has(one.name)) return [`the provider was not asked: ${one.reply.status} ${one.text.slice(0, 200)}`];
  if (status < 400 && (saidBy(one.row) === null || saidBy(one.row).failed)) return judgeNone(one);
  if (one.reply.status !== status) return [`status ${one.reply.status} in place of ${status}: ${one.text.slice(0, 300)}`];
  if (records.length !== 1) return [`${records.length} records`];
  if (status >= 400) judgeError(one, records[0], problems);
  else judgeAnswer(one, records[0], problems);
  return problems;
}

// No answer, or one that ends with an error: the client is told so, in its words.
function judgeNone(one) {
  if (saidBy(one.row) === null) return one.reply.status === 502 && /upstream_unreadable|not of the format/.test(one.text) ? [] : [`${one.reply.status} ${one.text.slice(0, 200)}`];
  const last = sseBlocks(one.text).map(sseData).filter((each) => each !== null).at(-1);
  return /error|failed/.test(last) ? [] : [`ends with ${last}`];
}

function judgeError(one, record, problems) {
  const native = JSON.parse(one.row.response);
  const { error } = JSON.parse(one.text);
  if (error?.message !== (native.error?.message ?? native.message)) problems.push(`the error says ${one.text.slice(0, 200)}`);
  if (record.ending !== 'error' || nano(record.cost) !== 0n) problems.push(`an error is recorded as ${record.ending}, cost ${record.cost}`);
}

function judgeAnswer(one, record, problems) {
  const { row } = one;
  let got;
  try {
    got = gotBy(one);
  } catch (error) {
    problems.push(`no answer of ${one.client.name}: ${error.message} ${one.text.slice(-300)}`);
    return;
  }
  const said = saidBy(row);
  for (const name of ['text', 'thinking'])
    if (got[name] !== said[name]) problems.push(`${name} is ${JSON.stringify(got[name].slice(0, 80))} (${got[name].length}) in place of ${JSON.stringify(said[name].slice(0, 80))} (${said[name].length})`);
  const bare = (calls) => calls.map(({ name, input }) => ({ name, input }));
  if (got.shown !== undefined && got.shown !== got.text) problems.push('the deltas are not the text');
  if (!isDeepStrictEqual(bare(got.calls), bare(said.calls))) problems.push(`calls ${JSON.stringify(got.calls).slice(0, 200)} in place of ${JSON.stringify(said.calls).slice(0, 200)}`);
  if (new Set(got.calls.map(({ id }) => id)).size !== got.calls.length) problems.push('two calls have one id');
  const finish = said.calls.length && FINISH[said.finish] === 'stop' ? 'tool_calls' : FINISH[said.finish];
  if (finish && FINISH[got.finish] !== finish) problems.push(`finish ${got.finish} in place of ${finish} (${said.finish})`);
  if (!row.expected) {
    if (!record.counted) problems.push('without usage, and not counted');
    return;
  }
  if (record.counted || record.provisional) problems.push(`usage was reported, and is not believed (${record.ending})`);
  problems.push(...otherFigures(row, record));
  const { input, output, cached } = expectedOf(row);
  if (!got.usage || !isDeepStrictEqual(one.client.usage(got.usage), [input, output, cached])) problems.push(`the client is told ${JSON.stringify(got.usage)}`);
  const cost = one.stream ? got.usage?.cost ?? /^: mete-cost (\S+)$/m.exec(one.text)?.[1] : one.reply.headers.get('x-mete-cost');
  if (cost === undefined || nano(String(cost)) !== nano(record.cost)) problems.push(`cost ${cost}, recorded ${record.cost}`);
}

// ---- The table and the tests --------------------------------------------------------------------

const of = (client, each) => [...plays.values()].filter((one) => one.client === client && format(one.row) === each);

function cell(client, each) {
  const own = of(client, each);
  const red = own.filter((one) => one.problems.length).length;
  if (!own.length) return 'its own';
  return `${red ? `✗ ${red} of ` : '✓ '}${own.length}`;
}

function table() {
  const lines = [`| provider's format | ${CLIENTS.map((client) => client.name).join(' | ')} |`, `|---|${'---|'.repeat(CLIENTS.length)}`];
  for (const each of FORMATS) lines.push(`| ${each.name} | ${CLIENTS.map((client) => cell(client, each)).join(' | ')} |`);
  return lines.join('\n');
}

for (const each of FORMATS) {
  for (const client of CLIENTS.filter((one) => translates(one, each))) {
    test(`a client of ${client.name} gets what ${each.name} said and billed`, (t) => {
      const own = of(client, each);
      const bad = own.filter((one) => one.problems.length);
      t.diagnostic(`${own.length} plays`);
      assert.ok(own.length > 0);
      assert.equal(bad.length, 0, `${bad.length} of ${own.length} (seed ${SEED}):\n${bad.slice(0, 20).map(({ row, problems }) => `  ${row.id} ${row.provider} ${row.endpoint} ${row.kind}: ${problems.slice(0, 3).join('; ')}`).join('\n')}`);
    });
  }
}

test('the table of docs/dialects.md is what ran', () => { writeTable('translated.test.mjs', table()); });
