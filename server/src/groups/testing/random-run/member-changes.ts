/**
 * Changes the members of a group as the reconciler does: learners first, votes once they have caught up, removed
 * replicas destroyed. A replica that was destroyed must stay so.
 */
import { nodeOf, replicaId } from '../../../cluster/replica-id.ts';
import { members } from '../../../raft/index.ts';
import { Violation } from '../../../raft/testing/checker.ts';
import { isRefusal } from '../../../raft/testing/refusals.ts';
import type { Group } from '../../group.ts';
import type { SimulatedHosts } from '../simulated-hosts.ts';
import type { Coverage } from './coverage.ts';

type Change = { type: 'add-voter' | 'add-learner' | 'remove'; node: number };

export class MemberChanges {
  readonly #hosts: SimulatedHosts;
  readonly #coverage: Coverage;
  #incarnation = 0;
  readonly #joining = new Set<number>();
  readonly #destroyed = new Set<number>();

  constructor(hosts: SimulatedHosts, coverage: Coverage) {
    this.#hosts = hosts;
    this.#coverage = coverage;
  }

  /** The next step, when there is a leader to take it. */
  next(): void {
    const leader = this.#hosts.leaderOf();
    if (leader === undefined) return;
    const group = leader.group();
    this.#destroyRemoved(group);
    attempt(() => this.#step(group));
  }

  check(): void {
    for (const node of this.#hosts.nodes) {
      const id = node.up ? node.host.group(1)?.replicaId : undefined;
      if (id !== undefined && this.#destroyed.has(id)) {
        throw new Violation(`replicas do not come back: ${id} was destroyed, and is there again`);
      }
    }
  }

  #destroyRemoved(group: Group): void {
    const { configurationSettled } = group.status();
    if (!configurationSettled) return;
    const there = members(group.configuration);
    for (const node of this.#hosts.nodes) {
      const own = node.up ? node.host.group(1) : undefined;
      if (own === undefined || there.includes(own.replicaId)) continue;
      // In neither the configuration nor on its way into it.
      if (own.status().commit > group.status().commit || this.#joining.has(own.replicaId)) continue;
      node.host.destroy(1, own.replicaId).then(
        () => {
          this.#destroyed.add(own.replicaId);
          this.#coverage.replicasDestroyed++;
        },
        // The machine stopped before: it is destroyed at another time.
        () => {},
      );
    }
  }

  #step(group: Group): void {
    const { nodes, random } = this.#hosts;
    const { configuration } = group;
    const ready = group.progress().find(({ learner, caughtUp }) => learner && caughtUp);
    if (ready !== undefined) {
      const leaving = configuration.voters.find((id) => id !== group.replicaId);
      this.#change(group, [
        { type: 'add-voter', node: ready.replicaId },
        ...(configuration.voters.length >= 3 && leaving ? [{ type: 'remove' as const, node: leaving }] : []),
      ]);
      return;
    }
    const there = members(configuration);
    const free = nodes.filter(({ number }) => !there.some((id) => nodeOf(id) === number));
    if (free.length === 0 || configuration.learners.length > 0) return;
    const id = replicaId(random.pick(free).number, ++this.#incarnation);
    this.#joining.add(id);
    this.#change(group, [{ type: 'add-learner', node: id }]);
  }

  #change(group: Group, changes: readonly Change[]): void {
    group.changeMembers({ kind: 'change', changes, transition: 'automatic' });
    this.#coverage.memberChanges++;
    for (const { type, node } of changes) if (type === 'remove') this.#joining.delete(node);
  }
}

/** Does what may be refused at the moment. */
export function attempt(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}
