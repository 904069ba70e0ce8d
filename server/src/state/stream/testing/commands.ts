/** Runs commands through a stream machine in tests, and decodes what it answers. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { JoinConsumerSchema, LeaveConsumerSchema } from '../../../gen/gomsg/internal/v1/commands_pb.js';
import {
  StreamAssignmentSchema,
  type StreamMessage,
  StreamService,
  StreamServiceReadResponseSchema,
} from '../../../gen/gomsg/v1/stream_pb.js';
import { type Failure, isFailure } from '../../failure.ts';
import { internalMethod } from '../../internal-methods.ts';
import type { ApplyContext, Command, StateStore } from '../../machine.ts';
import { ModelStore } from '../../testing/model-store.ts';
import { streamMethod } from '../method-numbers.ts';
import { MessageChunks } from '../partition-reader.ts';
import { StreamMachine } from '../stream-machine.ts';

/** A command with what decodes its answer. */
export interface TestCommand<O extends DescMessage = DescMessage> {
  readonly name: string;
  readonly command: Command;
  /** Undefined for commands that answer nothing. */
  readonly output: O | undefined;
}

function command<I extends DescMessage, O extends DescMessage>(
  name: string,
  method: number,
  input: I,
  output: O | undefined,
  init: MessageInitShape<I>,
): TestCommand<O> {
  const request = create(input, init);
  return { name, command: { method, payload: toBinary(input, request), request }, output };
}

/** Builds the command of each rpc, and of each internal command. */
function ofRpc<I extends DescMessage, O extends DescMessage>(
  method: number,
  rpc: { readonly name: string; readonly input: I; readonly output: O },
) {
  return (init: MessageInitShape<I>) => command(rpc.name, method, rpc.input, rpc.output, init);
}

const rpcs = StreamService.method;
export const commands = {
  create: ofRpc(streamMethod.create, rpcs.create),
  configure: ofRpc(streamMethod.configure, rpcs.configure),
  publish: ofRpc(streamMethod.publish, rpcs.publish),
  publishBatch: ofRpc(streamMethod.publishBatch, rpcs.publishBatch),
  ack: ofRpc(streamMethod.ack, rpcs.ack),
  seek: ofRpc(streamMethod.seek, rpcs.seek),
  delete: ofRpc(streamMethod.delete, rpcs.delete),
  purge: ofRpc(streamMethod.purge, rpcs.purge),
  join: (init: MessageInitShape<typeof JoinConsumerSchema>) =>
    command(
      'Join',
      internalMethod.joinConsumer,
      JoinConsumerSchema,
      StreamAssignmentSchema as DescMessage,
      init,
    ),
  leave: (init: MessageInitShape<typeof LeaveConsumerSchema>) =>
    command('Leave', internalMethod.leaveConsumer, LeaveConsumerSchema, undefined, init),
};

/** What a command gave: the decoded answer or the failure. */
export type Answer<O extends DescMessage = DescMessage> = MessageShape<O> | Failure | undefined;

/** A machine with a clock and entry counter of its own. */
export class TestMachine {
  readonly store: StateStore & { dump(): [string, string][] };
  readonly group: number;
  machine: StreamMachine;
  now_ms: number;
  index = 0;
  /** Commands reach the machine without their decoded request, as on replicas. */
  readonly asReplica: boolean;

  constructor({ asReplica = false, group = 1, now_ms = 1_767_225_600_123 } = {}) {
    this.store = new ModelStore();
    this.group = group;
    this.asReplica = asReplica;
    this.now_ms = now_ms;
    this.machine = new StreamMachine(this.store, group);
    this.machine.load();
  }

  /** Applies the commands as one entry. */
  entry(...list: TestCommand[]): Answer[] {
    return this.watchedEntry(list, () => {});
  }

  /** Applies the commands as one entry, with a call before each. */
  watchedEntry(list: readonly TestCommand[], before: (index: number) => void): Answer[] {
    const context: ApplyContext = { index: ++this.index, stamp_ms: this.now_ms };
    const outcomes = list.map(({ command: given }, i) => {
      before(i);
      return this.machine.apply(this.asReplica ? { ...given, request: undefined } : given, context);
    });
    this.machine.endEntry();
    return outcomes.map((outcome, i) => {
      if (isFailure(outcome)) return outcome;
      const { output } = list[i]!;
      return output && fromBinary(output, outcome);
    });
  }

  /** Applies one command that must succeed. */
  do<O extends DescMessage>(given: TestCommand<O>): MessageShape<O> {
    const [answer] = this.entry(given);
    if (answer && 'reason' in answer) throw new Error(`${given.name}: ${(answer as Failure).message}`);
    return answer as MessageShape<O>;
  }

  /** Applies one command that must fail. */
  fail(given: TestCommand): Failure {
    const [answer] = this.entry(given);
    if (!answer || !('reason' in answer)) throw new Error(`${given.name} succeeded`);
    return answer as Failure;
  }

  /** Moves the clock on, and does what falls due, run by run. Returns the number of runs. */
  advance(ms: number): number {
    const target_ms = this.now_ms + ms;
    let runs = 0;
    for (;;) {
      const due_ms = this.machine.nextDue_ms();
      if (due_ms === undefined || due_ms > target_ms) break;
      this.now_ms = Math.max(this.now_ms, due_ms);
      this.machine.expireDue({ index: ++this.index, stamp_ms: this.now_ms });
      this.machine.endEntry();
      runs++;
    }
    this.now_ms = target_ms;
    return runs;
  }

  /** Saves and starts again from the store, as a restart does. */
  restart(): void {
    this.machine.save();
    this.machine = new StreamMachine(this.store, this.group);
    this.machine.load();
  }

  /** Everything that is kept in a partition. */
  messages(topic: string, partition = 0, from?: number): StreamMessage[] {
    const view = this.machine.topic(topic)?.partitions[partition];
    if (!view) throw new Error(`no partition ${partition} of ${topic}`);
    const into = new MessageChunks(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    const next = this.machine.reader().read(view, from ?? view.startOffset, into);
    if (next !== view.endOffset) throw new Error(`read up to ${next} of ${view.endOffset}`);
    return decodeMessages(into.joined());
  }
}

/** Decodes encoded `messages` fields. */
export function decodeMessages(bytes: Uint8Array): StreamMessage[] {
  return fromBinary(StreamServiceReadResponseSchema, bytes).messages;
}
