/**
 * Client sessions: what makes a retried write apply once (Raft thesis §6.3).
 *
 * Part of the replicated state. For every session the table keeps the outcomes of the commands that the client has
 * not yet said it received; a command whose sequence has an outcome gets it again instead of being applied.
 *
 * A group meets a session first when its first command arrives there. That is safe unless the session was here
 * before, was evicted, and the command is a retry of one that was applied then. So the table remembers the
 * `horizon`: the latest last use of any evicted session. A session that was opened well after the horizon cannot
 * have been evicted; a retry in any other unknown session is refused.
 */
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { type Failure, isFailure, type Outcome } from './failure.ts';
import { groupPrefix, prefixEnd, table, u32Key } from './keys.ts';
import type { SessionPosition } from './log-entry.ts';
import type { StateStore } from './machine.ts';
import { ByteReader, ByteWriter } from './wire.ts';

/** Sessions that a group remembers; past it the tenth that was unused longest is forgotten. */
export const SESSIONS_MAX = 100_000;

/** Outcomes that one session may leave unreceived; the client bounds its calls in flight well below it. */
export const UNRECEIVED_MAX = 16_384;

/** Bytes of outcomes that one session may leave unreceived; passed by its last outcome at most. */
export const UNRECEIVED_BYTES_MAX = 64 * 1024 * 1024;

/** The same over all sessions of a group: past it sessions that were unused longest are forgotten, a tenth at once. */
export const ALL_UNRECEIVED_BYTES_MAX = 256 * 1024 * 1024;

/** A session is stored in as many rows of this size as it needs: one value of the store would not hold them all. */
const ROW_BYTES = 1024 * 1024;

/** Session ids are the millisecond of their opening, then this many bits that make them unique. */
const ID_COUNTER_BITS = 22n;

/** Clocks of the nodes that open and evict sessions are taken to agree within this. */
const CLOCK_MARGIN_MS = 5 * 60_000;

/** What a `Failure` outcome is assumed to occupy. */
const FAILURE_BYTES = 256;

/** What an outcome costs beside its bytes: its object and its place in the map. */
const OUTCOME_OVERHEAD_BYTES = 128;

/** An outcome that keeps this many times its own bytes of memory alive gets memory of its own when it is saved. */
const PINNED_TIMES_MAX = 4;

interface Session {
  readonly id: bigint;
  lastUse_ms: number;
  /** Every sequence below it has been received; nothing is known of them any more. */
  receivedBelow: number;
  readonly outcomes: Map<number, Outcome>;
  outcomeBytes: number;
  /** Rows that it has in the store. */
  rows: number;
  dirty: boolean;
}

export class SessionTable {
  readonly #store: StateStore;
  readonly #prefix: string;
  readonly #counters: string;
  readonly #sessions = new Map<bigint, Session>();
  /** Sessions that the store still has and the table no longer does, with their number of rows. */
  readonly #removed = new Map<bigint, number>();
  /** Bytes of the outcomes of all sessions. */
  #outcomeBytes = 0;
  /** The last session that was used: most commands come in runs of one session. */
  #recent: Session | undefined;
  #horizon_ms = 0;
  #lastId = 0n;

  constructor(store: StateStore, group: number) {
    this.#store = store;
    this.#prefix = groupPrefix(group) + table.session;
    this.#counters = `${groupPrefix(group)}${table.meta}sessions`;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** A new session id: unique, and telling when it was opened. */
  open(stamp_ms: number): bigint {
    const earliest = BigInt(stamp_ms) << ID_COUNTER_BITS;
    this.#lastId = earliest > this.#lastId ? earliest : this.#lastId + 1n;
    return this.#lastId;
  }

  /** Forgets a session. Its client promises to send nothing in it any more. */
  close(id: bigint): void {
    this.#remove(id);
  }

  /** The outcome that the command already has, or a refusal; undefined when it is to be applied. */
  begin(position: SessionPosition, stamp_ms: number): Outcome | undefined {
    const session = this.#enter(position, stamp_ms);
    if (session === undefined) return expired(position);
    session.lastUse_ms = stamp_ms;
    session.dirty = true;
    this.#forgetReceived(session, position.answeredBelow);
    const { sequence } = position;
    if (sequence < session.receivedBelow) return expired(position);
    const known = session.outcomes.get(sequence);
    if (known !== undefined) return known;
    if (session.outcomes.size >= UNRECEIVED_MAX || session.outcomeBytes >= UNRECEIVED_BYTES_MAX) {
      return {
        reason: ErrorReason.OVERLOADED,
        message: `the session has ${session.outcomes.size} results that its client has not confirmed: raise answered_below`,
        subject: 'answered_below',
      };
    }
    return undefined;
  }

  /** Keeps the outcome of a command that `begin` let through. */
  finish(position: SessionPosition, outcome: Outcome): void {
    const session = this.#sessions.get(position.sessionId);
    if (session === undefined) return; // closed by a command of the same entry
    session.outcomes.set(position.sequence, outcome);
    const bytes = outcomeBytes(outcome);
    session.outcomeBytes += bytes;
    this.#outcomeBytes += bytes;
    if (this.#outcomeBytes > ALL_UNRECEIVED_BYTES_MAX) {
      this.#evictLeastUsed(() => this.#outcomeBytes <= 0.9 * ALL_UNRECEIVED_BYTES_MAX);
    }
  }

  /** Forgets sessions that were not used for `idleTimeout_ms`. */
  evictIdle(stamp_ms: number, idleTimeout_ms: number): void {
    for (const session of this.#sessions.values()) {
      if (stamp_ms - session.lastUse_ms >= idleTimeout_ms) this.#evict(session);
    }
  }

  save(): void {
    const store = this.#store;
    for (const [id, rows] of this.#removed) {
      for (let row = 0; row < rows; row++) store.delete(this.#key(id, row));
    }
    this.#removed.clear();
    const writer = new ByteWriter();
    for (const session of this.#sessions.values()) {
      if (!session.dirty) continue;
      session.dirty = false;
      unpin(session.outcomes);
      this.#write(session, encodeSession(session, writer.reset()));
    }
    store.put(this.#counters, writer.reset().u64(this.#horizon_ms).binary(idKey(this.#lastId)).view());
  }

  load(): void {
    this.#sessions.clear();
    this.#removed.clear();
    this.#outcomeBytes = 0;
    this.#recent = undefined;
    this.#horizon_ms = 0;
    this.#lastId = 0n;
    const to = prefixEnd(this.#prefix);
    let id: bigint | undefined;
    let rows: Uint8Array[] = [];
    for (const { key, value } of this.#store.range({ from: this.#prefix, to: to ?? '' })) {
      const idOfRow = readIdKey(key, this.#prefix.length);
      if (id !== undefined && id !== idOfRow) {
        this.#adopt(decodeSession(id, rows));
        rows = [];
      }
      id = idOfRow;
      rows.push(value);
    }
    if (id !== undefined) this.#adopt(decodeSession(id, rows));
    const counters = this.#store.get(this.#counters);
    if (counters === undefined) return;
    const reader = new ByteReader(counters);
    this.#horizon_ms = reader.u64();
    this.#lastId = readIdKey(reader.binary(8), 0);
  }

  #adopt(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#outcomeBytes += session.outcomeBytes;
  }

  #write(session: Session, encoded: Uint8Array): void {
    let row = 0;
    for (let from = 0; from < encoded.length; from += ROW_BYTES, row++) {
      this.#store.put(this.#key(session.id, row), encoded.subarray(from, from + ROW_BYTES));
    }
    for (let old = row; old < session.rows; old++) this.#store.delete(this.#key(session.id, old));
    session.rows = row;
  }

  #enter(position: SessionPosition, stamp_ms: number): Session | undefined {
    const { sessionId } = position;
    if (this.#recent?.id === sessionId) return this.#recent;
    let session = this.#sessions.get(sessionId);
    if (session === undefined) {
      const opened_ms = Number(sessionId >> ID_COUNTER_BITS);
      if (position.retry && opened_ms <= this.#horizon_ms + CLOCK_MARGIN_MS) return undefined;
      if (this.#sessions.size >= SESSIONS_MAX) {
        this.#evictLeastUsed(() => this.#sessions.size <= 0.9 * SESSIONS_MAX);
      }
      session = {
        id: sessionId,
        lastUse_ms: stamp_ms,
        receivedBelow: 0,
        outcomes: new Map(),
        outcomeBytes: 0,
        rows: this.#removed.get(sessionId) ?? 0,
        dirty: true,
      };
      this.#sessions.set(sessionId, session);
      this.#removed.delete(sessionId);
    }
    this.#recent = session;
    return session;
  }

  #forgetReceived(session: Session, below: number): void {
    if (below <= session.receivedBelow) return;
    const { outcomes } = session;
    if (below - session.receivedBelow > outcomes.size) {
      for (const sequence of outcomes.keys()) if (sequence < below) this.#forget(session, sequence);
    } else {
      for (let sequence = session.receivedBelow; sequence < below; sequence++)
        this.#forget(session, sequence);
    }
    session.receivedBelow = below;
  }

  #forget(session: Session, sequence: number): void {
    const outcome = session.outcomes.get(sequence);
    if (outcome === undefined) return;
    session.outcomes.delete(sequence);
    const bytes = outcomeBytes(outcome);
    session.outcomeBytes -= bytes;
    this.#outcomeBytes -= bytes;
  }

  /** Until it is enough, which is a tenth, so that a flood of sessions does not sort the table for each of them. */
  #evictLeastUsed(enough: () => boolean): void {
    const byUse = [...this.#sessions.values()].sort(
      (a, b) => a.lastUse_ms - b.lastUse_ms || (a.id < b.id ? -1 : 1),
    );
    for (const session of byUse) {
      if (enough()) return;
      this.#evict(session);
    }
  }

  #evict(session: Session): void {
    this.#horizon_ms = Math.max(this.#horizon_ms, session.lastUse_ms);
    this.#remove(session.id);
  }

  #remove(id: bigint): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    this.#outcomeBytes -= session.outcomeBytes;
    if (this.#recent === session) this.#recent = undefined;
    if (session.rows > 0) this.#removed.set(id, session.rows);
  }

  #key(id: bigint, row: number): string {
    return this.#prefix + idKey(id) + u32Key(row);
  }
}

function expired(position: SessionPosition): Failure {
  return {
    reason: ErrorReason.SESSION_EXPIRED,
    message: `session ${position.sessionId} no longer knows call ${position.sequence}: it was idle too long, closed, or its result was confirmed. The call may have been applied before`,
    subject: String(position.sessionId),
  };
}

function outcomeBytes(outcome: Outcome): number {
  return OUTCOME_OVERHEAD_BYTES + (isFailure(outcome) ? FAILURE_BYTES : outcome.length);
}

/**
 * A small outcome is a view into a block of memory that it shares with others, and may be kept much longer than they
 * are: for as long as its client is idle.
 */
function unpin(outcomes: Map<number, Outcome>): void {
  for (const [sequence, outcome] of outcomes) {
    if (isFailure(outcome) || outcome.buffer.byteLength <= PINNED_TIMES_MAX * outcome.length) continue;
    outcomes.set(sequence, new Uint8Array(outcome));
  }
}

function idKey(id: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(id);
  return bytes.toString('latin1');
}

function readIdKey(key: string, at: number): bigint {
  return Buffer.from(key.slice(at, at + 8), 'latin1').readBigUInt64BE();
}

function encodeSession(session: Session, writer: ByteWriter): Uint8Array {
  writer.u64(session.lastUse_ms).varint(session.receivedBelow).varint(session.outcomes.size);
  // In order of sequence: outcomes of one entry may be there in another order after a reload.
  for (const sequence of [...session.outcomes.keys()].sort((a, b) => a - b)) {
    const outcome = session.outcomes.get(sequence)!;
    const bytes = isFailure(outcome) ? Buffer.from(JSON.stringify(outcome)) : outcome;
    writer
      .varint(sequence)
      .u8(isFailure(outcome) ? 1 : 0)
      .varint(bytes.length)
      .bytes(bytes);
  }
  return writer.view();
}

function decodeSession(id: bigint, rows: readonly Uint8Array[]): Session {
  const reader = new ByteReader(Buffer.concat(rows));
  const session: Session = {
    id,
    lastUse_ms: reader.u64(),
    receivedBelow: reader.varint(),
    outcomes: new Map(),
    outcomeBytes: 0,
    rows: rows.length,
    dirty: false,
  };
  for (let count = reader.varint(); count > 0; count--) {
    const sequence = reader.varint();
    const failed = reader.u8() === 1;
    const bytes = reader.bytes(reader.varint());
    const outcome: Outcome = failed
      ? (JSON.parse(Buffer.from(bytes).toString()) as Failure)
      : Uint8Array.from(bytes);
    session.outcomes.set(sequence, outcome);
    session.outcomeBytes += outcomeBytes(outcome);
  }
  return session;
}
