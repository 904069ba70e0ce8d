package gomsg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
)

// patientTimeout is a KeepaliveTimeout for tests in which no node is silent: a busy machine takes its time to answer.
const patientTimeout = time.Second

// noticing is options of a client that notices silence so soon that tests do not wait long, and so late that a busy
// machine is not taken for a silent one; it tells how often it did.
func noticing(lost *atomic.Int32) ConnectOptions {
	return ConnectOptions{
		KeepaliveInterval: 60 * time.Millisecond, KeepaliveTimeout: 400 * time.Millisecond,
		Hooks: Hooks{OnDisconnect: func(string, error) { lost.Add(1) }},
	}
}

func TestANodeThatFallsSilentIsGivenUpAndGetsNoCallsUntilItAnswers(t *testing.T) {
	c := startCluster(t, 2)
	c.forwarding = true
	silent := c.nodes[0]
	client := c.connect(t, silent.address, noticing(new(atomic.Int32)))
	set(t, client, "0")
	c.learned(t, client)
	silent.fallSilent()
	c.mu.Lock()
	pipelines := silent.pipelines
	c.mu.Unlock()
	for i := range 20 {
		set(t, client, fmt.Sprint(i))
		if where := c.lastWrite(); where != 1 {
			t.Fatalf("write %d went to node %d", i, where)
		}
	}
	// It leads still, as everybody says, so it is tried again and again.
	c.eventually(t, "the silent node is probed", func() bool { return silent.probes >= 3 })
	set(t, client, "20")
	c.mu.Lock()
	if silent.pipelines != pipelines {
		t.Errorf("calls were risked on the silent node %d times", silent.pipelines-pipelines)
	}
	c.mu.Unlock()
	silent.goOn()
	for deadline := time.Now().Add(20 * time.Second); c.lastWrite() != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the node that answers again is passed over for ever")
		}
		set(t, client, "21")
	}
}

func TestWritesThatASilentNodeHadKeepTheirSequence(t *testing.T) {
	c := startCluster(t, 2)
	c.forwarding = true
	client := c.connect(t, c.nodes[0].address, noticing(new(atomic.Int32)))
	set(t, client, "before")
	c.learned(t, client)
	c.nodes[0].fallSilent()
	const writes = 8
	results := make(chan error, writes)
	for i := range writes {
		go func() { results <- client.KV.Set(context.Background(), fmt.Sprint(i), "value") }()
	}
	for range writes {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	c.nodes[0].goOn()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.taken) != 1+writes {
		t.Errorf("%d writes were taken, not %d", len(c.taken), 1+writes)
	}
}

func TestAPopThatWaitsLongIsNotGivenUpWhileTheNodeAnswersProbes(t *testing.T) {
	c := startCluster(t, 1)
	var lost, asked atomic.Int32
	options := noticing(&lost)
	options.KeepaliveTimeout = patientTimeout
	// No more than one token can be had: the silence of its source is not that of the node.
	options.TokenSource = func(ctx context.Context) (string, error) {
		if asked.Add(1) == 1 {
			return "token", nil
		}
		<-ctx.Done()
		return "", ctx.Err()
	}
	client := c.connect(t, c.nodes[0].address, options)
	popped := make(chan error, 1)
	go func() {
		_, err := client.Queue.PopTimeout(context.Background(), "jobs", time.Minute)
		popped <- err
	}()
	// So many that the node would be given up meanwhile if answers did not count.
	enough := int((options.KeepaliveInterval+options.KeepaliveTimeout)/options.KeepaliveInterval) + 2
	c.eventually(t, "probes are answered", func() bool { return c.nodes[0].probes >= enough })
	close(c.popped)
	if err := <-popped; err != nil || lost.Load() != 0 {
		t.Errorf("the pop gave %v, and %d connections were lost", err, lost.Load())
	}
}

func TestNoNodeIsProbedThatNothingIsAwaitedFrom(t *testing.T) {
	c, other := startCluster(t, 1), startCluster(t, 1)
	options := noticing(new(atomic.Int32))
	options.KeepaliveTimeout = patientTimeout
	idle, watching := c.connect(t, c.nodes[0].address, options), other.connect(t, other.nodes[0].address, options)
	set(t, idle, "key")
	c.learned(t, idle)
	idle.dispatcher.mu.Lock()
	conn := idle.router.nodes[c.nodes[0].address].conn
	idle.dispatcher.mu.Unlock()
	// What was awaited may have taken so long that it was probed for; after that nothing is.
	c.eventually(t, "silence counts no longer", func() bool { return !conn.counting.Load() })
	c.mu.Lock()
	probes := c.nodes[0].probes
	c.mu.Unlock()
	subscription, err := watching.KV.Watch(context.Background(), "key", func(*WatchEvent) {})
	if err != nil {
		t.Fatal(err)
	}
	defer subscription.Close()
	other.eventually(t, "an open watch is probed", func() bool { return other.nodes[0].probes >= 5 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if came := c.nodes[0].probes - probes; came != 0 {
		t.Errorf("%d probes came to a node that owes nothing", came)
	}
}

func TestALoneNodeThatIsSilentForAWhileTakesEachWriteOnce(t *testing.T) {
	c := startCluster(t, 1)
	var lost atomic.Int32
	client := c.connect(t, c.nodes[0].address, noticing(&lost))
	set(t, client, "before")
	c.nodes[0].fallSilent()
	written := make(chan error, 1)
	go func() { written <- client.KV.Set(context.Background(), "meanwhile", "value") }()
	c.eventually(t, "it is given up twice", func() bool { return lost.Load() >= 2 })
	c.nodes[0].goOn()
	if err := <-written; err != nil {
		t.Error(err)
	}
	set(t, client, "after")
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.taken) != 3 {
		t.Errorf("%d writes were taken, not 3", len(c.taken))
	}
}

func TestAWatchOfASilentNodeIsOpenedAtAnotherOne(t *testing.T) {
	c := startCluster(t, 2)
	c.forwarding = true
	client := c.connect(t, c.nodes[0].address, noticing(new(atomic.Int32)))
	set(t, client, "key")
	c.learned(t, client)
	subscription, err := client.KV.Watch(context.Background(), "key", func(*WatchEvent) {})
	if err != nil {
		t.Fatal(err)
	}
	defer subscription.Close()
	c.mu.Lock()
	watches := c.nodes[0].watches
	c.mu.Unlock()
	if watches != 1 {
		t.Fatalf("the watch is not open at the leader")
	}
	c.nodes[0].fallSilent()
	c.eventually(t, "the watch is open elsewhere", func() bool { return c.nodes[1].watches > 0 })
}

func TestACallOfTheRawClientsEndsWithTheSilentNode(t *testing.T) {
	c := startCluster(t, 1)
	client := c.connect(t, c.nodes[0].address, noticing(new(atomic.Int32)))
	raw, err := client.Raw(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c.nodes[0].fallSilent()
	_, err = raw.Cluster.GetTopology(context.Background(), &gomsgv1.ClusterServiceGetTopologyRequest{})
	if failed := statusError(err); !errors.Is(failed, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAClientClosesWhileAProbeIsOut(t *testing.T) {
	c := startCluster(t, 1)
	options := noticing(new(atomic.Int32))
	options.KeepaliveTimeout, options.CloseTimeout = time.Minute, time.Millisecond
	client := c.connect(t, c.nodes[0].address, options)
	set(t, client, "key")
	c.nodes[0].fallSilent()
	written := make(chan error, 1)
	go func() { written <- client.KV.Set(context.Background(), "key", "value") }()
	c.eventually(t, "it is probed", func() bool { return c.nodes[0].probes > 0 })
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := <-written; !errors.Is(err, ReasonClientClosed) {
		t.Errorf("got %v", err)
	}
}

// noLeader are the ways in which a node says that it has no leader to offer.
var noLeader = map[string]gomsgv1.ErrorReason{
	"NOT_LEADER without a hint": gomsgv1.ErrorReason_ERROR_REASON_NOT_LEADER,
	"NO_QUORUM":                 gomsgv1.ErrorReason_ERROR_REASON_NO_QUORUM,
}

// startLeaderless starts nodes of which the second leads, and a client of the first, which has no leader to offer any more.
func startLeaderless(t *testing.T, size int, reason gomsgv1.ErrorReason) (*fakeCluster, *Client) {
	c := startCluster(t, size)
	client := c.connect(t, c.nodes[0].address)
	set(t, client, "before")
	c.learned(t, client)
	c.lead(1, 1)
	c.mu.Lock()
	c.nodes[0].leaderless = reason
	c.mu.Unlock()
	return c, client
}

func TestANodeWithoutALeaderIsLeftForAnother(t *testing.T) {
	for name, reason := range noLeader {
		t.Run(name, func(t *testing.T) {
			c, client := startLeaderless(t, 3, reason)
			for i := range 20 {
				set(t, client, fmt.Sprint(i))
			}
			c.mu.Lock()
			left, topologies := c.nodes[0], c.nodes[0].topologies
			if left.refused != 1 {
				t.Errorf("it was asked %d times", left.refused)
			}
			c.mu.Unlock()
			// What has no way of its own leaves it as well.
			client.dispatcher.mu.Lock()
			client.router.wantTopology()
			client.dispatcher.mu.Unlock()
			asked := func() int { return c.nodes[1].topologies + c.nodes[2].topologies }
			c.mu.Lock()
			before := asked()
			c.mu.Unlock()
			c.eventually(t, "the topology is asked elsewhere", func() bool { return asked() > before })
			if left.topologies != topologies {
				t.Error("the topology was asked of the node without a leader")
			}
		})
	}
}

func TestAWatchIsNotOpenedAtANodeWithoutALeader(t *testing.T) {
	for name, reason := range noLeader {
		t.Run(name, func(t *testing.T) {
			c, client := startLeaderless(t, 2, reason)
			subscription, err := client.KV.Watch(context.Background(), "key", func(*WatchEvent) {})
			if err != nil {
				t.Fatal(err)
			}
			defer subscription.Close()
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.nodes[0].refused != 1 || c.nodes[1].watches != 1 {
				t.Errorf("it was refused %d times, and opened %d times", c.nodes[0].refused, c.nodes[1].watches)
			}
		})
	}
}

func TestCallsGoRoundTheNodesUntilOneLeads(t *testing.T) {
	c := startCluster(t, 3)
	client := c.connect(t, c.nodes[0].address+","+c.nodes[1].address+","+c.nodes[2].address)
	set(t, client, "before")
	c.lead(2, -1)
	c.mu.Lock()
	for _, node := range c.nodes {
		node.leaderless = gomsgv1.ErrorReason_ERROR_REASON_NOT_LEADER
	}
	c.mu.Unlock()
	began := time.Now()
	written := make(chan error, 1)
	go func() { written <- client.KV.Set(context.Background(), "meanwhile", "value") }()
	// As long as an election takes, and each was asked meanwhile.
	c.eventually(t, "all are asked", func() bool {
		return time.Since(began) >= 1500*time.Millisecond &&
			c.nodes[0].refused > 0 && c.nodes[1].refused > 0 && c.nodes[2].refused > 0
	})
	c.mu.Lock()
	c.nodes[2].leaderless = gomsgv1.ErrorReason_ERROR_REASON_UNSPECIFIED
	c.mu.Unlock()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if where := c.lastWrite(); where != 2 {
		t.Errorf("the write went to node %d", where)
	}
}

func TestCallsThatWaitForADeadNodeGoToOneThatIsBack(t *testing.T) {
	c := startCluster(t, 2)
	c.forwarding = true
	client := c.connect(t, c.nodes[0].address, ConnectOptions{
		ConnectTimeout: time.Minute, UnreachableTimeout: time.Minute, MaxRetryDelay: 50 * time.Millisecond,
	})
	c.lead(0, 1) // So that it connects to both: to the one that it was given, and to the one that is said to lead.
	c.eventually(t, "both are connected", func() bool {
		c.mu.Unlock()
		defer c.mu.Lock()
		set(t, client, "before")
		client.dispatcher.mu.Lock()
		defer client.dispatcher.mu.Unlock()
		return len(client.router.nodes) == 2 && client.router.nodes[c.nodes[1].address].stands()
	})
	c.nodes[0].server.Stop()
	c.nodes[1].server.Stop()
	// It takes connections, and never says a word.
	dead, err := net.Listen("tcp", c.nodes[0].address)
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	written := make(chan error, 1)
	go func() { written <- client.KV.Set(context.Background(), "meanwhile", "value") }()
	c.eventually(t, "the write waits for the dead node while the other is tried again and again", func() bool {
		client.dispatcher.mu.Lock()
		defer client.dispatcher.mu.Unlock()
		waiting, other := client.router.nodes[c.nodes[0].address], client.router.nodes[c.nodes[1].address]
		return waiting.link == nil && waiting.ready.length > 0 && other.failures > 5
	})
	c.restart(t, 1)
	if err := <-written; err != nil {
		t.Error(err)
	}
	if err := client.Close(); err != nil { // While there still is a node that ends its session.
		t.Error(err)
	}
}

func TestATopologyWithoutLeadersLeavesThoseThatWereKnown(t *testing.T) {
	topologyOf := func(leader string, addresses ...string) *topology {
		response := &gomsgv1.ClusterServiceGetTopologyResponse{Epoch: 1, Groups: []*gomsgv1.GroupTopology{
			{LeaderNodeId: leader, Slots: []*gomsgv1.SlotRange{{First: 0, Last: 16_383}}},
		}}
		for _, address := range addresses {
			response.Nodes = append(response.Nodes, &gomsgv1.Node{NodeId: address, Address: address})
		}
		return newTopology(response)
	}
	earlier := topologyOf("b:1", "a:1", "b:1")
	for _, test := range []struct {
		later *topology
		want  string
	}{
		{topologyOf("", "c:1", "b:1", "a:1"), "b:1"},
		{topologyOf("", "a:1", "c:1"), ""},
		{topologyOf("a:1", "a:1", "b:1"), "a:1"},
	} {
		test.later.complete(earlier)
		if leader := test.later.leader("key"); leader != test.want {
			t.Errorf("%q leads of %v, not %q", leader, test.later.addresses, test.want)
		}
	}
}
