package plugintest

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Format writes what a step asks for, a command a line, in a short form for comparisons:
//
//	send hello
//	close 1008 Unauthorized
//	put text=x
//	timer idle 60000
//	call answer ask answer {"a":1}
//
// An empty step is "".
func Format(step *pluginv1.Step) string {
	var b strings.Builder
	for _, c := range step.GetCommands() {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if c.GetSession() != 0 {
			fmt.Fprintf(&b, "%d: ", c.GetSession())
		}
		b.WriteString(command(c))
	}
	return b.String()
}

func command(c *pluginv1.Command) string {
	switch k := c.GetKind().(type) {
	case *pluginv1.Command_Push:
		return fmt.Sprintf("push %s %s %s", k.Push.GetTag(), k.Push.GetTopic(), k.Push.GetData())
	case *pluginv1.Command_Consume:
		topics := strings.Join(append([]string{k.Consume.GetTopic()}, k.Consume.GetAlso()...), ",")
		return strings.TrimSpace(fmt.Sprintf("consume %s %d %s", topics, k.Consume.GetWindow(), k.Consume.GetTag()))
	case *pluginv1.Command_Send:
		verb := "send"
		if key := k.Send.GetWatermarkKey(); key != "" {
			verb += fmt.Sprintf(" told=%s/%d", key, k.Send.GetWatermarkNumber())
		}
		if k.Send.GetLate() {
			verb += " late"
		}
		if k.Send.GetBinary() {
			return fmt.Sprintf("binary %x", k.Send.GetData())
		}
		return verb + " " + string(k.Send.GetData())
	case *pluginv1.Command_Close:
		return strings.TrimSpace(fmt.Sprintf("close %d %s", k.Close.GetCode(), k.Close.GetReason()))
	case *pluginv1.Command_PutState:
		return fmt.Sprintf("put %s=%s", k.PutState.GetKey(), k.PutState.GetValue())
	case *pluginv1.Command_DeleteState:
		return "delete " + k.DeleteState.GetKey()
	case *pluginv1.Command_PutContext:
		return fmt.Sprintf("context %s=%s", k.PutContext.GetKey(), k.PutContext.GetValue())
	case *pluginv1.Command_SetTimer:
		return fmt.Sprintf("timer %s %d", k.SetTimer.GetName(), k.SetTimer.GetAfterMs())
	case *pluginv1.Command_Join:
		return "join " + k.Join.GetChannel()
	case *pluginv1.Command_Leave:
		return "leave " + k.Leave.GetChannel()
	case *pluginv1.Command_Bind:
		return "bind " + k.Bind.GetKey()
	case *pluginv1.Command_Cancel:
		return "cancel " + k.Cancel.GetTag()
	case *pluginv1.Command_Detach:
		return "detach " + k.Detach.GetTag()
	case *pluginv1.Command_Pause:
		if k.Pause.GetOn() {
			return "pause"
		}
		return "go on"
	case *pluginv1.Command_Tell:
		return fmt.Sprintf("tell %s %s", k.Tell.GetKey(), k.Tell.GetData())
	case *pluginv1.Command_Release:
		return "release " + k.Release.GetName()
	case *pluginv1.Command_Respond:
		r := k.Respond
		return fmt.Sprintf("respond %d last=%t %s", r.GetStatus(), r.GetLast(), r.GetBody())
	case *pluginv1.Command_Call:
		return call(k.Call)
	case *pluginv1.Command_Publish:
		return "publish " + publication(k.Publish)
	case *pluginv1.Command_Encode:
		return strings.TrimSpace("encode " + variants(k.Encode.GetVariants()))
	}
	return message(c)
}

func call(c *pluginv1.Call) string {
	head := "call " + c.GetTag()
	if c.GetOrder() != "" {
		head += fmt.Sprintf(" order=%s/%d", c.GetOrder(), c.GetParallel())
	}
	switch t := c.GetTarget().(type) {
	case *pluginv1.Call_Ask:
		return head + " " + asked(t.Ask)
	case *pluginv1.Call_Authenticate:
		return head + " " + authentication(t.Authenticate)
	case *pluginv1.Call_Publish:
		return head + " publish " + publication(t.Publish)
	case *pluginv1.Call_Act:
		if t.Act.GetRole() != "" {
			head += " " + t.Act.GetRole()
		}
		return strings.TrimSpace(fmt.Sprintf("%s act %d %s", head, t.Act.GetSession(), action(t.Act.GetAction())))
	case *pluginv1.Call_Select:
		return strings.TrimSpace(head + " " + selection(t.Select) + " " + action(t.Select.GetAction()))
	}
	return head + " " + message(c)
}

// asked is what an upstream is asked: "ask TYPE PAYLOAD", "PURPOSE CHANNEL PAYLOAD" with another purpose than
// a message, or "ask raw COMMAND"; with "push" where it is the route's other one, and "push VERSION COMMAND"
// where the version is said.
func asked(a *pluginv1.Ask) string {
	verb, what := "ask ", fmt.Sprintf("%s %s", a.GetType(), a.GetPayload())
	switch p := a.GetPurpose(); {
	case a.GetRaw() != nil:
		what = "raw " + string(a.GetRaw())
	case p != "" && p != "message":
		verb, what = p+" ", fmt.Sprintf("%s %s", a.GetChannel(), a.GetPayload())
		if a.GetPush() {
			what = verb + what
		}
	}
	switch {
	case a.GetVersion() != 0:
		verb, what = fmt.Sprintf("push %d ", a.GetVersion()), string(a.GetRaw())
	case a.GetPush():
		verb = "push "
	}
	text := strings.TrimSpace(verb + strings.TrimSpace(what))
	if a.GetUserId() != "" {
		text += " user=" + a.GetUserId()
	}
	return text
}

// authentication is what an auth backend is asked: "authenticate TOKEN PAYLOAD", with what else the plugin
// says of the client behind it.
func authentication(a *pluginv1.Authenticate) string {
	token := "-"
	if a.GetHasToken() {
		token = a.GetToken()
	}
	parts := []string{"authenticate", token}
	if len(a.GetPayload()) > 0 {
		parts = append(parts, string(a.GetPayload()))
	}
	if a.GetUserId() != "" || a.GetHasUserId() {
		parts = append(parts, "user="+a.GetUserId())
	}
	if a.GetSubprotocol() != "" {
		parts = append(parts, "subprotocol="+a.GetSubprotocol())
	}
	for _, h := range a.GetHeaders() {
		parts = append(parts, fmt.Sprintf("header.%s=%s", h.GetKey(), h.GetValue()))
	}
	if len(a.GetHeadersJson()) > 0 {
		parts = append(parts, "headers="+string(a.GetHeadersJson()))
	}
	if a.GetOnBehalf() {
		parts = append(parts, "on_behalf")
	}
	for _, c := range a.GetCookies() {
		parts = append(parts, fmt.Sprintf("cookie.%s=%s", c.GetKey(), c.GetValue()))
	}
	return strings.Join(parts, " ")
}

func selection(s *pluginv1.Select) string {
	text := "select"
	if len(s.GetUserIds()) > 0 {
		text += " users=" + strings.Join(s.GetUserIds(), ",")
	}
	if s.GetChannel() != "" {
		text += " channel=" + s.GetChannel()
	}
	if s.GetAuthenticated() {
		text += " authenticated"
	}
	if s.GetWhere() != nil {
		text += " where=" + where(s.GetWhere())
	}
	return text
}

// where writes a condition as all(…), any(…), not(…) and /path equals value.
func where(w *pluginv1.Where) string {
	var parts []string
	for _, sub := range w.GetAll() {
		parts = append(parts, "all("+where(sub)+")")
	}
	for _, sub := range w.GetAny() {
		parts = append(parts, "any("+where(sub)+")")
	}
	if w.GetNot() != nil {
		parts = append(parts, "not("+where(w.GetNot())+")")
	}
	path := w.GetTest().GetPath()
	switch op := w.GetTest().GetOp().(type) {
	case *pluginv1.Test_Equals:
		parts = append(parts, fmt.Sprintf("%s equals %s", path, op.Equals))
	case *pluginv1.Test_Contains:
		parts = append(parts, fmt.Sprintf("%s contains %s", path, op.Contains))
	case *pluginv1.Test_In:
		parts = append(parts, fmt.Sprintf("%s in %s", path, op.In.GetJson()))
	case *pluginv1.Test_Exists:
		parts = append(parts, fmt.Sprintf("%s exists %t", path, op.Exists))
	}
	return strings.Join(parts, " ")
}

func action(a *pluginv1.Action) string {
	var parts []string
	for _, c := range a.GetJoin() {
		parts = append(parts, "join "+c)
	}
	for _, c := range a.GetLeave() {
		parts = append(parts, "leave "+c)
	}
	if a.GetReplaceContext() {
		parts = append(parts, "context")
	}
	for _, kv := range a.GetContext() {
		parts = append(parts, fmt.Sprintf("context %s=%s", kv.GetKey(), kv.GetValue()))
	}
	if key := a.GetWatermarkKey(); key != "" {
		parts = append(parts, fmt.Sprintf("told=%s/%d", key, a.GetWatermarkNumber()))
	}
	if len(a.GetFrames()) > 0 {
		parts = append(parts, variants(a.GetFrames()))
	}
	if c := a.GetClose(); c != nil {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("close %d %s", c.GetCode(), c.GetReason())))
	}
	return strings.Join(parts, " ")
}

func publication(p *pluginv1.Publish) string {
	text := strings.Join(p.GetChannels(), ",")
	if len(p.GetExcept()) > 0 {
		text += fmt.Sprintf(" except=%v", p.GetExcept())
	}
	if len(p.GetExceptChannels()) > 0 {
		text += " except=" + strings.Join(p.GetExceptChannels(), ",")
	}
	if key := p.GetOrderKey(); key != "" {
		text += fmt.Sprintf(" order=%s/%d", key, p.GetOrderNumber())
	}
	if c := p.GetContent(); c != nil {
		text += fmt.Sprintf(" %s %s", c.GetType(), c.GetPayload())
	}
	text = strings.TrimSpace(text + " " + variants(p.GetVariants()))
	for _, f := range p.GetThen() {
		text += " then " + variants(f.GetVariants())
	}
	return text
}

// variants writes frames with their slots in place, as <id:10> and <number-variable>.
func variants(list []*pluginv1.Variant) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("| ")
		if v.GetName() != "" {
			b.WriteString(v.GetName() + ": ")
		}
		from := 0
		for _, s := range v.GetSlots() {
			at := min(int(s.GetAt()), len(v.GetData()))
			b.Write(v.GetData()[from:at])
			from = at
			if s.GetRandomId() > 0 {
				fmt.Fprintf(&b, "<id:%d>", s.GetRandomId())
			} else {
				fmt.Fprintf(&b, "<%d-%s>", s.GetNumber(), s.GetMinus())
			}
		}
		b.Write(v.GetData()[from:])
	}
	return b.String()
}

// message writes what has no form of its own. protojson puts spaces here and there at random, so
// that nobody relies on them.
func message(m proto.Message) string {
	return strings.ReplaceAll(protojson.MarshalOptions{}.Format(m), " ", "")
}

// Logger logs to the test, until that is over: a process may end later than the test that started it.
func Logger(tb testing.TB) *slog.Logger {
	w := &logWriter{tb: tb}
	tb.Cleanup(w.close)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type logWriter struct {
	mu sync.Mutex
	tb testing.TB // nil: it is over
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tb == nil {
		return len(p), nil
	}
	return w.tb.Output().Write(p)
}

func (w *logWriter) close() {
	w.mu.Lock()
	w.tb = nil
	w.mu.Unlock()
}
