/** Each node of a cluster is killed under load, one after the other: how long those stand still whose leader it was. */
import { KVService } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { PipelineClient } from '@gomsg/client/pipeline';
import type { BenchCluster, BenchNode } from './cluster.ts';

/** What one kill did. */
export interface Kill {
  readonly nodeId: string;
  /** Groups that it led, as it was killed; the control group counts. */
  readonly leaders: number;
  /**
   * Longest time around the kill in which a lane got no answer, of each lane whose key the node led. Not from the kill on:
   * answers that were on their way then still come in.
   */
  readonly silent_ms: readonly number[];
  /** Increments that failed, of all lanes: the client repeats what it may, within the time of a call. */
  readonly failures: number;
}

const LANES = 64;
/** Load before and after each kill. */
const BEFORE_MS = 1_000;
/** A call, and the wait for the lanes to go on, end after this long. */
const GIVE_UP_MS = 20_000;
const LOOK_MS = 10;

/** Calls `onKill` with what each kill of these nodes did. The cluster is whole and balanced before each, and at the end. */
export async function killEachInTurn(
  cluster: BenchCluster,
  nodes: readonly BenchNode[],
  onKill: (kill: Kill) => void,
): Promise<void> {
  for (const node of nodes) {
    await cluster.balanced();
    onKill(await killOne(cluster, node));
    await cluster.restart(node);
  }
  await cluster.balanced();
}

async function killOne(cluster: BenchCluster, node: BenchNode): Promise<Kill> {
  const client = new PipelineClient({ addresses: cluster.addresses, routing: true });
  const lanes = Array.from({ length: LANES }, (_, i) => new Lane(client, `failover:${i}`));
  const stop = new AbortController();
  const running = Promise.all(lanes.map((lane) => lane.run(stop.signal)));
  try {
    const ledByNode = () => lanes.filter(({ key }) => client.addressesFor(key)[0] === node.address);
    const began_ms = performance.now();
    await pause(BEFORE_MS);
    // The client may not have heard yet who leads.
    while (ledByNode().length === 0 && performance.now() - began_ms < GIVE_UP_MS) await pause(LOOK_MS);
    const { groups } = await cluster.status();
    const leaders = groups.filter(({ leaderNodeId }) => leaderNodeId === node.nodeId).length;
    const orphaned = ledByNode();
    const killedAt_ms = performance.now();
    await node.process.kill();
    const hasGoneOn = (lane: Lane) => lane.lastBegunAndAnswered_ms > killedAt_ms;
    while (!lanes.every(hasGoneOn) && performance.now() - killedAt_ms < GIVE_UP_MS) await pause(LOOK_MS);
    return {
      nodeId: node.nodeId,
      leaders,
      silent_ms: orphaned.map((lane) => lane.longestSilence(killedAt_ms)),
      failures: lanes.reduce((total, { failures }) => total + failures, 0),
    };
  } finally {
    stop.abort();
    await running;
    await client.close();
  }
}

/** One increment after the other of one key. */
class Lane {
  readonly key: string;
  failures = 0;
  /** When the newest call that was answered was made. */
  lastBegunAndAnswered_ms = 0;
  readonly #client: PipelineClient;
  /** When answers came, the newest ones last. */
  readonly #answers_ms: number[] = [];

  constructor(client: PipelineClient, key: string) {
    this.#client = client;
    this.key = key;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const began_ms = performance.now();
      try {
        await this.#client.call(
          KVService.method.increment,
          { key: this.key, delta: 1n },
          { timeout_ms: GIVE_UP_MS },
        );
        this.lastBegunAndAnswered_ms = began_ms;
        this.#answers_ms.push(performance.now());
      } catch {
        this.failures++;
        await pause(LOOK_MS); // A client that refuses at once is not to be asked without end.
      }
    }
  }

  /** The longest time between two answers, of which the later came after `since_ms`. */
  longestSilence(since_ms: number): number {
    const now_ms = performance.now();
    let longest_ms = now_ms - (this.#answers_ms.at(-1) ?? since_ms);
    for (const [index, answered_ms] of this.#answers_ms.entries()) {
      if (index === 0 || answered_ms <= since_ms) continue;
      longest_ms = Math.max(longest_ms, answered_ms - this.#answers_ms[index - 1]!);
    }
    return longest_ms;
  }
}

function pause(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms));
}
