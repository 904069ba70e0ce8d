/**
 * `npm run bench -- --failover --sdk all --fault kill`: three real nodes, of which one after the other fails and comes back,
 * while programs of the SDKs work on them: how long they wait, and that nothing is lost or done twice.
 */
import { writeFileSync } from 'node:fs';
import { BenchCluster } from '../cluster/cluster.ts';
import { environment } from '../load/environment.ts';
import type { BenchOptions } from '../load/options.ts';
import { header } from '../load/report.ts';
import { build, type ClientProgram, ClientProgramError, FAILOVER_PROGRAMS } from '../sdks/programs.ts';
import { FAULTS, type Faults, LaneTally } from './lane-tally.ts';
import { type Injury, injury, type NodeFault } from './node-fault.ts';
import { RunningProgram } from './program.ts';
import { phaseText, TITLES, verdictText } from './report.ts';
import { makeRoom, Names, readBack } from './stored.ts';
import { type Phase, Waits } from './waits.ts';

const NODES = 3;
/** Between two calls of a lane that make work: busy enough to notice a wait, idle enough for a shared machine. */
const PAUSE_MS = 50;
/** For how long a program works undisturbed first. */
const STEADY_MS = 1_000;
/** How long lanes may take to go on, and to drain at the end: after that the run has failed. */
const RECOVERY_MS = 60_000;
const LOOK_MS = 20;

export interface FailoverResult {
  readonly sdk: string;
  readonly fault: NodeFault;
  readonly phases: readonly Phase[];
  /** Acknowledged. */
  readonly increments: number;
  readonly pushes: number;
  readonly settled: number;
  readonly publishes: number;
  readonly faults: Faults;
}

/** False when something was lost or done twice. */
export async function failover(options: BenchOptions, print: (line: string) => void): Promise<boolean> {
  const programs = FAILOVER_PROGRAMS.filter(
    ({ sdk }) => options.sdks.length === 0 || options.sdks.includes(sdk),
  );
  for (const program of programs) build(program);
  await using cluster = await BenchCluster.start(options, NODES);
  const { what } = cluster;
  const { fsync, seconds } = options;
  print(header(environment(options.dataDir), { what, fsync, seconds, nodes: NODES }));
  print(`\nLongest time in which some of ${options.lanes} lanes had no success, in seconds\n\n${TITLES}`);
  const results: FailoverResult[] = [];
  const injuring = injury(options.fault, cluster);
  for (const program of programs) {
    const result = await run(cluster, program, injuring, options);
    results.push(result);
    for (const phase of result.phases) print(phaseText(result.sdk, phase, injuring.target_ms));
  }
  print('');
  for (const result of results) print(verdictText(result));
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ failover: results }, null, 2)}\n`);
  }
  return results.every(({ faults }) => FAULTS.every((fault) => faults[fault] === 0));
}

async function run(
  cluster: BenchCluster,
  program: ClientProgram,
  { done, hold_ms, inject, heal }: Injury,
  { fault, lanes, rounds }: BenchOptions,
): Promise<FailoverResult> {
  const { sdk } = program;
  const names = new Names(sdk);
  const { addresses } = cluster;
  await makeRoom(addresses, names, lanes);
  const tallies = Array.from({ length: lanes }, (_, lane) => new LaneTally(lane));
  const waits = new Waits(lanes);
  await using running = new RunningProgram(program, {
    addresses,
    name: sdk,
    lanes,
    pause_ms: PAUSE_MS,
    onEvent: (event) => {
      waits.take(event);
      tallies[event.lane]?.take(event);
    },
  });
  const isDone = (what: string, left: Left) => Promise.race([running.broken, until(`${sdk}: ${what}`, left)]);
  await isDone('every lane begins', () => waits.missing());
  await pause(STEADY_MS);
  for (let round = 0; round < rounds; round += 1) {
    const node = cluster.nodes[round % cluster.nodes.length]!;
    waits.begin(`${node.nodeId} ${done}`);
    const injuredAt_ms = performance.now();
    await inject(node);
    await isDone(`every lane goes on without ${node.nodeId}`, () => waits.missing());
    await pause(Math.max(0, injuredAt_ms + hold_ms - performance.now()));
    waits.begin(`${node.nodeId} back`);
    await heal(node);
    await cluster.balanced();
    await isDone(`every lane goes on with ${node.nodeId}`, () => waits.missing());
  }
  running.stopProducing();
  await isDone('every lane stops', () => (running.isStopped ? [] : ['its last calls']));
  await isDone('everything is settled and read', async () => {
    const stored = await readBack(addresses, names, lanes);
    return tallies.flatMap((tally, lane) => (tally.isDrained(stored[lane]!) ? [] : [`lane ${lane}`]));
  }).catch((error: unknown) => {
    // What is missing at the end is lost, and counted as such.
    if (!(error instanceof NotDoneError)) throw error;
  });
  await running.end();
  const stored = await readBack(addresses, names, lanes);
  const all = tallies.map((tally, lane) => tally.faults(stored[lane]!));
  return {
    sdk,
    fault,
    phases: waits.phases,
    increments: sum(tallies, ({ increments }) => increments),
    pushes: sum(tallies, ({ pushes }) => pushes),
    settled: sum(tallies, ({ settled }) => settled),
    publishes: sum(tallies, ({ publishes }) => publishes),
    faults: Object.fromEntries(FAULTS.map((fault) => [fault, sum(all, (faults) => faults[fault])])) as Faults,
  };
}

/** Something did not come about in its time. */
class NotDoneError extends ClientProgramError {}

/** What is missing yet. */
type Left = () => readonly string[] | Promise<readonly string[]>;

/** @throws NotDoneError */
async function until(what: string, left: Left): Promise<void> {
  const until_ms = performance.now() + RECOVERY_MS;
  for (let missing = await left(); missing.length > 0; missing = await left()) {
    if (performance.now() > until_ms) {
      throw new NotDoneError(`not within ${RECOVERY_MS / 1_000} s: ${what}; left: ${missing.join(', ')}`);
    }
    await pause(LOOK_MS);
  }
}

function pause(wait_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, wait_ms));
}

function sum<T>(items: readonly T[], figure: (item: T) => number): number {
  return items.reduce((total, item) => total + figure(item), 0);
}
