package lineage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func open(o Options) *Emitter {
	o.Endpoint, o.Namespace, o.Build = "api/v1/lineage", "default", "v1.2.3"
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Hide == nil {
		o.Hide = func(text string) string { return text }
	}
	return Open(o)
}

var (
	kafka = []kgo.Opt{kgo.SeedBrokers("broker-1:9093", "broker-2:9093")}
	root  = "airflow/season/01941f29-7c00-7000-8000-000000000001"
)

// guard: lineage: an error is sent without its passwords
// Events of every kind are those of the standard, in the order in which they happened.
func TestEventsAreThoseOfTheStandard(t *testing.T) {
	server := testkit.LineageServer(t)
	parent, err := ParseParent("air/flow/season.load/01941f29-7c00-7000-8000-000000000002")
	require.NoError(t, err)
	top, err := ParseParent(root)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "events.jsonl")
	hide := func(text string) string { return strings.ReplaceAll(text, "hunter2", "xxxxx") }
	e := open(Options{URL: server.URL, APIKey: "key", File: path, Parent: parent, Root: top, Hide: hide})

	in := []Dataset{Topic(kafka, "pitches.raw").Count(12), Path("s3://key:hunter2@league/raw?region=x&secret=hunter2")}
	table := Table("postgres://me:hunter2@db:5433/league?sslmode=disable", "pitchstream", "pitches",
		schemas.StoredColumns)
	out := []Dataset{table.Count(10), Path("/lake/a b")}
	out[1].Bytes, out[1].Files = schemas.Some[int64](99), schemas.Some[int64](2)
	id := IDOf("replay", "x")
	run := e.Begin(Job{Name: "replay.live", ID: id, Inputs: in, Outputs: out})
	batch := run.Begin(Job{Name: "batch", IsContinued: true, Inputs: in, Outputs: out})
	batch.End(t.Context(), fmt.Errorf("dial postgres://me:hunter2@db: %s", strings.Repeat("é", maxMessageBytes)), in, out)
	ended, stop := context.WithCancel(t.Context())
	stop()
	e.Begin(Job{Name: "export"}).End(ended, ended.Err(), nil, nil)
	run.End(t.Context(), nil, in, out)
	require.NoError(t, e.Close())

	lines, err := os.ReadFile(path)
	require.NoError(t, err)
	testkit.CheckLineage(t, lines)
	require.Equal(t, 6, strings.Count(string(lines), "\n"))
	events := server.Take(t, "hunter2", "secret", "sslmode")
	var told []string
	for _, event := range events {
		told = append(told, event.EventType+" "+event.Job.Namespace+" "+event.Job.Name)
		require.Equal(t, "v1.2.3", event.Run.Facets["processing_engine"]["version"])
	}
	require.Equal(t, []string{
		"START default pitchstream.replay.live", "RUNNING default pitchstream.replay.live.batch",
		"FAIL default pitchstream.replay.live.batch", "START default pitchstream.export",
		"ABORT default pitchstream.export", "COMPLETE default pitchstream.replay.live",
	}, told)
	require.Equal(t, []string{"Bearer key"}, server.Keys()[:1])
	require.Equal(t, id.String(), events[0].Run.RunID)
	require.Equal(t, id.String(), events[5].Run.RunID)
	require.Equal(t, events[1].Run.RunID, events[2].Run.RunID)

	of := func(i int, member string) any { return events[i].Run.Facets["parent"][member] }
	require.Equal(t, map[string]any{"namespace": "air/flow", "name": "season.load"}, of(0, "job"))
	require.Equal(t, map[string]any{"runId": id.String()}, of(1, "run"))
	for i := range events {
		top := of(i, "root").(map[string]any)
		require.Equal(t, map[string]any{"namespace": "airflow", "name": "season"}, top["job"])
	}

	last := events[5]
	require.Equal(t, "kafka://broker-1:9093 pitches.raw", last.Inputs[0].Namespace+" "+last.Inputs[0].Name)
	require.EqualValues(t, 12, last.Inputs[0].Rows())
	require.Equal(t, "s3://league raw", last.Inputs[1].Namespace+" "+last.Inputs[1].Name)
	require.Equal(t, "postgres://db:5433 league.pitchstream.pitches",
		last.Outputs[0].Namespace+" "+last.Outputs[0].Name)
	require.EqualValues(t, 10, last.Outputs[0].Rows())
	require.Len(t, last.Outputs[0].Facets["schema"]["fields"], len(schemas.StoredColumns))
	require.Equal(t, "file /lake/a b", last.Outputs[1].Namespace+" "+last.Outputs[1].Name)
	require.EqualValues(t, 2, last.Outputs[1].OutputFacets["outputStatistics"]["fileCount"])
	message := events[2].Run.Facets["errorMessage"]["message"].(string)
	require.Contains(t, message, "postgres://me:xxxxx@db")
	require.Less(t, len(message), maxMessageBytes+10)
}

func TestWithoutAServerNothingHappens(t *testing.T) {
	var e *Emitter
	run := e.Begin(Job{Name: "export"})
	run.Begin(Job{Name: "batch"}).End(t.Context(), nil, nil, nil)
	run.End(t.Context(), errors.New("x"), nil, nil)
	require.NoError(t, e.Close())
	require.Nil(t, open(Options{}))
}

// guard: lineage: a URL of storage is named without its login
func TestAPlaceIsNamedAsTheStandardSays(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	for place, want := range map[string]string{
		"/a/b": "file /a/b", "x": "file " + here + "/x", "/a/*/x.json": "file /a", "/a/x-?.json": "file /a",
		"file:///a/b": "file /a/b", "s3://b/c/*.gz": "s3://b c", "s3://b": "s3://b /", "s3://b/": "s3://b /",
		"gs://b/c/?region=x": "gs://b c", "s3://user:hunter2@b/c": "s3://b c",
	} {
		d := Path(place)
		require.Equal(t, want, d.Namespace+" "+d.Name, place)
	}
	for broker, want := range map[string]string{"k": "kafka://k:9092", "k:1": "kafka://k:1", "[::1]:2": "kafka://[::1]:2"} {
		require.Equal(t, want, Topic([]kgo.Opt{kgo.SeedBrokers(broker)}, "t").Namespace)
	}
	for address, want := range map[string]string{
		"host=db password=hunter2 dbname=x":     "postgres://db:5432 x.s.t",
		"postgres://u:hunter2@a:1,b:2/x":        "postgres://a:1 x.s.t",
		"postgres:///x?host=/var/run&user=me":   "postgres://localhost:5432 x.s.t",
		"postgres://u@h/x?password=hunter2":     "postgres://h:5432 x.s.t",
		"postgres://u:%zz@h/x?password=hunter2": "postgres://unknown s.t",
	} {
		d := Table(address, "s", "t", nil)
		require.Equal(t, want, d.Namespace+" "+d.Name)
		require.NotContains(t, d.source, "hunter2")
	}
}

// guard: lineage: an event names so many files and no more
func TestManyFilesAreTheFolderThatHoldsThem(t *testing.T) {
	var places []string
	for i := range maxPaths {
		places = append(places, fmt.Sprintf("/season/%02d/%d.jsonl", i%3, i))
	}
	require.Len(t, Paths(append(places, "-")), maxPaths)
	d := Paths(append(places, "/season-2/1.jsonl", "s3://b/x/1", "s3://b/y/2", "s3://c/z/1"))
	var names []string
	for _, x := range d {
		names = append(names, x.Namespace+" "+x.Name)
	}
	require.Equal(t, []string{"file /", "s3://b /", "s3://c z/1"}, names)
	d = Paths(append(places, "/season/04/1.jsonl"))
	require.Equal(t, "file:///season", d[0].source)
	require.Len(t, d, 1)
}

// answers is a server that answers with these statuses, the last one for ever. 0 hangs.
func answers(t *testing.T, statuses ...int) (address string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1)) - 1
		_, _ = io.Copy(io.Discard, r.Body) // else the end of the client is not noticed
		switch status := statuses[min(n, len(statuses)-1)]; status {
		case 0:
			<-r.Context().Done()
		case http.StatusTemporaryRedirect:
			w.Header().Set("Location", "http://elsewhere.invalid/")
			fallthrough
		default:
			w.WriteHeader(status)
			_, _ = w.Write([]byte("why\nit is so\x1b[31m hunter2"))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func twoEvents(t *testing.T, e *Emitter) {
	e.Begin(Job{Name: "export"}).End(t.Context(), nil, nil, nil)
}

// A server that fails for a while gets every event.
func TestAServerThatComesBackGetsWhatWaits(t *testing.T) {
	address, asked := answers(t, 500, 503, 429, 201)
	e := open(Options{URL: address})
	twoEvents(t, e)
	require.Eventually(t, func() bool { return asked.Load() == 5 }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, e.Close())
}

// guard: lineage: at the end a server that fails is not waited for
func TestAServerThatFailsIsSaidOnce(t *testing.T) {
	for _, status := range []int{500, 503} {
		address, _ := answers(t, status)
		e := open(Options{URL: address})
		began := time.Now()
		twoEvents(t, e)
		err := e.Close()
		require.ErrorContains(t, err, "lineage: 2 of 2 events were not delivered to "+address+": "+fmt.Sprint(status))
		require.Less(t, time.Since(began), 5*time.Second)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// An event that the server refuses is not sent again, and the next one is.
func TestARefusedEventIsNotSentAgain(t *testing.T) {
	for _, status := range []int{400, 401, 307} {
		address, asked := answers(t, status, 200)
		e := open(Options{URL: address, APIKey: "hunter2"})
		twoEvents(t, e)
		err := e.Close()
		require.ErrorContains(t, err, fmt.Sprintf("1 of 2 events were not delivered to %s: %d", address, status))
		require.EqualValues(t, 2, asked.Load())
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// A server that is down, or hangs, is waited for no longer than the timeout, and never by an event.
func TestAServerThatHangsIsNotWaitedFor(t *testing.T) {
	hangs, _ := answers(t, 0)
	down := httptest.NewServer(nil)
	down.Close()
	withLogin, err := url.Parse(down.URL)
	require.NoError(t, err)
	withLogin.User = url.UserPassword("me", "hunter2")
	for _, address := range []string{hangs, down.URL, withLogin.String()} {
		e := open(Options{URL: address, Timeout: 300 * time.Millisecond})
		began := time.Now()
		twoEvents(t, e)
		require.Less(t, time.Since(began), 250*time.Millisecond)
		err := e.Close()
		require.ErrorContains(t, err, "2 of 2 events were not delivered")
		require.Less(t, time.Since(began), 3*time.Second)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// stuck is a target that takes nothing, not even the end of a request.
type stuck struct{ free chan struct{} }

func (s stuck) send(context.Context, []byte) error { <-s.free; return nil }
func (stuck) String() string                       { return "a disk" }

// guard: lineage: nothing that hangs is waited for
func TestATargetThatNeverAnswersIsNotWaitedFor(t *testing.T) {
	s := stuck{make(chan struct{})}
	free := sync.OnceFunc(func() { close(s.free) })
	defer time.AfterFunc(5*time.Second, free).Stop()
	began := time.Now()
	l := openLane(s, time.Second)
	l.add([]byte("{}"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, l.close(ctx), "1 of 1 events were not delivered to a disk: it does not answer")
	require.Less(t, time.Since(began), 4*time.Second)
	free()
	<-l.done
}

// guard: lineage: the queue is bounded in bytes
func TestTheQueueIsBounded(t *testing.T) {
	s := stuck{make(chan struct{})}
	l := openLane(s, time.Second)
	event := make([]byte, maxQueueBytes/4)
	for range 6 {
		l.add(event)
	}
	l.mu.Lock()
	require.Equal(t, maxQueueBytes, l.bytes)
	l.mu.Unlock()
	close(s.free)
	require.ErrorContains(t, l.close(t.Context()), "2 of 6 events were not delivered to a disk: the queue is full")
}

func TestAFileThatCannotBeWrittenIsSaid(t *testing.T) {
	e := open(Options{File: filepath.Join(t.TempDir(), "missing", "events")})
	twoEvents(t, e)
	require.ErrorContains(t, e.Close(), "2 of 2 events were not delivered")
}

// full is a file on a disk that has room for some bytes more.
type full struct {
	*os.File
	room int
}

func (f full) Write(b []byte) (int, error) {
	n, err := f.File.Write(b[:min(f.room, len(b))])
	if err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return n, err
}

// guard: lineage: a file keeps no part of a line
func TestAFullDiskLeavesNoPartOfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	require.NoError(t, file(path).send(t.Context(), []byte(`{"first":1}`)))
	out, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer out.Close()
	for room := range len(`{"second":2}`) {
		require.ErrorIs(t, writeLine(full{out, room}, []byte(`{"second":2}`)), syscall.ENOSPC)
	}
	require.NoError(t, file(path).send(t.Context(), []byte(`{"second":2}`)))
	lines, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "{\"first\":1}\n{\"second\":2}\n", string(lines))
}

func TestAParentIsReadAsOtherToolsWriteIt(t *testing.T) {
	for _, text := range []string{"a", "a/b", "a/b/c", "a//01941f29-7c00-7000-8000-000000000001", "/"} {
		_, err := ParseParent(text)
		require.Error(t, err, text)
	}
	p, err := ParseParent("")
	require.NoError(t, err)
	require.Nil(t, p)
	p, err = ParseParent(root)
	require.NoError(t, err)
	require.Equal(t, &Parent{"airflow", "season", uuid.MustParse("01941f29-7c00-7000-8000-000000000001")}, p)
	e := open(Options{File: filepath.Join(t.TempDir(), "x"), Parent: p})
	require.Equal(t, p, e.Begin(Job{Name: "x"}).root, "without a root the parent is at the top")
	require.NoError(t, e.Close())
}
