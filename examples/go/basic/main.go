// Keys, a queue and a topic in a few lines. Expects a fresh node; prints what it does.
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
	if err := run(context.Background(), address()); err != nil {
		log.Fatal(err)
	}
}

func address() string {
	if len(os.Args) > 1 {
		return os.Args[1]
	}
	return os.Getenv("GOMSG_SERVER") // Empty = localhost:9000.
}

func run(ctx context.Context, address string) error {
	client, err := gomsg.Connect(address)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, part := range []func(context.Context, *gomsg.Client) error{keys, queue, topic} {
		if err := part(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

func keys(ctx context.Context, client *gomsg.Client) error {
	if err := client.KV.Set(ctx, "user:1", "ada"); err != nil {
		return err
	}
	name, err := client.KV.Get(ctx, "user:1")
	if err != nil {
		return err
	}
	fmt.Println("user:1 is", name)

	if _, err := client.KV.Get(ctx, "user:2"); errors.Is(err, gomsg.ErrNotFound) {
		fmt.Println("user:2 does not exist")
	} else if err != nil {
		return err
	}

	if err := client.KV.SetTTL(ctx, "session:1", "token", time.Hour); err != nil {
		return err
	}
	visits, err := client.KV.IncrBy(ctx, "visits", 5)
	if err != nil {
		return err
	}
	fmt.Println("visits:", visits)
	return nil
}

func queue(ctx context.Context, client *gomsg.Client) error {
	if _, err := client.Queue.Push(ctx, "jobs", "resize image 7"); err != nil {
		return err
	}
	message, err := client.Queue.Pop(ctx, "jobs")
	if err != nil {
		return err
	}
	fmt.Println("job:", string(message.Data))
	if err := message.Ack(); err != nil {
		return err
	}
	stats, err := client.Queue.Stats(ctx, "jobs")
	if err != nil {
		return err
	}
	fmt.Println("jobs left:", stats.Size)
	return nil
}

func topic(ctx context.Context, client *gomsg.Client) error {
	received := make(chan string)
	subscription, err := client.Stream.Subscribe(ctx, "events", func(message *gomsg.StreamMessage) {
		received <- string(message.Data)
	})
	if err != nil {
		return err
	}
	defer subscription.Close()
	for _, event := range []string{"signed up", "logged in"} {
		id, err := client.Stream.Publish(ctx, "events", event)
		if err != nil {
			return err
		}
		fmt.Println(id, "is", <-received)
	}
	return nil
}
