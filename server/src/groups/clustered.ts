/** The part of a host that only a node with others has: replicas that come and go, messages, snapshots, ticks. */
import { nodeOf } from '../cluster/replica-id.ts';
import { entryBytes, type Message, type SnapshotMessage } from '../raft/index.ts';
import type { Group } from './group.ts';
import type { ClusterOptions } from './host-options.ts';
import type { ReplicaAddress } from './peers.ts';
import { ReplicaList } from './replica-list.ts';
import { Replicas, type ReplicasHost } from './replicas.ts';
import { Silence } from './silence.ts';
import { FileInbox, MemoryInbox } from './snapshot-inbox.ts';
import { SnapshotReceiver, type SnapshotReceiverHost, SnapshotRefusedError } from './snapshot-receiver.ts';
import { SnapshotSender } from './snapshot-sender.ts';
import { CUT_OFF_AFTER_MS, TICK_MS } from './timing.ts';

export interface ClusteredHost extends ReplicasHost, SnapshotReceiverHost {
  /** Every group of the node. */
  readonly groups: readonly Group[];
  /** Has what is due for the group done in the next turn. */
  activate(group: Group): void;
  /** Makes room in the log for entries of this turn. False when there is none. */
  takeLogRoom(bytes: number): boolean;
}

export class Clustered {
  readonly replicas: Replicas;
  readonly #options: ClusterOptions;
  readonly #host: ClusteredHost;
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;
  readonly #silence: Silence;
  #stopTicks: (() => void) | undefined;
  #stopping = false;
  /** Messages were sent since the last flush. */
  #sent = false;

  /** @throws ReplicaListError */
  constructor(options: ClusterOptions, host: ClusteredHost) {
    const { nodeNumber, peers, files } = options;
    this.#options = options;
    this.#host = host;
    this.replicas = new Replicas(host, nodeNumber, new ReplicaList(files), options.isGiven);
    this.#sender = new SnapshotSender(
      host.store,
      peers,
      (group) => host.activate(group),
      options.level,
      options.snapshotBytesPerSecond,
    );
    this.#silence = new Silence(peers, host.groups);
    this.#receiver = new SnapshotReceiver(
      host,
      files === undefined ? new MemoryInbox() : new FileInbox(files),
    );
  }

  /** Opens the replicas, after completing what a crash interrupted. */
  async open(): Promise<void> {
    await this.#receiver.finishInstalls(this.replicas.all());
    await this.replicas.open();
  }

  /** Calls `tick` with the clock of elections. */
  startTicks(tick: () => void): void {
    this.#stopTicks = (this.#options.startTicks ?? everyTick)(tick);
  }

  /** Moves the clock of every group that needs one; gives those that have something to do. */
  tick(): readonly Group[] {
    const { groups, log } = this.#host;
    const { writable } = log;
    this.#silence.tick();
    return groups.filter((group) => {
      // Who leads alone needs no clock.
      if (group.isHibernating || (group.isLeader && group.isAlone)) return false;
      // Who cannot write cannot lead, and shall not try: others can.
      group.tick(writable);
      return group.hasReady();
    });
  }

  // --- out ---

  addressOf(replicaId: number): ReplicaAddress | undefined {
    return this.#options.peers.addressOf(replicaId);
  }

  isSilent(replicaId: number): boolean {
    return this.#options.peers.silence_ms(nodeOf(replicaId)) >= CUT_OFF_AFTER_MS;
  }

  send(group: Group, message: Message): void {
    this.#options.peers.send(group.id, message);
    this.#sent = true;
  }

  flush(): void {
    if (!this.#sent) return;
    this.#sent = false;
    this.#options.peers.flush();
  }

  sendSnapshot(group: Group, message: SnapshotMessage): void {
    this.#sender.send(group, message);
  }

  snapshotSentBytes(group: Group, to: number): number | undefined {
    return this.#sender.sentBytes(group, to);
  }

  /** Entries of the group behind this index are needed for a snapshot that is on its way. */
  neededFrom(group: Group): number {
    return this.#sender.neededFrom(group);
  }

  // --- in ---

  receive(id: number, message: Message): void {
    const group = this.#host.group(id);
    if (group === undefined || group.replicaId !== message.to) {
      if (!this.#stopping) this.replicas.receiveUnknown(id, message);
      return;
    }
    // What is under way is finished while the node stops, and nothing new is begun.
    if (this.#stopping && !group.isLeader) return;
    // Entries that find no room are dropped: the leader sends them again.
    if (message.type === 'append' && message.entries.length > 0 && !this.#hasRoomFor(message.entries)) return;
    // Without room in the log a leader could not even begin.
    if (message.type === 'timeout-now' && !this.#host.log.writable) return;
    group.step(message);
    this.#host.activate(group);
  }

  #hasRoomFor(entries: readonly Parameters<typeof entryBytes>[0][]): boolean {
    let bytes = 0;
    for (const entry of entries) bytes += entryBytes(entry);
    return this.#host.log.writable && this.#host.takeLogRoom(bytes);
  }

  async receiveSnapshot(
    id: number,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const group = this.#stopping ? undefined : await this.replicas.forSnapshot(id, message.to);
    if (group === undefined || this.#stopping) {
      throw new SnapshotRefusedError(`replica ${message.to} of group ${id} is not here, and not to come`);
    }
    await this.#receiver.receive(group, message, chunks);
  }

  /** The group's log was given up for a snapshot: its state follows. */
  install(group: Group): void {
    void this.#receiver.install(group);
  }

  // --- the end ---

  /** Resolves when nothing is under way for a replica that was stopped. */
  async left(group: Group): Promise<void> {
    this.#sender.cancel(group);
    await this.#receiver.settled(group);
  }

  /** Begins nothing new, and finishes what is under way. */
  stopping(): void {
    this.#stopping = true;
  }

  end(): void {
    this.#stopping = true;
    this.#stopTicks?.();
    this.#sender.cancelAll();
  }
}

function everyTick(tick: () => void): () => void {
  const timer = setInterval(tick, TICK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
