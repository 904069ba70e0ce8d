/** Gives a snapshot to a replica on another node. */
import type { SnapshotMessage } from '../../raft/index.ts';
import { Stoppable } from '../../transport/stoppable.ts';
import type { DialledStream } from './dialled-stream.ts';
import { dialHandshake, lateRefusal, StreamPurpose } from './handshake.ts';
import type { LinkContext } from './link-context.ts';
import type { NodeLocation } from './options.ts';
import { decodeSnapshotAnswer, encodeChunk, encodeLast, encodeOffer } from './snapshot-codec.ts';

/** Largest part of a snapshot in one message; larger chunks are cut. */
const CHUNK_BYTES_MAX = 1024 * 1024;

/** A snapshot that was not taken, and why. */
export class SnapshotNotTakenError extends Error {
  override readonly name = 'SnapshotNotTakenError';
}

/** Sends on a stream that is not open yet. Resolves once the other side has taken the snapshot whole. */
export async function sendSnapshot(
  stream: DialledStream,
  target: NodeLocation & { readonly number: number },
  context: LinkContext,
  group: number,
  message: SnapshotMessage,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const sending = new SendingSnapshot(stream, target.nodeId);
  const abort = (): void => sending.fail(`it was given up: ${describe(signal.reason)}`);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  const source = chunks[Symbol.asyncIterator]();
  const stoppable = new Stoppable(source);
  sending.onOver(() => stoppable.stop(OVER));
  try {
    await sending.open(target, context);
    stream.write(encodeOffer(group, message));
    await sendChunks(stream, stoppable, sending).catch((error: unknown) => {
      if (error !== OVER) throw error;
    });
    await sending.answer;
  } catch (error) {
    const why =
      error instanceof SnapshotNotTakenError
        ? error
        : new SnapshotNotTakenError(`the snapshot could not be read: ${describe(error)}`, { cause: error });
    stream.abort(why);
    throw why;
  } finally {
    signal.removeEventListener('abort', abort);
    // Not waited for: a source that hangs must not hold up the one who gave up on it. How it ends is its owner's matter.
    source.return?.().catch(() => {});
  }
}

/** @throws OVER when the answer came before the end */
async function sendChunks(stream: DialledStream, source: Stoppable, sending: SendingSnapshot): Promise<void> {
  for (;;) {
    await sending.room();
    const next = await source.next();
    if (next.done) break;
    for (const part of parts(next.value)) stream.write(encodeChunk(part));
  }
  stream.write(encodeLast());
  stream.end();
}

/** The snapshot is answered: no more chunks are wanted. */
const OVER = new Error('the snapshot is answered');

function* parts(chunk: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < chunk.length; at += CHUNK_BYTES_MAX) yield chunk.subarray(at, at + CHUNK_BYTES_MAX);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

class SendingSnapshot {
  readonly #stream: DialledStream;
  readonly #nodeId: string;
  readonly #answer = Promise.withResolvers<void>();
  #wake: PromiseWithResolvers<void> | undefined;
  #onOver: (() => void) | undefined;
  #isOver = false;

  constructor(stream: DialledStream, nodeId: string) {
    this.#stream = stream;
    this.#nodeId = nodeId;
    // Awaited only at the end; until then nobody need look at it.
    this.#answer.promise.catch(() => {});
  }

  /** Called once there is an answer, at once when there is one: the source may hang. */
  onOver(listener: () => void): void {
    this.#onOver = listener;
    if (this.#isOver) listener();
  }

  /** Resolves when the snapshot was taken whole. @throws SnapshotNotTakenError */
  get answer(): Promise<void> {
    return this.#answer.promise;
  }

  open({ number, nodeId }: NodeLocation & { readonly number: number }, context: LinkContext): Promise<void> {
    const opened = Promise.withResolvers<void>();
    const { self, secret, limits } = context;
    const options = {
      self,
      secret,
      purpose: StreamPurpose.SNAPSHOT,
      target: { number, nodeId },
      timeout_ms: limits.handshakeTimeout_ms,
    };
    dialHandshake(this.#stream, options, (outcome) => {
      if (outcome instanceof Error) {
        this.fail(outcome.message);
        opened.reject(this.#notTaken(outcome.message));
        return;
      }
      this.#listen();
      opened.resolve();
    });
    return opened.promise;
  }

  /** Resolves when the connection has room, or when it is over. */
  async room(): Promise<void> {
    while (!this.#isOver && !this.#stream.hasRoom) {
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }

  fail(why: string): void {
    this.#settle(() => this.#answer.reject(this.#notTaken(why)));
    this.#stream.abort(this.#notTaken(why));
  }

  #listen(): void {
    this.#stream.listen({
      message: (bytes) => this.#receive(bytes),
      ended: () => this.fail('the other side ended the stream'),
      drained: () => this.#wake?.resolve(),
      closed: (why) => this.fail(why?.message ?? 'the other side ended the stream'),
    });
  }

  #receive(bytes: Uint8Array): void {
    const refusal = lateRefusal(bytes);
    if (refusal !== undefined) {
      this.fail(refusal.message);
      return;
    }
    try {
      const { taken, refused } = decodeSnapshotAnswer(bytes);
      if (taken) this.#settle(() => this.#answer.resolve());
      else this.fail(refused);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.fail(error.message);
    }
  }

  #settle(settle: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    settle();
    this.#wake?.resolve();
    this.#onOver?.();
  }

  #notTaken(why: string): SnapshotNotTakenError {
    return new SnapshotNotTakenError(`${this.#nodeId} did not take the snapshot: ${why}`);
  }
}
