/**
 * Reading through layers: the newest layer that knows a key decides. Overlays lie on a table, which holds everything
 * else and hides nothing.
 */

import type { KeyRanges } from './key-ranges.ts';
import { MISSING, type Overlay } from './overlay.ts';

/** A place in one layer, moving in one direction. */
export interface LayerCursor {
  /** The key here; undefined past the last one. */
  readonly key: string | undefined;
  /** The row here is a deletion: it hides the key in the layers below. */
  readonly deletion: boolean;
  /** The layer changed and this place may be wrong: seek again. */
  readonly stale: boolean;
  /** A copy of the value here. */
  value(): Uint8Array;
  /** Forward: to the first key not below `bound`. Reverse: to the last key below it. */
  seek(bound: string): void;
  step(): void;
}

export interface CursorOptions {
  readonly from: string;
  readonly to: string;
  readonly reverse: boolean;
  readonly keysOnly: boolean;
  /** Rows the reader will take at most; Infinity when it does not say. */
  readonly limit: number;
}

/** One ordered source of rows. */
export interface Layer {
  /** The ranges in which no lower layer is visible. A new object whenever it changes. */
  readonly hidden: KeyRanges;
  cursor(options: CursorOptions): LayerCursor;
}

/** The layer at the bottom. */
export interface Table extends Layer {
  get(key: string): Uint8Array | undefined;
  has(key: string): boolean;
}

/** What `get` finds through overlays (newest first) over a table. */
export function getThrough(overlays: readonly Overlay[], table: Table, key: string): Uint8Array | undefined {
  for (let i = 0; i < overlays.length; i++) {
    const overlay = overlays[i] as Overlay;
    const position = overlay.lookup(key);
    if (position !== MISSING) return position >= 0 ? overlay.valueAt(position) : undefined;
  }
  return table.get(key);
}

/** What `has` finds through overlays (newest first) over a table. */
export function hasThrough(overlays: readonly Overlay[], table: Table, key: string): boolean {
  for (let i = 0; i < overlays.length; i++) {
    const position = (overlays[i] as Overlay).lookup(key);
    if (position !== MISSING) return position >= 0;
  }
  return table.has(key);
}
