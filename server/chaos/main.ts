/** `npm run chaos -- --minutes 10 [--seed N] [--nodes 3] [--faults kill,pause,…] [--keep]` */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { chaosRun } from './chaos-run.ts';
import { toldReport } from './report.ts';
import { FAULT_KINDS, type FaultKind } from './timeline.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    nodes: { type: 'string', default: '3' },
    faults: { type: 'string', default: FAULT_KINDS.join(',') },
    keep: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? randomInt(2 ** 31));
const nodes = Number(values.nodes);
const faults = values.faults.split(',') as FaultKind[];
const isUsable =
  minutes > 0 &&
  Number.isInteger(seed) &&
  Number.isInteger(nodes) &&
  nodes >= 3 &&
  nodes <= 9 &&
  faults.every((kind) => FAULT_KINDS.includes(kind));
if (!isUsable) {
  console.error(
    `usage: npm run chaos -- [--minutes M] [--seed N] [--nodes 3 to 9] [--faults ${FAULT_KINDS.join(',')}] [--keep]`,
  );
  process.exit(2);
}

console.log(`seed ${seed}`);
const report = await chaosRun({
  seed,
  nodes,
  faults,
  duration_ms: minutes * 60_000,
  keep: values.keep,
  onEvent: (line) => console.log(line),
});
console.log(toldReport(report));
if (report.violations.length > 0) process.exitCode = 1;
