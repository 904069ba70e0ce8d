/** Drives a queue machine command by command over a model store, as the leader or as a replica. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  getOption,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { ReleaseDeliveriesSchema } from '../../../gen/gomsg/internal/v1/commands_pb.js';
import { method as methodOption } from '../../../gen/gomsg/sdk/v1/options_pb.js';
import { type Failure, isFailure, type Outcome } from '../../failure.ts';
import { internalMethod } from '../../internal-methods.ts';
import { ModelStore } from '../../testing/model-store.ts';
import { QueueMachine } from '../queue-machine.ts';

export const GROUP = 7;
/** 2026-01-01. */
export const START_MS = 1_767_225_600_000;

export class MachineDriver {
  readonly store = new ModelStore();
  /** The clock of the entries. */
  now_ms = START_MS;
  machine: QueueMachine;
  #index = 0;
  readonly #asReplica: boolean;

  constructor(asReplica = false) {
    this.#asReplica = asReplica;
    this.machine = new QueueMachine(this.store, GROUP);
    this.machine.load();
  }

  /** One command in an entry of its own. */
  try<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): MessageShape<O> | Failure {
    const { number } = getOption(method, methodOption);
    const outcome = this.#apply(number, method.input, create(method.input, request));
    return isFailure(outcome) ? outcome : fromBinary(method.output, outcome);
  }

  /** `try` of something that must succeed. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): MessageShape<O> {
    const answer = this.try(method, request);
    if ('reason' in answer) throw new Error(`${method.name} failed: ${answer.message}`);
    return answer as MessageShape<O>;
  }

  release(queue: string, deliveryIds: string[], neverSent = false): void {
    const request = create(ReleaseDeliveriesSchema, { queue, deliveryIds, neverSent });
    this.#apply(internalMethod.releaseDeliveries, ReleaseDeliveriesSchema, request);
  }

  /** One run; true when more is due. */
  expireDue(): boolean {
    const context = { index: ++this.#index, stamp_ms: this.now_ms };
    const more = this.machine.expireDue(context);
    this.machine.endEntry();
    return more;
  }

  /** Stops and starts over what was saved. */
  restart(): void {
    this.machine.save();
    this.machine = new QueueMachine(this.store, GROUP);
    this.machine.load();
  }

  /** Passes time as the leader does: an entry whenever something is due. */
  advance(ms: number): void {
    const target_ms = this.now_ms + ms;
    for (;;) {
      const next_ms = this.machine.nextDue_ms();
      if (next_ms === undefined || next_ms > target_ms) break;
      this.now_ms = Math.max(this.now_ms, next_ms);
      this.expireDue();
    }
    this.now_ms = target_ms;
  }

  #apply<D extends DescMessage>(method: number, schema: D, request: MessageShape<D>): Outcome {
    const context = { index: ++this.#index, stamp_ms: this.now_ms };
    const payload = toBinary(schema, request);
    const outcome = this.machine.apply(
      { method, payload, request: this.#asReplica ? undefined : request },
      context,
    );
    this.machine.endEntry();
    return outcome;
  }
}
