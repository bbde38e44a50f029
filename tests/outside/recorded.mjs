// SPDX-License-Identifier: Apache-2.0
// What real providers sent (tests/data/recorded.tar.xz), and a provider that sends it again: the
// recorded bytes, status and headers, in pieces of a seeded generator's choice that end anywhere.
// Which exchange a request is for stands in its trace id, the one header that a gateway passes on.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { ROOT } from './contract.mjs';
import { Mete, run, temporary } from './mete.mjs';
import { CREDENTIAL, generator } from './provider.mjs';

/** All exchanges: the rows of the index, with .response (bytes) and .request (text or null). */
export function load() {
  const directory = temporary();
  const done = spawnSync('tar', ['-xJf', `${ROOT}tests/data/recorded.tar.xz`, '-C', directory], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`recorded.tar.xz: ${done.error ?? done.stderr}`);
  const read = (name) => fs.readFileSync(path.join(directory, name));
  return read('index.jsonl').toString('utf8').trim().split('\n').map((line) => {
    const row = JSON.parse(line);
    const response = read(row.resp_file);
    // The index files some of a provider's responses under its chat completions.
    const endpoint = row.uri === null && /^\s*\{\s*("type":\s*"response\.|"id":\s*"resp_)/.test(response.toString('latin1')) ? 'responses' : row.endpoint;
    return { ...row, endpoint, response, request: row.req_file ? read(row.req_file).toString('utf8') : null };
  });
}

// ---- Framings ---------------------------------------------------------------------------------

const CRC = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});

function crc32(bytes) {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC[(c ^ byte) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** One message of application/vnd.amazon.eventstream. */
export function awsMessage(type, payload) {
  const headers = Buffer.concat(Object.entries({ ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' })
    .map(([name, value]) => {
      const head = Buffer.from([name.length, ...Buffer.from(name), 7, 0, value.length]);
      return Buffer.concat([head, Buffer.from(value)]);
    }));
  const body = Buffer.from(payload);
  const message = Buffer.alloc(16 + headers.length + body.length);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(headers.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  headers.copy(message, 12);
  body.copy(message, 12 + headers.length);
  message.writeUInt32BE(crc32(message.subarray(0, message.length - 4)), message.length - 4);
  return message;
}

/** The messages of such a stream: [{headers, payload}]; throws where it is not one. */
export function awsMessages(bytes) {
  const messages = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const message = bytes.subarray(at, at + length);
    if (length < 16 || message.length < length) throw new Error(`half a message at ${at}`);
    const headersLength = message.readUInt32BE(4);
    if (crc32(message.subarray(0, 8)) !== message.readUInt32BE(8)) throw new Error(`prelude's sum at ${at}`);
    if (crc32(message.subarray(0, length - 4)) !== message.readUInt32BE(length - 4)) throw new Error(`message's sum at ${at}`);
    const headers = {};
    for (let h = 12; h < 12 + headersLength;) {
      const name = message.subarray(h + 1, h + 1 + message[h]).toString();
      h += 1 + message[h];
      if (message[h] !== 7) throw new Error(`a header of type ${message[h]}`);
      const size = message.readUInt16BE(h + 1);
      headers[name] = message.subarray(h + 3, h + 3 + size).toString();
      h += 3 + size;
    }
    messages.push({ headers, payload: message.subarray(12 + headersLength, length - 4).toString('utf8') });
    at += length;
  }
  return messages;
}

/** The blocks of an event stream, as they stand, without their ends; half a one at the end too. */
export function sseBlocks(text) {
  return text.split(/\r\n\r\n|\n\n|\r\r/).filter((block) => block.trim());
}

/** The joined data of a block; null: it has none (a comment). */
export function sseData(block) {
  const lines = block.split(/\r\n|\n|\r/).filter((line) => /^data(:|$)/.test(line));
  return lines.length ? lines.map((line) => line.replace(/^data:? ?/, '')).join('\n') : null;
}

const EVENT_STREAM = 'text/event-stream; charset=utf-8';

// One JSON document a line was how the exchange was kept, not how the provider framed it.
function framed(row) {
  const chunks = row.response.toString('utf8').split('\n').filter((line) => line.trim());
  const events = (end, more, last = '') => ({ type: EVENT_STREAM, bytes: Buffer.from(chunks.map((chunk) => `${more(chunk)}data: ${chunk}${end}${end}`).join('') + last) });
  switch (row.endpoint) {
    case 'chat.completions':
    case 'completions':
      return events('\n', () => '', 'data: [DONE]\n\n');
    case 'messages':
    case 'responses':
    case 'cohere.chat':
      return events('\n', (chunk) => `event: ${JSON.parse(chunk).type}\n`);
    case 'generateContent':
      return events('\r\n', () => '');
    case 'converse':
      return { type: 'application/vnd.amazon.eventstream',
        bytes: Buffer.concat(chunks.map((chunk) => awsMessage(...Object.entries(JSON.parse(chunk)).map(([type, value]) => [type, JSON.stringify(value)])[0]))) };
    default:
      throw new Error(`how does ${row.endpoint} frame its streams?`);
  }
}

const TYPES = {
  json: 'application/json', sse: EVENT_STREAM, ndjson: 'application/x-ndjson',
  'aws-eventstream': 'application/vnd.amazon.eventstream', 'json-array-stream': 'application/json; charset=UTF-8',
};

/** What the provider sends: {status, headers, bytes}. */
export function answerOf(row) {
  const { type, bytes } = row.kind === 'jsonl-chunks' ? framed(row) : { type: row.content_type || TYPES[row.kind], bytes: row.response };
  let status = row.http_status;
  if (status === null && row.kind === 'json') { // a body was kept without its status
    const { error } = JSON.parse(row.response);
    status = error ? (Number.isInteger(error.code) ? error.code : 400) : 200;
  }
  return { status: status ?? 200, headers: { ...row.headers, 'content-type': type }, bytes };
}

// ---- The provider -----------------------------------------------------------------------------

const TRACE = 'ec';

/** The header by which the provider finds the exchange; play: a number of the caller's. */
export function traceOf(id, play = 0) {
  return `00-${TRACE}${String(play).padStart(14, '0')}${String(id).padStart(16, '0')}-00000000000000ff-01`;
}

export class Recorded {
  /** exchanges: rows of load(); answers: what is sent for a row, as answerOf() has it. */
  constructor(exchanges, { seed = 1, answers = answerOf } = {}) {
    this.answers = answers;
    this.rows = new Map(exchanges.map((row) => [row.id, row]));
    this.random = generator(seed);
    this.asked = new Map(); // 'play/id' -> {path, text, headers}, what arrived
    this.cuts = new Map(); // 'play/id' -> bytes after which the connection breaks
    this.holds = new Map(); // 'play/id' -> bytes after which nothing comes until the other side leaves
    this.sockets = new Set();
    this.server = http.createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy());
    });
    // An idle connection that closes under a request loses it, and nothing recorded is about that.
    this.server.keepAliveTimeout = 0;
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  async start() {
    await new Promise((done, failed) => {
      this.server.on('error', failed);
      this.server.listen(0, '127.0.0.1', done);
    });
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => { this.server.close(done); });
  }

  async answer(request, response) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const trace = new RegExp(`^00-${TRACE}(\\d{14})(\\d{16})-`).exec(request.headers.traceparent ?? '');
    const row = trace && this.rows.get(Number(trace[2]));
    if (!row) {
      response.writeHead(418).end();
      return;
    }
    const name = `${Number(trace[1])}/${row.id}`;
    this.asked.set(name, { path: request.url, text: Buffer.concat(pieces).toString('utf8'), headers: request.headers });
    const { status, headers, bytes } = this.answers(row);
    const sized = this.random() < 0.5 && !row.stream;
    response.writeHead(status, { ...headers, ...(sized ? { 'content-length': bytes.length } : {}) });
    response.flushHeaders();
    const end = this.cuts.get(name) ?? this.holds.get(name) ?? bytes.length;
    const most = Math.max(900, Math.floor(bytes.length / 40));
    for (let at = 0; at < end && !response.destroyed;) {
      const length = 1 + Math.floor(this.random() * (this.random() < 0.2 ? 5 : most));
      response.write(bytes.subarray(at, Math.min(at + length, end)));
      at += length;
      await new Promise((done) => { setImmediate(done); });
    }
    if (this.holds.has(name)) {
      if (!response.destroyed) await new Promise((done) => { response.on('close', done); });
    } else if (end < bytes.length) {
      // What was written must have left before the connection breaks.
      await new Promise((done) => { setTimeout(done, 5); });
      response.destroy();
    } else {
      response.end();
    }
  }
}

// ---- The gateway in front of it -----------------------------------------------------------------

const PRICES = {
  input_per_million: '3', output_per_million: '15', cached_input_per_million: '0.3', cache_write_per_million: '3.75', cache_write_1h_per_million: '6',
  audio_input_per_million: '40', audio_output_per_million: '80', image_output_per_million: '60', search_per_thousand: '10',
};

// Models that the built-in list knows without a price for what was asked of them: searches, sound.
const WITHOUT_SEARCH = ['gpt-4o', 'gpt-5', 'gpt-5-mini', 'gpt-5.2', 'gpt-5.6', 'openai/gpt-4.1-mini', 'deepseek/deepseek-chat'];

/** A gateway to a provider of that family: {mete, key}; null: there is no such family yet. */
export async function gateway(family, provider) {
  const config = {
    listen: '127.0.0.1:0', metrics_listen: '127.0.0.1:0',
    providers: [{ name: 'recorded', dialect: family, base_url: provider.url, api_key: CREDENTIAL }],
    unpriced: PRICES,
    model_costs: Object.fromEntries(WITHOUT_SEARCH.map((name) => [name, PRICES])),
    gateway: { disconnect: 'drain', breaker_failures: 0 }, // many break off on purpose
  };
  // A family that there is not yet makes a configuration that cannot be loaded.
  const file = `${temporary()}/mete.yaml`;
  fs.writeFileSync(file, JSON.stringify({ ...config, data: `${file}.d` }));
  const checked = run(['serve', '--check-config', '--config', file]);
  if (checked.status !== 0) {
    assert.match(`${checked.stdout}${checked.stderr}`, /dialect/, 'nothing else is wrong with the configuration');
    return null;
  }
  const mete = await Mete.start({ config });
  const { key } = await mete.organization('recorded');
  return { mete, key };
}

/** All its records, by request id, added to the map. */
export async function recordsOf(mete, records) {
  await mete.idle();
  await mete.settled();
  for (const record of await mete.all('/api/v1/records?organization=recorded&limit=500')) records.set(record.request_id, [...(records.get(record.request_id) ?? []), record]);
}

// ---- What is expected ---------------------------------------------------------------------------

const QUANTITIES = [
  ['input', 'input_tokens'], ['cached', 'cached_input_tokens'], ['cache_write', 'cache_write_tokens'],
  ['cache_write_1h', 'cache_write_1h_tokens'], ['output', 'output_tokens'], ['reasoning', 'reasoning_tokens'],
  ['audio_in', 'audio_input_tokens'], ['audio_out', 'audio_output_tokens'], ['image_in', 'image_input_tokens'],
  ['web_search_requests', 'searches'],
];

// What the index says, but for figures that cannot all be true at once.
const READ = {
  // 1881 of 1917 tokens of sound were read from the cache, which is another price: a token is of one kind.
  328: { audio_in: 36 },
  // The index leaves out what total_tokens has beyond both: 62 and 28 tokens of thinking, billed.
  444: { output: 74 },
  445: { output: 34 },
  // 11 tokens of reasoning in 10 of output: a part is no larger than the whole.
  509: { reasoning: 10 },
  // 2161 read and the same 2161 written, of 2168: the dearer part first.
  555: { cached: 7 },
};
export const expectedOf = (row) => ({ ...row.expected, ...READ[row.id] });

/** What of the record is not what the provider billed, in words. */
export function otherFigures(row, record) {
  const expected = expectedOf(row);
  return QUANTITIES.filter(([theirs, ours]) => theirs in expected && (record[ours] ?? 0) !== expected[theirs])
    .map(([theirs, ours]) => `${theirs}: ${record[ours] ?? 0}, expected ${expected[theirs]}`);
}

// ---- The tables of docs/dialects.md -------------------------------------------------------------

/** Holds the table that a file makes to what the document says; with --write, the reverse. */
export function writeTable(file, table) {
  const name = `${ROOT}docs/dialects.md`;
  const text = fs.readFileSync(name, 'utf8');
  const begin = `<!-- made by tests/outside/${file} --write -->\n`;
  const end = '<!-- end of what is made -->';
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  assert.ok(from >= 0 && to >= 0, 'the table has its place');
  const fresh = `${text.slice(0, from)}${begin}${table}\n${text.slice(to)}`;
  if (process.argv.includes('--write')) fs.writeFileSync(name, fresh);
  else assert.equal(fresh, text, `run node tests/outside/${file} --write`);
}
