/** What a client may hold: calls and bytes on their way, and calls and bytes that wait for room there. */
import type { Call } from './call.ts';

export interface BoundsLimits {
  readonly maxInFlightCalls: number;
  readonly maxInFlightBytes: number;
  readonly maxWaitingCalls: number;
  readonly maxWaitingBytes: number;
}

export class Bounds {
  /** Calls that wait for room, in the order in which they came. */
  readonly waiting = new Set<Call>();
  readonly #limits: BoundsLimits;
  readonly #admit: (call: Call) => void;
  #calls = 0;
  #bytes = 0;
  #waitingBytes = 0;

  /** `admit` is told of each call when there is room for it. */
  constructor(limits: BoundsLimits, admit: (call: Call) => void) {
    this.#limits = limits;
    this.#admit = admit;
  }

  /** False when the call would have to wait and may not. */
  mayTake(call: Call): boolean {
    if (this.#hasRoom(call) && this.waiting.size === 0) return true;
    const { maxWaitingCalls, maxWaitingBytes } = this.#limits;
    return this.waiting.size < maxWaitingCalls && this.#waitingBytes + call.heldBytes <= maxWaitingBytes;
  }

  /** Admits a call or lets it wait. Only when it may be taken. */
  take(call: Call): void {
    if (this.waiting.size === 0 && this.#hasRoom(call)) this.#enter(call);
    else {
      this.#waitingBytes += call.heldBytes;
      call.moveTo(this.waiting);
    }
  }

  /** A call that may still wait here waits no more. */
  leave(call: Call): void {
    if (call.line !== this.waiting) return;
    this.#waitingBytes -= call.heldBytes;
    call.moveTo(undefined);
  }

  /** The last trace of a call is gone: what waits moves up. Once for each call that was admitted, and no other. */
  release(call: Call): void {
    if (!call.admitted) return;
    call.admitted = false;
    this.#calls -= 1;
    this.#bytes -= call.heldBytes;
    for (const next of this.waiting) {
      if (!this.#hasRoom(next)) break;
      this.leave(next);
      this.#enter(next);
    }
  }

  #enter(call: Call): void {
    call.admitted = true;
    this.#calls += 1;
    this.#bytes += call.heldBytes;
    this.#admit(call);
  }

  /** A call that is larger than the bound goes when nothing else does. */
  #hasRoom(call: Call): boolean {
    if (this.#calls === 0) return true;
    const { maxInFlightCalls, maxInFlightBytes } = this.#limits;
    return this.#calls < maxInFlightCalls && this.#bytes + call.heldBytes <= maxInFlightBytes;
  }
}
