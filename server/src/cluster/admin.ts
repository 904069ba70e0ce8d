/** Changes of the membership that operators ask for, through whichever node they reach. */
import type { ClusterAdmin } from '../services/cluster-service.ts';
import type { UnaryCall } from '../services/decode.ts';
import { ErrorReason, GomsgError } from '../services/errors.ts';
import type { ControlView } from '../state/control/control-machine.ts';
import type { ControlProposals } from './control/control-proposals.ts';
import { timeLeft } from './forwarding.ts';
import type { ForwardedCall } from './links/forwarded-call.ts';
import type { PeerLinks } from './links/peer-links.ts';

export interface AdminParts {
  readonly control: () => ControlView;
  readonly proposals: ControlProposals;
  readonly links: Pick<PeerLinks, 'call'>;
  readonly isUp: (node: number) => boolean;
  /** Asks the node that waits at an address to join the cluster by way of this one. Rejects with `GomsgError`. */
  readonly invite: (nodeId: string, address: string) => Promise<void>;
}

/** The call came from another node already: it is answered here. */
const ASKED_HEADER = 'gomsg-asked';

export class Admin implements ClusterAdmin {
  readonly #parts: AdminParts;

  constructor(parts: AdminParts) {
    this.#parts = parts;
  }

  async join(nodeId: string, address: string): Promise<void> {
    if (this.#parts.control().memberById(nodeId) !== undefined) {
      throw new GomsgError({
        reason: ErrorReason.ALREADY_EXISTS,
        message: `${nodeId} is or was a member, and the id of a node is never used again. If its data folder was lost, take it out ("gomsg cluster leave ${nodeId}") and join with a new id`,
        subject: nodeId,
      });
    }
    await this.#parts.invite(nodeId, address);
  }

  async leave(nodeId: string, fewerReplicas: boolean): Promise<void> {
    const number = this.#parts.control().numberOf(nodeId);
    if (number === undefined) throw notFound(nodeId);
    if (!fewerReplicas) this.#checkHeirs(number, nodeId);
    await this.#parts.proposals.markLeaving(number, !fewerReplicas);
  }

  /**
   * Where too few of the others are up, the move would have to wait for them, with the node neither here nor gone.
   * @throws GomsgError CONDITION_FAILED
   */
  #checkHeirs(number: number, nodeId: string): void {
    const { isUp } = this.#parts;
    const control = this.#parts.control();
    const others = control
      .members()
      .filter((member) => member.number !== number && member.standing === 'active');
    const down = others.filter((member) => !isUp(member.number)).map((member) => member.nodeId);
    const wanted = Math.min(control.cluster?.replication ?? 0, others.length);
    if (down.length === 0 || others.length - down.length >= wanted) return;
    const names = down.join(' and ');
    throw new GomsgError({
      reason: ErrorReason.CONDITION_FAILED,
      message: `without node ${nodeId} ${others.length - down.length} nodes are up to hold ${wanted} replicas of each group: start ${names} again, let another node join first, or ask again with fewer replicas (--fewer-replicas), and the move waits for them`,
      subject: nodeId,
    });
  }

  ask(nodeId: string, { number: method, payload, context, reply }: UnaryCall): void {
    const node = this.#parts.control().numberOf(nodeId);
    if (node === undefined || context.header(ASKED_HEADER) !== undefined) {
      reply.fail(notFound(nodeId));
      return;
    }
    const headers = { [ASKED_HEADER]: 'true' };
    const call: ForwardedCall = { method, payload, timeout_ms: timeLeft(context), headers };
    this.#parts.links.call(node, call, reply);
  }
}

function notFound(nodeId: string): GomsgError {
  return new GomsgError({
    reason: ErrorReason.NODE_NOT_FOUND,
    message: `the cluster has no node ${JSON.stringify(nodeId)}`,
    subject: nodeId,
  });
}
