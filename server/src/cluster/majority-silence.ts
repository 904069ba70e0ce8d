/** How long a node has been without a majority of a group's voters, by when it last heard of each. */

/**
 * The silence of the voter that would complete a majority, of those that were heard last. 0 for no voters: nothing is
 * known then.
 *
 * @param voterSets nodes of the voters; while members change, those of both memberships, as each has to agree
 * @param silence_ms for how long nothing was heard of a node; 0 for the node itself
 */
export function majoritySilence_ms(
  voterSets: readonly (readonly number[])[],
  silence_ms: (node: number) => number,
): number {
  let longest_ms = 0;
  for (const voters of voterSets) {
    const silences = voters.map(silence_ms).sort((a, b) => a - b);
    longest_ms = Math.max(longest_ms, silences[silences.length >> 1] ?? 0);
  }
  return longest_ms;
}
