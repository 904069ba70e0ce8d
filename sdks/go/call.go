package gomsg

import (
	"sync"
	"time"

	"github.com/gomsg/gomsg/sdks/go/internal/sessions"
)

// callOverheadBytes is what a call holds beside its payload, roughly; so that many small calls are bounded by bytes too.
const callOverheadBytes = 256

// rpc is what the pipeline knows of one rpc.
type rpc struct {
	// Names the rpc in frames.
	number uint32
	// `gomsg.v1.KVService/Set`.
	path string
	// Changes something: sent in a session.
	isWrite bool
	// May be applied twice without harm: repeated even without a session.
	isIdempotent bool
}

// call is one unary call on its way. All but the first group belongs to the dispatcher's lock.
type call struct {
	rpc *rpc
	// The name that errors and hooks tell, such as `kv.get`.
	method string
	// Name whose slot decides where the call goes; empty = any node.
	route    string
	timeout  time.Duration
	deadline time.Time
	// The client itself watches the deadline: the context has none.
	watched bool
	// Made by the client for its own sake: past the bounds, and also while closing.
	internal bool

	payload   []byte
	heldBytes int
	session   *sessions.Session
	sequence  uint64
	sends     int
	// Sendings that count for MaxSends: not those over connections that never answered anything.
	tries int
	// Its caller was told, or is about to be; an answer that comes is of no use any more.
	settled bool
	// It counts in the bounds on calls in flight.
	admitted bool
	// The node that has it, or may have it, and its id there; nil while it stands in a line.
	out *node
	id  uint32
	// Where a node said that the leader is, and a node that refused it.
	hint  string
	avoid *node
	retry *time.Timer

	line           *callList
	before, behind *call
	earlier, later *call
	inDeadlines    bool
	done           chan struct{}
	response       []byte
	err            *Error
	hintsFollowed  int
}

// doneChannels are used again and again: one is empty whenever its call's caller has been told.
var doneChannels = sync.Pool{New: func() any { return make(chan struct{}, 1) }}

// isRepeatable tells that sending it again cannot apply it twice. A session that nobody knows of ends by itself.
func (c *call) isRepeatable() bool {
	return c.rpc.isIdempotent || c.sequence > 0 || c.rpc == &rpcOpenSession
}

// mayBeApplied tells that nobody can say that the write did not happen.
func (c *call) mayBeApplied() bool { return c.rpc.isWrite && c.sends > 0 }

// moveTo leaves the line that the call stands in, if any, for the end of another, or none.
func (c *call) moveTo(line *callList) {
	if c.line != nil {
		c.line.remove(c)
	}
	if line != nil {
		line.push(c)
	}
}

// callList is a line of calls, which any of them can leave at once.
type callList struct {
	first, last *call
	length      int
}

func (l *callList) push(c *call) {
	c.line, c.before, c.behind = l, l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.behind = c
	}
	l.last = c
	l.length++
}

func (l *callList) remove(c *call) {
	if c.before == nil {
		l.first = c.behind
	} else {
		c.before.behind = c.behind
	}
	if c.behind == nil {
		l.last = c.before
	} else {
		c.behind.before = c.before
	}
	c.line, c.before, c.behind = nil, nil, nil
	l.length--
}
