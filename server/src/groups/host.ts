/**
 * Runs all groups of a node in step with the event loop.
 *
 * A turn: every group with waiting commands makes its entry, all entries of all groups go to the log in one write and
 * one sync, and when that is done everything committed is applied and answered. While a sync is under way the next
 * turn's entries gather behind it. No timer is on this path: a turn runs as soon as the event loop has taken in what
 * was there.
 *
 * In a cluster there are turns too that messages and ticks begin: what they make due for all groups goes to the log
 * together, and to each other node together.
 */
import { Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { Message, SnapshotMessage } from '../raft/index.ts';
import type { Failure } from '../state/failure.ts';
import { freesRoom } from '../state/freeing-methods.ts';
import { LEVEL } from '../state/level.ts';
import { Checkpoints } from './checkpoints.ts';
import { Clustered, type ClusteredHost } from './clustered.ts';
import { Expiry } from './expiry.ts';
import { Group } from './group.ts';
import type { GroupHostFace, Written } from './group-face.ts';
import type { HostOptions } from './host-options.ts';
import { Listeners } from './listeners.ts';
import type { ReplicaAddress } from './peers.ts';
import type { ReplicaRecord } from './replica-list.ts';
import type { ReplicaOptions, Replicas } from './replicas.ts';
import { SnapshotRefusedError } from './snapshot-receiver.ts';

export type { ClusterOptions, HostOptions } from './host-options.ts';

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

interface Write {
  readonly group: Group;
  readonly written: Written;
}

export class GroupHost implements GroupHostFace {
  readonly #options: HostOptions;
  /** By rising id. */
  readonly #groups: Group[] = [];
  readonly #byId = new Map<number, Group>();
  /** Groups that asked for a turn. */
  #scheduled: Group[] = [];
  #turnDue = false;
  #driveDue = false;
  /** Groups that may have something to do. */
  readonly #active = new Set<Group>();
  readonly #expiry: Expiry;
  readonly #checkpoints: Checkpoints;
  #housekeeping: NodeJS.Timeout | undefined;
  #looks = 0;
  #heldSince: number | undefined;
  /** Bytes of the entries that this turn made and the log does not have yet. */
  #turnBytes = 0;
  /** Nothing is done any more: something broke for good, or the groups have stopped. */
  #over = false;
  #started = false;
  /** While it starts: what a failure is told to instead of `onFatal`. */
  #failStart: ((error: Error) => void) | undefined;
  /** While it stops: called once no write is under way, or none of them can be finished. */
  #onSettled: (() => void) | undefined;
  /** Called when there is room in the store again, or none is waited for any more. */
  #onRoom: (() => void)[] = [];
  readonly #cluster: Clustered | undefined;
  readonly #replicaListeners: Listeners<Group>;
  readonly #leaderListeners: Listeners<Group>;
  readonly clock: () => number;
  readonly monotonic: () => number;
  readonly reportBug: (error: unknown, where: string) => void;

  /** @throws ReplicaListError */
  constructor(options: HostOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.monotonic = options.monotonic;
    this.reportBug = options.reportBug;
    this.#expiry = new Expiry(this.#groups, options.sessionIdleTimeout_ms);
    this.#replicaListeners = new Listeners('a change of replicas', options.reportBug);
    this.#leaderListeners = new Listeners('a change of leaders', options.reportBug);
    const { log, store, metrics, cluster } = options;
    this.#checkpoints = new Checkpoints({
      store,
      log,
      metrics,
      groups: this.#groups,
      neededFrom: (group) => this.#cluster?.neededFrom(group) ?? Number.POSITIVE_INFINITY,
      onFatal: (error) => this.fail(toError(error)),
    });
    this.#cluster = cluster && new Clustered(cluster, this.#faceOfParts());
  }

  get groups(): readonly Group[] {
    return this.#groups;
  }

  group(id: number): Group | undefined {
    return this.#byId.get(id);
  }

  /**
   * Opens a group of a node that runs alone from what log and store hold: the node is its one member. All groups are
   * added before `start`.
   */
  add(id: number): Group {
    const { log, store, random } = this.#options;
    return this.#added(new Group({ id, raftId: OWN_RAFT_ID, log, store, host: this, random }));
  }

  /** Opens the replicas of a node in a cluster, after completing what a crash interrupted. Before `start`. */
  async open(): Promise<void> {
    await this.#cluster?.open();
  }

  /** The last entry of a group whose effects are on disk outside the log. */
  flushedIndex(group: number): number {
    return this.#checkpoints.flushedIndex(group);
  }

  /**
   * Elects, and applies what the log holds beyond the store. Resolves when every group of which this node is the one
   * member can answer; rejects when the log cannot be applied.
   */
  async start(): Promise<void> {
    const failed = new Promise<never>((_resolve, reject) => {
      this.#failStart = reject;
    });
    this.#started = true;
    for (const group of this.#groups) {
      group.start();
      this.#active.add(group);
    }
    this.#drive();
    this.#cluster?.startTicks(() => this.#guard(this.#tick));
    // Who leads by now is alone: others it could not have asked yet.
    const leading = this.#groups.filter((group) => group.isLeader);
    await Promise.race([failed, Promise.all(leading.map(canAnswer))]);
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
    this.#cluster?.stopping();
    await this.#settled();
    const broken = this.#over;
    this.#end();
    const failure: Failure = { reason: ErrorReason.DRAINING, message: 'the node is shutting down' };
    for (const group of this.#groups) group.stop(failure);
    this.#checkpoints.abandon();
    await this.#cluster?.replicas.settled();
    await this.#checkpoints.settled();
    if (!broken) await this.checkpoint();
  }

  // --- replicas of a node in a cluster ---

  /**
   * Makes a replica of a group on this node; gives the one that is there when it has that id.
   * @throws ReplicaRefusedError (as rejection)
   */
  create(id: number, options: ReplicaOptions): Promise<Group> {
    return this.#clustered().create(id, options);
  }

  /**
   * Destroys the replica of a group for good; its id is never used again. Nothing happens when there is none, or when
   * it is not `replicaId` by then: whoever decided on one must not hit the next. Default: whichever is there.
   */
  destroy(id: number, replicaId?: number): Promise<void> {
    return this.#clustered().destroy(id, replicaId);
  }

  /** Highest replica id of the group that this node ever had, 0 for none: the next has to be above. */
  highestReplicaId(id: number): number {
    return this.#clustered().highest(id);
  }

  /** Bytes sent so far of the snapshot that a replica of a group is being given; undefined when none is under way. */
  snapshotSentBytes(group: Group, replicaId: number): number | undefined {
    return this.#cluster?.snapshotSentBytes(group, replicaId);
  }

  /** Takes messages of another node. Those for a replica that is to come make it; those for one that is gone are dropped. */
  receive(id: number, messages: readonly Message[]): void {
    if (this.#over) return;
    this.#guard(() => {
      for (const message of messages) this.#cluster?.receive(id, message);
    });
  }

  /**
   * Takes a snapshot for a replica of this node. Resolves when the replica goes on from it, or needs none.
   * @throws SnapshotRefusedError, SnapshotDamagedError, LevelTooNewError (as rejections)
   */
  async receiveSnapshot(
    id: number,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    if (this.#cluster === undefined) throw new SnapshotRefusedError('this node runs alone');
    await this.#cluster.receiveSnapshot(id, message, chunks);
  }

  /** Tells when a replica was opened or destroyed, or its members changed. Returns what ends that. */
  onReplicaChange(listener: (group: Group) => void): () => void {
    return this.#replicaListeners.add(listener);
  }

  /** Tells when a replica learns of another leader, or of none, or changes its role. Returns what ends that. */
  onLeaderChange(listener: (group: Group) => void): () => void {
    return this.#leaderListeners.add(listener);
  }

  #clustered(): Replicas {
    if (this.#cluster === undefined) throw new Error('a node that runs alone has no replicas to manage');
    return this.#cluster.replicas;
  }

  /** What the part of a node with others needs. */
  #faceOfParts(): ClusteredHost {
    const { log, store } = this.#options;
    return {
      log,
      store,
      groups: this.#groups,
      activate: (group: Group) => this.#activate(group),
      takeLogRoom: (bytes: number) => this.takeLogRoom(bytes),
      group: (id: number) => this.#byId.get(id),
      openGroup: (record: ReplicaRecord) => this.#openGroup(record),
      closeGroup: (group: Group) => this.#closeGroup(group),
      flushLog: () => this.#flushLog(),
      written: () => this.#checkpoints.written(),
      receive: (id: number, messages: readonly Message[]) => this.receive(id, messages),
      // What fails because the node ends is no bug.
      reportBug: (error: unknown, where: string) => {
        if (!this.#over) this.reportBug(error, where);
      },
      drive: (group: Group) => {
        if (group.stopped) return;
        this.#active.add(group);
        this.#drive();
      },
      breathe: () => this.#breathe(),
      fail: (error: Error) => this.fail(error),
    };
  }

  #openGroup({ group: id, replicaId, configuration }: ReplicaRecord): Group {
    const { log, store, random } = this.#options;
    const group = this.#added(
      new Group({ id, raftId: replicaId, log, store, host: this, random, configuration }),
    );
    if (this.#started) {
      group.start();
      this.#activate(group);
    }
    this.#replicaListeners.tell(group);
    return group;
  }

  #added(group: Group): Group {
    const at = this.#groups.findIndex(({ id }) => id > group.id);
    this.#groups.splice(at < 0 ? this.#groups.length : at, 0, group);
    this.#byId.set(group.id, group);
    this.#checkpoints.opened(group);
    return group;
  }

  async #closeGroup(group: Group): Promise<void> {
    group.stop({
      reason: ErrorReason.NOT_LEADER,
      message: `group ${group.id} has no replica on this node any more`,
    });
    this.#groups.splice(this.#groups.indexOf(group), 1);
    this.#byId.delete(group.id);
    this.#active.delete(group);
    this.#checkpoints.closed(group);
    this.#replicaListeners.tell(group);
    await this.#cluster?.left(group);
    await this.#checkpoints.settled();
  }

  #flushLog(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#options.log.flush((error) => {
        if (error !== undefined) {
          this.fail(error);
          reject(error);
        } else resolve();
      });
    });
  }

  /** Gives the event loop its turn, and waits while the store takes nothing more. False when the node is over. */
  async #breathe(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.held && !this.#over) {
      this.#checkpoints.writeIfDue();
      await new Promise<void>((resolve) => this.#onRoom.push(resolve));
    }
    return !this.#over;
  }

  #roomOrOver(): void {
    for (const resolve of this.#onRoom.splice(0)) resolve();
  }

  // --- ticks ---

  readonly #tick = (): void => {
    const due = this.#cluster?.tick() ?? [];
    for (const group of due) this.#active.add(group);
    if (due.length > 0) this.#drive();
    else this.#checkSettled();
  };

  /** Writes all applied state to disk now, and lets the log drop what it then no longer needs. */
  checkpoint(): Promise<void> {
    return this.#checkpoints.write();
  }

  /** Writes that waited for room may go on. */
  resume(): void {
    if (this.#heldSince !== undefined) {
      this.#options.metrics.storage.stallSeconds.add((performance.now() - this.#heldSince) / 1000);
      this.#heldSince = undefined;
    }
    this.#scheduleWaiting();
    for (const group of this.#groups) if (group.applying) this.#activate(group);
    this.#roomOrOver();
  }

  #scheduleWaiting(): void {
    for (const group of this.#groups) if (group.waiting > 0) this.schedule(group);
  }

  /** Ends everything: nothing that is not yet answered will be. */
  fail(error: Error): void {
    if (this.#over) return;
    this.#end();
    this.#onSettled?.();
    if (this.#failStart !== undefined) this.#failStart(error);
    else this.#options.onFatal(error);
  }

  #end(): void {
    this.#over = true;
    clearInterval(this.#housekeeping);
    this.#expiry.stop();
    this.#cluster?.end();
    this.#checkpoints.abandon();
    this.#roomOrOver();
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

  get level(): number {
    return this.#options.cluster?.level?.() ?? LEVEL;
  }

  addressOf(replicaId: number): ReplicaAddress | undefined {
    if (this.#cluster !== undefined) return this.#cluster.addressOf(replicaId);
    return replicaId === OWN_RAFT_ID ? this.#options.node : undefined;
  }

  send(group: Group, message: Message): void {
    this.#cluster?.send(group, message);
  }

  sendSnapshot(group: Group, message: SnapshotMessage): void {
    this.#cluster?.sendSnapshot(group, message);
  }

  leaderChanged(group: Group): void {
    this.#leaderListeners.tell(group);
  }

  membersChanged(group: Group): void {
    this.#replicaListeners.tell(group);
  }

  // --- turns ---

  readonly #turn = (): void => {
    this.#turnDue = false;
    const scheduled = this.#scheduled;
    this.#scheduled = [];
    this.#guard(() => {
      for (const group of scheduled) {
        group.proposeWaiting();
        if (!group.stopped) this.#active.add(group);
      }
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
      for (const group of this.#active) {
        while (group.hasReady()) {
          const written = group.advance();
          if (written !== undefined) writes.push({ group, written });
        }
      }
      if (writes.length > 0) this.#sync(writes);
      for (const group of this.#active) {
        const mayApply = this.#mayApply(group);
        if (mayApply) group.applySome(APPLIED_PER_STEP);
        if (group.hasReady() || (mayApply && group.applying)) this.#driveAgain();
        else this.#active.delete(group);
        this.#expiry.arm(group);
      }
      this.#cluster?.flush();
      this.#checkpoints.writeIfDue();
    });
    this.#turnBytes = 0;
    this.#checkSettled();
  };

  /** A leader that is held proposes nothing more. A follower has no say in that, and lets its log grow instead. */
  #mayApply(group: Group): boolean {
    return !this.held || group.isLeader || group.isAlone;
  }

  #activate(group: Group): void {
    this.#active.add(group);
    this.#driveAgain();
  }

  #driveAgain(): void {
    if (this.#driveDue) return;
    this.#driveDue = true;
    setImmediate(this.#drive);
  }

  #sync(writes: readonly Write[]): void {
    const { log, metrics } = this.#options;
    const started = performance.now();
    metrics.wal.bytes.add(log.pendingBytes);
    let entries = 0;
    for (const { written } of writes) {
      if (written.index > 0) entries++;
      this.#checkpoints.logged(written.bytes);
    }
    metrics.wal.entries.add(entries);
    log.flush((error) => {
      if (this.#over) return;
      if (error !== undefined) {
        this.fail(error);
        return;
      }
      metrics.wal.syncSeconds.observe((performance.now() - started) / 1000);
      metrics.wal.syncEntries.observe(entries);
      this.#guard(() => {
        for (const { group, written } of writes) {
          group.persisted(written);
          if (written.snapshot !== undefined) this.#cluster?.install(group);
          if (!group.stopped) this.#active.add(group);
        }
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
    this.#checkpoints.writeIfDue(true);
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
