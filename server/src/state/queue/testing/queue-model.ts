/** The queue machine as simple as it can be said: every message an object, every question a filter and a sort. */
import { MessageState } from '../../../gen/gomsg/v1/queue_pb.js';
import { defaultSettings, type QueueSettings, retryBackoff_ms } from '../settings.ts';

export interface ModelMessage {
  readonly sequence: number;
  readonly payload: string;
  readonly size: number;
  readonly priority: number;
  readonly pushed_ms: number;
  state: MessageState;
  attempts: number;
  deliveries: number;
  /** When it expires while ready (Infinity = never), is due, its lease ends, or it died. */
  at_ms: number;
  error: string;
}

export interface ModelPush {
  readonly payload: string;
  readonly priority: number;
  readonly delay_ms: number;
  readonly dedupId: string;
}

export class ModelQueue {
  readonly created_ms: number;
  settings: QueueSettings;
  messages: ModelMessage[] = [];
  readonly dedup = new Map<string, { sequence: number; expiry_ms: number }>();
  readonly totals = { pushed: 0, delivered: 0, acked: 0, returned: 0, dead: 0, expired: 0 };

  constructor(created_ms: number, settings: QueueSettings) {
    this.created_ms = created_ms;
    this.settings = settings;
  }

  /** Messages of a state in the order in which Peek shows them. */
  of(state: MessageState): ModelMessage[] {
    const found = this.messages.filter((message) => message.state === state);
    return found.sort(
      state === MessageState.READY
        ? (a, b) => b.priority - a.priority || a.sequence - b.sequence
        : (a, b) => a.at_ms - b.at_ms || a.sequence - b.sequence,
    );
  }

  remove(message: ModelMessage): void {
    this.messages = this.messages.filter((other) => other !== message);
  }

  ready(message: ModelMessage, now_ms: number): void {
    const { messageTtl_ms } = this.settings;
    message.state = MessageState.READY;
    message.at_ms = messageTtl_ms > 0 ? now_ms + messageTtl_ms : Infinity;
  }

  die(message: ModelMessage, now_ms: number, error: string): void {
    this.totals.returned++;
    this.totals.dead++;
    message.state = MessageState.DEAD;
    message.at_ms = now_ms;
    message.error = error;
  }

  giveBack(message: ModelMessage, now_ms: number, delay_ms: number, error: string): void {
    const { maxDeliveries } = this.settings;
    if (maxDeliveries > 0 && message.attempts >= maxDeliveries) {
      this.die(message, now_ms, error);
      return;
    }
    this.totals.returned++;
    if (delay_ms > 0) {
      message.state = MessageState.DELAYED;
      message.at_ms = now_ms + delay_ms;
    } else this.ready(message, now_ms);
  }

  /** Everything that is due. */
  pass(now_ms: number): void {
    const { deadLetterTtl_ms } = this.settings;
    for (const message of [...this.messages]) {
      const { state, at_ms } = message;
      const gone =
        (state === MessageState.READY && at_ms <= now_ms) ||
        (state === MessageState.DEAD && deadLetterTtl_ms > 0 && at_ms + deadLetterTtl_ms <= now_ms);
      if (gone) {
        this.remove(message);
        this.totals.expired++;
      } else if (state === MessageState.IN_FLIGHT && at_ms <= now_ms) {
        const backoff_ms = retryBackoff_ms(this.settings, message.attempts);
        this.giveBack(message, now_ms, backoff_ms, 'lease expired');
      } else if (state === MessageState.DELAYED && at_ms <= now_ms) this.ready(message, now_ms);
    }
    for (const [id, { expiry_ms }] of this.dedup) if (expiry_ms <= now_ms) this.dedup.delete(id);
  }
}

export class QueueModel {
  readonly queues = new Map<string, ModelQueue>();
  nextSequence = 1;

  ensure(name: string, now_ms: number): ModelQueue {
    let queue = this.queues.get(name);
    if (!queue) {
      queue = new ModelQueue(now_ms, defaultSettings);
      this.queues.set(name, queue);
    }
    return queue;
  }

  /** Message ids, or 'full'. */
  push(name: string, pushes: readonly ModelPush[], now_ms: number): string[] | 'full' {
    const queue = this.ensure(name, now_ms);
    const before = { messages: [...queue.messages], dedup: new Map(queue.dedup), next: this.nextSequence };
    const ids: string[] = [];
    let added = 0;
    for (const { payload, priority, delay_ms, dedupId } of pushes) {
      const known = queue.dedup.get(dedupId);
      if (known && known.expiry_ms > now_ms) {
        ids.push(`${name}#${known.sequence}`);
        continue;
      }
      const sequence = this.nextSequence++;
      const message: ModelMessage = {
        sequence,
        payload,
        size: payload.length,
        priority,
        pushed_ms: now_ms,
        state: MessageState.DELAYED,
        attempts: 0,
        deliveries: 0,
        at_ms: now_ms + delay_ms,
        error: '',
      };
      if (delay_ms === 0) queue.ready(message, now_ms);
      queue.messages.push(message);
      if (dedupId !== '' && queue.settings.dedupWindow_ms > 0) {
        queue.dedup.set(dedupId, { sequence, expiry_ms: now_ms + queue.settings.dedupWindow_ms });
      }
      ids.push(`${name}#${sequence}`);
      added++;
    }
    const { maxMessages, maxBytes } = queue.settings;
    const bytes = queue.messages.reduce((sum, { size }) => sum + size, 0);
    const full =
      (maxMessages > 0 && queue.messages.length > maxMessages) || (maxBytes > 0 && bytes > maxBytes);
    if (full && added > 0) {
      queue.messages = before.messages;
      this.nextSequence = before.next;
      queue.dedup.clear();
      for (const [id, entry] of before.dedup) queue.dedup.set(id, entry);
      return 'full';
    }
    queue.totals.pushed += added;
    return ids;
  }

  pop(name: string, max: number, lease_ms: number | undefined, now_ms: number): ModelMessage[] {
    const queue = this.ensure(name, now_ms);
    queue.pass(now_ms);
    const taken = queue.of(MessageState.READY).slice(0, max);
    for (const message of taken) {
      message.state = MessageState.IN_FLIGHT;
      message.at_ms = now_ms + (lease_ms ?? queue.settings.lease_ms);
      message.attempts++;
      message.deliveries++;
    }
    queue.totals.delivered += taken.length;
    return taken;
  }

  /** The open delivery of that id. */
  find(deliveryId: string, now_ms: number): { queue: ModelQueue; message: ModelMessage } | undefined {
    const [name = '', sequence, delivery] = deliveryId.split(/[#.]/);
    const queue = this.queues.get(name);
    const message = queue?.messages.find(
      (one) =>
        one.state === MessageState.IN_FLIGHT &&
        one.sequence === Number(sequence) &&
        one.deliveries === Number(delivery) &&
        one.at_ms > now_ms,
    );
    return queue && message && { queue, message };
  }
}
