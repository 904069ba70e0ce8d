/**
 * Kills a node again and again under load, and checks after every restart that each acknowledged write is there, and
 * none twice.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../src/raft/testing/random.ts';
import { NodeProcess } from '../src/testing/node-process.ts';
import {
  KILL_MOMENTS,
  type KillMoment,
  momentOfDrain,
  momentOfStart,
  momentUnderLoad,
} from './kill-moments.ts';
import { LaneRunner, Violation } from './lanes.ts';
import { Tally } from './tally.ts';
import { Workload } from './workload.ts';

/** Small files and checkpoints, so that a round meets many of them. */
const FLAGS = [
  '--overlay-bytes=1MiB',
  '--wal-segment-bytes=1MiB',
  '--max-frame-bytes=960KiB',
  '--max-value-bytes=256KiB',
  '--max-message-bytes=256KiB',
  '--stream-partitions=3',
  '--drain-timeout=2s',
];

/** Every so many rounds all messages are read again from the first. */
const FULL_CHECK_ROUNDS = 10;

/** How long clients may take to have everything answered after a restart. */
const SETTLE_MAX_MS = 60_000;

/** Guess at the time that a start takes, until one was seen. */
const USUAL_START_MS = 700;

const TORN_TAIL = 'the log ended in an incomplete batch';

export interface CrashRunOptions {
  readonly rounds: number;
  /** Decides about moments, sizes and the mix of calls. The processes run as they run: it replays the plan. */
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

export interface CrashSummary extends Readonly<Tally> {
  readonly rounds: number;
  readonly kills: Readonly<Record<KillMoment, number>>;
  /** Log entries that nodes applied again at their start. */
  readonly entriesRecovered: number;
  /** Starts at which an incomplete batch was cut from the log. */
  readonly tornTails: number;
  readonly elapsed_ms: number;
}

/** A run that failed, with what there is to look into. */
export class CrashRunError extends Error {
  override readonly name = 'CrashRunError';
}

/** @throws CrashRunError after a broken promise: it says how to replay the run, and keeps the data folder */
export async function crashRun(options: CrashRunOptions): Promise<CrashSummary> {
  const dataDir = mkdtempSync(join(tmpdir(), 'gomsg-crash-'));
  const run = new CrashRun(options, dataDir);
  try {
    const summary = await run.run();
    rmSync(dataDir, { recursive: true, force: true });
    return summary;
  } catch (cause) {
    throw new CrashRunError(run.story(cause), { cause });
  } finally {
    await run.close();
  }
}

class CrashRun {
  readonly #options: CrashRunOptions;
  readonly #dataDir: string;
  readonly #random: Random;
  readonly #tally = new Tally();
  readonly #workload: Workload;
  readonly #runner: LaneRunner;
  readonly #kills: Record<KillMoment, number> = {
    start: 0,
    repeats: 0,
    load: 0,
    checkpoint: 0,
    segment: 0,
    drain: 0,
    cut: 0,
  };
  #node: NodeProcess | undefined;
  #round = 0;
  #usualStart_ms = USUAL_START_MS;
  #entriesRecovered = 0;
  #tornTails = 0;

  constructor(options: CrashRunOptions, dataDir: string) {
    this.#options = options;
    this.#dataDir = dataDir;
    this.#random = new Random(options.seed);
    this.#workload = new Workload(options.seed, this.#tally);
    this.#runner = new LaneRunner(this.#workload.lanes);
  }

  async run(): Promise<CrashSummary> {
    const started_ms = performance.now();
    const { rounds, onProgress } = this.#options;
    while (this.#round < rounds) {
      this.#round++;
      const moment = this.#nextMoment();
      const before = this.#tally.writesAcknowledged;
      await this.#runRound(moment);
      this.#kills[moment]++;
      onProgress?.(
        `round ${this.#round}/${rounds}: killed in ${moment}, ${this.#tally.writesAcknowledged - before} writes acknowledged, ${this.#entriesRecovered} entries recovered so far`,
      );
    }
    await this.#finish();
    return {
      ...this.#tally,
      rounds,
      kills: this.#kills,
      entriesRecovered: this.#entriesRecovered,
      tornTails: this.#tornTails,
      elapsed_ms: performance.now() - started_ms,
    };
  }

  /** What a failure is told with. */
  story(cause: unknown): string {
    const { rounds, seed } = this.#options;
    return [
      `round ${this.#round} of ${rounds}: ${cause instanceof Error ? cause.message : cause}`,
      `replay with: npm run crash -- --rounds ${rounds} --seed ${seed}`,
      `data folder: ${this.#dataDir}`,
      `the node's last lines:\n${this.#node?.lines.slice(-20).join('\n')}`,
    ].join('\n');
  }

  async close(): Promise<void> {
    await this.#node?.kill();
    this.#workload.detach();
  }

  /** Each has its turn before any has its next, so that short runs meet them all, in an order of the seed. */
  readonly #upcoming: KillMoment[] = [];
  #nextMoment(): KillMoment {
    if (this.#upcoming.length === 0) {
      const rest: KillMoment[] = [...KILL_MOMENTS];
      while (rest.length > 0) this.#upcoming.push(...rest.splice(this.#random.below(rest.length), 1));
    }
    return this.#upcoming.shift()!;
  }

  async #runRound(moment: KillMoment): Promise<void> {
    if (moment === 'start') {
      this.#startNode();
      await this.#atMoment(momentOfStart(this.#random, this.#usualStart_ms), true);
      await this.#kill();
      return;
    }
    const address = await this.#startAndCheck();
    this.#workload.attach(address);
    if (moment === 'repeats') {
      await this.#atMoment(momentUnderLoad(moment, this.#dataDir, this.#random));
      await this.#kill();
      return;
    }
    await this.#settle();
    await this.#unlessBroken(this.#workload.check(address));
    this.#runner.open();
    await this.#atMoment(momentUnderLoad(moment, this.#dataDir, this.#random));
    if (moment === 'cut') {
      this.#runner.close();
      this.#workload.detach();
      await this.#stop();
      return;
    }
    if (moment === 'drain') {
      void this.#node!.terminate();
      await this.#atMoment(momentOfDrain(this.#random), true);
    }
    await this.#kill();
  }

  /** Everything is answered, drained and read; a clean stop loses nothing either. */
  async #finish(): Promise<void> {
    this.#workload.forgetChecks();
    const address = await this.#startAndCheck();
    this.#workload.attach(address);
    await this.#settle();
    await this.#unlessBroken(this.#workload.drainQueues(address));
    await this.#unlessBroken(this.#workload.check(address));
    await this.#stop();
    this.#workload.detach();
    this.#workload.forgetChecks();
    await this.#startAndCheck();
    await this.#runner.end();
    await this.#node!.kill();
  }

  #startNode(): NodeProcess {
    this.#node = NodeProcess.start({ flags: [`--data-dir=${this.#dataDir}`, ...FLAGS] });
    return this.#node;
  }

  async #startAndCheck(): Promise<string> {
    const started_ms = performance.now();
    const node = this.#startNode();
    const address = await node.ready;
    this.#usualStart_ms = performance.now() - started_ms;
    if (node.output.includes(TORN_TAIL)) this.#tornTails++;
    this.#entriesRecovered += await appliedEntries(address);
    if (this.#round % FULL_CHECK_ROUNDS === 0) this.#workload.forgetChecks();
    await this.#unlessBroken(this.#workload.check(address));
    return address;
  }

  /** Resolves once every call was answered. */
  async #settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Violation(`calls had no answer ${SETTLE_MAX_MS} ms after the restart`)),
        SETTLE_MAX_MS,
      );
    });
    try {
      await this.#unlessBroken(Promise.race([this.#runner.settled(), late]));
    } finally {
      clearTimeout(timer);
    }
  }

  async #stop(): Promise<void> {
    const exit = await this.#node!.terminate();
    if (exit.code !== 0) throw new Violation(`after SIGTERM the node ended with ${exit.code ?? exit.signal}`);
  }

  async #kill(): Promise<void> {
    this.#runner.close();
    await this.#node!.kill();
    this.#workload.detach();
  }

  async #atMoment(moment: Promise<void>, mayEnd = false): Promise<void> {
    if (mayEnd) await Promise.race([moment, this.#runner.failed]);
    else await this.#unlessBroken(moment);
  }

  /** Waits for the work, but no longer when a lane found something broken or the node ended by itself. */
  async #unlessBroken<T>(work: Promise<T>): Promise<T> {
    const node = this.#node!;
    const ended = node.exited.then(({ code, signal }) => {
      throw new Violation(`the node ended by itself with ${code ?? signal}`);
    });
    return Promise.race([work, this.#runner.failed, ended]);
  }
}

/** Entries that a node has applied since its start. */
async function appliedEntries(address: string): Promise<number> {
  const page = await (await fetch(`http://${address}/metrics`)).text();
  return Number(/^gomsg_applied_entries_total (\d+)$/m.exec(page)?.[1] ?? 0);
}
