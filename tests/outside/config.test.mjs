// SPDX-License-Identifier: Apache-2.0
// mete config apply as an administrator uses it: a company out of one file, with a server running and
// with none; the same again changes nothing; a difference is shown, and carried out whole or not at
// all; what is wrong is told with its place.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT } from './contract.mjs';
import { ADMIN, Mete, PRICES, configuration, run, temporary } from './mete.mjs';
import { Provider } from './provider.mjs';

const EXAMPLE = `${ROOT}examples/company.yaml`;
const yaml = fs.readFileSync(EXAMPLE, 'utf8');
let provider;
let mete;
before(async () => {
  provider = await new Provider(PRICES).start();
  mete = await Mete.start({ config: configuration(provider) });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const apply = (args, input) => run(['config', 'apply', ...args, '--data', mete.data], { input, env: { METE_ADMIN_TOKEN: ADMIN } });

test('a company is made of one file, and the same file changes nothing', async () => {
  const shown = await apply([EXAMPLE, '--dry-run']);
  assert.equal(shown.status, 1, shown.stderr);
  assert.match(shown.stdout, /^\+ organization globex\n\+ department globex\/research\n/);
  assert.equal((await mete.api('GET', '/api/v1/organizations/globex')).status, 404);

  const made = await apply([EXAMPLE]);
  assert.equal(made.status, 0, made.stderr);
  const key = made.stdout.match(/^key globex\/ada-laptop: (mete_sk_\w+)$/m)?.[1];
  assert.ok(key, made.stdout);
  const user = await mete.must('GET', '/api/v1/organizations/globex/users/ada');
  assert.equal(user.department, 'research');
  const me = await mete.api('GET', '/api/v1/me', undefined, { token: key });
  assert.equal(me.status, 200);

  const again = await apply([EXAMPLE, '--dry-run']);
  assert.deepEqual([again.status, again.stdout], [0, 'everything is as declared\n']);
  const unchanged = await apply([EXAMPLE, '--json']);
  assert.deepEqual([unchanged.status, JSON.parse(unchanged.stdout)], [0, { applied: false, changes: [] }]);
});

test('a difference is shown with what was and what is to be, and applied', async () => {
  const changed = yaml.replace('amount: 10000,', 'amount: 12000,').replace('name: Ada,', 'name: Ada Lovelace,');
  const shown = await apply(['-', '--dry-run', '--json'], changed);
  assert.equal(shown.status, 1, shown.stderr);
  assert.deepEqual(JSON.parse(shown.stdout).changes, [
    { act: 'change', what: 'user globex/ada', members: [{ member: 'name', from: 'Ada', to: 'Ada Lovelace' }] },
    { act: 'change', what: 'budget globex/company', members: [{ member: 'amount', from: '10000.00', to: 12000 }] },
  ]);
  assert.equal((await apply(['-'], changed)).status, 0);
  assert.equal((await mete.must('GET', '/api/v1/organizations/globex/budgets/company')).amount, '12000.00');
});

test('plans and packages are declared: made, changed by a difference, ended when it is said and agreed to', async () => {
  const of = (rest) => `/api/v1/organizations/globex${rest}`;
  assert.deepEqual((await mete.must('GET', of('/plans/member'))).grants, [{ unit: 'tokens', amount: '1000000', priority: 0, rollover: true, rollover_cap: '500000' }]);
  assert.equal((await mete.must('GET', of('/packages/million'))).price, '9.90');

  const changed = yaml.replace('rollover_cap: 500000', 'rollover_cap: 250000').replace('price: 9.90', 'price: 8.5')
    .replace('amount: 10000,', 'amount: 12000,').replace('name: Ada,', 'name: Ada Lovelace,');
  const shown = await apply(['-', '--dry-run', '--json'], changed);
  assert.equal(shown.status, 1, shown.stderr);
  const { changes } = JSON.parse(shown.stdout);
  assert.deepEqual(changes.map((c) => [c.act, c.what, c.members.map((m) => m.member)]), [['change', 'plan globex/member', ['grants']], ['change', 'package globex/million', ['price']]]);
  assert.deepEqual(changes[1].members, [{ member: 'price', from: '9.90', to: 8.5 }]);
  assert.equal((await apply(['-'], changed)).status, 0);
  assert.equal((await mete.must('GET', of('/plans/member'))).grants[0].rollover_cap, '250000');
  const million = await mete.must('GET', of('/packages/million'));
  assert.deepEqual([million.price, million.grants[0].expires_in_days], ['8.50', 365], 'what is not said stays');
  assert.deepEqual([(await apply(['-', '--dry-run'], changed)).stdout], ['everything is as declared\n']);

  const wrong = await apply(['-'], changed.replace('price: 8.5', 'price: -1'));
  assert.deepEqual([wrong.status, /^mete: operations\[0\]\.price: /.test(wrong.stderr)], [2, true], wrong.stderr);
  const gone = changed.replace('{id: million,', '{id: million, absent: true,');
  assert.match((await apply(['-'], gone)).stderr, /1 deletions cannot be undone: say --yes/);
  assert.equal((await apply(['-', '--yes'], gone)).status, 0);
  assert.equal((await mete.api('GET', of('/packages/million'))).status, 404);
  assert.equal((await apply(['-'], changed)).status, 0, 'it is made again');
});

test('one wrong thing, and nothing is changed', async () => {
  const wrong = yaml.replace('amount: 10000,', 'amount: 99,').replace('department: support, models', 'department: nowhere, models')
    .replace('name: support-bot', 'name: other-bot');
  const result = await apply(['-'], wrong);
  assert.equal(result.status, 1, result.stdout);
  assert.match(result.stderr, /^mete: operations\[\d+\]\.department: .*\(404\)/);
  assert.equal((await mete.must('GET', '/api/v1/organizations/globex/budgets/company')).amount, '12000.00');
});

test('what is to go is confirmed, and goes with what is in it', async () => {
  const without = yaml.replace('{id: bob, name: Bob, department: support}', '{id: bob, absent: true}');
  const asked = await apply(['-'], without);
  assert.equal(asked.status, 1);
  assert.match(asked.stderr, /1 deletions cannot be undone: say --yes/);
  assert.equal((await mete.api('GET', '/api/v1/organizations/globex/users/bob')).status, 200);
  assert.equal((await apply(['-', '--yes'], without)).status, 0);
  assert.equal((await mete.api('GET', '/api/v1/organizations/globex/users/bob')).status, 404);
  assert.equal((await apply(['-', '--yes'], without)).stdout.includes('bob'), false);
});

test('what cannot be meant is told with its place', async () => {
  const cases = [
    ['organizations: {a: 1}', /organizations: it must be a list/],
    ['organisations: []', /it declares organizations, and nothing else/],
    ['organizations: [{name: x}]', /organizations\[0\]: it must be a mapping with its id/],
    ['organizations: [{id: globex, users: [{name: x}]}]', /organizations\[0\]\.users\[0\]: it must be/],
    ['organizations: [{id: globex, users: 7}]', /organizations\[0\]\.users: it must be a list/],
    ['a: [', /this is no YAML/],
    ['', /./],
    ['organizations: [{id: globex, users: [{id: ada, coulour: red}]}]', /operations\[0\]\.coulour/],
  ];
  for (const [text, expected] of cases) {
    const result = await apply(['-'], text);
    assert.equal(result.status, 2, `${text}: ${result.stdout}${result.stderr}`);
    assert.match(result.stderr, expected, text);
  }
  assert.equal((await apply(['/nonexistent'])).status, 3);
  for (const args of [[], ['show'], ['apply'], ['apply', 'a', 'b'], ['apply', '--wrong', 'a']])
    assert.equal((await run(['config', ...args])).status, 2, args.join(' '));
});

test('with no server the data are opened, and the file makes the same', async () => {
  const data = path.join(temporary(), 'data');
  assert.equal((await run(['init', '--data', data])).status, 0);
  const made = await run(['config', 'apply', EXAMPLE, '--data', data, '--json']);
  assert.equal(made.status, 0, made.stderr);
  assert.equal(JSON.parse(made.stdout).results.length, JSON.parse(made.stdout).changes.length);
  assert.equal((await run(['config', 'apply', EXAMPLE, '--data', data, '--dry-run'])).status, 0);
  assert.equal((await run(['verify', data])).status, 0);
});
