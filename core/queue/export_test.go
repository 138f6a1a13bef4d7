package queue

import (
	"bytes"
	"strings"
	"testing"
)

func TestExportAndImport(t *testing.T) {
	from := start(t, t.TempDir(), "interval", Config{})
	v := from.With(Options{Size: 1500})
	mustPush(t, v, "a", 0, 1200)
	mustPush(t, v, "ü/b.*", 0, 3)
	mustPush(t, v, "empty", 0, 1)
	if err := pushed(t, v, "bytes", "1", "\x00\xff\n"); err != nil {
		t.Fatal(err)
	}
	if err := pushed(t, v, "bytes", "2", ""); err != nil {
		t.Fatal(err)
	}
	// Holes in the middle are none in the file.
	k := take(v, "a", 10, nil)
	k.await(t, 10)
	k.entries()[3].Settle()
	k.entries()[9].Settle()
	take(v, "empty", 1, func(e *Entry) { e.Settle() }).await(t, 1)
	within(t, "settled", func() bool { return depth(t, from, "a") == 1198 && depth(t, from, "empty") == 0 })
	var file bytes.Buffer
	if n, err := from.Export(t.Context(), &file); err != nil || n != 1203 {
		t.Fatalf("%d entries, %v", n, err)
	}
	to := start(t, t.TempDir(), "always", Config{})
	n, err := to.Import(t.Context(), bytes.NewReader(file.Bytes()))
	if err != nil || n != 1203 {
		t.Fatalf("%d entries, %v", n, err)
	}
	var again bytes.Buffer
	if _, err := to.Export(t.Context(), &again); err != nil || again.String() != file.String() {
		t.Errorf("what was imported is exported as something else, %v", err)
	}
	want := append(append(numbers(0, 3), numbers(4, 9)...), numbers(10, 1200)...)
	equal(t, "a", take(to.With(Options{Size: 1500}), "a", 256, func(e *Entry) { e.Settle() }).await(t, 1198), want)
	equal(t, "bytes", take(to.With(Options{Size: 1500}), "bytes", 9, func(e *Entry) { e.Settle() }).await(t, 2), []string{"\x00\xff\n", ""})
	if _, err := to.Import(t.Context(), bytes.NewReader(file.Bytes())); err == nil || !strings.Contains(err.Error(), "entries here already") {
		t.Errorf("onto what is there: %v", err)
	}
}

func TestImportOfWhatIsNoExport(t *testing.T) {
	n := start(t, t.TempDir(), "interval", Config{})
	const head, topic, entry = `{"bridge_queues":"1"}` + "\n", `{"topic":"a","size":2,"ttl":"1h"}` + "\n", `{"entry":"eA==","is":"entry"}` + "\n"
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "x", "another": "{}\n", "a later one": `{"bridge_queues":"2"}`, "no topic": head + entry,
		"cut off": head + topic + entry, "too few": head + topic + entry + `{"is":"end","entries":2}`, "unknown": head + `{"what":1}`,
		"a bad name": head + `{"topic":"$a","size":2,"ttl":"1h"}`, "no size": head + `{"topic":"a","ttl":"1h"}`, "no ttl": head + `{"topic":"a","size":2}`,
		"full": head + topic + entry + entry + entry + `{"is":"end","entries":3}`, "a bad entry": head + topic + `{"entry":"?","is":"entry"}`,
	} {
		if _, err := n.Import(t.Context(), strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
		if list, err := n.list(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("%s: left %d topics, %v", name, len(list), err)
		}
	}
	if got, err := n.Import(t.Context(), strings.NewReader(head+topic+entry+`{"is":"end","entries":1}`)); err != nil || got != 1 {
		t.Errorf("%d entries, %v", got, err)
	}
}
