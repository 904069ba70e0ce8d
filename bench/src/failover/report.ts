/** What became of each program, as text. */
import { KINDS } from './event.ts';
import type { FailoverResult } from './failover.ts';
import { FAULTS } from './lane-tally.ts';
import type { Phase } from './waits.ts';

const MS_PER_S = 1_000;
const SDK_WIDTH = 8;
const PHASE_WIDTH = 14;
const KIND_WIDTH = 9;

export const TITLES = `${'sdk'.padEnd(SDK_WIDTH)}${''.padEnd(PHASE_WIDTH)}${KINDS.map((kind) => kind.padStart(KIND_WIDTH)).join('')}  target   errors`;

/** @param target_ms the longest that a lane is to wait */
export function phaseText(sdk: string, { title, longest_ms, errors }: Phase, target_ms: number): string {
  const waits = KINDS.map((kind) => (longest_ms[kind] / MS_PER_S).toFixed(2).padStart(KIND_WIDTH));
  const isMet = KINDS.every((kind) => longest_ms[kind] <= target_ms);
  const told = Object.entries(errors).map(([reason, count]) => `${count} ${reason}`);
  const verdict = `≤ ${target_ms / MS_PER_S} ${isMet ? 'hit ' : 'MISS'}`;
  return `${sdk.padEnd(SDK_WIDTH)}${title.padEnd(PHASE_WIDTH)}${waits.join('')}  ${verdict} ${told.join(', ') || 'none'}`;
}

/** `node: 1,234 increments, …; nothing lost, nothing twice`. */
export function verdictText({ sdk, increments, pushes, settled, publishes, faults }: FailoverResult): string {
  const figures = Object.entries({ increments, pushes, settled, publishes })
    .map(([what, count]) => `${count.toLocaleString('en')} ${what}`)
    .join(', ');
  const broken = FAULTS.filter((fault) => faults[fault] > 0).map((fault) => `${faults[fault]} ${fault}`);
  return `${sdk}: ${figures}; ${broken.length === 0 ? 'nothing lost, nothing twice' : `BROKEN: ${broken.join(', ')}`}`;
}
