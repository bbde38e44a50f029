// SPDX-License-Identifier: Apache-2.0
// Proves that what calls would have cost by other prices is told exactly and changes nothing: by the
// same prices just what they did cost, whatever they were billed by (tokens, cache, a picture's
// grade, a service, an organization's own price, a job that was settled); by twice the prices twice
// that, but for the rounding of each call; and that what cannot be rated is named, not guessed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { MediaProvider } from './media-provider.mjs';
import { Mete, PRICES, configuration, run } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL, Provider } from './provider.mjs';

const RERATE = '/api/v1/prices/rerate';
const from = new Date(Date.now() - 3600000).toISOString();
let words;
let media;
let mete;
let key;

before(async () => {
  words = await new Provider(PRICES).start();
  media = await new MediaProvider().start();
  const config = configuration(words);
  config.providers[0].models = ['test-*', 'second=test-small'];
  config.providers.push({
    name: 'house', priced_as: 'openai', dialect: 'openai', base_url: `${media.url}/v1`, api_key: CREDENTIAL, models: ['dall-e-*', 'sora-*', 'tts-*'],
    pass_through: [{ path: '/v1/rerank', price_per_request: '0.002' }],
  });
  mete = await Mete.start({ config });
  key = (await mete.organization('mixed')).key;
  await mete.budget('mixed', { id: 'roof', amount: '1000' });
});
after(async () => { await mete?.stop(); await words?.stop(); await media?.stop(); });

const said = (more) => [{ role: 'user', content: `!${JSON.stringify(more)}` }];
const post = (where, body, who = key) => fetch(`${mete.url}${where}`, { method: 'POST', headers: { authorization: `Bearer ${who}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
const ask = (more = {}) => mete.must('POST', RERATE, { from, ...more });
const total = (list) => list.reduce((sum, { difference }) => sum + nano(difference), 0n);

async function mix(who = key) {
  for (const model of ['test-small', 'test-large', 'test-odd', 'second']) {
    for (const [output, cached, reasoning] of [[10, 0, 0], [33, 7, 0], [41, 3, 5]]) {
      const reply = await mete.chat(who, { model, messages: said({ output, cached, reasoning }), max_tokens: 60 });
      assert.equal(reply.status, 200);
      await reply.text();
    }
  }
  for (const [quality, size] of [['hd', '1024x1792'], ['standard', '1024x1024']]) assert.equal((await post('/v1/images/generations', { model: 'dall-e-3', prompt: 'a sea', quality, size }, who)).status, 200);
  await (await post('/v1/audio/speech', { model: 'tts-1', voice: 'alloy', input: 'hello' }, who)).arrayBuffer();
}

test('by the same prices it comes to what it was', async () => {
  await mix();
  const scope = { kind: 'organization', id: 'mixed' };
  await mete.must('POST', '/api/v1/budget/record', { request_id: 'by-hand', scope, model: 'gpt-4o', usage: { input_tokens: 1001, output_tokens: 77, cached_input_tokens: 10 } });
  const job = await (await post('/v1/videos', { model: 'sora-2', prompt: 'a sea', seconds: '8' })).json();
  media.complete(job.id);
  const get = (id) => fetch(`${mete.url}/v1/videos/${id}`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal((await get(job.id)).status, 200);
  await mete.settled();
  const reply = await ask();
  assert.equal(total(reply.totals), 0n);
  for (const model of reply.models) assert.equal(nano(model.difference), 0n, model.model);
  assert.deepEqual([reply.rated, reply.approximate, reply.unrated], [reply.calls, 0, []]);
  assert.deepEqual(reply.models.map(({ model }) => model), ['dall-e-3', 'gpt-4o', 'second', 'sora-2', 'test-large', 'test-odd', 'test-small', 'tts-1']);
  const records = await mete.all('/api/v1/records');
  assert.equal(nano(reply.totals[0].old_cost), records.reduce((sum, { cost }) => sum + nano(cost), 0n), 'all that was charged');
  assert.deepEqual(records.filter(({ model }) => model === 'dall-e-3').map(({ tariff }) => tariff).sort(), ['standard hd 1024x1792', 'standard standard 1024x1024']);
});

const twice = (text) => { const [whole, part = ''] = text.split('.'); const digits = String(2n * BigInt(whole + part)).padStart(part.length + 1, '0'); return part ? `${digits.slice(0, -part.length)}.${digits.slice(-part.length)}` : digits; };
const doubled = (prices) => Object.fromEntries(Object.entries(prices).map(([meter, text]) => [meter, twice(text)]));

async function doubledPrices(models) {
  const all = await Promise.all(models.map((model) => mete.must('GET', `/api/v1/prices/${encodeURIComponent(model)}`)));
  return all.map(({ price: { model, provider, currency, prices, tiers } }) => ({ model, provider, currency, prices: doubled(prices), tiers: tiers.map((tier) => ({ ...tier, prices: doubled(tier.prices) })) }));
}

test('by twice the prices it comes to twice that, but for the rounding of each call', async () => {
  const { models } = await ask();
  const prices = await doubledPrices(models.map(({ model }) => model).filter((model) => model !== 'second'));
  const reply = await ask({ prices });
  for (const model of reply.models) {
    const off = nano(model.new_cost) - 2n * nano(model.old_cost);
    assert.ok(off <= BigInt(model.calls) && off >= -BigInt(model.calls), `${model.model}: ${off}`);
    if (!['test-odd'].includes(model.model)) assert.equal(off, 0n, model.model);
    assert.equal(nano(model.difference), nano(model.new_cost) - nano(model.old_cost));
  }
  assert.equal(total((await ask()).totals), 0n, 'nothing has changed');
  const { version } = await mete.must('GET', '/api/v1/prices?limit=1');
  assert.notEqual(reply.version, version);
  assert.equal((await ask()).version, version);
  const name = path.join(mete.directory, 'twice.json');
  fs.writeFileSync(name, JSON.stringify({ prices }));
  const who = ['--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN];
  const shown = run(['price', 'rerate', name, '--from', from, '--json', ...who]);
  assert.deepEqual(shown.json().totals, reply.totals, shown.stderr);
  const table = run(['price', 'rerate', '--from', from, '--org', 'mixed', ...who]);
  assert.match(table.stdout, /would be[\s\S]*dall-e-3/, table.stderr);
  assert.equal(run(['price', 'rerate', ...who]).status, 2);
  assert.equal(run(['price', 'rerate', '--from', 'yesterday', ...who]).status, 2);
});

test('an organization\'s own prices are its own, before those of a list', async () => {
  const other = (await mete.organization('other')).key;
  await mete.budget('other', { id: 'roof', amount: '100' });
  await mete.must('POST', '/api/v1/organizations/other/prices', { model: 'test-small', prices: { input_per_million: '3', output_per_million: '3' } });
  await mix(other);
  await mete.settled();
  const prices = [{ model: 'test-small', prices: { input_per_million: '300', output_per_million: '300' } }];
  const [same, listed, ours] = [await ask({ organization: 'other' }), await ask({ organization: 'other', prices }), await ask({ prices })];
  assert.equal(total(same.totals), 0n);
  const small = ({ models }) => models.find(({ model }) => model === 'test-small');
  assert.equal(nano(small(listed).difference), 0n, 'its own');
  assert.ok(nano(small(ours).difference) > 0n, 'the others\' is the list\'s');
  assert.equal(small(ours).calls, 2 * small(same).calls);
  const tomorrow = new Date(Date.now() + 86400000).toISOString();
  await mete.must('POST', '/api/v1/organizations/other/prices', { model: 'test-small', prices: { input_per_million: '6', output_per_million: '6' }, effective_at: tomorrow });
  const coming = small(await ask({ organization: 'other', at: tomorrow }));
  assert.equal(nano(coming.new_cost), 2n * nano(coming.old_cost));
  assert.equal(total((await ask({ organization: 'other' })).totals), 0n);
});

test('what cannot be rated is named with what it cost', async () => {
  const scope = { kind: 'organization', id: 'mixed' };
  const price = (more) => mete.must('POST', '/api/v1/prices', { model: 'passing', ...more });
  const use = (id, model = 'passing') => mete.must('POST', '/api/v1/budget/record', { request_id: id, scope, model, usage: { input_tokens: 1000, output_tokens: 1000 } });
  await price({ prices: { input_per_million: '1', output_per_million: '1' } });
  await use('passes');
  await price({ ends: true });
  await mete.must('POST', '/api/v1/prices', { model: 'moves', currency: 'USD', prices: { input_per_million: '1', output_per_million: '1' } });
  await use('moves', 'moves');
  await mete.must('POST', '/api/v1/prices', { model: 'moves', currency: 'EUR', prices: { input_per_million: '1', output_per_million: '1' } });
  await mete.must('POST', '/api/v1/budget/record', { request_id: 'said', scope, amount: '0.5' });
  assert.equal((await post('/v1/rerank', { query: 'x' })).status, 200);
  await mete.must('POST', '/api/v1/prices', { model: 'grows', prices: { input_per_million: '1', output_per_million: '1' } });
  await use('grows', 'grows');
  await mete.must('POST', '/api/v1/prices', { model: 'grows', prices: { input_per_million: '1', output_per_million: '1' }, tiers: [{ service: 'batch', prices: { input_per_million: '0.5', output_per_million: '0.5' } }] });
  await mete.settled();
  const reply = await ask({ organization: 'mixed' });
  assert.deepEqual(reply.unrated.map(({ why, calls, cost }) => [why, calls, cost]).sort(), [['currency', 1, '0.002'], ['no_price', 1, '0.002'], ['not_by_usage', 1, '0.50'], ['price_per_request', 1, '0.002']]);
  assert.equal(reply.unrated.find(({ why }) => why === 'no_price').model, 'passing');
  assert.equal(reply.calls - reply.rated, 4);
  assert.equal(total(reply.totals), 0n);
  assert.deepEqual([reply.approximate, reply.models.find(({ model }) => model === 'grows').approximate], [1, 1], 'which service it had was not kept');
});

test('only calls of the time, of whom it is asked for, and by who may', async () => {
  const to = new Date().toISOString();
  const nothing = await ask({ from: to });
  assert.deepEqual([nothing.calls, nothing.totals, nothing.models], [0, [], []]);
  const all = await ask({ to });
  const [mixed, other] = [await ask({ to, organization: 'mixed' }), await ask({ to, organization: 'other' })];
  assert.equal(all.calls, mixed.calls + other.calls);
  const wrong = [
    [{}, 'from'], [{ from: 'today' }, 'from'], [{ from, to: from }, 'to'], [{ from, to: 7 }, 'to'], [{ from, at: 'x' }, 'at'],
    [{ from, organization: 'a b' }, 'organization'], [{ from, prices: [] }, 'prices'], [{ from, prices: [{ prices: {} }] }, 'prices[0].model'],
    [{ from, prices: [{ model: 'm', prices: { per_image: '1' } }], litellm: {} }, 'litellm'], [{ from, what: 1 }, 'what'],
  ];
  for (const [body, field] of wrong) {
    const refused = await mete.api('POST', RERATE, body);
    assert.deepEqual([refused.status, refused.body.field], [400, field], JSON.stringify(body));
  }
  assert.equal((await mete.api('POST', RERATE, { from, organization: 'nobody' })).status, 404);
  assert.equal((await mete.api('POST', RERATE, { from }, { token: key })).status, 403);
});
