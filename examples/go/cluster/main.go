// What a cluster says of itself, and a client that names several of its nodes. Works the same on a node that runs alone.
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

// address may name several nodes, separated by commas: the client finds the others by itself.
func address() string {
	if len(os.Args) > 1 {
		return os.Args[1]
	}
	return os.Getenv("GOMSG_SERVER") // Empty = localhost:9000.
}

func run(ctx context.Context, address string) error {
	client, err := gomsg.Connect(address, gomsg.ConnectOptions{
		Timeout:            5 * time.Second,
		UnreachableTimeout: 3 * time.Second,
		Hooks: gomsg.Hooks{
			OnDisconnect: func(address string, err error) { log.Printf("lost %s: %v", address, err) },
		},
	})
	if err != nil {
		return err
	}
	defer client.Close()

	status, err := client.Cluster.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Println("state:", status.State)
	nodes, err := client.Cluster.Nodes(ctx)
	if err != nil {
		return err
	}
	leader, err := client.Cluster.Leader(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		health, err := client.Cluster.Health(ctx, node.NodeID)
		if err != nil {
			return err
		}
		fmt.Println("node:", node.State, "healthy:", health.Healthy, "leads:", node.NodeID == leader.NodeID)
	}

	// Keys that share a {tag} share a group, so they change together.
	if err := client.KV.MSet(ctx, map[string]string{"{user:1}:name": "ada", "{user:1}:mail": "ada@example.org"}); err != nil {
		return err
	}
	keys, err := client.KV.Keys(ctx, "{user:1}:*")
	if err != nil {
		return err
	}
	fmt.Println("keys:", keys)

	topology, err := client.Cluster.Topology(ctx)
	if err != nil {
		return err
	}
	slots := 0
	for _, group := range topology.Groups {
		for _, run := range group.Slots {
			slots += run.Last - run.First + 1
		}
	}
	fmt.Println("slots:", slots)

	if _, err := client.Cluster.Join(ctx, "new-node", "localhost:9003"); errors.Is(err, gomsg.ReasonNotClustered) {
		fmt.Println("this node runs alone: no other can join it")
	} else if err != nil {
		return err
	}
	return nil
}
