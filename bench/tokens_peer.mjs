// SPDX-License-Identifier: Apache-2.0
// One peer on one text, in a process and a thread of its own: tokens_peer.mjs PEER TEXT OTHER-KIND.
// The first half of TEXT is measured, as tokens_bench does it, in the same three ways; rows of JSON.
// Its code has been run in on another kind of text before, and it learned words of that are
// forgotten: a new tokenizer each time, or an emptied cache. What a pass takes is the least of its
// rounds, and of time passed and CPU used: the best the peer can do here.
import fs from 'node:fs';

const [, , name, file, otherKind] = process.argv;
const ROUNDS = 5;
const LEAST_ROUNDS = 2;
const ENOUGH_MS = 2000;

/** make() gives a function that counts, and has seen nothing. */
const peers = {
  tiktoken: async () => {
    const { get_encoding: encodingOf } = await import('tiktoken');
    let last;
    return () => {
      last?.free();
      const encoding = encodingOf('o200k_base');
      last = encoding;
      return (text) => encoding.encode_ordinary(text).length;
    };
  },
  'gpt-tokenizer': async () => {
    const { clearMergeCache, countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
    const plain = { disallowedSpecial: new Set() };
    return () => { clearMergeCache(); return (text) => countTokens(text, plain); };
  },
  'ai-tokenizer': async () => {
    const { default: Tokenizer } = await import('ai-tokenizer');
    const encoding = await import('ai-tokenizer/encoding/o200k_base');
    return () => { const tokenizer = new Tokenizer(encoding.default ?? encoding); return (text) => tokenizer.encode(text, [], []).length; };
  },
};

const whole = fs.readFileSync(file);
const middle = whole.indexOf(10, whole.length >> 1);
const bytes = middle < 0 ? whole.length : middle;
const text = whole.subarray(0, bytes).toString('utf8');
const other = whole.subarray(bytes).toString('utf8');
const strange = fs.readFileSync(otherKind).subarray(0, 300000).toString('utf8');
const make = await peers[name]();

function pass(count) {
  const from = performance.now();
  const cpu = process.cpuUsage();
  const tokens = count(text);
  const used = process.cpuUsage(cpu);
  return { tokens, ms: Math.min(performance.now() - from, (used.user + used.system) / 1000) };
}

const ways = { first: () => {}, after: (count) => count(other), again: (count) => count(text) };
make()(strange);
for (const [row, before] of Object.entries(ways)) {
  let best = Infinity;
  let tokens;
  const begun = performance.now();
  for (let round = 0; round < ROUNDS && (round < LEAST_ROUNDS || performance.now() - begun < ENOUGH_MS); round += 1) {
    const count = make();
    before(count);
    const done = pass(count);
    best = Math.min(best, done.ms);
    tokens = done.tokens;
  }
  console.log(JSON.stringify({ peer: name, row, bytes, tokens, mb_s: bytes / best / 1000 }));
}
