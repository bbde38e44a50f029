// SPDX-License-Identifier: Apache-2.0
// Proves that several providers of one model are one provider to a client: who is asked first, who
// next when it fails, who is left alone and for how long; that a call leaves one record, which says
// who answered and after how many attempts; and that what a lost attempt may have cost stays
// charged beside the one that answered. Each provider here does what the test tells it.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Mete, configuration, temporary } from './mete.mjs';
import { nano } from './money.mjs';

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** Answers one chat as `act(body, response, call)` says; without an act, well. */
class Told {
  constructor(name) {
    this.name = name;
    this.asked = [];
    this.act = null;
    this.server = http.createServer(async (request, response) => {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      const body = JSON.parse(Buffer.concat(pieces));
      this.asked.push({ body, headers: request.headers, url: request.url });
      try {
        await (this.act ?? this.well).call(this, body, response, request);
      } catch { response.destroy(); }
    });
  }

  async start() {
    await new Promise((done) => { this.server.listen(0, '127.0.0.1', done); });
    this.url = `http://127.0.0.1:${this.server.address().port}/v1`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => { this.server.close(done); });
  }

  well(body, response) {
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    const id = `${this.name}-${this.asked.length}`;
    if (!body.stream) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ id, object: 'chat.completion', created: 1, model: body.model, choices: [{ index: 0, message: { role: 'assistant', content: this.name }, finish_reason: 'stop' }], usage }));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const event = (more) => response.write(`data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created: 1, model: body.model, ...more })}\n\n`);
    event({ choices: [{ index: 0, delta: { content: this.name } }] });
    event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
    event({ choices: [], usage });
    response.end('data: [DONE]\n\n');
  }
}

const fails = (status, headers = {}) => (body, response) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ error: { message: `told ${status}`, type: 'server_error', code: 'told', param: null } }));
};

const first = new Told('first');
const second = new Told('second');
// Of the first: 10 in, 5 out at 1 and 2 USD a million; of the second twice that.
const COST = { first: 20000n, second: 40000n };
const PROVIDERS = {
  first: { input_per_million: '1', output_per_million: '2', provider: 'first' },
  second: { input_per_million: '2', output_per_million: '4', provider: 'second' },
};
const open = [];

async function gateway(more = {}, providers = {}) {
  const config = configuration(null, { gateway: { breaker_failures: 0, ...more } });
  config.providers = [
    { name: 'first', base_url: first.url, api_key: 'one', models: ['m*'], ...providers.first },
    { name: 'second', base_url: second.url, api_key: 'two', models: ['m*'], ...providers.second },
  ];
  config.model_costs = { 'first/m': PROVIDERS.first, 'second/m': PROVIDERS.second, 'second/theirs': PROVIDERS.second, m: PROVIDERS.first };
  const mete = await Mete.start({ config, directory: temporary() });
  open.push(mete);
  const { key } = await mete.organization('org');
  await mete.budget('org', { id: 'roof', amount: '100' });
  let n = 0;
  const ask = async (body = {}, options = {}) => {
    n += 1;
    const id = `${mete.directory.slice(-6)}-${n}`;
    const reply = await mete.chat(key, { model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 50, ...body },
      { ...options, headers: { 'X-Request-ID': id, ...options.headers } });
    return { id, status: reply.status, headers: reply.headers, text: await reply.text() };
  };
  const recordOf = async (id) => {
    let found = [];
    await mete.until(async () => { found = (await mete.must('GET', `/api/v1/records?request_id=${id}`)).data; return found.length > 0; });
    await sleep(20);
    found = (await mete.must('GET', `/api/v1/records?request_id=${id}`)).data;
    assert.equal(found.length, 1, 'one call, one record');
    return found[0];
  };
  return { mete, key, ask, recordOf };
}

before(async () => { await first.start(); await second.start(); });
after(async () => {
  for (const mete of open) await mete.stop();
  await first.stop();
  await second.stop();
});
function fresh() {
  for (const each of [first, second]) { each.asked.length = 0; each.act = null; }
}

test('who fails is followed by the next, in one call, one reservation and one record', async () => {
  const { ask, recordOf, mete } = await gateway();
  for (const status of [500, 502, 503, 529, 429, 401, 403, 404, 408]) {
    fresh();
    first.act = fails(status);
    const reply = await ask();
    assert.equal(reply.status, 200, `${status}: ${reply.text}`);
    assert.equal(JSON.parse(reply.text).choices[0].message.content, 'second');
    assert.equal(reply.headers.get('x-mete-provider'), 'second');
    assert.equal(nano(reply.headers.get('x-mete-cost')), COST.second, 'the price of the one that answered');
    assert.deepEqual([first.asked.length, second.asked.length], [1, 1]);
    const record = await recordOf(reply.id);
    assert.deepEqual([record.provider, record.attempts, record.ending, nano(record.cost)], ['second', 2, 'ok', COST.second]);
  }
  assert.equal(nano((await mete.must('GET', '/api/v1/organizations/org/budgets/roof')).held), 0n);
  assert.equal(second.asked[0].headers.authorization, 'Bearer two', 'each with its own credential');
});

test('what is the caller\'s fault goes back to the caller', async () => {
  const { ask } = await gateway();
  for (const status of [400, 413, 422]) {
    fresh();
    first.act = fails(status);
    const reply = await ask();
    assert.equal(reply.status, status);
    assert.equal(second.asked.length, 0);
  }
});

test('a stream is taken to the next as long as nothing of it has gone out', async () => {
  const { ask } = await gateway();
  fresh();
  first.act = fails(503);
  const reply = await ask({ stream: true });
  assert.match(reply.text, /second/);
  assert.match(reply.text, /\[DONE\]/);
  fresh();
  first.act = (body, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n');
    setTimeout(() => response.destroy(), 30);
  };
  const half = await ask({ stream: true });
  assert.match(half.text, /half/);
  assert.match(half.text, /"error"/);
  assert.equal(second.asked.length, 0, 'a byte of an answer has gone out');
});

test('nobody there: the next; nobody at all: 502, and nothing is charged', async () => {
  const { ask, recordOf, mete } = await gateway({}, { first: { base_url: 'http://127.0.0.1:9/v1' } });
  fresh();
  const reply = await ask();
  assert.equal(reply.status, 200);
  assert.deepEqual([(await recordOf(reply.id)).provider, (await recordOf(reply.id)).attempts], ['second', 2]);
  const { ask: lost } = await gateway({}, { first: { base_url: 'http://127.0.0.1:9/v1' }, second: { base_url: 'http://127.0.0.1:9/v1' } });
  const none = await lost();
  assert.equal(none.status, 502);
  assert.equal(JSON.parse(none.text).error.code, 'upstream_unreachable');
  assert.equal(nano((await mete.must('GET', '/api/v1/organizations/org/budgets/roof')).held), 0n);
});

test('all fail: the last one\'s error, and the caller may see it', async () => {
  const { ask, recordOf } = await gateway();
  fresh();
  first.act = fails(500);
  second.act = fails(503);
  const reply = await ask();
  assert.equal(reply.status, 503);
  assert.equal(JSON.parse(reply.text).error.message, 'told 503');
  const record = await recordOf(reply.id);
  assert.deepEqual([record.ending, record.attempts, nano(record.cost)], ['error', 2, 0n]);
});

test('retries: after a pause, from the first again', async () => {
  const { ask } = await gateway({ retries: 2, retry_delay: '20ms', fallbacks: 0 });
  fresh();
  let times = 0;
  first.act = function act(body, response) {
    times += 1;
    if (times < 3) fails(500)(body, response);
    else this.well(body, response);
  };
  const reply = await ask();
  assert.equal(reply.status, 200);
  assert.deepEqual([first.asked.length, second.asked.length], [3, 0]);
  fresh();
  first.act = fails(500);
  assert.equal((await ask()).status, 500);
  assert.equal(first.asked.length, 3, 'no more than the budget for one call');
});

test('second tries have a budget over all calls', async () => {
  const { ask } = await gateway({ retry_percent: 0 });
  fresh();
  first.act = fails(500);
  let failed = 0;
  for (let i = 0; i < 110; i += 1) failed += (await ask()).status === 500 ? 1 : 0;
  assert.deepEqual([second.asked.length, failed], [100, 10]);
});

test('after so many failures in a row a provider is left alone; then one call tries it', async () => {
  const { ask, mete } = await gateway({ breaker_failures: 3, breaker_pause: '400ms' });
  fresh();
  first.act = fails(500);
  for (let i = 0; i < 6; i += 1) assert.equal((await ask()).status, 200);
  assert.deepEqual([first.asked.length, second.asked.length], [3, 6]);
  const metrics = await mete.metrics();
  assert.equal(metrics['mete_provider_open{provider="first"}'], 1);
  assert.equal(metrics['mete_provider_open{provider="second"}'], 0);
  await sleep(450);
  first.act = null;
  await ask();
  assert.equal(first.asked.length, 4, 'one call has tried it');
  await ask();
  assert.equal(first.asked.length, 5, 'and it is back');
});

test('nobody is left: 503 at once, with nothing asked and nothing spent', async () => {
  const { ask, mete } = await gateway({ breaker_failures: 1, breaker_pause: '30s' });
  fresh();
  first.act = fails(500);
  second.act = fails(500);
  await ask();
  const reply = await ask();
  assert.equal(reply.status, 503);
  assert.equal(JSON.parse(reply.text).error.code, 'provider_unavailable');
  assert.ok(Number(reply.headers.get('retry-after')) >= 1);
  assert.deepEqual([first.asked.length, second.asked.length], [1, 1]);
  const budget = await mete.must('GET', '/api/v1/organizations/org/budgets/roof');
  assert.deepEqual([nano(budget.used), nano(budget.held)], [0n, 0n]);
});

test('429 with retry-after: it rests that long', async () => {
  const { ask } = await gateway({ breaker_pause: '30s' });
  fresh();
  first.act = fails(429, { 'retry-after': '1' });
  await ask();
  await ask();
  assert.deepEqual([first.asked.length, second.asked.length], [1, 2]);
  first.act = null;
  await sleep(1100);
  await ask();
  assert.equal(first.asked.length, 2);
});

test('a full provider and one over its rate are passed over', async () => {
  const { ask } = await gateway({}, { first: { max_concurrent: 1 } });
  fresh();
  first.act = async function slow(body, response) { await sleep(200); this.well(body, response); };
  const replies = await Promise.all([ask(), ask(), ask()]);
  assert.deepEqual(replies.map((reply) => reply.status), [200, 200, 200]);
  assert.deepEqual([first.asked.length, second.asked.length], [1, 2]);
  const { ask: rated } = await gateway({}, { first: { requests_per_minute: 6 } });
  fresh();
  await rated();
  await rated();
  assert.deepEqual([first.asked.length, second.asked.length], [1, 1]);
});

test('by price the cheapest is asked first, by weight as often as it weighs', async () => {
  const { ask } = await gateway({ choose: 'price' }, { first: { name: 'second', base_url: second.url }, second: { name: 'first', base_url: first.url } });
  fresh();
  await ask();
  assert.deepEqual([first.asked.length, second.asked.length], [1, 0]);
  const { ask: weighed } = await gateway({ choose: 'weight' }, { first: { weight: 0 }, second: { weight: 5 } });
  fresh();
  for (let i = 0; i < 10; i += 1) await weighed();
  assert.deepEqual([first.asked.length, second.asked.length], [0, 10]);
});

test('a model may have another name there', async () => {
  const { ask, recordOf } = await gateway({}, { first: { models: ['other'] }, second: { models: ['m=theirs'] } });
  fresh();
  const reply = await ask();
  assert.equal(second.asked[0].body.model, 'theirs');
  const record = await recordOf(reply.id);
  assert.deepEqual([record.model, record.provider, nano(record.cost)], ['m', 'second', COST.second]);
});

test('a lost attempt stays charged beside the one that answered, and never over the budget', async () => {
  const { ask, recordOf, mete } = await gateway({ retry_unknown: true, first_byte_timeout: '200ms' });
  fresh();
  first.act = () => {};
  const reply = await ask();
  assert.equal(reply.status, 200, reply.text);
  const record = await recordOf(reply.id);
  assert.deepEqual([record.provider, record.attempts, record.provisional], ['second', 2, true]);
  // One worst case (50 tokens out at 4 USD a million, and the input's bound) and the answer.
  assert.ok(nano(record.cost) >= COST.second + 200000n, record.cost);
  await mete.must('DELETE', '/api/v1/organizations/org/budgets/roof');
  await mete.budget('org', { id: 'low', amount: '0.0006' });
  fresh();
  first.act = () => {};
  const alone = await ask();
  assert.equal(alone.status, 504, 'a second attempt is not affordable');
  assert.equal(second.asked.length, 0);
  const budget = await mete.must('GET', '/api/v1/organizations/org/budgets/low');
  assert.ok(nano(budget.used) <= nano('0.0006') && nano(budget.used) > 0n);
});

test('without retry_unknown a lost attempt is the end', async () => {
  const { ask, recordOf } = await gateway({ first_byte_timeout: '200ms' });
  fresh();
  first.act = () => {};
  const reply = await ask();
  assert.equal(reply.status, 504);
  assert.equal(second.asked.length, 0);
  const record = await recordOf(reply.id);
  assert.deepEqual([record.ending, record.provisional, record.attempts], ['timeout', true, 1]);
});

test('the trace goes on, with a span of ours', async () => {
  const { ask } = await gateway();
  fresh();
  const trace = '0af7651916cd43dd8448eb211c80319c';
  await ask({}, { headers: { traceparent: `00-${trace}-b7ad6b7169203331-01`, tracestate: 'a=b' } });
  const [, id, span] = first.asked[0].headers.traceparent.split('-');
  assert.equal(id, trace);
  assert.notEqual(span, 'b7ad6b7169203331');
  assert.equal(first.asked[0].headers.tracestate, 'a=b');
  await ask();
  assert.match(first.asked[1].headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
});

test('a key is taken where any client puts it', async () => {
  const { key, mete } = await gateway();
  const url = `${mete.url}/v1/chat/completions`;
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });
  for (const name of ['x-api-key', 'api-key', 'x-goog-api-key']) {
    fresh();
    const reply = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', [name]: key }, body });
    assert.equal(reply.status, 200, name);
    assert.ok(!JSON.stringify(first.asked[0].headers).includes(key), 'and goes no further');
  }
});

test('a client that leaves: what its key says goes before what is configured', async () => {
  const { mete, recordOf } = await gateway({ disconnect: 'drain' });
  const make = (more) => mete.must('POST', '/api/v1/organizations/org/api-keys', { name: 'leaver', ...more });
  assert.equal((await make({ disconnect: 'cancel' })).disconnect, 'cancel');
  assert.equal((await mete.api('POST', '/api/v1/organizations/org/api-keys', { name: 'x', disconnect: 'later' })).status, 400);
  for (const [disconnect, ending] of [['cancel', 'cancelled'], ['drain', 'client_gone'], [undefined, 'client_gone']]) {
    fresh();
    first.act = async function slow(body, response) { await sleep(300); if (!response.destroyed) this.well(body, response); };
    const { key } = await make(disconnect ? { disconnect } : {});
    const leave = new AbortController();
    const id = `leaves-${ending}-${disconnect}`;
    const call = mete.chat(key, { model: 'm', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }, { signal: leave.signal, headers: { 'X-Request-ID': id } });
    await mete.until(() => first.asked.length > 0);
    leave.abort();
    await assert.rejects(call);
    assert.equal((await recordOf(id)).ending, ending);
  }
});
