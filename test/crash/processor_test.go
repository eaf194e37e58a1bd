package crash

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// processor is a place in the group: one process after the other, with its own ways to Postgres and Redis.
type processor struct {
	t        *testing.T
	w        *stack.Stack
	name     string
	instance string // "": a fresh member each start
	records  bool   // its steps, for the model
	postgres *proxy
	redis    *proxy
	log      *os.File // of all its processes
	steps    string   // the folder for the recordings of its processes
	starts   int
	began    int64 // where the present one's begins

	cmd  *exec.Cmd // nil: none runs
	done chan struct{}
	aim  atomic.Pointer[aim]
}

// aim is a kill that waits for its moment.
type aim struct {
	kind    kind
	of      *processor
	process *os.Process
	fired   chan struct{}
	over    atomic.Bool // fired, or given up
	// what comes before the moment has come: a commit's answer, the beginning of a transaction
	begun atomic.Bool
	ends  []io.Closer // the servers' ends of connections which they do not know to be dead
}

func newProcessor(t *testing.T, w *stack.Stack, i int, postgres, redis string) *processor {
	t.Helper()
	p := &processor{t: t, w: w, name: fmt.Sprint("processor ", i), postgres: newProxy(t, postgres, true), redis: newProxy(t, redis, false)}
	if i%2 == 0 {
		p.instance = fmt.Sprint("place-", i)
	}
	p.postgres.answered, p.redis.asked = p.onAnswer, p.onPush
	var err error
	p.steps = t.TempDir()
	p.log, err = os.Create(filepath.Join(p.steps, "log"))
	require.NoError(t, err)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			b, _ := os.ReadFile(p.log.Name())
			t.Logf("log of %s, its end:\n%s", p.name, b[max(0, len(b)-6000):])
		}
		_ = p.log.Close()
	})
	return p
}

// start runs a process there.
func (p *processor) start(postgresURL string) {
	p.t.Helper()
	args := []string{"run", "--poll-max-records=50", "--log-format=text"}
	if p.records {
		p.starts++
		args = append(args, "--record-steps="+filepath.Join(p.steps, fmt.Sprint(p.starts, ".jsonl")))
	}
	if p.instance != "" {
		args = append(args, "--instance-id="+p.instance)
	}
	cmd := exec.Command(stack.Binary(p.t), args...)
	cmd.Env = append(append([]string{}, p.w.Env...), "PITCHSTREAM_POSTGRES_URL="+postgresURL, "PITCHSTREAM_REDIS_URL=redis://"+p.redis.addr)
	cmd.Stderr = p.log
	p.postgres.forget()
	began, err := p.log.Seek(0, io.SeekEnd)
	require.NoError(p.t, err)
	p.began = began
	require.NoError(p.t, cmd.Start())
	line, err := child.Tie(nil, `kill -9 "$1"`, strconv.Itoa(cmd.Process.Pid)) // a test's time-out cleans nothing up
	require.NoError(p.t, err)
	p.cmd, p.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		_ = cmd.Wait()
		_ = line.Cut()
		close(done)
	}(p.done)
}

// kill is kill -9, and waits until the process is no more.
func (p *processor) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	p.cmd = nil
}

// ended reports whether the process has ended without a signal from the test.
func (p *processor) ended() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wasReady reports whether the present process has logged that it is ready.
func (p *processor) wasReady() bool {
	log, err := os.ReadFile(p.log.Name())
	require.NoError(p.t, err)
	return bytes.Contains(log[p.began:], []byte("msg=ready"))
}

// stop is SIGTERM.
func (p *processor) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		p.t.Errorf("%s did not end within 15 s of SIGTERM", p.name)
	}
	p.kill()
}

// pause stops the process in its tracks until the answer is called.
func (p *processor) pause() (resume func()) {
	process := p.cmd.Process
	_ = process.Signal(syscall.SIGSTOP)
	return func() { _ = process.Signal(syscall.SIGCONT) } // of one that has ended meanwhile: nothing
}

// take waits for the moment that the kind names, for so long, and kills then; nil: it did not come.
func (p *processor) take(k kind, within time.Duration) *aim {
	a := &aim{kind: k, of: p, process: p.cmd.Process, fired: make(chan struct{})}
	p.aim.Store(a)
	select {
	case <-a.fired:
	case <-p.done:
	case <-time.After(within):
	}
	p.aim.Store(nil)
	if a.over.CompareAndSwap(false, true) {
		return nil
	}
	<-a.fired
	p.kill()
	return a
}

// fire kills once.
func (a *aim) fire() {
	if !a.over.CompareAndSwap(false, true) {
		return
	}
	if a.kind == killWithoutWord {
		a.ends = append(a.of.postgres.vanish(), a.of.redis.vanish()...)
	}
	_ = a.process.Kill()
	close(a.fired)
}

// bury closes what a processor that vanished without a word has left open.
func (a *aim) bury() {
	for _, end := range a.ends {
		_ = end.Close()
	}
}

// onAnswer is called when Postgres has completed a command, before the processor hears of it.
func (p *processor) onAnswer(command string) (then func(), pass bool) {
	a := p.aim.Load()
	if a == nil {
		return nil, true
	}
	switch commit := command == "COMMIT"; {
	case a.kind == killWithoutWord && command == "BEGIN":
		a.begun.Store(true)
	case a.kind == killWithoutWord && a.begun.Load() && strings.HasPrefix(command, "UPDATE"), a.kind == killUnanswered && commit:
		a.fire()
		return nil, false
	case a.kind == killAnswered && commit:
		return a.fire, true
	case commit:
		a.begun.Store(true)
	}
	return nil, true
}

func (p *processor) onPush() {
	if a := p.aim.Load(); a != nil && a.kind == killAtRedis && a.begun.Load() {
		a.fire()
	}
}
