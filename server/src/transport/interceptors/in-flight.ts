/** Bounds what calls may hold in memory, for each client and for the whole node. */
import type { Counter, Gauge } from '../../observe/instruments.ts';
import { ErrorReason, GomsgError } from '../../services/errors.ts';
import type { Failure } from '../../state/failure.ts';
import { type Interceptor, watched } from './intercept.ts';

/** What a call holds beside its request: its stream, context and place in queues. Makes many tiny calls count. */
export const CALL_OVERHEAD_BYTES = 512;

/** When a refused caller may try again: a few times longer than a call usually takes. */
const RETRY_AFTER_MS = 50;

export interface InFlightOptions {
  /** Per client, which is a connection. */
  readonly maxBytesPerClient: number;
  /** Over all clients. */
  readonly maxBytes: number;
}

/** Where the bytes are shown: the transport group of the node's metrics. */
export interface InFlightMeters {
  readonly inFlightBytes: Gauge;
  readonly callsShed: Counter;
}

/**
 * The bytes in flight. Shared by the interceptor below, for calls of their own, and by the pipeline, for the calls
 * inside its frames.
 */
export class InFlight {
  readonly #options: InFlightOptions;
  readonly #meters: InFlightMeters;
  readonly #byClient = new Map<string, number>();
  #total = 0;

  constructor(options: InFlightOptions, meters: InFlightMeters) {
    this.#options = options;
    this.#meters = meters;
  }

  get totalBytes(): number {
    return this.#total;
  }

  /**
   * Takes room for a call, or says why there is none. A client with nothing in flight always gets room within the
   * node's limit, so that a call larger than its own share does not fail for ever.
   */
  take(client: string, bytes: number): Failure | undefined {
    const held = this.#byClient.get(client) ?? 0;
    if (held > 0 && held + bytes > this.#options.maxBytesPerClient) {
      return this.#refuse(
        `this client has ${held} bytes in flight, of ${this.#options.maxBytesPerClient} allowed`,
      );
    }
    if (this.#total > 0 && this.#total + bytes > this.#options.maxBytes) {
      return this.#refuse(
        `the node has ${this.#total} bytes in flight, of ${this.#options.maxBytes} allowed`,
      );
    }
    this.add(client, bytes);
    return undefined;
  }

  /** Counts what is held already and cannot be refused, such as results that a client does not read. */
  add(client: string, bytes: number): void {
    this.#byClient.set(client, (this.#byClient.get(client) ?? 0) + bytes);
    this.#total += bytes;
    this.#meters.inFlightBytes.set(this.#total);
  }

  /** Gives back what `take` took or `add` counted. */
  give(client: string, bytes: number): void {
    const held = (this.#byClient.get(client) ?? 0) - bytes;
    if (held > 0) this.#byClient.set(client, held);
    else this.#byClient.delete(client);
    this.#total -= bytes;
    this.#meters.inFlightBytes.set(this.#total);
  }

  #refuse(why: string): Failure {
    this.#meters.callsShed.add();
    return {
      reason: ErrorReason.OVERLOADED,
      message: `${why}; retry with fewer calls at once`,
      retryAfter_ms: RETRY_AFTER_MS,
    };
  }
}

/** Holds room for the request of each call until it is answered. Bidirectional calls account for themselves. */
export function inFlightLimit(inFlight: InFlight): Interceptor {
  return (method) =>
    method.kind === 'bidi_streaming'
      ? method
      : watched<number>(method, {
          begin: (context, requestBytes) => {
            const bytes = requestBytes + CALL_OVERHEAD_BYTES;
            const refusal = inFlight.take(context.peer, bytes);
            if (refusal !== undefined) throw new GomsgError(refusal);
            return bytes;
          },
          end: (bytes, context) => inFlight.give(context.peer, bytes),
        });
}
