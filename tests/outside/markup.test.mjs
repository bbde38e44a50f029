// SPDX-License-Identifier: Apache-2.0
// A reseller's markup and discount, through the gateway and the authority of a real server: the same
// call of two organizations, one at +20 %, one at -10 %, to the nano; what is reserved is never less
// than what is charged; a markup holds for calls that begin after it, after a restart too, and what
// was reserved before is charged as it was; the seller sees the margin, the buyer what is paid.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN, Mete, PRICES, configuration, run } from './mete.mjs';
import { nano } from './money.mjs';
import { Provider } from './provider.mjs';

let provider;
let mete;
const keys = {};
const PRICE = { input: '0.333333333', output: '1.777777777' };

before(async () => {
  provider = await new Provider({ ...PRICES, 'test-odd': PRICE }).start();
  const config = configuration(provider);
  config.model_costs = { ...config.model_costs, 'test-odd': { input_per_million: PRICE.input, output_per_million: PRICE.output } };
  mete = await Mete.start({ config });
  for (const org of ['dear', 'cheap', 'plain']) {
    keys[org] = (await mete.organization(org)).key;
    await mete.budget(org, { id: 'roof', amount: '100' });
  }
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const path = (org, rest = '/markup') => `/api/v1/organizations/${org}${rest}`;
const say = (words) => [{ role: 'user', content: `!${JSON.stringify(words)}` }];
const chat = (org, more = {}) => mete.chat(keys[org], { model: 'test-odd', messages: say({ output: 997, cached: 0, reasoning: 0, ...more }), max_tokens: 2000 });
const text = (n) => `${n / 1000000000n}.${String(n % 1000000000n).padStart(9, '0').replace(/0+$/, '').padEnd(2, '0')}`;
async function record(org) {
  const page = await mete.must('GET', `/api/v1/records?organization=${org}&limit=1`);
  return page.data[0];
}

/** The exact sum, marked up, rounded half to even once: nanos from tokens. */
function paid({ input, output }, percent) {
  const sum = (BigInt(PRICE.input.replace('.', '')) * BigInt(input) + BigInt(PRICE.output.replace('.', '')) * BigInt(output)) * BigInt(10000 + percent * 100);
  const one = 1000000n * 10000n; // a price has nine places, of a million tokens
  const rest = sum % one;
  let whole = sum / one;
  if (2n * rest > one || (2n * rest === one && whole % 2n)) whole += 1n;
  return whole;
}

test('one call, three organizations: +20 %, -10 % and the list, to the nano', async () => {
  assert.deepEqual(await mete.must('GET', path('dear')), { effective_at: null, percent: '0', models: null, dates: [] });
  const set = await mete.must('PUT', path('dear'), { percent: '20' });
  assert.deepEqual([set.percent, set.models, set.dates.length, set.dates[0].in_force], ['20', null, 1, true]);
  await mete.must('PUT', path('cheap'), { percent: -10 });
  const percents = { dear: 20, cheap: -10, plain: 0 };
  let tokens;
  for (const [org, percent] of Object.entries(percents)) {
    const reply = await chat(org);
    assert.equal(reply.status, 200);
    const cost = nano(reply.headers.get('x-mete-cost'));
    const told = await record(org);
    tokens ??= { input: told.input_tokens, output: told.output_tokens };
    assert.deepEqual([told.input_tokens, told.output_tokens, told.overrun], [tokens.input, tokens.output, false], 'the same call');
    assert.equal(cost, paid(tokens, percent), org);
    assert.equal(nano(told.cost), cost);
    assert.equal(nano(told.input_cost) + nano(told.output_cost) + nano(told.other_cost), cost, 'told apart it is the same');
    assert.equal(told.list_cost, percent ? text(paid(tokens, 0)) : undefined);
    if (percent) assert.equal(nano(told.margin), cost - paid(tokens, 0));
    assert.equal(nano((await mete.must('GET', path(org, '/budgets/roof'))).used), cost, 'the budget has what is paid');
  }
});

test('the seller sees the margin, the buyer only what is paid', async () => {
  const cost = nano((await record('dear')).cost);
  const rows = (await mete.must('GET', '/api/v1/cost/usage?organization=dear')).totals;
  assert.deepEqual([nano(rows.cost), nano(rows.margins.USD)], [cost, cost - nano((await record('dear')).list_cost)]);
  const cheap = (await mete.must('GET', '/api/v1/cost/usage?organization=cheap&group_by=model')).data[0];
  assert.ok(nano(cheap.margins.USD) < 0n);
  assert.deepEqual((await mete.must('GET', '/api/v1/cost/usage?organization=plain')).totals.margins, {});
  const { token } = await mete.must('POST', path('dear', '/service-tokens'), { name: 'buyer', permissions: ['usage.read', 'catalog.read', 'organization.read'] });
  const seen = await mete.must('GET', `/api/v1/records?organization=dear&limit=1`, undefined, { token });
  assert.deepEqual([nano(seen.data[0].cost), seen.data[0].list_cost, seen.data[0].margin], [cost, undefined, undefined]);
  assert.equal((await mete.must('GET', '/api/v1/cost/usage?organization=dear', undefined, { token })).totals.margins, undefined);
  assert.equal((await mete.api('GET', path('dear'), undefined, { token })).status, 403);
  assert.equal((await mete.api('PUT', path('dear'), { percent: '1' }, { token })).status, 403);

  await mete.must('POST', path('dear', '/prices'), { model: 'test-own', prices: { input_per_million: '0.000000000000000001', output_per_million: '2' } });
  const own = await mete.must('GET', path('dear', '/prices/test-own'));
  assert.deepEqual(own.price.prices, { input_per_million: '0.0000000000000000012', output_per_million: '2.4' });
  assert.deepEqual([own.price.markup_percent, own.price.before_markup.prices.output_per_million], ['20', '2']);
  const bought = await mete.must('GET', path('dear', '/prices/test-own'), undefined, { token });
  assert.deepEqual([bought.price.prices.output_per_million, bought.price.markup_percent, bought.price.before_markup], ['2.4', undefined, undefined]);
});

test('what is reserved is at the markup of its beginning, and never less than what is charged', async () => {
  const scope = { kind: 'organization', id: 'cheap' };
  const usage = { input_tokens: 1000003, output_tokens: 7 };
  const held = await mete.must('POST', '/api/v1/budget/reserve', { request_id: 'r1', scope, model: 'test-odd', usage });
  const reserved = nano((await mete.must('GET', path('cheap', '/budgets/roof'))).held);
  assert.ok(reserved >= paid({ input: 1000003, output: 7 }, -10), `${reserved}`);
  await mete.must('PUT', path('cheap'), { percent: '50', models: ['test-o*'] });
  const charged = await mete.must('POST', '/api/v1/budget/deduct', { reserve_id: held.reserve_id, usage });
  assert.equal(nano(charged.amount), paid({ input: 1000003, output: 7 }, -10), 'as when it was reserved');
  const now = await mete.must('POST', '/api/v1/budget/record', { request_id: 'r2', scope, model: 'test-odd', usage });
  assert.equal(nano(now.amount), paid({ input: 1000003, output: 7 }, 50));
  assert.equal(nano((await record('cheap')).list_cost), paid({ input: 1000003, output: 7 }, 0));
  const said = await mete.must('POST', '/api/v1/budget/record', { request_id: 'r3', scope, amount: '1.00' });
  assert.equal(said.amount, '1.00', 'what the caller says it came to is not marked up');
});

test('a markup holds after a restart; one to come holds when it comes, and goes with the end', async () => {
  await mete.kill();
  await mete.spawn();
  const told = async (org) => { assert.equal((await chat(org)).status, 200); return record(org); };
  let last = await told('cheap');
  assert.equal(nano(last.cost), paid({ input: last.input_tokens, output: last.output_tokens }, 50));
  const shown = await mete.must('GET', path('cheap'));
  assert.deepEqual(shown.dates.map((d) => [d.percent, d.in_force]), [['50', true], ['-10', false]]);
  assert.deepEqual(shown.models, ['test-o*']);
  const at = new Date(Date.now() + 700).toISOString();
  await mete.must('PUT', path('cheap'), { percent: '100', effective_at: at });
  last = await told('cheap');
  assert.equal(nano(last.cost), paid({ input: last.input_tokens, output: last.output_tokens }, 50), 'it is to come');
  while (Date.now() < Date.parse(at) + 5) await new Promise((done) => { setTimeout(done, 20); });
  last = await told('cheap');
  assert.equal(nano(last.cost), paid({ input: last.input_tokens, output: last.output_tokens }, 100));
  await mete.must('PUT', path('cheap'), { percent: '1', effective_at: '2098-01-01T00:00:00Z' });
  await mete.must('DELETE', path('cheap'));
  const ended = await mete.must('GET', path('cheap'));
  assert.deepEqual([ended.percent, ended.dates.some((d) => d.percent === '1')], ['0', false]);
  last = await told('cheap');
  assert.deepEqual([nano(last.cost), last.list_cost], [paid({ input: last.input_tokens, output: last.output_tokens }, 0), undefined]);
  assert.equal((await mete.api('DELETE', path('cheap'))).status, 404);
});

test('a discount of all of it is free, and says so; a stream that is cut is charged at the markup', async () => {
  await mete.must('PUT', path('plain'), { percent: '-100' });
  assert.equal((await chat('plain')).headers.get('x-mete-cost'), '0.00');
  const free = await record('plain');
  assert.equal(nano(free.list_cost), paid({ input: free.input_tokens, output: free.output_tokens }, 0));
  await mete.must('PUT', path('plain'), { percent: '20' });
  const reply = await mete.chat(keys.plain, { model: 'test-odd', messages: say({ output: 40, lost: true, usage: false }), max_tokens: 50, stream: true });
  await reply.text().catch(() => {});
  const told = await record('plain');
  assert.ok(nano(told.list_cost) * 12n >= nano(told.cost) * 10n && (nano(told.list_cost) - 1n) * 12n < nano(told.cost) * 10n, `${told.cost} ${told.list_cost}`);
});

test('what cannot be a markup, and what somebody else changed', async () => {
  const wrong = [[{}, 'percent'], [{ percent: '-100.01' }, 'percent'], [{ percent: '1000.01' }, 'percent'], [{ percent: '1.234' }, 'percent'],
    [{ percent: 'much' }, 'percent'], [{ percent: '1', models: [] }, 'models'], [{ percent: '1', models: ['a*b'] }, 'models'],
    [{ percent: '1', models: Array(17).fill('a') }, 'models'], [{ percent: '1', effective_at: '2020-01-01T00:00:00Z' }, 'effective_at'], [{ percent: '1', more: 1 }, 'more']];
  for (const [body, field] of wrong) {
    const reply = await mete.api('PUT', path('plain'), body);
    assert.deepEqual([reply.status, reply.body.field], [400, field], JSON.stringify(body));
  }
  assert.equal((await mete.api('PUT', path('nobody'), { percent: '1' })).status, 404);
  assert.equal((await mete.api('GET', path('nobody'))).status, 404);
  const { headers } = await mete.api('GET', path('plain'));
  await mete.must('PUT', path('plain'), { percent: '3' }, { headers: { 'if-match': headers.get('etag') } });
  assert.equal((await mete.api('PUT', path('plain'), { percent: '4' }, { headers: { 'if-match': headers.get('etag') } })).status, 412);
});

test('the command does the same', async () => {
  const command = (...args) => run(['org', 'markup', ...args, '--json', '--data', mete.data, '--server', mete.url, '--token', ADMIN]);
  assert.deepEqual(command('plain', '--percent', '-12.5', '--model', 'gpt-*', '--model', 'test-odd').json().models, ['gpt-*', 'test-odd']);
  assert.equal(command('plain').json().percent, '-12.5');
  assert.match(command('plain', '--end').stderr, /cannot be undone: say --yes/);
  assert.equal(command('plain', '--end', '--yes').status, 0);
  assert.equal(command('plain').json().percent, '0');
  assert.equal(command('plain', '--end', '--yes').status, 1);
  for (const words of [[], ['plain', '--model', 'x'], ['plain', '--percent', '1', '--end'], ['plain', '--percent', 'much'], ['plain', 'more']])
    assert.equal(command(...words).status, 2, words.join(' '));
  await mete.stop();
  const proof = run(['verify', mete.data]);
  assert.equal(proof.status, 0, proof.stdout + proof.stderr);
  await mete.spawn();
});
