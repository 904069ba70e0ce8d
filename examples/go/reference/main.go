// Every call of the API reference, in its order, against a fresh node.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/gomsg/gomsg/sdks/go"
)

func main() {
	log.SetFlags(0)
	client, err := gomsg.Connect(address())
	check(err)
	defer client.Close()
	ctx := context.Background()
	keyValue(ctx, client)
	queue(ctx, client)
	stream(ctx, client)
	cluster(ctx, client)
}

func address() string {
	if len(os.Args) > 1 {
		return os.Args[1]
	}
	if address := os.Getenv("GOMSG_SERVER"); address != "" {
		return address
	}
	return "localhost:9000"
}

func keyValue(ctx context.Context, client *gomsg.Client) {
	fmt.Println("# Key/Value")
	// Basic operations
	check(client.KV.Set(ctx, "key", "value"))
	check(client.KV.SetTTL(ctx, "key", "value", time.Hour))
	value, err := client.KV.Get(ctx, "key")
	check(err)
	exists, err := client.KV.Exists(ctx, "key")
	check(err)
	fmt.Println("Get:", value)
	fmt.Println("Exists:", exists)
	_, err = client.KV.Del(ctx, "key")
	check(err)
	exists, err = client.KV.Exists(ctx, "key")
	check(err)
	fmt.Println("Exists after Del:", exists)

	// Atomic operations
	newValue, err := client.KV.Incr(ctx, "counter")
	check(err)
	fmt.Println("Incr:", newValue)
	newValue, err = client.KV.IncrBy(ctx, "counter", 10)
	check(err)
	fmt.Println("IncrBy:", newValue)
	newValue, err = client.KV.Decr(ctx, "counter")
	check(err)
	fmt.Println("Decr:", newValue)
	newValue, err = client.KV.DecrBy(ctx, "counter", 5)
	check(err)
	fmt.Println("DecrBy:", newValue)

	// Batch operations
	check(client.KV.MSet(ctx, map[string]string{"key1": "val1", "key2": "val2"}))
	values, err := client.KV.MGet(ctx, []string{"key1", "key2", "key3"})
	check(err)
	for _, value := range values {
		fmt.Println("MGet:", value.Value, value.Found)
	}

	// Pattern matching
	check(client.KV.MSet(ctx, map[string]string{"user:1": "alice", "user:2": "bob", "session:1": "x"}))
	keys, err := client.KV.Keys(ctx, "user:*")
	check(err)
	fmt.Println("Keys:", keys)
	deleted, err := client.KV.DelPattern(ctx, "session:*")
	check(err)
	fmt.Println("DelPattern:", deleted)

	// Expiration
	check(client.KV.Set(ctx, "key", "value"))
	check(client.KV.Expire(ctx, "key", time.Minute*30))
	ttl, err := client.KV.TTL(ctx, "key")
	check(err)
	fmt.Println("TTL is at most 30 min:", ttl > 29*time.Minute && ttl <= 30*time.Minute)
}

func queue(ctx context.Context, client *gomsg.Client) {
	fmt.Println("# Queue")
	// Basic operations
	msgID, err := client.Queue.Push(ctx, "jobs", "task-data")
	check(err)
	fmt.Println("Push:", msgID)
	_, err = client.Queue.PushDelayed(ctx, "jobs", "task-data", time.Hour*2)
	check(err)
	msg, err := client.Queue.Pop(ctx, "jobs")
	check(err)
	fmt.Println("Pop:", string(msg.Data))

	// Message handling
	check(client.Queue.Nack(ctx, msg.ID))         // Requeue for retry
	peeked, err := client.Queue.Peek(ctx, "jobs") // Look without removing
	check(err)
	fmt.Println("Peek:", string(peeked.Data))
	msg, err = client.Queue.PopTimeout(ctx, "jobs", time.Second*30)
	check(err)
	fmt.Println("PopTimeout:", string(msg.Data), msg.Attempt)
	check(client.Queue.Ack(ctx, msg.ID))

	// Queue management
	stats, err := client.Queue.Stats(ctx, "jobs") // {size, consumers, etc}
	check(err)
	fmt.Println("Stats:", stats.Size, stats.Delayed, stats.Consumers)
	_, err = client.Queue.Purge(ctx, "jobs") // Clear all messages
	check(err)

	// Batch operations
	_, err = client.Queue.PushBatch(ctx, "jobs", []string{"task1", "task2", "task3"})
	check(err)
	msgs, err := client.Queue.PopBatch(ctx, "jobs", 10) // Pop up to 10 messages
	check(err)
	for _, msg := range msgs {
		fmt.Println("PopBatch:", string(msg.Data))
	}
	queues, err := client.Queue.List(ctx) // List all queues
	check(err)
	for _, queue := range queues {
		fmt.Println("List:", queue.Queue)
	}
	_, err = client.Queue.Delete(ctx, "jobs") // Delete entire queue
	check(err)
	queues, err = client.Queue.List(ctx)
	check(err)
	fmt.Println("Queues left:", len(queues))
}

func stream(ctx context.Context, client *gomsg.Client) {
	fmt.Println("# Stream")
	// Stream management
	_, err := client.Stream.Create(ctx, "new-events") // Create topic
	check(err)

	// Subscribing
	received := make(chan struct{})
	subscription, err := client.Stream.Subscribe(ctx, "events", func(msg *gomsg.StreamMessage) {
		fmt.Println("Event:", string(msg.Data))
		check(msg.Ack()) // Acknowledge processing
		close(received)
	})
	check(err)

	// Consumer groups (for load balancing)
	processed := make(chan string, 1)
	group, err := client.Stream.SubscribeGroup(ctx, "events", "analytics-group", func(msg *gomsg.StreamMessage) {
		// Process in group - only one consumer gets each message
		processed <- string(msg.Data)
		check(msg.Ack())
	})
	check(err)

	// Publishing
	msgID, err := client.Stream.Publish(ctx, "events", "user_login")
	check(err)
	<-received
	fmt.Println("Publish:", msgID)
	check(subscription.Close())
	fmt.Println("Group got:", <-processed)
	check(group.Close())
	msgID, err = client.Stream.PublishWithKey(ctx, "events", "user123", "user_login")
	check(err)
	fmt.Println("PublishWithKey:", msgID)

	// Reading from offset
	var offset uint64
	limit := 10
	events, err := client.Stream.Read(ctx, "events", offset, limit)
	check(err)
	for _, event := range events {
		fmt.Printf("Read: %d %q %s\n", event.Offset, event.Key, event.Data)
	}
	events, err = client.Stream.ReadFrom(ctx, "events", time.Now().Add(-time.Hour))
	check(err)
	fmt.Println("ReadFrom:", len(events))

	// Offset management
	check(client.Stream.Seek(ctx, "events", "consumer-1", 1))
	offset, err = client.Stream.GetOffset(ctx, "events", "consumer-1")
	check(err)
	fmt.Println("GetOffset:", offset)

	// Stream management
	info, err := client.Stream.Info(ctx, "events") // {partitions, consumers, etc}
	check(err)
	fmt.Println("Info:", len(info.Partitions), len(info.Consumers), info.Messages)
	topics, err := client.Stream.List(ctx) // List all topics
	check(err)
	for _, topic := range topics {
		fmt.Println("List:", topic.Topic)
	}
	_, err = client.Stream.Delete(ctx, "new-events") // Delete topic
	check(err)
	purged, err := client.Stream.Purge(ctx, "events") // Clear all events
	check(err)
	fmt.Println("Purge:", purged)
}

func cluster(ctx context.Context, client *gomsg.Client) {
	fmt.Println("# Cluster")
	// Node management
	nodes, err := client.Cluster.Nodes(ctx) // List all cluster nodes
	check(err)
	status, err := client.Cluster.Status(ctx) // Cluster health status
	check(err)
	leader, err := client.Cluster.Leader(ctx) // Current leader node
	check(err)
	fmt.Println("Nodes:", len(nodes))
	fmt.Println("Status:", status.State)
	fmt.Println("Leader is a node:", leader.NodeID == nodes[0].NodeID)

	// Health checks
	health, err := client.Cluster.Health(ctx, leader.NodeID)
	check(err)
	fmt.Println("Healthy:", health.Healthy)
	// A node on its own refuses these two, and says why.
	_, err = client.Cluster.Join(ctx, "new-node", "localhost:9003")
	fmt.Println("Join needs a cluster:", errors.Is(err, gomsg.ReasonNotClustered))
	_, err = client.Cluster.Leave(ctx, leader.NodeID)
	fmt.Println("Leave needs a cluster:", errors.Is(err, gomsg.ReasonNotClustered))

	// Statistics
	stats, err := client.Cluster.Stats(ctx) // Cluster-wide statistics
	check(err)
	fmt.Println("Keys:", stats.Total.Keys)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
