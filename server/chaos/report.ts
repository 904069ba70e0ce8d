/** A run, told to people. */
import type { ChaosReport, FaultRecovery } from './chaos-run.ts';
import type { Tally } from './tally.ts';

const COMPLAINTS_SHOWN = 12;
/** How long a group may take no write when the only fault is the loss of one node. */
export const OUTAGE_TARGET_MS = 2_000;

export function toldReport(report: ChaosReport): string {
  const { seed, elapsed_ms, tallies, total, faults, leftOut, recoveries, violations, undecided } = report;
  const faultsTold = [...faults].map(([kind, times]) => `${times} ${kind}`).join(', ');
  return [
    '',
    `seed ${seed}, ${(elapsed_ms / 1000).toFixed(0)} s`,
    row('', 'operations', 'acknowledged', 'refused', 'unknown'),
    ...[...tallies].map(([name, tally]) => tallyRow(name, tally)),
    tallyRow('in all', total),
    `messages delivered     ${report.delivered}`,
    `faults                 ${faultsTold || 'none'}${leftOut.length > 0 ? `; left out: ${leftOut.join('; ')}` : ''}`,
    `elections              ${report.terms} terms begun, ${report.leaderChanges} times another leader`,
    ...outages(recoveries),
    ...(report.complaints.length > 0 ? ['why calls had to be asked again by hand, or failed:'] : []),
    ...report.complaints.slice(0, COMPLAINTS_SHOWN).map(([text, times]) => `  ${times} × ${text}`),
    ...undecided.map((text) => `undecided              ${text}`),
    `violations             ${violations.length}`,
    ...violations.map(({ rule, detail }) => `\n${rule}:\n${detail}`),
    ...(report.folder === undefined ? [] : [`\nlogs and histories: ${report.folder}`]),
  ].join('\n');
}

function outages(recoveries: readonly FaultRecovery[]): string[] {
  const lines: string[] = [];
  for (const [shape, all] of Map.groupBy(recoveries, (recovery) => recovery.shape)) {
    const times_ms = all.map(({ outage_ms }) => outage_ms).sort((a, b) => a - b);
    const late = times_ms.filter((time_ms) => time_ms > OUTAGE_TARGET_MS).length;
    const [median, longest] = [times_ms[times_ms.length >> 1]!, times_ms.at(-1)!];
    lines.push(
      `no writes after ${shape}`.padEnd(36) +
        `median ${median.toFixed(0)} ms, longest ${longest.toFixed(0)} ms, ${late} of ${all.length} over ${OUTAGE_TARGET_MS} ms`,
    );
  }
  const slow = recoveries.filter(({ outage_ms }) => outage_ms > OUTAGE_TARGET_MS);
  lines.push(...slow.map(({ what, outage_ms }) => `  ${outage_ms.toFixed(0)} ms: ${what}`));
  return lines;
}

function tallyRow(name: string, { operations, acknowledged, refused, unknown }: Readonly<Tally>): string {
  return row(name, ...[operations, acknowledged, refused, unknown].map(String));
}

function row(name: string, ...cells: readonly string[]): string {
  return name.padEnd(10) + cells.map((cell) => cell.padStart(14)).join('');
}
