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
	// Pops are answered when it is closed.
	popped chan struct{}
}

type fakeNode struct {
	gomsgv1.UnimplementedPipelineServiceServer
	gomsgv1.UnimplementedClusterServiceServer
	gomsgv1.UnimplementedKVServiceServer
	cluster  *fakeCluster
	position int
	address  string
	server   *grpc.Server

	// With the cluster's lock. While the node says nothing: closed when it goes on.
	silence chan struct{}
	// It refuses writes and watches for this reason and knows of no leader.
	leaderless gomsgv1.ErrorReason
	// What came, also in silence: pipelines, probes, topologies that a pipeline asked for, writes and watches that were
	// refused, watches that were opened.
	pipelines, probes, topologies, refused, watches int
}

func startCluster(t *testing.T, size int) *fakeCluster {
	leaks.Check(t)
	c := &fakeCluster{taken: make(map[string]int), hints: true, popped: make(chan struct{})}
	for position := range size {
		listener := testnode.Listen(t)
		node := &fakeNode{cluster: c, position: position, address: listener.Addr().String()}
		c.nodes = append(c.nodes, node)
		node.serve(t, listener)
	}
	return c
}

func (n *fakeNode) serve(t *testing.T, listener net.Listener) {
	server := grpc.NewServer()
	gomsgv1.RegisterPipelineServiceServer(server, n)
	gomsgv1.RegisterClusterServiceServer(server, n)
	gomsgv1.RegisterKVServiceServer(server, n)
	n.server = server
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // It ends with Stop.
	}()
	t.Cleanup(func() {
		n.goOn()
		server.Stop()
		<-served
	})
}

// fallSilent keeps connections and takes new ones, and says nothing on them, as a machine does that thrashes.
func (n *fakeNode) fallSilent() {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.silence = make(chan struct{})
}

// goOn does late what it was asked for in silence.
func (n *fakeNode) goOn() {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	if n.silence != nil {
		close(n.silence)
		n.silence = nil
	}
}

// counted counts something, and returns while the node is not silent.
func (n *fakeNode) counted(what *int) {
	n.cluster.mu.Lock()
	*what++
	silence := n.silence
	n.cluster.mu.Unlock()
	if silence != nil {
		<-silence
	}
}

func (n *fakeNode) GetTopology(
	context.Context, *gomsgv1.ClusterServiceGetTopologyRequest,
) (*gomsgv1.ClusterServiceGetTopologyResponse, error) {
	n.counted(&n.probes)
	return nil, status.Error(codes.PermissionDenied, "an answer all the same")
}

func (n *fakeNode) Watch(
	_ *gomsgv1.KVServiceWatchRequest, stream grpc.ServerStreamingServer[gomsgv1.KVServiceWatchResponse],
) error {
	n.cluster.mu.Lock()
	refusal := n.refusal()
	n.cluster.mu.Unlock()
	if refusal != nil {
		state, err := status.New(codes.Unavailable, "not here").WithDetails(refusal)
		if err != nil {
			return err
		}
		return state.Err()
	}
	n.counted(&n.watches)
	if err := stream.Send(&gomsgv1.KVServiceWatchResponse{Subscribed: true}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (n *fakeNode) Execute(stream gomsgv1.PipelineService_ExecuteServer) error {
	var sending sync.Mutex
	send := func(response *gomsgv1.PipelineServiceExecuteResponse) error {
		sending.Lock()
		defer sending.Unlock()
		return stream.Send(response)
	}
	var pops sync.WaitGroup
	defer pops.Wait()
	n.counted(&n.pipelines)
	for {
		request, err := stream.Recv()
		n.counted(new(int))
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
			if call.Method == rpcQueuePop.number {
				pops.Add(1)
				go func() {
					defer pops.Done()
					select {
					case <-n.cluster.popped:
						result := ok(&gomsgv1.QueueServicePopResponse{})
						result.CallId = call.CallId
						// A stream that has ended needs no answer.
						_ = send(&gomsgv1.PipelineServiceExecuteResponse{Results: []*gomsgv1.PipelineResult{result}})
					case <-stream.Context().Done():
					}
				}()
				continue
			}
			result := n.answer(request.SessionId, call)
			result.CallId = call.CallId
			response.Results = append(response.Results, result)
		}
		if err := send(response); err != nil {
			return err
		}
	}
}

// refusal says why the node takes no write; nil when it does. Holds the lock.
func (n *fakeNode) refusal() *gomsgv1.ErrorDetail {
	c := n.cluster
	if n.leaderless != gomsgv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		n.refused++
		return &gomsgv1.ErrorDetail{Reason: n.leaderless}
	}
	if n.position == c.leader || c.forwarding {
		return nil
	}
	n.refused++
	detail := &gomsgv1.ErrorDetail{Reason: gomsgv1.ErrorReason_ERROR_REASON_NOT_LEADER}
	if c.hints {
		detail.Leader = &gomsgv1.NodeAddress{Address: c.nodes[c.leader].address}
	}
	return detail
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
		n.topologies++
		return ok(c.topology())
	case rpcKVSet.number:
		if refusal := n.refusal(); refusal != nil {
			return &gomsgv1.PipelineResult{Error: &gomsgv1.PipelineError{
				Code: uint32(codes.Unavailable), Message: "not here", Detail: refusal,
			}}
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

func (c *fakeCluster) connect(t *testing.T, addresses string, options ...ConnectOptions) *Client {
	t.Helper()
	client, err := Connect(addresses, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// eventually waits until something holds, which is asked with the cluster's lock.
func (c *fakeCluster) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		c.mu.Lock()
		held := holds()
		c.mu.Unlock()
		if held {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
		time.Sleep(time.Millisecond) // Polls a condition that nothing tells of.
	}
}

// learned returns once the client knows of all nodes: before, it goes nowhere but to the addresses that it was given.
func (c *fakeCluster) learned(t *testing.T, client *Client) {
	t.Helper()
	c.eventually(t, "the client knows all nodes", func() bool {
		client.dispatcher.mu.Lock()
		defer client.dispatcher.mu.Unlock()
		return client.router.topology != nil && len(client.router.topology.addresses) == len(c.nodes)
	})
}

func set(t *testing.T, client *Client, key string) {
	t.Helper()
	if err := client.KV.Set(context.Background(), key, "value"); err != nil {
		t.Fatal(err)
	}
}
