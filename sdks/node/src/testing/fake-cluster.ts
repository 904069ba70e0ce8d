/** Three fake nodes that tell who leads which half of the slots, as a test says. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ErrorReason } from '../errors.ts';
import { ClusterServiceGetTopologyResponseSchema } from '../gen/gomsg/v1/cluster_pb.js';
import { KVService, KVServiceIncrementRequestSchema } from '../gen/gomsg/v1/kv_pb.js';
import type { PipelineCall } from '../gen/gomsg/v1/pipeline_pb.js';
import type { PipelineClient } from '../pipeline.ts';
import { SLOTS, slotOf } from '../routing/slots.ts';
import { type FakePipeline, methodNumbers, serveFakePipeline } from './fake-pipeline.ts';

export const GET_TOPOLOGY = 408;

const HALF = SLOTS / 2;
const NAMES = Array.from({ length: 40 }, (_, i) => `key${i}`);

/** Names of the lower and of the upper half of the slots. */
export const low = NAMES.filter((name) => slotOf(name) < HALF);
export const high = NAMES.filter((name) => slotOf(name) >= HALF);

export class FakeCluster {
  readonly nodes: readonly FakePipeline[];
  epoch = 1n;
  /** Index of the node that leads the lower and the upper half of the slots; undefined = nobody does. */
  leaders: [number | undefined, number | undefined] = [0, 1];

  static async serve(): Promise<FakeCluster> {
    return new FakeCluster(
      await Promise.all([serveFakePipeline(), serveFakePipeline(), serveFakePipeline()]),
    );
  }

  private constructor(nodes: readonly FakePipeline[]) {
    this.nodes = nodes;
    for (const node of nodes)
      node.rule = (call) => (call.method === GET_TOPOLOGY ? this.topology() : undefined);
  }

  /** The answer to `GetTopology`. */
  topology(of: readonly Pick<FakePipeline, 'address'>[] = this.nodes) {
    const leaderNodeId = (half: 0 | 1) => (this.leaders[half] === undefined ? '' : `n${this.leaders[half]}`);
    return {
      payload: toBinary(
        ClusterServiceGetTopologyResponseSchema,
        create(ClusterServiceGetTopologyResponseSchema, {
          epoch: this.epoch,
          nodes: of.map(({ address }, index) => ({ nodeId: `n${index}`, address })),
          groups: [
            { group: 1, leaderNodeId: leaderNodeId(0), slots: [{ first: 0, last: HALF - 1 }] },
            { group: 2, leaderNodeId: leaderNodeId(1), slots: [{ first: HALF, last: SLOTS - 1 }] },
          ],
        }),
      ),
    };
  }

  /** Calls until the client knows the topology, and is connected to the nodes that lead. */
  async learn(client: PipelineClient): Promise<void> {
    const { increment, get } = KVService.method;
    const entry = this.nodes[0]!;
    await client.call(increment, { key: low[0]! });
    await entry.until(() => entry.calls.some(({ method }) => method === GET_TOPOLOGY));
    await client.call(increment, { key: low[0]! });
    await client.call(get, { key: high[0]! });
    const leader = this.nodes[this.leaders[1]!]!;
    if (leader.address !== client.address) await leader.until(() => leader.streams.size > 0);
  }

  stop(): void {
    for (const node of this.nodes) node.stop();
  }
}

/** The refusal of a node that does not lead. */
export function notLeader(hint?: Pick<FakePipeline, 'address'>) {
  return refusal(ErrorReason.NOT_LEADER, {
    ...(hint && { leader: { nodeId: 'n', address: hint.address } }),
  });
}

export function refusal(reason: ErrorReason, detail: object = {}) {
  return { error: { code: 14, message: 'refused', detail: { reason, ...detail } } };
}

/** Keys of the increments that a node was sent. */
export function keysAt(node: FakePipeline): string[] {
  return incrementsAt(node).map(keyOf);
}

export function incrementsAt(node: FakePipeline): PipelineCall[] {
  return node.calls.filter(({ method }) => method === methodNumbers.increment);
}

export function keyOf({ payload }: PipelineCall): string {
  return fromBinary(KVServiceIncrementRequestSchema, payload).key;
}
