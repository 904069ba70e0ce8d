/** Another node's link to this one: what it says is handed on, its calls are answered. */
import type { HeartbeatMessage, HeartbeatResponseMessage, Message } from '../../raft/index.ts';
import { ErrorReason } from '../../services/errors.ts';
import type { Reply } from '../../services/method.ts';
import type { Failure, Outcome } from '../../state/failure.ts';
import { nodeOf } from '../replica-id.ts';
import type { Accepting } from './accepting.ts';
import { type MeasuredResult, measureResult, type NumberedCall } from './forwarded-call.ts';
import { decodeFrame, encodeResults, type IncomingFrame, ITEM_OVERHEAD_BYTES } from './frames.ts';
import { type LinkRefusedError, lateRefusal, malformed, type PeerNode } from './handshake.ts';
import { HeartbeatMemory } from './heartbeats.ts';
import type { LinkContext } from './link-context.ts';
import type { PeerStream } from './peer-stream.ts';
import { AnsweredCall } from './received-call.ts';

/** When a caller that was refused for the load may come back. */
const RETRY_AFTER_MS = 100;

/** Results in one frame; well below what a frame may have (`ITEMS_PER_FRAME_MAX`). */
const RESULTS_PER_FRAME = 16_384;

/** Why calls of a link that is gone are aborted. */
const LINK_GONE: Failure = {
  reason: ErrorReason.CANCELED,
  message: 'the node that passed the call on is gone; a write may still be applied',
};

const GIVEN_UP: Failure = {
  reason: ErrorReason.CANCELED,
  message: 'the caller gave up on the call; a write may still be applied',
};

export class InboundLink {
  readonly peer: PeerNode;
  readonly #stream: PeerStream;
  readonly #context: LinkContext;
  readonly #accepting: Accepting;
  readonly #onClosed: (link: InboundLink) => void;
  readonly #heartbeats = new HeartbeatMemory<HeartbeatMessage>();
  readonly #responses = new HeartbeatMemory<HeartbeatResponseMessage>();
  readonly #calls = new Map<number, AnsweredCall>();
  #results: MeasuredResult[] = [];
  #resultBytes = 0;
  #flush: NodeJS.Immediate | undefined;
  #ending = false;
  #isClosed = false;

  constructor(
    stream: PeerStream,
    peer: PeerNode,
    context: LinkContext,
    accepting: Accepting,
    onClosed: (link: InboundLink) => void,
  ) {
    this.peer = peer;
    this.#stream = stream;
    this.#context = context;
    this.#accepting = accepting;
    this.#onClosed = onClosed;
    stream.listen({
      message: (bytes) => this.#receive(bytes),
      ended: () => this.#end(),
      drained: () => this.#send(),
      closed: () => this.#closed(),
    });
  }

  /** Calls under way. */
  get openCalls(): number {
    return this.#calls.size;
  }

  /** Ends the link; calls under way lose their caller. */
  close(): void {
    this.#stream.end();
    this.#closed();
  }

  /** Ends the link and says why. */
  refuse(why: LinkRefusedError): void {
    this.#accepting.refuse(this.#stream, why);
    this.#closed();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isClosed || this.#ending) return;
    const late = lateRefusal(bytes);
    if (late !== undefined) {
      this.refuse(late);
      return;
    }
    let frame: IncomingFrame;
    let messages: Map<number, Message[]>;
    try {
      frame = decodeFrame(bytes);
      messages = this.#messagesByGroup(frame);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.refuse(malformed(`${this.peer.nodeId} sent garbage: ${error.message}`));
      return;
    }
    this.#context.heard(this.peer.number);
    const { events } = this.#context;
    for (const [group, ofGroup] of messages) {
      this.#context.guard('Raft messages of another node', () => events.onMessages(group, ofGroup));
    }
    const { report } = frame;
    if (report !== undefined) {
      // A copy: a report is kept until the next, and would keep the whole frame.
      const own = new Uint8Array(report);
      const unreadable = this.#takeReport(own);
      if (unreadable !== undefined) {
        this.refuse(malformed(`${this.peer.nodeId} sent garbage: ${unreadable.message}`));
        return;
      }
    }
    for (const id of frame.cancelled) this.#calls.get(id)?.abort(GIVEN_UP);
    for (const call of frame.calls) this.#take(call);
  }

  /** Gives the error of bytes that are no report. */
  #takeReport(report: Uint8Array): RangeError | undefined {
    let unreadable: RangeError | undefined;
    this.#context.guard('a report', () => {
      try {
        this.#context.events.onReport(this.peer.number, report);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        unreadable = error;
      }
    });
    return unreadable;
  }

  /** @throws RangeError when a message is not between the two nodes of the link, or of no group of the cluster */
  #messagesByGroup(frame: IncomingFrame): Map<number, Message[]> {
    const byGroup = new Map<number, Message[]>();
    const { number: self, lastGroup = Number.POSITIVE_INFINITY } = this.#context.self;
    const add = (group: number, message: Message): void => {
      if (nodeOf(message.from) !== this.peer.number || nodeOf(message.to) !== self) {
        throw new RangeError(
          `a message from replica ${message.from} to ${message.to} came over the link of node ${this.peer.number} to ${self}`,
        );
      }
      if (group > lastGroup) {
        throw new RangeError(`a message names group ${group}, and the cluster has groups up to ${lastGroup}`);
      }
      const ofGroup = byGroup.get(group);
      if (ofGroup === undefined) byGroup.set(group, [message]);
      else ofGroup.push(message);
    };
    for (const { group, message } of frame.messages) add(group, message);
    for (const { group, heartbeat } of this.#heartbeats.expand(frame.heartbeats)) add(group, heartbeat);
    for (const { group, heartbeat } of this.#responses.expand(frame.heartbeatResponses)) {
      add(group, heartbeat);
    }
    return byGroup;
  }

  #take({ id, call }: NumberedCall): void {
    const { limits, events } = this.#context;
    if (this.#resultBytes >= limits.maxAnswerBytes || this.#calls.size >= limits.maxCalls) {
      this.#answer(id, {
        reason: ErrorReason.OVERLOADED,
        message: `${this.peer.nodeId} has ${this.#calls.size} calls and ${this.#resultBytes} bytes of answers waiting at ${this.#context.self.nodeId}; nothing was done`,
        retryAfter_ms: RETRY_AFTER_MS,
      });
      return;
    }
    const answered = new AnsweredCall(this.peer.number, call);
    this.#calls.set(id, answered);
    const done = (outcome: Outcome): void => {
      if (this.#calls.get(id) !== answered) return;
      this.#calls.delete(id);
      this.#answer(id, outcome);
      if (this.#ending) this.#endIfAnswered();
    };
    const reply: Reply = { ok: done, fail: done };
    try {
      events.onCall(answered, reply);
    } catch (error) {
      this.#context.reportBug(error, 'a forwarded call');
      done({
        reason: ErrorReason.INTERNAL,
        message: `method ${call.method} failed unexpectedly; the log of ${this.#context.self.nodeId} says why`,
      });
    }
  }

  #answer(id: number, outcome: Outcome): void {
    if (this.#isClosed) return;
    let result = measureResult(id, outcome);
    if (result.bytes + ITEM_OVERHEAD_BYTES > this.#context.limits.maxFrameBytes) {
      result = measureResult(id, {
        reason: ErrorReason.INTERNAL,
        message: `the answer has ${result.bytes} bytes, too many to be passed on`,
      });
    }
    this.#results.push(result);
    this.#resultBytes += result.bytes;
    // Answers of this turn travel together.
    this.#flush ??= setImmediate(() => this.#send());
  }

  /** Sends what is answered, as far as the connection takes it; the rest follows when it has room. */
  #send(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    const { frameBytes } = this.#context.limits;
    while (this.#results.length > 0 && this.#stream.hasRoom && !this.#isClosed) {
      let count = 0;
      let bytes = 0;
      while (count < Math.min(this.#results.length, RESULTS_PER_FRAME)) {
        const next = this.#results[count]!.bytes + ITEM_OVERHEAD_BYTES;
        if (count > 0 && bytes + next > frameBytes) break;
        bytes += next;
        count += 1;
      }
      const results = this.#results.splice(0, count);
      for (const result of results) this.#resultBytes -= result.bytes;
      this.#stream.write(encodeResults(results));
    }
    if (this.#ending) this.#endIfAnswered();
  }

  /** The other side sends no more, or this node drains: what it took is answered, then the stream ends. */
  #end(): void {
    this.#ending = true;
    this.#endIfAnswered();
  }

  #endIfAnswered(): void {
    if (this.#calls.size === 0 && this.#results.length === 0 && !this.#isClosed) this.close();
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearImmediate(this.#flush);
    this.#results = [];
    this.#resultBytes = 0;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.abort(LINK_GONE);
    this.#onClosed(this);
  }
}
