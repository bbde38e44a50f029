// SPDX-License-Identifier: Apache-2.0
// Proves that models are listed with what they are and cost, that what is said of one holds at once
// and after kill -9 (disabled, an alias, its bound), and that a model nobody knows becomes a draft
// that is refused, and never free, until somebody prices it (seed 5: find or create).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mete, PRICES, configuration, run } from './mete.mjs';
import { nano } from './money.mjs';
import { Provider } from './provider.mjs';

const PATH = '/api/v1/models';
const from = new Date(Date.now() - 3600000).toISOString();
let provider;
let mete;
let key;

before(async () => {
  provider = await new Provider({ ...PRICES, 'brand-new': { input: '1', output: '2' } }).start();
  const config = configuration(provider, { gateway: { draft_unknown_models: true } });
  config.providers[0].models = ['test-*', 'brand-*'];
  mete = await Mete.start({ config });
  key = (await mete.organization('shop')).key;
  await mete.budget('shop', { id: 'roof', amount: '100' });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const chat = async (model, max = 50, more = { output: 20, cached: 0, reasoning: 0 }) => {
  const reply = await mete.chat(key, { model, messages: [{ role: 'user', content: `!${JSON.stringify(more)}` }], max_tokens: max });
  return { status: reply.status, cost: reply.headers.get('x-mete-cost'), body: await reply.json() };
};
const set = (model, body) => mete.must('PUT', `${PATH}/${encodeURIComponent(model)}`, body);
const show = (model) => mete.must('GET', `${PATH}/${encodeURIComponent(model)}`);
const offered = async () => (await (await fetch(`${mete.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).json()).data.map(({ id }) => id);

test('models are listed with their types, limits, providers and prices', async () => {
  const typed = Object.fromEntries(await Promise.all(['gpt-4o', 'text-embedding-3-small', 'dall-e-3', 'tts-1', 'sora-2', 'test-small'].map(async (id) => [id, await show(id)])));
  assert.deepEqual(Object.values(typed).map(({ type }) => type), ['text', 'embedding', 'image', 'audio', 'video', 'text']);
  assert.deepEqual([typed['test-small'].status, typed['test-small'].providers.length, typed['gpt-4o'].providers], ['active', 1, []]);
  assert.ok(typed['gpt-4o'].max_output_tokens > 0 && typed['gpt-4o'].price.prices.input_per_million);
  const tests = await mete.must('GET', `${PATH}?model=test-&limit=2`);
  assert.deepEqual(tests.data.map(({ id }) => id), ['test-large', 'test-odd']);
  assert.deepEqual((await mete.all(`${PATH}?model=test-&limit=1`)).map(({ id }) => id), ['test-large', 'test-odd', 'test-small']);
  assert.ok((await mete.all(`${PATH}?type=video`)).every(({ type }) => type === 'video'));
  assert.ok((await mete.must('GET', `${PATH}?provider=openai&limit=5`)).data.every(({ price }) => price.provider === 'openai'));
  assert.equal((await mete.all(PATH)).length, (await mete.all('/api/v1/prices')).length, 'every one of the list');
});

test('an alias is the model that it is another name of', async () => {
  assert.equal((await chat('fast')).status, 404);
  const made = await set('fast', { alias_of: 'test-small' });
  assert.deepEqual([made.alias_of, made.status, made.price.model], ['test-small', 'active', 'test-small']);
  const reply = await chat('fast');
  assert.equal(reply.status, 200, JSON.stringify(reply.body));
  assert.equal(provider.calls.at(-1).body.model, 'test-small');
  assert.equal(nano(reply.cost), provider.calls.at(-1).nano);
  assert.ok((await offered()).includes('fast'));
  await mete.settled();
  const [record] = (await mete.must('GET', '/api/v1/records?limit=1')).data;
  assert.equal(record.model, 'fast', 'as it was asked for');
  const again = await mete.must('POST', '/api/v1/prices/rerate', { from });
  assert.deepEqual([again.unrated.length, again.totals.map(({ difference }) => difference)], [0, ['0.00']]);
  for (const [model, alias] of [['fast', 'fast'], ['faster', 'fast'], ['test-small', 'test-large']]) {
    const refused = await mete.api('PUT', `${PATH}/${model}`, { alias_of: alias });
    assert.deepEqual([refused.status, refused.body.field], [400, 'alias_of'], `${model} of ${alias}`);
  }
  assert.equal((await set('fast', { alias_of: 'test-large' })).alias_of, 'test-large');
  assert.equal((await chat('fast')).status, 200);
  assert.equal(provider.calls.at(-1).body.model, 'test-large');
});

test('a disabled model is refused at once, also by another name', async () => {
  await set('test-large', { enabled: false });
  const before_ = provider.calls.length;
  for (const model of ['test-large', 'fast']) {
    const refused = await chat(model);
    assert.deepEqual([refused.status, refused.body.error.code], [403, 'model_disabled']);
  }
  assert.equal(provider.calls.length, before_);
  assert.deepEqual((await offered()).filter((id) => ['test-large', 'fast'].includes(id)), []);
  assert.deepEqual([(await show('test-large')).status, (await show('fast')).status], ['disabled', 'disabled']);
});

test('no call is granted more than a model\'s bound', async () => {
  await set('test-odd', { max_output_tokens: 7, context_tokens: 128000, type: 'text' });
  const reply = await chat('test-odd', 50, { output: 5, cached: 0, reasoning: 0 });
  assert.equal(reply.status, 200);
  const asked = provider.calls.at(-1).body;
  assert.equal(asked.max_tokens ?? asked.max_completion_tokens, 7);
  assert.deepEqual([(await show('test-odd')).max_output_tokens, (await show('test-odd')).context_tokens], [7, 128000]);
});

test('a model that nobody knows becomes a draft, refused until it has a price', async () => {
  const first = await chat('brand-new');
  assert.deepEqual([first.status, first.body.error.code], [400, 'model_not_priced']);
  assert.equal((await chat('nobodys/model')).body.error.code, 'model_not_found');
  const drafts = async () => (await mete.must('GET', `${PATH}?status=draft`)).data;
  await mete.until(async () => (await drafts()).length >= 1);
  for (let i = 0; i < 20 && (await drafts()).length < 3; i++) await chat('nobodys/model');
  const [draft, ...others] = await drafts();
  assert.deepEqual([draft.id, draft.status, draft.price, draft.enabled], ['brand-new', 'draft', null, true]);
  assert.deepEqual(others.map(({ id }) => id).sort(), ['fast', 'nobodys/model'].filter((id) => id !== 'fast'));
  assert.ok(Math.abs(Date.parse(draft.first_seen_at) - Date.now()) < 60000);
  assert.equal((await chat('brand-new')).status, 400, 'it is refused as ever');
  await mete.must('POST', '/api/v1/prices', { model: 'brand-new', prices: { input_per_million: '1', output_per_million: '2' } });
  const reply = await chat('brand-new');
  assert.equal(reply.status, 200);
  assert.equal(nano(reply.cost), provider.calls.at(-1).nano);
  assert.deepEqual([(await show('brand-new')).status, (await drafts()).map(({ id }) => id)], ['active', ['nobodys/model']]);
});

test('all of it is so after a restart', async () => {
  await mete.kill();
  await mete.spawn();
  assert.deepEqual((await mete.must('GET', `${PATH}?status=draft`)).data.map(({ id }) => id), ['nobodys/model']);
  assert.deepEqual([(await show('fast')).alias_of, (await show('test-odd')).max_output_tokens], ['test-large', 7]);
  assert.equal((await chat('test-large')).status, 403);
  await set('test-large', { enabled: true });
  assert.equal((await chat('fast')).status, 200);
  assert.equal((await set('nobodys/model', { enabled: false })).status, 'disabled');
});

test('a stop waits for a draft that is on its way', async () => {
  for (let i = 0; i < 5; i++) {
    assert.equal((await chat(`late/${i}`)).status, 404);
    await mete.stop();
    await mete.spawn();
    assert.equal((await show(`late/${i}`)).status, 'draft');
  }
});

test('what is wrong is refused, and by whom it may not be asked', async () => {
  const wrong = [[{}, 'enabled'], [{ type: 'tea' }, 'type'], [{ context_tokens: -1 }, 'context_tokens'], [{ max_output_tokens: 1.5 }, 'max_output_tokens'],
    [{ alias_of: 'a b' }, 'alias_of'], [{ enabled: 1 }, 'enabled'], [{ price: '1' }, 'price']];
  for (const [body, field] of wrong) {
    const refused = await mete.api('PUT', `${PATH}/test-small`, body);
    assert.deepEqual([refused.status, refused.body.field], [400, field], JSON.stringify(body));
  }
  for (const query of ['status=x', 'type=x', 'limit=0', 'what=1']) assert.equal((await mete.api('GET', `${PATH}?${query}`)).status, 400, query);
  assert.equal((await mete.api('GET', `${PATH}/nobody-has-it`)).status, 404);
  for (const [method, path, body] of [['GET', PATH], ['GET', `${PATH}/test-small`], ['PUT', `${PATH}/test-small`, { enabled: true }]]) {
    assert.equal((await mete.api(method, path, body, { token: key })).status, 403);
  }
  await set('test-small', { type: 'text' });
  const read = await mete.api('GET', `${PATH}/test-small`);
  const etag = read.headers.get('etag');
  const put = (ifMatch) => mete.api('PUT', `${PATH}/test-small`, { type: 'text' }, { headers: { 'if-match': ifMatch } });
  assert.deepEqual([(await put('"1"')).status, (await put(etag)).status, (await put(etag)).status], [412, 200, 412]);
});

test('the command lists, shows and sets', async () => {
  const who = ['--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN];
  const model = (...args) => run(['model', ...args, ...who]);
  assert.match(model('list', '--model', 'test-').stdout, /test-large[\s\S]*test-odd/);
  assert.equal(model('set', 'quick', '--alias-of', 'test-small', '--type', 'text', '--json').json().alias_of, 'test-small');
  assert.match(model('show', 'quick').stdout, /alias of +test-small/);
  assert.equal(model('set', 'quick', '--alias-of', '', '--json').json().alias_of, null);
  assert.equal(model('set', 'quick', '--enabled', 'no', '--json').json().status, 'disabled');
  assert.equal(model('show', 'nobody-has-it').status, 1);
  for (const args of [['set'], ['set', 'x', '--enabled', 'maybe'], ['what']]) assert.equal(model(...args).status, 2);
});
