// SPDX-License-Identifier: Apache-2.0
// Proves that kill -9 loses nothing that was acknowledged and doubles nothing. Cycles of: 32
// connections that reserve, deduct, release and call the gateway (plain and streaming) while every
// acknowledgement is noted; the kill at a random moment; `mete verify`; a restart on the same data;
// then every noted call is asked again (same request id, same figures: the same answer, repeated),
// every call whose answer was lost is settled, and budget, records and the provider's account are
// added up against what was noted. METE_KILL_CYCLES says how many (5), METE_KILL_SECONDS stops early.
// Records of the cycle alone are read again, and all of them every 25 cycles and last, so that a
// thousand cycles take no longer each than the first. Last, a journal that lost what was not yet
// checkpointed must be found out: these checks can fail.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Mete, PRICES, configuration, run } from './mete.mjs';
import { nano, text } from './money.mjs';
import { Provider, generator } from './provider.mjs';

const CYCLES = Number(process.env.METE_KILL_CYCLES ?? 5);
const SECONDS = Number(process.env.METE_KILL_SECONDS ?? Infinity);
const WHOLE = 25; // cycles from one reading of all records to the next
const BEGUN = Date.now();
const SEED = Number(process.env.METE_SEED ?? 20);
const CONNECTIONS = 32;
const ORG = 'crash';
const SCOPE = { kind: 'user', id: 'ada', organization: ORG };

let provider;
let mete;
let key;
const random = generator(SEED);
// Everything ever asked, over all cycles. ends: 'deduct' | 'release' | null, and what came back.
const authority = new Map(); // request_id -> {ask, reply, end, amount, ended}
const gateway = new Map(); // request_id -> {acknowledged, cost}
// What whole cycles before came to: their sum, and the newest of their records.
let settled = { sum: 0n, seq: 0, billed: 0 };
let acknowledged = 0;
let cyclesDone = 0;

before(async () => {
  provider = await new Provider(PRICES, { seed: SEED }).start();
  mete = await Mete.start({ config: configuration(provider) });
  key = (await mete.organization(ORG)).key;
  await mete.budget(ORG, { id: 'all', amount: '1000000' });
  await mete.budget(ORG, { id: 'ada-monthly', scope: { kind: 'user', id: 'ada' }, amount: '1000000', period: 'monthly' });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

// A call that the kill may take with it: null then. Any other answer than 200 is a failure.
async function attempt(fn) {
  try {
    return await fn();
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return null;
  }
}

async function authorityWorker(name, alive) {
  for (let i = 0; alive(); i += 1) {
    const ask = { request_id: `${name}-${i}`, scope: SCOPE, amount: text(BigInt(1 + Math.floor(random() * 1e9))), ttl_seconds: 3600 };
    const note = { ask, reply: null, end: null, amount: null, ended: false };
    authority.set(ask.request_id, note);
    note.reply = await attempt(() => mete.must('POST', '/api/v1/budget/reserve', ask));
    if (!note.reply) return;
    acknowledged += 1;
    assert.ok(note.reply.success, JSON.stringify(note.reply));
    const dice = random();
    if (dice < 0.15) continue; // left open
    note.end = dice < 0.8 ? 'deduct' : 'release';
    note.amount = note.end === 'deduct' ? text(nano(ask.amount) / 2n) : null;
    note.ended = await attempt(() => mete.must('POST', `/api/v1/budget/${note.end}`, ending(note)));
    if (!note.ended) return;
    acknowledged += 1;
  }
}

const ending = (note) => ({ reserve_id: note.reply.reserve_id, ...(note.end === 'deduct' ? { amount: note.amount } : {}) });

async function gatewayWorker(name, alive) {
  for (let i = 0; alive(); i += 1) {
    const id = `${name}-${i}`;
    const stream = i % 2 === 0;
    const note = { acknowledged: false, cost: null };
    gateway.set(id, note);
    const whole = await attempt(async () => {
      const reply = await mete.chat(key, {
        model: 'test-odd', messages: [{ role: 'user', content: `!${JSON.stringify({ id, chunk_ms: 1 })}` }], max_tokens: 60, stream,
      }, { headers: { 'Idempotency-Key': id } });
      assert.equal(reply.status, 200);
      return { headers: reply.headers, text: await reply.text() };
    });
    if (!whole) return;
    const cost = stream ? /^: mete-cost (\S+)$/m.exec(whole.text)?.[1] : whole.headers.get('x-mete-cost');
    if (stream && !/data: \[DONE\]/.test(whole.text)) return; // broken off by the kill
    note.acknowledged = true;
    acknowledged += 1;
    note.cost = nano(cost);
  }
}

async function load(cycle) {
  let running = true;
  const alive = () => running;
  const before_ = acknowledged;
  const workers = Array.from({ length: CONNECTIONS }, (_, w) => (w % 4 === 3
    ? gatewayWorker(`g${cycle}-${w}`, alive) : authorityWorker(`a${cycle}-${w}`, alive)));
  const failing = Promise.all(workers);
  failing.catch(() => {});
  const enough = 200 + Math.floor(random() * 300);
  while (acknowledged - before_ < enough && running) {
    await Promise.race([failing, new Promise((done) => { setTimeout(done, 2); })]);
  }
  await new Promise((done) => { setTimeout(done, random() * 10); });
  await mete.kill();
  running = false;
  await failing;
  return acknowledged - before_;
}

// Asks again for what was noted, a hundred at a time: the answers, in order.
async function again(path, bodies) {
  const replies = [];
  for (let at = 0; at < bodies.length; at += 100) {
    replies.push(...await mete.must('POST', path, bodies.slice(at, at + 100)));
  }
  return replies;
}

async function settle(cycle) {
  const notes = [...authority.values()].filter((note) => note.ask.request_id.startsWith(`a${cycle}-`));

  const reserves = await again('/api/v1/budget/reserve', notes.filter((n) => !n.ended).map((n) => n.ask));
  notes.filter((n) => !n.ended).forEach((note, i) => {
    const reply = reserves[i];
    if (note.end && reply.code === 'ended') return; // its end was durable, its answer was lost
    assert.equal(reply.success, true, `${note.ask.request_id}: ${JSON.stringify(reply)}`);
    if (note.reply) {
      assert.equal(reply.reserve_id, note.reply.reserve_id, 'a repeat gives the same reservation');
      assert.equal(reply.repeated, true, `${note.ask.request_id} was forgotten`);
    }
    note.reply = reply;
  });

  // The ends that were acknowledged, or asked for: the same end again.
  for (const end of ['deduct', 'release']) {
    const ended = notes.filter((n) => n.end === end);
    const replies = await again(`/api/v1/budget/${end}`, ended.map(ending));
    ended.forEach((note, i) => {
      assert.equal(replies[i].success, true, `${note.ask.request_id}: ${JSON.stringify(replies[i])}`);
      if (note.ended) assert.equal(replies[i].repeated, true, `${note.ask.request_id}: its ${end} was forgotten`);
      if (end === 'deduct') assert.equal(nano(replies[i].amount), nano(note.amount));
      note.ended = replies[i];
    });
  }
  const open = notes.filter((n) => !n.end);
  for (const note of open) note.end = 'release';
  for (const reply of await again('/api/v1/budget/release', open.map(ending))) assert.equal(reply.success, true);
  for (const note of open) note.ended = true;
}

const seqOf = (record) => Number(record.id.slice('rec_'.length));

// The records after seq, newest first.
async function recordsAfter(seq) {
  const found = [];
  for (let cursor = ''; cursor !== null;) {
    const page = await mete.must('GET', `/api/v1/records?organization=${ORG}&limit=1000${cursor ? `&cursor=${cursor}` : ''}`);
    const newer = page.data.filter((record) => seqOf(record) > seq);
    found.push(...newer);
    cursor = newer.length < page.data.length ? null : page.next_cursor;
  }
  return found;
}

// Of the notes of one cycle, or of all.
const of = (notes, cycle) => [...notes].filter(([id]) => cycle === undefined || id.slice(1).startsWith(`${cycle}-`));

async function addUp(cycle) {
  await mete.idle();
  await mete.settled();
  const before_ = cycle === undefined ? { sum: 0n, seq: 0, billed: 0 } : settled;
  const records = await recordsAfter(before_.seq);
  const byId = new Map();
  for (const record of records) {
    assert.ok(!byId.has(record.request_id), `${record.request_id} has two records`);
    byId.set(record.request_id, record);
  }
  for (const [id, note] of of(authority, cycle)) {
    const record = byId.get(id);
    if (note.end !== 'deduct') { assert.ok(!record || nano(record.cost) === 0n, `${id} was released`); continue; }
    assert.ok(record, `${id} has no record`);
    assert.equal(nano(record.cost), nano(note.amount), id);
  }
  for (const [id, note] of of(gateway, cycle)) {
    if (!note.acknowledged) continue;
    assert.ok(byId.has(id), `${id} has no record`);
    assert.equal(nano(byId.get(id).cost), note.cost, id);
  }
  for (const call of provider.calls.slice(before_.billed).filter((c) => c.nano > 0n)) {
    const { id } = JSON.parse(call.body.messages[0].content.slice(1));
    assert.ok(byId.has(id), `${id} was billed by the provider and has no record`);
    const cost = nano(byId.get(id).cost);
    if (byId.get(id).provisional) assert.ok(cost >= call.nano, `${id}: ${cost} < ${call.nano}`);
    else assert.equal(cost, call.nano, id);
  }
  const sum = records.reduce((total, record) => total + nano(record.cost), before_.sum);
  for (const id of ['all', 'ada-monthly']) {
    const budget = await mete.must('GET', `/api/v1/organizations/${ORG}/budgets/${id}`);
    assert.equal(nano(budget.used), sum, `${id} is the sum of its records`);
    assert.equal(nano(budget.held), 0n, id);
  }
  assert.equal((await mete.stats()).drift, 0);
  settled = { sum, seq: records.length ? seqOf(records[0]) : before_.seq, billed: provider.calls.length };
}

for (let cycle = 0; cycle < CYCLES; cycle += 1) {
  test(`kill -9, cycle ${cycle + 1} of ${CYCLES} (METE_SEED=${SEED})`, { timeout: 120000 }, async (t) => {
    if (Date.now() - BEGUN > SECONDS * 1000) return;
    const noted = await load(cycle);
    assert.ok(noted >= 200, `only ${noted} acknowledgements`);
    t.diagnostic(`${noted} acknowledgements before the kill`);
    const verified = run(['verify', mete.data]);
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    await mete.spawn();
    await settle(cycle);
    await addUp((cycle + 1) % WHOLE ? cycle : undefined);
    cyclesDone += 1;
  });
}

test('all records of all cycles', { timeout: 120000 }, async (t) => {
  await addUp();
  t.diagnostic(`kill-loop: seed ${SEED}, ${cyclesDone} cycles, ${acknowledged} acknowledgements, 0 lost, 0 doubled`);
});

test('after a graceful stop the journal verifies, and another process replays the same state', { timeout: 60000 }, async () => {
  const hash = await mete.hash();
  await mete.stop();
  const verified = run(['verify', mete.data]);
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
  await mete.spawn();
  assert.equal(await mete.hash(), hash, 'the state is a function of the journal');
});

test('the canary: an acknowledgement nobody gave does not pass', { timeout: 60000 }, async () => {
  gateway.set('never-asked', { acknowledged: true, cost: 1n });
  await assert.rejects(addUp, assert.AssertionError);
  gateway.delete('never-asked');
  const ask = { request_id: `a${CYCLES}-never`, scope: SCOPE, amount: '1.00', ttl_seconds: 3600 };
  authority.set(ask.request_id, { ask, reply: { reserve_id: 'rsv_0000000000z' }, end: null, amount: null, ended: false });
  await assert.rejects(() => settle(CYCLES), assert.AssertionError);
  const made = await mete.must('POST', '/api/v1/budget/reserve', ask);
  await mete.must('POST', '/api/v1/budget/release', { reserve_id: made.reserve_id });
  authority.delete(ask.request_id);
  await addUp(); // and what is true passes again
});

// A kill just after a checkpoint leaves nothing in the log that could be lost: then once more.
test('the canary: a journal that lost its last groups is refused, or found out', { timeout: 120000 }, async () => {
  const isFound = (error) => error instanceof assert.AssertionError || /What was read is damaged/.test(error.message);
  let found = null;
  for (let cycle = CYCLES + 1; !found && cycle <= CYCLES + 4; cycle += 1) {
    await load(cycle);
    fs.rmSync(path.join(mete.data, 'journal.db-wal'));
    found = await (async () => { await mete.spawn(); await settle(cycle); await addUp(); })().then(() => null, (error) => error);
  }
  assert.ok(found && isFound(found), `${found}`);
});
