// SPDX-License-Identifier: Apache-2.0
// Members, service tokens and sessions over HTTP, every reply against the contract: a company's
// administrator logs in as a browser does, works, and is logged out by a restart.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import path from 'node:path';
import { configuration, Mete, run, temporary } from './mete.mjs';

const PASSWORD = 'correct horse battery';
const ORG = '/api/v1/organizations/company';
let mete;

before(async () => {
  mete = await Mete.start({ config: configuration(null) });
  await mete.organization('company');
  await mete.must('POST', `${ORG}/members`, { id: 'ada@company.example', name: 'Ada', role: 'owner', user: 'ada', password: PASSWORD });
});
after(() => mete.stop());

async function login(member = 'ada@company.example', password = PASSWORD) {
  const reply = await mete.api('POST', '/api/v1/login', { organization: 'company', member, password }, { token: null });
  if (reply.status !== 200) return reply;
  const cookie = reply.headers.get('set-cookie').split(';')[0];
  const headers = { cookie, origin: mete.url };
  return { token: null, headers: { ...headers, 'x-mete-csrf': reply.body.csrf }, reply, bare: { token: null, headers } };
}

test('a member logs in, works, and logs out', async () => {
  const { reply, bare, ...as } = await login();
  assert.match(reply.headers.get('set-cookie'), /; HttpOnly; SameSite=Strict; Max-Age=43200$/);
  assert.equal(reply.headers.get('cache-control'), 'no-store');
  assert.equal(reply.body.role, 'owner');
  await mete.must('POST', `${ORG}/departments`, { id: 'lab', name: 'Lab', parent: 'research' }, as);
  await mete.must('PUT', `${ORG}/departments/lab`, { name: 'Laboratory' }, as);
  const forged = await mete.api('POST', `${ORG}/departments`, { id: 'x', name: 'X' }, bare);
  assert.equal(forged.status, 403);
  assert.equal(forged.body.field, 'X-Mete-CSRF');
  const made = await mete.must('POST', `${ORG}/members`, { id: 'bob', role: 'viewer', password: PASSWORD }, as);
  assert.equal(made.has_password, true);
  assert.equal((await mete.all(`${ORG}/members`, as)).length, 2);
  assert.equal((await mete.api('DELETE', `${ORG}/members/ada@company.example`, undefined, as)).status, 409);
  const [change] = (await mete.must('GET', `${ORG}/audit?kind=department&limit=1`, undefined, as)).data;
  assert.equal(change.actor, 'member:company/ada@company.example');
  assert.equal((await mete.api('POST', '/api/v1/logout', undefined, as)).status, 204);
  assert.equal((await mete.api('GET', '/api/v1/session', undefined, as)).status, 401);
});

test('a role is what one may do, and of others there is nothing', async () => {
  await mete.must('POST', '/api/v1/organizations', { id: 'other', name: 'Other' });
  const { reply, bare, ...as } = await login('bob');
  assert.deepEqual(reply.body.permissions.filter((word) => word.endsWith('.write')), []);
  assert.equal((await mete.api('GET', `${ORG}/users`, undefined, as)).status, 200);
  const refused = await mete.api('POST', `${ORG}/users`, { id: 'x', name: 'X' }, as);
  assert.equal(refused.status, 403);
  assert.match(refused.body.detail, /organization\.write/);
  assert.equal((await mete.api('GET', '/api/v1/organizations/other/users', undefined, as)).status, 404);
  assert.equal((await mete.api('GET', '/api/v1/organizations', undefined, as)).status, 403);
  assert.equal((await mete.api('GET', '/api/v1/records?organization=other', undefined, as)).status, 404);
  assert.equal((await mete.api('GET', '/api/v1/records', undefined, as)).status, 200);
});

test('a service token works until it is revoked, also after a restart', async () => {
  const made = await mete.must('POST', `${ORG}/service-tokens`, { name: 'ci', permissions: ['keys.read', 'keys.write'] });
  const as = { token: made.token };
  await mete.must('POST', `${ORG}/api-keys`, { name: 'of ci' }, as);
  assert.equal((await mete.api('GET', `${ORG}/users`, undefined, as)).status, 403);
  const { bare, reply, ...session } = await login();
  await mete.stop();
  await mete.spawn();
  assert.equal((await mete.api('GET', '/api/v1/session', undefined, session)).status, 401);
  await mete.must('GET', `${ORG}/api-keys`, undefined, as);
  assert.ok((await mete.must('GET', `${ORG}/service-tokens/${made.id}`)).last_used_at);
  assert.equal((await mete.api('DELETE', `${ORG}/service-tokens/${made.id}`)).status, 204);
  assert.equal((await mete.api('GET', `${ORG}/api-keys`, undefined, as)).status, 401);
  assert.ok(!mete.stderr.includes(made.token) && !mete.stderr.includes(PASSWORD), 'no secret is logged');
});

test('whoever may spend does, for every scope of the organization, and is named in the record', async () => {
  const made = await mete.must('POST', `${ORG}/service-tokens`, { name: 'billing', permissions: ['budget.spend'] });
  const as = { token: made.token };
  const scope = { kind: 'user', id: 'ada' };
  const { reserve_id } = await mete.must('POST', '/api/v1/budget/reserve', { request_id: 's-1', scope, amount: '0.05' }, as);
  await mete.must('POST', '/api/v1/budget/deduct', { reserve_id, amount: '0.03' }, as);
  const { reply, bare, ...owner } = await login();
  await mete.must('POST', '/api/v1/budget/record', { request_id: 's-2', scope, amount: '0.01' }, owner);
  const actors = (await mete.all('/api/v1/records?organization=company')).map((record) => record.actor);
  assert.deepEqual(actors, ['member:company/ada@company.example', `token:company/${made.id}`]);
  await mete.must('POST', '/api/v1/organizations', { id: 'elsewhere', name: 'Elsewhere' });
  const other = { request_id: 's-3', scope: { kind: 'organization', id: 'elsewhere' }, amount: '0.01' };
  assert.equal((await mete.api('POST', '/api/v1/budget/record', other, as)).status, 404);
  assert.equal((await mete.api('GET', `${ORG}/budgets`, undefined, as)).status, 403);
  const { reply: viewer, bare: none, ...bob } = await login('bob');
  assert.equal((await mete.api('POST', '/api/v1/budget/check', { scope, amount: '0.01' }, bob)).status, 403);
});

test('a password is not to be guessed', async () => {
  let last;
  for (let i = 0; i < 11; i++) last = await login('bob', 'not the password');
  assert.equal(last.status, 429);
  assert.ok(Number(last.headers.get('retry-after')) > 0);
  assert.equal((await login('nobody', 'not the password')).status, 401);
});

test('the same from the shell, with no server', () => {
  const env = { METE_DATA: path.join(temporary(), 'data') };
  const mete = (words, more = {}) => run(words.split(' '), { env, ...more });
  const one = (words, more) => {
    const done = mete(`${words} --json`, more);
    assert.equal(done.status, 0, `${words}: ${done.stderr}`);
    return done.stdout ? done.json() : null;
  };
  assert.equal(mete('init').status, 0);
  assert.equal(one('org create acme --name Acme --time-zone Europe/Berlin').time_zone, 'Europe/Berlin');
  one('department create research --organization acme --name Research');
  assert.equal(one('department create lab --organization acme --name Lab --parent research').parent, 'research');
  assert.equal(one('user create ada --organization acme --name Ada --department lab').department, 'lab');
  one('member add ada --organization acme --role owner --user ada');
  const changed = one('member passwd ada --organization acme', { input: `${PASSWORD}\n` });
  assert.equal(changed.has_password, true);
  assert.equal(one('member list --organization acme').data.length, 1);
  const made = one('token create ci --organization acme --permission keys.read --permission usage.read');
  assert.match(made.token, /^mete_st_/);
  assert.equal(mete(`key list --organization acme --token ${made.token}`).status, 0);
  const refused = mete(`user list --organization acme --token ${made.token}`);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /organization\.read/);
  assert.equal(mete(`token revoke ${made.id} --organization acme`).status, 1, 'not without a yes');
  assert.equal(mete(`token revoke ${made.id} --organization acme --yes`).status, 0);
  assert.equal(mete(`key list --organization acme --token ${made.token}`).status, 1);
  assert.equal(mete('member remove ada --organization acme --yes').status, 1, 'the last owner stays');
  assert.equal(mete('department create x --organization acme').status, 2);
  assert.equal(mete('member add x').status, 2);
  assert.match(mete('member list --organization acme').stdout, /^id +name +role/);
});
