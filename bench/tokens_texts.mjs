// SPDX-License-Identifier: Apache-2.0
// The texts that tokenizers are measured with, two megabytes each where there is as much, made of
// what any Debian 12 has (tools/packages bench) and of this repository: the same on every machine.
// Parts (sayings, files, entries) are put in an order drawn from a fixed seed, so that the two halves
// of a text are of one kind.
import fs from 'node:fs';
import path from 'node:path';

import { ROOT } from './stand.mjs';

const MOST = 2 << 20;
const FORTUNES = '/usr/share/games/fortunes';

function shuffled(list) {
  let state = 20261122;
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i -= 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const at = Math.floor((state / 4294967296) * (i + 1));
    [copy[i], copy[at]] = [copy[at], copy[i]];
  }
  return copy;
}

const files = (folder) => fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  .filter((entry) => entry.isFile()).map((entry) => path.join(folder, entry.name));
const sayings = (names) => names.filter((name) => !/\.(dat|u8)$|art$/.test(name))
  .flatMap((name) => fs.readFileSync(name, 'utf8').split(/^%\s*$/m)).map((text) => text.trim()).filter(Boolean);

/** The parts up to MOST bytes. */
function joined(parts, between = '\n\n') {
  const taken = [];
  let len = 0;
  for (const part of parts) {
    if (len >= MOST) break;
    taken.push(part);
    len += Buffer.byteLength(part) + between.length;
  }
  return `${taken.join(between)}\n`;
}

function needs(folder, packages) {
  if (!fs.existsSync(folder)) throw new Error(`${packages} is not installed`);
}

function english() {
  needs(`${FORTUNES}/cookie`, 'fortunes');
  return shuffled(sayings(files(FORTUNES).filter((name) => !/chinese|tang300|song100/.test(name))));
}

// Terminal colours and drawn frames are no prose; what is mostly Han is.
function chinese() {
  needs(`${FORTUNES}/chinese`, 'fortunes-zh');
  const plain = sayings([`${FORTUNES}/chinese`]).map((text) => text.replace(/\x1b\[[0-9;]*m/g, '').replace(/^.*[\u2500-\u257f].*$\n?/gm, '').trim());
  const han = (text) => (text.match(/\p{Script=Han}/gu) ?? []).length / (text.replace(/\s/g, '').length || 1);
  return shuffled(plain.filter((text) => han(text) > 0.5));
}

function russian() {
  needs(`${FORTUNES}/ru`, 'fortunes-ru');
  return shuffled(sayings(files(`${FORTUNES}/ru`)));
}

function python() {
  const home = fs.readdirSync('/usr/lib').filter((name) => /^python3\.\d+$/.test(name)).sort().at(-1);
  if (!home) throw new Error('python3 is not installed');
  return shuffled(files(`/usr/lib/${home}`).filter((name) => name.endsWith('.py')).map((name) => fs.readFileSync(name, 'utf8')).filter((text) => !text.includes('\ufffd')));
}

function json() {
  const home = '/usr/share/iso-codes/json';
  needs(home, 'iso-codes');
  return shuffled(files(home).filter((name) => !name.includes('schema')).flatMap((name) => Object.values(JSON.parse(fs.readFileSync(name, 'utf8')))[0]))
    .map((entry) => JSON.stringify(entry, null, 2));
}

// What people ask and assistants answer: sayings, documents, code in fences, data, other languages.
function chat() {
  const documents = ['README.md', 'ARCHITECTURE.md', ...fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md') && name !== 'benchmarks.md').sort().map((name) => `docs/${name}`)]
    .flatMap((name) => fs.readFileSync(path.join(ROOT, name), 'utf8').split(/\n(?=\n|#)/)).map((text) => text.trim()).filter((text) => text.length > 40);
  const functions = python().flatMap((text) => text.split(/\n(?=def |class )/)).filter((text) => text.length > 100 && text.length < 3000);
  const kinds = [
    [6, english()], [3, shuffled(documents)], [3, shuffled(functions).map((text) => `\`\`\`python\n${text.trimEnd()}\n\`\`\``)],
    [1, json().map((text) => `\`\`\`json\n${text}\n\`\`\``)], [1, chinese()], [1, russian()],
  ].flatMap(([times, parts]) => Array.from({ length: times }, () => ({ parts })));
  const turns = [];
  const next = new Map();
  for (let i = 0; turns.length < 12000; i += 1) {
    const { parts } = kinds[(i * 7) % kinds.length];
    const at = next.get(parts) ?? 0;
    next.set(parts, at + 1);
    turns.push(`**${i % 2 ? 'Assistant' : 'User'}:** ${parts[at % parts.length]}`);
  }
  return turns;
}

const KINDS = {
  english: [english, 'Debian fortunes, fortunes-min'],
  chat: [chat, 'of the others, docs/*.md: 6 turns of English, 3 of documents, 3 of Python, 1 each of JSON, Chinese, Russian'],
  python: [python, 'python3\'s standard library'],
  json: [() => [`[\n${joined(json(), ',\n').trimEnd()}\n]`], 'Debian iso-codes'],
  chinese: [chinese, 'Debian fortunes-zh, what is mostly Han'],
  russian: [russian, 'Debian fortunes-ru'],
};

/** Writes each text into the folder: [{kind, file, source, bytes}]. */
export function writeTexts(folder) {
  return Object.entries(KINDS).map(([kind, [make, source]]) => {
    const file = path.join(folder, `${kind}.txt`);
    fs.writeFileSync(file, joined(make()));
    return { kind, file, source, bytes: fs.statSync(file).size };
  });
}

// What stalls tokenizers: a megabyte of one thing. Those with line ends are twice as long, because
// the program measures up to the line end in the middle.
export function writeWorst(folder) {
  const million = 1000000;
  const repeat = (text) => Buffer.from(text.repeat(Math.ceil(million / Buffer.byteLength(text))));
  let state = 1;
  const noise = () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state >>> 24; };
  const named = [];
  for (let byte = 0; byte < 128; byte += 1) {
    const shown = byte > 32 && byte < 127 ? String.fromCharCode(byte) : `byte ${byte}`;
    named.push([shown, Buffer.alloc(byte === 10 ? 2 * million : million, byte)]);
  }
  for (const [shown, text] of [['U+3000', '\u3000'], ['的', '的'], ['😀', '😀'], ['U+0301', '\u0301'], ['ab', 'ab'], ['aA', 'aA'], ['hello', 'hello']]) named.push([shown, repeat(text)]);
  named.push(['base64', Buffer.from(Buffer.from(Array.from({ length: 750000 }, noise)).toString('base64'))]);
  named.push(['random bytes', Buffer.from(Array.from({ length: 2 * million }, noise))]);
  return named.map(([shown, bytes], i) => {
    const file = path.join(folder, `worst-${i}`);
    fs.writeFileSync(file, bytes);
    return { shown, file, single: i < 128 };
  });
}
