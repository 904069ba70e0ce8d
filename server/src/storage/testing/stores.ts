/** What the tests of this folder share: stores in folders that are removed, and writers to be held up. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { BatchWriter } from '../batch-writer.ts';
import type { CheckpointBatch } from '../checkpoint-batch.ts';
import type { CheckpointWriter } from '../checkpoint-writer.ts';
import { openDatabase } from '../lmdb-database.ts';
import { type LmdbStoreOptions, openLmdbStore } from '../lmdb-store.ts';
import type { Store } from '../store.ts';

const MAP_SIZE_BYTES = 1024 * 1024 * 1024;

/** A new folder, removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gomsg-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens a store whose death fails the test, unless the test says otherwise. */
export function openStore(folder: string, options: Partial<LmdbStoreOptions> = {}): Promise<Store> {
  return openLmdbStore(folder, {
    mapSizeBytes: MAP_SIZE_BYTES,
    onFatal: (error) => {
      throw error;
    },
    ...options,
  });
}

/** Writes on the calling thread, a turn later: saves tests that open hundreds of stores a thread each. */
export class InlineWriter implements CheckpointWriter {
  readonly #database;

  constructor(folder: string) {
    this.#database = openDatabase(folder, MAP_SIZE_BYTES);
  }

  async write(batch: CheckpointBatch): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    new BatchWriter(this.#database.state).write(batch);
  }

  /** What LMDB holds, past every overlay. */
  rows(): [string, string | undefined][] {
    this.#database.state.resetReadTxn();
    return [...this.#database.state.getRange({ start: '' })].map(({ key, value }) => [key, textOf(value)]);
  }

  async close(): Promise<void> {
    await this.#database.root.close();
  }
}

/** Holds every batch until the test lets it go, or fails it. */
export class HeldWriter implements CheckpointWriter {
  readonly #inner: CheckpointWriter;
  #held: { go: () => void; fail: (error: Error) => void } | undefined;

  constructor(inner: CheckpointWriter) {
    this.#inner = inner;
  }

  async write(batch: CheckpointBatch): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#held = { go: resolve, fail: reject };
    await promise;
    await this.#inner.write(batch);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  get holds(): boolean {
    return this.#held !== undefined;
  }

  go(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.go();
  }

  fail(error: Error): void {
    this.#held?.fail(error);
  }
}

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

export const textOf = (value: Uint8Array | undefined): string | undefined =>
  value && Buffer.from(value).toString('latin1');
