// SPDX-License-Identifier: Apache-2.0
// Measures mete with its peers in the same run, on this machine, and prints the table of ratios:
//   process    what `mete bench` measures inside one process
//   authority  reserve + deduct over HTTP, against PostgreSQL doing the same with row locks
//   gateway    chat completions through mete, through nginx as a plain proxy, through Portkey's
//              gateway, all to one upstream
//   start      start to ready, and resident memory idle
// Rounds of the contenders take turns, so that a slow minute of the machine hits all of them; a row
// is the median. Everything runs on loopback in one temporary directory and is gone at the end.
// A contender that cannot run here is named with the reason; its row is empty, never guessed.
// Usage: run.mjs [--seconds N] [--rounds N] [--only process,authority,gateway,start] [--write]
// --write puts the table into docs/benchmarks.md, between its markers.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, '..');
const BINARY = process.env.METE ?? path.join(ROOT, 'build', 'mete');
const TOKEN = 'admin-token-of-the-benchmarks-0123456789';
const KEYS = 100; // and a fifth as many users, a twentieth as many departments

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}
const SECONDS = Number(option('seconds', '4'));
const ROUNDS = Number(option('rounds', '3'));
const ONLY = option('only', 'process,authority,gateway,start').split(',');

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mete-bench-'));
fs.chmodSync(directory, 0o755);
const children = new Set();
const endings = [];
// A group of its own for each child: a master that is killed leaves its workers behind.
function killGroup(child) { try { process.kill(-child.pid, 'SIGKILL'); } catch { /* it is gone */ } }
function cleanUp() {
  for (const end of endings.splice(0).reverse()) { try { end(); } catch { /* it is gone */ } }
  for (const child of children) killGroup(child);
  fs.rmSync(directory, { recursive: true, force: true });
}
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const notes = [];

function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
  child.text = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => { child.text += piece; });
  child.stderr?.setEncoding('utf8').on('data', (piece) => { if (child.text.length < 1 << 20) child.text += piece; });
  children.add(child);
  child.gone = new Promise((done) => { child.on('exit', (code) => { children.delete(child); done(code); }); });
  child.on('error', (error) => { child.text += String(error); });
  return child;
}

async function until(condition, what, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what} is not ready`);
    await sleep(2);
  }
}

function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

const answers = (url) => until(() => fetch(url).then(() => true, () => false), url);

// ---- mete -----------------------------------------------------------------------------------

let servers = 0;
async function startMete(providers = []) {
  servers += 1;
  const home = path.join(directory, `mete-${servers}`);
  fs.mkdirSync(home);
  const config = { listen: '127.0.0.1:0', metrics_listen: '127.0.0.1:0', data: path.join(home, 'data'), providers,
    model_costs: { 'bench-model': { input_per_million: '0.15', output_per_million: '0.60' } } };
  fs.writeFileSync(path.join(home, 'mete.yaml'), JSON.stringify(config)); // JSON is YAML
  const log = fs.openSync(path.join(home, 'log'), 'w');
  const begun = process.hrtime.bigint();
  const child = start(BINARY, ['serve', '--config', path.join(home, 'mete.yaml')], {
    stdio: ['ignore', 'pipe', log], env: { ...process.env, METE_ADMIN_TOKEN: TOKEN } });
  const listening = await until(() => /^mete: listening on (http:\/\/\S+)$/m.exec(child.text), 'mete');
  const url = listening[1];
  await until(async () => (await fetch(`${url}/readyz`).catch(() => null))?.status === 200, 'mete');
  return { child, url, home, readyMs: Number(process.hrtime.bigint() - begun) / 1e6 };
}

async function stopChild(child) {
  child.kill('SIGTERM');
  const code = await Promise.race([child.gone, sleep(15000).then(() => 'late')]);
  if (code === 'late') killGroup(child);
}

async function post(url, body) {
  const reply = await fetch(url, { method: 'POST', body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` } });
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${await reply.text()}`);
  return reply.json();
}

/** An organization, its departments, users and keys, a budget on every level: four on a key's path. */
async function populate(url) {
  const api = `${url}/api/v1/organizations`;
  await post(api, { id: 'bench', name: 'Bench' });
  const budget = (kind, id, period) => post(`${api}/bench/budgets`, { scope: { kind, id }, unit: 'USD', amount: '1000000', period });
  await budget('organization', 'bench', 'monthly');
  for (let d = 1; d <= KEYS / 20; d += 1) {
    await post(`${api}/bench/departments`, { id: `dep${d}`, name: 'D' });
    await budget('department', `dep${d}`, 'monthly');
  }
  for (let u = 1; u <= KEYS / 5; u += 1) {
    await post(`${api}/bench/users`, { id: `usr${u}`, name: 'U', department: `dep${Math.floor((u - 1) / 4) + 1}` });
    await budget('user', `usr${u}`, 'daily');
  }
  const keys = [];
  for (let k = 1; k <= KEYS; k += 1) {
    const key = await post(`${api}/bench/api-keys`, { name: `K${k}`, user: `usr${Math.floor((k - 1) / 5) + 1}` });
    await budget('api_key', key.id, 'hourly');
    keys.push(key);
  }
  return keys;
}

// ---- load -----------------------------------------------------------------------------------

let runs = 0;
async function wrk(script, url, connections, env) {
  runs += 1;
  const child = start('wrk', ['-t1', `-c${connections}`, `-d${SECONDS}s`, '--timeout', '10s', '-s', path.join(HERE, script), url],
    { env: { ...process.env, RUN: String(runs), ...env } });
  await child.gone;
  const result = /^RESULT (.*)$/m.exec(child.text);
  if (!result) throw new Error(`wrk ${script}: ${child.text.slice(-500)}`);
  const row = JSON.parse(result[1]);
  if (row.failures > 0) throw new Error(`wrk ${script}: ${row.failures} failures\n${child.text.slice(-500)}`);
  return row;
}

/** Lets the contenders take turns; gives {name: {per_second, p50_us, p99_us, rounds}}. */
async function contest(contenders) {
  const rows = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, run] of Object.entries(contenders)) rows[name].push(await run());
  }
  return Object.fromEntries(Object.entries(rows).map(([name, all]) => [name, {
    per_second: median(all.map((r) => r.per_second)),
    p50_us: median(all.map((r) => r.p50_us ?? NaN)),
    p99_us: median(all.map((r) => r.p99_us ?? NaN)),
    rounds: all.map((r) => r.per_second),
  }]));
}

// ---- PostgreSQL -----------------------------------------------------------------------------

function postgresFolder() {
  const versions = fs.existsSync('/usr/lib/postgresql') ? fs.readdirSync('/usr/lib/postgresql').sort((a, b) => b - a) : [];
  return versions.length ? `/usr/lib/postgresql/${versions[0]}/bin` : null;
}

/** A server of its own on loopback; initdb refuses root, so it belongs to the user postgres then. */
async function startPostgres() {
  const bin = postgresFolder();
  if (!bin) throw new Error('PostgreSQL is not installed');
  const home = path.join(directory, 'postgres');
  fs.mkdirSync(home);
  const root = process.getuid() === 0;
  const as = (command, args) => (root ? ['runuser', ['-u', 'postgres', '--', command, ...args]] : [command, args]);
  if (root) {
    const owned = spawnSync('chown', ['postgres', home]);
    if (owned.status !== 0) throw new Error('there is no user postgres');
  }
  const must = (command, args) => {
    const done = spawnSync(...as(command, args), { encoding: 'utf8', cwd: home });
    if (done.status !== 0) throw new Error(`${command}: ${done.stderr}`);
    return done.stdout;
  };
  must(`${bin}/initdb`, ['-D', `${home}/data`, '-A', 'trust', '-U', 'bench', '--no-locale', '-E', 'UTF8']);
  const port = await freePort();
  fs.appendFileSync(`${home}/data/postgresql.conf`, `
listen_addresses = '127.0.0.1'
port = ${port}
unix_socket_directories = ''
max_connections = 100
synchronous_commit = on
fsync = on
shared_buffers = 256MB
`);
  must(`${bin}/pg_ctl`, ['-D', `${home}/data`, '-l', `${home}/log`, '-w', 'start']);
  endings.push(() => spawnSync(...as(`${bin}/pg_ctl`, ['-D', `${home}/data`, '-m', 'immediate', '-w', 'stop'])));
  const where = ['-h', '127.0.0.1', '-p', String(port), '-U', 'bench'];
  const rows = Object.entries({ org: 1, dep: KEYS / 20, usr: KEYS / 5, key: KEYS })
    .map(([kind, count]) => `SELECT '${kind}', id, 1000000000000000 FROM generate_series(1, ${count}) AS id`);
  const sql = `CREATE TABLE budgets (kind text, id bigint, amount bigint NOT NULL, used bigint NOT NULL DEFAULT 0, held bigint NOT NULL DEFAULT 0, PRIMARY KEY (kind, id)) WITH (fillfactor = 20);
    CREATE TABLE reservations (id bigint PRIMARY KEY, key bigint NOT NULL, amount bigint NOT NULL, charged bigint, state text NOT NULL DEFAULT 'held');
    INSERT INTO budgets (kind, id, amount) ${rows.join(' UNION ALL ')};`;
  const made = spawnSync(`${bin}/psql`, [...where, '-d', 'postgres', '-v', 'ON_ERROR_STOP=1', '-q', '-c', sql], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  return async () => {
    const child = start(`${bin}/pgbench`, [...where, '-n', '-M', 'prepared', '-c', '50', '-j', '1', '-T', String(SECONDS), '-f', path.join(HERE, 'postgres.sql'), 'postgres']);
    await child.gone;
    const tps = /tps = ([\d.]+)/.exec(child.text);
    const mean = /latency average = ([\d.]+) ms/.exec(child.text);
    if (!tps) throw new Error(`pgbench: ${child.text.slice(-500)}`);
    return { per_second: Number(tps[1]), p50_us: Number(mean[1]) * 1000 };
  };
}

// ---- gateway peers --------------------------------------------------------------------------

const COMPLETION = JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion', created: 1700000000, model: 'bench-model',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Measure twice, cut once. '.repeat(8) }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 210, completion_tokens: 48, total_tokens: 258 } });

async function startNginx(name, server, upstream = '') {
  const home = path.join(directory, name);
  fs.mkdirSync(home);
  const port = await freePort();
  fs.writeFileSync(path.join(home, 'nginx.conf'), `
worker_processes 1; daemon off; pid ${home}/pid; error_log ${home}/error.log crit;
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_buffer_size 64k;
  client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
  ${upstream}
  server { listen 127.0.0.1:${port} reuseport; ${server} }
}
`);
  const child = start('nginx', ['-p', home, '-c', path.join(home, 'nginx.conf'), '-e', path.join(home, 'error.log')]);
  await answers(`http://127.0.0.1:${port}/`).catch(() => { throw new Error(`nginx: ${child.text}`); });
  return { child, url: `http://127.0.0.1:${port}` };
}

async function startPortkey() {
  const port = await freePort();
  const child = start(process.execPath, [path.join(HERE, 'node_modules/@portkey-ai/gateway/build/start-server.js'), '--headless', `--port=${port}`],
    { env: { ...process.env, NODE_ENV: 'production' } });
  await answers(`http://127.0.0.1:${port}/`).catch(() => { throw new Error(`Portkey: ${child.text}`); });
  return { child, url: `http://127.0.0.1:${port}` };
}

// ---- parts ----------------------------------------------------------------------------------

const results = { machine: machine(), seconds: SECONDS, rounds: ROUNDS, rows: [] };
function row(what, value, unit, against = null, needed = null) {
  results.rows.push({ what, value, unit, against, needed });
}

function machine() {
  const cpu = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${cpu.length} x ${cpu[0].model}, ${memory} GiB, ${os.type()} ${os.release()}, node ${process.versions.node}`;
}

async function inProcess() {
  const child = start(BINARY, ['bench', '--json'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const code = await child.gone;
  if (code !== 0) throw new Error(`mete bench ended with ${code}: ${child.text.slice(-300)}`);
  const report = JSON.parse(child.text);
  results.process = report;
  for (const one of report) row(one.name, one.value, one.unit, null, one.target);
}

async function authority() {
  const mete = await startMete();
  const keys = await populate(mete.url);
  const env = { TOKEN, SCOPES: keys.map((key) => key.id).join(',') };
  const contenders = {
    single: () => wrk('authority.lua', mete.url, 50, { ...env, SIZE: '1' }),
    array: () => wrk('authority.lua', mete.url, 50, { ...env, SIZE: '100' }),
  };
  try { contenders.postgres = await startPostgres(); } catch (error) { notes.push(`PostgreSQL: ${error.message}`); }
  const got = await contest(contenders);
  results.authority = got;
  const against = (one, needed) => (got.postgres
    ? [{ name: 'PostgreSQL row locks', per_second: got.postgres.per_second, ratio: one.per_second / got.postgres.per_second }, `${needed} x`] : [null, `${needed} x`]);
  row('authority over HTTP, reserve + deduct, one call each, 50 connections', got.single.per_second, 'pairs/s', ...against(got.single, 20));
  row('authority over HTTP, arrays of 100, 50 connections', got.array.per_second, 'pairs/s', ...against(got.array, 100));
  await stopChild(mete.child);
}

async function gateway() {
  const upstream = await startNginx('upstream', `location / { default_type application/json; return 200 '${COMPLETION}'; }`);
  const mete = await startMete([{ name: 'bench', dialect: 'openai', base_url: `${upstream.url}/v1`, api_key: 'none' }]);
  const keys = await populate(mete.url);
  const proxy = await startNginx('proxy', 'location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }',
    `upstream up { server ${new URL(upstream.url).host}; keepalive 64; keepalive_requests 100000000; }`);
  const target = '/v1/chat/completions';
  const contenders = {
    mete: () => wrk('chat.lua', mete.url + target, 32, { TOKEN: keys[0].key }),
    nginx: () => wrk('chat.lua', proxy.url + target, 32, { TOKEN: 'none' }),
    direct: () => wrk('chat.lua', upstream.url + target, 32, { TOKEN: 'none' }),
  };
  try {
    const portkey = await startPortkey();
    contenders.portkey = () => wrk('chat.lua', portkey.url + target, 32, { TOKEN: 'none', PORTKEY_HOST: `${upstream.url}/v1` });
  } catch (error) { notes.push(`Portkey: ${error.message}`); }
  const got = await contest(contenders);
  results.gateway = got;
  const versus = (name, needed) => (got[name] ? [{ name, per_second: got[name].per_second, ratio: got.mete.per_second / got[name].per_second }, `${needed} x`] : [null, `${needed} x`]);
  row('gateway, plain call, prompt of 1 KB, 32 connections', got.mete.per_second, 'calls/s', ...versus('nginx', 0.25));
  row('the same, against Portkey\'s gateway', got.mete.per_second, 'calls/s', ...versus('portkey', 15));
  row('the upstream alone (what the load generator can reach)', got.direct.per_second, 'calls/s');
  for (const child of [mete.child, proxy.child, upstream.child]) await stopChild(child);
}

async function starting() {
  const ready = [];
  const resident = [];
  for (let i = 0; i < 5; i += 1) {
    const mete = await startMete();
    ready.push(mete.readyMs);
    await sleep(200);
    resident.push(Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${mete.child.pid}/status`, 'utf8'))[1]) / 1024);
    await stopChild(mete.child);
  }
  results.start = { ready_ms: ready, resident_mb: resident };
  row('start to ready, empty directory (asked every 2 ms)', median(ready), 'ms', null, '200 ms');
  row('resident memory, idle', median(resident), 'MB', null, '40 MB');
}

function figure(value) {
  if (typeof value !== 'number') return String(value ?? '');
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(0) : value.toPrecision(3);
}

const parts = { process: inProcess, authority, gateway, start: starting };
for (const name of ONLY) {
  process.stderr.write(`bench: ${name}\n`);
  try { await parts[name](); } catch (error) { notes.push(`${name}: ${error.message}`); }
}
function table() {
  const lines = [`${results.machine}, load ${os.loadavg()[0].toFixed(1)} at the end; ${ROUNDS} rounds of ${SECONDS} s, medians; ${new Date().toISOString().slice(0, 10)}`, '',
    '| what | measured | peer | ratio | must reach |', '|---|---|---|---|---|'];
  for (const r of results.rows) {
    const peer = r.against ? `${r.against.name}: ${figure(r.against.per_second)}` : '';
    lines.push(`| ${r.what} | ${figure(r.value)} ${r.unit} | ${peer} | ${r.against ? `${r.against.ratio.toPrecision(3)} x` : ''} | ${r.needed ?? ''} |`);
  }
  for (const note of notes) lines.push('', `not measured: ${note}`);
  return `${lines.join('\n')}\n`;
}

console.log(`\n${table()}`);
if (process.argv.includes('--write')) {
  const file = path.join(ROOT, 'docs', 'benchmarks.md');
  const text = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, text.replace(/(<!-- table -->\n)[\s\S]*?(<!-- end -->)/, (_, begin, end) => `${begin}\n${table()}\n${end}`));
}
results.notes = notes;
fs.mkdirSync(path.join(ROOT, 'build'), { recursive: true });
fs.writeFileSync(path.join(ROOT, 'build', 'bench.json'), `${JSON.stringify(results, null, 2)}\n`);
process.exit(notes.length ? 1 : 0);
