/**
 * The way back to the callers of one group. A handler that fails to pass an answer on has a bug: the state is well, and
 * it costs that call, and not the node.
 */
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { Reply } from '../services/method.ts';
import { type Failure, isFailure, type Outcome } from '../state/failure.ts';
import type { GroupState } from '../state/group-state.ts';
import type { WaitingRead } from './waiting-reads.ts';

export interface BugReports {
  reportBug(error: unknown, where: string): void;
}

export class Callers {
  readonly #group: number;
  readonly #bugs: BugReports;

  constructor(group: number, bugs: BugReports) {
    this.#group = group;
    this.#bugs = bugs;
  }

  answer(reply: Reply, outcome: Outcome): void {
    try {
      if (isFailure(outcome)) reply.fail(outcome);
      else reply.ok(outcome);
    } catch (error) {
      this.#bugs.reportBug(error, `answering a write of group ${this.#group}`);
      this.fail(reply, {
        reason: ErrorReason.INTERNAL,
        message: 'the write is done, and its answer failed unexpectedly; the log of the server says why',
      });
    }
  }

  /** Fails a write or a read whose caller may be the one with the bug. */
  fail(caller: { fail(failure: Failure): void }, failure: Failure): void {
    try {
      caller.fail(failure);
    } catch (error) {
      this.#bugs.reportBug(error, `failing a call of group ${this.#group}`);
    }
  }

  serve(read: WaitingRead, state: GroupState, now_ms: number): void {
    try {
      read.query(state, now_ms);
    } catch (error) {
      this.#bugs.reportBug(error, `a read of group ${this.#group}`);
      this.fail(read, {
        reason: ErrorReason.INTERNAL,
        message: 'the read failed unexpectedly; the log of the server says why',
      });
    }
  }
}
