/** Calls on their way out and the calls that are out: gathers a turn's calls into frames and knows each by its id. */
import type { Call } from './call.ts';
import { CALL_ENVELOPE_BYTES_MAX, encodeFrame, FRAME_ENVELOPE_BYTES_MAX } from './frames.ts';
import type { WriteSession } from './session.ts';

/** Calls of a frame are gathered up to about this size; a single larger call has a frame of its own. */
const FRAME_BYTES = 1024 * 1024;

const LAST_CALL_ID = 0xffff_ffff;

/** What frames are written to. */
export interface FrameSink {
  /** A frame may be written now. */
  readonly writable: boolean;
  write(frame: Buffer): void;
  /** There is something to write: a connection is to be made if there is none. */
  want(): void;
}

export class Outbox {
  readonly #sink: FrameSink;
  readonly #place: (call: Call, now_ms: number) => boolean;
  /** Calls for the next frame. */
  #ready = new Set<Call>();
  /** Calls that the server has, by id; also those that nobody waits for any more. */
  readonly #sent = new Map<number, Call>();
  readonly #flush = () => this.flush();
  /** Epoch of the slot map by which calls go where they go; 0 = of none. */
  topologyEpoch = 0;
  #flushDue = false;
  #lastCallId = 0;

  /** `place` is asked of every write before it goes; false when it has moved the call to another line. */
  constructor(sink: FrameSink, place: (call: Call, now_ms: number) => boolean) {
    this.#sink = sink;
    this.#place = place;
  }

  /** All calls that are in here. */
  get calls(): Call[] {
    return [...this.#sent.values(), ...this.#ready];
  }

  /** Lets a call go with the others of this turn of the event loop. */
  enqueue(call: Call): void {
    call.moveTo(this.#ready);
    if (!this.#flushDue) {
      // Runs after all that this turn still does: its calls share a frame.
      this.#flushDue = true;
      setImmediate(this.#flush);
    }
  }

  /** Sends what is ready, as far as the connection takes it. */
  flush(): void {
    this.#flushDue = false;
    if (this.#ready.size === 0) return;
    this.#sink.want();
    if (!this.#sink.writable) return;
    const now_ms = performance.now();
    let calls: Call[] = [];
    let bytes = FRAME_ENVELOPE_BYTES_MAX;
    let session: WriteSession | undefined;
    for (const call of this.#ready) {
      if (call.method.isWrite && !this.#place(call, now_ms)) continue;
      const size = call.payload.length + CALL_ENVELOPE_BYTES_MAX;
      const otherSession = session !== undefined && call.session !== undefined && call.session !== session;
      if (calls.length > 0 && (otherSession || bytes + size > FRAME_BYTES)) {
        this.#send(session, calls);
        calls = [];
        bytes = FRAME_ENVELOPE_BYTES_MAX;
        session = undefined;
        if (!this.#sink.writable) return;
      }
      session ??= call.session;
      bytes += size;
      // At least 1: 0 says that the caller waits for ever.
      call.remaining_ms = Math.max(1, Math.round(call.deadline_ms - now_ms));
      calls.push(call);
    }
    if (calls.length > 0) this.#send(session, calls);
  }

  /** True while the server has the call, or may have it. */
  isOut(call: Call): boolean {
    return this.#sent.get(call.callId) === call;
  }

  /** The call of an answer, which is out no more; undefined when there is none of that id. */
  takeAnswered(callId: number): Call | undefined {
    const call = this.#sent.get(callId);
    this.#sent.delete(callId);
    return call;
  }

  /** The calls whose answers were lost with the connection, the first sent first. They are out no more. */
  takeLost(): Call[] {
    const calls = [...this.#sent.values()];
    this.#sent.clear();
    return calls;
  }

  /** Takes out the calls that have not been sent. */
  takeReady(): Call[] {
    const calls = [...this.#ready];
    for (const call of calls) call.moveTo(undefined);
    return calls;
  }

  /** Puts calls before all that are ready. */
  enqueueFirst(calls: readonly Call[]): void {
    const behind = this.#ready;
    this.#ready = new Set();
    for (const call of calls) call.moveTo(this.#ready);
    for (const call of behind) {
      call.line = this.#ready;
      this.#ready.add(call);
    }
    if (this.#ready.size > 0) this.#sink.want();
  }

  #send(session: WriteSession | undefined, calls: readonly Call[]): void {
    for (const call of calls) {
      call.callId = this.#freeCallId();
      call.moveTo(undefined);
      this.#sent.set(call.callId, call);
    }
    this.#sink.write(encodeFrame(session?.id ?? 0n, session?.answeredBelow ?? 0, calls, this.topologyEpoch));
    for (const call of calls) call.sends += 1;
  }

  #freeCallId(): number {
    do this.#lastCallId = this.#lastCallId === LAST_CALL_ID ? 1 : this.#lastCallId + 1;
    while (this.#sent.has(this.#lastCallId));
    return this.#lastCallId;
  }
}
