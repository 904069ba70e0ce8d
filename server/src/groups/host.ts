/**
 * Runs all groups of a node in step with the event loop.
 *
 * A turn: every group with waiting commands makes its entry, all entries of all groups go to the log in one write and
 * one sync, and when that is done everything committed is applied and answered. While a sync is under way the next
 * turn's entries gather behind it. No timer is on this path: a turn runs as soon as the event loop has taken in what
 * was there.
 */
import { Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { Failure } from '../state/failure.ts';
import { freesRoom } from '../state/freeing-methods.ts';
import type { Store } from '../storage/store.ts';
import { Expiry } from './expiry.ts';
import { Group, type GroupHostFace, type Written } from './group.ts';
import type { NodeLog } from './node-log.ts';

export interface HostOptions {
  readonly log: NodeLog;
  readonly store: Store;
  readonly metrics: NodeMetrics;
  /** Unix milliseconds. */
  readonly clock: () => number;
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number;
  readonly random: () => number;
  /** A session unused this long ends. */
  readonly sessionIdleTimeout_ms: number;
  /** Name and address by which this node is known. */
  readonly node: { readonly nodeId: string; readonly address: string };
  /** A write or sync failed, or a state that cannot be was met: the process must end. */
  readonly onFatal: (error: Error) => void;
  /** A bug that cost no more than a call. */
  readonly reportBug: (error: unknown, where: string) => void;
}

/** This node's Raft id while it runs alone. */
const OWN_RAFT_ID = 1;

/** How often it is looked whether a checkpoint is due by age, and idle sessions are ended once in so many looks. */
const HOUSEKEEPING_INTERVAL_MS = 500;
const SESSION_SWEEP_LOOKS = 60;

/** When a caller that met a full disk may try again. */
const DISK_FULL_RETRY_MS = 1_000;

/**
 * Commands that one group applies before the event loop gets a chance to send their answers and to read its sockets:
 * about a millisecond of work.
 */
const APPLIED_PER_STEP = 256;

/**
 * Bytes that may be buffered for the log while it writes, over all groups; a single larger entry passes when nothing
 * else is. Writes wait behind it. The log has a bound of its own, and it is an error to meet that one.
 */
const LOG_BACKLOG_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Bytes of log at which a checkpoint is due whatever it has to write: commands that change nothing make the log grow
 * too, and a start has to read it all.
 */
const CHECKPOINT_LOG_BYTES = 64 * 1024 * 1024;

interface Write {
  readonly group: Group;
  readonly written: Written;
}

export class GroupHost implements GroupHostFace {
  readonly #options: HostOptions;
  readonly #groups: Group[] = [];
  /** Groups that asked for a turn. */
  #scheduled: Group[] = [];
  #turnDue = false;
  #driveDue = false;
  readonly #expiry: Expiry;
  #housekeeping: NodeJS.Timeout | undefined;
  #looks = 0;
  #checkpoint: Promise<void> | undefined;
  #heldSince: number | undefined;
  /** By group: the last entry whose effects are on disk outside the log. */
  readonly #flushed = new Map<number, number>();
  /** Bytes of the entries that this turn made and the log does not have yet. */
  #turnBytes = 0;
  /** Bytes given to the log since the last checkpoint began. */
  #loggedBytes = 0;
  /** Nothing is done any more: something broke for good, or the groups have stopped. */
  #over = false;
  /** While it starts: what a failure is told to instead of `onFatal`. */
  #failStart: ((error: Error) => void) | undefined;
  /** While it stops: called once no write is under way, or none of them can be finished. */
  #onSettled: (() => void) | undefined;
  readonly clock: () => number;
  readonly monotonic: () => number;
  readonly reportBug: (error: unknown, where: string) => void;

  constructor(options: HostOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.monotonic = options.monotonic;
    this.reportBug = options.reportBug;
    this.#expiry = new Expiry(this.#groups, options.sessionIdleTimeout_ms);
  }

  get groups(): readonly Group[] {
    return this.#groups;
  }

  /** Opens a group from what log and store hold. All groups are added before `start`. */
  add(id: number): Group {
    const { log, store, random } = this.#options;
    const group = new Group({ id, raftId: OWN_RAFT_ID, log, store, host: this, random });
    this.#groups.push(group);
    this.#flushed.set(id, group.state.appliedIndex);
    return group;
  }

  /** The last entry of a group whose effects are on disk outside the log. */
  flushedIndex(group: number): number {
    return this.#flushed.get(group) ?? 0;
  }

  /**
   * Elects, and applies what the log holds beyond the store. Resolves when every group can answer; rejects when the log
   * cannot be applied.
   */
  async start(): Promise<void> {
    const failed = new Promise<never>((_resolve, reject) => {
      this.#failStart = reject;
    });
    for (const group of this.#groups) group.start();
    this.#drive();
    await Promise.race([failed, Promise.all(this.#groups.map(canAnswer))]);
    this.#failStart = undefined;
    this.#housekeeping = setInterval(() => this.#keepHouse(), HOUSEKEEPING_INTERVAL_MS);
    this.#housekeeping.unref();
  }

  /**
   * Stops taking writes, lets what was taken become durable and applied, then writes the state out. After a failure it
   * writes nothing. The owner closes log and store afterwards.
   */
  async stop(): Promise<void> {
    this.#expiry.stop();
    await this.#settled();
    clearInterval(this.#housekeeping);
    const broken = this.#over;
    this.#over = true;
    const failure: Failure = { reason: ErrorReason.DRAINING, message: 'the node is shutting down' };
    for (const group of this.#groups) group.stop(failure);
    await this.#checkpoint;
    if (!broken) await this.checkpoint();
  }

  /** Writes all applied state to disk now, and lets the log drop what it then no longer needs. */
  checkpoint(): Promise<void> {
    this.#checkpoint ??= this.#writeCheckpoint().finally(() => {
      this.#checkpoint = undefined;
    });
    return this.#checkpoint;
  }

  async #writeCheckpoint(): Promise<void> {
    const { store, log, metrics } = this.#options;
    const started = performance.now();
    const loggedBytes = this.#loggedBytes;
    this.#loggedBytes = 0;
    try {
      const applied = this.#groups.map((group) => {
        group.state.save();
        return { group: group.id, index: group.state.appliedIndex };
      });
      // State must never be on disk without the entries that made it: a log of the relaxed mode may lag behind.
      const synced = log.sync();
      // A log that dies says so itself, and the store may not come to wait for it.
      synced.catch(() => {});
      await store.checkpoint(synced);
      metrics.storage.checkpointSeconds.observe((performance.now() - started) / 1000);
      for (const { group, index } of applied) {
        this.#flushed.set(group, index);
        log.release(group, index);
      }
    } catch (error) {
      this.#loggedBytes += loggedBytes;
      // Too little room is not fatal: the store says so in `outOfSpace`, writes are refused, and it is tried again.
      if (store.outOfSpace === undefined) this.fail(toError(error));
    }
  }

  /** Writes that waited for room may go on. */
  resume(): void {
    if (this.#heldSince !== undefined) {
      this.#options.metrics.storage.stallSeconds.add((performance.now() - this.#heldSince) / 1000);
      this.#heldSince = undefined;
    }
    this.#scheduleWaiting();
  }

  #scheduleWaiting(): void {
    for (const group of this.#groups) if (group.waiting > 0) this.schedule(group);
  }

  /** Ends everything: nothing that is not yet answered will be. */
  fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#housekeeping);
    this.#expiry.stop();
    this.#onSettled?.();
    if (this.#failStart !== undefined) this.#failStart(error);
    else this.#options.onFatal(error);
  }

  // --- the groups' face ---

  schedule(group: Group): void {
    this.#scheduled.push(group);
    if (this.#turnDue) return;
    this.#turnDue = true;
    setImmediate(this.#turn);
  }

  get held(): boolean {
    return this.#options.store.blocked;
  }

  get hasRoom(): boolean {
    const { log, store } = this.#options;
    return log.writable && store.outOfSpace === undefined;
  }

  takeLogRoom(bytes: number): boolean {
    const pending = this.#options.log.pendingBytes + this.#turnBytes;
    if (pending > 0 && pending + bytes > LOG_BACKLOG_BYTES_MAX) return false;
    this.#turnBytes += bytes;
    return true;
  }

  writeRefusal(method: number): Failure | undefined {
    if (this.hasRoom) return undefined;
    const { log, store } = this.#options;
    const lack = store.outOfSpace;
    // Memory is made room in by removing from it, and by nothing else.
    if (log.writable && lack?.where === 'memory' && freesRoom(method)) return undefined;
    return {
      reason: ErrorReason.DISK_FULL,
      message:
        lack === undefined
          ? 'the disk of the data folder is full: the log cannot grow. Reads go on; free space and writes resume'
          : `too little ${lack.where} for the store: ${lack.freeBytes} bytes free, ${lack.neededBytes} needed. Reads go on; make room and writes resume`,
      retryAfter_ms: DISK_FULL_RETRY_MS,
    };
  }

  onApplied(commands: number): void {
    this.#options.metrics.apply.entries.add();
    this.#options.metrics.apply.operations.add(commands);
  }

  addressOf(raftId: number): { readonly nodeId: string; readonly address: string } | undefined {
    return raftId === OWN_RAFT_ID ? this.#options.node : undefined;
  }

  // --- turns ---

  readonly #turn = (): void => {
    this.#turnDue = false;
    const scheduled = this.#scheduled;
    this.#scheduled = [];
    this.#guard(() => {
      for (const group of scheduled) group.proposeWaiting();
    });
    this.#drive();
    this.#turnBytes = 0;
    if (this.held && this.#heldSince === undefined) this.#heldSince = performance.now();
  };

  /**
   * Takes every group's work and syncs the log once for all of them; then applies some of what is committed, while the
   * disk works, and comes back for the rest.
   */
  readonly #drive = (): void => {
    this.#driveDue = false;
    this.#guard(() => {
      const writes: Write[] = [];
      for (const group of this.#groups) {
        while (group.hasReady()) {
          const written = group.advance();
          if (written !== undefined) writes.push({ group, written });
        }
      }
      if (writes.length > 0) this.#sync(writes);
      for (const group of this.#groups) {
        group.applySome(APPLIED_PER_STEP);
        if (group.applying || group.hasReady()) this.#driveAgain();
        this.#expiry.arm(group);
      }
      this.#checkpointIfDue();
    });
    this.#checkSettled();
  };

  #checkpointIfDue(): void {
    const { store } = this.#options;
    const dueByLog = this.#loggedBytes >= CHECKPOINT_LOG_BYTES && store.outOfSpace === undefined;
    if ((store.shouldCheckpoint || dueByLog) && this.#checkpoint === undefined) void this.checkpoint();
  }

  #driveAgain(): void {
    if (this.#driveDue) return;
    this.#driveDue = true;
    setImmediate(this.#drive);
  }

  #sync(writes: readonly Write[]): void {
    const { log, metrics } = this.#options;
    const started = performance.now();
    metrics.wal.entries.add(writes.length);
    metrics.wal.bytes.add(log.pendingBytes);
    for (const { written } of writes) this.#loggedBytes += written.bytes;
    log.flush((error) => {
      if (this.#over) return;
      if (error !== undefined) {
        this.fail(error);
        return;
      }
      metrics.wal.syncSeconds.observe((performance.now() - started) / 1000);
      metrics.wal.syncEntries.observe(writes.length);
      this.#guard(() => {
        for (const { group, written } of writes) group.persisted(written.index, written.term);
      });
      this.#drive();
      // Those for which the log had no room.
      this.#scheduleWaiting();
    });
  }

  /** Whatever is thrown below here is a bug or damage: the state can no longer be trusted. */
  #guard(work: () => void): void {
    if (this.#over) return;
    try {
      work();
    } catch (error) {
      this.fail(toError(error));
    }
  }

  /** Resolves when no write is under way, or when those that are cannot be finished for lack of room. */
  #settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve;
      this.#checkSettled();
    });
  }

  #checkSettled(): void {
    if (this.#onSettled === undefined) return;
    if (this.#over || !this.hasRoom || !this.#groups.some((group) => group.busy)) this.#onSettled();
  }

  #keepHouse(): void {
    const { store, metrics } = this.#options;
    metrics.storage.overlayBytes.set(store.overlayBytes);
    this.#looks++;
    const sweep = this.#looks % SESSION_SWEEP_LOOKS === 0;
    for (const group of this.#groups) {
      if (sweep) this.#expiry.sweepSessions(group);
      this.#expiry.arm(group);
    }
    this.#checkpointIfDue();
    // Writes that wait for room are refused once there is none to wait for.
    this.#scheduleWaiting();
    this.#checkSettled();
  }
}

function canAnswer(group: Group): Promise<void> {
  return new Promise((resolve, reject) => {
    group.read(
      Consistency.LINEARIZABLE,
      () => resolve(),
      (failure) => reject(new Error(failure.message)),
    );
  });
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
