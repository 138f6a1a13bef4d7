package ctproto

import (
	"fmt"

	"github.com/protocol-bridge/bridge/sdk"
)

// maxConditions is how deep conditions may lie in each other; the core takes no more.
const maxConditions = 16

// selection reads whom a request is for: authorized sessions, and of these the members of a channel
// and those for which a condition holds, where it says so.
func (o object) selection() (sel sdk.Select, err error) {
	sel.Authenticated = true
	condition := object{name: "select"}
	if raw := o.values["select"]; raw != nil {
		if condition, err = objectOf("select", raw, conditionMembers("channel")...); err != nil {
			return sel, err
		}
	}
	if sel.Channel, err = channelOf(o, condition); err != nil {
		return sel, err
	}
	delete(condition.values, "channel")
	if len(condition.values) > 0 {
		where, err := condition.condition(1)
		if err != nil {
			return sel, err
		}
		sel.Where = &where
	}
	if err := sdk.CheckWhere(sel.Where); err != nil {
		return sel, bad("select", "is refused: %v", err)
	}
	return sel, nil
}

// channelOf is the channel that one of them has; empty when none does.
func channelOf(body, condition object) (string, error) {
	channel, beside, err := body.text("channel")
	if err != nil {
		return "", err
	}
	inside, is, err := condition.text("channel")
	switch {
	case err != nil:
		return "", err
	case is && beside:
		return "", bad("channel", "is there twice")
	case is:
		channel = inside
	case !beside:
		return "", nil
	}
	if err := sdk.CheckChannel(channel); err != nil {
		return "", bad("channel", "cannot name one: %v", err)
	}
	return channel, nil
}

// conditionMembers are those that a condition may have, and more.
func conditionMembers(more ...string) []string {
	return append(more, "all", "any", "not", "path", "equals", "contains", "in", "exists")
}

// condition reads a condition.
func (o object) condition(depth int) (w sdk.Where, err error) {
	if depth > maxConditions {
		return w, bad("select", "has conditions more than %d deep in each other", maxConditions)
	}
	if w.All, err = o.conditions("all", depth); err != nil {
		return w, err
	}
	if w.Any, err = o.conditions("any", depth); err != nil {
		return w, err
	}
	if raw := o.values["not"]; raw != nil {
		not, err := nested(o.member("not"), raw, depth)
		if err != nil {
			return w, err
		}
		w.Not = &not
	}
	w.Test, err = o.test()
	return w, err
}

func (o object) conditions(name string, depth int) (list []sdk.Where, err error) {
	elements, err := o.list(name)
	if err != nil {
		return nil, err
	}
	for i, raw := range elements {
		w, err := nested(fmt.Sprintf("%s[%d]", o.member(name), i), raw, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

func nested(name string, raw []byte, depth int) (sdk.Where, error) {
	o, err := objectOf(name, raw, conditionMembers()...)
	if err != nil {
		return sdk.Where{}, err
	}
	return o.condition(depth + 1)
}

// test reads the path of a condition and what is asked of it; nil when there is none.
func (o object) test() (*sdk.Test, error) {
	path, ok, err := o.text("path")
	if err != nil {
		return nil, err
	}
	t := &sdk.Test{Path: path, Equals: o.values["equals"], Contains: o.values["contains"]}
	if t.In, err = o.list("in"); err != nil {
		return nil, err
	}
	if raw := o.values["exists"]; raw != nil {
		is := string(raw) == "true"
		if !is && string(raw) != "false" {
			return nil, bad(o.member("exists"), "is neither true nor false")
		}
		t.Exists = &is
	}
	ops := 0
	for _, name := range []string{"equals", "contains", "in", "exists"} {
		if o.values[name] != nil {
			ops++
		}
	}
	switch {
	case !ok && ops == 0:
		return nil, nil
	case !ok:
		return nil, bad(o.member("path"), "is missing")
	case ops != 1:
		return nil, bad(o.member("path"), "needs one of equals, contains, in and exists beside it")
	}
	return t, nil
}
