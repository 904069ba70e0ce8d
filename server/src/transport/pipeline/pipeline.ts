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
import { DRAINING, type ReportBug, toFailure } from '../failures.ts';
import { grpcCode } from '../grpc-status.ts';
import type { InFlight } from '../interceptors/in-flight.ts';
import { methodPath } from '../unknown-method.ts';
import { ResultFrame, readFrame } from './frames.ts';
import { PipelinedCall } from './pipelined-call.ts';

/** A frame of results gets no further one past this size. A single larger result has a frame of its own. */
const FRAME_BYTES = 1024 * 1024;

const DEFAULT_MAX_FRAME_BYTES = 16 * 1024 * 1024;
const DEFAULT_MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** Of calls whose client went away before they were begun. */
const CANCELLED = 1;

export interface PipelineOptions {
  /** Bounds what the calls hold. */
  readonly inFlight: InFlight;
  readonly metrics: RpcMetrics;
  /** Calls in a frame. */
  readonly batchCalls: Histogram;
  /** Largest response message on the wire. Default 16 MiB. */
  readonly maxFrameBytes?: number;
  /** Bytes of results that a client may leave unread; past it its pipeline is ended. Default 64 MiB. */
  readonly maxUnreadBytes?: number;
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
  readonly #maxFrameBytes: number;
  /** The frame that gathers results. */
  readonly #results = new ResultFrame();
  /** Complete frames that the client has yet to make room for, oldest first. What they hold counts as in flight. */
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  /** Calls that arrived and wait because the client does not take its results. Reading is paused meanwhile. */
  #waiting: PipelinedCall[] = [];
  #open = 0;
  #flushDue = false;
  #backedUp = false;
  #halfClosed = false;
  /** What comes now is refused: its client is to take it to another node, and not to wait for the slowest of its calls. */
  #draining = false;
  /** Nothing is written or begun any more: the stream was ended, or its connection is gone. */
  #over = false;

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
    this.#maxFrameBytes = options.maxFrameBytes ?? DEFAULT_MAX_FRAME_BYTES;
    this.peer = context.peer;
    stream.onMessage((message) => this.#take(message));
    stream.onDrain(() => this.#drained());
    stream.onEnd(() => {
      this.#halfClosed = true;
      this.#endIfDone();
    });
    stream.onDraining(() => {
      this.#draining = true;
      this.#endIfDone();
    });
    stream.onClose(() => this.#abandon());
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  header(name: string): string | undefined {
    return this.#context.header(name);
  }

  /** Takes the answer of a call. */
  answered(call: PipelinedCall, response: Uint8Array | undefined, failure: Failure | undefined): void {
    if (call.answered) return;
    call.answered = true;
    if (response !== undefined && ResultFrame.resultBytes(response.length) > this.#maxFrameBytes) {
      this.#settle(call, undefined, answerTooLarge(response.length, this.#maxFrameBytes));
    } else this.#settle(call, response, failure);
  }

  #settle(call: PipelinedCall, response: Uint8Array | undefined, failure: Failure | undefined): void {
    this.#finished(call, failure === undefined ? 0 : grpcCode(failure));
    if (this.#over) return;
    const bytes = ResultFrame.resultBytes(response?.length ?? 0);
    if (this.#results.length > 0 && this.#results.length + bytes > FRAME_BYTES) this.#sendFrame();
    if (this.#over) return;
    if (failure !== undefined) this.#results.fail(call.callId, failure);
    else if (response !== undefined) this.#results.ok(call.callId, response);
    if (!this.#flushDue) {
      // Runs behind everything that the event loop does in this step: results of one turn share a frame.
      this.#flushDue = true;
      queueMicrotask(() => this.#flush());
    }
  }

  #take(message: Uint8Array): void {
    if (this.#over) return;
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
      this.#endWith({
        reason: ErrorReason.INVALID_REQUEST,
        message: `the frame is not a valid PipelineServiceExecuteRequest: ${error instanceof Error ? error.message : error}`,
      });
      return;
    }
    this.#options.batchCalls.observe(calls.length);
    for (let i = 0; i < calls.length && !this.#over; i++) this.#accept(calls[i]!);
  }

  #accept(call: PipelinedCall): void {
    const { target } = call;
    this.#open++;
    target?.meter.started.add();
    const refusal = this.#options.inFlight.take(this.peer, call.heldBytes);
    if (refusal !== undefined) {
      call.heldBytes = 0;
      call.fail(refusal);
    } else if (this.#draining) {
      call.fail(DRAINING);
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
      target.method.handle(call.takePayload(), call, call);
    } catch (error) {
      call.fail(toFailure(error, target.path, this.#options.reportBug));
    }
  }

  #flush(): void {
    this.#flushDue = false;
    if (this.#over) return;
    if (this.#results.length > 0 && !this.#backedUp) this.#sendFrame();
    this.#endIfDone();
  }

  /** Completes the frame and sends it, or keeps it until the client takes what it was sent before. */
  #sendFrame(): void {
    const frame = this.#results.take();
    if (!this.#backedUp) this.#write(frame);
    else {
      this.#unread.push(frame);
      this.#unreadBytes += frame.length;
      this.#options.inFlight.add(this.peer, frame.length);
      const max = this.#options.maxUnreadBytes ?? DEFAULT_MAX_UNREAD_BYTES;
      // A single frame may always wait: however small the bound, a large answer must not end the pipeline by itself.
      if (this.#unread.length > 1 && this.#unreadBytes > max) this.#endWith(unread(this.#unreadBytes, max));
    }
  }

  #write(frame: Uint8Array): void {
    if (this.#stream.write(frame)) return;
    this.#backedUp = true;
    this.#stream.pause();
  }

  #drained(): void {
    if (this.#over) return;
    this.#backedUp = false;
    while (!this.#backedUp && this.#unread.length > 0) {
      const frame = this.#unread.shift()!;
      this.#forgetUnread(frame.length);
      this.#write(frame);
    }
    this.#flush();
    this.#beginWaiting();
    if (!this.#backedUp && !this.#halfClosed && !this.#over) this.#stream.resume();
  }

  #beginWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let position = 0; position < waiting.length; position++) {
      if (this.#backedUp || this.#over) {
        this.#waiting = waiting.slice(position);
        if (this.#over) this.#abandon();
        return;
      }
      const call = waiting[position]!;
      if (call.deadline_ms !== undefined && Date.now() >= call.deadline_ms) call.fail(NOT_BEGUN_IN_TIME);
      else this.#dispatch(call);
    }
  }

  /** Ends the stream with an error. Answers of the calls that are open go nowhere. */
  #endWith(failure: Failure): void {
    this.#abandon();
    this.#stream.end(failure);
  }

  /** Gives back what nobody will ask for any more. Calls that were begun give theirs back with their answer. */
  #abandon(): void {
    this.#over = true;
    this.#forgetUnread(this.#unreadBytes);
    this.#unread = [];
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) {
      call.answered = true;
      this.#finished(call, CANCELLED);
    }
  }

  #forgetUnread(bytes: number): void {
    if (bytes === 0) return;
    this.#unreadBytes -= bytes;
    this.#options.inFlight.give(this.peer, bytes);
  }

  /** The call is over, whatever becomes of its answer. */
  #finished(call: PipelinedCall, code: number): void {
    this.#open--;
    if (call.heldBytes > 0) this.#options.inFlight.give(this.peer, call.heldBytes);
    call.heldBytes = 0;
    call.meter?.finished(code, (performance.now() - call.began_ms) / 1000);
  }

  #endIfDone(): void {
    if (!(this.#halfClosed || this.#draining) || this.#open > 0 || this.#over) return;
    if (this.#results.length > 0 || this.#unread.length > 0) return;
    this.#over = true;
    this.#stream.end();
  }
}

const NOT_BEGUN_IN_TIME: Failure = {
  reason: ErrorReason.DEADLINE_EXCEEDED,
  message: 'the deadline of the call passed before it was begun: the client did not take its earlier results',
};

function answerTooLarge(bytes: number, maxFrameBytes: number): Failure {
  return {
    reason: ErrorReason.BATCH_TOO_LARGE,
    message: `the answer has ${bytes} bytes, and a frame at most ${maxFrameBytes}; what the call changed stays changed`,
  };
}

function unread(bytes: number, maxUnreadBytes: number): Failure {
  return {
    reason: ErrorReason.OVERLOADED,
    message: `the client left ${bytes} bytes of results unread, of ${maxUnreadBytes} allowed; calls without a result may have been applied`,
  };
}
