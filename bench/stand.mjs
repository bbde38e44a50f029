// SPDX-License-Identifier: Apache-2.0
// What every part of the benchmarks stands on: options, processes that end with us, mete with an
// organization in it, load, contests, and the rows of the table.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = path.dirname(fileURLToPath(import.meta.url));
export const ROOT = path.resolve(HERE, '..');
export const BINARY = process.env.METE ?? path.join(ROOT, 'build', 'mete');
export const TOKEN = 'admin-token-of-the-benchmarks-0123456789';
export const KEYS = 100; // and a fifth as many users, a twentieth as many departments

export function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}
export const SECONDS = Number(option('seconds', '4'));
export const ROUNDS = Number(option('rounds', '3'));

export const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mete-bench-'));
fs.chmodSync(directory, 0o755);
const children = new Set();
export const endings = [];
// A group of its own for each child: a master that is killed leaves its workers behind.
function killGroup(child) { try { process.kill(-child.pid, 'SIGKILL'); } catch { /* it is gone */ } }
function cleanUp() {
  for (const end of endings.splice(0).reverse()) { try { end(); } catch { /* it is gone */ } }
  for (const child of children) killGroup(child);
  fs.rmSync(directory, { recursive: true, force: true });
}
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

export const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
export const notes = [];

export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
  child.text = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => { child.text += piece; });
  child.stderr?.setEncoding('utf8').on('data', (piece) => { if (child.text.length < 1 << 20) child.text += piece; });
  children.add(child);
  child.gone = new Promise((done) => {
    child.on('exit', (code) => { children.delete(child); done(code); });
    child.on('error', (error) => { child.text += String(error); done(error.code); }); // it could not begin
  });
  return child;
}

export async function until(condition, what, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what} is not ready`);
    await sleep(2);
  }
}

export function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

export const answers = (url) => until(() => fetch(url).then(() => true, () => false), url);

// ---- mete -----------------------------------------------------------------------------------

let servers = 0;
/** providers and more of the configuration; under: a command to run it under, patience: for that. */
export async function startMete(providers = [], { more = {}, under = [], patience = 20000 } = {}) {
  servers += 1;
  const home = path.join(directory, `mete-${servers}`);
  fs.mkdirSync(home);
  const config = { listen: '127.0.0.1:0', metrics_listen: '127.0.0.1:0', data: path.join(home, 'data'), providers,
    model_costs: { 'bench-model': { input_per_million: '0.15', output_per_million: '0.60' } }, ...more };
  fs.writeFileSync(path.join(home, 'mete.yaml'), JSON.stringify(config)); // JSON is YAML
  const log = fs.openSync(path.join(home, 'log'), 'w');
  const begun = process.hrtime.bigint();
  const [command, ...args] = [...under, BINARY, 'serve', '--config', path.join(home, 'mete.yaml')];
  const child = start(command, args, { stdio: ['ignore', 'pipe', log], env: { ...process.env, METE_ADMIN_TOKEN: TOKEN } });
  const listening = await until(() => /^mete: listening on (https?:\/\/\S+)$/m.exec(child.text), 'mete', patience);
  const url = listening[1];
  await until(async () => (await ask(`${url}/readyz`).catch(() => null))?.status === 200, 'mete', patience);
  return { child, url, home, readyMs: Number(process.hrtime.bigint() - begun) / 1e6 };
}

export async function stopChild(child) {
  child.kill('SIGTERM');
  const code = await Promise.race([child.gone, sleep(15000).then(() => 'late')]);
  if (code === 'late') killGroup(child);
}

/** A request to mete, whose certificate, if it has one, is of our own making. */
export function ask(url, { method = 'GET', headers = {}, body } = {}) {
  const { request } = url.startsWith('https') ? https : http;
  return new Promise((done, fail) => {
    const asked = request(url, { method, headers, rejectUnauthorized: false }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => done({ status: reply.statusCode, text }));
    }).on('error', fail);
    asked.end(body);
  });
}

async function api(method, url, body) {
  const reply = await ask(url, { method, body: body && JSON.stringify(body),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` } });
  if (reply.status >= 300) throw new Error(`${url}: ${reply.status} ${reply.text}`);
  return JSON.parse(reply.text);
}
const post = (url, body) => api('POST', url, body);

/** What the organization has spent and what is held, in nano dollars. */
export async function ledger(url) {
  const page = await api('GET', `${url}/api/v1/organizations/bench/budgets?limit=1`);
  const nano = (text) => { const [whole, rest = ''] = text.split('.'); return BigInt(whole + rest.padEnd(9, '0').slice(0, 9)); };
  const [first] = page.data; // the oldest is the organization's own
  return { used: nano(first.used), held: nano(first.held) };
}

/** An organization, its departments, users and keys, a budget on every level: four on a key's path. */
export async function populate(url) {
  const organizations = `${url}/api/v1/organizations`;
  await post(organizations, { id: 'bench', name: 'Bench' });
  const budget = (kind, id, period) => post(`${organizations}/bench/budgets`, { scope: { kind, id }, unit: 'USD', amount: '1000000', period });
  await budget('organization', 'bench', 'monthly');
  for (let d = 1; d <= KEYS / 20; d += 1) {
    await post(`${organizations}/bench/departments`, { id: `dep${d}`, name: 'D' });
    await budget('department', `dep${d}`, 'monthly');
  }
  for (let u = 1; u <= KEYS / 5; u += 1) {
    await post(`${organizations}/bench/users`, { id: `usr${u}`, name: 'U', department: `dep${Math.floor((u - 1) / 4) + 1}` });
    await budget('user', `usr${u}`, 'daily');
  }
  const keys = [];
  for (let k = 1; k <= KEYS; k += 1) {
    const key = await post(`${organizations}/bench/api-keys`, { name: `K${k}`, user: `usr${Math.floor((k - 1) / 5) + 1}` });
    await budget('api_key', key.id, 'hourly');
    keys.push(key);
  }
  return keys;
}

// ---- load -----------------------------------------------------------------------------------

let runs = 0;
export async function wrk(script, url, connections, env, seconds = SECONDS) {
  runs += 1;
  const child = start('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', path.join(HERE, script), url],
    { env: { ...process.env, RUN: String(runs), ...env } });
  await child.gone;
  const result = /^RESULT (.*)$/m.exec(child.text);
  if (!result) throw new Error(`wrk ${script}: ${child.text.slice(-500)}`);
  const row = JSON.parse(result[1]);
  if (row.failures > 0) throw new Error(`wrk ${script}: ${row.failures} failures\n${child.text.slice(-500)}`);
  return row;
}

/** Lets the contenders take turns; gives {name: {per_second, p50_us, p99_us, rounds}}. */
export async function contest(contenders, rounds = ROUNDS) {
  const rows = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, run] of Object.entries(contenders)) rows[name].push(await run());
  }
  return Object.fromEntries(Object.entries(rows).map(([name, all]) => [name, {
    per_second: median(all.map((r) => r.per_second)),
    p50_us: median(all.map((r) => r.p50_us ?? NaN)),
    p99_us: median(all.map((r) => r.p99_us ?? NaN)),
    rounds: all.map((r) => r.per_second),
  }]));
}

export const results = { machine: machine(), seconds: SECONDS, rounds: ROUNDS, rows: [], table: '', drawn: {}, rounds_of: {} };
/** One line of the table that is being measured. */
export function row(what, value, unit, against = null, needed = null) {
  results.rows.push({ table: results.table, what, value, unit, against, needed });
}

/** Resident memory of a process in KiB. */
export const resident = (pid) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

/** CPU all threads of a process took so far, in us: {user, kernel}. */
export function processor(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return { user: Number(fields[11]) * 1e4, kernel: Number(fields[12]) * 1e4 }; // 100 ticks a second
}

function machine() {
  const cpu = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${cpu.length} x ${cpu[0].model}, ${memory} GiB, ${os.type()} ${os.release()}, node ${process.versions.node}`;
}
