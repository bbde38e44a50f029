// SPDX-License-Identifier: Apache-2.0
// A provider of files and batches: OpenAI's wire format, and an account of its own in whole
// nano-units, from its own copy of the prices: each call of a batch is rounded once, at the batch
// tier where the model has one. It shares nothing with `mete sim`.
//
// What a call should do is told in its last message (or input), behind an exclamation mark:
//   !{"in": 10, "out": 5}   tokens that it is billed
//   !{"status": 400}        fails: it stands among the errors, and is billed nothing
//   !{"usage": "none"}      reports no usage
import http from 'node:http';
import { divideHalfEven, nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';

// Dollars per million tokens, of the batch tier; the last has none, so it is the only price.
export const PRICES = {
  'gpt-4o-mini': { input: '0.075', output: '0.3' },
  'text-embedding-3-small': { input: '0.01', output: '0' },
  'odd-model': { input: '0.123456789', output: '7.000000001' },
};

const wordsOf = (text) => (typeof text === 'string' && text.startsWith('!') ? JSON.parse(text.slice(1)) : {});
const fault = (message) => ({ error: { message, type: 'invalid_request_error', code: null, param: null } });

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

export class BatchProvider {
  constructor() {
    this.calls = [];
    this.files = new Map();
    this.batches = new Map();
    this.sockets = new Set();
    this.refuses = null; // a status that the next batch is refused with
    this.drops = false; // the next batch is begun, and nobody hears of it
    this.cuts = 0; // bytes after which the next content breaks off
    this.slow = false; // contents come in small pieces
    this.server = http.createServer((request, response) => {
      this.answer(request, response).catch((error) => {
        if (!response.headersSent) response.writeHead(500).end(String(error.stack));
        else response.destroy();
      });
    });
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  async start() {
    await new Promise((done) => { this.server.listen(0, '127.0.0.1', done); });
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => { this.server.close(done); });
  }

  async answer(request, response) {
    const url = new URL(request.url, this.url);
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    this.calls.push({ method: request.method, path: url.pathname });
    if (request.headers.authorization !== `Bearer ${CREDENTIAL}`) return send(response, 401, fault(`no such credential: ${request.headers.authorization}`));
    const [, noun, id, rest] = /^\/v1\/(files|batches)(?:\/([^/]+)(?:\/([a-z]+))?)?$/.exec(url.pathname) ?? [];
    if (noun === 'files' && !id && request.method === 'POST') return this.upload(request, bytes, response);
    if (noun === 'files') return this.file(request.method, id, rest, response);
    if (noun === 'batches' && !id && request.method === 'POST') return this.create(JSON.parse(bytes), response);
    if (noun === 'batches') return this.batch(request.method, id, rest, response);
    return send(response, 404, fault('no such path'));
  }

  put(bytes, filename, purpose) {
    const id = `file-${this.files.size + 1}${purpose === 'batch' ? 'in' : 'out'}`;
    const object = { id, object: 'file', bytes: bytes.length, created_at: 1763683200 + this.files.size, filename, purpose, status: 'processed' };
    this.files.set(id, { object, bytes });
    return object;
  }

  async upload(request, bytes, response) {
    const form = await new Response(bytes, { headers: { 'content-type': request.headers['content-type'] } }).formData();
    const file = form.get('file');
    return send(response, 200, this.put(Buffer.from(await file.arrayBuffer()), file.name, form.get('purpose')));
  }

  async file(method, id, rest, response) {
    const file = this.files.get(id);
    if (!file) return send(response, 404, fault('no such file'));
    if (method === 'DELETE') {
      this.files.delete(id);
      return send(response, 200, { id, object: 'file', deleted: true });
    }
    if (rest !== 'content') return send(response, 200, file.object);
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.bytes.length });
    const cuts = this.cuts;
    this.cuts = 0;
    if (cuts) {
      response.write(file.bytes.subarray(0, cuts));
      return setTimeout(() => response.destroy(), 30);
    }
    if (!this.slow) return response.end(file.bytes);
    for (let at = 0; at < file.bytes.length; at += 700) {
      response.write(file.bytes.subarray(at, at + 700));
      await new Promise((done) => { setTimeout(done, 2); });
    }
    return response.end();
  }

  create(body, response) {
    if (this.refuses) {
      const status = this.refuses;
      this.refuses = null;
      return send(response, status, fault('as told'));
    }
    const id = `batch_${this.batches.size + 1}`;
    const lines = this.files.get(body.input_file_id).bytes.toString('utf8').split('\n').filter((line) => line.trim()).map((line) => JSON.parse(line));
    const object = {
      id, object: 'batch', endpoint: body.endpoint, errors: null, input_file_id: body.input_file_id, completion_window: body.completion_window,
      status: 'validating', output_file_id: null, error_file_id: null, created_at: 1763683200 + this.batches.size, in_progress_at: null, expires_at: 1763769600,
      request_counts: { total: lines.length, completed: 0, failed: 0 }, metadata: body.metadata ?? null,
    };
    this.batches.set(id, { object, lines, nano: 0n });
    if (this.drops) {
      this.drops = false;
      return response.destroy();
    }
    return send(response, 200, object);
  }

  batch(method, id, rest, response) {
    const batch = this.batches.get(id);
    if (!batch) return send(response, 404, fault('no such batch'));
    if (rest === 'cancel' && method === 'POST') batch.object.status = 'cancelling';
    return send(response, 200, batch.object);
  }

  /** Lets a batch end: so many of its lines are done (all, if nobody says), and billed. */
  finish(id, status = 'completed', done = Infinity) {
    const batch = this.batches.get(id);
    const good = [];
    const bad = [];
    for (const line of batch.lines.slice(0, done)) this.make(batch, line, good, bad);
    Object.assign(batch.object, { status, request_counts: { total: batch.lines.length, completed: good.length, failed: bad.length } });
    const file = (lines, name) => (lines.length ? this.put(Buffer.from(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`), `${id}_${name}.jsonl`, 'batch_output').id : null);
    batch.object.output_file_id = file(good, 'output');
    batch.object.error_file_id = file(bad, 'error');
    return batch.nano;
  }

  make(batch, line, good, bad) {
    const { model, messages, input } = line.body;
    const words = wordsOf(messages?.at(-1).content ?? input);
    const answer = { id: `batch_req_${good.length + bad.length}`, custom_id: line.custom_id, response: { status_code: words.status ?? 200, request_id: 'r', body: fault('as told') }, error: null };
    if (words.status) return bad.push(answer);
    const usage = { prompt_tokens: words.in ?? 9, completion_tokens: messages ? words.out ?? 12 : 0 };
    usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
    const price = PRICES[model];
    // Prices of up to nine places a million tokens: a nano-unit of those is 10^-15.
    batch.nano += divideHalfEven(nano(price.input) * BigInt(usage.prompt_tokens) + nano(price.output) * BigInt(usage.completion_tokens), 1000000n);
    answer.response.body = messages
      ? { id: `chatcmpl-${good.length}`, object: 'chat.completion', created: 1, model, choices: [{ index: 0, message: { role: 'assistant', content: 'done\n"so"' }, finish_reason: 'stop' }], usage }
      : { object: 'list', model, data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2] }], usage };
    if (words.usage === 'none') delete answer.response.body.usage;
    return good.push(answer);
  }
}
