// Command porcupine is the second opinion on a history: it asks Porcupine, a linearizability checker that shares
// nothing with the one in TypeScript but the question.
//
// It reads histories from standard input, an operation a line, as history.ts writes them, with an empty line between
// two histories, and answers each with one line: linearizable, violation or undecided.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

// The longest line: an operation with its values.
const maxLineBytes = 16 << 20

func main() {
	model := flag.String("model", "", "what the history is of: register or counter")
	timeout := flag.Duration("timeout", time.Minute, "for each history; past it the answer is undecided")
	picture := flag.String("picture", "", "an HTML file to draw the last history in")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *model, *timeout, *picture); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(in io.Reader, out io.Writer, modelName string, timeout time.Duration, picture string) error {
	model, decode, err := modelOf(modelName)
	if err != nil {
		return err
	}
	histories, err := readHistories(in, decode)
	if err != nil {
		return err
	}
	for number, history := range histories {
		result, info := porcupine.CheckOperationsVerbose(model, history, timeout)
		fmt.Fprintln(out, verdicts[result])
		if picture != "" && number == len(histories)-1 {
			if err := porcupine.VisualizePath(model, info, picture); err != nil {
				return err
			}
		}
	}
	return nil
}

var verdicts = map[porcupine.CheckResult]string{
	porcupine.Ok:      "linearizable",
	porcupine.Illegal: "violation",
	porcupine.Unknown: "undecided",
}

type operation struct {
	Client  int             `json:"client"`
	Key     string          `json:"key"`
	Input   json.RawMessage `json:"input"`
	Outcome string          `json:"outcome"`
	Output  json.RawMessage `json:"output"`
	Invoked int64           `json:"invokedAt_us"`
	Ended   *int64          `json:"endedAt_us"`
}

// decoder turns an operation's input and output into the model's own. The output is nil when nobody knows it.
type decoder func(key string, input, output json.RawMessage) (in, out any, err error)

func readHistories(in io.Reader, decode decoder) ([][]porcupine.Operation, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLineBytes)
	histories := [][]porcupine.Operation{nil}
	for number := 1; lines.Scan(); number++ {
		if len(lines.Bytes()) == 0 {
			histories = append(histories, nil)
			continue
		}
		var read operation
		if err := json.Unmarshal(lines.Bytes(), &read); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		current := &histories[len(histories)-1]
		switch read.Outcome {
		case "fail":
			continue
		case "unknown":
			read.Ended, read.Output = nil, nil
		case "ok":
			if read.Ended == nil {
				return nil, fmt.Errorf("line %d: answered, and has no end", number)
			}
		default:
			return nil, fmt.Errorf("line %d: outcome %q", number, read.Outcome)
		}
		input, output, err := decode(read.Key, read.Input, read.Output)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		// Without an answer, it may take effect whenever it likes, and last of all is as good as never.
		ended := int64(math.MaxInt64)
		if read.Ended != nil {
			ended = *read.Ended
		}
		*current = append(*current, porcupine.Operation{
			ClientId: read.Client, Input: input, Output: output, Call: read.Invoked, Return: ended,
		})
	}
	return histories, lines.Err()
}
