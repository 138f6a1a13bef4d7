package ctproto

import "testing"

func BenchmarkDecode(b *testing.B) {
	frame := []byte(`{"messageId":"abcdefghij","type":"workspace-updated","payload":{"name":"Example","n":1463786910324359168,"list":[1,2,3]}}`)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(frame, false); err != nil {
			b.Fatal(err)
		}
	}
}
