package store

import (
	"sync/atomic"
	"testing"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
)

// benchBoth measures on both databases, each with what a commit costs when it must last.
func benchBoth(b *testing.B, run func(b *testing.B, s *Store)) {
	b.Run("sqlite", func(b *testing.B) { run(b, open(b, newSQLite(b), Options{})) })
	b.Run("postgres", func(b *testing.B) { run(b, open(b, postgrestest.Start(b).Database(b), Options{})) })
}

func benchSay(b *testing.B, s *Store, rooms, atOnce int) {
	alice := user(b, s, "alice")
	ids := make([]int64, rooms)
	for i := range ids {
		ids[i] = room(b, s, alice, "room")
	}
	var next atomic.Int64
	b.SetParallelism(atOnce)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := ids[int(next.Add(1))%rooms]
			if _, err := s.Say(b.Context(), event(), NewMessage{Room: r, User: alice, Text: "a message of some length", Power: 80}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkSay(b *testing.B) {
	b.Run("one room one writer", func(b *testing.B) {
		benchBoth(b, func(b *testing.B, s *Store) {
			alice := user(b, s, "alice")
			r := room(b, s, alice, "room")
			for b.Loop() {
				say(b, s, r, alice, "a message of some length")
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	})
	b.Run("one room many writers", func(b *testing.B) { benchBoth(b, func(b *testing.B, s *Store) { benchSay(b, s, 1, 32) }) })
	b.Run("many rooms many writers", func(b *testing.B) { benchBoth(b, func(b *testing.B, s *Store) { benchSay(b, s, 100, 32) }) })
}

func BenchmarkHistoryPage(b *testing.B) {
	benchBoth(b, func(b *testing.B, s *Store) {
		alice := user(b, s, "alice")
		r := room(b, s, alice, "room")
		fill(b, s, r, alice, 100_000)
		for b.Loop() {
			ok(s.Older(b.Context(), r, alice, 50_000, 30))(b)
		}
	})
}

func BenchmarkLogIn(b *testing.B) {
	benchBoth(b, func(b *testing.B, s *Store) {
		ok(s.SignUp(b.Context(), event(), Account{Login: "alice", Pass: pass}))(b)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.LogIn(b.Context(), "alice", pass); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "log-ins/s")
	})
}
