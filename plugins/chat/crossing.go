package chat

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/plugins/chat/store"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// crossed stores what another protocol says in rooms, and tells their members.
func (p *Plugin) crossed(s *session, m sdk.Message) {
	s.Encode() // they are told by broadcasts, as of any message
	text := foreignText(m.Payload)
	if text == "" {
		return
	}
	for _, channel := range m.Channels {
		room, err := strconv.ParseInt(strings.TrimPrefix(channel, prefix), 10, 64)
		if err != nil || roomChannel(room) != channel {
			s.Log().Info("message for no room", "channel", channel)
			continue
		}
		b, err := p.store.SayForeign(s.Ctx(), m.Origin+"/"+m.ID+"/"+strconv.FormatInt(room, 10), store.Foreign{
			Room: room, Author: m.Author.ID, Text: text, Power: int64(len(m.Payload)) + 1,
		})
		switch {
		case errors.Is(err, store.ErrNotFound):
			s.Log().Info("message for an unknown room", "channel", channel)
		case err != nil:
			s.Log().Error("message of another protocol is lost", "channel", channel, "err", err)
		default:
			b.User = nil // others have it already
			p.publish(s, &b)
		}
	}
}

// foreignText is what a message of another protocol says here; empty: nothing.
func foreignText(payload []byte) string {
	text := string(payload)
	var message, data []byte
	for key, value := range rawjson.Members(payload) {
		switch {
		case rawjson.Equal(key, "message"):
			message, _ = rawjson.Text(value)
		case rawjson.Equal(key, "data"):
			data, _ = rawjson.Text(value)
		}
	}
	if message != nil {
		text = string(message)
	} else if data != nil {
		text = string(data)
	}
	text = strings.Trim(strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD"), " \t\n\v\f\r")
	if len(text) > maxText {
		end := maxText
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return text
}
