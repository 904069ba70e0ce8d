/**
 * The replicated state of one Raft group: three machines and the session table over one store, moved by one log.
 * The control group has a fourth machine.
 *
 * `apply` takes entries in order and is deterministic; see `machine.ts` for what that asks. Because all machines share
 * the log, one entry can hold commands of all three.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ExpireDueSchema } from '../gen/gomsg/internal/v1/commands_pb.js';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import {
  PipelineServiceCloseSessionRequestSchema,
  PipelineServiceCloseSessionResponseSchema,
  PipelineServiceOpenSessionResponseSchema,
} from '../gen/gomsg/v1/pipeline_pb.js';
import { readApplied, writeApplied } from './applied.ts';
import { ControlMachine } from './control/control-machine.ts';
import { CONTROL_GROUP } from './control/limits.ts';
import type { Outcome } from './failure.ts';
import type { ReportBug } from './guarded-listener.ts';
import { internalMethod } from './internal-methods.ts';
import { KvMachine } from './kv/kv-machine.ts';
import type { EntryCommand } from './log-entry.ts';
import type { ApplyContext, Machine, StateStore } from './machine.ts';
import { QueueMachine } from './queue/queue-machine.ts';
import { SessionTable } from './sessions.ts';
import { StreamMachine } from './stream/stream-machine.ts';

/** Methods of the session table; their numbers are those of the rpcs. */
export const sessionMethod = { open: 502, close: 503 } as const;

export class GroupState {
  readonly kv: KvMachine;
  readonly queue: QueueMachine;
  readonly stream: StreamMachine;
  /** Of the control group alone. */
  readonly control: ControlMachine | undefined;
  readonly sessions: SessionTable;
  readonly #store: StateStore;
  readonly #machines: readonly Machine[];
  readonly #byMethod = new Map<number, Machine>();
  readonly #group: number;
  #appliedIndex = 0;
  #appliedTerm = 0;
  #stamp_ms = 0;
  #membership: Uint8Array | undefined;
  #moreDue = false;

  /**
   * `membership`: who belongs to the group before any entry says so; undefined when nobody recorded it. `reportBug` is told
   * what a listener of a machine throws; undefined: it is thrown.
   */
  constructor(store: StateStore, group: number, membership?: Uint8Array, reportBug?: ReportBug) {
    this.#store = store;
    this.#group = group;
    this.#membership = membership;
    this.kv = new KvMachine(store, group, undefined, reportBug);
    this.queue = new QueueMachine(store, group, reportBug);
    this.stream = new StreamMachine(store, group, reportBug);
    this.sessions = new SessionTable(store, group);
    this.control = group === CONTROL_GROUP ? new ControlMachine(store, group) : undefined;
    this.#machines = [this.kv, this.queue, this.stream, ...(this.control ? [this.control] : [])];
    for (const machine of this.#machines) {
      for (const method of machine.methods) this.#byMethod.set(method, machine);
    }
  }

  /** Index of the last entry applied, of any kind. */
  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** Term of that entry. */
  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  /** Stamp of the last entry that had one, in Unix milliseconds. */
  get stamp_ms(): number {
    return this.#stamp_ms;
  }

  /** Who belonged to the group as of the applied index, in the encoding of the consensus core. */
  get membership(): Uint8Array | undefined {
    return this.#membership;
  }

  /** Bytes of keys, values, messages and history: about what a snapshot has. Walks all queues and topics. */
  dataBytes(): number {
    const { kv, queue, stream } = this;
    return kv.bytes + kv.keptHistoryBytes + queue.totals().bytes + stream.totals().bytes;
  }

  /** True when the last run of due work left some behind. */
  get moreDue(): boolean {
    return this.#moreDue;
  }

  /** Applies one normal entry. Returns the outcome of each command, in their order. */
  apply(index: number, term: number, stamp_ms: number, commands: readonly EntryCommand[]): Outcome[] {
    this.#advance(index, term);
    // Leaders never stamp backwards; a damaged or foreign entry must not turn time back either.
    this.#stamp_ms = Math.max(this.#stamp_ms, stamp_ms);
    const context: ApplyContext = { index, stamp_ms: this.#stamp_ms };
    const outcomes: Outcome[] = [];
    for (let i = 0; i < commands.length; i++) outcomes.push(this.#applyOnce(commands[i]!, context));
    for (const machine of this.#machines) machine.endEntry(context);
    return outcomes;
  }

  /** Passes an entry that changes nothing here: a leader's first entry. */
  skip(index: number, term: number): void {
    this.#advance(index, term);
  }

  /** Passes an entry that changes who belongs to the group. Keeps the bytes. */
  reconfigure(index: number, term: number, membership: Uint8Array): void {
    this.#advance(index, term);
    this.#membership = membership;
  }

  /** Earliest stamp at which something falls due; undefined when nothing is pending. */
  nextDue_ms(): number | undefined {
    let next: number | undefined;
    for (const machine of this.#machines) {
      const due = machine.nextDue_ms();
      if (due !== undefined && (next === undefined || due < next)) next = due;
    }
    return next;
  }

  /** Writes what is kept in memory into the store, the applied index with it: before every checkpoint and snapshot. */
  save(): void {
    for (const machine of this.#machines) machine.save();
    this.sessions.save();
    writeApplied(this.#store, this.#group, {
      index: this.#appliedIndex,
      term: this.#appliedTerm,
      stamp_ms: this.#stamp_ms,
      membership: this.#membership,
    });
  }

  /**
   * Reads what `save` wrote: before the first apply, and whenever the rows of the group were replaced as a whole by
   * those of a snapshot. Nothing is kept of what was in memory, but for a membership that no row says.
   */
  load(): void {
    const applied = readApplied(this.#store, this.#group);
    this.#appliedIndex = applied?.index ?? 0;
    this.#appliedTerm = applied?.term ?? 0;
    this.#stamp_ms = applied?.stamp_ms ?? 0;
    this.#membership = applied?.membership ?? this.#membership;
    this.#moreDue = false;
    this.sessions.load();
    for (const machine of this.#machines) machine.load();
  }

  #advance(index: number, term: number): void {
    if (index !== this.#appliedIndex + 1) {
      throw new Error(`entry ${index} cannot be applied after entry ${this.#appliedIndex}`);
    }
    this.#appliedIndex = index;
    this.#appliedTerm = term;
  }

  #applyOnce(command: EntryCommand, context: ApplyContext): Outcome {
    const { session } = command;
    if (session === undefined) return this.#applyCommand(command, context);
    const known = this.sessions.begin(session, context.stamp_ms);
    if (known !== undefined) return known;
    const outcome = this.#applyCommand(command, context);
    this.sessions.finish(session, outcome);
    return outcome;
  }

  #applyCommand(command: EntryCommand, context: ApplyContext): Outcome {
    const machine = this.#byMethod.get(command.method);
    if (machine !== undefined) return machine.apply(command, context);
    switch (command.method) {
      case internalMethod.expireDue:
        return this.#expireDue(command, context);
      case sessionMethod.open:
        return toBinary(
          PipelineServiceOpenSessionResponseSchema,
          create(PipelineServiceOpenSessionResponseSchema, {
            sessionId: this.sessions.open(context.stamp_ms),
          }),
        );
      case sessionMethod.close: {
        const { sessionId } = fromBinary(PipelineServiceCloseSessionRequestSchema, command.payload);
        this.sessions.close(sessionId);
        return toBinary(
          PipelineServiceCloseSessionResponseSchema,
          create(PipelineServiceCloseSessionResponseSchema),
        );
      }
      default:
        // Entry versions keep this from being a newer leader's command: the caller named a method that does not write.
        return {
          reason: ErrorReason.METHOD_NOT_FOUND,
          message: `method ${command.method} is not one that changes state`,
        };
    }
  }

  #expireDue(command: EntryCommand, context: ApplyContext): Outcome {
    const { sessionIdleTimeoutMs } = fromBinary(ExpireDueSchema, command.payload);
    if (sessionIdleTimeoutMs > 0n) this.sessions.evictIdle(context.stamp_ms, Number(sessionIdleTimeoutMs));
    this.#moreDue = false;
    for (const machine of this.#machines) {
      if (machine.expireDue(context)) this.#moreDue = true;
    }
    return NOTHING;
  }
}

const NOTHING = new Uint8Array(0);
