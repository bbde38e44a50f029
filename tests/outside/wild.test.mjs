// SPDX-License-Identifier: Apache-2.0
// A provider that misbehaves in every way: it writes its bytes itself, and what it writes is no HTTP,
// no JSON, no end, too much, too little, late, or another figure than before. Proves for thousands of
// calls from one seed (METE_SEED), of two formats and between them, that each client gets an answer
// of its format, an error of its format, or a stream with an end of its format; that each call has
// one record whose ending names what happened and whose cost is between what the provider can have
// billed and what was reserved; that memory is bounded, nothing is left, and who calls another
// provider meanwhile notices nothing.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { Mete, PRICES, configuration, modelCosts, pool } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL, Provider, generator } from './provider.mjs';

const SEED = Number(process.env.METE_SEED ?? 20261121);
const ANSWER_MAX = 65536;
const IDLE_MS = 3000; // the provider is in this process, and the machine may have other things to do
const TOTAL_MS = 5000;
const GRANT = 1000; // output tokens asked for
const PRICE = 1000n; // nano-units a token, in and out
const INPUT = 10; // what the provider bills for the prompt
const MIB = 1048576;
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

/* ---- A good answer, of either format --------------------------------------------------------- */

const OUTPUT = 700; // tokens of a plain answer, billed whole once it is made
const BIT = 4; // tokens of a stream
const WORDS = 'a '.repeat(OUTPUT / 2);

const usageOf = {
  chat: (input, output) => ({ prompt_tokens: input, completion_tokens: output, total_tokens: input + output }),
  messages: (input, output) => ({ input_tokens: input, output_tokens: output }),
};

const plain = {
  chat: (usage = usageOf.chat(INPUT, OUTPUT)) => ({
    id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'w',
    choices: [{ index: 0, message: { role: 'assistant', content: WORDS }, finish_reason: 'stop' }], ...(usage === undefined ? {} : { usage }),
  }),
  messages: (usage = usageOf.messages(INPUT, OUTPUT)) => ({
    id: 'msg_1', type: 'message', role: 'assistant', model: 'w', content: [{ type: 'text', text: WORDS }],
    stop_reason: 'end_turn', stop_sequence: null, usage,
  }),
};

const text = {
  chat: (content) => `data: ${JSON.stringify({ id: 'c-1', object: 'chat.completion.chunk', created: 1, model: 'w', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`,
  messages: (content) => `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: content } })}\n\n`,
};

const named = (event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

const first = {
  chat: () => '',
  messages: () => named({ type: 'message_start', message: { ...plain.messages(usageOf.messages(INPUT, 1)), content: [], stop_reason: null } })
    + named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
};

const told = {
  chat: (usage) => `data: ${JSON.stringify({ id: 'c-1', object: 'chat.completion.chunk', created: 1, model: 'w', choices: [], usage })}\n\n`,
  messages: (usage) => named({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage }),
};

const over = {
  chat: () => `data: ${JSON.stringify({ id: 'c-1', object: 'chat.completion.chunk', created: 1, model: 'w', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`,
  messages: () => named({ type: 'content_block_stop', index: 0 }),
};

const last = { chat: () => 'data: [DONE]\n\n', messages: () => named({ type: 'message_stop' }) };

/** A call as the provider has it, and all ways to write to it. */
class Wild {
  constructor(socket, { index, format, stream, deed }, random) {
    Object.assign(this, { socket, index, format, stream, deed, random });
    this.bill = 0; // output tokens it can have billed
    this.body = Buffer.alloc(0); // of a plain answer, as sent
    this.usage = usageOf[format](INPUT, stream ? BIT : OUTPUT);
  }

  get gone() { return this.socket.destroyed; }

  async write(bytes) {
    if (this.gone) return;
    if (!this.socket.write(bytes)) {
      await new Promise((done) => { this.socket.once('drain', done).once('close', done); });
    }
  }

  /** In pieces, with a breath between some. */
  async pieces(bytes) {
    const all = Buffer.from(bytes);
    for (let at = 0; at < all.length && !this.gone;) {
      const size = 1 + Math.floor(this.random() ** 3 * all.length);
      await this.write(all.subarray(at, at + size));
      at += size;
      if (this.random() < 0.3) await sleep(1);
    }
  }

  head({ status = 200, framing = '', type = this.stream ? 'text/event-stream' : 'application/json', more = '' } = {}) {
    return `HTTP/1.1 ${status} X\r\ncontent-type: ${type}\r\nconnection: close\r\n${more}${framing}\r\n`;
  }

  parts({ usage = this.usage, words = BIT } = {}) {
    const { format } = this;
    return [first[format](), ...Array.from({ length: words }, () => text[format](' a')), over[format](), ...(usage === null ? [] : [told[format](usage)]), last[format]()];
  }

  content(more = {}) {
    this.bill = this.stream ? BIT : OUTPUT;
    if (this.stream) return Buffer.from(this.parts(more).join(''));
    const answer = plain[this.format](more.usage ?? this.usage);
    if (more.usage === null) delete answer.usage;
    return Buffer.from(JSON.stringify(answer));
  }

  /** content as an answer: its length told, in chunks, or ended by the end. */
  framed(content, { framing = 'length', ...head } = {}) {
    const bytes = Buffer.from(content);
    if (!this.stream || head.status >= 300) this.body = bytes;
    if (framing === 'length') return Buffer.concat([Buffer.from(this.head({ ...head, framing: `content-length: ${bytes.length}\r\n` })), bytes]);
    if (framing === 'close') return Buffer.concat([Buffer.from(this.head(head)), bytes]);
    return Buffer.concat([Buffer.from(this.head({ ...head, framing: 'transfer-encoding: chunked\r\n' })), this.chunks(bytes)]);
  }

  chunks(bytes) {
    const list = [];
    for (let at = 0; at < bytes.length;) {
      const size = Math.min(1 + Math.floor(this.random() * 200), bytes.length - at);
      list.push(Buffer.from(`${size.toString(16)}\r\n`), bytes.subarray(at, at + size), Buffer.from('\r\n'));
      at += size;
    }
    return Buffer.concat([...list, Buffer.from('0\r\n\r\n')]);
  }

  async good(more) { await this.pieces(this.framed(this.content(more), more)); }

  /** Says nothing more, until it is left. */
  hang() { return this.gone ? undefined : new Promise((done) => { this.socket.once('close', done); }); }

  async forever(piece, pause = 5) {
    while (!this.gone) {
      await this.write(typeof piece === 'function' ? piece() : piece);
      await sleep(pause);
    }
  }

  random_of(list) { return list[Math.floor(this.random() * list.length)]; }
}

/* ---- What it does ---------------------------------------------------------------------------- */

const LOST = ['lost'];
const LATE = ['timeout'];
const REPORTED = ['ok'];
const COUNTED = ['no_usage'];
const ERROR = ['error'];
const ANY = ['ok', 'no_usage', 'lost', 'error', 'timeout', 'cut'];

// A misdeed: what the call's record may say, and how it is done.
const plainly = { plain: true };
const streaming = { streams: true };
const growing = { streams: true, grows: true }; // it passes what was set aside, and more is
const MISDEEDS = {
  // No head.
  'nothing at all': [LOST, () => {}],
  'silence': [LATE, (w) => w.hang()],
  'a reset': [LOST, (w) => { w.socket.resetAndDestroy(); }],
  'half a head': [LOST, (w) => w.pieces(w.head().slice(0, -4))],
  'half a head, and silence': [LATE, async (w) => { await w.pieces(w.head().slice(0, -4)); await w.hang(); }],
  'no status line': [LOST, (w) => w.pieces(w.content())],
  'another protocol': [LOST, (w) => w.pieces('220 mail.example ESMTP\r\n')],
  'TLS': [LOST, (w) => w.pieces(Buffer.from('160303007a020000760303', 'hex'))],
  'no number for a status': [[...LOST, ...ERROR], (w) => w.pieces('HTTP/1.1 abc X\r\n\r\n')],
  'HTTP/9.9': [ANY, (w) => w.pieces('HTTP/9.9 200 OK\r\n\r\n')],
  'a giant header line': [LOST, async (w) => { await w.write('HTTP/1.1 200 OK\r\nx: '); await w.write('y'.repeat(4 * MIB)); await w.hang(); }],
  'a header line without end': [[...LOST, ...LATE], async (w) => { await w.write('HTTP/1.1 200 OK\r\nx: '); await w.forever('y'.repeat(16384)); }],
  'headers without end': [[...LOST, ...LATE], async (w) => { await w.write('HTTP/1.1 200 OK\r\n'); await w.forever('x: y\r\n'.repeat(1000)); }],
  '100 Continue without end': [[...LOST, ...LATE], (w) => w.forever('HTTP/1.1 100 Continue\r\nx: y\r\n\r\n'.repeat(100))],
  'a header of odd bytes': [ANY, (w) => w.good({ more: `x-request-id: a\x01\x7f\xff\r\nretry-after: ${'9'.repeat(30)}\r\nretry-after-ms: ${'9'.repeat(3000)}\r\nx-should-retry: a\tb\r\n` })],
  'a header with a NUL': [ANY, (w) => w.good({ more: 'x-request-id: a\0b\r\n' })],
  'a bare CR in a header': [ANY, (w) => w.good({ more: 'x-request-id: a\rset-cookie: b\r\n' })],
  'a folded header': [ANY, (w) => w.good({ more: 'x-request-id: a\r\n b\r\n' })],
  'a header without colon': [ANY, (w) => w.good({ more: 'nonsense\r\n' })],
  'a good head twice': [ANY, async (w) => { await w.pieces(w.head({ framing: 'content-length: 0\r\n' })); await w.good(); }],
  // Statuses.
  '1xx, then well': [REPORTED, async (w) => { await w.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n'); await w.good(); }],
  '101 unasked': [[...LOST, ...LATE], (w) => w.pieces('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')],
  '204 with a body': [LOST, (w) => w.good({ status: 204 })],
  '304': [ERROR, (w) => w.good({ status: 304 })],
  '302': [ERROR, (w) => w.good({ status: 302, more: 'location: http://127.0.0.1:1/\r\n' })],
  '999': [ERROR, (w) => w.good({ status: 999 })],
  '000': [[...ERROR, ...LOST], (w) => w.pieces('HTTP/1.1 000 X\r\n\r\n')],
  '1000': [[...ERROR, ...LOST], (w) => w.pieces('HTTP/1.1 1000 X\r\n\r\n')],
  'an error that is no JSON': [ERROR, (w) => w.pieces(w.framed('<html>\0</html>', { status: 502, type: 'text/html' }))],
  'an error without a body': [ERROR, (w) => w.pieces(w.framed('', { status: 500 }))],
  'an error of its own kind': [ERROR, (w) => w.pieces(w.framed('{"error":[["error",{"message":null}]]}', { status: 429 }))],
  'half an error': [ERROR, (w) => w.pieces(w.framed(`{"error":{"message":"${'x'.repeat(99)}"}}`, { status: 500 }).subarray(0, -20))],
  'an error too large': [ERROR, (w) => w.pieces(w.framed('x'.repeat(2 * ANSWER_MAX), { status: 500 }))],
  // Framing.
  'a length too long': [[...LOST, ...REPORTED], (w) => { const c = w.content(); if (!w.stream) w.body = c; return w.pieces(Buffer.concat([Buffer.from(w.head({ framing: `content-length: ${c.length + 9}\r\n` })), c])); }],
  'a length too short': [ANY, (w) => { const c = w.content(); if (!w.stream) w.body = c.subarray(0, -40); return w.pieces(Buffer.concat([Buffer.from(w.head({ framing: `content-length: ${c.length - 40}\r\n` })), c])); }],
  'a length below zero': [[...LOST, ...REPORTED], (w) => w.pieces(Buffer.concat([Buffer.from(w.head({ framing: 'content-length: -5\r\n' })), w.content()]))],
  'a length beyond numbers': [[...LOST, ...REPORTED], (w) => { w.body = w.content(); return w.pieces(Buffer.concat([Buffer.from(w.head({ framing: 'content-length: 99999999999999999999999\r\n' })), w.body])); }],
  'two lengths': [ANY, (w) => { const c = w.content(); if (!w.stream) w.body = c; return w.pieces(Buffer.concat([Buffer.from(w.head({ framing: `content-length: 5\r\ncontent-length: ${c.length}\r\n` })), c])); }],
  'a length and chunks': [ANY, (w) => { w.body = w.content(); return w.pieces(Buffer.concat([Buffer.from(w.head({ framing: 'content-length: 5\r\ntransfer-encoding: chunked\r\n' })), w.chunks(w.body)])); }],
  'a chunk of no size': [LOST, (w) => { w.content(); return w.pieces(`${w.head({ framing: 'transfer-encoding: chunked\r\n' })}zz\r\nabc\r\n0\r\n\r\n`); }],
  'a chunk of a size beyond numbers': [LOST, (w) => { w.content(); return w.pieces(`${w.head({ framing: 'transfer-encoding: chunked\r\n' })}ffffffffffffffffffff\r\nabc\r\n`); }],
  'a chunk that is longer than it says': [LOST, (w) => { w.content(); return w.pieces(`${w.head({ framing: 'transfer-encoding: chunked\r\n' })}3\r\nabcdef\r\n0\r\n\r\n`); }],
  'chunks without their end': [[...LOST, ...REPORTED], (w) => w.pieces(w.framed(w.content(), { framing: 'chunked' }).subarray(0, -5))],
  'a chunk head without end': [[...LOST, ...LATE], async (w) => { w.content(); await w.write(`${w.head({ framing: 'transfer-encoding: chunked\r\n' })}3;`); await w.forever('y'.repeat(16384)); }],
  'trailers without end': [[...LOST, ...LATE, ...REPORTED], async (w) => { const bytes = w.framed(w.content(), { framing: 'chunked' }); await w.write(bytes.subarray(0, -2)); await w.forever('x: y\r\n'.repeat(1000)); }],
  'another transfer encoding': [ANY, (w) => w.pieces(`${w.head({ framing: 'transfer-encoding: gzip, nonsense\r\n' })}abc`)],
  // Time.
  'a trickle': [LATE, async (w) => { for (const byte of w.framed(w.content())) { await w.write(Buffer.from([byte])); await sleep(20); if (w.gone) return; } }],
  'half, and silence': [LATE, async (w) => { const bytes = w.framed(w.content()); await w.pieces(bytes.subarray(0, bytes.length >> 1)); await w.hang(); }],
  'well, and no end': [[...LATE, ...REPORTED], async (w) => { await w.pieces(w.framed(w.content(), { framing: 'close' })); await w.hang(); }],
  // What is in it.
  'no content type': [ANY, (w) => { const c = w.content(); if (!w.stream) w.body = c; return w.pieces(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${c.length}\r\n\r\n`), c])); }],
  'another content type': [ANY, (w) => w.good({ type: 'text/html' })],
  'the other kind of answer': [ANY, (w) => { w.stream = !w.stream; w.usage = usageOf[w.format](INPUT, w.stream ? BIT : OUTPUT); const bytes = w.framed(w.content()); w.stream = !w.stream; w.body = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4); return w.pieces(bytes); }],
  'no body': [[...COUNTED, ...LOST], (w) => { w.bill = 1; return w.pieces(w.framed('')); }],
  'NUL bytes': [[...COUNTED, ...LOST], (w) => { w.bill = 1; return w.pieces(w.framed('\0'.repeat(500))); }],
  'no UTF-8': [ANY, (w) => { const c = w.content(); for (let i = 0; i < c.length - 1; i += 1) if (c[i] === 0x61 && c[i - 1] === 0x20) c[i] = 0xff; return w.pieces(w.framed(c)); }],
  'gzip unasked': [ANY, (w) => w.pieces(w.framed(zlib.gzipSync(w.content()), { more: 'content-encoding: gzip\r\n' }))],
  'gzip that is none': [ANY, (w) => w.good({ more: 'content-encoding: gzip\r\n' })],
  'half of gzip': [ANY, (w) => { const c = zlib.gzipSync(w.content()); return w.pieces(w.framed(c.subarray(0, c.length - 30), { more: 'content-encoding: gzip\r\n' })); }],
  'a bomb of gzip': [[...LOST, ...LATE], (w) => { w.content(); return w.pieces(w.framed(zlib.gzipSync(Buffer.alloc(64 * MIB, 'x')), { more: 'content-encoding: gzip\r\n' })); }, { grows: true }],
  'an encoding nobody knows': [ANY, (w) => w.good({ more: 'content-encoding: nonsense\r\n' })],
  'random bytes': [[...COUNTED, ...LOST], (w) => { w.bill = 1; return w.pieces(w.framed(Buffer.from(Array.from({ length: 2000 }, () => w.random() * 256)))); }],
  'a giant answer': [LOST, (w) => { w.content(); return w.pieces(w.framed(Buffer.alloc(4 * MIB, ' '))); }, plainly],
  'an answer without end': [LOST, async (w) => { w.content(); await w.write(w.head()); await w.forever(Buffer.alloc(16384, ' ')); }, plainly],
  'deep nesting': [[...COUNTED, ...LOST], (w) => { w.bill = 1; return w.pieces(w.framed('['.repeat(20000))); }, plainly],
  'an array': [COUNTED.concat(LOST), (w) => { w.bill = 1; return w.pieces(w.framed('[]')); }, plainly],
  'an answer that is an error': [ANY, (w) => { w.bill = 0; return w.pieces(w.framed('{"error":{"message":"no","type":"x","code":null}}')); }, plainly],
  'an answer before the request is read': [ANY, (w) => w.good()],
  // Usage.
  'no usage': [COUNTED, (w) => w.good({ usage: null })],
  'usage of a word': [COUNTED, (w) => w.good({ usage: 'null' })],
  'usage as text': [COUNTED, (w) => w.good({ usage: mapped(w.usage, (n) => `${n}`) })],
  'usage of lists': [COUNTED, (w) => w.good({ usage: mapped(w.usage, (n) => [n]) })],
  'usage below zero': [COUNTED, (w) => w.good({ usage: mapped(w.usage, (n) => -n) })],
  'usage in fractions': [COUNTED, (w) => w.good({ usage: mapped(w.usage, (n) => n + 0.5) })],
  'absurd usage': [COUNTED, (w) => w.good({ usage: mapped(w.usage, () => 9e15) })],
  'usage beyond numbers': [COUNTED, (w) => w.good({ usage: mapped(w.usage, () => 1e300) })],
  'usage of nothing': [REPORTED, (w) => { const c = w.content({ usage: mapped(w.usage, () => 0) }); w.bill = -INPUT; return w.pieces(w.framed(c)); }],
  'usage twice, the second is more': [REPORTED, (w) => twice(w, BIT - 1, BIT)],
  'usage twice, the second is less': [REPORTED, (w) => twice(w, BIT, BIT - 1)],
  'usage with an empty name twice': [ANY, (w) => w.pieces(w.framed(w.content().toString().replace('"usage":{', '"usage":{"":1,"":2,')))],
  // Events.
  'a giant event': [LOST, (w) => { w.content(); return w.pieces(w.framed(`data: {"a":"${'x'.repeat(2 * ANSWER_MAX)}"}\n\n`)); }, growing],
  'an event without end': [LOST, async (w) => { w.content(); await w.write(`${w.head()}data: `); await w.forever('x'.repeat(8192)); }, growing],
  'a stream without end': [LATE, async (w) => { await w.write(w.head() + first[w.format]()); await w.forever(() => { w.bill += 1; return text[w.format](' a'); }); }, growing],
  'a slow stream without end': [[...LATE, 'cut'], async (w) => { await w.write(w.head() + first[w.format]()); await w.forever(() => { w.bill += 1; return text[w.format](' a'); }, 30); }, growing],
  'comments without end': [[...LATE, ...LOST], async (w) => { w.bill = 1; await w.write(w.head()); await w.forever(': x\n\n'.repeat(10), 5); }, growing],
  'empty lines without end': [[...LATE, ...LOST], async (w) => { w.bill = 1; await w.write(w.head()); await w.forever('\n\n'.repeat(100), 5); }, growing],
  'pings without end': [[...LATE, ...LOST, 'cut'], async (w) => { w.bill = 1; await w.write(w.head() + first[w.format]()); await w.forever('event: ping\ndata: {"type":"ping"}\n\n'.repeat(10), 5); }, growing],
  'two ends': [REPORTED, (w) => w.pieces(w.framed(w.content() + last[w.format]() + last[w.format]())), streaming],
  'events after the end': [REPORTED, (w) => w.pieces(w.framed(w.content() + text[w.format](' late').repeat(50))), streaming],
  'an end at once': [COUNTED.concat(LOST), (w) => w.pieces(w.framed(last[w.format]())), streaming],
  'no end': [ANY, (w) => { const c = w.content(); return w.pieces(w.framed(c.subarray(0, c.length - last[w.format]().length))); }, streaming],
  'an error in mid-stream': [[...ERROR, ...LOST], (w) => { w.bill = 1; return w.pieces(w.framed(first[w.format]() + text[w.format](' a') + errorEvent(w.format, { message: 'overloaded', type: 'overloaded_error' }))); }, streaming],
  'an error of no shape in mid-stream': [[...ERROR, ...LOST], (w) => { w.bill = 1; return w.pieces(w.framed(first[w.format]() + text[w.format](' a') + errorEvent(w.format, [1, null, { x: '\u0000' }]))); }, streaming],
  'an error, and on it goes': [ANY, (w) => { const c = w.content().toString(); const at = c.indexOf('\n\n') + 2; return w.pieces(w.framed(c.slice(0, at) + errorEvent(w.format, { message: 'no', type: 'x' }) + c.slice(at))); }, streaming],
  'events that are no JSON': [ANY, (w) => { w.bill = 1; return w.pieces(w.framed(`${first[w.format]()}data: {"a\n\ndata: \u0000\n\ndata: 17\n\ndata: "x"\n\ndata: []\n\ndata:\n\ndata: null\n\n${last[w.format]()}`)); }, streaming],
  'events in another order': [ANY, (w) => { const parts = w.parts(); w.bill = BIT; return w.pieces(w.framed([...parts].sort(() => w.random() - 0.5).join(''))); }, streaming],
  'line ends of all kinds': [ANY, (w) => w.pieces(w.framed(w.content().toString().replace(/\n/g, () => w.random_of(['\n', '\r\n', '\r'])))), streaming],
  'a mark of byte order': [ANY, (w) => w.pieces(w.framed(`\ufeff${w.content()}`)), streaming],
  'the last event without its empty line': [ANY, (w) => w.pieces(w.framed(w.content().subarray(0, -1))), streaming],
};

function mapped(usage, fn) { return Object.fromEntries(Object.entries(usage).map(([name, n]) => [name, fn(n)])); }

function errorEvent(format, error) {
  return format === 'chat' ? `data: ${JSON.stringify({ error })}\n\n` : named({ type: 'error', error });
}

/** The later figures hold. */
function twice(w, one, two) {
  const [a, b] = [one, two].map((n) => usageOf[w.format](INPUT, n));
  if (!w.stream) return w.good({ usage: w.usage });
  w.bill = two;
  const parts = w.parts({ usage: a });
  parts.splice(-1, 0, told[w.format](b));
  return w.pieces(w.framed(parts.join('')));
}

/** A good answer that is closed at one of its bytes; a plain one is billed whole. */
function closed(at, framing) {
  return async (w) => {
    const content = w.content();
    const bytes = w.framed(content, { framing });
    const part = bytes.subarray(0, at);
    if (!w.stream) w.body = part.subarray(part.indexOf('\r\n\r\n') + 4);
    else w.bill = part.toString('latin1').split('" a"').length - 1;
    w.reasoned = part.includes('"finish_reason":"stop"'); // over, and its figures are on their way
    await w.write(part);
  };
}

/** A good answer some of whose bytes are others, gone, or there twice. */
async function mutated(w) {
  let bytes = w.framed(w.content(), { framing: w.random_of(['length', 'close', 'chunked']) });
  for (let n = 1 + Math.floor(w.random() * 6); n > 0; n -= 1) {
    const at = Math.floor(w.random() * bytes.length);
    const end = at + Math.floor(w.random() ** 4 * 100);
    const insert = w.random_of([
      () => Buffer.from([w.random() * 256]), () => Buffer.alloc(0), () => bytes.subarray(at, end), () => Buffer.from('\r\n\r\n'),
      () => Buffer.from(w.random_of(['"', '}', '{', '-', '0', '9'.repeat(20), '\\u0000', '\\', 'null', 'data: ', '\n\n', '[DONE]', '"usage":{}', ','])),
    ])();
    bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(w.random() < 0.5 ? at : end)]);
  }
  w.body = null;
  w.bill = -INPUT; // its figures may be others
  await w.pieces(bytes);
}

class WildProvider {
  constructor() {
    this.random = generator(SEED);
    this.calls = new Map();
    this.sockets = new Set();
    this.server = net.createServer({ allowHalfOpen: false }, (socket) => {
      this.sockets.add(socket);
      let heard = '';
      let begun = false;
      socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
      socket.setEncoding('latin1').on('data', (piece) => {
        if (begun) return;
        heard += piece;
        const index = /!(\d{6})!/.exec(heard)?.[1];
        if (index === undefined) return;
        begun = true;
        this.begin(socket, Number(index));
      });
    });
  }

  async start() {
    await new Promise((done) => { this.server.listen(0, '127.0.0.1', 1024, done); });
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  stop() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((done) => { this.server.close(done); });
  }

  begin(socket, index) {
    const planned = this.plan[index];
    assert.ok(!this.calls.has(index), `call ${index} came twice`);
    const wild = new Wild(socket, { ...planned, index, format: planned.spoken }, generator(SEED + index));
    this.calls.set(index, wild);
    (async () => {
      await planned.deed(wild);
      wild.said = Date.now();
      if (!wild.gone) socket.end();
    })();
  }
}

/* ---- The calls ------------------------------------------------------------------------------- */

// The format the client speaks, and the one of the provider.
const WAYS = [['chat', 'chat'], ['messages', 'messages'], ['chat', 'messages'], ['messages', 'chat']];

function planned() {
  const plan = [];
  const add = (name, endings, deed, format, spoken, stream, grows = false) => plan.push({ name, endings, deed, format, spoken, stream, grows });
  for (const [name, [endings, deed, { plain: only = false, streams = false, grows = false } = {}]] of Object.entries(MISDEEDS)) {
    for (const [format, spoken] of WAYS) {
      for (const stream of [false, true]) {
        if ((stream && !only) || (!stream && !streams)) add(name, endings, deed, format, spoken, stream, grows);
      }
    }
  }
  for (const [format, spoken] of WAYS) {
    for (const stream of [false, true]) {
      for (const framing of ['length', 'close', 'chunked']) {
        const length = new Wild(null, { format: spoken, stream }, generator(SEED));
        const { length: bytes } = length.framed(length.content(), { framing });
        const step = format === 'chat' && spoken === 'chat' && framing !== 'chunked' ? (stream ? 1 : 3) : 29;
        for (let at = 0; at < bytes; at += step) add(`closed at ${at} of ${bytes}, ${framing}`, ['ok', 'lost'], closed(at, framing), format, spoken, stream);
      }
      for (let n = 0; n < 50; n += 1) add(`mutation ${n}`, ANY, mutated, format, spoken, stream);
    }
  }
  const random = generator(SEED);
  return plan.map((call) => [random(), call]).sort(([a], [b]) => a - b).map(([, call]) => call);
}

let wild; let tame; let mete; let key;
const reserved = {}; // what one call sets aside

before(async () => {
  wild = await new WildProvider().start();
  tame = await new Provider(PRICES).start();
  const models = { w: { input: '1', output: '1' }, v: { input: '1', output: '1' } };
  const config = configuration(tame, {
    gateway: {
      idle_timeout: `${IDLE_MS}ms`, first_byte_timeout: `${IDLE_MS}ms`, total_timeout: `${TOTAL_MS}ms`,
      max_response_bytes: ANSWER_MAX, breaker_failures: 0,
    },
  });
  config.providers = [
    { name: 'wild-chat', dialect: 'openai', base_url: `${wild.url}/v1`, api_key: CREDENTIAL, models: ['w'], speaks: ['chat'] },
    { name: 'wild-messages', dialect: 'anthropic', base_url: `${wild.url}/v1`, api_key: CREDENTIAL, models: ['v'] },
    { ...config.providers[0], models: ['test-*'] },
  ];
  config.model_costs = { ...config.model_costs, ...modelCosts(models) };
  mete = await Mete.start({ config });
  key = (await mete.organization('acme')).key;
  await mete.budget('acme', { id: 'all', amount: '100000' });
});

after(async () => {
  await mete?.stop();
  await wild?.stop();
  await tame?.stop();
});

const PATHS = { chat: '/v1/chat/completions', messages: '/v1/messages' };

async function ask(index) {
  const { format, spoken, stream } = wild.plan[index];
  const content = `!${String(index).padStart(6, '0')}!`;
  wild.plan[index].asked = Date.now();
  const reply = await fetch(`${mete.url}${PATHS[format]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-request-id': `w-${index}` },
    body: JSON.stringify({ model: spoken === 'chat' ? 'w' : 'v', max_tokens: GRANT, messages: [{ role: 'user', content }], ...(stream ? { stream: true } : {}) }),
  });
  return { status: reply.status, type: reply.headers.get('content-type') ?? '', encoding: reply.headers.get('content-encoding'), bytes: Buffer.from(await reply.arrayBuffer()) };
}

const readable = (bytes) => { try { return JSON.parse(bytes); } catch { return undefined; } };
const isError = {
  chat: (body) => typeof body?.error?.message === 'string' && typeof body.error.type === 'string',
  messages: (body) => body?.type === 'error' && typeof body.error?.message === 'string' && typeof body.error.type === 'string',
};
const isAnswer = {
  chat: (body) => Array.isArray(body?.choices),
  messages: (body) => body?.type === 'message' && Array.isArray(body.content),
};

/** A stream's data, event by event. */
function dataOf(bytes) {
  const events = bytes.toString('utf8').replace(/^\ufeff/, '').replace(/\r\n?/g, '\n').split('\n\n');
  return events.map((event) => /^data: ?(.*)$/m.exec(event)?.[1]).filter((data) => data !== undefined);
}

// A provider's own: it may leave out what follows the reason, and its errors have shapes of their own.
const ends = {
  chat: (data) => {
    const event = readable(data);
    return data === '[DONE]' || event?.error || event?.choices?.[0]?.finish_reason || (event?.usage && event.choices?.length === 0);
  },
  messages: (data) => {
    const event = readable(data);
    return event?.type === 'message_stop' || event?.type === 'error' || event?.delta?.stop_reason;
  },
};

/** What is wrong with what the client got; undefined: nothing. */
function wrong(index, { status, type, bytes }) {
  const { format, spoken, stream } = wild.plan[index];
  const sent = wild.calls.get(index)?.body;
  const body = readable(bytes);
  const theirs = format === spoken && (sent === null || sent?.equals(bytes));
  if (status < 300 && !body && !/event-stream/.test(type)) return 'no JSON';
  if (status >= 200 && status < 300 && /^text\/event-stream/.test(type) && stream) {
    return dataOf(bytes).some(ends[format]) ? undefined : 'a stream without an end';
  }
  if (status >= 200 && status < 300) return theirs || isAnswer[format](body) ? undefined : 'no answer of its format';
  if (status < 400 || status > 599) return 'a status of no use';
  return theirs || isError[format](body) ? undefined : 'no error of its format';
}

const resident = () => Number(/^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${mete.child.pid}/status`, 'utf8'))[1]) * 1024;

/** What is set aside for a call of this way; all bodies of one way are equally long. */
async function measure() {
  const plan = WAYS.flatMap(([format, spoken]) => [false, true].map((stream) => ({ format, spoken, stream, deed: (w) => w.good() })));
  for (const [index, way] of plan.entries()) {
    let go;
    const gate = new Promise((done) => { go = done; });
    wild.plan = plan.map((one) => ({ ...one, deed: async (w) => { await gate; await one.deed(w); } }));
    const done = ask(index);
    await mete.until(() => wild.calls.has(index));
    reserved[`${way.format} ${way.spoken} ${way.stream}`] = nano((await mete.must('GET', '/api/v1/organizations/acme/budgets/all')).held);
    go();
    const reply = await done;
    assert.equal(wrong(index, reply), undefined, reply.bytes.toString());
  }
  wild.calls.clear();
  await mete.idle();
}

test('whatever a provider does', { timeout: 180000 }, async () => {
  await measure();
  const before_ = { stats: await mete.stats(), rss: resident() };
  const offset = 100; // the ids of the measuring are not asked again
  wild.plan = [...Array(offset), ...planned()];
  const indexes = wild.plan.map((_, index) => index).slice(offset);

  const faults = [];
  const doubts = new Map(); // about what a client got
  let singing = true;
  let songs = 0;
  let most = 0;
  const canary = (async () => {
    while (singing) {
      const say = `!${JSON.stringify({ output: 3 })}`;
      const reply = await mete.chat(key, { model: 'test-small', max_tokens: 50, stream: songs % 2 === 1, messages: [{ role: 'user', content: say }] });
      const song = await reply.text();
      assert.equal(reply.status, 200, song);
      assert.ok(songs % 2 ? /data: \[DONE\]\s*$/.test(song) : JSON.parse(song).usage.completion_tokens === 3, song);
      songs += 1;
      most = Math.max(most, resident());
      await sleep(20);
    }
  })().catch((error) => faults.push(`the canary: ${error.message}`));

  const at = (index) => { const { name, format, spoken, stream } = wild.plan[index]; return `${index} ${name} (${format} to ${spoken}${stream ? ', stream' : ''})`; };
  try {
    await pool(indexes, 64, async (index) => {
      try {
        const reply = await ask(index);
        const fault = wrong(index, reply);
        if (fault) doubts.set(index, `${at(index)}: ${fault}: ${reply.status} ${reply.type} ${reply.bytes.toString('latin1').slice(-Number(process.env.METE_TAIL ?? 200))}`);
      } catch (error) {
        faults.push(`${at(index)}: the client: ${error.cause ?? error}`);
      }
    });
  } finally {
    singing = false;
  }
  await canary;
  await mete.idle();
  await mete.settled();

  const records = new Map();
  for (const record of await mete.all('/api/v1/records?organization=acme&limit=1000')) {
    if (!record.request_id?.startsWith('w-')) continue;
    const index = Number(record.request_id.slice(2));
    if (index < offset) continue;
    if (records.has(index)) faults.push(`${at(index)}: two records`);
    records.set(index, record);
  }
  // Who ends a stream in good order, but without a word, is shown as it is.
  for (const [index, doubt] of doubts) {
    const silent = wild.plan[index].stream && /without an end/.test(doubt) && ['ok', 'no_usage'].includes(records.get(index)?.ending);
    if (!silent) faults.push(doubt);
  }
  let unseen = 0;
  for (const index of indexes) {
    const { format, spoken, stream, endings, grows, asked } = wild.plan[index];
    const call = wild.calls.get(index);
    const record = records.get(index);
    if (!record) faults.push(`${at(index)}: no record`);
    else if (!call && record.ending !== 'lost') faults.push(`${at(index)}: was not sent, and its record says ${record.ending}`);
    if (!record || !call) { // it went into a kept connection just as the other side was closed
      unseen += 1;
      continue;
    }
    const cost = nano(record.cost);
    const most_ = reserved[`${format} ${spoken} ${stream}`];
    // This process is the provider, and may have got no time to answer in.
    const late = record.ending === 'timeout' && !(call.said - asked < IDLE_MS / 2);
    const short = call.reasoned && record.ending === 'no_usage';
    if (!endings.includes(record.ending) && !late && !short) faults.push(`${at(index)}: its record says ${record.ending}, not ${endings}`);
    if (record.overrun) faults.push(`${at(index)}: an overrun`);
    if (cost < 0n || (cost > most_ && !grows)) faults.push(`${at(index)}: ${cost} of ${most_} were charged`);
    const bill = record.ending === 'error' || call.bill <= 0 ? 0n : BigInt(INPUT + call.bill) * PRICE;
    if (cost < bill) faults.push(`${at(index)}: ${record.ending}, ${cost} were charged, ${bill} billed`);
  }
  if (unseen > indexes.length / 100) faults.push(`${unseen} were not seen`);
  assert.equal(faults.length, 0, `${faults.length} of ${indexes.length} (seed ${SEED}):\n${faults.slice(0, Number(process.env.METE_FAULTS ?? 40)).join('\n')}`);

  const stats = await mete.stats();
  assert.equal(stats.reservations_open, 0);
  assert.equal(stats.drift, 0);
  assert.equal(stats.overruns, before_.stats.overruns);
  assert.equal((await mete.must('GET', '/api/v1/organizations/acme/budgets/all')).held, '0.00');
  await mete.until(async () => {
    const metrics = await mete.metrics();
    return metrics.mete_calls_open === 0 && metrics.mete_exchanges_open === 0 && metrics.mete_streams_open === 0;
  });
  assert.ok(songs > 20, `the canary sang ${songs} times`);
  assert.ok(resident() - before_.rss < 48 * MIB, `${Math.round((resident() - before_.rss) / MIB)} MiB more are left`);
  assert.ok(most - before_.rss < 64 * MIB, `${Math.round((most - before_.rss) / MIB)} MiB more at the most`);
  console.log(`# ${indexes.length} calls, ${songs} songs, ${Math.round(before_.rss / MIB)} MiB before, ${Math.round(most / MIB)} at the most, ${Math.round(resident() / MIB)} after`);
});
