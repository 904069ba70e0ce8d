/** A binary heap of things by the time at which they want attention, with each thing's place in it kept on the thing. */
export interface Scheduled {
  /** Place in the heap; -1 = not in it. Owned by the heap. */
  heapIndex: number;
  /** Time by which the heap orders it, in Unix milliseconds. Owned by the heap. */
  heapDue_ms: number;
}

export class DueHeap<T extends Scheduled> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The earliest; undefined when there is none. */
  get first(): T | undefined {
    return this.#items[0];
  }

  /** Puts the item in, or moves it, to its time; Infinity takes it out. */
  set(item: T, due_ms: number): void {
    if (due_ms === Infinity) {
      this.remove(item);
      return;
    }
    if (item.heapIndex < 0) {
      item.heapIndex = this.#items.length;
      item.heapDue_ms = due_ms;
      this.#items.push(item);
      this.#up(item);
      return;
    }
    const before_ms = item.heapDue_ms;
    item.heapDue_ms = due_ms;
    if (due_ms < before_ms) this.#up(item);
    else if (due_ms > before_ms) this.#down(item);
  }

  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    item.heapIndex = -1;
    item.heapDue_ms = Infinity;
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#place(last, at);
    this.#up(last);
    this.#down(last);
  }

  clear(): void {
    for (const item of this.#items) {
      item.heapIndex = -1;
      item.heapDue_ms = Infinity;
    }
    this.#items.length = 0;
  }

  #place(item: T, at: number): void {
    this.#items[at] = item;
    item.heapIndex = at;
  }

  #up(item: T): void {
    let at = item.heapIndex;
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = this.#items[parentAt]!;
      if (parent.heapDue_ms <= item.heapDue_ms) break;
      this.#place(parent, at);
      at = parentAt;
    }
    this.#place(item, at);
  }

  #down(item: T): void {
    let at = item.heapIndex;
    for (;;) {
      let childAt = at * 2 + 1;
      let child = this.#items[childAt];
      if (!child) break;
      const right = this.#items[childAt + 1];
      if (right && right.heapDue_ms < child.heapDue_ms) {
        child = right;
        childAt++;
      }
      if (child.heapDue_ms >= item.heapDue_ms) break;
      this.#place(child, at);
      at = childAt;
    }
    this.#place(item, at);
  }
}
