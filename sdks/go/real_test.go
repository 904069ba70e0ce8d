package gomsg_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gomsg "github.com/gomsg/gomsg/sdks/go"
	"github.com/gomsg/gomsg/sdks/go/internal/leaks"
	"github.com/gomsg/gomsg/sdks/go/internal/testnode"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// shared is one node for all tests that do not harm it: each uses names of its own. A test that runs again, as with
// -count, begins with a new one.
var shared struct {
	node *testnode.Node
	stop []func()
	// Tests that have used it, by name.
	users map[string]testing.TB
}

// lasting is a testing.TB whose cleanups run behind all tests.
type lasting struct{ testing.TB }

func (lasting) Cleanup(cleanup func()) { shared.stop = append(shared.stop, cleanup) }

func TestMain(m *testing.M) {
	code := m.Run()
	stopShared()
	os.Exit(code)
}

func stopShared() {
	for _, stop := range shared.stop {
		stop()
	}
	shared.node, shared.stop, shared.users = nil, nil, make(map[string]testing.TB)
}

func sharedNode(t *testing.T) *testnode.Node {
	t.Helper()
	if user := shared.users[t.Name()]; shared.node == nil || user != nil && user != t {
		stopShared()
		shared.node = testnode.Start(lasting{t})
	}
	shared.users[t.Name()] = t
	return shared.node
}

// leakChecked has the tests that look for leaks behind the last of their clients.
var leakChecked sync.Map

func connect(t *testing.T, address string, options ...gomsg.ConnectOptions) *gomsg.Client {
	t.Helper()
	if _, checked := leakChecked.LoadOrStore(t, true); !checked {
		leaks.Check(t)
	}
	client, err := gomsg.Connect(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestTheKeyValueCallsOfTheReferenceWork(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	check(t, client.KV.Set(ctx, "kv:key", "value"))
	check(t, client.KV.SetTTL(ctx, "kv:ttl", "value", time.Hour))
	if value := must[string](t)(client.KV.Get(ctx, "kv:key")); value != "value" {
		t.Errorf("Get gave %q", value)
	}
	if data := must[[]byte](t)(client.KV.GetBytes(ctx, "kv:key")); string(data) != "value" {
		t.Errorf("GetBytes gave %q", data)
	}
	if !must[bool](t)(client.KV.Exists(ctx, "kv:key")) || !must[bool](t)(client.KV.Del(ctx, "kv:key")) {
		t.Error("the key did not exist")
	}
	for i, call := range []func() (int64, error){
		func() (int64, error) { return client.KV.Incr(ctx, "kv:counter") },
		func() (int64, error) { return client.KV.IncrBy(ctx, "kv:counter", 10) },
		func() (int64, error) { return client.KV.Decr(ctx, "kv:counter") },
		func() (int64, error) { return client.KV.DecrBy(ctx, "kv:counter", 5) },
	} {
		if got, want := must[int64](t)(call()), []int64{1, 11, 10, 5}[i]; got != want {
			t.Errorf("step %d gave %d, want %d", i, got, want)
		}
	}
	check(t, client.KV.MSet(ctx, map[string]string{"kv:m1": "val1", "kv:m2": "val2"}))
	values := must[[]gomsg.Optional[string]](t)(client.KV.MGet(ctx, []string{"kv:m1", "kv:none", "kv:m2"}))
	if want := []gomsg.Optional[string]{{"val1", true}, {}, {"val2", true}}; !slices.Equal(values, want) {
		t.Errorf("MGet gave %v", values)
	}
	if keys := must[[]string](t)(client.KV.Keys(ctx, "kv:m*")); !slices.Equal(keys, []string{"kv:m1", "kv:m2"}) {
		t.Errorf("Keys gave %v", keys)
	}
	if deleted := must[uint64](t)(client.KV.DelPattern(ctx, "kv:m*")); deleted != 2 {
		t.Errorf("DelPattern removed %d", deleted)
	}
	check(t, client.KV.Expire(ctx, "kv:counter", 30*time.Minute))
	if ttl := must[time.Duration](t)(client.KV.TTL(ctx, "kv:counter")); ttl <= 29*time.Minute || ttl > 30*time.Minute {
		t.Errorf("TTL gave %v", ttl)
	}
	must[bool](t)(client.KV.Persist(ctx, "kv:counter"))
	if ttl := must[time.Duration](t)(client.KV.TTL(ctx, "kv:counter")); ttl != gomsg.NoTTL {
		t.Errorf("TTL of a key without expiry gave %v", ttl)
	}
}

func TestConditionsTellTheCurrentVersion(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	version := must[uint64](t)(client.KV.SetVersion(ctx, "cond:key", "one"))
	check(t, client.KV.Set(ctx, "cond:key", "two", gomsg.KVSetOptions{IfVersion: &version}))
	err := client.KV.Set(ctx, "cond:key", "three", gomsg.KVSetOptions{IfVersion: &version})
	failed := (*gomsg.Error)(nil)
	if !errors.As(err, &failed) || !errors.Is(err, gomsg.ReasonConditionFailed) || !errors.Is(err, gomsg.ErrFailedPrecondition) {
		t.Fatalf("got %v", err)
	}
	if failed.Method != "kv.set" || failed.CurrentVersion <= version || failed.Action == "" || failed.Retryable {
		t.Errorf("the error says %+v", failed)
	}
	previous := must[*gomsg.KeyValue](t)(client.KV.GetSet(ctx, "cond:key", "four"))
	if previous == nil || string(previous.Value) != "two" {
		t.Errorf("GetSet gave %+v", previous)
	}
	if none := must[*gomsg.KeyValue](t)(client.KV.GetDel(ctx, "cond:none")); none != nil {
		t.Errorf("GetDel of no key gave %+v", none)
	}
	if _, err := client.KV.Get(ctx, "cond:none"); !errors.Is(err, gomsg.ErrNotFound) || errors.Is(err, gomsg.ErrAborted) {
		t.Errorf("got %v", err)
	}
}

func TestBadArgumentsNameMethodAndParameterAndAreNotSent(t *testing.T) {
	client, ctx := connect(t, "127.0.0.1:1"), testContext(t)
	version := uint64(1)
	bad := map[string]func() error{
		"kv.set key":     func() error { return client.KV.Set(ctx, "\xff", "value") },
		"kv.set ctx":     func() error { return client.KV.Set(nil, "key", "value") }, //nolint:staticcheck // The point.
		"kv.set options": func() error { return client.KV.Set(ctx, "key", "", gomsg.KVSetOptions{}, gomsg.KVSetOptions{}) },
		"kv.get consistency": func() error {
			_, err := client.KV.Get(ctx, "key", gomsg.KVGetOptions{Consistency: "bogus"})
			return err
		},
		"kv.set if_absent": func() error {
			return client.KV.Set(ctx, "key", "", gomsg.KVSetOptions{IfAbsent: true, IfVersion: &version})
		},
		"queue.pop_batch max_messages": func() error { _, err := client.Queue.PopBatch(ctx, "jobs", -1); return err },
		"kv.decr_by delta":             func() error { _, err := client.KV.DecrBy(ctx, "key", -1<<63); return err },
		"stream.subscribe handler":     func() error { _, err := client.Stream.Subscribe(ctx, "events", nil); return err },
		"stream.subscribe partitions": func() error {
			_, err := client.Stream.Subscribe(ctx, "events", func(*gomsg.StreamMessage) {},
				gomsg.StreamSubscribeOptions{Partitions: []int{-1}})
			return err
		},
	}
	for name, call := range bad {
		method, parameter, _ := strings.Cut(name, " ")
		err := call()
		failed := (*gomsg.Error)(nil)
		if !errors.As(err, &failed) || failed.Reason != gomsg.ReasonInvalidRequest || failed.Method != method || failed.Subject != parameter {
			t.Errorf("%s: got %#v", name, err)
		}
	}
}

func TestTheQueueCallsOfTheReferenceWork(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	id := must[string](t)(client.Queue.Push(ctx, "q:jobs", "task-data", gomsg.QueuePushOptions{Headers: map[string]string{"a": "b"}}))
	must[string](t)(client.Queue.PushDelayed(ctx, "q:jobs", "later", 2*time.Hour))
	peeked := must[*gomsg.PeekedMessage](t)(client.Queue.Peek(ctx, "q:jobs"))
	if peeked == nil || peeked.ID != id || peeked.State != gomsg.MessageStateReady {
		t.Fatalf("Peek gave %+v", peeked)
	}
	message := must[*gomsg.QueueMessage](t)(client.Queue.Pop(ctx, "q:jobs"))
	if message == nil || string(message.Data) != "task-data" || message.Headers["a"] != "b" || message.MessageID != id {
		t.Fatalf("Pop gave %+v", message)
	}
	check(t, client.Queue.Nack(ctx, message.ID))
	message = must[*gomsg.QueueMessage](t)(client.Queue.PopTimeout(ctx, "q:jobs", 30*time.Second))
	if until := must[time.Time](t)(message.Extend(time.Minute)); time.Until(until) < 50*time.Second {
		t.Errorf("the lease ends at %v", until)
	}
	check(t, client.Queue.Ack(ctx, message.ID))
	if err := message.Ack(); !errors.Is(err, gomsg.ReasonDeliveryNotFound) {
		t.Errorf("a second Ack gave %v", err)
	}
	if none := must[*gomsg.QueueMessage](t)(client.Queue.Pop(ctx, "q:jobs")); none != nil {
		t.Errorf("Pop of nothing gave %+v", none)
	}
	stats := must[*gomsg.QueueStats](t)(client.Queue.Stats(ctx, "q:jobs"))
	if stats.Size != 1 || stats.Delayed != 1 || stats.OldestReadyAge != gomsg.NoDuration || stats.Settings.Lease != 30*time.Second {
		t.Errorf("Stats gave %+v", stats)
	}
	ids := must[[]string](t)(client.Queue.PushBatch(ctx, "q:jobs", []string{"task1", "task2", "task3"}))
	messages := must[[]*gomsg.QueueMessage](t)(client.Queue.PopBatch(ctx, "q:jobs", 10))
	if len(ids) != 3 || len(messages) != 3 || string(messages[2].Data) != "task3" {
		t.Errorf("PopBatch gave %v of %v", messages, ids)
	}
	if purged := must[uint64](t)(client.Queue.Purge(ctx, "q:jobs")); purged != 4 {
		t.Errorf("Purge removed %d", purged)
	}
	queues := must[[]gomsg.QueueStats](t)(client.Queue.List(ctx, gomsg.QueueListOptions{Prefix: "q:"}))
	if len(queues) != 1 || !must[bool](t)(client.Queue.Delete(ctx, "q:jobs")) {
		t.Errorf("List gave %v", queues)
	}
	settings := must[*gomsg.QueueSettings](t)(client.Queue.Create(ctx, "q:new",
		gomsg.QueueCreateOptions{MaxDeliveries: gomsg.Ptr(5), Lease: gomsg.Ptr(time.Minute)}))
	if *settings.MaxDeliveries != 5 || settings.Lease != time.Minute || settings.MessageTTL != 0 {
		t.Errorf("Create gave %+v", settings)
	}
}

func TestAConsumerGetsWhatIsPushedAndGivesBackWhatItsHandlerFailsOn(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	attempts, told := make(chan int, 10), make(chan error, 10)
	subscription := must[*gomsg.Subscription](t)(client.Queue.Consume(ctx, "q:consume", func(message *gomsg.QueueMessage) {
		defer func() { attempts <- message.Attempt }()
		if message.Attempt == 1 {
			panic("not today")
		}
		if err := message.Ack(); err != nil {
			t.Error(err)
		}
	}, gomsg.QueueConsumeOptions{Credit: 1, OnError: func(err error, _ *gomsg.QueueMessage) { told <- err }}))
	must[string](t)(client.Queue.Push(ctx, "q:consume", "work"))
	if first, second := next(t, attempts), next(t, attempts); first != 1 || second != 2 {
		t.Errorf("attempts %d and %d", first, second)
	}
	if err := next(t, told); !errors.Is(err, gomsg.ReasonHandlerFailed) || !strings.Contains(err.Error(), "not today") {
		t.Errorf("OnError was told %v", err)
	}
	check(t, subscription.Close())
	next(t, subscription.Done())
	check(t, subscription.Err())
}

func TestTheStreamCallsOfTheReferenceWork(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	id := must[string](t)(client.Stream.Publish(ctx, "s:events", "user_login"))
	must[string](t)(client.Stream.PublishWithKey(ctx, "s:events", "user123", "user_login"))
	events := must[[]*gomsg.StreamMessage](t)(client.Stream.Read(ctx, "s:events", 0, 10))
	if id != "s:events#0.0" || len(events) != 2 || events[0].ID != id || events[1].Key != "user123" {
		t.Errorf("Read gave %v", events)
	}
	check(t, events[0].Ack())
	events = must[[]*gomsg.StreamMessage](t)(client.Stream.ReadFrom(ctx, "s:events", time.Now().Add(-time.Hour)))
	if len(events) != 2 || events[1].Topic != "s:events" {
		t.Errorf("ReadFrom gave %v", events)
	}
	check(t, client.Stream.Seek(ctx, "s:events", "consumer-1", 1))
	if offset := must[uint64](t)(client.Stream.GetOffset(ctx, "s:events", "consumer-1")); offset != 1 {
		t.Errorf("GetOffset gave %d", offset)
	}
	positions := must[[]gomsg.StreamPosition](t)(client.Stream.SeekTo(ctx, "s:events", "consumer-1", gomsg.StartLatest()))
	if len(positions) != 1 || positions[0].Offset != 2 {
		t.Errorf("SeekTo gave %v", positions)
	}
	info := must[*gomsg.TopicInfo](t)(client.Stream.Info(ctx, "s:events"))
	if info.Messages != 2 || len(info.Partitions) != 1 || len(info.Consumers) != 1 {
		t.Errorf("Info gave %+v", info)
	}
	must[*gomsg.TopicSettings](t)(client.Stream.Create(ctx, "s:new", gomsg.StreamCreateOptions{Partitions: gomsg.Ptr(3)}))
	topics := must[[]gomsg.TopicInfo](t)(client.Stream.List(ctx, gomsg.StreamListOptions{Prefix: "s:"}))
	if len(topics) != 2 {
		t.Errorf("List gave %v", topics)
	}
	if purged := must[uint64](t)(client.Stream.Purge(ctx, "s:events")); purged != 2 {
		t.Errorf("Purge removed %d", purged)
	}
	must[bool](t)(client.Stream.Delete(ctx, "s:new"))
}

func TestSubscribersGetMessagesAndAGroupSharesThem(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	plain, grouped := make(chan string, 10), make(chan string, 10)
	subscription := must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, "sub:events", func(message *gomsg.StreamMessage) {
		plain <- string(message.Data)
		check(t, message.Ack())
	}))
	for range 2 {
		must[*gomsg.Subscription](t)(client.Stream.SubscribeGroup(ctx, "sub:events", "analytics", func(message *gomsg.StreamMessage) {
			grouped <- string(message.Data)
			check(t, message.Ack())
		}))
	}
	must[string](t)(client.Stream.Publish(ctx, "sub:events", "one"))
	if got := next(t, plain); got != "one" {
		t.Errorf("the subscriber got %q", got)
	}
	if got := next(t, grouped); got != "one" {
		t.Errorf("the group got %q", got)
	}
	waitFor(t, "the commit of the group", func() bool {
		return must[uint64](t)(client.Stream.Lag(ctx, "sub:events", "analytics")) == 0
	})
	if len(grouped) > 0 {
		t.Error("the group got the message twice")
	}
	check(t, subscription.Close())
	next(t, subscription.Done())
}

func TestAHandlerThatPanicsEndsItsSubscriptionUnlessErrorsAreHandled(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	cause := errors.New("no luck")
	ends := must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, "panic:events", func(*gomsg.StreamMessage) { panic(cause) }))
	told := make(chan error, 10)
	goesOn := must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, "panic:events", func(*gomsg.StreamMessage) { panic(cause) },
		gomsg.StreamSubscribeOptions{OnError: func(err error, _ *gomsg.StreamMessage) { told <- err }}))
	must[string](t)(client.Stream.Publish(ctx, "panic:events", "one"))
	next(t, ends.Done())
	if err := ends.Err(); !errors.Is(err, gomsg.ReasonHandlerFailed) || !errors.Is(err, cause) {
		t.Errorf("it ended with %v", err)
	}
	must[string](t)(client.Stream.Publish(ctx, "panic:events", "two"))
	next(t, told)
	if err := next(t, told); !errors.Is(err, cause) || goesOn.Err() != nil {
		t.Errorf("told %v, ended with %v", err, goesOn.Err())
	}
}

func TestIterationsYieldAndEndWithTheLoop(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	for i := range 3 {
		must[string](t)(client.Stream.Publish(ctx, "iter:events", fmt.Sprint(i)))
	}
	var got []string
	start := gomsg.StreamSubscribeOptions{Start: gomsg.StartEarliest()}
	for message, err := range client.Stream.SubscribeIter(ctx, "iter:events", start) {
		check(t, err)
		if got = append(got, string(message.Data)); len(got) == 3 {
			break
		}
	}
	if !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("got %v", got)
	}
	canceled, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, err := range client.Stream.SubscribeIter(canceled, "iter:events", start) {
		if err == nil {
			cancel()
			continue
		}
		if !errors.Is(err, gomsg.ReasonCanceled) || !errors.Is(err, context.Canceled) {
			t.Errorf("a canceled iteration ended with %v", err)
		}
	}
}

func TestAWatchTellsEveryChange(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	events := make(chan *gomsg.WatchEvent, 10)
	must[*gomsg.Subscription](t)(client.KV.WatchPrefix(ctx, "watch:", func(event *gomsg.WatchEvent) { events <- event }))
	check(t, client.KV.Set(ctx, "watch:a", "1"))
	must[bool](t)(client.KV.Del(ctx, "watch:a"))
	if set := next(t, events); set.Type != gomsg.WatchEventTypeSet || set.Key != "watch:a" || string(set.Value) != "1" {
		t.Errorf("got %+v", set)
	}
	if deleted := next(t, events); deleted.Type != gomsg.WatchEventTypeDelete {
		t.Errorf("got %+v", deleted)
	}
}

func TestPagesAreCollectedUpToTheBoundAndIteratedBeyondIt(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address, gomsg.ConnectOptions{MaxCollected: 1500}), testContext(t)
	values := make(map[string]string)
	for i := range 1501 {
		values[fmt.Sprintf("page:%05d", i)] = ""
	}
	check(t, client.KV.MSet(ctx, values))
	if _, err := client.KV.Keys(ctx, "page:*"); !errors.Is(err, gomsg.ReasonResultTooLarge) {
		t.Errorf("got %v", err)
	}
	count := 0
	for key, err := range client.KV.KeysIter(ctx, "page:*") {
		check(t, err)
		if want := fmt.Sprintf("page:%05d", count); key != want {
			t.Fatalf("got %s, want %s", key, want)
		}
		count++
	}
	if count != 1501 {
		t.Errorf("%d keys", count)
	}
	must[bool](t)(client.KV.Del(ctx, "page:00000"))
	if keys := must[[]string](t)(client.KV.Keys(ctx, "page:*")); len(keys) != 1500 {
		t.Errorf("%d keys", len(keys))
	}
}

func TestTheClusterCallsOfTheReferenceWork(t *testing.T) {
	client, ctx := connect(t, sharedNode(t).Address), testContext(t)
	nodes := must[[]gomsg.Node](t)(client.Cluster.Nodes(ctx))
	status := must[*gomsg.ClusterStatus](t)(client.Cluster.Status(ctx))
	leader := must[*gomsg.Node](t)(client.Cluster.Leader(ctx))
	if len(nodes) != 1 || status.State != gomsg.ClusterStateHealthy || leader.NodeID != nodes[0].NodeID {
		t.Errorf("got %v, %v, %v", nodes, status, leader)
	}
	if health := must[*gomsg.NodeHealth](t)(client.Cluster.Health(ctx, leader.NodeID)); !health.Healthy {
		t.Errorf("got %v", health)
	}
	if _, err := client.Cluster.Join(ctx, "new-node", "localhost:9003"); !errors.Is(err, gomsg.ReasonNotClustered) {
		t.Errorf("Join gave %v", err)
	}
	if _, err := client.Cluster.Leave(ctx, "node-2"); !errors.Is(err, gomsg.ReasonNodeNotFound) && !errors.Is(err, gomsg.ReasonNotClustered) {
		t.Errorf("Leave gave %v", err)
	}
	if stats := must[*gomsg.ClusterStats](t)(client.Cluster.Stats(ctx)); stats.Total == nil || stats.Total.Uptime <= 0 {
		t.Errorf("got %+v", stats)
	}
	for stats, err := range client.Cluster.WatchStatsIter(ctx) {
		check(t, err)
		if len(stats.Nodes) != 1 {
			t.Errorf("got %+v", stats)
		}
		break
	}
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond) // Polls a condition that nothing tells of.
	}
}

func TestASupersededConsumerHandlesNothingMoreOfWhatItHolds(t *testing.T) {
	ctx, client := testContext(t), connect(t, sharedNode(t).Address)
	topic := "superseded"
	for range 20 {
		must[string](t)(client.Stream.Publish(ctx, topic, "event"))
	}
	handled, refused := 0, make(chan error, 1)
	options := gomsg.StreamSubscribeOptions{Consumer: "c", Start: gomsg.StartEarliest()}
	first := must[*gomsg.Subscription](t)(client.Stream.Subscribe(ctx, topic, func(message *gomsg.StreamMessage) {
		handled++
		if handled > 1 {
			return
		}
		// Takes over the name, and leaves everything unacknowledged.
		second, err := client.Stream.Subscribe(ctx, topic, func(*gomsg.StreamMessage) {}, options)
		if err != nil {
			refused <- err
			return
		}
		t.Cleanup(func() { second.Close() })
		refused <- message.Ack()
	}, options))
	if err := <-refused; !errors.Is(err, gomsg.ReasonMemberFenced) {
		t.Fatalf("Ack: %v", err)
	}
	<-first.Done()
	if !errors.Is(first.Err(), gomsg.ReasonMemberFenced) || handled != 1 {
		t.Errorf("it ended with %v after %d messages", first.Err(), handled)
	}
}
