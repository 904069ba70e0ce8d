/** What happened to the cluster during a run, and when: what checkers and figures are held against. */
import { monotonicTime_us } from '../src/testing/histories/history.ts';

export const FAULT_KINDS = ['kill', 'pause', 'partition', 'restart', 'disk'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Between these times something may have moved leadership, or ended streams. Microseconds, as in a history. */
export interface Disturbance {
  readonly what: string;
  readonly invokedAt_us: number;
  readonly endedAt_us: number;
}

/** For how long a fault that was healed may still show: links and leaders come back one after the other. */
const AFTERMATH_US = 8_000_000;

export class Timeline {
  readonly #disturbances: Disturbance[] = [];
  readonly #onEvent: (line: string) => void;
  readonly #beganAt_us = monotonicTime_us();

  constructor(onEvent: (line: string) => void) {
    this.#onEvent = onEvent;
  }

  get disturbances(): readonly Disturbance[] {
    return this.#disturbances;
  }

  /** For people. */
  say(text: string): void {
    const second = ((monotonicTime_us() - this.#beganAt_us) / 1e6).toFixed(1);
    this.#onEvent(`${second.padStart(6)} s  ${text}`);
  }

  /** A fault begins; the function that is returned is called when it was healed. */
  fault(what: string): () => void {
    const invokedAt_us = monotonicTime_us();
    this.say(what);
    const index = this.#disturbances.push({ what, invokedAt_us, endedAt_us: Number.POSITIVE_INFINITY }) - 1;
    return () => {
      this.#disturbances[index] = { what, invokedAt_us, endedAt_us: monotonicTime_us() + AFTERMATH_US };
    };
  }

  /** Something that was seen after it had happened, at some time since `since_us`. */
  seen(what: string, since_us: number): void {
    this.#disturbances.push({
      what,
      invokedAt_us: since_us,
      endedAt_us: monotonicTime_us() + AFTERMATH_US,
    });
  }
}
