// SPDX-License-Identifier: Apache-2.0
// A provider of OpenAI's other formats that belongs to the tests: responses (plain, streaming, in
// the background, stored), completions, embeddings, on OpenAI's paths and on Azure's; chat too, as
// the provider it extends speaks it. It keeps an account of its own, like that one.
//
// What a call should do is told behind an exclamation mark at the end of its input, as there; and
//   !{"call": {"city": "Paris"}}   call the first function with these arguments
//   !{"say": "text"}               say this, word by word
//   !{"polls": 2}                  a background answer is finished when it is asked for so often
//   !{"fetch": {"status": 500}}    answer with this status when it is asked for; {"cut": 3},
//                                  {"chunk_ms": 5}: stream it so
import { CREDENTIAL, Provider } from './provider.mjs';
import { charge } from './money.mjs';

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

function textOf(input) {
  if (typeof input === 'string') return input;
  const last = input.at(-1);
  const content = last?.content ?? last?.output ?? '';
  if (typeof content === 'string') return content;
  return content.filter((part) => part.type === 'input_text').at(-1)?.text ?? '';
}

function wordsOf(text) {
  const at = text.indexOf('!{');
  return at < 0 ? {} : JSON.parse(text.slice(at + 1));
}

function readBody(request) {
  return new Promise((done, failed) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => done(Buffer.concat(pieces).toString('utf8')));
    request.on('error', failed);
  });
}

function send(response, status, body, headers = {}) {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

export class OpenAIProvider extends Provider {
  constructor(prices, options) {
    super(prices, options);
    this.stored = new Map();
  }

  async answer(request, response) {
    const url = new URL(request.url, this.url);
    const [, deployment] = /^\/openai\/deployments\/([^/]+)\//.exec(url.pathname) ?? [];
    const path = url.pathname.replace(/^\/openai\/deployments\/[^/]+|^\/openai\/v1|^\/v1/, '');
    if (path === '/chat/completions' && !deployment) return super.answer(request, response);
    const text = await readBody(request);
    const call = { path: url.pathname, query: url.search, method: request.method, headers: request.headers, text, deployment, nano: 0n, usage: null, ended: 'open' };
    this.calls.push(call);
    if ((request.headers['api-key'] ?? request.headers.authorization?.replace('Bearer ', '')) !== CREDENTIAL)
      return send(response, 401, { error: { message: 'no such credential', type: 'invalid_request_error', code: 'invalid_api_key', param: null } });
    call.body = text ? JSON.parse(text) : {};
    const found = /^\/responses\/([^/]+)(\/cancel|\/input_items)?$/.exec(path);
    if (found) return this.fetched(request, response, url, found, call);
    const words = wordsOf(textOf(call.body.input ?? call.body.prompt ?? call.body.messages ?? ''));
    call.words = words;
    if (words.delay_ms) await sleep(words.delay_ms);
    if (words.status) return send(response, words.status, { error: { message: `as told: ${words.status}`, type: 'server_error', code: 'as_told', param: null } });
    if (path === '/responses') return this.respond(response, call);
    if (path === '/completions') return this.complete(response, call);
    if (path === '/embeddings') return this.embed(response, call);
    if (path === '/chat/completions') return this.azureChat(response, call);
    return send(response, 404, { error: { message: `no such path: ${path}`, type: 'invalid_request_error', code: null, param: null } });
  }

  bill(call, usage) {
    const prices = this.prices[call.body.model ?? call.deployment];
    if (!prices) throw new Error(`the provider has no price for ${call.body.model}`);
    call.usage = usage;
    call.nano = charge(prices, usage);
    return usage;
  }

  measure(call, said) {
    const bound = call.body.max_output_tokens ?? call.body.max_tokens ?? 1000;
    const output = Math.min(call.words.output ?? 1 + said.length, bound);
    const input = Math.max(1, Math.floor(call.text.length / 4));
    return { input, output, cached_input: call.words.cached ?? Math.floor(input / 3), reasoning: Math.min(call.words.reasoning ?? 0, output) };
  }

  // ---- Responses -------------------------------------------------------------------------------

  respond(response, call) {
    const { body, words } = call;
    this.made += 1;
    const id = `resp_${this.made.toString().padStart(4, '0')}abcdef`;
    const said = words.say ?? 'mete naïve 漢字 🙂 "quoted"';
    const tool = words.call && (body.tools ?? []).find(({ type }) => type === 'function');
    const items = [];
    if (words.reasoning) items.push({ id: `rs_${this.made}`, type: 'reasoning', summary: [] });
    items.push(tool
      ? { id: `fc_${this.made}`, type: 'function_call', status: 'completed', arguments: JSON.stringify(words.call), call_id: `call_${this.made}`, name: tool.name }
      : { id: `msg_${this.made}`, type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: said, annotations: [], logprobs: [] }] });
    const usage = words.usage === 'none' ? null : this.measure(call, said);
    const whole = {
      id, object: 'response', created_at: 1700000000, status: 'completed', background: body.background ?? false, error: null,
      incomplete_details: null, instructions: body.instructions ?? null, model: body.model, output: items, parallel_tool_calls: true,
      tool_choice: 'auto', tools: body.tools ?? [], temperature: 1, top_p: 1, metadata: {}, service_tier: 'default',
      usage: usage && this.wire(this.bill(call, usage)),
    };
    if (!usage) this.bill(call, this.measure(call, said));
    this.stored.set(id, { whole, body, polls: words.polls ?? 0, call });
    if (body.background && !body.stream) return send(response, 200, { ...whole, status: 'queued', output: [], usage: null });
    if (body.stream) return this.streamed(response, whole, words, call);
    call.ended = 'done';
    return send(response, 200, whole);
  }

  wire({ input, output, cached_input, reasoning }) {
    return {
      input_tokens: input, input_tokens_details: { cached_tokens: cached_input }, output_tokens: output,
      output_tokens_details: { reasoning_tokens: reasoning }, total_tokens: input + output,
    };
  }

  events(whole) {
    const events = [];
    const add = (type, more) => events.push({ type, ...more, sequence_number: events.length });
    const begun = { ...whole, status: 'in_progress', output: [], usage: null };
    add('response.created', { response: begun });
    add('response.in_progress', { response: begun });
    whole.output.forEach((item, output_index) => {
      const place = { item_id: item.id, output_index };
      if (item.type === 'message') {
        const [part] = item.content;
        add('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } });
        add('response.content_part.added', { ...place, content_index: 0, part: { ...part, text: '' } });
        for (const delta of part.text.split(/(?<= )/)) add('response.output_text.delta', { ...place, content_index: 0, delta, logprobs: [] });
        add('response.output_text.done', { ...place, content_index: 0, text: part.text, logprobs: [] });
        add('response.content_part.done', { ...place, content_index: 0, part });
      } else if (item.type === 'function_call') {
        add('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', arguments: '' } });
        for (const delta of item.arguments.match(/.{1,4}/gs)) add('response.function_call_arguments.delta', { ...place, delta });
        add('response.function_call_arguments.done', { ...place, arguments: item.arguments });
      } else {
        add('response.output_item.added', { output_index, item });
      }
      add('response.output_item.done', { output_index, item });
    });
    add('response.completed', { response: whole });
    return events;
  }

  async streamed(response, whole, words, call) {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    let sent = 0;
    for (const event of this.events(whole)) {
      if (words.cut && sent === words.cut) { call.ended = 'cut'; response.destroy(); return; }
      await this.pieces(response, Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`), words);
      sent += 1;
    }
    call.ended = response.destroyed ? 'left' : 'done';
    response.end();
  }

  fetched(request, response, url, [, id, what], call) {
    const kept = this.stored.get(id);
    if (!kept) return send(response, 404, { error: { message: `Response with id '${id}' not found.`, type: 'invalid_request_error', code: null, param: null } });
    const words = kept.call.words.fetch ?? {};
    if (words.status) return send(response, words.status, { error: { message: `as told: ${request.headers.authorization}`, type: 'server_error', code: 'as_told', param: null } });
    if (request.method === 'DELETE') {
      this.stored.delete(id);
      return send(response, 200, { id, object: 'response', deleted: true });
    }
    if (what === '/input_items') return send(response, 200, { object: 'list', data: [{ id: 'msg_in', type: 'message', role: 'user', content: [] }], has_more: false });
    if (what === '/cancel') {
      kept.whole = { ...kept.whole, status: 'cancelled', output: [], usage: null };
      return send(response, 200, kept.whole);
    }
    if (url.searchParams.get('stream') === 'true') return this.streamed(response, kept.whole, words, call);
    kept.polls -= 1;
    return send(response, 200, kept.polls >= 0 ? { ...kept.whole, status: 'in_progress', output: [], usage: null } : kept.whole);
  }

  // ---- The others ------------------------------------------------------------------------------

  complete(response, call) {
    const { body, words } = call;
    const prompts = Array.isArray(body.prompt) && typeof body.prompt[0] !== 'number' ? body.prompt : [body.prompt];
    const count = prompts.length * (body.n ?? 1);
    const bound = body.max_tokens ?? 16;
    const each = Math.min(words.output ?? 8, bound);
    const usage = this.bill(call, { input: Math.max(1, Math.floor(call.text.length / 4)), output: each * prompts.length * Math.max(body.n ?? 1, body.best_of ?? 1), cached_input: 0, reasoning: 0 });
    const told = { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output };
    const envelope = { id: `cmpl-${call.text.length}`, object: 'text_completion', created: 1700000000, model: body.model };
    const choice = (index, text, finish_reason) => ({ text, index, logprobs: null, finish_reason });
    call.ended = 'done';
    if (!body.stream) return send(response, 200, { ...envelope, choices: Array.from({ length: count }, (_, i) => choice(i, ' and so on', 'stop')), usage: told });
    const chunks = [' and', ' so', ' on'].map((text) => ({ ...envelope, choices: [choice(0, text, null)] }));
    chunks.push({ ...envelope, choices: [choice(0, '', 'stop')] });
    if (body.stream_options?.include_usage) chunks.push({ ...envelope, choices: [], usage: told });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return this.pieces(response, Buffer.from(`${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`), words).then(() => response.end());
  }

  embed(response, call) {
    const { body } = call;
    const inputs = Array.isArray(body.input) && typeof body.input[0] !== 'number' ? body.input : [body.input];
    const usage = this.bill(call, { input: Math.max(1, Math.floor(call.text.length / 4)), output: 0, cached_input: 0, reasoning: 0 });
    const vector = Buffer.from(new Float32Array([0.25, -0.5]).buffer).toString('base64');
    call.ended = 'done';
    return send(response, 200, {
      object: 'list', model: body.model, usage: { prompt_tokens: usage.input, total_tokens: usage.input },
      data: inputs.map((_, index) => ({ object: 'embedding', index, embedding: body.encoding_format === 'base64' ? vector : [0.25, -0.5] })),
    });
  }

  azureChat(response, call) {
    const usage = this.bill(call, { input: 9, output: 4, cached_input: 0, reasoning: 0 });
    call.ended = 'done';
    return send(response, 200, {
      id: 'chatcmpl-azure', object: 'chat.completion', created: 1700000000, model: call.deployment,
      choices: [{ index: 0, message: { role: 'assistant', content: 'from a deployment', refusal: null }, finish_reason: 'stop', content_filter_results: {} }],
      prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
      usage: { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output },
    });
  }
}
