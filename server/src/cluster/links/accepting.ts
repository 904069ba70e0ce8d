/** Streams that other nodes open on this node's port: trusted first, then handed on. */
import type { CallContext, DuplexStream } from '../../services/method.ts';
import {
  acceptHandshake,
  LinkRefusedError,
  type PeerNode,
  RefusalReason,
  refuse,
  type StreamPurpose,
} from './handshake.ts';
import type { LinkContext } from './link-context.ts';
import type { ForeignMember } from './options.ts';
import { AcceptedStream, type PeerStream } from './peer-stream.ts';

/** Gives a stream its listener, before it returns. */
export type Opened = (stream: PeerStream, peer: PeerNode) => void;

export class Accepting {
  readonly #context: LinkContext;
  readonly #streams = new Set<PeerStream>();
  #inHandshake = 0;
  #isClosed = false;

  constructor(context: LinkContext) {
    this.#context = context;
  }

  /** Streams that are open, those in their handshake included. */
  get openStreams(): number {
    return this.#streams.size;
  }

  accept(duplex: DuplexStream, call: CallContext, purpose: StreamPurpose, opened: Opened): void {
    const { self, secret, limits, events } = this.#context;
    const stream = new AcceptedStream(duplex, call.peer);
    this.#streams.add(stream);
    duplex.onClose(() => this.#streams.delete(stream));
    if (this.#isClosed || this.#inHandshake >= limits.maxHandshakes) {
      const why = this.#isClosed
        ? refused(RefusalReason.CLOSED, 'the node is shutting down')
        : refused(RefusalReason.BUSY, 'too many nodes shake hands at once');
      this.refuse(stream, why);
      return;
    }
    this.#inHandshake += 1;
    const options = {
      self,
      secret,
      purpose,
      memberId: (number: number) => this.#context.locate(number)?.nodeId,
      hasLeft: (number: number, nodeId: string) => this.#context.hasLeft(number, nodeId),
      timeout_ms: limits.handshakeTimeout_ms,
      onForeignMember: (member: ForeignMember) =>
        this.#context.guard('a node of another cluster', () => events.onForeignMember?.(member)),
    };
    acceptHandshake(stream, options, (outcome) => {
      this.#inHandshake -= 1;
      if (!(outcome instanceof Error)) {
        if (outcome.number !== 0) this.#context.heard(outcome.number);
        opened(stream, outcome);
        return;
      }
      if (!stream.isClosed) stream.end();
      this.#log(stream, outcome);
    });
  }

  /** Ends a stream and says why, to the other side and to the log. */
  refuse(stream: PeerStream, why: LinkRefusedError): void {
    refuse(stream, why);
    this.#log(stream, why);
  }

  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams) stream.end();
  }

  #log(stream: PeerStream, why: Error): void {
    // Without the port, which is another on every try.
    const host = stream.peer.slice(0, stream.peer.lastIndexOf(':'));
    this.#context.refusals.log(`from ${host}`, why, { peer: stream.peer }, 'refused another node');
  }
}

export function refused(reason: RefusalReason, message: string): LinkRefusedError {
  return new LinkRefusedError(reason, message, true);
}
