/** Messages behind their length as four bytes, big-endian, out of a stream of bytes cut anywhere. */

const LENGTH_BYTES = 4;

/** No message of the protocol is larger: values are at most 4 MiB, and lists of them fit a frame of the server. */
const FRAME_BYTES_MAX = 128 * 2 ** 20;

export class FrameReader {
  readonly #take: (frame: Buffer) => void;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(take: (frame: Buffer) => void) {
    this.#take = take;
  }

  /** @throws Error when a message is too long to be one, or its taker does */
  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    while (this.#length >= LENGTH_BYTES) {
      const head = this.#peek(LENGTH_BYTES);
      const size = head.readUInt32BE(0);
      if (size > FRAME_BYTES_MAX) throw new Error(`a message of ${size} bytes`);
      if (this.#length < LENGTH_BYTES + size) return;
      const joined = Buffer.concat(this.#pieces);
      const rest = joined.subarray(LENGTH_BYTES + size);
      this.#pieces = rest.length > 0 ? [rest] : [];
      this.#length = rest.length;
      this.#take(joined.subarray(LENGTH_BYTES, LENGTH_BYTES + size));
    }
  }

  #peek(bytes: number): Buffer {
    if (this.#pieces[0]!.length < bytes) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0]!;
  }
}
