/**
 * What a node is held to: single node, an fsync before every answer, a machine of two cores that server and load
 * share. A target is met or missed; nothing is rounded in its favour.
 */
import type { RowResult } from './run-row.ts';
import type { ServerFigures } from './server-figures.ts';

export interface Target<T> {
  /** As printed, such as `≥ 60,000/s`. */
  readonly text: string;
  /** True when met; undefined when the figure is not known on this machine. */
  readonly met: (result: T) => boolean | undefined;
}

const perSecond = (least: number): Target<RowResult> => ({
  text: `≥ ${least.toLocaleString('en')}/s`,
  met: (row) => row.perSecond >= least,
});

const p50 = (most_ms: number): Target<RowResult> => ({
  text: `p50 < ${most_ms} ms`,
  met: (row) => row.p50_ms < most_ms,
});

const p99 = (most_ms: number): Target<RowResult> => ({
  text: `p99 < ${most_ms} ms`,
  met: (row) => row.p99_ms < most_ms,
});

const serverCpu = (most_us: number): Target<RowResult> => ({
  text: `CPU ≤ ${most_us} µs`,
  met: (row) => (row.serverCpu_us === undefined ? undefined : row.serverCpu_us <= most_us),
});

export const ROW_TARGETS: Readonly<Record<string, readonly Target<RowResult>[]>> = {
  'kv-set-1': [p50(0.5), p99(2)],
  'kv-set-50': [perSecond(60_000), p99(3)],
  'kv-set-1000': [perSecond(180_000), p99(15), serverCpu(6)],
  'kv-get-50': [perSecond(100_000)],
  'queue-cycle': [perSecond(30_000)],
  'stream-publish-1000': [perSecond(200_000)],
  'stream-read': [perSecond(500_000)],
};

export const MB = 1_000_000;

/** Resident set after load, without the mapped pages of the store. */
export const LOADED_BYTES_MAX = 160 * MB;

/** Sets a second of gomsg for each of Redis with `appendfsync always`, 50 clients each. */
export const REDIS_RATIO_MIN = 0.8;

export const SERVER_TARGETS: readonly (Target<ServerFigures> & {
  readonly what: string;
  readonly figure: (f: ServerFigures) => string;
})[] = [
  {
    what: 'start to first answer',
    figure: ({ firstAnswer_ms }) => `${firstAnswer_ms.toFixed(0)} ms`,
    text: '≤ 500 ms',
    met: ({ firstAnswer_ms }) => firstAnswer_ms <= 500,
  },
  {
    what: 'resident set, idle after the start',
    figure: ({ idle }) =>
      idle === undefined
        ? 'unknown'
        : `${megabytes(idle.residentBytes)} (${megabytes(idle.anonymousBytes)} anonymous)`,
    text: '≤ 90 MB',
    met: ({ idle }) => (idle === undefined ? undefined : idle.residentBytes <= 90 * MB),
  },
];

export function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}
