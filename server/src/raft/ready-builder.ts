/** Turns what has become due into a `Ready`, and remembers what the owner was told. */
import { EntryKind, type HardState, NO_ENTRIES } from './entry.ts';
import { noteHandedOut } from './membership.ts';
import { NO_MESSAGES } from './messages.ts';
import { NO_READ_STATES, type Ready, type Role, type SoftState } from './ready.ts';
import { sendDueAppends, sendReadRound } from './replication.ts';
import type { RaftState } from './state.ts';

export class ReadyBuilder {
  readonly #state: RaftState;
  #toldRole: Role;
  #toldLeader: number;
  #toldHardState: HardState;

  constructor(state: RaftState, stored: HardState) {
    this.#state = state;
    this.#toldRole = state.role;
    this.#toldLeader = state.leader;
    this.#toldHardState = stored;
  }

  hasReady(): boolean {
    const state = this.#state;
    const { log, leadership } = state;
    if (state.messages.length > 0 || state.readStates.length > 0) return true;
    if (log.hasCommitted() || log.hasUnwrittenSnapshot()) return true;
    if ((log.hasUnwritten() || state.messagesAfterPersist.length > 0) && !log.isHeld()) return true;
    if (state.term !== this.#toldHardState.term || state.vote !== this.#toldHardState.vote) return true;
    if (state.role !== this.#toldRole || state.leader !== this.#toldLeader) return true;
    if (leadership === undefined || leadership.tracker.peers.length === 0) return false;
    return (leadership.appendsDue || leadership.readRoundDue) && state.maySpeak(leadership);
  }

  take(): Ready {
    const state = this.#state;
    const { log, leadership } = state;
    if (leadership !== undefined && state.maySpeak(leadership)) {
      if (leadership.readRoundDue) sendReadRound(state, leadership);
      if (leadership.appendsDue) sendDueAppends(state, leadership);
    }
    const snapshot = log.takeSnapshot();
    // From the snapshot until it is installed, what depends on the log waits: writes, and what is said of them.
    const held = log.isHeld();
    const entries = held ? NO_ENTRIES : log.takeUnwritten();
    const writes = entries.length > 0 || snapshot !== undefined;

    const hardState = state.hardState();
    const told = this.#toldHardState;
    const voted = hardState.term !== told.term || hardState.vote !== told.vote;
    const store = voted || (writes && hardState.commit > told.commit);
    if (store) this.#toldHardState = hardState;

    const committed = log.takeCommitted();
    for (const entry of committed) {
      if (entry.kind === EntryKind.CONFIGURATION) noteHandedOut(state, entry);
      if (leadership !== undefined && entry.term === state.term) {
        leadership.uncommittedBytes -= entry.data.length;
      }
    }

    const { messages, messagesAfterPersist, readStates } = state;
    const releases = !held && messagesAfterPersist.length > 0;
    if (messages.length > 0) state.messages = [];
    if (releases) state.messagesAfterPersist = [];
    if (readStates.length > 0) state.readStates = [];
    return {
      softState: this.#takeSoftState(),
      snapshot,
      entries,
      hardState: store ? hardState : undefined,
      mustSync: writes || voted,
      messages: messages.length > 0 ? messages : NO_MESSAGES,
      messagesAfterPersist: releases ? messagesAfterPersist : NO_MESSAGES,
      committed,
      readStates: readStates.length > 0 ? readStates : NO_READ_STATES,
    };
  }

  #takeSoftState(): SoftState | undefined {
    const { role, leader } = this.#state;
    if (role === this.#toldRole && leader === this.#toldLeader) return undefined;
    this.#toldRole = role;
    this.#toldLeader = leader;
    return { role, leader };
  }
}
