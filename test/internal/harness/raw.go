//go:build linux

package harness

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Raw is a WebSocket client that costs next to nothing while it waits: a socket, no buffer and no
// goroutine. Its frames are small.
type Raw struct{ conn net.Conn }

// Opcodes of frames that a Raw client tells apart (RFC 6455, 5.2).
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

// DialRaw opens a WebSocket at a path of an address.
func DialRaw(address, path string) (*Raw, error) {
	conn, err := net.DialTimeout("tcp", address, AnswerLimit)
	if err != nil {
		return nil, err
	}
	r := &Raw{conn}
	if err := r.upgrade(address, path); err != nil {
		r.Close()
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	return r, nil
}

func (r *Raw) upgrade(address, path string) error {
	_, err := fmt.Fprintf(r.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, address)
	if err != nil {
		return err
	}
	if err := r.conn.SetReadDeadline(time.Now().Add(AnswerLimit)); err != nil {
		return err
	}
	// Byte by byte, so that nothing behind the head is read.
	var head []byte
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
		if _, err := io.ReadFull(r.conn, one); err != nil {
			return err
		}
		head = append(head, one[0])
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("answer %q", head)
	}
	return nil
}

// Authorize authorizes a CTProto session.
func (r *Raw) Authorize() error {
	if err := r.Send(authorizeFrame); err != nil {
		return err
	}
	got, err := r.Read(AnswerLimit)
	if err == nil && got != authorizedFrame {
		err = fmt.Errorf("answer %q, want %q", got, authorizedFrame)
	}
	return err
}

// Send sends a text frame.
func (r *Raw) Send(text string) error { return r.write(opText, []byte(text)) }

func (r *Raw) write(op byte, data []byte) error {
	frame := []byte{0x80 | op}
	switch n := len(data); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	case n <= 0xffff:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	default:
		return errors.New("a Raw client sends small frames")
	}
	// The key is zero, so the mask changes nothing.
	_, err := r.conn.Write(append(append(frame, 0, 0, 0, 0), data...))
	return err
}

// CloseError is a close frame that a Raw client got.
type CloseError struct {
	Code   int
	Reason string
}

// Error says what was in the frame.
func (e *CloseError) Error() string { return fmt.Sprintf("close %d %q", e.Code, e.Reason) }

// Read returns the next text frame, and answers pings before it. A close frame is a CloseError.
func (r *Raw) Read(limit time.Duration) (string, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	for {
		op, data, err := r.frame()
		switch {
		case err != nil:
			return "", err
		case op == opText:
			return string(data), nil
		case op == opPing:
			if err := r.write(opPong, data); err != nil {
				return "", err
			}
		case op == opClose && len(data) >= 2:
			return "", &CloseError{int(binary.BigEndian.Uint16(data)), string(data[2:])}
		default:
			return "", fmt.Errorf("frame of opcode %#x", op)
		}
	}
}

func (r *Raw) frame() (op byte, data []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r.conn, head[:2]); err != nil {
		return 0, nil, err
	}
	n := int(head[1])
	switch n {
	case 126:
		if _, err := io.ReadFull(r.conn, head[2:4]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(head[2:4]))
	case 127:
		return 0, nil, errors.New("a Raw client reads small frames")
	}
	data = make([]byte, n)
	_, err = io.ReadFull(r.conn, data)
	return head[0] & 0xf, data, err
}

// Close cuts the connection.
func (r *Raw) Close() { _ = r.conn.Close() }
