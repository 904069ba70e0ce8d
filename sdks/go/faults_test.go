package gomsg_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gomsg "github.com/gomsg/gomsg/sdks/go"
	"github.com/gomsg/gomsg/sdks/go/internal/testnode"
)

func TestWritesOverCutConnectionsAreAppliedOnce(t *testing.T) {
	const writers, each, cutAfter = 8, 50, 10
	proxy := testnode.NewProxy(t, sharedNode(t).Address)
	// However it comes: no cut uses up the tries of a call.
	options := gomsg.ConnectOptions{MaxSends: 1 + writers*each/cutAfter}
	client, ctx := connect(t, proxy.Address, options), testContext(t)
	var writing sync.WaitGroup
	for range writers {
		writing.Add(1)
		go func() {
			defer writing.Done()
			for i := range each {
				if _, err := client.KV.Incr(ctx, "cut:counter"); err != nil {
					t.Error(err)
					return
				}
				if i%cutAfter == cutAfter-1 {
					proxy.Cut()
				}
			}
		}()
	}
	writing.Wait()
	if got := must[string](t)(client.KV.Get(ctx, "cut:counter")); got != fmt.Sprint(writers*each) {
		t.Errorf("the counter is %s, want %d", got, writers*each)
	}
}

func TestASubscriptionWithoutANameMissesNothingAndRepeatsNothingOverCuts(t *testing.T) {
	node := sharedNode(t)
	proxy := testnode.NewProxy(t, node.Address)
	client, publisher, ctx := connect(t, proxy.Address), connect(t, node.Address), testContext(t)
	must[*gomsg.TopicSettings](t)(publisher.Stream.Create(ctx, "cut:events", gomsg.StreamCreateOptions{Partitions: gomsg.Ptr(3)}))
	const rounds, each = 5, 20
	received := make(chan string, rounds*each+1)
	must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, "cut:events", func(message *gomsg.StreamMessage) {
		received <- string(message.Data)
	}))
	for round := range rounds {
		proxy.Refuse(round%2 == 1)
		proxy.Cut()
		for i := range each {
			must[string](t)(publisher.Stream.Publish(ctx, "cut:events", fmt.Sprint(round*each+i)))
		}
	}
	proxy.Refuse(false)
	seen := make(map[string]bool)
	for range rounds * each {
		data := next(t, received)
		if seen[data] {
			t.Errorf("%s came twice", data)
		}
		seen[data] = true
	}
}

func TestAConsumerAndAWatchGoOnOverCuts(t *testing.T) {
	node := sharedNode(t)
	proxy := testnode.NewProxy(t, node.Address)
	client, writer, ctx := connect(t, proxy.Address), connect(t, node.Address), testContext(t)
	jobs, changes := make(chan string, 10), make(chan string, 10)
	must[*gomsg.Subscription](t)(client.Queue.Consume(ctx, "cut:jobs", func(message *gomsg.QueueMessage) {
		jobs <- string(message.Data)
		_ = message.Ack() // What is not acknowledged comes again.
	}))
	must[*gomsg.Subscription](t)(client.KV.Watch(ctx, "cut:key", func(event *gomsg.WatchEvent) {
		changes <- string(event.Value)
	}))
	for i := range 5 {
		proxy.Cut()
		must[string](t)(writer.Queue.Push(ctx, "cut:jobs", fmt.Sprint(i)))
		check(t, writer.KV.Set(ctx, "cut:key", fmt.Sprint(i)))
		for got := ""; got != fmt.Sprint(i); { // One whose Ack was lost comes again.
			got = next(t, jobs)
		}
		if got := next(t, changes); got != fmt.Sprint(i) {
			t.Errorf("change %s, want %d", got, i)
		}
	}
}

func TestCallsAndAWatchGoOnAtAnotherAddressWhenTheNetworkDropsEverything(t *testing.T) {
	node := sharedNode(t)
	dropping, other := testnode.NewProxy(t, node.Address), testnode.NewProxy(t, node.Address)
	client := connect(t, dropping.Address+","+other.Address, gomsg.ConnectOptions{
		KeepaliveInterval: 100 * time.Millisecond, KeepaliveTimeout: 300 * time.Millisecond,
	})
	writer, ctx := connect(t, node.Address), testContext(t)
	changes := make(chan string, 10)
	must[*gomsg.Subscription](t)(client.KV.Watch(ctx, "frozen:key", func(event *gomsg.WatchEvent) {
		changes <- string(event.Value)
	}))
	must[int64](t)(client.KV.Incr(ctx, "frozen:counter"))
	dropping.Freeze(true)
	check(t, writer.KV.Set(ctx, "frozen:key", "meanwhile"))
	if sum := must[int64](t)(client.KV.Incr(ctx, "frozen:counter")); sum != 2 {
		t.Errorf("the counter is %d, want 2", sum)
	}
	if change := next(t, changes); change != "meanwhile" {
		t.Errorf("change %q came", change)
	}
	dropping.Freeze(false)
	if sum := must[int64](t)(client.KV.Incr(ctx, "frozen:counter")); sum != 3 {
		t.Errorf("the counter is %d, want 3", sum)
	}
}

func TestCallsFailAsUnreachableAfterTheTimeout(t *testing.T) {
	proxy := testnode.NewProxy(t, "127.0.0.1:1")
	client, ctx := connect(t, proxy.Address, gomsg.ConnectOptions{UnreachableTimeout: 200 * time.Millisecond}), testContext(t)
	began := time.Now()
	err := client.KV.Set(ctx, "key", "value")
	if !errors.Is(err, gomsg.ReasonUnreachable) || !errors.Is(err, gomsg.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took < 200*time.Millisecond || took > patience {
		t.Errorf("it took %v", took)
	}
	if _, err := client.Stream.Subscribe(ctx, "events", func(*gomsg.StreamMessage) {}); !errors.Is(err, gomsg.ReasonUnreachable) {
		t.Errorf("Subscribe gave %v", err)
	}
}

func TestACallEndsWithItsContextAndSaysThatAWriteMayBeApplied(t *testing.T) {
	client := connect(t, sharedNode(t).Address)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Queue.PopTimeout(ctx, "deadline:jobs", time.Minute)
	if !errors.Is(err, gomsg.ReasonDeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	short := gomsg.WithTimeout(context.Background(), time.Millisecond)
	if message, err := client.Queue.PopTimeout(short, "deadline:jobs", 100*time.Millisecond); message != nil || err != nil && !errors.Is(err, gomsg.ErrDeadlineExceeded) {
		t.Errorf("got %v, %v", message, err)
	}
}

func TestBeyondTheBoundsCallsFailAtOnceAndNothingIsSent(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address, gomsg.ConnectOptions{MaxInFlightCalls: 1, MaxWaitingCalls: 1}), testContext(t)
	check(t, client.KV.Set(ctx, "bounds:key", "value"))
	held, release := context.WithCancel(ctx)
	results := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := client.Queue.PopTimeout(held, "bounds:jobs", time.Minute)
			results <- err
		}()
	}
	if err := next(t, results); !errors.Is(err, gomsg.ReasonOverloaded) {
		t.Errorf("got %v", err)
	}
	release()
	for range 2 {
		if err := next(t, results); !errors.Is(err, gomsg.ReasonCanceled) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAClosedClientRefusesCallsAndEndsItsSubscriptions(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	subscription := must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, "close:events", func(*gomsg.StreamMessage) {}))
	check(t, client.Close())
	check(t, client.Close())
	next(t, subscription.Done())
	check(t, subscription.Err())
	if err := client.KV.Set(ctx, "key", "value"); !errors.Is(err, gomsg.ReasonClientClosed) {
		t.Errorf("Set gave %v", err)
	}
	for _, err := range client.Stream.SubscribeIter(ctx, "close:events") {
		if !errors.Is(err, gomsg.ReasonClientClosed) {
			t.Errorf("the iteration gave %v", err)
		}
	}
}

func TestHooksAreToldAndCannotBreakCalls(t *testing.T) {
	connected, ended := make(chan string, 10), make(chan error, 10)
	client, ctx := connect(t, sharedNode(t).Address, gomsg.ConnectOptions{Hooks: gomsg.Hooks{
		OnConnect: func(address string) { connected <- address; panic("hook") },
		OnCall: func(_ context.Context, info gomsg.CallInfo) (context.Context, func(error)) {
			if info.Method != "kv.get" || info.Subject != "hooks:none" {
				t.Errorf("told %+v", info)
			}
			return nil, func(err error) { ended <- err; panic("hook") }
		},
	}}), testContext(t)
	if _, err := client.KV.Get(ctx, "hooks:none"); !errors.Is(err, gomsg.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := next(t, ended); !errors.Is(err, gomsg.ErrNotFound) || next(t, connected) == "" {
		t.Errorf("the end was told as %v", err)
	}
}

func TestMalformedAddressesAndOptionsAreRefusedAtOnce(t *testing.T) {
	for _, address := range []string{"nonsense", "host:0", "host:70000", "a:1,,b:2", ":9000", "http://host:1"} {
		if _, err := gomsg.Connect(address); !errors.Is(err, gomsg.ReasonInvalidRequest) {
			t.Errorf("Connect(%q) gave %v", address, err)
		}
	}
	if _, err := gomsg.Connect("", gomsg.ConnectOptions{Timeout: -1}); !errors.Is(err, gomsg.ErrInvalidArgument) {
		t.Errorf("a negative timeout gave %v", err)
	}
}

func TestAStreamFindsTheOneAddressThatAnswersAndMayBeTheFirstThatIsAsked(t *testing.T) {
	node := sharedNode(t)
	client, ctx := connect(t, "127.0.0.1:1,127.0.0.1:2,"+node.Address), testContext(t)
	subscription := must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, "seeds:events", func(*gomsg.StreamMessage) {}))
	check(t, subscription.Close())
}

func TestASubscriptionOutlivesATokenThatCannotBeHad(t *testing.T) {
	node := sharedNode(t)
	proxy := testnode.NewProxy(t, node.Address)
	var asked atomic.Int32
	client := connect(t, proxy.Address, gomsg.ConnectOptions{TokenSource: func(context.Context) (string, error) {
		if asked.Add(1) == 2 {
			return "", errors.New("the vault is closed")
		}
		return "secret", nil
	}})
	publisher, ctx := connect(t, node.Address), testContext(t)
	received := make(chan string, 1)
	must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, "token:events", func(message *gomsg.StreamMessage) {
		received <- string(message.Data)
	}))
	proxy.Cut()
	must[string](t)(publisher.Stream.Publish(ctx, "token:events", "event"))
	if data := next(t, received); data != "event" {
		t.Errorf("%q came", data)
	}
}

func TestATokenThatNoHeaderCanCarryIsRefused(t *testing.T) {
	if _, err := gomsg.Connect("", gomsg.ConnectOptions{Token: "from a file\n"}); !errors.Is(err, gomsg.ReasonInvalidRequest) {
		t.Errorf("Connect gave %v", err)
	}
	client := connect(t, sharedNode(t).Address, gomsg.ConnectOptions{
		// Long enough for a busy machine to connect, so that the token is what is missing.
		UnreachableTimeout: 2 * time.Second,
		TokenSource:        func(context.Context) (string, error) { return "two\nlines", nil },
	})
	if err := client.KV.Set(testContext(t), "key", "value"); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("Set gave %v", err)
	}
}

func TestAStreamWhoseParameterIsNotUTF8IsRefusedByName(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	_, subscribed := client.Stream.Subscribe(ctx, "\xff", func(*gomsg.StreamMessage) {})
	_, consumed := client.Queue.Consume(ctx, "\xff", func(*gomsg.QueueMessage) {})
	_, watched := client.KV.Watch(ctx, "\xff", func(*gomsg.WatchEvent) {})
	for method, err := range map[string]error{
		"stream.subscribe: topic": subscribed, "queue.consume: queue": consumed, "kv.watch: key": watched,
	} {
		if !errors.Is(err, gomsg.ReasonInvalidRequest) || !strings.Contains(err.Error(), method+": it is not UTF-8") {
			t.Errorf("%s gave %v", method, err)
		}
	}
}

func TestAMessageThatNoClientDeliveredIsNotSettled(t *testing.T) {
	message := gomsg.QueueMessage{ID: "jobs#1.1"}
	_, extended := message.Extend(time.Second)
	for _, err := range []error{message.Ack(), message.Nack(), extended} {
		if !errors.Is(err, gomsg.ReasonInvalidRequest) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAWaitBeyondAllDurationsIsTheServersToRefuse(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), context.Background()
	if _, err := client.Queue.PopTimeout(ctx, "long:jobs", math.MaxInt64); !errors.Is(err, gomsg.ReasonInvalidDuration) {
		t.Errorf("got %v", err)
	}
}

func TestASubscriptionWithoutANameSeesPartitionsAddedAndPassesOverWhatIsGoneWhileItWasCut(t *testing.T) {
	node := sharedNode(t)
	proxy := testnode.NewProxy(t, node.Address)
	client, publisher, ctx := connect(t, proxy.Address), connect(t, node.Address), testContext(t)
	const topic = "grown:events"
	must[*gomsg.TopicSettings](t)(publisher.Stream.Create(ctx, topic, gomsg.StreamCreateOptions{Partitions: gomsg.Ptr(1)}))
	received := make(chan string, 100)
	subscription := must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, topic, func(message *gomsg.StreamMessage) {
		received <- string(message.Data)
	}))
	publish := func(data string, partition int) {
		must[string](t)(publisher.Stream.Publish(ctx, topic, data, gomsg.StreamPublishOptions{Partition: gomsg.Ptr(partition)}))
	}
	publish("before", 0)
	if data := next(t, received); data != "before" {
		t.Errorf("%q came", data)
	}
	proxy.Refuse(true)
	for range 5 {
		publish("purged", 0)
	}
	must[uint64](t)(publisher.Stream.Purge(ctx, topic))
	must[*gomsg.TopicSettings](t)(publisher.Stream.Configure(ctx, topic, gomsg.StreamConfigureOptions{Partitions: gomsg.Ptr(3)}))
	for partition := range 3 {
		publish(fmt.Sprint("kept ", partition), partition)
	}
	proxy.Refuse(false)
	came := []string{next(t, received), next(t, received), next(t, received)}
	publish("after", 2)
	came = append(came, next(t, received))
	slices.Sort(came)
	if want := []string{"after", "kept 0", "kept 1", "kept 2"}; !slices.Equal(came, want) {
		t.Errorf("%v came, want %v", came, want)
	}
	if err := subscription.Err(); err != nil {
		t.Error(err)
	}
}
