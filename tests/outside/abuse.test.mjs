// SPDX-License-Identifier: Apache-2.0
// What strangers do to a door, a few hundred sockets of each kind at once: silence, slow heads, slow
// bodies, readers that take nothing or little, closed halves, resets, pipelines nobody reads, one
// address that wants all. Each kind is cut off by its own limit in bounded time, a canary's calls
// are answered all along, memory stays bounded, nothing stays open, and the calls behind have their
// records.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { PRICES, Mete, configuration } from './mete.mjs';
import { Provider } from './provider.mjs';

const MANY = 200;
const REQUEST_MS = 3000;
const KEEPALIVE_MS = 3000;
const SLACK_MS = 6000; // sweeps of a second, and a machine with other things to do

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const say = (words, more = {}) => ({ model: 'test-small', max_tokens: 50, messages: [{ role: 'user', content: `!${JSON.stringify(words)}` }], ...more });

let provider; let mete; let key; let descriptors;

before(async () => {
  provider = await new Provider(PRICES).start();
  provider.server.keepAliveTimeout = 600000; // what is kept is never closed under a call
  mete = await Mete.start({
    config: configuration(provider, {
      limits: { request_timeout: `${REQUEST_MS}ms`, keepalive_timeout: `${KEEPALIVE_MS}ms`, min_body_rate: '10KiB', min_drain_rate: '1MiB' },
    }),
  });
  key = (await mete.organization('acme')).key;
  await mete.budget('acme', { amount: '10000' });
  for (let i = 0; i < 20; i += 1) await (await mete.chat(key, say({ output: 1 }))).text();
  descriptors = (await mete.metrics()).process_open_fds;
});

after(async () => {
  await mete.stop();
  await provider.stop();
});

const port = (server = mete) => Number(new URL(server.url).port);

function request(body, { length, more = '' } = {}) {
  const text = JSON.stringify(body);
  return `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n${more}content-length: ${length ?? Buffer.byteLength(text)}\r\n\r\n${text}`;
}

/** A socket that is cut some day: over resolves to what it had read by then, and when. */
function dial({ begin = '', read = true, server = mete, ...options } = {}) {
  return new Promise((done, failed) => {
    const born = Date.now();
    const socket = net.connect({ port: port(server), host: '127.0.0.1', allowHalfOpen: true, ...options }, () => {
      if (begin) socket.write(begin);
      done(socket);
    });
    socket.heard = '';
    socket.setEncoding('latin1');
    if (read) socket.on('data', (piece) => { socket.heard += piece; });
    socket.over = new Promise((gone) => {
      socket.on('error', () => {});
      socket.on('end', () => socket.destroy());
      socket.on('close', () => gone({ ms: Date.now() - born, heard: socket.heard }));
    });
    socket.once('error', failed);
  });
}

const dials = (options, n = MANY) => Promise.all(Array.from({ length: n }, () => dial(options)));

function resident() {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${mete.child.pid}/status`, 'utf8'))[1]) * 1024;
}

/** Runs fn while calls of somebody harmless go on, and proves what must hold of every kind. */
async function during(fn, { growth }) {
  const before = await mete.metrics();
  const rss = resident();
  let over = false; let most = rss;
  const times = [];
  const canary = (async () => {
    while (!over) {
      const call = await dial({ begin: request(say({ output: 3 }), { more: 'connection: close\r\n' }) });
      assert.match((await call.over).heard, /^HTTP\/1\.1 200 .*"completion_tokens":3/s);
      // How long that took is also the provider's doing, which lives in this process.
      const own = await dial({ begin: 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n' });
      const { heard, ms } = await own.over;
      assert.match(heard, /^HTTP\/1\.1 200 /);
      times.push(ms);
      most = Math.max(most, resident());
      await sleep(50);
    }
  })();
  const result = await fn().finally(() => { over = true; });
  await canary;
  assert.ok(times.length > 0, 'the canary sang');
  assert.ok(Math.max(...times) < 3000, `its slowest question took ${Math.max(...times)} ms`);
  assert.ok(most - rss < growth, `${Math.round((most - rss) / 1048576)} MiB more`);
  await mete.until(async () => {
    const now = await mete.metrics();
    return now.mete_exchanges_open === 0 && now.mete_calls_open === 0 && now.mete_connections <= before.mete_connections + 1;
  });
  const now = await mete.metrics();
  return { result, before, now, change: (name) => (now[name] ?? 0) - (before[name] ?? 0) };
}

/** All of them were cut between least and most milliseconds after they came. */
async function cut(sockets, least, most) {
  const late = sleep(most + SLACK_MS).then(() => 'late');
  const over = await Promise.race([Promise.all(sockets.map((socket) => socket.over)), late]);
  assert.notEqual(over, 'late', `${sockets.filter((socket) => !socket.destroyed).length} sockets are still open`);
  for (const { ms } of over) assert.ok(ms >= least, `cut after ${ms} ms`);
  return over;
}

/** How many connections from these ports the server has still open, by its kernel's account. */
function held(ports) {
  const number = (address) => parseInt(address.split(':')[1], 16);
  const open = fs.readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, remote, state]) => state === '01' && number(local) === port() && ports.has(number(remote)));
  return new Set(open.map(([, , remote]) => remote)).size; // the table moves while it is read: some stand twice
}

/**
 * Those who do not read learn nothing: waits until the server has let go of all of them, and has a
 * look. One that is looked at before would read on, and all that it is sent.
 */
async function unread(sockets) {
  const born = Date.now();
  const ports = new Set(sockets.map((socket) => socket.localPort));
  let left = held(ports);
  assert.equal(left, sockets.length, 'all of them are in');
  for (; left > 0 && Date.now() - born < 20000; await sleep(20)) left = held(ports);
  assert.equal(left, 0, `${left} of them are left`);
  const ms = Date.now() - born;
  assert.ok(ms > KEEPALIVE_MS / 2 && ms < 3 * KEEPALIVE_MS + SLACK_MS, `cut after ${ms} ms`);
  for (const socket of sockets) socket.on('data', (piece) => { socket.heard += piece; });
  for (const { heard } of await cut(sockets, 0, 1000)) assert.doesNotMatch(heard, /\[DONE\]/);
}

/**
 * How many bytes a connection of this machine holds whose reader takes nothing, in both its kernel's
 * buffers. Machines differ by megabytes: a stream that fits is delivered, not waiting.
 */
function capacity() {
  const block = Buffer.alloc(65536);
  return new Promise((done) => {
    const server = net.createServer((socket) => {
      let before = -1;
      const push = () => { while (socket.write(block)); };
      socket.on('error', () => {}).on('drain', push);
      push();
      const look = setInterval(() => {
        const taken = socket.bytesWritten - socket.writableLength;
        if (taken === before) {
          clearInterval(look);
          socket.destroy();
          server.close();
          done(taken);
        }
        before = taken;
      }, 200);
    });
    server.listen(0, '127.0.0.1', () => { net.connect(server.address().port, '127.0.0.1').on('error', () => {}); });
  });
}

/** Writes a piece to each that is still there, again and again. */
async function drip(sockets, piece, every) {
  while (sockets.some((socket) => !socket.destroyed)) {
    for (const socket of sockets) if (!socket.destroyed) socket.write(piece);
    await sleep(every);
  }
}

const MIB = 1048576;

test('who says nothing is cut when a request is due', async () => {
  await during(async () => { await cut(await dials({}), REQUEST_MS - 100, REQUEST_MS); }, { growth: 40 * MIB });
});

test('a head that drips is cut, however lively', async () => {
  const { change } = await during(async () => {
    const sockets = await dials({ begin: 'GET /healthz HTTP/1.1\r\nhost: x\r\n' });
    const dripping = drip(sockets, 'x: y\r\n', 100);
    await cut(sockets, REQUEST_MS - 100, REQUEST_MS);
    await dripping;
  }, { growth: 40 * MIB });
  assert.equal(change('mete_calls_total{ending="client_gone"}'), 0);
});

test('a head without an end is refused at its limit', async () => {
  await during(async () => {
    const sockets = await dials({ begin: `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(60000)}` });
    for (const { heard } of await cut(sockets, 0, REQUEST_MS)) assert.ok(heard === '' || /^HTTP\/1\.1 4(31|13|00) /.test(heard), heard);
  }, { growth: 40 * MIB });
});

test('a body that drips is refused by its rate, and what it announces takes no memory', async () => {
  const { change } = await during(async () => {
    const sockets = await dials({ begin: request(say({}), { length: 16 * MIB }) });
    const dripping = drip(sockets, 'x'.repeat(100), 100); // 1 KiB a second; 10 are wanted
    const over = await cut(sockets, REQUEST_MS / 3 - 100, REQUEST_MS / 3);
    for (const { heard } of over) {
      assert.match(heard, /^HTTP\/1\.1 408 .*\r\n/);
      assert.match(heard, /\r\nx-request-id: req_[0-9A-Za-z]{22}\r\n/);
    }
    assert.ok(over.filter(({ ms }) => ms < REQUEST_MS).length > MANY / 2, 'by the rate: the request was not due yet');
    await dripping;
  }, { growth: 40 * MIB });
  assert.ok(change('mete_listener_refused_total') >= MANY);
});

test('a body that is not slow is still due in time', async () => {
  await during(async () => {
    const sockets = await dials({ begin: request(say({}), { length: 16 * MIB }) }, 20);
    const dripping = drip(sockets, 'x'.repeat(4096), 100);
    for (const { heard } of await cut(sockets, REQUEST_MS - 100, REQUEST_MS)) assert.match(heard, /^HTTP\/1\.1 408 /);
    await dripping;
  }, { growth: 60 * MIB });
});

test('readers that take nothing of a stream are cut, and their calls end', async () => {
  const fill = Math.ceil((await capacity() + MIB / 2) / 20); // in each of twenty events; mete itself keeps a quarter
  const { change } = await during(async () => {
    const sockets = await dials({ begin: request(say({ output: 20, fill }, { stream: true })), read: false }, 50);
    await unread(sockets);
  }, { growth: 200 * MIB });
  assert.equal(change('mete_calls_total{ending="client_gone"}'), 50, 'drained, as the policy has it');
});

test('readers that take a little now and then are cut by the rate', async () => {
  const { change } = await during(async () => {
    const sockets = await dials({ begin: request(say({ output: 20, fill: 150000 }, { stream: true })), read: false }, 50);
    for (const socket of sockets) {
      socket.on('data', () => { socket.pause(); setTimeout(() => socket.resume(), 1500); });
    }
    await cut(sockets, KEEPALIVE_MS - 100, 3 * KEEPALIVE_MS);
  }, { growth: 200 * MIB });
  assert.equal(change('mete_calls_total{ending="client_gone"}'), 50);
});

test('a reader that is slow but takes its share is not cut', async () => {
  await during(async () => {
    const sockets = await dials({ begin: request(say({ output: 20, chunk_ms: 400 }, { stream: true }), { more: 'connection: close\r\n' }) }, 50);
    const over = await cut(sockets, 0, 5 * KEEPALIVE_MS);
    for (const { heard } of over) assert.match(heard, /data: \[DONE\]/);
    assert.ok(over.filter(({ ms }) => ms > KEEPALIVE_MS).length > 10, 'many went on for longer than a connection may be idle');
  }, { growth: 60 * MIB });
});

test('who closes the sending half is answered, if the request was whole', async () => {
  const { change } = await during(async () => {
    const sockets = await dials({ begin: request(say({ output: 5, delay_ms: 500 })) });
    const streams = await dials({ begin: request(say({ output: 5, delay_ms: 500 }, { stream: true })) });
    const halves = await dials({ begin: request(say({ output: 5 })).slice(0, -10) });
    for (const socket of [...sockets, ...streams, ...halves]) socket.end();
    for (const { heard } of await cut(sockets, 500, 2000)) assert.match(heard, /HTTP\/1\.1 200 .*"completion_tokens":5/s);
    for (const { heard } of await cut(streams, 500, 2000)) assert.match(heard, /HTTP\/1\.1 200 .*data: \[DONE\]/s);
    await cut(halves, 0, REQUEST_MS);
  }, { growth: 60 * MIB });
  assert.equal(change('mete_calls_total{ending="client_gone"}'), 0);
});

test('who vanishes while a call waits is noticed, and the call is drained and recorded', async () => {
  const { change } = await during(async () => {
    const calls = provider.calls.length;
    const sockets = await dials({ begin: request(say({ output: 5, delay_ms: 2000 })) });
    await mete.until(() => provider.calls.length >= calls + MANY);
    sockets.forEach((socket, i) => { if (i % 2) socket.resetAndDestroy(); else socket.destroy(); });
    await mete.until(async () => (await mete.metrics()).mete_calls_open <= 1);
  }, { growth: 60 * MIB });
  assert.equal(change('mete_calls_total{ending="client_gone"}'), MANY);
  assert.equal(change('mete_requests_total{route="chat",status="none"}'), MANY);
  await mete.settled();
  const records = (await mete.must('GET', '/api/v1/records?organization=acme&limit=1000')).data;
  assert.ok(records.filter((record) => record.ending === 'client_gone').length >= MANY);
});

test('pipelines that nobody reads wait in the kernel, and are cut', async () => {
  const many = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(20000);
  await during(async () => {
    const sockets = await dials({ begin: many, read: false }, 50);
    await unread(sockets);
  }, { growth: 60 * MIB });
});

test('one address has no more than its share of connections', async () => {
  const small = await Mete.start({ config: configuration(provider, { limits: { connections_per_address: 10, request_timeout: '2s' } }) });
  await sleep(500); // what the start asked is closed, or idle: at most one
  const sockets = [];
  for (let i = 0; i < 50; i += 1) sockets.push(await dial({ server: small }).catch(() => null));
  await sleep(300);
  const alive = sockets.filter((socket) => socket && !socket.destroyed).length;
  assert.ok(alive >= 8 && alive <= 10, `${alive} are there`);
  const other = await dial({ server: small, localAddress: '127.0.0.2', begin: 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n' });
  assert.match((await other.over).heard, /^HTTP\/1\.1 200 /);
  await Promise.all(sockets.map((socket) => socket?.over)); // cut: their requests were due
  const again = await dial({ server: small, begin: 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n' });
  assert.match((await again.over).heard, /^HTTP\/1\.1 200 /);
  await small.stop();
});

test('every reply has a request id: the caller\'s, or one of ours', async () => {
  const own = /^req_[0-9A-Za-z]{22}$/;
  for (const path of ['/healthz', '/nowhere', '/api/v1/organizations', '/api/v1/nowhere', '/v1/models', '/v1/chat/completions']) {
    const plain = await fetch(`${mete.url}${path}`);
    assert.match(plain.headers.get('x-request-id'), own, path);
    const named = await fetch(`${mete.url}${path}`, { headers: { 'x-request-id': 'mine-1' } });
    assert.equal(named.headers.get('x-request-id'), 'mine-1', path);
  }
  const long = await fetch(`${mete.url}/healthz`, { headers: { 'x-request-id': 'x'.repeat(129) } });
  assert.match(long.headers.get('x-request-id'), own);
  const large = await dial({ begin: request(say({}), { length: 999999999 }) });
  assert.match((await large.over).heard, /^HTTP\/1\.1 413 .*\r\nx-request-id: req_[0-9A-Za-z]{22}\r\n/s);
});

test('of all that nothing is left', async () => {
  const now = await mete.metrics();
  assert.equal(now.mete_exchanges_open, 0);
  assert.equal(now.mete_calls_open, 0);
  assert.equal((await mete.stats()).reservations_open, 0);
  // Connections to the provider are kept for the next calls: as many as there were calls at once.
  assert.ok(now.process_open_fds < descriptors + 2 * MANY + 20, `descriptors: ${descriptors}, then ${now.process_open_fds}`);
});
