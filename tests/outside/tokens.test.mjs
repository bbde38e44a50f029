// SPDX-License-Identifier: Apache-2.0
// Proves that `mete tokens` gives the ids of tiktoken on generated texts of every script, in all of
// its encodings, special tokens as text and as themselves, bytes that are not UTF-8 included; and
// that a text that comes in pieces, cut at any byte, counts after each piece as tiktoken counts what
// has come; and that POST /api/v1/tokens/count says the same, of one text, of many and of a megabyte.
// tiktoken is the npm package, OpenAI's code compiled to WebAssembly. Zero differences.
// METE_SEED and METE_TEXTS make it another run or a longer one.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { Tiktoken, get_encoding as encodingOf } from 'tiktoken';
import { Mete, PRICES, configuration, run, temporary } from './mete.mjs';
import { Provider } from './provider.mjs';
import { bytes, random, texts } from './texts.mjs';

const SEED = Number(process.env.METE_SEED ?? 1);
const COUNT = Number(process.env.METE_TEXTS ?? 3000);
const ENCODINGS = ['o200k_base', 'o200k_harmony', 'cl100k_base', 'p50k_base', 'p50k_edit', 'r50k_base'];

// The package has no o200k_harmony: o200k_base with the special tokens that tiktoken 0.14 gives it.
const HARMONY = {
  '<|startoftext|>': 199998, '<|endoftext|>': 199999, '<|reserved_200000|>': 200000, '<|reserved_200001|>': 200001,
  '<|return|>': 200002, '<|constrain|>': 200003, '<|reserved_200004|>': 200004, '<|channel|>': 200005,
  '<|start|>': 200006, '<|end|>': 200007, '<|message|>': 200008, '<|reserved_200009|>': 200009,
  '<|reserved_200010|>': 200010, '<|reserved_200011|>': 200011, '<|call|>': 200012, '<|endofprompt|>': 200018,
  ...Object.fromEntries(Array.from({ length: 201088 - 200013 }, (_, i) => [`<|reserved_${200013 + i}|>`, 200013 + i])),
};
const peers = new Map();
function peer(name) {
  if (!peers.has(name)) {
    const o200k = () => createRequire(import.meta.url)('tiktoken/encoders/o200k_base.json');
    peers.set(name, name === 'o200k_harmony' ? new Tiktoken(o200k().bpe_ranks, HARMONY, o200k().pat_str) : encodingOf(name));
  }
  return peers.get(name);
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const generated = [...texts(SEED, COUNT)];

// Texts that tokens themselves make, whatever those are: merges meet in ways no language has.
function fromTokens(encoding, count) {
  const r = random(SEED + 77);
  const size = { r50k_base: 50256, p50k_base: 50256, p50k_edit: 50256, cl100k_base: 100256 }[encoding] ?? 199998;
  return Array.from({ length: count }, () => {
    const ids = Uint32Array.from({ length: r.between(1, 30) }, () => r.below(r.chance(0.5) ? size : 3000));
    return ['tokens', decoder.decode(peer(encoding).decode(ids))];
  });
}

/** Files, one for each text (strings, or bytes), in order. */
function files(contents) {
  const directory = temporary();
  return contents.map((content, i) => {
    const file = path.join(directory, `${i}`);
    fs.writeFileSync(file, content);
    return file;
  });
}

// Written once: tens of thousands of files take longer to remove than to count.
const written = files(generated.map(([, text]) => text));

function ask(names, args) {
  const done = run(['tokens', ...args, '--json', ...names]);
  assert.equal(done.status, 0, done.stderr.slice(0, 2000));
  const answers = done.json();
  assert.deepEqual(answers.map((one) => one.file), names);
  return answers;
}

/** Fails with the shortest text that differs, and how to see it again. */
function compare(encoding, inputs, answers, expected) {
  let worst;
  answers.forEach((answer, i) => {
    assert.equal(answer.tokens, answer.ids.length, `${encoding}: the count is that of the ids`);
    const [kind, text] = inputs[i];
    const ids = expected(text);
    const same = ids.length === answer.ids.length && ids.every((id, k) => id === answer.ids[k]);
    if (!same && (!worst || text.length < worst.text.length)) worst = { kind, text, wanted: [...ids].join(' '), got: answer.ids.join(' ') };
  });
  if (worst) assert.fail(`${encoding}, seed ${SEED}, ${worst.kind}: ${JSON.stringify(worst.text)}\n tiktoken ${worst.wanted}\n mete     ${worst.got}`);
}

test('the texts are of every script, and the same for the same seed', () => {
  const all = generated.map(([, text]) => text).join('');
  for (const script of ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Hebrew', 'Arabic', 'Syriac', 'Thaana', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu', 'Kannada',
    'Malayalam', 'Sinhala', 'Thai', 'Lao', 'Tibetan', 'Myanmar', 'Georgian', 'Hangul', 'Ethiopic', 'Cherokee', 'Khmer', 'Mongolian', 'Hiragana', 'Katakana', 'Bopomofo', 'Han', 'Yi', 'Gothic', 'Deseret',
    'Adlam', 'Egyptian_Hieroglyphs', 'Cuneiform', 'Tifinagh', 'Vai', 'Javanese', 'Balinese', 'Braille', 'Coptic', 'Runic', 'Ogham', 'Nko', 'Linear_B']) {
    assert.match(all, new RegExp(`\\p{Script=${script}}`, 'u'), script);
  }
  assert.deepEqual([...texts(SEED, 200)], generated.slice(0, 200));
});

for (const encoding of ENCODINGS) {
  test(`${encoding}: the ids of tiktoken`, () => {
    const made = fromTokens(encoding, COUNT >> 3);
    const answers = ask([...written, ...files(made.map(([, text]) => text))], ['-e', encoding]);
    compare(encoding, [...generated, ...made], answers, (text) => peer(encoding).encode_ordinary(text));
  });

  test(`${encoding}: special tokens as themselves`, () => {
    const own = encoding === 'o200k_harmony' ? Object.keys(HARMONY).slice(0, 40) : ['<|endoftext|>', '<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>', '<|endofprompt|>'];
    const r = random(SEED + 5);
    const inputs = generated.filter(([kind, text]) => text.length < 400 && kind !== 'long').slice(0, 400)
      .map(([kind, text]) => [kind, r.pick(own) + text + r.pick(own) + r.pick([' ', '', '\n']) + r.pick(own)]);
    const answers = ask(files(inputs.map(([, text]) => text)), ['-e', encoding, '--special']);
    compare(encoding, inputs, answers, (text) => peer(encoding).encode(text, 'all'));
    assert.ok(answers.some((answer, i) => answer.tokens !== peer(encoding).encode_ordinary(inputs[i][1]).length), 'they were seen');
  });

  test(`${encoding}: bytes that are not UTF-8 are U+FFFD`, () => {
    const raw = Array.from({ length: 400 }, (_, i) => bytes(SEED, i));
    const inputs = raw.map((one) => ['bytes', decoder.decode(one)]);
    assert.ok(inputs.filter(([, text]) => text.includes('\u{fffd}')).length > 200);
    compare(encoding, inputs, ask(files(raw), ['-e', encoding]), (text) => peer(encoding).encode_ordinary(text));
  });
}

// What has come of each text after each piece of n bytes.
const prefixes = (content, n) => Array.from({ length: Math.ceil(content.length / n) }, (_, i) => content.subarray(0, (i + 1) * n));

for (const encoding of ['o200k_base', 'cl100k_base', 'r50k_base']) {
  test(`${encoding}: a text in pieces counts as tiktoken counts what has come, at every byte`, () => {
    const kinds = Math.ceil(generated.length / 19);
    const contents = [...generated.filter(([kind, text]) => kind !== 'long' && text.length > 1 && text.length <= 90).slice(0, Math.min(150, kinds * 2)).map(([, text]) => Buffer.from(text)),
      ...Array.from({ length: 20 }, (_, i) => bytes(SEED + 1, i)), Buffer.alloc(0)];
    const at = files(contents);
    const known = contents.map((content) => [0, ...prefixes(content, 1).map((prefix) => peer(encoding).encode_ordinary(decoder.decode(prefix)).length)]);
    for (const n of [1, 2, 3, 4, 5, 7, 8, 11, 16, 31, 64]) {
      ask(at, ['-e', encoding, '--piece', String(n)]).forEach((answer, i) => {
        const wanted = prefixes(contents[i], n).map((prefix) => known[i][prefix.length]);
        assert.deepEqual(answer.counts, wanted, `pieces of ${n} bytes, seed ${SEED}: ${JSON.stringify(contents[i].toString('latin1'))} (as Latin-1)`);
        assert.equal(answer.tokens, known[i].at(-1));
      });
    }
  });

  test(`${encoding}: all texts in pieces come to what they come to whole`, () => {
    const whole = ask(written, ['-e', encoding]);
    for (const n of [8, 61, 300]) {
      ask(written, ['-e', encoding, '--piece', String(n)]).forEach((answer, i) => {
        assert.equal(answer.tokens, whole[i].tokens, `pieces of ${n} bytes, seed ${SEED}, ${generated[i][0]}: ${JSON.stringify(generated[i][1])}`);
      });
    }
  });
}

test('the command: counts, totals, ids, standard input, and what it cannot read', () => {
  const cwd = temporary();
  fs.writeFileSync(path.join(cwd, 'a.txt'), 'hello world');
  fs.writeFileSync(path.join(cwd, 'b "c".txt'), 'hello<|endoftext|>');
  fs.writeFileSync(path.join(cwd, 'empty'), '');
  const said = (args, input) => { const { status, stdout, stderr } = run(['tokens', ...args], { cwd, input }); return [status, stdout, stderr]; };
  assert.deepEqual(said(['-m', 'gpt-4o', 'a.txt']), [0, '2 a.txt\n', '']);
  assert.deepEqual(said(['a.txt', '-m', 'gpt-4o', 'empty', 'a.txt']), [0, '2 a.txt\n0 empty\n2 a.txt\n4 total\n', '']);
  assert.deepEqual(said(['-m', 'gpt-4o'], 'hello'), [0, '1\n', '']);
  assert.deepEqual(said(['--encoding', 'o200k_base', '-', '--', 'a.txt'], 'hello'), [0, '1 -\n2 a.txt\n3 total\n', '']);
  assert.deepEqual(said(['-m', 'gpt-4o', '--ids', 'a.txt', 'empty']), [0, '24912 2375\n\n', '']);
  assert.deepEqual(said(['-m', 'gpt-4o', '--special', '--ids', 'b "c".txt']), [0, '24912 199999\n', '']);
  assert.deepEqual(JSON.parse(said(['-m', 'gpt-4o', '--json', 'b "c".txt', 'empty', '--special'])[1]),
    [{ file: 'b "c".txt', tokens: 2, ids: [24912, 199999] }, { file: 'empty', tokens: 0, ids: [] }]);
  const [status, text, note] = said(['-m', 'claude-sonnet-4-5', '--json', 'a.txt']);
  assert.deepEqual([status, JSON.parse(text)], [0, [{ file: 'a.txt', tokens: 2, ids: [24912, 2375], exact: false }]]);
  assert.match(note, /claude-sonnet-4-5.*not public.*o200k_base/);
  for (const json of [[], ['--json'], ['--piece', '3', '--json']]) {
    const [code, out, why] = said(['-m', 'gpt-4o', 'nowhere', '.', 'a.txt', ...json]);
    assert.equal(code, 3);
    assert.match(why, /nowhere: No such file.*\n.*\.: Is a directory/);
    if (json.length) assert.equal(JSON.parse(out).at(-1).tokens, 2);
    else assert.equal(out, '2 a.txt\n2 total\n');
  }
  for (const wrong of [[], ['-m'], ['-m', ''], ['-m', 'gpt-4o', '-e', 'o200k_base'], ['-e', 'o200k'], ['-m', 'gpt-4o', '--piece', '0'], ['-m', 'gpt-4o', '--piece', '9', '--ids'], ['-m', 'gpt-4o', '--what']]) {
    const [code, out, why] = said([...wrong, 'a.txt'].slice(0, wrong[0] === '-m' && wrong.length === 1 ? 1 : undefined));
    assert.deepEqual([code, out], [2, ''], wrong.join(' '));
    assert.match(why, /^mete tokens: .*\nusage: /);
  }
});

test('an encoding that a configuration names, by name and by model', () => {
  const { bpe_ranks: packed } = createRequire(import.meta.url)('tiktoken/encoders/r50k_base.json');
  const cwd = temporary();
  const ranks = packed.split('\n').flatMap((line) => { const [, first, ...tokens] = line.split(' '); return tokens.map((token, i) => `${token} ${Number(first) + i}`); });
  fs.writeFileSync(path.join(cwd, 'own.tiktoken'), `${ranks.join('\n')}\n`);
  fs.writeFileSync(path.join(cwd, 'mete.yaml'), `encodings:\n  - {name: own, file: ${cwd}/own.tiktoken, pattern: r50k, models: [own-model]}\n`);
  const inputs = generated.slice(0, 300);
  const names = written.slice(0, 300);
  for (const asked of [['-e', 'own'], ['-m', 'own-model-7b']]) {
    compare('own', inputs, ask(names, ['--config', path.join(cwd, 'mete.yaml'), ...asked]), (text) => peer('r50k_base').encode_ordinary(text));
  }
  for (const [args, why] of [[['--config', path.join(cwd, 'nowhere.yaml'), '-e', 'own'], /nowhere\.yaml/], [['--config', path.join(cwd, 'own.tiktoken'), '-e', 'own'], /own\.tiktoken/]]) {
    const done = run(['tokens', ...args, names[0]]);
    assert.deepEqual([done.status, done.stdout], [3, '']);
    assert.match(done.stderr, why);
  }
});

test('the API counts as the command does, and whatever is wrong is named', { timeout: 60000 }, async () => {
  const provider = await new Provider(PRICES).start();
  const mete = await Mete.start({ config: configuration(provider) });
  try {
    const { key } = await mete.organization('tokens');
    const count = (body, options = { token: key }) => mete.api('POST', '/api/v1/tokens/count', body, options);
    const before = await mete.hash();
    for (const encoding of ENCODINGS) {
      const inputs = generated.slice(0, 400).map(([, text]) => text);
      const { body, status } = await count({ encoding, texts: inputs, ids: true });
      assert.equal(status, 200);
      body.texts.forEach((one, i) => assert.deepEqual(one.ids, [...peer(encoding).encode_ordinary(inputs[i])], JSON.stringify(inputs[i])));
      assert.equal(body.tokens, body.texts.reduce((sum, one) => sum + one.tokens, 0));
      const short = await count({ encoding, text: inputs[1], ids: true });
      assert.deepEqual(short.body, { encoding, exact: true, ...body.texts[1] });
    }
    const megabyte = 'The quick brown fox jumps over the lazy dog.\n'.repeat(25000);
    const large = await count({ model: 'gpt-4o', text: megabyte });
    assert.deepEqual(large.body, { model: 'gpt-4o', encoding: 'o200k_base', exact: true, tokens: peer('o200k_base').encode_ordinary(megabyte).length });
    assert.equal((await count({ model: 'claude-sonnet-4-5', text: 'hello' })).body.exact, false);
    assert.equal((await count({ model: 'gpt-4o', text: 'a' }, { token: '' })).status, 401);
    assert.equal((await count({ model: 'gpt-4o', text: 'a'.repeat(8 << 20) })).status, 413);
    assert.equal((await count({ model: 'gpt-4o', encoding: 'o200k_base', text: 'a' })).body.field, 'model');
    assert.equal((await count({ model: 'gpt-4o', texts: ['a', 5] })).body.field, 'texts[1]');
    assert.equal(await mete.hash(), before, 'counting leaves nothing behind');
  } finally {
    await mete.stop();
    await provider.stop();
  }
});
