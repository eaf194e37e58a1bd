package lineage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

const (
	// maxQueueBytes bounds the events that wait for a server, some hundred.
	maxQueueBytes = 4 << 20
	firstPause    = 250 * time.Millisecond
	longestPause  = 30 * time.Second
	maxBodyBytes  = 64 << 10 // of a server's answer that are read, so that its connection can be used again
)

var (
	errFull   = errors.New("the queue is full")
	errSilent = errors.New("it does not answer")
)

// target is where a lane ends.
type target interface {
	send(ctx context.Context, event []byte) error
	String() string
}

// lane brings events to one target, in their order. An event that the target does not take now is sent again,
// at growing pauses, until the lane is closed.
type lane struct {
	to      target
	timeout time.Duration
	work    context.Context // of the sender
	stop    context.CancelFunc
	changed chan struct{} // has one value when the queue or isClosed changed
	done    chan struct{} // closed when the sender has ended

	mu        sync.Mutex // guards the fields below
	queue     [][]byte   // the first is being sent
	bytes     int        // of queue
	all, lost int        // events that were added, and of them those that were given up
	cause     error      // of the last that was lost, or of the last failure
	isClosed  bool
}

func openLane(to target, timeout time.Duration) *lane {
	l := &lane{to: to, timeout: timeout, changed: make(chan struct{}, 1), done: make(chan struct{})}
	l.work, l.stop = context.WithCancel(context.Background())
	go l.run()
	return l
}

// add queues an event, and never waits. It gives up the event if the queue is full.
func (l *lane) add(event []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all++
	// guard: lineage: the queue is bounded in bytes
	if l.bytes+len(event) > maxQueueBytes {
		l.lost++
		l.cause = errFull
		return
	}
	l.queue = append(l.queue, event)
	l.bytes += len(event)
	l.signal()
}

func (l *lane) signal() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// run sends until the lane is closed and its queue is empty, or an attempt after that fails.
func (l *lane) run() {
	defer close(l.done)
	pause := firstPause
	for {
		event, isClosed := l.first()
		if event == nil {
			if isClosed {
				return
			}
			l.await(nil)
			continue
		}
		ctx, cancel := context.WithTimeout(l.work, l.timeout)
		err := l.to.send(ctx, event)
		cancel()
		switch {
		case err == nil, isPermanent(err):
			l.settle(err)
			pause = firstPause
			continue
		case l.failed(err):
			return
		}
		timer := time.NewTimer(pause)
		l.await(timer.C)
		timer.Stop()
		pause = min(2*pause, longestPause)
	}
}

// first returns the event to send; nil: there is none.
func (l *lane) first() (event []byte, isClosed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		event = l.queue[0]
	}
	return event, l.isClosed
}

// await waits for a time, or until the lane is closed. Without a time it waits for an event, too.
func (l *lane) await(after <-chan time.Time) {
	for {
		select {
		case <-after:
			return
		case <-l.changed:
		}
		if _, isClosed := l.first(); after == nil || isClosed {
			return
		}
	}
}

// settle takes the first event off the queue: it was sent, or err says why it never will be.
func (l *lane) settle(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes -= len(l.queue[0])
	l.queue = l.queue[1:]
	if err != nil {
		l.lost++
		l.cause = err
	}
}

// failed notes that the target did not take an event now. It returns whether the lane is closed, so that it
// is not tried again.
func (l *lane) failed(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cause = err
	// guard: lineage: at the end a server that fails is not waited for | l.isClosed -> false
	return l.isClosed
}

// close sends what waits until ctx ends. It returns an error if any event was not delivered.
func (l *lane) close(ctx context.Context) error {
	l.mu.Lock()
	l.isClosed = true
	l.signal()
	l.mu.Unlock()
	// guard: lineage: nothing that hangs is waited for | instead <-l.done
	select {
	case <-l.done:
	case <-ctx.Done():
	}
	l.stop() // ends the request; a file that hangs does not end with it
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = errSilent
	}
	if n := l.lost + len(l.queue); n > 0 {
		return fmt.Errorf("lineage: %d of %d events were not delivered to %s: %w", n, l.all, l.to, l.cause)
	}
	return nil
}

// server takes events by HTTP.
type server struct {
	url, shown string
	user       *url.Userinfo // nil: no login
	apiKey     string
}

func newServer(o Options) *server {
	s := &server{apiKey: o.APIKey}
	u, err := url.Parse(o.URL)
	if err != nil {
		u = &url.URL{}
	}
	s.user, u.User = u.User, nil
	s.shown = u.Scheme + "://" + u.Host
	s.url = u.JoinPath(o.Endpoint).String()
	return s
}

func (s *server) String() string { return s.shown }

func (s *server) send(ctx context.Context, event []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(event))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case s.apiKey != "":
		req.Header.Set("Authorization", "Bearer "+s.apiKey)
	case s.user != nil:
		password, _ := s.user.Password()
		req.SetBasicAuth(s.user.Username(), password)
	}
	// No http.Client, because its errors quote the URL, whose options may be a secret. It would also follow a
	// redirect: the POST would become a GET, and take the key to another host.
	// guard: lineage: no error quotes the URL | http.DefaultTransport.RoundTrip -> http.DefaultClient.Do
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.CopyN(io.Discard, answer.Body, maxBodyBytes)
	if answer.StatusCode >= 300 {
		return statusError(answer.StatusCode)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// file takes an event a line.
type file string

func (f file) String() string { return string(f) }

func (f file) send(_ context.Context, event []byte) error {
	out, err := os.OpenFile(string(f), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = writeLine(out, event)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// appended is a file that is open to append to it.
type appended interface {
	io.WriteSeeker
	Truncate(size int64) error
}

// writeLine appends an event and a newline in one write, so that lines of several processes do not mix. It
// takes back a part of a line, as a full disk leaves it, because the next attempt would go on behind it.
func writeLine(out appended, event []byte) error {
	n, err := out.Write(append(bytes.Clone(event), '\n'))
	// guard: lineage: a file keeps no part of a line | n == 0 -> true
	if err == nil || n == 0 {
		return err
	}
	end, failed := out.Seek(0, io.SeekCurrent)
	if failed == nil {
		failed = out.Truncate(end - int64(n))
	}
	return errors.Join(err, failed)
}
