/** A machine whose disk can fail and whose power can go, with a node on it in this process. */
import { configWith } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { type RunningNode, startNode } from '../node.ts';
import { createLogger } from '../observe/logger.ts';
import type { CheckpointBatch } from '../storage/checkpoint-batch.ts';
import { type CheckpointWriter, ThreadedWriter } from '../storage/checkpoint-writer.ts';
import type { Done, LogFile, LogFiles } from '../wal/log-files.ts';
import { SimulatedDisk } from '../wal/simulated-disk.ts';

const MIB = 1024 * 1024;
const LMDB_MAP_BYTES = 1024 * MIB;

export const POWER_LOST = 'the machine lost its power';

/**
 * The log is on a simulated disk, LMDB on the real one: it syncs every transaction, so a power loss leaves the last one
 * that ended, which is what `crash` leaves too.
 */
export class BreakableMachine {
  readonly disk: SimulatedDisk;
  /** What LMDB thinks is free on its disk; undefined = what is. */
  freeStoreBytes: number | undefined;
  /** The next batch for LMDB fails with this. */
  storeFailure: Error | undefined;
  /** Everything that nodes on this machine logged, a JSON line each. */
  readonly log: string[] = [];
  readonly #dataDir: string;
  readonly #settings: Partial<Config>;
  #power = new Power();
  #node: RunningNode | undefined;
  #fatal = Promise.withResolvers<Error>();

  constructor(dataDir: string, seed: number, settings: Partial<Config> = {}) {
    this.disk = new SimulatedDisk(seed);
    this.#dataDir = dataDir;
    this.#settings = settings;
  }

  /** Resolves with what the node could not survive. */
  get fatal(): Promise<Error> {
    return this.#fatal.promise;
  }

  /** Starts a node and resolves with its address. */
  async start(): Promise<string> {
    const power = new Power();
    this.#power = power;
    this.#fatal = Promise.withResolvers();
    const config = configWith({
      port: 0,
      dataDir: this.#dataDir,
      lmdbMapBytes: LMDB_MAP_BYTES,
      // A node that died answers nobody: there is nothing to wait for.
      drainTimeoutMs: 0,
      ...this.#settings,
    });
    this.#node = await startNode({
      config,
      logger: createLogger({
        level: 'info',
        format: 'json',
        output: { write: (line) => void this.log.push(line) },
      }),
      onFatal: (error) => this.#fatal.resolve(error),
      logFiles: powered(this.disk.mount(), power),
      storeParts: {
        writer: new BreakableWriter(this, power, {
          directory: this.#dataDir,
          mapSizeBytes: config.lmdbMapBytes,
        }),
        freeDiskBytes: () => this.freeStoreBytes ?? Number.POSITIVE_INFINITY,
      },
    });
    return `${this.#node.host}:${this.#node.port}`;
  }

  /** The power goes: what was not synced is lost or torn, and the node with it. */
  async crash(): Promise<void> {
    this.disk.crash();
    await this.#dead();
  }

  /** The process is killed: the disk keeps what was written. */
  async kill(): Promise<void> {
    this.disk.kill();
    await this.#dead();
  }

  /** A clean stop. */
  async stop(): Promise<void> {
    const node = this.#node;
    this.#node = undefined;
    await node?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dead();
  }

  /** Frees what a process would free by its end: port, threads and locks. */
  async #dead(): Promise<void> {
    this.#power.off();
    const node = this.#node;
    this.#node = undefined;
    // It cannot stop cleanly: its log and its store refuse everything.
    await node?.stop().catch(() => {});
  }
}

/** Lets everything that is under way on a machine fail at once when the power goes. */
class Power {
  isOn = true;
  readonly #waiting = new Set<(error: Error) => void>();

  off(): void {
    this.isOn = false;
    for (const fail of this.#waiting) fail(new Error(POWER_LOST));
    this.#waiting.clear();
  }

  check(): void {
    if (!this.isOn) throw new Error(POWER_LOST);
  }

  /** The completion of an operation: the operation's own, or the failure when the power goes first. */
  completion(done: Done): Done {
    let over = false;
    const once: Done = (error) => {
      if (over) return;
      over = true;
      this.#waiting.delete(once);
      done(error);
    };
    if (this.isOn) this.#waiting.add(once);
    else setImmediate(() => once(new Error(POWER_LOST)));
    return once;
  }

  promised<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let value: T;
      const done = this.completion((error) => (error ? reject(error) : resolve(value)));
      if (!this.isOn) return;
      work().then(
        (result) => {
          value = result;
          done();
        },
        (error) => done(error),
      );
    });
  }
}

/** The files of a disk, for as long as there is power. */
function powered(files: LogFiles, power: Power): LogFiles {
  return {
    list: () => {
      power.check();
      return files.list();
    },
    open: (name, create) => {
      power.check();
      return poweredFile(files.open(name, create), power);
    },
    rename: (from, to) => power.promised(() => files.rename(from, to)),
    unlink: (name) => power.promised(() => files.unlink(name)),
    syncDirectory: () => power.promised(() => files.syncDirectory()),
  };
}

function poweredFile(file: LogFile, power: Power): LogFile {
  return {
    size: () => file.size(),
    writeSync: (bytes, position) => {
      power.check();
      file.writeSync(bytes, position);
    },
    write: (bytes, position, done) => {
      const completion = power.completion(done);
      if (power.isOn) file.write(bytes, position, completion);
    },
    fdatasync: (done) => {
      const completion = power.completion(done);
      if (power.isOn) file.fdatasync(completion);
    },
    readSync: (target, position) => {
      power.check();
      return file.readSync(target, position);
    },
    close: () => file.close(),
  };
}

/** LMDB's own writer, which fails when it is told to or the power is off. */
class BreakableWriter implements CheckpointWriter {
  readonly #machine: BreakableMachine;
  readonly #power: Power;
  readonly #writer: CheckpointWriter;

  constructor(
    machine: BreakableMachine,
    power: Power,
    options: ConstructorParameters<typeof ThreadedWriter>[0],
  ) {
    this.#machine = machine;
    this.#power = power;
    this.#writer = new ThreadedWriter(options);
  }

  async write(batch: CheckpointBatch): Promise<void> {
    this.#power.check();
    const { storeFailure } = this.#machine;
    if (storeFailure !== undefined) throw storeFailure;
    await this.#writer.write(batch);
  }

  close(): Promise<void> {
    return this.#writer.close();
  }
}
