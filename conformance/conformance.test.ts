/** The whole suite: every case against every SDK, each as a test. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readKnownFailures } from './src/known-failing.ts';
import { loadCases } from './src/load-cases.ts';
import { junitXml } from './src/report/junit.ts';
import { resultsJson } from './src/report/results-json.ts';
import { skipReason } from './src/run/skipped.ts';
import { type CaseResult, Suite } from './src/run/suite.ts';
import { CONFORMANCE, SDKS } from './src/sdks.ts';

/** For the suite as a whole: a case may wait for its turn until the others are done. */
const ALL_MS = 600_000;

const all = loadCases(join(CONFORMANCE, 'cases'));
const cases = all.filter((testCase) => skipReason(testCase, { nodes: 1, killsLeader: false }) === undefined);
const suite = new Suite({
  cases,
  sdks: SDKS,
  known: readKnownFailures(join(CONFORMANCE, 'known-failing.yaml'), all),
});
let running: Promise<readonly CaseResult[]>;
let startedAt = 0;

beforeAll(() => {
  startedAt = performance.now();
  running = suite.run();
});

afterAll(async () => {
  const results = await running;
  const time_ms = performance.now() - startedAt;
  writeFileSync(join(CONFORMANCE, 'results.json'), resultsJson(results, time_ms));
  writeFileSync(join(CONFORMANCE, 'junit.xml'), junitXml(results));
}, ALL_MS);

describe.each(SDKS.map(({ name }) => name))('%s', (sdk) => {
  for (const { id } of cases) {
    const result = suite.result(sdk, id);
    if (result === undefined) continue;
    test(
      id,
      async () => {
        const { status, message } = await result;
        expect(status, message).toBeOneOf(['passed', 'known-failing']);
      },
      ALL_MS,
    );
  }
});
