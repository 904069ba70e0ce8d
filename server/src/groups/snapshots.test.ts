/** Followers that lag behind what the log keeps: snapshots, whatever stops in the middle of one. */
import { describe, expect, it } from 'vitest';
import { Consistency } from '../gen/gomsg/v1/common_pb.js';
import { makeConfiguration, type SnapshotMessage } from '../raft/index.ts';
import { openMemoryStore } from '../storage/memory-store.ts';
import { crc32c } from '../wal/checksum.ts';
import { SimulatedDisk } from '../wal/simulated-disk.ts';
import { encodeSnapshot, framesOf, SnapshotDecoder } from './snapshot-format.ts';
import { FileInbox } from './snapshot-inbox.ts';
import { ConnectedHosts } from './testing/connected-hosts.ts';
import { get, increment, set } from './testing/host-fixture.ts';
import type { HostsOptions } from './testing/simulated-hosts.ts';

const LARGE = 'x'.repeat(2000);
/** Several frames of a snapshot have room for few of them. */
const HUGE = 'x'.repeat(100_000);

/** Three replicas of which the third is cut off and needs what the log of the others does not have any more. */
async function oneBehind(options: HostsOptions = {}): Promise<ConnectedHosts> {
  const hosts = await new ConnectedHosts({ segmentBytes: 8192, ...options }).start();
  await hosts.found();
  const first = await hosts.leader();
  if (first.number === 3) {
    await hosts.agree();
    first.group().transferLeadership(1);
    await hosts.until(() => hosts.leaderOf()?.number === 1);
  }
  const leader = hosts.leaderOf()!;
  await hosts.during(set(leader.group(), 'shared', 'x'));
  await hosts.during(
    increment(leader.group(), 'gone', { sessionId: 9n << 22n, sequence: 1, answeredBelow: 0, retry: false }),
  );
  await hosts.agree();
  hosts.isolate(3);
  for (let i = 0; i < 40; i++) await hosts.during(set(leader.group(), `key-${i % 25}`, `${i}${LARGE}`));
  for (let i = 0; i < 4; i++) await hosts.during(set(leader.group(), `huge-${i}`, `${i}${HUGE}`));
  for (const number of [1, 2]) {
    for (let i = 0; i < 2; i++) await hosts.during(hosts.node(number).host.checkpoint());
  }
  // Segments go when the next ones begin.
  for (let i = 0; i < 10; i++) await hosts.during(set(leader.group(), `late-${i}`, LARGE));
  await hosts.during(leader.host.checkpoint());
  const { lastIndex } = hosts.node(3).log.groupState(1);
  await hosts.until(() => leader.log.groupState(1).firstIndex > lastIndex + 1, 'the log to be cut');
  return hosts;
}

function expectAlike(hosts: ConnectedHosts): void {
  for (const number of [2, 3]) expect(hosts.node(number).dump()).toEqual(hosts.node(1).dump());
}

describe.each([{ inMemory: false }, { inMemory: true }])(
  'a follower that lags, in memory: $inMemory',
  (options) => {
    it('goes on from the log while that has what it lacks', async () => {
      const hosts = await new ConnectedHosts(options).start();
      await hosts.found();
      const leader = await hosts.leader();
      const behind = hosts.nodes.find((node) => node !== leader)!;
      hosts.isolate(behind.number);
      for (let i = 0; i < 50; i++) await hosts.during(set(leader.group(), `key-${i}`, LARGE));
      hosts.heal();
      await hosts.agree();
      expect(hosts.snapshots).toEqual([]);
      expectAlike(hosts);
    });

    it('is sent a snapshot once the log is cut, and then goes on from the log', async () => {
      const hosts = await oneBehind(options);
      hosts.heal();
      await hosts.agree();
      expect(hosts.snapshots).toContain(3);
      expectAlike(hosts);
      const leader = await hosts.leader();
      const sent = hosts.snapshots.length;
      for (let i = 0; i < 5; i++) await hosts.during(set(leader.group(), `after-${i}`, 'x'));
      await hosts.agree();
      expect(hosts.snapshots.length).toBe(sent);
      expectAlike(hosts);
    });
  },
);

describe('a replica that went on from a snapshot', () => {
  it('leads with all that was written, sessions included', async () => {
    const hosts = await oneBehind();
    hosts.heal();
    await hosts.agree();
    hosts.leaderOf()!.group().transferLeadership(3);
    await hosts.until(() => hosts.leaderOf()?.number === 3);
    const group = hosts.node(3).group();
    expect(await hosts.during(get(group, 'key-7'))).toBeDefined();
    const again = { sessionId: 9n << 22n, sequence: 1, answeredBelow: 0, retry: true };
    expect(await hosts.during(increment(group, 'gone', again))).toBe(1n);
  });

  it('is the same after a restart, before and after the next checkpoint, and leaves no file behind', async () => {
    const hosts = await oneBehind();
    hosts.heal();
    await hosts.agree();
    await hosts.restart(3);
    await hosts.agree();
    expectAlike(hosts);
    await hosts.during(hosts.node(3).host.checkpoint());
    await hosts.restart(3);
    await hosts.agree();
    expectAlike(hosts);
    expect(hosts.node(3).filesDisk.names()).toEqual(['replicas']);
  });

  it('is not read while its rows are being replaced', async () => {
    const hosts = await oneBehind();
    const node = hosts.node(3);
    const failures: string[] = [];
    let stale = 0;
    hosts.heal();
    const group = node.group();
    for (let turn = 0; turn < 400 && hosts.snapshots.length < 1; turn++) await hosts.ticks(1, 1);
    for (let turn = 0; turn < 200; turn++) {
      group.read(
        Consistency.STALE,
        ({ kv }, now_ms) => {
          stale++;
          // Either the state before or the one after: never a part.
          expect(kv.get('shared', now_ms)).toBeDefined();
        },
        ({ message }) => failures.push(message),
      );
      await hosts.ticks(turn % 10 === 0 ? 1 : 0, 1);
      await hosts.settle(1);
    }
    await hosts.agree();
    expect(stale).toBeGreaterThan(0);
    expect(node.bugs).toEqual([]);
  });

  it('waits for room in its store', async () => {
    const hosts = await oneBehind();
    const node = hosts.node(3);
    node.crashable.blocked = true;
    hosts.heal();
    await hosts.until(() => node.group().installing);
    await hosts.ticks(10);
    expect(node.group().installing).toBe(true);
    node.crashable.blocked = false;
    node.host.resume();
    await hosts.agree();
    expectAlike(hosts);
  });
});

describe('a machine that stops while a snapshot arrives', () => {
  it('goes on after its start, wherever it stopped', async () => {
    const stages = new Set<string>();
    // From before the first byte to after the last step; every turn of the event loop does a little of it.
    for (let turns = 0; turns < 44; turns += 2) {
      const hosts = await oneBehind({ seed: turns + 1 });
      const node = hosts.node(3);
      hosts.heal();
      while (hosts.snapshots.length === 0) await hosts.ticks(1, 1);
      if (turns % 3 === 0) await hosts.settle(turns >> 1);
      if (turns % 3 === 0) void node.host.checkpoint();
      await hosts.settle(turns % 3 === 0 ? turns >> 1 : turns);
      const arriving = node.filesDisk.names().some((name) => name.endsWith('.snapshot'));
      const { installing } = node.group();
      const logGivenUp = node.log.groupState(1).snapshotIndex > 10;
      stages.add(`file ${arriving}, log given up ${logGivenUp}, installing ${installing}`);
      await hosts.restart(3);
      await hosts.agree();
      expectAlike(hosts);
      await hosts.during(node.host.checkpoint());
      await hosts.restart(3);
      await hosts.agree();
      expectAlike(hosts);
      await hosts.stop();
    }
    expect([...stages].sort()).toEqual([
      'file false, log given up true, installing false',
      'file true, log given up false, installing false',
      'file true, log given up true, installing false',
      'file true, log given up true, installing true',
    ]);
  }, 60_000);

  it('may stop again and again on the way', async () => {
    const hosts = await oneBehind();
    hosts.heal();
    for (let i = 0; i < 30; i++) {
      await hosts.ticks(1 + hosts.random.below(2), hosts.random.below(12));
      if (hosts.random.chance(0.3)) void hosts.node(3).host.checkpoint();
      await hosts.restart(3);
    }
    await hosts.agree();
    expectAlike(hosts);
  });

  it('begins again with another leader when the sender stops', async () => {
    const hosts = await oneBehind();
    const leader = hosts.leaderOf()!;
    hosts.heal();
    await hosts.until(() => hosts.snapshots.length > 0);
    hosts.crash(leader.number);
    await hosts.leader(1, leader.number);
    await hosts.agree();
    await hosts.restart(leader.number);
    await hosts.agree();
    expectAlike(hosts);
  });

  it('says what is wrong when the file is gone that the log counts on', async () => {
    const hosts = await oneBehind();
    const node = hosts.node(3);
    node.crashable.holding = new Promise(() => {});
    hosts.heal();
    await hosts.until(() => hosts.snapshots.length > 0);
    await hosts.until(() => node.group().state.appliedIndex > 30);
    const name = node.filesDisk.names().find((one) => one.endsWith('.snapshot'))!;
    hosts.crash(3);
    node.filesDisk.remove(name);
    await expect(hosts.startNode(3)).rejects.toMatchObject({ name: 'LogStateMismatchError' });
  });
});

describe('a snapshot that is not right', () => {
  it.each([
    ['a flipped bit', (chunk: Uint8Array, nth: number) => (nth === 1 ? flipped(chunk) : chunk)],
    ['a frame that is missing', (chunk: Uint8Array, nth: number) => (nth === 1 ? new Uint8Array(0) : chunk)],
    ['a newer version', (chunk: Uint8Array, nth: number) => (nth === 0 ? newer() : chunk)],
    ['an end that is missing', (chunk: Uint8Array, nth: number) => (nth > 0 ? new Uint8Array(0) : chunk)],
  ])('with %s is refused, changes nothing, and is sent again', async (_what, spoil) => {
    const hosts = await oneBehind();
    const node = hosts.node(3);
    const before = node.dump();
    let nth = 0;
    hosts.onChunk = (chunk) => spoil(chunk, nth++);
    hosts.heal();
    await hosts.until(() => hosts.snapshots.length > 0);
    await hosts.settle();
    expect(node.dump()).toEqual(before);
    expect(node.fatal).toEqual([]);
    expect(node.filesDisk.names()).toEqual(['replicas']);
    hosts.onChunk = undefined;
    await hosts.agree();
    expectAlike(hosts);
  });

  it('of another group than announced is refused', async () => {
    const hosts = await oneBehind();
    const configuration = makeConfiguration([1, 2, 3]);
    const message: SnapshotMessage = {
      type: 'snapshot',
      from: 1,
      to: 3,
      term: 50,
      snapshot: { index: 1000, term: 50, configuration },
    };
    const chunks = [
      ...encodeSnapshot(
        { group: 2, index: 1000, term: 50, stamp_ms: 0, membership: Uint8Array.of(1) },
        openMemoryStore(),
      ),
    ];
    const sent = hosts.node(3).host.receiveSnapshot(
      1,
      message,
      (async function* () {
        yield* chunks;
      })(),
    );
    await expect(hosts.during(sent)).rejects.toMatchObject({ name: 'SnapshotDamagedError' });
    expect(hosts.node(3).group().term).toBeLessThan(50);
  });
});

describe('snapshots that are sent', () => {
  it('are few at once, and every follower gets its own in the end', async () => {
    const hosts = await new ConnectedHosts({ segmentBytes: 8192 }).start();
    const groups = [1, 2, 3, 4, 5, 6];
    for (const group of groups) {
      await hosts.found(undefined, group);
      const leader = await hosts.leader(group);
      if (leader.number !== 1) {
        await hosts.agree(group);
        leader.group(group).transferLeadership(1);
        await hosts.until(() => hosts.leaderOf(group)?.number === 1);
      }
      await hosts.agree(group);
    }
    hosts.isolate(3);
    for (let i = 0; i < 12; i++) {
      await hosts.during(
        Promise.all(groups.map((group) => set(hosts.node(1).group(group), `key-${i}`, LARGE))),
      );
      await hosts.during(hosts.node(1).host.checkpoint());
    }
    const behind = groups.map((group) => hosts.node(3).log.groupState(group).lastIndex);
    await hosts.until(() =>
      groups.some((group, i) => hosts.node(1).log.groupState(group).firstIndex > behind[i]! + 1),
    );
    hosts.heal();
    for (const group of groups) await hosts.agree(group);
    for (const group of groups) expect(hosts.node(3).dump(group)).toEqual(hosts.node(1).dump(group));
    expect(hosts.snapshots.length).toBeGreaterThan(0);
  });
});

describe('a snapshot as bytes', () => {
  const header = { group: 7, index: 5, term: 2, stamp_ms: 1000, membership: Uint8Array.of(1, 2, 3) };

  it('has all rows but the one that says up to where they are applied, across frames', async () => {
    const store = openMemoryStore();
    store.put('\x00\x06zother', Uint8Array.of(1));
    store.put('\x00\x07aapplied', Uint8Array.of(1));
    store.put('\x00\x08aother', Uint8Array.of(1));
    const rows = Array.from({ length: 400 }, (_, i) => ({
      key: `\x00\x07k${String(i).padStart(4, '0')}\xff`,
      value: new Uint8Array(i * 10).fill(i),
    }));
    for (const { key, value } of rows) store.put(key, value);
    const frames = [...encodeSnapshot(header, store)];
    expect(frames.length).toBeGreaterThan(4);
    const whole = Buffer.concat(frames);
    const decoder = new SnapshotDecoder();
    const found = [];
    const pieces = Array.from({ length: Math.ceil(whole.length / 777) }, (_, i) =>
      whole.subarray(777 * i, 777 * (i + 1)),
    );
    for await (const frame of framesOf(pieces)) {
      const part = decoder.take(frame);
      if (part !== undefined && !('index' in part)) found.push(...part);
    }
    expect(decoder.done).toBe(true);
    expect(decoder.header).toEqual(header);
    expect(found.map(({ key, value }) => ({ key, value: Uint8Array.from(value) }))).toEqual(rows);
  });

  it('is not accepted when any byte of it is another', async () => {
    const store = openMemoryStore();
    for (let i = 0; i < 5; i++) store.put(`\x00\x07k${i}`, Uint8Array.of(i));
    const whole = Buffer.concat([...encodeSnapshot(header, store)]);
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 0x10;
      const inbox = new FileInbox(new SimulatedDisk().mount());
      const chunks = async function* () {
        yield bytes;
      };
      await expect(inbox.receive(7, 1, chunks()), `byte ${at}`).rejects.toThrow();
      expect(await inbox.find(7, 1)).toBeUndefined();
    }
  });
});

function flipped(chunk: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(chunk);
  copy[copy.length >> 1]! ^= 1;
  return copy;
}

/** The first frame of a snapshot of version 99. */
function newer(): Uint8Array {
  const [frame] = encodeSnapshot(
    { group: 1, index: 1, term: 1, stamp_ms: 0, membership: undefined },
    openMemoryStore(),
  );
  const bytes = Uint8Array.from(frame!);
  bytes[9] = 99;
  return withChecksum(bytes);
}

function withChecksum(frame: Uint8Array): Uint8Array {
  new DataView(frame.buffer).setUint32(4, crc32c(frame, 8, frame.length), true);
  return frame;
}
