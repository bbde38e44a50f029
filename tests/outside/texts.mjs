// SPDX-License-Identifier: Apache-2.0
// Texts for tokenizers, made from a seed: of every script of Unicode 16, and of all that patterns and
// merges trip over. texts(seed, count) gives [kind, string], the kinds in turn; runs of one
// character are kept short, because tokenizers to compare with take time with the square of them.
import fs from 'node:fs';

const CLASSES = new URL('../../data/vocab/unicode16_classes.tsv', import.meta.url);

/** mulberry32: small, and the same everywhere. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n) => Math.floor(next() * n);
  return { next, below, between: (a, b) => a + below(b - a + 1), pick: (list) => list[below(list.length)], chance: (p) => next() < p };
}

// Ranges of the classes that patterns ask for, and from them the pages of 128 code points that have
// any: blocks begin on such pages. Of the long ones (Han, Hangul, private use) some pages.
const ranges = fs.readFileSync(CLASSES, 'utf8').split('\n').filter((line) => /^[0-9A-F]/.test(line)).map((line) => {
  const [first, last, name] = line.split('\t');
  return { first: parseInt(first, 16), last: parseInt(last, 16), name };
});
const named = (...names) => ranges.filter((r) => names.includes(r.name));
const pages = [];
const seen = new Set();
for (const { first, last } of ranges) {
  for (let page = first >> 7; page <= last >> 7; page += 1) {
    const inside = page !== first >> 7 && page !== last >> 7;
    if (seen.has(page) || (inside && page % 24)) continue;
    seen.add(page);
    pages.push(page);
  }
}
for (const other of [0x2000, 0x2190, 0x2300, 0x2500, 0x2600, 0x2700, 0x3000, 0xe000, 0xfe00, 0xff00, 0x1f000, 0x1f300, 0x1f600, 0x1f900, 0xe0000]) pages.push(other >> 7);

const isSurrogate = (c) => c >= 0xd800 && c <= 0xdfff;
const char = (c) => (isSurrogate(c) ? '\u{fffd}' : String.fromCodePoint(c));
const within = (r, range) => char(r.between(range.first, range.last));
// Edges of a range are where tables are wrong.
const edgy = (r, range) => char(r.pick([range.first - 1, range.first, range.last, range.last + 1, r.between(range.first, range.last)].filter((c) => c >= 0 && c <= 0x10ffff)));
const many = (r, least, most, make) => Array.from({ length: r.between(least, most) }, make).join('');

const upper = named('Lu', 'Lt');
const lower = named('Ll');
const caseless = named('Lm', 'Lo');
const marks = named('M');
const numbers = named('N');
const SPACES = [...'\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'];
const NEARLY_SPACES = [...'\u200b\u200c\u200d\u2060\ufeff\u180e\u2800\u0000\u001c\u001f'];
const WORDS = ['d', 'l', 'L', 'qu', 'O', 'I', 'we', 'don', 'CAN', 'Hello', 'world', 'HTTPServer', 'fooBar', 'snake_case', 'naïve', 'Straße', 'ПРИВЕТ', 'мир', 'Ελλάδα',
  '東京', '的', '한국어', 'हिन्दी', 'ไทย', 'עברית', 'العربية', 'ქართული', 'ǅungla', 'ﬁn', 'İstanbul', 'ﬂ', '1st', 'x86', 'é', 'e\u0301'];
const ENDINGS = ['s', 't', 're', 've', 'm', 'll', 'd', 'S', 'T', 'RE', 'rE', 'Re', 'VE', 'vE', 'Ve', 'M', 'LL', 'lL', 'Ll', 'D', 'ſ', 'x', 'l', 'r', 'v', 'ss', '\u212a', 'ſ', 'ž', ''];
const QUOTES = ["'", "'", "'", '’', "''", 'ʼ', '`', "'\u0301"];
const EMOJI = ['😀', '👨‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '🇩🇪', '🇫🇷🇪', '1️⃣', '#️⃣', '❤️', '❤', '👩🏿‍🚀', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🧑‍🤝‍🧑', '☺︎', '🫠', '🪿', '\u200d', '\ufe0f', '🏽'];
const CODE = ['def f(x):\n    return x\n', 'if (a != b) {\n\t\treturn -1;\n}\n', '#include <stdio.h>\n', 'SELECT * FROM t WHERE id = 42;', '{"a": [1, 2, {"b": null}]}',
  'const f = async ({ a, ...b }) => await g?.(a) ?? `x${b}`;', '<div class="x">&nbsp;</div>\r\n', '\\begin{align}\n', 'x+=1;;;\n\n\n', '0xDEADBEEF 1e-10 1_000_000', '    \t  pass\n',
  'https://example.org/a/b?c=d&e=%20#f', '// ---- x ----\n', '/* *** */', 'a->b::c<d>&&e||!f', '$HOME/.config/*', '"\\u00e9\\n"', 'ptr[i++]', "it's `code`", '# é\n', '\n}\n\n'];
const MARKDOWN = ['# T\n\n', '- a\n- b\n  - c\n', '| a | b |\n|---|:-:|\n', '```js\nx\n```\n', '**bold** _it_ ~~no~~', '[t](http://x.y)', '> q\n', '---\n', '***\n', '1. one\n2. two\n', '![i](a.png)\n',
  '=========\n', '- [ ] todo\n', '<br/>', 'a  \nb', '\t* x\n', '\\* \\#', '###### h6\n'];
const SPECIAL = ['<|endoftext|>', '<|endofprompt|>', '<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>', '<|start|>', '<|im_start|>', '<|reserved_200100|>', '<|', '|>', '<|endoftext'];
const RUNS = [...'aAzZ0 \n\t\r.,-=*#_/\\!?~^\'"<>|的ね한ש😀\u0301\u3000\u00a0é', 'ab', 'aA', 'Aa', ' \n', '\r\n', '\n ', '. ', '--', '=-', 'ha', "'s", '1a', '的的', '\u0301a'];

const KINDS = {
  block: (r, i) => {
    const page = pages[i % pages.length] << 7;
    return many(r, 10, 60, () => (r.chance(0.8) ? char(page + r.below(128)) : r.pick([' ', ' ', '\n', '.', '7', 'a', 'B', ', '])));
  },
  edges: (r) => many(r, 5, 40, () => (r.chance(0.75) ? edgy(r, r.pick(ranges)) : r.pick([' ', 'a', 'A', '1', '.', '\n']))),
  mix: (r) => many(r, 3, 12, () => {
    const page = r.pick(pages) << 7;
    return many(r, 1, 8, () => char(page + r.below(128))) + r.pick([' ', '', '', '\n', ', ']);
  }),
  cases: (r) => many(r, 5, 40, () => r.pick([() => within(r, r.pick(upper)), () => within(r, r.pick(lower)), () => within(r, r.pick(caseless)), () => within(r, r.pick(marks)),
    () => r.pick([...'aZéßЖж中ʰ\u0301 \'.1\n'])])()),
  contractions: (r) => many(r, 2, 10, () => r.pick(WORDS) + r.pick(QUOTES) + r.pick(ENDINGS) + r.pick(['', '', ' ', 'x', 'X', '中', '1', "'", '\u0301', '\n', '.'])),
  emoji: (r) => many(r, 2, 15, () => r.pick(EMOJI) + (r.chance(0.3) ? r.pick([' ', 'a', '\u200d', '!', '\n']) : '')),
  combining: (r) => many(r, 2, 10, () => r.pick(['a', 'Z', 'é', ' ', '1', '.', 'क', '中', '\n', '', '\u200d']) + many(r, 0, 6, () => within(r, r.pick(marks)))),
  digits: (r) => many(r, 2, 10, () => {
    const range = r.pick(numbers);
    return many(r, 1, 9, () => (r.chance(0.9) ? within(r, range) : String(r.below(10)))) + r.pick(['', ' ', ',', '.', 'a', '\n', '-', "'s"]);
  }),
  spaces: (r) => many(r, 3, 15, () => many(r, 1, 6, () => (r.chance(0.9) ? r.pick(r.chance(0.5) ? SPACES : [...' \n\t\r']) : r.pick(NEARLY_SPACES))) + r.pick(['', 'a', 'Zz', '1', '.', '中', '/', '\u0301', "'s"])),
  code: (r) => many(r, 2, 10, () => r.pick(CODE) + many(r, 0, 8, () => r.pick([...' \n\t{}();/']))),
  markdown: (r) => many(r, 3, 12, () => r.pick(MARKDOWN) + (r.chance(0.5) ? `${r.pick(WORDS)} ` : '')),
  words: (r) => many(r, 5, 40, () => r.pick(WORDS) + r.pick([' ', ' ', ' ', '', '  ', '. ', ', ', '-', '\n', '/', '…', '。'])),
  runs: (r) => many(r, 1, 4, () => r.pick(RUNS).repeat(r.between(1, r.chance(0.05) ? 300 : 70)) + r.pick(['', 'x', ' ', '\n', ' x', '1'])),
  ascii: (r) => many(r, 5, 120, () => char(r.between(0, 127))),
  latin: (r) => many(r, 5, 80, () => char(r.between(0x20, 0x24f))),
  letters: (r) => many(r, 1, 300, () => r.pick([...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/'])),
  long: (r) => (r.chance(0.02) ? many(r, 4090, 4200, () => r.pick([...'abcdefghijklmnopqrstuvwxyz'])) : many(r, 1, 600, () => r.pick([...'etaoinshrdlu']))),
  anything: (r) => many(r, 1, 40, () => char(r.below(r.chance(0.5) ? 0x110000 : 0x3000))),
  specials: (r) => many(r, 1, 6, () => r.pick(SPECIAL) + r.pick(['', ' ', '\n', '  ', 'a', ' <', '.', "'s"])),
};

export function* texts(seed, count) {
  const kinds = Object.entries(KINDS);
  for (let i = 0; i < count; i += 1) {
    const [kind, make] = kinds[i % kinds.length];
    const r = random(Math.imul(seed, 0x9e3779b1) + i);
    yield [kind, make(r, Math.floor(i / kinds.length))];
  }
}

/** Bytes of which many are not UTF-8. */
export function bytes(seed, i) {
  const r = random(Math.imul(seed, 0x85ebca6b) + i);
  const parts = [];
  for (let n = r.between(1, 20); n; n -= 1) {
    if (r.chance(0.5)) parts.push(Buffer.from(r.pick([...WORDS, ...EMOJI, ' ', '\n'])));
    else parts.push(Buffer.from(Array.from({ length: r.between(1, 4) }, () => r.pick([r.between(0x80, 0xff), r.between(0xc0, 0xf8), r.pick([0xed, 0xe0, 0xf0, 0xf4, 0xa0, 0x9f, 0x90, 0x8f, 0x80, 0xbf, 0xc0, 0xc1, 0xf5])]))));
  }
  const all = Buffer.concat(parts);
  return all.subarray(0, r.between(0, all.length));
}
