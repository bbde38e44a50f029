// SPDX-License-Identifier: Apache-2.0
// Proves how providers are reached, with real TLS: a custom CA vouches and any other is refused with
// nothing sent and nothing charged; HTTP/2 is used where it is offered, with many calls on one
// connection; client certificates; CONNECT and SOCKS proxies, from the configuration and never from
// the environment; connections within their limit; a call that HTTP/2 refuses is not sent again.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { after, before, test } from 'node:test';
import { Mete, PRICES, configuration, modelCosts, pool } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';
import { Authority, ConnectProxy, SecureProvider, SocksProxy } from './tls.mjs';

const NAMES = ['two', 'one', 'pinned', 'stranger', 'elsewhere', 'expired', 'shown', 'hidden', 'tunnel',
  'locked', 'secret-tunnel', 'socks', 'narrow', 'refusing', 'flood', 'leaving', 'idle', 'local'];
const prices = Object.fromEntries(NAMES.map((name) => [`${name}-model`, PRICES['test-small']]));
const all = [];
const made = {};
let mete;
let key;
let refused = 0;

async function secure(name, leaf, options) {
  const provider = await new SecureProvider(prices, leaf, options).start();
  all.push(provider);
  made[name] = provider;
  return provider;
}

async function proxy(name, kind, options) {
  made[name] = await new kind().start(options);
  all.push(made[name]);
  return made[name];
}

/** Refuses every stream before it looks at it, as a provider does that is about to restart. */
async function refuser(leaf) {
  const server = http2.createSecureServer({ cert: leaf.cert, key: leaf.key });
  const sockets = new Set();
  server.on('connection', (socket) => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });
  server.on('sessionError', () => {});
  server.on('stream', (stream) => {
    refused += 1;
    stream.on('error', () => {});
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  all.push({ stop: () => new Promise((done) => { for (const socket of sockets) socket.destroy(); server.close(done); }) });
  return `https://127.0.0.1:${server.address().port}`;
}

const CHUNK = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'x'.repeat(10000) }, finish_reason: null }] })}\n\n`;
const END = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}\n\ndata: [DONE]\n\n';
const flood = { sent: 0, sessions: 0 };

/** Streams 20 MB to who asks for a flood, and a little to others, all on one connection. */
async function flooder(leaf) {
  const server = http2.createSecureServer({ cert: leaf.cert, key: leaf.key });
  const sockets = new Set();
  server.on('connection', (socket) => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });
  server.on('session', () => { flood.sessions += 1; });
  server.on('sessionError', () => {});
  server.on('stream', async (stream) => {
    stream.on('error', () => {}).setMaxListeners(0);
    let body = '';
    for await (const piece of stream) body += piece;
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
    const count = body.includes('FLOOD') ? 2000 : 2;
    for (let i = 0; i < count && !stream.destroyed; i += 1) {
      if (count > 2) flood.sent += CHUNK.length;
      if (!stream.write(CHUNK)) await new Promise((done) => { stream.once('drain', done); stream.once('close', done); });
    }
    if (!stream.destroyed) stream.end(END);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  all.push({ stop: () => new Promise((done) => { for (const socket of sockets) socket.destroy(); server.close(done); }) });
  return `https://127.0.0.1:${server.address().port}`;
}

before(async () => {
  const ours = new Authority('ours');
  const theirs = new Authority('theirs');
  const leaf = ours.issue('IP:127.0.0.1');
  const client = ours.issue('DNS:gateway', { use: 'clientAuth' });
  await secure('two', leaf);
  await secure('one', leaf, { http2: false });
  await secure('pinned', leaf);
  await secure('stranger', theirs.issue('IP:127.0.0.1'));
  await secure('elsewhere', ours.issue('DNS:elsewhere.example'));
  await secure('expired', ours.issue('IP:127.0.0.1', { days: -1 }));
  await secure('asking', leaf, { ca: [fs.readFileSync(ours.file)], requestCert: true, rejectUnauthorized: true });
  await secure('behind', leaf);
  await secure('narrow', leaf, { http2: false });
  await secure('leaving', leaf);
  made.leaving.sessions = [];
  made.leaving.server.on('session', (session) => made.leaving.sessions.push(session));
  await secure('idle', leaf, { http2: false, keepAliveTimeout: 40 });
  await proxy('tunnel', ConnectProxy);
  await proxy('locked', ConnectProxy, { refuse: 403 });
  await proxy('secret-tunnel', ConnectProxy, { leaf });
  await proxy('socks', SocksProxy);
  await proxy('environment', ConnectProxy);
  const at = (name, provider, more = {}) => ({
    name, base_url: `${provider.url ?? provider}/v1`, api_key: CREDENTIAL, models: [`${name}-model`], ca_file: ours.file, ...more,
  });
  const pair = { client_certificate: client.certFile, client_key: client.keyFile };
  const config = configuration(null, { gateway: { connect_timeout: '5s' } });
  config.model_costs = modelCosts(prices);
  config.providers = [
    at('two', made.two), at('one', made.one), at('pinned', made.pinned, { http_version: '1.1' }),
    at('stranger', made.stranger), at('elsewhere', made.elsewhere), at('expired', made.expired),
    at('shown', made.asking, pair), at('hidden', made.asking),
    at('tunnel', made.behind, { proxy: made.tunnel.url.replace('//', '//user:proxy-password@') }),
    at('locked', made.behind, { proxy: made.locked.url }),
    at('secret-tunnel', made.behind, { proxy: made['secret-tunnel'].url }),
    at('socks', made.behind, { proxy: made.socks.url.replace('//', '//user:proxy-password@') }),
    at('narrow', made.narrow, { max_connections: 2 }),
    at('refusing', await refuser(leaf)),
    at('flood', await flooder(leaf)),
    at('leaving', made.leaving), at('idle', made.idle),
    { ...at('local', made.two), ca_file: undefined },
  ].map((each) => JSON.parse(JSON.stringify(each)));
  const there = made.environment.url;
  mete = await Mete.start({ config, env: { http_proxy: there, https_proxy: there, HTTPS_PROXY: there, all_proxy: there, ALL_PROXY: there, no_proxy: '*', NO_PROXY: '*' } });
  key = (await mete.organization('wires')).key;
  await mete.budget('wires', { id: 'roof', amount: '1000' });
});
after(async () => {
  await mete?.stop();
  for (const each of all) await each.stop();
  assert.equal(made.environment.connections, 0, 'no proxy of the environment was asked');
});

const ask = (name, words = {}, more = {}) => mete.chat(key, {
  model: `${name}-model`, messages: [{ role: 'user', content: `!${JSON.stringify({ output: 5, ...words })}` }], ...more,
});
const used = async () => {
  const roof = await mete.must('GET', '/api/v1/organizations/wires/budgets/roof');
  return { used: nano(roof.used), held: nano(roof.held) };
};

async function answers(name, provider = made[name]) {
  const before = provider.calls.length;
  const reply = await ask(name);
  assert.equal(reply.status, 200, `${name}: ${await reply.clone().text()}`);
  await reply.text();
  assert.equal(provider.calls.length, before + 1);
  assert.equal(nano(reply.headers.get('x-mete-cost')), provider.calls.at(-1).nano);
  assert.equal(provider.calls.at(-1).headers.authorization, `Bearer ${CREDENTIAL}`);
}

async function is_unreachable(name) {
  const before = await used();
  const reply = await ask(name);
  assert.equal(reply.status, 502);
  assert.equal((await reply.json()).error.code, 'upstream_unreachable');
  assert.deepEqual(await used(), before);
}

test('HTTP/2 where it is offered: many calls, from the first on, plain and streaming, on one connection', async () => {
  await pool(Array.from({ length: 60 }), 60, async (_, index) => {
    const reply = await ask('two', { delay_ms: 30 }, { stream: index % 2 === 0 });
    assert.equal(reply.status, 200);
    const text = await reply.text();
    if (index % 2 === 0) assert.match(text, /data: \[DONE\]\s*$/);
  });
  await answers('two');
  assert.equal(made.two.calls.length, 61);
  assert.deepEqual([...new Set(made.two.versions)], ['2.0']);
  assert.equal(made.two.handshakes, 1);
});

test('1,000 streams at once share a connection, end well, and are billed what the provider says', async () => {
  const from = made.two.calls.length;
  const before = await used();
  await pool(Array.from({ length: 1000 }), 1000, async () => {
    const reply = await ask('two', { delay_ms: 300 }, { stream: true, max_tokens: 5 });
    assert.equal(reply.status, 200);
    assert.match(await reply.text(), /data: \[DONE\]\s*$/);
  });
  assert.equal(made.two.calls.length, from + 1000);
  assert.ok(made.two.handshakes <= 2, `${made.two.handshakes} connections`);
  await mete.idle();
  const billed = made.two.calls.slice(from).reduce((sum, call) => sum + call.nano, 0n);
  assert.deepEqual(await used(), { used: before.used + billed, held: 0n });
});

test('a client that does not read stops its own stream, and no other of the connection', async () => {
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${mete.child.pid}/status`, 'utf8'))[1]);
  const body = { model: 'flood-model', stream: true, messages: [{ role: 'user', content: 'FLOOD' }] };
  const slow = await new Promise((done, failed) => {
    const request = http.request(`${mete.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } }, done);
    request.on('error', failed).end(JSON.stringify(body));
  });
  let sent = -1;
  await mete.until(async () => { // until nothing more fits between the provider and the client
    const same = sent === flood.sent;
    sent = flood.sent;
    await new Promise((done) => { setTimeout(done, 200); });
    return same;
  });
  assert.ok(sent < 15e6, `${sent} bytes went to a client that reads none`);
  const before = memory();
  await pool(Array.from({ length: 20 }), 20, async () => {
    const reply = await mete.chat(key, { ...body, messages: [{ role: 'user', content: 'hi' }] });
    assert.match(await reply.text(), /data: \[DONE\]\s*$/);
  });
  assert.equal(flood.sessions, 1);
  assert.ok(memory() - before < 20000, 'and it takes no memory meanwhile');
  let got = 0;
  let tail = '';
  for await (const piece of slow) { got += piece.length; tail = (tail + piece.toString('latin1')).slice(-2000); }
  assert.ok(got >= 2000 * CHUNK.length, 'and then it gets all of it');
  assert.match(tail, /data: \[DONE\]\s*$/);
});

test('HTTP/1.1 where nothing else is offered, or where the configuration says so', async () => {
  for (const name of ['one', 'pinned']) {
    await answers(name);
    await answers(name);
    assert.deepEqual(made[name].versions, ['1.1', '1.1']);
    assert.equal(made[name].handshakes, 1, 'the connection is kept');
  }
});

test('a certificate of another CA, another host or another day: nothing sent, nothing charged', async () => {
  for (const name of ['stranger', 'elsewhere', 'expired']) {
    await is_unreachable(name);
    assert.equal(made[name].calls.length, 0, name);
  }
  const before = made.two.calls.length;
  await is_unreachable('local'); // the CA is the configuration's, not the system's
  assert.equal(made.two.calls.length, before);
});

test('a client certificate is shown where one is configured', async () => {
  await answers('shown', made.asking);
  const before = made.asking.calls.length;
  const reply = await ask('hidden');
  assert.equal(reply.status, 502);
  assert.equal(made.asking.calls.length, before);
});

test('CONNECT: the tunnel hides what passes, the proxy gets its own password only', async () => {
  await answers('tunnel', made.behind);
  const [{ target, headers }] = made.tunnel.asked;
  assert.equal(target, new URL(made.behind.url).host);
  assert.equal(headers['proxy-authorization'], `Basic ${Buffer.from('user:proxy-password').toString('base64')}`);
  assert.equal(headers.authorization, undefined);
  assert.ok(made.tunnel.bytes.length > 500);
  assert.ok(!made.tunnel.bytes.includes(CREDENTIAL));
  assert.ok(!JSON.stringify(made.behind.calls.at(-1).headers).includes('proxy-password'));
  await answers('tunnel', made.behind);
  assert.equal(made.tunnel.asked.length, 1, 'the tunnel is kept');
});

test('a proxy over TLS, and SOCKS with its names resolved there', async () => {
  await answers('secret-tunnel', made.behind);
  assert.equal(made['secret-tunnel'].asked.length, 1);
  await answers('socks', made.behind);
  assert.equal(made.socks.asked.length, 1);
  assert.equal(made.socks.asked[0].login, 'user:proxy-password');
  assert.ok(!made.socks.bytes.includes(CREDENTIAL));
});

test('a proxy that will not: nothing sent, nothing charged', async () => {
  const before = made.behind.calls.length;
  await is_unreachable('locked');
  assert.equal(made.locked.asked.length, 1);
  assert.equal(made.behind.calls.length, before);
});

test('connections to a provider stay within their limit, and all calls are answered', async () => {
  let most = 0;
  const watch = setInterval(() => { most = Math.max(most, made.narrow.sockets.size); }, 2);
  await pool(Array.from({ length: 12 }), 12, async () => {
    const reply = await ask('narrow', { delay_ms: 20 });
    assert.equal(reply.status, 200);
    await reply.text();
  });
  clearInterval(watch);
  assert.ok(most >= 1 && most <= 2, `${most} connections`);
  assert.ok(made.narrow.handshakes <= 2);
});

test('a connection that its provider closed while nobody used it costs no call', async () => {
  for (let i = 1; i <= 3; i += 1) {
    await answers('leaving');
    await answers('idle');
    assert.deepEqual([made.leaving.handshakes, made.idle.handshakes], [i, i]);
    // A GOAWAY, as of a server that is about to restart; an end after some time of quiet.
    made.leaving.sessions.at(-1).close();
    await mete.until(() => made.idle.sockets.size === 0);
  }
});

test('a stream that HTTP/2 refuses is not sent again', async () => {
  const reply = await ask('refusing');
  assert.equal(reply.status, 502);
  await reply.text();
  await new Promise((done) => { setTimeout(done, 100); });
  assert.equal(refused, 1);
});

test('no proxy password and no credential in the log or what the process says', async () => {
  const said = mete.stderr + mete.stdout.join('\n');
  for (const secret of [CREDENTIAL, 'proxy-password']) assert.ok(!said.includes(secret));
});
