// SPDX-License-Identifier: Apache-2.0
// Proves that the tests' own provider can be trusted as the second opinion on money: its arithmetic
// against figures worked out by hand, its account against what it sent, its streams against a plain
// SSE reader however they were cut. Needs no server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { charge, divideHalfEven, nano, text } from './money.mjs';
import { CREDENTIAL, Provider } from './provider.mjs';

const PRICES = { m: { input: '2.50', cached_input: '1.25', output: '10.00' } };
let provider;
before(async () => { provider = await new Provider(PRICES, { seed: 7 }).start(); });
after(async () => { await provider.stop(); });

function ask(words, more = {}) {
  return fetch(`${provider.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${CREDENTIAL}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: `!${JSON.stringify(words)}` }], ...more }),
  });
}

test('amounts are read and written exactly', () => {
  assert.equal(nano('0.05'), 50000000n);
  assert.equal(nano('4611686018.427387903'), 4611686018427387903n);
  assert.equal(text(1n), '0.000000001');
  assert.equal(text(-1500000000n), '-1.500000000');
  assert.throws(() => nano('1e3'));
  assert.throws(() => nano('0.1234567891'));
});

test('a half goes to the even neighbour, once for the whole call', () => {
  assert.equal(divideHalfEven(5n, 10n), 0n);
  assert.equal(divideHalfEven(15n, 10n), 2n);
  assert.equal(divideHalfEven(25n, 10n), 2n);
  assert.equal(divideHalfEven(26n, 10n), 3n);
  // 1 token at 0.0005 a million is half a nano: 0; 3 are one and a half: 2; 1 + 1 of two meters: 1.
  assert.equal(charge({ input: '0.0005', output: '0.0005' }, { input: 1, output: 0 }), 0n);
  assert.equal(charge({ input: '0.0005', output: '0.0005' }, { input: 3, output: 0 }), 2n);
  assert.equal(charge({ input: '0.0005', output: '0.0005' }, { input: 1, output: 1 }), 1n);
  // 1,000 in (400 of them cached) and 200 out: 600 x 2.5 + 400 x 1.25 + 200 x 10 micro-dollars.
  assert.equal(charge(PRICES.m, { input: 1000, cached_input: 400, output: 200 }), nano('0.004'));
});

test('a plain answer is billed as its usage says', async () => {
  const reply = await (await ask({ output: 12, cached: 2, reasoning: 3 })).json();
  const call = provider.calls.at(-1);
  assert.equal(reply.usage.completion_tokens, 12);
  assert.equal(reply.usage.prompt_tokens_details.cached_tokens, 2);
  assert.equal(call.nano, charge(PRICES.m, { input: reply.usage.prompt_tokens, cached_input: 2, output: 12 }));
});

test('a stream carries usage only if asked, and is whole however it was cut', async () => {
  for (let i = 0; i < 20; i += 1) {
    const asked = i % 2 === 0;
    const reply = await ask({}, { stream: true, ...(asked ? { stream_options: { include_usage: true } } : {}) });
    const events = (await reply.text()).split(/\r?\n\r?\n/).filter((e) => e.startsWith('data: ')).map((e) => e.slice(6));
    assert.equal(events.at(-1), '[DONE]');
    const chunks = events.slice(0, -1).map((e) => JSON.parse(e));
    assert.equal(chunks.filter((c) => c.usage).length, asked ? 1 : 0);
  }
});

test('an error is not billed, a stranger is not answered', async () => {
  const before_ = provider.billed();
  assert.equal((await ask({ status: 503 })).status, 503);
  const stranger = await fetch(`${provider.url}/v1/chat/completions`, { method: 'POST', body: '{}' });
  assert.equal(stranger.status, 401);
  assert.equal(provider.billed(), before_);
});

test('a cut stream breaks off', async () => {
  await assert.rejects(async () => { await (await ask({ cut: 3, output: 30 }, { stream: true })).text(); });
  assert.equal(provider.calls.at(-1).ended, 'cut');
});
