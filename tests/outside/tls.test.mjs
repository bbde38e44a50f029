// SPDX-License-Identifier: Apache-2.0
// The door over TLS, with certificates that openssl makes for the test and node's own client: calls
// and streams, versions and ALPN, a certificate replaced while a stream runs, a wrong one refused,
// clients that vanish, handshakes that never end, slow readers, client certificates, and the
// commands of this machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { after, before, test } from 'node:test';
import { ADMIN, PRICES, Mete, configuration, pool, run, temporary } from './mete.mjs';
import { Provider } from './provider.mjs';

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const files = temporary();
const at = (name) => path.join(files, name);
const pem = (name) => fs.readFileSync(at(name), 'utf8');
const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });

function authority(name) {
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
    '-subj', `/CN=${name}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`));
}

function issue(name, ca, { kind = 'serverAuth', key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] } = {}) {
  fs.writeFileSync(at(`${name}.ext`), `subjectAltName=IP:127.0.0.1\nextendedKeyUsage=${kind}\n`);
  openssl('req', ...key, '-nodes', '-subj', `/CN=${name}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`));
  openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at(`${ca}.pem`), '-CAkey', at(`${ca}.key`), '-CAcreateserial',
    '-days', '30', '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`));
}

/** Puts a pair where the server reads it, each file at once. */
function install(certificate, key = certificate) {
  for (const [from, to] of [[`${certificate}.pem`, 'door.pem'], [`${key}.key`, 'door.key']]) {
    fs.copyFileSync(at(from), at(`${to}.new`));
    fs.renameSync(at(`${to}.new`), at(to));
  }
}

const serverTls = (more = {}) => ({ certificate: at('door.pem'), key: at('door.key'), ...more });
const say = (words, more = {}) => ({ model: 'test-small', max_tokens: 50, messages: [{ role: 'user', content: `!${JSON.stringify(words)}` }], ...more });

let provider; let mete; let key; let ca;

before(async () => {
  for (const name of ['root', 'other']) authority(name);
  issue('first', 'root');
  issue('second', 'root', { key: ['-newkey', 'rsa:2048'] });
  issue('client', 'root', { kind: 'clientAuth' });
  issue('stranger', 'other', { kind: 'clientAuth' });
  install('first');
  ca = pem('root.pem');
  provider = await new Provider(PRICES).start();
  mete = await Mete.start({
    agent: new https.Agent({ ca, keepAlive: true }),
    config: configuration(provider, { tls: serverTls(), limits: { request_timeout: '3s' }, gateway: { disconnect: 'cancel' } }),
  });
  key = (await mete.organization('acme')).key;
  await mete.budget('acme', { amount: '10000' });
});

after(async () => {
  mete.agent.destroy();
  await mete.stop();
  await provider.stop();
});

const port = () => Number(new URL(mete.url).port);

/** One handshake: what the server showed. */
function meet(options = {}) {
  return new Promise((done, failed) => {
    const socket = tls.connect({ host: '127.0.0.1', port: port(), ca, ALPNProtocols: ['http/1.1'], ...options }, () => {
      done({ protocol: socket.getProtocol(), alpn: socket.alpnProtocol, name: socket.getPeerCertificate().subject.CN, authorized: socket.authorized });
      socket.destroy();
    });
    socket.on('error', failed);
  });
}

/** A call whose answer is read piece by piece: {status, pieces: async iterator, request}. */
function open(body, options = {}) {
  return new Promise((done, failed) => {
    const request = https.request(`${mete.url}/v1/chat/completions`, {
      method: 'POST', ca, agent: false, headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` }, ...options,
    }, (response) => done({ request, response }));
    request.on('error', failed).end(JSON.stringify(body));
  });
}

async function whole(response) {
  const pieces = [];
  for await (const piece of response) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

const events = (name) => mete.stderr.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)).filter((line) => line.event === name);

test('the first line says https, and the calls that follow are answered', async () => {
  assert.match(mete.url, /^https:/);
  const reply = await mete.chat(key, say({ output: 5 }));
  assert.equal(reply.status, 200);
  assert.equal((await reply.json()).usage.completion_tokens, 5);
  const { response } = await open(say({ output: 20, chunk_ms: 2 }, { stream: true }));
  const text = await whole(response);
  assert.match(text, /data: \[DONE\]\r?\n\r?\n$/);
});

test('versions and the protocol are agreed on, and what is too old is refused', async () => {
  assert.deepEqual(await meet(), { protocol: 'TLSv1.3', alpn: 'http/1.1', name: 'first', authorized: true });
  assert.equal((await meet({ maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
  await assert.rejects(meet({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }));
  const strict = await Mete.start({ agent: mete.agent, config: configuration(provider, { tls: serverTls({ min_version: '1.3' }) }) });
  await assert.rejects(meet({ port: Number(new URL(strict.url).port), maxVersion: 'TLSv1.2' }));
  assert.equal((await meet({ port: Number(new URL(strict.url).port) })).protocol, 'TLSv1.3');
  await strict.stop();
});

// Seen once: the request was taken before its handshake was seen to be over, and the server died of it.
test('a request that comes in one piece with the end of its handshake is answered', async () => {
  for (let i = 0; i < 10; i += 1) {
    const wire = net.connect(port(), '127.0.0.1');
    const held = [];
    let first = true;
    const join = () => { wire.write(Buffer.concat(held.splice(0))); };
    const through = new Duplex({
      read() {},
      write(piece, encoding, done) {
        if (first) wire.write(piece); // the hello; what follows waits for the request
        else if (held.push(piece) === 1) setTimeout(join, 100);
        first = false;
        done();
      },
    });
    wire.on('data', (piece) => through.push(piece)).on('end', () => through.push(null));
    const socket = tls.connect({ socket: through, ca, host: '127.0.0.1' });
    const body = JSON.stringify(say({ output: 3, delay_ms: 50 }));
    socket.on('secureConnect', () => {
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    assert.match(await whole(socket), /^HTTP\/1\.1 200 .*"completion_tokens":3/s);
  }
});

test('two hundred connections at once, plain and streaming, are answered whole', async () => {
  const replies = await pool(Array.from({ length: 200 }, (_, i) => i), 200, async (i) => {
    const { response } = await open(say({ output: 10 }, i % 2 ? { stream: true } : {}));
    return [response.statusCode, await whole(response)];
  });
  for (const [i, [status, text]] of replies.entries()) {
    assert.equal(status, 200);
    assert.match(text, i % 2 ? /\[DONE\]/ : /"completion_tokens":10/);
  }
});

test('a large body and a large answer, read slowly, arrive byte for byte', async () => {
  const raw = JSON.stringify({ text: 'x'.repeat(6 << 20), end: true });
  const { response } = await open(say({ raw }));
  response.pause();
  await sleep(300);
  let got = '';
  for await (const piece of response) {
    got += piece;
    if (got.length % 7 === 0) await sleep(1);
  }
  assert.equal(got.length, raw.length);
  assert.ok(got === raw);
});

test('a certificate that is replaced is shown to new connections, and a stream goes on', async () => {
  const { response } = await open(say({ output: 40, chunk_ms: 100 }, { stream: true }));
  const reading = whole(response);
  install('second');
  await mete.until(async () => (await meet()).name === 'second'); // by itself
  install('first');
  mete.child.kill('SIGHUP'); // at once
  await mete.until(async () => (await meet()).name === 'first');
  assert.match(await reading, /data: \[DONE\]\r?\n\r?\n$/);
  const [seen] = events('certificate');
  assert.equal(seen.file, at('door.pem'));
  assert.ok(Date.parse(seen.expires) > Date.now() + 28 * 86400e3);
});

test('a wrong pair is refused and the old one kept', async () => {
  const before = events('certificate_refused').length;
  install('second', 'first'); // a key of another certificate
  mete.child.kill('SIGHUP');
  await mete.until(() => events('certificate_refused').length > before);
  assert.equal((await meet()).name, 'first');
  fs.writeFileSync(at('door.pem'), pem('second.pem').slice(0, 200)); // half a file
  await mete.until(() => events('certificate_refused').length > before + 1);
  fs.unlinkSync(at('door.pem'));
  await mete.until(() => events('certificate_refused').length > before + 2);
  assert.match(events('certificate_refused').at(-1).why, /door\.pem: No such file/);
  assert.equal((await meet()).name, 'first');
  install('second');
  await mete.until(async () => (await meet()).name === 'second');
});

test('a client that vanishes while its call waits is noticed', async () => {
  const before = await mete.metrics();
  for (const reset of [false, true]) {
    const wire = net.connect(port(), '127.0.0.1');
    const socket = tls.connect({ socket: wire, ca, host: '127.0.0.1' });
    await new Promise((done) => { socket.on('secureConnect', done); });
    const calls = provider.calls.length;
    const body = JSON.stringify(say({ hang: true }));
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await mete.until(() => provider.calls.length > calls);
    socket.on('error', () => {});
    wire.on('error', () => {});
    if (reset) wire.resetAndDestroy();
    else socket.destroy();
    await mete.until(async () => (await mete.metrics()).mete_exchanges_open === 0);
  }
  const now = await mete.metrics();
  assert.equal(now['mete_requests_total{route="chat",status="none"}'] - (before['mete_requests_total{route="chat",status="none"}'] ?? 0), 2);
});

test('handshakes that never end take no time, disturb nobody and are cut', async () => {
  const hello = Buffer.from('160301020001000', 'hex'); // the beginning of one
  const sockets = await Promise.all(Array.from({ length: 100 }, (_, i) => new Promise((done) => {
    const socket = net.connect(port(), '127.0.0.1', () => { if (i % 2) socket.write(hello); done(socket); });
    socket.on('error', () => {});
  })));
  const closed = sockets.map((socket) => new Promise((done) => { socket.on('close', done); socket.resume(); }));
  const cpu = async () => (await mete.metrics()).process_cpu_seconds_total;
  const from = await cpu();
  await sleep(1500);
  assert.ok((await cpu()) - from < 0.5, 'waiting for a client costs nothing');
  assert.equal((await mete.chat(key, say({ output: 1 }))).status, 200);
  await Promise.race([Promise.all(closed), sleep(8000).then(() => assert.fail('they are still open'))]);
});

test('who does not speak TLS is cut', async () => {
  const answer = await new Promise((done) => {
    const request = http.get(`http://127.0.0.1:${port()}/healthz`, () => done('answered'));
    request.on('error', (error) => done(error.code));
  });
  assert.notEqual(answer, 'answered');
  assert.equal((await mete.chat(key, say({ output: 1 }))).status, 200);
});

test('the commands of this machine trust the key that the data directory names', () => {
  const list = (data) => run(['key', 'list', '--organization', 'acme', '--json', '--data', data], { env: { METE_ADMIN_TOKEN: ADMIN } });
  const done = list(mete.data);
  assert.equal(done.status, 0, done.stderr);
  const line = fs.readFileSync(path.join(mete.data, 'address'), 'utf8');
  assert.match(line, /^https:\/\/127\.0\.0\.1:\d+#sha256\/\/[A-Za-z0-9+/]{43}=\n$/);
  const other = temporary();
  fs.writeFileSync(path.join(other, 'address'), line.replace(/\/\/[A-Za-z0-9+/]{10}/g, (text) => (text.startsWith('//127') ? text : '//AAAAAAAAAA')));
  const refused = list(other);
  assert.notEqual(refused.status, 0, 'a key that is not the one named');
  assert.match(refused.stderr, /public key/);
});

test('with client_ca a client must show a certificate of it', async () => {
  install('first');
  const closed = await Mete.start({
    agent: new https.Agent({ ca, cert: pem('client.pem'), key: pem('client.key') }),
    config: configuration(provider, { tls: serverTls({ client_ca: at('root.pem') }) }),
  });
  const ask = (more) => new Promise((done) => {
    https.get(`${closed.url}/healthz`, { ca, agent: false, ...more }, (response) => { response.resume(); done(response.statusCode); })
      .on('error', (error) => done(error.code));
  });
  assert.equal(await ask({ cert: pem('client.pem'), key: pem('client.key') }), 200);
  assert.equal(typeof await ask({}), 'string', 'no certificate');
  assert.equal(typeof await ask({ cert: pem('stranger.pem'), key: pem('stranger.key') }), 'string', 'another authority');
  await closed.stop();
});

test('a configuration that cannot work is refused at the start', () => {
  const file = path.join(temporary(), 'mete.yaml');
  const attempt = (text) => {
    fs.writeFileSync(file, `listen: 127.0.0.1:0\nmetrics_listen: ""\ndata: ${path.join(files, 'unused')}\n${text}`);
    const { status, stderr } = run(['serve', '--config', file]);
    assert.notEqual(status, 0);
    return stderr;
  };
  assert.match(attempt(`tls: {certificate: ${at('first.pem')}}\n`), /tls needs certificate and key/);
  assert.match(attempt(`tls: {certificate: ${at('first.pem')}, key: ${at('second.key')}}\n`), /first\.pem: /);
  assert.match(attempt(`tls: {certificate: ${at('nowhere.pem')}, key: ${at('first.key')}}\n`), /nowhere\.pem: No such file/);
  assert.match(attempt(`tls: {certificate: ${at('first.pem')}, key: ${at('first.key')}, client_ca: ${at('first.key')}}\n`), /first\.key: /);
});
