// Package access owns who may join a channel and who may publish to it: prefixes that a plugin owns,
// the channel blocks of bridge.hcl, and the channels that a user of an API is held to. It knows names
// only; what a plugin or a session is, is others' business, and whether a name can be a channel at
// all is package channel's.
package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/protocol-bridge/bridge/internal/channel"
)

// Block is a channel block of bridge.hcl.
type Block struct {
	Pattern channel.Pattern
	// Join and Publish name who may; nil: as if there were no block.
	Join, Publish *Peers
}

// Peers are plugins, by label, and users, by the realm of their auth block. The owner of a channel
// need not be named.
type Peers struct {
	Plugins, Realms []string
}

// Owner is a plugin with the channel prefixes that it owns.
type Owner struct {
	Plugin   string
	Prefixes []string // each ends in a slash
}

// Subject is who wants to join or to publish.
type Subject struct {
	Plugin string            // label
	Realm  string            // of the session's identity; empty: none
	Within []channel.Pattern // the only channels that this user may publish to; nil: all
}

// Rules decide. They are immutable and safe for concurrent use; the zero Rules let everybody do
// everything. Make them with [New].
type Rules struct {
	blocks []Block // the most specific first
	owners []Owner
}

// What a refusal wraps.
var (
	// ErrOwned is about a channel that belongs to another plugin.
	ErrOwned = errors.New("channel belongs to another plugin")
	// ErrChannelBlock is about a channel whose block in bridge.hcl does not name the subject.
	ErrChannelBlock = errors.New("channel block does not allow it")
	// ErrWithin is about a user who is held to other channels.
	ErrWithin = errors.New("user is held to other channels")
)

// New returns the rules of the blocks and the owners. Where several blocks match a channel, the one
// whose pattern is a name, or has the longest prefix, decides.
func New(blocks []Block, owners []Owner) *Rules {
	r := &Rules{blocks: slices.Clone(blocks), owners: slices.Clone(owners)}
	slices.SortStableFunc(r.blocks, func(a, b Block) int { return weight(b.Pattern) - weight(a.Pattern) })
	return r
}

// weight orders patterns by how much of a name they say.
func weight(p channel.Pattern) int {
	prefix, open := strings.CutSuffix(string(p), "*")
	if open {
		return len(prefix)
	}
	return channel.MaxLength + 1
}

// Join returns nil when the subject may join the channel. Its errors are for operators: they say what
// to write into bridge.hcl. No rule is about a plugin's private channels.
func (r *Rules) Join(who Subject, name string) error {
	return r.check(who, name, "join", func(b *Block) *Peers { return b.Join })
}

// Publish does for publishing what [Rules.Join] does for joining. A user who is held to some channels
// is not to reach others through private ones.
func (r *Rules) Publish(who Subject, name string) error {
	if who.Within != nil && (channel.IsPrivate(name) || !channel.MatchAny(who.Within, name)) {
		return fmt.Errorf("%w: add %q to the user's channels", ErrWithin, name)
	}
	return r.check(who, name, "publish", func(b *Block) *Peers { return b.Publish })
}

func (r *Rules) check(who Subject, name, verb string, peers func(*Block) *Peers) error {
	if len(r.owners) == 0 && len(r.blocks) == 0 || channel.IsPrivate(name) {
		return nil
	}
	owner, prefix := r.owner(who.Plugin, name)
	if owner == who.Plugin {
		return nil
	}
	for i := range r.blocks {
		b := &r.blocks[i]
		if !b.Pattern.Match(name) {
			continue
		}
		named := peers(b)
		if named == nil {
			break
		}
		if slices.Contains(named.Plugins, who.Plugin) || who.Realm != "" && slices.Contains(named.Realms, who.Realm) {
			return nil
		}
		return fmt.Errorf("%w: add plugin.%s to %q of channel %q", ErrChannelBlock, who.Plugin, verb, b.Pattern)
	}
	if owner == "" {
		return nil
	}
	return fmt.Errorf("%w, %s: allow it by channel %q { %s = [plugin.%s] }", ErrOwned, owner, prefix+"*", verb, who.Plugin)
}

// owner returns who owns the channel and by which prefix: the plugin that asks if it is one of them,
// empty when nobody does.
func (r *Rules) owner(asking, name string) (owner, prefix string) {
	for _, o := range r.owners {
		for _, p := range o.Prefixes {
			if !strings.HasPrefix(name, p) {
				continue
			}
			if o.Plugin == asking {
				return asking, p
			}
			if len(p) > len(prefix) {
				owner, prefix = o.Plugin, p
			}
		}
	}
	return owner, prefix
}
