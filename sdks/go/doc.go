// Package gomsg is the client of gomsg: key/value, message queues and event streams in one service.
//
//	client, err := gomsg.Connect("localhost:9000")
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//
//	err = client.KV.Set(ctx, "user:1", "ada")
//	name, err := client.KV.Get(ctx, "user:1")
//
//	id, err := client.Queue.Push(ctx, "jobs", "resize image 7")
//	message, err := client.Queue.Pop(ctx, "jobs") // nil when none is ready
//	err = message.Ack()
//
//	id, err = client.Stream.Publish(ctx, "events", "signed up")
//	subscription, err := client.Stream.Subscribe(ctx, "events", func(message *gomsg.StreamMessage) {
//		fmt.Println(string(message.Data))
//	})
//
// Every method takes a context and returns an error; options are one trailing struct, named for service and method.
// Errors are [*Error]: test with errors.Is for a family ([ErrNotFound]) or a reason ([ReasonKeyNotFound]).
//
// Where the documentation of a method names an option or another method, it does so as the contracts do: if_version is
// the field IfVersion, get_bytes the method GetBytes.
package gomsg
