package wire

import (
	"bytes"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Where clients ask, a question to the upstream and its answer come once a frame each. They are
// generated messages as all that is rare, but the plain ones, which have no message inside but the
// question, are encoded and decoded by hand: a third of the time, and two allocations instead of
// one for each field. What is not plain is left to the generated code.

// sizeCold is the size of a message; with appendCold it must be asked for first.
func sizeCold(m proto.Message, opt proto.MarshalOptions) int {
	switch m := m.(type) {
	case *pluginv1.Call:
		if a := plainAsk(m); a != nil {
			return sizeCall(m, a)
		}
	case *pluginv1.Answer:
		if isPlain(m) {
			return sizeAnswer(m)
		}
	case *pluginv1.Publish:
		if isPlainPublish(m) {
			return sizePublish(m)
		}
	}
	return opt.Size(m)
}

// appendCold appends a message whose size was taken just before.
func appendCold(b []byte, m proto.Message) ([]byte, error) {
	switch m := m.(type) {
	case *pluginv1.Call:
		if a := plainAsk(m); a != nil {
			return appendCall(b, m, a), nil
		}
	case *pluginv1.Answer:
		if isPlain(m) {
			return appendAnswer(b, m), nil
		}
	case *pluginv1.Publish:
		if isPlainPublish(m) {
			return appendPublish(b, m), nil
		}
	}
	return sizedBefore.MarshalAppend(b, m)
}

// unmarshalCold decodes a message. It owns its bytes.
func unmarshalCold(b []byte, m proto.Message) error {
	plain := false
	switch m := m.(type) {
	case *pluginv1.Call:
		plain = decodeCall(bytes.Clone(b), m)
	case *pluginv1.Answer:
		plain = decodeAnswer(bytes.Clone(b), m)
	case *pluginv1.Publish:
		plain = decodePublish(bytes.Clone(b), m)
	}
	if plain {
		return nil
	}
	return proto.Unmarshal(b, m) // it begins with a reset
}

// plainAsk is what a call asks when that is all it does; nil otherwise.
func plainAsk(c *pluginv1.Call) *pluginv1.Ask {
	t, ok := c.GetTarget().(*pluginv1.Call_Ask)
	if !ok || t.Ask == nil {
		return nil
	}
	a := t.Ask
	if !isText(c.GetTag(), c.GetOrder(), a.GetType(), a.GetMessageId(), a.GetChannel(), a.GetPurpose(), a.GetUserId()) {
		return nil
	}
	return a
}

// isText says whether protobuf would take the strings.
func isText(list ...string) bool {
	for _, s := range list {
		if !utf8.ValidString(s) {
			return false
		}
	}
	return true
}

func sizeCall(c *pluginv1.Call, a *pluginv1.Ask) int {
	return sizeBytes(1, len(c.GetTag())) + sizeBytes(2, len(c.GetOrder())) + sizeVarint(3, uint64(c.GetParallel())) +
		sizeTag(4) + protowire.SizeBytes(sizeAsk(a))
}

func sizeAsk(a *pluginv1.Ask) int {
	return sizeBytes(1, len(a.GetType())) + sizeBytes(2, len(a.GetPayload())) + sizeBytes(3, len(a.GetMessageId())) +
		sizeBytes(4, len(a.GetChannel())) + sizeBytes(5, len(a.GetPurpose())) + sizeBytes(6, len(a.GetRaw())) +
		sizeBool(7, a.GetPush()) + sizeBool(8, a.GetTogether()) + sizeVarint(9, uint64(a.GetVersion())) +
		sizeBytes(10, len(a.GetUserId()))
}

func appendCall(b []byte, c *pluginv1.Call, a *pluginv1.Ask) []byte {
	b = appendBytes(b, 1, c.GetTag())
	b = appendBytes(b, 2, c.GetOrder())
	b = appendVarint(b, 3, uint64(c.GetParallel()))
	b = appendHeader(b, 4, sizeAsk(a))
	b = appendBytes(b, 1, a.GetType())
	b = appendBytes(b, 2, a.GetPayload())
	b = appendBytes(b, 3, a.GetMessageId())
	b = appendBytes(b, 4, a.GetChannel())
	b = appendBytes(b, 5, a.GetPurpose())
	b = appendBytes(b, 6, a.GetRaw())
	b = appendBool(b, 7, a.GetPush())
	b = appendBool(b, 8, a.GetTogether())
	b = appendVarint(b, 9, uint64(a.GetVersion()))
	return appendBytes(b, 10, a.GetUserId())
}

// decodeCall decodes a plain call, whose fields point into b; false means that it is not plain.
func decodeCall(b []byte, c *pluginv1.Call) bool {
	asked := false
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return false
		}
		b = rest
		switch {
		case v.num == 3 && v.typ == protowire.VarintType:
			c.Parallel = uint32(v.n)
		case v.typ != protowire.BytesType:
			return false
		case v.num == 1:
			c.Tag = alias(v.bytes)
		case v.num == 2:
			c.Order = alias(v.bytes)
		case v.num == 4 && !asked:
			asked = true
			parts := new(struct {
				target pluginv1.Call_Ask
				ask    pluginv1.Ask
			}) // in one allocation
			parts.target.Ask = &parts.ask
			c.Target = &parts.target
			if !decodeAsk(v.bytes, &parts.ask) {
				return false
			}
		default:
			return false
		}
	}
	return asked && isText(c.GetTag(), c.GetOrder())
}

func decodeAsk(b []byte, a *pluginv1.Ask) bool {
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return false
		}
		b = rest
		known := false
		switch v.typ {
		case protowire.VarintType:
			known = setAskNumber(a, &v)
		case protowire.BytesType:
			known = setAskBytes(a, &v)
		}
		if !known {
			return false
		}
	}
	return isText(a.GetType(), a.GetMessageId(), a.GetChannel(), a.GetPurpose(), a.GetUserId())
}

func setAskNumber(a *pluginv1.Ask, v *value) (known bool) {
	switch v.num {
	case 7:
		a.Push = v.n != 0
	case 8:
		a.Together = v.n != 0
	case 9:
		a.Version = uint32(v.n)
	default:
		return false
	}
	return true
}

func setAskBytes(a *pluginv1.Ask, v *value) (known bool) {
	switch v.num {
	case 1:
		a.Type = alias(v.bytes)
	case 2:
		a.Payload = v.bytes
	case 3:
		a.MessageId = alias(v.bytes)
	case 4:
		a.Channel = alias(v.bytes)
	case 5:
		a.Purpose = alias(v.bytes)
	case 6:
		a.Raw = v.bytes
	case 10:
		a.UserId = alias(v.bytes)
	default:
		return false
	}
	return true
}

// isPlain says that an answer has no messages inside and nothing rare, and text that protobuf would take.
func isPlain(a *pluginv1.Answer) bool {
	return len(a.GetItems())+len(a.GetChannels())+len(a.GetJoin())+len(a.GetLeave())+len(a.GetNodes()) == 0 && a.GetIdentity() == nil && a.GetFailed() == 0 &&
		isText(a.GetTag(), a.GetReason(), a.GetSupported(), a.GetSubprotocol())
}

func sizeAnswer(a *pluginv1.Answer) int {
	return sizeBytes(1, len(a.GetTag())) + sizeBool(2, a.GetLast()) + sizeVarint(3, uint64(a.GetOutcome())) +
		sizeBytes(4, len(a.GetReason())) + sizeBytes(5, len(a.GetPayload())) + sizeBool(6, a.GetHasPayload()) +
		sizeVarint(10, a.GetCount()) + sizeBytes(11, len(a.GetRaw())) + sizeVarint(12, a.GetCallSeq()) +
		sizeVarint(13, uint64(a.GetCallIndex())) + sizeBytes(14, len(a.GetSupported())) +
		sizeBytes(17, len(a.GetSubprotocol())) + sizeBool(18, a.GetOnBehalf())
}

func appendAnswer(b []byte, a *pluginv1.Answer) []byte {
	b = appendBytes(b, 1, a.GetTag())
	b = appendBool(b, 2, a.GetLast())
	b = appendVarint(b, 3, uint64(a.GetOutcome()))
	b = appendBytes(b, 4, a.GetReason())
	b = appendBytes(b, 5, a.GetPayload())
	b = appendBool(b, 6, a.GetHasPayload())
	b = appendVarint(b, 10, a.GetCount())
	b = appendBytes(b, 11, a.GetRaw())
	b = appendVarint(b, 12, a.GetCallSeq())
	b = appendVarint(b, 13, uint64(a.GetCallIndex()))
	b = appendBytes(b, 14, a.GetSupported())
	b = appendBytes(b, 17, a.GetSubprotocol())
	return appendBool(b, 18, a.GetOnBehalf())
}

// decodeAnswer decodes a plain answer, whose fields point into b; false means that it is not plain.
func decodeAnswer(b []byte, a *pluginv1.Answer) bool {
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return false
		}
		b = rest
		known := false
		switch v.typ {
		case protowire.VarintType:
			known = setAnswerNumber(a, &v)
		case protowire.BytesType:
			known = setAnswerBytes(a, &v)
		}
		if !known {
			return false
		}
	}
	return isText(a.GetTag(), a.GetReason(), a.GetSupported(), a.GetSubprotocol())
}

func setAnswerNumber(a *pluginv1.Answer, v *value) (known bool) {
	switch v.num {
	case 2:
		a.Last = v.n != 0
	case 3:
		a.Outcome = pluginv1.Outcome(v.n)
	case 6:
		a.HasPayload = v.n != 0
	case 10:
		a.Count = v.n
	case 12:
		a.CallSeq = v.n
	case 13:
		a.CallIndex = uint32(v.n)
	case 18:
		a.OnBehalf = v.n != 0
	default:
		return false
	}
	return true
}

func setAnswerBytes(a *pluginv1.Answer, v *value) (known bool) {
	switch v.num {
	case 1:
		a.Tag = alias(v.bytes)
	case 4:
		a.Reason = alias(v.bytes)
	case 5:
		a.Payload = v.bytes
	case 11:
		a.Raw = v.bytes
	case 14:
		a.Supported = alias(v.bytes)
	case 17:
		a.Subprotocol = alias(v.bytes)
	default:
		return false
	}
	return true
}
