/**
 * Raft ids of the replicas of a group: which node a replica lives on, and how often the group came to that node.
 *
 * A replica that was destroyed has forgotten what it voted and acknowledged, so the group must not take a new one on
 * the same node for the old one: Raft ids are never reused within a group (thesis §4.4). A higher incarnation makes a
 * new id for the same node.
 */

/** Node numbers are 1 to 65535, given once and never again. */
export const NODE_NUMBER_MAX = 0xffff;

const NODES = NODE_NUMBER_MAX + 1;

/** Incarnations are 0 to this, so that every replica id is a safe integer. */
export const INCARNATION_MAX = Math.floor(Number.MAX_SAFE_INTEGER / NODES) - 1;

/** The replica of any group that lives on node `node` for the `incarnation`th time, counted from 0. @throws RangeError */
export function replicaId(node: number, incarnation: number): number {
  if (!Number.isInteger(node) || node < 1 || node > NODE_NUMBER_MAX) {
    throw new RangeError(`${node} is not a node number: they are 1 to ${NODE_NUMBER_MAX}`);
  }
  if (!Number.isInteger(incarnation) || incarnation < 0 || incarnation > INCARNATION_MAX) {
    throw new RangeError(`${incarnation} is not an incarnation`);
  }
  return node + NODES * incarnation;
}

/** Number of the node that a replica lives on. */
export function nodeOf(replica: number): number {
  return replica % NODES;
}

/** How often the group had come to that node before. */
export function incarnationOf(replica: number): number {
  return Math.floor(replica / NODES);
}
