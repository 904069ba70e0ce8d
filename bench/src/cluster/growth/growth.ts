/** `npm run bench -- --growth`: a lone node with data becomes a cluster of three, five and three again, under load. */
import { writeFileSync } from 'node:fs';
import { type Client, connect } from '@gomsg/client';
import { environment } from '../../load/environment.ts';
import type { BenchOptions } from '../../load/options.ts';
import { BenchCluster } from '../cluster.ts';
import { Counters } from './counters.ts';
import { Meter, type Verdict, type Work } from './load.ts';
import { Queues } from './queues.ts';
import { growthHeader, stepHead, stepLines, verdictLines } from './report.ts';
import { Streams } from './streams.ts';

/** What one step of the growth did. */
export interface GrowthStep {
  readonly title: string;
  /** Until replicas and leaders were where they belong. */
  readonly settled_s: number;
  /** Calls answered a second, by kind of work: for a while before, while things moved, for a while after. */
  readonly perSecond: Readonly<Record<string, { before: number; during: number; after: number }>>;
  /** Longest time that any lane went without an answer, by kind of work. */
  readonly longestGap_ms: Readonly<Record<string, number>>;
  readonly nodes: readonly NodeShare[];
}

/** What a node has after a step. */
export interface NodeShare {
  readonly nodeId: string;
  readonly replicas: number;
  readonly leaders: number;
}

export interface GrowthResult {
  readonly steps: readonly GrowthStep[];
  readonly failures: Readonly<Record<string, number>>;
  readonly verdicts: readonly Verdict[];
  /** Nothing was lost or doubled. */
  readonly passed: boolean;
}

/** A queue or topic is more than a key: so many keys for each message that is there from the start. */
const KEYS_PER_MESSAGE = 10;

/** How long calls are repeated before they fail: longer than a node takes to start again. */
const CALL_TIMEOUT_S = 30;

type Script = readonly (readonly [title: string, act: (cluster: BenchCluster) => Promise<void>])[];

/** What happens to the lone node, one after the other. */
export const GROWTH_SCRIPT: Script = [
  ['founds a cluster', refound],
  ['two nodes join', joinTwo],
  ['two more join', joinTwo],
  ['the last one leaves', (cluster) => cluster.leave(cluster.nodes.at(-1)!)],
  ['the founder leaves', founderLeaves],
];

export async function growth(
  options: BenchOptions,
  print: (line: string) => void,
  script: Script = GROWTH_SCRIPT,
): Promise<GrowthResult> {
  const { data, groups, seconds } = options;
  print(growthHeader(environment(options.dataDir), options));
  await using cluster = new BenchCluster(options);
  const founder = await cluster.startAlone([`--groups=${groups}`]);
  const messages = Math.ceil(data / KEYS_PER_MESSAGE);
  const works: readonly Work[] = [new Counters(data), new Queues(messages), new Streams(messages)];
  const timeouts = { timeout: CALL_TIMEOUT_S, unreachableTimeout: CALL_TIMEOUT_S };
  const load = new Load(works, connect(founder.address, timeouts));
  const steps: GrowthStep[] = [];
  try {
    await load.fill();
    load.start();
    const stepper = new Stepper(cluster, load, seconds);
    print(`\n${stepHead()}`);
    for (const [title, act] of script) {
      const step = await stepper.take(title, () => act(cluster));
      steps.push(step);
      print(stepLines(step));
    }
  } finally {
    await load.stop();
  }
  // Another client, which knows nothing but the nodes that are left.
  const reader = connect(cluster.addresses, timeouts);
  try {
    const verdicts: Verdict[] = [];
    for (const work of works) verdicts.push(await work.verify(reader));
    const failures = load.failures();
    print(`\n${verdictLines(verdicts, failures)}`);
    const passed = verdicts.every(({ wrong }) => wrong.length === 0);
    const result: GrowthResult = { steps, failures, verdicts, passed };
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
    return result;
  } finally {
    await reader.close();
  }
}

/** Stops the lone node as an operator would, and starts it on its folder as the first of a cluster. */
async function refound(cluster: BenchCluster): Promise<void> {
  const [lone] = cluster.nodes;
  await lone!.process.stop();
  await cluster.bootstrap(lone);
  await cluster.balanced();
}

async function joinTwo(cluster: BenchCluster): Promise<void> {
  await cluster.join();
  await cluster.join();
  await cluster.balanced();
}

async function founderLeaves(cluster: BenchCluster): Promise<void> {
  await cluster.leave(cluster.nodes[0]!);
}

/** All works at once, through one client that only ever knew the first node's address. */
class Load {
  readonly #works: readonly { readonly work: Work; readonly meter: Meter }[];
  readonly #client: Client;
  readonly #stop = new AbortController();
  #lanes: readonly Promise<void>[] = [];

  constructor(works: readonly Work[], client: Client) {
    this.#works = works.map((work) => ({ work, meter: new Meter() }));
    this.#client = client;
  }

  async fill(): Promise<void> {
    for (const { work } of this.#works) await work.fill(this.#client);
  }

  start(): void {
    this.#lanes = this.#works.flatMap(({ work, meter }) =>
      work.lanes(this.#client, this.#stop.signal, meter),
    );
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#lanes);
    await this.#client.close();
  }

  answered(): Record<string, number> {
    return this.#byName(({ answered }) => answered);
  }

  takeLongestGaps_ms(): Record<string, number> {
    return this.#byName((meter) => meter.takeLongestGap_ms());
  }

  /** How often each failure was met, with its kind of work. */
  failures(): Record<string, number> {
    return Object.fromEntries(
      this.#works.flatMap(({ work, meter }) =>
        [...meter.failures].map(([failure, count]) => [`${work.name}: ${failure}`, count] as const),
      ),
    );
  }

  #byName(read: (meter: Meter) => number): Record<string, number> {
    return Object.fromEntries(this.#works.map(({ work, meter }) => [work.name, read(meter)]));
  }
}

class Stepper {
  readonly #cluster: BenchCluster;
  readonly #load: Load;
  readonly #window_ms: number;

  /** @param seconds that are measured before and after each step */
  constructor(cluster: BenchCluster, load: Load, seconds: number) {
    this.#cluster = cluster;
    this.#load = load;
    this.#window_ms = seconds * 1000;
  }

  async take(title: string, act: () => Promise<void>): Promise<GrowthStep> {
    const window = () => new Promise<void>((resolve) => setTimeout(resolve, this.#window_ms));
    const before = await this.#rates(window);
    this.#load.takeLongestGaps_ms();
    const during = await this.#rates(act);
    const longestGap_ms = this.#load.takeLongestGaps_ms();
    const after = await this.#rates(window);
    const perSecond = Object.fromEntries(
      Object.keys(before.perSecond).map((name) => [
        name,
        {
          before: before.perSecond[name]!,
          during: during.perSecond[name]!,
          after: after.perSecond[name]!,
        },
      ]),
    );
    return { title, settled_s: during.seconds, perSecond, longestGap_ms, nodes: await this.#shares() };
  }

  async #rates(act: () => Promise<void>): Promise<{ seconds: number; perSecond: Record<string, number> }> {
    const began_ms = performance.now();
    const before = this.#load.answered();
    await act();
    const seconds = (performance.now() - began_ms) / 1000;
    const perSecond = Object.entries(this.#load.answered()).map(
      ([name, count]) => [name, (count - before[name]!) / seconds] as const,
    );
    return { seconds, perSecond: Object.fromEntries(perSecond) };
  }

  async #shares(): Promise<readonly NodeShare[]> {
    const members = await this.#cluster.members();
    return members.map(({ nodeId, replicas, leaders }) => ({ nodeId, replicas, leaders }));
  }
}
