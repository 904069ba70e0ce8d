/** A real file system that is small enough to fill. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MIB = 1024 * 1024;

/** The machine, or the rights of this process, do not allow mounting. */
export class CannotMountError extends Error {
  override readonly name = 'CannotMountError';
}

/** A tmpfs of its own: Linux, and the rights to mount, are needed. */
export class SmallDisk implements Disposable {
  readonly folder: string;
  #mounted = true;
  readonly #unmountAtExit = () => this[Symbol.dispose]();

  /** @throws CannotMountError */
  constructor(sizeMiB: number) {
    this.folder = mkdtempSync(join(tmpdir(), 'gomsg-disk-'));
    try {
      mount(['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', this.folder]);
    } catch (cause) {
      rmdirSync(this.folder);
      const why = cause instanceof Error ? cause.message.trim() : String(cause);
      throw new CannotMountError(`a file system cannot be mounted here: ${why}`, { cause });
    }
    process.on('exit', this.#unmountAtExit);
  }

  /** Takes room away; `removeBallast` gives it back. */
  addBallast(sizeMiB: number): void {
    writeFileSync(this.#ballast, Buffer.alloc(sizeMiB * MIB, 1));
  }

  /** Takes all room but so much. */
  fill(leftKiB: number): void {
    const { bavail, bsize } = statfsSync(this.folder);
    writeFileSync(this.#ballast, Buffer.alloc(Math.max(0, bavail * bsize - leftKiB * 1024), 1));
  }

  removeBallast(): void {
    rmSync(this.#ballast);
  }

  /** Another size, larger or smaller, as long as what is there fits. */
  resize(sizeMiB: number): void {
    mount(['-o', `remount,size=${sizeMiB}m`, this.folder]);
  }

  [Symbol.dispose](): void {
    if (!this.#mounted) return;
    this.#mounted = false;
    process.off('exit', this.#unmountAtExit);
    execFileSync('umount', ['-l', this.folder]);
    rmdirSync(this.folder);
  }

  get #ballast(): string {
    return join(this.folder, 'ballast');
  }
}

function mount(args: readonly string[]): void {
  execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
}
