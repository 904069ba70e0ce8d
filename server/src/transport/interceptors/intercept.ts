/** How something is wrapped around methods of all kinds, for every protocol at once. */
import { GomsgError } from '../../services/errors.ts';
import type {
  BidiStreamingMethod,
  CallContext,
  Method,
  ServerStreamingMethod,
  UnaryMethod,
} from '../../services/method.ts';
import type { Failure } from '../../state/failure.ts';
import { abandoned, toFailure } from '../failures.ts';
import { type StreamOutcome, WatchedIterator } from './watched-iterator.ts';
import { WatchedReply } from './watched-reply.ts';
import { WatchedStream } from './watched-stream.ts';

/** Wraps a method. What it returns has the same kind and description. */
export type Interceptor = (method: Method) => Method;

/**
 * Takes part in every call of a method, from before its handler to its end. `State` is whatever `begin` wants `end`
 * to know; a number costs nothing to keep.
 */
export interface CallWatcher<State> {
  /**
   * Before the handler runs. May throw a GomsgError to refuse the call, which then has no `end`.
   * @param requestBytes size of the request; 0 for a bidirectional call.
   */
  begin(context: CallContext, requestBytes: number): State;
  /** After the answer, or when the caller went away. `failure` is undefined when the call succeeded. */
  end(state: State, context: CallContext, failure: Failure | undefined): void;
}

/** Applies interceptors to all methods; the first is the outermost. */
export function intercept(
  methods: readonly Method[],
  interceptors: readonly Interceptor[],
): readonly Method[] {
  return methods.map((method) => interceptors.reduceRight((inner, wrap) => wrap(inner), method));
}

/** The method with a watcher around it. */
export function watched<State>(method: Method, watcher: CallWatcher<State>): Method {
  switch (method.kind) {
    case 'unary':
      return watchedUnary(method, watcher);
    case 'server_streaming':
      return watchedServerStream(method, watcher);
    case 'bidi_streaming':
      return watchedBidi(method, watcher);
  }
}

function watchedUnary<State>(method: UnaryMethod, watcher: CallWatcher<State>): UnaryMethod {
  return {
    ...method,
    handle: (request, context, reply) => {
      let state: State;
      try {
        state = watcher.begin(context, request.length);
      } catch (error) {
        if (!(error instanceof GomsgError)) throw error;
        reply.fail(error);
        return;
      }
      const watching = new WatchedReply(reply, watcher, state, context);
      try {
        method.handle(request, context, watching);
      } catch (error) {
        watching.ended(failureOf(error));
        throw error;
      }
    },
  };
}

function watchedServerStream<State>(
  method: ServerStreamingMethod,
  watcher: CallWatcher<State>,
): ServerStreamingMethod {
  return {
    ...method,
    handle: (request, context) => {
      const state = watcher.begin(context, request.length);
      const ended = (outcome: StreamOutcome) => watcher.end(state, context, failureIn(outcome, context));
      try {
        const messages = method.handle(request, context)[Symbol.asyncIterator]();
        return { [Symbol.asyncIterator]: () => new WatchedIterator(messages, ended) };
      } catch (error) {
        ended(failureOf(error));
        throw error;
      }
    },
  };
}

function watchedBidi<State>(method: BidiStreamingMethod, watcher: CallWatcher<State>): BidiStreamingMethod {
  return {
    ...method,
    handle: (stream, context) => {
      const state = watcher.begin(context, 0);
      const watching = new WatchedStream(stream, (outcome) =>
        watcher.end(state, context, failureIn(outcome, context)),
      );
      try {
        method.handle(watching, context);
      } catch (error) {
        watching.ended(failureOf(error));
        throw error;
      }
    },
  };
}

function failureIn(outcome: StreamOutcome, context: CallContext): Failure | undefined {
  return outcome === 'left' ? abandoned(context.deadline_ms) : outcome;
}

/** What a thrown value is to watchers. The transport reports it; here it only needs a reason. */
export function failureOf(error: unknown): Failure {
  return toFailure(error, 'the call', () => {});
}
