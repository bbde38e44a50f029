// SPDX-License-Identifier: Apache-2.0
// What the gateway costs, in parts that run alone (bench/run --only NAME):
//   matrix    calls a second against nginx as a plain proxy and Portkey's gateway: prompts of 1 and
//             10 KB, plain and streams of 100 events, 32, 256 and 1,000 connections
//   latency   what mete adds to the upstream at 1,000 and 3,000 calls a second, open loop
//   streams   1,000 streams of 50 events a second: how late each event is, also through nginx
//   memory    resident with 1,000 open streams, in clear and over TLS
//   profile   the CPU of one call by what it is spent on (profile.mjs)
// The upstream is bench/provider.c, which answers at once and keeps an account: after every run the
// ledger must have committed exactly what the provider may bill, or the part fails.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';

import { profile } from './profile.mjs';
import { HERE, ROUNDS, SECONDS, answers, ask, contest, directory, freePort, ledger, median, notes, populate,
  processor, resident, results, row, sleep, start, startMete, stopChild, until, wrk } from './stand.mjs';

export const PROGRAMS = process.env.METE_BENCH ?? path.join(HERE, '..', 'build', 'bench');
const TARGET = '/v1/chat/completions';
const INPUT_NANO = 150n; // dollars a token, as the price of bench-model in stand.mjs
const OUTPUT_NANO = 600n;

/** A file with a request whose prompt is that long. */
export function body(bytes, streams) {
  const file = path.join(directory, `body-${bytes}-${streams}`);
  const prompt = 'measure twice, cut once; '.repeat(bytes / 25);
  fs.writeFileSync(file, JSON.stringify({ model: 'bench-model', ...(streams ? { stream: true } : {}), max_tokens: 1024,
    messages: [{ role: 'user', content: prompt }] }));
  return file;
}

/** The upstream: streams of so many events, so many a second (0: all at once). */
export async function startProvider(events, rate) {
  const child = start(path.join(PROGRAMS, 'bench_provider'), [String(events), String(rate)]);
  const found = await until(() => /^port (\d+)$/m.exec(child.text), 'provider').catch(() => {
    throw new Error(`bench_provider: ${child.text} (cmake --build build --target bench_programs)`);
  });
  const url = `http://127.0.0.1:${found[1]}`;
  return { child, url, port: found[1], events: BigInt(events), counts: async () => JSON.parse((await ask(url)).text) };
}

export async function load(...args) {
  const child = start(path.join(PROGRAMS, 'bench_load'), args.map(String));
  await child.gone;
  const result = /^RESULT (.*)$/m.exec(child.text);
  if (!result) throw new Error(`load ${args[0]}: ${child.text.slice(-300)}`);
  const got = JSON.parse(result[1]);
  if (got.failures > 0) throw new Error(`load ${args[0]}: ${got.failures} failures of ${got.count}`);
  return got;
}

export async function meteBefore(provider, options) {
  const mete = await startMete([{ name: 'bench', dialect: 'openai', base_url: `${provider.url}/v1`, api_key: 'none' }], options);
  const keys = await populate(mete.url);
  return { ...mete, token: keys[0].key, port: new URL(mete.url).port };
}

/** Waits until nothing is held and holds the ledger against the provider's account, to the nano. */
const account = { runs: 0, nano: 0n };
export async function audited(mete, provider, run) {
  const before = { ledger: await ledger(mete.url), provider: await provider.counts() };
  const result = await run();
  await until(async () => (await ledger(mete.url)).held === 0n && (await provider.counts()).open === 0, 'the end of all calls', 30000);
  const after = { ledger: await ledger(mete.url), provider: await provider.counts() };
  const plain = BigInt(after.provider.plain - before.provider.plain);
  const streams = BigInt(after.provider.streams - before.provider.streams);
  const billed = (plain + streams) * 210n * INPUT_NANO + (plain * 48n + streams * provider.events) * OUTPUT_NANO;
  const committed = after.ledger.used - before.ledger.used;
  if (committed !== billed || after.provider.broken !== 0) {
    throw new Error(`the ledger committed ${committed} nano, the provider's account says ${billed} (${plain} plain, ${streams} streams, ${after.provider.broken} broken)`);
  }
  account.runs += 1;
  account.nano += committed;
  return { ...result, calls: Number(plain + streams) };
}

export function rowOfAccount(part) {
  row(`ledger less the provider's account, after each of ${account.runs} runs of ${part}, ${(Number(account.nano) / 1e9).toFixed(2)} USD in all`, 0, 'nano USD', null, '0');
  account.runs = 0;
  account.nano = 0n;
}

// ---- peers ----------------------------------------------------------------------------------

async function startNginx(provider, buffering = 'on') {
  const home = path.join(directory, 'nginx');
  fs.mkdirSync(home, { recursive: true });
  const port = await freePort();
  fs.writeFileSync(path.join(home, 'nginx.conf'), `
worker_processes 1; daemon off; pid ${home}/pid; error_log ${home}/error.log crit; worker_rlimit_nofile 16384;
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_buffer_size 64k;
  client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
  upstream up { server ${new URL(provider.url).host}; keepalive 1024; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port} reuseport backlog=4096;
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering ${buffering}; } }
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

// ---- calls a second -------------------------------------------------------------------------

/** wrk through mete, with the CPU that mete took for it. */
async function loadMete(mete, provider, connections, env, seconds) {
  const before = processor(mete.child.pid);
  const got = await audited(mete, provider, () => wrk('chat.lua', mete.url + TARGET, connections, { ...env, TOKEN: mete.token }, seconds));
  const after = processor(mete.child.pid);
  return { ...got, user_us: (after.user - before.user) / got.calls, kernel_us: (after.kernel - before.kernel) / got.calls };
}

/** What wrk left behind when it went: a gateway that has no queue is done at once. */
async function quiet(provider) {
  for (let last = null, tries = 0; tries < 50; tries += 1) {
    const { plain, streams } = await provider.counts();
    if (plain + streams === last) return;
    last = plain + streams;
    await sleep(100);
  }
}

async function cell(stand, { bytes, streams, connections }) {
  const { mete, provider, peers, proxy, portkey } = stand;
  const seconds = Math.max(1, Math.round(SECONDS / 2));
  const env = { BODY: body(bytes, streams), TOKEN: 'none' };
  const cpu = [];
  const contenders = {
    mete: async () => { const got = await loadMete(mete, provider, connections, env, seconds); cpu.push(got); return got; },
    nginx: () => wrk('chat.lua', proxy.url + TARGET, connections, env, seconds),
  };
  if (portkey) {
    contenders.portkey = async () => {
      const got = await wrk('chat.lua', portkey.url + TARGET, connections, { ...env, PORTKEY_HOST: `${peers.url}/v1` }, seconds);
      await quiet(peers);
      return got;
    };
  }
  const first = connections === 32 && bytes === 1000;
  if (first) contenders.direct = () => wrk('chat.lua', peers.url + TARGET, connections, env, seconds);
  const got = await contest(contenders);
  const what = `${streams ? 'stream of 100 events' : 'plain call'}, prompt of ${bytes / 1000} KB, ${connections.toLocaleString('en-US')} connections`;
  const unit = streams ? 'streams/s' : 'calls/s';
  const against = (name) => (got[name].per_second > 0 ? { name, per_second: got[name].per_second, ratio: got.mete.per_second / got[name].per_second } : null);
  row(what, got.mete.per_second, unit, against('nginx'), '0.25 x');
  if (portkey) row('the same, against Portkey\'s gateway', got.mete.per_second, unit, against('portkey'), '15 x');
  if (first) {
    row('the same, the upstream alone (what the load generator can reach)', got.direct.per_second, unit);
    row('the same, mete\'s CPU a call, user', median(cpu.map((one) => one.user_us)), 'us');
    row('the same, mete\'s CPU a call, kernel', median(cpu.map((one) => one.kernel_us)), 'us');
  }
  return { what, ...got };
}

/** What is compiled while it runs is slow at first: everybody gets a second of each kind that is not counted. */
async function warm({ mete, proxy, portkey, peers }) {
  for (const streams of [false, true]) {
    const env = { BODY: body(1000, streams), TOKEN: 'none' };
    await wrk('chat.lua', mete.url + TARGET, 32, { ...env, TOKEN: mete.token }, 1);
    await wrk('chat.lua', proxy.url + TARGET, 32, env, 1);
    if (portkey) await wrk('chat.lua', portkey.url + TARGET, 32, { ...env, PORTKEY_HOST: `${peers.url}/v1` }, 3);
  }
}

async function matrix() {
  const provider = await startProvider(100, 0);
  const peers = await startProvider(100, 0); // of their own, so that mete's account is mete's alone
  const stand = { provider, peers, mete: await meteBefore(provider), proxy: await startNginx(peers) };
  try { stand.portkey = await startPortkey(); } catch (error) { notes.push(`Portkey: ${error.message}`); }
  await warm(stand);
  await until(async () => (await ledger(stand.mete.url)).held === 0n, 'the end of the warm-up');
  results.matrix = [];
  for (const streams of [false, true]) {
    for (const bytes of [1000, 10000]) {
      for (const connections of [32, 256, 1000]) {
        try { results.matrix.push(await cell(stand, { bytes, streams, connections })); } catch (error) {
          notes.push(`${streams ? 'streams' : 'plain'}, ${bytes} bytes, ${connections} connections: ${error.message}`);
        }
      }
    }
  }
  rowOfAccount('the matrix');
  for (const one of [stand.mete, stand.proxy, stand.portkey, provider, peers]) if (one) await stopChild(one.child);
}

// ---- latency --------------------------------------------------------------------------------

async function latency() {
  const provider = await startProvider(100, 0);
  const mete = await meteBefore(provider);
  const file = body(1000, false);
  const flush = (gapUs) => load('flush', path.join(mete.home, 'data', 'flush.bench'), 500, gapUs);
  results.latency = [];
  for (const rate of [1000, 3000]) {
    const pairs = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const busy = await flush(0);
      const paced = await flush(1e6 / (2 * rate));
      const alone = await load('open', provider.port, file, 'none', 64, rate, SECONDS);
      const through = await audited(mete, provider, () => load('open', mete.port, file, mete.token, 64, rate, SECONDS));
      pairs.push({ busy, paced, alone, through });
    }
    results.latency.push({ rate, pairs });
  }
  for (const { rate, pairs } of results.latency) {
    const of = (name) => median(pairs.map(({ alone, through }) => through[name] - alone[name]));
    const two = (which) => 2 * median(pairs.map((pair) => pair[which].p50_us));
    const calls = `${rate.toLocaleString('en-US')} calls/s`;
    row(`two flushes of 4 KiB as often as ${calls} want them, p50 (fdatasync in place, nothing else going on)`, two('paced'), 'us');
    row('the same, one right after the other', two('busy'), 'us');
    row(`latency added at ${calls}, open loop, p50`, of('p50_us'), 'us', null, `< ${Math.round(two('paced') + 250)} (two flushes + 250)`);
    row(`latency added at ${calls}, open loop, p99`, of('p99_us'), 'us', null, '< 3000');
    row('the same, the upstream alone, p99', median(pairs.map(({ alone }) => alone.p99_us)), 'us');
  }
  rowOfAccount('the latencies');
  for (const one of [mete, provider]) await stopChild(one.child);
}

// ---- streams --------------------------------------------------------------------------------

async function streams() {
  const provider = await startProvider(500, 50);
  const mete = await meteBefore(provider);
  const proxy = await startNginx(provider, 'off');
  const file = body(1000, true);
  const runs = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const alone = await load('streams', provider.port, file, 'none', 1000);
    const plain = await load('streams', new URL(proxy.url).port, file, 'none', 1000);
    await until(async () => (await provider.counts()).open === 0, 'the end of all streams');
    const through = await audited(mete, provider, () => load('streams', mete.port, file, mete.token, 1000));
    runs.push({ alone, plain, through });
  }
  results.streams = runs;
  const of = (who, name) => median(runs.map((run) => run[who][name]));
  row('1,000 streams of 50 events/s for 10 s, how late an event is, p50', of('through', 'p50_us'), 'us');
  row('the same, p99', of('through', 'p99_us'), 'us', null, '< 5000');
  row('the same, the latest', of('through', 'max_us'), 'us');
  row('the same through nginx as a plain proxy, p99', of('plain', 'p99_us'), 'us');
  row('the same through nginx, the latest', of('plain', 'max_us'), 'us');
  row('the same without either, p99', of('alone', 'p99_us'), 'us');
  row('the same without either, the latest', of('alone', 'max_us'), 'us');
  rowOfAccount('the streams');
  for (const one of [mete, proxy, provider]) await stopChild(one.child);
}

// ---- memory ---------------------------------------------------------------------------------

const OPEN = 1000;

function certificate() {
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem',
    '-out', 'cert.pem', '-days', '2', '-subj', '/CN=bench'], { cwd: directory, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return { certificate: path.join(directory, 'cert.pem'), key: path.join(directory, 'key.pem') };
}

/** Streams over TLS; bench_load speaks none. */
function openTls(mete, file) {
  const text = fs.readFileSync(file);
  const agent = new https.Agent({ keepAlive: false, maxSockets: Infinity, maxCachedSessions: 0 });
  return Promise.all(Array.from({ length: OPEN }, (_, at) => sleep(at * 2).then(() => new Promise((done, fail) => {
    https.request(mete.url + TARGET, { method: 'POST', agent, rejectUnauthorized: false,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${mete.token}`, 'content-length': text.length } }, (reply) => {
      if (reply.statusCode !== 200) fail(new Error(`status ${reply.statusCode}`));
      reply.resume().on('end', done).on('error', fail);
    }).on('error', fail).end(text);
  }))));
}

async function openStreams(tls) {
  const provider = await startProvider(8, 1);
  const mete = await meteBefore(provider, tls ? { more: { tls: certificate() } } : {});
  const file = body(1000, true);
  const before = resident(mete.child.pid);
  let most = 0;
  await audited(mete, provider, async () => {
    const ended = tls ? openTls(mete, file) : load('streams', mete.port, file, mete.token, OPEN);
    let over = false;
    const end = ended.finally(() => { over = true; });
    while (!over) {
      if ((await provider.counts()).open === OPEN) most = Math.max(most, resident(mete.child.pid));
      await Promise.race([sleep(200), end]);
    }
    return end;
  });
  for (const one of [mete, provider]) await stopChild(one.child);
  if (most === 0) throw new Error(`${OPEN} streams were never open at once`);
  return { before, most, each: (most - before) / OPEN };
}

async function memory() {
  results.memory = { clear: await openStreams(false), tls: await openStreams(true) };
  const { clear, tls } = results.memory;
  row('resident memory, idle, with an organization of 126 scopes', clear.before / 1024, 'MB', null, '40 MB');
  row('resident memory with 1,000 open streams', clear.most / 1024, 'MB');
  row('an open stream', clear.each, 'KB', null, '< 32');
  row('an open stream, the client over TLS', tls.each, 'KB', null, '< 32');
  rowOfAccount('the open streams');
}

export const gatewayParts = { matrix, latency, streams, memory, profile: () => profile({ body, startProvider, meteBefore }) };
