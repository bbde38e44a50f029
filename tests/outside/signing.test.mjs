// SPDX-License-Identifier: Apache-2.0
// Proves that calls of a Bedrock provider go out signed (SigV4): a provider that makes the signature
// anew of what arrived, byte by byte, and of the secret it shares, lets only those through. Plain and
// streaming, bodies in pieces, a colon in the model's name; temporary credentials sealed and rotated.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Mete, PRICES, configuration, modelCosts, run, temporary } from './mete.mjs';
import { awsMessage } from './recorded.mjs';

const MODEL = 'us.test-signed-v1:0';
const REGION = 'eu-north-1';
const hash = (data) => crypto.createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => crypto.createHmac('sha256', key).update(data).digest();

/** Why a request is not signed as it should be; undefined: it is. AWS's documents, step by step. */
function wrong(request, body, [id, secret, token]) {
  const { authorization = '', 'x-amz-date': date = '', host } = request.headers;
  const found = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/bedrock\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(authorization);
  if (!found) return `not signed: ${authorization}`;
  const [, key, day, region, names, signature] = found;
  if (key !== id || region !== REGION) return 'of another key or region';
  if ((request.headers['x-amz-security-token'] ?? '') !== (token ?? '')) return 'another token';
  const at = Date.UTC(date.slice(0, 4), date.slice(4, 6) - 1, date.slice(6, 8), date.slice(9, 11), date.slice(11, 13), date.slice(13, 15));
  if (!date.startsWith(day) || Math.abs(Date.now() - at) > 60000) return `of another time: ${date}`;
  for (const name of ['host', 'x-amz-date', ...(token ? ['x-amz-security-token'] : [])]) if (!names.split(';').includes(name)) return `without ${name}`;
  const [where, query = ''] = request.url.split('?');
  const canonical = [request.method, where.split('/').map(encodeURIComponent).join('/'), query,
    ...names.split(';').map((name) => `${name}:${name === 'host' ? host : request.headers[name]}`), '', names, hash(body)].join('\n');
  const scope = `${day}/${region}/bedrock/aws4_request`;
  const signing = [day, region, 'bedrock', 'aws4_request'].reduce(hmac, `AWS4${secret}`);
  return hmac(signing, ['AWS4-HMAC-SHA256', date, scope, hash(canonical)].join('\n')).toString('hex') === signature ? undefined : 'of something else';
}

const OLD = ['AKIDOLD', 'old/secret+with=signs'];
const NEW = ['ASIANEW', 'new/secret', 'a-session-token/of+temporary=credentials'];
const directory = temporary();
const seen = [];
let accepted = OLD;
let server;
let mete;
let key;

before(async () => {
  server = http.createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const why = wrong(request, Buffer.concat(pieces), accepted);
    seen.push({ why, url: request.url });
    if (why) {
      response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ message: why }));
      return;
    }
    const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15 };
    if (request.url.endsWith('-stream')) {
      response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
      for (const [name, payload] of [['messageStart', { role: 'assistant' }], ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'hi' } }],
        ['contentBlockStop', { contentBlockIndex: 0 }], ['messageStop', { stopReason: 'end_turn' }], ['metadata', { usage, metrics: { latencyMs: 1 } }]]) {
        response.write(awsMessage(name, JSON.stringify(payload)));
      }
      response.end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ output: { message: { role: 'assistant', content: [{ text: 'hi' }] } }, stopReason: 'end_turn', usage, metrics: { latencyMs: 1 } }));
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  const sealing = path.join(directory, 'sealing.key');
  assert.equal(run(['credential', 'new-key', sealing]).status, 0);
  mete = await Mete.start({
    directory,
    config: configuration(null, {
      sealing_key_file: sealing,
      providers: [{ name: 'bedrock', dialect: 'bedrock', base_url: `http://127.0.0.1:${server.address().port}`, aws_region: REGION }],
      model_costs: modelCosts({ [MODEL]: PRICES['test-large'] }),
    }),
  });
  key = (await mete.organization('signed')).key;
});
after(async () => {
  await mete?.stop();
  server?.closeAllConnections();
  await new Promise((done) => { server?.close(done); });
});

function ask(kind, text, more = {}) {
  return fetch(`${mete.url}/model/${encodeURIComponent(MODEL)}/${kind}`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ messages: [{ role: 'user', content: [{ text }] }], ...more }),
  });
}

async function passes() {
  for (const kind of ['converse', 'converse-stream']) {
    for (const text of ['hi', 'naïve 漢字 🙂 '.repeat(3), 'x'.repeat(200000)]) {
      const reply = await ask(kind, text, { inferenceConfig: { maxTokens: 100000 } });
      const body = Buffer.from(await reply.arrayBuffer());
      assert.deepEqual(seen.splice(0), [{ why: undefined, url: `/model/${encodeURIComponent(MODEL)}/${kind}` }], body.toString('latin1'));
      assert.equal(reply.status, 200);
    }
  }
}

const rotate = (secret) => mete.must('PUT', '/api/v1/providers/bedrock/credential', { secret: secret.join(':') });

test('the provider takes what is signed, and can tell what is not', async () => {
  await rotate(OLD);
  await passes();
  accepted = ['AKIDOLD', 'another secret'];
  assert.equal((await ask('converse', 'hi')).status, 403);
  assert.deepEqual(seen.splice(0).map(({ why }) => why), ['of something else']);
});

test('temporary credentials with a token, rotated without a restart', async () => {
  accepted = NEW;
  assert.equal((await ask('converse', 'hi')).status, 403);
  seen.splice(0);
  await rotate(NEW);
  await passes();
});

test('a client of another format is translated, and signed for', async () => {
  const reply = await mete.chat(key, { model: MODEL, messages: [{ role: 'user', content: 'hi' }] });
  assert.equal(reply.status, 200, await reply.clone().text());
  assert.equal((await reply.json()).choices[0].message.content, 'hi');
  assert.deepEqual(seen.splice(0).map(({ why }) => why), [undefined]);
});
