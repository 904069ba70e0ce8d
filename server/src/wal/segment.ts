import { segmentName } from './format.ts';
import type { GroupLog } from './group-log.ts';
import type { LogFile } from './log-files.ts';

/** One file of the log. A planned segment has no file yet: its first batch creates it. */
export class Segment {
  readonly sequence: number;
  readonly name: string;
  /** Bytes that may be written to the file. */
  readonly capacity: number;
  file: LogFile | undefined;
  readonly extents: Extent[] = [];

  constructor(sequence: number, capacity: number, file?: LogFile) {
    this.sequence = sequence;
    this.name = segmentName(sequence);
    this.capacity = capacity;
    this.file = file;
  }

  /** Whether some entry in here is not released yet. */
  isPinned(): boolean {
    return this.extents.some((extent) => extent.pinnedThrough > extent.log.released);
  }
}

/** First size of an extent's table of positions, in entries. */
const INITIAL_POSITIONS = 16;

/** The run of consecutive entries that one group has in one segment, with the position of each. */
export class Extent {
  readonly log: GroupLog;
  readonly segment: Segment;
  readonly firstIndex: number;
  count = 0;
  /** Grows with every entry that is added, and every time that some are cut. */
  version = 0;
  /** The segment must stay until the group released this index. */
  pinnedThrough = 0;
  #positions = new Uint32Array(INITIAL_POSITIONS);

  constructor(log: GroupLog, segment: Segment, firstIndex: number) {
    this.log = log;
    this.segment = segment;
    this.firstIndex = firstIndex;
    segment.extents.push(this);
  }

  get lastIndex(): number {
    return this.firstIndex + this.count - 1;
  }

  push(position: number): void {
    if (this.count === this.#positions.length) {
      const grown = new Uint32Array(this.count * 2);
      grown.set(this.#positions);
      this.#positions = grown;
    }
    this.#positions[this.count++] = position;
    this.version++;
    this.pinnedThrough = this.lastIndex;
  }

  position(index: number): number {
    return this.#positions[index - this.firstIndex]!;
  }
}
