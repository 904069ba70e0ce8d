package gomsg

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// topologyInterval: the topology is fetched at most once in it.
const topologyInterval = 500 * time.Millisecond

// topologyRenewal: while a node is connected the topology is fetched this often, whatever happens. Nodes that join are of
// no use to a client that never hears of them, and when the last one that it knows leaves, it has nowhere to go.
const topologyRenewal = 5 * time.Second

// router knows the nodes and says which one takes a call.
//
// Until it knows of a cluster of several nodes, everything goes to one of the addresses that the client was given, never
// to one that a server tells: it may be behind a proxy. In a cluster a call goes to the leader of its slot.
//
// Everything but the first group belongs to the dispatcher's lock.
type router struct {
	options     ConnectOptions
	dialOptions []grpc.DialOption
	seeds       []string
	dispatcher  *dispatcher
	ctx         context.Context
	cancel      context.CancelFunc
	// All goroutines of the client, and those that receive from nodes.
	tasks, receivers sync.WaitGroup
	// Holds a token when the topology is to be fetched.
	wanted chan struct{}
	// Time between two fetches that nothing asks for. Set before the first connection.
	renewal time.Duration

	nodes map[string]*node
	// Position in seeds of the one that is used.
	seed     int
	topology *topology
	// The topology's nodes and behind them the seeds; empty without a topology.
	addresses []string
	// Position in addresses of the one that calls without a route go to.
	position   int
	refreshing bool
	// When the tries began that have all failed; zero while some node answers.
	failingSince time.Time
}

func newRouter(options ConnectOptions, seeds []string, dialOptions []grpc.DialOption) *router {
	ctx, cancel := context.WithCancel(context.Background())
	return &router{
		options: options, dialOptions: dialOptions, seeds: seeds, ctx: ctx, cancel: cancel,
		wanted: make(chan struct{}, 1), renewal: topologyRenewal, nodes: make(map[string]*node),
	}
}

// pick returns the node for a call: where a node said that the leader is, the leader of the route's slot, or any that
// answers; not the one to avoid where there is a choice.
//
// Any node passes a call on, so nothing waits for a connection to the leader while another one stands: what servers
// tell as their addresses may lead nowhere from here. Meanwhile that connection is tried, with a probe where it failed
// before.
func (r *router) pick(route, hint string, avoid *node) *node {
	if hint != "" && isAddress(hint) && (r.nodes[hint] != nil || len(r.nodes) < maxNodes) {
		if node := r.node(hint); node != avoid {
			if !node.failing {
				return node
			}
			node.probe()
		}
	}
	if !r.isCluster() {
		return r.seedNode(avoid)
	}
	if route != "" {
		if leader := r.topology.leader(route); leader != "" {
			if node := r.node(leader); node != avoid {
				if node.stands() || node.isUntried() && !r.isConnected() {
					return node
				}
				node.probe()
			}
		}
	}
	return r.anyNode(avoid)
}

// anyNode returns a node of the cluster that stands; else one that was not tried. Where there is neither, the nodes that
// failed are tried again, and the call goes to one that stands but has no leader to offer, else to one that is connected,
// else to each in turn. The addresses that the user gave are among them: they may be the only ones that lead somewhere.
func (r *router) anyNode(avoid *node) *node {
	count := len(r.addresses)
	at := func(i int) *node { return r.node(r.addresses[(r.position+i)%count]) }
	first := func(fits func(*node) bool) *node {
		for i := range count {
			if node := at(i); node != avoid && fits(node) {
				return node
			}
		}
		return nil
	}
	if node := first(func(n *node) bool { return n.stands() && !n.leaderless }); node != nil {
		return node
	}
	if node := first(func(n *node) bool { return n.isUntried() && !n.leaderless }); node != nil {
		return node
	}
	for i := range count {
		if node := at(i); node.failing && node.link == nil {
			node.probe()
		}
	}
	if node := first((*node).stands); node != nil {
		return node
	}
	if node := first(func(n *node) bool { return n.link != nil }); node != nil {
		return node
	}
	if avoid != nil && avoid.link != nil && r.nodes[avoid.address] == avoid {
		return avoid
	}
	r.position = (r.position + 1) % count
	return at(0)
}

func (r *router) isCluster() bool { return r.topology != nil && len(r.topology.addresses) > 1 }

// epoch is that of the slot map by which calls are routed; 0 = they are not.
func (r *router) epoch() uint64 {
	if !r.isCluster() {
		return 0
	}
	return r.topology.epoch
}

func (r *router) seedNode(avoid *node) *node {
	node := r.node(r.seeds[r.seed])
	if node == avoid && len(r.seeds) > 1 {
		return r.node(r.seeds[(r.seed+1)%len(r.seeds)])
	}
	return node
}

// leave: a node had no leader to offer for a call with a route. Other nodes are asked first from now on, for calls
// without a route too, and for the topology: a node that is cut off from the others knows less than they do.
func (r *router) leave(left *node, route string) {
	left.leaderless = true
	r.leaveSeed(left)
	if i := slices.Index(r.addresses, left.address); i >= 0 {
		r.position = (i + 1) % len(r.addresses)
	}
	if r.topology != nil && route != "" && r.topology.leader(route) == left.address {
		r.topology.forget(left.address)
	}
}

func (r *router) node(address string) *node {
	if known := r.nodes[address]; known != nil {
		return known
	}
	ctx, cancel := context.WithCancel(r.ctx)
	made := &node{
		address: address, router: r, dispatcher: r.dispatcher, ctx: ctx, cancel: cancel, wakeUp: make(chan struct{}, 1),
	}
	r.nodes[address] = made
	return made
}

// connected: a node was connected. Calls that wait for nodes that failed need wait no longer.
func (r *router) connected() {
	if r.topology == nil {
		r.wantTopology()
	}
	for _, node := range r.nodes {
		if node.link != nil || !node.failing {
			continue
		}
		for waiting := node.ready.length; waiting > 0 && node.ready.first != nil; waiting-- {
			r.dispatcher.enqueue(node.ready.first)
		}
	}
}

// reached: a node answers.
func (r *router) reached() { r.failingSince = time.Time{} }

// callsWait tells that calls wait for a node that is not connected.
func (r *router) callsWait() bool {
	for _, node := range r.nodes {
		if node.link == nil && node.ready.length > 0 {
			return true
		}
	}
	return false
}

func (r *router) isConnected() bool {
	for _, node := range r.nodes {
		if node.stands() {
			return true
		}
	}
	return false
}

// nodeFailed: a try to connect that began at a moment failed, or a connection was lost.
func (r *router) nodeFailed(failed *node, began time.Time) {
	if r.failingSince.IsZero() && !r.isConnected() {
		r.failingSince = began
	}
	r.leaveSeed(failed)
	if r.isCluster() {
		r.wantTopology()
	}
}

// streamFailed: a stream could not connect to a node. The pipeline's own tries are not concerned.
func (r *router) streamFailed(failed *node) {
	r.leaveSeed(failed)
	if r.isCluster() {
		if failed.link == nil {
			failed.failures++
			failed.failing = true
		}
		r.wantTopology()
	}
}

func (r *router) leaveSeed(failed *node) {
	if r.seeds[r.seed] == failed.address {
		r.seed = (r.seed + 1) % len(r.seeds)
	}
}

// untilUnreachable is how long tries may still fail before calls do; the longest wait between two of them when they
// already have.
func (r *router) untilUnreachable() time.Duration {
	if r.failingSince.IsZero() {
		return r.options.UnreachableTimeout
	}
	if left := time.Until(r.failingSince.Add(r.options.UnreachableTimeout)); left > 0 {
		return left
	}
	return r.options.MaxRetryDelay
}

// failUnreachable fails all calls once nothing could be reached for too long.
func (r *router) failUnreachable(last *Error) {
	if err := r.unreachable(last); err != nil {
		r.dispatcher.failAll(err)
	}
}

// unreachable is the error of calls once nothing could be reached for too long; nil before that.
func (r *router) unreachable(last *Error) *Error {
	if r.failingSince.IsZero() || r.isConnected() || time.Since(r.failingSince) < r.options.UnreachableTimeout {
		return nil
	}
	err := failure(ReasonUnreachable, "", "no node could be reached for %v; last: %s",
		r.options.UnreachableTimeout, strings.TrimSuffix(last.Message, "."))
	err.Cause = last
	return err
}

// wantTopology sees to it that the topology is fetched soon.
func (r *router) wantTopology() {
	if !r.refreshing {
		r.refreshing = true
		r.tasks.Add(1)
		go r.refresh()
	}
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

// refresh fetches the topology whenever it is wanted, and when it has been known for a while. A failure is told and no
// more: what needs the topology asks again.
func (r *router) refresh() {
	defer r.tasks.Done()
	renewal := time.NewTicker(r.renewal)
	defer renewal.Stop()
	for {
		select {
		case <-r.wanted:
		case <-renewal.C:
			// Never a reason to connect.
			r.dispatcher.mu.Lock()
			connected := r.isConnected()
			r.dispatcher.mu.Unlock()
			if !connected {
				continue
			}
		case <-r.ctx.Done():
			return
		}
		var response gomsgv1.ClusterServiceGetTopologyResponse
		ctx, cancel := context.WithTimeout(r.ctx, internalCallTimeout)
		body, failed := r.dispatcher.doInternal(ctx, &rpcClusterGetTopology, nil)
		cancel()
		if failed == nil {
			if err := proto.Unmarshal(body, &response); err != nil {
				failed = undecodable(rpcClusterGetTopology.path, err)
			}
		}
		if failed == nil {
			r.dispatcher.mu.Lock()
			r.apply(newTopology(&response))
			r.dispatcher.mu.Unlock()
		} else if r.ctx.Err() == nil {
			r.options.Hooks.log("the topology could not be fetched: " + failed.Error())
		}
		if !sleep(r.ctx, topologyInterval) {
			return
		}
	}
}

// apply takes a topology over, unless it is older than the known one, and lets go of nodes that have left. Holds the
// lock.
func (r *router) apply(next *topology) {
	if r.topology != nil && next.epoch < r.topology.epoch {
		return
	}
	if r.topology != nil && next.epoch == r.topology.epoch {
		next.complete(r.topology)
	}
	home := ""
	if r.topology != nil {
		home = r.addresses[r.position]
	}
	r.topology, r.addresses = next, slices.Concat(next.addresses, r.seeds)
	r.position = max(slices.Index(r.addresses, home), 0)
	for address, node := range r.nodes {
		if slices.Contains(next.addresses, address) || slices.Contains(r.seeds, address) {
			continue
		}
		delete(r.nodes, address)
		node.cancel()
		if !node.started {
			r.tasks.Add(1)
			go func() {
				defer r.tasks.Done()
				node.retire()
			}()
		}
	}
}

// close ends the streams to all nodes, gracefully as long as the context allows, and then everything.
func (r *router) close(ctx context.Context) {
	r.dispatcher.mu.Lock()
	for _, node := range r.nodes {
		node.end()
	}
	r.dispatcher.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		r.receivers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	r.dispatcher.mu.Lock() // Whoever begins a task holds it, and looks whether it may.
	r.cancel()
	r.dispatcher.mu.Unlock()
	r.tasks.Wait()
	<-ended
	for _, node := range r.nodes {
		node.retire() // Of nodes that only streams used; the others have done it.
	}
}
