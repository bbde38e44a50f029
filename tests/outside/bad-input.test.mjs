// SPDX-License-Identifier: Apache-2.0
// Proves that wrong input changes nothing and is told by name. The cases are generated from
// docs/openapi.yaml: for every member of every request body and every parameter, what is missing,
// of another type, negative, absurd, too long, of an unknown id, zone or name; and bodies that are no
// JSON. Each must get a 4xx (501 for what is known and not built yet) whose `field` is that member,
// and leave the hash of the whole state as it was.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { operations, requestSchema, resolve, validator } from './contract.mjs';
import { Mete, PRICES, configuration, run, temporary } from './mete.mjs';
import { Provider } from './provider.mjs';

const ORG = 'strict';
let provider;
let mete;
let key;
let reservation;

before(async () => {
  provider = await new Provider(PRICES).start();
  const directory = temporary();
  const sealing = path.join(directory, 'sealing.key');
  assert.equal(run(['credential', 'new-key', sealing]).status, 0);
  const config = configuration(provider, { sealing_key_file: sealing });
  config.providers.push({ name: 'sealed', base_url: provider.url, models: ['sealed-*'] });
  mete = await Mete.start({ directory, config });
  key = await mete.organization(ORG);
  await mete.budget(ORG, { id: 'own', amount: '100.00' });
  await mete.must('POST', `/api/v1/organizations/${ORG}/grants`, { id: 'base-grant', scope: { kind: 'api_key', id: key.id }, unit: 'tokens', amount: '10' });
  await mete.must('POST', `/api/v1/organizations/${ORG}/rate-limits`, { id: 'base-rate', scope: { kind: 'organization', id: ORG }, unit: 'tokens', limit: '1000000' });
  await mete.must('POST', `/api/v1/organizations/${ORG}/members`, { id: 'base-member', role: 'viewer', password: 'correct horse battery' });
  await mete.must('POST', `/api/v1/organizations/${ORG}/plans`, { id: 'base-plan', name: 'Base', grants: [{ unit: 'tokens', amount: '5' }] });
  await mete.must('POST', `/api/v1/organizations/${ORG}/packages`, { id: 'base-package', name: 'Base', price: '1.00', grants: [{ unit: 'tokens', amount: '5' }] });
  reservation = (await mete.must('POST', '/api/v1/budget/reserve',
    { request_id: 'base', scope: { kind: 'organization', id: ORG }, amount: '1.00', ttl_seconds: 3600 })).reserve_id;
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const SCOPE = { kind: 'user', id: 'ada', organization: ORG };
// A body of each operation that would be accepted, with every member that can stand beside the others.
const GOOD = {
  createOrganization: { id: 'new-org', name: 'New', currency: 'USD', time_zone: 'UTC' },
  updateOrganization: { name: 'New', time_zone: 'UTC' },
  createDepartment: { id: 'new-dep', name: 'New', parent: 'research' },
  updateDepartment: { name: 'New', parent: null },
  createMember: { id: 'new-member', name: 'New', role: 'viewer', user: 'ada', password: 'correct horse battery' },
  updateMember: { name: 'New', role: 'admin', user: 'ada', password: 'correct horse battery' },
  createServiceToken: { name: 'New', permissions: ['keys.read'], expires_at: '2099-01-01T00:00:00Z' },
  login: { organization: ORG, member: 'base-member', password: 'correct horse battery' },
  changePassword: { current: 'correct horse battery', password: 'staple of the horse' },
  createUser: { id: 'new-user', name: 'New', department: 'research' },
  updateUser: { name: 'New', department: 'research' },
  createIncrease: { amount: '5.00', from: '2098-01-01T00:00:00Z', until: '2099-01-01T00:00:00Z' },
  createRateLimit: { id: 'new-rate', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', limit: '1000', period_seconds: 60, burst: '100', mode: 'shadow', models: ['gpt-*'] },
  updateRateLimit: { limit: '2000', period_seconds: 30, burst: '100', mode: 'shadow' },
  createGrant: { id: 'new-grant', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '5', priority: 1, expires_at: '2099-01-01T00:00:00Z', source: 'purchase' },
  updateGrant: { amount: '1000', priority: 2, expires_at: null, source: 'gift' },
  refundGrant: { amount: '1' },
  createBudget: { id: 'new-budget', name: 'New', scope: { kind: 'user', id: 'ada' }, unit: 'USD', amount: '5.00', period: 'daily', time_zone: 'UTC', mode: 'enforce', alert_thresholds: [0.5, 90], controls: { hard_limit: true }, alert_enabled: true, notify: ['ops@example.org'], pacing: { strategy: 'even', update_interval_seconds: 60, min_allocation: 0.1 }, current_spend: 0, usage_percentage: 0, starts_at: '2026-01-01T00:00:00Z', ends_at: '2098-01-01T00:00:00Z' },
  updateBudget: { name: 'New', amount: '7.00', mode: 'shadow', alert_thresholds: [0.5] },
  updateOwnBudget: { name: 'New', amount: '7.00', mode: 'shadow', alert_thresholds: [0.5] },
  setBudgetAlerts: { alert_thresholds: [0.5, 90], alert_enabled: true, notify: ['ops@example.org'] },
  setOwnBudgetAlerts: { alert_thresholds: [0.5, 90], alert_enabled: true, notify: ['ops@example.org'] },
  checkBudgets: { amount: '0.05', unit: 'USD', scope: { kind: 'user', id: 'ada' }, model: 'gpt-4o', provider: 'p', session: 's', tags: ['a'] },
  checkBudget: { amount: '0.05', model: 'gpt-4o', provider: 'p', session: 's', tags: ['a'] },
  createApiKey: { name: 'New', user: 'ada', department: 'research', models: ['gpt-*'], permissions: { endpoints: ['chat'], ip_ranges: ['0.0.0.0/0'] }, labels: { team: 'red' }, monthly_request_quota: 5, expires_at: '2099-01-01T00:00:00Z' },
  updateApiKey: { name: 'New', models: ['gpt-*'], permissions: { endpoints: ['chat'], ip_ranges: ['0.0.0.0/0'] }, labels: { team: 'red' }, monthly_request_quota: 5, requests_per_minute: 6, tokens_per_minute: 7, concurrent_requests: 8, disconnect: 'drain', expires_at: '2099-01-01T00:00:00Z' },
  regenerateApiKey: { overlap_seconds: 60 },
  batchApiKeys: { operation: 'update', ids: ['key_000000000000'], update: { name: 'New', labels: { team: 'red' } }, all_or_none: true },
  createExchangeRate: { from: 'USD', to: 'EUR', rate: '0.9', effective_at: '2099-01-01T00:00:00Z' },
  createPrice: { model: 'new-model', provider: 'p', currency: 'USD', max_output_tokens: 5, prices: { input_per_million: '1', output_per_million: '2' }, tiers: [{ service: 'batch', prices: { input_per_million: '1', output_per_million: '1' } }], effective_at: '2099-01-01T00:00:00Z' },
  diffPrices: { prices: [{ model: 'new-model', prices: { input_per_million: '1', output_per_million: '2' } }], effective_at: '2099-01-01T00:00:00Z' },
  applyPrices: { prices: [{ model: 'new-model', prices: { input_per_million: '1', output_per_million: '2' } }], effective_at: '2099-01-01T00:00:00Z', accept_absurd: false },
  ratePricesAgain: { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z', at: '2026-02-01T00:00:00Z', organization: ORG, prices: [{ model: 'new-model', prices: { input_per_million: '1', output_per_million: '2' } }] },
  createOwnPrice: { model: 'new-model', prices: { input_per_million: '1', output_per_million: '2' }, effective_at: '2099-01-01T00:00:00Z' },
  setMarkup: { percent: '12.5', models: ['gpt-*'], effective_at: '2099-01-01T00:00:00Z' },
  revokeApiKey: {},
  settleRecord: { amount: '0.05', metadata: { a: 'b' } },
  grantQuota: { id: 'new-quota-grant', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '5', priority: 1, expires_at: '2099-01-01T00:00:00Z', source: 'admin', source_id: 's-1', description: 'D' },
  consumeQuota: { scope: { kind: 'user', id: 'ada' }, unit: 'tokens', amount: '1', request_id: 'c-1', model: 'm' },
  createLowBalance: { id: 'new-low', scope: { kind: 'user', id: 'ada' }, unit: 'tokens', below: '5' },
  createPlan: { id: 'new-plan', name: 'New', description: 'D', grants: [{ unit: 'tokens', amount: '5' }] },
  updatePlan: { name: 'New' },
  createPackage: { id: 'new-package', name: 'New', description: 'D', price: '1.00', currency: 'EUR', enabled: true, grants: [{ unit: 'tokens', amount: '5' }] },
  updatePackage: { name: 'New' },
  purchasePackage: { scope: { kind: 'user', id: 'ada' }, reference: 'pay-1' },
  createSubscription: { id: 'new-subscription', scope: { kind: 'user', id: 'ada' }, plan: 'base-plan' },
  createCodes: { package: 'base-package', count: 1, uses: 1, expires_at: '2099-01-01T00:00:00Z', description: 'D' },
  redeemFor: { code: `mc_${'0'.repeat(26)}`, scope: { kind: 'user', id: 'ada' } },
  redeem: { code: `mc_${'0'.repeat(26)}` },
  createTransaction: { operations: [{ method: 'POST', path: `/api/v1/organizations/${ORG}/users`, body: { id: 'in-one', name: 'In one' } }] },
  backup: { directory: '/tmp/mete-backup-never-made' },
  updateCatalogModel: { type: 'text', context_tokens: 5, max_output_tokens: 6, alias_of: 'gpt-4o', enabled: true },
  updateProvider: { enabled: true },
  setCredential: { secret: 'a-credential-of-a-provider' },
  resealCredentials: { key_file: '/nonexistent/sealing.key' },
  countTokens: { model: 'gpt-4o', text: 'a', ids: true, special: true },
  check: { scope: SCOPE, amount: '0.05' },
  reserve: { request_id: 'new-1', scope: SCOPE, amount: '0.05', ttl_seconds: 60, timestamp: '2026-01-01T00:00:00Z' },
  extend: { amount: '0.05', ttl_seconds: 60 },
  deduct: { amount: '0.05' },
  release: {},
  record: { request_id: 'new-2', scope: SCOPE, amount: '0.05', provider: 'p', status: 200, metadata: { a: 'b' } },
};
const good = (id) => ({ ...structuredClone(GOOD[id]), ...(['extend', 'deduct', 'release'].includes(id) ? { reserve_id: reservation } : {}) });

// References to things that must be there, by the last name of their path.
const UNKNOWN = {
  'createDepartment.parent': 'nobody', 'updateDepartment.parent': 'nobody', 'createMember.user': 'nobody', 'updateMember.user': 'nobody',
  'updateOrganization.time_zone': 'Mars/Phobos', 'createUser.department': 'nobody', 'createApiKey.user': 'nobody', 'createApiKey.department': 'nobody',
  'updateUser.department': 'nobody', 'createRateLimit.scope.id': 'nobody', 'createRateLimit.scope.organization': 'nobody', 'createGrant.scope.id': 'nobody', 'createGrant.scope.organization': 'nobody',
  'checkBudgets.scope.id': 'nobody', 'checkBudgets.scope.organization': 'nobody',
  'createBudget.scope.id': 'nobody', 'createBudget.scope.organization': 'nobody',
  'check.scope.id': 'nobody', 'reserve.scope.id': 'nobody', 'record.scope.id': 'nobody',
  'check.scope.organization': 'nobody', 'reserve.scope.organization': 'nobody', 'record.scope.organization': 'nobody',
  'extend.reserve_id': '999999999', 'deduct.reserve_id': '999999999', 'release.reserve_id': '999999999',
  'createOrganization.time_zone': 'Mars/Phobos', 'createBudget.time_zone': 'Mars/Phobos',
};

const REMOVE = Symbol('missing');

/** The body with another value at a path of names and indexes. */
function changed(body, path, value) {
  const copy = structuredClone(body);
  let at = copy;
  path.slice(0, -1).forEach((step, i) => {
    at[step] ??= typeof path[i + 1] === 'number' ? [] : {};
    at = at[step];
  });
  if (value === REMOVE) delete at[path.at(-1)];
  else at[path.at(-1)] = value;
  return copy;
}

// Values a member cannot have, by its schema: [what is wrong, value, the part at fault].
function* wrongValues(schema) {
  const kinds = [schema, ...(schema.anyOf ?? [])].map(resolve);
  const types = new Set(kinds.flatMap((k) => k.type ?? (k.enum ? ['string'] : [])));
  const samples = { string: 'x', number: 12.5, boolean: true, null: null, object: { a: 1 }, array: [1] };
  for (const [type, value] of Object.entries(samples)) {
    if (types.has(type) && type !== 'string') continue;
    if (type === 'string' && types.has('string')) continue;
    yield [`a ${type}`, value];
  }
  for (const kind of kinds) {
    if (kind.type === 'integer' || kind.type === 'number') {
      yield ['negative', -1];
      yield ['absurd', 1e30];
      if (kind.type === 'integer') yield ['a fraction', 1.5];
      if (kind.minimum > 0 || kind.exclusiveMinimum === 0) yield ['zero', 0];
      if (kind.maximum !== undefined && kind.maximum < 1e15) yield ['over its maximum', kind.maximum + 1];
    }
    if (kind.type === 'string') {
      yield ['empty', ''];
      yield ['far too long', 'a'.repeat(20000)];
      if (kind.maxLength) yield ['too long', 'a'.repeat(kind.maxLength + 1)];
      if (kind.pattern) yield ['with a space', 'a b'];
      if (kind.pattern) yield ['with a line end', 'a\nb'];
    }
    if (kind.enum) yield ['unknown', 'nonsense'];
    if (/^\^\[0-9\]/.test(kind.pattern ?? '') && kind.format !== 'date-time') {
      for (const amount of ['-1', '-0.01', '1e3', '0x10', '1,5', '.5', '5.', '0.1234567891', '99999999999999999999', 'NaN', 'Infinity']) yield [`the amount ${amount}`, amount];
    }
    if (kind.format === 'date-time') {
      for (const instant of ['yesterday', '2026-13-01T00:00:00Z', '2026-02-30T00:00:00Z', '2026-01-01', '2026-01-01T25:00:00Z']) yield [`the instant ${instant}`, instant];
    }
    if (kind.type === 'array' && kind.maxItems) {
      const item = resolve(kind.items).type === 'number' ? (i) => 0.001 * (i + 1) : (i) => `m${i}`;
      yield ['too many', Array.from({ length: kind.maxItems + 1 }, (_, i) => item(i))];
      if (kind.uniqueItems) yield ['the same twice', [0.5, 0.5], '[1]'];
    }
  }
}

// A value a member could have, for those the good body lacks.
function aValue(schema) {
  const node = resolve(schema);
  if (node.enum) return node.enum[0];
  if (node.anyOf) return aValue(node.anyOf[0]);
  if (node.type === 'boolean') return node.description.includes('false: not yet') ? false : true;
  if (node.type === 'integer') return Math.max(node.minimum ?? 1, 1);
  if (node.type === 'number') return 0.5;
  if (node.type === 'array') return ['x'];
  if (node.format === 'date-time') return '2099-01-01T00:00:00Z';
  if (/^\^\[0-9\]/.test(node.pattern ?? '')) return '1';
  return 'x';
}

/** Every wrong body of an operation: {what, body, field, notYet}. */
function* casesOf(id, schema) {
  yield* membersOf(id, single(schema), good(id), []);
}

/** The schema of one call, where a body may also be an array of them. */
function single(schema) {
  const node = resolve(schema);
  return node.properties ? node : resolve(node.oneOf[0]);
}

function* membersOf(id, object, base, path) {
  const name = (last) => [...path, last].map((step, i) => (typeof step === 'number' ? `[${step}]` : (i ? '.' : '') + step)).join('');
  for (const required of object.required ?? []) {
    yield { what: 'missing', body: changed(base, [...path, required], REMOVE), field: name(required) };
  }
  yield { what: 'unknown', body: changed(base, [...path, 'nonsense'], 1), field: name('nonsense') };
  for (const [member, schema] of Object.entries(object.properties ?? {})) {
    const node = resolve(schema);
    const at = [...path, member];
    // An alias that excludes its original takes its place.
    const start = member === 'monthly_limit' ? changed(base, ['amount'], REMOVE)
      : member === 'expire_time' ? changed(base, ['ttl_seconds'], REMOVE)
        : member === 'texts' ? changed(base, ['text'], REMOVE) : base;
    for (const [what, value, part = ''] of wrongValues(node)) yield { what, body: changed(start, at, value), field: name(member) + part };
    const unknown = UNKNOWN[`${id}.${name(member)}`];
    if (unknown) yield { what: 'of an unknown id or zone', body: changed(start, at, unknown), field: name(member), valid: true };
    if (/not yet: 501/.test(node.description ?? '')) {
      const value = member === 'kind' ? 'campaign' : member === 'time_zone' ? 'Europe/Berlin' : member === 'currency' ? 'EUR'
        : member === 'unit' ? 'input_tokens' : aValue(node);
      yield { what: 'not yet', body: changed(start, at, value), field: name(member), valid: true, notYet: true };
    }
    if (node.type === 'object' && node.properties) {
      const present = at.reduce((value, step) => value?.[step], start) ?? (member === 'usage' ? { total_tokens: 5 } : {});
      yield* membersOf(id, node, changed(start, at, present), at);
    }
    if (node.type === 'array' && member !== 'tags') {
      for (const [what, value] of wrongValues(resolve(node.items))) {
        yield { what: `holding ${what}`, body: changed(start, [...at, 0], value), field: `${name(member)}[0]` };
      }
    }
  }
}

// not-yet members may be answered before their value is looked at, and the whole member be named.
function names(field, expected) {
  return field === expected || (expected.startsWith(field ?? '\0') && /[.[]/.test(expected[field.length] ?? ''));
}

async function refused(method, path, body, expected) {
  const where = `${method} ${path} ${expected.what}: ${(typeof body === 'string' ? body : JSON.stringify(body) ?? '').slice(0, 300)}`;
  const before_ = await mete.hash();
  const reply = await mete.api(method, path, body, expected.options);
  assert.ok((reply.status >= 400 && reply.status < 500) || reply.status === 501, `${where} -> ${reply.status} ${reply.text}`);
  if (reply.status === 501) assert.ok(expected.notYet || expected.mayBeNotYet, `${where} -> 501 ${reply.text}`);
  if (expected.notYet) assert.equal(reply.status, 501, `${where} -> ${reply.status} ${reply.text}`);
  if (expected.field) assert.ok(names(reply.body.field, expected.field), `${where} names ${reply.body.field}, not ${expected.field}: ${reply.text}`);
  assert.equal(await mete.hash(), before_, `${where} changed the state`);
}

const pathOf = (path) => path.replace('{org}', ORG).replace('{budget}', 'own').replace('{key}', key.id).replace('{user}', 'ada').replace('{department}', 'research').replace('{member}', 'base-member').replace('{grant}', 'base-grant').replace('{rate}', 'base-rate').replace('{provider}', 'sealed').replace('{plan}', 'base-plan').replace('{package}', 'base-package');
const writing = operations.filter((o) => o.path.startsWith('/api/') && o.operation.requestBody);

for (const { method, path, operation } of writing) {
  test(`${operation.operationId}: every member, wrong in every way`, { timeout: 120000 }, async (t) => {
    const schema = requestSchema(operation);
    const validate = validator(schema);
    assert.ok(validate(good(operation.operationId)), `the good body is good: ${JSON.stringify(validate.errors)}`);
    let seen = 0;
    const faults = [];
    for (const wrong of casesOf(operation.operationId, schema)) {
      // A value that the contract allows here (another alternative of the member) is no case.
      if (!wrong.valid && validate(wrong.body)) continue;
      try {
        await refused(method, pathOf(path), wrong.body, { ...wrong, mayBeNotYet: notYet(schema, wrong.field) });
      } catch (error) { faults.push(error.message.split('\n')[0]); }
      seen += 1;
    }
    t.diagnostic(`${seen} cases`);
    assert.deepEqual(faults, [], `${faults.length} of ${seen}`);
  });
}

function notYet(schema, field) {
  let node = single(schema);
  for (const step of field.split(/[.[]/)) {
    node = resolve(node.properties?.[step] ?? node.items ?? {});
    if (/not yet: 501/.test(node.description ?? '')) return true;
  }
  return false;
}

const BROKEN = [
  ['empty', ''], ['cut', '{"id": "a"'], ['with something after it', '{} {}'], ['a word', 'nonsense'], ['null', 'null'],
  ['a number', '5'], ['a text', '"a"'], ['single quotes', "{'id': 'a'}"], ['a comma too many', '{"id": "a",}'],
  ['a bare name', '{id: "a"}'], ['nested deeply', '['.repeat(50000)], ['NaN', '{"amount": NaN}'],
  ['a control character', '{"id": "a\u0001"}'], ['half a pair of surrogates', '{"id": "\\ud800"}'],
];
test('bodies that are no JSON, or none of an object', { timeout: 120000 }, async () => {
  for (const { method, path, operation } of writing) {
    for (const [what, body] of BROKEN) {
      if (body === '' && operation.requestBody.required === false) continue;
      await refused(method, pathOf(path), body, { what });
    }
  }
});

test('the same member twice', { timeout: 60000 }, async () => {
  await refused('POST', '/api/v1/budget/reserve', '{"request_id":"twice","scope":{"kind":"organization","id":"strict"},"amount":"1","amount":"2"}', { what: 'twice', field: 'amount' });
  await refused('POST', '/api/v1/organizations', '{"id":"twice","name":"a","name":"b"}', { what: 'twice', field: 'name' });
});

test('bytes that are not UTF-8', async () => {
  const before_ = await mete.hash();
  const response = await fetch(`${mete.url}/api/v1/organizations`, {
    method: 'POST', headers: { authorization: 'Bearer admin-token-of-the-outside-tests-0123456789' },
    body: Buffer.concat([Buffer.from('{"id":"utf","name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
  });
  assert.equal(response.status, 400);
  assert.equal(await mete.hash(), before_);
});

test('neither an amount nor usage', async () => {
  for (const id of ['check', 'reserve', 'record']) {
    const { amount, ...body } = good(id);
    await refused('POST', `/api/v1/budget/${id}`, body, { what: 'neither', field: 'amount' });
  }
});

// Parameters that others need beside them.
const BESIDE = {
  stats: { kind: 'user', id: 'ada', organization: ORG },
  listQuotas: { kind: 'user', id: 'ada' },
  quotaBalance: { kind: 'user', id: 'ada', unit: 'tokens' },
  quotaEnough: { kind: 'user', id: 'ada', unit: 'tokens', amount: '1' },
  quotaHistory: { kind: 'user', id: 'ada', unit: 'tokens' },
  listGrants: { kind: 'user', id: 'ada', unit: 'tokens' },
  listRecords: { organization: ORG },
};
test('every parameter, wrong in every way', { timeout: 60000 }, async () => {
  for (const { method, path, operation, parameters } of operations.filter((o) => o.path.startsWith('/api/') && o.method === 'GET')) {
    for (const parameter of parameters.filter((p) => p.in === 'query')) {
      const schema = resolve(parameter.schema);
      const wrong = ['', 'a'.repeat(5000), '%00'];
      if (schema.type === 'integer') wrong.push('-1', '0', '1.5', 'x', String(schema.maximum + 1), '99999999999999999999');
      if (schema.enum) wrong.push('nonsense');
      if (schema.format === 'date-time') wrong.push('yesterday', '2026-02-30T00:00:00Z');
      if (schema.pattern) wrong.push('a%20b', '%ZZ');
      const beside = Object.entries(BESIDE[operation.operationId] ?? {}).filter(([name]) => name !== parameter.name).map(([name, value]) => `&${name}=${value}`).join('');
      for (const value of wrong) {
        await refused(method, `${pathOf(path)}?${parameter.name}=${value}${beside}`, undefined, { what: 'parameter', field: parameter.name });
      }
    }
    const queried = parameters.some((p) => p.in === 'query');
    if (queried) await refused(method, `${pathOf(path)}?nonsense=1`, undefined, { what: 'unknown parameter', field: 'nonsense' });
  }
});

// What is said of a model is kept whether or not one of that name was known.
const MAKES_WHAT_IT_NAMES = new Set(['updateCatalogModel']);

test('what is named in a path and is not there', { timeout: 60000 }, async () => {
  for (const { method, path, operation } of operations.filter((o) => o.path.startsWith('/api/') && o.path.includes('{'))) {
    for (const [parameter] of path.matchAll(/\{[^}]+\}/g)) {
      const body = operation.requestBody ? good(operation.operationId) : undefined;
      const nobody = MAKES_WHAT_IT_NAMES.has(operation.operationId) ? [] : ['nobody'];
      for (const id of [...nobody, 'a'.repeat(129), 'a%20b', '%00']) {
        const reply = await mete.api(method, pathOf(path.replace(parameter, id)), body);
        assert.ok([400, 404].includes(reply.status), `${method} ${path} with ${id} -> ${reply.status} ${reply.text}`);
      }
    }
  }
  for (const path of ['/api/v1', '/api/v1/', '/api/v1/nonsense', '/api/v2/me', '/api/v1/organizations/strict/nonsense', '/api/v1/me/more']) {
    assert.equal((await mete.api('GET', path)).status, 404, path);
  }
  assert.equal((await mete.api('DELETE', '/api/v1/me')).status, 405);
  assert.equal((await mete.api('PUT', '/api/v1/budget/reserve', {})).status, 405);
});

test('who may not is told so, and nothing changes', { timeout: 60000 }, async () => {
  const closed = operations.filter((o) => o.path.startsWith('/api/') && o.operation.security?.length !== 0);
  for (const { method, path, operation } of closed) {
    const body = operation.requestBody ? good(operation.operationId) : undefined;
    for (const token of ['', 'nonsense', `mete_sk_${'0'.repeat(48)}`]) {
      const before_ = await mete.hash();
      const reply = await mete.api(method, pathOf(path), body, { token });
      assert.equal(reply.status, 401, `${method} ${path} ${token}: ${reply.text}`);
      assert.equal(await mete.hash(), before_);
    }
  }
});

// The gateway's own door: OpenAI's error body, with the member in `param`.
test('chat completions: every member the gateway reads, wrong in every way', { timeout: 60000 }, async () => {
  const base = { model: 'test-small', messages: [{ role: 'user', content: 'x' }] };
  const wrong = [
    ['model', undefined], ['model', 5], ['model', null], ['model', ''], ['model', 'm'.repeat(129)], ['model', {}],
    ['messages', undefined], ['messages', 5], ['messages', null],
    ['stream', 'yes'], ['stream', 1], ['stream_options', 5], ['stream_options', 'x'],
    ['max_tokens', -1], ['max_tokens', 0], ['max_tokens', 1.5], ['max_tokens', '5'], ['max_tokens', 1e30], ['max_tokens', {}],
    ['max_completion_tokens', -1], ['max_completion_tokens', 0], ['max_completion_tokens', 'x'],
    ['n', 0], ['n', -1], ['n', 1.5], ['n', 'x'], ['n', 100000000],
  ];
  for (const [member, value] of wrong) {
    const before_ = await mete.hash();
    const reply = await mete.chat(key.key, { ...base, [member]: value });
    const text = await reply.text();
    assert.ok(reply.status === 400, `${member} ${JSON.stringify(value)} -> ${reply.status} ${text}`);
    assert.equal(JSON.parse(text).error.param, member, `${member} ${JSON.stringify(value)}: ${text}`);
    assert.equal(await mete.hash(), before_);
  }
  for (const [what, body] of BROKEN.filter(([name]) => !['a control character', 'half a pair of surrogates'].includes(name))) {
    const before_ = await mete.hash();
    const reply = await mete.chat(key.key, body);
    assert.equal(reply.status, 400, `${what}: ${await reply.text()}`);
    assert.equal(await mete.hash(), before_);
  }
  assert.equal(provider.calls.length, 0, 'nobody was asked');
});
