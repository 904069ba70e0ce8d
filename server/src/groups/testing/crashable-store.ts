/** A store in memory whose checkpoints survive, as those of the one on disk do, and whose machine can stop at any moment. */
import { openMemoryStore } from '../../storage/memory-store.ts';
import type { Store } from '../../storage/store.ts';

const EVERYTHING = { from: '', to: '\xff\xff\xff' };

/** What a disk would hold: the rows of the last checkpoint. */
export class StoreDisk {
  rows = new Map<string, Uint8Array>();
  /** Checkpoints that reached it. */
  checkpoints = 0;
  #life = 0;

  /** A store that begins with the rows of the last checkpoint. */
  open(): CrashableStore {
    const life = this.#life;
    return new CrashableStore(this, () => life === this.#life);
  }

  /** The machine stops: what the open store has not written is lost. */
  crash(): void {
    this.#life++;
  }
}

export class CrashableStore {
  /** Refuses nothing; what the owner makes of it is what is tested. */
  blocked = false;
  /** Checkpoints wait for this to end. */
  holding: Promise<void> | undefined;
  readonly store: Store;

  constructor(disk: StoreDisk, alive: () => boolean) {
    const live = openMemoryStore();
    for (const [key, value] of disk.rows) live.put(key, value);
    const checkpoint = async (sources?: Promise<void>): Promise<void> => {
      const rows = new Map([...live.range(EVERYTHING)].map(({ key, value }) => [key, value]));
      await sources;
      await this.holding;
      await new Promise((resolve) => setImmediate(resolve));
      // The callbacks of a machine that stopped are never called.
      if (!alive()) await new Promise(() => {});
      disk.rows = rows;
      disk.checkpoints++;
    };
    this.store = new Proxy(live, {
      get: (target, name) => {
        if (name === 'checkpoint') return checkpoint;
        if (name === 'blocked') return this.blocked;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}
