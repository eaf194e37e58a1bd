// Package lineage reports to a lineage server what a job reads and writes, as events of OpenLineage:
//
//	e := lineage.Open(lineage.Options{URL: "http://marquez:5000", Namespace: "default", Build: "v1"})
//	run := e.Begin(lineage.Job{Name: "export", Inputs: in, Outputs: out})
//	err := work()
//	run.End(ctx, err, in, out) // with what is known now
//	lost := e.Close()
//
//	dataset.go  the names of topics, tables, files and storage, as the standard has them
//	event.go    the events
//	lane.go     the way to a server or a file
//
// A job never waits for its lineage: events stand in a queue of bounded bytes, and Close waits for a bounded
// time. Nor does it fail with it: what could not be delivered is counted, and Close returns it once. A nil
// *Emitter and a nil *Run do nothing, so that callers need not ask whether there is a server. We build the
// events ourselves, because the transports of the standard's Go client bring gRPC and Google's API along.
package lineage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Options say where events go. Without URL and File they go nowhere.
type Options struct {
	URL      string // of the server: http[s]://[user:password@]host:port
	Endpoint string // path below URL
	APIKey   string // sent as a bearer token; "": none
	File     string // gets an event a line, behind those that it has; "": none

	Namespace string        // of the jobs
	Job       string        // name of the job; "": the command says
	Parent    *Parent       // the run that started this process; nil: none is known
	Root      *Parent       // the run that started that one; nil: Parent
	Build     string        // version of this program
	Timeout   time.Duration // most that Close waits, and that one request takes
	// Hide removes passwords from the text of an error.
	Hide func(string) string
}

// Emitter sends events. Several goroutines may use it.
type Emitter struct {
	o     Options
	lanes []*lane
}

// Open returns an emitter, or nil without URL and File. It does not connect yet.
func Open(o Options) *Emitter {
	e := &Emitter{o: o}
	if o.URL != "" {
		e.lanes = append(e.lanes, openLane(newServer(o), o.Timeout))
	}
	if o.File != "" {
		e.lanes = append(e.lanes, openLane(file(o.File), o.Timeout))
	}
	if len(e.lanes) == 0 {
		return nil
	}
	return e
}

// Close sends what waits, for Timeout at most. It returns an error if any event was not delivered. That is no
// error of the job.
func (e *Emitter) Close() error {
	if e == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.o.Timeout)
	defer cancel()
	var errs []error
	for _, l := range e.lanes {
		if err := l.close(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.New(e.o.Hide(errors.Join(errs...).Error()))
}

func (e *Emitter) send(event any) {
	b, err := json.Marshal(event)
	if err != nil {
		panic(err) // maps of texts and numbers can be encoded
	}
	for _, l := range e.lanes {
		l.add(b)
	}
}

// Parent names a run that started another.
type Parent struct {
	Namespace, Job string
	Run            uuid.UUID
}

// ParseParent reads NAMESPACE/JOB/RUN, as OPENLINEAGE_PARENT_ID of other tools is written. An empty text is
// no parent.
func ParseParent(text string) (*Parent, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, "/")
	n := len(parts)
	if n < 3 || parts[n-2] == "" {
		return nil, errors.New("want NAMESPACE/JOB/RUN")
	}
	id, err := uuid.Parse(parts[n-1])
	if err != nil {
		return nil, errors.New("RUN is no UUID: want NAMESPACE/JOB/RUN")
	}
	return &Parent{strings.Join(parts[:n-2], "/"), parts[n-2], id}, nil
}

// Job is what Begin reports of a run.
type Job struct {
	Name string // below pitchstream., unless Options.Job names it
	// ID of the run. Zero: a new one.
	ID uuid.UUID
	// IsContinued says that an earlier process began this run.
	IsContinued     bool
	Inputs, Outputs []Dataset
}

// Run is one run of a job, from Begin to End.
type Run struct {
	e            *Emitter
	id           uuid.UUID
	name         string
	parent, root *Parent
}

// IDOf returns the ID of a run that can be continued: the same for the same parts.
func IDOf(parts ...string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(producer+"\x00"+strings.Join(parts, "\x00")))
}

// Begin sends the event START of a run, or RUNNING if it is continued.
func (e *Emitter) Begin(job Job) *Run {
	if e == nil {
		return nil
	}
	name := "pitchstream." + job.Name
	if e.o.Job != "" {
		name = e.o.Job
	}
	root := e.o.Root
	if root == nil {
		root = e.o.Parent
	}
	return e.begin(job, name, e.o.Parent, root)
}

// Begin is that of an Emitter, for a run that this one starts. Its name is below this one's.
func (r *Run) Begin(job Job) *Run {
	if r == nil {
		return nil
	}
	own := &Parent{r.e.o.Namespace, r.name, r.id}
	root := r.root
	if root == nil {
		root = own
	}
	return r.e.begin(job, r.name+"."+job.Name, own, root)
}

func (e *Emitter) begin(job Job, name string, parent, root *Parent) *Run {
	r := &Run{e, job.ID, name, parent, root}
	if r.id == uuid.Nil {
		r.id = uuid.Must(uuid.NewV7())
	}
	state := "START"
	if job.IsContinued {
		state = "RUNNING"
	}
	e.send(r.event(state, nil, job.Inputs, job.Outputs))
	return r
}

// End sends the event COMPLETE, or with an error FAIL, or ABORT if ctx has ended.
func (r *Run) End(ctx context.Context, err error, inputs, outputs []Dataset) {
	if r == nil {
		return
	}
	state := "COMPLETE"
	switch {
	case err != nil && ctx.Err() != nil:
		state = "ABORT"
	case err != nil:
		state = "FAIL"
	}
	r.e.send(r.event(state, err, inputs, outputs))
}

// statusError is the status of an answer that is no success. It leaves out the body, because a server may
// quote the key there.
type statusError int

func (e statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", int(e), http.StatusText(int(e))))
}

// isPermanent reports whether sending the same event again cannot help.
func isPermanent(err error) bool {
	status, ok := errors.AsType[statusError](err)
	return ok && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}
