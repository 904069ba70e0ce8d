/**
 * This node's own entry in the control state: the first node founds the cluster, and every node says where it is now and
 * what it applies. The level of the cluster follows from that.
 */
import type { Logger } from '../observe/logger.ts';
import type { ControlView } from '../state/control/control-machine.ts';
import type { MemberView } from '../state/control/member.ts';
import { LEVEL } from '../state/level.ts';
import type { ControlProposals } from './control/control-proposals.ts';
import type { Directory } from './directory.ts';
import type { Identity } from './identity.ts';

/** What may change of a member from one start to the next. */
interface Facts {
  readonly address: string;
  readonly hostLabel: string;
  readonly version: string;
  readonly level: number;
}

export interface RegistrationParts {
  readonly identity: Identity;
  readonly address: string;
  readonly hostLabel: string | undefined;
  readonly version: string;
  /** Replicas of each group, which the founding node asks for. */
  readonly replication: number;
  readonly directory: Directory;
  readonly proposals: ControlProposals;
  /** This node's replica of the control group. */
  readonly controlGroup: () => { readonly isLeader: boolean } | undefined;
  readonly logger: Logger;
}

export class Registration {
  readonly #parts: RegistrationParts;
  readonly #facts: Facts;
  /** A change that this node asked for is under way. */
  #asking = false;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
    const { address, hostLabel, version } = parts;
    this.#facts = { address, hostLabel: hostLabel ?? '', version, level: LEVEL };
  }

  /** Asks for what is not so yet. To be called again until it is, which costs nothing once it is. */
  run(): void {
    const asked = this.#asking ? undefined : this.#ask();
    if (asked === undefined) return;
    this.#asking = true;
    asked
      .catch((error: unknown) =>
        this.#parts.logger.debug({ err: error }, 'the control group did not take a change yet'),
      )
      .finally(() => {
        this.#asking = false;
      });
  }

  #ask(): Promise<unknown> | undefined {
    const { identity, replication, directory, proposals, controlGroup } = this.#parts;
    const replica = controlGroup();
    if (replica === undefined) return undefined;
    if (directory.control.cluster === undefined) {
      if (!replica.isLeader) return undefined;
      return proposals.found({
        clusterId: identity.clusterId,
        node: { nodeId: identity.nodeId, ...this.#facts },
        nonce: Buffer.from(identity.clusterId),
        groups: identity.groups,
        replication,
      });
    }
    const own = directory.control.member(identity.nodeNumber);
    if (own !== undefined && own.standing !== 'left' && !isSame(own, this.#facts)) {
      return proposals.update({ node: identity.nodeNumber, ...this.#facts });
    }
    const level = replica.isLeader ? levelToRaiseTo(directory.control) : undefined;
    return level === undefined ? undefined : proposals.raiseLevel(level);
  }
}

function isSame(member: MemberView, { address, hostLabel, version, level }: Facts): boolean {
  return (
    member.address === address &&
    member.hostLabel === hostLabel &&
    member.version === version &&
    member.level === level
  );
}

/** What all members apply, when that is more than the cluster writes. */
function levelToRaiseTo(control: ControlView): number | undefined {
  const { cluster } = control;
  const levels = control.members().flatMap(({ standing, level }) => (standing === 'left' ? [] : [level]));
  const common = Math.min(...levels);
  return cluster !== undefined && levels.length > 0 && common > cluster.level ? common : undefined;
}
