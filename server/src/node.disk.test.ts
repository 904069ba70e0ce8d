/** A disk that is full: writes are refused and say why, reads go on, and nothing else changes. */
import { expect, test } from 'vitest';
import { ErrorReason } from './gen/gomsg/v1/common_pb.js';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { BreakableMachine } from './testing/breakable-machine.ts';
import { isReason } from './testing/call-error.ts';
import { dataFolder } from './testing/folders.ts';
import { NodeClient } from './testing/node-client.ts';
import { PipelineClient } from './testing/pipeline-client.ts';

const KIB = 1024;
const VALUE = Buffer.alloc(10_000, 'v');
const CALLS_AT_ONCE = 60;
const SETTINGS = {
  overlayBytes: 256 * KIB,
  walSegmentBytes: 1024 * KIB,
  maxFrameBytes: 960 * KIB,
  maxValueBytes: 256 * KIB,
  maxMessageBytes: 256 * KIB,
};

/** Writes keys in rising order, many at a time, and keeps account of what was said. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly #pipeline: PipelineClient;
  readonly #name: string;
  readonly #calls: Promise<unknown>[] = [];
  #next = 0;

  constructor(pipeline: PipelineClient, name: string) {
    this.#pipeline = pipeline;
    this.#name = name;
  }

  /** Resolves when all of them were acknowledged, with false as soon as one was refused. */
  async batch(): Promise<boolean> {
    const calls = Array.from({ length: CALLS_AT_ONCE }, () => this.#write(`${this.#name}-${this.#next++}`));
    this.#calls.push(...calls);
    const refusal = Promise.race(
      calls.map((call) => call.then((done) => (done ? new Promise<never>(() => {}) : false))),
    );
    return Promise.race([Promise.all(calls).then((all) => all.every(Boolean)), refusal]);
  }

  /** What was taken before the first refusal may have no answer yet: it waits for room. */
  async untilRefused(): Promise<void> {
    while (await this.batch());
  }

  /** Resolves when every call was answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#calls.splice(0));
  }

  /** @returns whether it was acknowledged */
  async #write(key: string): Promise<boolean> {
    try {
      await this.#pipeline.call(KVService.method.set, { key, value: VALUE });
      this.acknowledged.push(key);
      return true;
    } catch (error) {
      if (!isReason(error, ErrorReason.DISK_FULL)) throw error;
      expect(error.retryAfter_ms).toBeGreaterThan(0);
      return false;
    }
  }
}

/** All that was acknowledged is there. */
async function expectAll(client: NodeClient, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += 50) {
    const asked = keys.slice(from, from + 50);
    const { entries } = await client.unary(KVService.method.getMany, { keys: asked });
    expect(entries.filter(({ found, value }) => found && VALUE.equals(value))).toHaveLength(asked.length);
  }
}

const probe = { key: 'probe', value: Buffer.from('probe') };

function resumes(client: NodeClient): Promise<void> {
  return expect
    .poll(() => client.unary(KVService.method.set, probe).then(() => 'written', String))
    .toBe('written');
}

test('a log without room refuses writes, reads go on, and writes resume by themselves', async () => {
  await using machine = new BreakableMachine(dataFolder(), 1, SETTINGS);
  const address = await machine.start();
  using client = new NodeClient(address);
  using pipeline = new PipelineClient(address);
  const writer = new Writer(pipeline, 'key');
  await writer.batch();

  machine.disk.capacityBytes = machine.disk.usedBytes + 100 * KIB;
  await writer.untilRefused();
  await expectAll(client, writer.acknowledged);
  const readiness = async (): Promise<number> => {
    // What checkpoints gave back is used up first.
    await writer.untilRefused();
    return (await fetch(`http://${address}/readyz`)).status;
  };
  await expect.poll(readiness).toBe(503);

  machine.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await resumes(client);
  await writer.settled();
  await writer.batch();
  await machine.crash();

  using after = new NodeClient(await machine.start());
  await expectAll(after, writer.acknowledged);
});

test('a node that is killed on a full disk starts there, serves what it has, and resumes', async () => {
  await using machine = new BreakableMachine(dataFolder(), 2, SETTINGS);
  let acknowledged: readonly string[];
  {
    using pipeline = new PipelineClient(await machine.start());
    const writer = new Writer(pipeline, 'key');
    await writer.batch();
    machine.disk.capacityBytes = machine.disk.usedBytes;
    await writer.untilRefused();
    acknowledged = writer.acknowledged;
    await machine.kill();
  }
  using client = new NodeClient(await machine.start());
  await expectAll(client, acknowledged);
  machine.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await resumes(client);
  await expectAll(client, acknowledged);
});

test('a store without room refuses writes before its overlay outgrows its bound, and resumes by itself', async () => {
  await using machine = new BreakableMachine(dataFolder(), 3, SETTINGS);
  const address = await machine.start();
  using client = new NodeClient(address);
  using pipeline = new PipelineClient(address);
  const writer = new Writer(pipeline, 'key');

  machine.freeStoreBytes = 0;
  await writer.untilRefused();
  await expectAll(client, writer.acknowledged);

  machine.freeStoreBytes = undefined;
  await resumes(client);
  await writer.settled();
  await expectAll(client, writer.acknowledged);
});

test('a node whose disk fills under load from many clients, again and again, does not die of it', async () => {
  // Without checkpoints: each would give the log room again.
  await using machine = new BreakableMachine(dataFolder(), 4, { ...SETTINGS, overlayBytes: 64 * 1024 * KIB });
  const address = await machine.start();
  const died = machine.fatal.then((error) => {
    throw error;
  });
  using client = new NodeClient(address);
  const pipelines = Array.from({ length: 8 }, () => new PipelineClient(address));
  const writers = pipelines.map((pipeline, i) => new Writer(pipeline, `writer-${i}`));
  const timesFull = (): number => machine.log.filter((line) => line.includes('the disk is full')).length;

  for (let round = 0; round < 4; round++) {
    const before = timesFull();
    machine.disk.capacityBytes = machine.disk.usedBytes + round * 150 * KIB;
    let isFull = false;
    const load = Promise.all(
      writers.map(async (writer) => {
        while (!isFull) await writer.batch();
      }),
    );
    await Promise.race([expect.poll(timesFull).toBeGreaterThan(before), died]);
    isFull = true;
    machine.disk.capacityBytes = Number.POSITIVE_INFINITY;
    await Promise.race([resumes(client), died]);
    await Promise.race([load, died]);
    await Promise.race([Promise.all(writers.map((writer) => writer.settled())), died]);
  }
  await machine.crash();
  for (const pipeline of pipelines) pipeline.close();

  using after = new NodeClient(await machine.start());
  for (const writer of writers) await expectAll(after, writer.acknowledged);
});
