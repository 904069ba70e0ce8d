/** Which cases a run leaves out, and why. */
import { allSteps, type Case } from '../case.ts';

export interface RunMode {
  /** Nodes of each server. */
  readonly nodes: 1 | 3;
  /** Whether the leader dies in the middle of each case. */
  readonly killsLeader: boolean;
}

/** Why the case is not for such a run; undefined = it is. */
export function skipReason(testCase: Case, { nodes, killsLeader }: RunMode): string | undefined {
  const { server } = testCase;
  if (nodes === 1) return testCase.nodes === 3 ? 'it is about a cluster' : undefined;
  if (testCase.nodes === 1) return 'it is about a lone node';
  if (server === 'scripted') return 'its server is scripted and has no nodes';
  if (!killsLeader) return undefined;
  if (testCase.needsLeader !== undefined) return testCase.needsLeader;
  return [...allSteps(testCase.steps)].some((step) => step.do === 'node')
    ? 'it controls the nodes itself'
    : undefined;
}
