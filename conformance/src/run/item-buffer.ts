/** What a stream has yielded and the case has not yet looked at. */
import type { Error as CallError, StreamEvent } from '../gen/gomsg/conformance/v1/conformance_pb.js';
import type { Datum } from '../value/datum.ts';
import { fromWire } from '../value/wire.ts';

/** A stream that yields more than this without being looked at is out of control. */
const ITEMS_MAX = 100_000;

export interface End {
  readonly error: CallError | undefined;
}

export class ItemBuffer {
  readonly items: Datum[] = [];
  readonly handled: CallError[] = [];
  end: End | undefined;
  /** Why it can no longer be believed: a second end, or an item after the end. */
  disorder: string | undefined;
  readonly #changed: () => void;

  /** `changed` is called after every event. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  take({ what }: StreamEvent): void {
    if (this.end !== undefined) this.disorder = `${what.case} after its end`;
    switch (what.case) {
      case 'item':
        if (this.items.length < ITEMS_MAX) this.items.push(fromWire(what.value));
        else this.disorder = `more than ${ITEMS_MAX} items that nobody looked at`;
        break;
      case 'handled':
        this.handled.push(what.value);
        break;
      case 'failed':
        this.end ??= { error: what.value };
        break;
      default:
        this.end ??= { error: undefined };
    }
    this.#changed();
  }
}

/** Wakes those who wait for something to change. */
export class Bell {
  #next = Promise.withResolvers<void>();

  ring(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  /** Resolves once the condition holds; it is asked at once and after every ring. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#next.promise;
  }
}
