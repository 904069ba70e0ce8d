/** `npm run conformance`: runs cases against SDKs and writes the reports. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Method, uncovered, unknownMethods } from './coverage.ts';
import { readKnownFailures } from './known-failing.ts';
import { loadCases, selectCases } from './load-cases.ts';
import { isFailure, junitXml } from './report/junit.ts';
import { matrix, withMatrix } from './report/matrix.ts';
import { resultsJson } from './report/results-json.ts';
import type { RunMode } from './run/skipped.ts';
import { type CaseResult, Suite } from './run/suite.ts';
import { CONFORMANCE, SDK_NAMES, SDKS } from './sdks.ts';
import { CaseFileError } from './yaml/tree.ts';

const USAGE = `usage: npm run conformance -- [options]

  --sdk NAME      go, python or node; may be given several times. Default: all
  --case GLOB     only cases whose id matches, such as 'queue/**'; may be given several times
  --list          name the cases and what they show, and run nothing
  --jobs N        cases at a time on a shared server
  --nodes N       nodes of each server: 1 (default), or 3 that form a cluster
  --kill-leader   with --nodes 3: the leader is killed in the middle of each case, and started again
  --write         put the matrix into README.md
`;

// Not `exitCode`: connections that a failed case left half open would keep the program.
process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sdk: { type: 'string', multiple: true, default: [...SDK_NAMES] },
      case: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
      jobs: { type: 'string' },
      nodes: { type: 'string', default: '1' },
      'kill-leader': { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const stranger = values.sdk.find((name) => !SDK_NAMES.includes(name));
  const mode = modeOf(values.nodes, values['kill-leader']);
  if (values.help || stranger !== undefined || mode === undefined) {
    process.stdout.write(USAGE);
    return values.help ? 0 : 2;
  }
  const folder = join(CONFORMANCE, 'cases');
  let cases: ReturnType<typeof loadCases>;
  let known: ReturnType<typeof readKnownFailures>;
  try {
    cases = loadCases(folder);
    known = readKnownFailures(join(CONFORMANCE, 'known-failing.yaml'), cases);
  } catch (error) {
    if (!(error instanceof CaseFileError)) throw error;
    process.stdout.write(`${error.message}\n`);
    return 2;
  }
  const methods = JSON.parse(readFileSync(join(CONFORMANCE, 'methods.json'), 'utf8')) as Method[];
  const gaps = [...unknownMethods(cases, methods), ...uncovered(cases, methods)];
  const selected = selectCases(cases, values.case);
  if (values.list) {
    for (const { id, shows } of selected) process.stdout.write(`${id}: ${shows}\n`);
    process.stdout.write(`${selected.length} cases\n${gaps.map((gap) => `${gap}\n`).join('')}`);
    return 0;
  }
  const startedAt = performance.now();
  const suite = new Suite({
    cases: selected,
    sdks: SDKS.filter(({ name }) => values.sdk.includes(name)),
    known,
    mode,
    ...(values.jobs === undefined ? {} : { jobs: Number(values.jobs) }),
  });
  const results = await suite.run(tell);
  const time_ms = performance.now() - startedAt;
  writeFileSync(join(CONFORMANCE, 'results.json'), resultsJson(results, time_ms));
  writeFileSync(join(CONFORMANCE, 'junit.xml'), junitXml(results));
  const table = matrix(results, time_ms);
  process.stdout.write(`\n${table}\n${gaps.map((gap) => `${gap}\n`).join('')}`);
  if (values.write) {
    const page = join(CONFORMANCE, 'README.md');
    writeFileSync(page, withMatrix(readFileSync(page, 'utf8'), mode, table));
  }
  return results.some(isFailure) || gaps.length > 0 ? 1 : 0;
}

/** undefined = there is no such run. */
function modeOf(nodes: string, killsLeader: boolean): RunMode | undefined {
  if (nodes === '3') return { nodes: 3, killsLeader };
  return nodes === '1' && !killsLeader ? { nodes: 1, killsLeader } : undefined;
}

function tell(result: CaseResult): void {
  const { sdk, case: testCase, status, time_ms, message } = result;
  if (status === 'skipped') return; // The matrix counts them.
  const line = `${status === 'passed' ? 'ok  ' : status} ${sdk} ${testCase.id} (${time_ms.toFixed(0)} ms)`;
  process.stdout.write(isFailure(result) ? `${line}\n${message.replaceAll(/^/gm, '  ')}\n` : `${line}\n`);
}
