/** The fast way to a node: many unary calls in few frames, repeated safely over broken connections. */
import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { checkAddresses, DEFAULT_ADDRESS } from './addresses.ts';
import { ErrorReason, errorFromDetail, type GomsgError, GrpcCode, gomsgError } from './errors.ts';
import {
  PipelineErrorSchema,
  PipelineService,
  type PipelineServiceOpenSessionResponse,
} from './gen/gomsg/v1/pipeline_pb.js';
import { backoffDelay_ms } from './pipeline/backoff.ts';
import { Bounds } from './pipeline/bounds.ts';
import { Call, type CallListener } from './pipeline/call.ts';
import { Deadlines } from './pipeline/deadlines.ts';
import { FrameError, readResults } from './pipeline/frames.ts';
import type { Lane } from './pipeline/lane.ts';
import { getTopology, Lanes } from './pipeline/lanes.ts';
import { type PipelineMethod, pipelineMethod, type UnaryDesc } from './pipeline/method.ts';
import {
  PIPELINE_DEFAULTS,
  type PipelineCallOptions,
  type PipelineLimits,
  type PipelineObserver,
  type PipelineOptions,
} from './pipeline/options.ts';
import { Sessions } from './pipeline/session.ts';

export {
  PIPELINE_DEFAULTS,
  type PipelineCallOptions,
  type PipelineLimits,
  type PipelineMethod,
  type PipelineObserver,
  type PipelineOptions,
  pipelineMethod,
};

/** Node's timers hold no more. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const INTERNAL_CALL_TIMEOUT_MS = 10_000;

/** Sent again like what changes nothing: a session that nobody knows of ends by itself. */
const openSession = { ...pipelineMethod(PipelineService.method.openSession), isIdempotent: true };
const closeSession = pipelineMethod(PipelineService.method.closeSession);

/** Refused before anything was done, for a reason that passes. */
const RETRIED_REASONS: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.NOT_LEADER,
  ErrorReason.STALE_TOPOLOGY,
  ErrorReason.DRAINING,
  ErrorReason.OVERLOADED,
  ErrorReason.NO_QUORUM,
]);

/** Another node would take the call. */
const WRONG_NODE_REASONS: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.NOT_LEADER,
  ErrorReason.STALE_TOPOLOGY,
]);

/** Ends of a stream that repeating its calls would not mend, as gRPC codes. */
const FINAL_CODES: ReadonlySet<number> = new Set([3, 7, 9, 11, 12, 16]);

/**
 * A client of a node, or of a cluster: with `routing` each call goes to the node that leads its slot, otherwise all go
 * to one node at a time.
 *
 * All calls of one turn of the event loop go out as one frame, and their results come back in as few. Writes are in a
 * session, so that a write whose answer was lost is sent again and applied once; reads are simply repeated. A call
 * fails with a `GomsgError`: when the server says so, after its timeout, when no node can be reached for
 * `unreachableTimeout_ms`, or when more calls wait than may (OVERLOADED).
 *
 * A call costs its thread about 3 µs with all encoding (50 and 1,000 in flight, 64-byte values; measured by
 * `bench/src/pipeline-client.ts`), most of it in protobuf and promises.
 */
export class PipelineClient {
  readonly #limits: PipelineLimits;
  readonly #lanes: Lanes;
  readonly #routing: boolean;
  readonly #observer: PipelineObserver;
  readonly #sessions: Sessions;
  readonly #deadlines = new Deadlines<Call>((call) => this.#late(call));
  readonly #bounds: Bounds;
  /** Writes without a session to go into. */
  readonly #sessionless = new Set<Call>();
  /** Refused calls that are sent again in a while. */
  readonly #delayed = new Set<Call>();
  /** Calls whose callers still wait. */
  #open = 0;
  #closing: Promise<void> | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @throws TypeError when an address is none, or there are too many */
  constructor(options: PipelineOptions = {}) {
    const { address, addresses, channel, routing = false, observer = {}, ...limits } = options;
    const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
    this.#limits = { ...PIPELINE_DEFAULTS, ...given };
    this.#routing = routing;
    this.#observer = observer;
    this.#bounds = new Bounds(this.#limits, (call) => this.#dispatch(call));
    const { retryDelay_ms, maxRetryDelay_ms, unreachableTimeout_ms } = this.#limits;
    this.#lanes = new Lanes(
      {
        addresses: checkAddresses(addresses ?? [address ?? DEFAULT_ADDRESS]),
        channel: channel ?? {},
        backoff: { first_ms: retryDelay_ms, longest_ms: maxRetryDelay_ms },
        unreachableTimeout_ms,
      },
      {
        place: (call, now_ms) => this.#placeInSession(call, now_ms),
        onConnected: (lane) => this.#connected(lane),
        onFrame: (lane, frame) => this.#takeFrame(lane, frame),
        onLost: (lane, error) => this.#lost(lane, error),
        onUnreachable: (lane, error) => this.#unreachable(lane, error),
        onEnded: () => {},
      },
      () => this.#fetchTopology(),
    );
    this.#sessions = new Sessions({
      open: () => this.#openSession(),
      close: (id) => this.#closeSession(id),
    });
  }

  /** The node that calls go to. */
  get address(): string {
    return this.#lanes.home.address;
  }

  /** Where a call of this name may go, the node that leads it first unless it was out of reach. */
  addressesFor(route: string | undefined): readonly string[] {
    const { home, topology } = this.#lanes;
    const leader = topology?.isCluster && route !== undefined ? topology.leaderOf(route) : undefined;
    const first = leader === undefined || this.#lanes.isFailing(leader) ? [] : [leader];
    return [...new Set([...first, home.address, ...home.connection.addresses])];
  }

  /** A node that led nothing, or could not be reached, elsewhere: the topology is asked for again. */
  refreshTopology(): void {
    if (this.#routing && this.#closing === undefined) this.#lanes.refresh();
  }

  /** Calls whose callers wait for an answer. */
  get pendingCalls(): number {
    return this.#open;
  }

  /** Calls a unary rpc, such as `call(KVService.method.set, { key, value })`. */
  call<I extends DescMessage, O extends DescMessage>(
    desc: UnaryDesc<I, O>,
    request: MessageInitShape<I>,
    options?: PipelineCallOptions,
  ): Promise<MessageShape<O>> {
    const method = pipelineMethod(desc);
    const message = create(desc.input, request);
    return new Promise((resolve, reject) => {
      this.submit(
        method as unknown as PipelineMethod,
        toBinary(desc.input, message),
        {
          answered: (response) => {
            try {
              resolve(method.decode(response));
            } catch (error) {
              reject(undecodable(method.name, error));
            }
          },
          failed: reject,
        },
        options,
        method.routeOf(message as Message),
      );
    });
  }

  /**
   * The same for an encoded request and a listener, which is told later, never at once, and must not throw. `route` is
   * the name whose slot decides where the call goes.
   * @throws RangeError for a timeout that is not above 0 or that no timer can wait
   */
  submit(
    method: PipelineMethod,
    payload: Uint8Array,
    listener: CallListener,
    options?: PipelineCallOptions,
    route?: string,
  ): void {
    const timeout_ms = options?.timeout_ms ?? this.#limits.timeout_ms;
    if (!(timeout_ms > 0 && timeout_ms <= MAX_TIMEOUT_MS)) {
      throw new RangeError(`timeout_ms: give more than 0 and at most ${MAX_TIMEOUT_MS}, not ${timeout_ms}`);
    }
    const call = new Call(method, payload, timeout_ms, listener, route);
    const refusal = this.#refusal(call, options?.signal);
    if (refusal !== undefined) {
      queueMicrotask(() => listener.failed(refusal));
      return;
    }
    this.#open += 1;
    this.#deadlines.add(call);
    if (options?.signal !== undefined) this.#watchSignal(call, options.signal);
    this.#bounds.take(call);
  }

  /**
   * Takes no more calls, waits for those that were made, ends the session and the connection. Calls that are not
   * answered within `drainTimeout_ms` (default 5,000) fail.
   */
  close(drainTimeout_ms = 5_000): Promise<void> {
    this.#closing ??= this.#end(drainTimeout_ms);
    return this.#closing;
  }

  async #end(drainTimeout_ms: number): Promise<void> {
    const timedOut = Promise.withResolvers<void>();
    const timer = setTimeout(timedOut.resolve, drainTimeout_ms);
    if (this.#open > 0) {
      this.#idle = Promise.withResolvers();
      await Promise.race([this.#idle.promise, timedOut.promise]);
      this.#failAll((call) => closedError(call.method.name, 'before the answer came', call.mayBeApplied));
    }
    this.#lanes.close();
    const session = this.#sessions.end();
    const writable = this.#lanes.all.find(({ connection }) => connection.writable);
    if (session !== undefined && writable !== undefined) {
      this.#closeSession(session, writable);
      writable.outbox.flush();
    }
    const ended = Promise.all(this.#lanes.all.map((lane) => lane.end()));
    await Promise.race([ended, timedOut.promise]);
    clearTimeout(timer);
    for (const lane of this.#lanes.all) lane.destroy();
    this.#deadlines.clear();
  }

  #refusal(call: Call, signal: AbortSignal | undefined): GomsgError | undefined {
    const { name } = call.method;
    const { maxRequestBytes } = this.#limits;
    if (this.#closing !== undefined) return closedError(name, 'before this call', false);
    if (signal?.aborted) return canceled(call, signal.reason);
    if (call.payload.length > maxRequestBytes) {
      return gomsgError({
        reason: ErrorReason.BATCH_TOO_LARGE,
        method: name,
        message: `the request has ${call.payload.length} bytes, and the client sends at most ${maxRequestBytes}`,
      });
    }
    if (!this.#bounds.mayTake(call)) {
      return gomsgError({
        reason: ErrorReason.OVERLOADED,
        method: name,
        message: `${this.#bounds.waiting.size} calls wait in the client already; nothing was sent`,
        retryAfter_ms: this.#limits.retryDelay_ms,
      });
    }
    return undefined;
  }

  #watchSignal(call: Call, signal: AbortSignal): void {
    call.signal = signal;
    call.onAbort = () => this.#fail(call, canceled(call, signal.reason));
    signal.addEventListener('abort', call.onAbort, { once: true });
  }

  // Sessions.

  /** False when the call now waits for a session. */
  #placeInSession(call: Call, now_ms: number): boolean {
    if (call.sequence > 0 || call.method === openSession || call.method === closeSession) return true;
    const session = this.#sessions.current(now_ms);
    if (session === undefined) {
      call.moveTo(this.#sessionless);
      return false;
    }
    call.session = session;
    call.sequence = session.take(now_ms);
    return true;
  }

  #openSession(): void {
    this.#internal(openSession, openSession.encode({}), {
      answered: (response) => {
        let session: PipelineServiceOpenSessionResponse;
        try {
          session = openSession.decode(response);
        } catch (error) {
          this.#openFailed(undecodable(openSession.name, error));
          return;
        }
        const idleTimeout_ms = session.idleTimeout
          ? durationMs(session.idleTimeout)
          : Number.POSITIVE_INFINITY;
        this.#sessions.opened(session.sessionId, idleTimeout_ms, performance.now());
        this.#requeueSessionless();
      },
      failed: (error) => this.#openFailed(error),
    });
  }

  #openFailed(error: GomsgError): void {
    this.#sessions.openFailed();
    // How long a call waits is for the call to say; that no node can be reached is said by the connection itself.
    if (error.reason === ErrorReason.DEADLINE_EXCEEDED || isLostConnection(error)) this.#requeueSessionless();
    else for (const call of this.#sessionless) this.#fail(call, sessionlessError(call, error));
  }

  #closeSession(id: bigint, lane = this.#lanes.home): void {
    // The server forgets a session by itself in time: what becomes of this call matters to nobody.
    const nothing = () => {};
    const listener = { answered: nothing, failed: nothing };
    this.#internal(closeSession, closeSession.encode({ sessionId: id }), listener, lane);
  }

  #requeueSessionless(): void {
    for (const call of this.#sessionless) this.#dispatch(call);
  }

  /** A call of the client's own: past the bounds, and waited for by nobody outside. */
  #internal<I extends DescMessage, O extends DescMessage>(
    method: PipelineMethod<I, O>,
    payload: Uint8Array,
    listener: CallListener,
    lane = this.#lanes.home,
  ): void {
    const call = new Call(method as unknown as PipelineMethod, payload, INTERNAL_CALL_TIMEOUT_MS, listener);
    call.internal = true;
    this.#deadlines.add(call);
    call.lane = lane;
    lane.outbox.enqueue(call);
  }

  // Ways.

  #dispatch(call: Call, lane = this.#lanes.laneFor(call.route, call.sends > 0)): void {
    call.lane = lane;
    lane.outbox.enqueue(call);
  }

  #connected(lane: Lane): void {
    this.#observer.connected?.(lane.address);
    if (this.#routing && this.#lanes.topology === undefined) this.#lanes.refresh();
  }

  #fetchTopology(): void {
    this.#internal(getTopology, getTopology.encode({}), {
      answered: (response) => {
        try {
          this.#lanes.learn(getTopology.decode(response));
        } catch {
          // Calls go on by what is known; the next reason to ask asks again.
          this.#lanes.fetchFailed();
        }
      },
      failed: () => this.#lanes.fetchFailed(),
    });
  }

  // In.

  #takeFrame(lane: Lane, frame: Buffer): void {
    try {
      readResults(frame, (callId, body, failed) => this.#takeResult(lane, callId, body, failed));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      lane.connection.fail(
        gomsgError({
          code: GrpcCode.UNKNOWN,
          message: `${lane.address}: a frame of results is malformed: ${error.message}`,
          cause: error,
        }),
      );
    }
  }

  #takeResult(lane: Lane, callId: number, body: Uint8Array, failed: boolean): void {
    const call = lane.outbox.takeAnswered(callId);
    if (call === undefined) throw new FrameError(`it answers call ${callId}, which is not open`);
    if (call.settled) this.#bounds.release(call);
    else if (failed) this.#refused(call, pipelineError(call, body));
    else {
      this.#settle(call);
      call.listener.answered(body);
    }
  }

  #refused(call: Call, error: GomsgError): void {
    const { reason } = error;
    if (RETRIED_REASONS.has(reason) && (call.isRepeatable || reason !== ErrorReason.NO_QUORUM)) {
      if (this.#retries(call, error)) return;
    }
    if (reason === ErrorReason.SESSION_EXPIRED && call.session !== undefined)
      this.#sessions.lost(call.session);
    this.#fail(call, error);
  }

  /** Sends a refused call again: to the leader that the node names at once, otherwise after a while. */
  #retries(call: Call, error: GomsgError): boolean {
    const { retryDelay_ms, maxRetryDelay_ms, maxSends } = this.#limits;
    if (call.sends >= maxSends) return false;
    let refresh_ms = 0;
    if (this.#routing && WRONG_NODE_REASONS.has(error.reason)) {
      refresh_ms = this.#lanes.refresh();
      const leader = this.#lanes.laneToHint(error.leader?.address);
      if (leader !== undefined && leader !== call.lane) {
        this.#observer.retried?.(call.method.name, error, 0);
        this.#dispatch(call, leader);
        return true;
      }
    }
    const backoff = { first_ms: retryDelay_ms, longest_ms: maxRetryDelay_ms };
    const backoff_ms = backoffDelay_ms(call.sends - 1, backoff);
    // Sent to the same node once more before the new topology is there, it would be refused once more.
    const delay_ms = Math.max(error.retryAfter_ms ?? 0, refresh_ms + backoff_ms);
    if (performance.now() + delay_ms >= call.deadline_ms) return false;
    this.#observer.retried?.(call.method.name, error, delay_ms);
    call.moveTo(this.#delayed);
    // A node that shuts down takes nothing any more, though its connection may stand for as long as other calls last.
    const beside = error.reason === ErrorReason.DRAINING ? this.#lanes.laneBeside(call.lane!) : undefined;
    call.retryTimer = setTimeout(() => this.#dispatch(call, beside), delay_ms);
    return true;
  }

  #lost(lane: Lane, error: GomsgError): void {
    this.#observer.disconnected?.(lane.address, error);
    const again: Call[] = [];
    const final = FINAL_CODES.has(error.code);
    for (const call of lane.outbox.takeLost()) {
      if (call.settled) this.#bounds.release(call);
      else if (!final && call.isRepeatable && call.sends < this.#limits.maxSends) {
        this.#observer.retried?.(call.method.name, error, 0);
        again.push(call);
      } else this.#fail(call, lostError(call, error));
    }
    if (this.#routing) this.#lanes.refresh();
    if (lane === this.#lanes.home) {
      lane.outbox.enqueueFirst(again);
      return;
    }
    // Whoever answers passes them on, or says who leads now.
    for (const call of [...again, ...lane.outbox.takeReady()]) this.#dispatch(call, this.#lanes.home);
  }

  #unreachable(lane: Lane, error: GomsgError): void {
    if (lane !== this.#lanes.home) return;
    const isAlone = !this.#lanes.all.some(({ connection }) => connection.writable);
    const code = FINAL_CODES.has(error.code);
    this.#failAll(
      (call) => (code ? lostError(call, error) : unreachableError(call, error)),
      (call) => isAlone || call.lane === lane || call.lane === undefined,
    );
  }

  #late(call: Call): void {
    const outcome = call.mayBeApplied ? MAY_BE_APPLIED : '';
    this.#fail(
      call,
      gomsgError({
        reason: ErrorReason.DEADLINE_EXCEEDED,
        method: call.method.name,
        message: `no answer within ${call.timeout_ms} ms${outcome}`,
      }),
    );
  }

  #failAll(errorOf: (call: Call) => GomsgError, concerns: (call: Call) => boolean = () => true): void {
    const { waiting } = this.#bounds;
    const inLanes = this.#lanes.all.flatMap(({ outbox }) => outbox.calls);
    for (const call of [...this.#sessionless, ...inLanes, ...this.#delayed, ...waiting]) {
      if (!call.settled && concerns(call)) this.#fail(call, errorOf(call));
    }
  }

  #fail(call: Call, error: GomsgError): void {
    this.#settle(call);
    call.listener.failed(error);
  }

  /** Its caller is about to be told. */
  #settle(call: Call): void {
    call.settled = true;
    call.dropPayload();
    this.#deadlines.remove(call);
    if (call.onAbort !== undefined) call.signal?.removeEventListener('abort', call.onAbort);
    if (call.retryTimer !== undefined) clearTimeout(call.retryTimer);
    this.#bounds.leave(call);
    call.moveTo(undefined);
    if (!call.internal) this.#open -= 1;
    // What the server still has keeps its place until the server is done with it, or the connection.
    if (!call.lane?.outbox.isOut(call)) this.#bounds.release(call);
    if (call.session !== undefined) {
      this.#sessions.settled(call.session, call.sequence);
      if (this.#sessionless.size > 0) this.#requeueSessionless();
    }
    if (this.#open === 0) this.#idle?.resolve();
  }
}

const MAY_BE_APPLIED = '; the write may still be applied';

function undecodable(method: string, cause: unknown): GomsgError {
  return gomsgError({
    code: GrpcCode.UNKNOWN,
    method,
    message: `the response is malformed: ${cause instanceof Error ? cause.message : cause}`,
    cause,
  });
}

function pipelineError(call: Call, body: Uint8Array): GomsgError {
  const { code, message, detail } = fromBinary(PipelineErrorSchema, body);
  return errorFromDetail(code, message, detail, undefined, call.method.name);
}

function canceled(call: Call, cause: unknown): GomsgError {
  const outcome = call.mayBeApplied ? MAY_BE_APPLIED : '';
  return gomsgError({
    reason: ErrorReason.CANCELED,
    method: call.method.name,
    message: `canceled by the caller${outcome}`,
    cause,
  });
}

/** What a call gets from a client that is closed. */
export function closedError(method: string, when: string, mayBeApplied: boolean): GomsgError {
  return gomsgError({
    reason: ErrorReason.CLIENT_CLOSED,
    method,
    message: `the client was closed ${when}${mayBeApplied ? MAY_BE_APPLIED : ''}`,
  });
}

function unreachableError(call: Call, error: GomsgError): GomsgError {
  const outcome = call.mayBeApplied ? MAY_BE_APPLIED : '';
  return gomsgError({
    reason: ErrorReason.UNREACHABLE,
    method: call.method.name,
    message: `no node can be reached: ${error.message}${outcome}`,
    cause: error,
  });
}

/** A write that waited for a session, which could not be opened. */
function sessionlessError(call: Call, error: GomsgError): GomsgError {
  return gomsgError({
    code: error.code,
    reason: error.reason,
    method: call.method.name,
    message: `no session could be opened: ${error.message}`,
    retryAfter_ms: error.retryAfter_ms,
    leader: error.leader,
    cause: error,
  });
}

/** The connection broke, under a call that was sent as often as one is. */
function isLostConnection({ reason, code }: GomsgError): boolean {
  return reason === ErrorReason.UNSPECIFIED && code === GrpcCode.UNAVAILABLE;
}

/** The error of a connection as that of one call: it says what is known about a write. */
function lostError(call: Call, error: GomsgError): GomsgError {
  const outcome = call.mayBeApplied ? MAY_BE_APPLIED : '';
  return gomsgError({
    code: error.code,
    // An internal call's failure keeps its shape, by which its owner knows it.
    reason: isLostConnection(error) && !call.internal ? ErrorReason.UNREACHABLE : error.reason,
    method: call.method.name,
    message: `${error.message}${outcome}`,
    cause: error,
  });
}
