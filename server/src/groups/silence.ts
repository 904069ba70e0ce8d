/**
 * Listens to nodes on behalf of their groups.
 *
 * Groups that hibernate (`raft/hibernation.ts`) have leaders that do not beat. A node with such groups lets the others
 * hear of it as often as a leader beats, with one pulse for all of them; when nothing is heard of a node for as long as an
 * election takes to begin, or its link ends, the replicas that depend on it go on, as if their clocks had never stood.
 *
 * And a process that ends takes its links with it: followers of a leader whose link has ended, and that missed a beat,
 * do not wait for the rest of the silence that stands for a dead leader.
 */
import { nodeOf } from '../cluster/replica-id.ts';
import type { Group } from './group.ts';
import type { Peers } from './peers.ts';
import { ELECTION_TICKS, HEARTBEAT_TICKS, TICK_MS } from './timing.ts';

export class Silence {
  readonly #peers: Peers;
  readonly #groups: readonly Group[];
  #ticksToPulse = 0;
  /** By node: ticks of a silence that is too long; undefined while it is not. Of one look. */
  readonly #silent = new Map<number, number | undefined>();
  /** By node: whether its process seems to have ended. Of one look. */
  readonly #gone = new Map<number, boolean>();

  /** `groups`: all of the node, as they are at each moment. */
  constructor(peers: Peers, groups: readonly Group[]) {
    this.#peers = peers;
    this.#groups = groups;
  }

  /** A tick has passed: looks at the nodes that somebody here depends on, and is heard by the others. */
  tick(): void {
    let anyHibernates = false;
    this.#silent.clear();
    this.#gone.clear();
    for (const group of this.#groups) {
      if (!group.isHibernating) {
        if (!group.isLeader && group.leader !== 0 && this.#isGone(nodeOf(group.leader))) group.leaderGone();
        continue;
      }
      anyHibernates = true;
      const ticks = this.#ticksOf(group);
      if (ticks !== undefined) group.wake(ticks);
    }
    if (!anyHibernates) this.#ticksToPulse = 0;
    else if (--this.#ticksToPulse <= 0) {
      this.#ticksToPulse = HEARTBEAT_TICKS;
      this.#peers.pulse();
    }
  }

  /** For how long nothing was heard of somebody on whom a replica depends: on its leader; a leader, on all members. */
  #ticksOf(group: Group): number | undefined {
    if (!group.isLeader) return this.#ticksOfNode(nodeOf(group.leader));
    const { voters, learners } = group.configuration;
    const own = nodeOf(group.replicaId);
    return this.#ticksOfAny(voters, own) ?? this.#ticksOfAny(learners, own);
  }

  #ticksOfAny(replicas: readonly number[], own: number): number | undefined {
    for (const id of replicas) {
      const node = nodeOf(id);
      const ticks = node === own ? undefined : this.#ticksOfNode(node);
      if (ticks !== undefined) return ticks;
    }
    return undefined;
  }

  /** A beat missed too: a link of one direction may end while the node is heard by the other. */
  #isGone(node: number): boolean {
    let isGone = this.#gone.get(node);
    if (isGone === undefined) {
      isGone = !this.#peers.isLinked(node) && this.#peers.silence_ms(node) > HEARTBEAT_TICKS * TICK_MS;
      this.#gone.set(node, isGone);
    }
    return isGone;
  }

  #ticksOfNode(node: number): number | undefined {
    if (this.#silent.has(node)) return this.#silent.get(node);
    const ticks = Math.floor(this.#peers.silence_ms(node) / TICK_MS);
    const found = ticks >= ELECTION_TICKS || !this.#peers.isLinked(node) ? ticks : undefined;
    this.#silent.set(node, found);
    return found;
  }
}
