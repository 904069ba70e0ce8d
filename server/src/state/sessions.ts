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
import { groupPrefix, prefixEnd, table } from './keys.ts';
import type { SessionPosition } from './log-entry.ts';
import type { StateStore } from './machine.ts';
import { ByteReader, ByteWriter } from './wire.ts';

/** Sessions that a group remembers; past it the tenth that was unused longest is forgotten. */
export const SESSIONS_MAX = 100_000;

/** Outcomes that one session may leave unreceived; the client bounds its calls in flight well below it. */
export const UNRECEIVED_MAX = 16_384;

/** Bytes of outcomes that one session may leave unreceived. */
export const UNRECEIVED_BYTES_MAX = 64 * 1024 * 1024;

/** Session ids are the millisecond of their opening, then this many bits that make them unique. */
const ID_COUNTER_BITS = 22n;

/** Clocks of the nodes that open and evict sessions are taken to agree within this. */
const CLOCK_MARGIN_MS = 5 * 60_000;

/** What a `Failure` outcome is assumed to occupy. */
const FAILURE_BYTES = 256;

interface Session {
  readonly id: bigint;
  lastUse_ms: number;
  /** Every sequence below it has been received; nothing is known of them any more. */
  receivedBelow: number;
  readonly outcomes: Map<number, Outcome>;
  outcomeBytes: number;
  dirty: boolean;
}

export class SessionTable {
  readonly #store: StateStore;
  readonly #prefix: string;
  readonly #counters: string;
  readonly #sessions = new Map<bigint, Session>();
  /** Sessions that the store still has and the table no longer does. */
  readonly #removed = new Set<bigint>();
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
    session.outcomeBytes += outcomeBytes(outcome);
  }

  /** Forgets sessions that were not used for `idleTimeout_ms`. */
  evictIdle(stamp_ms: number, idleTimeout_ms: number): void {
    for (const session of this.#sessions.values()) {
      if (stamp_ms - session.lastUse_ms >= idleTimeout_ms) this.#evict(session);
    }
  }

  save(): void {
    const store = this.#store;
    for (const id of this.#removed) store.delete(this.#key(id));
    this.#removed.clear();
    const writer = new ByteWriter();
    for (const session of this.#sessions.values()) {
      if (!session.dirty) continue;
      session.dirty = false;
      store.put(this.#key(session.id), encodeSession(session, writer.reset()));
    }
    store.put(this.#counters, writer.reset().u64(this.#horizon_ms).binary(idKey(this.#lastId)).view());
  }

  load(): void {
    const to = prefixEnd(this.#prefix);
    for (const { key, value } of this.#store.range({ from: this.#prefix, to: to ?? '' })) {
      const session = decodeSession(readIdKey(key, this.#prefix.length), value);
      this.#sessions.set(session.id, session);
    }
    const counters = this.#store.get(this.#counters);
    if (counters === undefined) return;
    const reader = new ByteReader(counters);
    this.#horizon_ms = reader.u64();
    this.#lastId = readIdKey(reader.binary(8), 0);
  }

  #enter(position: SessionPosition, stamp_ms: number): Session | undefined {
    const { sessionId } = position;
    if (this.#recent?.id === sessionId) return this.#recent;
    let session = this.#sessions.get(sessionId);
    if (session === undefined) {
      const opened_ms = Number(sessionId >> ID_COUNTER_BITS);
      if (position.retry && opened_ms <= this.#horizon_ms + CLOCK_MARGIN_MS) return undefined;
      if (this.#sessions.size >= SESSIONS_MAX) this.#evictLeastUsed();
      session = {
        id: sessionId,
        lastUse_ms: stamp_ms,
        receivedBelow: 0,
        outcomes: new Map(),
        outcomeBytes: 0,
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
    session.outcomeBytes -= outcomeBytes(outcome);
  }

  /** A tenth at a time, so that a flood of sessions does not sort the table for each of them. */
  #evictLeastUsed(): void {
    const byUse = [...this.#sessions.values()].sort(
      (a, b) => a.lastUse_ms - b.lastUse_ms || (a.id < b.id ? -1 : 1),
    );
    for (const session of byUse.slice(0, Math.ceil(SESSIONS_MAX / 10))) this.#evict(session);
  }

  #evict(session: Session): void {
    this.#horizon_ms = Math.max(this.#horizon_ms, session.lastUse_ms);
    this.#remove(session.id);
  }

  #remove(id: bigint): void {
    if (!this.#sessions.delete(id)) return;
    if (this.#recent?.id === id) this.#recent = undefined;
    this.#removed.add(id);
  }

  #key(id: bigint): string {
    return this.#prefix + idKey(id);
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
  return isFailure(outcome) ? FAILURE_BYTES : outcome.length;
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

function decodeSession(id: bigint, value: Uint8Array): Session {
  const reader = new ByteReader(value);
  const session: Session = {
    id,
    lastUse_ms: reader.u64(),
    receivedBelow: reader.varint(),
    outcomes: new Map(),
    outcomeBytes: 0,
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
