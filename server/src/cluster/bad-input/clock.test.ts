/** The clock of the node that leads is set, by an hour in either direction, while it leads. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { expect, onTestFinished, test } from 'vitest';
import { ClusterService } from '../../gen/gomsg/v1/cluster_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { QueueService } from '../../gen/gomsg/v1/queue_pb.js';
import { StreamService } from '../../gen/gomsg/v1/stream_pb.js';
import { isReason } from '../../testing/call-error.ts';
import { type ClusterNode, ClusterProcess } from '../testing/cluster-process.ts';

const HOUR_MS = 3_600_000;
const SHORT_MS = 1_000;
/** What a loaded machine may add to the short time. */
const LATE_MS_MAX = 10_000;
const PRELOAD = fileURLToPath(new URL('../testing/shifted-clock.ts', import.meta.url));

const payload = Buffer.from('p');
const inMs = (ms: number) => ({ seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 });

test('expiry, delays and leases keep their time when the clock of the leader is set, and stamps never go back', {
  timeout: 240_000,
}, async () => {
  const clocks = mkdtempSync(join(tmpdir(), 'gomsg-clocks-'));
  onTestFinished(() => rmSync(clocks, { recursive: true, force: true }));
  const env = { NODE_OPTIONS: `--import=${PRELOAD}`, CLOCK_FOLDER: clocks };
  await using cluster = await ClusterProcess.start(3, ['--groups=1', '--stream-partitions=1'], env);

  const up = () => cluster.nodes.filter(({ process }) => process.exit === undefined);
  const leader = async (): Promise<ClusterNode> => {
    let found: ClusterNode | undefined;
    await cluster.until('the group has a leader', async () => {
      const { groups } = await up()[0]!.client.unary(ClusterService.method.status, {});
      const id = groups.find(({ group }) => group === 1)?.leaderNodeId;
      found = up().find(({ name }) => name === id);
      return found !== undefined;
    });
    return found!;
  };
  const setClock = async ({ process: { pid }, process: node }: ClusterNode, shift_ms: number) => {
    writeFileSync(join(clocks, String(pid)), String(shift_ms));
    process.kill(pid, 'SIGUSR2');
    await node.logged(`the clock was set ${shift_ms} ms off`);
  };
  /** Sets the clock of a node that leads before and after: leadership may move at any time. */
  const setClockOfLeader = async (shift_ms: number): Promise<ClusterNode> => {
    for (;;) {
      const node = await leader();
      await setClock(node, shift_ms);
      if ((await leader()) === node) return node;
    }
  };
  /** Short times pass as short times, and not before. */
  const expectTimesToHold = async (round: string) => {
    const { client } = up()[0]!;
    const [key, delayed, leased] = [`key-${round}`, `delayed-${round}`, `leased-${round}`];
    const pop = (queue: string) =>
      client.unary(QueueService.method.pop, { queue, wait: inMs(LATE_MS_MAX), lease: inMs(SHORT_MS) });
    const began_ms = performance.now();
    await client.unary(KVService.method.set, { key, value: payload, ttl: inMs(SHORT_MS) });
    await client.unary(QueueService.method.push, { queue: delayed, payload, delay: inMs(SHORT_MS) });
    await client.unary(QueueService.method.push, { queue: leased, payload });
    expect((await pop(leased)).deliveries).toHaveLength(1);
    await client.unary(StreamService.method.publish, { topic: 'events', payload });
    const expired = cluster.until('the key is gone', () =>
      client.unary(KVService.method.get, { key }).then(
        () => false,
        (error: unknown) => isReason(error, ErrorReason.KEY_NOT_FOUND),
      ),
    );
    const over = [expired, pop(delayed), pop(leased)].map(async (end) => {
      const ended = await end;
      if (ended !== undefined) expect(ended.deliveries).toHaveLength(1);
      const took_ms = performance.now() - began_ms;
      expect(took_ms).toBeGreaterThanOrEqual(SHORT_MS - 1);
      expect(took_ms).toBeLessThan(SHORT_MS + LATE_MS_MAX);
    });
    await Promise.all(over);
  };

  await up()[0]!.client.unary(KVService.method.set, { key: 'long', value: payload, ttl: inMs(HOUR_MS / 2) });
  await expectTimesToHold('right');
  const behind = await setClockOfLeader(-HOUR_MS);
  await expectTimesToHold('an-hour-behind');
  await cluster.stop(behind);
  await expectTimesToHold('after-one-that-was-behind');
  await cluster.restart(behind);
  await cluster.healthy();
  const { value } = await behind.client.unary(KVService.method.get, { key: 'long' });
  expect(Buffer.from(value)).toEqual(payload);

  const ahead = await setClockOfLeader(HOUR_MS);
  await expectTimesToHold('an-hour-ahead');
  // What was to end within the hour is over; that is what the leader's clock says.
  await expect(ahead.client.unary(KVService.method.get, { key: 'long' })).rejects.toMatchObject({
    reason: ErrorReason.KEY_NOT_FOUND,
  });
  await cluster.stop(ahead);
  await expectTimesToHold('after-one-that-was-ahead');

  const { messages } = await up()[0]!.client.unary(StreamService.method.read, {
    topic: 'events',
    limit: 100,
  });
  const stamps = messages.map(({ publishedAt }) => timestampMs(publishedAt!));
  expect(stamps).toHaveLength(5);
  expect(stamps).toEqual([...stamps].sort((a, b) => a - b));
  expect(stamps.at(-1)! - stamps[0]!).toBeGreaterThan(HOUR_MS);
});
