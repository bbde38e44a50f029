// SPDX-License-Identifier: Apache-2.0
// Proves that a batch is bounded before its provider has seen its file, reserved once and billed
// once, to the nano what the tests' own provider bills, by the official client: whatever becomes of
// it, and whoever fetches it how often. What cannot be bounded is refused, by its line.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { BatchProvider } from './batch-provider.mjs';
import { check } from './contract.mjs';
import { Mete, configuration } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';

const ORG = 'batches';
let provider;
let mete;
let key;
let client;

before(async () => {
  provider = await new BatchProvider().start();
  mete = await Mete.start({
    config: configuration(provider, {
      providers: [{ name: 'openai', dialect: 'openai', base_url: `${provider.url}/v1`, api_key: CREDENTIAL }],
      model_costs: { 'odd-model': { input_per_million: '0.123456789', output_per_million: '7.000000001' } },
    }),
  });
  key = (await mete.organization(ORG)).key;
  await mete.budget(ORG, { id: 'roof', amount: '100' });
  client = clientOf(key);
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const clientOf = (text) => new OpenAI({ apiKey: text, baseURL: `${mete.url}/v1`, maxRetries: 0 });
const CHAT = '/v1/chat/completions';
const chat = (id, words = {}, more = {}) => ({ custom_id: id, method: 'POST', url: CHAT, body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: `!${JSON.stringify(words)}` }], max_tokens: 50, ...more } });
const jsonl = (lines) => lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
const upload = async (lines, theirs = client) => theirs.files.create({ purpose: 'batch', file: await toFile(Buffer.from(jsonl(lines)), 'calls.jsonl') });
const begin = (file, more = {}, options = {}, theirs = client) => theirs.batches.create({ input_file_id: file.id, endpoint: CHAT, completion_window: '24h', ...more }, options);
const roof = async (org = ORG) => {
  const { used, held } = await mete.must('GET', `/api/v1/organizations/${org}/budgets/roof`);
  return { used: nano(used), held: nano(held) };
};
const fetchAll = async (id, theirs = client) => (await theirs.files.content(id)).text();
const recordsOf = async (id) => {
  await mete.settled();
  return (await mete.must('GET', `/api/v1/records?request_id=${id}`)).data;
};
const named = (id) => ({ headers: { 'X-Request-ID': id } });

async function reachesNobody(promise, check) {
  const before_ = provider.calls.length;
  await assert.rejects(promise, check);
  assert.equal(provider.calls.length, before_, 'no provider was asked');
}

test('a file is priced line by line, a batch reserved once and billed once, to the nano', async () => {
  const first = await roof();
  const lines = [chat('a', { in: 7, out: 3 }), chat('b', { in: 13, out: 11 }), chat('c', { status: 400 }), chat('d', { in: 1, out: 1 })];
  const file = await upload(lines);
  assert.deepEqual([file.object, file.purpose], ['file', 'batch']);
  assert.equal(provider.files.get(file.id).bytes.toString(), jsonl(lines), 'what needs no change goes up as it is');
  assert.deepEqual(await roof(), first, 'a file reserves nothing');
  const batch = await begin(file, { metadata: { project: 'blue' } }, named('whole'));
  const { held } = await roof();
  assert.ok(held > 4n * 50n * nano('0.3') / 1000000n, 'the bound of all outputs, and the inputs');
  assert.ok(held < 4n * (50n * nano('0.3') + 200n * nano('0.075')) / 1000000n, 'at the batch tier');
  assert.equal((await client.batches.retrieve(batch.id)).status, 'validating');
  const billed = provider.finish(batch.id);
  const over = await client.batches.retrieve(batch.id);
  assert.equal(over.status, 'completed');
  assert.equal((await roof()).held, held, 'nothing is known yet');
  const text = await fetchAll(over.output_file_id);
  assert.equal(text, provider.files.get(over.output_file_id).bytes.toString());
  assert.deepEqual(await roof(), { used: first.used + billed, held: 0n });
  assert.equal(await fetchAll(over.output_file_id), text, 'again');
  assert.match(await fetchAll(over.error_file_id), /"c"/);
  assert.deepEqual(await roof(), { used: first.used + billed, held: 0n }, 'once');
  const [record, ...others] = await recordsOf('whole');
  assert.equal(others.length, 0);
  assert.deepEqual([nano(record.cost), record.requests, record.input_tokens, record.output_tokens, record.total_tokens, record.ending, record.provisional, record.counted],
    [billed, 3, 21, 15, 36, 'ok', false, false]);
  assert.deepEqual([record.model, record.provider, record.metadata], ['gpt-4o-mini', 'openai', { project: 'blue' }]);
});

test('prices without a batch tier, embeddings, and fractions of a nano-unit', async () => {
  const first = (await roof()).used;
  let sum = 0n;
  for (const [model, url, body] of [['odd-model', CHAT, (i) => ({ messages: [{ role: 'user', content: `!{"in":${i},"out":${i + 1}}` }], max_completion_tokens: 40 })],
    ['text-embedding-3-small', '/v1/embeddings', (i) => ({ input: `!{"in":${i + 3}}` })]]) {
    const lines = Array.from({ length: 30 }, (_, i) => ({ custom_id: `x${i}`, method: 'POST', url, body: { model, ...body(i) } }));
    const batch = await begin(await upload(lines), { endpoint: url });
    sum += provider.finish(batch.id);
    await fetchAll((await client.batches.retrieve(batch.id)).output_file_id);
    assert.deepEqual(await roof(), { used: first + sum, held: 0n }, model);
  }
});

test('an unbounded line is sent the bound it was priced with', async () => {
  const lines = [chat('free', {}, { max_tokens: undefined, model: 'odd-model' }), chat('bound', {}, { model: 'odd-model' })];
  const file = await upload(lines);
  const sent = provider.files.get(file.id).bytes.toString().split('\n').map((line) => JSON.parse(line));
  assert.ok(Number.isInteger(sent[0].body.max_tokens ?? sent[0].body.max_completion_tokens));
  assert.deepEqual(sent[1], JSON.parse(JSON.stringify(lines[1])));
  assert.deepEqual([sent[0].custom_id, sent[0].body.messages], ['free', lines[0].body.messages]);
});

test('what is wrong with a line is said of that line, and nothing goes up', async () => {
  const good = chat('a');
  const cases = [
    [[good, chat('a')], /Line 2.*custom_id/, 'duplicate_custom_id'],
    [[good, '{"custom_id":'], /Line 2.*JSON/, 'invalid_line'],
    [[good, '', { ...good, custom_id: 'b', url: '/v1/images/generations' }], /Line 3.*url/, 'unknown_url'],
    [[good, { ...good, custom_id: 'b', method: 'GET' }], /Line 2.*method/, 'invalid_line'],
    [[good, { ...good, custom_id: '' }], /Line 2.*custom_id/, 'invalid_line'],
    [[good, { ...good, custom_id: 'b', body: 'x' }], /Line 2.*body/, 'invalid_line'],
    [[good, { method: 'POST', url: CHAT, body: good.body }], /Line 2.*each once/, 'invalid_line'],
    [[good, { ...good, custom_id: 'b', url: '/v1/embeddings', body: { model: 'gpt-4o-mini', input: 'x' } }], /Line 2.*url of the first/, 'invalid_line'],
    [[good, chat('b', {}, { model: 'odd-model' })], /Line 2.*model of the first/, 'mismatched_model'],
    [[good, chat('b', {}, { stream: true })], /Line 2.*stream/, 'invalid_line'],
    [[good, chat('b', {}, { messages: [] })], /Line 2.*messages/, 'invalid_value'],
    [[chat('a', {}, { model: 'nobodys' })], /price/, 'model_not_priced'],
    [[''], /no line/, 'empty_file'],
  ];
  for (const [lines, message, code] of cases) {
    await reachesNobody(upload(lines), (error) => {
      assert.match(error.message, message);
      assert.deepEqual([error.status, error.code, error.param], [400, code, 'file'], error.message);
      return true;
    });
  }
  const file = await toFile(Buffer.from(jsonl([good])), 'x.jsonl');
  await reachesNobody(client.files.create({ purpose: 'fine-tune', file }), (error) => error.status === 400 && error.code === 'unsupported_purpose' && error.param === 'purpose');
  for (const form of [{ purpose: 'batch' }, { file: jsonl([good]) }, {}]) {
    const body = new FormData();
    for (const [name, value] of Object.entries(form)) body.append(name, name === 'file' ? new Blob([value]) : value);
    body.append('other', 'x');
    const reply = await fetch(`${mete.url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body });
    assert.equal(reply.status, 400);
  }
});

test('what the key may not use, and what cannot be afforded, is refused before anything goes up', async () => {
  const org = 'poor';
  const theirs = (await mete.organization(org)).key;
  await mete.budget(org, { id: 'roof', amount: '0.0001' });
  const poor = clientOf(theirs);
  await upload([chat('a')], poor);
  await reachesNobody(upload(Array.from({ length: 40 }, (_, i) => chat(`a${i}`)), poor), (error) => error.status === 429 && error.code === 'insufficient_quota' && /roof/.test(error.message));
  const make = async (more) => clientOf((await mete.must('POST', `/api/v1/organizations/${ORG}/api-keys`, { name: 'narrow', user: 'ada', ...more })).key);
  const narrow = await make({ models: ['odd-*'] });
  await reachesNobody(upload([chat('a')], narrow), (error) => error.status === 403 && error.code === 'model_not_allowed');
  await reachesNobody(upload([chat('a')], await make({ permissions: { endpoints: ['files', 'batches'] } })), (error) => error.status === 403 && error.code === 'endpoint_not_allowed');
  await reachesNobody(upload([chat('a')], await make({ permissions: { endpoints: ['chat'] } })), (error) => error.status === 403 && error.code === 'endpoint_not_allowed');
  const file = await upload([chat('a')]);
  await reachesNobody(begin(file, {}, {}, narrow), (error) => error.status === 403 && error.code === 'model_not_allowed');
});

test('a batch never passes a budget: the second of two that fit only once is refused', async () => {
  const org = 'tight';
  const theirs = clientOf((await mete.organization(org)).key);
  await mete.budget(org, { id: 'roof', amount: '0.001' });
  const file = await upload(Array.from({ length: 30 }, (_, i) => chat(`a${i}`, { in: 10, out: 50 })), theirs);
  const asked = await Promise.allSettled([1, 2, 3].map(() => begin(file, {}, {}, theirs)));
  const good = asked.filter(({ status }) => status === 'fulfilled');
  const { held } = await roof(org);
  assert.ok(good.length >= 1 && good.length < 3 && held <= nano('0.001'), `${good.length} begun, ${held} held`);
  for (const { reason } of asked.filter(({ status }) => status === 'rejected')) assert.deepEqual([reason.status, reason.code], [429, 'insufficient_quota']);
});

test('files and batches are their organization\'s', async () => {
  const stranger = clientOf((await mete.organization('strangers')).key);
  const file = await upload([chat('a')]);
  const batch = await begin(file);
  provider.finish(batch.id);
  const over = await client.batches.retrieve(batch.id);
  const lost = (error) => error.status === 404;
  for (const asked of [() => stranger.files.retrieve(file.id), () => stranger.files.delete(file.id), () => stranger.files.content(file.id), () => stranger.files.content(over.output_file_id),
    () => stranger.batches.retrieve(batch.id), () => stranger.batches.cancel(batch.id), () => begin(file, {}, {}, stranger),
    () => client.files.retrieve('file-nobodys'), () => client.batches.retrieve('batch_nobodys'), () => client.files.content('..%2fbatches')]) await reachesNobody(asked(), lost);
  assert.deepEqual((await stranger.files.list()).data, []);
  assert.deepEqual((await stranger.batches.list()).data, []);
  await fetchAll(over.output_file_id);
});

test('lists, pages and deletions', async () => {
  const org = 'lists';
  const theirs = clientOf((await mete.organization(org)).key);
  const made = [];
  for (let i = 0; i < 5; i++) made.unshift((await upload([chat(`a${i}`)], theirs)).id);
  const page = await theirs.files.list({ limit: 2 });
  assert.deepEqual(page.data.map(({ id }) => id), made.slice(0, 2));
  const all = [];
  for await (const file of theirs.files.list({ limit: 2 })) all.push(file.id);
  assert.deepEqual(all, made);
  assert.deepEqual(await theirs.files.retrieve(made[0]), page.data[0]);
  assert.equal((await theirs.files.delete(made[0])).deleted, true);
  await assert.rejects(theirs.files.retrieve(made[0]), (error) => error.status === 404);
  assert.equal((await theirs.files.list()).data.length, 4);
  const batches = [];
  for (const id of made.slice(1, 4)) batches.unshift((await begin({ id }, {}, {}, theirs)).id);
  assert.deepEqual((await theirs.batches.list({ limit: 2 })).data.map(({ id }) => id), batches.slice(0, 2));
  provider.finish(batches[0]);
  provider.finish(batches[1], 'expired', 0);
  const listed = (await theirs.batches.list()).data;
  assert.deepEqual(listed.map(({ id, status }) => [id, status]), [[batches[0], 'completed'], [batches[1], 'expired'], [batches[2], 'validating']]);
  const { output_file_id: output } = listed[0];
  await fetchAll(output, theirs);
  assert.deepEqual((await theirs.files.list({ purpose: 'batch_output' })).data.map(({ id }) => id), [output]);
  assert.equal((await theirs.files.list({ purpose: 'batch' })).data.length, 4);
  assert.equal((await theirs.batches.list()).data[0].status, 'completed');
  for (const query of ['limit=0', 'limit=x', 'order=asc', 'after=nobodys', 'after=%20', 'purpose=vision']) {
    const reply = await fetch(`${mete.url}/v1/files?${query}`, { headers: { authorization: `Bearer ${clientKey(theirs)}` } });
    assert.equal(reply.status, 400, query);
  }
  const reply = await fetch(`${mete.url}/v1/batches`, { method: 'DELETE', headers: { authorization: `Bearer ${clientKey(theirs)}` } });
  assert.deepEqual([reply.status, reply.headers.get('allow')], [405, 'POST, GET']);
});
const clientKey = (theirs) => theirs.apiKey;

test('what a batch is begun with is read strictly', async () => {
  const file = await upload([chat('a')]);
  const wrong = (param) => (error) => error.status === 400 && error.param === param;
  await reachesNobody(begin({ id: 'x y' }), wrong('input_file_id'));
  await reachesNobody(begin({}), wrong('input_file_id'));
  await reachesNobody(begin({ id: 'file-nobodys' }), (error) => error.status === 404);
  for (const window of ['25h', '7d', 'h', '', '0h', 24, null]) await reachesNobody(begin(file, { completion_window: window }), wrong('completion_window'));
  await reachesNobody(begin(file, { endpoint: '/v1/embeddings' }), wrong('endpoint'));
  await reachesNobody(begin(file, {}, { headers: { 'X-Request-ID': 'x'.repeat(200) } }), (error) => error.status === 400);
  const batch = await begin(file);
  provider.finish(batch.id);
  const { output_file_id: output } = await client.batches.retrieve(batch.id);
  await reachesNobody(begin({ id: output }), wrong('input_file_id'));
  await fetchAll(output);
});

test('a repeated request id gives the batch that was begun; another body is refused', async () => {
  const file = await upload([chat('a')]);
  const batch = await begin(file, {}, named('twice'));
  const { held } = await roof();
  const asked = provider.calls.length;
  assert.deepEqual(await begin(file, {}, named('twice')), batch);
  assert.equal(provider.calls.length, asked);
  assert.equal((await roof()).held, held);
  await reachesNobody(begin(file, { metadata: { a: 'b' } }, named('twice')), (error) => error.status === 422 && error.code === 'content_differs');
  provider.finish(batch.id);
  await fetchAll((await client.batches.retrieve(batch.id)).output_file_id);
});

test('refused, failed, cancelled or expired without an answer: all of it returns', async () => {
  const first = await roof();
  const file = await upload([chat('a'), chat('b')]);
  provider.refuses = 400;
  await assert.rejects(begin(file), (error) => error.status === 400 && /as told/.test(error.message));
  assert.deepEqual(await roof(), first);
  for (const status of ['failed', 'cancelled', 'expired']) {
    const batch = await begin(file);
    assert.notEqual((await roof()).held, 0n);
    if (status === 'cancelled') assert.equal((await client.batches.cancel(batch.id)).status, 'cancelling');
    provider.finish(batch.id, status, 0);
    assert.equal((await client.batches.retrieve(batch.id)).status, status);
    assert.deepEqual(await roof(), first, status);
    assert.equal((await client.batches.retrieve(batch.id)).status, status, 'again');
  }
});

test('a batch whose beginning is not known stays reserved, and is not begun again by its id', async () => {
  const org = 'unheard';
  const theirs = clientOf((await mete.organization(org)).key);
  await mete.budget(org, { id: 'roof', amount: '1' });
  const file = await upload([chat('a')], theirs);
  provider.drops = true;
  await assert.rejects(begin(file, {}, named('unheard'), theirs), (error) => error.status === 502 && error.code === 'upstream_lost' && error.headers.get('x-should-retry') === 'false');
  const { used, held } = await roof(org);
  assert.ok(used === 0n && held > 0n);
  await reachesNobody(begin(file, {}, named('unheard'), theirs), (error) => error.status === 409 && error.code === 'in_flight');
  assert.deepEqual(await roof(org), { used, held });
});

test('what ends with some answers is billed those', async () => {
  for (const status of ['cancelled', 'expired']) {
    const first = await roof();
    const batch = await begin(await upload([chat('a'), chat('b', { in: 20, out: 2 }), chat('c')]));
    const billed = provider.finish(batch.id, status, 2);
    await fetchAll((await client.batches.retrieve(batch.id)).output_file_id);
    assert.deepEqual(await roof(), { used: first.used + billed, held: 0n }, status);
  }
});

test('an answer without usage costs the dearest line, and more than was reserved is billed as it is', async () => {
  const first = await roof();
  const quiet = await begin(await upload([chat('a', { usage: 'none' }), chat('b')]), {}, named('quiet'));
  const { held } = await roof();
  const billed = provider.finish(quiet.id);
  await fetchAll((await client.batches.retrieve(quiet.id)).output_file_id);
  const [record] = await recordsOf('quiet');
  assert.ok(record.counted && nano(record.cost) > billed && nano(record.cost) <= held, `${record.cost}`);
  const second = await roof();
  const over = await begin(await upload([chat('a', { in: 1000000, out: 1000000 })]), {}, named('over'));
  const more = provider.finish(over.id);
  await fetchAll((await client.batches.retrieve(over.id)).output_file_id);
  assert.equal((await roof()).used, second.used + more);
  assert.equal(second.used, first.used + nano(record.cost));
});

test('fetched by many at once, by one who leaves, and broken off: billed once', async () => {
  const first = await roof();
  const lines = Array.from({ length: 400 }, (_, i) => chat(`c${i}`, { in: i, out: 2 }));
  const file = await upload(lines);
  const many = await begin(file);
  let billed = provider.finish(many.id);
  const { output_file_id: output } = await client.batches.retrieve(many.id);
  provider.cuts = 5000;
  await fetchAll(output).catch(() => {});
  assert.equal((await roof()).used, first.used, 'what broke off bills nothing');
  await Promise.all(Array.from({ length: 8 }, () => fetchAll(output)));
  assert.deepEqual(await roof(), { used: first.used + billed, held: 0n });
  const left = await begin(file);
  billed += provider.finish(left.id);
  const over = await client.batches.retrieve(left.id);
  provider.slow = true;
  const controller = new AbortController();
  const reply = await fetch(`${mete.url}/v1/files/${over.output_file_id}/content`, { headers: { authorization: `Bearer ${key}` }, signal: controller.signal });
  await reply.body.getReader().read();
  controller.abort();
  await mete.until(async () => (await roof()).held === 0n);
  provider.slow = false;
  assert.equal((await roof()).used, first.used + billed);
  await fetchAll(over.output_file_id);
  assert.deepEqual(await roof(), { used: first.used + billed, held: 0n });
});

test('every reply is as the contract has it', async () => {
  const ask = async (method, path, body, status) => {
    const form = body instanceof FormData;
    const headers = { authorization: `Bearer ${key}`, ...(body && !form ? { 'content-type': 'application/json' } : {}) };
    const response = await fetch(`${mete.url}${path}`, { method, headers, body: body && !form ? JSON.stringify(body) : body });
    const reply = { status: response.status, headers: response.headers, text: await response.text() };
    if (/json(;|$)/.test(response.headers.get('content-type'))) reply.body = JSON.parse(reply.text);
    check(method, path.split('?')[0], reply);
    assert.equal(reply.status, status, `${method} ${path}: ${reply.text}`);
    return reply.body;
  };
  const form = (purpose) => {
    const made = new FormData();
    made.append('purpose', purpose);
    made.append('file', new Blob([jsonl([chat('a')])]), 'a.jsonl');
    return made;
  };
  const file = await ask('POST', '/v1/files', form('batch'), 200);
  await ask('POST', '/v1/files', form('assistants'), 400);
  const asked = { input_file_id: file.id, endpoint: CHAT, completion_window: '24h' };
  const batch = await ask('POST', '/v1/batches', asked, 200);
  await ask('POST', '/v1/batches', { ...asked, endpoint: 1 }, 400);
  await ask('POST', `/v1/batches/${batch.id}/cancel`, undefined, 200);
  provider.finish(batch.id, 'cancelled', 1);
  const over = await ask('GET', `/v1/batches/${batch.id}`, undefined, 200);
  for (const path of ['/v1/files', '/v1/batches', `/v1/files/${file.id}`, `/v1/files/${over.output_file_id}`, `/v1/files/${over.output_file_id}/content`]) await ask('GET', path, undefined, 200);
  for (const path of ['/v1/files/nobody', '/v1/files/nobody/content', '/v1/batches/nobody', `/v1/files/${'a'.repeat(129)}`, '/v1/batches/a%20b', '/v1/batches/%00']) await ask('GET', path, undefined, 404);
  await ask('DELETE', `/v1/files/${file.id}`, undefined, 200);
  await ask('DELETE', `/v1/files/${file.id}`, undefined, 404);
});

test('a narrowed budget counts a batch by its tags, and its session and tags are recorded', async () => {
  await mete.budget(ORG, { id: 'nightly', amount: '0.0001', tags: ['nightly'] });
  const file = await upload(Array.from({ length: 20 }, (_, i) => chat(`a${i}`)));
  const tagged = { 'X-Mete-Tags': 'nightly, blue', 'X-Mete-Session': 's-1' };
  await reachesNobody(begin(file, {}, { headers: tagged }), (error) => error.status === 429 && /nightly/.test(error.message));
  await reachesNobody(begin(file, {}, { headers: { 'X-Mete-Session': 'x'.repeat(200) } }), (error) => error.status === 400);
  await mete.must('DELETE', `/api/v1/organizations/${ORG}/budgets/nightly`);
  const batch = await begin(file, {}, { headers: { ...tagged, 'X-Request-ID': 'tagged' } });
  const billed = provider.finish(batch.id);
  await fetchAll((await client.batches.retrieve(batch.id)).output_file_id);
  const [record] = await recordsOf('tagged');
  assert.deepEqual([nano(record.cost), record.session, record.tags], [billed, 's-1', ['nightly', 'blue']]);
});

test('a quota is drawn once, by what the batch came to', async () => {
  const org = 'prepaid';
  const theirs = clientOf((await mete.organization(org)).key);
  await mete.must('POST', `/api/v1/organizations/${org}/grants`, { id: 'g1', scope: { kind: 'organization', id: org }, unit: 'tokens', amount: '1000', source: 'admin' });
  const file = await upload([chat('a', { in: 30, out: 7 }), chat('b', { in: 5, out: 1 })], theirs);
  const batch = await begin(file, {}, {}, theirs);
  provider.finish(batch.id);
  const { output_file_id: output } = await theirs.batches.retrieve(batch.id);
  await Promise.all([fetchAll(output, theirs), fetchAll(output, theirs)]);
  const quotas = (await mete.must('GET', `/api/v1/organizations/${org}/quotas`)).data;
  assert.match(JSON.stringify(quotas), /"(drawn|used)":"?43"?/);
  await reachesNobody(upload(Array.from({ length: 40 }, (_, i) => chat(`a${i}`)), theirs), (error) => error.status === 429 && error.code === 'insufficient_quota');
});

test('prices that have changed since the upload: the file is to be uploaded again', async () => {
  const org = 'dear';
  const theirs = clientOf((await mete.organization(org)).key);
  const file = await upload([chat('a')], theirs);
  await mete.must('POST', `/api/v1/organizations/${org}/prices`, { model: 'gpt-4o-mini', prices: { input_per_million: '1', output_per_million: '2' } });
  await reachesNobody(begin(file, {}, {}, theirs), (error) => error.status === 400 && error.code === 'prices_changed' && error.param === 'input_file_id');
  await begin(await upload([chat('a')], theirs), {}, {}, theirs);
});

test('another name of a model, and models and providers out of use', async () => {
  await mete.must('PUT', '/api/v1/models/nickname', { alias_of: 'gpt-4o-mini' });
  const first = await roof();
  const file = await upload([chat('a', {}, { model: 'nickname' })]);
  assert.match(provider.files.get(file.id).bytes.toString(), /"model":"gpt-4o-mini"/);
  const batch = await begin(file, {}, named('nicknamed'));
  const billed = provider.finish(batch.id);
  await fetchAll((await client.batches.retrieve(batch.id)).output_file_id);
  assert.deepEqual(await roof(), { used: first.used + billed, held: 0n });
  assert.equal((await recordsOf('nicknamed'))[0].model, 'nickname');
  await mete.must('PUT', '/api/v1/models/gpt-4o-mini', { max_output_tokens: 20 });
  const bounded = await upload([chat('a', {}, { max_tokens: 100 })]);
  assert.match(provider.files.get(bounded.id).bytes.toString(), /"max_tokens":20/);
  await mete.must('PUT', '/api/v1/models/gpt-4o-mini', { enabled: false });
  const refused = (error) => error.status === 403 && error.code === 'model_disabled';
  await reachesNobody(upload([chat('a')]), refused);
  await reachesNobody(upload([chat('a', {}, { model: 'nickname' })]), refused);
  await reachesNobody(begin(file), refused);
  await mete.must('PUT', '/api/v1/models/gpt-4o-mini', { enabled: true });
});

test('the way down waits for nobody who fetches', { timeout: 60000 }, async () => {
  const first = await roof();
  const batch = await begin(await upload(Array.from({ length: 400 }, (_, i) => chat(`c${i}`))));
  const billed = provider.finish(batch.id);
  const { output_file_id: output } = await client.batches.retrieve(batch.id);
  provider.slow = true;
  const late = fetchAll(output).catch(() => {});
  await new Promise((done) => { setTimeout(done, 100); });
  await mete.stop();
  await late;
  provider.slow = false;
  await mete.spawn();
  client = clientOf(key);
  await fetchAll(output);
  assert.deepEqual(await roof(), { used: first.used + billed, held: 0n });
});

test('kill -9 between the beginning and the fetch: reserved all the time, billed once', { timeout: 60000 }, async () => {
  const first = await roof();
  const batch = await begin(await upload([chat('a'), chat('b')]), {}, named('survivor'));
  const { held } = await roof();
  await mete.kill();
  await mete.spawn();
  client = clientOf(key);
  assert.deepEqual(await roof(), { used: first.used, held });
  assert.deepEqual(await begin({ id: batch.input_file_id }, {}, named('survivor')), batch, 'known by its request id');
  const billed = provider.finish(batch.id);
  const { output_file_id: output } = await client.batches.retrieve(batch.id);
  await mete.kill();
  await mete.spawn();
  client = clientOf(key);
  await fetchAll(output);
  await mete.kill();
  await mete.spawn();
  client = clientOf(key);
  await fetchAll(output);
  assert.deepEqual(await roof(), { used: first.used + billed, held: 0n });
  const records = await recordsOf('survivor');
  assert.deepEqual(records.map(({ cost }) => nano(cost)), [billed]);
});
