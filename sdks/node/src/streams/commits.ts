/**
 * Acknowledgements of a consumer or group. They are cumulative, so of those that wait in one partition only the newest
 * goes out; one call a partition is under way at a time.
 */
import { ErrorReason, GomsgError } from '../errors.ts';
import type { Committer } from '../messages/stream-message.ts';

/** Commits the place behind `offset`; resolves once it is committed. */
export type Commit = (partition: number, offset: bigint, memberId: string) => Promise<unknown>;

interface Waiter {
  readonly offset: bigint;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Partition {
  isCommitting: boolean;
  waiters: Waiter[];
}

export class Commits implements Committer {
  readonly #commit: Commit;
  readonly #partitions = new Map<number, Partition>();
  readonly #running = new Set<Promise<void>>();
  /** Empty while there is no connection: the place is then committed whoever holds the partition. */
  #memberId = '';

  constructor(commit: Commit) {
    this.#commit = commit;
  }

  connected(memberId: string): void {
    this.#memberId = memberId;
  }

  disconnected(): void {
    this.#memberId = '';
  }

  commit(partition: number, offset: bigint): Promise<void> {
    let line = this.#partitions.get(partition);
    if (line === undefined) {
      line = { isCommitting: false, waiters: [] };
      this.#partitions.set(partition, line);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    line.waiters.push({ offset, resolve, reject });
    if (!line.isCommitting) {
      line.isCommitting = true;
      const run = this.#run(partition, line).finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
    return promise;
  }

  /** Resolves when no commit is under way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #run(partition: number, line: Partition): Promise<void> {
    // What else is acknowledged in this turn goes along.
    await Promise.resolve();
    while (line.waiters.length > 0) {
      const { waiters } = line;
      line.waiters = [];
      let newest = 0n;
      for (const { offset } of waiters) if (offset > newest) newest = offset;
      try {
        await this.#send(partition, newest);
        for (const { resolve } of waiters) resolve();
      } catch (error) {
        for (const { reject } of waiters) reject(error);
      }
    }
    line.isCommitting = false;
  }

  async #send(partition: number, offset: bigint): Promise<void> {
    const memberId = this.#memberId;
    try {
      await this.#commit(partition, offset, memberId);
    } catch (error) {
      const isFenced = error instanceof GomsgError && error.reason === ErrorReason.MEMBER_FENCED;
      // The connection was lost, and with it the membership, while this was under way. The message is processed.
      if (!isFenced || memberId === this.#memberId) throw error;
      await this.#commit(partition, offset, '');
    }
  }
}
