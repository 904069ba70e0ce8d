import fs from 'node:fs';
import path from 'node:path';

/** Completion of an asynchronous file operation. */
export type Done = (error?: Error | null) => void;

/** One open file of the log. Positions and sizes are bytes. */
export interface LogFile {
  size(): number;
  /** Writes all of `bytes` at `position` before it returns, or throws. */
  writeSync(bytes: Uint8Array, position: number): void;
  /** Writes all of `bytes` at `position`; `bytes` must not change until `done`. */
  write(bytes: Uint8Array, position: number, done: Done): void;
  /** Makes every write that completed before the call durable, and the size with it. */
  fdatasync(done: Done): void;
  /** Reads into `target` from `position`; returns the bytes read, fewer only at the end of the file. */
  readSync(target: Uint8Array, position: number): number;
  close(): void;
}

/**
 * Everything the log asks of a file system, so that tests can put a simulated disk in its place.
 * Names are plain file names inside the log's one directory. A file stays open and usable across a rename.
 */
export interface LogFiles {
  list(): string[];
  /** Opens a file for reading and writing; with `create` an empty new one, which must not exist yet. */
  open(name: string, create: boolean): LogFile;
  rename(from: string, to: string): Promise<void>;
  unlink(name: string): Promise<void>;
  /** Makes creations, renames and removals that completed before the call durable. */
  syncDirectory(): Promise<void>;
}

/** An asynchronous file operation as a promise, for where speed does not matter. */
export function promised(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}

/** The real file system below `directory`, which is created when it is missing. */
export function logFilesIn(directory: string): LogFiles {
  const created = fs.mkdirSync(directory, { recursive: true });
  if (created !== undefined) syncDirectorySync(path.dirname(created));
  return {
    list: () => fs.readdirSync(directory),
    open: (name, create) => new OpenFile(fs.openSync(path.join(directory, name), create ? 'wx+' : 'r+')),
    rename: (from, to) => fs.promises.rename(path.join(directory, from), path.join(directory, to)),
    unlink: (name) => fs.promises.unlink(path.join(directory, name)),
    async syncDirectory() {
      const handle = await fs.promises.open(directory, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

function syncDirectorySync(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

class OpenFile implements LogFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  size(): number {
    return fs.fstatSync(this.#fd).size;
  }

  writeSync(bytes: Uint8Array, position: number): void {
    // A short write is legal; the next call then reports the reason, such as a full disk.
    for (let written = 0; written < bytes.length; ) {
      written += fs.writeSync(this.#fd, bytes, written, bytes.length - written, position + written);
    }
  }

  write(bytes: Uint8Array, position: number, done: Done): void {
    fs.write(this.#fd, bytes, 0, bytes.length, position, (error, written) => {
      if (error !== null || written === bytes.length) done(error);
      else this.write(bytes.subarray(written), position + written, done);
    });
  }

  fdatasync(done: Done): void {
    fs.fdatasync(this.#fd, done);
  }

  readSync(target: Uint8Array, position: number): number {
    let read = 0;
    while (read < target.length) {
      const count = fs.readSync(this.#fd, target, read, target.length - read, position + read);
      if (count === 0) break;
      read += count;
    }
    return read;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
