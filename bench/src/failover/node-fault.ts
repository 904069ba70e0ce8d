/** What is done to a node under load, and how it comes back. */
import type { BenchCluster, BenchNode } from '../cluster/cluster.ts';

export const NODE_FAULTS = ['kill', 'pause'] as const;
export type NodeFault = (typeof NODE_FAULTS)[number];

export interface Injury {
  /** What has become of the node, in a word. */
  readonly done: string;
  /** The longest that a lane is to wait. */
  readonly target_ms: number;
  /** At least so long the node stays as it is; longer while some lane has not gone on without it. */
  readonly hold_ms: number;
  inject(node: BenchNode): Promise<void>;
  heal(node: BenchNode): Promise<void>;
}

export function injury(fault: NodeFault, cluster: BenchCluster): Injury {
  return fault === 'kill' ? killed(cluster) : STOPPED;
}

/** The connections end with the process: clients are told. */
function killed(cluster: BenchCluster): Injury {
  return {
    done: 'killed',
    target_ms: 2_000,
    hold_ms: 0,
    inject: ({ process }) => process.kill(),
    heal: (node) => cluster.restart(node),
  };
}

/**
 * Nothing moves, and nobody is told, as when a machine loses its power or its network. It goes on where it stood, and does
 * not know that others lead by then. Clients notice within 5 s.
 */
const STOPPED: Injury = {
  done: 'stopped',
  target_ms: 7_000,
  hold_ms: 8_000,
  inject: async ({ process }) => process.pause(),
  heal: async ({ process }) => process.resume(),
};
