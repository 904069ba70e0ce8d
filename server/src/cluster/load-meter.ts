/**
 * How busy the groups are that this node leads: rates from counters that are there anyway, as averages that forget.
 *
 * An average over all time since the group came to be led here, in which a moment weighs half as much every half-life.
 * Both calls and time are forgotten alike, so it is right from the first sample on, and only uncertain while young.
 */

export interface MeasuredLoad {
  readonly writesPerSecond: number;
  readonly readsPerSecond: number;
  /** Of the last sample, not an average. */
  readonly bytes: number;
  /** For how long the rates have been measured. */
  readonly measured_ms: number;
}

/** A group with what it counts. */
export interface MeteredGroup {
  readonly id: number;
  readonly isLeader: boolean;
  readonly term: number;
  readonly writesTotal: number;
  readonly readsTotal: number;
  readonly state: { dataBytes(): number };
}

/** After which a moment weighs half as much: long enough that bursts move nothing, short enough to follow a day. */
const HALF_LIFE_MS = 30_000;

/** How long a leader has to measure before anything moves for it: until then a rate says more about chance than load. */
export const MEASURED_MS_MIN = 30_000;

interface Meter {
  readonly term: number;
  readonly since_ms: number;
  at_ms: number;
  writesTotal: number;
  readsTotal: number;
  /** Calls and milliseconds, each with its weight. */
  writes: number;
  reads: number;
  time_ms: number;
  bytes: number;
}

export class LoadMeter {
  readonly #monotonic: () => number;
  /** Groups that are led here, by id. */
  #meters: ReadonlyMap<number, Meter> = new Map();

  /** @param monotonic milliseconds of a clock that is never set */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Takes in what happened since the last sample. A group that is led anew is measured anew. */
  sample(groups: readonly MeteredGroup[]): void {
    const at_ms = this.#monotonic();
    this.#meters = new Map(
      groups
        .filter(({ isLeader }) => isLeader)
        .map((group) => [group.id, sampled(this.#meters.get(group.id), group, at_ms)]),
    );
  }

  /** Undefined for a group that is not led here. */
  of(group: number): MeasuredLoad | undefined {
    const meter = this.#meters.get(group);
    if (meter === undefined) return undefined;
    const { writes, reads, time_ms, bytes } = meter;
    const perSecond = (calls: number): number => (time_ms === 0 ? 0 : (1000 * calls) / time_ms);
    return {
      writesPerSecond: perSecond(writes),
      readsPerSecond: perSecond(reads),
      bytes,
      measured_ms: meter.at_ms - meter.since_ms,
    };
  }
}

function sampled(meter: Meter | undefined, group: MeteredGroup, at_ms: number): Meter {
  const { term, writesTotal, readsTotal } = group;
  const bytes = group.state.dataBytes();
  if (meter === undefined || meter.term !== term || writesTotal < meter.writesTotal) {
    const nothing = { writes: 0, reads: 0, time_ms: 0 };
    return { term, since_ms: at_ms, at_ms, writesTotal, readsTotal, bytes, ...nothing };
  }
  const passed_ms = at_ms - meter.at_ms;
  const kept = 0.5 ** (passed_ms / HALF_LIFE_MS);
  meter.writes = kept * meter.writes + (writesTotal - meter.writesTotal);
  meter.reads = kept * meter.reads + (readsTotal - meter.readsTotal);
  meter.time_ms = kept * meter.time_ms + passed_ms;
  meter.at_ms = at_ms;
  meter.writesTotal = writesTotal;
  meter.readsTotal = readsTotal;
  meter.bytes = bytes;
  return meter;
}
