/** All queues of a group: found by name, kept by due time, saved when they changed. */
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { DueHeap } from '../due-heap.ts';
import type { Failure } from '../failure.ts';
import type { StateStore } from '../machine.ts';
import { ByteReader, ByteWriter } from '../wire.ts';
import type { WindowBudget } from './head-window.ts';
import { endOf, type Layout } from './layout.ts';
import { Queue } from './queue.ts';
import { readQueueRecord, writeQueueRecord } from './queue-record.ts';
import { defaultSettings, type QueueSettings } from './settings.ts';

/** Most queues of one group: each keeps about 1.5 KB in memory. */
export const QUEUES_MAX = 100_000;
/** Most ready messages that all head windows of a group hold together, about 130 bytes each. */
export const WINDOWED_MESSAGES_MAX = 100_000;

export class Queues {
  readonly #store: StateStore;
  readonly #layout: Layout;
  readonly #byName = new Map<string, Queue>();
  readonly #byNumber = new Map<number, Queue>();
  readonly #heap = new DueHeap<Queue>();
  readonly #dirty = new Set<Queue>();
  readonly #budget: WindowBudget = { entries: 0 };
  readonly #writer = new ByteWriter();
  #nextSequence = 1;
  #nextNumber = 1;
  #groupRecordDirty = false;

  constructor(store: StateStore, layout: Layout) {
    this.#store = store;
    this.#layout = layout;
  }

  get(name: string): Queue | undefined {
    return this.#byName.get(name);
  }

  all(): Queue[] {
    return [...this.#byName.values()];
  }

  byNumber(number: number): Queue | undefined {
    return this.#byNumber.get(number);
  }

  /** The queue, made with default settings when there is none yet; a failure when the group is full of queues. */
  ensure(name: string, stamp_ms: number): Queue | Failure {
    return this.#byName.get(name) ?? this.create(name, stamp_ms, defaultSettings);
  }

  /** Makes a queue that does not exist. */
  create(name: string, stamp_ms: number, settings: QueueSettings): Queue | Failure {
    if (this.#byName.size >= QUEUES_MAX) {
      return {
        reason: ErrorReason.QUEUE_FULL,
        subject: name,
        message: `queue ${name} cannot be created: its group has ${QUEUES_MAX} queues, the most it may have`,
      };
    }
    const queue = new Queue(this.#layout, this.#budget, name, this.#nextNumber++, stamp_ms, settings, true);
    this.#groupRecordDirty = true;
    this.#add(queue);
    // Written at once so that lists of names can be read from the store.
    this.#write(queue);
    this.changed(queue);
    return queue;
  }

  /** Forgets a queue and removes all of its rows. */
  delete(queue: Queue): void {
    this.#byName.delete(queue.name);
    this.#byNumber.delete(queue.number);
    this.#heap.remove(queue);
    this.#dirty.delete(queue);
    queue.window.clear(true);
    this.#store.delete(this.#layout.queueRecord(queue.name));
    const rows = this.#layout.messages(queue.number);
    this.#store.deleteRange(rows, endOf(rows));
  }

  /** A message sequence that no message of the group ever had. */
  takeSequence(): number {
    this.#groupRecordDirty = true;
    return this.#nextSequence++;
  }

  /** To be called after every change of a queue: it will be saved, and its due time may be earlier now. */
  changed(queue: Queue): void {
    if (!queue.dirty) {
      queue.dirty = true;
      this.#dirty.add(queue);
    }
    const { due_ms } = queue;
    // Later times are left to `firstDue`: most of a queue's leases end before they run out.
    if (due_ms < queue.heapDue_ms) this.#heap.set(queue, due_ms);
  }

  /** The queue in which something falls due first; undefined when nothing ever will. */
  firstDue(): Queue | undefined {
    for (;;) {
      const { first } = this.#heap;
      if (!first || first.heapDue_ms === first.due_ms) return first;
      this.#heap.set(first, first.due_ms);
    }
  }

  /** Drops what the windows hold once it is too much: cheap to read again, and rare. */
  boundWindows(): void {
    if (this.#budget.entries <= WINDOWED_MESSAGES_MAX) return;
    for (const queue of this.#byName.values()) {
      if (queue.window.size > 0) queue.window.clear(false);
    }
  }

  save(): void {
    for (const queue of this.#dirty) {
      queue.dirty = false;
      this.#write(queue);
    }
    this.#dirty.clear();
    if (!this.#groupRecordDirty) return;
    this.#groupRecordDirty = false;
    const record = this.#writer.reset().varint(this.#nextSequence).varint(this.#nextNumber).view();
    this.#store.put(this.#layout.groupRecord, record);
  }

  load(): void {
    this.#byName.clear();
    this.#byNumber.clear();
    this.#heap.clear();
    this.#dirty.clear();
    this.#budget.entries = 0;
    this.#groupRecordDirty = false;
    const groupRecord = this.#store.get(this.#layout.groupRecord);
    const reader = groupRecord && new ByteReader(groupRecord);
    this.#nextSequence = reader?.varint() ?? 1;
    this.#nextNumber = reader?.varint() ?? 1;
    const from = this.#layout.queueRecord('');
    for (const { key, value } of this.#store.range({ from, to: endOf(from) })) {
      const queue = readQueueRecord(this.#layout, this.#budget, this.#layout.nameOf(key), value);
      this.#add(queue);
      this.#heap.set(queue, queue.due_ms);
    }
  }

  #add(queue: Queue): void {
    this.#byName.set(queue.name, queue);
    this.#byNumber.set(queue.number, queue);
  }

  #write(queue: Queue): void {
    this.#store.put(this.#layout.queueRecord(queue.name), writeQueueRecord(this.#writer, queue));
  }
}
