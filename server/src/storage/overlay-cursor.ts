/** A place in an overlay. */

import type { LayerCursor } from './layers.ts';
import type { IndexCursor } from './ordered-index.ts';
import type { Overlay } from './overlay.ts';

export class OverlayCursor implements LayerCursor {
  readonly #overlay: Overlay;
  readonly #place: IndexCursor;
  readonly #reverse: boolean;

  constructor(overlay: Overlay, reverse: boolean) {
    this.#overlay = overlay;
    this.#place = overlay.index.cursor();
    this.#reverse = reverse;
  }

  get key(): string | undefined {
    return this.#place.key;
  }

  get deletion(): boolean {
    return this.#overlay.isDeletion(this.#overlay.positionOf(this.#place.entry));
  }

  get stale(): boolean {
    return this.#place.stale;
  }

  value(): Uint8Array {
    return this.#overlay.valueAt(this.#overlay.positionOf(this.#place.entry));
  }

  seek(bound: string): void {
    if (this.#reverse) this.#place.seekBelow(bound);
    else this.#place.seekAtLeast(bound);
  }

  step(): void {
    if (this.#reverse) this.#place.retreat();
    else this.#place.advance();
  }
}
