/** What the control machine asks of the fields of its commands before it changes anything. */
import type { FoundCluster, NodeFacts } from '../../gen/gomsg/internal/v1/control_pb.js';
import { SLOTS } from '../crc16.ts';
import type { Failure } from '../failure.ts';
import { invalid, invalidSettings } from './failures.ts';
import { MAX_DATA_GROUPS, MAX_NONCE_BYTES, MAX_REPLICATION, MAX_TEXT_BYTES } from './limits.ts';

/** What is wrong with a node that wants to found or join; undefined = nothing. */
export function newcomerProblem(facts: NodeFacts | undefined, nonce: Uint8Array): Failure | undefined {
  if (facts === undefined || facts.nodeId === '' || facts.address === '') {
    return invalid('a node joins with an id and an address');
  }
  if (nonce.length === 0 || nonce.length > MAX_NONCE_BYTES) {
    return invalid(`a node joins with a nonce of 1 to ${MAX_NONCE_BYTES} bytes`);
  }
  return factsProblem(facts);
}

/** Texts of a node are short: they stay for good. */
export function factsProblem(
  facts: Partial<Pick<NodeFacts, 'nodeId' | 'address' | 'hostLabel' | 'version'>>,
): Failure | undefined {
  const { nodeId = '', address = '', hostLabel = '', version = '' } = facts;
  for (const [what, value] of Object.entries({ nodeId, address, hostLabel, version })) {
    if (Buffer.byteLength(value) > MAX_TEXT_BYTES) {
      return invalid(`the ${what} of a node has more than ${MAX_TEXT_BYTES} bytes`);
    }
  }
  return undefined;
}

/** Whether the groups own every slot once, in order. */
export function slotsProblem({ groups }: FoundCluster): Failure | undefined {
  if (groups.length === 0 || groups.length > MAX_DATA_GROUPS) {
    return invalid(`a cluster is founded with 1 to ${MAX_DATA_GROUPS} groups, not ${groups.length}`);
  }
  let next = 0;
  for (const { first, last } of groups) {
    if (first !== next || last < first) return invalid(`slot ${next} is not where the next group begins`);
    next = last + 1;
  }
  return next === SLOTS ? undefined : invalid(`the groups own ${next} slots of ${SLOTS}`);
}

export function replicationProblem(replication: number): Failure | undefined {
  if (replication >= 1 && replication <= MAX_REPLICATION) return undefined;
  return invalidSettings('replication', `replication is 1 to ${MAX_REPLICATION}, not ${replication}`);
}
