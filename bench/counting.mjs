// SPDX-License-Identifier: Apache-2.0
// Part counting: calls a second through one and the same binary with counting and without
// (gateway.count_tokens), prompts of 10 KB, gpt-4o. Three kinds of them:
//   one prompt     the same with each call, as part matrix has it, and as agents' instructions are
//   unseen         no two calls have a prompt in common, nor more than a few words in a row: texts of
//                  tokens_texts.mjs, English and chat in turn, cut into runs of some 48 bytes that are
//                  drawn at random, 32 MB in all, ten times what a tokenizer's cache holds
//   conversations  each connection has its own, which grows with each call from 5 to 15 KB: questions
//                  and answers of that English and chat
// The load comes from bench/load.c, whose 5 us a call are the same for both. Rounds take turns.
import fs from 'node:fs';
import path from 'node:path';

import { audited, load, meteBefore, rowOfAccount, startProvider } from './gateway.mjs';
import { ROUNDS, SECONDS, contest, directory, ledger, median, processor, results, row, stopChild, until } from './stand.mjs';
import { writeTexts } from './tokens_texts.mjs';

const MODEL = 'gpt-4o'; // o200k_base
const PROMPT = 10000;
const UNSEEN = 3200;
const RUN = 48;
const TURNS = 13;
const TIMES = Math.max(5, ROUNDS);
const EACH = Math.max(1, Math.round(SECONDS / 2)); // s

let state = 20261122;
function drawn(below) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * below);
}

/** Some length characters from anywhere, word by word if there are words. */
function cut(text, length) {
  const from = drawn(text.length - 2 * length);
  const begin = text.slice(from, from + length).search(/\s/);
  const at = from + Math.max(0, begin);
  const end = text.slice(at + length, at + 2 * length).search(/\s/);
  return text.slice(at, at + length + Math.max(0, end)).toWellFormed();
}

function ofRuns(text, bytes) {
  const runs = [];
  for (let len = 0; len < bytes;) {
    const run = cut(text, RUN);
    runs.push(run);
    len += Buffer.byteLength(run);
  }
  return runs.join('');
}

const body = (messages, streams) => `${JSON.stringify({ model: MODEL, ...(streams ? { stream: true } : {}), max_tokens: 1024, messages })}\n`;

function one(texts, streams) {
  return [body([{ role: 'user', content: texts[0].slice(0, PROMPT) }], streams)];
}

function unseen(texts, streams) {
  return Array.from({ length: UNSEEN }, (_, i) => body([{ role: 'user', content: ofRuns(texts[i % texts.length], PROMPT) }], streams));
}

/** As many conversations at once as there are connections, so that each has its own. */
function conversations(texts, streams, connections) {
  const bodies = [];
  while (bodies.length < UNSEEN * 2) {
    const all = Array.from({ length: connections }, (_, i) => [{ role: 'system', content: ofRuns(texts[i % texts.length], PROMPT / 2) }]);
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const [i, messages] of all.entries()) {
        messages.push({ role: 'user', content: cut(texts[i % texts.length], 200) });
        bodies.push(body(messages, streams));
        messages.push({ role: 'assistant', content: cut(texts[i % texts.length], 560) });
      }
    }
  }
  return bodies;
}

function written(name, bodies) {
  const file = path.join(directory, name);
  fs.rmSync(file, { force: true });
  for (let i = 0; i < bodies.length; i += 1000) fs.appendFileSync(file, bodies.slice(i, i + 1000).join(''));
  return file;
}

async function run({ mete, provider }, file, connections, seconds) {
  const before = processor(mete.child.pid);
  const got = await audited(mete, provider, () => load('closed', mete.port, file, mete.token, connections, seconds));
  const after = processor(mete.child.pid);
  return { ...got, cpu_us: (after.user + after.kernel - before.user - before.kernel) / got.calls };
}

async function cell(stands, name, file, connections) {
  const cpu = { counting: [], bytes: [] };
  const contender = (which) => async () => {
    const got = await run(stands[which], file, connections, EACH);
    cpu[which].push(got.cpu_us);
    return got;
  };
  for (const stand of Object.values(stands)) await run(stand, file, connections, 1);
  const got = await contest({ counting: contender('counting'), bytes: contender('bytes') }, TIMES);
  const ratio = got.counting.per_second / got.bytes.per_second;
  row(`${name}, ${connections} connections`, got.counting.per_second, 'calls/s', { name: 'without', per_second: got.bytes.per_second, ratio }, '>= 0.9 x');
  const us = { counting: median(cpu.counting), bytes: median(cpu.bytes) };
  row('the same, mete\'s CPU a call', us.counting, 'us', { name: 'without', per_second: us.bytes, ratio: us.counting / us.bytes });
  return { name, connections, ratio, ...got, us };
}

async function counting() {
  results.table = 'gateway counting';
  results.rounds_of[results.table] = `${TIMES} rounds of ${EACH} s, medians`;
  const folder = path.join(directory, 'prompts');
  fs.mkdirSync(folder);
  const texts = writeTexts(folder).filter(({ kind }) => ['english', 'chat'].includes(kind)).map(({ file }) => fs.readFileSync(file, 'utf8'));
  const price = { model_costs: { [MODEL]: { input_per_million: '0.15', output_per_million: '0.60' } } };
  const stands = {};
  for (const which of ['counting', 'bytes']) {
    const provider = await startProvider(100, 0);
    stands[which] = { provider, mete: await meteBefore(provider, { more: { ...price, gateway: { count_tokens: which === 'counting' } } }) };
  }
  results.counting = [];
  for (const streams of [false, true]) {
    for (const [kind, make] of Object.entries({ 'one prompt': one, conversations, 'unseen prompts': unseen })) {
      for (const connections of [32, 256]) {
        const file = written('bodies', make(texts, streams, connections));
        results.counting.push(await cell(stands, `${streams ? 'streams of 100 events' : 'plain calls'}, ${kind}`, file, connections));
      }
    }
  }
  rowOfAccount('all of these');
  for (const { mete, provider } of Object.values(stands)) {
    await until(async () => (await ledger(mete.url)).held === 0n, 'the end of all calls');
    await stopChild(mete.child);
    await stopChild(provider.child);
  }
}

export const countingParts = { counting };
