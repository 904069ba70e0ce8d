/** The fast way to a node: many unary calls in few frames, repeated safely over broken connections. */
import { type DescMessage, fromBinary, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { checkAddresses, DEFAULT_ADDRESS } from './addresses.ts';
import { canceledError, timeoutError } from './call-errors.ts';
import { ErrorReason, errorFromDetail, GomsgError, GrpcCode } from './errors.ts';
import {
  PipelineErrorSchema,
  PipelineService,
  type PipelineServiceOpenSessionResponse,
} from './gen/gomsg/v1/pipeline_pb.js';
import { backoffDelay_ms } from './pipeline/backoff.ts';
import { Bounds } from './pipeline/bounds.ts';
import { Call, type CallListener } from './pipeline/call.ts';
import { Connection } from './pipeline/connection.ts';
import { Deadlines } from './pipeline/deadlines.ts';
import { FrameError, readResults } from './pipeline/frames.ts';
import { type PipelineMethod, pipelineMethod, type UnaryDesc } from './pipeline/method.ts';
import {
  PIPELINE_DEFAULTS,
  type PipelineCallOptions,
  type PipelineLimits,
  type PipelineOptions,
} from './pipeline/options.ts';
import { Outbox } from './pipeline/outbox.ts';
import { Sessions } from './pipeline/session.ts';

export {
  PIPELINE_DEFAULTS,
  type PipelineCallOptions,
  type PipelineLimits,
  type PipelineMethod,
  type PipelineOptions,
  pipelineMethod,
};

/** Node's timers hold no more. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const SESSION_CALL_TIMEOUT_MS = 10_000;

const openSession = pipelineMethod(PipelineService.method.openSession);
const closeSession = pipelineMethod(PipelineService.method.closeSession);

/** Refused before anything was done, for a reason that passes. */
const RETRIED_REASONS: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.NOT_LEADER,
  ErrorReason.STALE_TOPOLOGY,
  ErrorReason.DRAINING,
  ErrorReason.OVERLOADED,
  ErrorReason.NO_QUORUM,
]);

/** Ends of a stream that repeating its calls would not mend, as gRPC codes. */
const FINAL_CODES: ReadonlySet<number> = new Set([3, 7, 9, 11, 12, 16]);

/**
 * A client of one node at a time.
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
  readonly #connection: Connection;
  readonly #sessions: Sessions;
  readonly #deadlines = new Deadlines<Call>((call) => this.#late(call));
  readonly #bounds: Bounds;
  readonly #outbox: Outbox;
  /** Writes without a session to go into. */
  readonly #sessionless = new Set<Call>();
  /** Refused calls that are sent again in a while. */
  readonly #delayed = new Set<Call>();
  /** Calls whose callers still wait. */
  #open = 0;
  #closing: Promise<void> | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  #ended: PromiseWithResolvers<void> | undefined;

  /** @throws TypeError when an address is none, or there are too many */
  constructor(options: PipelineOptions = {}) {
    const { address, addresses, channel, ...limits } = options;
    const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
    this.#limits = { ...PIPELINE_DEFAULTS, ...given };
    this.#bounds = new Bounds(this.#limits, (call) => this.#outbox.enqueue(call));
    const { retryDelay_ms, maxRetryDelay_ms, unreachableTimeout_ms } = this.#limits;
    this.#connection = new Connection(
      {
        addresses: checkAddresses(addresses ?? [address ?? DEFAULT_ADDRESS]),
        channel: channel ?? {},
        backoff: { first_ms: retryDelay_ms, longest_ms: maxRetryDelay_ms },
        unreachableTimeout_ms,
      },
      {
        onWritable: () => this.#outbox.flush(),
        onFrame: (frame) => this.#takeFrame(frame),
        onLost: (error) => this.#lost(error),
        onUnreachable: (error) => this.#failAll(error),
        onEnded: () => this.#ended?.resolve(),
      },
    );
    this.#outbox = new Outbox(this.#connection, (call, now_ms) => this.#placeInSession(call, now_ms));
    this.#sessions = new Sessions({
      open: () => this.#openSession(),
      close: (id) => this.#closeSession(id),
    });
  }

  /** The node that calls go to. */
  get address(): string {
    return this.#connection.address;
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
    return new Promise((resolve, reject) => {
      this.submit(
        method as unknown as PipelineMethod,
        method.encode(request),
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
      );
    });
  }

  /**
   * The same for an encoded request and a listener, which is told later, never at once, and must not throw.
   * @throws RangeError for a timeout that is not above 0 or that no timer can wait
   */
  submit(
    method: PipelineMethod,
    payload: Uint8Array,
    listener: CallListener,
    options?: PipelineCallOptions,
  ): void {
    const timeout_ms = options?.timeout_ms ?? this.#limits.timeout_ms;
    if (!(timeout_ms > 0 && timeout_ms <= MAX_TIMEOUT_MS)) {
      throw new RangeError(`timeout_ms: give more than 0 and at most ${MAX_TIMEOUT_MS}, not ${timeout_ms}`);
    }
    const call = new Call(method, payload, timeout_ms, listener);
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
      this.#failAll(
        new GomsgError({
          reason: ErrorReason.CANCELED,
          message: 'the client was closed before the answer came',
        }),
      );
    }
    const session = this.#sessions.end();
    if (session !== undefined && this.#connection.writable) {
      this.#closeSession(session);
      this.#outbox.flush();
    }
    this.#ended = Promise.withResolvers();
    this.#connection.end();
    await Promise.race([this.#ended.promise, timedOut.promise]);
    clearTimeout(timer);
    this.#connection.destroy();
    this.#deadlines.clear();
  }

  #refusal(call: Call, signal: AbortSignal | undefined): GomsgError | undefined {
    const { name } = call.method;
    const { maxRequestBytes } = this.#limits;
    if (this.#closing !== undefined) {
      return new GomsgError({ reason: ErrorReason.CANCELED, message: `${name}: the client is closed` });
    }
    if (signal?.aborted) return canceledError(name, false, signal.reason);
    if (call.payload.length > maxRequestBytes) {
      return new GomsgError({
        reason: ErrorReason.BATCH_TOO_LARGE,
        message: `${name}: the request has ${call.payload.length} bytes, and the client sends at most ${maxRequestBytes}`,
      });
    }
    if (!this.#bounds.mayTake(call)) {
      return new GomsgError({
        reason: ErrorReason.OVERLOADED,
        message: `${name}: ${this.#bounds.waiting.size} calls wait in the client already; nothing was sent`,
        retryAfter_ms: this.#limits.retryDelay_ms,
      });
    }
    return undefined;
  }

  #watchSignal(call: Call, signal: AbortSignal): void {
    call.signal = signal;
    call.onAbort = () => this.#fail(call, canceledError(call.method.name, call.mayBeApplied, signal.reason));
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
    for (const call of this.#sessionless) this.#fail(call, error);
  }

  #closeSession(id: bigint): void {
    // The server forgets a session by itself in time: what becomes of this call matters to nobody.
    const nothing = () => {};
    this.#internal(closeSession, closeSession.encode({ sessionId: id }), {
      answered: nothing,
      failed: nothing,
    });
  }

  #requeueSessionless(): void {
    for (const call of this.#sessionless) this.#outbox.enqueue(call);
  }

  /** A call of the client's own: past the bounds, and waited for by nobody outside. */
  #internal<I extends DescMessage, O extends DescMessage>(
    method: PipelineMethod<I, O>,
    payload: Uint8Array,
    listener: CallListener,
  ): void {
    const call = new Call(method as unknown as PipelineMethod, payload, SESSION_CALL_TIMEOUT_MS, listener);
    call.internal = true;
    this.#deadlines.add(call);
    this.#outbox.enqueue(call);
  }

  // In.

  #takeFrame(frame: Buffer): void {
    try {
      readResults(frame, (callId, body, failed) => this.#takeResult(callId, body, failed));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#connection.fail(
        new GomsgError({
          code: GrpcCode.UNKNOWN,
          message: `${this.address}: a frame of results is malformed: ${error.message}`,
          cause: error,
        }),
      );
    }
  }

  #takeResult(callId: number, body: Uint8Array, failed: boolean): void {
    const call = this.#outbox.takeAnswered(callId);
    if (call === undefined) throw new FrameError(`it answers call ${callId}, which is not open`);
    if (call.settled) this.#bounds.release(call);
    else if (failed) this.#refused(call, pipelineError(body));
    else {
      this.#settle(call);
      call.listener.answered(body);
    }
  }

  #refused(call: Call, error: GomsgError): void {
    const { reason } = error;
    if (RETRIED_REASONS.has(reason) && (call.isRepeatable || reason !== ErrorReason.NO_QUORUM)) {
      const { retryDelay_ms, maxRetryDelay_ms, maxSends } = this.#limits;
      const backoff = { first_ms: retryDelay_ms, longest_ms: maxRetryDelay_ms };
      const delay_ms = Math.max(error.retryAfter_ms ?? 0, backoffDelay_ms(call.sends - 1, backoff));
      if (call.sends < maxSends && performance.now() + delay_ms < call.deadline_ms) {
        call.moveTo(this.#delayed);
        call.retryTimer = setTimeout(() => this.#outbox.enqueue(call), delay_ms);
        return;
      }
    }
    if (reason === ErrorReason.SESSION_EXPIRED && call.session !== undefined)
      this.#sessions.lost(call.session);
    this.#fail(call, error);
  }

  #lost(error: GomsgError): void {
    const again: Call[] = [];
    const final = FINAL_CODES.has(error.code);
    for (const call of this.#outbox.takeLost()) {
      if (call.settled) this.#bounds.release(call);
      else if (!final && call.isRepeatable && call.sends < this.#limits.maxSends) again.push(call);
      else this.#fail(call, lostError(call, error));
    }
    this.#outbox.enqueueFirst(again);
    this.#ended?.resolve();
  }

  #late(call: Call): void {
    this.#fail(call, timeoutError(call.timeout_ms, call.method.name, call.mayBeApplied));
  }

  #failAll(error: GomsgError): void {
    const { waiting } = this.#bounds;
    for (const call of [...this.#outbox.calls, ...this.#sessionless, ...this.#delayed, ...waiting]) {
      if (!call.settled) this.#fail(call, lostError(call, error));
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
    if (!this.#outbox.isOut(call)) this.#bounds.release(call);
    if (call.session !== undefined) {
      this.#sessions.settled(call.session, call.sequence);
      if (this.#sessionless.size > 0) this.#requeueSessionless();
    }
    if (this.#open === 0) this.#idle?.resolve();
  }
}

function undecodable(name: string, cause: unknown): GomsgError {
  return new GomsgError({
    code: GrpcCode.UNKNOWN,
    message: `${name}: the response is malformed: ${cause instanceof Error ? cause.message : cause}`,
    cause,
  });
}

function pipelineError(body: Uint8Array): GomsgError {
  const { code, message, detail } = fromBinary(PipelineErrorSchema, body);
  return errorFromDetail(code, message, detail);
}

/** The error of a connection as that of one call: it says what is known about a write. */
function lostError(call: Call, error: GomsgError): GomsgError {
  const outcome = call.mayBeApplied ? '; the write may still be applied' : '';
  return new GomsgError({
    code: error.code,
    reason: error.reason,
    message: `${call.method.name}: ${error.message}${outcome}`,
    cause: error,
  });
}
