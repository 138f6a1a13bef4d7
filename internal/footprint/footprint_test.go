package footprint

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

const mib = 1 << 20

// TestMain lets the test binary be the process whose footprint is set.
func TestMain(m *testing.M) {
	if os.Getenv("FOOTPRINT_CHILD") != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

var keep []byte

// child allocates 256 MiB in small pieces while it holds some, and says what that took.
func child() {
	leaveProcessor()
	heapFloor(32 * mib)
	held, _ := strconv.Atoi(os.Getenv("HELD_MIB"))
	keep = make([]byte, held*mib)
	runtime.GC()
	runtime.GC() // by now the first was seen
	before := collections()
	for range 256 << 10 {
		small = make([]byte, 1<<10)
	}
	os.Stdout.WriteString(strconv.Itoa(runtime.GOMAXPROCS(0)) + " " + strconv.FormatInt(collections()-before, 10))
	runtime.KeepAlive(keep)
}

var small []byte

func collections() int64 {
	var s debug.GCStats
	debug.ReadGCStats(&s)
	return s.NumGC
}

func run(t *testing.T, env ...string) (procs, collected int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOMAXPROCS=") && !strings.HasPrefix(v, "GOGC=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, "FOOTPRINT_CHILD=1"), env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	p, c, _ := strings.Cut(string(out), " ")
	procs, err1 := strconv.Atoi(p)
	collected, err2 := strconv.Atoi(c)
	if err1 != nil || err2 != nil {
		t.Fatalf("the child says %q", out)
	}
	return procs, collected
}

func TestHeapFloor(t *testing.T) {
	for _, c := range []struct {
		name        string
		env         []string
		least, most int
	}{
		{"holds nothing", []string{"HELD_MIB=0"}, 4, 24},
		{"holds half of it", []string{"HELD_MIB=16"}, 8, 32},
		{"holds more", []string{"HELD_MIB=64"}, 2, 6},
		{"the operator decides", []string{"HELD_MIB=0", "GOGC=100"}, 33, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, n := run(t, c.env...); n < c.least || n > c.most {
				t.Errorf("%d collections for 256 MiB, want %d to %d", n, c.least, c.most)
			}
		})
	}
}

func TestLeaveProcessor(t *testing.T) {
	if os.Getenv("GOMAXPROCS") == "" {
		if got, want := first(run(t)), max(1, runtime.GOMAXPROCS(0)-1); got != want {
			t.Errorf("runs on %d processors where there are %d, want %d", got, runtime.GOMAXPROCS(0), want)
		}
	}
	if got := first(run(t, "GOMAXPROCS=2")); got != 2 {
		t.Errorf("runs on %d processors where GOMAXPROCS says 2", got)
	}
}

func first(n, _ int) int { return n }
