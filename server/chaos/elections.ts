/** Who leads the groups, looked at all the time: how many terms began, and when leadership moved. */
import { monotonicTime_us } from '../src/testing/histories/history.ts';
import type { ChaosCluster, ChaosNode } from './chaos-cluster.ts';
import type { Timeline } from './timeline.ts';

const LOOK_MS = 200;

interface Group {
  firstTerm: bigint;
  term: bigint;
  leader: string;
}

export class Elections {
  readonly #cluster: ChaosCluster;
  readonly #timeline: Timeline;
  readonly #groups = new Map<number, Group>();
  /** Leaders that were seen to be others than before. */
  changes = 0;

  constructor(cluster: ChaosCluster, timeline: Timeline) {
    this.#cluster = cluster;
    this.#timeline = timeline;
  }

  /** Terms that began since the first look, over all groups. */
  get terms(): number {
    return [...this.#groups.values()].reduce((sum, { firstTerm, term }) => sum + Number(term - firstTerm), 0);
  }

  async watch(stop: AbortSignal): Promise<void> {
    await Promise.all(this.#cluster.nodes.map((node) => this.#watchNode(node, stop)));
  }

  async #watchNode(node: ChaosNode, stop: AbortSignal): Promise<void> {
    let before_us = monotonicTime_us();
    while (!stop.aborted) {
      const now_us = monotonicTime_us();
      if (node.state === 'up') {
        try {
          const { groups } = await node.status();
          for (const { group, term, leaderNodeId } of groups)
            this.#take(group, term, leaderNodeId, before_us);
          before_us = now_us;
        } catch {
          // It has other things to do; the next look sees what this one missed.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  #take(group: number, term: bigint, leader: string, since_us: number): void {
    const known = this.#groups.get(group);
    if (known === undefined) {
      this.#groups.set(group, { firstTerm: term, term, leader });
      return;
    }
    if (term < known.term || leader === '') return;
    known.term = term;
    if (leader === known.leader) return;
    known.leader = leader;
    this.changes++;
    this.#timeline.seen(`group ${group} is led by ${leader} in term ${term}`, since_us);
  }
}
