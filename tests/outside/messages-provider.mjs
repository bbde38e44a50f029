// SPDX-License-Identifier: Apache-2.0
// A provider of Anthropic's messages that belongs to the tests, with an account of its own as
// provider.mjs has one. What a call should do is told in its last text, as there, and further:
//   !{"thinking": "text"}              think first, with a signature
//   !{"tools": [["name", {...}], ...]} call these tools, behind a word of text
//   !{"text": "..."}                   say this
//   !{"written": 10}                   part of the input written to the cache
//   !{"error_after": 3}                an error event after so many events
import { charge } from './money.mjs';
import { CREDENTIAL, Provider } from './provider.mjs';

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** The text of a content: a string, or blocks. */
export function textOf(content) {
  if (typeof content === 'string') return content;
  return (content ?? []).filter((block) => block.type === 'text').map((block) => block.text).join('');
}

export function wordsOf(body) {
  const last = [...(body.messages ?? [])].reverse().map((message) => textOf(message.content)).find((text) => text.startsWith('!'));
  return last && textOf(body.messages.at(-1).content) === last ? JSON.parse(last.slice(1)) : {};
}

const ERRORS = { 400: 'invalid_request_error', 401: 'authentication_error', 404: 'not_found_error', 429: 'rate_limit_error', 529: 'overloaded_error' };

function fail(response, status, message, headers = {}) {
  const body = JSON.stringify({ type: 'error', error: { type: ERRORS[status] ?? 'api_error', message }, request_id: 'req_tests' });
  response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_tests', ...headers });
  response.end(body);
}

function wire(usage, output = usage.output) {
  return {
    input_tokens: usage.input - usage.cached_input - usage.cache_write,
    cache_read_input_tokens: usage.cached_input,
    cache_creation_input_tokens: usage.cache_write,
    cache_creation: { ephemeral_5m_input_tokens: usage.cache_write, ephemeral_1h_input_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { thinking_tokens: Math.min(usage.reasoning, output) },
    service_tier: 'standard',
  };
}

export class MessagesProvider extends Provider {
  async answer(request, response) {
    const url = new URL(request.url, this.url);
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const text = Buffer.concat(pieces).toString('utf8');
    const call = { path: url.pathname, headers: request.headers, text, nano: 0n, usage: null, ended: 'open' };
    this.calls.push(call);
    if (request.headers['x-api-key'] !== CREDENTIAL) return fail(response, 401, 'invalid x-api-key');
    if (!request.headers['anthropic-version']) return fail(response, 400, 'anthropic-version: header is required');
    if (request.method !== 'POST' || url.pathname !== '/v1/messages') return fail(response, 404, 'Not found');
    const body = JSON.parse(text);
    call.body = body;
    if (!Number.isInteger(body.max_tokens)) return fail(response, 400, 'max_tokens: Field required');
    const words = wordsOf(body);
    if (words.delay_ms) await sleep(words.delay_ms);
    if (words.status) {
      call.ended = 'error';
      return fail(response, words.status, `as told: ${words.status}`);
    }
    const usage = this.use(body, words);
    call.usage = usage;
    call.nano = charge(this.prices[body.model], usage);
    const head = { id: `msg_${this.calls.length}`, type: 'message', role: 'assistant', model: body.model };
    const blocks = this.blocks(words);
    const stop_reason = words.tools ? 'tool_use' : usage.output === body.max_tokens ? 'max_tokens' : 'end_turn';
    if (body.stream) return this.events(response, { head, blocks, stop_reason, words, usage, call });
    call.ended = 'done';
    response.writeHead(200, { 'content-type': 'application/json', 'request-id': 'req_tests' });
    return response.end(JSON.stringify({ ...head, content: blocks, stop_reason, stop_sequence: null, usage: wire(usage) }));
  }

  use(body, words) {
    const usage = super.use({ ...body, messages: [{ content: body.messages }] }, words);
    return { ...usage, cache_write: Math.min(words.written ?? 0, usage.input - usage.cached_input) };
  }

  blocks(words) {
    return [
      ...(words.thinking ? [{ type: 'thinking', thinking: words.thinking, signature: 'c2ln' }] : []),
      { type: 'text', text: words.text ?? this.content(6) },
      ...(words.tools ?? []).map(([name, input], i) => ({ type: 'tool_use', id: `toolu_${i}`, name, input })),
    ];
  }

  async events(response, { head, blocks, stop_reason, words, usage, call }) {
    const events = [{ type: 'message_start', message: { ...head, content: [], stop_reason: null, stop_sequence: null, usage: wire(usage, 1) } }];
    blocks.forEach((block, index) => {
      const empty = { text: { text: '' }, thinking: { thinking: '', signature: '' }, tool_use: { input: {} } }[block.type];
      const deltas = {
        text: () => cut(block.text).map((text) => ({ type: 'text_delta', text })),
        thinking: () => [...cut(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking })), { type: 'signature_delta', signature: block.signature }],
        tool_use: () => ['', ...(Object.keys(block.input).length ? cut(JSON.stringify(block.input)) : [])].map((partial_json) => ({ type: 'input_json_delta', partial_json })),
      }[block.type]();
      events.push({ type: 'content_block_start', index, content_block: { ...block, ...empty } });
      if (!index) events.push({ type: 'ping' });
      for (const delta of deltas) events.push({ type: 'content_block_delta', index, delta });
      events.push({ type: 'content_block_stop', index });
    });
    events.push({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: wire(usage) }, { type: 'message_stop' });
    if (words.error_after) events.splice(words.error_after, Infinity, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });
    if (words.cut) events.length = words.cut;
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'request-id': 'req_tests' });
    const bytes = Buffer.from(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
    const whole = await this.pieces(response, bytes, words);
    call.ended = whole ? 'done' : 'left';
    return words.cut ? response.destroy() : response.end();
  }
}

/** A text in pieces of a few characters, none of them within a surrogate pair. */
function cut(text) {
  return [...text].reduce((pieces, each, i) => { if (i % 5) pieces[pieces.length - 1] += each; else pieces.push(each); return pieces; }, []);
}
