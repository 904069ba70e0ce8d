/** Writes applied state to disk, and lets the log drop what it then no longer needs. */
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { Store } from '../storage/store.ts';
import type { Group } from './group.ts';
import type { NodeLog } from './node-log.ts';

/**
 * Bytes of log at which a checkpoint is due whatever it has to write: commands that change nothing make the log grow
 * too, and a start has to read it all.
 */
const CHECKPOINT_LOG_BYTES = 64 * 1024 * 1024;

export interface CheckpointParts {
  readonly store: Store;
  readonly log: NodeLog;
  readonly metrics: NodeMetrics;
  /** All groups of the node, as they are at each moment. */
  readonly groups: readonly Group[];
  /** Entries of the group behind this index are still needed, for whom the store does not matter. */
  readonly neededFrom: (group: Group) => number;
  readonly onFatal: (error: unknown) => void;
}

/** Somebody waits for everything applied by now to be on disk. */
type Waiter = PromiseWithResolvers<void>;

/** The node stops: whether the state reached the disk is for the next start to see. */
export class CheckpointAbandonedError extends Error {
  override readonly name = 'CheckpointAbandonedError';

  constructor() {
    super('the node stops before the state is written out');
  }
}

export class Checkpoints {
  readonly #parts: CheckpointParts;
  #underWay: Promise<void> | undefined;
  /** By id: the group, and the last entry whose effects are on disk outside the log. */
  readonly #flushed = new Map<number, { readonly group: Group; readonly index: number }>();
  /** Bytes given to the log since the last checkpoint began. */
  #loggedBytes = 0;
  #waiters: Waiter[] = [];
  #abandoned = false;

  constructor(parts: CheckpointParts) {
    this.#parts = parts;
  }

  /** Notes a group that was opened: what it has applied comes from the disk. */
  opened(group: Group): void {
    this.#flushed.set(group.id, { group, index: group.state.appliedIndex });
  }

  closed(group: Group): void {
    this.#flushed.delete(group.id);
  }

  flushedIndex(group: number): number {
    return this.#flushed.get(group)?.index ?? 0;
  }

  logged(bytes: number): void {
    this.#loggedBytes += bytes;
  }

  /** `again`: also when it was refused for lack of room and that is all that is known. */
  writeIfDue(again = false): void {
    const { store } = this.#parts;
    const wanted = this.#loggedBytes >= CHECKPOINT_LOG_BYTES || this.#waiters.length > 0;
    const due = store.shouldCheckpoint || (wanted && (again || store.outOfSpace === undefined));
    if (due && this.#underWay === undefined && !this.#abandoned) void this.write();
  }

  /** Writes all applied state now; joins the checkpoint that is under way. Failures are told to `onFatal`. */
  write(): Promise<void> {
    this.#underWay ??= this.#write().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /** Resolves when the checkpoint under way is over. */
  async settled(): Promise<void> {
    await this.#underWay;
  }

  /**
   * Resolves once everything applied by now is on disk, however long there is no room for it.
   * @throws CheckpointAbandonedError as rejection when the node stops before
   */
  written(): Promise<void> {
    if (this.#abandoned) return Promise.reject(new CheckpointAbandonedError());
    const waiter: Waiter = Promise.withResolvers();
    this.#waiters.push(waiter);
    void this.settled().then(() => this.writeIfDue());
    return waiter.promise;
  }

  /** Who waits need not wait any more: the node stops. */
  abandon(): void {
    this.#abandoned = true;
    for (const { reject } of this.#waiters.splice(0)) reject(new CheckpointAbandonedError());
  }

  async #write(): Promise<void> {
    const { store, log, metrics, groups, neededFrom, onFatal } = this.#parts;
    const started = performance.now();
    const loggedBytes = this.#loggedBytes;
    this.#loggedBytes = 0;
    const waiters = this.#waiters;
    this.#waiters = [];
    try {
      const applied = groups
        .filter((group) => !group.installing)
        .map((group) => {
          group.state.save();
          return { group, index: group.state.appliedIndex };
        });
      // State must never be on disk without the entries that made it: a log of the relaxed mode may lag behind.
      const synced = log.sync();
      // A log that dies says so itself, and the store may not come to wait for it.
      synced.catch(() => {});
      await store.checkpoint(synced);
      metrics.storage.checkpointSeconds.observe((performance.now() - started) / 1000);
      for (const { group, index } of applied) {
        // Destroyed meanwhile: another may be in its place.
        if (this.#flushed.get(group.id)?.group !== group) continue;
        this.#flushed.set(group.id, { group, index });
        log.release(group.id, Math.min(index, neededFrom(group)));
      }
      for (const { resolve } of waiters) resolve();
    } catch (error) {
      this.#loggedBytes += loggedBytes;
      this.#waiters.unshift(...waiters);
      // Too little room is not fatal: the store says so in `outOfSpace`, writes are refused, and it is tried again.
      if (store.outOfSpace === undefined) onFatal(error);
    }
    if (this.#abandoned) this.abandon();
  }
}
