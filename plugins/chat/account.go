package chat

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/sdk"
)

var (
	loginForm = regexp.MustCompile(`^[a-z0-9_-]{3,22}\z`)
	passForm  = regexp.MustCompile(`^[A-Fa-f0-9]{64}\z`)
	tokenForm = regexp.MustCompile(`^[A-Fa-f0-9]{64}[a-z0-9_-]{3,22}\z`)
)

const (
	// wrongLasts is for how long a wrong log-in counts.
	wrongLasts = 10 * time.Minute
	// maxWrong are so many of a login or of an address, from which on answers come later: by a second for
	// each, up to slowest.
	maxWrong = 10
	slowest  = 30 * time.Second
)

// leaveTime is for what is on its way to a client that logs out: a broadcast behind the last answer ends the
// original's client.
const leaveTime = 50 * time.Millisecond

// listTime is how long a client may take to ask for its rooms after its log-in until it hears of them: a
// broadcast of a room that it does not know ends the original's client. What is said meanwhile it reads
// in the history that it asks for next.
const listTime = 3 * time.Second

// checkAfter is when a session that joined its rooms looks whether they are still its user's.
const checkAfter = 20 * time.Millisecond

// credentials reads who wants to log in.
func credentials(r *request) (login, pass string, err error) {
	login, _ = r.text(fLogin)
	pass, _ = r.text(fPass)
	switch {
	case !loginForm.MatchString(login):
		return "", "", bad("login needs 3 to 22 of a-z, 0-9, _ and -")
	case !passForm.MatchString(pass):
		return "", "", bad("pass is the SHA-256 of the password, 64 hex digits")
	}
	return login, strings.ToLower(pass), nil
}

// brake holds a log-in where too many were wrong, and says whether it did.
func (p *Plugin) brake(s *session, r *request, text []byte) bool {
	login, _, err := credentials(r)
	if err != nil || s.State.User != 0 {
		return false
	}
	wrong := 0
	for _, name := range guesser(s, login) {
		wrong = max(wrong, p.wrong.Count(s.Time(), name))
	}
	if wrong < maxWrong {
		return false
	}
	s.State.Phase = phaseDelayed
	s.Put(delayedCell, text)
	s.Timer(delayTimer, min(time.Duration(wrong-maxWrong+1)*time.Second, slowest))
	return true
}

// guesser is what a wrong log-in counts under: the login, and the address, but for this machine, where a
// proxy may speak for everybody.
func guesser(s *session, login string) []string {
	names := []string{"login " + login}
	if address, loopback := sdk.AddressName(s.Info().RemoteAddress); !loopback {
		names = append(names, "address "+address)
	}
	return names
}

func (p *Plugin) logIn(s *session, r *request) error {
	if s.State.User != 0 {
		return errCliExst
	}
	login, pass, err := credentials(r)
	if err != nil {
		return err
	}
	user, err := p.store.LogIn(s.Ctx(), login, pass)
	if errors.Is(err, store.ErrAuth) {
		for _, name := range guesser(s, login) {
			p.wrong.Add(s.Time(), name)
		}
	}
	if err != nil {
		return err
	}
	return p.enter(s, r.kind, user, "")
}

func (p *Plugin) signUp(s *session, r *request) error {
	switch {
	case s.State.User != 0:
		return errCliExst
	case !p.config.Signup:
		return errForbidden
	}
	var account store.Account
	var err error
	if account.Login, account.Pass, err = credentials(r); err != nil {
		return err
	}
	if account.Name, err = r.optional(fName, maxText); err != nil {
		return err
	}
	if account.Desc, err = r.optional(fDesc, maxText); err != nil {
		return err
	}
	user, err := p.store.SignUp(s.Ctx(), event(s), account)
	if err != nil {
		return err
	}
	return p.enter(s, r.kind, user, "")
}

func (p *Plugin) byToken(s *session, r *request) error {
	if s.State.User != 0 {
		return errCliExst
	}
	token, ok := r.text(fToken)
	switch {
	case !ok:
		return bad("token is not a string")
	case !tokenForm.MatchString(token):
		return errAuthData
	}
	user, err := p.store.UserByToken(s.Ctx(), token)
	if err != nil {
		return err
	}
	return p.enter(s, r.kind, user, token)
}

// enter makes the session the user's, once it has the login to itself. Without a token it gets a new one.
func (p *Plugin) enter(s *session, asked kind, user store.User, token string) error {
	if !p.config.SingleSession {
		return p.admit(s, user, token)
	}
	s.State.Phase, s.State.Entering, s.State.Asked = phaseClaiming, user.ID, asked
	if token != "" {
		s.Put(tokenCell, []byte(token))
	}
	s.Claim(claimTag, user.Login, nil)
	return nil
}

// claimed is the core's answer to a claim on a login.
func (p *Plugin) claimed(s *session, ok bool) {
	asked, id, token := s.State.Asked, s.State.Entering, string(s.Get(tokenCell))
	s.State.Phase, s.State.Entering, s.State.Asked = phaseReady, 0, 0
	s.Delete(tokenCell)
	if !ok {
		p.refuse(s, asked, errCliExst)
		return
	}
	user, err := p.store.User(s.Ctx(), id)
	if err == nil {
		err = p.admit(s, user, token)
	}
	if err != nil {
		if user.Login != "" {
			s.Release(user.Login)
		}
		p.refuse(s, asked, err)
	}
}

// admit tells the client its token, and joins the user's rooms: over TCP when the client knows them.
func (p *Plugin) admit(s *session, user store.User, token string) error {
	rooms, err := p.store.Rooms(s.Ctx(), user.ID, 0)
	if err != nil {
		return err
	}
	if token == "" {
		if token, err = p.store.IssueToken(s.Ctx(), event(s)+"/token", user.ID); err != nil {
			return err
		}
	}
	s.State.User, s.State.Login, s.State.Token = user.ID, user.Login, hashOf(token)
	s.Join(userChannel(user.ID))
	if s.State.Unlisted = isTCP(s); s.State.Unlisted {
		s.Timer(listTimer, listTime)
	} else {
		hear(s, rooms)
	}
	s.Timer(outboxTimer, p.outbox.next(s.Time()))
	s.Send(tokenFrame(user, token, names(s)).end())
	return nil
}

// hear has the session hear what is said in rooms.
func hear(s *session, rooms []store.Room) {
	ids := make([]int64, len(rooms))
	for i, r := range rooms {
		ids[i] = r.ID
		s.Join(roomChannel(r.ID))
	}
	if joined, err := json.Marshal(ids); err == nil { // it does not fail for numbers
		s.Put(joinedCell, joined)
		s.Timer(checkTimer, checkAfter)
	}
}

// listed has a session hear of its rooms that did not yet: what its client knows of them by now is all.
func (p *Plugin) listed(s *session) {
	if !s.State.Unlisted {
		return
	}
	rooms, err := p.store.Rooms(s.Ctx(), s.State.User, 0)
	if err != nil {
		s.Log().Error("rooms cannot be read", "err", err)
		s.Timer(listTimer, time.Second)
		return
	}
	s.State.Unlisted = false
	s.StopTimer(listTimer)
	hear(s, rooms)
}

// checkRooms leaves rooms that the user lost, and joins those that it got, between the look at the database
// and the joining: whoever changed that did not find this session there.
func (p *Plugin) checkRooms(s *session) {
	var joined []int64
	if json.Unmarshal(s.Get(joinedCell), &joined) != nil || s.State.User == 0 {
		s.Delete(joinedCell)
		return
	}
	rooms, err := p.store.Rooms(s.Ctx(), s.State.User, 0)
	if err != nil {
		s.Log().Error("rooms cannot be read", "err", err)
		s.Timer(checkTimer, time.Second)
		return
	}
	now := make(map[int64]bool, len(rooms))
	for _, r := range rooms {
		now[r.ID] = true
	}
	for _, id := range joined {
		if !now[id] {
			s.Leave(roomChannel(id))
		}
		delete(now, id)
	}
	for id := range now {
		s.Join(roomChannel(id))
	}
	s.Delete(joinedCell)
}

// endToken makes the token void of a session whose user an auth backend knows: what is shown to the backend
// decides who comes in, and for how long.
func (p *Plugin) endToken(s *session) {
	if s.State.User == 0 || !s.Route().Auth {
		return
	}
	if err := p.store.RevokeHash(s.Ctx(), s.State.Token); err != nil {
		s.Log().Warn("token stays valid", "err", err)
	}
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// logOut ends what the session is told, and answers when nothing of that can be on its way any more.
func (p *Plugin) logOut(s *session, r *request) error {
	token, ok := r.text(fToken)
	switch {
	case !ok || !tokenForm.MatchString(token):
		return bad("token is 64 hex digits and the login")
	case hashOf(token) != s.State.Token:
		return errForbidden
	}
	rooms, err := p.store.Rooms(s.Ctx(), s.State.User, 0)
	if err != nil {
		return err
	}
	if err := p.store.Revoke(s.Ctx(), token); err != nil && !errors.Is(err, store.ErrAuth) {
		return err
	}
	p.dropTransfer(s)
	for _, room := range rooms {
		s.Leave(roomChannel(room.ID))
	}
	s.Leave(userChannel(s.State.User))
	if p.config.SingleSession {
		s.Release(s.State.Login)
	}
	s.State.User, s.State.Login, s.State.Token, s.State.Unlisted = 0, "", "", false
	s.State.Phase = phaseLeaving
	s.Delete(joinedCell)
	s.Put(tokenCell, []byte(token))
	s.Timer(leftTimer, leaveTime)
	return nil
}

// left is the end of a log-out.
func (p *Plugin) left(s *session) {
	token := string(s.Get(tokenCell))
	s.Delete(tokenCell)
	s.State.Phase = phaseReady
	s.Send(frame(rqLogOut, names(s)).text("token", token).end())
}

func (p *Plugin) describeUser(s *session, r *request) error {
	desc, err := r.string(fDesc, 0, maxText)
	if err != nil {
		return err
	}
	if err := p.store.DescribeUser(s.Ctx(), event(s), s.State.User, desc); err != nil {
		return err
	}
	s.Send(frame(rqUpdUserDesc, names(s)).text("desc", desc).end())
	return nil
}

func (p *Plugin) memberInfo(s *session, r *request) error {
	id, err := r.id(fUserID)
	if err != nil {
		return err
	}
	user, err := p.store.User(s.Ctx(), id)
	if err != nil {
		return err
	}
	s.Send(frame(rqMemberInfo, names(s)).text("desc", user.Desc).text("login", user.Login).number("user_id", id).end())
	return nil
}
