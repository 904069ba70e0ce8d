/**
 * One Consume stream: leases messages as they become ready, up to its credit, and keeps them until its reader takes them.
 */
import type { Duration } from '@bufbuild/protobuf/wkt';
import type { Failure } from '../../state/failure.ts';
import { deliveryId, parseDeliveryId } from '../../state/queue/delivery-id.ts';
import { GomsgError } from '../errors.ts';
import { asConsumeResponse, deliveryIds } from './delivered.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Line } from './line.ts';
import type { Taker } from './taker.ts';

/** A consumer whose reader has this much still to take gets no more until it does. */
export const BUFFERED_BYTES_MAX = 8 * 1024 * 1024;

export interface ConsumerOptions {
  readonly queue: string;
  /** Most unsettled deliveries at a time. */
  readonly credit: number;
  readonly lease: Duration | undefined;
}

/** A message of the stream that the reader has not taken. */
interface Buffered {
  readonly bytes: Uint8Array;
  readonly deliveryIds: readonly string[];
}

/** `subscribed: true` of QueueServiceConsumeResponse. */
const subscribed: Buffered = { bytes: new Uint8Array([0x08, 0x01]), deliveryIds: [] };

export class Consumer implements Taker {
  readonly lease: Duration | undefined;
  readonly #credit: number;
  readonly #dispatcher: Dispatcher;
  readonly #line: Line;
  /** Sequence → delivery number of every unsettled delivery. */
  readonly #held = new Map<number, number>();
  #buffer: Buffered[] = [];
  #bufferedBytes = 0;
  #failure: Failure | undefined;
  #gone = false;
  /** The reader waits for something to take. */
  #wakeReader: (() => void) | undefined;

  /** @throws GomsgError OVERLOADED when there are too many already */
  static begin(dispatcher: Dispatcher, options: ConsumerOptions): Consumer {
    const consumer = new Consumer(dispatcher, dispatcher.join(options.queue), options);
    dispatcher.start(
      consumer.#line,
      consumer,
      () => consumer.#put(subscribed),
      (failure) => consumer.fail(failure),
    );
    return consumer;
  }

  private constructor(dispatcher: Dispatcher, line: Line, { credit, lease }: ConsumerOptions) {
    this.#dispatcher = dispatcher;
    this.#line = line;
    this.#credit = credit;
    this.lease = lease;
  }

  get wanted(): number {
    if (this.#gone || this.#bufferedBytes >= BUFFERED_BYTES_MAX) return 0;
    return this.#credit - this.#held.size;
  }

  get gone(): boolean {
    return this.#gone;
  }

  served(): undefined {}

  missed(): void {}

  take(popResponse: Uint8Array): void {
    const ids = deliveryIds(popResponse);
    this.#put({ bytes: asConsumeResponse(popResponse), deliveryIds: ids });
    this.#hold(ids);
  }

  fail(failure: Failure): void {
    this.#failure ??= failure;
    this.end();
  }

  /** Returns whether the delivery was one of this consumer. */
  ended(sequence: number, delivery: number): boolean {
    if (this.#held.get(sequence) !== delivery) return false;
    this.#held.delete(sequence);
    this.#line.enter(this);
    return true;
  }

  allEnded(): void {
    this.#held.clear();
    this.#line.enter(this);
  }

  /**
   * The next encoded message; undefined when the stream has ended.
   * @throws GomsgError what ended the stream
   */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const first = this.#buffer.shift();
      if (first) {
        this.#bufferedBytes -= first.bytes.length;
        this.#line.enter(this);
        return first.bytes;
      }
      if (this.#failure) throw new GomsgError(this.#failure);
      if (this.#gone) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }

  /** Ends the stream: what is unsettled becomes ready again. */
  end(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#dispatcher.part(this.#line, this);
    const unsent = this.#buffer.flatMap((buffered) => buffered.deliveryIds);
    this.#buffer = [];
    this.#bufferedBytes = 0;
    const sent: string[] = [];
    const unsentIds = new Set(unsent);
    for (const [sequence, delivery] of this.#held) {
      this.#line.disown(sequence, this);
      const id = deliveryId(this.#line.queue, sequence, delivery);
      if (!unsentIds.has(id)) sent.push(id);
    }
    this.#held.clear();
    this.#line.release(sent, false);
    this.#line.release(unsent, true);
    this.#wake();
  }

  /** Holds those that are in flight still: one may have been purged between its pop and now. */
  #hold(ids: readonly string[]): void {
    this.#line.read(
      (state, now_ms) => {
        for (const id of ids) {
          const { queue, sequence, delivery } = parseDeliveryId(id)!;
          if (!state.queue.isInFlight(queue, sequence, delivery, now_ms)) continue;
          this.#held.set(sequence, delivery);
          this.#line.own(sequence, this);
        }
        this.#line.enter(this);
      },
      (failure) => this.fail(failure),
    );
  }

  #put(buffered: Buffered): void {
    if (this.#gone) return;
    this.#buffer.push(buffered);
    this.#bufferedBytes += buffered.bytes.length;
    this.#wake();
  }

  #wake(): void {
    const wake = this.#wakeReader;
    this.#wakeReader = undefined;
    wake?.();
  }
}
