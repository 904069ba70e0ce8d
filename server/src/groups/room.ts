/** Whether there is room in the log and in the store of a node: who writes, who waits, and who is refused. */
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { Failure } from '../state/failure.ts';
import { freesRoom } from '../state/freeing-methods.ts';
import type { Store } from '../storage/store.ts';
import type { NodeLog } from './node-log.ts';

/** When a caller that met a full disk may try again. */
const DISK_FULL_RETRY_MS = 1_000;

/**
 * Bytes that may be buffered for the log while it writes, over all groups; a single larger entry passes when nothing
 * else is. Writes wait behind it. The log has a bound of its own, and it is an error to meet that one.
 */
const LOG_BACKLOG_BYTES_MAX = 32 * 1024 * 1024;

export class Room {
  readonly #log: NodeLog;
  readonly #store: Store;
  readonly #metrics: NodeMetrics;
  /** Bytes of the entries that this turn made and the log does not have yet. */
  #turnBytes = 0;
  #heldSince: number | undefined;
  /** Called when the store takes something again, or nobody needs to wait for that any more. */
  #waiting: (() => void)[] = [];

  constructor({ log, store, metrics }: { log: NodeLog; store: Store; metrics: NodeMetrics }) {
    this.#log = log;
    this.#store = store;
    this.#metrics = metrics;
  }

  /** True while writes wait for the overlay to be written out. */
  get held(): boolean {
    return this.#store.blocked;
  }

  /** False while log or store are short of room: see `refusal`. */
  get isThere(): boolean {
    return this.#log.writable && this.#store.outOfSpace === undefined;
  }

  /** Makes room in the log for an entry of this turn. False when it has to wait until what is buffered is written. */
  takeLog(bytes: number): boolean {
    const pending = this.#log.pendingBytes + this.#turnBytes;
    if (pending > 0 && pending + bytes > LOG_BACKLOG_BYTES_MAX) return false;
    this.#turnBytes += bytes;
    return true;
  }

  /** The log has what was made in this turn. */
  turnOver(): void {
    this.#turnBytes = 0;
  }

  /** Why writes of a method are refused for lack of room; undefined when they are not. */
  refusal(method: number): Failure | undefined {
    if (this.isThere) return undefined;
    const lack = this.#store.outOfSpace;
    // Memory is made room in by removing from it, and by nothing else.
    if (this.#log.writable && lack?.where === 'memory' && freesRoom(method)) return undefined;
    return {
      reason: ErrorReason.DISK_FULL,
      message:
        lack === undefined
          ? 'the disk of the data folder is full: the log cannot grow. Reads go on; free space and writes resume'
          : `too little ${lack.where} for the store: ${lack.freeBytes} bytes free, ${lack.neededBytes} needed. Reads go on; make room and writes resume`,
      retryAfter_ms: DISK_FULL_RETRY_MS,
    };
  }

  /** Counts the time that writes are held, from here on. */
  noteHeld(): void {
    if (this.held && this.#heldSince === undefined) this.#heldSince = performance.now();
  }

  /** The store takes something again. */
  resumed(): void {
    if (this.#heldSince === undefined) return;
    this.#metrics.storage.stallSeconds.add((performance.now() - this.#heldSince) / 1000);
    this.#heldSince = undefined;
  }

  /** Resolves with the next `release`. */
  released(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Who waits may look again. */
  release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
