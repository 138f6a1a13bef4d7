package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// AppendStep appends the step to an encoded LinkResponse. It fails only when a Cold cannot be
// encoded (text that is not UTF-8); b is then as it was.
func AppendStep(b []byte, s *Step) ([]byte, error) {
	size := sizeVarint(1, s.Actor) + sizeVarint(2, s.Seq)
	for i := range s.Commands {
		_, n := sizeCommand(&s.Commands[i], proto.MarshalOptions{})
		size += sizeTag(3) + protowire.SizeBytes(n)
	}
	out := appendHeader(b, 1, size)
	out = appendVarint(out, 1, s.Actor)
	out = appendVarint(out, 2, s.Seq)
	for i := range s.Commands {
		var err error
		if out, err = appendCommand(out, &s.Commands[i]); err != nil {
			return b, err
		}
	}
	return out, nil
}

// sizedBefore takes the size that a message found when it was last asked for it.
var sizedBefore = proto.MarshalOptions{UseCachedSize: true}

func sizeInner(c *Command, coldSize proto.MarshalOptions) int {
	switch c.Kind {
	case Send:
		return sizeBytes(1, len(c.Data)) + sizeBool(2, c.Binary) + sizeVarint(3, uint64(c.Number)) +
			sizeBytes(4, len(c.Key)) + sizeVarint(5, c.Mark) + sizeBool(6, c.Late)
	case PutState, PutContext, Tell:
		return sizeBytes(1, len(c.Key)) + sizeBytes(2, len(c.Data))
	case SetTimer:
		return sizeBytes(1, len(c.Key)) + sizeVarint(2, uint64(c.Number))
	case Close:
		return sizeVarint(1, uint64(c.Number)) + sizeBytes(2, len(c.Key))
	case DeleteState, Join, Leave, Bind, Cancel, Release, Detach:
		return sizeBytes(1, len(c.Key))
	}
	if c.Cold == nil {
		return 0
	}
	return sizeCold(c.Cold, coldSize)
}

func sizeCommand(c *Command, coldSize proto.MarshalOptions) (inner, size int) {
	inner = sizeInner(c, coldSize)
	return inner, sizeVarint(1, c.Session) + sizeTag(protowire.Number(c.Kind)) + protowire.SizeBytes(inner)
}

// appendCommand appends a command whose size was taken just before.
func appendCommand(b []byte, c *Command) ([]byte, error) {
	inner, size := sizeCommand(c, sizedBefore)
	b = appendHeader(b, 3, size)
	b = appendVarint(b, 1, c.Session)
	b = appendHeader(b, protowire.Number(c.Kind), inner)
	switch c.Kind {
	case Send:
		b = appendBytes(b, 1, c.Data)
		b = appendBool(b, 2, c.Binary)
		b = appendVarint(b, 3, uint64(c.Number))
		b = appendBytes(b, 4, c.Key)
		b = appendVarint(b, 5, c.Mark)
		b = appendBool(b, 6, c.Late)
	case PutState, PutContext, Tell:
		b = appendBytes(b, 1, c.Key)
		b = appendBytes(b, 2, c.Data)
	case SetTimer:
		b = appendBytes(b, 1, c.Key)
		b = appendVarint(b, 2, uint64(c.Number))
	case Close:
		b = appendVarint(b, 1, uint64(c.Number))
		b = appendBytes(b, 2, c.Key)
	case DeleteState, Join, Leave, Bind, Cancel, Release, Detach:
		b = appendBytes(b, 1, c.Key)
	default:
		if c.Cold != nil {
			return appendCold(b, c.Cold)
		}
	}
	return b, nil
}

// Steps walks an encoded LinkResponse and calls yield for each step. scratch is used again for
// each, so a step and its commands are valid until yield returns (what they point to, until the
// batch is freed). A command of a kind that this package does not know has Kind 0. It stops at the
// first error, also of yield.
func Steps(b []byte, scratch *Step, yield func(*Step) error) error {
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
		if err := decodeStep(v.bytes, scratch); err != nil {
			return err
		}
		if err := yield(scratch); err != nil {
			return err
		}
	}
	return nil
}

func decodeStep(b []byte, s *Step) error {
	clear(s.Commands) // lets go of what Cold held
	s.Actor, s.Seq, s.Commands = 0, 0, s.Commands[:0]
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return err
		}
		b = rest
		switch {
		case v.num == 1 && v.typ == protowire.VarintType:
			s.Actor = v.n
		case v.num == 2 && v.typ == protowire.VarintType:
			s.Seq = v.n
		case v.num == 3 && v.typ == protowire.BytesType:
			s.Commands = append(s.Commands, Command{})
			if err := decodeCommand(v.bytes, &s.Commands[len(s.Commands)-1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func decodeCommand(b []byte, c *Command) error {
	var v value
	for len(b) > 0 {
		rest, err := v.next(b)
		if err != nil {
			return err
		}
		b = rest
		switch {
		case v.num == 1 && v.typ == protowire.VarintType:
			c.Session = v.n
		case v.typ == protowire.BytesType && v.num >= protowire.Number(Send) && v.num <= protowire.Number(lastCommand):
			c.Kind = Kind(v.num)
			if err := decodeCommandKind(v.bytes, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func decodeCommandKind(b []byte, c *Command) error {
	c.Binary, c.Late, c.Data, c.Key, c.Number, c.Mark, c.Cold = false, false, nil, "", 0, 0, newColdCommand(c.Kind)
	if c.Cold != nil {
		if err := unmarshalCold(b, c.Cold); err != nil {
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
		switch v.typ {
		case protowire.VarintType:
			setCommandNumber(c, v)
		case protowire.BytesType:
			setCommandBytes(c, v)
		}
	}
	return nil
}

func setCommandNumber(c *Command, v value) {
	switch {
	case c.Kind == Send && v.num == 2:
		c.Binary = v.n != 0
	case c.Kind == Send && v.num == 6:
		c.Late = v.n != 0
	case c.Kind == Send && v.num == 5:
		c.Mark = v.n
	case c.Kind == Send && v.num == 3,
		c.Kind == SetTimer && v.num == 2,
		c.Kind == Close && v.num == 1:
		c.Number = int64(v.n)
	}
}

func setCommandBytes(c *Command, v value) {
	switch {
	case c.Kind == Send && v.num == 1,
		(c.Kind == PutState || c.Kind == PutContext || c.Kind == Tell) && v.num == 2:
		c.Data = v.bytes
	case c.Kind == Close && v.num == 2,
		c.Kind == Send && v.num == 4,
		c.Kind != Send && c.Kind != Close && v.num == 1:
		c.Key = alias(v.bytes)
	}
}
