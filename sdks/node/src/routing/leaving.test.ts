/** Nodes that are up and of no use: silent, or without a leader to offer. A client goes on by the others. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ErrorReason } from '../errors.ts';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import { PipelineClient, type PipelineOptions } from '../pipeline.ts';
import {
  FakeCluster,
  GET_TOPOLOGY,
  high,
  incrementsAt,
  keyOf,
  keysAt,
  low,
  notLeader,
  refusal,
} from '../testing/fake-cluster.ts';
import { type FakePipeline, methodNumbers } from '../testing/fake-pipeline.ts';
import { SilenceableWire } from '../testing/silenceable-wire.ts';

const { get, increment } = KVService.method;
/** So soon that a test does not wait long, and so late that a busy machine is not taken for a silent one. */
const QUICK_CHANNEL = { keepaliveInterval_ms: 100, keepaliveTimeout_ms: 400, connectTimeout_ms: 400 };

/** For a node that is not silent: a busy machine takes its time to answer. */
const PATIENT_CHANNEL = { ...QUICK_CHANNEL, keepaliveInterval_ms: 50, keepaliveTimeout_ms: 1_000 };

/** More than a connection would last that is given up although they are answered. */
const PINGS = 25;

let cluster: FakeCluster;
let nodes: readonly FakePipeline[];

beforeEach(async () => {
  cluster = await FakeCluster.serve();
  nodes = cluster.nodes;
});

afterEach(() => cluster.stop());

function clientOf(options: PipelineOptions = {}): PipelineClient & AsyncDisposable {
  const client = new PipelineClient({
    address: nodes[0]!.address,
    routing: true,
    retryDelay_ms: 5,
    maxRetryDelay_ms: 20,
    timeout_ms: 10_000,
    ...options,
  });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close(100) });
}

function topologyAsked(node: FakePipeline): number {
  return node.calls.filter(({ method }) => method === GET_TOPOLOGY).length;
}

/** The node refuses increments, and answers all else as before. */
function refuse(node: FakePipeline, refused: () => ReturnType<typeof refusal> | undefined): void {
  const { rule } = node;
  node.rule = (call, frame) =>
    (call.method === methodNumbers.increment ? refused() : undefined) ?? rule(call, frame);
}

describe('a node that falls silent', () => {
  it('is given up: its calls go to another at once, in their places, and are applied once', async () => {
    await using wire = await SilenceableWire.to(nodes[1]!.address);
    const told = [nodes[0]!, wire, nodes[2]!];
    for (const node of nodes)
      node.rule = (call) => (call.method === GET_TOPOLOGY ? cluster.topology(told) : undefined);
    await using client = clientOf({ channel: QUICK_CHANNEL });
    await cluster.learn(client);
    await client.call(increment, { key: high[0]! });
    const [first] = incrementsAt(nodes[1]!);
    wire.silence();
    await client.call(increment, { key: high[0]! });
    const [again] = incrementsAt(nodes[0]!).filter((call) => keyOf(call) === high[0]);
    expect(again!.retry).toBe(true);
    expect(again!.sequence).toBe(first!.sequence + 1n);
    expect(nodes[0]!.openedSessions.length + nodes[1]!.openedSessions.length).toBe(1);
  });

  it('is not home any more, though it takes connections', async () => {
    await using wire = await SilenceableWire.to(nodes[0]!.address);
    const told = [wire, nodes[1]!, nodes[2]!];
    for (const node of nodes)
      node.rule = (call) => (call.method === GET_TOPOLOGY ? cluster.topology(told) : undefined);
    await using client = clientOf({ address: wire.address, channel: QUICK_CHANNEL });
    await cluster.learn(client);
    expect(client.address).toBe(wire.address);
    wire.silence();
    await client.call(get, { key: low[0]! });
    expect(client.address).not.toBe(wire.address);
  });

  it('when it is the only one is waited for, and calls are applied once', async () => {
    await using wire = await SilenceableWire.to(nodes[0]!.address);
    nodes[0]!.rule = (call) => (call.method === GET_TOPOLOGY ? cluster.topology([wire]) : undefined);
    let lost = () => {};
    const disconnected = new Promise<void>((resolve) => {
      lost = resolve;
    });
    const observer = { disconnected: () => lost() };
    await using client = clientOf({ address: wire.address, channel: QUICK_CHANNEL, observer });
    await client.call(increment, { key: 'n' });
    wire.silence();
    const call = client.call(increment, { key: 'n' });
    await disconnected;
    wire.resume();
    expect((await call).value).toBe(2n);
    expect(nodes[0]!.counters.get('n')).toBe(2n);
  });

  it('is not what a node is that answers pings, however long a call takes', async () => {
    await using wire = await SilenceableWire.to(nodes[0]!.address);
    const disconnected: string[] = [];
    const observer = { disconnected: (address: string) => void disconnected.push(address) };
    const channel = PATIENT_CHANNEL;
    await using client = clientOf({ address: wire.address, routing: false, channel, observer });
    nodes[0]!.rule = ({ method }) => (method === methodNumbers.get ? 'hold' : undefined);
    const call = client.call(get, { key: low[0]! });
    await nodes[0]!.until(() => nodes[0]!.held === 1);
    await wire.moved(2 * PINGS);
    nodes[0]!.release();
    await call;
    expect(disconnected).toEqual([]);
  });
});

describe('a node that was lost and takes connections again', () => {
  it('is asked first, and gets no call of anybody before it answers, while another stands', async () => {
    await using client = clientOf();
    await cluster.learn(client);
    nodes[1]!.stop();
    await client.call(increment, { key: high[0]! });
    const { rule } = nodes[1]!;
    nodes[1]!.rule = () => 'hold';
    const [asked, taken] = [topologyAsked(nodes[1]!), keysAt(nodes[1]!).length];
    await nodes[1]!.start();
    let isAsked = false;
    const probed = nodes[1]!
      .until(() => topologyAsked(nodes[1]!) > asked)
      .then(() => {
        isAsked = true;
      });
    while (!isAsked) await client.call(increment, { key: high[0]! });
    await probed;
    await Promise.all(high.map((key) => client.call(increment, { key })));
    expect(keysAt(nodes[1]!)).toHaveLength(taken);
    nodes[1]!.rule = rule;
    nodes[1]!.release();
    while (keysAt(nodes[1]!).length === taken) await client.call(increment, { key: high[0]! });
  });
});

describe('a node without a leader to offer', () => {
  it.each([
    ['NO_QUORUM', () => refusal(ErrorReason.NO_QUORUM)],
    ['NOT_LEADER without a hint', () => notLeader()],
  ])('that says %s is left by the call, which keeps its place', async (_, refused) => {
    await using client = clientOf();
    await cluster.learn(client);
    refuse(nodes[1]!, refused);
    await client.call(increment, { key: high[0]! });
    const [first] = incrementsAt(nodes[1]!);
    const again = incrementsAt(nodes[0]!).find((call) => keyOf(call) === high[0])!;
    expect(incrementsAt(nodes[1]!)).toHaveLength(1);
    expect([again.sequence, again.retry]).toEqual([first!.sequence, true]);
  });

  it('is not home any more, and the topology is asked of another', async () => {
    await using client = clientOf();
    await cluster.learn(client);
    refuse(nodes[0]!, () => refusal(ErrorReason.NO_QUORUM));
    cluster.leaders = [2, 1];
    cluster.epoch = 2n;
    await client.call(increment, { key: low[0]! });
    // Before it refused the call it may have been asked for other reasons.
    const asked = topologyAsked(nodes[0]!);
    expect(client.address).not.toBe(nodes[0]!.address);
    const home = nodes.find(({ address }) => address === client.address)!;
    await home.until(() => topologyAsked(home) > 0);
    while (!keysAt(nodes[2]!).includes(low[1]!)) await client.call(increment, { key: low[1]! });
    expect(topologyAsked(nodes[0]!)).toBe(asked);
  });

  it('is asked again when it is the only one', async () => {
    nodes[0]!.rule = (call) => (call.method === GET_TOPOLOGY ? cluster.topology([nodes[0]!]) : undefined);
    cluster.leaders = [0, 0];
    await using client = clientOf();
    await client.call(increment, { key: 'n' });
    let refusals = 3;
    refuse(nodes[0]!, () => (refusals-- > 0 ? refusal(ErrorReason.NO_QUORUM) : undefined));
    expect((await client.call(increment, { key: 'n' })).value).toBe(2n);
  });
});

describe('a cluster without a leader', () => {
  it('is gone round until a node leads, and calls succeed then', async () => {
    await using client = clientOf({ retryDelay_ms: 25, maxRetryDelay_ms: 2_000 });
    await cluster.learn(client);
    const led_ms = performance.now() + 1_500;
    const before = nodes.map((node) => keysAt(node).length);
    for (const [index, node] of nodes.entries()) {
      refuse(node, () => (performance.now() >= led_ms && index === 2 ? undefined : notLeader()));
    }
    cluster.leaders = [undefined, undefined];
    cluster.epoch = 2n;
    const calls = [low[0]!, low[1]!, high[0]!].map((key) => client.call(increment, { key }));
    await Promise.all(calls);
    for (const [index, node] of nodes.entries()) {
      expect(keysAt(node).length).toBeGreaterThan(before[index]!);
    }
    expect(keysAt(nodes[2]!)).toEqual(expect.arrayContaining([low[0], low[1], high[0]]));
    expect(new Set(incrementsAt(nodes[2]!).map(({ sequence }) => sequence)).size).toBe(3);
  });
});
