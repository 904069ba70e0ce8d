import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { LedGroupSchema } from '../gen/gomsg/internal/v1/report_pb.js';
import { MoveReason } from '../gen/gomsg/v1/cluster_pb.js';
import { type Configuration, makeConfiguration } from '../raft/index.ts';
import type { GroupPlacementView } from '../state/control/group-placement.ts';
import { Reconciler, type Replica } from './reconciler.ts';

/** A replica that takes note of what it is asked for; everybody has caught up but those in `behind`. */
class NotedReplica implements Replica {
  readonly id = 1;
  readonly replicaId: number;
  isLeader: boolean;
  configuration: Configuration;
  readonly behind: number[];
  refusal: Error | undefined;
  readonly asked: unknown[] = [];

  constructor(replicaId: number, voters: number[], { isLeader = true, behind = [] as number[] } = {}) {
    this.replicaId = replicaId;
    this.configuration = makeConfiguration(voters);
    this.isLeader = isLeader;
    this.behind = behind;
  }

  progress() {
    return this.configuration.voters.map((replicaId) => ({
      replicaId,
      caughtUp: !this.behind.includes(replicaId),
      active: true,
    }));
  }

  changeMembers(change: unknown): void {
    if (this.refusal) throw this.refusal;
    this.asked.push(change);
  }

  transferLeadership(to: number): void {
    this.asked.push({ to });
  }
}

function reconcilerOf(
  replica: Replica,
  voters: number[],
  {
    preferredLeader,
    reported,
    settled = true,
    unwilling = [],
    given = () => true,
  }: {
    preferredLeader?: number;
    reported?: number[];
    settled?: boolean;
    unwilling?: number[];
    given?: (replica: number) => boolean;
  } = {},
) {
  const destroyed: number[] = [];
  const refused: unknown[] = [];
  const placement: GroupPlacementView = {
    group: 1,
    slots: [],
    epoch: 1,
    desired: { voters, learners: [] },
    reason: MoveReason.UNSPECIFIED,
    preferredLeader,
  };
  const reconciler = new Reconciler({
    replicas: () => [replica],
    placement: () => placement,
    wasGiven: (_group, replica) => given(replica),
    report: () => reported && create(LedGroupSchema, { group: 1, voters: reported.map(BigInt), settled }),
    mayLead: (node) => !unwilling.includes(node),
    destroy: (group) => destroyed.push(group),
    onRefused: (_group, error) => refused.push(error),
  });
  return { reconciler, destroyed, refused };
}

test('a leader brings in who is missing', () => {
  const replica = new NotedReplica(1, [1]);
  reconcilerOf(replica, [1, 2]).reconciler.run();
  expect(replica.asked).toEqual([
    { kind: 'change', changes: [{ type: 'add-learner', node: 2 }], transition: 'automatic' },
  ]);
});

test('a refused step is told, and tried again at the next look', () => {
  const replica = new NotedReplica(1, [1]);
  replica.refusal = new Error('another change is under way');
  const { reconciler, refused } = reconcilerOf(replica, [1, 2]);
  reconciler.run();
  expect(refused).toEqual([replica.refusal]);
  replica.refusal = undefined;
  reconciler.run();
  expect(replica.asked).toHaveLength(1);
});

test('a settled group is handed to the node that is to lead it, once that has caught up', () => {
  const replica = new NotedReplica(1, [1, 2, 65536 + 3], { behind: [65536 + 3] });
  const { reconciler } = reconcilerOf(replica, [1, 2, 65536 + 3], { preferredLeader: 3 });
  reconciler.run();
  expect(replica.asked).toEqual([]);
  replica.behind.pop();
  reconciler.run();
  expect(replica.asked).toEqual([{ to: 65536 + 3 }]);
});

test('a replica that is not to be here goes when its group says that it goes on without it, and not before', () => {
  const replica = new NotedReplica(3, [1, 2, 3], { isLeader: false });
  for (const reported of [undefined, [1, 2, 3]]) {
    const { reconciler, destroyed } = reconcilerOf(
      replica,
      [1, 2],
      reported === undefined ? {} : { reported },
    );
    reconciler.run();
    expect(destroyed).toEqual([]);
  }
  const early = reconcilerOf(replica, [1, 2], { reported: [1, 2], settled: false });
  early.reconciler.run();
  expect(early.destroyed).toEqual([]);
  const { reconciler, destroyed } = reconcilerOf(replica, [1, 2], { reported: [1, 2] });
  reconciler.run();
  expect(destroyed).toEqual([1]);
});

test('a replica that came before what this node has applied of the control state stays', () => {
  const replica = new NotedReplica(3, [1, 2, 3], { isLeader: false });
  const { reconciler, destroyed } = reconcilerOf(replica, [1, 2], { reported: [1, 2], given: () => false });
  reconciler.run();
  expect(destroyed).toEqual([]);
});

test('a follower that is to be here stays, whatever the report says', () => {
  const replica = new NotedReplica(3, [1, 2], { isLeader: false });
  const { reconciler, destroyed } = reconcilerOf(replica, [1, 2, 3], { reported: [1, 2] });
  reconciler.run();
  expect(destroyed).toEqual([]);
});

test('a node that stops hands its groups over to those who can lead them', () => {
  const replica = new NotedReplica(1, [1, 2, 3], { behind: [2] });
  reconcilerOf(replica, [1, 2, 3]).reconciler.resignAll();
  expect(replica.asked).toEqual([{ to: 3 }]);
});

test('nobody is handed a group who takes no lead just now', () => {
  const replica = new NotedReplica(1, [1, 2, 3]);
  const { reconciler } = reconcilerOf(replica, [1, 2, 3], { preferredLeader: 2, unwilling: [2] });
  reconciler.run();
  expect(replica.asked).toEqual([]);
  reconciler.resignAll();
  expect(replica.asked).toEqual([{ to: 3 }]);
});

test('a leader does nothing while the group has replicas that the control state does not know of yet', () => {
  const replica = new NotedReplica(1, [1, 2, 3]);
  const asOfLongAgo = { preferredLeader: 2, given: (id: number) => id === 1 };
  reconcilerOf(replica, [1], asOfLongAgo).reconciler.run();
  expect(replica.asked).toEqual([]);
  reconcilerOf(replica, [1]).reconciler.run();
  expect(replica.asked).toHaveLength(1);
});

test('a leader that is not to stay hands over to a node that takes the lead, and waits while there is none', () => {
  const replica = new NotedReplica(1, [1, 2, 3]);
  reconcilerOf(replica, [2, 3], { unwilling: [2, 3] }).reconciler.run();
  expect(replica.asked).toEqual([]);
  reconcilerOf(replica, [2, 3], { unwilling: [2] }).reconciler.run();
  expect(replica.asked).toEqual([{ to: 3 }]);
});
