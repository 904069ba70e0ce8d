/** Turns the writes of one group that wait for their turn into entries of its log. */
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { RaftCore } from '../raft/index.ts';
import type { Proposal } from '../services/groups.ts';
import type { Failure } from '../state/failure.ts';
import { encodeLogEntry } from '../state/log-entry.ts';
import type { Callers } from './callers.ts';
import type { GroupHostFace } from './group-face.ts';
import type { Proposed } from './proposed-writes.ts';
import { refused } from './refusals.ts';
import { type NextEntry, WaitingWrites } from './waiting-writes.ts';

export interface ProposingParts {
  readonly group: number;
  readonly core: RaftCore;
  readonly host: Pick<
    GroupHostFace,
    'hasRoom' | 'held' | 'level' | 'takeLogRoom' | 'writeRefusal' | 'reportBug'
  >;
  readonly callers: Callers;
  readonly notLeader: () => Failure;
  /** Told of every entry that the core took. */
  readonly onProposed: (proposed: Proposed) => void;
}

const CANNOT_BE_LOGGED: Failure = {
  reason: ErrorReason.INTERNAL,
  message: 'the write cannot be put into the log, and was not done; the log of the server says why',
};

export class Proposing {
  readonly #parts: ProposingParts;
  readonly #waiting = new WaitingWrites();

  constructor(parts: ProposingParts) {
    this.#parts = parts;
  }

  /** Commands that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** What they occupy. */
  get waitingBytes(): number {
    return this.#waiting.bytes;
  }

  hasRoomFor(proposal: Proposal): boolean {
    return this.#waiting.hasRoomFor(proposal);
  }

  push(proposal: Proposal): void {
    this.#waiting.push(proposal);
  }

  /** Fails all that wait. */
  failAll(failure: Failure): void {
    for (const { reply } of this.#waiting.takeAll()) this.#parts.callers.fail(reply, failure);
  }

  /** Proposes what waits, as far as there is room for it, with the time of the group as their stamp. */
  proposeWaiting(now_ms: () => number): void {
    const { host } = this.#parts;
    if (this.#waiting.length > 0 && !host.hasRoom) this.#refuseWithoutRoom();
    if (this.#waiting.length === 0 || host.held) return;
    const stamp_ms = now_ms();
    // What a failed write's caller submits at once is for the next turn.
    for (let left = this.#waiting.length; left > 0; ) {
      const next = this.#waiting.nextEntry(left);
      if (!host.takeLogRoom(next.bytes)) return;
      this.#propose(next, stamp_ms);
      left -= next.count;
    }
  }

  /** What was let in before the room ran out must not wait for it without end, nor meet a log that cannot take it. */
  #refuseWithoutRoom(): void {
    const { host, callers } = this.#parts;
    for (const proposal of this.#waiting.takeAll()) {
      const refusal = host.writeRefusal(proposal.method);
      if (refusal === undefined) this.#waiting.push(proposal);
      else callers.fail(proposal.reply, refusal);
    }
  }

  #propose(next: NextEntry, stamp_ms: number): void {
    const proposals = this.#waiting.take(next);
    let data: Uint8Array;
    try {
      data = this.#encode(stamp_ms, proposals);
    } catch (error) {
      const encodable = proposals.filter((proposal) => this.#isEncodable(proposal, stamp_ms));
      // None of them has the bug: whose it is is not known, nor what it did.
      if (encodable.length === proposals.length) throw error;
      if (encodable.length > 0) this.#append(this.#encode(stamp_ms, encodable), encodable, stamp_ms);
      return;
    }
    this.#append(data, proposals, stamp_ms);
  }

  #append(data: Uint8Array, proposals: readonly Proposal[], stamp_ms: number): void {
    const { core, callers, notLeader, onProposed } = this.#parts;
    try {
      const { index, term } = core.propose(data);
      onProposed({ index, term, stamp_ms, proposals });
    } catch (error) {
      const failure = refused(error, notLeader);
      for (const { reply } of proposals) callers.fail(reply, failure);
    }
  }

  #encode(stamp_ms: number, proposals: readonly Proposal[]): Uint8Array {
    return encodeLogEntry(stamp_ms, proposals, 0, proposals.length, this.#parts.host.level);
  }

  /** A write that is not is a bug of its service: it costs that call, and neither its neighbours nor the node. */
  #isEncodable(proposal: Proposal, stamp_ms: number): boolean {
    const { group, host, callers } = this.#parts;
    try {
      this.#encode(stamp_ms, [proposal]);
      return true;
    } catch (error) {
      host.reportBug(error, `encoding a write of method ${proposal.method} for group ${group}`);
      callers.fail(proposal.reply, CANNOT_BE_LOGGED);
      return false;
    }
  }
}
