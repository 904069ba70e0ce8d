import type { MethodMeter } from '../../observe/rpc-metrics.ts';
import type { CallContext, Protocol, Reply, SessionCall } from '../../services/method.ts';
import type { Failure } from '../../state/failure.ts';
import { CALL_OVERHEAD_BYTES } from '../interceptors/in-flight.ts';
import type { FrameHeader } from './frames.ts';
import type { Pipeline, Target } from './pipeline.ts';

/**
 * A call inside a pipeline: its context, its place in the session and the taker of its answer in one object, because
 * a busy node makes hundreds of thousands of them a second.
 */
export class PipelinedCall implements CallContext, Reply, SessionCall {
  readonly callId: number;
  readonly method: number;
  readonly sequence: number;
  readonly retry: boolean;
  readonly deadline_ms: number | undefined;
  readonly target: Target | undefined;
  /** When its frame arrived, on the monotonic clock. */
  readonly began_ms: number;
  /** What it holds of the in-flight limits. */
  heldBytes: number;
  /** It has its answer; a second one is a bug of its handler and goes nowhere. */
  answered = false;
  #payload: Uint8Array;
  readonly #pipeline: Pipeline;
  readonly #frame: FrameHeader;

  constructor(
    pipeline: Pipeline,
    target: Target | undefined,
    began_ms: number,
    frame: FrameHeader,
    callId: number,
    method: number,
    payload: Uint8Array,
    sequence: number,
    timeout_ms: number,
    retry: boolean,
  ) {
    this.#pipeline = pipeline;
    this.#frame = frame;
    this.callId = callId;
    this.method = method;
    this.#payload = payload;
    this.sequence = sequence;
    this.retry = retry;
    this.deadline_ms = timeout_ms === 0 ? undefined : Date.now() + timeout_ms;
    this.target = target;
    this.began_ms = began_ms;
    this.heldBytes = payload.length + CALL_OVERHEAD_BYTES;
  }

  get sessionId(): bigint {
    return this.#frame.sessionId;
  }

  get answeredBelow(): number {
    return this.#frame.answeredBelow;
  }

  get protocol(): Protocol {
    return 'pipeline';
  }

  get peer(): string {
    return this.#pipeline.peer;
  }

  get signal(): AbortSignal {
    return this.#pipeline.signal;
  }

  get session(): SessionCall | undefined {
    return this.sequence === 0 ? undefined : this;
  }

  /** A client that routes knows other nodes; one that sends the call again may have asked them. */
  get canGoElsewhere(): boolean {
    return this.#frame.topologyEpoch !== 0 && !this.retry;
  }

  get meter(): MethodMeter | undefined {
    return this.target?.meter;
  }

  /**
   * The request, once. It is a view into the frame, which may be megabytes: a call that waits long for its answer must
   * not keep that alive.
   */
  takePayload(): Uint8Array {
    const payload = this.#payload;
    this.#payload = NO_BYTES;
    return payload;
  }

  header(name: string): string | undefined {
    return this.#pipeline.header(name);
  }

  ok(response: Uint8Array): void {
    this.#pipeline.answered(this, response, undefined);
  }

  fail(failure: Failure): void {
    this.#pipeline.answered(this, undefined, failure);
  }
}

const NO_BYTES = new Uint8Array(0);
