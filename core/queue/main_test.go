package queue

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/core/broker"
)

// childDir is set where the program of the tests is to push, until it is killed, into the store there.
const childDir = "BRIDGE_QUEUE_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := children[os.Getenv(childTask)](dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const childTask = "BRIDGE_QUEUE_TASK"

var children = map[string]func(dir string) error{"push": pushForever, "fill": fillDisk, "overfill": overfillDisk}

// node is a store with the server behind it.
type node struct {
	*Store
	broker *broker.Broker
}

func startNode(dir, sync string, cfg Config) (*node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	b, err := broker.Start(ctx, broker.Config{Dir: dir, Sync: sync})
	if err != nil {
		return nil, err
	}
	cfg.Conn = b.Conn()
	s, err := Open(ctx, cfg)
	if err != nil {
		_ = b.Close(ctx)
		return nil, err
	}
	return &node{s, b}, nil
}

func (n *node) stop() error {
	n.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return n.broker.Close(ctx)
}

// pushForever pushes numbers, and prints each that is confirmed.
func pushForever(dir string) error {
	n, err := startNode(dir, "always", Config{})
	if err != nil {
		return err
	}
	v := n.With(Options{Size: 1 << 30})
	out := bufio.NewWriter(os.Stdout)
	const ahead = 64
	confirmed, places := make(chan int, ahead), make(chan struct{}, ahead)
	go func() {
		for i := 0; ; i++ {
			places <- struct{}{}
			v.Push("t", fmt.Sprint(i), fmt.Appendf(nil, "%d", i), func(err error) {
				if err != nil {
					os.Exit(1)
				}
				confirmed <- i
			})
		}
	}()
	for i := range confirmed {
		<-places
		fmt.Fprintln(out, i)
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}
