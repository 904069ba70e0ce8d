/** Links between real ports: messages, reports, what is refused, what a broken network does. */
import { connect } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Message } from '../../raft/index.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../../transport/testing/certificate.ts';
import { replicaId } from '../replica-id.ts';
import { type LinkedNode, openNode, openNodes, untilDown, untilUp, WAIT } from './testing/linked-nodes.ts';
import { TcpProxy } from './testing/tcp-proxy.ts';

function heartbeat(from: number, to: number, term: number): Message {
  return { type: 'heartbeat', from, to, term, commit: 5, context: 0 };
}

function appendResponse(from: number, to: number, index: number): Message {
  return { type: 'append-response', from, to, term: 1, index, rejected: false, hintIndex: 0, hintTerm: 0 };
}

/** What a node logged when it refused or was refused. */
function reasons(node: LinkedNode): string[] {
  return node.logLines
    .map((line) => JSON.parse(line))
    .filter(({ why }) => why !== undefined)
    .map(({ why }) => why);
}

async function pair(first: LinkedNode, second: LinkedNode): Promise<void> {
  first.knows(second);
  second.knows(first);
  first.link();
  second.link();
}

describe('messages', () => {
  test('of a turn arrive together and in order, group by group', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    for (let index = 1; index <= 5; index++) one.links.send(3, appendResponse(1, 2, index));
    one.links.send(4, heartbeat(1, 2, 9));
    one.links.flush();
    await vi.waitFor(() => expect(two.received).toHaveLength(6), WAIT);
    expect(two.received.filter(({ group }) => group === 3).map(({ message }) => message)).toEqual(
      [1, 2, 3, 4, 5].map((index) => appendResponse(1, 2, index)),
    );
    expect(two.received.filter(({ group }) => group === 4)).toEqual([
      { group: 4, message: heartbeat(1, 2, 9) },
    ]);
    expect(two.batches).toEqual([5, 1]);
  });

  test('go to the node of the replica, whatever its incarnation', async () => {
    const [one, two, three] = (await openNodes(3)) as [LinkedNode, LinkedNode, LinkedNode];
    one.links.send(1, appendResponse(replicaId(1, 2), replicaId(3, 7), 11));
    one.links.flush();
    await vi.waitFor(() => expect(three.received).toHaveLength(1), WAIT);
    expect(two.received).toEqual([]);
    expect(one.links.addressOf(replicaId(3, 7))).toEqual({ nodeId: 'node3', address: three.address });
    expect(one.links.addressOf(replicaId(9, 0))).toBeUndefined();
  });

  test('10,000 each way between every pair of three nodes arrive in order, none lost', async () => {
    const nodes = await openNodes(3);
    const COUNT = 10_000;
    const TURN = 100;
    for (let turn = 0; turn < COUNT / TURN; turn++) {
      for (const from of nodes) {
        for (const to of nodes) {
          if (to === from) continue;
          for (let position = 1; position <= TURN; position++) {
            from.links.send(1, appendResponse(from.number, to.number, turn * TURN + position));
          }
        }
        from.links.flush();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(() => {
      for (const node of nodes) expect(node.received).toHaveLength(2 * COUNT);
    }, WAIT);
    for (const node of nodes) {
      for (const from of nodes) {
        const indexes = node.received
          .filter(({ message }) => message.from === from.number)
          .map(({ message }) => (message.type === 'append-response' ? message.index : -1));
        expect(indexes.every((index, position) => index === position + 1)).toBe(true);
      }
    }
  });

  test('past the bound of what may wait are dropped, and the link goes on', async () => {
    const proxied = await openNodes(2, {
      limits: { maxWaitingBytes: 256 * 1024, maxUnsentBytes: 64 * 1024 },
    });
    const [one, two] = proxied as [LinkedNode, LinkedNode];
    const COUNT = 100;
    for (let index = 1; index <= COUNT; index++) {
      one.links.send(1, {
        type: 'append',
        from: 1,
        to: 2,
        term: 1,
        previousIndex: index,
        previousTerm: 1,
        commit: 0,
        entries: [{ index: index + 1, term: 1, kind: 0, data: new Uint8Array(16 * 1024) }],
      });
    }
    one.links.send(1, heartbeat(1, 2, 4));
    one.links.flush();
    await vi.waitFor(
      () => expect(two.received.some(({ message }) => message.type === 'heartbeat')).toBe(true),
      WAIT,
    );
    await vi.waitFor(() => expect(two.received.length).toBeGreaterThan(10), WAIT);
    expect(two.received.length).toBeLessThan(30);
    one.links.send(1, appendResponse(1, 2, 77));
    one.links.flush();
    await vi.waitFor(() => expect(two.received.at(-1)?.message).toEqual(appendResponse(1, 2, 77)), WAIT);
  });
});

describe('reports', () => {
  test('reach all nodes at once, the newest wins, and a node that comes later gets it', async () => {
    const [one, two, three] = (await openNodes(3)) as [LinkedNode, LinkedNode, LinkedNode];
    one.links.report(Buffer.from('first'));
    one.links.report(Buffer.from('second'));
    for (const node of [two, three]) {
      await vi.waitFor(() => expect(node.reports.at(-1)).toEqual({ from: 1, text: 'second' }), WAIT);
    }
    const four = await openNode(4);
    one.knows(four);
    four.knows(one);
    one.link();
    await vi.waitFor(() => expect(four.reports).toEqual([{ from: 1, text: 'second' }]), WAIT);
  });

  test('tell when a node was last heard', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const before_ms = performance.now();
    two.links.report(Buffer.from('here'));
    await vi.waitFor(() => expect(one.links.lastHeard_ms(2)).toBeGreaterThanOrEqual(before_ms), WAIT);
    expect(one.links.lastHeard_ms(9)).toBeUndefined();
  });
});

describe('a node is refused, with the reason on both sides and one line a side,', () => {
  test.each([
    ['without the secret', { secret: undefined }, /started without one/],
    ['with another secret', { secret: 'another-secret-of-sixteen' }, /does not know the secret/],
    [
      'of another cluster',
      { clusterId: 'other' },
      /belongs to cluster other, and node node1 to cluster cluster-of-tests/,
    ],
    ['whose number is another one’s', { nodeId: 'impostor' }, /impostor \(number 2\) is no member/],
  ])('%s', async (_what, options, why) => {
    const one = await openNode(1);
    const two = await openNode(2, options);
    one.members.set(2, { nodeId: 'node2', address: two.address });
    two.knows(one);
    two.link();
    const proxied = two.links;
    await vi.waitFor(() => expect(reasons(two)).toEqual([expect.stringMatching(why)]), WAIT);
    await vi.waitFor(() => expect(reasons(one)).toEqual([expect.stringMatching(why)]), WAIT);
    // Several tries later there is still one line.
    await vi.waitFor(() => expect(one.links.open.acceptedStreams + proxied.open.links).toBe(0), WAIT);
    expect(two.links.isLinked(1)).toBe(false);
    expect([...one.bugs, ...two.bugs]).toEqual([]);
  });

  test('that is no member yet, until it is one', async () => {
    const one = await openNode(1);
    const two = await openNode(2);
    two.knows(one);
    two.link();
    await vi.waitFor(() => expect(reasons(two)).toEqual([expect.stringMatching(/is no member/)]), WAIT);
    one.knows(two);
    await untilUp(two, one);
  });

  test('that has the secret where the other side has none', async () => {
    const one = await openNode(1, { secret: undefined });
    const two = await openNode(2);
    await pair(one, two);
    await vi.waitFor(
      () =>
        expect(reasons(two)).toEqual(
          expect.arrayContaining([expect.stringMatching(/did not show that it knows/)]),
        ),
      WAIT,
    );
    await vi.waitFor(
      () => expect(reasons(one)).toEqual(expect.arrayContaining([expect.stringMatching(/secret/)])),
      WAIT,
    );
    expect(one.links.open.links + two.links.open.links).toBe(0);
  });

  test('that answers where another should be', async () => {
    const one = await openNode(1);
    const two = await openNode(2);
    one.members.set(3, { nodeId: 'node3', address: two.address });
    two.knows(one);
    one.link();
    await vi.waitFor(
      () => expect(reasons(one)).toEqual([expect.stringMatching(/was taken for number 3/)]),
      WAIT,
    );
    await vi.waitFor(
      () => expect(reasons(two)).toEqual([expect.stringMatching(/was taken for number 3/)]),
      WAIT,
    );
  });
});

test('a cluster without a secret links by its ids alone', async () => {
  const [one, two] = (await openNodes(2, { secret: undefined })) as [LinkedNode, LinkedNode];
  one.links.send(1, heartbeat(1, 2, 1));
  one.links.flush();
  await vi.waitFor(() => expect(two.received).toHaveLength(1), WAIT);
});

describe('over TLS', () => {
  const tls = { cert: TEST_CERTIFICATE, key: TEST_KEY, ca: TEST_CERTIFICATE };

  test('nodes that show certificates of the same authority link', async () => {
    const [one, two] = (await openNodes(2, { tls })) as [LinkedNode, LinkedNode];
    one.links.send(1, heartbeat(1, 2, 1));
    one.links.flush();
    await vi.waitFor(() => expect(two.received).toHaveLength(1), WAIT);
  });

  test('a node without a certificate gets no link', async () => {
    const one = await openNode(1, { tls });
    const two = await openNode(2);
    two.knows(one);
    one.knows(two);
    two.link();
    await vi.waitFor(() => expect(reasons(two).length).toBeGreaterThan(0), WAIT);
    expect(two.links.isLinked(1)).toBe(false);
  });
});

describe('a link that is cut', () => {
  test('comes back by itself, with a fresh memory of heartbeats', async () => {
    const one = await openNode(1);
    const two = await openNode(2);
    await using proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
    one.knows(two, proxy.address);
    two.knows(one);
    one.link();
    await untilUp(one, two);
    for (let turn = 0; turn < 3; turn++) {
      one.links.send(7, heartbeat(1, 2, 3));
      one.links.flush();
    }
    await vi.waitFor(() => expect(two.received).toHaveLength(3), WAIT);
    proxy.cut();
    await untilDown(one, two);
    one.links.send(7, appendResponse(1, 2, 1));
    one.links.flush();
    proxy.mend();
    await untilUp(one, two);
    one.links.send(7, heartbeat(1, 2, 3));
    one.links.flush();
    await vi.waitFor(() => expect(two.received).toHaveLength(4), WAIT);
    expect(two.received.map(({ message }) => message)).toEqual(Array(4).fill(heartbeat(1, 2, 3)));
    expect(one.linkChanges).toEqual(['2 up', '2 down', '2 up']);
  });

  test('is found out by pings when the other side just falls silent', async () => {
    const limits = { keepaliveInterval_ms: 100, keepaliveTimeout_ms: 100, handshakeTimeout_ms: 200 };
    const one = await openNode(1, { limits });
    const two = await openNode(2);
    await using proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
    one.knows(two, proxy.address);
    two.knows(one);
    one.link();
    await untilUp(one, two);
    proxy.silence();
    await untilDown(one, two);
    proxy.mend();
    await untilUp(one, two);
  });

  test('is tried at growing intervals', async () => {
    const one = await openNode(1, { limits: { reconnectMin_ms: 20, reconnectMax_ms: 10_000 } });
    const two = await openNode(2);
    await using proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
    proxy.cut();
    one.knows(two, proxy.address);
    one.link();
    // 20 + 40 + 80 + 160 ms, each cut by up to a half, are behind the fifth try.
    const began_ms = performance.now();
    await vi.waitFor(() => expect(proxy.opened).toBeGreaterThanOrEqual(5), WAIT);
    expect(performance.now() - began_ms).toBeGreaterThan(150);
    expect(reasons(one).length).toBeLessThanOrEqual(proxy.opened);
  });
});

test('a node that links to this one is up, and dialled at once', async () => {
  const one = await openNode(1, { limits: { reconnectMin_ms: 60_000, reconnectMax_ms: 60_000 } });
  const two = await openNode(2);
  await using proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
  proxy.cut();
  one.knows(two, proxy.address);
  two.knows(one);
  one.link();
  await vi.waitFor(() => expect(reasons(one)).not.toEqual([]), WAIT);
  proxy.mend();
  two.link();
  await untilUp(one, two);
});

test('a node that links to this one is dialled anew when the try that is under way hangs', async () => {
  let now_ms = 0;
  const one = await openNode(1, { limits: { handshakeTimeout_ms: 60_000 }, monotonic: () => now_ms });
  const two = await openNode(2);
  await using silent = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
  silent.silence();
  let port = Number(silent.address.split(':')[1]);
  await using proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port }));
  one.knows(two, proxy.address);
  two.knows(one);
  one.link();
  await vi.waitFor(() => expect(proxy.opened).toBe(1), WAIT);
  port = two.port.port;
  now_ms += 10_000;
  two.link();
  await untilUp(one, two);
  expect(proxy.opened).toBe(2);
  expect(one.linkChanges).toEqual(['2 up']);
});

test('a node that moved is linked to where it is now, one that left not at all', async () => {
  const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
  await using proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
  one.knows(two, proxy.address);
  one.link();
  await vi.waitFor(() => expect(proxy.opened).toBe(1), WAIT);
  await untilUp(one, two);
  one.members.delete(2);
  one.link();
  expect(one.links.isLinked(2)).toBe(false);
  await untilDown(two, one);
  expect(reasons(two).at(-1)).toBeDefined();
});

test('a node linked anew takes the place of its link before', async () => {
  const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
  await using proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
  // The same node once more, as after a restart whose old connection is not closed yet.
  const again = await openNode(1);
  again.knows(two, proxy.address);
  again.link();
  await untilUp(again, two);
  again.links.send(1, heartbeat(1, 2, 8));
  again.links.flush();
  await vi.waitFor(() => expect(two.received).toEqual([{ group: 1, message: heartbeat(1, 2, 8) }]), WAIT);
  await vi.waitFor(() => expect(one.linkChanges).toContain('2 down'), WAIT);
  one.links.close();
});

describe('garbage', () => {
  const LINK = '/gomsg.internal.v1.PeerService/Link';
  const pass = (bytes: Buffer): Buffer => bytes;

  test.each([
    ['noise', Buffer.from([0xff, 0xff, 0xff, 0x01, 0x02])],
    ['nothing', Buffer.alloc(0)],
    ['a frame before the handshake', Buffer.from([0x4a, 0x01, 0x00])],
    [
      'a step that is far too long',
      Buffer.concat([Buffer.from([0x0a, 0xff, 0xff, 0x03]), Buffer.alloc(65_535)]),
    ],
  ])('%s in place of a handshake is refused and costs nothing', async (_what, bytes) => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const client = new Client(one.address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    onTestFinished(() => client.close());
    const stream = client.makeBidiStreamRequest(LINK, pass, pass);
    const answers: Buffer[] = [];
    stream.on('data', (answer: Buffer) => answers.push(answer));
    stream.on('error', () => {});
    const ended = new Promise((resolve) => stream.once('status', resolve));
    stream.write(bytes);
    await ended;
    expect(Buffer.concat(answers).toString('latin1')).toMatch(/handshake/);
    expect(reasons(one)).toHaveLength(1);
    await vi.waitFor(() => expect(one.links.open.acceptedStreams).toBe(1), WAIT);
    two.links.send(1, heartbeat(2, 1, 1));
    two.links.flush();
    await vi.waitFor(() => expect(one.received).toHaveLength(1), WAIT);
    expect(one.bugs).toEqual([]);
  });

  test('on the port itself does not reach the links', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const socket = connect(one.port.port, '127.0.0.1');
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.end(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0xff, 0x00]));
    await closed;
    two.links.send(1, heartbeat(2, 1, 1));
    two.links.flush();
    await vi.waitFor(() => expect(one.received).toHaveLength(1), WAIT);
  });

  test('from a trusted node ends its link with the reason, and it links anew', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    // A replica that is not the sender's.
    one.links.send(1, heartbeat(3, 2, 1));
    one.links.flush();
    await vi.waitFor(
      () => expect(reasons(two).at(-1)).toMatch(/replica 3 to 2 came over the link of node 1/),
      WAIT,
    );
    await vi.waitFor(() => expect(one.linkChanges).toEqual(['2 up', '2 down', '2 up']), WAIT);
    expect(reasons(one).at(-1)).toMatch(/replica 3 to 2/);
    expect(two.received).toEqual([]);
  });
});

test('streams that never shake hands are bounded in time and number', async () => {
  const one = await openNode(1, { limits: { handshakeTimeout_ms: 300, maxHandshakes: 3 } });
  const client = new Client(one.address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  onTestFinished(() => client.close());
  const pass = (bytes: Buffer): Buffer => bytes;
  const statuses = Array.from({ length: 5 }, () => {
    const stream = client.makeBidiStreamRequest('/gomsg.internal.v1.PeerService/Join', pass, pass);
    stream.on('error', () => {});
    stream.resume();
    return new Promise((resolve) => stream.once('status', resolve));
  });
  await Promise.all(statuses);
  expect(reasons(one)).toEqual(expect.arrayContaining([expect.stringMatching(/too many/)]));
  await vi.waitFor(() => expect(one.links.open.acceptedStreams).toBe(0), WAIT);
});

test('closed links leave no connection, stream or timer behind', async () => {
  const nodes = await openNodes(3);
  for (const node of nodes) node.links.close();
  for (const node of nodes) {
    await vi.waitFor(() => {
      expect(node.port.openConnections).toBe(0);
      expect(node.port.openStreams).toBe(0);
      expect(node.links.open).toEqual({
        links: 0,
        calls: 0,
        acceptedStreams: 0,
        forwardedStreams: 0,
        snapshots: 0,
      });
    }, WAIT);
    node.link();
    expect(node.links.isLinked(1)).toBe(false);
    expect(node.bugs).toEqual([]);
  }
});
