package broker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protocol-bridge/bridge/internal/freeport"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// start starts a broker, which is closed with the test.
func start(t *testing.T, cfg Config) *Broker {
	t.Helper()
	b, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, b) })
	return b
}

func end(t *testing.T, b *Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
}

// freeAddresses are of ports that nobody listens on.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	list, err := freeport.Addresses(n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// members are the configurations of a cluster's brokers.
func members(t *testing.T, n int) []Config {
	t.Helper()
	addresses := freeAddresses(t, n)
	var routes []string
	for _, a := range addresses {
		routes = append(routes, "nats://"+a)
	}
	list := make([]Config, n)
	for i := range list {
		list[i] = Config{Dir: filepath.Join(t.TempDir(), "queue"), Sync: "interval", Cluster: &ClusterConfig{
			Name: "main", ServerName: string(rune('a' + i)), Listen: addresses[i], Routes: routes,
		}}
	}
	return list
}

// startAll starts brokers that wait for each other.
func startAll(t *testing.T, list []Config) []*Broker {
	t.Helper()
	brokers, errs := make([]*Broker, len(list)), make([]error, len(list))
	var wg sync.WaitGroup
	for i, cfg := range list {
		wg.Go(func() { brokers[i], errs[i] = Start(t.Context(), cfg) })
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, b := range brokers {
			if b != nil {
				end(t, b)
			}
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return brokers
}

func put(t *testing.T, b *Broker, replicas int) jetstream.KeyValue {
	t.Helper()
	kv, err := b.JetStream().CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "things", Replicas: replicas})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "a", "1"); err != nil {
		t.Fatal(err)
	}
	return kv
}

func get(t *testing.T, b *Broker) string {
	t.Helper()
	kv, err := b.JetStream().KeyValue(t.Context(), "things")
	if err != nil {
		t.Fatal(err)
	}
	e, err := kv.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	return string(e.Value())
}

// TestAlone: what is stored is there after a restart, and nothing listens.
func TestAlone(t *testing.T) {
	for _, sync := range []string{"", "always", "interval"} {
		cfg := Config{Dir: filepath.Join(t.TempDir(), "queue"), Sync: sync}
		b, err := Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if b.server.Addr() != nil || b.Address() != nil {
			t.Errorf("it listens at %v and %v", b.server.Addr(), b.Address())
		}
		if n := b.Replicas(); n != 1 {
			t.Errorf("%d replicas of one server", n)
		}
		put(t, b, 1)
		end(t, b)
		b = start(t, cfg)
		if got := get(t, b); got != "1" {
			t.Errorf("sync %q: %q after a restart", sync, got)
		}
	}
}

// TestWithoutJetStream: nothing is written, and messages go all the same.
func TestWithoutJetStream(t *testing.T) {
	b := start(t, Config{})
	if b.JetStream() != nil {
		t.Error("there is a JetStream without a folder")
	}
	sub, err := b.Conn().SubscribeSync("x")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Conn().Publish("x", []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.NextMsg(5 * time.Second); err != nil {
		t.Error(err)
	}
}

// TestThree: what one stores the others have, also when the first is gone, and after it is back.
func TestThree(t *testing.T) {
	list := members(t, 3)
	for _, cfg := range list {
		cfg.Cluster.Secrets = []redact.Secret{"s3$cret/with:all@signs"}
	}
	brokers := startAll(t, list)
	for _, b := range brokers {
		if n := b.Replicas(); n != 3 {
			t.Errorf("%d replicas in a cluster of three", n)
		}
	}
	untilReplicated(t, brokers[0])
	end(t, brokers[0])
	within(t, "the others answer", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		kv, err := brokers[1].JetStream().KeyValue(ctx, "things")
		if err != nil {
			return err
		}
		_, err = kv.PutString(ctx, "a", "2")
		return err
	})
	if got := get(t, brokers[2]); got != "2" {
		t.Errorf("%q at the third", got)
	}
	back := start(t, list[0])
	if got := get(t, back); got != "2" {
		t.Errorf("%q at the one that came back", got)
	}
}

// untilReplicated puts something into a bucket with three copies, as soon as there are three servers.
func untilReplicated(t *testing.T, b *Broker) {
	t.Helper()
	within(t, "three servers keep copies", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		kv, err := b.JetStream().CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "things", Replicas: 3})
		if err != nil {
			return err
		}
		_, err = kv.PutString(ctx, "a", "1")
		return err
	})
}

func within(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// TestSecrets: who knows another secret stays outside; while a secret is changed, those with the old one
// and those with the new one find each other.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secrets [2][]redact.Secret
		in      bool
	}{
		"the same":      {[2][]redact.Secret{{"one"}, {"one"}}, true},
		"another":       {[2][]redact.Secret{{"one"}, {"two"}}, false},
		"being changed": {[2][]redact.Secret{{"new", "old"}, {"old", "new"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := members(t, 2)
			for i := range list {
				list[i].Cluster.Secrets = c.secrets[i]
			}
			if c.in {
				startAll(t, list)
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			var wg sync.WaitGroup
			for _, cfg := range list {
				wg.Go(func() {
					if b, err := Start(ctx, cfg); err == nil {
						t.Error("they found each other")
						end(t, b)
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestStoreOfAnother: queues of a node that is alone are not taken into a cluster, nor those of a cluster
// to a node that is alone; what holds no queue is.
func TestStoreOfAnother(t *testing.T) {
	alone := func(dir string) Config { return Config{Dir: dir} }
	in := func(name string) func(string) Config {
		return func(dir string) Config { return Config{Dir: dir, Cluster: &ClusterConfig{Name: name}} }
	}
	for name, c := range map[string]struct {
		first, then func(string) Config
		queue       string
		refused     string
	}{
		"alone, again":                {alone, alone, "jobs", ""},
		"alone, then in a cluster":    {alone, in("main"), "jobs", `take the cluster block out and run "bridge queue export"`},
		"alone, then without a queue": {alone, in("main"), "", ""},
		"cluster, again":              {in("main"), in("main"), "jobs", ""},
		"cluster, then alone":         {in("main"), alone, "jobs", `"bridge queue export"`},
		"cluster, buckets alone":      {in("main"), alone, "KV_bridge", ""},
		"cluster, then another":       {in("main"), in("other"), "jobs", `cluster "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "queue")
			if err := takeStore(dir, c.first(dir).Cluster); err != nil {
				t.Fatal(err)
			}
			stream := filepath.Join(dir, "jetstream", "$G", "streams", c.queue)
			if c.queue != "" {
				if err := os.MkdirAll(stream, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			err := takeStore(dir, c.then(dir).Cluster)
			if c.refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var refused *StoreError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), `"bridge queue import"`) {
				t.Errorf("error %v, want one with %s", err, c.refused)
			}
			if _, err := os.Stat(stream); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTakenPort: what would end a server of its own is an error here.
func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := members(t, 2)[0]
	cfg.Cluster.Listen = l.Addr().String()
	var log bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	if _, err = Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
}

// TestExternal: servers that are not ours do the same, also when they come later.
func TestExternal(t *testing.T) {
	address := freeAddresses(t, 1)[0]
	host, port, err := splitAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan *server.Server, 1)
	go func() {
		<-time.After(300 * time.Millisecond)
		srv, err := server.NewServer(&server.Options{
			Host: host, Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), Authorization: "token",
		})
		if err == nil {
			srv.Start()
		}
		ready <- srv
	}()
	b := start(t, Config{Dir: t.TempDir(), Cluster: &ClusterConfig{Name: "main", Servers: []string{"nats://" + address}, Secrets: []redact.Secret{"token"}}})
	put(t, b, 1)
	if got := get(t, b); got != "1" {
		t.Errorf("got %q", got)
	}
	if b.Servers() != 1 || b.Replicas() != 1 {
		t.Errorf("%d servers, %d replicas", b.Servers(), b.Replicas())
	}
	srv := <-ready
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
}

// TestNobodyAnswers: whoever waits for a cluster can be told to stop.
func TestNobodyAnswers(t *testing.T) {
	own := members(t, 2)[0]
	external := Config{Cluster: &ClusterConfig{Name: "main", Servers: []string{"nats://" + freeAddresses(t, 1)[0]}}}
	for _, cfg := range []Config{own, external} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := Start(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		cancel()
	}
}
