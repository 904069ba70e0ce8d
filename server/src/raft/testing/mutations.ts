/**
 * Each breaks one rule that Raft's safety rests on, to show that random runs notice. A rule that can be broken unnoticed
 * is a rule that is not tested.
 */
import { EntryKind, NO_NODE } from '../entry.ts';
import type { RaftLog } from '../log.ts';
import { reachedByMajority, tally } from '../quorum.ts';
import type { RaftState } from '../state.ts';
import type { Mutation } from './replica.ts';
import type { Temper } from './temper.ts';

/** Replaces a method or getter of one object, private state behind it included. */
function override<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): void {
  Object.defineProperty(object, key, { value, configurable: true });
}

function overrideGetter<T extends object, K extends keyof T>(object: T, key: K, get: () => T[K]): void {
  Object.defineProperty(object, key, { get, configurable: true });
}

/** Calls `change` on every leadership that comes to be. */
function onLeadership(
  state: RaftState,
  change: (leadership: NonNullable<RaftState['leadership']>) => void,
): void {
  const original = state.becomeLeader.bind(state);
  override(state, 'becomeLeader', () => {
    const leadership = original();
    change(leadership);
    return leadership;
  });
}

function commitAnyTerm(log: RaftLog): void {
  override(log, 'commitByCounting', (index) => {
    if (index <= log.committed) return false;
    log.commitTo(index);
    return true;
  });
}

/** Leaders come and go, nodes crash and return. */
const UNSTABLE: Partial<Temper> = {
  disk: 170,
  elections: 5,
  crashes: 12,
  restarts: 30,
  cuts: 0,
  churn: 0,
  stalls: 0,
};
/** The same, with slow disks. */
const SLOW_DISKS: Partial<Temper> = {
  disk: 40,
  elections: 10,
  crashes: 20,
  restarts: 80,
  cuts: 0,
  churn: 0,
  stalls: 3,
  healing: 3,
};
/** Leaders come and go, the network breaks, everybody is up. */
const CONTESTED: Partial<Temper> = {
  disk: 170,
  elections: 40,
  crashes: 0,
  cuts: 4,
  healing: 3,
  churn: 0,
  stalls: 0,
};
const CHURNING: Partial<Temper> = {
  churn: 80,
  elections: 20,
  applying: 10,
  crashes: 1,
  restarts: 20,
  stalls: 0,
};
/** Nobody is up for long, and disks are slow: who leads alone often loses the term. */
const SHORT_LIVES: Partial<Temper> = {
  disk: 10,
  elections: 30,
  crashes: 20,
  restarts: 40,
  cuts: 0,
  churn: 0,
  stalls: 0,
};

export interface RaftMutation {
  /** What holds, and is broken. */
  readonly rule: string;
  readonly mutation: Mutation;
  /** Makes situations common in which the rule matters. */
  readonly temper?: Partial<Temper> | undefined;
}

const RULES: readonly (readonly [rule: string, mutation: Mutation, temper?: Partial<Temper>])[] = [
  ['an entry of an older term is not committed by counting', (state) => commitAnyTerm(state.log), UNSTABLE],
  [
    'the leader counts its own entry only once it is durable',
    (state) =>
      onLeadership(state, ({ tracker }) => {
        Object.defineProperty(tracker.self, 'match', { get: () => state.log.lastIndex, set: () => {} });
      }),
  ],
  [
    'a late completion makes no replaced entry durable',
    (state) => {
      const { log } = state;
      let durable = log.persisted;
      const complete = log.completeWrite.bind(log);
      override(log, 'completeWrite', (index, term) => {
        durable = Math.max(durable, index);
        complete(index, term);
      });
      overrideGetter(log, 'persisted', () => Math.min(durable, log.lastIndex));
    },
    CONTESTED,
  ],
  [
    'a vote outlives a restart',
    (state) => {
      state.vote = NO_NODE;
    },
    UNSTABLE,
  ],
  [
    'a vote request waits until the term and the log it speaks of are durable',
    (state) => {
      const original = state.sendAfterPersist.bind(state);
      override(state, 'sendAfterPersist', (message) =>
        message.type === 'vote' ? void state.messages.push(message) : original(message),
      );
    },
    SLOW_DISKS,
  ],
  [
    'a vote, or an acknowledged entry, is durable before it is said',
    (state) => override(state, 'sendAfterPersist', (message) => void state.messages.push(message)),
  ],
  [
    'a leader elected alone is silent until its term is durable',
    (state) => override(state, 'maySpeak', () => true),
    SHORT_LIVES,
  ],
  ['one vote a term', (state) => override(state, 'mayVoteFor', () => true)],
  ['a candidate must be up to date', (state) => override(state.log, 'isUpToDate', () => true)],
  [
    'entries follow an entry that matches',
    (state) => {
      const { log } = state;
      override(log, 'matches', (index, term) => index <= log.lastIndex && term >= 0);
    },
  ],
  [
    'a late append does not cut off what a newer one brought',
    (state) => {
      const { log } = state;
      override(log, 'merge', (entries) => {
        if (entries.length === 0) return;
        log.replaceFrom(entries[0]!.index);
        for (const entry of entries) log.append(entry);
      });
    },
  ],
  [
    'both majorities of a joint configuration decide',
    (state) => {
      override(state, 'electionResult', () => tally(state.configuration.voters, state.votes));
      onLeadership(state, ({ tracker }) => {
        override(tracker, 'agreedIndex', () =>
          reachedByMajority(state.configuration.voters.map((id) => tracker.get(id)!.match)),
        );
      });
    },
  ],
  [
    'no second membership change before the first is applied',
    (state) =>
      onLeadership(state, (leadership) => {
        Object.defineProperty(leadership, 'pendingConfigurationIndex', { get: () => 0, set: () => {} });
      }),
    CHURNING,
  ],
  [
    'reads wait for the first commit of the term',
    (state) => override(state, 'hasCommittedInTerm', () => true),
  ],
  [
    'reads wait for a majority',
    (state) =>
      onLeadership(state, ({ tracker }) => {
        override(tracker, 'isSoleVoter', () => true);
      }),
  ],
  [
    'a leader rests only once every member has everything',
    (state) => onLeadership(state, ({ tracker }) => override(tracker, 'haveAll', () => true)),
  ],
  [
    'nobody campaigns with a committed configuration unapplied',
    (state) => {
      const { log } = state;
      const original = log.unappliedFrom.bind(log);
      override(log, 'unappliedFrom', (from, maxBytes) =>
        original(from, maxBytes).map((entry) => ({ ...entry, kind: EntryKind.NORMAL })),
      );
    },
    CHURNING,
  ],
];

export const raftMutations: readonly RaftMutation[] = RULES.map(([rule, mutation, temper]) => ({
  rule,
  mutation,
  temper,
}));
