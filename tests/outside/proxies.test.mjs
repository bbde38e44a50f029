// SPDX-License-Identifier: Apache-2.0
// Behind a proxy: whom it asks for is believed of a trusted proxy alone, at the gateway, the API and
// the tries of logging in; and nothing that a client writes itself is.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { Mete, configuration } from './mete.mjs';

const NEAR = '192.0.2.7', FAR = '198.51.100.1';
let trusting, plain;
before(async () => {
  trusting = await Mete.start({ config: configuration(null, { trusted_proxies: ['127.0.0.1', '10.0.0.0/8'] }) });
  plain = await Mete.start({ config: configuration(null) });
});
after(async () => { await trusting?.stop(); await plain?.stop(); });

const keys = new Map();
async function key(mete) {
  if (!keys.has(mete)) {
    await mete.organization('behind');
    keys.set(mete, await mete.must('POST', '/api/v1/organizations/behind/api-keys', { name: 'k', permissions: { ip_ranges: ['192.0.2.0/24'] } }));
  }
  return keys.get(mete).key;
}

/** The status of a request with the key and these headers; a list is as many lines. */
async function status(mete, headers, path = '/api/v1/me') {
  const authorization = `Bearer ${await key(mete)}`;
  return new Promise((resolve, reject) => {
    http.get(mete.url + path, { headers: { ...headers, authorization } }, (response) => { response.resume(); resolve(response.statusCode); }).on('error', reject);
  });
}

test('a trusted proxy says whom it asks for', async () => {
  for (const path of ['/api/v1/me', '/v1/models']) {
    assert.equal(await status(trusting, { 'x-forwarded-for': NEAR }, path), 200);
    assert.equal(await status(trusting, { 'x-forwarded-for': `${NEAR}, 10.1.2.3` }, path), 200);
    assert.equal(await status(trusting, { forwarded: `for="${NEAR}:4711";proto=https` }, path), 200);
    assert.equal(await status(trusting, { 'x-forwarded-for': FAR }, path), 403);
    assert.equal(await status(trusting, {}, path), 403);
  }
});

test('what the client wrote itself is not believed', async () => {
  assert.equal(await status(trusting, { 'x-forwarded-for': `${NEAR}, ${FAR}` }), 403);
  assert.equal(await status(trusting, { 'x-forwarded-for': [NEAR, FAR] }), 403, 'in a line of its own neither');
  assert.equal(await status(trusting, { 'x-forwarded-for': [FAR, NEAR] }), 200);
  assert.equal(await status(trusting, { forwarded: `for=${NEAR}, for=${FAR}` }), 403);
  assert.equal(await status(trusting, { forwarded: `for=${NEAR};x=", for=${FAR}` }), 403);
  assert.equal(await status(trusting, { 'x-forwarded-for': FAR, forwarded: `for=${NEAR}` }), 403, 'nor in the header that the proxy does not write');
  assert.equal(await status(trusting, { 'x-forwarded-for': 'unknown' }), 403);
});

test('who is no trusted proxy says nothing', async () => {
  assert.equal(await status(plain, { 'x-forwarded-for': NEAR }), 403);
  assert.equal(await status(plain, { forwarded: `for=${NEAR}` }), 403);
});

test('tries to log in are counted by whom the proxy names', async () => {
  await key(trusting);
  const attempt = (member, from) => trusting.api('POST', '/api/v1/login', { organization: 'behind', member, password: 'wrong' }, { token: null, headers: { 'x-forwarded-for': from } });
  let last;
  for (let i = 0; i < 51; i++) last = await attempt(`m${i}`, FAR);
  assert.equal(last.status, 429);
  assert.equal((await attempt('m-other', NEAR)).status, 401);
});
