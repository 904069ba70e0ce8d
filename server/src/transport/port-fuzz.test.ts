/**
 * Hostile bytes on the port. Short here; for a long run set GOMSG_FUZZ_ROUNDS (a thousand rounds take minutes), and
 * GOMSG_FUZZ_SEED to replay a failure, whose message names its seed.
 */
import { connect } from 'node:net';
import { Metadata } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { hostileBytes, Random } from './testing/hostile-bytes.ts';
import { getRequest, openToyPort, RawClient, textOf } from './testing/toy-port.ts';

const ROUNDS = Number(process.env.GOMSG_FUZZ_ROUNDS ?? 30);
const SEED = Number(process.env.GOMSG_FUZZ_SEED ?? 20_260_101);
const CONNECTIONS_PER_ROUND = 40;
/** How long a connection may go without a byte from either side before the client gives up on it. */
const QUIET_MS = 20;
/** Far above what a server at rest differs by from round to round, far below one buffer of a declared 4 GiB. */
const MAX_GROWTH_BYTES = 96 * 1024 * 1024;

const PATHS = [
  '/gomsg.v1.KVService/Get',
  '/gomsg.v1.KVService/Watch',
  '/gomsg.v1.PipelineService/Execute',
  '/grpc.health.v1.Health/Check',
  '/grpc.health.v1.Health/Watch',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/metrics',
];

/** Sends the bytes in pieces, reads whatever comes, and leaves once nothing comes any more. */
function attack(port: number, random: Random): Promise<void> {
  const bytes = hostileBytes(random, PATHS);
  const cut = random.below(bytes.length + 1);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(QUIET_MS, () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    socket.write(bytes.subarray(0, cut), () => socket.write(bytes.subarray(cut)));
  });
}

test('hostile bytes harm nobody: others are answered, nothing leaks, no bug shows', {
  timeout: 60_000 + ROUNDS * 2_000,
}, async () => {
  await using toy = await openToyPort({ limits: { maxFrameBytes: 1 << 20 } });
  const other = new RawClient(toy.address);
  const rss = () => process.memoryUsage().rss;
  let before = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const seed = SEED + round;
    const random = new Random(seed);
    await Promise.all(
      Array.from({ length: CONNECTIONS_PER_ROUND }, () =>
        attack(toy.port.port, new Random(random.below(2 ** 32))),
      ),
    );
    const answer = await other.unary(
      '/gomsg.v1.KVService/Get',
      getRequest('name'),
      new Metadata(),
      Date.now() + 30_000,
    );
    expect(textOf(answer), `seed ${seed}`).toBe('name');
    // The first rounds warm the process up.
    if (round === Math.floor(ROUNDS / 3)) before = rss();
    if (before > 0) expect(rss() - before, `seed ${seed}`).toBeLessThan(MAX_GROWTH_BYTES);
    expect(toy.bugs, `seed ${seed}`).toEqual([]);
  }
  other.close();
  await toy.port.drain(1_000);
  expect([toy.port.openConnections, toy.port.openStreams]).toEqual([0, 0]);
});
