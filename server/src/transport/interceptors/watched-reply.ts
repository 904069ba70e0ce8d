import type { CallContext, Reply } from '../../services/method.ts';
import type { Failure } from '../../state/failure.ts';
import type { CallWatcher } from './intercept.ts';

/** Passes the answer on and tells the watcher. One object a call and no closure: unary calls are many. */
export class WatchedReply<State> implements Reply {
  readonly #reply: Reply;
  readonly #watcher: CallWatcher<State>;
  readonly #state: State;
  readonly #context: CallContext;
  #ended = false;

  constructor(reply: Reply, watcher: CallWatcher<State>, state: State, context: CallContext) {
    this.#reply = reply;
    this.#watcher = watcher;
    this.#state = state;
    this.#context = context;
  }

  ok(response: Uint8Array): void {
    this.ended(undefined);
    this.#reply.ok(response);
  }

  fail(failure: Failure): void {
    this.ended(failure);
    this.#reply.fail(failure);
  }

  /** Tells the watcher, once: a handler that throws after it answered is a bug, but not a second call. */
  ended(failure: Failure | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watcher.end(this.#state, this.#context, failure);
  }
}
