// SPDX-License-Identifier: Apache-2.0
// Part management: how long the endpoints of the management API take, in a large installation
// (bench/estate.c: 100,000 users, 1,000,000 keys, 300,000 budgets, 10,000,000 calls of the last month)
// while the gateway serves 1,000 calls a second. Each is asked by 16 connections (a report of a month
// by one) twice: each connection 20 ms after its last answer, which tells how long one waits; and as
// fast as it answers, which tells how many there can be.
// --estate ORGANIZATIONS,USERS,KEYS,BUDGETS,RECORDS is another size.
import path from 'node:path';

import { PROGRAMS, body, load, startProvider } from './gateway.mjs';
import { SECONDS, TOKEN, ask, directory, option, results, row, sleep, start, startMete, stopChild, wrk } from './stand.mjs';

const CONNECTIONS = 16;
const REST_MS = 20; // of a connection after an answer
const AFTER_START_MS = 5000; // a second ledger is loaded meanwhile
const RATE = 1000; // calls a second of the gateway's, meanwhile
// ORGANIZATIONS, and of all of them: USERS, KEYS, BUDGETS, RECORDS
const sizes = option('estate', '100,100000,1000000,300000,10000000').split(',');

async function makeEstate() {
  const data = path.join(directory, 'estate');
  const child = start(path.join(PROGRAMS, 'estate'), [data, ...sizes]);
  if (await child.gone !== 0) throw new Error(child.text.slice(-300));
  const took = JSON.parse(/^RESULT (.*)$/m.exec(child.text)[1]);
  const [, users, keys, budgets, records] = sizes.map((n) => Number(n).toLocaleString('en-US'));
  row(`an estate of ${users} users, ${keys} keys, ${budgets} budgets is made`, took.entities_s, 's');
  row(`${records} calls are recorded, with their rows`, took.records_s, 's');
  return data;
}

async function call(url, method, target, value) {
  const reply = await ask(url + target, { method, body: value && JSON.stringify(value),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` } });
  if (reply.status >= 300) throw new Error(`${method} ${target}: ${reply.status} ${reply.text}`);
  return JSON.parse(reply.text);
}

const MONTH = { connections: 1, most: '100 ms' };

/** What is measured: [what, path or paths, {method, body, token, connections, most}], of organizations that are not the same. */
function endpoints(key) {
  const users = sizes[1] / sizes[0];
  const perOrganization = (rest) => Array.from({ length: 16 }, (_, i) => `/api/v1/organizations/org${i * 5 % sizes[0]}${rest(i * 61 % users)}`).join(' ');
  const day = (offset) => `${new Date(Date.now() + offset * 86400000).toISOString().slice(0, 10)}T00:00:00Z`;
  const month = `from=${day(-30)}&to=${day(1)}`;
  const usageOf = (rest) => Array.from({ length: 16 }, (_, i) => `/api/v1/cost/usage?organization=org${i * 5 % sizes[0]}&${month}&${rest}`).join(' ');
  return [
    ['organizations, a page of 100', '/api/v1/organizations?limit=100'],
    ['an organization', perOrganization(() => '')],
    ['users, a page of 100', perOrganization(() => '/users?limit=100')],
    ['a user', perOrganization((i) => `/users/usr${i}`)],
    ['budgets, a page of 100 with their figures', perOrganization(() => '/budgets?limit=100')],
    ['keys, a page of 100', perOrganization(() => '/api-keys?limit=100')],
    ['a key', `/api/v1/api-keys/${key.id}`],
    ['records, the newest 100', '/api/v1/records?limit=100'],
    ['/me', '/api/v1/me', { token: key.key }],
    ['a user is made', '/api/v1/organizations/bench/users', { method: 'POST', body: '{"id":"m%","name":"M"}' }],
    ['a user is changed', perOrganization((i) => `/users/usr${i}`), { method: 'PUT', body: '{"name":"N%"}' }],
    ['usage of a month by model and day, an organization', usageOf('group_by=model&interval=day'), MONTH],
    ['usage of a month by user, an organization', usageOf('group_by=user'), MONTH],
    ['usage of a month by organization, all', `/api/v1/cost/usage?${month}&group_by=organization`, MONTH],
    ['usage of a month by model and day, all', `/api/v1/cost/usage?${month}&group_by=model&interval=day`, MONTH],
  ];
}

async function management() {
  const data = await makeEstate();
  const provider = await startProvider(1, 0);
  const mete = await startMete([{ name: 'bench', dialect: 'openai', base_url: `${provider.url}/v1`, api_key: 'none' }],
    { more: { data }, patience: 180000 });
  row('start to ready with all of it', mete.readyMs, 'ms');
  await call(mete.url, 'POST', '/api/v1/organizations', { id: 'bench', name: 'Bench' });
  const key = await call(mete.url, 'POST', '/api/v1/organizations/bench/api-keys', { name: 'K' });
  const { port } = new URL(mete.url);
  await sleep(AFTER_START_MS);
  for (const [what, paths, { method = 'GET', body: sent, token = TOKEN, connections = CONNECTIONS, most = '5 ms' } = {}] of endpoints(key)) {
    const asked = { TOKEN: token, METHOD: method, PATHS: paths, ...(sent ? { BODY: sent } : {}) };
    const calls = load('open', port, body(1000, false), key.key, 64, RATE, 2 * SECONDS + 1);
    const rested = await wrk('management.lua', mete.url, connections, { ...asked, REST_MS });
    const fullest = await wrk('management.lua', mete.url, connections, asked);
    await calls;
    const at = `p50 ${(rested.p50_us / 1000).toFixed(1)} ms at ${Math.round(rested.per_second)}/s`;
    row(`${what}: p99 (${at}; at most ${Math.round(fullest.per_second)}/s)`, rested.p99_us / 1000, 'ms', null, most);
  }
  await stopChild(mete.child);
  await stopChild(provider.child);
}

results.rounds_of.management = `one round of 2 x ${SECONDS} s, ${CONNECTIONS} connections, beside ${RATE} calls/s of the gateway`;
export const managementParts = { management };
