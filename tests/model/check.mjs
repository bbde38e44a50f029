// SPDX-License-Identifier: Apache-2.0
// The proof "model": what build/tests/model_drive tells is held against the naive ledger, operation
// by operation; the first difference ends it with 1, shrunk to few operations.
//   --seed S --ops N     this many operations of a seed, or
//   --seconds T          as many as that time allows
//   --world-ops K        operations of one world
//   --durable P          of a hundred worlds have a data directory, and crash
//   --company 1          worlds are of a company with 64 clients: interleavings of their calls
//   --shrink 0           a difference is told as it is
//   --processes P       at once, each with its own worlds
//   --canaries 1         each lie that the driver can tell must be found within --ops operations
//   --drive FILE         the driver
import { spawn, spawnSync } from 'node:child_process';
import * as small from './ledger.mjs?small';
import * as big from './ledger.mjs?big';
import { Reader } from './reader.mjs';

const options = { drive: 'build/tests/model_drive', seed: 1, ops: 1e6, seconds: 0, worldOps: 2000, canary: 0, canaries: 0, durable: 0, company: 0, first: 0, shrink: 1, processes: 1 };
for (let i = 2; i < process.argv.length; i += 2) {
    const name = process.argv[i].replace(/^--/, '').replace(/-(.)/g, (_, c) => c.toUpperCase());
    if (!(name in options)) throw new Error(`unknown option ${process.argv[i]}`);
    options[name] = name === 'drive' ? process.argv[i + 1] : Number(process.argv[i + 1]);
}

// One run of the driver. Resolves to the counts, or to a difference.
function run(args, deadline = Infinity) {
    return new Promise((resolve) => {
        const child = spawn(options.drive, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        const reader = new Reader(small, big);
        let stderr = '', isOver = false;
        const finish = (difference) => {
            if (isOver) return;
            isOver = true;
            child.kill('SIGKILL');
            resolve({ ...reader.counts, difference });
        };
        child.stderr.on('data', (text) => { stderr += text; });
        child.stdout.on('data', (chunk) => {
            if (isOver) return;
            try {
                const difference = reader.feed(chunk);
                if (difference) finish(difference);
                else if (Date.now() > deadline) finish(null);
            } catch (error) { finish({ ...reader.where(), what: `the model failed: ${error.stack}` }); }
        });
        child.on('close', (code, signal) => {
            if (reader.isWhole) finish(null);
            else finish({ ...reader.where(), what: `the driver ended (${signal || code}): ${stderr.trim()}` });
        });
    });
}

const fixedArgs = (canary) => ['--seed', options.seed, '--ops', options.worldOps, '--canary', canary, '--durable', options.durable, '--company', options.company];
const again = (world, ops, skip) => run([...fixedArgs(options.canary), '--first', world, '--ops', ops, '--worlds', 1, '--at-once',
    ...(skip ? ['--skip', skip] : [])].map(String));

// Leaves out operations as long as some difference stays; --ops last keeps what follows away.
async function shrink(found) {
    let kept = Array.from({ length: found.op }, (_, i) => i + 1), last = found, until = Date.now() + 30000;
    const skipOf = (list, end) => {
        const keep = new Set(list), gaps = [];
        for (let i = 1, from = 0; i <= end + 1; i++) {
            if (i <= end && !keep.has(i)) { from = from || i; continue; }
            if (from) gaps.push(`${from}-${i - 1}`);
            from = 0;
        }
        return gaps.join(',');
    };
    for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
        for (let at = 0; at < kept.length && Date.now() < until;) {
            const fewer = [...kept.slice(0, at), ...kept.slice(at + size)], end = fewer.at(-1) || 0;
            const { difference } = await again(found.world, end, skipOf(fewer, end));
            if (difference && difference.what.slice(0, 12) === found.what.slice(0, 12)) {
                kept = fewer.filter((op) => op <= difference.op);
                last = difference;
            } else at += size;
        }
    }
    return { ...last, skip: skipOf(kept, kept.at(-1) || 0), ops: kept.at(-1) || 0, left: kept.length };
}

async function tell({ world, op, what }) {
    console.log(`seed ${options.seed} world ${world} operation ${op}: ${what}`);
    if (!options.shrink) return;
    const least = await shrink({ world, op, what });
    console.log(`again, with ${least.left} operations:\n  ${options.drive} --seed ${options.seed} --first ${world} --ops ${least.ops} ` +
        `--durable ${options.durable} --company ${options.company} --skip ${least.skip}\n${least.what}`);
}

async function check(canary) {
    const began = Date.now(), deadline = options.seconds ? began + options.seconds * 1000 : Infinity;
    const worlds = options.seconds ? 1e9 : Math.ceil(options.ops / options.worldOps);
    const result = await run([...fixedArgs(canary), '--first', options.first, '--worlds', worlds].map(String), deadline);
    result.rate = Math.round(result.operations / (Date.now() - began));
    return result;
}

// The same program again, several times; --ops is of all together.
async function share() {
    const apart = 1e7, args = process.argv.slice(1).concat('--processes', 1, '--ops', Math.ceil(options.ops / options.processes));
    const runs = Array.from({ length: options.processes }, (_, i) => new Promise((resolve) => {
        const child = spawn(process.execPath, [...args, '--first', i * apart].map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
        let told = '';
        child.stdout.on('data', (text) => { told += text; process.stdout.write(text); });
        child.on('close', (code) => resolve({ code, operations: Number((/(\d+) operations, \d+ worlds/.exec(told) || [0, 0])[1]) }));
    }));
    const ends = await Promise.all(runs), sum = ends.reduce((total, { operations }) => total + operations, 0);
    const failed = ends.filter(({ code }) => code !== 0).length;
    console.log(`model: seed ${options.seed}, ${sum} operations by ${options.processes} processes, ${failed} with differences`);
    process.exitCode = failed ? 1 : 0;
}

if (options.processes > 1) await share();
else if (options.canaries) {
    const count = Number(spawnSync(options.drive, ['--canaries', '1']).stdout);
    for (let canary = 1; canary <= count; canary++) {
        const { difference, operations } = await check(canary);
        console.log(difference ? `model: canary ${canary} found after ${operations} operations` : `model: canary ${canary} NOT FOUND in ${operations} operations`);
        if (!difference) process.exitCode = 1;
    }
    if (!(count >= 8)) process.exitCode = 1;
} else {
    const r = await check(options.canary);
    if (r.difference) {
        await tell(r.difference);
        process.exitCode = 1;
    }
    console.log(`model: seed ${options.seed}, ${r.operations} operations, ${r.worlds} worlds, ${r.refusals} refusals, ` +
        `${r.restarts} restarts, ${r.difference ? 1 : 0} differences (${r.rate} k/s)`);
}
