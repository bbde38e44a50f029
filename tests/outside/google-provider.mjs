// SPDX-License-Identifier: Apache-2.0
// A provider of Google's generateContent that belongs to the tests: whole answers, events and arrays,
// with an account of its own, in whole nano-units, of every call it billed. What a call should do is
// told in its last text, behind an exclamation mark, as the provider of provider.mjs is told.
import http from 'node:http';
import { charge } from './money.mjs';
import { CREDENTIAL, generator } from './provider.mjs';

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function readBody(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

function wordsOf(body) {
  const text = body.contents?.at(-1)?.parts?.find((part) => part.text)?.text ?? '';
  return text.startsWith('!') ? JSON.parse(text.slice(1)) : {};
}

export class GoogleProvider {
  /** prices: {model: {input, output, ...}} as money.charge takes them. */
  constructor(prices, { seed = 1 } = {}) {
    this.prices = prices;
    this.random = generator(seed);
    this.calls = []; // every request that arrived, in order
    this.sockets = new Set();
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

  async answer(request, response) {
    const text = await readBody(request);
    const call = { url: request.url, headers: request.headers, text, nano: 0n, ended: 'open' };
    this.calls.push(call);
    const path = /^\/v1beta\/models\/([^/:?]+):(generateContent|streamGenerateContent)(\?alt=sse)?$/.exec(request.url);
    if (request.headers['x-goog-api-key'] !== CREDENTIAL) return fail(response, 401, 'UNAUTHENTICATED', 'no such credential');
    if (request.method !== 'POST' || !path) return fail(response, 404, 'NOT_FOUND', `no such path: ${request.url}`);
    const body = JSON.parse(text);
    const model = decodeURIComponent(path[1]);
    Object.assign(call, { body, model });
    const words = wordsOf(body);
    if (words.status) return fail(response, words.status, words.word ?? 'INTERNAL', `as told: ${words.status}`);
    const chunks = this.chunks(model, body, words);
    const usage = this.use(body, words);
    chunks.at(-1).usageMetadata = wire(usage);
    if (!words.cut) call.nano = charge(this.prices[model], usage);
    call.usage = usage;
    if (path[2] === 'generateContent') return whole(response, chunks, call);
    return this.stream(response, chunks, words, path[3] ? 'sse' : 'array', call);
  }

  use(body, words) {
    const output = Math.min(words.output ?? 20, body.generationConfig?.maxOutputTokens ?? 64);
    return { input: Math.floor(JSON.stringify(body.contents).length / 4) + 3, cached_input: words.cached ?? 0, output, reasoning: Math.min(words.reasoning ?? 0, output) };
  }

  chunks(model, body, words) {
    const parts = [];
    const [tool] = body.tools?.[0]?.functionDeclarations ?? [];
    const answered = body.contents.some((each) => each.parts.some((part) => part.functionResponse));
    if (words.reasoning) parts.push({ text: 'Hm.', thought: true });
    if (tool && !answered) parts.push({ functionCall: { name: tool.name, args: { city: 'Paris', naïve: '漢字' } }, thoughtSignature: 'c2lnbmF0dXJl' });
    else if (body.generationConfig?.responseMimeType === 'application/json') parts.push({ text: '{"na' }, { text: 'me": "mete"}' });
    else for (const text of ['naïve ', '漢字 ', '🙂 ', 'data: [DONE] ', ']"}\\ ']) parts.push({ text });
    const ids = { modelVersion: model, responseId: `response-${this.calls.length}` };
    const chunks = parts.map((part) => ({ candidates: [{ content: { role: 'model', parts: [part] }, index: 0 }], usageMetadata: { promptTokenCount: 3 }, ...ids }));
    chunks.at(-1).candidates[0].finishReason = words.output > 64 ? 'MAX_TOKENS' : 'STOP';
    return chunks;
  }

  async stream(response, chunks, words, how, call) {
    response.writeHead(200, { 'content-type': how === 'sse' ? 'text/event-stream' : 'application/json; charset=UTF-8' });
    const texts = chunks.map((chunk) => JSON.stringify(chunk, null, how === 'sse' ? 0 : 1));
    call.sent = how === 'sse' ? texts.map((each) => `data: ${each}\r\n\r\n`).join('') : `[${texts.join('\n,\r\n')}\n]`;
    const bytes = Buffer.from(call.sent);
    const end = words.cut ? Math.floor(bytes.length * words.cut) : bytes.length;
    for (let at = 0; at < end && !response.destroyed;) {
      const length = 1 + Math.floor(this.random() * 90);
      response.write(bytes.subarray(at, Math.min(at + length, end)));
      at += length;
      await sleep(words.chunk_ms ?? 0);
    }
    call.ended = 'done';
    if (words.cut) response.destroy();
    else response.end();
  }
}

function wire(usage) {
  return {
    promptTokenCount: usage.input, candidatesTokenCount: usage.output - usage.reasoning, totalTokenCount: usage.input + usage.output,
    ...(usage.reasoning ? { thoughtsTokenCount: usage.reasoning } : {}),
    ...(usage.cached_input ? { cachedContentTokenCount: usage.cached_input } : {}),
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: usage.input }],
  };
}

function whole(response, chunks, call) {
  const last = chunks.at(-1);
  last.candidates[0].content.parts = chunks.flatMap((chunk) => chunk.candidates[0].content.parts);
  response.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' });
  call.sent = JSON.stringify(last, null, 2);
  call.ended = 'done';
  response.end(call.sent);
}

function fail(response, status, word, message) {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' });
  response.end(JSON.stringify({ error: { code: status, message, status: word } }));
}
