// SPDX-License-Identifier: Apache-2.0
// Prices by date through a real server. The fifth seed's example data load as they stand, and its
// model is refused until it has an output price; a price holds from its moment on, without a restart
// and after one; what was reserved by one price is charged by it; an organization's own price is its
// alone; and an absurd one is said.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fs from 'node:fs';
import path from 'node:path';
import { Mete, PRICES, configuration, run } from './mete.mjs';
import { nano } from './money.mjs';
import { Provider } from './provider.mjs';

let provider;
let mete;
let key;

before(async () => {
  provider = await new Provider({ ...PRICES, 'qwen-max': { input: '2', output: '6' }, 'moving-model': { input: '1', output: '1' } }).start();
  const config = configuration(provider);
  config.providers[0].models = ['test-*', 'qwen-*', 'moving-*', 'own-*'];
  config.providers[0].name = 'dashscope';
  mete = await Mete.start({ config });
  key = (await mete.organization('shop')).key;
  await mete.budget('shop', { id: 'roof', amount: '100' });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const PATH = '/api/v1/prices';
const say = (words) => [{ role: 'user', content: `!${JSON.stringify(words)}` }];
const chat = (model, who = key) => mete.chat(who, { model, messages: say({ output: 10, cached: 0, reasoning: 0 }), max_tokens: 50 });
const soon = (ms) => new Date(Date.now() + ms).toISOString();

test('the fifth seed\'s example data: a model without an output price is refused until it has one', async () => {
  const input = await mete.must('POST', PATH, {
    model_code: 'qwen-max', provider: 'dashscope', currency: 'USD', pricing_type: 'input_token',
    unit_price: 0.002, unit: 'per_1k_tokens', effective_date: new Date().toISOString(), is_active: true,
  });
  assert.deepEqual([input.prices, input.complete, input.warnings], [{ input_per_million: '2' }, false, []]);
  const refused = await chat('qwen-max');
  assert.equal(refused.status, 400);
  assert.equal((await refused.json()).error.code, 'model_not_priced');
  const output = await mete.must('POST', PATH, { model: 'qwen-max', pricing_type: 'output_token', unit_price: '0.006', unit: 'per_1k_tokens' });
  assert.deepEqual([output.prices, output.complete, output.provider], [{ input_per_million: '2', output_per_million: '6' }, true, 'dashscope']);
  const reply = await chat('qwen-max');
  assert.equal(reply.status, 200);
  assert.equal(nano(reply.headers.get('x-mete-cost')), provider.calls.at(-1).nano);
  const shown = await mete.must('GET', `${PATH}/qwen-max`);
  assert.equal(shown.price.prices.output_per_million, '6');
  assert.deepEqual(shown.history.map((row) => [Object.keys(row.prices).length, row.in_force]), [[2, true], [1, false]]);
});

test('a price holds from its moment on, and not before', async () => {
  const at = soon(700);
  await mete.must('POST', PATH, { model: 'moving-model', prices: { input_per_million: '1', output_per_million: '1' } });
  const coming = await mete.must('POST', PATH, { model: 'moving-model', prices: { input_per_million: '3', output_per_million: '3' }, effective_at: at });
  assert.equal(coming.prices.input_per_million, '3');
  const cost = async () => {
    const reply = await chat('moving-model');
    assert.equal(reply.status, 200);
    const { nano: billed } = provider.calls.at(-1);
    return nano(reply.headers.get('x-mete-cost')) / billed;
  };
  assert.equal(await cost(), 1n);
  assert.equal((await mete.must('GET', `${PATH}/moving-model`)).price.prices.input_per_million, '1');
  const then = await mete.must('GET', `${PATH}?model=moving-model&at=${encodeURIComponent(at)}`);
  assert.equal(then.data[0].prices.input_per_million, '3');
  await new Promise((done) => { setTimeout(done, Date.parse(at) - Date.now() + 20); });
  assert.equal(await cost(), 3n);
});

test('what was reserved by one price is charged by it', async () => {
  const model = 'kept-model';
  const scope = { kind: 'organization', id: 'shop' };
  const first = await mete.must('POST', PATH, { model, prices: { input_per_million: '1', output_per_million: '10' } });
  assert.equal(first.source, 'document');
  const ask = { scope, model, usage: { input_tokens: 1000, output_tokens: 1000 } };
  const held = await mete.must('POST', '/api/v1/budget/reserve', { request_id: 'kept-1', ...ask });
  await mete.must('POST', PATH, { model, prices: { input_per_million: '2', output_per_million: '20' } });
  const other = await mete.must('POST', '/api/v1/budget/reserve', { request_id: 'kept-2', ...ask });
  for (const { reserve_id: id } of [held, other]) {
    await mete.must('POST', '/api/v1/budget/deduct', { reserve_id: id, model, usage: { input_tokens: 1000, output_tokens: 500 } });
  }
  await mete.settled();
  const [a, b] = ['kept-1', 'kept-2'].map((id) => mete.must('GET', `/api/v1/records?request_id=${id}`));
  const [before, later] = [(await a).data[0], (await b).data[0]];
  assert.deepEqual([before.cost, later.cost], ['0.006', '0.012']);
  assert.notEqual(before.price_list, later.price_list);
  assert.match(later.price_list, /^builtin-[0-9-]+\+[0-9a-f]{16}$/);
});

test('an organization\'s own price is its alone, and ends', async () => {
  const other = (await mete.organization('other')).key;
  await mete.budget('other', { id: 'roof', amount: '100' });
  const own = '/api/v1/organizations/other/prices';
  const made = await mete.must('POST', own, { model: 'test-small', prices: { input_per_million: '15', output_per_million: '60' } });
  assert.deepEqual([made.source, made.warnings.map((warning) => warning.field)], ['organization', ['input_per_million', 'output_per_million']], '100 times');
  const [theirs, ours] = [await chat('test-small', other), await chat('test-small')];
  const billed = provider.calls.at(-1).nano;
  assert.equal(nano(ours.headers.get('x-mete-cost')), billed);
  assert.equal(nano(theirs.headers.get('x-mete-cost')), provider.calls.at(-2).nano * 100n);
  const listed = await mete.must('GET', own);
  assert.deepEqual(listed.data.map((price) => price.model), ['test-small']);
  assert.equal((await mete.must('GET', `${own}/test-small`)).history.length, 1);
  assert.equal((await mete.must('GET', `${PATH}/test-small`)).history.length, 0);
  const ended = await mete.must('POST', own, { model: 'test-small', ends: true });
  assert.deepEqual([ended.ends, ended.prices], [true, {}]);
  assert.equal(nano((await chat('test-small', other)).headers.get('x-mete-cost')), provider.calls.at(-1).nano);
  assert.equal((await mete.api('GET', '/api/v1/organizations/nobody/prices')).status, 404);
  assert.equal((await mete.api('POST', '/api/v1/organizations/nobody/prices', { model: 'm', ends: true })).status, 404);
  assert.equal((await mete.api('POST', own, { model: 'm', ends: true }, { token: other })).status, 403, 'a key sets no price');
});

test('all of it is there after a restart', async () => {
  const list = async () => (await mete.must('GET', `${PATH}?limit=1`)).version;
  const before = await list();
  assert.match(before, /\+/);
  await mete.kill();
  await mete.spawn();
  assert.equal(await list(), before, 'named by what it says');
  assert.equal((await chat('qwen-max')).status, 200);
});

test('what is no price is refused and names what is wrong', async () => {
  const prices = { input_per_million: '1', output_per_million: '2' };
  const wrong = [
    [{ prices }, 'model'], [{ model: 'a b', prices }, 'model'], [{ model: 'm' }, 'prices'],
    [{ model: 'm', prices: { input_per_millio: '1' } }, 'prices.input_per_millio'],
    [{ model: 'm', prices: { ...prices, input_cost_per_1k: '1' } }, 'prices.input_cost_per_1k'],
    [{ model: 'm', prices: { input_per_million: '-1' } }, 'prices.input_per_million'],
    [{ model: 'm', prices: { input_per_million: 'one' } }, 'prices.input_per_million'],
    [{ model: 'm', prices: { input_per_million: '0.0000000000000000001' } }, 'prices.input_per_million'],
    [{ model: 'm', prices: { input_per_million: '1000001' } }, 'prices'],
    [{ model: 'm', prices, tiers: [{ service: 'slow', prices }] }, 'tiers[0].service'],
    [{ model: 'm', prices, tiers: [{ above: 5, prices: { x: '1' } }] }, 'tiers[0].prices.x'],
    [{ model: 'm', prices, tiers: [{ prices }] }, 'prices'],
    [{ model: 'm', prices, effective_at: '2020-01-01T00:00:00Z' }, 'effective_at'],
    [{ model: 'm', prices, currency: 'usd' }, 'prices'],
    [{ model: 'm', prices, is_active: false }, 'is_active'],
    [{ model: 'm', prices, ends: true }, 'ends'],
    [{ model: 'm', prices, pricing_type: 'input', unit_price: '1' }, 'pricing_type'],
    [{ model: 'm', pricing_type: 'input' }, 'unit_price'], [{ model: 'm', unit_price: '1' }, 'pricing_type'],
    [{ model: 'm', pricing_type: 'tea', unit_price: '1' }, 'pricing_type'],
    [{ model: 'm', pricing_type: 'image', unit_price: '1', unit: 'per_token' }, 'unit'],
    [{ model: 'm', pricing_type: 'audio_minute', unit_price: '0.01' }, 'unit_price'],
  ];
  const version = async () => (await mete.must('GET', `${PATH}?limit=1`)).version;
  const before = await version();
  for (const [body, field] of wrong) {
    const reply = await mete.api('POST', PATH, body);
    assert.deepEqual([reply.status, reply.body.field], [400, field], JSON.stringify(body));
  }
  assert.equal(await version(), before);
  assert.equal((await mete.api('GET', `${PATH}/nobody-has-it`)).status, 404);
  assert.equal((await mete.api('GET', PATH, undefined, { token: key })).status, 403);
  for (const query of ['limit=0', 'at=tomorrow', 'cursor=x', 'what=1']) assert.equal((await mete.api('GET', `${PATH}?${query}`)).status, 400, query);
});

test('a coming price can be said again, one that holds cannot; pages have all models', async () => {
  const at = '2099-01-01T00:00:00Z';
  const price = (input) => ({ model: 'later', prices: { input_per_million: input, output_per_million: '1' }, effective_at: at });
  await mete.must('POST', PATH, price('1'));
  const second = await mete.api('POST', PATH, price('2'));
  assert.equal(second.status, 201);
  assert.match(second.headers.get('etag'), /^"\d+"$/);
  assert.equal((await mete.api('POST', PATH, price('3'), { headers: { 'if-match': '"1"' } })).status, 412);
  const shown = await mete.must('GET', `${PATH}/later`);
  assert.deepEqual([shown.price, shown.history.length, shown.history[0].prices.input_per_million], [null, 1, '2']);
  const all = await mete.all(`${PATH}?limit=900&provider=openai`);
  assert.ok(all.length > 100);
  assert.equal(new Set(all.map((each) => each.model)).size, all.length);
  assert.ok(all.every((each) => each.provider === 'openai'));
});

test('a list is shown against what holds, and then applied', async () => {
  await mete.must('POST', PATH, { model: 'listed-a', prices: { input_per_million: '1', output_per_million: '2' } });
  await mete.must('POST', PATH, { model: 'listed-b', prices: { input_per_million: '1', output_per_million: '2' } });
  const prices = [
    { model: 'listed-a', prices: { input_per_million: '1.2', output_per_million: 2 }, tiers: [{ service: 'batch', prices: { input_per_million: '0.6', output_per_million: '1' } }] },
    { model: 'listed-b', prices: { input_cost_per_1k: '0.001', output_per_million: '2.0' } },
    { model: 'listed-c', prices: { per_image: '0.04' } },
  ];
  const { version } = await mete.must('GET', `${PATH}?limit=1`);
  const shown = await mete.must('POST', `${PATH}/diff`, { prices });
  const { gone, ...summary } = shown.summary;
  assert.deepEqual(summary, { new: 1, changed: 1, unchanged: 1, absurd: 0, left_out: 0 });
  assert.ok(gone > 2000);
  const [a, c] = shown.models.filter((model) => model.change !== 'gone');
  assert.deepEqual([a.model, a.change, a.prices[0]], ['listed-a', 'changed', { price: 'input_per_million', tier: null, before: '1', after: '1.2', percent: '20.0', absurd: false }]);
  assert.deepEqual(a.prices.slice(1).map((price) => [price.tier, price.after]), [['batch', '0.6'], ['batch', '1']]);
  assert.deepEqual([c.model, c.change, c.prices.map((price) => price.after)], ['listed-c', 'new', ['0.04']]);
  assert.equal((await mete.must('GET', `${PATH}?limit=1`)).version, version, 'nothing has changed');
  assert.equal((await mete.must('POST', `${PATH}/apply`, { prices })).applied, 2);
  const again = await mete.must('POST', `${PATH}/apply`, { prices });
  assert.deepEqual([again.applied, again.summary.unchanged], [0, 3]);
  assert.equal((await mete.must('GET', `${PATH}/listed-a`)).price.tiers[0].prices.output_per_million, '1');
  const absurd = [{ model: 'listed-b', prices: { input_per_million: '100', output_per_million: '2' } }];
  const refused = await mete.api('POST', `${PATH}/apply`, { prices: absurd });
  assert.deepEqual([refused.status, refused.body.field], [400, 'accept_absurd']);
  assert.equal((await mete.must('POST', `${PATH}/apply`, { prices: absurd, accept_absurd: true })).applied, 1);
  for (const [body, field] of [[{}, 'prices'], [{ prices: [] }, 'prices'], [{ prices, litellm: {} }, 'litellm'], [{ prices: [{ prices: {} }] }, 'prices[0].model'], [{ prices: [{ model: 'm', prices: { x: 1 } }] }, 'prices[0].prices.x']]) {
    const reply = await mete.api('POST', `${PATH}/diff`, body);
    assert.deepEqual([reply.status, reply.body.field], [400, field], JSON.stringify(body));
  }
});

test('many models are applied batch by batch, and LiteLLM\'s list as it is', async () => {
  const litellm = { sample_spec: { mode: 'chat' }, 'free-lunch': { mode: 'chat', input_cost_per_token: 0, output_cost_per_token: 0 } };
  for (let i = 0; i < 200; i += 1) litellm[`bulk-${i}`] = { mode: 'chat', litellm_provider: 'bulk', input_cost_per_token: 1.5e-7, output_cost_per_token: (i + 1) / 1e6, cache_read_input_token_cost: 7.5e-8, input_cost_per_token_above_200k_tokens: 3e-7, max_output_tokens: 4096 };
  const done = await mete.must('POST', `${PATH}/apply`, { litellm });
  assert.deepEqual([done.applied, done.summary.new, done.left_out], [200, 200, [{ model: 'free-lunch', why: 'it costs nothing, and nothing says that it is free' }]]);
  const { price } = await mete.must('GET', `${PATH}/bulk-199`);
  assert.deepEqual([price.provider, price.max_output_tokens, price.prices], ['bulk', 4096, { input_per_million: '0.15', cached_input_per_million: '0.075', output_per_million: '200' }]);
  assert.deepEqual(price.tiers, [{ above: 200000, prices: { input_per_million: '0.3', output_per_million: '200' } }]);
  const { version } = await mete.must('GET', `${PATH}?limit=1`);
  await mete.kill();
  await mete.spawn();
  assert.equal((await mete.must('GET', `${PATH}?limit=1`)).version, version);
});

test('the command lists, shows, compares and applies', async () => {
  const who = ['--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN];
  const price = (...args) => run(['price', ...args, ...who]);
  const file = path.join(mete.directory, 'prices.json');
  fs.writeFileSync(file, JSON.stringify({ prices: [{ model: 'by-command', prices: { input_per_million: '1', output_per_million: '2' } }] }));
  const shown = price('diff', file, '--json');
  assert.equal(shown.status, 1, shown.stderr);
  assert.equal(shown.json().summary.new, 1);
  const applied = price('apply', file);
  assert.equal(applied.status, 0, applied.stderr);
  assert.equal(price('diff', file).status, 0, 'no difference is left');
  assert.match(price('show', 'by-command').stdout, /by-command/);
  assert.match(price('history', 'by-command').stdout, /document/);
  assert.match(price('list', '--model', 'by-').stdout, /by-command/);
  assert.equal(price('show', 'nobody-has-it').status, 1);
  assert.equal(price('diff').status, 2);
  assert.equal(price('diff', '/nonexistent').status, 3);
});

test('a file of prices may be YAML or a spreadsheet, and says where it is wrong', async () => {
  const who = ['--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN];
  const price = (name, text, word = 'apply') => {
    const file = path.join(mete.directory, name);
    fs.writeFileSync(file, text);
    return run(['price', word, file, ...who, '--json']);
  };
  const yaml = 'prices:\n  - model: from-yaml\n    prices: {input_per_million: 0.150, output_per_million: "6e-1"}\n    tiers: [{service: batch, prices: {input_per_million: 0.075, output_per_million: 0.3}}]\n';
  assert.equal(price('p.yaml', yaml, 'diff').status, 1);
  assert.equal(price('p.yaml', yaml).json().applied, 1);
  assert.equal(price('p.yml', yaml, 'diff').status, 0);
  const csv = 'model,provider,input_per_million,output_per_million,service\nfrom-csv,openai,2,4,\nfrom-csv,,1,2,batch\n';
  assert.equal(price('p.csv', csv).json().applied, 1);
  assert.equal(price('p.csv', csv, 'diff').status, 0);
  const seed = 'model_code,pricing_type,unit_price,unit\nfrom-lines,input_token,0.002,per_1k_tokens\nfrom-lines,output_token,0.006,per_1k_tokens\n';
  assert.equal(price('l.csv', seed).json().summary.new, 1);
  const shown = await Promise.all(['from-yaml', 'from-csv', 'from-lines'].map((model) => mete.must('GET', `${PATH}/${model}`)));
  assert.deepEqual(shown.map(({ price: { provider, prices, tiers } }) => [provider, prices.input_per_million, prices.output_per_million, tiers.length]),
    [[null, '0.15', '0.6', 1], ['openai', '2', '4', 1], [null, '2', '6', 0]]);
  const listed = price('list.yaml', '- {model: bare, prices: {per_image: 0.04}}\n');
  assert.equal(listed.json().applied, 1, listed.stderr);
  const wrong = [['w.csv', 'model,input_per_millio\n', /w\.csv: line 1: input_per_millio: there is no such column/],
    ['w.yaml', 'prices: [{', /no YAML/], ['w.yaml', '&a [*a]', /no YAML/], ['w.json', '7', /no list of prices/]];
  for (const [name, text, why] of wrong) {
    const refused = price(name, text);
    assert.deepEqual([refused.status, why.test(refused.stderr)], [2, true], refused.stderr);
  }
});
