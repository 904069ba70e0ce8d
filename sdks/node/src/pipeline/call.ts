/** One call on its way through the pipeline. */
import type { GomsgError } from '../errors.ts';
import type { Timed } from './deadlines.ts';
import type { OutgoingCall } from './frames.ts';
import type { Lane } from './lane.ts';
import type { PipelineMethod } from './method.ts';
import type { WriteSession } from './session.ts';

/** What a call holds beside its payload, roughly; so that many small calls are bounded by bytes too. */
export const CALL_OVERHEAD_BYTES = 256;

const NO_BYTES = new Uint8Array(0);

/** Takes the answer of a call: the response as a view into a frame, or the failure. Exactly one of them, once. */
export interface CallListener {
  answered(response: Uint8Array): void;
  failed(error: GomsgError): void;
}

/** A call in one object: hundreds of thousands a second are made. */
export class Call implements Timed<Call>, OutgoingCall {
  readonly method: PipelineMethod;
  readonly listener: CallListener;
  readonly timeout_ms: number;
  readonly deadline_ms: number;
  earlier: Call | undefined = undefined;
  later: Call | undefined = undefined;
  payload: Uint8Array;
  /** What it counts for in the bounds, until its last trace is gone. */
  readonly heldBytes: number;
  /** Its name in the stream; 0 until it is first sent. */
  callId = 0;
  session: WriteSession | undefined = undefined;
  /** Its position in the session; 0 = in none. */
  sequence = 0;
  /** Set for each sending. */
  remaining_ms = 0;
  /** How often it went out. */
  sends = 0;
  /** Its listener was told; the server's answer, if one comes, is of no use any more. */
  settled = false;
  /** It counts in the bounds on calls in flight. */
  admitted = false;
  /** Made by the client for its own sake. */
  internal = false;
  /** The name whose slot decides where it goes; undefined = any node. */
  readonly route: string | undefined;
  /** The way on which it is, once it is on one. */
  lane: Lane | undefined = undefined;
  /** The line that it stands in; undefined while it is out, its answer awaited. */
  line: Set<Call> | undefined = undefined;
  retryTimer: NodeJS.Timeout | undefined = undefined;
  signal: AbortSignal | undefined = undefined;
  onAbort: (() => void) | undefined = undefined;

  constructor(
    method: PipelineMethod,
    payload: Uint8Array,
    timeout_ms: number,
    listener: CallListener,
    route?: string,
  ) {
    this.method = method;
    this.payload = payload;
    this.heldBytes = payload.length + CALL_OVERHEAD_BYTES;
    this.timeout_ms = timeout_ms;
    this.deadline_ms = performance.now() + timeout_ms;
    this.listener = listener;
    this.route = route;
  }

  get methodNumber(): number {
    return this.method.number;
  }

  /** The server may know the call already. */
  get retry(): boolean {
    return this.sends > 0;
  }

  /** A write of which nobody can say that it did not happen. */
  get mayBeApplied(): boolean {
    return this.method.isWrite && this.sends > 0;
  }

  /** Sending it again cannot apply it twice. */
  get isRepeatable(): boolean {
    return this.method.isIdempotent || this.sequence > 0;
  }

  /** Lets go of what only sending needs. */
  dropPayload(): void {
    this.payload = NO_BYTES;
  }

  /** Leaves the line that it stands in, if any, for another. */
  moveTo(line: Set<Call> | undefined): void {
    this.line?.delete(this);
    this.line = line;
    line?.add(this);
  }
}
