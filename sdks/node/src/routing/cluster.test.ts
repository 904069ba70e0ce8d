/** A client of several nodes: which of them a call goes to, and where it goes when that one is not there. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorReason } from '../errors.ts';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import { PipelineClient } from '../pipeline.ts';
import {
  FakeCluster,
  GET_TOPOLOGY,
  high,
  incrementsAt,
  keyOf,
  keysAt,
  low,
  notLeader,
} from '../testing/fake-cluster.ts';
import { type FakePipeline, failure, methodNumbers } from '../testing/fake-pipeline.ts';

const { get, increment } = KVService.method;

/** How long tests wait for what must come. */
const PATIENCE = { timeout: 20_000 };

let cluster: FakeCluster;
let nodes: readonly FakePipeline[];
let client: PipelineClient;

beforeEach(async () => {
  cluster = await FakeCluster.serve();
  nodes = cluster.nodes;
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
  cluster.stop();
});

describe('calls to a cluster', () => {
  it('go to the node that leads their slot', async () => {
    await cluster.learn(client);
    const before = keysAt(nodes[0]!).length;
    await Promise.all([...low, ...high].map((key) => client.call(increment, { key })));
    expect(new Set(keysAt(nodes[0]!).slice(before))).toEqual(new Set(low));
    expect(new Set(keysAt(nodes[1]!))).toEqual(new Set(high));
    expect(keysAt(nodes[2]!)).toEqual([]);
  });

  it('share one session, in which no position comes twice', async () => {
    await cluster.learn(client);
    await Promise.all([...low, ...high].map((key) => client.call(increment, { key })));
    expect(nodes[0]!.openedSessions.length + nodes[1]!.openedSessions.length).toBe(1);
    const writes = nodes.flatMap((node) => node.frames).filter(({ sessionId }) => sessionId !== 0n);
    expect(new Set(writes.map(({ sessionId }) => sessionId)).size).toBe(1);
    const sequences = writes.flatMap(({ calls }) => calls.map(({ sequence }) => sequence)).filter(Boolean);
    expect(new Set(sequences).size).toBe(sequences.length);
  });

  it('say the epoch by which they were routed', async () => {
    await cluster.learn(client);
    await client.call(increment, { key: high[0]! });
    expect(nodes[1]!.frames.at(-1)!.topologyEpoch).toBe(1n);
  });

  it('follow a hint with the same session and position', async () => {
    await cluster.learn(client);
    const { rule } = nodes[1]!;
    nodes[1]!.rule = (call, frame) =>
      call.method === methodNumbers.increment ? notLeader(nodes[2]) : rule(call, frame);
    await client.call(increment, { key: high[0]! });
    const [refused, taken] = [nodes[1]!, nodes[2]!].map((node) => incrementsAt(node)[0]!);
    expect(taken!.sequence).toBe(refused!.sequence);
    expect(taken!.retry).toBe(true);
    expect(nodes[2]!.frames.at(-1)!.sessionId).toBe(nodes[1]!.frames.at(-1)!.sessionId);
  });

  it('learn the new leader when there is no hint', async () => {
    await cluster.learn(client);
    const { rule } = nodes[1]!;
    nodes[1]!.rule = (call, frame) => {
      if (call.method !== methodNumbers.increment) return rule(call, frame);
      cluster.leaders = [0, 2];
      cluster.epoch = 2n;
      return notLeader();
    };
    // The first one may go on by another node before the topology is there.
    while (keysAt(nodes[2]!).length === 0) await client.call(increment, { key: high[0]! });
    expect(keysAt(nodes[1]!)).toHaveLength(1);
  });

  it('go by another node when their own cannot be reached', async () => {
    await cluster.learn(client);
    nodes[1]!.stop();
    await Promise.all(high.map((key) => client.call(increment, { key })));
    expect(new Set(keysAt(nodes[0]!).filter((key) => high.includes(key)))).toEqual(new Set(high));
  });

  it('are sent again elsewhere when the connection breaks under them, and keep their place', async () => {
    await cluster.learn(client);
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
    await cluster.learn(client);
    cluster.leaders = [1, 1];
    cluster.epoch = 2n;
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
        call.method === GET_TOPOLOGY ? cluster.topology([nodes[0]!, nowhere, nodes[2]!]) : undefined;
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
    await cluster.learn(client);
    nodes[1]!.stop();
    await client.call(increment, { key: high[0]! });
    await nodes[1]!.start();
    const before = keysAt(nodes[1]!).length;
    await vi.waitUntil(async () => {
      await client.call(increment, { key: high[0]! });
      return keysAt(nodes[1]!).length > before;
    }, PATIENCE);
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
    entry.rule = (call) => (call.method === GET_TOPOLOGY ? cluster.topology([other]) : undefined);
    cluster.leaders = [0, 0];
    await cluster.learn(client);
    await Promise.all(high.map((key) => client.call(increment, { key })));
    expect(keysAt(other)).toEqual([]);
    expect(new Set(keysAt(entry)).size).toBe(high.length + 1);
  });

  it('find the nodes that join it, though nothing goes wrong, and go on by them when it leaves', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    try {
      const [entry, other] = [nodes[0]!, nodes[1]!];
      entry.rule = (call) => (call.method === GET_TOPOLOGY ? cluster.topology([entry]) : undefined);
      cluster.leaders = [0, 0];
      await client.call(increment, { key: low[0]! });
      await entry.until(() => entry.calls.some(({ method }) => method === GET_TOPOLOGY));
      entry.rule = (call) => (call.method === GET_TOPOLOGY ? cluster.topology([entry, other]) : undefined);
      cluster.leaders = [1, 1];
      await vi.waitUntil(async () => {
        vi.advanceTimersByTime(5_000);
        await client.call(increment, { key: low[0]! });
        return keysAt(other).length > 0;
      }, PATIENCE);
      entry.stop();
      await client.call(increment, { key: low[1]! });
      expect(keysAt(other)).toContain(low[1]);
    } finally {
      vi.useRealTimers();
    }
  });
});
