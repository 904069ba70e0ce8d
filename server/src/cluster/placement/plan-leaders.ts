/**
 * Which node is to lead which group: even counts first, then even load, by transfers, which cost a moment and no data.
 *
 * The preference that the control group keeps is the plan: a group whose preferred leader can lead counts as led by it
 * already, so transfers under way are not planned again, and a node that was restarted gets its groups back.
 */
import { nodeOf } from '../replica-id.ts';
import { BoardNode } from './board.ts';
import { type CountRange, evenCounts, evensOut } from './even.ts';
import { isLoadKnown, leaderWeights } from './loads.ts';
import { defaultPlacementOptions, type PlacementOptions } from './options.ts';
import type { ClusterPicture, GroupPicture, LeaderChange, LeaderReason } from './picture.ts';
import { best } from './repair.ts';

/** What a transfer has to gain at least, as a part of the mean load. */
const GAIN_MIN = 0.1;

class Leader {
  readonly node: BoardNode;
  readonly groups = new Set<LedGroup>();
  weight = 0;

  constructor(node: BoardNode) {
    this.node = node;
  }
}

interface LedGroup {
  readonly picture: GroupPicture;
  readonly weight: number;
  /** Who could lead it now, the present leader among them. */
  readonly heirs: readonly Leader[];
  leader: Leader;
}

/** By group. */
export function planLeaders(
  picture: ClusterPicture,
  options: PlacementOptions = defaultPlacementOptions,
): LeaderChange[] {
  const plan = new LeaderPlan(picture, options);
  plan.relieveThoseThatLeave();
  plan.evenOutCounts();
  if (isLoadKnown(picture)) plan.evenOutLoad();
  return plan.changes();
}

class LeaderPlan {
  readonly #options: PlacementOptions;
  readonly #leaders: readonly Leader[];
  readonly #groups: readonly LedGroup[];
  readonly #range: CountRange;
  readonly #changed = new Map<LedGroup, LeaderReason>();
  /** Transfers that may still be set going. */
  #left: number;

  constructor(picture: ClusterPicture, options: PlacementOptions) {
    this.#options = options;
    const leaders = new Map(
      picture.nodes.map(
        (node) => [node.node, new Leader(new BoardNode(node, options.downAfter_ms))] as const,
      ),
    );
    this.#leaders = [...leaders.values()].sort((a, b) => a.node.node - b.node.node);
    const weights = leaderWeights(picture, options);
    let underWay = 0;
    this.#groups = picture.groups
      .map((group) => {
        const led = ledGroup(group, weights.get(group.group)!, leaders);
        if (led && led.leader !== leaders.get(nodeOf(group.report!.leader))) underWay++;
        return led;
      })
      .filter((group) => group !== undefined)
      .sort((a, b) => a.picture.group - b.picture.group);
    for (const group of this.#groups) {
      group.leader.groups.add(group);
      group.leader.weight += group.weight;
    }
    this.#left = Math.max(0, options.transfers - underWay);
    const takers = this.#leaders.filter(({ node }) => node.isTaker).length;
    this.#range = evenCounts(this.#groups.length, takers, options.countTolerance);
  }

  changes(): LeaderChange[] {
    return [...this.#changed]
      .map(([{ picture, leader }, reason]) => ({ group: picture.group, node: leader.node.node, reason }))
      .sort((a, b) => a.group - b.group);
  }

  /** Takes what a node that is to leave leads away from it, before its replicas go. */
  relieveThoseThatLeave(): void {
    for (const group of this.#groups) {
      if (group.leader.node.isActive) continue;
      const heir = best(group.heirs, byLead);
      if (heir !== undefined) this.#transfer(group, heir, 'leaving');
    }
  }

  /**
   * From the node that leads most to one that leads two fewer at least, where no node holds a replica of both by way of
   * others: each on the way gives one and gets one. A shortest way, by breadth-first search, so that few are moved; when
   * there is none, no other choice of leaders is more even.
   */
  evenOutCounts(): void {
    const sources = this.#leaders.filter(({ node }) => node.isTaker).sort((a, b) => byLead(b, a));
    const fewest = () => Math.min(...sources.map(({ groups }) => groups.size));
    // Who was passed on a search for nothing, by one who leads as many or more, would search for nothing too.
    const passed = new Set<Leader>();
    for (const from of sources) {
      while (this.#left > 0 && !passed.has(from) && evensOut(from.groups.size, fewest(), this.#range)) {
        const way = this.#wayDown(from, passed);
        if (way === undefined || way.length > this.#left) break;
        for (const { group, to } of way) this.#transfer(group, to, 'count');
        passed.clear();
      }
    }
  }

  /** Among counts that stay as they are: a busy group for a quiet one, or one alone where the counts allow it. */
  evenOutLoad(): void {
    const takers = this.#leaders.filter(({ node }) => node.isTaker);
    const mean = takers.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, takers.length);
    if (mean === 0 || this.#changed.size > 0) return;
    const busy = takers
      .filter(({ weight }) => weight > mean * (1 + this.#options.loadTolerance))
      .sort((a, b) => b.weight - a.weight || a.node.node - b.node.node);
    for (const from of busy) {
      const exchange = this.#bestExchange(from);
      if (exchange === undefined || exchange.gain < GAIN_MIN * mean) continue;
      const { given, to, returned } = exchange;
      if (this.#left < (returned ? 2 : 1)) return;
      this.#transfer(given, to, 'load');
      if (returned) this.#transfer(returned, from, 'load');
    }
  }

  #wayDown(
    from: Leader,
    passed: Set<Leader>,
  ): { readonly group: LedGroup; readonly to: Leader }[] | undefined {
    const cameBy = new Map<Leader, { readonly group: LedGroup; readonly from: Leader } | undefined>([
      [from, undefined],
    ]);
    const queue = [from];
    for (const at of queue) {
      if (evensOut(from.groups.size, at.groups.size, this.#range)) return wayTo(at, cameBy);
      for (const group of at.groups) {
        if (this.#changed.has(group)) continue;
        for (const heir of group.heirs) {
          if (cameBy.has(heir)) continue;
          cameBy.set(heir, { group, from: at });
          queue.push(heir);
        }
      }
    }
    for (const at of queue) passed.add(at);
    return undefined;
  }

  #bestExchange(from: Leader) {
    let found: { given: LedGroup; to: Leader; returned: LedGroup | undefined; gain: number } | undefined;
    const consider = (given: LedGroup, to: Leader, returned: LedGroup | undefined): void => {
      const moved = given.weight - (returned?.weight ?? 0);
      const gain = Math.min(moved, from.weight - to.weight - moved);
      if (gain > (found?.gain ?? 0)) found = { given, to, returned, gain };
    };
    for (const given of from.groups) {
      if (this.#changed.has(given)) continue;
      for (const to of given.heirs) {
        if (to === from) continue;
        if (from.groups.size - 1 >= this.#range.low && to.groups.size + 1 <= this.#range.high) {
          consider(given, to, undefined);
        }
        for (const returned of to.groups) {
          if (!this.#changed.has(returned) && returned.heirs.includes(from)) consider(given, to, returned);
        }
      }
    }
    return found;
  }

  #transfer(group: LedGroup, to: Leader, reason: LeaderReason): void {
    if (this.#left === 0) return;
    this.#left--;
    group.leader.groups.delete(group);
    group.leader.weight -= group.weight;
    group.leader = to;
    to.groups.add(group);
    to.weight += group.weight;
    this.#changed.set(group, reason);
  }
}

/** Undefined for a group that has no leader. Who is not to keep its replica is no heir: it would have to give up again. */
function ledGroup(
  picture: GroupPicture,
  weight: number,
  leaders: ReadonlyMap<number, Leader>,
): LedGroup | undefined {
  const { report, desired, preferredLeader } = picture;
  const leader = report && leaders.get(nodeOf(report.leader));
  if (report === undefined || leader === undefined) return undefined;
  const heirs = report.caughtUp
    .filter((replica) => report.voters.includes(replica) && desired.includes(replica))
    .map((replica) => leaders.get(nodeOf(replica)))
    .filter((heir) => heir !== undefined)
    .filter(({ node }) => node.isTaker);
  const preferred = heirs.find(({ node }) => node.node === preferredLeader);
  return { picture, weight, heirs, leader: preferred ?? leader };
}

function byLead(a: Leader, b: Leader): number {
  return a.groups.size - b.groups.size || a.weight - b.weight || a.node.node - b.node.node;
}

function wayTo(
  end: Leader,
  cameBy: ReadonlyMap<Leader, { readonly group: LedGroup; readonly from: Leader } | undefined>,
): { readonly group: LedGroup; readonly to: Leader }[] {
  const way: { readonly group: LedGroup; readonly to: Leader }[] = [];
  let to = end;
  for (let step = cameBy.get(to); step !== undefined; step = cameBy.get(to)) {
    way.unshift({ group: step.group, to });
    to = step.from;
  }
  return way;
}
