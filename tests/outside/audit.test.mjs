// SPDX-License-Identifier: Apache-2.0
// The audit log over HTTP and by the command: who changed what, before and after; filters, pages,
// exports; one organization sees its own rows alone; no secret is in it; the chain is proven while a
// server runs and without one, and a row that was changed behind the server's back is named.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ADMIN, Mete, configuration, run, temporary } from './mete.mjs';

const SECRET = 'sk-a-credential-that-nobody-may-read-0123456789';
const keyFile = path.join(temporary(), 'sealing.key');
let mete;
let key;
before(async () => {
  assert.equal(run(['credential', 'new-key', keyFile]).status, 0);
  const config = { ...configuration(), sealing_key_file: keyFile };
  delete config.providers[0].api_key;
  mete = await Mete.start({ config });
  key = await mete.organization('acme');
  await mete.organization('other');
  await mete.budget('acme', { id: 'b', name: 'First', amount: '5' });
  await mete.must('PUT', '/api/v1/organizations/acme/budgets/b', { amount: '7.50', mode: 'shadow' });
  await mete.must('DELETE', '/api/v1/organizations/acme/budgets/b');
  await mete.must('POST', `/api/v1/api-keys/${key.id}/revoke`);
});
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const list = (query, org = 'acme') => mete.all(`/api/v1/organizations/${org}/audit?${query}`);
const command = (...args) => run(['audit', ...args, '--data', mete.data], { env: { METE_ADMIN_TOKEN: ADMIN } });
const HASH = /^[0-9a-f]{64}$/;

test('a change is told with who, what, before and after', async () => {
  const rows = await list('kind=budget&id=b');
  assert.deepEqual(rows.map((row) => row.action), ['budget.delete', 'budget.update', 'budget.create']);
  const [end, update, create] = rows;
  assert.equal(create.before, null);
  assert.equal(create.after.amount, '5.00');
  assert.deepEqual(create.after.scope, { kind: 'organization', id: 'acme' });
  assert.deepEqual(update.before, create.after);
  assert.deepEqual([update.after.amount, update.after.mode], ['7.50', 'shadow']);
  assert.deepEqual(end.before, update.after);
  assert.equal(end.after, null);
  for (const row of rows) assert.deepEqual([row.actor, row.organization], ['admin', 'acme']);
  assert.equal(new Set(rows.map((row) => row.hash)).size, 3);
});

test('no secret of a key is in it', async () => {
  const [revoke, create] = await list(`id=${key.id}`).then((rows) => rows.filter((row) => row.kind === 'api_key'));
  assert.equal(create.after.document.prefix, key.prefix);
  assert.equal(revoke.before.revoked, false);
  assert.equal(revoke.after.revoked, true);
  const all = JSON.stringify(await mete.all('/api/v1/audit'));
  assert.ok(!all.includes(key.key) && !all.includes('"hash":{') && !/"(password_)?hash":"(?![0-9a-f]{64}")/.test(all));
  for (const row of await mete.all('/api/v1/audit')) assert.ok(!('hash' in (row.after?.document ?? {})), row.id);
});

test('what is done beside the ledger is told too', async () => {
  await must('PUT', '/api/v1/providers/tests/credential', { secret: SECRET });
  await must('PUT', '/api/v1/providers/tests/credential', { secret: `${SECRET}2` });
  await must('DELETE', '/api/v1/providers/tests/credential');
  const directory = path.join(temporary(), 'copy');
  await must('POST', '/api/v1/backup', { directory });
  await must('POST', '/api/v1/cut');
  await must('POST', '/api/v1/cut');
  const rows = await mete.all('/api/v1/audit?limit=1000');
  const credential = rows.filter((row) => row.kind === 'credential');
  assert.deepEqual(credential.map((row) => [row.action, row.id, row.organization]), [['credential.delete', 'tests', null],
    ['credential.update', 'tests', null], ['credential.create', 'tests', null]]);
  assert.ok(!JSON.stringify(rows).includes(SECRET));
  const acts = rows.filter((row) => row.kind === 'installation');
  assert.deepEqual(acts.map((row) => row.action), ['installation.cut', 'installation.cut', 'installation.backup']);
  assert.equal(acts[2].after.directory, directory);
  assert.equal(run(['verify', directory]).status, 0);
  assert.ok(rows.some((row) => row.seq < acts[1].seq), 'rows of before the cut stay');
});

test('who settled a record is told', async () => {
  const scope = { kind: 'organization', id: 'other' };
  const held = await must('POST', '/api/v1/budget/reserve', { request_id: 'settles', scope, amount: '1.00', ttl_seconds: 1 });
  await mete.until(async () => (await mete.all('/api/v1/records?organization=other')).length > 0);
  const [record] = await mete.all('/api/v1/records?organization=other');
  assert.ok(held.reserve_id);
  assert.equal((await mete.api('POST', '/api/v1/records/rec_1/settle', { amount: '0.25' })).status, 404);
  await must('POST', `/api/v1/records/${record.id}/settle`, { amount: '0.25' });
  const rows = await list('kind=record', 'other');
  assert.deepEqual(rows.map((row) => [row.action, row.id, row.before, row.after.cost]), [['record.settle', record.id, null, '0.25']]);
});

test('each filter filters', async () => {
  const all = await list('');
  assert.ok(all.length >= 8);
  for (const name of ['actor', 'action', 'kind', 'id']) {
    const value = all[1][name];
    const some = await list(`${name}=${encodeURIComponent(value)}`);
    assert.deepEqual(some, all.filter((row) => row[name] === value), name);
    assert.deepEqual(await list(`${name}=nothing`), []);
  }
  const middle = all[3].at;
  assert.deepEqual(await list(`from=${middle}`), all.filter((row) => row.at >= middle));
  assert.deepEqual(await list(`to=${middle}`), all.filter((row) => row.at < middle));
  const pages = [];
  for (let cursor; cursor !== null;) {
    const page = await must('GET', `/api/v1/organizations/acme/audit?limit=2${cursor ? `&cursor=${cursor}` : ''}`);
    assert.ok(page.data.length <= 2);
    pages.push(...page.data);
    cursor = page.next_cursor;
  }
  assert.deepEqual(pages, all);
});

test('bad questions are refused and name the field', async () => {
  const wrong = { from: 'noon', to: '2030-13-01', limit: '0', cursor: '-1', format: 'xml', colour: 'red', actor: 'x'.repeat(129) };
  for (const [name, value] of Object.entries(wrong)) {
    for (const where of ['/api/v1/audit', '/api/v1/organizations/acme/audit']) {
      const reply = await mete.api('GET', `${where}?${name}=${value}`);
      assert.equal(reply.status, 400, `${name}: ${reply.text}`);
      assert.equal(reply.body.field, name);
    }
  }
  assert.equal((await mete.api('GET', '/api/v1/organizations/nobody/audit')).status, 404);
});

test('an organization has its own rows alone, and a key has none', async () => {
  const own = await list('', 'other');
  assert.ok(own.length >= 4 && own.every((row) => row.organization === 'other'));
  const both = await mete.all('/api/v1/audit?limit=3');
  assert.ok(both.some((row) => row.organization === 'acme') && both.some((row) => row.organization === 'other'));
  const other = await must('POST', '/api/v1/organizations/other/api-keys', { name: 'k' });
  for (const where of ['/api/v1/audit', '/api/v1/organizations/other/audit', '/api/v1/organizations/acme/audit']) {
    assert.ok([403, 404].includes((await mete.api('GET', where, undefined, { token: other.key })).status), where);
    assert.equal((await mete.api('GET', where, undefined, { token: '' })).status, 401);
  }
});

// RFC 4180, of what has no line feeds within fields.
const fields = (line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((m) => m[2] ?? m[1].replaceAll('""', '"'));

test('exports say the same as the list', async () => {
  const all = await list('');
  const lines = await mete.api('GET', '/api/v1/organizations/acme/audit?format=jsonl&limit=1000');
  assert.deepEqual(lines.text.trimEnd().split('\n').map((line) => JSON.parse(line)), all);
  assert.equal(lines.headers.get('next-cursor'), null);
  const csv = await mete.api('GET', '/api/v1/organizations/acme/audit?format=csv&limit=2');
  const [titles, ...rows] = csv.text.trimEnd().split('\r\n').map(fields);
  const told = rows.map((row) => Object.fromEntries(row.map((value, i) => [titles[i], value])));
  assert.deepEqual(told.map((row) => ({ ...row, seq: Number(row.seq), before: JSON.parse(row.before || 'null'), after: JSON.parse(row.after || 'null') })),
    all.slice(0, 2).map(({ ...row }) => row));
  assert.equal(csv.headers.get('next-cursor'), String(all[1].seq));
});

test('the command lists, exports and proves, with a server and without', async () => {
  const all = await mete.all('/api/v1/audit?limit=1000');
  const own = await list('');
  const proof = command('verify', '--json');
  assert.equal(proof.status, 0, proof.stderr);
  assert.deepEqual([proof.json().rows, proof.json().head], [all.length, all[0].hash]);
  const listed = command('list', '--organization', 'acme', '--kind', 'budget', '--json');
  assert.deepEqual(listed.json().data, own.filter((row) => row.kind === 'budget'));
  assert.match(command('list', '--limit', '1').stdout, new RegExp(`^seq .*\n${all[0].seq} +.*${all[0].action}`));
  const lines = command('export').stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines, all);
  const csv = command('export', '--format', 'csv', '--organization', 'acme');
  assert.equal(csv.stdout.trimEnd().split('\r\n').length, own.length + 1);
  for (const args of [['list', '--format', 'csv'], ['verify', '--kind', 'x'], ['export', '--limit', '3'], ['list', '--head', 'x'],
    ['export', '--format', 'xml'], ['verify', '--head', '12'], ['mend'], []]) {
    assert.equal(command(...args).status, 2, args.join(' '));
  }
  assert.equal(command('verify', '--head', all[3].hash).status, 0);
  assert.equal(command('verify', '--head', 'f'.repeat(64)).status, 1);
  await mete.stop();
  assert.deepEqual(command('export').stdout.trimEnd().split('\n').map((line) => JSON.parse(line)), all);
  await mete.spawn();
});

test('the log is the same after a kill, and a change behind the server is named', async () => {
  const all = await mete.all('/api/v1/audit?limit=1000');
  await mete.kill();
  await mete.spawn();
  assert.deepEqual(await mete.all('/api/v1/audit?limit=1000'), all);
  await mete.stop();
  const whole = run(['verify', mete.data, '--json']);
  assert.equal(whole.status, 0, whole.stdout);
  assert.deepEqual([whole.json().audit, whole.json().audit_head], [all.length, all[0].hash]);
  assert.match(whole.json().audit_head, HASH);
  const sql = (text) => {
    const done = spawnSync('python3', ['-c', 'import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute(sys.argv[2]); d.commit()',
      path.join(mete.data, 'records.db'), text], { encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
  };
  sql(`UPDATE audit SET actor='nobody' WHERE seq=${all[2].seq}`);
  for (const found of [run(['verify', mete.data]), command('verify')]) {
    assert.equal(found.status, 1);
    assert.match(found.stdout, new RegExp(`audit row ${all[2].seq} `));
  }
  sql(`UPDATE audit SET actor='${all[2].actor}' WHERE seq=${all[2].seq}`);
  assert.equal(command('verify').status, 0);
  await mete.spawn();
});
