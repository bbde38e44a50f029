// SPDX-License-Identifier: Apache-2.0
// A provider of Bedrock's converse that belongs to the tests: whole answers and messages with
// checksums, and an account of its own, in whole nano-units, of every call it billed. What a call
// should do is told in its last text, behind an exclamation mark, as provider.mjs has it.
import http from 'node:http';
import { charge } from './money.mjs';
import { CREDENTIAL, generator } from './provider.mjs';
import { awsMessage } from './recorded.mjs';

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function readBody(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

function wordsOf(body) {
  const text = body.messages.at(-1).content.find((block) => block.text)?.text ?? '';
  return text.startsWith('!') ? JSON.parse(text.slice(1)) : {};
}

export class BedrockProvider {
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
    const path = /^\/model\/([^/?]+)\/(converse|converse-stream)$/.exec(request.url);
    if (request.headers.authorization !== `Bearer ${CREDENTIAL}`) return fail(response, 403, 'AccessDeniedException', 'no such credential');
    if (request.method !== 'POST' || !path) return fail(response, 404, 'ResourceNotFoundException', `no such path: ${request.url}`);
    const body = JSON.parse(text);
    const model = decodeURIComponent(path[1]);
    Object.assign(call, { body, model });
    const words = wordsOf(body);
    if (words.status) return fail(response, words.status, words.word ?? 'InternalServerException', `as told: ${words.status}`);
    const usage = this.use(body, words);
    if (!words.cut && !words.exception) call.nano = charge(this.prices[model], usage);
    call.usage = usage;
    const content = this.content(body, words);
    const stopReason = content.some((block) => block.toolUse) ? 'tool_use' : 'end_turn';
    if (path[2] === 'converse') {
      response.writeHead(200, { 'content-type': 'application/json' });
      call.ended = 'done';
      return response.end(JSON.stringify({ output: { message: { role: 'assistant', content } }, stopReason, usage: wire(usage), metrics: { latencyMs: 1 } }));
    }
    return this.stream(response, content, stopReason, words, call);
  }

  use(body, words) {
    const output = Math.min(words.output ?? 20, body.inferenceConfig?.maxTokens ?? 64);
    return { input: Math.floor(JSON.stringify(body.messages).length / 4) + 9, cached_input: words.cached ?? 0, cache_write: words.written ?? 0, output };
  }

  content(body, words) {
    const tool = body.toolConfig?.tools[0].toolSpec;
    const answered = body.messages.some((each) => each.content.some((block) => block.toolResult));
    const content = [];
    if (words.reasoning) content.push({ reasoningContent: { reasoningText: { text: 'Hm.', signature: 'c2ln' } } });
    if (body.outputConfig) content.push({ text: '{"name": "mete"}' });
    else content.push({ text: 'naïve 漢字 🙂 data: [DONE]' });
    if (tool && !answered) content.push({ toolUse: { toolUseId: `tooluse_${this.calls.length}`, name: tool.name, input: { city: 'Paris' } } });
    return content;
  }

  async stream(response, content, stopReason, words, call) {
    const events = [['messageStart', { role: 'assistant' }]];
    content.forEach((block, contentBlockIndex) => {
      const delta = (each) => events.push(['contentBlockDelta', { contentBlockIndex, delta: each, p: 'abc' }]);
      if (block.text) for (const piece of block.text.match(/.{1,4}/gu)) delta({ text: piece });
      if (block.reasoningContent) {
        delta({ reasoningContent: { text: 'Hm.' } });
        delta({ reasoningContent: { signature: 'c2ln' } });
      }
      if (block.toolUse) {
        const { input, ...start } = block.toolUse;
        events.push(['contentBlockStart', { contentBlockIndex, start: { toolUse: start } }]);
        for (const piece of JSON.stringify(input).match(/.{1,5}/gu)) delta({ toolUse: { input: piece } });
      }
      events.push(['contentBlockStop', { contentBlockIndex }]);
    });
    events.push(['messageStop', { stopReason }], ['metadata', { usage: wire(call.usage), metrics: { latencyMs: 1 } }]);
    const bytes = Buffer.concat(events.map(([type, payload]) => awsMessage(type, JSON.stringify(payload))));
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
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

/** Bedrock leaves what was read from the cache and written to it out of inputTokens. */
function wire(usage) {
  return {
    inputTokens: usage.input - usage.cached_input - usage.cache_write, outputTokens: usage.output, totalTokens: usage.input + usage.output,
    cacheReadInputTokens: usage.cached_input, cacheWriteInputTokens: usage.cache_write,
  };
}

function fail(response, status, type, message) {
  response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` });
  response.end(JSON.stringify({ message }));
}
