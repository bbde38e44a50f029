// SPDX-License-Identifier: Apache-2.0
// docs/openapi.yaml as code: finds the operation of a request, and checks a reply against it. Every
// call of /api/v1 that a test makes goes through check(), so that no reply is left unread.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import YAML from 'yaml';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const document = YAML.parse(fs.readFileSync(`${ROOT}docs/openapi.yaml`, 'utf8'));

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const ajv = new Ajv2020.default({ strict: true, strictRequired: false, strictTypes: false, allErrors: true });
addFormats.default(ajv);
ajv.addVocabulary(['components']);
ajv.addSchema({ $id: 'mete', components: { schemas: document.components.schemas } });

/** Follows a $ref of the document; what stands beside the $ref is added. */
export function resolve(node) {
  if (!node?.$ref) return node;
  const { $ref, ...beside } = node;
  const found = $ref.slice(2).split('/').reduce((at, key) => at?.[key], document);
  assert.ok(found, `${$ref} leads nowhere`);
  return { ...resolve(found), ...beside };
}

function outward(schema) {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"mete#/components/'));
}

const compiled = new Map();
/** A validator of a schema of the document. */
export function validator(schema) {
  const key = JSON.stringify(schema);
  if (!compiled.has(key)) compiled.set(key, ajv.compile(outward(schema)));
  return compiled.get(key);
}

/** Every operation: {method, path, operation, pattern}. */
export const operations = Object.entries(document.paths).flatMap(([path, item]) => METHODS
  .filter((method) => item[method])
  .map((method) => ({
    method: method.toUpperCase(),
    path,
    operation: item[method],
    parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(resolve),
    pattern: new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`),
  })));

export function operationOf(method, path) {
  const matches = operations.filter((o) => o.method === method && o.pattern.test(path));
  const parameters = ({ path }) => path.split('{').length;
  return matches.sort((a, b) => parameters(a) - parameters(b))[0];
}

export function requestSchema(operation) {
  return operation.requestBody?.content['application/json'].schema;
}

function problemOnly() {
  return resolve({ $ref: '#/components/responses/Problem' });
}

/** Throws unless the reply is one the document allows. */
export function check(method, path, reply) {
  const found = operationOf(method, path);
  const responses = found?.operation.responses ?? {};
  const isError = reply.status >= 400;
  const response = resolve(responses[String(reply.status)] ?? (isError ? responses.default ?? problemOnly() : undefined));
  const where = `${method} ${path} -> ${reply.status} ${reply.text}`;
  assert.ok(response, `a status the contract does not know: ${where}`);
  if (!response.content) {
    assert.equal(reply.text, '', `a body where there should be none: ${where}`);
    return;
  }
  const type = (reply.headers.get('content-type') ?? '').split(';')[0];
  const media = response.content[type];
  assert.ok(media, `content type ${type || '(none)'}: ${where}`);
  if (!type.endsWith('json')) return; // events, lines, CSV
  const validate = validator(media.schema);
  if (!validate(reply.body)) {
    assert.fail(`not as the contract has it: ${where}\n${ajv.errorsText(validate.errors, { separator: '\n' })}`);
  }
  if (type === 'application/problem+json') assert.equal(reply.body.status, reply.status, where);
}
