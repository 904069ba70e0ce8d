/** Drives a machine in tests the way a group does: commands in entries, with a clock that tests move. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type Failure, isFailure } from '../../failure.ts';
import { ModelStore } from '../../testing/model-store.ts';
import { type KvEvent, readEvents } from '../events.ts';
import { KvMachine } from '../kv-machine.ts';

export const GROUP = 3;

export class KvDriver {
  readonly store = new ModelStore();
  readonly historyBytes: number | undefined;
  machine: KvMachine;
  now_ms = 1_000_000;
  index = 0;
  /** Commands reach the machine undecoded, as on a replica. */
  asReplica = false;

  constructor(historyBytes?: number) {
    this.historyBytes = historyBytes;
    this.machine = this.#build();
  }

  /** Applies one command as an entry of its own. */
  run<I extends DescMessage, O extends DescMessage>(
    method: number,
    input: I,
    output: O,
    request: MessageInitShape<I>,
  ): MessageShape<O> | Failure {
    const outcome = this.apply(method, input, request);
    this.endEntry();
    return isFailure(outcome) ? outcome : fromBinary(output, outcome);
  }

  /** Applies one command and leaves the entry open. */
  apply<I extends DescMessage>(method: number, input: I, init: MessageInitShape<I>): Uint8Array | Failure {
    const request = create(input, init);
    const payload = toBinary(input, request);
    const command = { method, payload, request: this.asReplica ? undefined : request };
    return this.machine.apply(command, { index: ++this.index, stamp_ms: this.now_ms });
  }

  endEntry(): void {
    this.machine.endEntry({ index: this.index, stamp_ms: this.now_ms });
  }

  /** One expiry run. */
  expireDue(): boolean {
    const more = this.machine.expireDue({ index: ++this.index, stamp_ms: this.now_ms });
    this.endEntry();
    return more;
  }

  /** Saves, and goes on with a new machine over the same store. */
  restart(): void {
    this.machine.save();
    this.machine = this.#build();
  }

  /** All events that the history keeps from a revision on. */
  eventsFrom(revision: number): KvEvent[] {
    const events: KvEvent[] = [];
    let next = revision;
    for (;;) {
      const batch = this.machine.eventsAt(next);
      if (batch === undefined) return events;
      events.push(...[...readEvents(batch)].filter((event) => event.revision >= next));
      next = batch.firstRevision + batch.count;
    }
  }

  #build(): KvMachine {
    const machine = new KvMachine(this.store, GROUP, this.historyBytes);
    machine.load();
    return machine;
  }
}
