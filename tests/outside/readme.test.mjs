// SPDX-License-Identifier: Apache-2.0
// Proves that what the README says works as it is written: each sh block behind `<!-- run -->` is run
// by bash, in order, from the project's folder, in a HOME that is empty. A block that fails, or a
// README without such blocks, fails.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from './contract.mjs';
import { BINARY, temporary } from './mete.mjs';

function blocks(file) {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/<!-- run -->\s*\n```sh\n([\s\S]*?)```/g)].map((match) => match[1]);
}

for (const file of ['README.md', 'README.zh-CN.md']) {
  const found = blocks(file);
  if (file === 'README.md') test('the README has commands to run', () => assert.ok(found.length > 0));
  found.forEach((block, i) => {
    test(`${file}, block ${i + 1}`, { timeout: 180000 }, () => {
      const home = temporary();
      const done = spawnSync('bash', ['-euo', 'pipefail', '-c', block], {
        cwd: ROOT, encoding: 'utf8', timeout: 170000, maxBuffer: 64 << 20,
        env: { PATH: `${path.dirname(BINARY)}:${process.env.PATH}`, HOME: home, TMPDIR: home, LANG: 'C.UTF-8' },
      });
      assert.equal(done.status, 0, `${block}\n${done.stdout.slice(-3000)}\n${done.stderr.slice(-3000)}`);
    });
  });
}
