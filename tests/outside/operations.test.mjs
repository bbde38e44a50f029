// SPDX-License-Identifier: Apache-2.0
// Proves what whoever runs it relies on: health and readiness, metrics in Prometheus's format with
// the series the issue names, a graceful stop that lets a running stream finish, configuration errors
// that name the key and its line, a log of JSON lines with no secret in it, one process a directory.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import YAML from 'yaml';
import { ADMIN, Mete, PRICES, configuration, run, temporary } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL, Provider } from './provider.mjs';

let provider;
before(async () => { provider = await new Provider(PRICES, { seed: 5 }).start(); });
after(async () => { await provider?.stop(); });

const say = (words) => [{ role: 'user', content: `!${JSON.stringify(words)}` }];

test('alive, ready, and metrics of everything that is asked of them', { timeout: 60000 }, async () => {
  const mete = await Mete.start({ config: configuration(provider) });
  try {
    for (const door of ['/healthz', '/readyz']) {
      const reply = await mete.api('GET', door, undefined, { token: '' });
      assert.equal(reply.status, 200, `${door} ${reply.text}`);
    }
    const key = await mete.organization('ops');
    await mete.budget('ops', { id: 'ops', amount: '1' });
    assert.equal((await mete.chat(key.key, { model: 'test-odd', messages: say({}) })).status, 200);
    await (await mete.chat(key.key, { model: 'test-odd', messages: say({}), stream: true })).text();
    await mete.must('PUT', '/api/v1/organizations/ops/budgets', { amount: '0' });
    assert.equal((await mete.chat(key.key, { model: 'test-odd', messages: say({}) })).status, 429);
    const metrics = await mete.metrics();
    const series = Object.keys(metrics);
    for (const wanted of [/request/, /verdict|refus/, /held/, /committed|commits/, /drift/, /flush.*_bucket\{.*le="\+Inf"/, /queue|ring/, /stream/, /duration.*_bucket/]) {
      assert.ok(series.some((name) => wanted.test(name)), `a series like ${wanted}: ${series.join(' ')}`);
    }
    assert.ok(series.every((name) => /^mete_|^process_/.test(name)), 'of mete\'s own names');
    for (const name of series.filter((s) => /drift/.test(s))) assert.equal(metrics[name], 0);
    histograms(metrics);
    assert.ok(!JSON.stringify(metrics).includes(key.key));
  } finally { await mete.stop(); }
});

// Buckets are cumulative, and the last is the count.
function histograms(metrics) {
  const families = new Map();
  for (const [series, value] of Object.entries(metrics)) {
    const bucket = /^(\w+)_bucket\{(.*?),?le="([^"]+)"\}$/.exec(series);
    if (!bucket) continue;
    const [, name, labels, le] = bucket;
    const id = `${name}_count${labels ? `{${labels}}` : ''}`;
    if (!families.has(id)) families.set(id, []);
    families.get(id).push([le === '+Inf' ? Infinity : Number(le), value]);
  }
  assert.ok(families.size >= 2);
  for (const [count, buckets] of families) {
    const sorted = [...buckets].sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < sorted.length; i += 1) assert.ok(sorted[i][1] >= sorted[i - 1][1], `${count} is cumulative`);
    assert.equal(sorted.at(-1)[0], Infinity, count);
    assert.equal(sorted.at(-1)[1], metrics[count], count);
  }
}

test('a graceful stop lets a running stream finish, and bills it', { timeout: 60000 }, async () => {
  const mete = await Mete.start({ config: configuration(provider) });
  const key = await mete.organization('stopping');
  await mete.budget('stopping', { id: 's', amount: '1' });
  const reply = await mete.chat(key.key, { model: 'test-odd', messages: say({ output: 100, chunk_ms: 10 }), stream: true, stream_options: { include_usage: true } });
  const reader = reply.body.getReader();
  const decoder = new TextDecoder();
  let text = decoder.decode((await reader.read()).value, { stream: true });
  const stopping = mete.stop();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  await stopping;
  assert.match(text, /data: \[DONE\]/, 'the stream came to its end');
  assert.match(text, /"cost":/);
  await mete.spawn();
  const budget = await mete.must('GET', '/api/v1/organizations/stopping/budgets/s');
  assert.equal(nano(budget.used), provider.calls.at(-1).nano);
  assert.equal(nano(budget.held), 0n);
  await mete.stop();
});

test('the log is one JSON object a line, with no key, token, credential or prompt in it', { timeout: 60000 }, async () => {
  const mete = await Mete.start({ config: configuration(provider) });
  const key = await mete.organization('logged');
  const prompt = 'the secret of the sentence';
  await (await mete.chat(key.key, { model: 'test-odd', messages: [{ role: 'user', content: prompt }] })).text();
  await mete.chat('mete_sk_wrong', { model: 'test-odd', messages: [] });
  await mete.chat(key.key, `{"model": "test-odd", "messages": "${prompt}`);
  await mete.stop();
  const lines = mete.stderr.split('\n').filter(Boolean);
  assert.ok(lines.length >= 2, mete.stderr);
  for (const line of lines) {
    const event = JSON.parse(line);
    assert.equal(typeof event, 'object');
    assert.ok(event.event ?? event.msg ?? event.message, line);
  }
  for (const secret of [key.key, key.key.slice(12), 'mete_sk_wrong', ADMIN, CREDENTIAL, prompt]) {
    assert.ok(!mete.stderr.includes(secret), `${secret} is in the log`);
    assert.ok(!mete.stdout.join('\n').includes(secret), `${secret} is in the output`);
  }
});

function checkConfig(text) {
  const directory = temporary();
  const file = path.join(directory, 'mete.yaml');
  fs.writeFileSync(file, text);
  return run(['serve', '--check-config', '--config', file]);
}

test('--check-config: a good one is 0; what is wrong is named with its line', () => {
  const good = YAML.stringify({ ...configuration(provider), data: '/nonexistent/never/made' });
  const fine = checkConfig(good);
  assert.equal(fine.status, 0, fine.stderr);
  assert.ok(!fs.existsSync('/nonexistent/never/made'), 'checking makes nothing');
  for (const [what, text, key, line] of [
    ['an unknown key', 'listen: 127.0.0.1:0\nlissten: 1\n', 'lissten', 2],
    ['an unknown key inside', 'gateway:\n  clamp: true\n  clampp: true\n', 'clampp', 3],
    ['an unknown key in a list', 'providers:\n  - name: a\n    dialect: openai\n    base_url: http://127.0.0.1:1/v1\n    apikey: x\n', 'apikey', 5],
    ['a wrong type', 'listen:\n  - a\n', 'listen', null],
    ['a negative price', 'model_costs:\n  m:\n    input_per_million: "-1"\n    output_per_million: "1"\n', 'input_per_million', 3],
    ['an unknown dialect', 'providers:\n  - name: a\n    dialect: telegraph\n    base_url: http://127.0.0.1:1/v1\n', 'dialect', 3],
    ['an unset variable', 'listen: ${METE_NEVER_SET_ANYWHERE}\n', 'METE_NEVER_SET_ANYWHERE', 1],
    ['the same key twice', 'listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n', 'listen', 2],
    ['no YAML', 'listen: [1, 2\n', '', null],
  ]) {
    const wrong = checkConfig(text);
    assert.notEqual(wrong.status, 0, `${what} passed`);
    assert.ok([1, 2].includes(wrong.status), `${what}: ${wrong.status} ${wrong.stderr}`);
    const told = wrong.stdout + wrong.stderr;
    assert.ok(told.includes(key), `${what}: ${told}`);
    if (line) assert.match(told, new RegExp(`(:${line}\\b|line ${line}\\b)`), `${what}: ${told}`);
  }
});

test('${ENV} is expanded, and a credential never printed', () => {
  const directory = temporary();
  const file = path.join(directory, 'mete.yaml');
  fs.writeFileSync(file, 'providers:\n  - {name: a, dialect: openai, base_url: "http://127.0.0.1:1/v1", api_key: "${TESTS_SECRET}"}\n');
  const done = run(['serve', '--check-config', '--config', file], { env: { TESTS_SECRET: 'swordfish' } });
  assert.equal(done.status, 0, done.stderr);
  assert.ok(!(done.stdout + done.stderr).includes('swordfish'));
});

test('a first start makes the directory, a token of its own (0600) and an example organization', { timeout: 60000 }, async () => {
  const mete = await Mete.start({ config: configuration(provider), env: { METE_ADMIN_TOKEN: '' } });
  try {
    const file = path.join(mete.data, 'admin.token');
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    const token = fs.readFileSync(file, 'utf8').trim();
    assert.ok(token.length >= 32);
    assert.equal((await mete.api('GET', '/api/v1/me', undefined, { token: ADMIN })).status, 401);
    const me = await mete.must('GET', '/api/v1/me', undefined, { token });
    assert.equal(me.role, 'admin');
    await mete.must('GET', '/api/v1/organizations/example', undefined, { token });
  } finally { await mete.stop(); }
});

test('two processes never share a data directory', { timeout: 60000 }, async () => {
  const mete = await Mete.start({ config: configuration(provider) });
  const second = run(['serve', '--config', mete.configFile], { env: { METE_ADMIN_TOKEN: ADMIN } });
  assert.ok(second.status !== 0 && second.status !== null, 'the second one ends');
  assert.equal((await mete.api('GET', '/readyz', undefined, { token: '' })).status, 200);
  await mete.stop();
});
