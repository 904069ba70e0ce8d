/** Snapshots over links between real ports. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SnapshotNotTakenError } from './snapshot-sender.ts';
import {
  type LinkedNode,
  openNode,
  openNodes,
  snapshotMessage,
  untilStill,
  untilUp,
  WAIT,
} from './testing/linked-nodes.ts';
import { TcpProxy } from './testing/tcp-proxy.ts';

const NEVER = new AbortController().signal;

async function* chunksOf(count: number, bytes: number, onGiven: (position: number) => void = () => {}) {
  for (let position = 0; position < count; position++) {
    onGiven(position);
    yield new Uint8Array(bytes).fill(position);
  }
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(new Uint8Array(chunk));
  return Buffer.concat(all);
}

function send(
  from: LinkedNode,
  to: LinkedNode,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal = NEVER,
): Promise<void> {
  return from.links.sendSnapshot(5, snapshotMessage(from.number, to.number), chunks, signal);
}

const HELD_CHUNKS = 160;

/** Sends a snapshot that the other side does not read until `take`. Resolves once nothing more can be on its way. */
async function heldSnapshot(from: LinkedNode, to: LinkedNode) {
  const go = Promise.withResolvers<void>();
  to.onSnapshot = async (_group, _message, chunks) => {
    await go.promise;
    await readAll(chunks);
  };
  let given = 0;
  const chunks = chunksOf(HELD_CHUNKS, 256 * 1024, () => {
    given++;
  });
  const sent = send(from, to, chunks);
  await untilStill(() => given);
  return {
    /** Chunks that the sender was asked for. */
    given: () => given,
    take: (): Promise<void> => {
      go.resolve();
      return sent;
    },
  };
}

describe('a snapshot', () => {
  test('arrives whole, with its message, before the sender is told so', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const seen: unknown[] = [];
    let taken: Buffer | undefined;
    two.onSnapshot = async (group, message, chunks) => {
      seen.push(group, message);
      taken = await readAll(chunks);
    };
    await send(one, two, chunksOf(40, 100_000));
    expect(seen).toEqual([5, snapshotMessage(1, 2)]);
    const sent: Uint8Array[] = [];
    for await (const chunk of chunksOf(40, 100_000)) sent.push(chunk);
    expect(Buffer.compare(taken!, Buffer.concat(sent))).toBe(0);
    expect(one.links.open.snapshots).toBe(0);
  });

  test('may have no data, and chunks larger than a frame', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const sizes: number[] = [];
    two.onSnapshot = async (_group, _message, chunks) => void sizes.push((await readAll(chunks)).length);
    await send(one, two, chunksOf(0, 0));
    await send(one, two, chunksOf(1, 20 * 1024 * 1024));
    expect(sizes).toEqual([0, 20 * 1024 * 1024]);
  });

  test('is read no faster than it is taken', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const { given, take } = await heldSnapshot(one, two);
    expect(given()).toBeLessThan(HELD_CHUNKS / 2);
    await take();
    expect(given()).toBe(HELD_CHUNKS);
  });

  test('that is not taken for a while holds up no messages', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const { take } = await heldSnapshot(one, two);
    for (let index = 1; index <= 100; index++) {
      one.links.send(3, {
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
    one.links.flush();
    await vi.waitFor(() => expect(two.received).toHaveLength(100), WAIT);
    await take();
  });

  test('that the other side refuses says why, and its source is closed', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    two.onSnapshot = async (_group, _message, chunks) => {
      for await (const _chunk of chunks) throw new Error('the disk is full');
    };
    let closed = false;
    const source = (async function* () {
      try {
        for (;;) yield new Uint8Array(100_000);
      } finally {
        closed = true;
      }
    })();
    const failure = await send(one, two, source).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SnapshotNotTakenError);
    expect(String(failure)).toMatch(/node2 did not take the snapshot: the disk is full/);
    await vi.waitFor(() => expect(closed).toBe(true), WAIT);
  });

  test('that the other side takes without reading it to its end is done', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    two.onSnapshot = async (_group, _message, chunks) => {
      for await (const _chunk of chunks) break;
    };
    await send(one, two, chunksOf(1_000, 100_000));
  });

  test('that the sender gives up is not taken for whole', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const outcome = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    two.onSnapshot = async (_group, _message, chunks) => {
      begun.resolve();
      await readAll(chunks).then(outcome.resolve, outcome.resolve);
    };
    const giveUp = new AbortController();
    const hanging = (async function* () {
      yield new Uint8Array(10);
      await new Promise(() => {});
    })();
    const sent = send(one, two, hanging, giveUp.signal);
    await begun.promise;
    giveUp.abort(new Error('the replica was removed'));
    await expect(sent).rejects.toThrow(/the replica was removed/);
    expect(String(await outcome.promise)).toMatch(/did not send the snapshot whole/);
    await vi.waitFor(() => expect(one.links.open.snapshots).toBe(0), WAIT);
  });

  test('whose source fails is not taken for whole', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const outcome = Promise.withResolvers<unknown>();
    two.onSnapshot = (_group, _message, chunks) => readAll(chunks).then(outcome.resolve, outcome.resolve);
    const broken = (async function* () {
      yield new Uint8Array(10);
      throw new Error('a page cannot be read');
    })();
    await expect(send(one, two, broken)).rejects.toThrow(/a page cannot be read/);
    expect(await outcome.promise).toBeInstanceOf(Error);
  });

  test('is lost with the link, on both sides', async () => {
    const one = await openNode(1);
    const two = await openNode(2);
    const proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    one.knows(two, proxy.address);
    two.knows(one);
    one.link();
    await untilUp(one, two);
    const outcome = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    two.onSnapshot = (_group, _message, chunks) => {
      begun.resolve();
      return readAll(chunks).then(outcome.resolve, outcome.resolve);
    };
    const hanging = (async function* () {
      yield new Uint8Array(10);
      await new Promise(() => {});
    })();
    const sent = send(one, two, hanging).catch((error: unknown) => error);
    await begun.promise;
    proxy.cut();
    expect(await sent).toBeInstanceOf(SnapshotNotTakenError);
    expect(await outcome.promise).toBeInstanceOf(Error);
  });

  test('waits its turn: only so many are sent, and only so many taken, at once', async () => {
    const limits = { maxSnapshots: 1 };
    const [one, two, three] = (await openNodes(3, { limits })) as [LinkedNode, LinkedNode, LinkedNode];
    const go = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    two.onSnapshot = async (_group, _message, chunks) => {
      begun.resolve();
      await go.promise;
      await readAll(chunks);
    };
    const first = send(one, two, chunksOf(1, 10));
    await begun.promise;
    await expect(send(one, three, chunksOf(1, 10))).rejects.toThrow(/being sent already/);
    await expect(send(three, two, chunksOf(1, 10))).rejects.toThrow(/as many snapshots at once/);
    go.resolve();
    await first;
    await send(three, two, chunksOf(1, 10));
  });

  test('to a node that is not linked fails at once', async () => {
    const one = await openNode(1);
    const two = await openNode(2);
    await expect(send(one, two, chunksOf(1, 10))).rejects.toThrow(/no link/);
  });
});
