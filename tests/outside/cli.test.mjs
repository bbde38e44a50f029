// SPDX-License-Identifier: Apache-2.0
// Proves that the command does its work on a data directory nobody has open and, by the same words,
// through a running server: init, keys, budgets; that --json is JSON; that exit codes are 0 done,
// 1 the answer is no, 2 usage, 3 the system failed; that verify, replay and sim do what they say.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from './contract.mjs';
import { ADMIN, BINARY, Mete, PRICES, configuration, mind, run, temporary } from './mete.mjs';
import { nano } from './money.mjs';
import { Provider } from './provider.mjs';

const ok = (args, options) => {
  const done = run(args, options);
  assert.equal(done.status, 0, `mete ${args.join(' ')}: ${done.stdout}${done.stderr}`);
  return done;
};
const listOf = (value) => (Array.isArray(value) ? value : value.data);

test('help, version and usage', () => {
  assert.match(ok(['--version']).stdout, /\d+\.\d+\.\d+/);
  const help = ok(['help']).stdout;
  for (const word of ['serve', 'init', 'key', 'budget', 'record', 'replay', 'verify', 'tokens', 'sim', 'bench']) {
    assert.ok(help.includes(word), word);
    assert.ok(ok(['help', word]).stdout.length > 40, `help ${word}`);
  }
  for (const args of [[], ['nonsense'], ['serve', '--nonsense'], ['key'], ['key', 'create', '--nonsense'], ['budget', 'set'], ['replay'], ['verify']]) {
    const wrong = run(args);
    assert.equal(wrong.status, 2, `mete ${args.join(' ')}: ${wrong.status}`);
    assert.ok(wrong.stderr.length > 0, `mete ${args.join(' ')} says why`);
  }
});

// The same words, with a server on the directory and without.
function work(data, label) {
  const common = ['--data', data];
  const env = { METE_ADMIN_TOKEN: ADMIN };
  const made = ok(['key', 'create', ...common, '--organization', 'example', '--name', `k-${label}`, '--json'], { env }).json();
  assert.match(made.key, /^mete_sk_[0-9A-Za-z]{48}$/);
  const keys = listOf(ok(['key', 'list', ...common, '--organization', 'example', '--json'], { env }).json());
  assert.ok(keys.some((k) => k.id === made.id && k.name === `k-${label}`));
  assert.ok(!JSON.stringify(keys).includes(made.key));
  const set = ['budget', 'set', ...common, '--organization', 'example', '--id', `b-${label}`, '--period', 'daily', '--json'];
  assert.equal(nano(ok([...set, '--amount', '20.00'], { env }).json().amount), nano('20'));
  assert.equal(nano(ok([...set, '--amount', '30.50'], { env }).json().amount), nano('30.5'), 'set again changes it');
  const budgets = listOf(ok(['budget', 'list', ...common, '--organization', 'example', '--json'], { env }).json());
  assert.ok(budgets.some((b) => b.id === `b-${label}` && nano(b.amount) === nano('30.5')));
  assert.ok(ok(['budget', 'list', ...common, '--organization', 'example'], { env }).stdout.includes(`b-${label}`), 'for people too');
  for (const args of [['budget', 'list', ...common, '--organization', 'nobody'], [...set, '--amount', '-5']]) {
    const no = run(args, { env });
    assert.ok([1, 2].includes(no.status), `mete ${args.join(' ')} -> ${no.status} ${no.stdout}${no.stderr}`);
  }
  const controls = ok([...set, '--amount', '30.50', '--stop-at', '95', '--throttle-at', '0.8', '--soft-limit', '20', '--grace', '60'], { env }).json();
  assert.deepEqual(controls.controls, { hard_limit: true, soft_limit: '20.00', throttle_threshold: 0.8, throttle_rate: 0.5, emergency_stop_threshold: 0.95, cooldown_seconds: 0, grace_seconds: 60 });
  const one = (word, ...more) => ['budget', word, `b-${label}`, ...common, '--organization', 'example', ...more, '--json'];
  assert.equal(ok(one('lift'), { env }).json().stopped_at, null);
  assert.equal(ok(one('increase', '--amount', '4.50', '--until', '2199-01-01T00:00:00Z'), { env }).json().number, 1);
  assert.equal(nano(ok(one('show'), { env }).json().limit), nano('35'));
  assert.deepEqual(listOf(ok(one('increases'), { env }).json()).map((i) => i.number), [1]);
  ok(one('increase', '--end', '1'), { env });
  assert.equal(run(one('increase', '--end', '1'), { env }).status, 1, 'it has ended');
  assert.equal(run(one('increase', '--amount', '1'), { env }).status, 2, 'until when?');
  assert.equal(nano(ok(one('show'), { env }).json().limit), nano('30.5'));
  assert.equal(ok(['key', 'revoke', ...common, made.id, '--yes', '--json'], { env }).json().status, 'revoked');
  return made;
}

test('offline: init, keys, budgets, verify', { timeout: 60000 }, () => {
  const data = path.join(temporary(), 'data');
  ok(['init', '--data', data]);
  assert.ok(fs.existsSync(path.join(data, 'admin.token')));
  const again = run(['init', '--data', data]);
  assert.ok([0, 1].includes(again.status), 'init of what is there does no harm');
  work(data, 'off');
  ok(['verify', data]);
  assert.equal(typeof ok(['verify', data, '--json']).json(), 'object');
});

test('online: the same words reach the running server', { timeout: 60000 }, async () => {
  const provider = await new Provider(PRICES).start();
  const mete = await Mete.start({ config: configuration(provider) });
  try {
    const made = work(mete.data, 'on');
    assert.equal((await mete.must('GET', `/api/v1/api-keys/${made.id}`)).status, 'revoked', 'the server knows');
    await mete.stop();
    ok(['verify', mete.data]);
    work(mete.data, 'off-again');
  } finally { await mete.stop(); await provider.stop(); }
});

test('verify finds a journal that was touched', { timeout: 60000 }, () => {
  const data = path.join(temporary(), 'data');
  ok(['init', '--data', data]);
  for (let i = 0; i < 5; i += 1) ok(['key', 'create', '--data', data, '--organization', 'example', '--name', `touch-${i}`]);
  ok(['verify', data]);
  const journal = fs.readdirSync(data, { recursive: true }).map(String).find((name) => /journal[^/]*\.(db|sqlite)$/.test(name));
  assert.ok(journal, 'there is a journal');
  const file = path.join(data, journal);
  const bytes = fs.readFileSync(file);
  const at = bytes.lastIndexOf('touch-3');
  assert.ok(at > 0, 'the entry is in the file');
  bytes[at] ^= 1;
  fs.writeFileSync(file, bytes);
  const damaged = run(['verify', data]);
  assert.equal(damaged.status, 1, damaged.stdout + damaged.stderr);
});

test('verify of what is not there is 3 or 2, never 0', () => {
  assert.ok([1, 2, 3].includes(run(['verify', '/nonexistent/data']).status));
});

test('replay: totals that add up', { timeout: 60000 }, () => {
  const trace = `${ROOT}data/traces/azure-code-sample.csv`;
  const calls = path.join(temporary(), 'calls.csv');
  const done = ok(['replay', trace, '--config', `${ROOT}examples/replay.yaml`, '--calls', calls, '--json']);
  const report = done.json();
  const rows = fs.readFileSync(trace, 'utf8').trim().split('\n').length - 1;
  const text = JSON.stringify(report);
  assert.ok(text.includes(String(rows)), `the report tells of ${rows} calls: ${text.slice(0, 500)}`);
  assert.equal(fs.readFileSync(calls, 'utf8').trim().split('\n').length - 1, rows, 'a line for every call');
  assert.equal(run(['replay', '/nonexistent.csv', '--config', `${ROOT}examples/replay.yaml`]).status, 3);
});

test('sim: speaks chat completions and keeps its account', { timeout: 60000 }, async () => {
  const child = mind(spawn(BINARY, ['sim', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] }));
  try {
    const url = await new Promise((done, failed) => {
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (piece) => {
        text += piece;
        const found = /http:\/\/[^\s]+/.exec(text);
        if (found) done(found[0]);
      });
      child.on('exit', () => failed(new Error(`sim ended: ${text}`)));
    });
    const ask = (more) => fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 7, ...more }) });
    const plain = await (await ask({})).json();
    assert.ok(plain.usage.completion_tokens > 0 && plain.usage.completion_tokens <= 7);
    const stream = await (await ask({ stream: true, stream_options: { include_usage: true } })).text();
    assert.match(stream, /data: \[DONE\]/);
    const usage = JSON.parse(/data: (\{.*"usage":\{.*)/.exec(stream)[1]).usage;
    const billed = await (await fetch(`${url}/sim/billed`)).json();
    const total = plain.usage.total_tokens + usage.total_tokens;
    assert.ok(JSON.stringify(billed).includes(String(plain.usage.completion_tokens + usage.completion_tokens)) || JSON.stringify(billed).includes(String(total)), JSON.stringify(billed));
  } finally { child.kill('SIGTERM'); }
});
