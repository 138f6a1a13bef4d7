package chat

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/sdk"
)

// State is what a session is between events. Requests that are held, and what a log-in still has to say, lie
// in cells of their own.
type State struct {
	Form     form     `json:"form,omitempty"`
	Phase    phase    `json:"phase,omitempty"`
	User     int64    `json:"user,omitempty"` // 0: not logged in
	Login    string   `json:"login,omitempty"`
	Token    string   `json:"token,omitempty"`    // hash of the token it logged in with
	Entering int64    `json:"entering,omitempty"` // the user whose login is being claimed
	Asked    kind     `json:"asked,omitempty"`    // by which request
	Refused  int      `json:"refused,omitempty"`  // requests in a row, for want of permission
	First    int      `json:"first,omitempty"`    // the requests held are first to last - 1
	Last     int      `json:"last,omitempty"`
	HeldSize int      `json:"held,omitempty"` // bytes of them
	Ended    bool     `json:"ended,omitempty"`
	Unlisted bool     `json:"unlisted,omitempty"` // it hears nothing of its rooms, as it does not know them yet
	Transfer transfer `json:"transfer,omitzero"`
}

// form is whether a connection's constants are numbers or names.
type form uint8

const (
	formUnknown form = iota
	formNumbers
	formNames
)

// phase says what a session waits for; requests that come meanwhile are held.
type phase uint8

const (
	phaseReady          phase = iota
	phaseClaiming             // the login, in the cluster
	phaseDelayed              // a log-in, because of wrong ones before
	phaseLeaving              // the end of what was on its way when the client logged out
	phaseAuthenticating       // the auth backend
	phaseConsulting           // the upstream
)

// Requests held are so many at most, of so many bytes.
const (
	maxHeld      = 64
	maxHeldBytes = 512 << 10
)

// Timers.
const (
	nextTimer     = "next"     // the next request held
	delayTimer    = "delay"    // the end of phaseDelayed
	leftTimer     = "left"     // the end of phaseLeaving
	listTimer     = "list"     // the end of waiting for the client to ask for its rooms
	checkTimer    = "check"    // whether rooms are still the user's
	goneTimer     = "gone/"    // before a room's id: nothing of it is on its way any more
	transferTimer = "transfer" // an upload or a download that does not go on
)

const (
	// pace is between the requests that came in one frame, as the route's rate has it for frames.
	pace = 50 * time.Millisecond
	soon = time.Millisecond
)

// Cells of state.
const (
	heldCell    = "held" // before a number
	delayedCell = "delayed"
	tokenCell   = "token"
	joinedCell  = "joined"
)

// claimTag is that of the claim on a login.
const claimTag = "claim"

type session = sdk.Session[State]

// Step implements sdk.Plugin.
func (p *Plugin) Step(s *session, ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Frame:
		p.frame(s, e)
	case sdk.Answer:
		switch {
		case e.Tag == claimTag:
			p.claimed(s, e.OK())
			p.goOn(s)
		case e.Tag == authTag:
			p.authenticated(s, e)
			p.goOn(s)
		case e.Tag == askingTag:
			p.consulted(s, e)
			p.goOn(s)
		case e.Tag == flushTag:
			if s.State.Transfer.Kind == downloading {
				p.sendPieces(s)
				p.goOn(s)
			}
		case !e.OK():
			s.Log().Warn("sessions were not told", "call", e.Tag, "outcome", int(e.Outcome), "reason", e.Reason)
		}
	case sdk.Timer:
		p.timer(s, e.Name)
	case sdk.Message:
		p.crossed(s, e)
	case sdk.Eof:
		p.eof(s)
	case sdk.Closed:
		p.dropTransfer(s)
		p.endToken(s)
		for _, room := range p.outbox.due(s.ID()) {
			p.look(s, room, false)
		}
	}
	return nil
}

func (p *Plugin) timer(s *session, name string) {
	switch name {
	case nextTimer:
		p.next(s)
		return
	case delayTimer:
		text := s.Get(delayedCell)
		s.State.Phase = phaseReady
		s.Delete(delayedCell)
		p.request(s, text, true)
	case leftTimer:
		p.left(s)
	case listTimer:
		p.listed(s)
		return
	case checkTimer:
		p.checkRooms(s)
		return
	case outboxTimer:
		p.ask(s)
		return
	case transferTimer:
		p.transferLate(s)
	default:
		if room, ok := strings.CutPrefix(name, goneTimer); ok {
			p.abandon(s, room)
		} else {
			p.lookAt(s, name)
		}
		return
	}
	p.goOn(s)
}

// isTCP says whether it is a client of the original's form.
func isTCP(s *session) bool { return s.Info().Transport == sdk.TCP }

func names(s *session) bool { return s.State.Form == formNames }

// event is the id under which is stored what this event writes.
func event(s *session) string {
	return strconv.FormatUint(s.ID(), 10) + "/" + strconv.FormatUint(s.Seq(), 10)
}

func (p *Plugin) frame(s *session, f sdk.Frame) {
	if f.Binary {
		p.chunk(s, f.Data)
		return
	}
	if isTCP(s) {
		p.take(s, f.Data, soon)
		p.goOn(s)
		return
	}
	after := soon
	for text := range requests(f.Data) {
		if !p.take(s, text, after) {
			s.Close(closeFlood)
			return
		}
		after = pace
	}
	p.goOn(s)
}

// take handles a request, or holds it where another of this event was handled, or one before it is not
// answered yet: an event handles one request, since its id stands for what that writes.
// It returns false where it can hold no more.
func (p *Plugin) take(s *session, text []byte, after time.Duration) bool {
	if after == soon && s.State.Phase == phaseReady && s.State.First == s.State.Last {
		p.request(s, text, false)
		return true
	}
	if s.State.Last-s.State.First >= maxHeld || s.State.HeldSize+len(text) > maxHeldBytes {
		return false
	}
	if s.State.First == s.State.Last {
		s.Pause(true)
	}
	// The first byte is for how many milliseconds it waits for its turn.
	s.Put(heldCell+strconv.Itoa(s.State.Last), append([]byte{byte(after / time.Millisecond)}, text...))
	s.State.Last++
	s.State.HeldSize += len(text)
	return true
}

// goOn sees that requests held are handled when their turn comes.
func (p *Plugin) goOn(s *session) {
	st := &s.State
	switch {
	case st.Phase != phaseReady:
	case st.First < st.Last:
		first := s.Get(heldCell + strconv.Itoa(st.First))
		s.Timer(nextTimer, time.Duration(first[0])*time.Millisecond)
	case st.Ended && st.Transfer.Kind == noTransfer:
		s.Close(sdk.CloseNormal)
	}
}

// next handles the first request held.
func (p *Plugin) next(s *session) {
	st := &s.State
	if st.Phase != phaseReady || st.First == st.Last {
		return
	}
	cell := heldCell + strconv.Itoa(st.First)
	text := s.Get(cell)[1:]
	s.Delete(cell)
	st.HeldSize -= len(text)
	if st.First++; st.First == st.Last {
		st.First, st.Last = 0, 0
		s.Pause(false)
	}
	p.request(s, text, false)
	p.goOn(s)
}

// eof: a TCP client says no more. What it asked is answered first.
func (p *Plugin) eof(s *session) {
	if s.State.Transfer.Kind == uploading {
		p.uploaded(s)
		s.Close(sdk.CloseNormal)
		return
	}
	s.State.Ended = true
	p.goOn(s)
}

// request handles one request; held says that it was held already, for the brake on guessing or the upstream.
func (p *Plugin) request(s *session, text []byte, held bool) {
	r, ok := parse(text, isTCP(s))
	if !ok {
		p.refuse(s, -1, errNoRequest)
		return
	}
	if s.State.Form == formUnknown {
		s.State.Form = formNumbers
		if r.named {
			s.State.Form = formNames
			s.Tune(namesVariant, nil)
		}
	}
	if s.State.User != 0 {
		r.asNewRoom()
		if r.kind != rqGetRooms {
			p.listed(s)
		}
	}
	h := handlers[r.kind]
	var err error
	switch {
	case h.run == nil:
		err = bad("Only the server says this")
	case s.State.User == 0 && (!h.anyone || s.State.Transfer.Kind != noTransfer && r.kind <= rqToken):
		err = errNotAuth // of a connection that shows a token for one transfer as well
	case r.kind <= rqToken && s.Route().Auth:
		err = p.authenticate(s, &r)
	case r.kind == rqLogIn && !held && p.brake(s, &r, text):
		return
	case !held && consults(s, r.kind):
		err = p.consult(s, &r, text)
	default:
		err = h.run(p, s, &r)
	}
	if err != nil {
		p.refuse(s, r.kind, err)
		return
	}
	s.State.Refused = 0
}

// handler is what a type of request leads to. An error is what the client is told, and then nothing else was
// asked of the core.
type handler struct {
	run    func(p *Plugin, s *session, r *request) error // nil: no request
	anyone bool                                          // also of who is not logged in
}

var handlers = [kinds]handler{
	rqLogIn:        {(*Plugin).logIn, true},
	rqSignUp:       {(*Plugin).signUp, true},
	rqToken:        {(*Plugin).byToken, true},
	rqMsg:          {(*Plugin).say, false},
	rqEditMsg:      {(*Plugin).edit, false},
	rqDelMsg:       {(*Plugin).deleteMessage, false},
	rqDelHist:      {(*Plugin).clearHistory, false},
	rqGetNewMsgs:   {(*Plugin).newer, false},
	rqSearchMsgs:   {(*Plugin).searchMessages, false},
	rqOldMsgs:      {(*Plugin).older, false},
	rqGetRooms:     {(*Plugin).rooms, false},
	rqNewRoom:      {(*Plugin).newRoom, false},
	rqDelRoom:      {(*Plugin).deleteRoom, false},
	rqJoinRoom:     {(*Plugin).joinRoom, false},
	rqUpdRoomName:  {(*Plugin).renameRoom, false},
	rqUpdRoomDesc:  {(*Plugin).describeRoom, false},
	rqSearchCh:     {(*Plugin).searchRooms, false},
	rqGetMembers:   {(*Plugin).members, false},
	rqMemberInfo:   {(*Plugin).memberInfo, false},
	rqBanMember:    {(*Plugin).ban, false},
	rqUpdUserDesc:  {(*Plugin).describeUser, false},
	rqUploadFile:   {(*Plugin).upload, true},
	rqDownloadFile: {(*Plugin).download, true},
	rqLogOut:       {(*Plugin).logOut, false},
	rqReadyRead:    {(*Plugin).readyRead, true},
}

// refuse tells the client, in the way of its transport, that a request of that kind is refused; of is
// negative where no request could be read. Over TCP only the codes of the original are told: other requests
// end the connection, and what is no request is passed over.
func (p *Plugin) refuse(s *session, of kind, err error) {
	r := refusalOf(err)
	if r.code == erInternal {
		s.Log().Error("request failed", "request", of.String(), "err", err)
	}
	if isTCP(s) {
		switch {
		case r.code <= erCliExst:
			s.Send(errorFrame(r, of, false).end())
		case of >= 0:
			s.Close(sdk.CloseNormal)
		}
		return
	}
	s.Send(errorFrame(r, of, names(s)).end())
	if r.code == erForbidden || r.code == erNotFound {
		if s.State.Refused++; s.State.Refused >= maxRefused {
			s.Close(closeRefused)
		}
	}
}

// refusalOf is what a client is told of an error.
func refusalOf(err error) *refusal {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, store.ErrInvalid):
		return bad("A value is too short or too long")
	case errors.Is(err, store.ErrNotFound):
		return errNotFound
	case errors.Is(err, store.ErrForbidden):
		return errForbidden
	case errors.Is(err, store.ErrTaken):
		return errUserExst
	case errors.Is(err, store.ErrAuth):
		return errAuthData
	}
	return errInternal
}
