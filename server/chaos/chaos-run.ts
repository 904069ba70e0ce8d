/** One run: a cluster, clients that write down what they are told, faults, and the verdict. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, connect } from '@gomsg/client';
import { Random } from '../src/raft/testing/random.ts';
import { toJsonLines } from '../src/testing/histories/history.ts';
import type { Violation } from '../src/testing/histories/violation.ts';
import { CannotMountError, SmallDisk } from '../src/testing/small-disk.ts';
import { ChaosCluster, DATA_GROUPS, HungError, within } from './chaos-cluster.ts';
import { Elections } from './elections.ts';
import { Faults, SMALL_DISK_MIB, WrongEndError } from './faults.ts';
import { type KeyCaller, PinnedCaller, RoutedCaller } from './key-caller.ts';
import { CounterLane, KeyHistories, RegisterLane, readBack } from './key-lanes.ts';
import type { Lane } from './lane.ts';
import { Nemesis } from './nemesis.ts';
import { Probes } from './probes.ts';
import { Consumer, createQueue, drainQueue, Popper, Producer, QueueLedger } from './queue-lanes.ts';
import {
  createTopic,
  Member,
  PositionWatcher,
  Publisher,
  Reader,
  StreamLedger,
  settleTopic,
} from './stream-lanes.ts';
import { Complaints, Tally } from './tally.ts';
import { type FaultKind, Timeline } from './timeline.ts';
import { judgeKeys } from './verdict.ts';

/** Calls that are under way when lanes stop have their own timeouts, which are shorter. */
const LANES_END_MAX_MS = 60_000;
const HEALTHY_MAX_MS = 60_000;
const CLIENT_OPTIONS = { timeout: 20, hooks: { log: () => {} } };

export interface ChaosOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly faults: readonly FaultKind[];
  /** Until when faults are thought of; the last one may take longer. Not given: `plan` says all. */
  readonly duration_ms?: number;
  /** Instead of faults by chance. */
  readonly plan?: (faults: Faults, nemesis: Nemesis, cluster: ChaosCluster) => Promise<void>;
  readonly onEvent?: (line: string) => void;
  /** Keep logs and histories also of a run in which nothing was wrong. */
  readonly keep?: boolean;
}

export interface FaultRecovery {
  readonly shape: string;
  readonly what: string;
  /** The longest time in which some group took no write. */
  readonly outage_ms: number;
}

export interface ChaosReport {
  readonly seed: number;
  readonly elapsed_ms: number;
  readonly tallies: ReadonlyMap<string, Readonly<Tally>>;
  readonly total: Readonly<Tally>;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Kinds that could not be done here, and why. */
  readonly leftOut: readonly string[];
  readonly terms: number;
  readonly leaderChanges: number;
  readonly recoveries: readonly FaultRecovery[];
  readonly delivered: number;
  readonly violations: readonly Violation[];
  /** What neither checker could decide in its time. */
  readonly undecided: readonly string[];
  readonly complaints: Complaints['all'];
  /** Logs, histories and data, where something was wrong or they were to be kept. */
  readonly folder: string | undefined;
}

/** @throws Error when the run itself could not be done; what the cluster did wrong is in the report */
export async function chaosRun(options: ChaosOptions): Promise<ChaosReport> {
  await using run = new ChaosRun(options);
  return await run.run();
}

class ChaosRun implements AsyncDisposable {
  readonly #options: ChaosOptions;
  readonly #random: Random;
  readonly #folder = mkdtempSync(join(tmpdir(), 'gomsg-chaos-'));
  readonly #events: string[] = [];
  readonly #timeline: Timeline;
  readonly #complaints = new Complaints();
  readonly #keys = new KeyHistories(this.#complaints);
  readonly #queue = new QueueLedger(this.#complaints);
  readonly #stream = new StreamLedger(this.#complaints);
  readonly #violations: Violation[] = [];
  readonly #leftOut: string[] = [];
  /** Closed at the end, the last one first. */
  readonly #resources = new AsyncDisposableStack();
  #isKept = false;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#timeline = new Timeline((line) => {
      this.#events.push(line);
      options.onEvent?.(line);
    });
  }

  async run(): Promise<ChaosReport> {
    const began_ms = performance.now();
    const { nodes: count, seed } = this.#options;
    const disk = this.#mountDisk();
    const cluster = await ChaosCluster.start({
      count,
      folder: this.#folder,
      ...(disk && { lastDataDir: join(disk.folder, 'data') }),
    });
    this.#resources.defer(() => cluster.close());
    this.#timeline.say(`${count} nodes are healthy`);

    const fillable = disk && { node: cluster.nodes.at(-1)!, disk };
    const faults = new Faults(cluster, this.#own(), fillable);
    const kinds = this.#options.faults.filter((kind) => kind !== 'disk' || disk !== undefined);
    const nemesis = new Nemesis(cluster, faults, this.#timeline, this.#own(), kinds);
    const elections = new Elections(cluster, this.#timeline);
    const client = this.#connect(cluster);
    await createQueue(client);
    await createTopic(client);
    const probes = new Probes(this.#connect(cluster), DATA_GROUPS, () => this.#own(), this.#complaints);

    const stopWatching = new AbortController();
    const watching = elections.watch(stopWatching.signal);
    const watch = await probes.watch(stopWatching.signal);
    const stopReaders = new AbortController();
    const stopWriters = new AbortController();
    const readers = this.#readers(cluster, client).map((lane) => lane.run(stopReaders.signal));
    const writers = [...this.#writers(cluster, client), ...probes.probes].map((lane) =>
      lane.run(stopWriters.signal),
    );
    const broken = Promise.all([...readers, ...writers, watch.ended, watching]);
    broken.catch(() => {}); // Told below, at the latest when the lanes are waited for.

    await this.#findings(async () => {
      const { plan, duration_ms = 0 } = this.#options;
      const faultsEnd = AbortSignal.timeout(Math.max(1, duration_ms));
      await (plan === undefined ? nemesis.run(faultsEnd) : plan(faults, nemesis, cluster));
    });
    await this.#findings(async () => {
      this.#timeline.say('no more faults');
      cluster.network.heal();
      for (const node of cluster.nodes) {
        node.resume();
        if (node.state === 'down') await node.start();
      }
      await cluster.healthy(HEALTHY_MAX_MS);
    });
    stopWriters.abort();
    await this.#findings(() => within(LANES_END_MAX_MS, Promise.all(writers), 'writers had no answer'));

    const keyReaders: KeyCaller[] = [
      new RoutedCaller(client),
      ...cluster.nodes.map((node) => this.#pinned(node.door.address)),
    ];
    // Each by itself: what cannot be read back must not make the rest look lost.
    await this.#findings(async () => {
      if (!(await readBack(this.#keys, keyReaders)))
        throw new HungError('a key could not be read at the end');
    });
    const lastPopper = new Popper(99, client, this.#queue, this.#own());
    const isQueueDrained = await this.#findings(() => drainQueue(client, lastPopper));
    const isTopicSettled = await this.#findings(() => settleTopic(client, this.#stream));
    await this.#findings(() => probes.settle());
    stopReaders.abort();
    stopWatching.abort();
    await this.#findings(() => within(LANES_END_MAX_MS, broken, 'readers did not end'));
    this.#timeline.say('everything was read back');

    const { disturbances } = this.#timeline;
    const registers = this.#keys.registers.history();
    const counters = this.#keys.counters.history();
    this.#violations.push(...this.#queue.check(disturbances, isQueueDrained));
    this.#violations.push(...this.#stream.check(disturbances, isTopicSettled));
    this.#violations.push(...probes.check());
    const verdict = await judgeKeys(registers, counters);
    this.#violations.push(...verdict.violations);
    this.#timeline.say('the histories were checked');

    const tallies = new Map([
      ['keys', this.#keys.tally],
      ['queue', this.#queue.tally],
      ['stream', this.#stream.tally],
      ['probes', probes.tally],
    ]);
    const total = new Tally();
    for (const tally of tallies.values()) total.add(tally);
    this.#isKept = this.#options.keep === true || this.#violations.length > 0;
    if (this.#isKept) {
      writeFileSync(join(this.#folder, 'registers.jsonl'), toJsonLines(registers));
      writeFileSync(join(this.#folder, 'counters.jsonl'), toJsonLines(counters));
      writeFileSync(join(this.#folder, 'queue.json'), JSON.stringify(this.#queue, undefined, 1));
      const stream = { ...this.#stream, log: [...this.#stream.log], readings: [...this.#stream.readings] };
      writeFileSync(join(this.#folder, 'stream.json'), JSON.stringify(stream, undefined, 1));
      writeFileSync(join(this.#folder, 'disturbances.json'), JSON.stringify(disturbances, undefined, 1));
      writeFileSync(join(this.#folder, 'events.txt'), this.#events.join('\n'));
    }
    return {
      seed,
      elapsed_ms: performance.now() - began_ms,
      tallies,
      total,
      faults: nemesis.counts,
      leftOut: this.#leftOut,
      terms: elections.terms,
      leaderChanges: elections.changes,
      recoveries: nemesis.loneFaults.map(({ shape, what, at_ms, within_ms }) => ({
        shape,
        what,
        outage_ms: probes.outage_ms(at_ms, within_ms),
      })),
      delivered: this.#queue.deliveries.length + this.#stream.deliveries.length,
      violations: this.#violations,
      undecided: verdict.undecided,
      complaints: this.#complaints.all,
      folder: this.#isKept ? this.#folder : undefined,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
    if (!this.#isKept) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Lanes that write until the faults are over. */
  #writers(cluster: ChaosCluster, client: Client): Lane[] {
    const lanes: Lane[] = [];
    let id = 0;
    // By the SDK, and by hand at each node.
    const callers: KeyCaller[] = [
      new RoutedCaller(client),
      new RoutedCaller(this.#connect(cluster)),
      ...cluster.nodes.map(({ door }) => this.#pinned(door.address)),
    ];
    for (const caller of callers) {
      lanes.push(new RegisterLane(++id, caller, this.#keys, this.#own()));
      lanes.push(new CounterLane(++id, caller, this.#keys, this.#own()));
    }
    for (const { door } of cluster.nodes) {
      const caller = this.#pinned(door.address);
      lanes.push(new RegisterLane(++id, caller, this.#keys, this.#own(), { isReader: true }));
    }
    for (let i = 0; i < 2; i++) lanes.push(new Producer(this.#connect(cluster), this.#queue, this.#own()));
    for (let i = 0; i < 2; i++) lanes.push(new Publisher(this.#connect(cluster), this.#stream, this.#own()));
    return lanes;
  }

  /** Lanes that go on until all that was written is read. */
  #readers(cluster: ChaosCluster, client: Client): Lane[] {
    const { addresses } = cluster;
    return [
      new Popper(1, this.#connect(cluster), this.#queue, this.#own()),
      new Consumer(2, addresses, this.#queue, this.#own()),
      new Consumer(3, addresses, this.#queue, this.#own()),
      new Member(1, addresses, this.#stream, this.#own()),
      new Member(2, addresses, this.#stream, this.#own()),
      new PositionWatcher(client, this.#stream, this.#own()),
      new Reader(this.#connect(cluster), this.#stream),
    ];
  }

  /**
   * What hangs or ends wrongly is a finding of the run like others, and its histories are looked at all the same.
   *
   * @returns whether there was none
   */
  async #findings(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#timeline.say(String(error));
      if (error instanceof HungError) {
        this.#violations.push({ rule: 'the cluster goes on by itself', detail: error.message });
      } else if (error instanceof WrongEndError) {
        this.#violations.push({ rule: 'a node ends as it is told to', detail: error.message });
      } else {
        const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
        this.#violations.push({ rule: 'nothing fails that nobody expects to', detail });
      }
      return false;
    }
  }

  #connect({ addresses }: ChaosCluster): Client {
    // Clients know all nodes, in an order of their own.
    const first = this.#random.below(addresses.length);
    const order = [...addresses.slice(first), ...addresses.slice(0, first)];
    return this.#resources.use(connect(order, CLIENT_OPTIONS));
  }

  #pinned(address: string): PinnedCaller {
    return this.#resources.use(new PinnedCaller(address));
  }

  #own(): Random {
    return new Random(this.#random.below(2 ** 31));
  }

  #mountDisk(): SmallDisk | undefined {
    if (!this.#options.faults.includes('disk')) return undefined;
    try {
      return this.#resources.use(new SmallDisk(SMALL_DISK_MIB));
    } catch (error) {
      if (!(error instanceof CannotMountError)) throw error;
      this.#leftOut.push(`disk: ${error.message}`);
      return undefined;
    }
  }
}
