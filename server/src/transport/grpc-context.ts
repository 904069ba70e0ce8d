import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { CallContext, SessionCall } from '../services/method.ts';
import { abandoned } from './failures.ts';
import { readSession } from './session-headers.ts';

/** What calls of every kind have in common in grpc-js. */
export type GrpcCall = Pick<
  ServerUnaryCall<Buffer, Buffer>,
  'cancelled' | 'metadata' | 'getPeer' | 'getDeadline'
> & { once(event: 'cancelled', listener: () => void): unknown };

/**
 * The context of a gRPC call. Nearly everything is worked out on demand: most calls ask for nothing, and at tens of
 * thousands of calls a second an AbortController for each would show.
 */
export class GrpcCallContext implements CallContext {
  readonly protocol = 'grpc';
  /** Read at once: the connection forgets its address when it closes, and what was counted for it must be given back. */
  readonly peer: string;
  readonly session: SessionCall | undefined;
  readonly #call: GrpcCall;
  #controller: AbortController | undefined;

  /** @throws GomsgError INVALID_REQUEST when the session headers are malformed. */
  constructor(call: GrpcCall) {
    this.#call = call;
    this.peer = call.getPeer();
    this.session = readSession((name) => this.header(name));
  }

  get deadline_ms(): number | undefined {
    const deadline = Number(this.#call.getDeadline());
    return deadline === Number.POSITIVE_INFINITY ? undefined : deadline;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      const abort = () => controller.abort(abandoned(this.deadline_ms));
      // grpc-js emits `cancelled` for whatever ends the call: the caller, the deadline, the connection, the answer.
      if (this.#call.cancelled) abort();
      else this.#call.once('cancelled', abort);
    }
    return this.#controller.signal;
  }

  header(name: string): string | undefined {
    const value = this.#call.metadata.get(name)[0];
    return typeof value === 'string' ? value : value?.toString('base64');
  }
}
