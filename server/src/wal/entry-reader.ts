import { WalCorruptionError } from './errors.ts';
import {
  getU64,
  MAX_ENTRY_BYTES,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordBytes,
  recordIsIntact,
} from './format.ts';
import type { GroupLog, LogEntry } from './group-log.ts';
import { SegmentWindow } from './segment-window.ts';

/** Reads entries back from their segments. One reader serves one call, as its window does. */
export class EntryReader {
  #window: SegmentWindow | undefined;

  /** @throws WalCorruptionError when the record on disk is not the entry that was written */
  read(log: GroupLog, index: number): LogEntry {
    const extent = log.extentOf(index);
    const { segment } = extent;
    const position = extent.position(index);
    if (this.#window?.segment !== segment) this.#window = new SegmentWindow(segment);
    const window = this.#window;
    let at = window.load(position, RECORD_HEADER_BYTES);
    const dataBytes = window.view.getUint32(at + 4, true);
    const length = recordBytes(dataBytes);
    const fits = dataBytes <= MAX_ENTRY_BYTES && position + length <= segment.capacity;
    if (fits) at = window.load(position, length);
    const { bytes, view } = window;
    if (
      !fits ||
      !recordIsIntact(bytes, view, at, length) ||
      view.getUint8(at + 16) !== RecordKind.entry ||
      view.getUint32(at + 8, true) !== log.group ||
      getU64(view, at + 24) !== index
    ) {
      throw new WalCorruptionError(
        segment.name,
        position,
        `entry ${index} of group ${log.group} does not read back as it was written`,
      );
    }
    const dataAt = at + RECORD_HEADER_BYTES;
    return {
      index,
      term: getU64(view, at + 32),
      kind: view.getUint8(at + 17),
      data: bytes.slice(dataAt, dataAt + dataBytes), // a copy: it must not keep the window alive
    };
  }
}
