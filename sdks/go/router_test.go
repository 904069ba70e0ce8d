package gomsg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"github.com/gomsg/gomsg/sdks/go/internal/leaks"
	"github.com/gomsg/gomsg/sdks/go/internal/testnode"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// fakeCluster is nodes that lead some slots each, and take writes only there.
type fakeCluster struct {
	mu       sync.Mutex
	nodes    []*fakeNode
	sessions uint64
	// Leader of all slots.
	leader int
	// What GetTopology tells of it; less than 0 = nobody leads.
	told int
	// Sets that were taken, by session and sequence, and where.
	taken map[string]int
	// Where the last of them was.
	last  int
	hints bool
	// Every node takes every write, as if it passed it on.
	forwarding bool
	// So many OpenSessions end their stream.
	breakOpens int
}

type fakeNode struct {
	gomsgv1.UnimplementedPipelineServiceServer
	cluster  *fakeCluster
	position int
	address  string
	server   *grpc.Server
}

func startCluster(t *testing.T, size int) *fakeCluster {
	leaks.Check(t)
	c := &fakeCluster{taken: make(map[string]int), hints: true}
	for position := range size {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		node := &fakeNode{cluster: c, position: position, address: listener.Addr().String()}
		c.nodes = append(c.nodes, node)
		node.serve(t, listener)
	}
	return c
}

func (n *fakeNode) serve(t *testing.T, listener net.Listener) {
	server := grpc.NewServer()
	gomsgv1.RegisterPipelineServiceServer(server, n)
	n.server = server
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // It ends with Stop.
	}()
	t.Cleanup(func() { server.Stop(); <-served })
}

func (n *fakeNode) Execute(stream gomsgv1.PipelineService_ExecuteServer) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		response := &gomsgv1.PipelineServiceExecuteResponse{}
		for _, call := range request.Calls {
			if call.Method == rpcOpenSession.number && n.cluster.breaksOpen() {
				return status.Error(codes.Unavailable, "broken")
			}
			result := n.answer(request.SessionId, call)
			result.CallId = call.CallId
			response.Results = append(response.Results, result)
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

func (n *fakeNode) answer(session uint64, call *gomsgv1.PipelineCall) *gomsgv1.PipelineResult {
	c := n.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	switch call.Method {
	case rpcOpenSession.number:
		c.sessions++
		return ok(&gomsgv1.PipelineServiceOpenSessionResponse{SessionId: c.sessions})
	case rpcClusterGetTopology.number:
		return ok(c.topology())
	case rpcKVSet.number:
		if n.position != c.leader && !c.forwarding {
			detail := &gomsgv1.ErrorDetail{Reason: gomsgv1.ErrorReason_ERROR_REASON_NOT_LEADER}
			if c.hints {
				detail.Leader = &gomsgv1.NodeAddress{Address: c.nodes[c.leader].address}
			}
			return &gomsgv1.PipelineResult{Error: &gomsgv1.PipelineError{Code: uint32(codes.Unavailable), Message: "not here", Detail: detail}}
		}
		c.taken[fmt.Sprintf("%d/%d", session, call.Sequence)] = n.position
		c.last = n.position
		return ok(&gomsgv1.KVServiceSetResponse{Version: 1})
	}
	return ok(&gomsgv1.PipelineServiceCloseSessionResponse{})
}

func (c *fakeCluster) topology() *gomsgv1.ClusterServiceGetTopologyResponse {
	group := &gomsgv1.GroupTopology{Group: 1, Slots: []*gomsgv1.SlotRange{{First: 0, Last: 16_383}}}
	topology := &gomsgv1.ClusterServiceGetTopologyResponse{Epoch: 1, Groups: []*gomsgv1.GroupTopology{group}}
	for i, node := range c.nodes {
		topology.Nodes = append(topology.Nodes, &gomsgv1.Node{NodeId: fmt.Sprint(i), Address: node.address})
	}
	if c.told >= 0 {
		group.LeaderNodeId = fmt.Sprint(c.told)
	}
	return topology
}

func ok(response proto.Message) *gomsgv1.PipelineResult {
	payload, err := proto.Marshal(response)
	if err != nil {
		panic(err)
	}
	return &gomsgv1.PipelineResult{Payload: payload}
}

func (c *fakeCluster) breaksOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.breakOpens--
	return c.breakOpens >= 0
}

func (c *fakeCluster) lastWrite() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// restart serves a stopped node again, at its address.
func (c *fakeCluster) restart(t *testing.T, position int) {
	t.Helper()
	node := c.nodes[position]
	listener, err := net.Listen("tcp", node.address)
	if err != nil {
		t.Fatal(err)
	}
	node.serve(t, listener)
}

func (c *fakeCluster) lead(leader, told int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader, c.told = leader, told
}

func (c *fakeCluster) connect(t *testing.T, addresses string) *Client {
	t.Helper()
	client, err := Connect(addresses)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func set(t *testing.T, client *Client, key string) {
	t.Helper()
	if err := client.KV.Set(context.Background(), key, "value"); err != nil {
		t.Fatal(err)
	}
}

func TestACallFollowsTheHintToTheLeaderInItsOwnSessionAndSequence(t *testing.T) {
	c := startCluster(t, 3)
	c.lead(2, 0)
	client := c.connect(t, c.nodes[0].address)
	for i := range 10 {
		set(t, client, fmt.Sprint(i))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range 10 {
		if where, taken := c.taken[fmt.Sprintf("1/%d", i+1)]; !taken || where != 2 {
			t.Errorf("write %d was taken: %v, at node %d", i+1, taken, where)
		}
	}
	if len(c.taken) != 10 {
		t.Errorf("%d writes were taken", len(c.taken))
	}
}

func TestWithoutAHintTheTopologyIsFetchedAgain(t *testing.T) {
	c := startCluster(t, 2)
	c.hints = false
	c.lead(1, 1)
	client := c.connect(t, c.nodes[0].address)
	set(t, client, "key")
	c.lead(0, 0)
	set(t, client, "key")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken["1/1"] != 1 || c.taken["1/2"] != 0 {
		t.Errorf("taken: %v", c.taken)
	}
}

func TestANodeThatIsDownIsPassedOver(t *testing.T) {
	c := startCluster(t, 3)
	c.lead(1, 1)
	client := c.connect(t, c.nodes[0].address+","+c.nodes[1].address)
	set(t, client, "key")
	c.lead(2, 1)
	c.nodes[1].server.Stop()
	c.nodes[0].server.Stop()
	set(t, client, "key")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken["1/2"] != 2 {
		t.Errorf("taken: %v", c.taken)
	}
}

func TestALoneNodeIsReachedAtTheGivenAddressOnly(t *testing.T) {
	c := startCluster(t, 1)
	given := c.nodes[0].address
	c.mu.Lock()
	c.nodes[0].address = "127.0.0.1:1" // What it tells of itself.
	c.mu.Unlock()
	client := c.connect(t, given)
	for i := range 5 {
		set(t, client, fmt.Sprint(i))
	}
	client.dispatcher.mu.Lock()
	defer client.dispatcher.mu.Unlock()
	if len(client.router.nodes) != 1 || client.router.nodes[given] == nil {
		t.Errorf("it knows %v", client.router.nodes)
	}
}

func TestNodesThatJoinAreFoundThoughNothingGoesWrong(t *testing.T) {
	c := startCluster(t, 2)
	c.mu.Lock()
	c.forwarding = true
	all := c.nodes
	c.nodes = all[:1]
	c.mu.Unlock()
	client := c.connect(t, all[0].address)
	client.router.renewal = 5 * time.Millisecond
	set(t, client, "key")
	c.mu.Lock()
	c.nodes = all
	c.mu.Unlock()
	c.lead(1, 1)
	for deadline := time.Now().Add(10 * time.Second); c.lastWrite() != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the second node never got a write")
		}
		set(t, client, "key")
	}
}

func TestANodeThatCameBackIsUsedAgain(t *testing.T) {
	c := startCluster(t, 2)
	c.lead(1, 1)
	client := c.connect(t, c.nodes[0].address)
	set(t, client, "key")
	c.lead(0, 1)
	c.nodes[1].server.Stop()
	set(t, client, "key")
	c.restart(t, 1)
	c.mu.Lock()
	c.forwarding = true
	c.mu.Unlock()
	deadline := time.Now().Add(10 * time.Second)
	for c.lastWrite() != 1 {
		if time.Now().After(deadline) {
			t.Fatal("the node that leads is passed over for ever")
		}
		set(t, client, "key")
	}
}

func TestAddressesThatLeadNowhereDoNotMatterWhileTheGivenOneDoes(t *testing.T) {
	c := startCluster(t, 3)
	c.forwarding = true
	proxy := testnode.NewProxy(t, c.nodes[0].address)
	for i, node := range c.nodes {
		node.address = fmt.Sprintf("nowhere-%d.invalid:9000", i) // What it tells of itself.
	}
	client := c.connect(t, proxy.Address)
	for i := range 20 {
		set(t, client, fmt.Sprint(i))
		if i%5 == 4 {
			proxy.Cut()
		}
	}
}

func TestALeaderThatIsSilentHoldsNothingUpWhileAnotherNodeAnswers(t *testing.T) {
	c := startCluster(t, 2)
	c.forwarding = true
	// It takes connections, and never says a word.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c.nodes[1].address = silent.Addr().String()
	c.lead(0, 1)
	client := c.connect(t, c.nodes[0].address)
	began := time.Now()
	for i := range 20 {
		set(t, client, fmt.Sprint(i))
		time.Sleep(time.Millisecond) // Until the topology was learned and tried.
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("20 calls took %v", took)
	}
}

func TestWritesSurviveAConnectionThatBreaksWhileTheirSessionIsOpened(t *testing.T) {
	c := startCluster(t, 1)
	c.mu.Lock()
	c.breakOpens = 2
	c.mu.Unlock()
	set(t, c.connect(t, c.nodes[0].address), "key")
}
