/**
 * Snapshots that arrive: kept whole and durable before the replica is told of them.
 *
 * The file needs no mark that it is in force. What decides is the log of the group: once it was given up for the
 * snapshot, that is one record of the log, the state has to come from this file; before, the file means nothing.
 */

import type { Row } from '../storage/store.ts';
import { type LogFile, type LogFiles, promised } from '../wal/log-files.ts';
import { framesOf, SnapshotDamagedError, SnapshotDecoder, type SnapshotHeader } from './snapshot-format.ts';

/** A whole snapshot, checked. */
export interface ReceivedSnapshot {
  readonly header: SnapshotHeader;
  /** Its rows in their order, some at a time. Checks everything again. */
  rows(): AsyncIterable<readonly Row[]>;
  /** Gives it up. */
  discard(): Promise<void>;
}

export interface SnapshotInbox {
  /** Takes a snapshot for a replica, in place of any that is there. @throws SnapshotDamagedError and of the disk */
  receive(group: number, replicaId: number, chunks: AsyncIterable<Uint8Array>): Promise<ReceivedSnapshot>;
  /** The snapshot that is there for a replica, when it is whole. */
  find(group: number, replicaId: number): Promise<ReceivedSnapshot | undefined>;
  /** Removes everything that is not for one of these replicas, and what is not whole. */
  sweep(replicas: readonly { readonly group: number; readonly replicaId: number }[]): Promise<void>;
}

const READ_BYTES = 256 * 1024;
const SUFFIX = '.snapshot';

function nameOf(group: number, replicaId: number): string {
  return `${group}-${replicaId}${SUFFIX}`;
}

/** Snapshots as files of a folder. */
export class FileInbox implements SnapshotInbox {
  readonly #files: LogFiles;

  constructor(files: LogFiles) {
    this.#files = files;
  }

  async receive(
    group: number,
    replicaId: number,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<ReceivedSnapshot> {
    const name = nameOf(group, replicaId);
    await this.#remove(name);
    const file = this.#files.open(name, true);
    try {
      const header = await write(file, chunks);
      await promised((done) => file.fdatasync(done));
      await this.#files.syncDirectory();
      return this.#received(name, header);
    } catch (error) {
      await this.#remove(name);
      throw error;
    } finally {
      file.close();
    }
  }

  async find(group: number, replicaId: number): Promise<ReceivedSnapshot | undefined> {
    const name = nameOf(group, replicaId);
    if (!this.#files.list().includes(name)) return undefined;
    const decoder = new SnapshotDecoder();
    try {
      for await (const frame of framesOf(this.#read(name))) decoder.take(frame);
    } catch (error) {
      // It was being written when the node stopped.
      if (error instanceof SnapshotDamagedError) return undefined;
      throw error;
    }
    return decoder.done ? this.#received(name, decoder.header!) : undefined;
  }

  async sweep(replicas: readonly { readonly group: number; readonly replicaId: number }[]): Promise<void> {
    const wanted = new Set(replicas.map(({ group, replicaId }) => nameOf(group, replicaId)));
    for (const name of this.#files.list()) {
      if (name.endsWith(SUFFIX) && !wanted.has(name)) await this.#remove(name);
    }
  }

  #received(name: string, header: SnapshotHeader): ReceivedSnapshot {
    return {
      header,
      rows: () => rowsOf(this.#read(name)),
      discard: () => this.#remove(name),
    };
  }

  *#read(name: string): Generator<Uint8Array> {
    const file = this.#files.open(name, false);
    try {
      const size = file.size();
      for (let position = 0; position < size; ) {
        const bytes = new Uint8Array(Math.min(READ_BYTES, size - position));
        const read = file.readSync(bytes, position);
        if (read === 0) return;
        position += read;
        yield bytes.subarray(0, read);
      }
    } finally {
      file.close();
    }
  }

  async #remove(name: string): Promise<void> {
    if (this.#files.list().includes(name)) await this.#files.unlink(name);
  }
}

async function write(file: LogFile, chunks: AsyncIterable<Uint8Array>): Promise<SnapshotHeader> {
  const decoder = new SnapshotDecoder();
  let position = 0;
  for await (const frame of framesOf(chunks)) {
    decoder.take(frame);
    await promised((done) => file.write(frame, position, done));
    position += frame.length;
  }
  if (!decoder.done) throw new SnapshotDamagedError('the snapshot lacks its end');
  return decoder.header!;
}

async function* rowsOf(chunks: Iterable<Uint8Array>): AsyncGenerator<readonly Row[]> {
  const decoder = new SnapshotDecoder();
  for await (const frame of framesOf(chunks)) {
    const part = decoder.take(frame);
    if (part !== undefined && !('index' in part)) yield part;
  }
  if (!decoder.done) throw new SnapshotDamagedError('the snapshot lacks its end');
}

/** Snapshots in memory, for a node that keeps nothing on disk. */
export class MemoryInbox implements SnapshotInbox {
  async receive(
    _group: number,
    _replicaId: number,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<ReceivedSnapshot> {
    const decoder = new SnapshotDecoder();
    let frames: Uint8Array[] = [];
    for await (const frame of framesOf(chunks)) {
      decoder.take(frame);
      frames.push(frame);
    }
    if (!decoder.done) throw new SnapshotDamagedError('the snapshot lacks its end');
    return {
      header: decoder.header!,
      rows: () => rowsOf(frames),
      discard: async () => {
        frames = [];
      },
    };
  }

  async find(): Promise<undefined> {}

  async sweep(): Promise<void> {}
}
