/** Which nodes are done with leaving. */
import { nodeOf } from '../replica-id.ts';
import type { ClusterPicture, GroupPicture } from './picture.ts';

/** Numbers of the leaving nodes that no group wants or has any more; the control group has learners on every node. */
export function planDepartures({ nodes, groups, control }: ClusterPicture): number[] {
  const leaving = nodes.filter(({ standing }) => standing === 'leaving').map(({ node }) => node);
  if (leaving.length === 0) return [];
  const needed = new Set<number>();
  for (const group of groups) {
    // What a group without a leader has cannot be known; one that is not settled may need whom it has left out.
    if (!group.report?.settled) return [];
    for (const replica of [...replicasOf(group), ...group.report.learners]) needed.add(nodeOf(replica));
  }
  if (!control.report?.settled) return [];
  for (const replica of replicasOf(control)) needed.add(nodeOf(replica));
  return leaving.filter((node) => !needed.has(node)).sort((a, b) => a - b);
}

function replicasOf({ desired, report }: GroupPicture): readonly number[] {
  return [...desired, ...(report?.voters ?? []), ...(report?.votersOutgoing ?? [])];
}
