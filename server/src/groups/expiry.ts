/** Proposes what falls due by time, in the groups that this node leads: at its time, or with the next look. */
import { create, toBinary } from '@bufbuild/protobuf';
import { ExpireDueSchema } from '../gen/gomsg/internal/v1/commands_pb.js';
import { internalMethod } from '../state/internal-methods.ts';
import type { Group } from './group.ts';

/** Longest sleep that a timer takes; a later due time is reached in several. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Expiry {
  readonly #groups: readonly Group[];
  readonly #sessionIdleTimeout_ms: number;
  /** One timer for all groups, at the earliest due time. */
  #timer: NodeJS.Timeout | undefined;
  #timerAt_ms = Number.POSITIVE_INFINITY;
  /** Groups whose due work is in the log and not yet applied. */
  readonly #underWay = new Set<Group>();
  #stopped = false;

  constructor(groups: readonly Group[], sessionIdleTimeout_ms: number) {
    this.#groups = groups;
    this.#sessionIdleTimeout_ms = sessionIdleTimeout_ms;
  }

  /** Proposes nothing any more. What is due stays due, and is done after the next start. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Sees to it that the group's due work is proposed in time. Called whenever its state may have changed. */
  arm(group: Group): void {
    if (this.#stopped || !group.isLeader || this.#underWay.has(group)) return;
    const due_ms = group.state.nextDue_ms();
    if (due_ms === undefined || due_ms >= this.#timerAt_ms) return;
    this.#timerAt_ms = due_ms;
    clearTimeout(this.#timer);
    const wait_ms = Math.min(Math.max(0, due_ms - group.now()), TIMER_MS_MAX);
    this.#timer = setTimeout(() => this.#expire(), wait_ms);
    this.#timer.unref();
  }

  /** The same, also where the clock was set ahead while the timer slept. */
  look(group: Group): void {
    const due_ms = group.state.nextDue_ms();
    if (due_ms !== undefined && due_ms <= group.now()) this.#timerAt_ms = Number.POSITIVE_INFINITY;
    this.arm(group);
  }

  /** Ends the sessions of the group that were idle for too long, along with what is due. */
  sweepSessions(group: Group): void {
    if (group.state.sessions.size > 0) this.#propose(group, this.#sessionIdleTimeout_ms);
  }

  #expire(): void {
    this.#timerAt_ms = Number.POSITIVE_INFINITY;
    for (const group of this.#groups) {
      const due_ms = group.state.nextDue_ms();
      if (due_ms !== undefined && due_ms <= group.now()) this.#propose(group, 0);
      else this.arm(group);
    }
  }

  #propose(group: Group, sessionIdleTimeout_ms: number): void {
    if (this.#stopped || !group.isLeader || this.#underWay.has(group)) return;
    this.#underWay.add(group);
    const request = create(ExpireDueSchema, { sessionIdleTimeoutMs: BigInt(sessionIdleTimeout_ms) });
    group.submit({
      method: internalMethod.expireDue,
      payload: toBinary(ExpireDueSchema, request),
      request,
      session: undefined,
      reply: {
        ok: () => {
          this.#underWay.delete(group);
          if (group.state.moreDue) this.#propose(group, 0);
          else this.arm(group);
        },
        // A refusal (a full disk, say) is no loss: what is due stays due, and housekeeping asks again.
        fail: () => this.#underWay.delete(group),
      },
    });
  }
}
