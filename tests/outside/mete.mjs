// SPDX-License-Identifier: Apache-2.0
// A real `mete serve` for a test: its own data directory, loopback, a port that is free. Everything
// started here is dead when the process ends, however it ends.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import YAML from 'yaml';
import { ROOT, check } from './contract.mjs';
import { CREDENTIAL } from './provider.mjs';

export const BINARY = process.env.METE ?? `${ROOT}build/mete`;
export const ADMIN = 'admin-token-of-the-outside-tests-0123456789';
const START_MS = 30000;

const children = new Set();
const directories = new Set();

function reap() {
  for (const child of children) child.kill('SIGKILL');
  for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true });
}
process.on('exit', reap);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** A directory that is gone when the process ends. */
export function temporary() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mete-outside-'));
  directories.add(directory);
  return directory;
}

/** Keeps a child from outliving the test. */
export function mind(child) {
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

/** The command, to its end: {status, stdout, stderr, json()}. */
export function run(args, { env = {}, input, cwd } = {}) {
  const done = spawnSync(BINARY, args, {
    env: { ...clean(), ...env }, input, cwd, encoding: 'utf8', timeout: 60000, maxBuffer: 64 << 20,
  });
  if (done.error) throw done.error;
  return { ...done, json: () => JSON.parse(done.stdout) };
}

// What the user's shell might carry and would change what is tested.
function clean() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (/^(METE_|OPENAI_)/.test(name)) delete env[name];
  return env;
}

/** The prices of the tests, for the configuration (per million) and for the provider. */
export const PRICES = {
  'test-small': { input: '0.15', cached_input: '0.075', output: '0.6' },
  'test-large': { input: '2.5', cached_input: '1.25', output: '10', reasoning: '12.5' },
  'test-odd': { input: '0.123456789', output: '7.000000001' },
};

export function modelCosts(prices) {
  return Object.fromEntries(Object.entries(prices).map(([name, price]) => [name,
    Object.fromEntries(Object.entries(price).map(([meter, text]) => [`${meter}_per_million`, text]))]));
}

/** A configuration with the provider behind it; more is merged over it, one level deep. */
export function configuration(provider, more = {}) {
  const base = {
    listen: '127.0.0.1:0',
    metrics_listen: '127.0.0.1:0',
    providers: [{ name: 'tests', dialect: 'openai', base_url: `${provider?.url ?? 'http://127.0.0.1:9'}/v1`, api_key: CREDENTIAL }],
    model_costs: modelCosts(PRICES),
  };
  return { ...base, ...more, gateway: { ...more.gateway } };
}

export class Mete {
  /** Starts it and waits until it is ready. agent: of node:https, for a server that has TLS. */
  static async start({ config, directory = temporary(), env = {}, agent } = {}) {
    const mete = new Mete();
    mete.agent = agent;
    mete.directory = directory;
    mete.data = path.join(directory, 'data');
    mete.configFile = path.join(directory, 'mete.yaml');
    fs.writeFileSync(mete.configFile, YAML.stringify({ ...config, data: mete.data }));
    mete.env = { METE_ADMIN_TOKEN: ADMIN, ...env };
    await mete.spawn();
    return mete;
  }

  async spawn() {
    this.stdout = [];
    this.stderr = '';
    this.child = mind(spawn(BINARY, ['serve', '--config', this.configFile], {
      env: { ...clean(), ...this.env }, stdio: ['ignore', 'pipe', 'pipe'],
    }));
    this.gone = new Promise((done) => { this.child.on('exit', (code, signal) => done({ code, signal })); });
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    this.lines = readline.createInterface({ input: this.child.stdout });
    this.lines.on('line', (line) => this.stdout.push(line));
    const address = /^mete: listening on (https?:\/\/[^ ]+)$/;
    const metrics = /^mete: metrics on (http:\/\/[^ ]+?)(\/metrics)?$/;
    await this.until(() => this.stdout.some((line) => metrics.test(line)) && this.stdout.some((line) => address.test(line)));
    this.url = this.stdout.map((line) => address.exec(line)).find(Boolean)[1];
    this.metricsUrl = this.stdout.map((line) => metrics.exec(line)).find(Boolean)[1];
    await this.until(async () => (await this.fetch(`${this.url}/readyz`).catch(() => null))?.status === 200);
  }

  /** As the global one, which cannot be told whom to trust. */
  fetch(url, init = {}) {
    if (!this.agent) return fetch(url, init);
    return new Promise((done, failed) => {
      const request = https.request(url, { method: init.method, headers: init.headers, agent: this.agent }, (response) => {
        const pieces = [];
        response.on('data', (piece) => pieces.push(piece)).on('error', failed);
        response.on('end', () => done(new Response(Buffer.concat(pieces), { status: response.statusCode, headers: response.headers })));
      });
      request.on('error', failed).end(init.body);
    });
  }

  async until(condition) {
    let over = null;
    this.gone.then((how) => { over = how; });
    const end = Date.now() + START_MS;
    while (!(await condition())) {
      if (over) throw new Error(`mete ended at its start: ${JSON.stringify(over)}\n${this.stdout.join('\n')}\n${this.stderr}`);
      if (Date.now() > end) throw new Error(`mete is not ready:\n${this.stdout.join('\n')}\n${this.stderr}`);
      await new Promise((done) => { setTimeout(done, 5); });
    }
  }

  /** Asks it to stop, and waits; fails if it does not end well. */
  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    let late;
    const how = await Promise.race([this.gone, new Promise((done) => { late = setTimeout(done, 30000, 'late'); })]);
    clearTimeout(late);
    if (how === 'late') this.child.kill('SIGKILL');
    assert.deepEqual(how, { code: 0, signal: null }, `a graceful stop: ${this.stderr.slice(-2000)}`);
  }

  /** As a power cut would, as far as a process can tell. */
  async kill() {
    this.child.kill('SIGKILL');
    await this.gone;
  }

  /** A call of the API; the reply is checked against the contract. body: object, or text as it is. */
  async api(method, pathAndQuery, body, { token = ADMIN, headers = {} } = {}) {
    const init = { method, headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers } };
    if (body !== undefined) {
      init.headers['content-type'] ??= 'application/json';
      init.body = typeof body === 'string' ? body : JSON.stringify(body);
    }
    const response = await this.fetch(`${this.url}${pathAndQuery}`, init);
    const text = await response.text();
    const reply = { status: response.status, headers: response.headers, text, body: undefined };
    if (/json(;|$)/.test(response.headers.get('content-type') ?? '')) reply.body = JSON.parse(text);
    check(method, pathAndQuery.split('?')[0], reply);
    return reply;
  }

  /** As api(), for a call that must succeed: its body. */
  async must(method, pathAndQuery, body, options) {
    const reply = await this.api(method, pathAndQuery, body, options);
    assert.ok(reply.status < 300, `${method} ${pathAndQuery} -> ${reply.status} ${reply.text}`);
    return reply.body;
  }

  /** An organization of its own for a test, with a department, a user and a key. */
  async organization(id) {
    await this.must('POST', '/api/v1/organizations', { id, name: id, currency: 'USD', time_zone: 'UTC' });
    await this.must('POST', `/api/v1/organizations/${id}/departments`, { id: 'research', name: 'Research' });
    await this.must('POST', `/api/v1/organizations/${id}/users`, { id: 'ada', name: 'Ada', department: 'research' });
    return this.must('POST', `/api/v1/organizations/${id}/api-keys`, { name: 'test', user: 'ada' });
  }

  budget(org, more) {
    return this.must('POST', `/api/v1/organizations/${org}/budgets`, {
      scope: { kind: 'organization', id: org }, unit: 'USD', period: 'total', ...more,
    });
  }

  chat(key, body, { headers = {}, signal } = {}) {
    return this.fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST',
      signal,
      headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  /** All pages of a list. */
  async all(pathAndQuery, options) {
    const items = [];
    for (let cursor = ''; cursor !== null;) {
      const join = pathAndQuery.includes('?') ? '&' : '?';
      const page = await this.must('GET', `${pathAndQuery}${cursor ? `${join}cursor=${encodeURIComponent(cursor)}` : ''}`, undefined, options);
      items.push(...page.data);
      cursor = page.next_cursor;
    }
    return items;
  }

  stats() { return this.must('GET', '/api/v1/budget/stats'); }

  async hash() { return (await this.must('GET', '/api/v1/budget/stats?hash=1')).state_hash; }

  /** Waits until the records hold everything the journal held when it was called. */
  async settled() {
    const { flushed } = await this.stats();
    await this.until(async () => (await this.stats()).projected >= flushed);
  }

  /** Waits until no reservation is open, and none was made since the look before: a client that has
   * left may have left a request that is yet to be read. */
  async idle() {
    let before;
    await this.until(async () => {
      const { reserves, reservations_open: open } = await this.stats();
      const still = open === 0 && reserves === before;
      before = reserves;
      return still;
    });
  }

  /** The metrics, as {'name{label="x"}': number}; throws for a line that is not of the format. */
  async metrics() {
    const text = await (await fetch(`${this.metricsUrl}/metrics`)).text();
    return parseMetrics(text);
  }
}

/** Prometheus's text format, read strictly: HELP and TYPE before the samples, each series once. */
export function parseMetrics(text) {
  const samples = {};
  const types = {};
  assert.ok(text.endsWith('\n'), 'the last line has an end');
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment) {
      if (comment[1] === 'TYPE') {
        assert.ok(!types[comment[2]], `${comment[2]} has two types`);
        assert.match(comment[3], /^(counter|gauge|histogram|summary|untyped)$/);
        types[comment[2]] = comment[3];
      }
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (\S+)$/.exec(line);
    assert.ok(sample, `not a line of metrics: ${line}`);
    const [, name, labels = '', value] = sample;
    const family = types[name] ? name : name.replace(/_(bucket|sum|count)$/, '');
    assert.ok(types[family], `${name} has no type`);
    const series = name + labels;
    assert.ok(!(series in samples), `${series} is there twice`);
    samples[series] = value === '+Inf' ? Infinity : Number(value);
    assert.ok(!Number.isNaN(samples[series]), line);
  }
  return samples;
}

/** Runs fn over the items, at most so many at a time. */
export async function pool(items, width, fn) {
  const queue = items.map((item, index) => [item, index]);
  const results = new Array(items.length);
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) results[next[1]] = await fn(next[0], next[1]);
  }));
  return results;
}
