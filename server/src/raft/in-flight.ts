/**
 * The appends on their way to one follower: a sliding window, bounded by messages and by bytes. It is what keeps a slow
 * follower from piling up memory at the leader and the network (thesis §10.2.1, pipelining).
 */
export class InFlight {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  /** Last index and size of each message, oldest first; those before `#head` are answered. */
  #lastIndexes: number[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#lastIndexes.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get full(): boolean {
    return this.count >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  add(lastIndex: number, bytes: number): void {
    this.#lastIndexes.push(lastIndex);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** Forgets every message whose entries are all at or below `index`. */
  freeUpTo(index: number): void {
    while (this.#head < this.#lastIndexes.length && this.#lastIndexes[this.#head]! <= index) {
      this.#bytes -= this.#sizes[this.#head]!;
      this.#head++;
    }
    if (this.#head === this.#lastIndexes.length) this.clear();
    else if (this.#head > this.#maxMessages) this.#compact();
  }

  clear(): void {
    if (this.#lastIndexes.length > 0) {
      this.#lastIndexes = [];
      this.#sizes = [];
    }
    this.#head = 0;
    this.#bytes = 0;
  }

  #compact(): void {
    this.#lastIndexes.splice(0, this.#head);
    this.#sizes.splice(0, this.#head);
    this.#head = 0;
  }
}
