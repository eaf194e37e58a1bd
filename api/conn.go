package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// problemListener makes problems of the answers that net/http gives by itself, before there is a request that
// a handler could see: 400, 417, 431, 501 and 505. It has no hook for them, and writes each in one piece.
type problemListener struct{ net.Listener }

// Accept returns the next connection.
func (l problemListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return problemConn{c}, nil
}

type problemConn struct{ net.Conn }

// Write writes b, or a problem instead of an answer of net/http. It reports the length of b.
func (c problemConn) Write(b []byte) (int, error) {
	answer := problemInstead(b)
	if answer == nil {
		return c.Conn.Write(b)
	}
	if _, err := c.Conn.Write(answer); err != nil {
		return 0, err
	}
	return len(b), nil
}

// plainHeaders follow the status line of the answers that net/http gives by itself. Those of handlers have
// other headers before these.
const plainHeaders = "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// problemInstead returns a problem in place of an answer of net/http, nil for anything else.
func problemInstead(b []byte) []byte {
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	code, _ := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if len(code) == len(line) || len(code) < 3 {
		return nil
	}
	detail, plain := bytes.CutPrefix(rest, []byte(plainHeaders))
	status, err := strconv.Atoi(string(code[:3]))
	if err != nil || !plain && status != http.StatusExpectationFailed {
		return nil
	}
	why := strings.TrimSpace(strings.TrimPrefix(string(detail), string(code[:3])))
	if !plain {
		why = "the only expectation here is 100-continue"
	}
	body, err := json.Marshal(problem(status, problemTypes[status], why))
	if err != nil {
		return nil
	}
	const format = "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\n" +
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
	return fmt.Appendf(nil, format, status, http.StatusText(status), len(body), body)
}
