/** The fast way to a node: many unary calls in few frames, repeated safely over broken connections. */
import {
  create,
  type DescMessage,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { checkAddresses, DEFAULT_ADDRESS } from './addresses.ts';
import { ErrorReason, type GomsgError, GrpcCode, gomsgError } from './errors.ts';
import { PipelineService, type PipelineServiceOpenSessionResponse } from './gen/gomsg/v1/pipeline_pb.js';
import { backoffDelay_ms } from './pipeline/backoff.ts';
import { Bounds } from './pipeline/bounds.ts';
import { Call, type CallListener } from './pipeline/call.ts';
import { Deadlines } from './pipeline/deadlines.ts';
import {
  canceled,
  closedError,
  isLostConnection,
  lateError,
  lostError,
  pipelineError,
  sessionlessError,
  undecodable,
  unreachableError,
} from './pipeline/failures.ts';
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
import { isOfWrongNode, isRetried, leavesNode } from './pipeline/refusals.ts';
import { Sessions } from './pipeline/session.ts';

export {
  closedError,
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

/** Ends of a stream that repeating its calls would not mend, as gRPC codes. */
const FINAL_CODES: ReadonlySet<number> = new Set([3, 7, 9, 11, 12, 16]);

/** Waits for no answer. */
const NOBODY: CallListener = { answered: () => {}, failed: () => {} };

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
        onUnreachable: (error) => this.#unreachable(error),
        fetch: (lane) => this.#fetchTopology(lane),
      },
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

  /** Where a stream of this name may go, the best node first; never empty. */
  addressesFor(route: string | undefined): readonly string[] {
    return this.#lanes.addressesFor(route);
  }

  /**
   * A stream of this name failed at this node: calls leave it too if it is of no use, and the topology is asked for
   * again. Where a stream was passed on, it is the leader that is not one any more.
   */
  streamFailed(address: string, error: GomsgError, route: string | undefined): void {
    if (!this.#routing || this.#closing !== undefined) return;
    if (isOfWrongNode(error)) this.#lanes.leaveLeader(route);
    if (leavesNode(error)) this.#lanes.leave(address);
    this.#lanes.refresh();
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
    // The server forgets a session by itself in time.
    this.#internal(closeSession, closeSession.encode({ sessionId: id }), NOBODY, lane);
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
    // Calls that have another way are not risked on it before it has answered.
    if (lane.connection.isFailing && lane !== this.#lanes.home) this.#askTopology(lane, NOBODY);
    if (this.#routing && this.#lanes.topology === undefined) this.#lanes.refresh();
  }

  #fetchTopology(lane: Lane): void {
    this.#askTopology(lane, {
      answered: (response) => {
        try {
          this.#lanes.learn(lane, getTopology.decode(response));
        } catch {
          // Calls go on by what is known; the next reason to ask asks again.
          this.#lanes.fetchFailed(lane);
        }
      },
      failed: () => this.#lanes.fetchFailed(lane),
    });
  }

  #askTopology(lane: Lane, listener: CallListener): void {
    this.#internal(getTopology, getTopology.encode({}), listener, lane);
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
    if (leavesNode(error)) this.#lanes.leave(call.lane!.address);
    const asksAgain = this.#routing && (leavesNode(error) || isOfWrongNode(error));
    const refresh_ms = asksAgain ? this.#lanes.refresh() : 0;
    if (isRetried(call, error) && this.#retries(call, error, isOfWrongNode(error) ? refresh_ms : 0)) return;
    if (reason === ErrorReason.SESSION_EXPIRED && call.session !== undefined)
      this.#sessions.lost(call.session);
    this.#fail(call, error);
  }

  /** Sends a refused call again: to the leader that the node names at once, otherwise after a while. */
  #retries(call: Call, error: GomsgError, refresh_ms: number): boolean {
    const { retryDelay_ms, maxRetryDelay_ms, maxSends } = this.#limits;
    if (call.sends >= maxSends) return false;
    const from = call.lane!;
    const leader = this.#routing ? this.#lanes.laneToHint(error.leader?.address) : undefined;
    if (leader !== undefined && leader !== from) {
      this.#observer.retried?.(call.method.name, error, 0);
      this.#dispatch(call, leader);
      return true;
    }
    const backoff = { first_ms: retryDelay_ms, longest_ms: maxRetryDelay_ms };
    const backoff_ms = backoffDelay_ms(call.sends - 1, backoff);
    // Sent to the same node once more before the new topology is there, it would be refused once more.
    const delay_ms = Math.max(error.retryAfter_ms ?? 0, refresh_ms + backoff_ms);
    if (performance.now() + delay_ms >= call.deadline_ms) return false;
    this.#observer.retried?.(call.method.name, error, delay_ms);
    call.moveTo(this.#delayed);
    call.retryTimer = setTimeout(() => {
      const lane = this.#lanes.laneFor(call.route, true);
      const isLeft = lane === from && leavesNode(error);
      this.#dispatch(call, isLeft ? (this.#lanes.laneBeside(from) ?? lane) : lane);
    }, delay_ms);
    return true;
  }

  #lost(lane: Lane, error: GomsgError): void {
    this.#observer.disconnected?.(lane.address, error);
    const again: Call[] = [];
    const final = FINAL_CODES.has(error.code);
    for (const call of lane.outbox.takeLost()) {
      if (call.settled) this.#bounds.release(call);
      else if (!final && call.isRepeatable && !isAboutNode(call) && call.sends < this.#limits.maxSends) {
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

  #unreachable(error: GomsgError): void {
    const code = FINAL_CODES.has(error.code);
    this.#failAll((call) => (code ? lostError(call, error) : unreachableError(call, error)));
  }

  #late(call: Call): void {
    this.#fail(call, lateError(call));
  }

  #failAll(errorOf: (call: Call) => GomsgError): void {
    const { waiting } = this.#bounds;
    const inLanes = this.#lanes.all.flatMap(({ outbox }) => outbox.calls);
    for (const call of [...this.#sessionless, ...inLanes, ...this.#delayed, ...waiting]) {
      if (!call.settled) this.#fail(call, errorOf(call));
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

/** It was asked for the sake of its node: another one's answer would be of no use. */
function isAboutNode({ internal, method }: Call): boolean {
  return internal && method.number === getTopology.number;
}
