/** A member that has gone wrong: its links are the cluster's, and what it sends makes no sense. */
import { expect, test } from 'vitest';
import { ClusterService } from '../../gen/gomsg/v1/cluster_pb.js';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { createLogger } from '../../observe/logger.ts';
import { EntryKind, type Message } from '../../raft/index.ts';
import { joinCluster } from '../links/join-cluster.ts';
import type { LinkEvents } from '../links/options.ts';
import { PeerLinks } from '../links/peer-links.ts';
import { replicaId } from '../replica-id.ts';
import { ClusterProcess, SECRET } from '../testing/cluster-process.ts';

const { set, get } = KVService.method;
const MEMBER = { nodeId: 'broken', version: '0.0.1', level: 1 };
const MESSAGES = 4_000;
const FLUSH_EVERY = 20;
/** Memory that the node may gain over all of it. */
const GAIN_BYTES_MAX = 96 * 1024 * 1024;

test('a member that sends nonsense is refused with the reason, and the node goes on serving', {
  timeout: 120_000,
}, async () => {
  // It gets no vote: what a voter says of its own log must be believed.
  await using cluster = await ClusterProcess.start(1, ['--groups=1', '--replication=1']);
  const [node] = cluster.nodes;
  const { client, address, process } = node!;
  const write = (value: string) =>
    cluster.until('the node serves', async () => {
      await client.unary(set, { key: 'k', value: Buffer.from(value) }, { timeout_ms: 2_000 });
      return Buffer.from((await client.unary(get, { key: 'k' })).value).toString() === value;
    });
  await write('before');
  const { nodeNumber, clusterId } = await joinCluster({
    addresses: [address],
    secret: SECRET,
    tls: undefined,
    request: { ...MEMBER, address: '127.0.0.1:1', token: 'a-token' },
  });
  const told: string[] = [];
  const links = new PeerLinks({
    self: { number: nodeNumber, nodeId: MEMBER.nodeId, clusterId, version: MEMBER.version },
    secret: SECRET,
    tls: undefined,
    locate: (number) => (number === 1 ? { nodeId: 'node1', address } : undefined),
    events: DEAF,
    logger: createLogger({
      level: 'warn',
      format: 'json',
      output: { write: (line: string) => void told.push(line) },
    }),
    reportBug: () => {},
    limits: { reconnectMin_ms: 5, reconnectMax_ms: 20 },
  });
  try {
    links.setNodes([1]);
    const isUp = () => cluster.until('the link is up', async () => links.isLinked(1));
    /** What is said to a link that is about to end for what was said before is not heard: it is said until it is. */
    const isTold = (why: string, say: () => void) =>
      cluster.until(`it is told: ${why}`, async () => {
        if (links.isLinked(1)) say();
        return told.join().includes(why);
      });
    await isUp();
    const before = process.privateBytes;
    const random = seeded(20_261_123);
    for (let i = 0; i < MESSAGES; i++) {
      links.send(Math.floor(random() * 2), nonsense(random, nodeNumber));
      if (i % FLUSH_EVERY === 0) {
        links.flush();
        if (!links.isLinked(1)) await isUp();
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await isTold('broken sent garbage: a report cannot be read', () =>
      links.report(Buffer.from('no report')),
    );
    links.report(new Uint8Array());
    await write('among nonsense');

    // Groups that there are not.
    const ofNoGroup = {
      ...nonsense(random, nodeNumber),
      type: 'heartbeat',
      commit: 1,
      context: 0,
    } as Message;
    await isTold('a message names group 60000, and the cluster has groups up to 1', () => {
      links.send(60_000, ofNoGroup);
      links.flush();
    });
    await write('after');
    expect(process.exit).toBeUndefined();
    expect(process.privateBytes - before).toBeLessThan(GAIN_BYTES_MAX);
    const { groups } = await client.unary(ClusterService.method.status, {});
    expect(groups.map(({ group }) => group)).toEqual([0, 1]);
  } finally {
    links.close();
  }
});

/** A message of any kind between the two nodes. It does not claim to lead: that a member does must be believed. */
function nonsense(random: () => number, from: number): Message {
  const small = () => Math.floor(random() * 12);
  const any = () => (random() < 0.1 ? Math.floor(random() * 2 ** 40) : small());
  const envelope = {
    from: replicaId(from, random() < 0.8 ? 0 : small()),
    to: replicaId(1, random() < 0.8 ? 0 : small()),
    term: any(),
  };
  const known = { commitIndex: any(), commitTerm: any() };
  const stale = { ...envelope, term: 0 };
  const entry = {
    index: any(),
    term: any(),
    kind: EntryKind.NORMAL,
    data: Buffer.from([0x08, 0x01, small()]),
  };
  const kinds: readonly (() => Message)[] = [
    () => ({
      ...stale,
      type: 'append',
      previousIndex: any(),
      previousTerm: any(),
      entries: random() < 0.5 ? [] : [entry],
      commit: any(),
    }),
    () => ({
      ...envelope,
      type: 'append-response',
      index: any(),
      rejected: random() < 0.5,
      hintIndex: any(),
      hintTerm: any(),
    }),
    () => ({ ...stale, type: 'heartbeat', commit: any(), context: any() }),
    () => ({ ...envelope, type: 'heartbeat-response', context: any() }),
    () => ({
      ...envelope,
      ...known,
      type: 'vote',
      lastIndex: any(),
      lastTerm: any(),
      transfer: random() < 0.5,
    }),
    () => ({ ...envelope, ...known, type: 'vote-response', granted: random() < 0.5 }),
    () => ({ ...envelope, ...known, type: 'pre-vote', lastIndex: any(), lastTerm: any() }),
    () => ({ ...envelope, ...known, type: 'pre-vote-response', granted: random() < 0.5 }),
    () => ({ ...stale, type: 'timeout-now' }),
  ];
  return kinds[Math.floor(random() * kinds.length)]!();
}

/** Hears nothing and answers nothing. */
const DEAF: LinkEvents = {
  onMessages: () => {},
  onSnapshot: () => Promise.reject(new Error('it takes no snapshots')),
  onCall: () => {},
  onStream: () => {
    throw new Error('it answers nothing');
  },
  onReport: () => {},
  onJoin: () => Promise.reject(new Error('it admits nobody')),
};

/** Uniform in [0, 1): mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
