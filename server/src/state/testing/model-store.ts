import type { StateRange, StateRow, StateStore } from '../machine.ts';

/** The simplest possible store, for tests and as the model that real stores are held against. */
export class ModelStore implements StateStore {
  readonly rows = new Map<string, Uint8Array>();

  get(key: string): Uint8Array | undefined {
    return this.rows.get(key);
  }

  has(key: string): boolean {
    return this.rows.has(key);
  }

  *range(options: StateRange): Iterable<StateRow> {
    const keys = [...this.rows.keys()].filter((key) => key >= options.from && key < options.to).sort(byCode);
    if (options.reverse) keys.reverse();
    for (const key of keys.slice(0, options.limit ?? keys.length)) {
      const value = this.rows.get(key);
      if (value) yield { key, value: options.keysOnly ? new Uint8Array() : value };
    }
  }

  put(key: string, value: Uint8Array): void {
    this.rows.set(key, Uint8Array.from(value));
  }

  insert(key: string, value: Uint8Array): void {
    if (this.rows.has(key)) throw new Error('insert of a key that exists');
    this.put(key, value);
  }

  delete(key: string): void {
    this.rows.delete(key);
  }

  deleteRange(from: string, to: string): void {
    for (const { key } of this.range({ from, to, keysOnly: true })) this.rows.delete(key);
  }

  /** Everything in key order: equal dumps mean equal state. */
  dump(): [string, string][] {
    return [...this.range({ from: '', to: '\u{10ffff}' })].map(({ key, value }) => [
      Buffer.from(key, 'latin1').toString('hex'),
      Buffer.from(value).toString('hex'),
    ]);
  }
}

function byCode(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
