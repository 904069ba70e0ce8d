/** A Raft group for service tests: every write is committed and applied before `submit` returns, reads run at once. */
import { fromBinary } from '@bufbuild/protobuf';
import { ExpireDueSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { type Failure, isFailure, type Outcome } from '../../state/failure.ts';
import type { GroupState } from '../../state/group-state.ts';
import { internalMethod } from '../../state/internal-methods.ts';
import type { ApplyContext, Machine } from '../../state/machine.ts';
import { ErrorReason } from '../errors.ts';
import type { GroupRouter, Proposal, ServiceGroup } from '../groups.ts';

/** The machines that a test needs; a service under test touches no other. */
export type InstantMachines = Partial<Pick<GroupState, 'kv' | 'queue' | 'stream'>>;

/** 2026-01-01: an arbitrary time for clocks to begin at. */
export const firstStamp_ms = 1_767_225_600_000;

export class InstantGroup implements ServiceGroup {
  readonly id: number;
  /** The group's clock; tests move it with `advance`. */
  now_ms = firstStamp_ms;
  /** When set, every write is refused with it, and every read too unless `refuseReads` is false. */
  refusal: Failure | undefined;
  /** Set to keep reads going while writes are refused. */
  refuseReads = true;
  /** Hands machines only the payload, as on a replica. */
  asReplica = false;
  /** Entries applied so far. */
  index = 0;
  /** Every write that was applied, oldest first. */
  readonly applied: Proposal[] = [];
  readonly #state: GroupState;
  readonly #machines: readonly Machine[];
  readonly #waiting: Proposal[] = [];
  readonly #roleListeners = new Set<(isLeader: boolean) => void>();
  #busy = false;
  #isLeader = true;

  constructor(machines: InstantMachines, id = 1) {
    this.id = id;
    this.#state = machines as GroupState;
    this.#machines = Object.values(machines);
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** Changes the role and tells the listeners. What is refused then is up to `refusal`. */
  set isLeader(isLeader: boolean) {
    if (isLeader === this.#isLeader) return;
    this.#isLeader = isLeader;
    for (const listener of [...this.#roleListeners]) listener(isLeader);
  }

  onRoleChange(listener: (isLeader: boolean) => void): () => void {
    this.#roleListeners.add(listener);
    return () => this.#roleListeners.delete(listener);
  }

  submit(proposal: Proposal): void {
    if (this.refusal) {
      proposal.reply.fail(this.refusal);
      return;
    }
    this.#waiting.push(proposal);
    if (!this.#busy) this.#drain();
  }

  read(
    _consistency: number,
    query: (state: GroupState, now_ms: number) => void,
    fail: (failure: Failure) => void,
  ) {
    if (this.refusal && this.refuseReads) fail(this.refusal);
    else query(this.#state, this.now_ms);
  }

  /** Everything submitted inside `submits` becomes one entry. */
  batch(submits: () => void): void {
    const outer = this.#busy;
    this.#busy = true;
    try {
      submits();
    } finally {
      this.#busy = outer;
    }
    if (!outer) this.#drain();
  }

  /** Moves the clock and does everything that falls due by then, as the leader's timer would. */
  advance(ms: number): void {
    const target_ms = this.now_ms + ms;
    for (;;) {
      const due = this.#machines.map((machine) => machine.nextDue_ms()).filter((at) => at !== undefined);
      const next_ms = Math.min(...due);
      if (next_ms > target_ms) break;
      this.now_ms = Math.max(this.now_ms, next_ms);
      const context = this.#nextContext();
      for (const machine of this.#machines) while (machine.expireDue(context));
      this.#endEntry(context);
      const stuck = this.#machines.find((machine) => (machine.nextDue_ms() ?? Infinity) <= this.now_ms);
      if (stuck) throw new Error(`${stuck.constructor.name} did what was due and says that it is still due`);
    }
    this.now_ms = target_ms;
  }

  #drain(): void {
    this.#busy = true;
    try {
      // An answer may submit again: that is the next entry.
      while (this.#waiting.length > 0) {
        const entry = this.#waiting.splice(0);
        const context = this.#nextContext();
        const outcomes = entry.map((proposal) => this.#apply(proposal, context));
        this.#endEntry(context);
        this.applied.push(...entry);
        for (const [i, proposal] of entry.entries()) answer(proposal, outcomes[i]!);
      }
    } finally {
      this.#busy = false;
    }
  }

  #apply({ method, payload, request }: Proposal, context: ApplyContext): Outcome {
    if (method === internalMethod.expireDue) {
      fromBinary(ExpireDueSchema, payload);
      for (const machine of this.#machines) machine.expireDue(context);
      return new Uint8Array();
    }
    const machine = this.#machines.find(({ methods }) => methods.includes(method));
    if (!machine)
      return { reason: ErrorReason.METHOD_NOT_FOUND, message: `no machine applies method ${method}` };
    return machine.apply({ method, payload, request: this.asReplica ? undefined : request }, context);
  }

  #nextContext(): ApplyContext {
    return { index: ++this.index, stamp_ms: this.now_ms };
  }

  #endEntry(context: ApplyContext): void {
    for (const machine of this.#machines) machine.endEntry(context);
  }
}

function answer({ reply }: Proposal, outcome: Outcome): void {
  if (isFailure(outcome)) reply.fail(outcome);
  else reply.ok(outcome);
}

/** Spreads names over groups; by default all belong to the first. */
export class InstantRouter implements GroupRouter {
  readonly #groups: readonly InstantGroup[];
  readonly #pick: (name: string) => number;

  /** `pick`: position of the group that a name belongs to. */
  constructor(groups: readonly InstantGroup[], pick: (name: string) => number = () => 0) {
    this.#groups = groups;
    this.#pick = pick;
  }

  groupOf(name: string): InstantGroup {
    const group = this.#groups[this.#pick(name)];
    if (!group) throw new Error(`no group for ${name}`);
    return group;
  }

  dataGroups(): readonly InstantGroup[] {
    return this.#groups;
  }
}
