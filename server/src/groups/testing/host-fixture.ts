/** A host over a log and a store in memory, whose syncs, clock and room are the test's. */
import { onTestFinished } from 'vitest';
import { NodeMetrics } from '../../observe/node-metrics.ts';
import type { Entry } from '../../raft/index.ts';
import { openMemoryStore } from '../../storage/memory-store.ts';
import type { OutOfSpace, Store } from '../../storage/store.ts';
import { WalFullError } from '../../wal/errors.ts';
import type { Group } from '../group.ts';
import { GroupHost } from '../host.ts';
import type { HostOptions } from '../host-options.ts';
import { MemoryLog } from '../memory-log.ts';

export { get, increment, set, setRequest, submit } from './calls.ts';

/** As the write-ahead log: more is never buffered, and it is an error to try. */
const LOG_PENDING_BYTES_MAX = 64 * 1024 * 1024;

/** A log whose syncs end when the test says so, and which takes nothing that it has no room for. */
export class HeldLog extends MemoryLog {
  full = false;
  holding = false;
  /** Drops nothing, so that everything can be replayed. */
  keepsAll = false;
  syncs = 0;
  readonly #held: ((error?: Error) => void)[] = [];
  /** Bytes that were appended since the last flush began. */
  #pending = 0;

  override get writable(): boolean {
    return !this.full;
  }

  override get pendingBytes(): number {
    return this.#pending;
  }

  override append(group: number, entries: readonly Entry[]): void {
    const bytes = entries.reduce((sum, { data }) => sum + data.length, 0);
    if (this.full) throw new Error('an entry for a log that is full');
    if (this.#pending > 0 && this.#pending + bytes > LOG_PENDING_BYTES_MAX) throw new WalFullError();
    this.#pending += bytes;
    super.append(group, entries);
  }

  override flush(callback: (error?: Error) => void): void {
    this.syncs++;
    // What is flushed while a sync is held waits for it, in the buffer.
    if (this.#held.length === 0) this.#pending = 0;
    if (this.holding) this.#held.push(callback);
    else super.flush(callback);
  }

  override release(group: number, index: number): void {
    if (!this.keepsAll) super.release(group, index);
  }

  letGo(error?: Error): void {
    this.#pending = 0;
    for (const callback of this.#held.splice(0)) callback(error);
  }
}

/** A store that says of itself what the test wants. */
export class CrampedStore {
  blocked = false;
  outOfSpace: OutOfSpace | undefined;
  readonly store: Store;

  constructor() {
    this.store = new Proxy(openMemoryStore(), {
      get: (target, name) => {
        if (name === 'blocked') return this.blocked;
        if (name === 'outOfSpace') return this.outOfSpace;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

export interface Setup {
  readonly host: GroupHost;
  /** The first one. */
  readonly group: Group;
  readonly log: HeldLog;
  readonly fatal: Error[];
  readonly bugs: string[];
  readonly clock: { now_ms: number; monotonic_ms: number };
}

export interface Parts {
  readonly log?: HeldLog;
  readonly store?: Store;
  readonly groups?: number;
}

/** A host that was not started; stopped when the test ends. */
export function makeHost(parts: Parts = {}): Omit<Setup, 'group'> {
  const log = parts.log ?? new HeldLog();
  const fatal: Error[] = [];
  const bugs: string[] = [];
  const clock = { now_ms: 1_767_225_600_000, monotonic_ms: 0 };
  const options: HostOptions = {
    log,
    store: parts.store ?? openMemoryStore(),
    metrics: new NodeMetrics(),
    clock: () => clock.now_ms,
    monotonic: () => clock.monotonic_ms,
    random: () => 0.5,
    sessionIdleTimeout_ms: 3_600_000,
    node: { nodeId: 'node1', address: '127.0.0.1:9000' },
    onFatal: (error) => fatal.push(error),
    reportBug: (error, where) => bugs.push(`${where}: ${error instanceof Error ? error.message : error}`),
  };
  const host = new GroupHost(options);
  onTestFinished(() => host.stop());
  for (let id = 1; id <= (parts.groups ?? 1); id++) host.add(id);
  return { host, log, fatal, bugs, clock };
}

export async function startHost(parts: Parts = {}): Promise<Setup> {
  const setup = makeHost(parts);
  await setup.host.start();
  return { ...setup, group: setup.host.groups[0]! };
}

/** Lets the event loop go round so many times. */
export function turns(count: number): Promise<void> {
  return new Promise((resolve) => {
    const turn = (left: number): void => {
      if (left === 0) resolve();
      else setImmediate(() => turn(left - 1));
    };
    turn(count);
  });
}
