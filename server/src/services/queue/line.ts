/**
 * The line of those who wait for messages of one queue, in the memory of the node that leads the queue's group.
 *
 * Takers stand in line while they want messages and none are on their way to them. Whenever messages are ready and not
 * yet spoken for, pops are proposed for the takers at the head, never for more messages than there are. No wake-up is
 * lost: the line is looked at again after each of the events that can make a match, which are messages becoming ready,
 * a taker entering, and a pop coming back.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { Consistency, ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { QueueServicePopRequestSchema } from '../../gen/gomsg/v1/queue_pb.js';
import type { Failure } from '../../state/failure.ts';
import type { GroupState } from '../../state/group-state.ts';
import { POP_MESSAGES_MAX } from '../../state/queue/delivering.ts';
import { queueMethod } from '../../state/queue/method-numbers.ts';
import type { ServiceGroup } from '../groups.ts';
import { STREAM_FAILED, tellEach } from '../tell-each.ts';
import type { Consumer } from './consumer.ts';
import { deliveryIds } from './delivered.ts';
import { releaseDeliveries } from './release.ts';
import type { Taker } from './taker.ts';

/** How long a pop that was refused for lack of room waits for its next try, when the refusal does not say. */
const RETRY_AFTER_MS = 100;

export class Line {
  readonly queue: string;
  readonly #group: ServiceGroup;
  readonly #wake: (line: Line) => void;
  /** Came back from a pop that found nothing: before all others. */
  readonly #again = new Set<Taker>();
  readonly #waiting = new Set<Taker>();
  /** A pop for them is on its way: one at a time. */
  readonly #served = new Set<Taker>();
  /** Consumers and waiting pops that belong to the line, in it or not. */
  readonly #takers = new Set<Taker>();
  /** Sequence of an unsettled delivery → the consumer that holds it. */
  readonly #owners = new Map<number, Consumer>();
  /** Messages that pops on their way ask for. */
  #spokenFor = 0;

  /** @param wake has `match` called soon, outside of what runs now */
  constructor(queue: string, group: ServiceGroup, wake: (line: Line) => void) {
    this.queue = queue;
    this.#group = group;
    this.#wake = wake;
  }

  /** Nobody belongs to the line and nothing is on its way: it can be forgotten. */
  get idle(): boolean {
    return this.#takers.size === 0 && this.#spokenFor === 0;
  }

  /** Consumers and waiting pops that belong to the line, in it or not. */
  get takers(): number {
    return this.#takers.size;
  }

  /** Nobody is in line. */
  get empty(): boolean {
    return this.#again.size === 0 && this.#waiting.size === 0;
  }

  /** Belongs to the line from now on. */
  join(taker: Taker): void {
    this.#takers.add(taker);
  }

  /** Is gone. */
  part(taker: Taker): void {
    this.leave(taker);
    this.#takers.delete(taker);
  }

  /** Stands at the end of the line, unless it is in line. */
  enter(taker: Taker): void {
    if (taker.wanted === 0 || this.#again.has(taker) || this.#served.has(taker)) return;
    this.#waiting.add(taker);
    this.#wake(this);
  }

  /** Leaves the line, for good or for as long as it wants nothing. */
  leave(taker: Taker): void {
    this.#again.delete(taker);
    this.#waiting.delete(taker);
  }

  /** Hands what is ready to those in line: a fair share each, in their order. */
  match(): void {
    if (this.empty) return;
    this.#group.read(
      Consistency.STALE,
      (state) => {
        const ready = state.queue.readyMessages(this.queue) ?? 0;
        const shares: [Taker, number][] = [];
        for (let free = ready - this.#spokenFor; free > 0; ) {
          const inLine = this.#again.size + this.#waiting.size;
          const [taker] = this.#again.size > 0 ? this.#again : this.#waiting;
          if (!taker) break;
          const share = Math.min(taker.wanted, Math.ceil(free / inLine), POP_MESSAGES_MAX);
          this.leave(taker);
          if (share < 1) continue;
          shares.push([taker, share]);
          free -= share;
        }
        for (const [taker, share] of shares) this.pop(taker, share);
      },
      (failure) => this.failAll(failure),
    );
  }

  /** Proposes a pop for a taker that is not in line. */
  pop(taker: Taker, messages: number): void {
    const request = create(QueueServicePopRequestSchema, { queue: this.queue, maxMessages: messages });
    if (taker.lease) request.lease = taker.lease;
    const session = taker.served();
    this.#spokenFor += messages;
    this.#served.add(taker);
    this.#group.submit({
      method: queueMethod.pop,
      payload: toBinary(QueueServicePopRequestSchema, request),
      request,
      session,
      reply: {
        ok: (response) => {
          this.#spokenFor -= messages;
          this.#served.delete(taker);
          if (response.length === 0) this.#missed(taker);
          else if (!taker.gone) taker.take(response);
          // In a session the caller may ask again for the outcome: it stays leased for as long as it was to be.
          else if (session === undefined)
            releaseDeliveries(this.#group, this.queue, deliveryIds(response), true);
          this.#wake(this);
        },
        fail: (failure) => {
          this.#spokenFor -= messages;
          this.#served.delete(taker);
          this.#failed(taker, failure);
        },
      },
    });
  }

  /** Gives back deliveries of a consumer that left. */
  release(deliveryIds: readonly string[], neverSent: boolean): void {
    releaseDeliveries(this.#group, this.queue, deliveryIds, neverSent);
  }

  /** Reads the applied state of the queue's group. */
  read(query: (state: GroupState, now_ms: number) => void, fail: (failure: Failure) => void): void {
    this.#group.read(Consistency.STALE, query, fail);
  }

  /** The consumer holds the delivery until `ended` says otherwise. */
  own(sequence: number, consumer: Consumer): void {
    this.#owners.set(sequence, consumer);
  }

  disown(sequence: number, consumer: Consumer): void {
    if (this.#owners.get(sequence) === consumer) this.#owners.delete(sequence);
  }

  /** A delivery ended: who held it may take one more. @throws what that one threw, which has failed */
  ended(sequence: number, delivery: number): void {
    const owner = this.#owners.get(sequence);
    if (owner === undefined) return;
    try {
      if (owner.ended(sequence, delivery)) this.#owners.delete(sequence);
    } catch (error) {
      owner.fail(STREAM_FAILED);
      throw error;
    }
  }

  /** Every delivery of the queue ended. @throws what a consumer threw, when all were told: that one has failed */
  allEnded(): void {
    const consumers = new Set(this.#owners.values());
    this.#owners.clear();
    tellEach(consumers, (consumer) => consumer.allEnded());
  }

  /** Reads of the group fail: for good, so that this node serves nobody any more, or for now. */
  failAll(failure: Failure): void {
    if (isForNow(failure)) {
      this.#wakeLater(failure);
      return;
    }
    for (const taker of [...this.#takers]) taker.fail(failure);
  }

  #missed(taker: Taker): void {
    if (taker.gone) return;
    taker.missed();
    if (taker.wanted > 0) this.#again.add(taker);
  }

  #failed(taker: Taker, failure: Failure): void {
    if (taker.gone) {
      this.#wake(this);
      return;
    }
    if (!isForNow(failure)) {
      taker.fail(failure);
      return;
    }
    taker.missed();
    // In line without a wake-up: the pop that was just refused would be refused again.
    if (taker.wanted > 0) this.#again.add(taker);
    this.#wakeLater(failure);
  }

  #wakeLater({ retryAfter_ms }: Failure): void {
    setTimeout(() => this.#wake(this), retryAfter_ms ?? RETRY_AFTER_MS).unref();
  }
}

/** The server has no room for a command or read just now: who can wait tries again. */
function isForNow({ reason }: Failure): boolean {
  return reason === ErrorReason.OVERLOADED || reason === ErrorReason.DISK_FULL;
}
