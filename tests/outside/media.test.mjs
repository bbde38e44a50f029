// SPDX-License-Identifier: Apache-2.0
// Proves that pictures, speech, transcripts, video and moderations are priced, bounded before they
// are sent and recorded with their quantities: what the record says is to the nano what the tests'
// own provider billed, by the official client. What is not priced, or not known, is refused, and
// reaches no provider (field notes, 1.1: paths that passed through; 1.6: media priced at nothing).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import { after, before, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { MediaProvider, PASS_PRICE } from './media-provider.mjs';
import { BINARY, Mete, configuration, mind } from './mete.mjs';
import { nano } from './money.mjs';
import { CREDENTIAL } from './provider.mjs';

const ORG = 'media';
let provider;
let mete;
let key;
let client;

before(async () => {
  provider = await new MediaProvider().start();
  mete = await Mete.start({
    config: configuration(provider, {
      providers: [{
        name: 'openai', dialect: 'openai', base_url: `${provider.url}/v1`, api_key: CREDENTIAL,
        pass_through: [{ path: '/v1/rerank', price_per_request: PASS_PRICE }],
      }],
      model_costs: { 'words-only': { input_per_million: '1', output_per_million: '2' } },
    }),
  });
  key = (await mete.organization(ORG)).key;
  client = new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
});
after(async () => { await mete?.stop(); await provider?.stop(); });

const named = (id) => ({ headers: { 'Idempotency-Key': id } });
const last = () => provider.calls.findLast(({ method }) => method === 'POST');
const words = (more) => `!${JSON.stringify(more)}`;

async function recordOf(id) {
  await mete.settled();
  const found = (await mete.must('GET', `/api/v1/records?request_id=${id}`)).data;
  assert.equal(found.length, 1, `${id} has one record`);
  return found[0];
}

async function billed(id, call = last()) {
  const record = await recordOf(id);
  assert.equal(nano(record.cost), call.nano, `${id} costs what the provider billed`);
  assert.deepEqual([record.provisional, record.counted], [false, false], id);
  return record;
}

async function reachesNobody(promise, check) {
  const before_ = provider.calls.length;
  await assert.rejects(promise, check);
  assert.equal(provider.calls.length, before_, 'no provider was asked');
}

/** A WAV of silence: 8,000 samples a second of one byte. */
function wave(seconds) {
  const data = Buffer.alloc(Math.round(8000 * seconds), 0x80);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(8000, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

// ---- Pictures -----------------------------------------------------------------------------------

test('pictures: by the piece, each quality and size', async () => {
  let i = 0;
  for (const [quality, size] of [['standard', '1024x1024'], ['standard', '1792x1024'], ['hd', '1024x1024'], ['hd', '1024x1792'], [undefined, undefined]]) {
    const id = `picture-${++i}`;
    const { data, response } = await client.images.generate({ model: 'dall-e-3', prompt: 'a sea', quality, size }, named(id)).withResponse();
    assert.equal(data.data.length, 1);
    assert.equal(nano(response.headers.get('x-mete-cost')), last().nano);
    const record = await billed(id);
    assert.deepEqual([record.images, record.requests, record.total_tokens], [1, 1, 0]);
    assert.equal(record.costs.images, record.cost);
  }
});

test('pictures: several, and fewer than were asked for', async () => {
  await client.images.generate({ model: 'dall-e-2', prompt: 'a sea', n: 3, size: '512x512' }, named('three'));
  assert.equal((await billed('three')).images, 3);
  await client.images.generate({ model: 'dall-e-2', prompt: words({ pictures: 2 }), n: 3, size: '512x512' }, named('two'));
  assert.equal((await billed('two')).images, 2);
});

test('pictures: by the token, plain and as a stream', async () => {
  const plain = await client.images.generate({ model: 'gpt-image-1', prompt: 'a sea at night', n: 2, quality: 'medium' }, named('tokens'));
  const record = await billed('tokens');
  assert.deepEqual([record.input_tokens, record.output_tokens, record.image_output_tokens, record.images],
    [plain.usage.input_tokens, plain.usage.output_tokens, plain.usage.output_tokens, 2]);
  const types = [];
  let final;
  for await (const event of await client.images.generate({ model: 'gpt-image-1', prompt: 'a sea at night', stream: true, partial_images: 1 }, named('events'))) {
    types.push(event.type);
    final = event;
  }
  assert.deepEqual(types, ['image_generation.partial_image', 'image_generation.completed']);
  assert.ok(Math.abs(Number(final.usage.cost) - Number(last().nano) / 1e9) < 1e-9, 'the cost stands in its usage');
  assert.equal((await billed('events')).images, 1);
});

test('pictures: an answer without usage, and a stream that breaks off, cost what was set aside', async () => {
  await client.images.generate({ model: 'gpt-image-1', prompt: words({ usage: 'none' }) }, named('untold'));
  const untold = await recordOf('untold');
  assert.ok(nano(untold.cost) > last().nano && untold.counted, 'never nothing');
  const stream = await client.images.generate({ model: 'gpt-image-1', prompt: words({ cut: true }), stream: true }, named('broken'));
  await assert.rejects(async () => { for await (const _ of stream); });
  const broken = await recordOf('broken');
  assert.ok(nano(broken.cost) > last().nano && broken.provisional);
});

test('pictures: an error costs nothing', async () => {
  await assert.rejects(client.images.generate({ model: 'dall-e-3', prompt: words({ status: 400 }) }, named('error')), (error) => error.status === 400 && error.code === 'as_told');
  assert.equal(nano((await recordOf('error')).cost), 0n);
});

test('pictures: what cannot be bounded is refused', async () => {
  await reachesNobody(client.images.generate({ model: 'nobodys', prompt: 'x' }), (error) => error.status === 400 && error.code === 'model_not_priced');
  await reachesNobody(client.images.generate({ model: 'words-only', prompt: 'x' }), (error) => error.status === 400 && /price/.test(error.message));
  await reachesNobody(client.images.generate({ model: 'whisper-1', prompt: 'x' }), (error) => error.status === 400 && /pictures/.test(error.message));
  await reachesNobody(client.images.generate({ model: 'dall-e-2', prompt: 'x', n: 11 }), (error) => error.status === 400 && error.param === 'n');
  await reachesNobody(client.images.generate({ model: 'gpt-image-1', prompt: 'x', n: 2, stream: true }), (error) => error.status === 400 && error.param === 'n');
  await reachesNobody(client.images.generate({ prompt: 'x' }), (error) => error.status === 400 && error.param === 'model');
  await reachesNobody(client.chat.completions.create({ model: 'dall-e-3', messages: [{ role: 'user', content: 'x' }] }), (error) => error.status === 400 && /price/.test(error.message));
});

test('pictures: a budget holds for them', async () => {
  const poor = (await mete.organization('poor')).key;
  await mete.budget('poor', { amount: '0.10' });
  const theirs = new OpenAI({ apiKey: poor, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  const asked = await Promise.allSettled(Array.from({ length: 8 }, () => theirs.images.generate({ model: 'dall-e-3', prompt: 'a sea', quality: 'standard', size: '1024x1024' })));
  assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 2, '0.04 each, of 0.10');
  for (const { reason } of asked.filter(({ status }) => status === 'rejected')) assert.equal(reason.code, 'insufficient_quota');
  await reachesNobody(theirs.images.generate({ model: 'dall-e-3', prompt: 'a sea', quality: 'auto' }), (error) => error.status === 429);
});

// ---- Speech -------------------------------------------------------------------------------------

test('speech: by the character, its bytes go through', async () => {
  const input = 'naïve 漢字 🙂 "quoted"\n';
  const spoken = await client.audio.speech.create({ model: 'tts-1', voice: 'alloy', input }, named('speech'));
  assert.equal(spoken.headers.get('content-type'), 'audio/mpeg');
  assert.equal(Buffer.compare(Buffer.from(await spoken.arrayBuffer()), Buffer.alloc(200000, 'sound')), 0);
  const record = await billed('speech');
  assert.deepEqual([record.characters, record.total_tokens, record.ending], [[...input].length, 0, 'ok']);
});

test('speech: by the token, as events and without a word of usage', async () => {
  const events = await client.audio.speech.create({ model: 'gpt-4o-mini-tts', voice: 'alloy', input: 'hello there', stream_format: 'sse' }, named('speech-events'));
  assert.match(await events.text(), /speech\.audio\.done.*"cost":/s);
  const told = await billed('speech-events');
  assert.deepEqual([told.characters, told.audio_output_tokens], [11, 42]);
  const spoken = await client.audio.speech.create({ model: 'gpt-4o-mini-tts', voice: 'alloy', input: 'hello there' }, named('speech-tokens'));
  await spoken.arrayBuffer();
  const untold = await recordOf('speech-tokens');
  assert.ok(nano(untold.cost) > last().nano && untold.counted, 'what was set aside');
});

test('speech: sound that breaks off is charged', async () => {
  const spoken = await client.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: words({ cut: true }) }, named('speech-cut'));
  await spoken.arrayBuffer().catch(() => {});
  const record = await recordOf('speech-cut');
  assert.deepEqual([nano(record.cost), record.provisional, record.ending], [last().nano, true, 'lost']);
});

test('speech: an empty text is refused, and a model without a price', async () => {
  await reachesNobody(client.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: '' }), (error) => error.status === 400 && error.param === 'input');
  await reachesNobody(client.audio.speech.create({ model: 'words-only', voice: 'alloy', input: 'x' }), (error) => error.status === 400 && /price/.test(error.message));
});

// ---- Transcripts --------------------------------------------------------------------------------

// The provider hears as many seconds as the language says.
const heard = async (seconds, more, id) => client.audio.transcriptions.create({ file: await toFile(wave(seconds), 'talk.wav'), language: String(Math.ceil(seconds)), ...more }, named(id));

const heardBy = async (theirs) => theirs.audio.transcriptions.create({ model: 'whisper-1', file: await toFile(wave(1), 'talk.wav') });

test('transcripts: by the second, in every format', async () => {
  for (const format of ['json', 'verbose_json', 'text', 'srt', 'vtt']) {
    const answer = await heard(90.25, { model: 'whisper-1', response_format: format }, `heard-${format}`);
    assert.match(typeof answer === 'string' ? answer : answer.text, /what was said/);
    assert.equal((await billed(`heard-${format}`)).audio_seconds, 91);
  }
  assert.equal(last().file.length, 44 + 722000, 'the file is the client\'s');
});

test('transcripts: by the token, plain and as a stream', async () => {
  await heard(12, { model: 'gpt-4o-transcribe' }, 'heard-tokens');
  const record = await billed('heard-tokens');
  assert.deepEqual([record.audio_seconds, record.audio_input_tokens, record.output_tokens], [12, 120, 5]);
  const types = [];
  for await (const event of await heard(12, { model: 'gpt-4o-transcribe', stream: true }, 'heard-events')) types.push(event.type);
  assert.deepEqual(types, ['transcript.text.delta', 'transcript.text.done']);
  assert.equal((await billed('heard-events')).audio_seconds, 12);
});

test('transcripts: a length the file does not say is bounded by its bytes', async () => {
  const poor = (await mete.organization('listeners')).key;
  await mete.budget('listeners', { amount: '0.01' });
  const theirs = new OpenAI({ apiKey: poor, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  const noise = async (bytes) => theirs.audio.transcriptions.create({ model: 'whisper-1', file: await toFile(Buffer.alloc(bytes, 1), 'noise.webm'), language: '9' });
  await reachesNobody(noise(60000), (error) => error.status === 429); // 121 seconds may be in it
  await noise(45000); // 91 seconds: 0.0091
  await reachesNobody(noise(46000), (error) => error.status === 429); // 9 were heard, 0.0009, and 93 may be
});

test('transcripts: a form that two readers may read differently is refused', async () => {
  const boundary = 'x'.repeat(20);
  const part = (name, text, more = '') => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`;
  const file = part('file', 'RIFF', '; filename="a.wav"');
  const end = `--${boundary}--\r\n`;
  const ask = (body, type = `multipart/form-data; boundary=${boundary}`) => fetch(`${mete.url}/v1/audio/transcriptions`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': type }, body });
  const before_ = provider.calls.length;
  for (const body of [
    part('model', 'whisper-1') + part('model', 'gpt-4o-transcribe') + file + end,
    `preamble\r\n${part('model', 'whisper-1')}${file}${end}`,
    part('model', 'whisper-1') + file,
    part('model', 'whisper-1') + file + end + 'epilogue',
    part('model', 'whisper-1') + part('file', `a\n--${boundary}\nb`, '; filename="a"') + end,
    part('model', 'whisper-1').replace('\r\n\r\n', '\r\ncontent-transfer-encoding: base64\r\n\r\n') + file + end,
    part('mod\\el', 'x') + part('model', 'whisper-1') + file + end,
    part('model', 'whisper-1') + end,
    part('model', 'a b') + file + end,
    '',
  ]) assert.equal((await ask(body)).status, 400, JSON.stringify(body.slice(0, 60)));
  assert.equal((await ask('{}', 'application/json')).status, 400);
  assert.equal((await ask(file + end, 'multipart/form-data')).status, 400);
  assert.equal(provider.calls.length, before_);
});

test('transcripts: the same form again is the same call, whatever its boundary', async () => {
  await heard(3, { model: 'whisper-1' }, 'heard-again');
  await assert.rejects(heard(3, { model: 'whisper-1' }, 'heard-again'), (error) => error.status === 409 && error.code === 'already_ended');
  await assert.rejects(heard(4, { model: 'whisper-1' }, 'heard-again'), (error) => error.status === 422);
  await billed('heard-again');
});

// ---- Video --------------------------------------------------------------------------------------

test('video: a job is charged when it is made, and settled once when it is done', async () => {
  const job = await client.videos.create({ model: 'sora-2-pro', prompt: 'a sea', seconds: '8', size: '1792x1024' }, named('video'));
  assert.equal(job.status, 'queued');
  const call = last();
  assert.ok(call.form, 'the official client sends a form');
  const open = await recordOf('video');
  assert.deepEqual([open.cost, open.provisional, open.video_seconds], ['4.00', true, 8]);
  assert.equal((await client.videos.retrieve(job.id)).status, 'queued');
  assert.equal((await recordOf('video')).provisional, true);
  provider.complete(job.id);
  for (let i = 0; i < 3; i++) assert.equal((await client.videos.retrieve(job.id)).status, 'completed');
  await mete.settled();
  const total = (await mete.must('GET', '/api/v1/records?request_id=video')).data.reduce((sum, { cost }) => sum + nano(cost), 0n);
  assert.equal(total, call.nano, 'billed once, however often it is asked for');
  const content = await client.videos.downloadContent(job.id);
  assert.equal((await content.arrayBuffer()).byteLength, 3000000);
  assert.equal(content.headers.get('content-type'), 'video/mp4');
  assert.equal((await client.videos.delete(job.id)).deleted, true);
});

test('video: a job that fails costs nothing in the end', async () => {
  const job = await client.videos.create({ model: 'sora-2', prompt: words({ fail: true }), seconds: '4' }, named('video-fails'));
  assert.equal(nano((await recordOf('video-fails')).cost), 400000000n);
  provider.complete(job.id);
  await client.videos.retrieve(job.id);
  await mete.settled();
  const record = (await mete.must('GET', '/api/v1/records?request_id=video-fails')).data;
  assert.equal(record.reduce((sum, { cost }) => sum + nano(cost), 0n), 0n);
});

test('video: a job is its organization\'s, and there is no list of all', async () => {
  const job = await client.videos.create({ model: 'sora-2', prompt: 'a sea', seconds: 4 }, named('video-mine'));
  const stranger = new OpenAI({ apiKey: (await mete.organization('strangers')).key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  const before_ = provider.calls.length;
  for (const method of ['retrieve', 'downloadContent', 'delete']) await assert.rejects(stranger.videos[method](job.id), (error) => error.status === 404);
  await assert.rejects(client.videos.list().then(() => {}), (error) => error.status === 405);
  await assert.rejects(client.videos.remix(job.id, { prompt: 'again' }), (error) => error.status === 404);
  await assert.rejects(client.videos.edit({ prompt: 'again', video: { id: job.id } }), (error) => error.status === 404);
  assert.equal(provider.calls.length, before_);
});

test('video: a restart forgets no job', async () => {
  const job = await client.videos.create({ model: 'sora-2', prompt: 'a sea', seconds: '12' }, named('video-kept'));
  await mete.settled();
  await mete.kill();
  await mete.spawn();
  client = new OpenAI({ apiKey: key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  provider.complete(job.id);
  const stranger = new OpenAI({ apiKey: (await mete.organization('late-strangers')).key, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  await assert.rejects(stranger.videos.retrieve(job.id), (error) => error.status === 404);
  for (let i = 0; i < 2; i++) assert.equal((await client.videos.retrieve(job.id)).status, 'completed');
  await mete.settled();
  const all = (await mete.must('GET', '/api/v1/records?request_id=video-kept')).data;
  assert.equal(all.reduce((sum, { cost }) => sum + nano(cost), 0n), nano('1.2'));
  assert.ok(all.find(({ provisional }) => provisional)?.corrected_by, 'it was settled');
});

test('video: JSON too; what is too long is refused', async () => {
  const ask = (body) => fetch(`${mete.url}/v1/videos`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': 'video-json' }, body: JSON.stringify(body) });
  assert.equal((await ask({ model: 'sora-2', prompt: 'a sea', seconds: '61' })).status, 400);
  assert.equal((await ask({ model: 'sora-2', prompt: 'a sea', seconds: '12' })).status, 200);
  assert.equal((await recordOf('video-json')).cost, '1.20');
});

// ---- Moderations --------------------------------------------------------------------------------

test('moderations are free, and recorded', async () => {
  const answer = await client.moderations.create({ input: 'hello' }, named('moderation'));
  assert.equal(answer.model, 'omni-moderation-latest', 'what is asked is what is priced');
  const record = await billed('moderation');
  assert.deepEqual([record.cost, record.model, record.requests], ['0.00', 'omni-moderation-latest', 1]);
  await client.moderations.create({ model: 'text-moderation-latest', input: ['a', 'b'] }, named('moderation-2'));
  await billed('moderation-2');
  await reachesNobody(client.moderations.create({ model: 'nobodys', input: 'x' }), (error) => error.code === 'model_not_priced');
});

// ---- Other paths --------------------------------------------------------------------------------

test('a path that the configuration lets through costs what it says, each time', async () => {
  for (const id of ['rerank-1', 'rerank-2']) {
    const answer = await client.post('/rerank?top=1', { body: { model: 'reranker', query: 'x', documents: ['y'] }, ...named(id) });
    assert.equal(answer.results.length, 1);
    const record = await billed(id);
    assert.deepEqual([record.cost, record.model, record.requests, record.provider], ['0.002', 'reranker', 1, 'openai']);
    assert.equal(last().query, '?top=1');
  }
  await client.post('/rerank', { body: { query: 'x' }, ...named('rerank-3') });
  assert.equal((await billed('rerank-3')).model, '/v1/rerank', 'without a model the path stands for it');
  await assert.rejects(client.post('/rerank', { body: { input: words({ status: 500 }) }, ...named('rerank-4') }), (error) => error.status === 500);
  assert.equal(nano((await recordOf('rerank-4')).cost), 0n);
});

test('no other path reaches a provider', async () => {
  const before_ = provider.calls.length;
  for (const [method, path, status] of [['GET', '/v1/rerank', 405], ['POST', '/v1/rerank/x', 404], ['POST', '/v1/images/edits', 404], ['POST', '/v1/audio/translations', 404], ['POST', '/v1/fine_tuning/jobs', 404], ['GET', '/v1/threads', 404]]) {
    const response = await fetch(`${mete.url}${path}`, { method, headers: { authorization: `Bearer ${key}` }, body: method === 'POST' ? '{}' : undefined });
    assert.equal(response.status, status, `${method} ${path}`);
    assert.ok((await response.json()).error.message);
  }
  const unknown = await fetch(`${mete.url}/v1/rerank`, { method: 'POST', headers: { authorization: 'Bearer sk-mete-nobody' }, body: '{}' });
  assert.equal(unknown.status, 401);
  assert.equal(provider.calls.length, before_);
});

test('a key that may use some models may use no others here', async () => {
  const { key: narrow } = await mete.must('POST', `/api/v1/organizations/${ORG}/api-keys`, { name: 'narrow', user: 'ada', models: ['tts-*'] });
  const theirs = new OpenAI({ apiKey: narrow, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  await (await theirs.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'x' })).arrayBuffer();
  const refused = (promise) => reachesNobody(promise, (error) => error.status === 403);
  await refused(theirs.images.generate({ model: 'dall-e-3', prompt: 'x' }));
  await refused(theirs.moderations.create({ input: 'x' }));
  await refused(theirs.videos.create({ model: 'sora-2', prompt: 'x' }));
  await refused(theirs.post('/rerank', { body: { query: 'x' } }));
});

test('a key that may call some endpoints may call no others here', async () => {
  const { key: narrow } = await mete.must('POST', `/api/v1/organizations/${ORG}/api-keys`, { name: 'speaks', user: 'ada', permissions: { endpoints: ['speech'] } });
  const theirs = new OpenAI({ apiKey: narrow, baseURL: `${mete.url}/v1`, maxRetries: 0 });
  await (await theirs.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'x' })).arrayBuffer();
  const refused = (promise) => reachesNobody(promise, (error) => error.status === 403 && error.code === 'endpoint_not_allowed');
  await refused(theirs.images.generate({ model: 'dall-e-3', prompt: 'x' }));
  await refused(heardBy(theirs));
  await refused(theirs.videos.create({ model: 'sora-2', prompt: 'x' }));
  await refused(theirs.videos.retrieve('video_1'));
  await refused(theirs.moderations.create({ input: 'x' }));
  await refused(theirs.post('/rerank', { body: { query: 'x' } }));
});

// ---- The simulator ------------------------------------------------------------------------------

test('the simulator answers all of them, and its account is what is recorded', async () => {
  const child = mind(spawn(BINARY, ['sim', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] }));
  let url;
  for await (const line of readline.createInterface({ input: child.stdout })) {
    url = /(http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (url) break;
  }
  const tried = await Mete.start({ config: configuration(null, { providers: [{ name: 'openai', dialect: 'openai', base_url: `${url}/v1` }], model_costs: {} }) });
  try {
    const theirs = new OpenAI({ apiKey: (await tried.organization('sim')).key, baseURL: `${tried.url}/v1`, maxRetries: 0 });
    await theirs.images.generate({ model: 'dall-e-2', prompt: 'a sea', n: 2 });
    await theirs.images.generate({ model: 'gpt-image-1', prompt: 'a sea' });
    assert.equal((await (await theirs.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'hello' })).arrayBuffer()).byteLength, 320);
    await theirs.audio.transcriptions.create({ model: 'whisper-1', file: await toFile(wave(10), 'a.wav') });
    assert.equal(await theirs.audio.transcriptions.create({ model: 'whisper-1', response_format: 'text', file: await toFile(Buffer.alloc(16000), 'a.webm') }), 'lorem ipsum\n');
    const job = await theirs.videos.create({ model: 'sora-2', prompt: 'a sea', seconds: '8' });
    assert.equal((await theirs.videos.retrieve(job.id)).status, 'completed');
    assert.equal((await (await theirs.videos.downloadContent(job.id)).arrayBuffer()).byteLength, 65536);
    await theirs.moderations.create({ input: 'hello' });
    await assert.rejects(theirs.videos.retrieve('video_sim-99-4'), (error) => error.status === 404);
    await tried.settled();
    const billed_ = (await (await fetch(`${url}/sim/billed`)).json()).requests;
    const records = (await tried.must('GET', '/api/v1/records')).data.reverse().filter(({ corrects }) => !corrects); // the video was settled
    const of = (one) => ['images', 'characters', 'video_seconds'].map((name) => one[name] ?? 0);
    assert.deepEqual(records.map(of), billed_.map(of));
    assert.deepEqual(records.map(({ audio_seconds: seconds }) => seconds ?? 0), [0, 0, 0, 6, 33, 0, 0], 'told, and of the file that tells nothing its bytes');
    assert.deepEqual(records.map(({ provisional }) => provisional), [false, false, false, false, false, true, false]);
  } finally {
    await tried.stop();
    child.kill('SIGTERM');
  }
});
