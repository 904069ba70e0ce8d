/**
 * The crash test on a machine whose disk loses what was not synced, tears pages, and fails: the same writers and the
 * same checks as against killed processes.
 */
import { randomInt } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import { KVService } from '../src/gen/gomsg/v1/kv_pb.js';
import { Random } from '../src/raft/testing/random.ts';
import { BreakableMachine } from '../src/testing/breakable-machine.ts';
import { dataFolder } from '../src/testing/folders.ts';
import { NodeClient } from '../src/testing/node-client.ts';
import type { SimulatedDisk } from '../src/wal/simulated-disk.ts';
import { LaneRunner } from './lanes.ts';
import { Tally } from './tally.ts';
import { Workload } from './workload.ts';

/** A loaded machine may need several times what a quiet one does. */
vi.setConfig({ testTimeout: 120_000 });

const ROUNDS = 3;
/** Rounds within which a crash tears a batch; one in four does. */
const ROUNDS_MAX = 100;
/** Writes that a round sees acknowledged before something breaks, at most. */
const WRITES_MAX = 400;

const KIB = 1024;
const SETTINGS = {
  overlayBytes: 256 * KIB,
  walSegmentBytes: 1024 * KIB,
  maxFrameBytes: 960 * KIB,
  maxValueBytes: 256 * KIB,
  maxMessageBytes: 256 * KIB,
  streamPartitions: 3,
};

/** One machine under load, round after round. */
class PowerRun implements AsyncDisposable {
  readonly machine: BreakableMachine;
  readonly random: Random;
  readonly #tally = new Tally();
  readonly #workload: Workload;
  readonly #runner: LaneRunner;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.machine = new BreakableMachine(dataFolder(), seed, SETTINGS);
    this.#workload = new Workload(seed, this.#tally);
    this.#runner = new LaneRunner(this.#workload.lanes);
  }

  get writesAcknowledged(): number {
    return this.#tally.writesAcknowledged;
  }

  /** Restarts, checks, loads the node, and has something break it. */
  async round(breakIt: (address: string) => Promise<void>): Promise<void> {
    const address = await this.machine.start();
    await this.#workload.check(address);
    this.#workload.attach(address);
    await this.#unlessBroken(this.#runner.settled());
    await this.#workload.check(address);
    this.#runner.open();
    const wanted = this.writesAcknowledged + 1 + this.random.below(WRITES_MAX);
    await this.#unlessBroken(turnsUntil(() => this.writesAcknowledged >= wanted));
    await this.#unlessBroken(breakIt(address));
    this.#runner.close();
    this.#workload.detach();
  }

  /** Everything is answered and drained; then all must be there, from the first message on. */
  async finish(): Promise<void> {
    this.#workload.forgetChecks();
    const address = await this.machine.start();
    await this.#workload.check(address);
    this.#workload.attach(address);
    await this.#unlessBroken(this.#runner.settled());
    await this.#unlessBroken(this.#workload.drainQueues(address));
    await this.#workload.check(address);
    this.#workload.detach();
    await this.machine.stop();
    await this.#runner.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#workload.detach();
    await this.machine[Symbol.asyncDispose]();
  }

  #unlessBroken<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#runner.failed]);
  }
}

/** A random one each time; set it here to the one that a failed test names. */
const seed = randomInt(2 ** 31);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(`the seed was ${seed}`);
});

test('a machine that loses its power, with all that was not synced, keeps each acknowledged write, once', async () => {
  await using run = new PowerRun(seed);
  const { machine, random } = run;
  const tornTails = (): number => machine.log.filter((line) => line.includes('incomplete batch')).length;
  // Whether a crash tears the batch that is being written is up to the disk.
  for (let round = 0; round < ROUNDS || (tornTails() === 0 && round < ROUNDS_MAX); round++) {
    await run.round(async () => {
      if (random.chance(0.5)) await writingSectors(machine.disk, 2);
      await machine.crash();
    });
  }
  await run.finish();
  expect(tornTails()).toBeGreaterThan(0);
});

test.each([
  ['a write of the log', 'write'],
  ['a sync of the log', 'fdatasync'],
] as const)(
  '%s that fails ends the node, which acknowledges nothing more and loses nothing',
  async (_, operation) => {
    await using run = new PowerRun(seed);
    const { machine, random } = run;
    for (let round = 0; round < ROUNDS; round++) {
      await run.round(async (address) => {
        machine.disk.fail(operation, random.below(50));
        expect((await machine.fatal).message).toContain('EIO');
        await expectNoAnswer(address, () => (random.chance(0.5) ? machine.crash() : machine.kill()));
        machine.disk.clearFaults();
      });
    }
    await run.finish();
  },
);

test('a checkpoint that fails ends the node, and the log has everything', async () => {
  await using run = new PowerRun(seed);
  const { machine } = run;
  for (let round = 0; round < ROUNDS; round++) {
    await run.round(async (address) => {
      machine.storeFailure = Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });
      expect((await machine.fatal).message).toContain('database could not be written');
      await expectNoAnswer(address, () => machine.crash());
      machine.storeFailure = undefined;
    });
  }
  await run.finish();
});

test('with fsync=interval a loss of power takes the newest writes at most, and the node starts', async () => {
  await using machine = new BreakableMachine(dataFolder(), seed, {
    ...SETTINGS,
    overlayBytes: 16 * KIB,
    fsync: 'interval',
    // Longer than the test: nothing is synced for its age.
    fsyncIntervalMs: 600_000,
  });
  const value = Buffer.alloc(1_000, 'v');
  let written = 0;
  for (let round = 0; round < ROUNDS; round++) {
    using client = new NodeClient(await machine.start());
    const { entries } = await client.unary(KVService.method.scan, { limit: 10_000, keysOnly: true });
    // Whatever is kept is a beginning of what was written, never something from its middle.
    expect(entries.map(({ key }) => key)).toEqual(entries.map((_, i) => numberedKey(i)));
    expect(entries.length).toBeLessThanOrEqual(written);
    written = entries.length;
    for (let i = 0; i < 100; i++) {
      await client.unary(KVService.method.set, { key: numberedKey(written), value });
      written++;
    }
    await machine.crash();
  }
});

function numberedKey(number: number): string {
  return String(number).padStart(6, '0');
}

/** After its death a node says yes to nobody, until it is gone altogether. */
async function expectNoAnswer(address: string, end: () => Promise<void>): Promise<void> {
  using client = new NodeClient(address);
  const call = client.unary(KVService.method.set, { key: 'late', value: Buffer.from('late') });
  const outcome = call.then(
    () => 'acknowledged',
    () => 'failed',
  );
  await end();
  expect(await outcome).toBe('failed');
}

/** Resolves while a batch of so many sectors or more is on its way to the disk. */
async function writingSectors(disk: SimulatedDisk, sectors: number): Promise<void> {
  await turnsUntil(() => {
    // Of no use for a crash: what waits for a smaller batch is written together as the next.
    if (disk.unsyncedSectors < sectors) disk.releaseSyncs();
    disk.holdSyncs();
    return disk.unsyncedSectors >= sectors;
  });
}

async function turnsUntil(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
