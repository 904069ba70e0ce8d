/** JUnit's XML, one suite for each SDK, for CI systems. */
import type { CaseResult } from '../run/suite.ts';

export function junitXml(results: readonly CaseResult[]): string {
  const sdks = [...new Set(results.map(({ sdk }) => sdk))];
  const suites = sdks.map((sdk) => {
    const own = results.filter((result) => result.sdk === sdk);
    const failures = own.filter(isFailure).length;
    const skipped = own.filter((result) => result.status !== 'passed' && !isFailure(result)).length;
    return [
      `  <testsuite name="conformance ${sdk}" tests="${own.length}" failures="${failures}" skipped="${skipped}" time="${seconds(own)}">`,
      ...own.map(testCase),
      '  </testsuite>',
    ].join('\n');
  });
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>', ''].join(
    '\n',
  );
}

/** A failure that nobody knew of, or one that is known and did not happen. */
export function isFailure({ status }: CaseResult): boolean {
  return status === 'failed' || status === 'passes-unexpectedly';
}

function testCase(result: CaseResult): string {
  const { sdk, case: testCase, status, message } = result;
  const head = `    <testcase classname="${escaped(sdk)}" name="${escaped(testCase.id)}" time="${seconds([result])}"`;
  if (status === 'passed') return `${head}/>`;
  const inner = isFailure(result)
    ? `<failure message="${escaped(message.split('\n')[0]!)}">${escaped(message)}</failure>`
    : `<skipped message="${escaped(message)}"/>`;
  return `${head}>${inner}</testcase>`;
}

function seconds(results: readonly CaseResult[]): string {
  return (results.reduce((sum, { time_ms }) => sum + time_ms, 0) / 1000).toFixed(3);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escaped(text: string): string {
  // Control characters are not allowed in XML 1.0, not even as references.
  const printable = text.replace(/\p{Cc}/gu, (character) => (/[\n\t]/.test(character) ? character : '�'));
  return printable.replace(/[&<>"]/g, (character) => ESCAPES[character]!);
}
