import { expect, test } from 'vitest';
import { ErrorReason } from '../services/errors.ts';
import { toyMethods } from './testing/toy-methods.ts';
import { MethodNames } from './unknown-method.ts';

const names = new MethodNames(toyMethods().methods);

test.each([
  ['/gomsg.v1.KVService/Gett', 'did you mean Get?'],
  ['/gomsg.v1.KvService/get', 'did you mean gomsg.v1.KVService/Get?'],
  ['/gomsg.v1.KVService/Frobnicate', 'its methods are Get, Watch'],
  ['/acme.Shop/Buy', 'the services are gomsg.v1.KVService, gomsg.v1.PipelineService'],
  ['/', 'no service (empty) here'],
])('a call to %s is told: %s', (path, hint) => {
  const failure = names.notFound(path);
  expect(failure.reason).toBe(ErrorReason.METHOD_NOT_FOUND);
  expect(failure.message).toContain(hint);
});

test('of a huge path only the beginning is repeated back', () => {
  expect(names.notFound(`/${'x'.repeat(100_000)}/y`).message.length).toBeLessThan(400);
});
