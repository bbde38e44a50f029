// SPDX-License-Identifier: Apache-2.0
// Proves what the gateway puts on the wire, byte by byte where a client library would hide it: the
// cost header, the cost in a stream, the usage chunk that is taken out, errors handed through,
// what a refusal says, what happens when the provider fails, hangs, breaks off or cannot be reached,
// limits on bodies, and repeats of one request id. After each, the money is where it belongs.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Mete, PRICES, configuration } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL, Provider } from './provider.mjs';

const ORG = 'wire';
const PROMPT = 'a very private sentence nobody may keep';
let provider;
let mete;
let key;

before(async () => {
  provider = await new Provider({ ...PRICES, 'gone-model': PRICES['test-small'] }, { seed: 3 }).start();
  const config = configuration(provider, { gateway: { idle_timeout: '1s', first_byte_timeout: '1s' } });
  config.providers[0].models = ['test-*'];
  config.providers.push({ name: 'gone', dialect: 'openai', base_url: 'http://127.0.0.1:9/v1', api_key: 'x', models: ['gone-*'] });
  config.model_costs['gone-model'] = config.model_costs['test-small'];
  mete = await Mete.start({ config });
  key = (await mete.organization(ORG)).key;
  await mete.budget(ORG, { id: 'roof', amount: '100' });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const say = (words) => [{ role: 'user', content: `!${JSON.stringify(words)}` }];
const ask = (words, more = {}, options = {}) => mete.chat(key, { model: 'test-odd', messages: say(words), ...more }, options);
const budget = () => mete.must('GET', `/api/v1/organizations/${ORG}/budgets/roof`);

async function recordOf(id) {
  let found = [];
  await mete.until(async () => {
    found = (await mete.must('GET', `/api/v1/records?request_id=${id}`)).data;
    return found.length > 0;
  });
  assert.equal(found.length, 1);
  return found[0];
}

/** Events of a stream as they are on the wire, comments included. */
const events = (text) => text.split(/\r?\n\r?\n/).filter(Boolean);

test('plain: the provider\'s bytes unchanged, and the cost in a header', async () => {
  const reply = await ask({ output: 9 });
  const text = await reply.text();
  const call = provider.calls.at(-1);
  assert.equal(reply.status, 200);
  assert.match(reply.headers.get('content-type'), /^application\/json/);
  assert.equal(nano(reply.headers.get('x-mete-cost')), call.nano);
  const body = JSON.parse(text);
  assert.deepEqual(Object.keys(body), ['id', 'object', 'created', 'model', 'system_fingerprint', 'choices', 'usage']);
  assert.equal(call.headers.authorization, `Bearer ${CREDENTIAL}`);
});

test('what is not the gateway\'s business reaches the provider as it was', async () => {
  const body = `{"model":"test-odd", "temperature": 0.70, "seed":1234567890123456789,"unheard":{"of":[1,2,{"x":null}]},"messages":[{"role":"user","content":"é \\u00e9 \\ud83d\\ude42 \\/"}] , "max_tokens":5}`;
  assert.equal((await mete.chat(key, body)).status, 200);
  assert.equal(provider.calls.at(-1).text, body, 'byte for byte');
});

test('a stream without usage: the cost in a comment, no usage chunk, [DONE] last of the data', async () => {
  for (let i = 0; i < 10; i += 1) {
    const reply = await ask({}, { stream: true });
    assert.match(reply.headers.get('content-type'), /^text\/event-stream/);
    assert.equal(reply.headers.get('x-mete-cost'), null);
    const all = events(await reply.text());
    const data = all.filter((e) => e.startsWith('data:'));
    assert.equal(data.at(-1), 'data: [DONE]');
    for (const event of data.slice(0, -1)) {
      const chunk = JSON.parse(event.slice(5));
      assert.equal(chunk.choices.length, 1, 'the chunk that is only usage is gone');
    }
    const costs = all.map((e) => /^: mete-cost (\S+)$/m.exec(e)?.[1]).filter(Boolean);
    assert.equal(costs.length, 1);
    assert.equal(nano(costs[0]), provider.calls.at(-1).nano);
  }
});

test('a stream with usage: the cost is exact in the usage chunk', async () => {
  for (let i = 0; i < 10; i += 1) {
    const reply = await ask({}, { stream: true, stream_options: { include_usage: true } });
    const all = events(await reply.text()).filter((e) => e.startsWith('data:'));
    assert.equal(all.at(-1), 'data: [DONE]');
    const usage = all.filter((e) => /"usage":\{/.test(e));
    assert.equal(usage.length, 1);
    assert.equal(nano(/"cost":"?([0-9.]+)/.exec(usage[0])[1]), provider.calls.at(-1).nano);
  }
});

test('an error of the provider is handed through, recorded, and costs nothing', async () => {
  const before_ = await budget();
  for (const status of [400, 401, 404, 429, 500, 503]) {
    const reply = await ask({ status }, {}, { headers: { 'X-Trace-ID': `error-${status}` } });
    assert.equal(reply.status, status);
    assert.equal((await reply.json()).error.code, 'as_told');
    const record = await recordOf(`error-${status}`);
    assert.deepEqual([record.ending, record.status, nano(record.cost)], ['error', status, 0n]);
  }
  const streaming = await ask({ status: 500 }, { stream: true });
  assert.equal(streaming.status, 500);
  await mete.idle();
  assert.deepEqual([(await budget()).used, nano((await budget()).held)], [before_.used, 0n]);
});

test('a provider that reports no usage: counted, never free, never over what was held', async () => {
  for (const stream of [false, true]) {
    const id = `no-usage-${stream}`;
    const reply = await ask({ usage: 'none', output: 20 }, { stream, max_tokens: 300 }, { headers: { 'X-Request-ID': id } });
    assert.equal(reply.status, 200);
    await reply.text();
    const record = await recordOf(id);
    assert.equal(record.ending, 'no_usage');
    assert.equal(record.counted, true);
    assert.ok(nano(record.cost) > 0n);
    assert.equal(record.overrun, false);
  }
});

test('a provider that breaks off: the client learns it, and the call stays charged', async () => {
  const reply = await ask({ cut: 4, output: 30 }, { stream: true, max_tokens: 60 }, { headers: { 'X-Request-ID': 'cut-1' } });
  assert.equal(reply.status, 200);
  const text = await reply.text().catch(() => '');
  const record = await recordOf('cut-1');
  assert.equal(record.ending, 'lost');
  assert.equal(record.provisional || record.counted, true);
  assert.ok(nano(record.cost) > 0n);
  if (text) assert.ok(/"error"/.test(text), 'a stream that ends early says so');
});

test('a provider that cannot be reached: 502, nothing charged', async () => {
  const before_ = (await budget()).used;
  const reply = await mete.chat(key, { model: 'gone-model', messages: say({}) }, { headers: { 'X-Request-ID': 'gone-1' } });
  assert.equal(reply.status, 502);
  assert.ok((await reply.json()).error.message);
  const record = await recordOf('gone-1');
  assert.deepEqual([record.ending, nano(record.cost)], ['not_sent', 0n]);
  assert.equal((await budget()).used, before_);
  const retry = await mete.chat(key, { model: 'test-odd', messages: say({}) }, { headers: { 'X-Request-ID': 'gone-1' } });
  assert.equal(retry.status, 200, 'nothing was sent, so the id may be used again');
});

test('a provider that never answers: 504, charged provisionally, since it may have worked', { timeout: 60000 }, async () => {
  const reply = await ask({ hang: true }, { max_tokens: 10 }, { headers: { 'X-Request-ID': 'hang-1' } });
  assert.equal(reply.status, 504);
  const record = await recordOf('hang-1');
  assert.deepEqual([record.ending, record.provisional], ['timeout', true]);
  assert.ok(nano(record.cost) > 0n);
  assert.equal(nano((await budget()).held), 0n);
});

// A client library would only say that it cannot parse it, and try again.
test('a provider that answers nonsense is charged, and the client told in its own format', async () => {
  const reply = await ask({ raw: 'this is no JSON' }, { max_tokens: 10 }, { headers: { 'X-Request-ID': 'raw-1' } });
  assert.equal(reply.status, 502);
  assert.equal(reply.headers.get('x-should-retry'), 'false');
  assert.equal((await reply.json()).error.code, 'upstream_unreadable');
  const record = await recordOf('raw-1');
  assert.equal(record.provisional, true);
  assert.ok(nano(record.cost) > 0n);
});

test('one request id is one call: a repeat is 409 with its cost', async () => {
  const headers = { 'Idempotency-Key': 'once' };
  const first = await ask({ output: 3 }, {}, { headers });
  assert.equal(first.status, 200);
  await first.text();
  const calls = provider.calls.length;
  const again = await ask({ output: 3 }, {}, { headers });
  assert.equal(again.status, 409);
  const text = await again.text();
  const record = await recordOf('once');
  assert.ok(text.includes(record.id) || again.headers.get('x-mete-record') === record.id, `names its record: ${text}`);
  const other = await ask({ output: 4 }, {}, { headers });
  assert.ok([409, 422].includes(other.status));
  assert.equal(provider.calls.length, calls, 'nobody was asked again');
});

test('a request id of any printable characters finds its record', async () => {
  const id = 'trace/2026+a=b%20"c"&d';
  assert.equal((await ask({}, {}, { headers: { 'X-Request-ID': id } })).headers.get('x-request-id'), id);
  assert.equal((await recordOf(encodeURIComponent(id))).request_id, id);
});

test('one request id in parallel is one call', async () => {
  const calls = provider.calls.length;
  const replies = await Promise.all(Array.from({ length: 10 }, () => ask({ delay_ms: 50 }, {}, { headers: { 'Idempotency-Key': 'parallel' } })));
  const statuses = replies.map((r) => r.status).sort();
  assert.deepEqual(statuses, [200, ...Array(9).fill(409)]);
  assert.equal(provider.calls.length, calls + 1);
});

test('a refusal says which budget, its limit, what is spent and held, and when it resets', async () => {
  await mete.must('POST', `/api/v1/organizations/${ORG}/users`, { id: 'poor', name: 'Poor' });
  await mete.must('POST', `/api/v1/organizations/${ORG}/budgets`, { id: 'poor-hour', scope: { kind: 'user', id: 'poor' }, unit: 'USD', amount: '0.000001', period: 'hourly' });
  const poor = (await mete.must('POST', `/api/v1/organizations/${ORG}/api-keys`, { name: 'poor', user: 'poor' })).key;
  const reply = await mete.chat(poor, { model: 'test-odd', messages: say({}), max_tokens: 100 });
  const { error } = await reply.json();
  assert.equal(reply.status, 429);
  assert.deepEqual([error.type, error.code], ['insufficient_quota', 'insufficient_quota']);
  assert.equal(error.mete.budget, 'poor-hour');
  assert.deepEqual(error.mete.scope, { kind: 'user', id: 'poor' });
  assert.deepEqual([nano(error.mete.limit), nano(error.mete.spent), nano(error.mete.held)], [nano('0.000001'), 0n, 0n]);
  const shown = await mete.must('GET', `/api/v1/organizations/${ORG}/budgets/poor-hour`);
  assert.equal(Date.parse(error.mete.resets_at), Date.parse(shown.window_end));
  assert.equal(reply.headers.get('x-should-retry'), 'false');
  assert.equal(reply.headers.get('x-mete-budget'), 'poor-hour');
  assert.equal(nano(reply.headers.get('x-mete-limit')), nano('0.000001'));
  assert.equal(nano(reply.headers.get('x-mete-spent')), 0n);
  assert.equal(nano(reply.headers.get('x-mete-held')), 0n);
  assert.equal(Date.parse(reply.headers.get('x-mete-resets-at')), Date.parse(shown.window_end));
});

test('tags and a session in headers are what narrowed budgets match; the provider does not see them', async () => {
  await mete.must('POST', `/api/v1/organizations/${ORG}/users`, { id: 'tagger', name: 'Tagger' });
  const scope = { kind: 'user', id: 'tagger' };
  for (const more of [{ id: 'blue', tags: ['blue'] }, { id: 'talk', sessions: ['talk-*'] }]) {
    await mete.must('POST', `/api/v1/organizations/${ORG}/budgets`, { scope, unit: 'requests', amount: '1', period: 'total', ...more });
  }
  const tagger = (await mete.must('POST', `/api/v1/organizations/${ORG}/api-keys`, { name: 'tagger', user: 'tagger' })).key;
  const call = (headers) => mete.chat(tagger, { model: 'test-odd', messages: say({ output: 2 }) }, { headers });
  assert.equal((await call({})).status, 200);
  assert.equal((await call({ 'X-Mete-Tags': 'red, blue ,,', 'X-Mete-Session': 'other' })).status, 200);
  assert.equal(provider.calls.at(-1).headers['x-mete-tags'], undefined);
  const refused = await call({ 'X-Mete-Tags': 'blue' });
  assert.deepEqual([refused.status, (await refused.json()).error.mete.budget], [429, 'blue']);
  assert.equal((await call({ 'X-Mete-Session': 'talk-1' })).status, 200);
  assert.equal((await call({ 'X-Mete-Session': 'talk-2' })).status, 429);
  assert.equal((await call({ 'X-Mete-Tags': Array(17).fill('t').join() })).status, 400);
  assert.equal((await call({ 'X-Mete-Session': 'x'.repeat(129) })).status, 400);
});

test('several choices hold several bounds', async () => {
  const reply = await ask({ output: 4 }, { n: 3, max_tokens: 8 });
  assert.equal(reply.status, 200);
  const body = await reply.json();
  assert.equal(body.usage.completion_tokens, 12);
  assert.equal(nano(reply.headers.get('x-mete-cost')), provider.calls.at(-1).nano);
});

test('a body over the limit is 413, and nobody was asked', { timeout: 60000 }, async () => {
  const calls = provider.calls.length;
  const big = JSON.stringify({ model: 'test-odd', messages: [{ role: 'user', content: 'x'.repeat(64 << 20) }] });
  const status = await new Promise((done) => {
    const request = http.request(`${mete.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-length': Buffer.byteLength(big) } }, (r) => { r.resume(); done(r.statusCode); });
    request.on('error', () => done('closed'));
    request.end(big);
  });
  assert.ok(status === 413 || status === 'closed', `${status}`);
  assert.equal(provider.calls.length, calls);
  assert.equal((await ask({})).status, 200, 'and it goes on');
});

function raw(bytes, after_ = () => {}) {
  return new Promise((done) => {
    const { hostname, port } = new URL(mete.url);
    const socket = net.connect(Number(port), hostname, () => { socket.write(bytes); after_(socket); });
    let text = '';
    socket.on('data', (piece) => { text += piece; });
    socket.on('close', () => done(text));
    socket.on('error', () => done(text));
    setTimeout(() => socket.destroy(), 2000).unref();
  });
}

test('bytes that are no HTTP, and headers without end, close that connection and harm no other', { timeout: 60000 }, async () => {
  const answers = await Promise.all([
    raw('nonsense\r\n\r\n'),
    raw(`GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(1 << 20)}\r\n\r\n`),
    raw(`GET /${'a'.repeat(1 << 18)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    raw('POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"model"', (s) => s.end()),
    raw('POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n', (s) => s.end()),
  ]);
  for (const text of answers) assert.ok(!/^HTTP\/1\.1 200/.test(text), text.slice(0, 200));
  assert.equal((await ask({})).status, 200);
});

test('no prompt, key or credential is kept anywhere: log, records, data directory', async () => {
  const reply = await mete.chat(key, { model: 'test-odd', messages: [{ role: 'user', content: PROMPT }] });
  assert.equal(reply.status, 200);
  await mete.settled();
  const fs = await import('node:fs');
  const path = await import('node:path');
  const files = fs.readdirSync(mete.data, { recursive: true }).map((name) => path.join(mete.data, String(name))).filter((file) => fs.statSync(file).isFile());
  assert.ok(files.length > 0);
  for (const secret of [PROMPT, key, key.slice(8), CREDENTIAL]) {
    assert.ok(!mete.stderr.includes(secret), 'in the log');
    for (const file of files) assert.ok(!fs.readFileSync(file).includes(secret), `in ${file}`);
  }
});

test('at the end nothing is held, and the budget is the sum of its records', async () => {
  await mete.idle();
  await mete.settled();
  const records = await mete.all(`/api/v1/records?organization=${ORG}&limit=1000`);
  const now = await budget();
  assert.equal(nano(now.held), 0n);
  assert.equal(nano(now.used), records.reduce((sum, r) => sum + nano(r.cost), 0n));
  assert.equal((await mete.stats()).drift, 0);
});

test('how the rate limits stand is in the headers that the format\'s clients read', async () => {
  const { key: limited } = await mete.organization('limited');
  const plain = await mete.chat(limited, { model: 'test-odd', messages: say({ output: 3 }) });
  assert.equal(plain.headers.get('x-ratelimit-limit-requests'), null, 'none without a limit');
  await plain.text();
  const { key: second } = await mete.organization('rated');
  await mete.must('POST', '/api/v1/organizations/rated/rate-limits', { id: 'calls', scope: { kind: 'organization', id: 'rated' }, limit: '60', burst: '10', period_seconds: 60 });
  await mete.must('POST', '/api/v1/organizations/rated/rate-limits', { id: 'tokens', scope: { kind: 'organization', id: 'rated' }, unit: 'tokens', limit: '600000', burst: '100000', period_seconds: 60 });
  for (const stream of [false, true]) {
    // Ten thousand come back in a second: what is held must be more than a slow machine gives back.
    const reply = await mete.chat(second, { model: 'test-odd', stream, max_tokens: 9000, messages: say({ output: 3, delay_ms: 30 }) });
    await reply.text();
    const got = (name) => reply.headers.get(`x-ratelimit-${name}`);
    assert.deepEqual([got('limit-requests'), got('limit-tokens')], ['60', '600000']);
    assert.equal(got('remaining-requests'), stream ? '8' : '9');
    assert.ok(Number(got('remaining-tokens')) < 100000 && Number(got('remaining-tokens')) > 90000);
    assert.match(got('reset-requests'), /^(\d+ms|\d+\.\d{3}s)$/);
  }
});
