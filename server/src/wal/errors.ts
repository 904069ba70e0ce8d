/**
 * A write or an fdatasync of the log failed. The log is dead for good: after a failed fsync nobody knows which
 * pages reached the disk, so the owner must end the process and recover from what the disk holds.
 */
export class WalFailedError extends Error {
  override readonly name = 'WalFailedError';

  constructor(cause: unknown) {
    super(`the write-ahead log failed and cannot be used again: ${describe(cause)}`, { cause });
  }
}

/** The log was closed; the call came too late. */
export class WalClosedError extends Error {
  override readonly name = 'WalClosedError';

  constructor() {
    super('the write-ahead log is closed');
  }
}

/** More is buffered than the log may keep: it was refused before anything of it was, and may be tried again later. */
export class WalFullError extends Error {
  override readonly name = 'WalFullError';

  constructor() {
    super('the write-ahead log has too many bytes waiting for the disk');
  }
}

/** The asked entry is no longer in the log; a reader that needs it needs a snapshot. */
export class WalCompactedError extends Error {
  override readonly name = 'WalCompactedError';
  readonly group: number;
  readonly index: number;
  readonly firstIndex: number;

  constructor(group: number, index: number, firstIndex: number) {
    super(`entry ${index} of group ${group} was dropped from the log, which starts at ${firstIndex}`);
    this.group = group;
    this.index = index;
    this.firstIndex = firstIndex;
  }
}

/** The log was written in a format that this program does not know. */
export class WalVersionError extends Error {
  override readonly name = 'WalVersionError';

  constructor(file: string, version: number) {
    super(
      `write-ahead log segment ${file} has format version ${version}, which this gomsg does not know; ` +
        'start the version that wrote it, or upgrade in the documented order',
    );
  }
}

/** Bytes that were once durable are no longer what was written. */
export class WalCorruptionError extends Error {
  override readonly name = 'WalCorruptionError';
  /** Segment file name inside the log's directory. */
  readonly file: string;
  /** Byte offset of the first thing that does not read back. */
  readonly offset: number;
  readonly reason: string;

  constructor(file: string, offset: number, reason: string) {
    super(
      `write-ahead log damaged in ${file} at byte ${offset}: ${reason}. ` +
        'Acknowledged writes may be missing on this node, so it must not go on. Check the disk; then, in a replicated ' +
        'cluster, remove this node, empty its data folder and let it join again as a new node; on a single ' +
        'node, restore a backup. Do not delete single segments',
    );
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/** Whether an error says that the disk (or the quota) has no room. */
export function isOutOfSpace(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
