package chat

import (
	"strconv"

	"github.com/protocol-bridge/bridge/plugins/chat/files"
	"github.com/protocol-bridge/bridge/sdk"
)

// Tags of calls to back-ends.
const (
	authTag   = "auth"
	askingTag = "upstream"
)

// askingCell is the request that the upstream is asked about.
const askingCell = "asking"

// authenticate asks the route's auth backend who the client is: of a log-in by what it sends, of a token by
// that. The account is made when it is needed first.
func (p *Plugin) authenticate(s *session, r *request) error {
	if s.State.User != 0 {
		return errCliExst
	}
	var to sdk.Authenticate
	switch r.kind {
	case rqLogIn:
		login, pass, err := credentials(r)
		if err != nil {
			return err
		}
		to.UserID, to.Token, to.HasToken = login, pass, true
		to.Payload = (&object{}).open().text("login", login).text("pass", pass).end()
	case rqToken:
		token, ok := r.text(fToken)
		if !ok {
			return bad("token is not a string")
		}
		to.Token, to.HasToken = token, true
		to.Payload = (&object{}).open().text("token", token).end()
	default:
		return errForbidden // accounts are the backend's
	}
	s.State.Phase, s.State.Asked = phaseAuthenticating, r.kind
	s.Call(sdk.Call{Tag: authTag, Target: to})
	return nil
}

// authenticated is the auth backend's answer.
func (p *Plugin) authenticated(s *session, a sdk.Answer) {
	if !a.Last || s.State.Phase != phaseAuthenticating {
		return
	}
	asked := s.State.Asked
	s.State.Phase, s.State.Asked = phaseReady, 0
	var err error
	switch {
	case a.OK() && a.Identity != nil:
		user, failed := p.store.SubjectUser(s.Ctx(), a.Identity.Realm, a.Identity.UserID)
		if err = failed; err == nil {
			err = p.enter(s, asked, user, "")
		}
	case a.Outcome == sdk.OutcomeDenied || a.Outcome == sdk.OutcomeOther:
		err = errAuthData
	default:
		err = errInternal
	}
	if err != nil {
		p.refuse(s, asked, err)
	}
}

// Types of what an upstream is told, as of messages between protocols.
const (
	editType = "chat/edit"
	fileType = "chat/file"
)

// consults says whether the route's upstream is asked before such a request is done.
func consults(s *session, k kind) bool {
	return s.Route().Upstream != "" && (k == rqMsg || k == rqEditMsg || k == rqUploadFile)
}

// consult asks the upstream about a request that could be done, and holds it meanwhile.
func (p *Plugin) consult(s *session, r *request, text []byte) error {
	room, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	typ, user, payload := messageType, s.State.User, (&object{}).open().number("room_id", room)
	switch r.kind {
	case rqEditMsg:
		typ = editType
		message, err := r.id(fMsgID)
		if err != nil {
			return err
		}
		said, err := r.stripped(fMsg)
		if err != nil {
			return err
		}
		payload.number("msg_id", message).text("msg", said)
	case rqUploadFile:
		typ = fileType
		if user, err = p.transferrer(s, r); err != nil {
			return err
		}
		name, size, err := p.announced(r)
		if err != nil {
			return err
		}
		payload.text("name", files.CleanName(name)).number("size", size)
	default:
		said, kind, err := saying(r)
		if err != nil {
			return err
		}
		payload.text("message", said).number("msg_type", int64(kind))
	}
	if err := p.store.Member(s.Ctx(), room, user); err != nil {
		return err
	}
	u, err := p.store.User(s.Ctx(), user)
	if err != nil {
		return err
	}
	ask := sdk.Ask{Type: typ, Payload: payload.text("login", u.Login).end(), Channel: roomChannel(room)}
	if s.Identity() == nil {
		ask.UserID = u.Login
	}
	s.State.Phase, s.State.Asked = phaseConsulting, r.kind
	s.Put(askingCell, text)
	s.Call(sdk.Call{Tag: askingTag, Target: ask})
	return nil
}

// consulted is the upstream's answer: the request is done, or refused.
func (p *Plugin) consulted(s *session, a sdk.Answer) {
	if !a.Last || s.State.Phase != phaseConsulting {
		return
	}
	asked, text := s.State.Asked, s.Get(askingCell)
	s.State.Phase, s.State.Asked = phaseReady, 0
	s.Delete(askingCell)
	for i := range a.Items {
		if it := &a.Items[i]; len(it.Channels) > 0 {
			s.Publish(sdk.Message{Type: it.Type, Payload: it.Payload}, it.Channels...)
		}
	}
	switch a.Outcome {
	case sdk.OutcomeOK:
		p.request(s, text, true)
	case sdk.OutcomeDenied, sdk.OutcomeOther:
		p.refuse(s, asked, errForbidden)
	default:
		s.Log().Warn("upstream does not say whether a message may be", "session", strconv.FormatUint(s.ID(), 10), "outcome", int(a.Outcome))
		p.refuse(s, asked, errInternal)
	}
}
