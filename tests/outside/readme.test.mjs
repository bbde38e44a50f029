// SPDX-License-Identifier: Apache-2.0
// Proves that what the README says works as it is written: each sh block behind `<!-- run -->` is run
// by bash, in order, from the project's folder, in a HOME that is empty. A block that fails, or a
// README without such blocks, fails. And `make run`: the line it prints answers with its cost, and
// Ctrl-C leaves nothing running.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from './contract.mjs';
import { BINARY, mind, temporary } from './mete.mjs';

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

test('make run prints a line that answers with its cost', { timeout: 300000 }, async () => {
  const home = temporary();
  const child = mind(spawn('make', ['run'], {
    cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, METE_RUN: home, METE_LISTEN: '127.0.0.1:0', METE_METRICS_LISTEN: '127.0.0.1:0' },
  }));
  const interrupt = (signal) => { try { process.kill(-child.pid, signal); } catch { /* gone */ } };
  process.on('exit', () => interrupt('SIGKILL'));
  let printed = '';
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const line = await new Promise((resolve, reject) => {
    const look = (bytes) => {
      printed += bytes;
      const found = printed.match(/^curl .*\n/m);
      if (found) resolve(found[0]);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('exit', () => reject(new Error(`make run ended: ${printed}`)));
  });
  const answer = spawnSync('sh', ['-c', line], { encoding: 'utf8', timeout: 60000 });
  assert.match(answer.stdout, /^HTTP\/1.1 200/, answer.stdout);
  assert.match(answer.stdout, /^x-mete-cost: 0\.\d+/mi);
  assert.ok(fs.existsSync(printed.match(/admin token +(\S+)/)[1]));
  interrupt('SIGINT');
  await ended;
  const left = spawnSync('pgrep', ['-f', `${home}/mete.yaml`], { encoding: 'utf8' });
  assert.equal(left.stdout, '', 'a process is left');
});
