/** Runs every suite, each to its end whatever the others did, and closes with one line that counts them all. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { add, type Counts, countCheck, countGoTest, countJunit, countVitest, summary } from './counts.ts';
import { printedOutput } from './go-test-output.ts';
import { SUITES, type Suite } from './suites.ts';
import { missingToolchain } from './toolchains.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reports = mkdtempSync(join(tmpdir(), 'gomsg-test-'));
process.on('exit', () => rmSync(reports, { recursive: true, force: true }));

/** Tools come from node_modules, and so does the Node they run on. */
const env = {
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
};

function run(suite: Suite): Counts {
  const missing = (suite.needs ?? []).flatMap((toolchain) => missingToolchain(toolchain) ?? []);
  if (missing.length > 0) {
    console.log(missing.join('\n'));
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const report = join(reports, `${SUITES.indexOf(suite)}.json`);
  const [program, ...args] = suite.command.map((part) => part.replace('{report}', report));
  const printed = suite.count === 'go-test' ? openSync(report, 'w') : 'inherit';
  const { status, error } = spawnSync(program!, args, {
    cwd: join(root, suite.folder ?? '.'),
    env,
    stdio: ['ignore', printed, 'inherit'],
  });
  if (printed !== 'inherit') closeSync(printed);
  if (error) console.log(`${program} could not be run: ${error.message}`);
  const exitCode = status ?? 1;
  switch (suite.count) {
    case 'one':
      return countCheck(exitCode);
    case 'vitest':
      return countVitest(report, exitCode);
    case 'junit':
      return countJunit(report, exitCode);
    case 'go-test':
      if (exitCode !== 0) console.log(printedOutput(report));
      return countGoTest(report, exitCode);
  }
}

const startedAt = performance.now();
let total: Counts = { passed: 0, failed: 0, skipped: 0 };
let isGreen = true;
const lines: string[] = [];
for (const suite of SUITES) {
  console.log(`\n── ${suite.name}`);
  const suiteStartedAt = performance.now();
  const counts = run(suite);
  const ranNothing = counts.passed + counts.failed + counts.skipped === 0;
  if (ranNothing || counts.failed > 0) isGreen = false;
  total = add(total, counts);
  const seconds = ((performance.now() - suiteStartedAt) / 1000).toFixed(1);
  lines.push(`${suite.name}: ${ranNothing ? 'ran nothing' : summary(counts)} (${seconds} s)`);
}

console.log(`\n── ${((performance.now() - startedAt) / 1000).toFixed(1)} s in all\n${lines.join('\n')}\n`);
console.log(summary(total));
process.exitCode = isGreen ? 0 : 1;
