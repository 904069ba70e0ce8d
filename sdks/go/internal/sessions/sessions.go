// Package sessions keeps what makes a repeated write apply once.
//
// A session is a number that the server gave out and a position for each write in it. The server keeps the answers of
// writes until the client says that it has them (answered_below), so the span from the oldest unanswered write to the
// newest is bounded. One slow call, such as a pop that waits, would stop all writes there; instead its session is
// retired and the next writes begin in a new one. A retired session ends with its last answer.
//
// Nothing here is safe for concurrent use: the owner of a Sessions has a lock.
package sessions

import "time"

// MaxSpan is the number of positions from the oldest unanswered write to the newest, at most. Half of what a server
// keeps; a power of two.
const MaxSpan = 8_192

// MaxRetired is the number of sessions that wait for their last answers at once, at most; writes wait for one of them to
// end.
const MaxRetired = 256

// Session holds the writes of one session.
type Session struct {
	// ID is the number that the server gave out.
	ID            uint64
	idle          time.Duration
	staleAt       time.Time
	answered      [MaxSpan]bool
	next          uint64
	answeredBelow uint64
}

// AnsweredBelow returns the position below which every write was answered.
func (s *Session) AnsweredBelow() uint64 { return s.answeredBelow }

// Take returns the position of one more write. Only of the session that Current returned, and once for each time.
func (s *Session) Take(now time.Time) uint64 {
	s.staleAt = now.Add(s.idle)
	s.next++
	return s.next - 1
}

func (s *Session) hasRoom() bool { return s.next-s.answeredBelow < MaxSpan }

func (s *Session) isIdle() bool { return s.next == s.answeredBelow }

func (s *Session) settle(sequence uint64) {
	s.answered[sequence%MaxSpan] = true
	for s.answeredBelow < s.next && s.answered[s.answeredBelow%MaxSpan] {
		s.answered[s.answeredBelow%MaxSpan] = false
		s.answeredBelow++
	}
}

// Sessions is the session that writes go into, and those that only wait for answers.
type Sessions struct {
	// Open asks the server for a session; Opened or OpenFailed is called when it has answered.
	Open func()
	// Close tells the server that a session is over. Nobody waits for the answer.
	Close func(id uint64)

	current *Session
	retired map[*Session]struct{}
	opening bool
}

// Current returns the session for the next write; nil when one is being opened, or too many wait for their last answers:
// ask again after Opened or Settled.
func (s *Sessions) Current(now time.Time) *Session {
	if session := s.current; session != nil {
		if session.hasRoom() && (now.Before(session.staleAt) || !session.isIdle()) {
			return session
		}
		if len(s.retired) >= MaxRetired {
			return nil
		}
		s.retire(session)
	}
	if !s.opening {
		s.opening = true
		s.Open()
	}
	return nil
}

// Opened takes the session that the server gave out. It is relied on for half of its idle timeout without use: the
// clocks of client and server count from different moments. An idleTimeout of 0 is none.
func (s *Sessions) Opened(id uint64, idleTimeout time.Duration, now time.Time) {
	s.opening = false
	idle := idleTimeout / 2
	if idleTimeout <= 0 {
		idle = 100 * 365 * 24 * time.Hour
	}
	s.current = &Session{ID: id, idle: idle, staleAt: now.Add(idle), next: 1, answeredBelow: 1}
}

// Opening tells whether the server was asked for a session and has not answered.
func (s *Sessions) Opening() bool { return s.opening }

// OpenFailed lets the next Current try again.
func (s *Sessions) OpenFailed() { s.opening = false }

// Lost says that the server no longer knows a session: no further write goes into it.
func (s *Sessions) Lost(session *Session) {
	if s.current == session {
		s.retire(session)
	}
}

// Settled says that a write needs its answer no more: it came, or nobody waits for it. Once for every position.
func (s *Sessions) Settled(session *Session, sequence uint64) {
	session.settle(sequence)
	if _, retired := s.retired[session]; retired && session.isIdle() {
		delete(s.retired, session)
		s.Close(session.ID)
	}
}

// End returns the session that is open, 0 if none is, at the end of the client.
func (s *Sessions) End() uint64 {
	session := s.current
	s.current = nil
	if session == nil {
		return 0
	}
	return session.ID
}

func (s *Sessions) retire(session *Session) {
	s.current = nil
	if session.isIdle() {
		s.Close(session.ID)
		return
	}
	if s.retired == nil {
		s.retired = make(map[*Session]struct{})
	}
	s.retired[session] = struct{}{}
}
