/** Figures for people. */
import { type Duration, durationMs, type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';

const KIB = 1024;
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.4 MiB`. */
export function humanBytes(bytes: bigint | number): string {
  let amount = Number(bytes);
  let unit = 0;
  while (amount >= KIB && unit < BYTE_UNITS.length - 1) {
    amount /= KIB;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1;
  return `${amount.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

const thousands = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

/** `138,398`. */
export function humanCount(count: bigint | number): string {
  return thousands.format(count);
}

/** From the longest: a time is told by the first that it fills, and the next one. */
const TIME_UNITS: readonly (readonly [ms: number, unit: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
];

/** `250 ms`, `4.2s`, `29m 59s`, `3d 4h`. */
export function humanMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toString()}s`;
  const at = TIME_UNITS.findIndex(([unitMs]) => ms >= unitMs);
  const [unitMs, unit] = TIME_UNITS[at]!;
  const next = TIME_UNITS[at + 1];
  const whole = Math.floor(ms / unitMs);
  const left = next === undefined ? 0 : Math.floor((ms - whole * unitMs) / next[0]);
  return left === 0 ? `${whole}${unit}` : `${whole}${unit} ${left}${next![1]}`;
}

/** A protobuf duration; `unset` is shown for none. */
export function humanDuration(duration: Duration | undefined, unset = '-'): string {
  return duration === undefined ? unset : humanMs(durationMs(duration));
}

/** How long ago or ahead: `3m 20s ago`, `in 29s`, `now`; `unset` is shown for none. */
export function humanTime(timestamp: Timestamp | undefined, unset = '-', now_ms = Date.now()): string {
  if (timestamp === undefined) return unset;
  const ahead_ms = timestampDate(timestamp).getTime() - now_ms;
  if (Math.abs(ahead_ms) < 1_000) return 'now';
  return ahead_ms > 0 ? `in ${humanMs(ahead_ms)}` : `${humanMs(-ahead_ms)} ago`;
}

/** The enum value's name without what all names of its enum begin with: `IN_FLIGHT` as `in flight`. */
export function humanEnum(values: Readonly<Record<number, string>>, value: number): string {
  return (values[value] ?? String(value)).toLowerCase().replaceAll('_', ' ');
}
