/** How long a snapshot may take: longer the more of it was taken, so that size alone never ends one. */

/** For what does not grow with the bytes: to connect, and to install what was received. */
const BASE_MS = 600_000;

/**
 * A follower that takes less is given up: it may not hold one of the few places, nor a view of the store, for good. Less than
 * half of the least that a node may be told to send (`--snapshot-bytes-per-second`), which two snapshots share.
 */
const BYTES_PER_SECOND_MIN = 1024 * 1024;

export class SnapshotDeadline implements Disposable {
  readonly #expired = new AbortController();
  readonly #startedAt_ms = performance.now();
  #takenBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.#look();
  }

  /** Aborted when the time is over. */
  get signal(): AbortSignal {
    return this.#expired.signal;
  }

  /** Bytes that the follower has taken. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** The follower has taken so many bytes more. */
  taken(bytes: number): void {
    this.#takenBytes += bytes;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  readonly #look = (): void => {
    const allowed_ms = BASE_MS + (1000 * this.#takenBytes) / BYTES_PER_SECOND_MIN;
    const left_ms = this.#startedAt_ms + allowed_ms - performance.now();
    if (left_ms <= 0) this.#expired.abort();
    else this.#timer = setTimeout(this.#look, Math.ceil(left_ms)).unref();
  };
}
