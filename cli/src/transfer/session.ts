/**
 * Batches that apply once, however often they are sent.
 *
 * Every batch is a call of one session, in its place in the sequence; the server keeps the outcome of a call until
 * the client says that it has it. A batch that is sent again, because the connection was lost or the program was
 * killed, gets its first outcome and is not applied a second time. That the place in the sequence and the place in the
 * file move together is the checkpoint's doing, and `received` is raised only to what the checkpoint holds: a
 * program that was killed sends again what it had sent last, under the same sequence.
 */
import { ErrorReason, GomsgError } from '@gomsg/client/errors';
import type { RawCallOptions, RawClient } from '@gomsg/client/raw';
import { Metadata } from 'nice-grpc';
import type { SessionPlace } from './checkpoint.ts';

export class ImportSession {
  readonly id: string;
  /** Sequence of the next batch. */
  #sequence: number;
  /** Outcomes below it are no longer needed. */
  #received: number;
  /** The next batch may have been sent by a run before. */
  #maybeSent: boolean;

  constructor(place: SessionPlace, maybeSent: boolean) {
    this.id = place.id;
    this.#sequence = place.sequence;
    this.#received = place.sequence;
    this.#maybeSent = maybeSent;
  }

  static async open(client: RawClient, call: RawCallOptions): Promise<ImportSession> {
    const { sessionId } = await client.pipeline.openSession({}, call);
    return new ImportSession({ id: String(sessionId), sequence: 1 }, false);
  }

  /** Goes on where a run before ended, however it ended. */
  static resume(place: SessionPlace): ImportSession {
    return new ImportSession(place, true);
  }

  get place(): SessionPlace {
    return { id: this.id, sequence: this.#sequence };
  }

  /** Runs one try of the current batch; `send` passes the options to its call. */
  async try<T>(
    attempt: number,
    call: RawCallOptions,
    send: (call: RawCallOptions) => Promise<T>,
  ): Promise<T> {
    const isRetry = attempt > 0 || this.#maybeSent;
    const metadata = Metadata({
      'gomsg-session': this.id,
      'gomsg-sequence': String(this.#sequence),
      'gomsg-answered-below': String(this.#received),
      ...(isRetry && { 'gomsg-retry': 'true' }),
    });
    try {
      return await send({ ...call, metadata });
    } catch (error) {
      // This refusal is the call's outcome: the same sequence would get it for ever, also when there is room again.
      if (error instanceof GomsgError && error.reason === ErrorReason.QUEUE_FULL) this.#sequence += 1;
      throw error;
    }
  }

  /** The batch is in: the next one has the next place. */
  advance(): void {
    this.#sequence += 1;
    this.#maybeSent = false;
  }

  /** The place up to here is written down: no run will ask for an outcome below it. */
  confirmReceived(): void {
    this.#received = this.#sequence;
  }

  async close(client: RawClient, call: RawCallOptions): Promise<void> {
    await client.pipeline.closeSession({ sessionId: BigInt(this.id) }, call);
  }
}
