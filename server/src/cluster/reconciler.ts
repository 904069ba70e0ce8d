/**
 * Moves the groups that this node leads towards the replicas that they are to have, and lets go of replicas that are not
 * to be here any more. Looks at everything anew each time, so it may be asked as often as anybody likes.
 */
import { type Configuration, type ConfigurationChange, members } from '../raft/index.ts';
import type { GroupPlacementView } from '../state/control/group-placement.ts';
import { nextStep } from './reconcile.ts';
import { nodeOf } from './replica-id.ts';
import type { LedGroup } from './reports.ts';

/** A replica of this node. */
export interface Replica {
  readonly id: number;
  readonly replicaId: number;
  readonly isLeader: boolean;
  readonly configuration: Configuration;
  progress(): readonly { readonly replicaId: number; readonly caughtUp: boolean; readonly active: boolean }[];
  /** @throws when the group takes no change just now */
  changeMembers(change: ConfigurationChange): void;
  /** @throws when the group cannot hand over just now */
  transferLeadership(to: number): void;
}

export interface ReconcilerParts {
  readonly replicas: () => readonly Replica[];
  /** Undefined while the control state does not know the group. */
  readonly placement: (group: number) => GroupPlacementView | undefined;
  /** Whether a replica was given to its node, as far as the control state is applied here. Also of a node that has left. */
  readonly wasGiven: (group: number, replicaId: number) => boolean;
  /** What the leader of a group says of it, whoever that is. */
  readonly report: (group: number) => LedGroup | undefined;
  /** Whether a node takes the lead of a group, as far as it has said. */
  readonly mayLead: (node: number) => boolean;
  /** Removes a replica of this node with its data, for good. */
  readonly destroy: (group: number, replicaId: number) => void;
  /** A step was refused: the next look tries again. */
  readonly onRefused: (group: number, error: unknown) => void;
}

export class Reconciler {
  readonly #parts: ReconcilerParts;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /** Takes the next step of every group that has one. */
  run(): void {
    for (const replica of [...this.#parts.replicas()]) {
      const placement = this.#parts.placement(replica.id);
      if (placement === undefined) continue;
      if (replica.isLeader) this.#lead(replica, placement);
      else if (this.#isSuperfluous(replica, placement)) this.#parts.destroy(replica.id, replica.replicaId);
    }
  }

  /** Hands over every group that another caught-up voter can lead. */
  resignAll(): void {
    for (const replica of this.#parts.replicas()) {
      if (!replica.isLeader) continue;
      const heir = heirOf(replica, this.#parts.mayLead);
      if (heir !== undefined) this.#try(replica.id, () => replica.transferLeadership(heir));
    }
  }

  #lead(replica: Replica, placement: GroupPlacementView): void {
    // It would take the group back to where it was to be once: a node that starts again has yet to apply the newest.
    if (!members(replica.configuration).every((id) => this.#parts.wasGiven(replica.id, id))) return;
    const caughtUp = new Set(
      replica
        .progress()
        .filter((member) => member.caughtUp && member.active)
        .map((member) => member.replicaId),
    );
    const picture = {
      self: replica.replicaId,
      configuration: replica.configuration,
      isCaughtUp: (id: number) => caughtUp.has(id),
      mayLead: (id: number) => this.#parts.mayLead(nodeOf(id)),
    };
    const step = nextStep(picture, placement.desired);
    if (step?.kind === 'change') {
      const { changes } = step;
      this.#try(replica.id, () =>
        replica.changeMembers({ kind: 'change', changes, transition: 'automatic' }),
      );
    } else if (step?.kind === 'transfer') {
      this.#try(replica.id, () => replica.transferLeadership(step.to));
    } else this.#giveToPreferred(replica, placement.preferredLeader, caughtUp);
  }

  #giveToPreferred(replica: Replica, preferred: number | undefined, caughtUp: ReadonlySet<number>): void {
    if (preferred === undefined || preferred === nodeOf(replica.replicaId)) return;
    if (!this.#parts.mayLead(preferred)) return;
    const to = replica.configuration.voters.find((id) => nodeOf(id) === preferred);
    if (to !== undefined && caughtUp.has(to)) this.#try(replica.id, () => replica.transferLeadership(to));
  }

  /**
   * Not to be here, and the group goes on without it: its leader says that it is no member, and that a majority knows so.
   * Until then its vote may be needed, or what it tells those that ask for votes.
   *
   * A replica that was never given, by what this node has applied of the control state, is newer than that: a node that
   * joins applies all that ever was, and what it then reads of the past is no reason to remove anything. The report may be
   * as old, and the id would never come back.
   */
  #isSuperfluous({ id, replicaId }: Replica, { desired }: GroupPlacementView): boolean {
    if (desired.voters.includes(replicaId) || desired.learners.includes(replicaId)) return false;
    if (!this.#parts.wasGiven(id, replicaId)) return false;
    const report = this.#parts.report(id);
    if (report === undefined || !report.settled) return false;
    return ![...report.voters, ...report.votersOutgoing, ...report.learners].includes(BigInt(replicaId));
  }

  #try(group: number, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#parts.onRefused(group, error);
    }
  }
}

function heirOf(replica: Replica, mayLead: (node: number) => boolean): number | undefined {
  return replica
    .progress()
    .find(
      ({ replicaId, caughtUp, active }) =>
        replicaId !== replica.replicaId &&
        caughtUp &&
        active &&
        mayLead(nodeOf(replicaId)) &&
        replica.configuration.voters.includes(replicaId),
    )?.replicaId;
}
