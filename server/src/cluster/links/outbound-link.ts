/** This node's link to one other: dials, shakes hands, sends, and dials again when it is lost. */
import type { Message } from '../../raft/index.ts';
import type { Reply } from '../../services/method.ts';
import { Backoff } from './backoff.ts';
import type { DialledStream } from './dialled-stream.ts';
import type { ForwardedCall } from './forwarded-call.ts';
import { decodeResults, encodeFrame } from './frames.ts';
import {
  dialHandshake,
  LinkLostError,
  LinkRefusedError,
  lateRefusal,
  malformed,
  type PeerNode,
  StreamPurpose,
} from './handshake.ts';
import type { LinkContext } from './link-context.ts';
import { LinkQueue } from './link-queue.ts';
import type { NodeLocation } from './options.ts';
import { PeerChannel, type PeerMethod } from './peer-channel.ts';
import { type CallHandle, notSentFailure, PendingCalls } from './pending-calls.ts';

/** How long a refused node may take to read why. */
const REFUSAL_LINGER_MS = 1_000;

/** A try that takes longer while the other node is known to be up: its first packets were lost, or sent to another network. */
const HANGING_DIAL_MS = 1_000;

/** A link that is up. */
interface OpenLink {
  readonly channel: PeerChannel;
  readonly stream: DialledStream;
  readonly queue: LinkQueue;
  readonly calls: PendingCalls;
}

/** A frame without anything in it. */
const NOTHING = Buffer.alloc(0);

const NOTHING_TO_CANCEL: CallHandle = { cancel: () => {} };

export class OutboundLink {
  readonly number: number;
  readonly target: NodeLocation;
  readonly #context: LinkContext;
  readonly #backoff: Backoff;
  /** What is to be closed while the link is not up. */
  #dialling: PeerChannel | undefined;
  #open: OpenLink | undefined;
  #dialledAt_ms = 0;
  #retry: NodeJS.Timeout | undefined;
  #flush: NodeJS.Immediate | undefined;
  #upSince_ms = 0;
  /** Something was sent since the last pulse. */
  #hasSent = false;
  #why = 'it has not been reached yet';
  #isClosed = false;

  constructor(number: number, target: NodeLocation, context: LinkContext) {
    this.number = number;
    this.target = target;
    this.#context = context;
    const { reconnectMin_ms, reconnectMax_ms } = context.limits;
    this.#backoff = new Backoff(reconnectMin_ms, reconnectMax_ms, context.random);
    this.#dial();
  }

  get isUp(): boolean {
    return this.#open !== undefined;
  }

  /** Why the link is not up. */
  get why(): string {
    return this.#why;
  }

  /** Calls that were passed on and are not answered. */
  get openCalls(): number {
    return this.#open?.calls.size ?? 0;
  }

  /** Queues a Raft message; dropped while the link is not up. */
  send(group: number, message: Message): void {
    this.#open?.queue.addMessage(group, message);
  }

  call(call: ForwardedCall, reply: Reply): CallHandle {
    if (this.#open === undefined) {
      reply.fail(notSentFailure(this.target.nodeId, this.#why));
      return NOTHING_TO_CANCEL;
    }
    const pending = this.#open.calls.take(call, reply);
    if (pending === undefined) return NOTHING_TO_CANCEL;
    this.#open.queue.addCall(pending);
    this.#flushSoon();
    return pending;
  }

  report(report: Uint8Array): void {
    if (this.#open === undefined) return;
    this.#open.queue.setReport(report);
    this.flush();
  }

  /** Sends what waits, as far as the connection takes it; the rest follows when it has room. */
  flush(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    if (this.#open === undefined) return;
    const { stream, queue } = this.#open;
    while (stream.hasRoom) {
      const frame = queue.take();
      if (frame === undefined) return;
      stream.write(encodeFrame(frame));
      this.#hasSent = true;
    }
  }

  /** Lets the other node hear of this one, with a frame that says nothing; not where it has heard since the last pulse. */
  pulse(): void {
    if (this.#open === undefined) return;
    const { stream } = this.#open;
    if (!this.#hasSent && stream.hasRoom) stream.write(NOTHING);
    this.#hasSent = false;
  }

  /** Another stream on the link's connection; undefined while the link is not up. */
  openStream(method: PeerMethod): DialledStream | undefined {
    return this.#open?.channel.open(method);
  }

  /** The other node is up, as it has just shown: a try that is due later is made now, and one that hangs is made anew. */
  dialNow(): void {
    if (this.#isClosed || this.isUp) return;
    if (this.#retry !== undefined) clearTimeout(this.#retry);
    else if (this.#context.monotonic() - this.#dialledAt_ms < HANGING_DIAL_MS) return;
    this.#abandonDial('the other node was reached anew');
    this.#dial();
  }

  close(why: string): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#down(new LinkLostError(why));
    this.#abandonDial(why);
  }

  /** Nothing more is heard of a try that is under way. */
  #abandonDial(why: string): void {
    const channel = this.#dialling;
    this.#dialling = undefined;
    channel?.close(new LinkLostError(why));
  }

  /** Calls of this turn travel together: those of one turn's input are all there when its check phase comes. */
  #flushSoon(): void {
    this.#flush ??= setImmediate(() => this.flush());
  }

  #dial(): void {
    this.#retry = undefined;
    const { self, secret, limits } = this.#context;
    const channel = this.#openChannel();
    if (channel === undefined) return;
    this.#dialling = channel;
    this.#dialledAt_ms = this.#context.monotonic();
    const stream = channel.open('link');
    const options = {
      self,
      secret,
      purpose: StreamPurpose.LINK,
      target: { number: this.number, nodeId: this.target.nodeId },
      timeout_ms: limits.handshakeTimeout_ms,
      onLeft: () => this.#context.guard('having left', () => this.#context.events.onLeft?.()),
    };
    dialHandshake(stream, options, (outcome) => {
      if (this.#dialling !== channel) return;
      this.#dialling = undefined;
      if (outcome instanceof Error) {
        closeAfterRefusal(channel, stream, outcome);
        this.#failed(outcome);
      } else this.#up(channel, stream, outcome);
    });
  }

  /** Undefined when the address cannot be one, which a new try later does not mend, but a new address does. */
  #openChannel(): PeerChannel | undefined {
    try {
      return new PeerChannel(this.target.address, this.#context.tls, this.#context.limits);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#failed(new LinkLostError(`${this.target.address} cannot be dialled: ${why}`, { cause: error }));
      return undefined;
    }
  }

  #up(channel: PeerChannel, stream: DialledStream, peer: PeerNode): void {
    const { limits, monotonic, logger } = this.#context;
    const queue = new LinkQueue(limits);
    const calls = new PendingCalls({
      limits,
      nodeId: this.target.nodeId,
      monotonic,
      onGivenUp: (id) => {
        queue.addCancelled(id);
        this.#flushSoon();
      },
    });
    this.#open = { channel, stream, queue, calls };
    this.#upSince_ms = monotonic();
    this.#context.refusals.forget(this.#logKey);
    stream.listen({
      message: (bytes) => this.#receive(bytes, calls),
      ended: () => this.#lost(new LinkLostError(`${this.target.nodeId} ended the link`)),
      drained: () => this.flush(),
      closed: (why) =>
        this.#lost(new LinkLostError(why?.message ?? `${this.target.nodeId} ended the link`, { cause: why })),
    });
    logger.info({ node: this.target.nodeId, version: peer.version }, 'linked to another node');
    this.#context.heard(this.number);
    this.#context.linkChanged(this.number, true);
    const report = this.#context.newestReport();
    if (report !== undefined) this.report(report);
  }

  #receive(bytes: Uint8Array, calls: PendingCalls): void {
    if (!this.isUp) return;
    const refusal = lateRefusal(bytes);
    if (refusal !== undefined) {
      this.#lost(refusal);
      return;
    }
    let results: ReturnType<typeof decodeResults>;
    try {
      results = decodeResults(bytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#lost(malformed(`${this.target.nodeId} sent garbage: ${error.message}`));
      return;
    }
    this.#context.heard(this.number);
    for (const { id, outcome } of results) {
      this.#context.guard('the answer of a forwarded call', () => calls.answer(id, outcome));
    }
  }

  #lost(why: LinkLostError | LinkRefusedError): void {
    if (this.#open === undefined) return;
    const { monotonic, limits } = this.#context;
    // Only a link that held is a success: one that is lost as soon as it is up must not be tried without a pause.
    if (monotonic() - this.#upSince_ms >= limits.reconnectMax_ms) this.#backoff.reset();
    this.#down(why);
    if (!this.#isClosed) this.#failed(why);
  }

  #down(why: LinkLostError | LinkRefusedError): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#why = why.message;
    clearImmediate(this.#flush);
    this.#flush = undefined;
    closeAfterRefusal(open.channel, open.stream, why);
    this.#context.guard('the end of forwarded calls', () => open.calls.failAll(why.message));
    this.#context.linkChanged(this.number, false);
  }

  get #logKey(): string {
    return `to ${this.target.nodeId}`;
  }

  /** Tries again after a while. Says so once for every new reason, not for every try. */
  #failed(why: LinkLostError | LinkRefusedError): void {
    const wait_ms = this.#backoff.next_ms();
    this.#why = why.message;
    this.#context.refusals.log(
      this.#logKey,
      why,
      { node: this.target.nodeId, address: this.target.address },
      'no link to another node',
    );
    this.#retry = setTimeout(() => this.#dial(), wait_ms);
    this.#retry.unref();
  }
}

/** A node that is refused by this one is left the time to read why; any other connection is closed at once. */
export function closeAfterRefusal(channel: PeerChannel, stream: DialledStream, why: Error): void {
  if (stream.isClosed || !(why instanceof LinkRefusedError && why.byUs)) {
    channel.close(why);
    return;
  }
  const linger = setTimeout(() => channel.close(why), REFUSAL_LINGER_MS);
  linger.unref();
  stream.listen({
    message: () => {},
    ended: () => {},
    drained: () => {},
    closed: () => {
      clearTimeout(linger);
      channel.close(why);
    },
  });
  stream.end();
}
