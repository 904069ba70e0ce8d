import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ClientProcess } from '../client/client-process.ts';
import { parseCases } from '../load-cases.ts';
import type { Sdk } from '../sdks.ts';
import type { Fault } from '../testing/fake-program.ts';
import { type CaseResult, type KnownFailure, Suite } from './suite.ts';

const PROGRAM = fileURLToPath(new URL('../testing/fake-program.ts', import.meta.url));

const CASES = `
- case: values
  shows: A value comes back.
  timeout: 25s
  server: scripted
  steps:
    - call: kv.set
      args: ['\${case}:k', v]
      within: 2s
    - call: kv.get
      args: ['\${case}:k']
      expect: v
- case: errors
  shows: A missing key is an error.
  timeout: 25s
  server: scripted
  steps:
    - call: kv.get
      args: ['\${case}:missing']
      within: 2s
      error: {reason: KEY_NOT_FOUND, subject: '\${case}:missing'}
- case: once
  shows: A message comes once.
  timeout: 25s
  server: scripted
  steps:
    - call: queue.push
      args: ['\${case}:q', x]
      within: 2s
    - call: queue.pop
      args: ['\${case}:q']
      expect: {data: x}
    - call: queue.pop
      args: ['\${case}:q']
      expect: null
- case: clean
  shows: Nothing stays behind.
  timeout: 25s
  server: scripted
  alone: true
  steps:
    - connect: main
    - close: main
      leaked: 0
- case: streams
  shows: A stream yields its items in order and ends.
  timeout: 25s
  server: scripted
  steps:
    - open: stream.subscribe
      stream: s
      args: [t]
    - items: s
      expect: [first, second]
    - close_stream: s
    - ended: s
`;

async function run(
  fault: Fault,
  known: readonly KnownFailure[] = [],
): Promise<ReadonlyMap<string, CaseResult>> {
  const sdk: Sdk = {
    name: 'node',
    cwd: process.cwd(),
    build: undefined,
    run: [process.execPath, PROGRAM, fault],
    env: {},
  };
  const suite = new Suite({
    cases: parseCases('fake.yaml', CASES),
    sdks: [sdk],
    known,
    newProgram: (wanted) => new ClientProcess(wanted),
  });
  const results = await suite.run();
  return new Map(results.map((result) => [result.case.id, result]));
}

function failed(results: ReadonlyMap<string, CaseResult>): string[] {
  return [...results].filter(([, { status }]) => status === 'failed').map(([id]) => id);
}

describe('a broken SDK is caught', () => {
  test('one that is right passes', async () => {
    expect(failed(await run('none'))).toEqual([]);
  });

  test.each([
    ['loses', 'fake/values', 'expected "v", got KEY_NOT_FOUND'],
    ['answers-wrongly', 'fake/values', 'expected "v", got "v?"'],
    ['duplicates', 'fake/once', 'expected null, got {data: "x"}'],
    ['wrong-family', 'fake/errors', "the error's family: expected not_found, got internal"],
    ['leaks', 'fake/clean', 'expected 0, got 2'],
    ['late-items', 'fake/streams', 'item after its end'],
  ] as const)('%s', async (fault, id, story) => {
    const results = await run(fault);
    expect(failed(results)).toEqual([id]);
    const { message } = results.get(id)!;
    if (fault === 'loses') expect(message).toContain('KEY_NOT_FOUND');
    else expect(message).toContain(story);
    expect(message).toMatch(/^fake\.yaml:\d+: /);
  });

  test('one that does not answer fails in time', async () => {
    const results = await run('hangs');
    expect(failed(results)).toEqual(['fake/values', 'fake/errors', 'fake/once']);
    expect(results.get('fake/values')!.message).toContain('kv.set was not answered within 2000 ms');
  });

  test('one whose program ends fails with how it ended, and later cases get a new one', async () => {
    const results = await run('ends');
    expect(failed(results)).toContain('fake/values');
    expect(results.get('fake/values')!.message).toContain('ended with 3');
    expect(results.get('fake/clean')!.status).toBe('passed');
  });
});

test('a case that is known to fail does not count, and one that passes after all does', async () => {
  const known = ['fake/values', 'fake/errors'].map((caseId) => ({ sdk: 'node', caseId, reason: 'not yet' }));
  const results = await run('answers-wrongly', known);
  expect(results.get('fake/values')).toMatchObject({ status: 'known-failing', message: 'not yet' });
  expect(results.get('fake/errors')!.status).toBe('passes-unexpectedly');
});
