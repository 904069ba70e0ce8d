/**
 * The queue machine: message queues of one group, deterministic over the ordered store.
 *
 * `layout.ts` says what is stored, `messages.ts` how a message moves from state to state. The commands are in
 * `pushing.ts`, `delivering.ts` and `managing.ts`; what time alone does is in `due-work.ts` and what is too large for
 * one command in `background-work.ts`.
 */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { ReleaseDeliveriesSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import {
  type MessageState,
  QueueServiceAckRequestSchema,
  QueueServiceConfigureRequestSchema,
  QueueServiceCreateRequestSchema,
  QueueServiceDeleteRequestSchema,
  QueueServiceExtendRequestSchema,
  QueueServiceNackRequestSchema,
  QueueServicePopRequestSchema,
  QueueServicePurgeRequestSchema,
  QueueServicePushBatchRequestSchema,
  QueueServicePushRequestSchema,
  QueueServiceRedriveRequestSchema,
  type QueueStats,
} from '../../gen/gomsg/v1/queue_pb.js';
import type { Outcome } from '../failure.ts';
import { guarded, type ReportBug } from '../guarded-listener.ts';
import { internalMethod } from '../internal-methods.ts';
import type { ApplyContext, Command, Machine, StateStore } from '../machine.ts';
import { ack, extend, nack, pop, release } from './delivering.ts';
import type { QueueListener } from './listener.ts';
import { configure, createQueue, deleteQueue, purge, redrive } from './managing.ts';
import { queueMethod } from './method-numbers.ts';
import { QueueParts } from './parts.ts';
import { push, pushBatch } from './pushing.ts';
import { type PeekPage, peek, queuesByName, stats } from './reads.ts';

/** Most items that one `expireDue` does of what is due, and again of background work. */
export const EXPIRED_PER_RUN_MAX = 1000;

export class QueueMachine implements Machine {
  readonly methods: readonly number[] = [...Object.values(queueMethod), internalMethod.releaseDeliveries];
  readonly #parts: QueueParts;
  readonly #reportBug: ReportBug | undefined;
  #listener: QueueListener | undefined;

  /** `reportBug` is told what a listener throws; undefined: it is thrown. */
  constructor(store: StateStore, group: number, reportBug?: ReportBug) {
    this.#reportBug = reportBug;
    this.#parts = new QueueParts(store, group);
  }

  /** Who is told what happens to messages; undefined = nobody. */
  get listener(): QueueListener | undefined {
    return this.#listener;
  }

  set listener(listener: QueueListener | undefined) {
    // Set anew with every taker.
    if (listener === this.#listener) return;
    this.#listener = listener;
    this.#parts.messages.listener =
      listener && guarded(listener, ['ready', 'ended', 'allEnded'], this.#reportBug);
  }

  apply(command: Command, context: ApplyContext): Outcome {
    const parts = this.#parts;
    switch (command.method) {
      case queueMethod.push:
        return push(parts, decoded(QueueServicePushRequestSchema, command), context);
      case queueMethod.pop:
        return pop(parts, decoded(QueueServicePopRequestSchema, command), context);
      case queueMethod.ack:
        return ack(parts, decoded(QueueServiceAckRequestSchema, command), context);
      case queueMethod.pushBatch:
        return pushBatch(parts, decoded(QueueServicePushBatchRequestSchema, command), context);
      case queueMethod.nack:
        return nack(parts, decoded(QueueServiceNackRequestSchema, command), context);
      case queueMethod.extend:
        return extend(parts, decoded(QueueServiceExtendRequestSchema, command), context);
      case internalMethod.releaseDeliveries:
        return release(parts, decoded(ReleaseDeliveriesSchema, command), context);
      case queueMethod.create:
        return createQueue(parts, decoded(QueueServiceCreateRequestSchema, command), context);
      case queueMethod.configure:
        return configure(parts, decoded(QueueServiceConfigureRequestSchema, command));
      case queueMethod.purge:
        return purge(parts, decoded(QueueServicePurgeRequestSchema, command));
      case queueMethod.delete:
        return deleteQueue(parts, decoded(QueueServiceDeleteRequestSchema, command));
      case queueMethod.redrive:
        return redrive(parts, decoded(QueueServiceRedriveRequestSchema, command), context);
      default:
        throw new Error(`method ${command.method} is not a queue command`);
    }
  }

  endEntry(): void {
    this.#parts.messages.tellReady();
    this.#parts.queues.boundWindows();
  }

  expireDue({ stamp_ms }: ApplyContext): boolean {
    const { queues, due, background } = this.#parts;
    let left = EXPIRED_PER_RUN_MAX;
    let first = queues.firstDue();
    while (left > 0 && first && first.due_ms <= stamp_ms) {
      // A queue that turns out to have nothing due counts too: the number of queues looked at is bounded as well.
      left -= Math.max(1, due.run(first, stamp_ms, left));
      queues.changed(first);
      first = queues.firstDue();
    }
    if (background.pending) background.run(stamp_ms, EXPIRED_PER_RUN_MAX);
    return background.pending || (first !== undefined && first.due_ms <= stamp_ms);
  }

  nextDue_ms(): number | undefined {
    if (this.#parts.background.pending) return 0;
    return this.#parts.queues.firstDue()?.heapDue_ms;
  }

  save(): void {
    this.#parts.queues.save();
  }

  load(): void {
    this.#parts.queues.load();
    this.#parts.background.load();
  }

  /** Queues of the group, and the messages in them with their bytes, whatever their state. Walks all queues. */
  totals(): { readonly queues: number; readonly messages: number; readonly bytes: number } {
    const queues = this.#parts.queues.all();
    let messages = 0;
    let bytes = 0;
    for (const { tables } of queues) {
      for (const table of tables) {
        messages += table.messages;
        bytes += table.bytes;
      }
    }
    return { queues: queues.length, messages, bytes };
  }

  /** Messages that can be taken now; undefined when there is no such queue. */
  readyMessages(name: string): number | undefined {
    return this.#parts.queues.get(name)?.ready.messages;
  }

  /** Whether the delivery can still be settled. */
  isInFlight(name: string, sequence: number, delivery: number, now_ms: number): boolean {
    const queue = this.#parts.queues.get(name);
    return (
      queue !== undefined && this.#parts.messages.delivery(queue, sequence, delivery, now_ms) !== undefined
    );
  }

  /** The figures of a queue, `consumers` left at 0; undefined when there is no such queue. */
  stats(name: string, now_ms: number): QueueStats | undefined {
    const queue = this.#parts.queues.get(name);
    return queue && stats(this.#parts, queue, now_ms);
  }

  /** Figures of up to `limit` queues whose names begin with `prefix` and come after `after`, by name. */
  list(prefix: string, after: string | undefined, limit: number, now_ms: number): QueueStats[] {
    const page: QueueStats[] = [];
    for (const queue of queuesByName(this.#parts, prefix, after, limit)) {
      page.push(stats(this.#parts, queue, now_ms));
    }
    return page;
  }

  /**
   * Up to `limit` messages of one state, after the position that an earlier page gave; undefined when there is no such
   * queue.
   */
  peek(
    name: string,
    state: MessageState,
    after: string | undefined,
    limit: number,
    now_ms: number,
  ): PeekPage | undefined {
    const queue = this.#parts.queues.get(name);
    return queue && peek(this.#parts, queue, state, after, limit, now_ms);
  }
}

/** The leader has the request decoded already; a replica and a replay decode the payload. */
function decoded<D extends DescMessage>(schema: D, { request, payload }: Command): MessageShape<D> {
  if (request?.$typeName === schema.typeName) return request as MessageShape<D>;
  return fromBinary(schema, payload);
}
