import { GomsgError } from '../../services/errors.ts';
import type { SessionCall } from '../../services/method.ts';
import type { Failure } from '../../state/failure.ts';
import type { ForwardedCall, ReceivedCall } from './forwarded-call.ts';

/** A call that this node answers for another. Its signal is made on demand: most handlers do not ask. */
export class AnsweredCall implements ReceivedCall {
  readonly from: number;
  readonly method: number;
  readonly payload: Uint8Array;
  readonly session: SessionCall | undefined;
  readonly timeout_ms: number | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  #controller: AbortController | undefined;
  #abortedBy: Failure | undefined;

  constructor(from: number, call: ForwardedCall) {
    this.from = from;
    this.method = call.method;
    this.payload = call.payload;
    this.session = call.session;
    this.timeout_ms = call.timeout_ms;
    this.headers = call.headers;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortedBy !== undefined) this.#controller.abort(new GomsgError(this.#abortedBy));
    }
    return this.#controller.signal;
  }

  /** The signal's reason is a GomsgError of the failure. */
  abort(why: Failure): void {
    if (this.#abortedBy !== undefined) return;
    this.#abortedBy = why;
    this.#controller?.abort(new GomsgError(why));
  }
}
