/**
 * Timers that go by the clock of a simulation. While they are in force everything in the process that waits for time
 * waits for `advance`, so that a run does not depend on how fast the machine is.
 */

interface Timer {
  at_ms: number;
  /** Undefined for a timer that rings once. */
  readonly every_ms: number | undefined;
  readonly ring: () => void;
}

/** What the code under test gets for a timer. */
class Handle {
  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return false;
  }
}

type Callback = (...args: unknown[]) => void;

export class VirtualTimers {
  readonly #timers = new Map<unknown, Timer>();
  #now_ms = 0;

  /** Puts them in the place of the real ones; returns what ends that. */
  install(): () => void {
    const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
    const start =
      (repeats: boolean) =>
      (callback: Callback, delay_ms?: number, ...args: unknown[]) => {
        const handle = new Handle();
        const wait_ms = Math.max(1, delay_ms ?? 0);
        this.#timers.set(handle, {
          at_ms: this.#now_ms + wait_ms,
          every_ms: repeats ? wait_ms : undefined,
          ring: () => callback(...args),
        });
        return handle;
      };
    const clear = (handle: unknown): void => {
      this.#timers.delete(handle);
    };
    Object.assign(globalThis, {
      setTimeout: start(false),
      setInterval: start(true),
      clearTimeout: clear,
      clearInterval: clear,
    });
    return () => Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval });
  }

  /** Moves the clock and rings what is due, in the order of its time. */
  advance(to_ms: number): void {
    for (;;) {
      let next: readonly [unknown, Timer] | undefined;
      for (const entry of this.#timers) {
        if (entry[1].at_ms <= to_ms && (next === undefined || entry[1].at_ms < next[1].at_ms)) next = entry;
      }
      if (next === undefined) break;
      const [handle, timer] = next;
      this.#now_ms = timer.at_ms;
      if (timer.every_ms === undefined) this.#timers.delete(handle);
      else timer.at_ms += timer.every_ms;
      timer.ring();
    }
    this.#now_ms = to_ms;
  }
}
