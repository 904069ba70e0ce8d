import { viewOf } from './format.ts';
import type { Segment } from './segment.ts';

/** Bytes read from a segment at once: neighbours are usually wanted next. */
const WINDOW_BYTES = 128 * 1024;

/**
 * A sliding view of a segment's file. It may be overtaken by later writes, so it serves one recovery or one call
 * and is dropped.
 */
export class SegmentWindow {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = viewOf(this.bytes);
  readonly segment: Segment;
  #position = 0;

  constructor(segment: Segment) {
    this.segment = segment;
  }

  /**
   * Makes `bytes` bytes at `position` available and returns where they are in the window; zeros beyond the file.
   */
  load(position: number, bytes: number): number {
    const at = position - this.#position;
    if (at >= 0 && at + bytes <= this.bytes.length) return at;
    const wanted = Math.max(bytes, Math.min(WINDOW_BYTES, this.segment.capacity - position));
    if (this.bytes.length !== wanted) {
      this.bytes = new Uint8Array(wanted);
      this.view = viewOf(this.bytes);
    }
    const read = this.segment.file!.readSync(this.bytes, position);
    if (read < wanted) this.bytes.fill(0, read);
    this.#position = position;
    return 0;
  }
}
