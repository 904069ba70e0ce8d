/** The snapshots of a store: how many may be open, how long they live, and what a reader sees after that. */

import { SnapshotLimitError, SnapshotReleasedError } from './errors.ts';
import type { RangeOptions, Row, StoreSnapshot, StoreView } from './store.ts';

export interface SnapshotLimits {
  readonly maxSnapshots: number;
  readonly maxSnapshotAgeMs: number;
}

export class Snapshots {
  readonly #limits: SnapshotLimits;
  readonly #open = new Set<StoreSnapshot>();

  constructor(limits: SnapshotLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @throws SnapshotLimitError when no more may be opened now. */
  checkLimit(): void {
    if (this.#open.size >= this.#limits.maxSnapshots) {
      throw new SnapshotLimitError(`${this.#open.size} snapshots are open, the most allowed`);
    }
  }

  /** Makes `view` a snapshot; `onRelease` is called once, at its release or when it is too old. */
  open(view: StoreView, onRelease: () => void): StoreSnapshot {
    this.checkLimit();
    const snapshot = new BoundedSnapshot(view, this.#limits.maxSnapshotAgeMs, () => {
      this.#open.delete(snapshot);
      onRelease();
    });
    this.#open.add(snapshot);
    return snapshot;
  }

  releaseAll(): void {
    for (const snapshot of this.#open) snapshot.release();
  }
}

class BoundedSnapshot implements StoreSnapshot {
  readonly #onRelease: () => void;
  readonly #expiry: NodeJS.Timeout;
  #view: StoreView | undefined;

  constructor(view: StoreView, maxAgeMs: number, onRelease: () => void) {
    this.#view = view;
    this.#onRelease = onRelease;
    this.#expiry = setTimeout(() => this.release(), maxAgeMs).unref();
  }

  get released(): boolean {
    return this.#view === undefined;
  }

  get(key: string): Uint8Array | undefined {
    return this.#read().get(key);
  }

  has(key: string): boolean {
    return this.#read().has(key);
  }

  *range(options: RangeOptions): Generator<Row, undefined> {
    // Asked for with every row: the snapshot may end while its reader waits between two.
    const rows = this.#read().range(options);
    for (let next = rows.next(); !next.done; next = this.#read() && rows.next()) yield next.value;
  }

  release(): void {
    if (this.#view === undefined) return;
    this.#view = undefined;
    clearTimeout(this.#expiry);
    this.#onRelease();
  }

  #read(): StoreView {
    if (this.#view === undefined) throw new SnapshotReleasedError('the snapshot was released or is too old');
    return this.#view;
  }
}
