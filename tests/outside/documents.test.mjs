// SPDX-License-Identifier: Apache-2.0
// Proves that documents quote what is there: each block behind `<!-- from FILE -->` stands in that
// file word for word, and the links of a document lead to files.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const documents = ['README.md', 'README.zh-CN.md', 'ARCHITECTURE.md',
  ...fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];

for (const file of documents) {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  test(`${file} leads to files that are there`, () => {
    for (const [, target] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      assert.ok(fs.existsSync(path.join(ROOT, path.dirname(file), target)), `${file}: ${target}`);
    }
  });
  const quotes = [...text.matchAll(/<!-- from (\S+) -->\s*\n```\w*\n([\s\S]*?)```/g)];
  if (quotes.length === 0) continue;
  test(`${file} quotes what is there`, () => {
    assert.equal(quotes.length, text.match(/<!-- from /g).length, 'a mark without its block');
    for (const [, source, quote] of quotes) {
      assert.ok(fs.readFileSync(path.join(ROOT, source), 'utf8').includes(quote), `${source} has no such lines:\n${quote}`);
    }
  });
}

test('the library\'s document quotes the examples', () => {
  const text = fs.readFileSync(path.join(ROOT, 'docs/library.md'), 'utf8');
  assert.ok(text.match(/<!-- from examples\//g).length >= 4);
});
