/**
 * Snapshots on their way out: read from a frozen view of the store, as fast as the stream to the follower takes them and
 * the node's pace for all of them allows.
 */
import type { SnapshotMessage } from '../raft/index.ts';
import { LEVEL } from '../state/level.ts';
import type { Store, StoreSnapshot } from '../storage/store.ts';
import type { Group } from './group.ts';
import { Pace } from './pace.ts';
import type { Peers } from './peers.ts';
import { SnapshotDeadline } from './snapshot-deadline.ts';
import { encodeSnapshot } from './snapshot-format.ts';

/**
 * Snapshots sent at once, over all groups: each holds pages of the database and memory back, and disk and network are
 * for the writes first. A follower that is not served asks again with its next heartbeat.
 */
export const SNAPSHOTS_SENT_MAX = 2;

/** Bytes a second, over all snapshots that a node sends: half of a gigabit network. */
export const SNAPSHOT_BYTES_PER_SECOND = 64 * 1024 * 1024;

interface Sending {
  readonly group: Group;
  readonly to: number;
  readonly index: number;
  readonly cancel: AbortController;
  readonly deadline: SnapshotDeadline;
}

export class SnapshotSender {
  readonly #store: Store;
  readonly #peers: Peers;
  /** Told when a stream has ended and its group may have something to do. */
  readonly #onEnd: (group: Group) => void;
  readonly #level: () => number;
  readonly #pace: Pace;
  readonly #sending = new Set<Sending>();

  /**
   * @param level at which snapshots are written just now
   * @param bytesPerSecond over all of them
   */
  constructor(
    store: Store,
    peers: Peers,
    onEnd: (group: Group) => void,
    level: () => number = () => LEVEL,
    bytesPerSecond: number = SNAPSHOT_BYTES_PER_SECOND,
  ) {
    this.#store = store;
    this.#peers = peers;
    this.#onEnd = onEnd;
    this.#level = level;
    this.#pace = new Pace({ bytesPerSecond });
  }

  /** Snapshots under way. */
  get size(): number {
    return this.#sending.size;
  }

  /** Starts to send what the group has applied by now, or tells the group that it cannot be at this moment. */
  send(group: Group, message: SnapshotMessage): void {
    const image = this.#sending.size < SNAPSHOTS_SENT_MAX ? this.#freeze(group) : undefined;
    if (image === undefined) {
      // Not in the stack of the core's own Ready.
      queueMicrotask(() => this.#ended(group, message.to, false));
      return;
    }
    const { index, term, stamp_ms, membership, rows } = image;
    const sending: Sending = {
      group,
      to: message.to,
      index,
      cancel: new AbortController(),
      deadline: new SnapshotDeadline(),
    };
    this.#sending.add(sending);
    const snapshot = { index, term, configuration: group.configuration };
    const header = { group: group.id, index, term, stamp_ms, membership };
    const frames = encodeSnapshot(header, rows, this.#level());
    const signal = AbortSignal.any([sending.cancel.signal, sending.deadline.signal]);
    this.#peers
      .sendSnapshot(group.id, { ...message, snapshot }, inTurns(frames, sending, this.#pace), signal)
      .then(
        () => true,
        () => false,
      )
      .then((ok) => {
        sending.deadline[Symbol.dispose]();
        rows.release();
        this.#sending.delete(sending);
        this.#ended(group, message.to, ok);
      });
  }

  /** Bytes of the snapshot for a follower that were sent so far; undefined when none is under way. */
  sentBytes(group: Group, to: number): number | undefined {
    for (const sending of this.#sending) {
      if (sending.group === group && sending.to === to) return sending.deadline.takenBytes;
    }
    return undefined;
  }

  /** Entries behind this index are needed to go on from a snapshot that is on its way. */
  neededFrom(group: Group): number {
    let index = Number.POSITIVE_INFINITY;
    for (const sending of this.#sending) if (sending.group === group) index = Math.min(index, sending.index);
    return index;
  }

  /** Gives up what is on its way for a group. */
  cancel(group: Group): void {
    for (const sending of this.#sending) if (sending.group === group) sending.cancel.abort();
  }

  cancelAll(): void {
    for (const { cancel } of this.#sending) cancel.abort();
  }

  #freeze(group: Group) {
    const { state } = group;
    state.save();
    const { appliedIndex: index, appliedTerm: term, stamp_ms, membership } = state;
    let rows: StoreSnapshot;
    try {
      rows = this.#store.snapshot();
    } catch {
      return undefined; // too many are open: later
    }
    return { index, term, stamp_ms, membership, rows };
  }

  #ended(group: Group, to: number, ok: boolean): void {
    if (group.stopped) return;
    group.snapshotSent(to, ok);
    this.#onEnd(group);
  }
}

/** A frame at a time at the node's pace, with a turn of the event loop between two: the reader may take them faster. */
async function* inTurns(
  frames: Generator<Uint8Array>,
  sending: Sending,
  pace: Pace,
): AsyncGenerator<Uint8Array> {
  for (const frame of frames) {
    yield frame;
    sending.deadline.taken(frame.length);
    await pace.sent(frame.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
