// SPDX-License-Identifier: Apache-2.0
// Faults that could be in the engine, one line each, planted one at a time into a copy of the file
// (the tree stays as it is) and linked into a driver of its own: each must be found by the model,
// or by an assertion, within --ops operations. A line that is no longer there fails: say it anew.
//   --build DIR   where model_drive was built, by ninja
//   --ops N       operations a fault may live
//   --only NAME
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// [what is wrong then, file, line, the line then, options of check.mjs]
const FAULTS = [
    ['what fits exactly is refused', 'src/ledger/weigh.c', 'share->floor_amount > room;', 'share->floor_amount >= room;'],
    ['committed alone leaves no room: asks again too early', 'src/ledger/weigh.c', 'figures.committed <= budget->limit - floor_amount', 'figures.committed < budget->limit - floor_amount'],
    ['one call too many at once', 'src/ledger/rates.c', 'return rate->open < rate->limit;', 'return rate->open <= rate->limit;'],
    ['a rate limit fits a microsecond early', 'src/ledger/rates.c', '(over + rate->limit - 1) / rate->limit', 'over / rate->limit'],
    ['taken of a burst is rounded down', 'src/ledger/rates.c', '(debt_at(rate, now_us) + period_us(rate) - 1) / period_us(rate)', 'debt_at(rate, now_us) / period_us(rate)'],
    ['requests are given back', 'src/ledger/rates.c', 'if (rate->life == RATE_LIVES && is_settled(rate))', 'if (rate->life == RATE_LIVES)'],
    ['thresholds fire once for ever', 'src/ledger/budgets.c', '    budget->fired = 0;\n', '\n'],
    ['a threshold fires one late', 'src/ledger/endings.c', 'committed >= budget->alarm_at', 'committed > budget->alarm_at', '--ops 400000'],
    ['grants are drawn the last first', 'src/ledger/quotas.c', 'return x->priority < y->priority;', 'return x->priority > y->priority;'],
    ['a grant is lowered below what is held', 'src/ledger/decide_quota.c', 'spec->amount < found.drawn + found.held)', 'spec->amount < found.drawn)'],
    ['more is refunded than was drawn', 'src/ledger/quotas.c', 'amount < 1 || amount > grant->drawn)', 'amount < 1 || amount > grant->amount)'],
    ['a lift holds for the window though there is a cooldown', 'src/ledger/controls.c', 'extra->lifted_at_us && !extra->controls.cooldown_s &&', 'extra->lifted_at_us &&', '--ops 600000'],
    ['a cooldown is a microsecond long', 'src/ledger/controls.c', 'now_us - since_us >= (int64_t)cooldown_s * ENTRY_SECOND_US', 'now_us - since_us >= (int64_t)cooldown_s'],
    ['a budget counts at its end', 'src/ledger/extras.c', 'call->at_us >= extra->ends_at_us', 'call->at_us > extra->ends_at_us'],
    ['a throttle lasts beyond its share', 'src/ledger/controls.c', '    if (!extra->controls.throttle_ppm ||\n        !budgets_is_reached(budget->committed, budget->limit, extra->controls.throttle_ppm))', '    if (!extra->controls.throttle_ppm)'],
    ['a converted demand is rounded down', 'src/ledger/exchanges.c', '(product + (exchange->denominator - 1)) / exchange->denominator', 'product / exchange->denominator'],
    ['a rate is in force a moment late', 'src/ledger/exchanges.c', 'exchange->effective_at_us <= as_of.at_us && exchange->seq', 'exchange->effective_at_us < as_of.at_us && exchange->seq', '--ops 400000'],
    ['any pattern matches by its beginning', 'src/ledger/matches.c', 'return slice_equal(pattern, text);', 'return slice_starts(text, pattern);'],
    ['a scope expires a moment late', 'src/ledger/scopes.c', 'now_us >= scope->expires_at_us', 'now_us > scope->expires_at_us'],
    ['an id is remembered a moment too long', 'src/ledger/outcomes.c', 'now_us - outcome->ended_at_us < AGE_MAX_US', 'now_us - outcome->ended_at_us <= AGE_MAX_US'],
    ['an extension keeps the old end', 'src/ledger/extend.c', 'args->ttl_ms && verdict.allowed ? now.us', 'args->ttl_ms > 60000 && verdict.allowed ? now.us'],
    ['a shrinking grows', 'src/ledger/extend.c', 'entry->u.extend.shrinks ? -by : by', 'entry->u.extend.shrinks ? by : by'],
    ['increases are seen late', 'src/ledger/budgets.c', 'min_i64(ledger->cold[handle].window_end_us, increases_next_at(ledger, handle))', 'ledger->cold[handle].window_end_us'],
    ['a snapshot forgets revisions', 'src/ledger/save.c', 'archive_u32(archive, &cold->revision);', '(void)0;', '--durable 100 --ops 20000'],
];

const options = { build: 'build', ops: 100000, only: '' };
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..'), build = path.resolve(options.build);

function sh(command, cwd) {
    const { status, stderr, stdout } = spawnSync('/bin/sh', ['-c', command], { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
    if (status !== 0) throw new Error(`${command}\n${stderr}`);
    return stdout;
}
const compiles = JSON.parse(readFileSync(path.join(build, 'compile_commands.json'), 'utf8'));
const link = sh('ninja -t commands tests/model_drive', build).trim().split('\n').at(-1);

// Objects named before the libraries take the place of theirs.
function plant([, file, line, instead], directory) {
    const source = readFileSync(path.join(root, file), 'utf8'), pieces = source.split(line);
    if (pieces.length < 2) throw new Error(`${file} has no such line: ${line}`);
    const copy = path.join(directory, path.basename(file)), object = `${copy}.o`, drive = path.join(directory, 'model_drive');
    writeFileSync(copy, pieces.join(instead));
    const entry = compiles.find((c) => c.file === path.join(root, file));
    const command = entry.command.replace(/-o \S+ -c \S+/, `-I${path.join(root, path.dirname(file))} -Wno-error -o ${object} -c ${copy}`);
    sh(command, entry.directory);
    sh(link.replace('-o tests/model_drive', `${object} -o ${drive}`), build);
    return drive;
}

function lives(fault, directory) {
    const drive = plant(fault, directory), more = fault[4] ? fault[4].split(' ') : [];
    const args = [path.join(root, 'tests/model/check.mjs'), '--ops', options.ops, ...more, '--shrink', 0, '--drive', drive];
    const { status, stdout } = spawnSync(process.execPath, args.map(String), { encoding: 'utf8' });
    return [status === 0, (/(\d+) operations,/.exec(stdout) || [])[1]];
}

let found = 0;
const chosen = FAULTS.filter(([name]) => !options.only || name.includes(options.only));
for (const fault of chosen) {
    const directory = path.join(build, 'planted', String(FAULTS.indexOf(fault)));
    mkdirSync(directory, { recursive: true });
    try {
        const [isAlive, operations] = lives(fault, directory);
        console.log(`planted: ${fault[0]}: ${isAlive ? `NOT FOUND in ${operations} operations` : `found after ${operations}`}`);
        if (!isAlive) found++;
    } catch (error) { console.log(`planted: ${fault[0]}: ${error.message}`); }
    rmSync(directory, { recursive: true });
}
console.log(`planted: ${found} of ${chosen.length} found`);
process.exitCode = found === chosen.length ? 0 : 1;
