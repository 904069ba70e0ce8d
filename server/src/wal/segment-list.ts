import { Segment } from './segment.ts';
import type { SegmentSpace } from './segment-space.ts';

export interface SegmentListOptions {
  /** Newest segments that stay, at least 1. */
  tailSegments: number;
  space: SegmentSpace;
  onFailure(error: unknown): void;
}

/** The segments of the log, oldest first: those on disk, then those planned for batches that wait. */
export class SegmentList {
  readonly #options: SegmentListOptions;
  readonly #segments: Segment[];
  #onDisk: number;
  /** Files are put away one after the other, oldest first, so a crash leaves no gap in the sequence. */
  #puttingAway: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(segments: readonly Segment[], options: SegmentListOptions) {
    this.#segments = [...segments];
    this.#onDisk = segments.length;
    this.#options = options;
  }

  get nextSequence(): number {
    return (this.#segments.at(-1)?.sequence ?? 0) + 1;
  }

  /** Whether some segment is not on disk yet. */
  get hasPlanned(): boolean {
    return this.#segments.length > this.#onDisk;
  }

  plan(capacity: number): Segment {
    const segment = new Segment(this.nextSequence, capacity);
    this.#segments.push(segment);
    return segment;
  }

  /** The oldest planned segment is on disk now. */
  started(): void {
    this.#onDisk++;
    this.dropReleased();
  }

  /**
   * Drops from the oldest on what is released, but for the tail. Entries that are not released keep what follows.
   */
  dropReleased(): void {
    while (this.#onDisk > this.#options.tailSegments && !this.#segments[0]!.isPinned()) {
      const segment = this.#segments.shift()!;
      this.#onDisk--;
      for (const extent of segment.extents) extent.log.drop(extent);
      this.#puttingAway = this.#puttingAway.then(() => this.#putAway(segment));
    }
  }

  async #putAway(segment: Segment): Promise<void> {
    if (this.#failed) return; // the next ones stay too, or there would be a gap
    try {
      await this.#options.space.recycle(segment.file!, segment.name);
    } catch (error) {
      this.#failed = true;
      this.#options.onFailure(error);
    }
  }

  async close(): Promise<void> {
    await this.#puttingAway;
    for (const segment of this.#segments) segment.file?.close();
  }
}
