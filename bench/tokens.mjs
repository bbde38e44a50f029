// SPDX-License-Identifier: Apache-2.0
// Part tokens: what counting costs in one thread, o200k_base, on texts that every machine of this
// kind can get (tokens_texts.mjs), with the tokenizers of npm on the same texts in the same run. Each
// text is taken three ways: at first sight, after other text of its kind, and once more. A text's
// contenders follow each other directly, so that a slow minute of the machine hits all of them.
// tokens_bench (mete's side) takes the best of its rounds in CPU time, a peer the best of its own.
import fs from 'node:fs';
import path from 'node:path';

import { HERE, ROOT, directory, notes, results, start } from './stand.mjs';
import { writeTexts, writeWorst } from './tokens_texts.mjs';

const PEERS = ['tiktoken', 'gpt-tokenizer', 'ai-tokenizer'];
const WAYS = { first: 'first sight', after: 'after other text of its kind', again: 'same text again' };
const WANTED = { first: [15, 8], after: [35, 15], again: [100, 40] }; // times tiktoken: most, Chinese and Russian
const WORST_MS = 20;

async function lines(command, args) {
  if (path.isAbsolute(command) && !fs.existsSync(command)) throw new Error(`${command} is not there: cmake --build build --target bench_programs`);
  const child = start(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: HERE });
  const code = await child.gone;
  const found = child.text.split('\n').filter((line) => line.startsWith('{'));
  if (code !== 0 || !found.length) throw new Error(`${path.basename(command)} ended with ${code}: ${child.text.slice(-300)}`);
  return found.map((line) => JSON.parse(line));
}

const rows = async (command, args) => Object.fromEntries((await lines(command, args)).map((row) => [row.row, row]));
const BENCH = path.join(ROOT, 'build', 'bench', 'tokens_bench');

const figure = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function texts(all) {
  const lines = [`| text | way | mete MB/s | cycles/byte | ${PEERS.join(' | ')} | mete to tiktoken | must reach |`, `|---|---|---|---|${PEERS.map(() => '---|').join('')}---|---|`];
  for (const { kind, mete, peers } of all) {
    for (const [way, words] of Object.entries(WAYS)) {
      const wanted = WANTED[way][['chinese', 'russian'].includes(kind) ? 1 : 0];
      const peer = (name) => (peers[name]?.[way] ? figure(peers[name][way].mb_s) : '');
      const ratio = peers.tiktoken?.[way] ? `${figure(mete[way].mb_s / peers.tiktoken[way].mb_s)} x` : '';
      lines.push(`| ${kind} | ${words} | ${figure(mete[way].mb_s)} | ${mete[way].cycles_byte.toFixed(1)} | ${PEERS.map(peer).join(' | ')} | ${ratio} | ${wanted} x |`);
    }
  }
  return lines;
}

function others(all) {
  const lines = ['| text | 16-byte strings, ns each | ids, MB/s | 10 KB seen before, us | 16 KB whole, MB/s | the same in 8-byte pieces, MB/s | of the whole\'s speed |', '|---|---|---|---|---|---|---|'];
  for (const { kind, mete } of all) {
    lines.push(`| ${kind} | ${figure(mete.short.ns)} | ${figure(mete.encode.mb_s)} | ${figure(mete.prompt.us)} | ${figure(mete.stream.mb_s)} | ${figure(mete.stream8.mb_s)} | ${figure(mete.stream8.mb_s / mete.stream.mb_s)} |`);
  }
  lines.push('| must reach | < 100 |  |  |  |  | >= 0.25 |');
  return lines;
}

async function worst() {
  const folder = path.join(directory, 'worst');
  fs.mkdirSync(folder);
  const all = writeWorst(folder);
  const ms = async (row) => (await lines(BENCH, ['-r', '3', '-w', row, ...all.map((one) => one.file)])).map((line) => 1000 / line.mb_s);
  const whole = await ms('first');
  const fed = await ms('fed');
  const measured = all.map((one, i) => ({ ...one, ms: whole[i], fed: fed[i] })); // of a megabyte
  fs.rmSync(folder, { recursive: true });
  const slowest = measured.filter((one) => one.single).sort((a, b) => b.ms - a.ms);
  results.worst = measured.map(({ shown, ms: once, fed: pieces }) => ({ shown, ms: once, fed: pieces }));
  const cell = (one) => `| ${one.shown.replace('|', '\\|')} | ${figure(one.ms)} | ${figure(one.fed)} |`;
  return [`| a megabyte of | ms, must be under ${WORST_MS} | in pieces of 4 KB |`, '|---|---|---|', ...slowest.slice(0, 5).map(cell),
    cell({ ...slowest[64], shown: 'the median of the 128 ASCII bytes' }), ...measured.filter((one) => !one.single).map(cell)];
}

async function tokens() {
  const folder = path.join(directory, 'texts');
  fs.mkdirSync(folder);
  const all = writeTexts(folder);
  for (const text of all) {
    process.stderr.write(`bench: tokens, ${text.kind}\n`);
    const strange = all.find(({ kind }) => kind === (text.kind === 'python' ? 'russian' : 'python')).file;
    text.mete = await rows(BENCH, [text.file]);
    text.peers = {};
    for (const peer of PEERS) {
      try { text.peers[peer] = await rows(process.execPath, ['tokens_peer.mjs', peer, text.file, strange]); } catch (error) { notes.push(`${peer}, ${text.kind}: ${error.message}`); }
      const counted = text.peers[peer]?.first.tokens;
      if (counted !== undefined && counted !== text.mete.first.tokens) notes.push(`${peer} counts ${counted} tokens of ${text.kind}, mete ${text.mete.first.tokens}`);
    }
  }
  results.tokens = all.map(({ kind, source, bytes, mete, peers }) => ({ kind, source, bytes, mete, peers }));
  results.drawn.tokens = ['MB are 10^6 bytes of UTF-8. What is measured is the first half of each text:', '',
    '| text | source | bytes measured | tokens |', '|---|---|---|---|',
    ...all.map(({ kind, source, mete }) => `| ${kind} | ${source} | ${mete.first.bytes.toLocaleString('en-US')} | ${mete.first.tokens.toLocaleString('en-US')} |`),
    '', ...texts(all), '', ...others(all), '', ...await worst()];
}

export const tokensParts = { tokens };
