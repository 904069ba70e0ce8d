/** All links of a node: to every other node and from every other node. See `README.md`. */
import { PeerService } from '../../gen/gomsg/internal/v1/peer_pb.js';
import type { Peers, ReplicaAddress } from '../../groups/peers.ts';
import type { Message, SnapshotMessage } from '../../raft/index.ts';
import { ErrorReason, GomsgError } from '../../services/errors.ts';
import type { BidiStreamingMethod, Method, Reply } from '../../services/method.ts';
import { nodeOf } from '../replica-id.ts';
import { Accepting, type Opened } from './accepting.ts';
import type { DialledStream } from './dialled-stream.ts';
import type { ForwardedCall } from './forwarded-call.ts';
import { StreamPurpose } from './handshake.ts';
import { InboundLink } from './inbound-link.ts';
import { JoinAcceptor } from './join-acceptor.ts';
import type { LinkContext } from './link-context.ts';
import { LINK_DEFAULTS, type LinkLimits, type LinkOptions } from './options.ts';
import { OutboundLink } from './outbound-link.ts';
import type { PeerMethod } from './peer-channel.ts';
import { type CallHandle, notSentFailure } from './pending-calls.ts';
import { RefusalLog } from './refusal-log.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import { SnapshotNotTakenError, sendSnapshot } from './snapshot-sender.ts';
import { StreamAnswerer } from './stream-answerer.ts';
import { callStream } from './stream-caller.ts';

/** The same reason of the same peer is logged again after this long. */
const REFUSAL_LOG_INTERVAL_MS = 60_000;

/** Largest report: some hundred bytes for each of 1,024 groups are far below. */
export const REPORT_BYTES_MAX = 1024 * 1024;

/** PeerService has no numbers: the pipeline cannot name it. */
const NO_NUMBER = 0;

const NOTHING_TO_CANCEL: CallHandle = { cancel: () => {} };

export class PeerLinks implements Peers {
  readonly #context: LinkContext;
  readonly #limits: LinkLimits;
  readonly #accepting: Accepting;
  readonly #outbound = new Map<number, OutboundLink>();
  readonly #inbound = new Map<number, InboundLink>();
  readonly #heard = new Map<number, number>();
  readonly #streams: StreamAnswerer;
  readonly #methods: Method[];
  readonly #forwardedStreams = new Map<number, number>();
  #report: Uint8Array | undefined;
  #snapshotsSent = 0;
  #isClosed = false;

  constructor(options: LinkOptions) {
    const monotonic = options.monotonic ?? (() => performance.now());
    this.#limits = { ...LINK_DEFAULTS, ...options.limits };
    this.#context = {
      self: options.self,
      secret: options.secret,
      tls: options.tls,
      limits: this.#limits,
      events: options.events,
      logger: options.logger,
      refusals: new RefusalLog(options.logger, REFUSAL_LOG_INTERVAL_MS, monotonic),
      reportBug: options.reportBug,
      locate: options.locate,
      hasLeft: options.hasLeft ?? (() => false),
      monotonic,
      random: options.random ?? Math.random,
      heard: (node) => void this.#heard.set(node, monotonic()),
      linkChanged: (node, up) =>
        this.#guard('a change of a link', () => options.events.onLinkChange?.(node, up)),
      newestReport: () => this.#report,
      guard: (where, action) => this.#guard(where, action),
    };
    this.#accepting = new Accepting(this.#context);
    this.#streams = new StreamAnswerer(this.#context, this.#accepting);
    this.#methods = this.#makeMethods();
  }

  /** PeerService, to be mounted on the node's port. */
  methods(): readonly Method[] {
    return this.#methods;
  }

  /**
   * The nodes to be linked to, at the addresses that `locate` gives; the node itself is passed over. To be called
   * whenever members or addresses change: links to others than these end, those from nodes that are no members too.
   */
  setNodes(numbers: Iterable<number>): void {
    if (this.#isClosed) return;
    const wanted = new Set(numbers);
    wanted.delete(this.#context.self.number);
    for (const [number, link] of this.#outbound) {
      const location = this.#context.locate(number);
      const isSame =
        wanted.has(number) &&
        location?.nodeId === link.target.nodeId &&
        location.address === link.target.address;
      if (isSame) continue;
      this.#outbound.delete(number);
      link.close(`${link.target.nodeId} is no member any more, or has moved`);
    }
    for (const number of wanted) {
      const location = this.#context.locate(number);
      if (location === undefined || this.#outbound.has(number)) continue;
      this.#outbound.set(number, new OutboundLink(number, location, this.#context));
    }
    for (const [number, link] of this.#inbound) {
      if (this.#context.locate(number)?.nodeId !== link.peer.nodeId) link.close();
    }
    for (const number of this.#heard.keys()) {
      if (this.#context.locate(number) === undefined) this.#heard.delete(number);
    }
  }

  /** Whether calls can be passed on to the node now. */
  isLinked(node: number): boolean {
    return this.#outbound.get(node)?.isUp ?? false;
  }

  /** Why there is no link to the node; undefined while there is one, or while it is no member. */
  whyDown(node: number): string | undefined {
    const link = this.#outbound.get(node);
    return link === undefined || link.isUp ? undefined : link.why;
  }

  /** Reading of the monotonic clock when anything last came from the node; undefined = never. */
  lastHeard_ms(node: number): number | undefined {
    return this.#heard.get(node);
  }

  silence_ms(node: number): number {
    return this.#context.monotonic() - (this.lastHeard_ms(node) ?? Number.NEGATIVE_INFINITY);
  }

  /**
   * Ends what nodes passed on that were silent for as long as it takes to give up a link to them: calls that wait, as their
   * answers would go nowhere, and streams, whose places others may want. The port would notice much later. To be called
   * now and then.
   */
  endSilent(): void {
    const { keepaliveInterval_ms, keepaliveTimeout_ms } = this.#limits;
    for (const node of this.#heard.keys()) {
      if (this.silence_ms(node) < keepaliveInterval_ms + keepaliveTimeout_ms) continue;
      this.#inbound.get(node)?.close();
      this.#streams.endAllOf(node);
    }
  }

  pulse(): void {
    for (const link of this.#outbound.values()) link.pulse();
  }

  addressOf(replicaId: number): ReplicaAddress | undefined {
    return this.#context.locate(nodeOf(replicaId));
  }

  send(group: number, message: Message): void {
    this.#outbound.get(nodeOf(message.to))?.send(group, message);
  }

  flush(): void {
    for (const link of this.#outbound.values()) link.flush();
  }

  /**
   * Passes a unary call on. The reply gets the other node's answer, or NOT_LEADER or OVERLOADED when nothing was sent,
   * NO_QUORUM when the link was lost with the call under way, DEADLINE_EXCEEDED; it may get it at once.
   */
  call(node: number, call: ForwardedCall, reply: Reply): CallHandle {
    const link = this.#outbound.get(node);
    if (link !== undefined) return link.call(call, reply);
    reply.fail(notSentFailure(this.#nameOf(node), 'it is no member'));
    return NOTHING_TO_CANCEL;
  }

  /** Passes a server-streaming call on, when it is first pulled. Fails as `callStream` says. */
  stream(node: number, call: ForwardedCall): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => this.#stream(node, call) };
  }

  /**
   * Tells all nodes, and those that are linked later; the newest replaces the one before.
   * @throws RangeError for a report larger than `REPORT_BYTES_MAX`
   */
  report(report: Uint8Array): void {
    if (report.length > REPORT_BYTES_MAX) {
      throw new RangeError(`a report has at most ${REPORT_BYTES_MAX} bytes, not ${report.length}`);
    }
    this.#report = report;
    for (const link of this.#outbound.values()) link.report(report);
  }

  /** Rejects with SnapshotNotTakenError. */
  async sendSnapshot(
    group: number,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const number = nodeOf(message.to);
    if (this.#snapshotsSent >= this.#limits.maxSnapshots) {
      throw new SnapshotNotTakenError(`${this.#snapshotsSent} snapshots are being sent already; try again`);
    }
    const link = this.#outbound.get(number);
    const stream = link?.openStream('installSnapshot');
    if (link === undefined || stream === undefined) {
      throw new SnapshotNotTakenError(
        `there is no link to ${this.#nameOf(number)}: ${link?.why ?? 'it is no member'}`,
      );
    }
    this.#snapshotsSent += 1;
    try {
      const target = { ...link.target, number };
      await sendSnapshot(stream, target, this.#context, group, message, chunks, signal);
    } finally {
      this.#snapshotsSent -= 1;
    }
  }

  /** What is open now, for figures and tests. */
  get open(): {
    readonly links: number;
    /** Unary calls that were passed on and are not answered. */
    readonly calls: number;
    readonly acceptedStreams: number;
    readonly forwardedStreams: number;
    readonly snapshots: number;
  } {
    let links = 0;
    let calls = 0;
    for (const link of this.#outbound.values()) {
      if (link.isUp) links += 1;
      calls += link.openCalls;
    }
    let forwardedStreams = 0;
    for (const count of this.#forwardedStreams.values()) forwardedStreams += count;
    return {
      links,
      calls,
      acceptedStreams: this.#accepting.openStreams,
      forwardedStreams,
      snapshots: this.#snapshotsSent,
    };
  }

  /** Ends all links, both ways. Calls under way fail, and none is taken any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const links = [...this.#outbound.values()];
    this.#outbound.clear();
    for (const link of links) link.close('this node is shutting down');
    for (const link of [...this.#inbound.values()]) link.close();
    this.#accepting.close();
  }

  #stream(node: number, call: ForwardedCall): AsyncIterator<Uint8Array> {
    const link = this.#outbound.get(node);
    const open = this.#forwardedStreams.get(node) ?? 0;
    if (open >= this.#limits.maxForwardedStreams) {
      throw new GomsgError({
        reason: ErrorReason.OVERLOADED,
        message: `${open} streams are passed on to ${this.#nameOf(node)} already; nothing was sent`,
      });
    }
    const stream: DialledStream | undefined = link?.openStream('forward');
    if (link === undefined || stream === undefined) {
      throw new GomsgError(notSentFailure(this.#nameOf(node), link?.why ?? 'it is no member'));
    }
    this.#forwardedStreams.set(node, open + 1);
    stream.onceClosed(() => {
      const left = (this.#forwardedStreams.get(node) ?? 1) - 1;
      if (left === 0) this.#forwardedStreams.delete(node);
      else this.#forwardedStreams.set(node, left);
    });
    return callStream(stream, { ...link.target, number: node }, this.#context, call);
  }

  #nameOf(node: number): string {
    return this.#context.locate(node)?.nodeId ?? `node number ${node}`;
  }

  #guard(where: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#context.reportBug(error, where);
    }
  }

  #makeMethods(): Method[] {
    const snapshots = new SnapshotReceiver(this.#context, this.#accepting);
    const joins = new JoinAcceptor(this.#context, this.#accepting);
    return [
      this.#method('link', StreamPurpose.LINK, (stream, peer) => {
        // The newest link of a node is the one it uses: of the one before it has not noticed the end yet, or we have not.
        this.#inbound.get(peer.number)?.close();
        const link = new InboundLink(stream, peer, this.#context, this.#accepting, (closed) => {
          if (this.#inbound.get(peer.number) === closed) this.#inbound.delete(peer.number);
        });
        this.#inbound.set(peer.number, link);
        this.#outbound.get(peer.number)?.dialNow();
      }),
      this.#method('installSnapshot', StreamPurpose.SNAPSHOT, (stream, peer) =>
        snapshots.opened(stream, peer),
      ),
      this.#method('forward', StreamPurpose.FORWARD, (stream, peer) => this.#streams.opened(stream, peer)),
      this.#method('join', StreamPurpose.JOIN, (stream, peer) => joins.opened(stream, peer)),
    ];
  }

  #method(name: PeerMethod, purpose: StreamPurpose, opened: Opened): BidiStreamingMethod {
    return {
      kind: 'bidi_streaming',
      desc: PeerService.method[name],
      number: NO_NUMBER,
      receiveWindowBytes: this.#limits.receiveWindowBytes,
      handle: (duplex, call) => this.#accepting.accept(duplex, call, purpose, opened),
    };
  }
}
