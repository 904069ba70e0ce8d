/**
 * A disk for crash tests: what was not synced may be lost at a crash, whole or in part, and any operation may be
 * made to fail. It stands in for the file system of a write-ahead log (`LogFiles`).
 *
 * The model, stricter than most real disks:
 * - Writes land in a page cache. `fdatasync` makes durable what was written before it was called.
 * - At a crash every 4 KiB page that is not durable keeps its old content, gets its new one, or is torn: each of
 *   its 512-byte sectors, which a drive writes whole, is old or new on its own.
 * - Names change in the order of the calls, as in a journal: a crash keeps the synced ones and some of the next.
 *
 * One seed gives one behaviour.
 */
import type { Done, LogFile, LogFiles } from './log-files.ts';

const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;

export type DiskOperation = 'open' | 'read' | 'write' | 'fdatasync' | 'rename' | 'unlink' | 'syncDirectory';

/** Content of one file, apart from its names. */
interface Inode {
  bytes: Uint8Array;
  size: number;
  durable: Uint8Array;
  durableSize: number;
  /** Pages that differ from what is durable, or are being synced. */
  dirty: Set<number>;
}

type NameChange =
  | { kind: 'create'; name: string; inode: Inode }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'unlink'; name: string };

interface Fault {
  operation: DiskOperation;
  /** Fails when this many more of the operation have passed. */
  after: number;
  code: string;
}

export class SimulatedDisk {
  /**
   * Room for all files together, in bytes; a write that needs more fails with ENOSPC. May be changed at any time.
   */
  capacityBytes = Number.POSITIVE_INFINITY;
  #syncsHeld = false;
  readonly #heldSyncs: (() => void)[] = [];
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  readonly #faults: Fault[] = [];
  readonly #counts = new Map<DiskOperation, number>();
  /** Number of crashes: what was mounted before one is dead. */
  #life = 0;
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed >>> 0;
  }

  /**
   * The disk as a log sees it, until the next crash. After that nothing asynchronous completes, and calls throw.
   */
  mount(): LogFiles {
    const life = this.#life;
    const check = (operation: DiskOperation) => {
      if (life !== this.#life) throw new Error('the simulated machine has crashed');
      this.#count(operation);
    };
    const later = (operation: DiskOperation, act: () => void) =>
      new Promise<void>((resolve, reject) => {
        setImmediate(() => {
          if (life !== this.#life) return;
          try {
            check(operation);
            act();
            resolve();
          } catch (error) {
            reject(error);
          }
        });
      });
    return {
      list: () => [...this.#names.keys()],
      open: (name, create) => {
        check('open');
        let inode = this.#names.get(name);
        if (create === (inode !== undefined)) throw diskError(create ? 'EEXIST' : 'ENOENT', 'open');
        if (inode === undefined) {
          inode = emptyInode();
          this.#change({ kind: 'create', name, inode });
        }
        return new SimulatedFile(inode, {
          check,
          alive: () => life === this.#life,
          grow: (bytes) => this.#checkRoom(bytes),
          whenSynced: (act) => this.#whenSynced(act),
        });
      },
      rename: (from, to) => later('rename', () => this.#change({ kind: 'rename', from, to })),
      unlink: (name) => later('unlink', () => this.#change({ kind: 'unlink', name })),
      syncDirectory: () =>
        later('syncDirectory', () => {
          for (const change of this.#nameChanges) applyChange(this.#durableNames, change);
          this.#nameChanges = [];
        }),
    };
  }

  /** The machine stops now; the disk keeps what is durable and any part of the rest. */
  crash(): void {
    this.#life++;
    this.#heldSyncs.length = 0;
    this.#syncsHeld = false;
    const kept = this.#random(this.#nameChanges.length + 1);
    for (const change of this.#nameChanges.slice(0, kept)) applyChange(this.#durableNames, change);
    this.#nameChanges = [];
    this.#names = new Map(this.#durableNames);
    for (const inode of new Set(this.#names.values())) this.#loseSome(inode);
  }

  /** The process dies now, and the machine stays: the page cache keeps everything, synced or not. */
  kill(): void {
    this.#life++;
    this.#heldSyncs.length = 0;
    this.#syncsHeld = false;
  }

  /** Makes an operation fail, after `after` more of its kind have passed. */
  fail(operation: DiskOperation, after = 0, code = 'EIO'): void {
    this.#faults.push({ operation, after, code });
  }

  /** The disk works again. */
  clearFaults(): void {
    this.#faults.length = 0;
  }

  /** How many of an operation were asked for so far. */
  count(operation: DiskOperation): number {
    return this.#counts.get(operation) ?? 0;
  }

  /** From now on every fdatasync waits until `releaseSyncs`. */
  holdSyncs(): void {
    this.#syncsHeld = true;
  }

  /** Ends the held fdatasyncs, in order. */
  releaseSyncs(): void {
    this.#syncsHeld = false;
    for (const end of this.#heldSyncs.splice(0)) end();
  }

  /** Names of the files, in order. */
  names(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** Bytes in use. */
  get usedBytes(): number {
    let used = 0;
    for (const inode of this.#names.values()) used += inode.size;
    return used;
  }

  /** Sectors that a crash now may lose: what is in them is not what is durable. */
  get unsyncedSectors(): number {
    let unsynced = 0;
    for (const { bytes, durable, dirty } of new Set(this.#names.values())) {
      for (const page of dirty) {
        for (let at = page * PAGE_BYTES; at < (page + 1) * PAGE_BYTES; at += SECTOR_BYTES) {
          const end = at + SECTOR_BYTES;
          if (Buffer.compare(bytes.subarray(at, end), durable.subarray(at, end)) !== 0) unsynced++;
        }
      }
    }
    return unsynced;
  }

  /** Content of a file now: a copy. */
  content(name: string): Uint8Array {
    const inode = this.#inode(name);
    return inode.bytes.slice(0, inode.size);
  }

  /** Changes durable bytes behind the log's back, as a failing medium does. */
  overwrite(name: string, position: number, bytes: Uint8Array): void {
    const inode = this.#inode(name);
    inode.bytes.set(bytes, position);
    inode.durable.set(bytes, position);
  }

  /** Cuts a file behind the log's back. */
  truncate(name: string, size: number): void {
    const inode = this.#inode(name);
    inode.bytes.fill(0, size);
    inode.durable.fill(0, size);
    inode.size = size;
    inode.durableSize = size;
  }

  /** Removes a file behind the log's back. */
  remove(name: string): void {
    this.#names.delete(name);
    this.#durableNames.delete(name);
  }

  /** A second disk with the same files, all durable. */
  clone(): SimulatedDisk {
    const clone = new SimulatedDisk(this.#seed);
    for (const [name, inode] of this.#names) {
      const copy: Inode = {
        bytes: inode.bytes.slice(),
        size: inode.size,
        durable: inode.bytes.slice(),
        durableSize: inode.size,
        dirty: new Set(),
      };
      clone.#names.set(name, copy);
      clone.#durableNames.set(name, copy);
    }
    return clone;
  }

  #inode(name: string): Inode {
    const inode = this.#names.get(name);
    if (inode === undefined) throw diskError('ENOENT', 'open');
    return inode;
  }

  #count(operation: DiskOperation): void {
    this.#counts.set(operation, this.count(operation) + 1);
    const due = this.#faults.findIndex((fault) => fault.operation === operation && fault.after === 0);
    for (const fault of this.#faults) if (fault.operation === operation && fault.after > 0) fault.after--;
    if (due !== -1) throw diskError(this.#faults.splice(due, 1)[0]!.code, operation);
  }

  #checkRoom(moreBytes: number): void {
    if (moreBytes > 0 && this.usedBytes + moreBytes > this.capacityBytes) throw diskError('ENOSPC', 'write');
  }

  #whenSynced(act: () => void): void {
    if (this.#syncsHeld) this.#heldSyncs.push(act);
    else setImmediate(act);
  }

  #change(change: NameChange): void {
    applyChange(this.#names, change);
    this.#nameChanges.push(change);
  }

  #loseSome(inode: Inode): void {
    const size = this.#random(2) === 0 ? inode.durableSize : inode.size;
    for (const page of inode.dirty) {
      const fate = this.#random(3);
      for (let at = page * PAGE_BYTES; at < (page + 1) * PAGE_BYTES; at += SECTOR_BYTES) {
        const survives = fate === 0 || (fate === 1 && this.#random(2) === 0);
        if (survives) copyBytes(inode.bytes, inode.durable, at, at + SECTOR_BYTES);
      }
    }
    inode.dirty.clear();
    inode.durable.fill(0, size);
    inode.bytes = inode.durable.slice();
    inode.size = size;
    inode.durableSize = size;
  }

  /** A whole number below `bound` (mulberry32 by Tommy Ettinger). */
  #random(bound: number): number {
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0;
    let t = this.#seed;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound);
  }
}

interface Machine {
  check(operation: DiskOperation): void;
  alive(): boolean;
  grow(bytes: number): void;
  whenSynced(act: () => void): void;
}

class SimulatedFile implements LogFile {
  readonly #inode: Inode;
  readonly #machine: Machine;

  constructor(inode: Inode, machine: Machine) {
    this.#inode = inode;
    this.#machine = machine;
  }

  size(): number {
    return this.#inode.size;
  }

  writeSync(bytes: Uint8Array, position: number): void {
    this.#machine.check('write');
    const inode = this.#inode;
    const end = position + bytes.length;
    this.#machine.grow(end - inode.size);
    if (end > inode.bytes.length) {
      const room = Math.ceil((end * 2) / PAGE_BYTES) * PAGE_BYTES;
      inode.bytes = resized(inode.bytes, room);
      inode.durable = resized(inode.durable, room);
    }
    inode.bytes.set(bytes, position);
    inode.size = Math.max(inode.size, end);
    for (let page = Math.floor(position / PAGE_BYTES); page * PAGE_BYTES < end; page++) inode.dirty.add(page);
  }

  write(bytes: Uint8Array, position: number, done: Done): void {
    setImmediate(() => {
      if (!this.#machine.alive()) return;
      let failure: Error | null = null;
      try {
        this.writeSync(bytes, position);
      } catch (error) {
        failure = error as Error;
      }
      done(failure);
    });
  }

  fdatasync(done: Done): void {
    const inode = this.#inode;
    const size = inode.size;
    const pages = new Map<number, Uint8Array>();
    for (const page of inode.dirty) {
      pages.set(page, inode.bytes.slice(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
    }
    let failure: Error | null = null;
    try {
      this.#machine.check('fdatasync');
    } catch (error) {
      failure = error as Error;
    }
    this.#machine.whenSynced(() => {
      if (!this.#machine.alive()) return;
      if (failure === null) {
        for (const [page, content] of pages) {
          inode.durable.set(content, page * PAGE_BYTES);
          const now = inode.bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
          if (Buffer.compare(now, content) === 0) inode.dirty.delete(page);
        }
        inode.durableSize = Math.max(inode.durableSize, size);
      } else {
        // What Linux does: the pages count as clean afterwards, and never reach the disk.
        for (const page of pages.keys()) inode.dirty.delete(page);
      }
      done(failure);
    });
  }

  readSync(target: Uint8Array, position: number): number {
    this.#machine.check('read');
    const found = this.#inode.bytes.subarray(position, Math.min(this.#inode.size, position + target.length));
    target.set(found);
    return found.length;
  }

  close(): void {}
}

function applyChange(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === 'create') {
    names.set(change.name, change.inode);
    return;
  }
  const from = change.kind === 'rename' ? change.from : change.name;
  const inode = names.get(from);
  if (inode === undefined) throw diskError('ENOENT', change.kind);
  names.delete(from);
  if (change.kind === 'rename') names.set(change.to, inode);
}

function emptyInode(): Inode {
  return {
    bytes: new Uint8Array(PAGE_BYTES),
    size: 0,
    durable: new Uint8Array(PAGE_BYTES),
    durableSize: 0,
    dirty: new Set(),
  };
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(length);
  result.set(bytes);
  return result;
}

function copyBytes(from: Uint8Array, to: Uint8Array, start: number, end: number): void {
  to.set(from.subarray(start, end), start);
}

function diskError(code: string, operation: string): Error {
  return Object.assign(new Error(`${code}: simulated failure, ${operation}`), { code });
}
