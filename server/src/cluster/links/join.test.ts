/** Admission over real ports. */
import { describe, expect, test } from 'vitest';
import { NodeMetrics } from '../../observe/node-metrics.ts';
import { openPort } from '../../transport/port.ts';
import type { Admission, JoinAnswer, JoinRequest } from './join.ts';
import { JoinError, type JoinOptions, joinCluster } from './join-cluster.ts';
import { openNode, SECRET } from './testing/linked-nodes.ts';

const REQUEST: JoinRequest = {
  nodeId: 'node4',
  address: '127.0.0.1:9004',
  hostLabel: 'rack-2',
  version: '1.2.3',
  level: 1,
  token: 'token-of-node4',
};

const ADMISSION: Admission = {
  clusterId: 'cluster-of-tests',
  nodeNumber: 4,
  groups: 16,
  members: [
    { number: 1, nodeId: 'node1', address: '127.0.0.1:9001' },
    { number: 4, nodeId: 'node4', address: '127.0.0.1:9004' },
  ],
};

const ADMITTED: JoinAnswer = { kind: 'admitted', admission: ADMISSION };

/** An address where nothing listens. */
async function nowhere(): Promise<string> {
  const port = await openPort({
    host: '127.0.0.1',
    port: 0,
    methods: [],
    meters: new NodeMetrics().transport,
    reportBug: () => {},
  });
  await port.drain(0);
  return `127.0.0.1:${port.port}`;
}

function join(addresses: readonly string[], more: Partial<JoinOptions> = {}): Promise<Admission> {
  return joinCluster({
    addresses,
    secret: SECRET,
    tls: undefined,
    request: REQUEST,
    limits: { reconnectMin_ms: 5, reconnectMax_ms: 20 },
    ...more,
  });
}

async function problemOf(joining: Promise<Admission>): Promise<JoinError> {
  const error = await joining.catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(JoinError);
  return error as JoinError;
}

describe('a candidate', () => {
  test('is admitted by a member that hears all of its request', async () => {
    const one = await openNode(1);
    const heard: JoinRequest[] = [];
    one.onJoin = async (request) => {
      heard.push(request);
      return ADMITTED;
    };
    expect(await join([one.address])).toEqual(ADMISSION);
    expect(heard).toEqual([REQUEST]);
  });

  test('passes over addresses where nobody is', async () => {
    const one = await openNode(1);
    one.onJoin = async () => ADMITTED;
    expect(await join([await nowhere(), one.address])).toEqual(ADMISSION);
  });

  test('follows where it is sent, also in a circle for a while', async () => {
    const one = await openNode(1);
    const two = await openNode(2);
    let elected = false;
    one.onJoin = async () => ({ kind: 'ask', nodeId: 'node2', address: two.address });
    two.onJoin = async () => (elected ? ADMITTED : { kind: 'ask', nodeId: 'node1', address: one.address });
    const rounds: (readonly string[])[] = [];
    const admission = await join([one.address], {
      onRetry: (problems) => {
        rounds.push(problems);
        elected = true;
      },
    });
    expect(admission).toEqual(ADMISSION);
    expect(rounds).toEqual([
      [`${one.address}: ask node2 at ${two.address}`, `${two.address}: ask node1 at ${one.address}`],
    ]);
  });

  test('asks again while nobody can decide', async () => {
    const one = await openNode(1);
    let asked = 0;
    one.onJoin = async () => {
      asked += 1;
      if (asked < 3) return { kind: 'refused', reason: 'unavailable', message: 'an election is under way' };
      return ADMITTED;
    };
    expect(await join([one.address])).toEqual(ADMISSION);
    expect(asked).toBe(3);
  });

  test.each(['id-in-use', 'version', 'not-a-cluster'] as const)(
    'is told once and for all: %s',
    async (reason) => {
      const one = await openNode(1);
      one.onJoin = async () => ({ kind: 'refused', reason, message: 'for a reason of the member' });
      const error = await problemOf(join([one.address]));
      expect(error.problem).toBe(reason);
      expect(error.message).toMatch(/for a reason of the member/);
    },
  );

  test.each([
    ['another secret', 'another-secret-of-sixteen'],
    ['no secret', undefined],
  ])('with %s is refused before it is heard', async (_what, secret) => {
    const one = await openNode(1);
    expect((await problemOf(join([one.address], { secret }))).problem).toBe('wrong-secret');
    expect(one.bugs).toEqual([]);
  });

  test('with a secret does not join a cluster that does not know it', async () => {
    const one = await openNode(1, { secret: undefined });
    expect((await problemOf(join([one.address]))).problem).toBe('wrong-secret');
  });

  test('learns that an address is not a member of a cluster', async () => {
    const lone = await openNode(1, { wrap: () => [] });
    const error = await problemOf(join([lone.address]));
    expect(error.problem).toBe('not-a-cluster');
    expect(error.message).toMatch(/--cluster/);
  });

  test('gives up when it is told to, and says what it saw', async () => {
    const address = await nowhere();
    const giveUp = new AbortController();
    const error = await problemOf(join([address], { signal: giveUp.signal, onRetry: () => giveUp.abort() }));
    expect(error.problem).toBe('aborted');
    expect(error.message).toContain(address);
  });

  test('of a member whose decision fails is asked to come again, and the failure is reported', async () => {
    const one = await openNode(1);
    let asked = 0;
    one.onJoin = async () => {
      asked += 1;
      if (asked === 1) throw new TypeError('a bug');
      return ADMITTED;
    };
    expect(await join([one.address])).toEqual(ADMISSION);
    expect(one.bugs).toEqual([expect.stringMatching(/a bug/)]);
  });
});
