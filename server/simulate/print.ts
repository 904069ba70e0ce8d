/** What the program prints. */
import { levels } from './level.ts';
import type { MutationRow } from './mutation-table.ts';
import type { SeedsReport } from './seeds.ts';

/** Failing seeds that are listed one by one. */
const FAILED_LISTED_MAX = 20;
const LABEL_WIDTH = 22;

/** `lostMessages` as `lost messages` */
function label(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

export function reportText({ level, from, seeds, elapsed_ms, hash, counts, failed }: SeedsReport): string {
  const seconds = elapsed_ms / 1000;
  const lines = [
    levels[level].title,
    `seeds ${from} to ${from + seeds - 1} in ${seconds.toFixed(1)} s, ${(seeds / seconds).toFixed(1)} a second; digest ${hash}`,
    '',
    ...Object.entries(counts).map(
      ([name, count]) =>
        `${label(name).padEnd(LABEL_WIDTH)}${count.toLocaleString('en').padStart(15)}${(count / seeds).toFixed(1).padStart(10)} a seed`,
    ),
    '',
    failed.length === 0 ? 'every invariant held in every run' : `${failed.length} failed:`,
    ...failed
      .slice(0, FAILED_LISTED_MAX)
      .flatMap(({ seed, message }) => [
        `  ${message}`,
        `    npm run simulate -- --level ${level} --from ${seed} --seeds 1 --trace`,
      ]),
  ];
  if (failed.length > FAILED_LISTED_MAX) lines.push(`  and ${failed.length - FAILED_LISTED_MAX} more`);
  return lines.join('\n');
}

export const MUTATION_HEADER = [
  '| level | rule that is broken | noticed by | seeds |',
  '| --- | --- | --- | ---: |',
].join('\n');

export function mutationLine({ level, rule, invariant, seeds }: MutationRow): string {
  return `| ${level} | ${rule} | ${invariant ?? '**not noticed**'} | ${seeds} |`;
}
