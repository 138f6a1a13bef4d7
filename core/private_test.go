package core

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/sdk"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// everything mirrors each channel there is, also such as no pattern of bridge.hcl could name.
func everything(to func(string)) Mirror {
	return Mirror{Channels: []channel.Pattern{"*"}, To: func(channels []string, _ *hub.Message) { to(strings.Join(channels, " ")) }}
}

// TestPrivateChannels: they are of one plugin, no rule is about them, and no other protocol hears of
// what is said there.
func TestPrivateChannels(t *testing.T) {
	mirrored := make(chan string, 10)
	w := newWorld(t, EngineConfig{
		Channels: []access.Block{{Pattern: "*", Join: &access.Peers{}, Publish: &access.Peers{Plugins: []string{"one"}}}},
		Mirrors:  []Mirror{everything(func(channels string) { mirrored <- channels })},
	})
	w.add(sdk.Info{Name: "one"}, Route{})
	w.add(sdk.Info{Name: "two", Owns: []string{"open/"}}, Route{})
	one, two := w.open("one", nil), w.open("two", nil)
	for _, c := range []*caller{one, two} {
		c.say("join $p")
		c.hears("asked to join")
	}
	two.say("join open/1")
	two.hears("asked to join")
	one.say("say secret $p")
	one.hears("from elsewhere: secret")
	one.hears("said")
	one.say("say mixed $p open/1 open/2")
	one.hears("from elsewhere: mixed")
	one.hears("said")
	two.hears("from elsewhere: mixed") // by the channels it owns, and nothing before it
	one.say("count $p")
	one.hears("counted")
	one.hears("count: 1 1 ")
	one.say("members $p")
	one.hears("selected")
	one.hears("members: 1 1 ")
	if got := <-mirrored; got != "open/1 open/2" || len(mirrored) > 0 {
		t.Errorf("mirrored %q, and %d more", got, len(mirrored))
	}
	two.say("count $p") // nothing came before it
	two.hears("counted")
	two.hears("count: 1 1 ")

	page := w.Sessions(admin.SessionQuery{Channel: "$p"})
	if len(page.Sessions) != 2 || !slices.Equal(page.Sessions[0].Channels, []string{"$p"}) {
		t.Errorf("sessions on it: %+v", page.Sessions)
	}
	if _, err := w.PublishAs(&admin.PublishRequest{Channel: "$p", Type: "t"}); err == nil {
		t.Error("an operator published to it")
	}
}

// TestPrivateChannelsFromOutside: nothing that comes from outside makes a session a member of one,
// publishes to it, or selects by it.
func TestPrivateChannelsFromOutside(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	backend := says(func(*auth.Request) auth.Answer {
		return auth.Answer{Outcome: neutral.OK, UserID: "u", Joins: []string{"$given", "given"}}
	})
	w.add(sdk.Info{Name: "guest"}, Route{Auth: backend})
	w.add(sdk.Info{Name: "band"}, Route{Auth: backend, Upstream: answers{
		Joins: []string{"$j", "j"}, Leaves: []string{"$l"},
		Items: []neutral.Item{
			{Type: "mixed", Channels: []string{"$i", "i"}},
			{Type: "only", Channels: []string{"$i"}},
			{Type: "user", Channels: []string{"$i"}, Users: []string{"38"}},
			{Type: "asker"},
		},
	}})
	who, _, err := w.Admit(context.Background(), &session.Info{Route: "guest"})
	if err != nil {
		t.Fatal(err)
	}
	c := w.open("guest", who)
	if got := w.hub.Channels(c.Session); !slices.Equal(got, []string{"given"}) {
		t.Errorf("at a handshake a session joined %q", got)
	}
	band := w.open("band", nil)
	band.say("login")
	band.hears("login: 1 0 ")
	band.hears("channels [given]")
	band.say("ask")
	band.hears("ask: 1 0 ")
	band.hears("join [j] leave []")
	band.hears("mixed [i] []")
	band.hears("user [] [38]")
	band.hears("asker [] []")

	held := w.open("guest", &session.Admission{Identity: &session.Identity{
		Realm: "basic.ops", UserID: "console", Within: []channel.Pattern{"*"},
	}})
	held.say("count $p")
	held.hears("count: 2 0 " + access.ErrWithin.Error() + `: add "$p" to the user's channels`)
	held.say("members $p")
	held.hears("members: 2 0 you may not act on this channel")
	if n := w.unjoined.Load(); n != 3 {
		t.Errorf("%d refused joins are counted, want 3", n)
	}
}

// answers is an upstream that gives one answer to everything.
type answers neutral.Answer

func (a answers) Ask(_ context.Context, _ *neutral.Request, emit func(*neutral.Answer)) {
	ans := neutral.Answer(a)
	ans.Last, ans.Outcome = true, neutral.OK
	emit(&ans)
}
func (answers) Kind() string { return "dev" }
func (answers) Close()       {}

// TestPublishExceptChannels: also by a call, and what others are handed is not affected.
func TestPublishExceptChannels(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "one"}, Route{})
	w.add(sdk.Info{Name: "two"}, Route{})
	one, other, two := w.open("one", nil), w.open("one", nil), w.open("two", nil)
	for _, c := range []*caller{one, other, two} {
		c.say("join c")
		c.hears("asked to join")
	}
	for _, c := range []*caller{other, two} { // which is of two's own, too
		c.say("join $not")
		c.hears("asked to join")
	}
	one.say("except $not c")
	one.hears("but for some")
	one.hears("except: 1 1 ")
	two.hears("from elsewhere: t")
	other.say("except $none c")
	other.hears("but for some") // nothing came before it
	one.hears("but for some")
	other.hears("except: 1 2 ")
	two.hears("from elsewhere: t")
}
