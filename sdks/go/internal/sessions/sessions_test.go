package sessions

import (
	"slices"
	"testing"
	"time"
)

// server gives out sessions 1, 2, … as they are asked for.
type server struct {
	sessions Sessions
	opened   uint64
	closed   []uint64
	now      time.Time
}

func newServer() *server {
	s := &server{now: time.Unix(1_000, 0)}
	s.sessions = Sessions{Open: func() { s.opened++ }, Close: func(id uint64) { s.closed = append(s.closed, id) }}
	return s
}

func (s *server) session(t *testing.T) *Session {
	t.Helper()
	if session := s.sessions.Current(s.now); session != nil {
		return session
	}
	s.sessions.Opened(s.opened, time.Hour, s.now)
	session := s.sessions.Current(s.now)
	if session == nil {
		t.Fatal("no session although one was opened")
	}
	return session
}

func TestOneSessionIsAskedForAtATime(t *testing.T) {
	s := newServer()
	for range 3 {
		if s.sessions.Current(s.now) != nil {
			t.Fatal("a session before the server gave one")
		}
	}
	if s.opened != 1 {
		t.Errorf("%d sessions were asked for", s.opened)
	}
	s.sessions.OpenFailed()
	s.sessions.Current(s.now)
	if s.opened != 2 {
		t.Error("after a failure the next write does not ask again")
	}
}

func TestAnsweredBelowFollowsTheOldestUnansweredWrite(t *testing.T) {
	s := newServer()
	session := s.session(t)
	first, second, third := session.Take(s.now), session.Take(s.now), session.Take(s.now)
	s.sessions.Settled(session, second)
	if got := session.AnsweredBelow(); got != first {
		t.Errorf("answered below %d while the first write is open", got)
	}
	s.sessions.Settled(session, first)
	if got := session.AnsweredBelow(); got != third {
		t.Errorf("answered below %d, want %d", got, third)
	}
}

func TestASlowWriteRetiresItsSessionAndEndsItWithItsAnswer(t *testing.T) {
	s := newServer()
	session := s.session(t)
	slow := session.Take(s.now)
	for range MaxSpan - 1 {
		s.sessions.Settled(session, session.Take(s.now))
	}
	next := s.session(t)
	if next == session {
		t.Fatal("the session goes on beyond its span")
	}
	if len(s.closed) != 0 {
		t.Fatal("a session was closed while a write in it is open")
	}
	s.sessions.Settled(session, slow)
	if !slices.Equal(s.closed, []uint64{session.ID}) {
		t.Errorf("closed sessions: %v", s.closed)
	}
}

func TestAnIdleSessionIsNotReliedOn(t *testing.T) {
	s := newServer()
	session := s.session(t)
	s.sessions.Settled(session, session.Take(s.now))
	s.now = s.now.Add(31 * time.Minute)
	if s.session(t) == session {
		t.Error("a session that may have expired is used")
	}
	if !slices.Equal(s.closed, []uint64{session.ID}) {
		t.Errorf("closed sessions: %v", s.closed)
	}
}

func TestALostSessionTakesNoMoreWrites(t *testing.T) {
	s := newServer()
	session := s.session(t)
	session.Take(s.now)
	s.sessions.Lost(session)
	if s.session(t) == session {
		t.Error("a lost session is used")
	}
}

func TestRetiredSessionsAreBounded(t *testing.T) {
	s := newServer()
	var open []*Session
	for range MaxRetired + 1 {
		session := s.session(t)
		open = append(open, session)
		session.Take(s.now)
		for range MaxSpan - 1 {
			s.sessions.Settled(session, session.Take(s.now))
		}
	}
	if s.sessions.Current(s.now) != nil {
		t.Fatal("a session beyond the bound")
	}
	s.sessions.Settled(open[0], 1)
	if s.session(t) == nil {
		t.Error("no session although one retired session ended")
	}
}

func TestTheEndReturnsTheOpenSession(t *testing.T) {
	s := newServer()
	if s.sessions.End() != 0 {
		t.Error("a session although none was opened")
	}
	session := s.session(t)
	if s.sessions.End() != session.ID {
		t.Error("the open session is not returned")
	}
}
