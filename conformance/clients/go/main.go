// The conformance client of Go: does what the runner asks on stdin with the public SDK, and answers on stdout. It works
// on all requests at once, and ends with stdin.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	conformancev1 "github.com/gomsg/gomsg/conformance/clients/go/gen/gomsg/conformance/v1"
	gomsg "github.com/gomsg/gomsg/sdks/go"
	"google.golang.org/protobuf/proto"
)

// leakPatience is how long goroutines of a closed client may take to see that they are to end.
const leakPatience = 10 * time.Second

func main() {
	log.SetFlags(0)
	log.SetOutput(os.Stderr)
	p := &program{
		out: bufio.NewWriter(os.Stdout), clients: make(map[string]*gomsg.Client),
		streams: make(map[string]*openStream), calls: make(map[uint32]context.CancelFunc),
	}
	in := bufio.NewReader(os.Stdin)
	for {
		request, err := read(in)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		// A call can be given up as soon as it was read.
		ctx, cancel := context.WithCancel(context.Background())
		p.mu.Lock()
		p.calls[request.Id] = cancel
		p.mu.Unlock()
		// Calls are made in the order in which they were asked for: the next is read when this one is on its way.
		underway := &underway{begun: make(chan struct{})}
		go func() {
			defer underway.begin()
			p.take(context.WithValue(ctx, underwayKey{}, underway), request)
		}()
		if request.GetCall() != nil {
			<-underway.begun
		}
	}
}

// underway tells when a request is on its way in the SDK, or done.
type underway struct {
	once  sync.Once
	begun chan struct{}
}

type underwayKey struct{}

func (u *underway) begin() { u.once.Do(func() { close(u.begun) }) }

func tellUnderway(ctx context.Context, _ gomsg.CallInfo) (context.Context, func(error)) {
	if underway, ok := ctx.Value(underwayKey{}).(*underway); ok {
		underway.begin()
	}
	return ctx, nil
}

type program struct {
	outMu sync.Mutex
	out   *bufio.Writer

	mu      sync.Mutex
	clients map[string]*gomsg.Client
	streams map[string]*openStream
	calls   map[uint32]context.CancelFunc
}

func (p *program) take(ctx context.Context, request *conformancev1.Request) {
	response, err := p.do(ctx, request)
	p.mu.Lock()
	p.calls[request.Id]()
	delete(p.calls, request.Id)
	p.mu.Unlock()
	if err != nil {
		response = &conformancev1.Response{Outcome: &conformancev1.Response_Error{Error: errorOut(err)}}
	}
	response.Id = request.Id
	p.write(response)
}

func (p *program) do(ctx context.Context, request *conformancev1.Request) (*conformancev1.Response, error) {
	switch action := request.Action.(type) {
	case *conformancev1.Request_Connect:
		return result(nullOut(), p.connect(action.Connect))
	case *conformancev1.Request_Call:
		return result(p.call(ctx, action.Call))
	case *conformancev1.Request_OpenStream:
		return result(nullOut(), p.openStream(action.OpenStream))
	case *conformancev1.Request_Settle:
		stream, err := p.stream(action.Settle.Stream)
		if err == nil {
			err = stream.settle(action.Settle.Item, action.Settle.Action)
		}
		return result(nullOut(), err)
	case *conformancev1.Request_CloseStream:
		stream, err := p.stream(action.CloseStream.Stream)
		if err == nil {
			stream.close()
		}
		return result(nullOut(), err)
	case *conformancev1.Request_CloseClient:
		return p.closeClient(action.CloseClient.Client)
	case *conformancev1.Request_Cancel:
		p.mu.Lock()
		if cancel := p.calls[action.Cancel.RequestId]; cancel != nil {
			cancel()
		}
		p.mu.Unlock()
		return result(nullOut(), nil)
	}
	return nil, fmt.Errorf("the request %d asks for nothing that is known", request.Id)
}

func result(value *conformancev1.Value, err error) (*conformancev1.Response, error) {
	return &conformancev1.Response{Outcome: &conformancev1.Response_Result{Result: value}}, err
}

func (p *program) connect(request *conformancev1.Connect) error {
	client, err := gomsg.Connect(strings.Join(request.Addresses, ","), gomsg.ConnectOptions{
		Timeout: request.Timeout.AsDuration(), UnreachableTimeout: request.UnreachableTimeout.AsDuration(),
		MaxInFlightBytes: int(request.MaxInFlightBytes), MaxWaitingCalls: int(request.MaxWaitingCalls),
		MaxCollected: int(request.MaxCollected), Hooks: gomsg.Hooks{OnCall: tellUnderway},
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.clients[request.Client] = client
	p.mu.Unlock()
	return nil
}

func (p *program) call(ctx context.Context, request *conformancev1.Call) (*conformancev1.Value, error) {
	client, err := p.client(request.Client)
	if err != nil {
		return nil, err
	}
	if request.Timeout != nil {
		ctx = gomsg.WithTimeout(ctx, request.Timeout.AsDuration())
	}
	return callMethod(ctx, client, request)
}

func (p *program) openStream(request *conformancev1.OpenStream) error {
	client, err := p.client(request.Client)
	if err != nil {
		return err
	}
	stream := newOpenStream(request.Stream, func(event *conformancev1.StreamEvent) {
		p.write(&conformancev1.Response{Outcome: &conformancev1.Response_Event{Event: event}})
	})
	p.mu.Lock()
	p.streams[request.Stream] = stream
	p.mu.Unlock()
	return openMethod(client, request, stream)
}

// closeClient counts the goroutines that are left, when no other client is open that they could belong to.
func (p *program) closeClient(name string) (*conformancev1.Response, error) {
	client, err := p.client(name)
	if err != nil {
		return nil, err
	}
	if err := client.Close(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	delete(p.clients, name)
	p.clients[name+" (closed)"] = client
	alone := true
	for other := range p.clients {
		alone = alone && strings.HasSuffix(other, " (closed)")
	}
	p.clients[name] = client
	p.mu.Unlock()
	left := 0
	for deadline := time.Now().Add(leakPatience); alone; {
		if left = sdkGoroutines(); left == 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(time.Millisecond) // Polls a condition that nothing tells of.
	}
	return &conformancev1.Response{
		Outcome: &conformancev1.Response_Closed{Closed: &conformancev1.Closed{Leaked: uint32(left)}},
	}, nil
}

// sdkGoroutines counts the goroutines of the SDK and of gRPC.
func sdkGoroutines() (count int) {
	buffer := make([]byte, 4<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	for i, stack := range strings.Split(string(buffer), "\n\n") {
		isOwn := strings.Contains(stack, "main.(*program)")
		isSDK := strings.Contains(stack, "gomsg/sdks/go.") || strings.Contains(stack, "google.golang.org/grpc")
		if i > 0 && isSDK && !isOwn {
			count++
		}
	}
	return count
}

func (p *program) client(name string) (*gomsg.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if client := p.clients[name]; client != nil {
		return client, nil
	}
	return nil, fmt.Errorf("there is no client %s", name)
}

func (p *program) stream(name string) (*openStream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stream := p.streams[name]; stream != nil {
		return stream, nil
	}
	return nil, fmt.Errorf("there is no stream %s", name)
}

func read(in io.Reader) (*conformancev1.Request, error) {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(in, message); err != nil {
		return nil, fmt.Errorf("a request ends too early: %w", err)
	}
	request := &conformancev1.Request{}
	return request, proto.Unmarshal(message, request)
}

func (p *program) write(response *conformancev1.Response) {
	message, err := proto.Marshal(response)
	if err != nil {
		log.Fatal(err)
	}
	p.outMu.Lock()
	defer p.outMu.Unlock()
	length := binary.BigEndian.AppendUint32(nil, uint32(len(message)))
	_, err = p.out.Write(append(length, message...))
	if err == nil {
		err = p.out.Flush()
	}
	if err != nil {
		log.Fatal(err)
	}
}
