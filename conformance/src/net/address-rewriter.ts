/**
 * Nodes of a cluster tell clients each other's addresses. This puts the addresses of a client's own wires in their place,
 * so that a client that routes by itself stays on the wires that its case can cut. Peers are not touched: they talk to each
 * other directly.
 */

const FRAME_HEADER_BYTES = 9;
const DATA_FRAME = 0;

/**
 * What a server says on one HTTP/2 connection, with addresses replaced by others of the same length. It passes whole frames
 * on, so an address is found however TCP cuts it. One that HTTP/2 itself cuts in two frames, which only answers beyond 16 KiB
 * can be, is not.
 */
export class AddressRewriter {
  readonly #replacements: readonly (readonly [Buffer, Buffer])[];
  /** The beginning of a frame that is not complete. */
  #rest = Buffer.alloc(0);

  /** @throws RangeError when an address and its replacement differ in length, for frames tell theirs */
  constructor(replacements: ReadonlyMap<string, string>) {
    this.#replacements = [...replacements].map(([from, to]) => {
      if (from.length !== to.length) throw new RangeError(`${to} is not as long as ${from}`);
      return [Buffer.from(from), Buffer.from(to)];
    });
  }

  /** The frames that are complete now; may be empty. */
  push(piece: Buffer): Buffer {
    const bytes = Buffer.concat([this.#rest, piece]);
    let end = 0;
    while (bytes.length - end >= FRAME_HEADER_BYTES) {
      const next = end + FRAME_HEADER_BYTES + bytes.readUIntBE(end, 3);
      if (next > bytes.length) break;
      if (bytes[end + 3] === DATA_FRAME) this.#replace(bytes.subarray(end + FRAME_HEADER_BYTES, next));
      end = next;
    }
    this.#rest = bytes.subarray(end);
    return bytes.subarray(0, end);
  }

  #replace(payload: Buffer): void {
    // All are looked for before any is written: a replacement may be an address of another node.
    const found = this.#replacements.flatMap(([from, to]) => {
      const places: (readonly [number, Buffer])[] = [];
      for (let at = payload.indexOf(from); at !== -1; at = payload.indexOf(from, at + from.length))
        places.push([at, to]);
      return places;
    });
    for (const [at, to] of found) to.copy(payload, at);
  }
}
