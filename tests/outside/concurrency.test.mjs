// SPDX-License-Identifier: Apache-2.0
// Proves that the cap holds: 600 calls at once, half of them streaming, some of whose clients leave,
// on a budget that can pay for about a third. What is committed equals the account of the tests' own
// provider to the nano; the budget never stands above its limit while it is watched; who is refused
// is told so in the right words; at the end nothing is held and no counter has drifted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Mete, PRICES, configuration, pool } from './mete.mjs';
import { nano, text } from './money.mjs';
import { Provider, generator } from './provider.mjs';

const CALLS = 600;
const OUTPUT = 50;
let provider;
let mete;

before(async () => {
  provider = await new Provider(PRICES, { seed: 600 }).start();
  mete = await Mete.start({ config: configuration(provider) });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

// The clients: what each saw, 'served', 'refused', 'left' or something that should not be.
async function one(key, index, random) {
  const streaming = index % 2 === 0;
  const leaving = index % 10 < 2; // of both kinds
  const words = { output: OUTPUT, delay_ms: Math.floor(random() * 120), ...(streaming ? { chunk_ms: 1 } : {}) };
  const abort = new AbortController();
  if (leaving && !streaming) setTimeout(() => abort.abort(), Math.floor(random() * 100));
  const usage = index % 4 === 0 ? { stream_options: { include_usage: true } } : {};
  try {
    const reply = await mete.chat(key, {
      model: 'test-odd', messages: [{ role: 'user', content: `!${JSON.stringify(words)}` }], max_tokens: OUTPUT,
      ...(streaming ? { stream: true, ...usage } : {}),
    }, { signal: abort.signal, headers: { 'X-Request-ID': `c-${index}` } });
    if (reply.status === 429) {
      const body = await reply.json();
      assert.equal(body.error.type, 'insufficient_quota');
      assert.match(body.error.message, /third/, 'the budget is named');
      return 'refused';
    }
    assert.equal(reply.status, 200, await (reply.status === 200 ? '' : reply.text()));
    if (leaving) {
      if (streaming) await reply.body.getReader().read(); // it has begun
      abort.abort();
      return 'left';
    }
    const whole = await reply.text();
    if (streaming) assert.match(whole, /data: \[DONE\]\s/);
    else assert.ok(nano(reply.headers.get('x-mete-cost')) > 0n && JSON.parse(whole).usage.total_tokens > 0);
    return 'served';
  } catch (error) {
    if (error.name === 'AbortError') return 'left';
    throw error;
  }
}

test('600 at once on a budget for a third', { timeout: 120000 }, async () => {
  const key = await mete.organization('crowd');
  // One call of OUTPUT tokens costs at least its output; so a third of them is a third of the money.
  const perCall = BigInt(OUTPUT) * 7000n;
  const limit = (perCall * BigInt(CALLS)) / 3n;
  await mete.budget('crowd', { id: 'third', amount: text(limit) });
  let watching = true;
  let looks = 0;
  const watch = (async () => {
    while (watching) {
      const budget = await mete.must('GET', '/api/v1/organizations/crowd/budgets/third');
      const [used, held] = [nano(budget.used), nano(budget.held)];
      assert.ok(used + held <= limit, `used ${used} + held ${held} is over ${limit}`);
      assert.equal(nano(budget.remaining), limit - used - held);
      looks += 1;
    }
  })();
  const random = generator(42);
  let outcomes;
  try {
    outcomes = await pool(Array.from({ length: CALLS }, (_, index) => index), CALLS, (index) => one(key.key, index, random));
    await mete.idle();
  } finally {
    watching = false;
    await watch;
  }
  const count = (what) => outcomes.filter((outcome) => outcome === what).length;
  assert.equal(count('served') + count('refused') + count('left'), CALLS);
  assert.ok(count('refused') > CALLS / 4, `refused ${count('refused')}`);
  assert.ok(count('served') > CALLS / 10, `served ${count('served')}`);
  assert.ok(count('left') > 5, `left ${count('left')}`);
  assert.ok(looks > 10, `looked ${looks} times`);

  const budget = await mete.must('GET', '/api/v1/organizations/crowd/budgets/third');
  assert.equal(nano(budget.held), 0n);
  assert.equal(nano(budget.used), provider.billed(), 'committed is what the provider billed');
  assert.ok(nano(budget.used) <= limit);

  await mete.settled();
  const records = await mete.all('/api/v1/records?organization=crowd&limit=1000');
  assert.equal(records.reduce((sum, record) => sum + nano(record.cost), 0n), provider.billed());
  const answered = provider.calls.filter((call) => call.nano > 0n).length;
  assert.equal(records.filter((record) => nano(record.cost) > 0n).length, answered, 'a record for every call the provider billed');
  const ids = records.map((record) => record.request_id);
  assert.equal(new Set(ids).size, ids.length, 'no call has two records');

  const stats = await mete.stats();
  assert.equal(stats.drift, 0);
  assert.equal(stats.overruns, 0);
  const metrics = await mete.metrics();
  const drift = Object.entries(metrics).filter(([series]) => /drift/.test(series));
  assert.ok(drift.length > 0, 'drift is a metric');
  for (const [series, value] of drift) assert.equal(value, 0, series);
});

test('the authority: 400 reservations at once of a budget for 100 give exactly 100', { timeout: 60000 }, async () => {
  await mete.organization('auction');
  await mete.budget('auction', { id: 'hundred', amount: '1.00' });
  const scope = { kind: 'organization', id: 'auction' };
  const replies = await pool(Array.from({ length: 400 }, (_, i) => i), 64, (i) => mete.must('POST', '/api/v1/budget/reserve',
    { request_id: `a-${i}`, scope, amount: '0.01' }));
  const held = replies.filter((reply) => reply.success);
  assert.equal(held.length, 100);
  for (const reply of replies.filter((r) => !r.success)) {
    assert.equal(reply.refused_by[0].reason, 'hard_limit');
    assert.equal(reply.refused_by[0].budget, 'hundred');
    assert.equal(reply.reserve_id, null);
  }
  await pool(held, 64, (reply, i) => mete.must('POST', i % 2 ? '/api/v1/budget/release' : '/api/v1/budget/deduct',
    { reserve_id: reply.reserve_id, ...(i % 2 ? {} : { amount: '0.004' }) }));
  const budget = await mete.must('GET', '/api/v1/organizations/auction/budgets/hundred');
  assert.equal(nano(budget.used), nano('0.2'));
  assert.equal(nano(budget.held), 0n);
});
