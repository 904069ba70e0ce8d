/** How far the members of a group are, for who decides on its membership. */
import { members, type ProgressState, type RaftStatus } from '../raft/index.ts';

export interface MemberProgress {
  readonly replicaId: number;
  readonly learner: boolean;
  /** Heard from lately. */
  readonly active: boolean;
  /** How the leader feeds it; of the leader itself `replicate`. */
  readonly state: ProgressState;
  /** Highest index known to be durable there. */
  readonly matchIndex: number;
  /** Gets entries as they come, and lacks few of them: as a voter it would hold nobody up. */
  readonly caughtUp: boolean;
}

/** Entries that a member may lack and still count as caught up: what a busy group has under way. */
const CAUGHT_UP_LAG_ENTRIES = 1024;

/** Every member, ascending by id. `status`: that of the leader. */
export function progressOf(status: RaftStatus): readonly MemberProgress[] {
  const { id, persisted, lastIndex, configuration, peers } = status;
  const learners = new Set(configuration.learners);
  return members(configuration).map((replicaId): MemberProgress => {
    const learner = learners.has(replicaId);
    if (replicaId === id) {
      return { replicaId, learner, active: true, state: 'replicate', matchIndex: persisted, caughtUp: true };
    }
    const peer = peers.find((one) => one.id === replicaId);
    const matchIndex = peer?.match ?? 0;
    const state = peer?.state ?? 'probe';
    const active = peer?.recentlyActive ?? false;
    const caughtUp = state === 'replicate' && lastIndex - matchIndex <= CAUGHT_UP_LAG_ENTRIES;
    return { replicaId, learner, active, state, matchIndex, caughtUp };
  });
}
