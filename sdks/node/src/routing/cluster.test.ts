/** A client of several nodes: which of them a call goes to, and where it goes when that one is not there. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorReason } from '../errors.ts';
import { ClusterServiceGetTopologyResponseSchema } from '../gen/gomsg/v1/cluster_pb.js';
import { KVService, KVServiceIncrementRequestSchema } from '../gen/gomsg/v1/kv_pb.js';
import type { PipelineCall } from '../gen/gomsg/v1/pipeline_pb.js';
import { PipelineClient } from '../pipeline.ts';
import { type FakePipeline, failure, methodNumbers, serveFakePipeline } from '../testing/fake-pipeline.ts';
import { SLOTS, slotOf } from './slots.ts';

const { get, increment } = KVService.method;
const GET_TOPOLOGY = 408;
const half = SLOTS / 2;
const names = Array.from({ length: 40 }, (_, i) => `key${i}`);
const low = names.filter((name) => slotOf(name) < half);
const high = names.filter((name) => slotOf(name) >= half);

let nodes: FakePipeline[];
let client: PipelineClient;
let epoch: bigint;
/** Index of the node that leads the lower and the upper half of the slots. */
let leaders: [number, number];

beforeEach(async () => {
  nodes = await Promise.all([serveFakePipeline(), serveFakePipeline(), serveFakePipeline()]);
  leaders = [0, 1];
  epoch = 1n;
  for (const node of nodes)
    node.rule = (call) => (call.method === GET_TOPOLOGY ? topology(nodes) : undefined);
  client = new PipelineClient({
    address: nodes[0]!.address,
    routing: true,
    retryDelay_ms: 5,
    maxRetryDelay_ms: 20,
    timeout_ms: 5_000,
  });
});

afterEach(async () => {
  await client.close(100);
  for (const node of nodes) node.stop();
});

function topology(of: readonly FakePipeline[]) {
  return {
    payload: toBinary(
      ClusterServiceGetTopologyResponseSchema,
      create(ClusterServiceGetTopologyResponseSchema, {
        epoch,
        nodes: of.map(({ address }, index) => ({ nodeId: `n${index}`, address })),
        groups: [
          { group: 1, leaderNodeId: `n${leaders[0]}`, slots: [{ first: 0, last: half - 1 }] },
          { group: 2, leaderNodeId: `n${leaders[1]}`, slots: [{ first: half, last: SLOTS - 1 }] },
        ],
      }),
    ),
  };
}

function notLeader(hint: FakePipeline | undefined) {
  return {
    error: {
      code: 14,
      message: 'not the leader',
      detail: {
        reason: ErrorReason.NOT_LEADER,
        ...(hint && { leader: { nodeId: 'n', address: hint.address } }),
      },
    },
  };
}

function keyOf({ payload }: PipelineCall): string {
  return fromBinary(KVServiceIncrementRequestSchema, payload).key;
}

function keysAt(node: FakePipeline): string[] {
  return node.calls.filter(({ method }) => method === methodNumbers.increment).map(keyOf);
}

/** Calls until the client knows the topology, and is connected to the nodes that lead. */
async function learn(): Promise<void> {
  await client.call(increment, { key: low[0]! });
  await nodes[0]!.until(() => nodes[0]!.calls.some(({ method }) => method === GET_TOPOLOGY));
  await client.call(increment, { key: low[0]! });
  await client.call(get, { key: high[0]! });
  if (nodes[leaders[1]]!.address !== client.address) await standing(nodes[leaders[1]]!);
}

async function standing(node: FakePipeline): Promise<void> {
  await node.until(() => node.streams.size > 0);
}

describe('calls to a cluster', () => {
  it('go to the node that leads their slot', async () => {
    await learn();
    const before = keysAt(nodes[0]!).length;
    await Promise.all([...low, ...high].map((key) => client.call(increment, { key })));
    expect(new Set(keysAt(nodes[0]!).slice(before))).toEqual(new Set(low));
    expect(new Set(keysAt(nodes[1]!))).toEqual(new Set(high));
    expect(keysAt(nodes[2]!)).toEqual([]);
  });

  it('share one session, in which no position comes twice', async () => {
    await learn();
    await Promise.all([...low, ...high].map((key) => client.call(increment, { key })));
    expect(nodes[0]!.openedSessions.length + nodes[1]!.openedSessions.length).toBe(1);
    const writes = nodes.flatMap((node) => node.frames).filter(({ sessionId }) => sessionId !== 0n);
    expect(new Set(writes.map(({ sessionId }) => sessionId)).size).toBe(1);
    const sequences = writes.flatMap(({ calls }) => calls.map(({ sequence }) => sequence)).filter(Boolean);
    expect(new Set(sequences).size).toBe(sequences.length);
  });

  it('say the epoch by which they were routed', async () => {
    await learn();
    await client.call(increment, { key: high[0]! });
    expect(nodes[1]!.frames.at(-1)!.topologyEpoch).toBe(1n);
  });

  it('follow a hint with the same session and position', async () => {
    await learn();
    const { rule } = nodes[1]!;
    nodes[1]!.rule = (call, frame) =>
      call.method === methodNumbers.increment ? notLeader(nodes[2]) : rule(call, frame);
    await client.call(increment, { key: high[0]! });
    const [refused, taken] = [nodes[1]!, nodes[2]!].map(
      ({ calls }) => calls.find(({ method }) => method === methodNumbers.increment)!,
    );
    expect(taken!.sequence).toBe(refused!.sequence);
    expect(taken!.retry).toBe(true);
    expect(nodes[2]!.frames.at(-1)!.sessionId).toBe(nodes[1]!.frames.at(-1)!.sessionId);
  });

  it('learn the new leader when there is no hint', async () => {
    await learn();
    const { rule } = nodes[1]!;
    nodes[1]!.rule = (call, frame) => {
      if (call.method !== methodNumbers.increment) return rule(call, frame);
      leaders = [0, 2];
      epoch = 2n;
      return notLeader(undefined);
    };
    await client.call(increment, { key: high[0]! });
    expect(keysAt(nodes[2]!)).toEqual([high[0]]);
  });

  it('go by another node when their own cannot be reached', async () => {
    await learn();
    nodes[1]!.stop();
    await Promise.all(high.map((key) => client.call(increment, { key })));
    expect(new Set(keysAt(nodes[0]!).filter((key) => high.includes(key)))).toEqual(new Set(high));
  });

  it('are sent again elsewhere when the connection breaks under them, and keep their place', async () => {
    await learn();
    const { rule } = nodes[1]!;
    nodes[1]!.rule = (call, frame) => (call.method === methodNumbers.increment ? 'hold' : rule(call, frame));
    const call = client.call(increment, { key: high[0]! });
    await nodes[1]!.until(() => nodes[1]!.held === 1);
    const { sequence } = nodes[1]!.calls.at(-1)!;
    nodes[1]!.stop();
    await call;
    const again = nodes[0]!.calls.find((one) => one.sequence === sequence && keyOf(one) === high[0])!;
    expect(again.retry).toBe(true);
  });

  it('go on over the other nodes when the given one is gone', async () => {
    await learn();
    leaders = [1, 1];
    epoch = 2n;
    nodes[0]!.stop();
    await client.call(increment, { key: low[0]! });
    expect(keysAt(nodes[1]!)).toContain(low[0]);
  });
});

describe('calls while something is wrong with a leader', () => {
  it('are not held up by one whose address leads nowhere', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    try {
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      const nowhere = { address: `127.0.0.1:${port}` } as FakePipeline;
      nodes[0]!.rule = (call) =>
        call.method === GET_TOPOLOGY ? topology([nodes[0]!, nowhere, nodes[2]!]) : undefined;
      await client.call(increment, { key: low[0]! });
      await nodes[0]!.until(() => nodes[0]!.calls.some(({ method }) => method === GET_TOPOLOGY));
      await client.call(increment, { key: low[0]! });
      await Promise.all(high.map((key) => client.call(increment, { key }, { timeout_ms: 2_000 })));
      expect(keysAt(nodes[0]!)).toEqual(expect.arrayContaining(high));
    } finally {
      silent.close();
    }
  });

  it('go to it again once it is back', async () => {
    await learn();
    nodes[1]!.stop();
    await client.call(increment, { key: high[0]! });
    await nodes[1]!.start();
    const before = keysAt(nodes[1]!).length;
    await vi.waitUntil(async () => {
      await client.call(increment, { key: high[0]! });
      return keysAt(nodes[1]!).length > before;
    });
  });

  it('go elsewhere when it shuts down, however long its other calls take', async () => {
    const addresses = [nodes[0]!, nodes[1]!].map(({ address }) => address);
    const given = new PipelineClient({ addresses, retryDelay_ms: 5, maxRetryDelay_ms: 20 });
    try {
      nodes[0]!.rule = () => failure(14, ErrorReason.DRAINING, 'it shuts down');
      await given.call(get, { key: 'k' });
      expect(nodes[1]!.calls).toHaveLength(1);
    } finally {
      await given.close(0);
    }
  });
});

describe('calls to a node that runs alone', () => {
  it('go to the given address, whatever the node calls itself', async () => {
    const [entry, other] = [nodes[0]!, nodes[1]!];
    entry.rule = (call) => (call.method === GET_TOPOLOGY ? topology([other]) : undefined);
    leaders = [0, 0];
    await learn();
    await Promise.all(high.map((key) => client.call(increment, { key })));
    expect(keysAt(other)).toEqual([]);
    expect(new Set(keysAt(entry)).size).toBe(high.length + 1);
  });

  it('find the nodes that join it, though nothing goes wrong, and go on by them when it leaves', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    try {
      const [entry, other] = [nodes[0]!, nodes[1]!];
      entry.rule = (call) => (call.method === GET_TOPOLOGY ? topology([entry]) : undefined);
      leaders = [0, 0];
      await client.call(increment, { key: low[0]! });
      await entry.until(() => entry.calls.some(({ method }) => method === GET_TOPOLOGY));
      entry.rule = (call) => (call.method === GET_TOPOLOGY ? topology([entry, other]) : undefined);
      leaders = [1, 1];
      await vi.waitUntil(async () => {
        vi.advanceTimersByTime(5_000);
        await client.call(increment, { key: low[0]! });
        return keysAt(other).length > 0;
      });
      entry.stop();
      await client.call(increment, { key: low[1]! });
      expect(keysAt(other)).toContain(low[1]);
    } finally {
      vi.useRealTimers();
    }
  });
});
