/**
 * Heartbeats of all groups between two nodes, made small: one that says the same as the last of its group on the stream
 * is sent as the number of its group. Both ends remember what was last said, which a stream that is ordered and loses
 * nothing allows; a new stream begins with an empty memory on both ends.
 */
import type { HeartbeatMessage, HeartbeatResponseMessage } from '../../raft/index.ts';
import { type ByteReader, varintSize, writeVarint } from '../../state/wire.ts';

export type AnyHeartbeat = HeartbeatMessage | HeartbeatResponseMessage;

/**
 * Groups from this number on are not remembered, on neither end: it bounds the memory. Part of the protocol. A cluster
 * has at most 1,024 data groups.
 */
export const REMEMBERED_GROUPS = 4096;

/** Heartbeats that wait to be sent: at most one for each group. */
export class WaitingHeartbeats<H extends AnyHeartbeat> {
  #byGroup = new Map<number, H>();

  get size(): number {
    return this.#byGroup.size;
  }

  /** The newer replaces the older, but a read that the older was to confirm is still confirmed. */
  add(group: number, heartbeat: H): void {
    const older = this.#byGroup.get(group);
    const kept =
      older !== undefined && sameSender(older, heartbeat) && older.context > heartbeat.context
        ? { ...heartbeat, context: older.context }
        : heartbeat;
    this.#byGroup.set(group, kept);
  }

  /** All of them; none wait afterwards. */
  take(): ReadonlyMap<number, H> {
    const all = this.#byGroup;
    if (all.size > 0) this.#byGroup = new Map();
    return all;
  }

  clear(): void {
    this.#byGroup.clear();
  }
}

function sameSender(a: AnyHeartbeat, b: AnyHeartbeat): boolean {
  return a.from === b.from && a.to === b.to && a.term === b.term;
}

function sameHeartbeat(a: AnyHeartbeat, b: AnyHeartbeat): boolean {
  return sameSender(a, b) && a.context === b.context && commitOf(a) === commitOf(b);
}

function commitOf(heartbeat: AnyHeartbeat): number {
  return heartbeat.type === 'heartbeat' ? heartbeat.commit : 0;
}

export interface GroupHeartbeat<H extends AnyHeartbeat> {
  readonly group: number;
  readonly heartbeat: H;
}

/** What one frame says. */
export interface CompactHeartbeats<H extends AnyHeartbeat> {
  readonly changed: readonly GroupHeartbeat<H>[];
  /** Groups whose heartbeat is that of last time. */
  readonly same: readonly number[];
}

/** The memory of one end of a stream. */
export class HeartbeatMemory<H extends AnyHeartbeat> {
  readonly #last = new Map<number, H>();

  /** The sending end: parts what is new from what the other end knows. */
  compact(heartbeats: ReadonlyMap<number, H>): CompactHeartbeats<H> {
    const changed: GroupHeartbeat<H>[] = [];
    const same: number[] = [];
    for (const [group, heartbeat] of heartbeats) {
      const last = this.#last.get(group);
      if (last !== undefined && sameHeartbeat(last, heartbeat)) same.push(group);
      else changed.push({ group, heartbeat });
      this.#remember(group, heartbeat);
    }
    return { changed, same };
  }

  /** The receiving end: what the sending one compacted. @throws RangeError for a group that it never named before */
  expand({ changed, same }: CompactHeartbeats<H>): GroupHeartbeat<H>[] {
    const all = [...changed];
    for (const { group, heartbeat } of changed) this.#remember(group, heartbeat);
    for (const group of same) {
      const heartbeat = this.#last.get(group);
      if (heartbeat === undefined)
        throw new RangeError(`group ${group} had no heartbeat that could be the same`);
      all.push({ group, heartbeat });
    }
    return all;
  }

  #remember(group: number, heartbeat: H): void {
    if (group < REMEMBERED_GROUPS) this.#last.set(group, heartbeat);
  }
}

// Field numbers of Heartbeat and of HeartbeatResponse: group, from, to, term, then [commit,] context.
const FIELDS_MAX = 6;

function fieldsOf(group: number, heartbeat: AnyHeartbeat): readonly number[] {
  const { from, to, term, context } = heartbeat;
  return heartbeat.type === 'heartbeat'
    ? [group, from, to, term, heartbeat.commit, context]
    : [group, from, to, term, context];
}

/** Size of the encoding of one. */
export function heartbeatSize({ group, heartbeat }: GroupHeartbeat<AnyHeartbeat>): number {
  let bytes = 0;
  for (const value of fieldsOf(group, heartbeat)) if (value !== 0) bytes += 1 + varintSize(value);
  return bytes;
}

/** Writes one at `start`; returns the offset behind it. */
export function writeHeartbeat(
  target: Uint8Array,
  start: number,
  { group, heartbeat }: GroupHeartbeat<AnyHeartbeat>,
): number {
  let at = start;
  for (const [position, value] of fieldsOf(group, heartbeat).entries()) {
    if (value === 0) continue;
    target[at++] = (position + 1) << 3;
    at = writeVarint(target, at, value);
  }
  return at;
}

/** Reads a heartbeat of `length` bytes. @throws RangeError */
export function readHeartbeat(reader: ByteReader, length: number): GroupHeartbeat<HeartbeatMessage> {
  const [group, from, to, term, commit, context] = readFields(reader, length, FIELDS_MAX);
  return {
    group: group!,
    heartbeat: { type: 'heartbeat', from: from!, to: to!, term: term!, commit: commit!, context: context! },
  };
}

/** Reads the answer to a heartbeat, of `length` bytes. @throws RangeError */
export function readHeartbeatResponse(
  reader: ByteReader,
  length: number,
): GroupHeartbeat<HeartbeatResponseMessage> {
  const [group, from, to, term, context] = readFields(reader, length, FIELDS_MAX - 1);
  return {
    group: group!,
    heartbeat: { type: 'heartbeat-response', from: from!, to: to!, term: term!, context: context! },
  };
}

function readFields(reader: ByteReader, length: number, count: number): number[] {
  const end = reader.at + length;
  const fields = new Array<number>(count).fill(0);
  while (reader.at < end) {
    const tag = reader.u8();
    const field = tag >> 3;
    if ((tag & 7) !== 0 || field < 1 || field > count) {
      throw new RangeError(`a heartbeat has an unknown field (tag ${tag})`);
    }
    fields[field - 1] = reader.varint();
  }
  if (reader.at !== end) throw new RangeError('a heartbeat reaches behind its length');
  return fields;
}
