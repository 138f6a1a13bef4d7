package http1

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// head is what matters of a response's head.
type head struct {
	status     int
	length     int64 // -1 when not said
	chunked    bool
	keep       bool          // the connection may be used again
	keepFor    time.Duration // for so long without a request; 0 when not said
	retryAfter string
}

func malformed(what string, shown []byte) error {
	return fmt.Errorf("%w: %s %.40q", ErrMalformed, what, shown)
}

// parse reads a whole head with its empty line.
func (h *head) parse(p []byte) error {
	*h = head{length: -1}
	line, p := cutLine(p)
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' ||
		len(line) > 12 && line[12] != ' ' {
		return malformed("status line", line)
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return malformed("status line", line)
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 {
		return malformed("status line", line)
	}
	modern := line[7] == '1'
	h.keep = modern
	framing := false // the line before said how long the body is
	for {
		line, p = cutLine(p)
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if framing {
				return malformed("header", line)
			}
			continue // the rest of a header that does not matter
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || line[colon-1] == ' ' || line[colon-1] == '\t' {
			return malformed("header", line)
		}
		value := bytes.Trim(line[colon+1:], " \t")
		var err error
		framing, err = h.field(line[:colon], value, modern)
		if err != nil {
			return err
		}
	}
	if h.chunked && !modern {
		return malformed("transfer encoding in version", []byte("1.0"))
	}
	if h.chunked && h.length >= 0 {
		h.length = -1
		h.keep = false // two opinions on where the body ends
	}
	return nil
}

func (h *head) field(name, value []byte, modern bool) (framing bool, err error) {
	switch len(name) {
	case len("connection"):
		switch {
		case is(name, "connection"):
			for option := range bytes.SplitSeq(value, []byte{','}) {
				switch option = bytes.Trim(option, " \t"); {
				case is(option, "close"):
					h.keep = false
				case is(option, "keep-alive") && !modern:
					h.keep = true
				}
			}
		case is(name, "keep-alive"):
			h.keepFor = keepAlive(string(value))
		}
	case len("retry-after"):
		if is(name, "retry-after") {
			h.retryAfter = string(value)
		}
	case len("content-length"):
		if !is(name, "content-length") {
			break
		}
		n, err := strconv.ParseUint(string(value), 10, 62)
		if err != nil || h.length >= 0 && h.length != int64(n) {
			return true, malformed("content length", value)
		}
		h.length = int64(n)
		return true, nil
	case len("transfer-encoding"):
		if !is(name, "transfer-encoding") {
			break
		}
		if !is(value, "chunked") || h.chunked {
			return true, malformed("transfer encoding", value)
		}
		h.chunked = true
		return true, nil
	}
	return false, nil
}

func is(a []byte, b string) bool { return len(a) == len(b) && strings.EqualFold(string(a), b) }

func cutLine(p []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(p, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'}), rest
}

// keepAlive reads the timeout of a Keep-Alive header, 0 if it has none.
func keepAlive(value string) time.Duration {
	for option := range strings.SplitSeq(value, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(option), "=")
		if strings.EqualFold(name, "timeout") {
			if n, err := strconv.ParseUint(number, 10, 16); err == nil {
				return time.Duration(n) * time.Second
			}
		}
	}
	return 0
}

// retryAfter reads the value of a Retry-After header: seconds or a date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
