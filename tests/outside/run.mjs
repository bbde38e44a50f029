// SPDX-License-Identifier: Apache-2.0
// Runs the outside tests one file after the other, each in a process group of its own that is ended
// when the file is done or late, so that nothing is left behind. Installs the packages of
// package-lock.json if they are not there. Usage: node run.mjs [file.test.mjs ...]; METE_REPORTER=tap
// makes the output one that tools/count can add up.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const LATE_MS = Number(process.env.METE_FILE_TIMEOUT_MS ?? 300000);

const lock = path.join(here, 'package-lock.json');
const installed = path.join(here, 'node_modules', '.package-lock.json');
if (!fs.existsSync(installed) || fs.statSync(installed).mtimeMs < fs.statSync(lock).mtimeMs) {
  const npm = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], { cwd: here, stdio: 'inherit' });
  if (npm.status !== 0) process.exit(3);
}

const files = process.argv.length > 2
  ? process.argv.slice(2).map((file) => path.resolve(file))
  : fs.readdirSync(here).filter((name) => name.endsWith('.test.mjs')).sort().map((name) => path.join(here, name));

let group = 0;
const end = (signal) => { if (group) { try { process.kill(-group, signal); } catch { /* all gone */ } } };
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => { end('SIGKILL'); process.exit(130); });

const failed = [];
for (const file of files) {
  const child = spawn(process.execPath, ['--test', `--test-reporter=${process.env.METE_REPORTER ?? 'spec'}`, file], { cwd: here, stdio: 'inherit', detached: true });
  group = child.pid;
  const late = setTimeout(() => { console.error(`${path.basename(file)}: late, ended`); end('SIGKILL'); }, LATE_MS);
  const status = await new Promise((done) => { child.on('exit', (code) => done(code)); });
  clearTimeout(late);
  end('SIGKILL');
  group = 0;
  if (status !== 0) failed.push(path.basename(file));
}
console.log(failed.length ? `outside: failed: ${failed.join(', ')}` : `outside: ${files.length} files passed`);
process.exit(failed.length ? 1 : 0);
