package pluginhost

import "sync"

const registryShards = 64

// registry finds the actors of a plugin by id.
type registry struct {
	shards [registryShards]struct {
		sync.RWMutex
		m map[uint64]*Actor
	}
}

// Ids differ most in their sequence and time, which this mixes into the shard's number.
func shardOf(id uint64) uint64 { return (id * 0x9E3779B97F4A7C15) >> 58 }

func (r *registry) get(id uint64) *Actor {
	s := &r.shards[shardOf(id)]
	s.RLock()
	a := s.m[id]
	s.RUnlock()
	return a
}

func (r *registry) put(a *Actor) {
	s := &r.shards[shardOf(a.id)]
	s.Lock()
	if s.m == nil {
		s.m = make(map[uint64]*Actor)
	}
	s.m[a.id] = a
	s.Unlock()
}

func (r *registry) delete(id uint64) {
	s := &r.shards[shardOf(id)]
	s.Lock()
	delete(s.m, id)
	s.Unlock()
}

// each calls f for a copy of the registry, without a lock held.
func (r *registry) each(f func(*Actor)) {
	var batch []*Actor
	for i := range r.shards {
		s := &r.shards[i]
		batch = batch[:0]
		s.RLock()
		for _, a := range s.m {
			batch = append(batch, a)
		}
		s.RUnlock()
		for _, a := range batch {
			f(a)
		}
	}
}

func (r *registry) len() int {
	n := 0
	for i := range r.shards {
		s := &r.shards[i]
		s.RLock()
		n += len(s.m)
		s.RUnlock()
	}
	return n
}
