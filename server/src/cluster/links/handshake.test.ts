/** The handshake alone, on streams in memory: what proves nothing, what is replayed, what is too new. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { type Handshake, PeerServiceLinkRequestSchema } from '../../gen/gomsg/internal/v1/peer_pb.js';
import { LEVEL } from '../../state/level.ts';
import {
  acceptHandshake,
  dialHandshake,
  LinkLostError,
  LinkRefusedError,
  type PeerNode,
  RefusalReason,
  StreamPurpose,
} from './handshake.ts';
import type { ForeignMember, LocalNode } from './options.ts';
import { NO_LISTENER, type PeerStream, type StreamListener } from './peer-stream.ts';

/** One end of a stream in memory. What it writes goes through `carry`, which may change, keep or drop it. */
class MemoryStream implements PeerStream {
  readonly peer = 'memory:1';
  readonly written: Buffer[] = [];
  readonly hasRoom = true;
  isClosed = false;
  carry: (message: Buffer) => void = () => {};
  listener: StreamListener = NO_LISTENER;

  listen(listener: StreamListener): void {
    this.listener = listener;
  }

  write(message: Buffer): void {
    this.written.push(message);
    this.carry(message);
  }

  pause(): void {}
  resume(): void {}

  end(): void {
    this.isClosed = true;
  }
}

type Outcome = PeerNode | LinkRefusedError | LinkLostError;

const CLUSTER = 'cluster-of-tests';
const ONE = { number: 1, nodeId: 'node1', clusterId: CLUSTER, version: '1.2.3' };
const TWO = { number: 2, nodeId: 'node2', clusterId: CLUSTER, version: '1.2.4' };
const SECRET = 'a-secret-of-sixteen-or-more';
const TIMEOUT_MS = 5_000;

interface Accepted {
  outcome?: Outcome;
  readonly foreign: ForeignMember[];
}

function accept(stream: MemoryStream, secret: string | undefined = SECRET, self: LocalNode = TWO): Accepted {
  const result: Accepted = { foreign: [] };
  const options = {
    self,
    secret,
    onForeignMember: (member: ForeignMember) => void result.foreign.push(member),
    purpose: StreamPurpose.LINK,
    memberId: (number: number) => (number === 1 ? 'node1' : undefined),
    hasLeft: (number: number, nodeId: string) => number === 3 && nodeId === 'node3',
    timeout_ms: TIMEOUT_MS,
  };
  acceptHandshake(stream, options, (outcome) => {
    result.outcome = outcome;
  });
  return result;
}

interface Dialled {
  outcome?: Outcome;
  /** How often it was told that it has left. */
  left: number;
}

function dial(stream: MemoryStream, secret: string | undefined = SECRET, self: LocalNode = ONE): Dialled {
  const result: Dialled = { left: 0 };
  const options = {
    self,
    secret,
    purpose: StreamPurpose.LINK,
    target: { number: 2, nodeId: 'node2' },
    timeout_ms: TIMEOUT_MS,
    onLeft: () => {
      result.left++;
    },
  };
  dialHandshake(stream, options, (outcome) => {
    result.outcome = outcome;
  });
  return result;
}

/** Both sides of one handshake, with what each writes changed on its way. */
function shake(
  change: (message: Buffer, from: 'dialler' | 'acceptor', step: number) => Buffer = (message) => message,
  secrets: { readonly dialler?: string | undefined; readonly acceptor?: string | undefined } = {
    dialler: SECRET,
    acceptor: SECRET,
  },
  selves: { readonly dialler?: LocalNode; readonly acceptor?: LocalNode } = {},
) {
  const dialler = new MemoryStream();
  const acceptor = new MemoryStream();
  const queue: (() => void)[] = [];
  dialler.carry = (message) => {
    const step = dialler.written.length;
    queue.push(() => acceptor.listener.message(change(message, 'dialler', step)));
  };
  acceptor.carry = (message) => {
    const step = acceptor.written.length;
    queue.push(() => dialler.listener.message(change(message, 'acceptor', step)));
  };
  const accepted = accept(acceptor, secrets.acceptor, selves.acceptor);
  const dialled = dial(dialler, secrets.dialler, selves.dialler);
  for (let deliver = queue.shift(); deliver !== undefined; deliver = queue.shift()) deliver();
  return { dialler, acceptor, accepted, dialled };
}

function stepOf(message: Uint8Array): Handshake['step'] {
  return fromBinary(PeerServiceLinkRequestSchema, message).handshake!.step;
}

function bytesOf(step: Handshake['step']): Buffer {
  const message = create(PeerServiceLinkRequestSchema, { handshake: { step } });
  return Buffer.from(toBinary(PeerServiceLinkRequestSchema, message));
}

function reasonOf({ outcome }: { outcome?: Outcome }): RefusalReason | undefined {
  return outcome instanceof LinkRefusedError ? outcome.reason : undefined;
}

test('two nodes that know the secret learn who the other is', () => {
  const { accepted, dialled } = shake();
  expect(accepted.outcome).toEqual({ number: 1, nodeId: 'node1', version: '1.2.3', clusterId: CLUSTER });
  expect(dialled.outcome).toEqual({ number: 2, nodeId: 'node2', version: '1.2.4', clusterId: CLUSTER });
});

test('the secret itself never travels', () => {
  const { dialler, acceptor } = shake();
  const all = Buffer.concat([...dialler.written, ...acceptor.written]);
  expect(all.includes(SECRET)).toBe(false);
});

describe('a proof is worth nothing', () => {
  test('when it is heard and played again', () => {
    const heard = shake().dialler.written;
    const victim = new MemoryStream();
    const accepted = accept(victim);
    for (const message of heard) victim.listener.message(message);
    expect(reasonOf(accepted)).toBe(RefusalReason.SECRET);
    expect(victim.isClosed).toBe(true);
  });

  test('when it is the acceptor’s own, sent back', () => {
    const victim = new MemoryStream();
    const accepted = accept(victim);
    const other = shake();
    const welcome = stepOf(other.acceptor.written[1]!);
    victim.listener.message(other.dialler.written[0]!);
    if (welcome.case !== 'welcome') throw new Error('no welcome');
    victim.listener.message(bytesOf({ case: 'proof', value: welcome.value }));
    expect(reasonOf(accepted)).toBe(RefusalReason.SECRET);
  });

  test.each([
    ['hello', 'dialler', 1],
    ['challenge', 'acceptor', 1],
  ] as const)('when the %s was changed on its way', (_what, side, which) => {
    const { accepted } = shake((message, from, step) => {
      if (from !== side || step !== which) return message;
      const changed = stepOf(message);
      if (changed.case === 'hello') changed.value.version = '9.9.9';
      if (changed.case === 'challenge') changed.value.version = '9.9.9';
      return bytesOf(changed);
    });
    expect(reasonOf(accepted)).toBe(RefusalReason.SECRET);
  });

  test('when the welcome is of somebody who does not know the secret', () => {
    const { dialled, dialler } = shake((message, from, step) => {
      if (from !== 'acceptor' || step !== 2) return message;
      const welcome = stepOf(message);
      if (welcome.case === 'welcome') welcome.value.mac[0]! ^= 1;
      return bytesOf(welcome);
    });
    expect(reasonOf(dialled)).toBe(RefusalReason.SECRET);
    const last = stepOf(dialler.written.at(-1)!);
    expect(last.case).toBe('refused');
  });

  test('and a port gives none to a stranger', () => {
    const { acceptor, accepted } = shake(undefined, { dialler: 'a-wrong-secret-of-16', acceptor: SECRET });
    expect(reasonOf(accepted)).toBe(RefusalReason.SECRET);
    expect(acceptor.written.map((message) => stepOf(message).case)).toEqual(['challenge', 'refused']);
  });
});

describe('versions without overlap are refused on both sides', () => {
  test('when the node that dials is too new', () => {
    const { accepted, dialled } = shake((message, from, step) => {
      if (from !== 'dialler' || step !== 1) return message;
      const hello = stepOf(message);
      if (hello.case === 'hello')
        Object.assign(hello.value, { protocolMin: 7, protocolMax: 9, version: '4.0.0' });
      return bytesOf(hello);
    });
    for (const side of [accepted, dialled]) {
      expect(reasonOf(side)).toBe(RefusalReason.VERSION);
      expect((side.outcome as Error).message).toMatch(/gomsg 4\.0\.0 speaks versions 7 to 9/);
    }
  });

  test('when the other chooses one that was not offered', () => {
    const { dialled } = shake((message, from, step) => {
      if (from !== 'acceptor' || step !== 1) return message;
      const challenge = stepOf(message);
      if (challenge.case === 'challenge') challenge.value.protocol = 2;
      return bytesOf(challenge);
    });
    expect(reasonOf(dialled)).toBe(RefusalReason.VERSION);
  });
});

describe('a node that has left the cluster', () => {
  const dialler = { ...ONE, number: 3, nodeId: 'node3' };

  test('is told so by a node that knows the secret', () => {
    const { accepted, dialled } = shake(undefined, undefined, { dialler });
    for (const side of [accepted, dialled]) expect(reasonOf(side)).toBe(RefusalReason.LEFT);
    expect((dialled.outcome as Error).message).toMatch(/node3 has left the cluster for good/);
    expect(dialled.left).toBe(1);
  });

  test('does not believe a stranger', () => {
    const { dialled } = shake(
      (message, from, step) => {
        if (from !== 'acceptor' || step !== 2) return message;
        const refused = stepOf(message);
        if (refused.case === 'refused') refused.value.mac = new Uint8Array(32);
        return bytesOf(refused);
      },
      undefined,
      { dialler },
    );
    expect(reasonOf(dialled)).toBe(RefusalReason.SECRET);
    expect(dialled.left).toBe(0);
  });

  test('is not meant where a member or a stranger is refused', () => {
    expect(shake(undefined, undefined, { dialler: { ...dialler, nodeId: 'other' } }).dialled.left).toBe(0);
    expect(
      shake(undefined, { dialler: SECRET, acceptor: 'another-secret-of-16' }, { dialler }).dialled.left,
    ).toBe(0);
  });
});

describe('a node of another cluster', () => {
  const acceptor = { ...TWO, clusterId: 'a-new-cluster' };

  test('and the one that it dials both learn the ids of both clusters', () => {
    const { accepted, dialled } = shake(undefined, undefined, { acceptor });
    for (const side of [accepted, dialled]) {
      expect(reasonOf(side)).toBe(RefusalReason.CLUSTER);
      expect((side.outcome as Error).message).toMatch(
        /node1 belongs to cluster cluster-of-tests, and node node2 to cluster a-new-cluster/,
      );
    }
    expect(accepted.foreign).toEqual([{ nodeId: 'node1', clusterId: CLUSTER, peer: 'memory:1' }]);
  });

  test('is only believed when it knows the secret', () => {
    const secrets = { dialler: 'another-secret-of-16', acceptor: SECRET };
    const { accepted } = shake(undefined, secrets, { acceptor });
    expect(accepted.foreign).toEqual([]);
    const unsigned = shake(
      (message, from, step) => {
        if (from !== 'dialler' || step !== 2) return message;
        const refused = stepOf(message);
        if (refused.case === 'refused') refused.value.mac = new Uint8Array();
        return bytesOf(refused);
      },
      undefined,
      { acceptor },
    );
    expect(unsigned.accepted.foreign).toEqual([]);
  });

  test('does not get in by going on with its proof', () => {
    const victim = new MemoryStream();
    const accepted = accept(victim, SECRET, acceptor);
    for (const message of shake().dialler.written) victim.listener.message(message);
    expect(reasonOf(accepted)).toBe(RefusalReason.CLUSTER);
    expect(accepted.foreign).toEqual([]);
    expect(stepOf(victim.written.at(-1)!).case).toBe('refused');
  });
});

describe('where the cluster writes at a level that the other node does not apply', () => {
  const level = () => LEVEL + 1;

  test.each([
    ['accepts', { acceptor: { ...TWO, level } }, /node1 runs gomsg 1\.2\.3, which applies levels up to/],
    ['dials', { dialler: { ...ONE, level } }, /node2 runs gomsg 1\.2\.4, which applies levels up to/],
  ])('the side that %s refuses the other', (_what, selves, message) => {
    const { accepted, dialled } = shake(undefined, undefined, selves);
    for (const side of [accepted, dialled]) {
      expect(reasonOf(side)).toBe(RefusalReason.VERSION);
      expect((side.outcome as Error).message).toMatch(message);
    }
  });
});

test('a stream is not taken for another purpose than it was opened for', () => {
  const { accepted } = shake((message, from, step) => {
    if (from !== 'dialler' || step !== 1) return message;
    const hello = stepOf(message);
    if (hello.case === 'hello') hello.value.purpose = StreamPurpose.JOIN;
    return bytesOf(hello);
  });
  expect(reasonOf(accepted)).toBe(RefusalReason.MALFORMED);
});

test('steps out of their order are refused', () => {
  const victim = new MemoryStream();
  const accepted = accept(victim);
  victim.listener.message(
    bytesOf({ case: 'proof', value: create(PeerServiceLinkRequestSchema).handshake as never }),
  );
  expect(reasonOf(accepted)).toBe(RefusalReason.MALFORMED);
});

test('a stream that closes in the middle is lost, not refused', () => {
  const stream = new MemoryStream();
  const dialled = dial(stream);
  stream.listener.closed(new Error('connection reset'));
  expect(dialled.outcome).toBeInstanceOf(LinkLostError);
  expect((dialled.outcome as Error).message).toBe('connection reset');
});
