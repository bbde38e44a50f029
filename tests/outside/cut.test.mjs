// SPDX-License-Identifier: Apache-2.0
// The journal is cut while a server takes calls: figures, what is open, repeats and records stay, also
// after a power cut; the journal is smaller, verify says where it begins, and what a cut gives up is
// what docs/operating.md says: explain begins at the base, and without its records mete does not start.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ADMIN, Mete, configuration, run } from './mete.mjs';

let mete;
before(async () => { mete = await Mete.start({ config: configuration() }); });
after(async () => { await mete?.stop(); });

const must = (...args) => mete.must(...args);
const scope = { kind: 'organization', id: 'cut' };
const record = (n) => ({ request_id: `r${n}`, scope, amount: '0.01', metadata: { note: 'x'.repeat(200) } });
const budget = () => must('GET', '/api/v1/organizations/cut/budgets/b');
const command = (...args) => run(['cut', ...args, '--data', mete.data], { env: { METE_ADMIN_TOKEN: ADMIN } });
let open;

test('a cut while calls go on takes nothing but old entries', async () => {
  await mete.organization('cut');
  await mete.budget('cut', { id: 'b', amount: '1000' });
  for (let n = 0; n < 1000; n += 500) await must('POST', '/api/v1/budget/record', Array.from({ length: 500 }, (_, i) => record(n + i)));
  open = await must('POST', '/api/v1/budget/reserve', { request_id: 'open', scope, amount: '1.00', ttl_seconds: 3600 });
  const before_ = await must('GET', '/api/v1/budget/stats');
  let ends = false;
  const calls = (async () => {
    let n = 1000;
    for (; !ends; n += 1) await must('POST', '/api/v1/budget/record', record(n));
    return n;
  })();
  const cut = await must('POST', '/api/v1/cut');
  ends = true;
  const made = await calls;
  assert.ok(cut.seq >= before_.flushed, `${cut.seq} of ${before_.flushed}`);
  assert.ok(cut.journal_bytes < before_.journal_bytes / 2, `${cut.journal_bytes} of ${before_.journal_bytes}`);
  const { used, held } = await budget();
  assert.deepEqual([Number(used), held], [made / 100, '1.00']);
  assert.ok((await must('POST', '/api/v1/budget/record', record(7))).repeated, 'what was charged before it is not charged again');
  assert.equal((await mete.all('/api/v1/records?limit=1000')).length, made);
  const told = await must('GET', '/api/v1/organizations/cut/budgets/b/explain');
  assert.ok(told.data.every((row) => row.seq >= cut.seq), 'explain begins at the base');
  await mete.kill();
  await mete.spawn();
  assert.equal((await budget()).used, used);
  assert.equal((await must('POST', '/api/v1/budget/deduct', { reserve_id: open.reserve_id })).amount, '1.00');
  assert.equal((await mete.all('/api/v1/records?limit=1000')).length, made + 1);
});

test('mete cut asks the server, and cuts by itself when none runs', async () => {
  const unsure = command('--json');
  assert.deepEqual([unsure.status, unsure.stdout], [1, '']);
  assert.match(unsure.stderr, /cannot be undone: say --yes/);
  const asked = command('--json', '--yes');
  assert.equal(asked.status, 0, asked.stderr);
  const { used } = await budget();
  await mete.stop();
  const alone = command('--json', '--yes');
  assert.equal(alone.status, 0, alone.stderr);
  assert.ok(alone.json().seq > asked.json().seq);
  const proof = run(['verify', mete.data, '--json']);
  assert.equal(proof.status, 0, proof.stdout + proof.stderr);
  assert.equal(proof.json().base, alone.json().seq);
  assert.equal(command('now').status, 2);
  await mete.spawn();
  assert.equal((await budget()).used, used);
});

test('only the admin cuts', async () => {
  const key = await must('POST', '/api/v1/organizations/cut/api-keys', { name: 'k' });
  assert.equal((await mete.api('POST', '/api/v1/cut', undefined, { token: key.key })).status, 403);
});

test('records that are older than the base are the only ones: without them it does not start', async () => {
  await mete.stop();
  for (const name of fs.readdirSync(mete.data).filter((file) => file.startsWith('records.db'))) fs.rmSync(path.join(mete.data, name));
  const refused = run(['serve', '--config', mete.configFile], { env: mete.env });
  assert.equal(refused.status, 3, refused.stdout + refused.stderr);
});
