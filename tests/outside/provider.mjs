// SPDX-License-Identifier: Apache-2.0
// A provider of chat completions that belongs to the tests: OpenAI's wire format, plain and
// streaming, and an account of its own of every call it billed, in whole nano-units and from its own
// copy of the prices. It shares nothing with `mete sim`, so that the two cannot be wrong together.
//
// What a call should do is told in its last message, behind an exclamation mark:
//   !{"status": 500}            answer with this error status, bill nothing
//   !{"delay_ms": 100}          wait before the first byte
//   !{"chunk_ms": 5}            wait between two pieces of a stream
//   !{"output": 40}             make exactly so many tokens (still bounded by max_tokens)
//   !{"usage": "none"}          report no usage
//   !{"cut": 3}                 break the connection off after so many chunks
//   !{"hang": true}             never answer
//   !{"raw": "text"}            a 200 whose body is this text
//   !{"fill": 40000}            so many bytes in each chunk of a stream
//   !{"cached": 10, "reasoning": 5}   parts of input and output, in the usage's details
// Without a word the sizes are drawn from a seeded generator. Streams are written in pieces that
// end anywhere, also within a character or a line end.
import http from 'node:http';
import { charge } from './money.mjs';

export const CREDENTIAL = 'provider-credential-of-the-tests';

/** A small seeded generator (mulberry32), so that a failing run can be repeated. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const WORDS = ['mete ', 'naïve ', '漢字 ', '🙂 ', 'data: [DONE] ', 'a"quote" ', 'back\\slash ', '\n'];

function readBody(request) {
  return new Promise((done, failed) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => done(Buffer.concat(pieces).toString('utf8')));
    request.on('error', failed);
  });
}

function wordsOf(body) {
  const last = body.messages?.at(-1)?.content ?? '';
  return typeof last === 'string' && last.startsWith('!') ? JSON.parse(last.slice(1)) : {};
}

export class Provider {
  /** prices: {model: {input, output, ...}} as money.charge takes them. */
  constructor(prices, { seed = 1 } = {}) {
    this.prices = prices;
    this.random = generator(seed);
    this.calls = []; // every request that arrived, in order
    this.sockets = new Set();
    this.made = 0;
    this.server = http.createServer((request, response) => {
      this.answer(request, response).catch((error) => {
        if (!response.headersSent) response.writeHead(500).end(String(error));
        else response.destroy();
      });
    });
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
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

  /** What it billed, in nano-units: for the calls that match. */
  billed(matches = () => true) {
    return this.calls.filter(matches).reduce((sum, call) => sum + call.nano, 0n);
  }

  async answer(request, response) {
    const url = new URL(request.url, this.url);
    const text = await readBody(request);
    const call = { path: url.pathname, headers: request.headers, text, nano: 0n, usage: null, ended: 'open' };
    this.calls.push(call);
    if (request.headers.authorization !== `Bearer ${CREDENTIAL}`) {
      call.ended = 'unauthorized';
      return send(response, 401, { error: { message: 'no such credential', type: 'invalid_request_error', code: 'invalid_api_key', param: null } });
    }
    if (request.method !== 'POST' || url.pathname !== '/v1/chat/completions') {
      call.ended = 'unknown path';
      return send(response, 404, { error: { message: 'no such path', type: 'invalid_request_error', code: null, param: null } });
    }
    const body = JSON.parse(text);
    call.body = body;
    const words = wordsOf(body);
    if (words.delay_ms) await sleep(words.delay_ms);
    if (words.hang) { call.ended = 'hanging'; return undefined; }
    if (words.status) {
      call.ended = 'error';
      return send(response, words.status, { error: { message: `as told: ${words.status}`, type: 'server_error', code: 'as_told', param: null } }, { 'x-request-id': `told-${this.calls.length}` });
    }
    if (words.raw !== undefined) {
      call.ended = 'raw';
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(words.raw);
    }
    const usage = this.use(body, words);
    const prices = this.prices[body.model];
    if (!prices) throw new Error(`the provider has no price for ${body.model}`);
    call.usage = usage;
    call.nano = charge(prices, usage);
    return body.stream
      ? this.stream(response, body, words, usage, call)
      : this.whole(response, body, words, usage, call);
  }

  /** How many tokens this call takes. */
  use(body, words) {
    const characters = body.messages.reduce((sum, m) => sum + JSON.stringify(m.content ?? '').length, 0);
    const bound = body.max_completion_tokens ?? body.max_tokens ?? 64;
    const choices = body.n ?? 1;
    const input = Math.max(1, Math.floor(characters / 4)) + 3;
    const wanted = words.output ?? 1 + Math.floor(this.random() * 60);
    const output = Math.min(wanted, bound) * choices;
    return {
      input,
      output,
      cached_input: Math.min(words.cached ?? Math.floor(this.random() * input), input),
      reasoning: Math.min(words.reasoning ?? Math.floor(this.random() * output), output),
    };
  }

  content(length) {
    let text = '';
    for (let i = 0; i < length; i += 1) text += WORDS[Math.floor(this.random() * WORDS.length)];
    return text;
  }

  envelope(body, object) {
    this.made += 1;
    return { id: `chatcmpl-${this.made}`, object, created: 1700000000, model: body.model, system_fingerprint: null };
  }

  whole(response, body, words, usage, call) {
    const choices = Array.from({ length: body.n ?? 1 }, (_, index) => ({
      index, message: { role: 'assistant', content: this.content(4), refusal: null }, logprobs: null, finish_reason: 'stop',
    }));
    const reply = { ...this.envelope(body, 'chat.completion'), choices };
    if (words.usage !== 'none') reply.usage = wire(usage);
    call.ended = 'done';
    return send(response, 200, reply);
  }

  async stream(response, body, words, usage, call) {
    const asked = body.stream_options?.include_usage === true && words.usage !== 'none';
    const envelope = this.envelope(body, 'chat.completion.chunk');
    const chunk = (delta, finish) => ({
      ...envelope, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...(asked ? { usage: null } : {}),
    });
    const events = [chunk({ role: 'assistant', content: '' }, null)];
    for (let i = 0; i < Math.min(usage.output, 24); i += 1) events.push(chunk({ content: words.fill ? 'x'.repeat(words.fill) : this.content(2) }, null));
    events.push(chunk({}, 'stop'));
    if (asked) events.push({ ...envelope, choices: [], usage: wire(usage) });
    const line = this.random() < 0.3 ? '\r\n' : '\n';
    let bytes = this.random() < 0.3 ? `: processing${line}${line}` : '';
    let sent = 0;
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    for (const event of events) {
      bytes += `data: ${JSON.stringify(event)}${line}${line}`;
      sent += 1;
      if (words.cut && sent >= words.cut) {
        await this.pieces(response, Buffer.from(bytes), words);
        call.ended = 'cut';
        response.destroy();
        return;
      }
    }
    bytes += `data: [DONE]${line}${line}`;
    const whole = await this.pieces(response, Buffer.from(bytes), words);
    call.ended = whole ? 'done' : 'left'; // who has read [DONE] may leave at once
    response.end();
  }

  /** Whether all of it could be written before the other side left. */
  async pieces(response, bytes, words) {
    let at = 0;
    while (at < bytes.length && !response.destroyed) {
      const most = words.fill ? 65536 : 900;
      const length = this.random() < 0.2 ? 1 + Math.floor(this.random() * 5) : 1 + Math.floor(this.random() * most);
      response.write(bytes.subarray(at, at + length));
      at += length;
      if (words.chunk_ms) await sleep(words.chunk_ms);
      else await new Promise((done) => { setImmediate(done); });
    }
    return at >= bytes.length;
  }
}

function wire(usage) {
  return {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
    prompt_tokens_details: { cached_tokens: usage.cached_input, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: usage.reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

function send(response, status, body, headers = {}) {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
}
