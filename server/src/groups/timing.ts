/**
 * The clock of elections. A leader that dies is replaced within 2 s: its followers wait 0.8 to 1.6 s for a sign of it,
 * then one of them asks for votes, which takes two rounds of messages and one sync of the log. Where its process ended and
 * its links with it, they wait 0.2 to 1 s (`silence.ts`).
 *
 * Shorter would take a busy machine for a dead one: a leader whose event loop stands still for less than 0.6 s keeps its
 * place. Longer between heartbeats saves little: those of a quiet group are all that it costs.
 */
export const TICK_MS = 100;

/** A follower campaigns when it heard of no leader for this many ticks, up to double (drawn anew each time). */
export const ELECTION_TICKS = 8;

export const HEARTBEAT_TICKS = 2;

/**
 * A node that heard of too few voters for this long is cut off: a leader that hears of no majority steps down within this
 * time, and a follower that hears of no leader begins an election. Whoever is there was heard more often: it beats, pulses
 * and reports.
 */
export const CUT_OFF_AFTER_MS = 2 * ELECTION_TICKS * TICK_MS;

/**
 * A group with nothing to do for this many ticks stops its clocks. More than two quorum checks: whoever is counted as there
 * was heard in this time.
 */
export const HIBERNATE_AFTER_TICKS = 3 * ELECTION_TICKS;

/** How long the writes of a leader that was deposed wait for a next one to settle them. */
export const DOUBT_TICKS = 10;
