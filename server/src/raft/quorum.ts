/** Majorities, single and joint (paper §5, thesis §4.3). Pure functions. */

export type VoteResult = 'won' | 'lost' | 'pending';

/**
 * The largest value that a majority has reached, e.g. the highest index that a majority holds. Sorts `values` in
 * place. An empty list agrees to everything, so that the empty half of a configuration that is not joint never binds.
 */
export function reachedByMajority(values: number[]): number {
  const count = values.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  if (count === 1) return values[0]!;
  values.sort(ascending);
  return values[count - majority(count)]!;
}

/** Fewest members that are more than half of `count`. */
export function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

/** The outcome of an election among one list of voters; an empty list is won. */
export function tally(voters: readonly number[], votes: ReadonlyMap<number, boolean>): VoteResult {
  if (voters.length === 0) return 'won';
  let granted = 0;
  let rejected = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted++;
    else if (vote === false) rejected++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return 'won';
  return voters.length - rejected < needed ? 'lost' : 'pending';
}

/** Both majorities of a joint configuration must agree. */
export function bothResults(incoming: VoteResult, outgoing: VoteResult): VoteResult {
  if (incoming === outgoing) return incoming;
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending';
}

function ascending(a: number, b: number): number {
  return a - b;
}
