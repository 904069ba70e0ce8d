/** QueueService over groups that apply at once, and the calls that most tests make. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type QueueDelivery,
  QueueService,
  type QueueServiceConsumeRequestSchema,
  type QueueServiceConsumeResponse,
  type QueueServicePopRequestSchema,
} from '../../../gen/gomsg/v1/queue_pb.js';
import { QueueMachine } from '../../../state/queue/queue-machine.ts';
import { ModelStore } from '../../../state/testing/model-store.ts';
import type { CallContext } from '../../method.ts';
import { queueMethods } from '../../queue-service.ts';
import { call, callContext, open } from '../../testing/call.ts';
import { InstantGroup, InstantRouter } from '../../testing/instant-group.ts';

export const rpc = QueueService.method;
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export class QueueNode {
  readonly machines: QueueMachine[];
  readonly groups: InstantGroup[];
  readonly methods: ReturnType<typeof queueMethods>;

  /** `makeGroup`: a group with other manners than to apply at once. */
  constructor(
    groups = 1,
    pick: (name: string) => number = () => 0,
    makeGroup: (machine: QueueMachine, id: number) => InstantGroup = (queue, id) =>
      new InstantGroup({ queue }, id),
  ) {
    this.machines = Array.from({ length: groups }, (_, i) => {
      const machine = new QueueMachine(new ModelStore(), i + 1);
      machine.load();
      return machine;
    });
    this.groups = this.machines.map((machine, i) => makeGroup(machine, i + 1));
    this.methods = queueMethods({
      router: new InstantRouter(this.groups, pick),
      limits: { maxMessageBytes: MAX_MESSAGE_BYTES },
    });
  }

  /** The first group. */
  get group(): InstantGroup {
    return this.groups[0]!;
  }

  async push(queue: string, ...payloads: (string | Uint8Array)[]): Promise<string[]> {
    const messages = payloads.map((payload) => ({
      payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload,
    }));
    return (await call(this.methods, rpc.pushBatch, { queue, messages })).messageIds;
  }

  async pop(
    request: MessageInitShape<typeof QueueServicePopRequestSchema>,
    context?: CallContext,
  ): Promise<QueueDelivery[]> {
    return (await call(this.methods, rpc.pop, request, context)).deliveries;
  }

  async ack(...deliveries: QueueDelivery[]): Promise<void> {
    await Promise.all(deliveries.map(({ deliveryId }) => call(this.methods, rpc.ack, { deliveryId })));
  }

  async stats(queue: string) {
    const { stats } = await call(this.methods, rpc.stats, { queue });
    return stats!;
  }

  /** A consumer that is in place. */
  async consume(
    request: MessageInitShape<typeof QueueServiceConsumeRequestSchema>,
    context: CallContext = callContext(),
  ): Promise<ConsumeStream> {
    const stream = new ConsumeStream(open(this.methods, rpc.consume, request, context));
    await stream.subscribed();
    return stream;
  }
}

/** Reads deliveries one by one, whatever messages they come in. */
export class ConsumeStream {
  readonly messages: AsyncGenerator<QueueServiceConsumeResponse, void, undefined>;
  #ahead: QueueDelivery[] = [];

  constructor(messages: AsyncGenerator<QueueServiceConsumeResponse, void, undefined>) {
    this.messages = messages;
  }

  async subscribed(): Promise<void> {
    const { value } = await this.messages.next();
    if (!value?.subscribed || value.deliveries.length > 0) throw new Error('not subscribed first');
  }

  /** The next `count` deliveries. */
  async take(count: number): Promise<QueueDelivery[]> {
    while (this.#ahead.length < count) {
      const { value, done } = await this.messages.next();
      if (done) throw new Error(`the stream ended with ${this.#ahead.length} of ${count} deliveries`);
      if (value.subscribed) throw new Error('subscribed twice');
      this.#ahead.push(...value.deliveries);
    }
    return this.#ahead.splice(0, count);
  }

  end(): Promise<unknown> {
    return this.messages.return();
  }
}

export function payloadsOf(deliveries: readonly QueueDelivery[]): string[] {
  return deliveries.map(({ payload }) => new TextDecoder().decode(payload));
}
