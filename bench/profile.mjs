// SPDX-License-Identifier: Apache-2.0
// The CPU of one call by what it is spent on: perf samples mete's threads while wrk keeps it busy, in
// user space and in the kernel, and the innermost function of a sample's stack that says what it is
// for decides its part. perf is slowed by nothing but its own samples, so the figures are times.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { SECONDS, directory, processor, results, row, start, stopChild, wrk } from './stand.mjs';

const PER_SECOND = 997; // samples of each thread's CPU; prime, so that nothing keeps step with it
// From a stack's innermost frame outwards the first that matches decides.
const PARTS = [
  ['flush', /^(writer_|journal_)/, 'the writer: hash, write-ahead file, fdatasync'],
  ['records', /^(projector_|project_|rows_)/, 'the projector: usage records into SQLite'],
  ['audit', /^follower_/, 'the follower: the second ledger, snapshots'],
  ['reserve', /^(on_reserved|ledger_(decide_)?reserve|ledger_foresee$|fingerprint)/, 'deciding the reservation'],
  ['commit', /^(on_committed|call_commit|call_settle|write_commit|ledger_(decide_|foresee_)?(commit|end)|ledger_settle|details_of|write_usage)/, 'settling: usage to money, deciding the commit'],
  ['engine, both', /^(mete_|engine_|owner_|ledger_|entry_|batch_|port_)/, 'entries, queues and wake-ups of reserve and commit together'],
  ['parse', /^(call_read|call_begin|begin$|gateway_good_key|dialect_|chat_read_request)/, 'key, model, body, price, worst case'],
  ['meter', /^(call_on_data|call_on_head|stream_|frames_|call_forward|chat_read_event)/, 'the answer: events, usage, what goes on'],
  ['reply', /^(call_reply_|call_report|call_free_if_over|exchange_|call_start_stream|call_finish_stream|reply_whole|put_head|pen_|put_piece|connection_end)/, 'head and body for the client, log line, metrics'],
  ['upstream', /^(call_ask|call_attempt|transfer_|carrier_|upstream_|pool_|pools_|socket_event|curl_|on_socket|on_header|on_data|on_timer|messages_read|link_|idle_|origin_|queue_|ended_unseen|receive_|take_(head|content)|tell_head|keep_head|prepare_body|send_(on_kept|failed)|unsent_|append_(all|field|length|signature))/, 'request, answer, its sockets: our own HTTP/1.1, or libcurl'],
  ['client', /^(listener_|connection_|wire_|sweep|rang|let_in|come_in)/, 'the door: request, answer, its sockets'],
  ['loop', /^(loop_|round_|epoll_|wait_[mu]s|timers_|server_)/, 'epoll, timers'],
];

function partOf(frames) {
  for (const frame of frames) {
    const found = PARTS.find(([, pattern]) => pattern.test(frame));
    if (found) return found[0];
  }
  return 'not told'; // a stack that perf could not walk
}

/** Samples by part, of what perf recorded. */
function sampled(file) {
  const text = spawnSync('perf', ['script', '-i', file, '--no-inline', '-F', 'comm,tid,ip,sym'], { encoding: 'utf8', maxBuffer: 1 << 30, timeout: 120000 });
  if (text.status !== 0) throw new Error(`perf script: ${text.stderr.slice(-300)}`);
  const parts = {};
  for (const block of text.stdout.split('\n\n')) {
    const lines = block.trim().split('\n');
    if (lines.length < 2) continue;
    const own = lines.slice(1).map((line) => line.trim()).filter((line) => !line.startsWith('ffffffff')); // the kernel's are whoever's called it
    const part = partOf(own.map((line) => line.replace(/^\S+ /, '')));
    parts[part] = (parts[part] ?? 0) + 1;
  }
  return parts;
}

async function profiled({ mete, provider, file, name }) {
  const seconds = Math.min(4, SECONDS);
  const data = path.join(directory, `perf-${name}`);
  await wrk('chat.lua', `${mete.url}/v1/chat/completions`, 32, { BODY: file, TOKEN: mete.token }, 1); // warm
  const before = await provider.counts();
  const cpu = processor(mete.child.pid);
  const perf = start('perf', ['record', '-e', 'cpu-clock', '-F', String(PER_SECOND), '--call-graph', 'dwarf,8192', '-o', data, '-p', String(mete.child.pid)]);
  await wrk('chat.lua', `${mete.url}/v1/chat/completions`, 32, { BODY: file, TOKEN: mete.token }, seconds);
  perf.kill('SIGINT');
  await perf.gone;
  if (!fs.existsSync(data)) throw new Error(`perf: ${perf.text.slice(-300)}`);
  const after = await provider.counts();
  const end = processor(mete.child.pid);
  const calls = after.plain + after.streams - before.plain - before.streams;
  const us = (end.user + end.kernel - cpu.user - cpu.kernel) / calls;
  const samples = sampled(data);
  fs.rmSync(data);
  const all = Object.values(samples).reduce((sum, one) => sum + one, 0);
  return { us, all, parts: Object.fromEntries(Object.entries(samples).map(([part, count]) => [part, us * count / all])) };
}

export async function profile({ body, startProvider, meteBefore }) {
  const provider = await startProvider(100, 0);
  const mete = await meteBefore(provider);
  results.profile = {};
  for (const [name, streams] of [['plain call', false], ['stream of 100 events', true]]) {
    const got = await profiled({ mete, provider, file: body(1000, streams), name: String(streams) });
    results.profile[name] = got;
    row(`CPU of a ${name}, 1 KB, all threads (${got.all} samples)`, got.us, 'us');
    for (const [part, , what] of [...PARTS, ['not told', null, 'stacks that perf could not walk']]) {
      row(`of a ${name}: ${part} (${what})`, got.parts[part] ?? 0, 'us');
    }
  }
  for (const one of [mete, provider]) await stopChild(one.child);
}
