package listen

import (
	"fmt"
	"log/slog"
)

// logAdapter passes on what fasthttp has to say. All of it is about single connections, and with
// SecureErrorLogMessage none of it holds what a client sent.
type logAdapter struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (a logAdapter) Printf(format string, args ...any) {
	a.log.Debug("http connection", "text", fmt.Sprintf(format, args...))
}
