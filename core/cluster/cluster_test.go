package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/broker"
	"github.com/protocol-bridge/bridge/internal/freeport"
	clusterv1 "github.com/protocol-bridge/bridge/proto/bridge/cluster/v1"
)

// house is a handler that counts.
type house struct {
	mu      sync.Mutex
	told    []string
	evicted []string
	deaf    chan struct{} // nil: it hears; else nothing is answered until it is closed
}

func (h *house) Beat() *clusterv1.Beat { return &clusterv1.Beat{Sessions: 7, Owns: []string{"chat/"}} }

func (h *house) Take(from uint16, m *clusterv1.Envelope) *clusterv1.Answer {
	h.mu.Lock()
	deaf := h.deaf
	h.told = append(h.told, fmt.Sprintf("%d:%s", from, m.GetTell().GetKey()))
	h.mu.Unlock()
	if deaf != nil {
		<-deaf
	}
	return &clusterv1.Answer{Count: 1}
}

func (h *house) Evicted(key string, _ uint64, why Eviction) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.evicted = append(h.evicted, fmt.Sprintf("%s %d", key, why.Code))
}

func (h *house) heard() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.told)
}

// node is a node of a test's cluster.
type node struct {
	*Cluster
	house  *house
	broker *broker.Broker
	log    *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	list, err := freeport.Addresses(n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// configs are those of n servers that look for each other.
func configs(t *testing.T, n int) []broker.Config {
	t.Helper()
	addresses := freeAddresses(t, n)
	var routes []string
	for _, a := range addresses {
		routes = append(routes, "nats://"+a)
	}
	list := make([]broker.Config, n)
	for i := range list {
		list[i] = broker.Config{Dir: filepath.Join(t.TempDir(), "queue"), Sync: "interval", Cluster: &broker.ClusterConfig{
			Name: "main", ServerName: string(rune('a' + i)), Listen: addresses[i], Routes: routes,
		}}
	}
	return list
}

// begin starts servers, until the test ends.
func begin(t *testing.T, cfgs ...broker.Config) []*broker.Broker {
	t.Helper()
	list, errs := make([]*broker.Broker, len(cfgs)), make([]error, len(cfgs))
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() { list[i], errs[i] = broker.Start(t.Context(), cfgs[i]) })
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, b := range list {
			if b != nil {
				_ = b.Close(context.Background())
			}
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return list
}

// brokers are servers that found each other.
func brokers(t *testing.T, n int) []*broker.Broker {
	t.Helper()
	return begin(t, configs(t, n)...)
}

// try joins a cluster.
func try(t *testing.T, b *broker.Broker, identity string, number int) (*node, error) {
	t.Helper()
	n := &node{house: new(house), broker: b, log: new(syncBuffer)}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var err error
	n.Cluster, err = Join(ctx, Config{
		Broker: b, Name: "main", Node: number, Identity: identity, Host: "host of " + identity,
		Logger: slog.New(slog.NewTextHandler(n.log, nil)), Newest: func() int64 { return 1000 },
	})
	return n, err
}

func join(t *testing.T, b *broker.Broker, identity string, number int) *node {
	t.Helper()
	n, err := try(t, b, identity, number)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close(context.Background()) })
	if err := n.Serve(n.house); err != nil {
		t.Fatal(err)
	}
	return n
}

// three are nodes that know each other.
func three(t *testing.T) []*node {
	t.Helper()
	var list []*node
	for i, b := range brokers(t, 3) {
		list = append(list, join(t, b, fmt.Sprintf("id%d", i), -1))
	}
	for _, n := range list {
		until(t, "all know each other", func() bool { return len(n.Others()) == 2 })
	}
	return list
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not so in time: %s", what)
}

// die ends a node as a kill would: without a word.
func (n *node) die() {
	n.mu.Lock()
	n.ended = true
	subs := n.subs
	n.mu.Unlock()
	n.cancel()
	n.wg.Wait()
	for _, s := range subs {
		_ = s.Unsubscribe()
	}
}

func tell(key string) *clusterv1.Envelope {
	return &clusterv1.Envelope{Body: &clusterv1.Envelope_Tell{Tell: &clusterv1.Tell{Key: key}}}
}

// TestMessages: each reaches all others once, in order; one node is asked and answers; of one that is deaf
// nothing is counted, and nobody waits longer than a second for it, nor for one that is not there.
func TestMessages(t *testing.T) {
	list := three(t)
	const many = 200
	for i := range many {
		if err := list[0].Send(tell(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range list[1:] {
		until(t, "all messages are there", func() bool { return len(n.house.heard()) >= many })
		for i, got := range n.house.heard() {
			if want := fmt.Sprintf("%d:%d", list[0].Node(), i); got != want {
				t.Fatalf("message %d is %s, want %s", i, got, want)
			}
		}
	}
	if n := len(list[0].house.heard()); n != 0 {
		t.Errorf("the sender got %d of its own", n)
	}
	answers, silent := list[1].AskAll(t.Context(), tell("x"))
	if len(answers) != 2 || len(silent) != 0 {
		t.Errorf("%d answers, %d silent", len(answers), len(silent))
	}
	if a, ok := list[1].Ask(t.Context(), list[2].Node(), tell("y")); !ok || a.GetCount() != 1 {
		t.Errorf("answer %v, %t", a, ok)
	}
	if _, ok := list[1].Ask(t.Context(), 1023, tell("y")); ok {
		t.Error("a node answered that is not there")
	}

	deaf := make(chan struct{})
	list[2].house.mu.Lock()
	list[2].house.deaf = deaf
	list[2].house.mu.Unlock()
	began := time.Now()
	answers, silent = list[0].AskAll(t.Context(), tell("z"))
	if len(answers) != 1 || len(silent) != 1 || silent[0].Node != list[2].Node() {
		t.Errorf("%d answers, silent %v", len(answers), silent)
	}
	if took := time.Since(began); took < answerWithin || took > 3*answerWithin {
		t.Errorf("it was waited for %v", took)
	}
	close(deaf)
}

// TestMembers: who is there is known with what it says; who leaves is forgotten at once, who dies within
// five seconds.
func TestMembers(t *testing.T) {
	list := three(t)
	m, ok := list[0].Other(list[1].Node())
	if !ok || m.Sessions != 7 || !slices.Equal(m.Owns, []string{"chat/"}) || m.Host != "host of id1" {
		t.Errorf("it is %+v", m)
	}
	began := time.Now()
	list[1].die()
	until(t, "the dead one is gone", func() bool { return len(list[0].Others()) == 1 && len(list[2].Others()) == 1 })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	began = time.Now()
	if err := list[2].Close(t.Context()); err != nil {
		t.Error(err)
	}
	until(t, "the other has left", func() bool { return len(list[0].Others()) == 0 })
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestNumbers: nodes that come at once get different numbers, and theirs again when they come back; that of
// another is refused until that lets go of it.
func TestNumbers(t *testing.T) {
	bs := brokers(t, 3)
	const perBroker = 5
	nodes := make([]*node, 3*perBroker)
	var wg sync.WaitGroup
	for i := range nodes {
		wg.Go(func() {
			n, err := try(t, bs[i%3], fmt.Sprint("id", i), -1)
			if err != nil {
				t.Error(err)
				return
			}
			nodes[i] = n
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	numbers := make(map[uint16]bool)
	for _, n := range nodes {
		numbers[n.Node()] = true
	}
	if len(numbers) != len(nodes) {
		t.Errorf("%d nodes have the numbers %v", len(nodes), slices.Sorted(maps.Keys(numbers)))
	}

	var held *HeldError
	if _, err := try(t, bs[1], "another", int(nodes[0].Node())); !errors.As(err, &held) || held.Host != "host of id0" {
		t.Errorf("a number that is held was given away, or refused with %v", err)
	}
	mine := nodes[0].Node()
	if err := nodes[0].Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := try(t, bs[2], "id0", -1)
	if err != nil || again.Node() != mine {
		t.Fatalf("node %d, %v, want %d", again.Node(), err, mine)
	}
	_ = again.Close(t.Context())
	other, err := try(t, bs[1], "another", int(mine))
	if err != nil || other.Before() < 1000 {
		t.Fatalf("a number that was let go of: %v, ids up to %d", err, other.Before())
	}
	nodes[0] = other
	nodes[1].die()
	killed, err := try(t, bs[1], "id1", -1)
	if err != nil || killed.Node() != nodes[1].Node() {
		t.Errorf("node %d, %v, want %d", killed.Node(), err, nodes[1].Node())
	}
	nodes[1] = killed
	for _, n := range nodes {
		_ = n.Close(t.Context())
	}
}

// TestCopyOfData: two nodes with the same data are not one.
func TestCopyOfData(t *testing.T) {
	bs := brokers(t, 2)
	join(t, bs[0], "same", -1)
	var held *HeldError
	if _, err := try(t, bs[1], "same", -1); !errors.As(err, &held) || !held.Copy {
		t.Errorf("error %v", err)
	}
}

// TestLostNumber: who finds another in its place has lost its number.
func TestLostNumber(t *testing.T) {
	bs := brokers(t, 2)
	n := join(t, bs[0], "a", 5)
	h := holder{Identity: "b", Run: "other", Host: "elsewhere"}
	if _, err := n.lease.kv.Put(t.Context(), "5", h.encode()); err != nil {
		t.Fatal(err)
	}
	until(t, "the number is lost", func() bool { return n.Lost() != nil })
}

// TestNames: of many who claim a name at once one has it, whichever node they are on; who takes it over is
// told of to the one before; the names of a dead node are free.
func TestNames(t *testing.T) {
	list := three(t)
	key := NameKey("logux", "38:client")
	var wg sync.WaitGroup
	var mu sync.Mutex
	holders := make(map[int]uint64)
	for i := range list {
		wg.Go(func() {
			revision, granted, err := list[i].Claim(t.Context(), key, nil)
			if err != nil {
				t.Error(err)
			}
			if granted {
				mu.Lock()
				holders[i] = revision
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(holders) != 1 {
		t.Fatalf("%d of three have it", len(holders))
	}
	var first int
	for i := range holders {
		first = i
	}
	second, third := list[(first+1)%3], list[(first+2)%3]
	if _, granted, err := second.Claim(t.Context(), key, nil); granted || err != nil {
		t.Errorf("granted %t, %v", granted, err)
	}
	if _, granted, err := second.Claim(t.Context(), key, &Eviction{Code: 4001}); !granted || err != nil {
		t.Errorf("granted %t, %v", granted, err)
	}
	until(t, "the one before is told", func() bool {
		list[first].house.mu.Lock()
		defer list[first].house.mu.Unlock()
		return slices.Equal(list[first].house.evicted, []string{key + " 4001"})
	})
	if err := list[first].Unclaim(t.Context(), key, holders[first]); err != nil {
		t.Error(err)
	}
	if _, granted, _ := third.Claim(t.Context(), key, nil); granted {
		t.Error("letting go of what another has freed it")
	}
	second.die()
	began := time.Now()
	until(t, "the name of the dead is free", func() bool {
		_, granted, _ := third.Claim(t.Context(), key, nil)
		return granted
	})
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestNamesOfTheDead: the names of processes that are gone do not stay in the bucket, also when who would free them
// goes in the middle, or nobody is left to see it; those of who lives do.
func TestNamesOfTheDead(t *testing.T) {
	list := three(t)
	keys := make([]string, len(list))
	for i, n := range list {
		keys[i] = NameKey("logux", fmt.Sprint(i))
		if _, granted, err := n.Claim(t.Context(), keys[i], nil); !granted || err != nil {
			t.Fatalf("granted %t, %v", granted, err)
		}
	}
	isFree := func(n *node, key string) bool {
		_, err := n.names.Get(t.Context(), key)
		return errors.Is(err, jetstream.ErrKeyNotFound)
	}
	last := list[2]
	list[1].die()
	list[0].die()
	until(t, "the names of both are gone", func() bool { return isFree(last, keys[0]) && isFree(last, keys[1]) })
	if isFree(last, keys[2]) {
		t.Error("so is that of one who lives")
	}
	last.die()
	next := join(t, last.broker, "another", -1)
	until(t, "the name of the last is gone", func() bool { return isFree(next, keys[2]) })
}

// TestForeignMessages: what cannot be read, or is of another version, is not done, and said so.
func TestForeignMessages(t *testing.T) {
	list := three(t)
	later, err := proto.Marshal(&clusterv1.Envelope{Version: 2, Node: 9, Run: "x", Body: tell("no").GetBody()})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{later, []byte("\xff\xff"), nil} {
		for _, to := range []string{"all", "beat", "answer." + list[1].run + ".1"} {
			if err := list[0].conn.Publish(list[0].subject(to), data); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "they are counted", func() bool { return list[1].Counts().Foreign == 9 })
	if heard := list[1].house.heard(); len(heard) != 0 {
		t.Errorf("it did %q", heard)
	}
	if !bytes.Contains([]byte(list[1].log.String()), []byte("is not understood")) {
		t.Errorf("the log says nothing of it:\n%s", list[1].log)
	}
}

// TestTooLarge: what NATS does not take is refused, and counted.
func TestTooLarge(t *testing.T) {
	list := three(t)
	m := &clusterv1.Envelope{Body: &clusterv1.Envelope_Tell{Tell: &clusterv1.Tell{Data: make([]byte, broker.MaxPayload)}}}
	if err := list[0].Send(m); !errors.Is(err, ErrTooLarge) || list[0].Counts().TooLarge != 1 {
		t.Errorf("error %v, counts %+v", err, list[0].Counts())
	}
}
