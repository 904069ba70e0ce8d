/** The writes of one group that wait for their turn, and how they are cut into entries. */
import type { Proposal } from '../services/groups.ts';
import { COMMAND_OVERHEAD_BYTES } from '../state/log-entry.ts';

/** Data bytes at which a turn's commands are spread over several entries. One command may be larger. */
const ENTRY_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Commands in one entry. An entry is applied in one go, so this bounds how long the event loop is held; and as the
 * answers of one entry leave while the next is applied, a busy client has new calls on the way before the last are done.
 */
const ENTRY_COMMANDS_MAX = 256;

/** Bytes of commands that may wait for their turn. Past it callers are told to come back. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** The commands that come next: as many as one entry takes. */
export interface NextEntry {
  readonly count: number;
  /** Upper bound of what the entry will have. */
  readonly bytes: number;
}

export class WaitingWrites {
  /** In the order of their coming, from `#from` on. */
  #proposals: Proposal[] = [];
  #from = 0;
  #bytes = 0;

  get length(): number {
    return this.#proposals.length - this.#from;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** One write may always wait, however large. */
  hasRoomFor({ payload }: Proposal): boolean {
    return this.length === 0 || this.#bytes + payload.length + COMMAND_OVERHEAD_BYTES <= WAITING_BYTES_MAX;
  }

  push(proposal: Proposal): void {
    this.#proposals.push(proposal);
    this.#bytes += sizeOf(proposal);
  }

  /** What `take` would take, of the first `countMax` writes. */
  nextEntry(countMax: number): NextEntry {
    const limit = this.#from + Math.min(countMax, this.length, ENTRY_COMMANDS_MAX);
    let bytes = 0;
    let to = this.#from;
    for (; to < limit; to++) {
      const size = sizeOf(this.#proposals[to]!);
      if (to > this.#from && bytes + size > ENTRY_BYTES_MAX) break;
      bytes += size;
    }
    return { count: to - this.#from, bytes };
  }

  take({ count, bytes }: NextEntry): readonly Proposal[] {
    this.#bytes -= bytes;
    // The common turn fits one entry: its list is then used as it is.
    if (this.#from === 0 && count === this.#proposals.length) {
      const all = this.#proposals;
      this.#proposals = [];
      return all;
    }
    const from = this.#from;
    this.#from += count;
    const taken = this.#proposals.slice(from, this.#from);
    if (this.#from === this.#proposals.length) {
      this.#proposals = [];
      this.#from = 0;
    }
    return taken;
  }

  takeAll(): readonly Proposal[] {
    return this.take({ count: this.length, bytes: this.#bytes });
  }
}

function sizeOf({ payload }: Proposal): number {
  return payload.length + COMMAND_OVERHEAD_BYTES;
}
