/**
 * The time of one group: Unix milliseconds that never go back, and never stand still.
 *
 * A machine's clock may be set back, by hand, by NTP or by a virtual machine that is moved. What is stamped must not
 * follow it, or a lease would end twice; and it must not wait for the clock either, or nothing would expire, no lease
 * end and no delay pass until the clock is where it was. So time then goes on by the monotonic clock.
 */
export class GroupClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #now_ms: number;
  /** Set while the wall clock is behind: what to add to the monotonic clock. */
  #offset_ms: number | undefined;

  /** `earliest_ms`: no time before it is given. */
  constructor(wall: () => number, monotonic: () => number, earliest_ms: number) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#now_ms = earliest_ms;
  }

  /** `stamp_ms`: the latest applied stamp; no time before it is given. */
  now(stamp_ms: number): number {
    const wall_ms = this.#wall();
    if (wall_ms >= this.#now_ms) {
      this.#now_ms = wall_ms;
      this.#offset_ms = undefined;
    } else this.#goOn();
    if (stamp_ms > this.#now_ms) {
      this.#now_ms = stamp_ms;
      this.#offset_ms = undefined;
    }
    return this.#now_ms;
  }

  #goOn(): void {
    const monotonic_ms = this.#monotonic();
    this.#offset_ms ??= this.#now_ms - monotonic_ms;
    this.#now_ms = Math.max(this.#now_ms, Math.floor(monotonic_ms + this.#offset_ms));
  }
}
