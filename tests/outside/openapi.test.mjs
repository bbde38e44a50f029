// SPDX-License-Identifier: Apache-2.0
// Proves that docs/openapi.yaml can be relied on as a contract: every schema compiles in strict mode,
// every example is what it says, requests admit no unknown member, and every member of a request
// has a type and says what it means. Needs no server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { document, operations, requestSchema, resolve, validator } from './contract.mjs';

test('every schema compiles', () => {
  for (const name of Object.keys(document.components.schemas)) {
    assert.ok(validator({ $ref: `#/components/schemas/${name}` }), name);
  }
});

test('every operation has an id of its own and a reply for what goes wrong', () => {
  const ids = operations.map((o) => o.operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const { path, operation } of operations) {
    if (path.startsWith('/api/')) assert.ok(operation.responses.default, `${path} has no default`);
  }
});

test('every parameter in a path is declared', () => {
  for (const { path, parameters } of operations) {
    const named = [...path.matchAll(/\{([^}]+)\}/g)].map((m) => m[1]);
    const declared = parameters.filter((p) => p.in === 'path').map((p) => p.name);
    assert.deepEqual(declared.sort(), named.sort(), path);
  }
});

test('every example validates against its schema', () => {
  let seen = 0;
  for (const { path, operation } of operations) {
    const media = operation.requestBody?.content['application/json'];
    if (!media) continue;
    const examples = media.examples ? Object.values(media.examples).map((e) => e.value) : [media.example];
    for (const example of examples) {
      assert.notEqual(example, undefined, `${operation.operationId} has no example`);
      const validate = validator(media.schema);
      assert.ok(validate(example), `${path}: ${JSON.stringify(validate.errors)}`);
      seen += 1;
    }
  }
  assert.ok(seen >= 14, `only ${seen} examples`);
});

// Objects within a schema that an array or oneOf leads to, with the path to each member.
function* membersOf(schema, at) {
  const node = resolve(schema);
  for (const part of [...(node.oneOf ?? []), ...(node.anyOf ?? [])]) yield* membersOf(part, at);
  if (node.type === 'array') yield* membersOf(node.items, `${at}[]`);
  if (!node.properties) return;
  yield { at, node };
  for (const [name, member] of Object.entries(node.properties)) {
    yield { at: `${at}.${name}`, member };
    yield* membersOf(member, `${at}.${name}`);
  }
}

test('requests admit nothing unknown, and every member has a type and a meaning', () => {
  let seen = 0;
  for (const { path, operation } of operations) {
    if (!path.startsWith('/api/') || !operation.requestBody) continue;
    for (const { at, node, member } of membersOf(requestSchema(operation), operation.operationId)) {
      if (node) assert.notEqual(node.additionalProperties ?? true, true, `${at} admits anything`);
      if (!member) continue;
      const meant = resolve(member);
      assert.ok(meant.type ?? meant.anyOf ?? meant.oneOf ?? meant.enum ?? meant.const, `${at} has no type`);
      assert.ok(meant.description, `${at} says nothing`);
      seen += 1;
    }
  }
  assert.ok(seen > 100, `only ${seen} members`);
});

test('the contract refuses what it should: the tests of replies can fail', () => {
  const budget = validator({ $ref: '#/components/schemas/BudgetCreate' });
  const good = { scope: { kind: 'user', id: 'u' }, unit: 'USD', amount: '5.00', period: 'daily' };
  assert.ok(budget(good));
  for (const wrong of [
    { ...good, amount: '-1' }, { ...good, amount: '1e3' }, { ...good, amount: '0.1234567891' },
    { ...good, period: 'fortnightly' }, { ...good, limit: '5.00' }, { ...good, scope: { kind: 'user' } },
    { scope: good.scope, unit: 'USD', period: 'daily' },
  ]) assert.ok(!budget(wrong), JSON.stringify(wrong));
  const problem = validator({ $ref: '#/components/schemas/Problem' });
  assert.ok(!problem({ type: 'x', title: 'x', status: 400, detail: 'x', code: 'never heard of' }));
});
