package logux

import "testing"

func BenchmarkDecodeAnswer(b *testing.B) {
	element := []byte(`{"answer":"processed","id":"1560954012838 38:Y7bysd:O0ETfc 0"}`)
	b.SetBytes(int64(len(element)))
	b.ReportAllocs()
	for b.Loop() {
		if a, err := DecodeAnswer(element); err != nil || a.Kind != Processed {
			b.Fatal(err)
		}
	}
}
