/** Times out calls: hundreds of thousands begin and end a second, almost none of them late. */

/** What can be late. The two links belong to `Deadlines`. */
export interface Timed<T> {
  readonly timeout_ms: number;
  /** On the monotonic clock. */
  readonly deadline_ms: number;
  earlier: T | undefined;
  later: T | undefined;
}

/** Lines that are kept while they are empty: callers mostly have a few timeouts, and some count down the rest of one. */
const IDLE_LINES_MAX = 64;

interface Line<T> {
  readonly timeout_ms: number;
  first: T | undefined;
  last: T | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Calls in line by their timeout: those with the same one are late in the order in which they began, so adding and
 * removing a call is a change of two links, and each timeout needs one timer.
 */
export class Deadlines<T extends Timed<T>> {
  readonly #lines = new Map<number, Line<T>>();
  readonly #onLate: (item: T) => void;

  constructor(onLate: (item: T) => void) {
    this.#onLate = onLate;
  }

  /** Timeouts that are waited for. */
  get lines(): number {
    return this.#lines.size;
  }

  add(item: T): void {
    let line = this.#lines.get(item.timeout_ms);
    if (line === undefined) {
      line = { timeout_ms: item.timeout_ms, first: undefined, last: undefined, timer: undefined };
      this.#lines.set(item.timeout_ms, line);
    }
    item.earlier = line.last;
    item.later = undefined;
    if (line.last === undefined) line.first = item;
    else line.last.later = item;
    line.last = item;
    if (line.timer === undefined) this.#wait(line, item.timeout_ms);
  }

  /** Takes an item out; nothing happens when it is out already. */
  remove(item: T): void {
    const line = this.#lines.get(item.timeout_ms);
    if (line === undefined || (item.earlier === undefined && line.first !== item)) return;
    if (item.earlier === undefined) line.first = item.later;
    else item.earlier.later = item.later;
    if (item.later === undefined) line.last = item.earlier;
    else item.later.earlier = item.earlier;
    item.earlier = undefined;
    item.later = undefined;
    // The timer stays: it finds the next call of the line, or ends the line; unless there are too many of them.
    if (line.first === undefined && this.#lines.size > IDLE_LINES_MAX) {
      clearTimeout(line.timer);
      this.#lines.delete(line.timeout_ms);
    }
  }

  clear(): void {
    for (const line of this.#lines.values()) clearTimeout(line.timer);
    this.#lines.clear();
  }

  #wait(line: Line<T>, delay_ms: number): void {
    line.timer = setTimeout(() => this.#expire(line), Math.ceil(delay_ms));
  }

  #expire(line: Line<T>): void {
    const now_ms = performance.now();
    for (let item = line.first; item !== undefined && item.deadline_ms <= now_ms; item = line.first) {
      this.remove(item);
      this.#onLate(item);
    }
    if (line.first !== undefined) this.#wait(line, line.first.deadline_ms - now_ms);
    else if (this.#lines.get(line.timeout_ms) === line) this.#lines.delete(line.timeout_ms);
  }
}
