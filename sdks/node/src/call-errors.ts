/** Turns what gRPC throws into `GomsgError`s, and bounds calls by a time. */
import {
  type CallOptions,
  ClientError,
  type ClientMiddlewareCall,
  Metadata,
  type MethodDescriptor,
} from 'nice-grpc';
import {
  detailFromStatusTrailer,
  ErrorReason,
  errorFromDetail,
  type GomsgError,
  GrpcCode,
  gomsgError,
} from './errors.ts';

export interface TimeoutOption {
  /** How long the caller waits, in milliseconds, up to 99,999,999. Default: for ever. */
  timeout_ms?: number;
}

const STATUS_DETAILS_TRAILER = 'grpc-status-details-bin';
const TIMEOUT_HEADER = 'grpc-timeout';
/** The header has room for eight digits (gRPC over HTTP/2, "Timeout"). */
const MAX_TIMEOUT_MS = 99_999_999;

/** Client middleware of nice-grpc: `timeout_ms`, and errors as `GomsgError`. */
export async function* callErrors<Request, Response>(
  call: ClientMiddlewareCall<Request, Response>,
  options: CallOptions & Partial<TimeoutOption>,
) {
  const { timeout_ms, ...rest } = options;
  let trailers: Metadata | undefined;
  const next: CallOptions = {
    ...rest,
    onTrailer: (received) => {
      trailers = received;
      options.onTrailer?.(received);
    },
  };
  const timeout = timeout_ms === undefined ? undefined : new Timeout(timeout_ms, rest.signal);
  if (timeout !== undefined) {
    next.signal = timeout.signal;
    next.metadata = Metadata(rest.metadata).set(TIMEOUT_HEADER, `${timeout.timeout_ms}m`);
  }
  try {
    return yield* call.next(call.request, next);
  } catch (error) {
    if (timeout?.expired)
      throw timeoutError(timeout.timeout_ms, call.method.path, isWrite(call.method), error);
    if (rest.signal?.aborted) throw canceledError(call.method.path, isWrite(call.method), error);
    if (error instanceof ClientError) throw statusError(error, trailers);
    throw error;
  } finally {
    timeout?.clear();
  }
}

/** What a call that took too long throws. */
export function timeoutError(
  timeout_ms: number,
  what: string,
  mayBeApplied: boolean,
  cause?: unknown,
): GomsgError {
  const outcome = mayBeApplied ? '; the write may still be applied' : '';
  return gomsgError({
    reason: ErrorReason.DEADLINE_EXCEEDED,
    message: `${what}: no answer within ${timeout_ms} ms${outcome}`,
    cause,
  });
}

/** What a call throws that its caller gave up. */
export function canceledError(what: string, mayBeApplied: boolean, cause?: unknown): GomsgError {
  const outcome = mayBeApplied ? '; the write may still be applied' : '';
  return gomsgError({
    reason: ErrorReason.CANCELED,
    message: `${what}: canceled by the caller${outcome}`,
    cause,
  });
}

function isWrite({ options }: MethodDescriptor): boolean {
  return options.idempotencyLevel !== 'NO_SIDE_EFFECTS';
}

function statusError(error: ClientError, trailers: Metadata | undefined): GomsgError {
  const trailer = trailers?.get(STATUS_DETAILS_TRAILER);
  const detail = trailer instanceof Uint8Array ? detailFromStatusTrailer(trailer) : undefined;
  // A timeout that gRPC itself saw has no detail, yet means the same.
  if (detail === undefined && error.code === GrpcCode.DEADLINE_EXCEEDED) {
    return gomsgError({
      reason: ErrorReason.DEADLINE_EXCEEDED,
      message: `${error.path}: ${error.details}; a write may still be applied`,
      cause: error,
    });
  }
  const message = detail === undefined ? `${error.path}: ${error.details}` : error.details;
  return errorFromDetail(error.code, message, detail, error);
}

/** Aborts a signal after a time, or when the caller's own signal does. */
class Timeout {
  readonly timeout_ms: number;
  expired = false;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #onCallerAbort = () => this.#controller.abort();

  constructor(timeout_ms: number, callerSignal: AbortSignal | undefined) {
    if (!(timeout_ms > 0 && timeout_ms <= MAX_TIMEOUT_MS)) {
      throw new RangeError(
        `timeout_ms: give more than 0 and at most ${MAX_TIMEOUT_MS} milliseconds, not ${timeout_ms}`,
      );
    }
    this.timeout_ms = Math.ceil(timeout_ms);
    this.#timer = setTimeout(() => {
      this.expired = true;
      this.#controller.abort();
    }, this.timeout_ms);
    this.#callerSignal = callerSignal;
    if (callerSignal?.aborted) this.#controller.abort();
    callerSignal?.addEventListener('abort', this.#onCallerAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#callerSignal?.removeEventListener('abort', this.#onCallerAbort);
  }
}
