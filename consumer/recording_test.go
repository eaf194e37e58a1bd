package consumer

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/protocol"
	"github.com/pitchstream/pitchstream/schemas"
)

// recording keeps the steps of all workers in their order.
type recording struct {
	mu    sync.Mutex
	steps []Step
	ops   int64
}

// note keeps a step. The steps of a dead worker are left out, because they have no effect.
func (r *recording) note(w *worker, s Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !w.dead.Load() {
		r.steps = append(r.steps, s)
	}
}

// around calls f between the two steps of a request.
func (r *recording) around(name string, f func()) {
	r.mu.Lock()
	r.ops++
	s := Step{Name: name, Op: r.ops}
	r.steps = append(r.steps, s)
	r.mu.Unlock()
	f()
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Answer = answerOK
	r.steps = append(r.steps, s)
}

// read returns the steps so far as they would be read from a file.
func (r *recording) read(t *testing.T) []protocol.Step {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	for i := range r.steps {
		require.NoError(t, out.Encode(r.steps[i]))
	}
	if path := os.Getenv("PITCHSTREAM_TEST_RECORDING"); path != "" {
		require.NoError(t, os.WriteFile(path, lines.Bytes(), 0o600))
	}
	steps, err := protocol.Read(&lines)
	require.NoError(t, err)
	return steps
}

// requireOfTheModel requires that each step so far is one of the model.
func (r *recording) requireOfTheModel(t *testing.T) {
	t.Helper()
	sum, err := protocol.Validate(r.read(t))
	require.NoError(t, err, "%+v", sum)
	t.Logf("%+v", sum)
}

// Each fault is a guard of the code that is not there any more, as it would be recorded.
func TestARecordingThatIsNotOfTheModelIsRefused(t *testing.T) {
	kept := &recording{}
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.recording = kept
		s := newScorer(4)
		for range 2 { // the second session begins where the first has ended
			cl.produce(s.records(90)...)
			cl.process(commitEachPoll)
		}
	})
	sum, err := protocol.Validate(kept.read(t))
	require.NoError(t, err, "%+v", sum)
	require.Equal(t, 2, sum.Sessions)

	find := func(steps []protocol.Step, name, answer string, nth int) int {
		for i := range steps {
			if steps[i].Name == name && steps[i].Answer == answer {
				if nth--; nth == 0 {
					return i
				}
			}
		}
		require.Fail(t, "no such step", "%s %s", name, answer)
		return -1
	}
	type fault = func([]protocol.Step) []protocol.Step
	change := func(name, answer string, nth int, f func(s *protocol.Step)) fault {
		return func(steps []protocol.Step) []protocol.Step {
			f(&steps[find(steps, name, answer, nth)])
			return steps
		}
	}
	without := func(name string, answers ...string) func([]protocol.Step) []protocol.Step {
		return func(steps []protocol.Step) []protocol.Step {
			for _, answer := range answers {
				i := find(steps, name, answer, 1)
				steps = slices.Delete(steps, i, i+1)
			}
			return steps
		}
	}
	for name, c := range map[string]struct {
		at    string // the step that is named
		fault func([]protocol.Step) []protocol.Step
	}{
		"an offset that is not stored": {"commit", change("commit", "", 2, func(s *protocol.Step) { s.Partitions[0].Next++ })},
		"an offset is left out":        {"commit", change("commit", "", 2, func(s *protocol.Step) { s.Partitions = s.Partitions[1:] })},
		"a dead letter is left out":    {"commit", change("commit", "", 1, func(s *protocol.Step) { s.Records = s.Records[1:] })},
		"a dead letter is sent again": {"commit", func(steps []protocol.Step) []protocol.Step {
			i, j := find(steps, "commit", "", 1), find(steps, "commit", "", 2)
			steps[j].Records = append(steps[j].Records, steps[i].Records...)
			return steps
		}},
		"a row is not sent":             {"send", change("send", "", 2, func(s *protocol.Step) { s.Rows = s.Rows[1:] })},
		"an older row is sent":          {"send", change("send", "", 2, func(s *protocol.Step) { s.Rows[0].Version.Offset-- })},
		"rows are not sent":             {"compare", without("send", "")},
		"rows are not compared":         {"commit", without("compare", "", "ok")},
		"the start is not committed":    {"store", without("start", "", "ok")},
		"a write expects no position":   {"store", change("store", "", 3, func(s *protocol.Step) { s.Partitions[0].From = 0 })},
		"a write that is wrongly taken": {"store", change("store", "ok", 2, func(s *protocol.Step) { s.Answer = answerRefused })},
		"an older version is written":   {"store", change("store", "ok", 2, func(s *protocol.Step) { s.Rows = s.Rows[1:] })},
		"a record is jumped over":       {"poll", change("poll", "", 2, func(s *protocol.Step) { s.Partitions[0].From++ })},
		"reading starts too far": {"assign", change("assign", "ok", 2, func(s *protocol.Step) {
			s.Partitions[0].Next++
		})},
		"an older position is found": {"assign", change("assign", "ok", 2, func(s *protocol.Step) {
			s.Partitions[0].Stored--
		})},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := protocol.Validate(c.fault(kept.read(t)))
			violation := new(protocol.Violation)
			require.ErrorAs(t, err, &violation)
			require.Equal(t, c.at, violation.Name, "%v", err)
		})
	}
}

func TestATraceThatIsOffAllocatesNothing(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() { traceAll(nil) }))
}

// BenchmarkTrace has the steps of one poll of 50 records, from poll to commit, without a trace and with one.
func BenchmarkTrace(b *testing.B) {
	for name, on := range map[string]func(Step){"off": nil, "on": func(Step) {}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			trace := newTracer(&Config{Trace: on, Now: time.Now})
			for b.Loop() {
				traceAll(trace)
			}
		})
	}
}

var (
	tracedRecords = make([]Decoded, 50)
	tracedRows    = make([]schemas.Published, 50)
	tracedReach   = []reach{{next: 50}}
	tracedMoves   = []schemas.PositionMove{{}}
)

func traceAll(trace *tracer) {
	trace.poll(tracedReach, tracedRecords)
	op := trace.stores(tracedMoves)
	trace.stored(op, &schemas.Outcome{Published: tracedRows})
	trace.send(tracedRows)
	trace.compared(trace.begin("compare"), nil, nil)
	trace.ended(trace.begin("commit"), true, nil)
}
