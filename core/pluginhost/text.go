package pluginhost

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// makeText replaces, in all strings of a message, what is no UTF-8, which the contract does not know. It
// is the last resort: one event that cannot be encoded would end an instance, and the next.
func makeText(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList() && f.Kind() == protoreflect.MessageKind:
			for i := range v.List().Len() {
				makeText(v.List().Get(i).Message())
			}
		case f.IsList() && f.Kind() == protoreflect.StringKind:
			for i := range v.List().Len() {
				v.List().Set(i, text(v.List().Get(i)))
			}
		case f.Kind() == protoreflect.MessageKind:
			makeText(v.Message())
		case f.Kind() == protoreflect.StringKind:
			m.Set(f, text(v))
		}
		return true
	})
}

func text(v protoreflect.Value) protoreflect.Value {
	return protoreflect.ValueOfString(strings.ToValidUTF8(v.String(), "\ufffd"))
}
