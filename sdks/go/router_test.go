package gomsg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gomsg/gomsg/sdks/go/internal/testnode"
)

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
	c.learned(t, client)
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
	for deadline := time.Now().Add(20 * time.Second); c.lastWrite() != 1; {
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
	deadline := time.Now().Add(20 * time.Second)
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
	tried := make(chan struct{})
	go func() {
		if conn, err := silent.Accept(); err == nil {
			defer conn.Close()
			close(tried)
			<-t.Context().Done()
		}
	}()
	// A call that waited for the silent one would fail with the test's patience.
	client := c.connect(t, c.nodes[0].address, ConnectOptions{ConnectTimeout: time.Hour, UnreachableTimeout: time.Hour})
	for isTried := false; !isTried; {
		select {
		case <-tried:
			isTried = true
		default:
		}
		setWithin(t, client, "key")
	}
	setWithin(t, client, "key")
}

// setWithin is set, and fails the test when that takes too long.
func setWithin(t *testing.T, client *Client, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.KV.Set(ctx, key, "value"); err != nil {
		t.Fatal(err)
	}
}

func TestAConnectionThatAnotherGaveUpIsNotACanceledCall(t *testing.T) {
	client := startCluster(t, 1).connect(t, "127.0.0.1:1")
	client.dispatcher.mu.Lock()
	node := client.router.node("127.0.0.1:1")
	client.dispatcher.mu.Unlock()
	conn, err := node.connection()
	if err != nil {
		t.Fatal(err)
	}
	conn.close(nil)
	if _, failed := node.dial(context.Background()); !errors.Is(failed, ErrUnavailable) || errors.Is(failed, ErrCanceled) {
		t.Errorf("got %v", failed)
	}
}

func TestWritesSurviveAConnectionThatBreaksWhileTheirSessionIsOpened(t *testing.T) {
	c := startCluster(t, 1)
	c.mu.Lock()
	c.breakOpens = 2
	c.mu.Unlock()
	set(t, c.connect(t, c.nodes[0].address), "key")
}
