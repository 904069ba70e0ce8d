/**
 * Sessions: what makes a repeated write apply once.
 *
 * A session is a number that the server gave out and a position for each write in it. The server keeps the answers of
 * writes until the client says that it has them (`answered_below`), so the span from the oldest unanswered write to
 * the newest is bounded. One slow call, such as a pop that waits, would stop all writes there; instead its session is
 * retired and the next writes begin in a new one. A retired session ends with its last answer.
 */

/** Positions from the oldest unanswered write to the newest, at most. Half of what a server keeps; a power of two. */
export const SESSION_SPAN_MAX = 8_192;

/** Sessions that wait for their last answers at once, at most; writes wait for one of them to end. */
export const RETIRED_SESSIONS_MAX = 256;

/** The writes of one session. */
export class WriteSession {
  readonly id: bigint;
  /** When it is too old to be relied on, on the monotonic clock, unless it is used before then. */
  staleAt_ms: number;
  readonly #idle_ms: number;
  /** Whether a position was answered, for the span from `answeredBelow` on. */
  readonly #answered = new Uint8Array(SESSION_SPAN_MAX);
  #next = 1;
  #answeredBelow = 1;

  constructor(id: bigint, idleTimeout_ms: number, now_ms: number) {
    this.id = id;
    // Half of it: the clocks of client and server count from different moments.
    this.#idle_ms = idleTimeout_ms / 2;
    this.staleAt_ms = now_ms + this.#idle_ms;
  }

  /** Every write below it was answered. */
  get answeredBelow(): number {
    return this.#answeredBelow;
  }

  get hasRoom(): boolean {
    return this.#next - this.#answeredBelow < SESSION_SPAN_MAX;
  }

  get isIdle(): boolean {
    return this.#next === this.#answeredBelow;
  }

  /** The position of one more write. Only while there is room. */
  take(now_ms: number): number {
    this.staleAt_ms = now_ms + this.#idle_ms;
    return this.#next++;
  }

  /** The write needs its answer no more: it came, or nobody waits for it. Once for every position. */
  answered(sequence: number): void {
    const answered = this.#answered;
    answered[sequence % SESSION_SPAN_MAX] = 1;
    let below = this.#answeredBelow;
    while (below < this.#next && answered[below % SESSION_SPAN_MAX] === 1) {
      answered[below % SESSION_SPAN_MAX] = 0;
      below++;
    }
    this.#answeredBelow = below;
  }
}

export interface SessionCalls {
  /** Asks the server for a session; answers later through `opened` or `openFailed`. */
  open(): void;
  /** Tells the server that a session is over. Nobody waits for the answer. */
  close(id: bigint): void;
}

/** The session that writes go into, and those that only wait for answers. */
export class Sessions {
  readonly #calls: SessionCalls;
  readonly #retired = new Set<WriteSession>();
  #current: WriteSession | undefined;
  #opening = false;

  constructor(calls: SessionCalls) {
    this.#calls = calls;
  }

  /**
   * The session for the next write; undefined when one is being opened, or too many wait for their last answers: ask
   * again after `opened` or `settled`.
   */
  current(now_ms: number): WriteSession | undefined {
    const session = this.#current;
    if (session !== undefined) {
      if (session.hasRoom && (now_ms < session.staleAt_ms || !session.isIdle)) return session;
      if (this.#retired.size >= RETIRED_SESSIONS_MAX) return undefined;
      this.#retire(session);
    }
    if (!this.#opening) {
      this.#opening = true;
      this.#calls.open();
    }
    return undefined;
  }

  opened(id: bigint, idleTimeout_ms: number, now_ms: number): void {
    this.#opening = false;
    this.#current = new WriteSession(id, idleTimeout_ms, now_ms);
  }

  openFailed(): void {
    this.#opening = false;
  }

  /** The server no longer knows the session: no further write goes into it. */
  lost(session: WriteSession): void {
    if (this.#current === session) this.#retire(session);
  }

  /** A write needs its answer no more. */
  settled(session: WriteSession, sequence: number): void {
    session.answered(sequence);
    if (session.isIdle && this.#retired.delete(session)) this.#calls.close(session.id);
  }

  /** The session that is open, if any, at the end of the client. */
  end(): bigint | undefined {
    const id = this.#current?.id;
    this.#current = undefined;
    return id;
  }

  #retire(session: WriteSession): void {
    this.#current = undefined;
    if (session.isIdle) this.#calls.close(session.id);
    else this.#retired.add(session);
  }
}
