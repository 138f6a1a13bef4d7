package chat

import (
	"errors"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/files"
	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/sdk"
)

// transfer is what a session uploads or downloads.
type transfer struct {
	Kind transferKind `json:"kind,omitempty"`
	ID   string       `json:"id,omitempty"`
	Size int64        `json:"size,omitempty"`
	Done int64        `json:"done,omitempty"` // bytes that came, or were sent
}

type transferKind uint8

const (
	noTransfer  transferKind = iota
	uploading                // binary frames are awaited, or raw bytes
	offered                  // a download whose client did not say that it is ready
	downloading              // bytes are being sent
)

const (
	// transferTimeout is how long a client may let a transfer rest.
	transferTimeout = 30 * time.Second
	// piece is the most that a binary frame of a download has, and pieces how many leave before the client
	// must have taken the most of what was sent.
	piece  = 64 << 10
	pieces = 4
)

// flushTag is that of the question whether a client took what was sent to it.
const flushTag = "flush"

// transferrer is who asks for a transfer: the user of the token, which a connection for this alone shows, or
// that of the session.
func (p *Plugin) transferrer(s *session, r *request) (user int64, err error) {
	if s.State.Transfer.Kind == uploading || s.State.Transfer.Kind == downloading {
		return 0, &refusal{erFile, "Another transfer is not over"}
	}
	token, ok := r.text(fToken)
	switch {
	case !ok && r.at[fToken] != nil:
		return 0, bad("token is not a string")
	case !ok && (s.State.User == 0 || isTCP(s)):
		return 0, errNotAuth
	case !ok:
		return s.State.User, nil
	case !tokenForm.MatchString(token):
		return 0, errNotAuth
	}
	u, err := p.store.UserByToken(s.Ctx(), token)
	switch {
	case errors.Is(err, store.ErrAuth):
		return 0, errNotAuth
	case err != nil:
		return 0, err
	case s.State.User != 0 && s.State.User != u.ID:
		return 0, errForbidden
	}
	return u.ID, nil
}

// announced reads what a file is called and how large it is.
func (p *Plugin) announced(r *request) (name string, size int64, err error) {
	size, err = r.int(fSize)
	switch {
	case err != nil || size < 0:
		return "", 0, bad("size is not a number of bytes")
	case size > int64(p.config.MaxFile):
		return "", 0, &refusal{erFile, "The file is too large"}
	}
	name, ok := r.text(fName)
	if !ok {
		return "", 0, bad("name is not a string")
	}
	return name, size, nil
}

func (p *Plugin) upload(s *session, r *request) error {
	user, err := p.transferrer(s, r)
	if err != nil {
		return err
	}
	room, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	name, size, err := p.announced(r)
	if err != nil {
		return err
	}
	f, err := p.store.BeginFile(s.Ctx(), event(s), store.NewFile{Room: room, User: user, Name: files.CleanName(name), Size: size})
	if err != nil {
		return err
	}
	s.State.Transfer = transfer{Kind: uploading, ID: f.ID, Size: size}
	s.Send(frame(rqReadyRead, names(s)).end())
	if isTCP(s) {
		s.Raw(0)
	}
	s.Timer(transferTimer, transferTimeout)
	if size == 0 && !isTCP(s) {
		p.uploaded(s)
	}
	return nil
}

// chunk is a part of an upload.
func (p *Plugin) chunk(s *session, data []byte) {
	t := &s.State.Transfer
	if t.Kind != uploading {
		s.Close(closeNoUpload)
		return
	}
	if t.Done+int64(len(data)) > t.Size {
		p.failed(s, &refusal{erFile, "More bytes came than the file has"})
		return
	}
	// Where the last of them was handled before, the file is whole and takes no more.
	whole := s.Redelivered() && p.files.Finish(s.Ctx(), t.ID, t.Size) == nil
	var err error
	if !whole {
		if err = p.files.Append(s.Ctx(), t.ID, t.Done, data); err != nil && s.Redelivered() {
			err = p.files.Finish(s.Ctx(), t.ID, t.Size) // whoever had it before was still at it
		}
	}
	if err != nil {
		s.Log().Error("upload cannot be kept", "err", err)
		p.failed(s, errKeep)
		return
	}
	t.Done += int64(len(data))
	s.Timer(transferTimer, transferTimeout)
	if t.Done == t.Size && !isTCP(s) {
		p.uploaded(s)
	}
}

// uploaded makes a message of what came; over TCP it has come when the client sends no more.
func (p *Plugin) uploaded(s *session) {
	t := s.State.Transfer
	if t.Done != t.Size {
		p.failed(s, &refusal{erFile, "Fewer bytes came than the file has"})
		return
	}
	if err := p.files.Finish(s.Ctx(), t.ID, t.Size); err != nil {
		s.Log().Error("upload cannot be kept", "err", err)
		p.failed(s, errKeep)
		return
	}
	b, err := p.store.FinishFile(s.Ctx(), event(s)+"/file", t.ID)
	if err != nil {
		p.failed(s, err)
		return
	}
	p.endTransfer(s)
	if u, err := p.store.User(s.Ctx(), b.Message.User); err == nil {
		b.User = &u // its author, for other protocols
	}
	p.publish(s, &b)
}

// failed gives an upload up and tells the client; but where this instance has lost its link, which another one
// may have by now.
func (p *Plugin) failed(s *session, err error) {
	if s.Ctx().Err() != nil {
		return
	}
	p.dropTransfer(s)
	p.refuse(s, rqUploadFile, err)
}

// dropTransfer ends a transfer, with what came of an upload.
func (p *Plugin) dropTransfer(s *session) {
	t := s.State.Transfer
	if t.Kind == noTransfer {
		return
	}
	if t.Kind == uploading {
		err := p.store.DropFile(s.Ctx(), t.ID)
		if err == nil {
			err = p.files.Remove(s.Ctx(), t.ID)
		}
		if err != nil {
			s.Log().Warn("unfinished upload is left", "file", t.ID, "err", err)
		}
	}
	p.endTransfer(s)
}

func (p *Plugin) endTransfer(s *session) {
	s.State.Transfer = transfer{}
	s.StopTimer(transferTimer)
}

// transferLate ends a transfer that does not go on.
func (p *Plugin) transferLate(s *session) {
	switch {
	case s.State.Transfer.Kind == uploading && !isTCP(s):
		p.failed(s, &refusal{erFile, "The upload took too long"})
	case isTCP(s):
		p.dropTransfer(s)
		s.Close(sdk.CloseNormal)
	default:
		p.dropTransfer(s)
	}
}

func (p *Plugin) download(s *session, r *request) error {
	user, err := p.transferrer(s, r)
	if err != nil {
		return err
	}
	room, err := r.id(fRoomID)
	if err != nil {
		return err
	}
	message, err := r.id(fMsgID)
	if err != nil {
		return err
	}
	f, err := p.store.FileOf(s.Ctx(), room, user, message)
	if err != nil {
		return err
	}
	s.State.Transfer = transfer{Kind: offered, ID: f.ID, Size: f.Size}
	s.Send(frame(rqDownloadFile, names(s)).number("size", f.Size).text("name", "files/"+f.ID+"__"+f.Name).end())
	s.Timer(transferTimer, transferTimeout)
	return nil
}

func (p *Plugin) readyRead(s *session, _ *request) error {
	if s.State.Transfer.Kind != offered {
		return bad("No download waits")
	}
	s.State.Transfer.Kind = downloading
	s.StopTimer(transferTimer)
	p.sendPieces(s)
	return nil
}

// sendPieces sends the next part of a download, and asks to be told when the client has taken it.
func (p *Plugin) sendPieces(s *session) {
	t := &s.State.Transfer
	for range pieces {
		if t.Done == t.Size {
			break
		}
		data, err := p.files.ReadAt(s.Ctx(), t.ID, t.Done, int(min(piece, t.Size-t.Done)))
		if err != nil || len(data) == 0 {
			s.Log().Error("file cannot be read", "file", t.ID, "err", err)
			p.endTransfer(s)
			if isTCP(s) {
				s.Close(sdk.CloseNormal)
			} else {
				p.refuse(s, rqDownloadFile, &refusal{erFile, "The file cannot be read"})
			}
			return
		}
		s.Binary(data)
		t.Done += int64(len(data))
	}
	if t.Done < t.Size {
		s.Call(sdk.Call{Tag: flushTag, Target: sdk.Flush{}})
		return
	}
	p.endTransfer(s)
	if isTCP(s) {
		s.Close(sdk.CloseNormal)
	}
}
