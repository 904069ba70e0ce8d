// Writes on condition, a worker with retries and dead letters, a consumer group, and a watch. Expects a fresh node.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
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
	for _, part := range []func(context.Context, *gomsg.Client) error{withdraw, worker, group, watch} {
		if err := part(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

// withdraw changes a balance only when nobody else has changed it meanwhile.
func withdraw(ctx context.Context, client *gomsg.Client) error {
	if err := client.KV.Set(ctx, "balance", "100"); err != nil {
		return err
	}
	for {
		entry, err := client.KV.GetEntry(ctx, "balance")
		if err != nil {
			return err
		}
		balance, err := strconv.Atoi(string(entry.Value))
		if err != nil {
			return err
		}
		err = client.KV.Set(ctx, "balance", strconv.Itoa(balance-30), gomsg.KVSetOptions{IfVersion: &entry.Version})
		if errors.Is(err, gomsg.ReasonConditionFailed) {
			continue // Somebody was faster: look again.
		}
		if err != nil {
			return err
		}
		fmt.Println("balance:", balance-30)
		return nil
	}
}

// worker gives up a job after two tries; it is then a dead letter.
func worker(ctx context.Context, client *gomsg.Client) error {
	if _, err := client.Queue.Create(ctx, "mails", gomsg.QueueCreateOptions{
		MaxDeliveries: gomsg.Ptr(2), Lease: gomsg.Ptr(10 * time.Second),
	}); err != nil {
		return err
	}
	if _, err := client.Queue.PushBatch(ctx, "mails", []string{"to nobody", "to ada"}); err != nil {
		return err
	}
	done := 0
	for message, err := range client.Queue.ConsumeIter(ctx, "mails", gomsg.QueueConsumeOptions{Credit: 1}) {
		if err != nil {
			return err
		}
		fmt.Printf("mail %q, try %d\n", message.Data, message.Attempt)
		if string(message.Data) == "to nobody" {
			err = message.Nack(gomsg.QueueNackOptions{Error: "no such address"})
		} else {
			err = message.Ack()
		}
		if err != nil {
			return err
		}
		if done++; done == 3 {
			break
		}
	}
	dead, err := client.Queue.Peek(ctx, "mails", gomsg.QueuePeekOptions{State: gomsg.MessageStateDead})
	if err != nil {
		return err
	}
	fmt.Printf("dead letter %q: %s\n", dead.Data, dead.Error)
	return nil
}

// group reads a topic from its start as a group, which remembers its place.
func group(ctx context.Context, client *gomsg.Client) error {
	for _, event := range []string{"cart filled", "order placed", "order paid"} {
		if _, err := client.Stream.PublishWithKey(ctx, "orders", "order-7", event); err != nil {
			return err
		}
	}
	received := 0
	for message, err := range client.Stream.SubscribeGroupIter(ctx, "orders", "billing") {
		if err != nil {
			return err
		}
		fmt.Println("billing sees", message.Offset, string(message.Data))
		if err := message.Ack(); err != nil {
			return err
		}
		if received++; received == 3 {
			break
		}
	}
	lag, err := client.Stream.Lag(ctx, "orders", "billing")
	if err != nil {
		return err
	}
	fmt.Println("lag:", lag)
	return nil
}

// watch is told of every change of the keys with a prefix.
func watch(ctx context.Context, client *gomsg.Client) error {
	events := make(chan *gomsg.WatchEvent, 2)
	subscription, err := client.KV.WatchPrefix(ctx, "config:", func(event *gomsg.WatchEvent) { events <- event })
	if err != nil {
		return err
	}
	defer subscription.Close()
	if err := client.KV.Set(ctx, "config:color", "blue"); err != nil {
		return err
	}
	if _, err := client.KV.Del(ctx, "config:color"); err != nil {
		return err
	}
	for range 2 {
		event := <-events
		fmt.Printf("%s %s %q\n", event.Type, event.Key, event.Value)
	}
	return nil
}
