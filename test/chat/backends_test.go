//go:build linux

package chat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const jwtSecret = "a secret for tokens that is long enough"

// question is what a back-end is asked, as far as it is looked at.
type question struct {
	Event, Type, Channel string
	UserID               string `json:"user_id"`
	Payload              struct {
		Login, Pass, Token, Message, Msg, Name string
	}
}

// office is a back-end: it knows users by the pass or the token, and refuses some messages.
type office struct {
	*httptest.Server
	mu    sync.Mutex
	asked []question
	slow  chan struct{} // a message "slow" waits for it
}

func startOffice(t *testing.T) *office {
	o := &office{slow: make(chan struct{})}
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	return o
}

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	o.asked = append(o.asked, q)
	o.mu.Unlock()
	p := q.Payload
	switch {
	case q.Event == "authorize" && p.Login != "" && p.Pass == pass:
		fmt.Fprintf(w, `{"user_id": %q}`, p.Login)
	case q.Event == "authorize" && strings.HasPrefix(p.Token, "user "):
		fmt.Fprintf(w, `{"user_id": %q}`, strings.TrimPrefix(p.Token, "user "))
	case q.Event == "authorize", p.Message+p.Msg == "bad", p.Name == "bad.txt":
		w.WriteHeader(http.StatusForbidden)
	case p.Message == "trouble":
		w.WriteHeader(http.StatusInternalServerError)
	default:
		if p.Message == "slow" {
			<-o.slow
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// questions are those of messages.
func (o *office) questions() (list []question) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range o.asked {
		if q.Event == "message" {
			list = append(list, q)
		}
	}
	return list
}

// backed starts a bridge whose routes have these attributes, over WebSocket and TCP.
func backed(t *testing.T, blocks, attributes string) *place {
	t.Helper()
	b := harness.Start(t, harness.Config{File: blocks + "listener \"legacy\" {\n  address = \"127.0.0.1:0\"\n  framing = \"lines\"\n}\n" +
		"plugin \"chat\" {\n  route \"/chat\" {\n" + attributes + "  }\n  route \"/\" {\n    listener = listener.legacy\n" + attributes + "  }\n}\n"})
	return &place{b, b.AddressOf("legacy")}
}

func (o *office) block(kind string) string {
	return fmt.Sprintf("%s \"http\" \"office\" {\n  url    = %q\n  secret = %q\n}\n", kind, o.URL, harness.Secret)
}

func jwt(subject string, expires time.Time) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	signed := part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"exp":%d}`, subject, expires.Unix()))
	mac := hmac.New(sha256.New, []byte(jwtSecret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

const wrongLogIn = `{"type":9,"error_code":0,"msg":"The email or password inccorect"}`

// TestAuthBackend: on a route with auth a back-end knows who a client is, by log-in and by token. The account is
// made when it is needed, is the same each time, and nobody gets in without being asked about.
func TestAuthBackend(t *testing.T) {
	o := startOffice(t)
	p := backed(t, o.block("auth"), "    auth = auth.http.office\n")
	for transport, c := range p.both(t) {
		t.Run(transport, func(t *testing.T) {
			c.t = t
			name := login("alice")
			c.say(`{"type":0,"login":%q,"pass":%q}`, name, strings.Repeat("0", 64))
			c.want(wrongLogIn)
			c.say(`{"type":2,"token":"nonsense"}`)
			c.want(wrongLogIn)
			c.logIn(name)
			room := c.room("r")
			c.speak(room, "hello")
			id, token := c.id, c.token
			c.close()
			again := p.dial(t)
			harness.Until(t, harness.AnswerLimit, "the login is free", func() bool {
				again.say(`{"type":2,"token":"user %s"}`, name)
				return number(again.get()["type"]) == 2
			})
			if again.say(`{"type":20,"user_id":%d}`, id); again.get()["login"] != name {
				t.Errorf("%s is another user after the second log-in", name)
			}
			again.speak(room, "again")
			// What the bridge gave is no way round the back-end, and ends with its session.
			other := p.dial(t)
			other.say(`{"type":2,"token":%q}`, token)
			other.want(wrongLogIn)
			other.say(`{"type":24,"token":%q,"room_id":%d,"name":"x","size":1}`, token, room)
			other.refused(103, 24)
		})
	}
	c := p.dial(t)
	c.say(`{"type":1,"login":%q,"pass":%q}`, login("new"), pass)
	c.refused(101, 1)
	// An id that is no login has one made of it.
	c.say(`{"type":2,"token":"user Zoë@example.com"}`)
	if m := c.get(); !strings.HasPrefix(fmt.Sprint(m["login"]), "u-") {
		t.Errorf("answer %v", m)
	}
	o.Close()
	c = p.dial(t)
	c.say(`{"type":2,"token":"user late"}`)
	c.refused(105, 2)
}

// TestOtherAuthBackends: tokens of the kinds jwt and static; a token that expires takes its session with it.
func TestOtherAuthBackends(t *testing.T) {
	p := backed(t, fmt.Sprintf("auth \"jwt\" \"site\" {\n  secret = %q\n  leeway = \"0s\"\n}\n", jwtSecret), "    auth = auth.jwt.site\n")
	for _, c := range p.both(t) {
		c.say(`{"type":2,"token":%q}`, jwt("user-1", time.Now().Add(-time.Minute)))
		c.want(wrongLogIn)
		name := login("user")
		c.say(`{"type":2,"token":%q}`, jwt(name, time.Now().Add(time.Hour)))
		c.in(name)
		c.speak(c.room("r"), "hello")
	}
	c := p.dial(t)
	name := login("user")
	c.say(`{"type":2,"token":%q}`, jwt(name, time.Now().Add(2*time.Second)))
	c.in(name)
	c.closed(1008)

	p = backed(t, "auth \"static\" \"dev\" {\n  tokens = { good-token = \"user-38\" }\n}\n", "    auth = auth.static.dev\n")
	c = p.dial(t)
	c.say(`{"type":"RQ_TOKEN","token":"good-token"}`)
	c.in("user-38")
}

// TestUpstream: an upstream is told of each message before it is stored, once, also while the plugin is killed, and
// may refuse it; what cannot be done anyway it is not asked about.
func TestUpstream(t *testing.T) {
	o := startOffice(t)
	p := backed(t, o.block("upstream"), "    upstream = upstream.http.office\n")
	alice, bob := p.user(t, "alice"), p.user(t, "bob")
	room := alice.room("r")
	bob.join(room, alice)
	message, _ := alice.speak(room, "good", bob)
	alice.say(`{"type":3,"room_id":%d,"message":"bad","msg_type":0}`, room)
	alice.refused(101, 3)
	alice.say(`{"type":3,"room_id":%d,"message":"trouble","msg_type":0}`, room)
	alice.refused(105, 3)
	alice.say(`{"type":4,"room_id":%d,"msg_id":%d,"msg":"bad"}`, room, message)
	alice.refused(101, 4)
	alice.say(`{"type":24,"room_id":%d,"name":"bad.txt","size":1}`, room)
	alice.refused(101, 24)
	asked := len(o.questions())
	alice.say(`{"type":3,"room_id":%d,"message":" ","msg_type":0}`, room)
	alice.refused(100, 3)
	alice.say(`{"type":3,"room_id":999,"message":"x","msg_type":0}`)
	alice.refused(102, 3)
	p.user(t, "carol").say(`{"type":3,"room_id":%d,"message":"x","msg_type":0}`, room)
	alice.upload(room, "good.txt", "data", bob)
	bob.nothing()
	questions := o.questions()
	if len(questions) != asked+1 {
		t.Errorf("asked about %+v", questions[asked:])
	}
	first := questions[0]
	if first.Type != "chat/message" || first.Channel != fmt.Sprintf("chat/%d", room) || first.UserID != alice.login || first.Payload.Login != alice.login {
		t.Errorf("asked %+v", first)
	}
	// Over TCP what is refused ends the connection.
	c := p.dialTCP(t)
	c.signUp(login("dave"))
	c.join(room, alice, bob)
	c.say(`{"type":3,"room_id":%d,"message":"bad","msg_type":0}`, room)
	c.ended()

	alice.say(`{"type":3,"room_id":%d,"message":"slow","msg_type":0}`, room)
	alice.say(`{"type":3,"room_id":%d,"message":"behind","msg_type":0}`, room)
	harness.Until(t, harness.AnswerLimit, "the upstream is asked", func() bool {
		q := o.questions()
		return q[len(q)-1].Payload.Message == "slow"
	})
	for _, pid := range p.Children() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	close(o.slow)
	for _, c := range []*client{alice, bob} {
		c.hears("slow", "behind")
		c.nothing()
	}
	slow := 0
	for _, q := range o.questions() {
		if q.Payload.Message == "slow" {
			slow++
		}
	}
	if slow != 1 {
		t.Errorf("asked %d times about one message", slow)
	}
}
