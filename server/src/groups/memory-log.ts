import { EMPTY_HARD_STATE, type Entry, type HardState } from '../raft/index.ts';
import type { NodeLog, StoredGroup } from './node-log.ts';

interface GroupEntries {
  hardState: HardState;
  /** Index and term just before `entries[0]`. */
  baseIndex: number;
  baseTerm: number;
  entries: Entry[];
}

export interface MemoryLogOptions {
  /** Bytes of released entries that each group keeps for followers that lag. Default 0. */
  readonly tailBytes?: number;
}

/** The log of a node with `--storage=memory`: the same order of events, and nothing survives the process. */
export class MemoryLog implements NodeLog {
  readonly #groups = new Map<number, GroupEntries>();
  readonly #tailBytes: number;

  constructor(options: MemoryLogOptions = {}) {
    this.#tailBytes = options.tailBytes ?? 0;
  }

  get writable(): boolean {
    return true;
  }

  get pendingBytes(): number {
    return 0;
  }

  groups(): Iterable<number> {
    return this.#groups.keys();
  }

  groupState(group: number): StoredGroup {
    const { hardState, baseIndex, baseTerm, entries } = this.#group(group);
    const last = entries.at(-1);
    return {
      hardState,
      firstIndex: baseIndex + 1,
      lastIndex: last?.index ?? baseIndex,
      lastTerm: last?.term ?? baseTerm,
      snapshotIndex: baseIndex,
      snapshotTerm: baseTerm,
    };
  }

  append(group: number, entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const log = this.#group(group);
    log.entries.length = Math.min(log.entries.length, first.index - log.baseIndex - 1);
    for (const entry of entries) log.entries.push(entry);
  }

  saveHardState(group: number, state: HardState): void {
    this.#group(group).hardState = state;
  }

  resetGroup(group: number, index: number, term: number): void {
    const log = this.#group(group);
    log.baseIndex = index;
    log.baseTerm = term;
    log.entries = [];
  }

  removeGroup(group: number): void {
    this.#groups.delete(group);
  }

  flush(callback: (error?: Error) => void): void {
    queueMicrotask(callback);
  }

  async sync(): Promise<void> {}

  entries(group: number, from: number, toExclusive: number, maxBytes: number): readonly Entry[] {
    const { baseIndex, entries } = this.#group(group);
    const found: Entry[] = [];
    let bytes = 0;
    for (let i = from - baseIndex - 1; i < toExclusive - baseIndex - 1; i++) {
      const entry = entries[i];
      if (entry === undefined) break;
      bytes += entry.data.length;
      if (bytes > maxBytes && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  term(group: number, index: number): number | undefined {
    const { baseIndex, baseTerm, entries } = this.#group(group);
    return index === baseIndex ? baseTerm : entries[index - baseIndex - 1]?.term;
  }

  release(group: number, index: number): void {
    const log = this.#group(group);
    let count = Math.min(index - log.baseIndex, log.entries.length);
    for (let tail = this.#tailBytes; count > 0 && tail > 0; count--)
      tail -= log.entries[count - 1]!.data.length;
    // Half of them at least, so that dropping an entry costs as much as keeping one.
    if (count <= 0 || 2 * count < log.entries.length) return;
    log.baseTerm = log.entries[count - 1]!.term;
    log.baseIndex += count;
    log.entries = log.entries.slice(count);
  }

  async close(): Promise<void> {
    this.#groups.clear();
  }

  #group(group: number): GroupEntries {
    let log = this.#groups.get(group);
    if (log === undefined) {
      log = { hardState: EMPTY_HARD_STATE, baseIndex: 0, baseTerm: 0, entries: [] };
      this.#groups.set(group, log);
    }
    return log;
  }
}
