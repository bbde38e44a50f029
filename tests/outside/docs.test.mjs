// SPDX-License-Identifier: Apache-2.0
// The contract where people look for it: every operation and every schema of docs/openapi.yaml is on
// the page at /docs, with links that lead somewhere, and the JSON is the YAML.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { ROOT, document, operations } from './contract.mjs';
import { Mete, PRICES, configuration } from './mete.mjs';
import { Provider } from './provider.mjs';

let provider;
let mete;
before(async () => {
  provider = await new Provider(PRICES).start();
  mete = await Mete.start({ config: configuration(provider) });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const unescaped = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');

test('the contract is served as it is', async () => {
  const yaml = await fetch(`${mete.url}/docs/openapi.yaml`);
  assert.equal(await yaml.text(), fs.readFileSync(`${ROOT}docs/openapi.yaml`, 'utf8'));
  const json = await fetch(`${mete.url}/docs/openapi.json`);
  assert.equal(json.headers.get('content-type'), 'application/json');
  assert.deepEqual(await json.json(), document);
});

test('the page has every operation and every schema, and its links lead somewhere', async () => {
  const home = await fetch(mete.url, { redirect: 'manual' });
  assert.equal(home.status, 302);
  const reply = await fetch(new URL(home.headers.get('location'), mete.url));
  assert.equal(reply.status, 200);
  assert.match(reply.headers.get('content-type'), /^text\/html/);
  const page = await reply.text();
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { operation, path } of operations) {
    assert.ok(ids.includes(operation.operationId), `${operation.operationId} is not on the page`);
    assert.ok(page.includes(`<code>${path}</code>`), path);
  }
  for (const name of Object.keys(document.components.schemas))
    assert.ok(ids.includes(`schema-${name}`), `${name} is not on the page`);
  for (const [, to] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.includes(to), `#${to} leads nowhere`);
  for (const [, to] of page.matchAll(/href="(\/[^"]+)"/g))
    assert.equal((await fetch(mete.url + to)).status, 200, to);
  const examples = [...page.matchAll(/<pre>(.*?)<\/pre>/gs)].map(([, text]) => JSON.parse(unescaped(text)));
  assert.ok(examples.length > 10);
  assert.ok(!page.includes('<script'));
});

test('what is not there says so', async () => {
  assert.equal((await fetch(`${mete.url}/docs/nothing`)).status, 404);
  assert.equal((await fetch(`${mete.url}/docs`, { method: 'POST', body: '{}' })).status, 405);
});
