// SPDX-License-Identifier: Apache-2.0
// Proves, with what real providers sent (tests/data), that a call through the running gateway is
// billed as the provider billed it and shows the client what the provider said: every recorded
// exchange of every format that there is, its recorded request in front, its recorded bytes behind,
// sent in random pieces. Then the endings: a provider that breaks off anywhere in a stream, a client
// that leaves, a budget that affords four tokens of a stream that has more. What ran makes the table of docs/dialects.md: `node recorded.test.mjs --write` puts it
// there, and a run fails if it says something else.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { pool } from './mete.mjs';
import { nano } from './money.mjs';
import { generator } from './provider.mjs';
import { Recorded, answerOf, awsMessages, gateway, load, otherFigures, recordsOf, sseBlocks, sseData, traceOf, writeTable } from './recorded.mjs';

const SEED = Number(process.env.METE_SEED ?? 20261121);
const WIDTH = 12; // calls at once, to one gateway
const OWN = 3; // the number of the play of what is refused, asked by a request of ours
const BOUND = 4; // of a stream that costs more than its budget has
const DEAR = 4, TOKENS = 4; // so many of a format, with so much output affordable
const ENDINGS = 12; // streams of a format that are broken off, and that a client leaves

const pathOf = (row) => new URL(row.uri ?? 'http://nowhere/').pathname;
const modelIn = (row, pattern) => decodeURIComponent(pattern.exec(row.uri ?? '')?.[1] ?? row.model_response ?? 'recorded');
const said = (row) => ({ model: row.model_request ?? row.model_response ?? 'recorded', messages: [{ role: 'user', content: 'Say it again.' }] });

// The formats: the recorded endpoints of each, the family of its provider, the client's path, and a
// request for an exchange of which none was kept; bound: how it says that so much output is enough,
// and full: how an answer says that it ended there.
const FORMATS = [
  { name: 'OpenAI chat completions', at: '/v1/chat/completions', family: 'openai', endpoints: ['chat.completions'], usageOnly: true,
    bound: (n) => ({ max_tokens: n }), full: /"finish_reason":"length"[^]*data: \[DONE\]\n\n$/,
    make: (row) => ({ ...said(row), ...(row.stream ? { stream: true, ...(row.expected ? { stream_options: { include_usage: true } } : {}) } : {}) }) },
  { name: 'OpenAI completions', at: '/v1/completions', family: 'openai', endpoints: ['completions'], usageOnly: true,
    bound: (n) => ({ max_tokens: n }), full: /"finish_reason":"length"[^]*data: \[DONE\]\n\n$/,
    make: (row) => ({ model: said(row).model, prompt: 'Say it again.', ...(row.stream ? { stream: true, stream_options: { include_usage: true } } : {}) }) },
  { name: 'OpenAI responses', at: '/v1/responses', family: 'openai', endpoints: ['responses'],
    bound: (n) => ({ max_output_tokens: n }), full: /event: response.incomplete\n[^\n]*"reason":"max_output_tokens"/,
    make: (row) => ({ model: said(row).model, input: 'Say it again.', ...(row.stream ? { stream: true } : {}) }) },
  { name: 'OpenAI embeddings', at: '/v1/embeddings', family: 'openai', endpoints: ['embeddings'],
    make: (row) => ({ model: said(row).model, input: 'Say it again.' }) },
  { name: 'Anthropic messages', at: '/v1/messages', family: 'anthropic', endpoints: ['messages'],
    bound: (n) => ({ max_tokens: n }), full: /"stop_reason":"max_tokens"[^]*event: message_stop\n/,
    make: (row) => ({ ...said(row), max_tokens: 4096, ...(row.stream ? { stream: true } : {}) }) },
  { name: 'Gemini generateContent', at: '/v1beta/models/{model}:generateContent', family: 'gemini', endpoints: ['generateContent', 'streamGenerateContent'],
    bound: (n) => ({ generationConfig: { maxOutputTokens: n } }), full: /"finishReason": ?"MAX_TOKENS"/,
    path: (row) => {
      const how = row.kind === 'json-array-stream' ? 'streamGenerateContent' : row.stream ? 'streamGenerateContent?alt=sse' : 'generateContent';
      return `/v1beta/models/${encodeURIComponent(modelIn(row, /models\/([^:/?]+)/))}:${how}`;
    },
    make: () => ({ contents: [{ role: 'user', parts: [{ text: 'Say it again.' }] }] }) },
  { name: 'Bedrock converse', at: '/model/{model}/converse', family: 'bedrock', endpoints: ['converse', 'converse-stream'],
    bound: (n) => ({ inferenceConfig: { maxTokens: n } }), full: /"stopReason":"max_tokens"[^]*"usage"/,
    path: (row) => `/model/${encodeURIComponent(modelIn(row, /model\/([^/]+)/))}/${row.stream || row.endpoint === 'converse-stream' ? 'converse-stream' : 'converse'}`,
    make: () => ({ messages: [{ role: 'user', content: [{ text: 'Say it again.' }] }] }) },
  { name: 'Ollama chat', at: '/api/chat', family: 'ollama', endpoints: ['ollama.chat'], make: said,
    bound: (n) => ({ options: { num_predict: n } }), full: /"done":true,"done_reason":"length"/ },
  { name: 'Ollama generate', at: '/api/generate', family: 'ollama', endpoints: ['ollama.generate'], make: (row) => ({ model: said(row).model, prompt: 'Say it again.' }),
    bound: (n) => ({ options: { num_predict: n } }), full: /"done":true,"done_reason":"length"/ },
  { name: 'Cohere chat', at: '/v2/chat', family: 'cohere', endpoints: ['cohere.chat'],
    bound: (n) => ({ max_tokens: n }), full: /"finish_reason":"(MAX_TOKENS|length)"/,
    path: (row) => (row.uri ? pathOf(row) : '/v2/chat'),
    make: (row) => ({ ...said(row), ...(row.stream ? { stream: true } : {}) }) },
];
const format = (row) => FORMATS.find((each) => each.endpoints.includes(row.endpoint));

/** The recorded request; one of our own where none was kept, or not whole, or where it is refused. */
function requestOf(row, own) {
  if (row.request !== null && !own) {
    try {
      JSON.parse(row.request);
      return row.request;
    } catch { /* cut off where it was kept */ }
  }
  return JSON.stringify(format(row).make(row));
}

// ---- What is compared ---------------------------------------------------------------------------

// An answer that is made in the background: it is fetched later, and has no usage yet.
const isPending = (row) => row.endpoint === 'responses' && !row.stream && /^(queued|in_progress)$/.test(JSON.parse(row.response).status);

function compareRecord(row, records, problems) {
  if (records.length !== 1) {
    problems.push(`${records.length} records`);
    return;
  }
  const [record] = records;
  const { status } = answerOf(row);
  if (record.status !== status) problems.push(`recorded status ${record.status}`);
  if (status >= 400) {
    if (record.ending !== 'error' || record.total_tokens || nano(record.cost) !== 0n) problems.push(`an error is recorded as ${record.ending}, cost ${record.cost}`);
    return;
  }
  if (!row.expected) {
    if (isPending(row)) {
      if (!record.provisional || record.counted) problems.push('its answer comes later, and it is not charged provisionally');
    } else if (!record.counted) problems.push('without usage, and not counted');
    return;
  }
  if (record.counted || record.provisional) problems.push(`usage was reported, and is not believed (${record.ending})`);
  problems.push(...otherFigures(row, record));
}

/** A copy without the cost that stands in usage objects; costs: what was found. */
function withoutCost(value, costs = []) {
  if (Array.isArray(value)) return value.map((each) => withoutCost(each, costs));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => {
    if (!/usage/i.test(name) || each === null || typeof each !== 'object' || Array.isArray(each)) return [name, withoutCost(each, costs)];
    const { cost, ...rest } = each;
    if (cost !== undefined) costs.push(cost);
    return [name, withoutCost(rest, costs)];
  }));
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

// Same event, but for a cost of mete's. Returns the cost that stands in it, null without one,
// undefined if the event differs.
function sameEvent(sent, got) {
  const [a, b] = [parsed(sseData(sent) ?? ''), parsed(sseData(got) ?? '')];
  const costs = [];
  const same = a && b && isDeepStrictEqual(withoutCost(a), withoutCost(b, costs));
  if (sent === got) return costs.length ? String(costs[0]) : null;
  return same && costs.length === 1 ? String(costs[0]) : undefined;
}

const isCost = (text, record) => Boolean(record) && /^\d+(\.\d{1,9})?$/.test(text) && nano(text) === nano(record.cost);

function onlyUsage(block) {
  const chunk = parsed(sseData(block) ?? '');
  return Boolean(chunk && (chunk.usage ?? chunk.x_groq?.usage) && !chunk.error && !(chunk.choices ?? []).length);
}

// The events are the provider's, in order, but for the documented changes (docs/gateway.md).
function compareEvents(play, sentText, record, problems) {
  const { row, body, text } = play;
  const asked = JSON.parse(body).stream_options?.include_usage === true;
  const drops = format(row).usageOnly && !asked;
  const sent = sseBlocks(sentText).filter((block) => !(drops && onlyUsage(block)));
  const costs = [];
  let at = 0;
  for (const block of sseBlocks(text)) {
    const comment = /^: mete-cost (\S+)$/.exec(block);
    if (comment) {
      costs.push(comment[1]);
      if (at < sent.length - 1) problems.push('the cost stands in the middle');
      continue;
    }
    const cost = at < sent.length ? sameEvent(sent[at], block) : undefined;
    if (cost === undefined) {
      problems.push(`event ${at} is ${JSON.stringify(block.slice(0, 160))} in place of ${JSON.stringify((sent[at] ?? 'none').slice(0, 160))}`);
      return;
    }
    // A provider's own cost stays with those who did not ask; where both agree it is told.
    if (cost !== null && (sent[at] !== block || (asked && isCost(cost, record)))) costs.push(cost);
    at += 1;
  }
  if (at !== sent.length) problems.push(`${sent.length - at} events are missing: ${JSON.stringify(sent[at].slice(0, 160))}`);
  if (costs.length > 1 || (format(row).usageOnly && costs.length !== 1)) problems.push(`the cost is told ${costs.length} times`);
  for (const cost of costs)
    if (!isCost(cost, record)) problems.push(`cost ${cost}, recorded ${record?.cost}`);
}

function compareReply(play, record, problems) {
  const { status, headers, bytes } = answerOf(play.row);
  const { reply } = play;
  if (reply.status !== status) problems.push(`status ${reply.status} in place of ${status}: ${play.text.slice(0, 200)}`);
  for (const name of ['content-type', 'retry-after'])
    if (headers[name] !== undefined && reply.headers.get(name) !== headers[name]) problems.push(`${name} ${reply.headers.get(name)} in place of ${headers[name]}`);
  if (status < 300 && /event-stream/.test(headers['content-type']) && !/amazon/.test(headers['content-type']))
    compareEvents(play, bytes.toString('utf8'), record, problems);
  else if (!play.bytes.equals(bytes)) problems.push(`other bytes: ${JSON.stringify(play.text.slice(0, 200))}`);
  if (!play.row.stream && status < 300 && record && nano(reply.headers.get('x-mete-cost') ?? '-1') !== nano(record.cost)) problems.push(`x-mete-cost ${reply.headers.get('x-mete-cost')}, recorded ${record.cost}`);
}

// The request that went on is the client's but for the bound of output and the wish for usage.
const BOUNDS = ['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'maxOutputTokens', 'maxTokens', 'num_predict', 'include_usage'];
const AROUND = ['stream_options', 'generationConfig', 'inferenceConfig', 'options'];
function compareRequest(play, asked, problems) {
  const strip = (value) => Object.fromEntries(Object.entries(value).flatMap(([name, each]) => {
    if (BOUNDS.includes(name)) return [];
    if (!AROUND.includes(name)) return [[name, each]];
    const rest = strip(each ?? {});
    return Object.keys(rest).length ? [[name, rest]] : [];
  }));
  const went = parsed(asked.text);
  if (!went || !isDeepStrictEqual(strip(went), strip(JSON.parse(play.body)))) problems.push(`the request went on as ${asked.text.slice(0, 300)}`);
}

// ---- The plays ----------------------------------------------------------------------------------

const rows = load();
const random = generator(SEED);
const provider = new Recorded(rows, { seed: SEED });
const gateways = new Map(); // family -> {mete, key}
const plays = new Map(); // 'play/id' -> what came of it
let built = [];

const trial = (each, row) => (row && each.path ? each.path(row) : each.at.replace('{model}', 'm'));

// Which formats the running gateway knows: a path it does not know is a 404 of its own.
async function isBuilt(each) {
  const to = gateways.get(each.family);
  if (!to) return false;
  const reply = await fetch(`${to.mete.url}${trial(each)}`, { method: 'PUT' });
  await reply.arrayBuffer();
  return reply.status !== 404;
}

async function play(row, number, { leave = false, own = false } = {}) {
  const { mete, key } = gateways.get(format(row).family);
  const body = requestOf(row, own);
  const one = { row, number, body, id: `recorded-${number}-${row.id}`, text: '' };
  plays.set(`${number}/${row.id}`, one);
  const stop = new AbortController();
  try {
    one.reply = await fetch(`${mete.url}${trial(format(row), row)}`, {
      method: 'POST', body, signal: stop.signal,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-request-id': one.id, traceparent: traceOf(row.id, number) },
    });
    if (leave) {
      await one.reply.body.getReader().read();
      stop.abort();
      return;
    }
    one.bytes = Buffer.from(await one.reply.arrayBuffer());
    one.text = one.bytes.toString('utf8');
  } catch (error) {
    one.failure = `${error.message} ${error.cause?.message ?? ''}`;
  }
}

// A stream of which the budget affords less than the provider sends. What the call needs is what its
// refusal says.
async function playBound(row) {
  const { mete } = gateways.get(format(row).family);
  const org = `bound-${row.id}`;
  const { key } = await mete.organization(org);
  await mete.budget(org, { id: 'b', unit: 'tokens', amount: '1' });
  const one = { row, number: BOUND, id: `recorded-${BOUND}-${row.id}`, org, text: '' };
  one.body = JSON.stringify({ ...format(row).make(row), stream: true, ...format(row).bound(TOKENS) });
  plays.set(`${BOUND}/${row.id}`, one);
  const ask = (id) => fetch(`${mete.url}${trial(format(row), row)}`, {
    method: 'POST', body: one.body,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-request-id': id, traceparent: traceOf(row.id, BOUND) },
  });
  one.needs = Number(/this call may need (\d+)/.exec(await (await ask(`${one.id}-first`)).text())?.[1]);
  await mete.must('PUT', `/api/v1/organizations/${org}/budgets/b`, { amount: String(one.needs) });
  provider.holds.set(`${BOUND}/${row.id}`, Math.floor(0.7 * answerOf(row).bytes.length));
  one.reply = await ask(one.id);
  one.bytes = Buffer.from(await one.reply.arrayBuffer());
  one.text = one.bytes.toString('utf8');
}

// Refused before the provider was asked, because no price bounds what it may bill. The answer is
// played all the same, to a request of ours.
function refusal(one) {
  if (provider.asked.has(`${one.number}/${one.row.id}`) || one.reply?.status !== 400) return null;
  return /"message":\s*("(?:[^"\\]|\\.)*(?:price|bounded)(?:[^"\\]|\\.)*")/.exec(one.text)?.[1] ?? null;
}

const eventsOf = (row) => (row.kind === 'aws-eventstream' ? awsMessages(row.response).length : row.response.toString('latin1').split('\n').filter((line) => line.startsWith('data:') || row.kind !== 'sse').length);

const some = (from) => from.map((row) => [random(), row]).sort((a, b) => a[0] - b[0]).slice(0, ENDINGS).map(([, row]) => row);

before(async () => {
  await provider.start();
  await Promise.all([...new Set(FORMATS.map((each) => each.family))].map(async (family) => {
    const to = await gateway(family, provider);
    if (to) gateways.set(family, to);
  }));
  const known = await Promise.all(FORMATS.map(isBuilt));
  built = FORMATS.filter((_, i) => known[i]);
  const ours = rows.filter((row) => built.includes(format(row)));
  await pool(ours, WIDTH, (row) => play(row, 0));
  await pool(ours.filter((row) => refusal(plays.get(`0/${row.id}`))), WIDTH, (row) => play(row, OWN, { own: true }));
  for (const each of built) {
    const streams = ours.filter((row) => format(row) === each && row.stream && !refusal(plays.get(`0/${row.id}`)) && answerOf(row).status < 300);
    const broken = some(streams);
    for (const row of broken) provider.cuts.set(`1/${row.id}`, 1 + Math.floor(random() * 0.8 * answerOf(row).bytes.length));
    await pool(broken, WIDTH, (row) => play(row, 1));
    await pool(some(streams.filter((row) => row.expected)), WIDTH, (row) => play(row, 2, { leave: true }));
  }
  for (const each of built) {
    const long = ours.filter((row) => format(row) === each && row.stream && answerOf(row).status < 300 && eventsOf(row) >= 17);
    await pool(some(long).slice(0, DEAR), WIDTH, playBound);
  }
  const records = new Map();
  for (const { mete } of gateways.values()) await recordsOf(mete, records);
  for (const one of plays.values()) if (one.org) records.set(one.id, await gateways.get(format(one.row).family).mete.all(`/api/v1/records?organization=${one.org}`));
  for (const one of plays.values()) judge(one, records.get(one.id) ?? []);
});
after(async () => {
  await Promise.all([...gateways.values()].map(({ mete }) => mete.stop()));
  await provider.stop();
});

function judge(one, records) {
  one.problems = [];
  one.refused = refusal(one);
  if (one.refused) return;
  const asked = provider.asked.get(`${one.number}/${one.row.id}`);
  if (one.failure) one.problems.push(one.failure);
  else if (!asked) one.problems.push(`the provider was not asked: ${one.reply.status} ${one.text.slice(0, 300)}`);
  if (one.problems.length) return;
  if (one.number === 1) judgeCut(one, records);
  if (one.number === BOUND) judgeBound(one, records);
  if (one.number === 1 || one.number === BOUND) return;
  compareRecord(one.row, records, one.problems);
  compareRequest(one, asked, one.problems);
  if (one.number === 0 || one.number === OWN) compareReply(one, records[0], one.problems);
}

// ---- A stream that breaks off -------------------------------------------------------------------

const tellsOfIt = (text) => /error|exception/i.test(text ?? '');

/** The last document of a stream that is well-formed to its end; undefined, and a problem: it is not. */
function lastOf(one) {
  const type = answerOf(one.row).headers['content-type'];
  const { problems, text } = one;
  try {
    if (/amazon/.test(type)) {
      const message = awsMessages(one.bytes).at(-1);
      return message.headers[':message-type'] === 'exception' ? 'exception' : message.headers[':event-type'];
    }
    if (one.row.kind === 'json-array-stream') return JSON.stringify(JSON.parse(text).at(-1));
    if (/event-stream/.test(type)) {
      assert.match(text, /(\n\n|\r\n\r\n)$/, 'the last event has its end');
      const data = sseBlocks(text).map(sseData).filter((each) => each !== null);
      for (const each of data) assert.ok(each === '[DONE]' || parsed(each) !== undefined, `no event: ${each.slice(0, 100)}`);
      return data.at(-1);
    }
    const lines = text.split('\n').filter((line) => line.trim());
    for (const line of lines) JSON.parse(line);
    return lines.at(-1);
  } catch (error) {
    problems.push(`not well-formed: ${error.message}`);
    return undefined;
  }
}

function judgeCut(one, records) {
  const { problems } = one;
  if (records.length !== 1) problems.push(`${records.length} records`);
  else if (records[0].ending !== 'lost' && records[0].ending !== 'ok') problems.push(`recorded as ${records[0].ending}`);
  const last = lastOf(one);
  const all = Buffer.byteLength(one.text) >= answerOf(one.row).bytes.length;
  if (!problems.length && !all && !tellsOfIt(last)) problems.push(`ends with ${JSON.stringify(last)?.slice(0, 200)}`);
}

/** What a stream tells of its usage before its end: its input comes first, and is charged as told. */
function toldEarly(row) {
  const text = answerOf(row).bytes.toString('utf8');
  const all = row.kind === 'json-array-stream' ? parsed(text) ?? [] : sseBlocks(text).map(sseData).map((each) => parsed(each ?? ''));
  return Math.max(0, ...all.slice(0, -1).map((each) => {
    const { input_tokens: input = 0, cache_read_input_tokens: read = 0, cache_creation_input_tokens: written = 0 } = each?.message?.usage ?? {};
    return each?.usageMetadata?.totalTokenCount ?? input + read + written;
  }));
}

function judgeBound(one, records) {
  const { problems, text } = one;
  const affordable = Math.max(one.needs, toldEarly(one.row) + TOKENS);
  if (one.reply.status !== 200) problems.push(`status ${one.reply.status}: ${text.slice(0, 200)}`);
  if (records.length !== 1 || records[0].ending !== 'cut') problems.push(`recorded as ${records.map((each) => each.ending)}`);
  else if (records[0].total_tokens > affordable) problems.push(`${records[0].total_tokens} tokens, where ${affordable} were affordable, or told`);
  if (problems.length) return;
  lastOf(one);
  if (!format(one.row).full.test(text)) problems.push(`ends with ${JSON.stringify(text.slice(-300))}`);
}

// ---- The table ----------------------------------------------------------------------------------

const usesTools = (row) => parsed(row.request ?? '')?.tools?.length > 0 || parsed(row.request ?? '')?.toolConfig?.tools?.length > 0
  || /"(tool_use|toolUse|functionCall|function_call|tool-call-start)"|"tool_calls":\s*\[\s*\{/.test(row.response.toString('latin1'));

const whole = ({ number, refused }) => (number === 0 && !refused) || number === OWN;
const COLUMNS = {
  plain: (one) => whole(one) && !one.row.stream && answerOf(one.row).status < 400,
  stream: (one) => whole(one) && one.row.stream && answerOf(one.row).status < 400,
  tools: (one) => whole(one) && answerOf(one.row).status < 400 && usesTools(one.row),
  errors: (one) => whole(one) && answerOf(one.row).status >= 400,
  endings: ({ number }) => number === 1 || number === 2 || number === BOUND,
};

function cell(own) {
  const red = own.filter((one) => one.problems.length).length;
  return own.length ? `${red ? `✗ ${red} of ` : '✓ '}${own.length}` : '–';
}

function table() {
  const all = [...plays.values()];
  const lines = [`| format | path | ${Object.keys(COLUMNS).join(' | ')} |`, `|---|---|${'---|'.repeat(Object.keys(COLUMNS).length)}`];
  for (const each of built) {
    const own = all.filter(({ row }) => format(row) === each);
    lines.push(`| ${each.name} | \`${each.at}\` | ${Object.values(COLUMNS).map((of) => cell(own.filter(of))).join(' | ')} |`);
  }
  return lines.join('\n');
}

// ---- The tests ----------------------------------------------------------------------------------

function told(bad) {
  return bad.slice(0, 20).map(({ row, problems }) => `  ${row.id} ${row.provider} ${row.endpoint} ${row.kind}: ${problems.slice(0, 3).join('; ')}`).join('\n') + (bad.length > 20 ? `\n  and ${bad.length - 20} more` : '');
}

for (const each of FORMATS) {
  for (const [name, of] of Object.entries({
    'is billed and shown as it was recorded': COLUMNS.plain,
    'streams as it was recorded': COLUMNS.stream,
    'keeps its errors': COLUMNS.errors,
    'ends well, whoever leaves, and at the end of the money': COLUMNS.endings,
  })) {
    test(`${each.name}: ${name}`, (t) => {
      const own = [...plays.values()].filter((one) => format(one.row) === each && of(one));
      const bad = own.filter((one) => one.problems.length);
      t.diagnostic(`${own.length} plays`);
      assert.equal(bad.length, 0, `${bad.length} of ${own.length} (seed ${SEED}):\n${told(bad)}`);
    });
  }
}

// What nothing bounds, whatever the prices.
const REFUSED = [
  '"An advisor is another model, whose tokens cannot be bounded here."',
  '"A list of other models cannot be bounded: name one in model."',
  '"Tools that the provider runs, other than its search, are billed by meters that have no price here."',
];

test('no recorded request is refused but for what nothing bounds', (t) => {
  const reasons = {};
  for (const one of plays.values()) if (one.refused) (reasons[one.refused] ??= []).push(one.row.id);
  for (const [reason, ids] of Object.entries(reasons)) t.diagnostic(`${ids.length} refused, ${reason}: ${ids.join(' ')}`);
  assert.deepEqual(Object.keys(reasons).sort(), [...REFUSED].sort());
});

test('every format is there; what is recorded of others is not played', (t) => {
  const counts = {};
  for (const row of rows) if (!format(row)) counts[row.endpoint] = (counts[row.endpoint] ?? 0) + 1;
  for (const [name, count] of Object.entries(counts)) t.diagnostic(`${count} exchanges of ${name}`);
  assert.deepEqual(FORMATS.filter((each) => !built.includes(each)).map((each) => each.name), []);
  assert.equal([...plays.values()].filter(whole).length, rows.filter(format).length, 'nothing is left out');
});

test('the table of docs/dialects.md is what ran', () => {
  writeTable('recorded.test.mjs', table());
});
