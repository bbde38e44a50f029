// SPDX-License-Identifier: Apache-2.0
// Measures mete with its peers in the same run, on this machine, and prints the tables of ratios:
//   process    what `mete bench` measures inside one process
//   authority  reserve + deduct over HTTP, against PostgreSQL doing the same with row locks
//   start      start to ready, and resident memory idle
//   gateway    chat completions: all parts of gateway.mjs, which may be named one by one
//   counting   the same with their tokens counted, and not
//   tokens     counting them, against the tokenizers of npm
//   management the endpoints of the management API in a large installation
// Rounds of the contenders take turns, so that a slow minute of the machine hits all of them; a row
// is the median. Everything runs on loopback in one temporary directory and is gone at the end.
// A contender that cannot run here is named with the reason; its row is empty, never guessed.
// Usage: run.mjs [--seconds N] [--rounds N] [--only process,authority,start,gateway,counting,tokens,management] [--write]
// --write puts a table into docs/benchmarks.md, between its markers, with the rows that were measured:
// whole parts want to be asked for, then.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { countingParts } from './counting.mjs';
import { gatewayParts } from './gateway.mjs';
import { BINARY, HERE, KEYS, ROOT, ROUNDS, SECONDS, contest, directory, endings, freePort, median, notes, option,
  TOKEN, populate, resident, results, row, sleep, start, startMete, stopChild, wrk } from './stand.mjs';
import { managementParts } from './management.mjs';
import { tokensParts } from './tokens.mjs';

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

// ---- parts ----------------------------------------------------------------------------------

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

async function starting() {
  const ready = [];
  const megabytes = [];
  for (let i = 0; i < 5; i += 1) {
    const mete = await startMete();
    ready.push(mete.readyMs);
    await sleep(200);
    megabytes.push(resident(mete.child.pid) / 1024);
    await stopChild(mete.child);
  }
  results.start = { ready_ms: ready, resident_mb: megabytes };
  row('start to ready, empty directory (asked every 2 ms)', median(ready), 'ms', null, '200 ms');
  row('resident memory, idle', median(megabytes), 'MB', null, '40 MB');
}

function figure(value) {
  if (typeof value !== 'number') return String(value ?? '');
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return Math.abs(value) >= 10 || value === 0 ? value.toFixed(0) : value.toPrecision(3);
}

/** The rows of a table, or what a part has drawn itself, with the machine and its load above them. */
function table(name) {
  const rounds = results.drawn[name] ? 'best of rounds' : results.rounds_of[name] ?? `${ROUNDS} rounds of ${SECONDS} s, medians`;
  const lines = [`${results.machine}, load ${os.loadavg()[0].toFixed(1)} at the end; ${rounds}; ${new Date().toISOString().slice(0, 10)}`, '',
    ...(results.drawn[name] ?? ['| what | measured | peer | ratio | must reach |', '|---|---|---|---|---|'])];
  for (const r of results.rows.filter((one) => one.table === name)) {
    const peer = r.against ? `${r.against.name}: ${figure(r.against.per_second)}` : '';
    lines.push(`| ${r.what} | ${figure(r.value)} ${r.unit} | ${peer} | ${r.against ? `${r.against.ratio.toPrecision(3)} x` : ''} | ${r.needed ?? ''} |`);
  }
  for (const note of notes) lines.push('', `not measured: ${note}`);
  return `${lines.join('\n')}\n`;
}

const engineParts = { process: inProcess, authority, start: starting };
const everything = { ...engineParts, ...gatewayParts, ...countingParts, ...tokensParts, ...managementParts };
const wanted = option('only', 'process,authority,start,gateway,counting,tokens,management').split(',')
  .flatMap((name) => (name === 'gateway' ? Object.keys(gatewayParts) : [name]));
for (const name of wanted) {
  process.stderr.write(`bench: ${name}\n`);
  results.table = name in engineParts ? 'table' : name in managementParts ? 'management' : 'gateway';
  try { await everything[name](); } catch (error) { notes.push(`${name}: ${error.message}`); }
}

const measured = [...new Set(results.rows.map((one) => one.table)), ...Object.keys(results.drawn)];
for (const name of measured) console.log(`\n${table(name)}`);
if (process.argv.includes('--write')) {
  const file = path.join(ROOT, 'docs', 'benchmarks.md');
  let text = fs.readFileSync(file, 'utf8');
  for (const name of measured) {
    const place = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- end -->)`);
    text = text.replace(place, (_, begin, end) => `${begin}\n${table(name)}\n${end}`);
  }
  fs.writeFileSync(file, text);
}
results.notes = notes;
for (const note of notes) console.log(`not measured: ${note}`);
fs.mkdirSync(path.join(ROOT, 'build'), { recursive: true });
fs.writeFileSync(path.join(ROOT, 'build', 'bench.json'), `${JSON.stringify(results, null, 2)}\n`);
process.exit(notes.length ? 1 : 0);
