/** What a member answers to a node that asks to join: the leader of the control group admits it, the others point there. */
import type { Logger } from '../observe/logger.ts';
import { ErrorReason, GomsgError } from '../services/errors.ts';
import type { ControlProposals } from './control/control-proposals.ts';
import type { Directory } from './directory.ts';
import type { Identity } from './identity.ts';
import type { JoinAnswer, JoinRefusal, JoinRequest } from './links/join.ts';

export interface AdmittingParts {
  readonly identity: Identity;
  readonly directory: Directory;
  readonly proposals: ControlProposals;
  /** Number of the node that leads the control group. */
  readonly controlLeader: () => number | undefined;
  readonly logger: Logger;
}

export async function admitNode(request: JoinRequest, parts: AdmittingParts): Promise<JoinAnswer> {
  const { identity, directory, proposals, logger } = parts;
  const leader = parts.controlLeader();
  const at = leader === undefined ? undefined : directory.locate(leader);
  if (directory.control.cluster === undefined || at === undefined) {
    const message = 'nobody leads the cluster just now; ask again';
    return { kind: 'refused', reason: 'unavailable', message };
  }
  if (leader !== identity.nodeNumber) return { kind: 'ask', ...at };
  const { nodeId, address, hostLabel, version, level, token } = request;
  try {
    const { node, clusterId } = await proposals.admit(
      { nodeId, address, hostLabel: hostLabel ?? '', version, level },
      Buffer.from(token),
    );
    logger.info({ node: nodeId, address }, 'a node joins the cluster');
    const { groups } = identity;
    const admission = { clusterId, nodeNumber: node, groups, members: directory.members() };
    return { kind: 'admitted', admission };
  } catch (error) {
    if (!(error instanceof GomsgError)) throw error;
    return { kind: 'refused', reason: refusalFor(error.reason), message: error.message };
  }
}

function refusalFor(reason: ErrorReason): JoinRefusal {
  if (reason === ErrorReason.ALREADY_EXISTS) return 'id-in-use';
  return reason === ErrorReason.CONDITION_FAILED ? 'version' : 'unavailable';
}
