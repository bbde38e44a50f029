// SPDX-License-Identifier: Apache-2.0
// Proves that credentials of providers are sealed: set over HTTP and by the command, used by the next
// call without a restart while calls are under way, kept over a restart and in backups, worthless
// without their key, and nowhere in clear: not in the data directory, the log, the metrics, a reply
// or what any process says; and no core file is left.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ADMIN, Mete, configuration, run, temporary } from './mete.mjs';
import { nano } from './money.mjs';

const SECRETS = ['sk-first-sealed-credential-0123456789', 'sk-second-sealed-credential-abcdefgh', 'sk-third-sealed-credential-ABCDEFGH', 'sk-typed-offline-credential-zzzzzzz'];
const ANSWER = JSON.stringify({
  id: 'c', object: 'chat.completion', created: 1, model: 'test-small', choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
});
const COST = 1000n * 150n + 100n * 600n;

// A provider that knows which credentials are good, and says so.
class Guard {
  good = new Set();
  seen = [];
  open = [];
  async start() {
    this.server = http.createServer((request, response) => {
      request.resume().on('end', () => {
        const secret = (request.headers.authorization ?? '').replace('Bearer ', '');
        this.seen.push(secret);
        const answer = () => {
          const ok = this.good.has(secret);
          response.writeHead(ok ? 200 : 401, { 'content-type': 'application/json' });
          response.end(ok ? ANSWER : JSON.stringify({ error: { message: `wrong credential: ${secret}` } }));
        };
        if (request.headers['content-length'] > 2000) this.open.push(answer); // a long prompt waits
        else setTimeout(answer, 1);
      });
    });
    await new Promise((done) => { this.server.listen(0, '127.0.0.1', done); });
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => { this.server.close(done); });
  }
}

const directory = temporary();
const keyFile = path.join(directory, 'sealing.key');
const said = []; // everything any process printed, and every reply's text
let guard;
let mete;
let config;
let key;

function command(...args) {
  const input = typeof args.at(-1) === 'object' ? args.pop().input : undefined;
  const done = run(['credential', ...args, '--data', mete.data], { env: { METE_ADMIN_TOKEN: ADMIN }, input });
  said.push(done.stdout, done.stderr);
  return done;
}

async function api(method, target, body, options) {
  const reply = await mete.api(method, target, body, options);
  said.push(reply.text);
  return reply;
}

async function ask(content = 'hi') {
  const reply = await mete.chat(key, { model: 'test-small', max_tokens: 100, messages: [{ role: 'user', content }] });
  said.push(await reply.clone().text());
  return reply;
}

const CREDENTIAL = '/api/v1/providers/guarded/credential';

/** Every file under a directory, whole. */
function everything(top) {
  return fs.readdirSync(top, { withFileTypes: true }).flatMap((entry) => {
    const at = path.join(top, entry.name);
    return entry.isDirectory() ? everything(at) : [[at, fs.readFileSync(at)]];
  });
}

before(async () => {
  guard = await new Guard().start();
  const made = run(['credential', 'new-key', keyFile]);
  assert.equal(made.status, 0, made.stderr);
  config = configuration(null, { sealing_key_file: keyFile, log: { level: 'debug' } });
  config.providers = [
    { name: 'guarded', base_url: `${guard.url}/v1`, models: ['test-*'] },
    { name: 'given', base_url: `${guard.url}/v1`, api_key: 'from-the-configuration', models: ['given-*'] },
  ];
  mete = await Mete.start({ config, directory });
  key = (await mete.organization('sealed')).key;
  await mete.budget('sealed', { id: 'roof', amount: '1000' });
});
after(async () => { await mete?.stop(); await guard?.stop(); });

test('no core file would have them', () => {
  const limits = fs.readFileSync(`/proc/${mete.child.pid}/limits`, 'utf8');
  assert.match(limits, /^Max core file size +0 +0 /m);
});

test('new-key makes a key that only its owner may read, and replaces none', () => {
  assert.equal(fs.statSync(keyFile).mode & 0o777, 0o400);
  const text = fs.readFileSync(keyFile, 'utf8');
  assert.match(text, /^[0-9a-f]{64}\n$/);
  const again = run(['credential', 'new-key', keyFile]);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /is there already/);
  assert.equal(fs.readFileSync(keyFile, 'utf8'), text);
});

test('set over HTTP: the next call is made with it, and it is never shown', async () => {
  assert.equal((await ask()).status, 401); // without one
  assert.deepEqual(guard.seen.splice(0), ['']);
  guard.good.add(SECRETS[0]);
  const put = await api('PUT', CREDENTIAL, { secret: SECRETS[0] });
  assert.equal(put.status, 200);
  assert.deepEqual({ ...put.body, key: '', sealed_at: '' }, { provider: 'guarded', key: '', version: 1, sealed_at: '', used: true });
  const reply = await ask();
  assert.equal(reply.status, 200);
  assert.equal(nano(reply.headers.get('x-mete-cost')), COST);
  assert.deepEqual(guard.seen.splice(0), [SECRETS[0]]);
  const shown = await api('GET', CREDENTIAL);
  assert.deepEqual(shown.body, put.body);
  assert.deepEqual((await api('GET', '/api/v1/credentials')).body, { data: [put.body], next_cursor: null });
});

test('who may not, what is not there, and what is wrong', async () => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const body = method === 'PUT' ? { secret: 'x' } : undefined;
    assert.equal((await api(method, CREDENTIAL, body, { token: key })).status, 403);
    assert.equal((await api(method, CREDENTIAL, body, { token: null })).status, 401);
  }
  assert.equal((await api('GET', '/api/v1/credentials', undefined, { token: key })).status, 403);
  const put = (name, body) => api('PUT', `/api/v1/providers/${name}/credential`, body);
  assert.deepEqual([(await put('nobody', { secret: 'x' })).status, (await put('given', { secret: 'x' })).status], [404, 409]);
  for (const body of [{}, { secret: '' }, { secret: 5 }, { secret: 'a\nb' }, { secret: 'ü' }, { secret: 'x'.repeat(4097) }, { secret: 'x', more: 1 }]) {
    const reply = await put('guarded', body);
    assert.equal(reply.status, 400, JSON.stringify(body));
    assert.match(reply.body.field, /^(secret|more)$/);
  }
  assert.equal((await api('GET', '/api/v1/providers/given/credential')).status, 404);
  assert.equal((await api('DELETE', '/api/v1/providers/nobody/credential')).status, 404);
  assert.equal((await ask()).status, 200, 'none of it changed anything');
});

test('rotated under load: no call fails, and none that begins after the command uses the old one', async () => {
  guard.seen.splice(0);
  guard.good.add(SECRETS[1]);
  let over = false;
  let calls = 0;
  const load = Promise.all(Array.from({ length: 16 }, async () => {
    while (!over) {
      assert.equal((await ask()).status, 200);
      calls += 1;
    }
  }));
  const waiting = Array.from({ length: 5 }, () => ask('a long prompt '.repeat(200)));
  await mete.until(() => guard.open.length === 5 && calls > 50);
  const before = calls;
  const done = command('set', 'guarded', { input: `${SECRETS[1]}\n` });
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /version\s+2/);
  const from = guard.seen.length;
  const first = await ask();
  assert.equal(first.status, 200);
  await mete.until(() => calls > before + 50);
  over = true;
  await load;
  assert.ok(guard.seen.slice(0, from).includes(SECRETS[0]));
  const late = guard.seen.slice(from + 32); // those on their way when the command came back
  assert.ok(late.length > 0 && late.every((secret) => secret === SECRETS[1]), 'only the new one from now on');
  // What was under way keeps the old one, which is still good there.
  for (const answer of guard.open.splice(0)) answer();
  assert.deepEqual((await Promise.all(waiting)).map((reply) => reply.status), [200, 200, 200, 200, 200]);
});

test('an old credential that the provider quotes in its error is not quoted to the client', async () => {
  const waiting = ask('a long prompt '.repeat(200));
  await mete.until(() => guard.open.length === 1);
  assert.equal((await api('PUT', CREDENTIAL, { secret: SECRETS[2] })).status, 200);
  guard.good.clear();
  guard.good.add(SECRETS[2]);
  guard.open.splice(0)[0]();
  const reply = await waiting;
  assert.equal(reply.status, 502);
  assert.equal((await reply.json()).error.code, 'upstream_credential');
  assert.equal((await ask()).status, 200);
});

test('a restart, a backup and its restoration keep it; without the key there is no start', async () => {
  const copy = path.join(directory, 'copy');
  const back = path.join(directory, 'back');
  const backup = run(['backup', copy, '--data', mete.data], { env: { METE_ADMIN_TOKEN: ADMIN } });
  assert.equal(backup.status, 0, backup.stderr);
  const restored = run(['restore', copy, back]);
  assert.equal(restored.status, 0, restored.stderr + restored.stdout);
  for (const at of [copy, back]) assert.ok(fs.readFileSync(path.join(at, 'credentials.sealed')).equals(fs.readFileSync(path.join(mete.data, 'credentials.sealed'))));
  await mete.stop();
  said.push(mete.stderr);
  const other = path.join(directory, 'other.key');
  assert.equal(run(['credential', 'new-key', other]).status, 0);
  const env = { METE_ADMIN_TOKEN: ADMIN };
  const serve = (file, more = {}) => {
    const done = run(['serve', '--data', mete.data, '--listen', '127.0.0.1:0', '--metrics-listen', ''], { env: { ...env, ...(file ? { METE_SEALING_KEY_FILE: file } : {}), ...more } });
    said.push(done.stdout, done.stderr);
    return done;
  };
  const inside = path.join(mete.data, 'inside.key');
  fs.copyFileSync(keyFile, inside);
  const open = path.join(directory, 'open.key');
  fs.copyFileSync(keyFile, open);
  fs.chmodSync(open, 0o644);
  for (const [file, why] of [[undefined, /no sealing_key_file/], [other, /sealed under key [0-9a-f]{16}, and this is key/], [inside, /in the data directory/], [open, /chmod 0400/], ['/nonexistent/key', /nonexistent/]]) {
    const done = serve(file);
    assert.equal(done.status, 3, `${file}: ${done.stderr}`);
    assert.match(done.stderr, why);
  }
  fs.rmSync(inside);
  const whole = fs.readFileSync(path.join(mete.data, 'credentials.sealed'));
  const bent = Buffer.from(whole);
  bent[bent.length - 40] ^= 1;
  fs.writeFileSync(path.join(mete.data, 'credentials.sealed'), bent);
  assert.match(serve(keyFile).stderr, /was changed/);
  fs.writeFileSync(path.join(mete.data, 'credentials.sealed'), whole);
  await mete.spawn();
  assert.equal((await ask()).status, 200);
});

test('sealed again under another key while it runs; the old key is worthless then', async () => {
  const next = path.join(directory, 'next.key');
  assert.equal(run(['credential', 'new-key', next]).status, 0);
  const [was] = command('list', '--json').json().data;
  const done = command('reseal', '--new-key-file', next);
  assert.equal(done.status, 0, done.stderr);
  const [is] = command('list', '--json').json().data;
  assert.notEqual(is.key, was.key);
  assert.deepEqual({ ...is, key: was.key }, was);
  assert.equal((await ask()).status, 200);
  assert.equal(command('reseal', '--new-key-file', path.join(directory, 'open.key')).status, 2);
  assert.equal((await api('POST', '/api/v1/credentials/reseal', { key_file: 'relative' })).status, 400);
  await mete.stop();
  said.push(mete.stderr);
  const old = run(['serve', '--config', mete.configFile], { env: { METE_ADMIN_TOKEN: ADMIN } });
  assert.equal(old.status, 3);
  fs.writeFileSync(mete.configFile, fs.readFileSync(mete.configFile, 'utf8').replace(keyFile, next));
  await mete.spawn();
  assert.equal((await ask()).status, 200);
});

test('with no server the command opens the data itself, with the key it is given', async () => {
  await mete.stop();
  said.push(mete.stderr);
  const next = path.join(directory, 'next.key');
  const none = command('list');
  assert.equal(none.status, 1);
  assert.match(none.stderr, /sealing_key_file/);
  assert.equal(command('list', '--key-file', keyFile).status, 3);
  const file = path.join(directory, 'typed');
  fs.writeFileSync(file, `${SECRETS[3]}\n`);
  assert.equal(command('set', 'guarded', '--file', file, '--key-file', next).status, 0);
  fs.rmSync(file);
  assert.match(command('list', '--key-file', next).stdout, /guarded/);
  assert.equal(command('set', 'guarded', '--key-file', next, { input: 'two\nlines\n' }).status, 2);
  assert.equal(command('set', 'guarded', '--key-file', next, { input: '' }).status, 2);
  await mete.spawn();
  guard.good.add(SECRETS[3]);
  guard.seen.splice(0);
  assert.equal((await ask()).status, 200);
  assert.deepEqual(guard.seen, [SECRETS[3]]);
});

test('removed: later calls are made without', async () => {
  assert.match(command('remove', 'guarded').stderr, /cannot be undone: say --yes/);
  const done = command('remove', 'guarded', '--yes');
  assert.equal(done.status, 0, done.stderr);
  guard.seen.splice(0);
  assert.equal((await ask()).status, 401);
  assert.deepEqual(guard.seen, ['']);
  assert.equal(command('remove', 'guarded', '--yes').status, 1);
  assert.equal((await api('PUT', CREDENTIAL, { secret: SECRETS[0] })).status, 200);
});

test('no secret is anywhere in clear, and each change is in the log', async () => {
  said.push(mete.stderr, ...mete.stdout, await (await fetch(`${mete.metricsUrl}/metrics`)).text());
  const text = said.join('\n');
  const keys = fs.readdirSync(directory).filter((name) => name.endsWith('.key')).map((name) => fs.readFileSync(path.join(directory, name), 'utf8').trim());
  assert.ok(keys.length >= 3);
  for (const secret of [...SECRETS, ...keys]) {
    assert.ok(!text.includes(secret), secret);
    for (const [file, bytes] of everything(directory)) {
      if (!file.endsWith('.key')) assert.ok(!bytes.includes(secret) && !bytes.includes(secret.slice(0, 16)), `${secret} in ${file}`);
    }
  }
  const lines = text.split('\n').filter((line) => line.startsWith('{') && line.includes('"credential"')).map((line) => JSON.parse(line)).filter((line) => line.event === 'credential');
  for (const change of ['set', 'removed', 'resealed']) assert.ok(lines.some((line) => line.change === change), change);
  // What the process is started with, and what of its arguments others can see.
  const status = fs.readFileSync(`/proc/${mete.child.pid}/cmdline`, 'utf8') + fs.readFileSync(`/proc/${mete.child.pid}/environ`, 'utf8');
  for (const secret of SECRETS) assert.ok(!status.includes(secret));
});
