/** Counting tests. */
import { existsSync, readFileSync } from 'node:fs';
import { SKIPPED_EXIT_CODE } from './suites.ts';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function countCheck(exitCode: number): Counts {
  return {
    passed: Number(exitCode === 0),
    failed: Number(exitCode !== 0 && exitCode !== SKIPPED_EXIT_CODE),
    skipped: Number(exitCode === SKIPPED_EXIT_CODE),
  };
}

/** The parts of vitest's JSON report that are counted. */
interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** A run that failed beside its tests (an unhandled error, no report) counts as one more failure: it is never green. */
export function countVitest(reportPath: string, exitCode: number): Counts {
  if (!existsSync(reportPath)) return { passed: 0, failed: 1, skipped: 0 };
  const report: VitestReport = JSON.parse(readFileSync(reportPath, 'utf8'));
  // A file that fails to load has no tests to fail.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  ).length;
  const failed = report.numFailedTests + brokenFiles;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** One line of what `go test -json` prints. */
interface GoTestEvent {
  readonly Action: string;
  readonly Package?: string;
  /** Absent in events about a package as a whole. */
  readonly Test?: string;
}

/** Counts tests and subtests alike, and a package that fails without a failing test (it does not compile, say) as one. */
export function countGoTest(reportPath: string, exitCode: number): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failedPackages = new Set<string>();
  const packagesWithFailedTest = new Set<string>();
  const lines = existsSync(reportPath) ? readFileSync(reportPath, 'utf8').split('\n') : [];
  for (const line of lines.filter((text) => text.startsWith('{'))) {
    const { Action: action, Package: pkg = '', Test: test }: GoTestEvent = JSON.parse(line);
    if (test === undefined) {
      if (action === 'fail') failedPackages.add(pkg);
    } else if (action === 'pass') counts.passed++;
    else if (action === 'skip') counts.skipped++;
    else if (action === 'fail') {
      counts.failed++;
      packagesWithFailedTest.add(pkg);
    }
  }
  counts.failed += failedPackages.difference(packagesWithFailedTest).size;
  if (counts.failed === 0 && exitCode !== 0) counts.failed = 1;
  return counts;
}

/** JUnit's XML, as pytest writes it: the numbers of its suites. */
export function countJunit(reportPath: string, exitCode: number): Counts {
  if (!existsSync(reportPath)) return { passed: 0, failed: 1, skipped: 0 };
  let [tests, failed, skipped] = [0, 0, 0];
  for (const [suite] of readFileSync(reportPath, 'utf8').matchAll(/<testsuite\b[^>]*>/g)) {
    const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
    tests += number('tests');
    failed += number('failures') + number('errors');
    skipped += number('skipped');
  }
  const passed = tests - failed - skipped;
  return { passed, failed: failed === 0 && exitCode !== 0 ? 1 : failed, skipped };
}

export function add(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** `12 passed, 0 failed`, and `, 3 skipped` only when there are any. */
export function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
