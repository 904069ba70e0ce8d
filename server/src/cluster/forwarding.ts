/**
 * Any node takes any call: what belongs to a group that another node leads is passed on to that node whole, and its
 * answer passed back. A call that was passed on is never passed on again, so that two nodes that take each other for the
 * leader do not play ball with it: it comes back as NOT_LEADER, and is tried again once more is known.
 *
 * Only what is certain not to have been carried out is tried again: NOT_LEADER says that.
 */
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { GomsgError } from '../services/errors.ts';
import type {
  CallContext,
  Method,
  Reply,
  ServerStreamingMethod,
  SessionCall,
  UnaryMethod,
} from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import { LEADER_SEARCH_MS_MAX, LeaderSearch } from './leader-search.ts';
import type { Leadership, Links } from './leadership.ts';
import type { ForwardedCall } from './links/forwarded-call.ts';
import type { CallHandle } from './links/pending-calls.ts';
import { type Route, type RouteReader, routeReader } from './route-of.ts';

/** The methods as any node of a cluster serves them. */
export function forwarding(methods: readonly Method[], leadership: Leadership, links: Links): Method[] {
  return methods.map((method) => {
    const readRoute = routeReader(method.desc);
    if (readRoute === undefined || method.kind === 'bidi_streaming') return method;
    return method.kind === 'unary'
      ? forwardedUnary(method, readRoute, leadership, links)
      : forwardedStream(method, readRoute, leadership, links);
  });
}

function forwardedUnary(
  method: UnaryMethod,
  readRoute: RouteReader,
  leadership: Leadership,
  links: Links,
): UnaryMethod {
  return {
    ...method,
    handle(request, context, reply) {
      const group = groupOf(readRoute(request), leadership);
      if (group === undefined) method.handle(request, context, reply);
      else new Attempts(method, request, context, reply, group, leadership, links).next();
    },
  };
}

/** The group whose leader has to take the call; undefined when this node can take it whoever leads. */
function groupOf({ name, isStale }: Route, leadership: Leadership): number | undefined {
  if (name === undefined) return undefined;
  const group = leadership.groupOf(name);
  return isStale && leadership.hasReplica(group) ? undefined : group;
}

/** The tries of one unary call. Its own reply, so that a refusal by a node that no longer leads leads to the next. */
class Attempts implements Reply {
  readonly #method: UnaryMethod;
  readonly #request: Uint8Array;
  #context: CallContext;
  readonly #reply: Reply;
  readonly #group: number;
  readonly #leadership: Leadership;
  readonly #links: Links;
  #search: LeaderSearch | undefined;
  /** When it was last given to a leader, on the clock that is never set. */
  #given_ms = 0;

  constructor(
    method: UnaryMethod,
    request: Uint8Array,
    context: CallContext,
    reply: Reply,
    group: number,
    leadership: Leadership,
    links: Links,
  ) {
    this.#method = method;
    this.#request = request;
    this.#context = context;
    this.#reply = reply;
    this.#group = group;
    this.#leadership = leadership;
    this.#links = links;
  }

  next(): void {
    const leader = this.#leadership.leaderOf(this.#group);
    this.#given_ms = performance.now();
    if (leader === this.#leadership.self) this.#method.handle(this.#request, this.#context, this);
    else if (leader !== undefined) this.#passOn(leader);
    else this.#lookAgain(this.#leadership.noLeader(this.#group));
  }

  /**
   * A node that fell silent keeps what is on its way to it for as long as the link takes to notice. Where the same call may
   * be made again, it goes to the next leader as soon as there is one, and what the old one says comes too late.
   */
  #passOn(leader: number): void {
    const call = forwarded(this.#method, this.#request, this.#context);
    if (!this.#mayRepeat) {
      this.#links.call(leader, call, this);
      return;
    }
    let isOpen = true;
    let handle: CallHandle | undefined;
    const settle = (): boolean => {
      const was = isOpen;
      isOpen = false;
      stopListening();
      return was;
    };
    const stopListening = this.#leadership.onLeaderChange(this.#group, () => {
      const now = this.#leadership.leaderOf(this.#group);
      if (now === undefined || now === leader || !settle()) return;
      handle?.cancel();
      this.#context = asRetry(this.#context);
      this.next();
    });
    handle = this.#links.call(leader, call, {
      ok: (response) => {
        if (settle()) this.ok(response);
      },
      fail: (failure) => {
        if (settle()) this.fail(failure);
      },
    });
  }

  /** A read, or a write that its session applies once. */
  get #mayRepeat(): boolean {
    const { idempotency } = this.#method.desc;
    return (
      this.#context.session !== undefined || idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
    );
  }

  ok(response: Uint8Array): void {
    this.#reply.ok(response);
  }

  fail(failure: Failure): void {
    if (failure.reason === ErrorReason.NOT_LEADER) this.#lookAgain(failure);
    else this.#reply.fail(failure);
  }

  #lookAgain(failure: Failure): void {
    // It had found a leader, and waited there, as a Pop does: the time of that search is long over.
    if (performance.now() - this.#given_ms >= LEADER_SEARCH_MS_MAX) this.#search = undefined;
    this.#search ??= new LeaderSearch(this.#leadership, this.#context);
    if (this.#search.again(this.#group, () => this.next())) return;
    const isKnown = this.#leadership.leaderOf(this.#group) !== undefined;
    this.#reply.fail(isKnown ? failure : this.#leadership.noLeader(this.#group));
  }
}

function forwardedStream(
  method: ServerStreamingMethod,
  readRoute: RouteReader,
  leadership: Leadership,
  links: Links,
): ServerStreamingMethod {
  return {
    ...method,
    handle(request, context) {
      const group = groupOf(readRoute(request), leadership);
      return group === undefined
        ? method.handle(request, context)
        : streamFromLeader(method, request, context, group, leadership, links);
    },
  };
}

/**
 * A stream that has begun is not moved: it ends with the leadership that it began under, since another node hands out
 * what it would yield, and its caller opens a new one.
 */
export async function* streamFromLeader(
  method: ServerStreamingMethod,
  request: Uint8Array,
  context: CallContext,
  group: number,
  leadership: Leadership,
  links: Links,
): AsyncGenerator<Uint8Array> {
  // Whoever reads a stream has to open it again now and then, wherever that goes: it is not kept here in vain.
  const search = new LeaderSearch(leadership, context, true);
  for (;;) {
    const leader = leadership.leaderOf(group);
    let refusal: Failure | undefined;
    if (leader === undefined) refusal = leadership.noLeader(group);
    else {
      let begun = false;
      const whileLeading = new AbortController();
      const stopListening = leadership.onLeaderChange(group, () => {
        if (leadership.leaderOf(group) !== leader) whileLeading.abort(new GomsgError(movedOn(group)));
      });
      const signal = AbortSignal.any([context.signal, whileLeading.signal]);
      try {
        const messages =
          leader === leadership.self
            ? method.handle(request, contextWith(context, { signal }))
            : endedBy(signal, links.stream(leader, forwarded(method, request, context)));
        for await (const message of messages) {
          begun = true;
          yield message;
        }
        if (signal.aborted && signal.reason instanceof GomsgError) throw signal.reason;
        return;
      } catch (error) {
        if (begun || !(error instanceof GomsgError) || error.reason !== ErrorReason.NOT_LEADER) throw error;
        refusal = error;
      } finally {
        stopListening();
      }
    }
    await new Promise<void>((resolve, reject) => {
      if (!search.again(group, resolve)) reject(new GomsgError(refusal));
    });
  }
}

/** Ends the messages at once when the signal is aborted: a generator's own end would wait for the next of them. */
function endedBy(signal: AbortSignal, messages: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator = messages[Symbol.asyncIterator]();
  const end = (): void => void iterator.return?.();
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => iterator.next(),
      async return(value) {
        signal.removeEventListener('abort', end);
        return (await iterator.return?.()) ?? { done: true, value };
      },
    }),
  };
}

export function movedOn(group: number): Failure {
  return {
    reason: ErrorReason.NOT_LEADER,
    message: `the leader of group ${group} changed; open the stream again`,
  };
}

/** The same call, said to have been sent before. */
function asRetry(context: CallContext): CallContext {
  const { session } = context;
  if (session === undefined || session.retry) return context;
  // One by one: a session may be the call itself, whose getters a spread would leave behind.
  const { sessionId, sequence, answeredBelow } = session;
  return contextWith(context, { session: { sessionId, sequence, answeredBelow, retry: true } });
}

/** The same caller, with some of what is known of the call replaced. */
function contextWith(
  context: CallContext,
  { session = context.session, signal }: { readonly session?: SessionCall; readonly signal?: AbortSignal },
): CallContext {
  const { protocol, peer, deadline_ms, canGoElsewhere } = context;
  return {
    protocol,
    peer,
    deadline_ms,
    session,
    canGoElsewhere,
    // Asked for on demand: some contexts make theirs only then.
    get signal() {
      return signal ?? context.signal;
    },
    header: (name) => context.header(name),
  };
}

function forwarded(
  { number }: UnaryMethod | ServerStreamingMethod,
  payload: Uint8Array,
  context: CallContext,
): ForwardedCall {
  return { method: number, payload, session: context.session, timeout_ms: timeLeft(context) };
}

/** How long a caller still waits, in milliseconds above 0; undefined = without a bound. */
export function timeLeft({ deadline_ms }: CallContext): number | undefined {
  return deadline_ms === undefined ? undefined : Math.max(1, deadline_ms - Date.now());
}
