/** What the growth of a cluster did, as text. */
import type { Environment } from '../../load/environment.ts';
import type { BenchOptions } from '../../load/options.ts';
import { header } from '../../load/report.ts';
import type { GrowthStep } from './growth.ts';
import type { Verdict } from './load.ts';

export function growthHeader(
  machine: Environment,
  { fsync, seconds, server, groups, data }: BenchOptions,
): string {
  return [
    header(machine, { what: server ?? 'bundle', fsync, seconds }),
    `growth    ${groups} groups, ${data.toLocaleString('en')} keys and a tenth as many messages from the start; load without pause, from a`,
    '          client that was given the first node alone; every node shares the cores and the disk above',
  ].join('\n');
}

const TITLE_WIDTH = 22;
const SETTLED_WIDTH = 10;
const WORK_WIDTH = 13;
const RATE_WIDTH = 10;
const GAP_WIDTH = 12;

export function stepHead(): string {
  return [
    'step'.padEnd(TITLE_WIDTH),
    'settled s'.padStart(SETTLED_WIDTH),
    '  calls/s'.padEnd(WORK_WIDTH + 2),
    ...['before', 'during', 'after'].map((title) => title.padStart(RATE_WIDTH)),
    'longest ms'.padStart(GAP_WIDTH),
    '  node: replicas/leaders',
  ].join('');
}

/** A line for each kind of work, and for each node beside them. */
export function stepLines({ title, settled_s, perSecond, longestGap_ms, nodes }: GrowthStep): string {
  const works = Object.entries(perSecond).map(([name, { before, during, after }]) =>
    [
      `  ${name}`.padEnd(WORK_WIDTH + 2),
      ...[before, during, after].map((rate) => Math.round(rate).toLocaleString('en').padStart(RATE_WIDTH)),
      longestGap_ms[name]!.toFixed(0).padStart(GAP_WIDTH),
    ].join(''),
  );
  const shares = nodes.map(({ nodeId, replicas, leaders }) => `  ${nodeId}: ${replicas}/${leaders}`);
  const indent = ' '.repeat(TITLE_WIDTH + SETTLED_WIDTH);
  const blank = ' '.repeat(WORK_WIDTH + 2 + 3 * RATE_WIDTH + GAP_WIDTH);
  return Array.from({ length: Math.max(works.length, shares.length) }, (_, line) =>
    [
      line === 0 ? `${title.padEnd(TITLE_WIDTH)}${settled_s.toFixed(1).padStart(SETTLED_WIDTH)}` : indent,
      works[line] ?? blank,
      shares[line] ?? '',
    ]
      .join('')
      .trimEnd(),
  ).join('\n');
}

export function verdictLines(
  verdicts: readonly Verdict[],
  failures: Readonly<Record<string, number>>,
): string {
  return [
    ...Object.entries(failures).map(([failure, count]) => `failed ${count} times: ${failure}`),
    ...verdicts.flatMap(({ checked, wrong }) => [
      `${checked}: ${wrong.length === 0 ? 'all there, each once' : 'WRONG'}`,
      ...wrong.map((sentence) => `  ${sentence}`),
    ]),
  ].join('\n');
}
