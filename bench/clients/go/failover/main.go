// Work that goes on while nodes die, through the public face of the Go SDK: lanes that increment, push, settle, publish
// and read, with the client's defaults. Prints a line of JSON for everything that a call or message told it; the driver
// judges. "stop" on stdin ends what makes work, which a line "stopped" tells; the end of stdin ends the rest.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomsg/gomsg/sdks/go"
)

// popWait is how long a pop waits for a message.
const popWait = time.Second

// event is what one call or message told.
type event struct {
	Kind string `json:"kind"`
	Lane int    `json:"lane"`
	// At is in milliseconds since 1970.
	At int64 `json:"at"`
	OK bool  `json:"ok"`
	// ID is what was pushed or published, counted from 1 in its lane.
	ID      int    `json:"id,omitempty"`
	Value   int64  `json:"value,omitempty"`
	Message string `json:"message,omitempty"`
	Offset  uint64 `json:"offset"`
	Reason  string `json:"reason,omitempty"`
	Text    string `json:"text,omitempty"`
}

type program struct {
	client *gomsg.Client
	name   string
	pause  time.Duration
	// Set in this order, and never unset.
	stopped, over      atomic.Bool
	running, producing sync.WaitGroup

	mu  sync.Mutex
	out *json.Encoder
}

func main() {
	log.SetFlags(0)
	address := flag.String("address", "localhost:9000", "host:port of nodes, with commas between them")
	name := flag.String("name", "go", "first part of all names")
	lanes := flag.Int("lanes", 32, "lanes of work")
	pauseMS := flag.Int("pause-ms", 50, "between two calls of a lane that make work")
	flag.Parse()
	client, err := gomsg.Connect(*address)
	if err != nil {
		log.Fatal(err)
	}
	p := &program{
		client: client, name: *name, pause: time.Duration(*pauseMS) * time.Millisecond, out: json.NewEncoder(os.Stdout),
	}
	for lane := range *lanes {
		if err := p.start(lane); err != nil {
			log.Fatal(err)
		}
	}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		if orders.Text() == "stop" {
			p.stop()
		}
	}
	p.over.Store(true)
	p.stop()
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
	p.running.Wait()
}

// start begins the work of a lane. Even ones pop, and read as a group; odd ones consume, and read without a name.
func (p *program) start(lane int) error {
	key, queue, topic := p.named("n", lane), p.named("q", lane), p.named("t", lane)
	ctx := context.Background()
	settles := func(message *gomsg.QueueMessage) { p.settle(lane, message) }
	reads := func(message *gomsg.StreamMessage) { p.read(lane, message) }
	var subscription *gomsg.Subscription
	var err error
	if lane%2 == 0 {
		p.run(func() { p.pops(lane, queue) })
		subscription, err = p.client.Stream.SubscribeGroup(ctx, topic, "readers", reads)
	} else {
		consumer, failed := p.client.Queue.Consume(ctx, queue, settles)
		if failed != nil {
			return failed
		}
		p.watch("settle", lane, consumer)
		subscription, err = p.client.Stream.Subscribe(ctx, topic, reads, gomsg.StreamSubscribeOptions{
			Start: gomsg.StartEarliest(),
		})
	}
	if err != nil {
		return err
	}
	p.watch("deliver", lane, subscription)
	p.produce(func(int) {
		value, err := p.client.KV.Incr(ctx, key)
		p.tell(event{Kind: "incr", Lane: lane, Value: value}, err)
	})
	p.produce(func(id int) {
		_, err := p.client.Queue.Push(ctx, queue, strconv.Itoa(id))
		p.tell(event{Kind: "push", Lane: lane, ID: id}, err)
	})
	p.produce(func(id int) {
		_, err := p.client.Stream.Publish(ctx, topic, strconv.Itoa(id))
		p.tell(event{Kind: "publish", Lane: lane, ID: id}, err)
	})
	return nil
}

func (p *program) named(what string, lane int) string {
	return fmt.Sprintf("%s-%s-%d", p.name, what, lane)
}

// run does work that the program waits for before it ends.
func (p *program) run(work func()) {
	p.running.Add(1)
	go func() {
		defer p.running.Done()
		work()
	}()
}

// produce makes a call again and again, with its number.
func (p *program) produce(call func(number int)) {
	p.producing.Add(1)
	go func() {
		defer p.producing.Done()
		for number := 1; !p.stopped.Load(); number++ {
			call(number)
			time.Sleep(p.pause)
		}
	}()
}

// stop ends what makes work, and says so.
func (p *program) stop() {
	if p.stopped.Swap(true) {
		return
	}
	p.producing.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Println("stopped")
}

func (p *program) pops(lane int, queue string) {
	for !p.over.Load() {
		message, err := p.client.Queue.PopTimeout(context.Background(), queue, popWait)
		switch {
		case err != nil && p.over.Load():
			return
		case err != nil:
			p.tell(event{Kind: "settle", Lane: lane}, err)
			time.Sleep(p.pause)
		case message != nil:
			p.settle(lane, message)
		}
	}
}

func (p *program) settle(lane int, message *gomsg.QueueMessage) {
	told := event{Kind: "settle", Lane: lane, ID: number(message.Data), Message: message.MessageID}
	p.tell(told, message.Ack())
}

func (p *program) read(lane int, message *gomsg.StreamMessage) {
	p.tell(event{Kind: "deliver", Lane: lane, ID: number(message.Data), Offset: message.Offset}, nil)
	if lane%2 == 0 {
		p.tell(event{Kind: "commit", Lane: lane, Offset: message.Offset}, message.Ack())
	}
}

// watch tells of a subscription that ends by itself: a failure that its user sees.
func (p *program) watch(kind string, lane int, subscription *gomsg.Subscription) {
	p.run(func() {
		<-subscription.Done()
		if !p.over.Load() {
			err := subscription.Err()
			if err == nil {
				err = errors.New("the subscription ended")
			}
			p.tell(event{Kind: kind, Lane: lane}, err)
		}
	})
}

func (p *program) tell(told event, err error) {
	told.At = time.Now().UnixMilli()
	told.OK = err == nil
	if err != nil {
		told.Reason, told.Text = "NOT_OF_GOMSG", err.Error()
		if failed := (*gomsg.Error)(nil); errors.As(err, &failed) {
			told.Reason = string(failed.Reason)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.out.Encode(told); err != nil {
		log.Fatal(err)
	}
}

func number(data []byte) int {
	value, err := strconv.Atoi(string(data))
	if err != nil {
		log.Fatalf("a payload that this program did not send: %q", data)
	}
	return value
}
