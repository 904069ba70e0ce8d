/**
 * Several hosts with a network between them that loses, delays and cuts as the test says, disks that crash, and a clock
 * that stands still until it is moved.
 *
 * A tick is `TICK_MS` of every host's clock. After each, the event loop goes round a number of times, in which messages
 * are delivered and disks do their work.
 */
import { nodeOf } from '../../cluster/replica-id.ts';
import { NodeMetrics } from '../../observe/node-metrics.ts';
import {
  type Configuration,
  type Message,
  makeConfiguration,
  type SnapshotMessage,
} from '../../raft/index.ts';
import { Random } from '../../raft/testing/random.ts';
import { groupRange } from '../../state/keys.ts';
import type { Store } from '../../storage/store.ts';
import type { LogFiles } from '../../wal/log-files.ts';
import { SimulatedDisk } from '../../wal/simulated-disk.ts';
import { Wal } from '../../wal/wal.ts';
import type { Group } from '../group.ts';
import { GroupHost } from '../host.ts';
import { MemoryLog } from '../memory-log.ts';
import type { NodeLog } from '../node-log.ts';
import type { Peers } from '../peers.ts';
import { TICK_MS } from '../timing.ts';
import { type CrashableStore, StoreDisk } from './crashable-store.ts';

/** Rounds of the event loop in a tick: enough for a write to reach the disks of all and come back. */
const TURNS_PER_TICK = 30;
/** Longest time of a message that lost its way: long enough for a replica to be gone when it arrives. */
const STRAGGLER_TICKS = 40;
/** Between two looks of a log whether a full disk has space again. */
const WAL_RETRY_MS = 1;
const START_MS = 1_767_225_600_000;

export interface HostsOptions {
  /** Default 3. */
  readonly nodes?: number;
  readonly seed?: number;
  /** Without disks, as with storage in memory: nothing can be restarted. Default false. */
  readonly inMemory?: boolean;
  /** Size of a segment of the log, in bytes. Small ones are soon cut. Default 64 KiB. */
  readonly segmentBytes?: number;
  readonly sabotage?: Sabotage | undefined;
  /** As in `ClusterOptions`. */
  readonly hibernateAfterTicks?: number;
}

/** Puts something broken in the place of a part of every node. */
export interface Sabotage {
  readonly log?: (log: NodeLog, node: ConnectedNode) => NodeLog;
  readonly store?: (store: Store, node: ConnectedNode) => Store;
  /** Of the log. */
  readonly logFiles?: (files: LogFiles) => LogFiles;
  /** Of the list of replicas, and of snapshots that arrive. */
  readonly files?: (files: LogFiles) => LogFiles;
}

/** What a test observes. */
export interface HostsObserver {
  /** A message arrived. */
  onMessage?(to: ConnectedNode, message: Message): void;
  onLost?(message: Message, why: string): void;
  onSnapshot?(from: ConnectedNode, message: SnapshotMessage): void;
  onSnapshotTaken?(to: ConnectedNode, message: SnapshotMessage): void;
}

/** What happens to messages. Snapshots are only cut, never lost or delayed. */
export interface Weather {
  /** Probability that a message is lost. */
  loss: number;
  /** Probability that it comes twice. */
  duplication: number;
  /** Most ticks that it is under way; each is drawn from 0 to this. */
  delay_ticks: number;
  /** Probability that it is under way for up to `STRAGGLER_TICKS`. */
  stragglers: number;
}

interface UnderWay {
  readonly from: number;
  readonly to: number;
  readonly group: number;
  readonly message: Message;
  readonly due: number;
}

export class ConnectedNode {
  readonly number: number;
  readonly walDisk: SimulatedDisk;
  readonly filesDisk: SimulatedDisk;
  readonly storeDisk = new StoreDisk();
  readonly fatal: Error[] = [];
  readonly bugs: string[] = [];
  up = false;
  host!: GroupHost;
  log!: NodeLog;
  store!: Store;
  crashable!: CrashableStore;
  tick: (() => void) | undefined;
  /** When it last heard of the others, by their numbers. */
  readonly heard = new Map<number, number>();

  constructor(number: number, seed: number) {
    this.number = number;
    this.walDisk = new SimulatedDisk(seed);
    this.filesDisk = new SimulatedDisk(seed + 1);
  }

  group(id = 1): Group {
    const group = this.host.group(id);
    if (group === undefined) throw new Error(`node ${this.number} has no replica of group ${id}`);
    return group;
  }

  /** The rows of a group, as text, with everything saved that is kept in memory. */
  dump(id = 1): string[] {
    this.group(id).state.save();
    return [...this.store.range(groupRange(id))].map(
      ({ key, value }) =>
        `${Buffer.from(key, 'latin1').toString('hex')} ${Buffer.from(value).toString('hex')}`,
    );
  }
}

export class SimulatedHosts {
  readonly nodes: readonly ConnectedNode[];
  readonly weather: Weather = { loss: 0, duplication: 0, delay_ticks: 0, stragglers: 0 };
  readonly random: Random;
  now = 0;
  /** Snapshots that were sent, by the number of the node that they went to. */
  readonly snapshots: number[] = [];
  /** Messages that were sent since the start. */
  messages = 0;
  /** Times that a node let the others hear of it because its groups say nothing. */
  pulses = 0;
  /** Changes a snapshot on its way. */
  onChunk: ((chunk: Uint8Array) => Uint8Array) | undefined;
  /** Looks at every message; false loses it. */
  filter: (to: number, message: Message) => boolean = () => true;
  /** Told of what happens. */
  observer: HostsObserver = {};
  /** Called with every tick, after the clock was moved. */
  onTick: (now: number) => void = () => {};
  readonly #options: HostsOptions;
  #underWay: UnderWay[] = [];
  #timers: { readonly at: number; readonly act: () => void }[] = [];
  /** Ends the streams from and to a node that stops. */
  #streams: { readonly ends: readonly number[]; readonly fail: (error: Error) => void }[] = [];
  /** Links that are cut, as `from-to`. */
  readonly #cut = new Set<string>();
  /** Links that a node sees ended while messages arrive by the other direction's, as `from-to`. */
  readonly #ended = new Set<string>();

  constructor(options: HostsOptions = {}) {
    this.#options = options;
    this.random = new Random(options.seed ?? 1);
    const count = options.nodes ?? 3;
    this.nodes = Array.from({ length: count }, (_, i) => new ConnectedNode(i + 1, 1000 * (i + 1)));
  }

  /** Starts every node; they have what their disks have. */
  async start(): Promise<this> {
    for (const { number } of this.nodes) await this.startNode(number);
    return this;
  }

  node(number: number): ConnectedNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new Error(`there is no node ${number}`);
    return node;
  }

  async startNode(number: number): Promise<void> {
    const node = this.node(number);
    const { inMemory = false, segmentBytes = 64 * 1024, sabotage = {}, hibernateAfterTicks } = this.#options;
    const asIs = (files: LogFiles): LogFiles => files;
    const fatal = (error: Error): void => {
      if (node.up) node.fatal.push(error);
    };
    const log: NodeLog = inMemory
      ? new MemoryLog()
      : await Wal.open('simulated', {
          segmentBytes,
          tailSegments: 1,
          retryDelayMs: WAL_RETRY_MS,
          files: (sabotage.logFiles ?? asIs)(node.walDisk.mount()),
          onFailure: fatal,
        });
    node.log = sabotage.log?.(log, node) ?? log;
    node.crashable = node.storeDisk.open();
    node.store = sabotage.store?.(node.crashable.store, node) ?? node.crashable.store;
    node.up = true;
    node.heard.clear();
    node.host = new GroupHost({
      log: node.log,
      store: node.store,
      metrics: new NodeMetrics(),
      clock: () => START_MS + this.now * TICK_MS,
      monotonic: () => this.now * TICK_MS,
      random: this.random.next,
      sessionIdleTimeout_ms: 3_600_000,
      node: { nodeId: `node${number}`, address: `127.0.0.1:${9000 + number}` },
      onFatal: fatal,
      reportBug: (error, where) =>
        node.bugs.push(`${where}: ${error instanceof Error ? error.message : String(error)}`),
      cluster: {
        nodeNumber: number,
        peers: this.#peersOf(node),
        ...(hibernateAfterTicks !== undefined && { hibernateAfterTicks }),
        // A pace would be one of real time.
        snapshotBytesPerSecond: Number.POSITIVE_INFINITY,
        files: inMemory ? undefined : (sabotage.files ?? asIs)(node.filesDisk.mount()),
        startTicks: (tick) => {
          node.tick = tick;
          return () => {
            node.tick = undefined;
          };
        },
      },
    });
    await node.host.open();
    await node.host.start();
  }

  /** The machine of a node stops; what its disks had not made durable is lost, as far as chance wants. */
  crash(number: number): void {
    const node = this.node(number);
    node.up = false;
    node.walDisk.crash();
    node.filesDisk.crash();
    node.storeDisk.crash();
    node.host.fail(new Error('the machine stopped'));
    this.#underWay = this.#underWay.filter(({ from }) => from !== number);
    for (const { ends, fail } of this.#streams)
      if (ends.includes(number)) fail(new Error('the other side is gone'));
  }

  async restart(number: number): Promise<void> {
    if (this.node(number).up) this.crash(number);
    await this.startNode(number);
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) {
      if (!node.up) continue;
      node.up = false;
      node.host.fail(new Error('the test is over'));
      node.walDisk.releaseSyncs();
      await node.log.close();
    }
  }

  /** Makes a group whose voters are these nodes, from the beginning. */
  async found(voters: readonly number[] = this.nodes.map(({ number }) => number), group = 1): Promise<void> {
    const configuration: Configuration = makeConfiguration(voters);
    for (const number of voters) {
      await this.node(number).host.create(group, { replicaId: number, configuration });
    }
  }

  // --- the network ---

  /** Cuts the links between a node and these others, in both directions. Default: all others. */
  isolate(number: number, others = this.nodes.map((node) => node.number)): void {
    for (const other of others) {
      this.#cut.add(`${number}-${other}`);
      this.#cut.add(`${other}-${number}`);
    }
  }

  /** A node's link to another ends; messages arrive all the same. */
  unlink(from: number, to: number): void {
    this.#ended.add(`${from}-${to}`);
  }

  /** Cuts one link in one direction. */
  cut(from: number, to: number): void {
    this.#cut.add(`${from}-${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  #connects(from: number, to: number): boolean {
    return !this.#cut.has(`${from}-${to}`) && this.nodes[to - 1]?.up === true && this.node(from).up;
  }

  #peersOf(node: ConnectedNode): Peers {
    const { number } = node;
    return {
      send: (group, message) => this.#send(number, group, message),
      flush: () => {},
      sendSnapshot: (group, message, chunks, signal) =>
        this.#sendSnapshot(number, group, message, chunks, signal),
      pulse: () => this.#pulse(number),
      silence_ms: (other) => (this.now - (node.heard.get(other) ?? Number.NEGATIVE_INFINITY)) * TICK_MS,
      // A machine that stops takes its links with it; what is cut is not noticed but by the silence.
      isLinked: (other) => this.node(other).up && !this.#ended.has(`${number}-${other}`),
      addressOf: (replicaId) => {
        const to = nodeOf(replicaId);
        return this.nodes[to - 1] && { nodeId: `node${to}`, address: `127.0.0.1:${9000 + to}` };
      },
    };
  }

  #pulse(from: number): void {
    this.pulses++;
    for (const { number, heard } of this.nodes) {
      const arrives =
        number !== from && this.#connects(from, number) && !this.random.chance(this.weather.loss);
      if (arrives) heard.set(from, this.now);
    }
  }

  #send(from: number, group: number, message: Message): void {
    this.messages++;
    const { loss, duplication, delay_ticks, stragglers } = this.weather;
    const to = nodeOf(message.to);
    if (this.random.chance(loss) || !this.filter(to, message)) {
      this.observer.onLost?.(message, 'chance');
      return;
    }
    const copies = this.random.chance(duplication) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const most = stragglers > 0 && this.random.chance(stragglers) ? STRAGGLER_TICKS : delay_ticks;
      const due = this.now + (most === 0 ? 0 : this.random.below(most + 1));
      this.#underWay.push({ from, to, group, message, due });
    }
  }

  async #sendSnapshot(
    from: number,
    group: number,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const to = nodeOf(message.to);
    const check = (): void => {
      signal.throwIfAborted();
      if (!this.#connects(from, to)) throw new Error('the link is cut');
    };
    check();
    this.snapshots.push(to);
    this.observer.onSnapshot?.(this.node(from), message);
    const gone = Promise.withResolvers<never>();
    const stream = { ends: [from, to], fail: gone.reject };
    this.#streams.push(stream);
    try {
      const taken = this.node(to).host.receiveSnapshot(group, message, this.#inPieces(chunks, check));
      await Promise.race([taken, gone.promise]);
      this.observer.onSnapshotTaken?.(this.node(to), message);
      check();
    } finally {
      this.#streams = this.#streams.filter((one) => one !== stream);
    }
  }

  /** The bytes in other pieces than they came, as a network may. */
  async *#inPieces(chunks: AsyncIterable<Uint8Array>, check: () => void): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      const bytes = this.onChunk?.(chunk) ?? chunk;
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + this.random.below(bytes.length);
        check();
        yield bytes.subarray(at, at + size);
        at += size;
      }
    }
  }

  #deliver(): void {
    const due = this.#underWay.filter((one) => one.due <= this.now);
    if (due.length === 0) return;
    this.#underWay = this.#underWay.filter((one) => one.due > this.now);
    if (this.weather.delay_ticks > 0) due.sort(() => this.random.next() - 0.5);
    for (const { from, to, group, message } of due) {
      if (!this.#connects(from, to)) {
        this.observer.onLost?.(message, 'the link is cut, or nobody is there');
        continue;
      }
      this.node(to).heard.set(from, this.now);
      this.node(to).host.receive(group, [message]);
      this.observer.onMessage?.(this.node(to), message);
    }
  }

  /** Resolves, with undefined, when the node stops. */
  whenDown(number: number): Promise<undefined> {
    return new Promise((resolve) => this.#streams.push({ ends: [number], fail: () => resolve(undefined) }));
  }

  /** Does something so many ticks from now. */
  later(ticks: number, act: () => void): void {
    this.#timers.push({ at: this.now + ticks, act });
  }

  // --- time ---

  /** Lets the event loop go round, delivering messages. */
  async settle(turns = TURNS_PER_TICK): Promise<void> {
    for (let i = 0; i < turns; i++) {
      this.#deliver();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Moves the clock. */
  async ticks(count = 1, turns = TURNS_PER_TICK): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.now++;
      this.onTick(this.now);
      for (const node of this.nodes) if (node.up) node.tick?.();
      const due = this.#timers.filter(({ at }) => at <= this.now);
      this.#timers = this.#timers.filter(({ at }) => at > this.now);
      for (const { act } of due) act();
      await this.settle(turns);
    }
  }

  /** Moves the clock until something holds; returns how many ticks that took. */
  async until(holds: () => boolean, what = 'what the test waits for', ticksMax = 300): Promise<number> {
    await this.settle();
    for (let tick = 0; tick <= ticksMax; tick++) {
      if (holds()) return tick;
      await this.ticks();
    }
    const fatal = this.nodes.flatMap((node) =>
      node.fatal.map((error) => `node ${node.number}: ${error.stack}`),
    );
    const states = this.nodes.map((node) => {
      const groups = node.host.groups.map((group) =>
        JSON.stringify({ ...group.status(), installing: group.installing }),
      );
      return `node ${node.number}: ${node.bugs.join(', ')} ${groups.join('\n')}`;
    });
    throw new Error(`${what} did not come to be in ${ticksMax} ticks. ${[...fatal, ...states].join('\n')}`);
  }

  /** Moves the clock until a promise is settled, and gives what it gave. */
  async during<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const end = (): void => {
      over = true;
    };
    promise.then(end, end);
    await this.until(() => over, 'the promise');
    return promise;
  }

  // --- what the hosts know ---

  /** The node that leads a group in its highest term, when it and a majority are up. */
  leaderOf(group = 1): ConnectedNode | undefined {
    const leaders = this.nodes.filter((node) => node.up && node.host.group(group)?.isLeader === true);
    return leaders.sort((a, b) => b.group(group).term - a.group(group).term)[0];
  }

  /** Moves the clock until a node other than `not` leads. */
  async leader(group = 1, not?: number): Promise<ConnectedNode> {
    const found = (): ConnectedNode | undefined => {
      const leader = this.leaderOf(group);
      return leader?.number === not ? undefined : leader;
    };
    await this.until(() => found() !== undefined, `a leader of group ${group}`);
    return found()!;
  }

  /** Moves the clock until these nodes have applied the same entries. Default: all that are up and have a replica. */
  async agree(group = 1, numbers = this.#having(group)): Promise<void> {
    const nodes = numbers.map((number) => this.node(number));
    await this.until(
      () => {
        const leader = this.leaderOf(group);
        if (leader === undefined) return false;
        const { lastIndex } = leader.group(group).status();
        return nodes.every((node) => node.host.group(group)?.state.appliedIndex === lastIndex);
      },
      `agreement of nodes ${numbers.join(', ')} on group ${group}`,
    );
  }

  #having(group: number): number[] {
    return this.nodes
      .filter((node) => node.up && node.host.group(group) !== undefined)
      .map(({ number }) => number);
  }
}
