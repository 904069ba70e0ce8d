/** What a process uses, from /proc. Linux alone has it; elsewhere the numbers are absent, never made up. */
import { existsSync, readFileSync } from 'node:fs';

/** Kernel clock ticks a second: what /proc counts CPU time in. 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface Memory {
  /** Resident set. */
  readonly residentBytes: number;
  /** Its anonymous part: heap, stacks, buffers; not mapped files. */
  readonly anonymousBytes: number;
  /** Its part that maps the store's file: page cache, which the system takes back when it needs it. */
  readonly storeBytes: number;
}

export const hasProcessUsage = existsSync('/proc/self/smaps_rollup');

/** CPU time of all threads so far, in µs, in steps of 10 ms; undefined where /proc is absent. */
export function cpuTime_us(pid: number): number | undefined {
  if (!hasProcessUsage) return undefined;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in parentheses, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  return ((user + system) / TICKS_PER_SECOND) * 1e6;
}

/** The memory of a process now; undefined where /proc is absent. */
export function memory(pid: number): Memory | undefined {
  if (!hasProcessUsage) return undefined;
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    residentBytes: field(rollup, 'Rss'),
    anonymousBytes: field(rollup, 'Anonymous'),
    storeBytes: storeBytes(pid),
  };
}

/** The same of several processes together. */
export function cpuTimeOfAll_us(pids: readonly number[]): number | undefined {
  return sum(pids.map(cpuTime_us));
}

export function memoryOfAll(pids: readonly number[]): Memory | undefined {
  const all = pids.map(memory);
  const residentBytes = sum(all.map((each) => each?.residentBytes));
  const anonymousBytes = sum(all.map((each) => each?.anonymousBytes));
  const storeBytes = sum(all.map((each) => each?.storeBytes));
  if (residentBytes === undefined || anonymousBytes === undefined || storeBytes === undefined)
    return undefined;
  return { residentBytes, anonymousBytes, storeBytes };
}

function sum(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((total, value) =>
    total === undefined || value === undefined ? undefined : total + value,
  );
}

/** The mapping of LMDB's file is the only one of a file by that name. */
function storeBytes(pid: number): number {
  let total = 0;
  const mappings = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  for (const mapping of mappings) {
    if (/^.*\.mdb$/m.test(mapping.slice(0, mapping.indexOf('\n')))) total += field(mapping, 'Rss');
  }
  return total;
}

function field(text: string, name: string): number {
  const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text) ?? [];
  return Number(kib ?? 0) * 1024;
}
