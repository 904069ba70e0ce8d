/**
 * Runs all groups of a node in step with the event loop.
 *
 * A turn: every group with waiting commands makes its entry, all entries of all groups go to the log in one write and
 * one sync, and when that is done everything committed is applied and answered. While a sync is under way the next
 * turn's entries gather behind it. No timer is on this path: a turn runs as soon as the event loop has taken in what
 * was there.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { ExpireDueSchema } from '../gen/gomsg/internal/v1/commands_pb.js';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { Reply } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import { internalMethod } from '../state/internal-methods.ts';
import type { Store } from '../storage/store.ts';
import { Group, type GroupHostFace } from './group.ts';
import type { NodeLog } from './node-log.ts';

export interface HostOptions {
  readonly log: NodeLog;
  readonly store: Store;
  readonly metrics: NodeMetrics;
  /** Unix milliseconds. */
  readonly clock: () => number;
  readonly random: () => number;
  /** A session unused this long ends. */
  readonly sessionIdleTimeout_ms: number;
  /** Name and address by which this node is known. */
  readonly node: { readonly nodeId: string; readonly address: string };
  /** A write or sync failed, or a state that cannot be was met: the process must end. */
  readonly onFatal: (error: Error) => void;
}

/** This node's Raft id while it runs alone. */
const OWN_RAFT_ID = 1;

/** How often it is looked whether a checkpoint is due by age, and idle sessions are ended once in so many looks. */
const HOUSEKEEPING_INTERVAL_MS = 500;
const SESSION_SWEEP_LOOKS = 60;

/** Longest sleep that a timer takes; a later due time is reached in several. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** When a caller that met a full disk may try again. */
const DISK_FULL_RETRY_MS = 1_000;

/**
 * Commands that one group applies before the event loop gets a chance to send their answers and to read its sockets:
 * about a millisecond of work.
 */
const APPLIED_PER_STEP = 256;

interface Write {
  readonly group: Group;
  readonly index: number;
  readonly term: number;
}

export class GroupHost implements GroupHostFace {
  readonly #options: HostOptions;
  readonly #groups: Group[] = [];
  /** Groups that asked for a turn. */
  #scheduled: Group[] = [];
  #turnDue = false;
  #driveDue = false;
  #dueTimer: NodeJS.Timeout | undefined;
  #dueAt_ms = Number.POSITIVE_INFINITY;
  /** Groups whose due work is in the log and not yet applied. */
  readonly #expiring = new Set<Group>();
  #housekeeping: NodeJS.Timeout | undefined;
  #looks = 0;
  #checkpoint: Promise<void> | undefined;
  #heldSince: number | undefined;
  /** By group: the last entry whose effects are on disk outside the log. */
  readonly #flushed = new Map<number, number>();
  #fatal = false;
  readonly clock: () => number;

  constructor(options: HostOptions) {
    this.#options = options;
    this.clock = options.clock;
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

  /** Elects, and applies what the log holds beyond the store. Resolves when every group can answer. */
  async start(): Promise<void> {
    for (const group of this.#groups) group.start();
    this.#drive();
    const ready = this.#groups.map(
      (group) =>
        new Promise<void>((resolve, reject) => {
          group.read(
            0,
            () => resolve(),
            (failure) => reject(new Error(failure.message)),
          );
        }),
    );
    await Promise.all(ready);
    this.#housekeeping = setInterval(() => this.#keepHouse(), HOUSEKEEPING_INTERVAL_MS);
    this.#housekeeping.unref();
  }

  /**
   * Stops taking writes, lets what was taken become durable and applied, then writes the state out.
   * The owner closes log and store afterwards.
   */
  async stop(): Promise<void> {
    clearInterval(this.#housekeeping);
    clearTimeout(this.#dueTimer);
    if (this.#fatal) return;
    await this.#settled();
    const failure: Failure = { reason: ErrorReason.DRAINING, message: 'the node is shutting down' };
    for (const group of this.#groups) group.stop(failure);
    await this.#checkpoint;
    await this.checkpoint();
  }

  /** Writes all applied state to disk now, and lets the log drop what it then no longer needs. */
  async checkpoint(): Promise<void> {
    if (this.#checkpoint !== undefined) return this.#checkpoint;
    const { store, log, metrics } = this.#options;
    const started = performance.now();
    const applied = this.#groups.map((group) => {
      group.state.save();
      return { group: group.id, index: group.state.appliedIndex };
    });
    // State must never be on disk without the entries that made it: a log of the relaxed mode may lag behind.
    const synced = log.sync();
    // A log that dies says so itself, and the store may not come to wait for it.
    synced.catch(() => {});
    this.#checkpoint = store.checkpoint(synced).then(
      () => {
        metrics.storage.checkpointSeconds.observe((performance.now() - started) / 1000);
        for (const { group, index } of applied) {
          this.#flushed.set(group, index);
          log.release(group, index);
        }
      },
      // Too little room is not fatal: the store says so in `outOfSpace`, writes are refused, and it is tried again.
      (error: Error) => {
        if (store.outOfSpace === undefined) this.fail(error);
      },
    );
    await this.#checkpoint;
    this.#checkpoint = undefined;
  }

  /** Writes that waited for room may go on. */
  resume(): void {
    if (this.#heldSince !== undefined) {
      this.#options.metrics.storage.stallSeconds.add((performance.now() - this.#heldSince) / 1000);
      this.#heldSince = undefined;
    }
    for (const group of this.#groups) if (group.waiting > 0) this.schedule(group);
  }

  /** Ends everything: nothing that is not yet answered will be. */
  fail(error: Error): void {
    if (this.#fatal) return;
    this.#fatal = true;
    clearInterval(this.#housekeeping);
    clearTimeout(this.#dueTimer);
    this.#options.onFatal(error);
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

  writeRefusal(): Failure | undefined {
    const { log, store } = this.#options;
    if (log.writable && store.outOfSpace === undefined) return undefined;
    const lack = store.outOfSpace;
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
          const last = group.advance();
          if (last !== undefined) writes.push({ group, index: last.index, term: last.term });
        }
      }
      if (writes.length > 0) this.#sync(writes);
      for (const group of this.#groups) {
        group.applySome(APPLIED_PER_STEP);
        if (group.applying || group.hasReady()) this.#driveAgain();
        this.#armDue(group);
      }
      if (this.#options.store.shouldCheckpoint && this.#checkpoint === undefined) void this.checkpoint();
    });
  };

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
    log.flush((error) => {
      if (error !== undefined) {
        this.fail(error);
        return;
      }
      metrics.wal.syncSeconds.observe((performance.now() - started) / 1000);
      metrics.wal.syncEntries.observe(writes.length);
      this.#guard(() => {
        for (const { group, index, term } of writes) group.persisted(index, term);
      });
      this.#drive();
    });
  }

  /** Whatever is thrown below here is a bug or damage: the state can no longer be trusted. */
  #guard(work: () => void): void {
    if (this.#fatal) return;
    try {
      work();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Resolves when no command waits and everything logged is applied. */
  async #settled(): Promise<void> {
    while (!this.#fatal && this.#groups.some((group) => group.busy)) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  // --- what falls due ---

  #armDue(group: Group): void {
    if (!group.isLeader || this.#expiring.has(group)) return;
    const due_ms = group.state.nextDue_ms();
    if (due_ms === undefined || due_ms >= this.#dueAt_ms) return;
    this.#dueAt_ms = due_ms;
    clearTimeout(this.#dueTimer);
    const wait_ms = Math.min(Math.max(0, due_ms - group.now()), TIMER_MS_MAX);
    this.#dueTimer = setTimeout(() => this.#expire(), wait_ms);
    this.#dueTimer.unref();
  }

  #expire(): void {
    this.#dueAt_ms = Number.POSITIVE_INFINITY;
    for (const group of this.#groups) {
      const due_ms = group.state.nextDue_ms();
      if (due_ms !== undefined && due_ms <= group.now()) this.#proposeExpiry(group, 0);
      else this.#armDue(group);
    }
  }

  #proposeExpiry(group: Group, sessionIdleTimeout_ms: number): void {
    if (!group.isLeader || this.#expiring.has(group)) return;
    this.#expiring.add(group);
    const request = create(ExpireDueSchema, { sessionIdleTimeoutMs: BigInt(sessionIdleTimeout_ms) });
    const done = () => {
      this.#expiring.delete(group);
      if (group.state.moreDue) this.#proposeExpiry(group, 0);
      else this.#armDue(group);
    };
    // A refusal (a full disk, say) is no loss: what is due stays due, and housekeeping asks again.
    const reply: Reply = { ok: done, fail: () => this.#expiring.delete(group) };
    group.submit({
      method: internalMethod.expireDue,
      payload: toBinary(ExpireDueSchema, request),
      request,
      session: undefined,
      reply,
    });
  }

  #keepHouse(): void {
    const { store, metrics, sessionIdleTimeout_ms } = this.#options;
    metrics.storage.overlayBytes.set(store.overlayBytes);
    this.#looks++;
    const sweep = this.#looks % SESSION_SWEEP_LOOKS === 0;
    for (const group of this.#groups) {
      if (sweep && group.state.sessions.size > 0) this.#proposeExpiry(group, sessionIdleTimeout_ms);
      else this.#armDue(group);
    }
    if (store.shouldCheckpoint && this.#checkpoint === undefined) void this.checkpoint();
  }
}
