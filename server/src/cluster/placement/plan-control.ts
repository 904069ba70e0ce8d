/**
 * Which nodes vote in the control group. Every node holds it, so a change copies nothing; and an even number of voters
 * survives no more than the odd one below it, so their number is odd.
 */
import { nodeOf } from '../replica-id.ts';
import { BoardNode, sharing } from './board.ts';
import { defaultPlacementOptions, type PlacementOptions } from './options.ts';
import { type ClusterPicture, hasDesiredVoters, type PlacementChange } from './picture.ts';
import { best } from './repair.ts';

/** Undefined when the voters are as they should be, or cannot be changed now. */
export function planControlVoters(
  picture: ClusterPicture,
  options: PlacementOptions = defaultPlacementOptions,
): PlacementChange | undefined {
  const { group, epoch, desired, report } = picture.control;
  // One change after the other, and none that nobody could carry out.
  if (report === undefined || !hasDesiredVoters(picture.control)) return undefined;

  const nodes = picture.nodes.map((node) => new BoardNode(node, options.downAfter_ms));
  const current = nodes.filter(({ node }) => desired.some((replica) => nodeOf(replica) === node));
  const active = nodes.filter(({ isActive }) => isActive);
  const homes = active.filter((node) => !node.isLost || current.includes(node));
  const wanted = oddUpTo(Math.min(picture.replication, homes.length));
  const leader = nodeOf(report.leader);

  let voters = current.filter((node) => node.isActive && !node.isLost);
  voters = dropSurplus(voters, wanted, leader);
  const candidates = active.filter(
    (node) => node.isTaker && !voters.includes(node) && isCaughtUp(report.caughtUp, node),
  );
  voters = addUpTo(voters, candidates, wanted);
  voters = spread(voters, candidates, leader);
  // Too few without those that are down: they stay until somebody can take over.
  const lost = current.filter((node) => node.isActive && node.isLost);
  voters = [...voters, ...lost.slice(0, wanted - voters.length)];
  // Growth waits for the next odd number; a replacement does not.
  if (voters.length % 2 === 0 && voters.length > current.length) voters = voters.slice(0, -1);

  const isChanged = voters.length !== current.length || voters.some((node) => !current.includes(node));
  const canDecide = 2 * voters.filter(({ isUp }) => isUp).length > voters.length;
  if (!isChanged || !canDecide || voters.length < Math.min(current.length, wanted)) return undefined;
  const gone = current.filter((node) => !voters.includes(node));
  return {
    group,
    expectedEpoch: epoch,
    nodes: voters.map(({ node }) => node).sort((a, b) => a - b),
    reason: gone.some((node) => !node.isActive) ? 'leaving' : gone.length > 0 ? 'down' : 'replication',
  };
}

function oddUpTo(count: number): number {
  return Math.max(1, count % 2 === 0 ? count - 1 : count);
}

function isCaughtUp(caughtUp: readonly number[], { node }: BoardNode): boolean {
  return caughtUp.some((replica) => nodeOf(replica) === node);
}

function dropSurplus(voters: readonly BoardNode[], wanted: number, leader: number): BoardNode[] {
  const kept = [...voters];
  while (kept.length > wanted) {
    const worst = best(
      kept,
      (a, b) =>
        Number(a.isUp) - Number(b.isUp) ||
        sharing(kept, b.label) - sharing(kept, a.label) ||
        Number(a.node === leader) - Number(b.node === leader) ||
        b.node - a.node,
    )!;
    kept.splice(kept.indexOf(worst), 1);
  }
  return kept;
}

function addUpTo(
  voters: readonly BoardNode[],
  candidates: readonly BoardNode[],
  wanted: number,
): BoardNode[] {
  const grown = [...voters];
  while (grown.length < wanted) {
    const next = best(
      candidates.filter((node) => !grown.includes(node)),
      (a, b) => sharing(grown, a.label) - sharing(grown, b.label) || a.node - b.node,
    );
    if (next === undefined) break;
    grown.push(next);
  }
  return grown;
}

/** Swaps one voter of a crowded label for a node of a less crowded one; the next plan goes on. */
function spread(voters: BoardNode[], candidates: readonly BoardNode[], leader: number): BoardNode[] {
  const crowd = (node: BoardNode) => sharing(voters, node.label);
  const from = best(
    voters.filter((node) => crowd(node) > 1),
    (a, b) => crowd(b) - crowd(a) || Number(a.node === leader) - Number(b.node === leader) || b.node - a.node,
  );
  const to = best(
    candidates.filter((node) => !voters.includes(node)),
    (a, b) => crowd(a) - crowd(b) || a.node - b.node,
  );
  if (from === undefined || to === undefined || crowd(to) > crowd(from) - 2) return voters;
  return [...voters.filter((node) => node !== from), to];
}
