/**
 * The next step from the replicas that a group has to those that it should have: decided by the group's leader alone,
 * again and again, from what is true at that moment. So no step depends on an earlier one having succeeded, and a new
 * leader goes on where the old one was.
 *
 * Replicas come in as learners, catch up, and become voters in one joint change with the removal of those that go
 * (thesis §4.3): at no moment does the group depend on a replica that has nothing yet, or on fewer voters than before.
 */
import { type Configuration, isJoint, type MemberChange } from '../raft/index.ts';
import type { DesiredReplicas } from '../state/control/group-placement.ts';

export type Step =
  | { readonly kind: 'change'; readonly changes: readonly MemberChange[] }
  /** The leader is not to stay: another voter must lead before it goes. */
  | { readonly kind: 'transfer'; readonly to: number };

export interface GroupPicture {
  /** The leader's own replica. */
  readonly self: number;
  readonly configuration: Configuration;
  /** Whether a member has nearly the whole log and answers. */
  readonly isCaughtUp: (replicaId: number) => boolean;
  /**
   * Whether the node of a member takes the lead, as far as it has said. One that does not (its disk is full) would let
   * every handover run out of time, and no writes go on meanwhile.
   */
  readonly mayLead: (replicaId: number) => boolean;
}

/** Undefined when there is nothing to do, or nothing that can be done yet. */
export function nextStep(
  { self, configuration, isCaughtUp, mayLead }: GroupPicture,
  desired: DesiredReplicas,
): Step | undefined {
  // On its way from one membership to the next; the core leaves by itself.
  if (isJoint(configuration)) return undefined;
  const voters = new Set(configuration.voters);
  const learners = new Set(configuration.learners);
  const wanted = new Set([...desired.voters, ...desired.learners]);

  const missing = [...wanted].filter((id) => !voters.has(id) && !learners.has(id));
  if (missing.length > 0) return change('add-learner', missing);

  const surplus = [...learners].filter((id) => !wanted.has(id));
  const promoted = desired.voters.filter((id) => learners.has(id));
  const leaving = [...voters].filter((id) => !desired.voters.includes(id));
  if (promoted.length === 0 && leaving.length === 0) {
    return surplus.length > 0 ? change('remove', surplus) : undefined;
  }

  if (!promoted.every(isCaughtUp)) return undefined;
  if (leaving.includes(self)) {
    const heir = desired.voters.find((id) => voters.has(id) && isCaughtUp(id) && mayLead(id));
    if (heir !== undefined) return { kind: 'transfer', to: heir };
    // Nobody who stays votes yet, or none can lead: let those who come in first, with the leader still among them.
    return promoted.length > 0 ? change('add-voter', promoted) : undefined;
  }
  return {
    kind: 'change',
    changes: [
      ...promoted.map((node) => ({ type: 'add-voter' as const, node })),
      ...leaving.map((node) => ({
        type: desired.learners.includes(node) ? ('add-learner' as const) : ('remove' as const),
        node,
      })),
      ...surplus.map((node) => ({ type: 'remove' as const, node })),
    ],
  };
}

function change(type: MemberChange['type'], nodes: readonly number[]): Step {
  return { kind: 'change', changes: nodes.map((node) => ({ type, node })) };
}
