/** PipelineService/Execute: many unary calls on one stream. */

import { PipelineService } from '../../gen/gomsg/v1/pipeline_pb.js';
import type { Histogram } from '../../observe/instruments.ts';
import type { MethodMeter, RpcMetrics } from '../../observe/rpc-metrics.ts';
import { methodNumber } from '../../services/decode.ts';
import { ErrorReason } from '../../services/errors.ts';
import type {
  BidiStreamingMethod,
  CallContext,
  DuplexStream,
  Method,
  UnaryMethod,
} from '../../services/method.ts';
import type { Failure } from '../../state/failure.ts';
import { type ReportBug, toFailure } from '../failures.ts';
import { grpcCode } from '../grpc-status.ts';
import type { InFlight } from '../interceptors/in-flight.ts';
import { methodPath } from '../unknown-method.ts';
import { ResultFrame, readFrame } from './frames.ts';
import { PipelinedCall } from './pipelined-call.ts';

/** Results are sent in frames of about this size at most. */
const FRAME_BYTES = 1024 * 1024;

export interface PipelineOptions {
  /** Bounds what the calls hold. */
  readonly inFlight: InFlight;
  readonly metrics: RpcMetrics;
  /** Calls in a frame. */
  readonly batchCalls: Histogram;
  readonly reportBug: ReportBug;
}

/** A method that frames may name. */
export interface Target {
  readonly method: UnaryMethod;
  readonly path: string;
  readonly meter: MethodMeter;
}

/** The method `Execute` over the unary methods given. Those are to be plain: bounds and meters are applied here. */
export function pipelineMethod(methods: readonly Method[], options: PipelineOptions): BidiStreamingMethod {
  const targets = new Map<number, Target>();
  for (const method of methods) {
    if (method.kind !== 'unary') continue;
    const meter = options.metrics.method(method.desc.parent.typeName, method.desc.name);
    targets.set(method.number, { method, path: methodPath(method), meter });
  }
  const desc = PipelineService.method.execute;
  return {
    kind: 'bidi_streaming',
    desc,
    number: methodNumber(desc),
    handle: (stream, context) => {
      new Pipeline(targets, stream, context, options);
    },
  };
}

/** One open pipeline. */
export class Pipeline {
  readonly peer: string;
  readonly #targets: ReadonlyMap<number, Target>;
  readonly #stream: DuplexStream;
  readonly #context: CallContext;
  readonly #options: PipelineOptions;
  readonly #results = new ResultFrame();
  /** Calls that arrived and wait because the client does not take its results. Reading is paused meanwhile. */
  #waiting: PipelinedCall[] = [];
  #open = 0;
  #flushDue = false;
  #backedUp = false;
  #halfClosed = false;
  #closed = false;

  constructor(
    targets: ReadonlyMap<number, Target>,
    stream: DuplexStream,
    context: CallContext,
    options: PipelineOptions,
  ) {
    this.#targets = targets;
    this.#stream = stream;
    this.#context = context;
    this.#options = options;
    this.peer = context.peer;
    stream.onMessage((message) => this.#take(message));
    stream.onDrain(() => this.#drained());
    stream.onEnd(() => {
      this.#halfClosed = true;
      this.#endIfDone();
    });
    stream.onClose(() => {
      this.#closed = true;
      for (const call of this.#waiting) this.#release(call);
      this.#waiting = [];
    });
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  header(name: string): string | undefined {
    return this.#context.header(name);
  }

  /** Takes the answer of a call. */
  answered(call: PipelinedCall, response: Uint8Array | undefined, failure: Failure | undefined): void {
    this.#release(call);
    const { meter } = call;
    if (meter !== undefined) {
      const code = failure === undefined ? 0 : grpcCode(failure);
      meter.finished(code, (performance.now() - call.began_ms) / 1000);
    }
    if (this.#closed) return;
    if (failure !== undefined) this.#results.fail(call.callId, failure);
    else if (response !== undefined) this.#results.ok(call.callId, response);
    if (this.#results.length >= FRAME_BYTES) this.#flush();
    else if (!this.#flushDue) {
      // Runs behind everything that the event loop does in this step: results of one turn share a frame.
      this.#flushDue = true;
      queueMicrotask(() => this.#flush());
    }
  }

  #take(message: Uint8Array): void {
    const began_ms = performance.now();
    let calls: PipelinedCall[];
    try {
      calls = readFrame(message, (frame, callId, method, payload, sequence, timeout_ms, retry) => {
        const target = this.#targets.get(method);
        return new PipelinedCall(
          this,
          target,
          began_ms,
          frame,
          callId,
          method,
          payload,
          sequence,
          timeout_ms,
          retry,
        );
      });
    } catch (error) {
      this.#stream.end({
        reason: ErrorReason.INVALID_REQUEST,
        message: `the frame is not a valid PipelineServiceExecuteRequest: ${error instanceof Error ? error.message : error}`,
      });
      return;
    }
    this.#options.batchCalls.observe(calls.length);
    for (let i = 0; i < calls.length; i++) this.#accept(calls[i]!);
  }

  #accept(call: PipelinedCall): void {
    const { target } = call;
    this.#open++;
    target?.meter.started.add();
    const refusal = this.#options.inFlight.take(this.peer, call.heldBytes);
    if (refusal !== undefined) {
      call.heldBytes = 0;
      call.fail(refusal);
    } else if (call.sequence > 0 && call.sessionId === 0n) {
      call.fail({
        reason: ErrorReason.INVALID_REQUEST,
        message: 'a call has a sequence, and its frame no session',
        subject: 'session_id',
      });
    } else if (this.#backedUp || this.#waiting.length > 0) {
      this.#waiting.push(call);
    } else this.#dispatch(call);
  }

  #dispatch(call: PipelinedCall): void {
    const { target } = call;
    if (target === undefined) {
      call.fail({
        reason: ErrorReason.METHOD_NOT_FOUND,
        message: `no unary method has number ${call.method}`,
      });
      return;
    }
    try {
      target.method.handle(call.payload, call, call);
    } catch (error) {
      call.fail(toFailure(error, target.path, this.#options.reportBug));
    }
  }

  #flush(): void {
    this.#flushDue = false;
    if (this.#closed || this.#results.length === 0) return;
    if (!this.#backedUp && !this.#stream.write(this.#results.take())) {
      this.#backedUp = true;
      this.#stream.pause();
    }
    this.#endIfDone();
  }

  #drained(): void {
    this.#backedUp = false;
    this.#flush();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [position, call] of waiting.entries()) {
      if (this.#backedUp) {
        this.#waiting = waiting.slice(position);
        return;
      }
      this.#dispatch(call);
    }
    if (!this.#backedUp && !this.#halfClosed) this.#stream.resume();
  }

  #release(call: PipelinedCall): void {
    this.#open--;
    if (call.heldBytes > 0) this.#options.inFlight.give(this.peer, call.heldBytes);
    call.heldBytes = 0;
  }

  #endIfDone(): void {
    if (this.#halfClosed && this.#open === 0 && this.#results.length === 0 && !this.#closed)
      this.#stream.end();
  }
}
