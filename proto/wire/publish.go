package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Where clients' actions go to others, a publication comes once a frame. The plain ones are encoded and decoded
// by hand; what excepts sessions, or has a field that is not known here, is left to the generated code.

// isPlainPublish says that no sessions are excepted, and that protobuf would take the text.
func isPlainPublish(p *pluginv1.Publish) bool {
	c := p.GetContent()
	if len(p.GetExcept()) > 0 || !isText(p.GetChannels()...) || !isText(p.GetExceptChannels()...) ||
		!isText(p.GetOrderKey(), c.GetType(), c.GetAuthorRealm(), c.GetAuthorId(), c.GetId(), c.GetOrigin()) ||
		!areText(p.GetVariants()) {
		return false
	}
	for _, f := range p.GetThen() {
		if !areText(f.GetVariants()) {
			return false
		}
	}
	return true
}

func areText(list []*pluginv1.Variant) bool {
	for _, v := range list {
		if !isText(v.GetName()) {
			return false
		}
		for _, s := range v.GetSlots() {
			if !isText(s.GetMinus()) {
				return false
			}
		}
	}
	return true
}

// sizeInside is that of a message, or of an element of a list, that is there.
func sizeInside(field protowire.Number, n int) int { return sizeTag(field) + protowire.SizeBytes(n) }

func sizeNames(field protowire.Number, list []string) (n int) {
	for _, name := range list {
		n += sizeInside(field, len(name))
	}
	return n
}

func sizePublish(p *pluginv1.Publish) int {
	n := sizeNames(1, p.GetChannels()) + sizeVariants(4, p.GetVariants()) + sizeNames(5, p.GetExceptChannels()) +
		sizeBytes(6, len(p.GetOrderKey())) + sizeVarint(7, p.GetOrderNumber()) + sizeBool(9, p.GetAlways())
	if c := p.GetContent(); c != nil {
		n += sizeInside(3, sizeContent(c))
	}
	for _, f := range p.GetThen() {
		n += sizeInside(8, sizeVariants(1, f.GetVariants()))
	}
	return n
}

func sizeContent(c *pluginv1.Content) int {
	return sizeBytes(1, len(c.GetType())) + sizeBytes(2, len(c.GetPayload())) + sizeBytes(3, len(c.GetAuthorRealm())) +
		sizeBytes(4, len(c.GetAuthorId())) + sizeVarint(5, uint64(c.GetTime())) + sizeBytes(6, len(c.GetId())) +
		sizeBytes(7, len(c.GetOrigin()))
}

func sizeVariants(field protowire.Number, list []*pluginv1.Variant) (n int) {
	for _, v := range list {
		n += sizeInside(field, sizeVariant(v))
	}
	return n
}

func sizeVariant(v *pluginv1.Variant) int {
	n := sizeBytes(1, len(v.GetName())) + sizeBytes(2, len(v.GetData())) + sizeBool(3, v.GetBinary())
	for _, s := range v.GetSlots() {
		n += sizeInside(4, sizeSlot(s))
	}
	return n
}

func sizeSlot(s *pluginv1.Slot) int {
	return sizeVarint(1, uint64(s.GetAt())) + sizeVarint(2, uint64(s.GetRandomId())) + sizeVarint(3, uint64(s.GetNumber())) +
		sizeBytes(4, len(s.GetMinus()))
}

func appendNames(b []byte, field protowire.Number, list []string) []byte {
	for _, name := range list {
		b = append(appendHeader(b, field, len(name)), name...)
	}
	return b
}

func appendPublish(b []byte, p *pluginv1.Publish) []byte {
	b = appendNames(b, 1, p.GetChannels())
	if c := p.GetContent(); c != nil {
		b = appendContent(appendHeader(b, 3, sizeContent(c)), c)
	}
	b = appendVariants(b, 4, p.GetVariants())
	b = appendNames(b, 5, p.GetExceptChannels())
	b = appendBytes(b, 6, p.GetOrderKey())
	b = appendVarint(b, 7, p.GetOrderNumber())
	for _, f := range p.GetThen() {
		b = appendVariants(appendHeader(b, 8, sizeVariants(1, f.GetVariants())), 1, f.GetVariants())
	}
	return appendBool(b, 9, p.GetAlways())
}

func appendContent(b []byte, c *pluginv1.Content) []byte {
	b = appendBytes(b, 1, c.GetType())
	b = appendBytes(b, 2, c.GetPayload())
	b = appendBytes(b, 3, c.GetAuthorRealm())
	b = appendBytes(b, 4, c.GetAuthorId())
	b = appendVarint(b, 5, uint64(c.GetTime()))
	b = appendBytes(b, 6, c.GetId())
	return appendBytes(b, 7, c.GetOrigin())
}

func appendVariants(b []byte, field protowire.Number, list []*pluginv1.Variant) []byte {
	for _, v := range list {
		b = appendHeader(b, field, sizeVariant(v))
		b = appendBytes(b, 1, v.GetName())
		b = appendBytes(b, 2, v.GetData())
		b = appendBool(b, 3, v.GetBinary())
		for _, s := range v.GetSlots() {
			b = appendHeader(b, 4, sizeSlot(s))
			b = appendVarint(b, 1, uint64(s.GetAt()))
			b = appendVarint(b, 2, uint64(s.GetRandomId()))
			b = appendVarint(b, 3, uint64(s.GetNumber()))
			b = appendBytes(b, 4, s.GetMinus())
		}
	}
	return b
}

// publishParts are the messages of a publication, in one allocation where there are no more of them.
type publishParts struct {
	content  pluginv1.Content
	variants [2]pluginv1.Variant
	slots    [4]pluginv1.Slot
}

// decodePublish decodes a plain publication, whose fields point into b; false means that it is not plain.
func decodePublish(b []byte, p *pluginv1.Publish) bool {
	parts := new(publishParts)
	variants, slots := parts.variants[:], parts.slots[:]
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return false
		}
		b = rest
		switch {
		case v.num == 7 && v.typ == protowire.VarintType:
			p.OrderNumber = v.n
		case v.num == 9 && v.typ == protowire.VarintType:
			p.Always = v.n != 0
		case v.typ != protowire.BytesType:
			return false // sessions that are excepted are numbers
		case v.num == 1:
			p.Channels = append(p.Channels, alias(v.bytes))
		case v.num == 3:
			if p.GetContent() != nil || !decodeContent(v.bytes, &parts.content) {
				return false
			}
			p.Content = &parts.content
		case v.num == 4:
			if len(variants) == 0 {
				variants = make([]pluginv1.Variant, len(p.GetVariants())) // as many again
			}
			p.Variants = append(p.Variants, &variants[0])
			if !decodeVariant(v.bytes, &variants[0], &slots) {
				return false
			}
			variants = variants[1:]
		case v.num == 5:
			p.ExceptChannels = append(p.ExceptChannels, alias(v.bytes))
		case v.num == 6:
			p.OrderKey = alias(v.bytes)
		case v.num == 8:
			f := new(pluginv1.Frames)
			p.Then = append(p.Then, f)
			if !decodeFrames(v.bytes, f, &slots) {
				return false
			}
		default:
			return false
		}
	}
	return isText(p.GetOrderKey()) && isText(p.GetChannels()...) && isText(p.GetExceptChannels()...)
}

// decodeFrames takes slots from those that are free.
func decodeFrames(b []byte, to *pluginv1.Frames, free *[]pluginv1.Slot) bool {
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil || v.typ != protowire.BytesType || v.num != 1 {
			return false
		}
		b = rest
		variant := new(pluginv1.Variant)
		to.Variants = append(to.Variants, variant)
		if !decodeVariant(v.bytes, variant, free) {
			return false
		}
	}
	return true
}

func decodeContent(b []byte, c *pluginv1.Content) bool {
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return false
		}
		b = rest
		switch {
		case v.num == 5 && v.typ == protowire.VarintType:
			c.Time = int64(v.n)
		case v.typ != protowire.BytesType:
			return false
		case v.num == 1:
			c.Type = alias(v.bytes)
		case v.num == 2:
			c.Payload = v.bytes
		case v.num == 3:
			c.AuthorRealm = alias(v.bytes)
		case v.num == 4:
			c.AuthorId = alias(v.bytes)
		case v.num == 6:
			c.Id = alias(v.bytes)
		case v.num == 7:
			c.Origin = alias(v.bytes)
		default:
			return false
		}
	}
	return isText(c.GetType(), c.GetAuthorRealm(), c.GetAuthorId(), c.GetId(), c.GetOrigin())
}

// decodeVariant takes its slots from those that are free.
func decodeVariant(b []byte, to *pluginv1.Variant, free *[]pluginv1.Slot) bool {
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return false
		}
		b = rest
		switch {
		case v.num == 3 && v.typ == protowire.VarintType:
			to.Binary = v.n != 0
		case v.typ != protowire.BytesType:
			return false
		case v.num == 1:
			to.Name = alias(v.bytes)
		case v.num == 2:
			to.Data = v.bytes
		case v.num == 4:
			if len(*free) == 0 {
				*free = make([]pluginv1.Slot, 4)
			}
			s := &(*free)[0]
			*free = (*free)[1:]
			to.Slots = append(to.Slots, s)
			if !decodeSlot(v.bytes, s) {
				return false
			}
		default:
			return false
		}
	}
	return isText(to.GetName())
}

func decodeSlot(b []byte, s *pluginv1.Slot) bool {
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return false
		}
		b = rest
		switch {
		case v.num == 4 && v.typ == protowire.BytesType:
			s.Minus = alias(v.bytes)
		case v.typ != protowire.VarintType:
			return false
		case v.num == 1:
			s.At = uint32(v.n)
		case v.num == 2:
			s.RandomId = uint32(v.n)
		case v.num == 3:
			s.Number = int64(v.n)
		default:
			return false
		}
	}
	return isText(s.GetMinus())
}
