package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// AppendEvent appends the event to an encoded LinkRequest. It fails only when Cold cannot be
// encoded (text that is not UTF-8).
func AppendEvent(b []byte, e *Event) ([]byte, error) {
	inner := 0
	switch e.Kind {
	case Frame:
		inner = sizeBytes(1, len(e.Data)) + sizeBool(2, e.Binary)
	case Timer:
		inner = sizeBytes(1, len(e.Name))
	case Told:
		inner = sizeBytes(1, len(e.Data))
	default:
		if e.Cold != nil {
			inner = sizeCold(e.Cold, proto.MarshalOptions{})
		}
	}
	size := sizeVarint(1, e.Actor) + sizeVarint(2, e.Seq) + sizeVarint(3, e.Session) +
		sizeVarint(4, uint64(e.Time)) + sizeBool(5, e.Redelivered) +
		sizeTag(protowire.Number(e.Kind)) + protowire.SizeBytes(inner)

	b = appendHeader(b, 1, size)
	b = appendVarint(b, 1, e.Actor)
	b = appendVarint(b, 2, e.Seq)
	b = appendVarint(b, 3, e.Session)
	b = appendVarint(b, 4, uint64(e.Time))
	b = appendBool(b, 5, e.Redelivered)
	b = appendHeader(b, protowire.Number(e.Kind), inner)
	switch e.Kind {
	case Frame:
		b = appendBytes(b, 1, e.Data)
		b = appendBool(b, 2, e.Binary)
	case Timer:
		b = appendBytes(b, 1, e.Name)
	case Told:
		b = appendBytes(b, 1, e.Data)
	default:
		if e.Cold != nil {
			return appendCold(b, e.Cold)
		}
	}
	return b, nil
}

// Events walks an encoded LinkRequest and calls yield for each event, which is valid until yield
// returns (what it points to, until the batch is freed). An event of a kind that this package does
// not know has Kind 0. It stops at the first error, also of yield.
func Events(b []byte, yield func(*Event) error) error {
	var e Event
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return err
		}
		b = rest
		if v.num != 1 || v.typ != protowire.BytesType {
			continue
		}
		e = Event{}
		if err := decodeEvent(v.bytes, &e); err != nil {
			return err
		}
		if err := yield(&e); err != nil {
			return err
		}
	}
	return nil
}

func decodeEvent(b []byte, e *Event) error {
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return err
		}
		b = rest
		switch {
		case v.typ == protowire.VarintType:
			switch v.num {
			case 1:
				e.Actor = v.n
			case 2:
				e.Seq = v.n
			case 3:
				e.Session = v.n
			case 4:
				e.Time = int64(v.n)
			case 5:
				e.Redelivered = v.n != 0
			}
		case v.typ == protowire.BytesType && v.num >= protowire.Number(Frame) && v.num <= protowire.Number(lastEvent):
			e.Kind = Kind(v.num)
			if err := decodeEventKind(v.bytes, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func decodeEventKind(b []byte, e *Event) error {
	e.Data, e.Binary, e.Name, e.Cold = nil, false, "", newColdEvent(e.Kind)
	if e.Cold != nil {
		if err := unmarshalCold(b, e.Cold); err != nil {
			return malformed(err.Error())
		}
		return nil
	}
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return err
		}
		b = rest
		switch {
		case v.num == 1 && v.typ == protowire.BytesType && (e.Kind == Frame || e.Kind == Told):
			e.Data = v.bytes
		case v.num == 2 && v.typ == protowire.VarintType && e.Kind == Frame:
			e.Binary = v.n != 0
		case v.num == 1 && v.typ == protowire.BytesType && e.Kind == Timer:
			e.Name = alias(v.bytes)
		}
	}
	return nil
}
