// Package testnode starts real nodes for tests, straight from the server's sources, and cuts their connections.
package testnode

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTimeout is how long a node may take until it serves.
const startTimeout = 60 * time.Second

// keptLines of a node's log are for the story of a failure.
const keptLines = 200

var serves = regexp.MustCompile(`^gomsg serves on (\S+)$`)

// Node is a running server.
type Node struct {
	// Address is `host:port`.
	Address string

	command *exec.Cmd
	exited  chan struct{}
	mu      sync.Mutex
	lines   []string
}

// Start starts a node on a free port of the loopback interface, which keeps nothing on disk unless the flags give it a
// folder. It ends with the test.
func Start(t testing.TB, flags ...string) *Node {
	t.Helper()
	return StartOn(t, 0, flags...)
}

// StartOn is the same on a port.
func StartOn(t testing.TB, port int, flags ...string) *Node {
	t.Helper()
	root := repository(t)
	args := []string{
		filepath.Join(root, "server", "src", "testing", "serve-program.ts"),
		"--host=127.0.0.1", fmt.Sprintf("--port=%d", port), "--log-format=json",
	}
	if !strings.Contains(strings.Join(flags, " "), "--data-dir") {
		args = append(args, "--storage=memory")
	}
	node := &Node{
		command: exec.Command(filepath.Join(root, "node_modules", ".bin", "node"), append(args, flags...)...),
		exited:  make(chan struct{}),
	}
	node.command.Env = environment()
	output, err := node.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	node.command.Stderr = node.command.Stdout
	if err := node.command.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	go node.read(output, address)
	t.Cleanup(node.Kill)
	select {
	case node.Address = <-address:
	case <-node.exited:
		t.Fatalf("the node ended before it served:\n%s", node.log())
	case <-time.After(startTimeout):
		t.Fatalf("the node did not serve within %v:\n%s", startTimeout, node.log())
	}
	return node
}

// Kill ends the node as a crash would, and waits until it is gone.
func (n *Node) Kill() {
	_ = n.command.Process.Kill() // It may be gone already.
	<-n.exited
}

func (n *Node) read(output io.Reader, address chan<- string) {
	defer close(n.exited)
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		n.mu.Lock()
		n.lines = append(n.lines, text)
		if len(n.lines) > keptLines {
			n.lines = n.lines[1:]
		}
		n.mu.Unlock()
		var line struct {
			Msg string `json:"msg"`
		}
		if json.Unmarshal([]byte(text), &line) != nil {
			line.Msg = text
		}
		if match := serves.FindStringSubmatch(line.Msg); match != nil {
			select {
			case address <- match[1]:
			default:
			}
		}
	}
	_ = n.command.Wait() // How it ended is in its log.
}

func (n *Node) log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.lines, "\n")
}

// repository finds the root of the repository, where the server is.
func repository(t testing.TB) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..", "..", "..")
	for _, needed := range []string{"server/src/testing/serve-program.ts", "node_modules/.bin/node"} {
		if _, err := os.Stat(filepath.Join(root, needed)); err != nil {
			t.Fatalf("this test starts the server of the repository, and %s is missing there; "+
				"clone all of it and run `npm install` at its root: %v", needed, err)
		}
	}
	return root
}

// environment is without settings that were meant for the process that runs the tests.
func environment() []string {
	var kept []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "GOMSG_") && !strings.HasPrefix(variable, "NODE_OPTIONS=") {
			kept = append(kept, variable)
		}
	}
	return kept
}
