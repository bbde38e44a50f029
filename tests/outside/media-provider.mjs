// SPDX-License-Identifier: Apache-2.0
// A provider of pictures, speech, transcripts, video, moderations and of a path that mete does not
// know: OpenAI's wire format, and an account of its own in whole nano-units, from its own copy of
// the prices (OpenAI's price page). It shares nothing with `mete sim`.
//
// What a call should do is told in its text (prompt, input), behind an exclamation mark:
//   !{"status": 500}     answer with this error status, bill nothing
//   !{"pictures": 1}     make fewer pictures than were asked for
//   !{"usage": "none"}   report no usage
//   !{"cut": true}       break the connection off within the answer
//   !{"fail": true}      the job of a video fails, and is billed nothing
import http from 'node:http';
import { divideHalfEven, nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';

const PICTURES = {
  'dall-e-3': { 'standard 1024x1024': '0.04', 'standard 1024x1792': '0.08', 'standard 1792x1024': '0.08', 'hd 1024x1024': '0.08', 'hd 1024x1792': '0.12', 'hd 1792x1024': '0.12' },
  'dall-e-2': { 'standard 256x256': '0.016', 'standard 512x512': '0.018', 'standard 1024x1024': '0.02' },
};
const SECONDS = { 'whisper-1': '0.0001' };
const CHARACTERS = { 'tts-1': '0.000015', 'tts-1-hd': '0.00003' };
const VIDEO = { 'sora-2': { '': '0.1' }, 'sora-2-pro': { '': '0.3', '1024x1792': '0.5', '1792x1024': '0.5' } };
// Dollars per million tokens.
const TOKENS = {
  'gpt-image-1': { text: '5', picture: '10', made: '40' },
  'gpt-4o-transcribe': { text: '2.5', sound: '2.5', made: '10' },
  'gpt-4o-mini-tts': { text: '2.5', made: '12' },
};
export const PASS_PRICE = '0.002';

const million = (price, tokens) => nano(price) * BigInt(tokens);
const sum = (terms) => divideHalfEven(terms.reduce((all, one) => all + one, 0n), 1000000n);
const wordsOf = (text) => (typeof text === 'string' && text.startsWith('!') ? JSON.parse(text.slice(1)) : {});

function send(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export class MediaProvider {
  constructor() {
    this.calls = [];
    this.videos = new Map();
    this.sockets = new Set();
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
    const call = { method: request.method, path: url.pathname, query: url.search, headers: request.headers, bytes, nano: 0n };
    this.calls.push(call);
    if (request.headers.authorization !== `Bearer ${CREDENTIAL}`) return send(response, 401, { error: { message: 'no such credential', type: 'invalid_request_error', code: 'invalid_api_key', param: null } });
    const type = request.headers['content-type'] ?? '';
    if (type.startsWith('multipart/')) call.form = await new Response(bytes, { headers: { 'content-type': type } }).formData();
    else if (bytes.length) call.body = JSON.parse(bytes.toString('utf8'));
    const words = wordsOf(call.body?.prompt ?? call.body?.input ?? call.form?.get('prompt'));
    if (words.status) return send(response, words.status, { error: { message: `as told: ${words.status}`, type: 'server_error', code: 'as_told', param: null } });
    const video = /^\/v1\/videos\/([^/]+)(\/content)?$/.exec(url.pathname);
    if (video) return this.video(request.method, video[1], Boolean(video[2]), response);
    const route = { '/v1/images/generations': 'images', '/v1/audio/speech': 'speech', '/v1/audio/transcriptions': 'transcribe', '/v1/videos': 'job', '/v1/moderations': 'moderate', '/v1/rerank': 'rerank' }[url.pathname];
    if (!route || request.method !== 'POST') return send(response, 404, { error: { message: 'no such path', type: 'invalid_request_error', code: null, param: null } });
    return this[route](call, words, response);
  }

  images(call, words, response) {
    const { model, n = 1, quality = 'standard', size = '1024x1024' } = call.body;
    const made = words.pictures ?? n;
    const data = Array.from({ length: made }, () => ({ b64_json: 'aGVsbG8=' }));
    if (!TOKENS[model]) {
      call.nano = nano(PICTURES[model][`${quality} ${size}`]) * BigInt(made);
      return send(response, 200, { created: 1763683200, data });
    }
    const text = Math.ceil(call.body.prompt.length / 4);
    const usage = { input_tokens: text, output_tokens: 1056 * made, total_tokens: text + 1056 * made, input_tokens_details: { text_tokens: text, image_tokens: 0 } };
    call.nano = sum([million(TOKENS[model].text, text), million(TOKENS[model].made, usage.output_tokens)]);
    if (words.usage === 'none') return send(response, 200, { created: 1763683200, data });
    if (!call.body.stream) return send(response, 200, { created: 1763683200, background: 'opaque', output_format: 'png', quality: 'medium', size: '1024x1024', data, usage });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const event = (name, more) => response.write(`event: ${name}\ndata: ${JSON.stringify({ type: name, b64_json: 'aGVsbG8='.repeat(2000), created_at: 1, size: '1024x1024', quality: 'medium', background: 'opaque', output_format: 'png', ...more })}\n\n`);
    event('image_generation.partial_image', { partial_image_index: 0 });
    if (words.cut) return setTimeout(() => response.destroy(), 20);
    event('image_generation.completed', { usage });
    return response.end();
  }

  speech(call, words, response) {
    const { model, input, stream_format: format } = call.body;
    const characters = [...input].length;
    const sound = Buffer.alloc(200000, 'sound');
    if (format === 'sse') {
      const usage = { input_tokens: characters, output_tokens: 42, total_tokens: characters + 42 };
      call.nano = sum([million(TOKENS[model].text, characters), million(TOKENS[model].made, 42)]);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${JSON.stringify({ type: 'speech.audio.delta', audio: sound.toString('base64') })}\n\n`);
      response.write(`data: ${JSON.stringify({ type: 'speech.audio.done', usage })}\n\n`);
      return response.end();
    }
    call.nano = TOKENS[model] ? sum([million(TOKENS[model].text, characters), million(TOKENS[model].made, 42)]) : nano(CHARACTERS[model]) * BigInt(characters);
    response.writeHead(200, { 'content-type': 'audio/mpeg' });
    response.write(sound.subarray(0, 70000));
    if (words.cut) return setTimeout(() => response.destroy(), 20);
    return setTimeout(() => response.end(sound.subarray(70000)), 20);
  }

  async transcribe(call, words, response) {
    const { form } = call;
    const model = form.get('model');
    const file = Buffer.from(await form.get('file').arrayBuffer());
    // It hears what the test says it hears: the file's own bytes are nothing but a header.
    const seconds = Math.ceil(Number(form.get('language') ?? 1));
    const text = 'what was said';
    call.file = file;
    if (SECONDS[model]) call.nano = nano(SECONDS[model]) * BigInt(seconds);
    const tokens = { type: 'tokens', input_tokens: seconds * 10 + 4, output_tokens: 5, total_tokens: seconds * 10 + 9, input_token_details: { text_tokens: 4, audio_tokens: seconds * 10 } };
    const usage = TOKENS[model] ? tokens : { type: 'duration', seconds };
    if (TOKENS[model]) call.nano = sum([million(TOKENS[model].text, 4), million(TOKENS[model].sound, seconds * 10), million(TOKENS[model].made, 5)]);
    const format = form.get('response_format') ?? 'json';
    if (format === 'text' || format === 'srt' || format === 'vtt') {
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      return response.end(`${text}\n`);
    }
    if (form.get('stream') === 'true' && TOKENS[model]) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${JSON.stringify({ type: 'transcript.text.delta', delta: 'what was' })}\n\n`);
      response.write(`data: ${JSON.stringify({ type: 'transcript.text.done', text, usage })}\n\n`);
      return response.end();
    }
    if (words.usage === 'none') return send(response, 200, { text });
    return send(response, 200, format === 'verbose_json' ? { task: 'transcribe', language: 'english', duration: seconds - 0.5, text, usage } : { text, usage });
  }

  job(call, words, response) {
    const of = (name) => call.form?.get(name) ?? call.body?.[name];
    const [model, seconds, size] = [of('model'), String(of('seconds') ?? 4), of('size') ?? '720x1280'];
    const id = `video_${this.videos.size + 1}`;
    const price = VIDEO[model][size] ?? VIDEO[model][''];
    const video = { id, object: 'video', model, status: 'queued', progress: 0, created_at: 1763683200, completed_at: null, expires_at: null, error: null, prompt: of('prompt'), remixed_from_video_id: null, seconds, size };
    this.videos.set(id, { video, call, nano: nano(price) * BigInt(seconds), fails: words.fail });
    return send(response, 200, video);
  }

  /** Lets a job end, and bills it then. */
  complete(id) {
    const job = this.videos.get(id);
    job.video.status = job.fails ? 'failed' : 'completed';
    job.call.nano = job.fails ? 0n : job.nano;
  }

  video(method, id, content, response) {
    const job = this.videos.get(id);
    if (!job) return send(response, 404, { error: { message: 'no such video', type: 'invalid_request_error', code: null, param: null } });
    if (content) {
      response.writeHead(200, { 'content-type': 'video/mp4' });
      return response.end(Buffer.alloc(3000000, 'video'));
    }
    if (method === 'DELETE') return send(response, 200, { id, object: 'video.deleted', deleted: true });
    return send(response, 200, job.video);
  }

  moderate(call, words, response) {
    return send(response, 200, { id: `modr-${this.calls.length}`, model: call.body.model, results: [{ flagged: false, categories: {}, category_scores: {} }] });
  }

  rerank(call, words, response) {
    call.nano = nano(PASS_PRICE);
    return send(response, 200, { results: [{ index: 0, relevance_score: 0.5 }] });
  }
}
