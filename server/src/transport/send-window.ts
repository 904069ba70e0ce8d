/**
 * Counts the bytes handed to a stream that its connection has not taken yet, and says when to stop.
 *
 * Streams of Node bound their buffers in messages (16 objects); a message may be megabytes, so the bound here is
 * in bytes. It overshoots by at most one message.
 */
export class SendWindow {
  readonly #limitBytes: number;
  #pendingBytes = 0;
  #full = false;
  #onRoom: (() => void) | undefined;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** True until the limit is reached, and again once half of it was taken. */
  get hasRoom(): boolean {
    return !this.#full;
  }

  /** Called each time a full window has room again. */
  onRoom(listener: () => void): void {
    this.#onRoom = listener;
  }

  /** Counts a message in. */
  add(messageBytes: number): void {
    this.#pendingBytes += messageBytes + MESSAGE_OVERHEAD_BYTES;
    if (this.#pendingBytes >= this.#limitBytes) this.#full = true;
  }

  /** The connection took a message that was counted in. */
  taken(messageBytes: number): void {
    this.#pendingBytes -= messageBytes + MESSAGE_OVERHEAD_BYTES;
    if (this.#full && this.#pendingBytes <= this.#limitBytes / 2) {
      this.#full = false;
      this.#onRoom?.();
    }
  }
}

/** What a queued message costs beside its bytes, so that many empty ones count too. */
const MESSAGE_OVERHEAD_BYTES = 128;
