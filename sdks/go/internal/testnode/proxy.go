package testnode

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy passes TCP connections on to a node, and can cut them.
type Proxy struct {
	// Address is `host:port` where it listens.
	Address string

	listener net.Listener
	mu       sync.Mutex
	target   string
	refusing bool
	// While nothing is passed on: closed when it goes on.
	frozen   chan struct{}
	conns    map[net.Conn]struct{}
	accepted int
	cuts     int
}

// NewProxy listens on a free port of the loopback interface until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Address: listener.Addr().String(), listener: listener, target: target, conns: make(map[net.Conn]struct{}),
	}
	var accepting sync.WaitGroup
	accepting.Add(1)
	go func() {
		defer accepting.Done()
		p.accept()
	}()
	t.Cleanup(func() {
		p.Refuse(true)
		p.Freeze(false)
		_ = listener.Close() // Nothing is lost with it.
		accepting.Wait()
	})
	return p
}

// Cut ends all connections. New ones are passed on.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts++
	for conn := range p.conns {
		_ = conn.Close() // It may have ended already.
	}
}

// Refuse ends all connections, and new ones at once, or passes them on again.
func (p *Proxy) Refuse(refusing bool) {
	p.mu.Lock()
	p.refusing = refusing
	p.mu.Unlock()
	if refusing {
		p.Cut()
	}
}

// Freeze lets connections stand, and passes nothing on, as a network that drops everything; or goes on.
func (p *Proxy) Freeze(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
	if frozen {
		p.frozen = make(chan struct{})
	}
}

// thaw returns once the proxy is not frozen.
func (p *Proxy) thaw() {
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// Redirect passes new connections on to another node.
func (p *Proxy) Redirect(target string) {
	p.mu.Lock()
	p.target = target
	p.mu.Unlock()
}

// Accepted is how many connections came so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.accepted++
		target, refusing, cuts := p.target, p.refusing, p.cuts
		p.mu.Unlock()
		if refusing {
			_ = client.Close() // That is all there is to say.
			continue
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			_ = client.Close() // The target is down, and so is this connection.
			continue
		}
		p.join(client, server, cuts)
	}
}

// join passes on between two ends, unless there was a cut since the count of them was taken.
func (p *Proxy) join(client, server net.Conn, cuts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cuts != cuts {
		_ = client.Close()
		_ = server.Close() // As those that were joined already.
		return
	}
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(freezing{to, p}, from) // However it ends, both ends are closed.
		_ = to.Close()
		_ = from.Close()
		p.mu.Lock()
		delete(p.conns, from)
		p.mu.Unlock()
	}
	go pass(client, server)
	go pass(server, client)
}

// freezing is an end of a connection that takes nothing while its proxy is frozen.
type freezing struct {
	io.Writer
	proxy *Proxy
}

func (f freezing) Write(data []byte) (int, error) {
	f.proxy.thaw()
	return f.Writer.Write(data)
}
