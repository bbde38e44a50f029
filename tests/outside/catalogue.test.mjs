// SPDX-License-Identifier: Apache-2.0
// Proves that an administrator sees how providers are and takes one out of use at once, without a
// restart and across kill -9; that what is disabled is asked nothing, and a call that nobody else
// can answer is refused clearly and costs nothing; that no secret is told; and that it is in the
// audit log.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mete, PRICES, configuration, run } from './mete.mjs';
import { CREDENTIAL, Provider } from './provider.mjs';

const PATH = '/api/v1/providers';
let first;
let second;
let mete;
let key;

before(async () => {
  first = await new Provider(PRICES).start();
  second = await new Provider(PRICES).start();
  const config = configuration(first, { gateway: { breaker_failures: 2, breaker_pause: '1h', retries: 0 } });
  const [one] = config.providers;
  const other = configuration(second).providers[0];
  config.providers = [{ ...one, name: 'first', models: ['test-*'] }, { ...other, name: 'second', models: ['test-small'], api_key: CREDENTIAL }, { ...other, name: 'bare', models: ['bare-*'], api_key: '' }];
  mete = await Mete.start({ config });
  key = (await mete.organization('shop')).key;
  await mete.budget('shop', { id: 'roof', amount: '100' });
});
after(async () => { await mete?.stop(); await first?.stop(); await second?.stop(); });

const chat = async (model = 'test-small', more = { output: 5, cached: 0, reasoning: 0 }) => {
  const reply = await mete.chat(key, { model, messages: [{ role: 'user', content: `!${JSON.stringify(more)}` }], max_tokens: 20 });
  return { status: reply.status, body: await reply.json() };
};
const counts = () => [first.calls.length, second.calls.length];
const set = (name, enabled) => mete.must('PUT', `${PATH}/${name}`, { enabled });

test('they are listed, without their secrets', async () => {
  const { data, next_cursor: next } = await mete.must('GET', PATH);
  assert.deepEqual(data.map(({ id, enabled, circuit, credential, calls, last_error: error }) => [id, enabled, circuit, credential, calls, error]),
    [['first', true, 'closed', 'configuration', 0, null], ['second', true, 'closed', 'configuration', 0, null], ['bare', true, 'closed', 'none', 0, null]]);
  assert.equal(next, null);
  assert.deepEqual(data.map(({ models, priced_as: priced }) => [models, priced]), [[['test-*'], 'first'], [['test-small'], 'second'], [['bare-*'], 'bare']]);
  assert.ok(!JSON.stringify(data).includes(CREDENTIAL));
  assert.deepEqual((await mete.must('GET', `${PATH}/second`)), data[1]);
  assert.deepEqual((await mete.all(`${PATH}?limit=1`)), data);
});

test('one that is disabled is asked nothing, from then on', async () => {
  assert.equal((await chat()).status, 200);
  assert.deepEqual(counts(), [1, 0]);
  assert.equal((await set('first', false)).enabled, false);
  assert.equal((await chat()).status, 200);
  assert.deepEqual(counts(), [1, 1]);
  const alone = await chat('test-large');
  assert.deepEqual([alone.status, alone.body.error.code, alone.body.error.type], [503, 'provider_disabled', 'server_error']);
  assert.match(alone.body.error.message, /disabled here: test-large/);
  await set('second', false);
  assert.equal((await chat()).body.error.code, 'provider_disabled');
  assert.equal((await chat('nobodys')).body.error.code, 'model_not_found');
  const listed = async () => (await (await fetch(`${mete.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).json()).data.length;
  assert.equal(await listed(), 0, 'what nobody answers is not offered');
  assert.deepEqual(counts(), [1, 1]);
  await set('second', true);
  assert.ok(await listed() > 0);
});

test('it is so after a restart', async () => {
  await mete.kill();
  await mete.spawn();
  assert.deepEqual((await mete.must('GET', PATH)).data.map(({ enabled }) => enabled), [false, true, true]);
  assert.equal((await chat('test-large')).status, 503);
  assert.equal((await chat()).status, 200);
  assert.deepEqual(counts(), [1, 2]);
  await set('first', true);
  assert.equal((await chat('test-large')).status, 200);
});

test('its circuit and its last error are told', async () => {
  for (let i = 0; i < 2; i++) assert.notEqual((await chat('test-large', { status: 500 })).status, 200);
  const shown = await mete.must('GET', `${PATH}/first`);
  assert.deepEqual([shown.circuit, shown.failed, shown.opened, shown.last_error.kind, shown.last_error.status], ['open', 2, 1, 'status', 500]);
  assert.ok(Math.abs(Date.parse(shown.retry_at) - Date.now() - 3600000) < 60000, shown.retry_at);
  assert.ok(Math.abs(Date.parse(shown.last_error.at) - Date.now()) < 60000);
  assert.equal((await chat('test-large')).body.error.code, 'provider_unavailable');
});

test('changes have a version, and are in the audit log', async () => {
  const read = await mete.api('GET', `${PATH}/first`);
  const etag = read.headers.get('etag');
  assert.match(etag, /^"\d+"$/);
  const put = (ifMatch) => mete.api('PUT', `${PATH}/first`, { enabled: true }, { headers: { 'if-match': ifMatch } });
  assert.equal((await put('"1"')).status, 412);
  assert.equal((await put(etag)).status, 200);
  const again = { headers: { 'idempotency-key': 'disable-1' } };
  const once = await mete.api('PUT', `${PATH}/second`, { enabled: false }, again);
  await set('second', true);
  const twice = await mete.api('PUT', `${PATH}/second`, { enabled: false }, again);
  assert.deepEqual([once.status, twice.status, twice.body.enabled], [200, 200, false], 'answered alike');
  assert.equal((await mete.must('GET', `${PATH}/second`)).enabled, true, 'and not carried out twice');
  await mete.settled();
  const log = (await mete.must('GET', '/api/v1/audit?limit=50')).data;
  assert.ok(log.some((entry) => JSON.stringify(entry).includes('"second"') && entry.actor === 'admin'), JSON.stringify(log[0]));
});

test('what is wrong is refused, and by whom it may not be asked', async () => {
  for (const [body, field] of [[{}, 'enabled'], [{ enabled: 'no' }, 'enabled'], [{ enabled: true, name: 'x' }, 'name']]) {
    const refused = await mete.api('PUT', `${PATH}/first`, body);
    assert.deepEqual([refused.status, refused.body.field], [400, field]);
  }
  for (const [method, body] of [['GET'], ['PUT', { enabled: true }]]) {
    assert.equal((await mete.api(method, `${PATH}/nobody`, body)).status, 404);
    assert.equal((await mete.api(method, `${PATH}/first`, body, { token: key })).status, 403);
  }
  assert.equal((await mete.api('GET', `${PATH}?what=1`)).status, 400);
  const { token } = await mete.must('POST', '/api/v1/organizations/shop/service-tokens', { name: 'robot', permissions: ['organization.write', 'catalog.read'] });
  assert.equal((await mete.api('GET', PATH, undefined, { token })).status, 403, 'it is the installation\'s');
});

test('the command lists, shows, disables and enables', async () => {
  const who = ['--server', mete.url, '--token', mete.env.METE_ADMIN_TOKEN];
  const provider = (...args) => run(['provider', ...args, ...who]);
  assert.match(provider('list').stdout, /first[\s\S]*second/);
  assert.equal(provider('disable', 'second', '--json').json().enabled, false);
  assert.match(provider('show', 'second').stdout, /enabled +false/);
  assert.match(provider('enable', 'second').stdout, /enabled +true/);
  assert.equal(provider('show', 'nobody').status, 1);
  assert.equal(provider('disable').status, 2);
});
