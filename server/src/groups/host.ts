/**
 * The replicas of a node: opened, made and destroyed, started and stopped. What they do from turn to turn is `turns.ts`;
 * what only a node with others has is `clustered.ts`.
 */
import { Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { Message, SnapshotMessage } from '../raft/index.ts';
import type { Failure } from '../state/failure.ts';
import { LEVEL } from '../state/level.ts';
import { Checkpoints } from './checkpoints.ts';
import { Clustered, type ClusteredHost } from './clustered.ts';
import { Expiry } from './expiry.ts';
import { Group } from './group.ts';
import type { GroupHostFace } from './group-face.ts';
import { GroupTable } from './group-table.ts';
import type { HostOptions } from './host-options.ts';
import { Housekeeping } from './housekeeping.ts';
import { Listeners } from './listeners.ts';
import type { ReplicaAddress } from './peers.ts';
import type { ReplicaRecord } from './replica-list.ts';
import type { ReplicaOptions, Replicas } from './replicas.ts';
import { Room } from './room.ts';
import { SnapshotRefusedError } from './snapshot-receiver.ts';
import { HIBERNATE_AFTER_TICKS } from './timing.ts';
import { Turns } from './turns.ts';

export type { ClusterOptions, HostOptions } from './host-options.ts';

/** This node's Raft id while it runs alone. */
const OWN_RAFT_ID = 1;

export class GroupHost implements GroupHostFace {
  readonly #options: HostOptions;
  readonly #groups = new GroupTable();
  readonly #room: Room;
  readonly #turns: Turns;
  readonly #expiry: Expiry;
  readonly #checkpoints: Checkpoints;
  readonly #housekeeping: Housekeeping;
  /** Nothing is done any more: something broke for good, or the groups have stopped. */
  #over = false;
  #started = false;
  /** While it starts: what a failure is told to instead of `onFatal`. */
  #failStart: ((error: Error) => void) | undefined;
  /** While it stops: called once no write is under way, or none of them can be finished. */
  #onSettled: (() => void) | undefined;
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
    this.#expiry = new Expiry(this.groups, options.sessionIdleTimeout_ms);
    this.#replicaListeners = new Listeners('a change of replicas', options.reportBug);
    this.#leaderListeners = new Listeners('a change of leaders', options.reportBug);
    const { log, store, metrics, cluster } = options;
    this.#checkpoints = new Checkpoints({
      store,
      log,
      metrics,
      groups: this.groups,
      neededFrom: (group) => this.#cluster?.neededFrom(group) ?? Number.POSITIVE_INFINITY,
      onFatal: (error) => this.fail(toError(error)),
    });
    this.#room = new Room(options);
    this.#turns = new Turns({
      groups: this.groups,
      log,
      metrics,
      room: this.#room,
      expiry: this.#expiry,
      checkpoints: this.#checkpoints,
      cluster: () => this.#cluster,
      guard: (work) => this.#guard(work),
      fail: (error) => this.fail(error),
      isOver: () => this.#over,
      onEnd: () => this.#checkSettled(),
    });
    this.#housekeeping = new Housekeeping({
      groups: this.groups,
      store,
      metrics,
      expiry: this.#expiry,
      checkpoints: this.#checkpoints,
      turns: this.#turns,
      onLooked: () => this.#checkSettled(),
    });
    this.#cluster = cluster && new Clustered(cluster, this.#faceOfParts());
  }

  get groups(): readonly Group[] {
    return this.#groups.all;
  }

  group(id: number): Group | undefined {
    return this.#groups.get(id);
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
    for (const group of this.groups) group.start();
    this.#turns.drive(this.groups);
    this.#cluster?.startTicks(() => this.#guard(this.#tick));
    // Who leads by now is alone: others it could not have asked yet.
    const leading = this.groups.filter((group) => group.isLeader);
    await Promise.race([failed, Promise.all(leading.map(canAnswer))]);
    this.#failStart = undefined;
    this.#housekeeping.start();
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
    for (const group of this.groups) group.stop(failure);
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
      groups: this.groups,
      activate: (group: Group) => this.#turns.activate(group),
      takeLogRoom: (bytes: number) => this.takeLogRoom(bytes),
      group: (id: number) => this.#groups.get(id),
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
        if (!group.stopped) this.#turns.drive([group]);
      },
      breathe: () => this.#breathe(),
      fail: (error: Error) => this.fail(error),
    };
  }

  #openGroup({ group: id, replicaId, configuration }: ReplicaRecord): Group {
    const { log, store, random, cluster } = this.#options;
    const { hibernateAfterTicks = HIBERNATE_AFTER_TICKS } = cluster ?? {};
    const parts = { log, store, host: this, random, hibernateAfterTicks };
    const group = this.#added(new Group({ id, raftId: replicaId, configuration, ...parts }));
    if (this.#started) {
      group.start();
      this.#turns.activate(group);
    }
    this.#replicaListeners.tell(group);
    return group;
  }

  #added(group: Group): Group {
    this.#groups.add(group);
    this.#checkpoints.opened(group);
    return group;
  }

  async #closeGroup(group: Group): Promise<void> {
    group.stop({
      reason: ErrorReason.NOT_LEADER,
      message: `group ${group.id} has no replica on this node any more`,
    });
    this.#groups.remove(group);
    this.#turns.forget(group);
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
      await this.#room.released();
    }
    return !this.#over;
  }

  // --- ticks ---

  readonly #tick = (): void => {
    const due = this.#cluster?.tick() ?? [];
    if (due.length > 0) this.#turns.drive(due);
    else this.#checkSettled();
  };

  /** Writes all applied state to disk now, and lets the log drop what it then no longer needs. */
  checkpoint(): Promise<void> {
    return this.#checkpoints.write();
  }

  /** Writes that waited for room may go on. */
  resume(): void {
    this.#room.resumed();
    this.#turns.scheduleWaiting();
    for (const group of this.groups) if (group.applying) this.#turns.activate(group);
    this.#room.release();
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
    this.#housekeeping.stop();
    this.#expiry.stop();
    this.#cluster?.end();
    this.#checkpoints.abandon();
    this.#room.release();
  }

  // --- the groups' face ---

  schedule(group: Group): void {
    this.#turns.schedule(group);
  }

  get held(): boolean {
    return this.#room.held;
  }

  get hasRoom(): boolean {
    return this.#room.isThere;
  }

  takeLogRoom(bytes: number): boolean {
    return this.#room.takeLog(bytes);
  }

  writeRefusal(method: number): Failure | undefined {
    return this.#room.refusal(method);
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

  isSilent(replicaId: number): boolean {
    return this.#cluster?.isSilent(replicaId) ?? false;
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

  // --- the end ---

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
    if (this.#over || !this.hasRoom || !this.groups.some((group) => group.busy)) this.#onSettled();
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
