// Load through the public face of the Go SDK: durable sets, a number of calls in flight, for a time. Prints one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gomsg/gomsg/sdks/go"
)

// keys is how many keys the sets go to, in turn.
const keys = 10_000

// warmUp is the part of the time that runs before anything is counted.
const warmUp = 0.2

type result struct {
	Calls         int64   `json:"calls"`
	Seconds       float64 `json:"seconds"`
	P50           float64 `json:"p50_ms"`
	P99           float64 `json:"p99_ms"`
	CPUMicrosCall float64 `json:"cpu_us_per_call"`
}

func main() {
	log.SetFlags(0)
	address := flag.String("address", "localhost:9000", "host:port of the node")
	inFlight := flag.Int("in-flight", 50, "calls in flight")
	duration := flag.Float64("duration", 5, "seconds that are measured")
	valueBytes := flag.Int("value-bytes", 64, "bytes of a value")
	flag.Parse()

	client, err := gomsg.Connect(*address)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	value := strings.Repeat("v", *valueBytes)
	if _, err := load(client, *inFlight, seconds(*duration*warmUp), value); err != nil {
		log.Fatal(err)
	}
	measured, err := load(client, *inFlight, seconds(*duration), value)
	if err != nil {
		log.Fatal(err)
	}
	line, err := json.Marshal(measured)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stdout, string(line))
}

// load makes calls from as many goroutines as are to be in flight.
func load(client *gomsg.Client, inFlight int, duration time.Duration, value string) (result, error) {
	var wait sync.WaitGroup
	var next atomic.Int64
	latencies := make([][]time.Duration, inFlight)
	failures := make(chan error, inFlight)
	cpu := cpuTime()
	began := time.Now()
	for worker := range inFlight {
		wait.Add(1)
		go func() {
			defer wait.Done()
			ctx := context.Background()
			for at := time.Now(); at.Sub(began) < duration; {
				key := "bench:" + strconv.FormatInt(next.Add(1)%keys, 10)
				if err := client.KV.Set(ctx, key, value); err != nil {
					failures <- err
					return
				}
				now := time.Now()
				latencies[worker] = append(latencies[worker], now.Sub(at))
				at = now
			}
		}()
	}
	wait.Wait()
	took := time.Since(began)
	used := cpuTime() - cpu
	select {
	case err := <-failures:
		return result{}, err
	default:
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return result{
		Calls:         int64(len(all)),
		Seconds:       took.Seconds(),
		P50:           milliseconds(all[len(all)/2]),
		P99:           milliseconds(all[len(all)*99/100]),
		CPUMicrosCall: float64(used.Microseconds()) / float64(len(all)),
	}, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// cpuTime is what the process has used, user and system.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
