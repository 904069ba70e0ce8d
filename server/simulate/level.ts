/** The two levels of the simulation, as the program runs them: one seed, one run. */
import {
  type Coverage as GroupCoverage,
  noCoverage as noGroupCoverage,
} from '../src/groups/testing/random-run/coverage.ts';
import { groupMutations } from '../src/groups/testing/random-run/mutations.ts';
import { randomRun } from '../src/groups/testing/random-run/random-run.ts';
import { noCoverage as noRaftCoverage, type Coverage as RaftCoverage } from '../src/raft/testing/coverage.ts';
import { raftMutations } from '../src/raft/testing/mutations.ts';
import { simulate } from '../src/raft/testing/simulation.ts';
import type { Trace } from '../src/raft/testing/trace.ts';

export const LEVELS = ['raft', 'groups'] as const;
export type LevelName = (typeof LEVELS)[number];

/** Counts by name, and the digest of the run. */
export interface RunResult {
  readonly hash: number;
  readonly counts: Readonly<Record<string, number>>;
}

export interface Level {
  readonly title: string;
  /** Seeds that one worker takes at once. */
  readonly batch: number;
  /** Names of what is counted, in their order. */
  readonly counted: readonly string[];
  readonly rules: readonly string[];
  /** Plays a seed, with one rule broken when one is named. */
  run(seed: number, rule?: string, trace?: Trace): Promise<RunResult>;
}

const raft: Level = {
  title: 'raft: consensus cores, with a virtual network and virtual disks',
  batch: 20,
  counted: Object.keys(noRaftCoverage()),
  rules: raftMutations.map(({ rule }) => rule),
  run: async (seed, rule, trace) => {
    const broken = raftMutations.find((one) => one.rule === rule);
    return split<RaftCoverage>(simulate({ seed, mutation: broken?.mutation, temper: broken?.temper, trace }));
  },
};

const groups: Level = {
  title: 'groups: whole hosts, with logs, stores, state machines and sessions',
  batch: 1,
  counted: Object.keys(noGroupCoverage()),
  rules: groupMutations.map(({ rule }) => rule),
  run: async (seed, rule, trace) => {
    const broken = groupMutations.find((one) => one.rule === rule);
    const mend = broken?.install?.();
    try {
      return split<GroupCoverage>(await randomRun({ seed, sabotage: broken?.sabotage, trace }));
    } finally {
      mend?.();
    }
  },
};

export const levels: Readonly<Record<LevelName, Level>> = { raft, groups };

function split<C>({ hash, ...counts }: C & { readonly hash: number }): RunResult {
  return { hash, counts: counts as Record<string, number> };
}
