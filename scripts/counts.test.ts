import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countCheck, countGoTest, countJunit, countVitest, summary } from './counts.ts';
import { SKIPPED_EXIT_CODE } from './suites.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-counts-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface FileResult {
  status: string;
  assertionResults: { status: string }[];
}

function report(
  counts: { passed?: number; failed?: number; pending?: number },
  testResults: FileResult[] = [],
) {
  const path = join(folder, 'report.json');
  const { passed = 0, failed = 0, pending = 0 } = counts;
  writeFileSync(
    path,
    JSON.stringify({
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: pending,
      numTodoTests: 0,
      testResults,
    }),
  );
  return path;
}

describe('counting tests', () => {
  it('counts a check by its exit code', () => {
    expect(countCheck(0)).toEqual({ passed: 1, failed: 0, skipped: 0 });
    expect(countCheck(1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(countCheck(SKIPPED_EXIT_CODE)).toEqual({ passed: 0, failed: 0, skipped: 1 });
  });

  it('takes the numbers of a vitest report', () => {
    expect(countVitest(report({ passed: 5, pending: 2 }), 0)).toEqual({ passed: 5, failed: 0, skipped: 2 });
  });

  it('counts a test file that could not be loaded as a failure', () => {
    const broken = { status: 'failed', assertionResults: [] };
    const failing = { status: 'failed', assertionResults: [{ status: 'failed' }] };
    expect(countVitest(report({ passed: 5, failed: 1 }, [broken, failing]), 1).failed).toBe(2);
  });

  it('is never green when the run was not', () => {
    expect(countVitest(report({ passed: 5 }), 1)).toEqual({ passed: 5, failed: 1, skipped: 0 });
    expect(countVitest(join(folder, 'none.json'), 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('takes tests and subtests of a Go report, and packages that fail without a failing test', () => {
    const path = join(folder, 'go.json');
    const events = [
      { Action: 'run', Package: 'a', Test: 'TestOne' },
      { Action: 'pass', Package: 'a', Test: 'TestOne/sub' },
      { Action: 'pass', Package: 'a', Test: 'TestOne' },
      { Action: 'skip', Package: 'a', Test: 'TestTwo' },
      { Action: 'pass', Package: 'a' },
      { Action: 'fail', Package: 'b', Test: 'TestThree' },
      { Action: 'fail', Package: 'b' },
      { Action: 'fail', Package: 'c' },
    ];
    writeFileSync(path, `build output\n${events.map((event) => JSON.stringify(event)).join('\n')}\n`);
    expect(countGoTest(path, 1)).toEqual({ passed: 2, failed: 2, skipped: 1 });
    expect(countGoTest(join(folder, 'none.json'), 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('takes the numbers of JUnit suites', () => {
    const path = join(folder, 'junit.xml');
    writeFileSync(
      path,
      '<testsuites name="all"><testsuite name="x" errors="1" failures="2" skipped="3" tests="10" time="1.0"></testsuite></testsuites>',
    );
    expect(countJunit(path, 1)).toEqual({ passed: 4, failed: 3, skipped: 3 });
    expect(countJunit(join(folder, 'none.xml'), 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('names skipped tests only when there are any', () => {
    expect(summary({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
    expect(summary({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
  });
});
