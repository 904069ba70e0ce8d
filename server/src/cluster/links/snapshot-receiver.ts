/** Takes a snapshot that a replica on another node gives. */
import { nodeOf } from '../replica-id.ts';
import { type Accepting, refused } from './accepting.ts';
import { LinkLostError, malformed, type PeerNode, RefusalReason } from './handshake.ts';
import { IncomingChunks } from './incoming-chunks.ts';
import type { LinkContext } from './link-context.ts';
import type { PeerStream } from './peer-stream.ts';
import { decodeSnapshotRequest, encodeSnapshotAnswer, snapshotOf } from './snapshot-codec.ts';

/** What a refusal may say. */
const REFUSAL_CHARS_MAX = 1024;

/** The snapshots that this node is being given. */
export class SnapshotReceiver {
  readonly #context: LinkContext;
  readonly #accepting: Accepting;
  #underWay = 0;

  constructor(context: LinkContext, accepting: Accepting) {
    this.#context = context;
    this.#accepting = accepting;
  }

  get underWay(): number {
    return this.#underWay;
  }

  opened(stream: PeerStream, peer: PeerNode): void {
    if (this.#underWay >= this.#context.limits.maxSnapshots) {
      this.#accepting.refuse(
        stream,
        refused(RefusalReason.BUSY, `${this.#context.self.nodeId} takes as many snapshots at once as it may`),
      );
      return;
    }
    this.#underWay += 1;
    let over = false;
    const finish = (refusal: string | undefined): void => {
      if (over) return;
      over = true;
      this.#underWay -= 1;
      if (stream.isClosed) return;
      stream.resume();
      stream.write(encodeSnapshotAnswer(refusal));
      stream.end();
    };
    // A reader that stops early has its reasons, which its promise tells.
    const chunks = new IncomingChunks(stream, () => {});
    let offered = false;
    stream.listen({
      message: (bytes) => {
        if (over) return;
        try {
          const { offer, chunk, last } = decodeSnapshotRequest(bytes);
          if (offered === (offer !== undefined)) throw new RangeError('one offer comes first');
          if (offer !== undefined) {
            offered = true;
            this.#offer(offer, peer, chunks, finish);
          } else if (last) chunks.finish();
          else chunks.push(chunk);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          const why = malformed(`${peer.nodeId} sent garbage: ${error.message}`);
          chunks.fail(why);
          finish(why.message);
        }
      },
      // Before the last mark there is more: the port drains, or the sender gave up.
      ended: () => {
        chunks.fail(new LinkLostError(`${peer.nodeId} did not send the snapshot whole`));
        if (!offered) finish('no snapshot was offered');
      },
      drained: () => {},
      closed: () => {
        chunks.fail(new LinkLostError(`${peer.nodeId} did not send the snapshot whole`));
        if (!offered) finish(undefined);
      },
    });
  }

  #offer(
    offer: Parameters<typeof snapshotOf>[0],
    peer: PeerNode,
    chunks: IncomingChunks,
    finish: (refusal: string | undefined) => void,
  ): void {
    const message = snapshotOf(offer);
    if (nodeOf(message.from) !== peer.number || nodeOf(message.to) !== this.#context.self.number) {
      throw new RangeError('a snapshot is for another node');
    }
    this.#context.heard(peer.number);
    this.#context.events.onSnapshot(offer.group, message, chunks).then(
      () => finish(undefined),
      (error: unknown) =>
        finish((error instanceof Error ? error.message : String(error)).slice(0, REFUSAL_CHARS_MAX)),
    );
  }
}
