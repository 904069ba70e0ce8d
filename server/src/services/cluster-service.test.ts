import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import {
  ClusterService,
  ClusterServiceHealthResponseSchema,
  ClusterState,
  type ClusterStats,
  ClusterStatsSchema,
  MovePhase,
  NodeState,
} from '../gen/gomsg/v1/cluster_pb.js';
import type { HealthReport } from '../observe/health.ts';
import { type ClusterAdmin, type ClusterView, clusterMethods } from './cluster-service.ts';
import type { UnaryCall } from './decode.ts';
import { ErrorReason, GomsgError } from './errors.ts';
import { call, callContext, open } from './testing/call.ts';

const rpc = ClusterService.method;

const healthy: HealthReport = {
  state: 'serving',
  live: true,
  ready: true,
  reasons: [],
  checks: [{ name: 'log', ok: true, detail: 'takes writes' }],
};
const fullDisk: HealthReport = {
  ...healthy,
  ready: false,
  reasons: ['log: the disk is full'],
  checks: [{ name: 'log', ok: false, detail: 'the disk is full' }],
};

interface Options {
  readonly health?: HealthReport;
  /** Leader of the only group; empty = none. */
  readonly leader?: string;
  readonly admin?: ClusterAdmin;
}

/** A cluster of two nodes and one group. Samples are numbered, each sampler from 1. */
function view({ health = healthy, leader = 'a', admin }: Options = {}): ClusterView {
  return {
    clusterId: 'c-1',
    clustered: true,
    epoch: 7,
    self: 'a',
    nodes: () => [
      { nodeId: 'a', address: 'a:9000', state: NodeState.UP, leader: leader === 'a' },
      { nodeId: 'b', address: 'b:9000', state: NodeState.UP, leader: leader === 'b' },
    ],
    groups: () => [{ group: 1, leaderNodeId: leader, slots: 16_384 }],
    topology: () => [{ group: 1, leaderNodeId: leader, slots: [{ first: 0, last: 16_383 }] }],
    health: () => health,
    problems: () => health.reasons,
    warnings: () => ['two replicas share a label'],
    moves: () => [
      { group: 1, fromNodeIds: ['a'], toNodeIds: ['b'], phase: MovePhase.CATCHING_UP, percent: 40 },
    ],
    admin,
    sampler: () => {
      let samples = 0;
      return (): ClusterStats => create(ClusterStatsSchema, { total: { keys: BigInt(++samples) } });
    },
  };
}

describe('what is told of the cluster', () => {
  it('has every rpc of the service', () => {
    const names = clusterMethods(view()).map(({ desc }) => desc.name);
    expect(names.sort()).toEqual(ClusterService.methods.map(({ name }) => name).sort());
  });

  it('are its nodes and the one that leads', async () => {
    const methods = clusterMethods(view({ leader: 'b' }));
    const { nodes } = await call(methods, rpc.nodes, {});
    expect(nodes.map(({ nodeId, address }) => [nodeId, address])).toEqual([
      ['a', 'a:9000'],
      ['b', 'b:9000'],
    ]);
    expect((await call(methods, rpc.leader, {})).node?.nodeId).toBe('b');
  });

  it('is that nobody leads', async () => {
    const methods = clusterMethods(view({ leader: '' }));
    await expect(call(methods, rpc.leader, {})).rejects.toMatchObject({ reason: ErrorReason.NO_QUORUM });
    expect((await call(methods, rpc.status, {})).state).toBe(ClusterState.UNAVAILABLE);
  });

  it.each([
    ['healthy', healthy, ClusterState.HEALTHY, []],
    ['degraded', fullDisk, ClusterState.DEGRADED, ['log: the disk is full']],
  ])('is that it is %s', async (_name, health, state, problems) => {
    const status = await call(clusterMethods(view({ health })), rpc.status, {});
    expect(status).toMatchObject({
      state,
      problems,
      clusterId: 'c-1',
      clustered: true,
      topologyEpoch: 7n,
      nodesUp: 2,
      nodesTotal: 2,
      warnings: ['two replicas share a label'],
      moves: [{ group: 1, phase: MovePhase.CATCHING_UP, percent: 40 }],
    });
  });

  it('is its map, with the epoch that answers carry', async () => {
    const topology = await call(clusterMethods(view()), rpc.getTopology, {});
    expect(topology.epoch).toBe(7n);
    expect(topology.groups).toMatchObject([{ group: 1, slots: [{ first: 0, last: 16_383 }] }]);
    expect(topology.nodes).toHaveLength(2);
  });

  it('are the checks of a node: the one asked, or the one that is named', async () => {
    const methods = clusterMethods(view({ health: fullDisk }));
    expect(await call(methods, rpc.health, {})).toMatchObject({
      healthy: false,
      node: { nodeId: 'a' },
      checks: [{ name: 'log', ok: false, detail: 'the disk is full' }],
    });
    expect((await call(methods, rpc.health, { nodeId: 'b' })).node?.nodeId).toBe('b');
    const isDown = view();
    const [a, b] = isDown.nodes();
    const methodsWithout = clusterMethods({
      ...isDown,
      nodes: () => [a!, { ...b, state: NodeState.DOWN }],
      admin: new FakeAdmin(),
    });
    expect(await call(methodsWithout, rpc.health, { nodeId: 'b' })).toMatchObject({
      healthy: false,
      node: { nodeId: 'b' },
      checks: [{ name: 'answers', ok: false, detail: 'a hears nothing of it' }],
    });
    await expect(call(methods, rpc.health, { nodeId: 'z' })).rejects.toMatchObject({
      reason: ErrorReason.NODE_NOT_FOUND,
      subject: 'z',
      message: expect.stringContaining('a, b'),
    });
  });
});

/** Takes note of what it is asked for; fails what concerns the node `stubborn`. */
class FakeAdmin implements ClusterAdmin {
  readonly asked: string[] = [];

  async join(nodeId: string, address: string): Promise<void> {
    this.#take('join', nodeId, address);
  }

  async leave(nodeId: string, fewerReplicas: boolean): Promise<void> {
    this.#take('leave', nodeId, ...(fewerReplicas ? ['whatever it costs'] : []));
  }

  ask(nodeId: string, { reply }: UnaryCall): void {
    this.#take('ask', nodeId);
    const health = create(ClusterServiceHealthResponseSchema, { healthy: true, node: { nodeId } });
    reply.ok(toBinary(ClusterServiceHealthResponseSchema, health));
  }

  #take(...words: string[]): void {
    if (words.includes('stubborn')) {
      throw new GomsgError({ reason: ErrorReason.ALREADY_EXISTS, message: 'no', subject: 'stubborn' });
    }
    this.asked.push(words.join(' '));
  }
}

describe('changes of the membership of a cluster', () => {
  it('are made, and answered with the node', async () => {
    const admin = new FakeAdmin();
    const methods = clusterMethods(view({ admin }));
    const joined = await call(methods, rpc.join, { nodeId: 'b', address: 'b:9000' });
    expect(joined.node).toMatchObject({ nodeId: 'b', state: NodeState.UP });
    const waits = await call(methods, rpc.join, { nodeId: 'c', address: 'c:9000' });
    expect(waits.node).toMatchObject({ nodeId: 'c', address: 'c:9000', state: NodeState.JOINING });
    expect((await call(methods, rpc.leave, { nodeId: 'b' })).node?.state).toBe(NodeState.LEAVING);
    await call(methods, rpc.leave, { nodeId: 'a', fewerReplicas: true });
    expect(admin.asked).toEqual(['join b b:9000', 'join c c:9000', 'leave b', 'leave a whatever it costs']);
  });

  it.each([
    [{ nodeId: 'stubborn', address: 'x:1' }, ErrorReason.ALREADY_EXISTS],
    [{ nodeId: 'not an id', address: 'x:1' }, ErrorReason.INVALID_NAME],
    [{ nodeId: 'b' }, ErrorReason.INVALID_REQUEST],
  ])('fail for %o', async (request, reason) => {
    const methods = clusterMethods(view({ admin: new FakeAdmin() }));
    await expect(call(methods, rpc.join, request)).rejects.toMatchObject({ reason });
  });
});

test('another node of a cluster is asked itself how it is', async () => {
  const admin = new FakeAdmin();
  const methods = clusterMethods(view({ admin, health: fullDisk }));
  expect(await call(methods, rpc.health, { nodeId: 'b' })).toMatchObject({
    healthy: true,
    node: { nodeId: 'b' },
  });
  expect((await call(methods, rpc.health, { nodeId: 'a' })).healthy).toBe(false);
  expect(admin.asked).toEqual(['ask b']);
});

describe('changes of the membership of a node on its own', () => {
  it.each([
    ['join', rpc.join, 'new', ErrorReason.NOT_CLUSTERED],
    ['leave', rpc.leave, 'a', ErrorReason.NOT_CLUSTERED],
    ['leave of a stranger', rpc.leave, 'z', ErrorReason.NODE_NOT_FOUND],
  ] as const)('%s is refused', async (_name, desc, nodeId, reason) => {
    const methods = clusterMethods(view());
    const refused =
      desc === rpc.join ? call(methods, rpc.join, { nodeId }) : call(methods, rpc.leave, { nodeId });
    await expect(refused).rejects.toMatchObject({ reason, subject: nodeId });
  });
});

describe('figures', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const keysOf = async (stats: Promise<{ stats?: ClusterStats | undefined }>) =>
    (await stats).stats?.total?.keys;

  it('are taken for each call', async () => {
    const methods = clusterMethods(view());
    expect(await keysOf(call(methods, rpc.stats, {}))).toBe(1n);
    expect(await keysOf(call(methods, rpc.stats, {}))).toBe(2n);
  });

  it('come at once to who watches, then once an interval, with rates of that watch alone', async () => {
    const methods = clusterMethods(view());
    await call(methods, rpc.stats, {});
    const watch = open(methods, rpc.watchStats, { interval: { seconds: 2n } });
    const next = async () => (await watch.next()).value?.stats?.total?.keys;
    expect(await next()).toBe(1n);
    const second = next();
    await vi.advanceTimersByTimeAsync(1999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await second).toBe(2n);
    await watch.return();
  });

  it('have no backlog for a reader that is slow', async () => {
    const watch = open(clusterMethods(view()), rpc.watchStats, {});
    await watch.next();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
    await watch.return();
  });

  it.each([
    ['shorter than a tenth of a second', { nanos: 99_000_000 }],
    ['longer than an hour', { seconds: 3601n }],
    ['negative', { seconds: -1n }],
    ['no duration at all', { seconds: 1n, nanos: -1 }],
  ])('are not sent at an interval that is %s', async (_name, interval) => {
    const watch = open(clusterMethods(view()), rpc.watchStats, { interval });
    await expect(watch.next()).rejects.toMatchObject({
      reason: ErrorReason.INVALID_DURATION,
      subject: 'interval',
    });
  });

  it('end at once with the call, and leave no timer behind', async () => {
    const leaving = new AbortController();
    const context = callContext({ signal: leaving.signal });
    const watch = open(clusterMethods(view()), rpc.watchStats, {}, context);
    await watch.next();
    const waiting = watch.next();
    await vi.advanceTimersByTimeAsync(10);
    leaving.abort();
    expect(await waiting).toMatchObject({ done: true });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('end with the reason of a node that shuts down', async () => {
    const leaving = new AbortController();
    const context = callContext({ signal: leaving.signal });
    const watch = open(clusterMethods(view()), rpc.watchStats, {}, context);
    await watch.next();
    const waiting = watch.next();
    await vi.advanceTimersByTimeAsync(10);
    leaving.abort(new GomsgError({ reason: ErrorReason.DRAINING, message: 'bye' }));
    await expect(waiting).rejects.toMatchObject({ reason: ErrorReason.DRAINING });
  });
});
