"""Sessions: what makes a repeated write apply once.

A session is a number that the server gave out and a position for each write in it. The server keeps the answers of
writes until the client says that it has them (`answered_below`), so the span from the oldest unanswered write to the
newest is bounded. One slow call, such as a pop that waits, would stop all writes there; instead its session is retired
and the next writes begin in a new one. A retired session ends with its last answer.
"""

from __future__ import annotations

from collections.abc import Callable

SESSION_SPAN_MAX = 8_192
"""Positions from the oldest unanswered write to the newest, at most: half of what a server keeps."""

RETIRED_SESSIONS_MAX = 256
"""Sessions that wait for their last answers at once, at most; writes wait for one of them to end."""


class WriteSession:
    """The writes of one session, whichever nodes they go to. Times are of the monotonic clock, in seconds."""

    __slots__ = ("id", "stale_at", "next", "answered_below", "_idle", "_answered")

    def __init__(self, session_id: int, idle_timeout: float, now: float) -> None:
        self.id = session_id
        # Half of it: the clocks of client and server count from different moments.
        self._idle = idle_timeout / 2
        self.stale_at = now + self._idle
        """When it is too old to be relied on, unless it is used before then."""
        self.next = 1
        self.answered_below = 1
        """Every write below it was answered."""
        self._answered: set[int] = set()

    @property
    def has_room(self) -> bool:
        return self.next - self.answered_below < SESSION_SPAN_MAX

    @property
    def is_idle(self) -> bool:
        return self.next == self.answered_below

    def take(self, now: float) -> int:
        """The position of one more write. Only while there is room."""
        self.stale_at = now + self._idle
        sequence = self.next
        self.next += 1
        return sequence

    def answered(self, sequence: int) -> None:
        """The write needs its answer no more: it came, or nobody waits for it."""
        if sequence != self.answered_below:
            self._answered.add(sequence)
            return
        below = sequence + 1
        answered = self._answered
        while below in answered:
            answered.remove(below)
            below += 1
        self.answered_below = below


class Sessions:
    """The session that writes go into, and those that only wait for answers.

    `open_session` asks a server for one and answers later through `opened` or `open_failed`. `close_session` tells a
    server that one is over; nobody waits for the answer.
    """

    def __init__(self, open_session: Callable[[], None], close_session: Callable[[int], None]) -> None:
        self._open_session = open_session
        self._close_session = close_session
        self._current: WriteSession | None = None
        self._retired: set[WriteSession] = set()
        self._opening = False

    def current(self, now: float) -> WriteSession | None:
        """The session for the next write; None when one is being opened, or too many wait for their last answers."""
        session = self._current
        if session is not None:
            if session.has_room and (now < session.stale_at or not session.is_idle):
                return session
            if len(self._retired) >= RETIRED_SESSIONS_MAX:
                return None
            self._retire(session)
        if not self._opening:
            self._opening = True
            self._open_session()
        return None

    def opened(self, session_id: int, idle_timeout: float, now: float) -> None:
        self._opening = False
        self._current = WriteSession(session_id, idle_timeout, now)

    def open_failed(self) -> None:
        self._opening = False

    def lost(self, session: WriteSession) -> None:
        """The server no longer knows the session: no further write goes into it."""
        if self._current is session:
            self._retire(session)

    def settled(self, session: WriteSession, sequence: int) -> None:
        """A write needs its answer no more."""
        session.answered(sequence)
        if session.is_idle and session in self._retired:
            self._retired.remove(session)
            self._close_session(session.id)

    def end(self) -> int | None:
        """The id of the session that is open, if any, at the end of the client."""
        session, self._current = self._current, None
        return session.id if session is not None else None

    def _retire(self, session: WriteSession) -> None:
        self._current = None
        if session.is_idle:
            self._close_session(session.id)
        else:
            self._retired.add(session)
