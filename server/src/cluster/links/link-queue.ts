/** What waits to be sent to one node: gathered over a turn, taken as frames. */
import type { HeartbeatMessage, HeartbeatResponseMessage, Message } from '../../raft/index.ts';
import { ITEM_OVERHEAD_BYTES, type OutgoingFrame } from './frames.ts';
import { type AnyHeartbeat, HeartbeatMemory, WaitingHeartbeats } from './heartbeats.ts';
import type { PendingCall } from './pending-calls.ts';
import { type MeasuredMessage, measureMessage } from './raft-codec.ts';

export interface QueueLimits {
  readonly maxFrameBytes: number;
  readonly frameBytes: number;
  readonly maxWaitingBytes: number;
}

/** Items of one kind in one frame; well below what a frame may have (`ITEMS_PER_FRAME_MAX`). */
const ITEMS_PER_FRAME = 16_384;

/** Belongs to one stream: it knows which heartbeats the other end has seen. */
export class LinkQueue {
  readonly #limits: QueueLimits;
  #messages: MeasuredMessage[] = [];
  #messageBytes = 0;
  #calls: PendingCall[] = [];
  #cancelled: number[] = [];
  #report: Uint8Array | undefined;
  readonly #heartbeats = new WaitingHeartbeats<HeartbeatMessage>();
  readonly #responses = new WaitingHeartbeats<HeartbeatResponseMessage>();
  readonly #heartbeatMemory = new HeartbeatMemory<HeartbeatMessage>();
  readonly #responseMemory = new HeartbeatMemory<HeartbeatResponseMessage>();

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return (
      this.#messages.length === 0 &&
      this.#calls.length === 0 &&
      this.#heartbeats.size === 0 &&
      this.#responses.size === 0 &&
      this.#cancelled.length === 0 &&
      this.#report === undefined
    );
  }

  /** False when the message was dropped: too much waits, or it is larger than a frame. Raft sends it again. */
  addMessage(group: number, message: Message): boolean {
    if (message.type === 'heartbeat') {
      this.#heartbeats.add(group, message);
      return true;
    }
    if (message.type === 'heartbeat-response') {
      this.#responses.add(group, message);
      return true;
    }
    if (message.type === 'snapshot') throw new TypeError('a snapshot goes through sendSnapshot');
    const measured = measureMessage(group, message);
    if (
      measured.bytes + ITEM_OVERHEAD_BYTES > this.#limits.maxFrameBytes ||
      // One message may always wait, however large.
      (this.#messages.length > 0 && this.#messageBytes + measured.bytes > this.#limits.maxWaitingBytes)
    ) {
      return false;
    }
    this.#messages.push(measured);
    this.#messageBytes += measured.bytes;
    return true;
  }

  addCall(call: PendingCall): void {
    this.#calls.push(call);
  }

  addCancelled(id: number): void {
    this.#cancelled.push(id);
  }

  /** The newest replaces one that waits. */
  setReport(report: Uint8Array): void {
    this.#report = report;
  }

  /**
   * The next frame, of about `frameBytes`. What is small and urgent goes first, then Raft, whose flow control bounds it,
   * then calls, which are marked as sent. Undefined when nothing waits.
   */
  take(): OutgoingFrame | undefined {
    if (this.isEmpty) return undefined;
    const heartbeats = this.#heartbeatMemory.compact(this.#heartbeats.take());
    const heartbeatResponses = this.#responseMemory.compact(this.#responses.take());
    const report = this.#report;
    this.#report = undefined;
    const cancelled = this.#cancelled.splice(0, ITEMS_PER_FRAME);
    const room = new FrameRoom(
      this.#limits,
      (report?.length ?? 0) + heartbeatBytes(heartbeats.changed) + heartbeatBytes(heartbeatResponses.changed),
    );
    const messages = this.#takeMessages(room);
    const calls = this.#takeCalls(room);
    const frame: OutgoingFrame = { messages, heartbeats, heartbeatResponses, calls, cancelled, report };
    return isNothing(frame) ? this.take() : frame;
  }

  #takeMessages(room: FrameRoom): MeasuredMessage[] {
    let count = 0;
    while (count < Math.min(this.#messages.length, ITEMS_PER_FRAME)) {
      const { bytes } = this.#messages[count]!;
      if (!room.take(bytes)) break;
      this.#messageBytes -= bytes;
      count += 1;
    }
    return this.#messages.splice(0, count);
  }

  #takeCalls(room: FrameRoom): PendingCall['measured'][] {
    let count = 0;
    const taken: PendingCall['measured'][] = [];
    for (const call of this.#calls) {
      if (!call.isDone) {
        if (taken.length === ITEMS_PER_FRAME || !room.take(call.measured.bytes)) break;
        call.isSent = true;
        taken.push(call.measured);
      }
      count += 1;
    }
    this.#calls.splice(0, count);
    return taken;
  }
}

/** Only calls waited, and all of them were cancelled. */
function isNothing(frame: OutgoingFrame): boolean {
  const { messages, heartbeats, heartbeatResponses, calls, cancelled, report } = frame;
  return (
    messages.length === 0 &&
    calls.length === 0 &&
    cancelled.length === 0 &&
    report === undefined &&
    [heartbeats, heartbeatResponses].every(({ changed, same }) => changed.length + same.length === 0)
  );
}

/** Upper bound of the encoding of a heartbeat, its tag and length included. */
const HEARTBEAT_BYTES = 64;

function heartbeatBytes(heartbeats: readonly { readonly heartbeat: AnyHeartbeat }[]): number {
  return heartbeats.length * HEARTBEAT_BYTES;
}

/** What still fits into a frame. */
class FrameRoom {
  #bytes: number;
  readonly #target: number;

  constructor({ frameBytes, maxFrameBytes }: QueueLimits, takenBytes: number) {
    this.#target = Math.min(frameBytes, maxFrameBytes);
    this.#bytes = takenBytes;
  }

  /** True when the item goes into this frame. The first large one always does, however large. */
  take(itemBytes: number): boolean {
    const bytes = itemBytes + ITEM_OVERHEAD_BYTES;
    if (this.#bytes > 0 && this.#bytes + bytes > this.#target) return false;
    this.#bytes += bytes;
    return true;
  }
}
