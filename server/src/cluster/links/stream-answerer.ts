/** Answers server-streaming calls that other nodes pass on. */
import { ErrorReason } from '../../services/errors.ts';
import type { Failure } from '../../state/failure.ts';
import { DRAINING, stopProducer, toFailure } from '../../transport/failures.ts';
import { type Accepting, refused } from './accepting.ts';
import { decodeStreamCall, encodeStreamEnd, encodeStreamMessages } from './forward-codec.ts';
import type { ForwardedCall } from './forwarded-call.ts';
import { ITEM_OVERHEAD_BYTES } from './frames.ts';
import { malformed, type PeerNode, RefusalReason } from './handshake.ts';
import type { LinkContext } from './link-context.ts';
import type { PeerStream } from './peer-stream.ts';
import { AnsweredCall } from './received-call.ts';

/** Responses are gathered for one turn, or until they have this size. */
const GATHERED_BYTES_MAX = 64 * 1024;

const WHERE = 'a forwarded stream';

const CALLER_GONE: Failure = { reason: ErrorReason.CANCELED, message: 'the caller gave up on the call' };

export class StreamAnswerer {
  readonly #context: LinkContext;
  readonly #accepting: Accepting;
  /** What ends each, by the node that passed it on. */
  readonly #byCaller = new Map<number, Set<() => void>>();

  constructor(context: LinkContext, accepting: Accepting) {
    this.#context = context;
    this.#accepting = accepting;
  }

  /** Ends what is answered to a node that reads no more. */
  endAllOf(node: number): void {
    for (const end of [...(this.#byCaller.get(node) ?? [])]) end();
  }

  opened(stream: PeerStream, peer: PeerNode): void {
    const ends = this.#byCaller.get(peer.number) ?? new Set();
    if (ends.size >= this.#context.limits.maxForwardedStreams) {
      const why = `${this.#context.self.nodeId} answers as many streams of ${peer.nodeId} as it may`;
      this.#accepting.refuse(stream, refused(RefusalReason.BUSY, why));
      return;
    }
    let answer: Answer | undefined;
    const end = (): void => {
      answer?.stop();
      stream.end();
    };
    this.#byCaller.set(peer.number, ends.add(end));
    stream.listen({
      message: (bytes) => {
        if (answer !== undefined) return;
        let call: ForwardedCall;
        try {
          call = decodeStreamCall(bytes);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          this.#accepting.refuse(stream, malformed(`${peer.nodeId} sent garbage: ${error.message}`));
          return;
        }
        answer = new Answer(stream, new AnsweredCall(peer.number, call), this.#context);
        void answer.run();
      },
      // The caller does not half-close: this node's port drains.
      ended: () => {
        if (answer === undefined) stream.end();
        else answer.drain();
      },
      drained: () => answer?.drained(),
      closed: () => {
        ends.delete(end);
        if (ends.size === 0 && this.#byCaller.get(peer.number) === ends) this.#byCaller.delete(peer.number);
        answer?.stop();
      },
    });
  }
}

class Answer {
  readonly #stream: PeerStream;
  readonly #call: AnsweredCall;
  readonly #context: LinkContext;
  #messages: AsyncIterator<Uint8Array> | undefined;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #flush: NodeJS.Immediate | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #isOver = false;

  constructor(stream: PeerStream, call: AnsweredCall, context: LinkContext) {
    this.#stream = stream;
    this.#call = call;
    this.#context = context;
  }

  /** Runs until the responses end or the caller goes away. Never rejects. */
  async run(): Promise<void> {
    try {
      const messages = this.#context.events.onStream(this.#call)[Symbol.asyncIterator]();
      this.#messages = messages;
      while (!this.#isOver) {
        const next = await messages.next();
        if (this.#isOver) return;
        if (next.done) {
          this.#finish(undefined);
          return;
        }
        this.#send(next.value);
        if (!this.#stream.hasRoom) await this.#untilRoom();
      }
    } catch (error) {
      // How the producer takes being stopped, often by its own abort error, is of no interest to anyone.
      if (!this.#isOver) this.#finish(toFailure(error, WHERE, this.#context.reportBug));
    }
  }

  drained(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  drain(): void {
    if (this.#isOver) return;
    this.#finish(DRAINING);
    this.#stopProducer(DRAINING);
  }

  /** The caller is gone. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearImmediate(this.#flush);
    this.#gathered = [];
    this.#stopProducer(CALLER_GONE);
  }

  #stopProducer(why: Failure): void {
    this.drained();
    this.#call.abort(why);
    if (this.#messages !== undefined) stopProducer(this.#messages, WHERE, this.#context.reportBug);
  }

  #send(message: Uint8Array): void {
    this.#gathered.push(message);
    this.#gatheredBytes += message.length + ITEM_OVERHEAD_BYTES;
    if (this.#gatheredBytes >= GATHERED_BYTES_MAX) this.#write();
    else this.#flush ??= setImmediate(() => this.#write());
  }

  #write(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    if (this.#gathered.length === 0) return;
    this.#stream.write(encodeStreamMessages(this.#gathered));
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }

  #finish(failure: Failure | undefined): void {
    this.#write();
    this.#isOver = true;
    this.#stream.write(encodeStreamEnd(failure));
    this.#stream.end();
  }

  #untilRoom(): Promise<void> {
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }
}
