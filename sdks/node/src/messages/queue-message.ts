/** A message that a queue handed out, and how its consumer settles it. */
import { unaryFace } from '../faces/face.ts';
import * as input from '../faces/input.ts';
import { bytesOf, dateOf, type Origin, textOf } from '../faces/output.ts';
import { type QueueDelivery, QueueService } from '../gen/gomsg/v1/queue_pb.js';
import { Settlement } from './settling.ts';

const ACK = unaryFace('queue.ack', QueueService.method.ack);
const NACK = unaryFace('queue.nack', QueueService.method.nack);
const EXTEND = unaryFace('queue.extend', QueueService.method.extend);

export interface NackOptions {
  /** Seconds until the message is ready again. Default: the queue's retry backoff. */
  readonly delay?: number;
  /** Make the message dead instead. */
  readonly deadLetter?: boolean;
  /** Why, kept with a dead message. At most 1,024 bytes. */
  readonly error?: string;
}

const NACK_OPTIONS: ReadonlySet<string> = new Set(['delay', 'deadLetter', 'error']);

/** One hand-out of a message to this consumer, who settles it by `ack` or `nack` before its lease ends. */
export class QueueMessage {
  /** Id of this delivery: `queue#sequence.delivery`. What `queue.ack` and its like take. */
  readonly id: string;
  /** Id of the message, the same in every delivery of it: `queue#sequence`. */
  readonly messageId: string;
  /** Name of the queue. */
  readonly queue: string;
  /** The payload as it was pushed. */
  readonly dataBytes: Uint8Array;
  /** The headers as they were pushed. */
  readonly headers: Readonly<Record<string, string>>;
  /** The priority as it was pushed, 0 to 255. */
  readonly priority: number;
  /** Which delivery of the message since it was pushed or redriven this is, from 1. */
  readonly attempt: number;
  /** When the message was pushed. */
  readonly pushedAt: Date;
  readonly #origin: Origin;
  #leaseExpiresAt: Date;

  constructor(delivery: QueueDelivery, origin: Origin) {
    this.id = delivery.deliveryId;
    this.messageId = delivery.messageId;
    this.queue = delivery.queue;
    this.dataBytes = bytesOf(delivery.payload);
    this.headers = delivery.headers;
    this.priority = delivery.priority;
    this.attempt = delivery.attempt;
    this.pushedAt = delivery.pushedAt ? dateOf(delivery.pushedAt) : new Date(0);
    this.#leaseExpiresAt = delivery.leaseExpiresAt ? dateOf(delivery.leaseExpiresAt) : new Date(0);
    this.#origin = origin;
  }

  /** The payload as text. @throws FailedPreconditionError (NOT_TEXT) when it is not UTF-8 */
  get data(): string {
    return textOf(this.dataBytes, this.#origin, 'data');
  }

  /** When the lease ends. */
  get leaseExpiresAt(): Date {
    return this.#leaseExpiresAt;
  }

  /**
   * The message is done and removed. The promise may be left alone: a failure is then told to the `onError` of the
   * consumer, or logged. Fails with DELIVERY_NOT_FOUND when it was settled already or its lease ran out.
   */
  ack(): Promise<void> {
    return this.#settle(this.#origin.settling.call(ACK, { deliveryId: this.id }).then(() => {}));
  }

  /** Gives the message back for another try, or makes it dead. The promise may be left alone, as that of `ack`. */
  nack(options: NackOptions = {}): Promise<void> {
    const given = input.fields(NACK_OPTIONS, options, NACK.name, 'options');
    const { delay, deadLetter, error } = given;
    const request = {
      deliveryId: this.id,
      ...(delay !== undefined && { delay: input.duration(delay, NACK.name, 'delay') }),
      ...(deadLetter !== undefined && { deadLetter: input.bool(deadLetter, NACK.name, 'deadLetter') }),
      ...(error !== undefined && { error: input.string(error, NACK.name, 'error') }),
    };
    return this.#settle(this.#origin.settling.call(NACK, request).then(() => {}));
  }

  /** Lets the lease end so many seconds from now, and returns that moment. Default: the queue's lease. */
  extend(lease?: number): Promise<Date> {
    const request = {
      deliveryId: this.id,
      ...(lease !== undefined && { lease: input.duration(lease, EXTEND.name, 'lease') }),
    };
    const extended = this.#origin.settling.call(EXTEND, request).then(({ leaseExpiresAt }) => {
      if (leaseExpiresAt) this.#leaseExpiresAt = dateOf(leaseExpiresAt);
      return this.#leaseExpiresAt;
    });
    return this.#settle(extended);
  }

  #settle<T>(outcome: Promise<T>): Promise<T> {
    const { settling } = this.#origin;
    const settlement = Settlement.of(outcome, (error) => settling.failed(error, this));
    settling.began?.(outcome);
    return settlement;
  }
}
