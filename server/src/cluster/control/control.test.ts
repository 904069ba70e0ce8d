import { expect, it } from 'vitest';
import { MoveReason } from '../../gen/gomsg/v1/cluster_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Proposal } from '../../services/groups.ts';
import { isFailure } from '../../state/failure.ts';
import { GroupState } from '../../state/group-state.ts';
import { ModelStore } from '../../state/testing/model-store.ts';
import type { GroupLoad } from '../placement/picture.ts';
import { nodeOf } from '../replica-id.ts';
import { Balancer } from './balancer.ts';
import { clusterPicture, type HeardGroup, type Hearsay } from './cluster-picture.ts';
import { ControlProposals } from './control-proposals.ts';

const replicas = (ids: readonly number[]) => ids.map(BigInt);

/** The control group of a cluster whose other groups become at once what they are to be. */
class ObedientCluster {
  readonly state = new GroupState(new ModelStore(), 0);
  readonly proposals = new ControlProposals({ submit: (proposal) => this.#apply(proposal) });
  readonly down = new Map<number, number>();
  readonly refusals: unknown[] = [];
  refusal: ErrorReason | undefined;
  /** Whether the voters of all groups know who they are. */
  settled = true;
  now_ms = 0;
  /** Of every group that has none of its own in `loads`. */
  load: GroupLoad | undefined;
  readonly loads = new Map<number, GroupLoad>();
  #index = 0;

  get control() {
    return this.state.control!;
  }

  readonly hearsay: Hearsay = {
    down_ms: (node) => this.down.get(node) ?? 0,
    isDraining: () => false,
    loadOf: (group) => this.loads.get(group) ?? this.load,
    led: (group) => {
      const { desired, preferredLeader } = this.control.placement(group)!;
      const node = preferredLeader ?? nodeOf(desired.voters[0]!);
      const heard: HeardGroup = {
        voters: replicas(desired.voters),
        votersOutgoing: [],
        learners: replicas(desired.learners),
        settled: this.settled,
        caughtUp: replicas([...desired.voters, ...desired.learners]),
      };
      return { node, heard };
    },
  };

  async found(nodes: number): Promise<void> {
    await this.proposals.found({
      clusterId: 'cluster',
      node: { nodeId: 'node1', address: 'node1:9000' },
      nonce: Buffer.of(1),
      groups: 4,
      replication: 3,
    });
    for (let node = 2; node <= nodes; node++) {
      const facts = { nodeId: `node${node}`, address: `node${node}:9000` };
      expect(await this.proposals.admit(facts, Buffer.of(node))).toMatchObject({ node });
    }
  }

  balancer(): Balancer {
    return new Balancer({
      proposals: this.proposals,
      picture: (mayMoveForLoad) => clusterPicture(this.control, this.hearsay, mayMoveForLoad),
      monotonic: () => this.now_ms,
      onRefused: (error) => this.refusals.push(error),
    });
  }

  /** Numbers of the nodes that are to lead the data groups. */
  get leaders(): number[] {
    const data = this.control.placements().filter(({ group }) => group > 0);
    return data.map(({ group }) => this.hearsay.led(group)!.node);
  }

  async balance(balancer = this.balancer()): Promise<void> {
    for (let before = -1; before !== this.#index; ) {
      before = this.#index;
      await balancer.run();
    }
  }

  #apply({ method, payload, request, reply }: Proposal): void {
    if (this.refusal !== undefined) {
      reply.fail({ reason: this.refusal, message: 'refused' });
      return;
    }
    const command = { method, payload, request, session: undefined };
    const [outcome] = this.state.apply(++this.#index, 1, 1, [command]);
    if (isFailure(outcome!)) reply.fail(outcome);
    else reply.ok(outcome!);
  }
}

const votersOf = (cluster: ObedientCluster) =>
  cluster.control.placements().map(({ desired }) => desired.voters.map(nodeOf));

it('nodes that joined get replicas, votes and leaders; one that leaves gives all away and is gone', async () => {
  const cluster = new ObedientCluster();
  await cluster.found(3);
  await cluster.balance();
  expect(votersOf(cluster)).toEqual(Array.from({ length: 5 }, () => [1, 2, 3]));
  expect(new Set(cluster.control.placements().map(({ preferredLeader }) => preferredLeader))).toEqual(
    new Set([undefined, 2, 3]),
  );

  await cluster.found(4);
  await cluster.proposals.markLeaving(2, true);
  cluster.settled = false;
  await cluster.balance();
  expect(votersOf(cluster)).toEqual(Array.from({ length: 5 }, () => [1, 3, 4]));
  // Its vote may still be needed.
  expect(cluster.control.member(2)).toMatchObject({ standing: 'leaving' });
  cluster.settled = true;
  await cluster.balance();
  expect(cluster.control.member(2)).toMatchObject({ standing: 'left' });
  expect(cluster.refusals).toEqual([]);
});

it('what the control group refuses reaches who asked', async () => {
  const cluster = new ObedientCluster();
  await expect(cluster.proposals.setReplication(3)).rejects.toMatchObject({
    reason: ErrorReason.NOT_CLUSTERED,
  });
  await cluster.found(2);
  const other = cluster.proposals.admit({ nodeId: 'node2', address: 'elsewhere:1' }, Buffer.of(9));
  await expect(other).rejects.toMatchObject({ reason: ErrorReason.ALREADY_EXISTS });
  await cluster.proposals.update({ node: 2, address: 'moved:1' });
  await cluster.proposals.changeSetting('a', 'b');
  expect(cluster.control.member(2)).toMatchObject({ address: 'moved:1' });
  expect(cluster.control.setting('a')).toBe('b');
  await cluster.proposals.changeSetting('a', undefined);
  expect(cluster.control.setting('a')).toBeUndefined();
});

it('a plan that is refused is told of, unless it was only too old', async () => {
  const cluster = new ObedientCluster();
  await cluster.found(3);
  cluster.refusal = ErrorReason.CONDITION_FAILED;
  await cluster.balance();
  expect(cluster.refusals).toEqual([]);
  cluster.refusal = ErrorReason.NOT_LEADER;
  await cluster.balance();
  expect(cluster.refusals[0]).toMatchObject({ reason: ErrorReason.NOT_LEADER });
});

it('nothing is planned before the cluster is founded', async () => {
  const cluster = new ObedientCluster();
  expect(clusterPicture(cluster.control, cluster.hearsay, true)).toBeUndefined();
  await cluster.balance();
  expect(cluster.refusals).toEqual([]);
});

it('a group whose leader does not answer, or is no member, has no leader as far as plans go', async () => {
  const cluster = new ObedientCluster();
  await cluster.found(2);
  await cluster.balance();
  const pictured = (hearsay: Hearsay) => clusterPicture(cluster.control, hearsay, true)!.groups[0]!.report;
  const { leader, voters } = pictured(cluster.hearsay)!;
  expect(voters).toEqual([1, 2]);
  expect(voters).toContain(leader);
  cluster.down.set(nodeOf(leader), 5_000);
  expect(pictured(cluster.hearsay)).toBeUndefined();
  const heard = cluster.hearsay.led(1)!.heard;
  expect(pictured({ ...cluster.hearsay, led: () => ({ node: 7, heard }) })).toBeUndefined();
});

it('load moves leaders once it is measured, and then rests for a minute', async () => {
  const cluster = new ObedientCluster();
  await cluster.found(2);
  const balancer = cluster.balancer();
  await cluster.balance(balancer);
  const calls = (readsPerSecond: number): GroupLoad => ({ bytes: 0, writesPerSecond: 0, readsPerSecond });
  const callsOf = (node: number) =>
    cluster.leaders.reduce(
      (sum, leader, i) => sum + (leader === node ? cluster.loads.get(i + 1)!.readsPerSecond : 0),
      0,
    );
  const before = cluster.leaders;
  /** Gives the first node's groups `busy` calls a second each, the others few. */
  const burden = (node: number): void => {
    for (const [position, leader] of cluster.leaders.entries()) {
      cluster.loads.set(position + 1, calls(leader === node ? 5_000 : 100));
    }
  };

  // One group is not measured yet.
  burden(1);
  cluster.loads.delete(4);
  await cluster.balance(balancer);
  expect(cluster.leaders).toEqual(before);

  burden(1);
  expect(callsOf(1)).toBe(10_000);
  await cluster.balance(balancer);
  expect(callsOf(1)).toBe(5_100);

  burden(2);
  const rested = cluster.leaders;
  cluster.now_ms += 59_999;
  await cluster.balance(balancer);
  expect(cluster.leaders).toEqual(rested);
  cluster.now_ms += 1;
  await cluster.balance(balancer);
  expect(callsOf(2)).toBe(5_100);
});

it('why a group moves is kept with where it is to be', async () => {
  const cluster = new ObedientCluster();
  await cluster.found(3);
  await cluster.balance();
  expect(cluster.control.placement(1)?.reason).toBe(MoveReason.REPLICATION);
  await cluster.found(4);
  await cluster.proposals.markLeaving(3, true);
  await cluster.balance();
  expect(cluster.control.placement(1)?.reason).toBe(MoveReason.LEAVING);
});
