package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/pitchstream/pitchstream/schemas"
)

// The feed of changes is read page by page from Postgres until a client has caught up. From there on all
// clients send the same bytes, which the tail has read and encoded once (changes_tail.go). A client holds one
// page at a time, within the bounds of large answers, so that many slow ones need no more memory.

// ChangeStore is a Store with a feed of changes. With another Store /v1/changes answers 404.
type ChangeStore interface {
	// Changes returns up to limit changes after a place; nil: none, only how far the feed is. The error is
	// schemas.ErrFeedGone where the feed does not go on from there, schemas.ErrFeedBehind where a standby was
	// asked that does not have the place yet.
	Changes(ctx context.Context, after *schemas.FeedID, limit int) (schemas.FeedPage, error)
}

// Change is one line of the feed.
type Change struct {
	ID          string             `json:"id" example:"3f9a0c2b7d41:48213" doc:"FEED:SEQ, to be kept and given as since"`
	Seq         int64              `json:"seq" doc:"The number of the change: the next one has the next number"`
	Kind        string             `json:"kind" enum:"inserted,corrected,deleted,reassigned,position" doc:"What became of the pitch; reassigned: it has another batter, or none any more. position is no change: all changes up to it were sent"`
	PitchID     *schemas.PitchID   `json:"pitch_id,omitempty" doc:"The pitch"`
	CommittedAt *schemas.TimeMS    `json:"committed_at,omitempty" doc:"When the change was committed"`
	Old         *schemas.StoredRow `json:"old,omitempty" doc:"The row before; not there of an inserted pitch"`
	New         *schemas.StoredRow `json:"new,omitempty" doc:"The row after; not there of a deleted pitch"`
}

type changesIn struct {
	Since       string `query:"since" required:"true" maxLength:"64" pattern:"^(now|start|([0-9a-f]{1,32}:)?[0-9]{1,18})$" example:"3f9a0c2b7d41:48213" doc:"The id of the last change that was seen, as FEED:SEQ: the answer begins behind it. SEQ alone is taken to be of the feed that readers see now. now: behind the newest; start: with the oldest that is kept"`
	Limit       int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"The most changes of an answer that does not follow"`
	Follow      bool   `query:"follow" doc:"Go on with each change as it comes; server-sent events always do"`
	LastEventID string `header:"Last-Event-ID" maxLength:"64" pattern:"^(([0-9a-f]{1,32}:)?[0-9]{1,18})?$" doc:"The id of the last event that was seen; it goes before since"`
	events      bool
}

// Resolve reads Accept, which is no parameter in the document.
func (in *changesIn) Resolve(ctx huma.Context) []error {
	in.events = strings.Contains(ctx.Header("Accept"), mediaSSE)
	return nil
}

const changesDescription = `Each pitch that was inserted, corrected, deleted or given to another batter, with the old and the new row, in the order of
the commits. Numbers have no gap. With Accept: text/event-stream they are server-sent events, else NDJSON, an object on each line. That ends at the newest change or the limit, with a line of the kind position, unless
follow is given; an answer without it was cut off. Keep the id of the last line, and come back with it as since.

410: the feed does not go on from there, because the changes are not kept any more, because readers see another target, or
because the store was restored without them. Take the id of since=now, load the rows anew, then follow from that id.`

const (
	mediaNDJSON = "application/x-ndjson"
	mediaSSE    = "text/event-stream"

	// pageChanges and pageBytes bound what is read of the feed at a time for one client.
	pageChanges = 200
	pageBytes   = 1 << 20
	// writeBytes are written to a client at a time, within Config.WriteLimit.
	writeBytes = 32 << 10
	// pageLoads is how many pages are read from Postgres at a time, so that other requests have connections.
	pageLoads = 3
	// storePause is the pause before a page is asked for again.
	storePause = 500 * time.Millisecond
)

func registerChanges(a *API, api huma.API) {
	line := schemaOf[Change](api)
	event := eventOf(line, line)
	event.Properties["id"].Description = "The id of the change"
	event.Properties["event"].Enum = []any{"inserted", "corrected", "deleted", "reassigned", "position"}
	event.Properties["event"].Description = "The kind of the change"
	op := huma.Operation{
		OperationID: "get-changes", Method: http.MethodGet, Path: "/v1/changes",
		Summary: "Each change of a pitch, in order", Description: changesDescription,
		Errors: append([]int{http.StatusGone}, readErrors...),
		Responses: map[string]*huma.Response{"200": {
			Description: "Changes",
			Content:     map[string]*huma.MediaType{mediaNDJSON: {Schema: line}, mediaSSE: {Schema: event}},
		}},
	}
	a.streams["GET "+op.Path] = true
	huma.Register(api, op, func(ctx context.Context, in *changesIn) (*huma.StreamResponse, error) {
		f, err := openFeed(ctx, a, in)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			defer a.hub.leaveFeed()
			r, w := humago.Unwrap(c)
			f.begin(w)
			// guard: api: HEAD follows no feed
			if r.Method == http.MethodHead {
				return
			}
			f.client = client{w: w, control: http.NewResponseController(w), limit: a.cfg.WriteLimit}
			f.serve(r.Context())
		}}, nil
	})
}

// feedClient is one request for changes. One goroutine uses it.
type feedClient struct {
	client
	api    *API
	from   requester
	store  ChangeStore
	at     schemas.FeedID // all changes up to it were sent
	events bool
	follow bool
	left   int // changes that may be sent without follow
	buffer []byte
}

// openFeed finds the place from which a client is to go on, and counts it as an open stream.
func openFeed(ctx context.Context, a *API, in *changesIn) (*feedClient, error) {
	store, ok := a.cfg.Store.(ChangeStore)
	if !ok {
		return nil, huma.Error404NotFound("this server has no feed of changes")
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	f := &feedClient{api: a, from: requesterIn(ctx), store: store, left: in.Limit, events: in.events}
	f.follow = in.Follow || f.events
	since := in.Since
	if in.LastEventID != "" {
		since = in.LastEventID
	}
	var after *schemas.FeedID
	switch since {
	case "now", "start":
	default:
		id, err := schemas.ParseFeedID(since)
		if err != nil {
			return nil, huma.Error422UnprocessableEntity("since: " + err.Error())
		}
		after = &id
	}
	if f.follow && after != nil && a.tail.covers(*after) { // many that come back at once do not ask Postgres
		f.at = *after
		return f, busyProblem(a.hub.joinFeed())
	}
	var page schemas.FeedPage
	err := f.inLine(ctx, func() (err error) { page, err = askChanges(ctx, a, store, after, 0); return err })
	if err != nil {
		return nil, feedProblem(err)
	}
	f.at = schemas.FeedID{Feed: page.Feed, Seq: page.Newest}
	switch {
	case after != nil:
		f.at.Seq = after.Seq
	case since == "start":
		f.at.Seq = page.Oldest
	}
	return f, busyProblem(a.hub.joinFeed())
}

func busyProblem(err error) error {
	if err == nil {
		return nil
	}
	return later(unavailable(problemBusy, err.Error()), "5")
}

func feedProblem(err error) error {
	if errors.Is(err, schemas.ErrFeedGone) {
		why := strings.TrimPrefix(err.Error(), "postgres: changes: ")
		return huma.Error410Gone(why + ". Take the id of since=now, load the rows anew, then follow from that id")
	}
	return problemOf(err)
}

// inLine calls read while few others read the feed, so that other requests have connections.
func (f *feedClient) inLine(ctx context.Context, read func() error) error {
	q := &f.api.cfg.turns.feed
	if err := q.acquire(ctx, f.from, ahead); err != nil {
		return err
	}
	began := time.Now()
	defer func() { q.release(f.from, time.Since(began)) }()
	return read()
}

// askChanges reads a part of the feed. That the feed does not go on, or not yet, is an answer, and no failure
// of the store.
func askChanges(
	ctx context.Context, a *API, store ChangeStore, after *schemas.FeedID, limit int,
) (page schemas.FeedPage, err error) {
	var answer error
	err = a.sources.askStore(ctx, func(ctx context.Context) (err error) {
		page, err = store.Changes(ctx, after, limit)
		// guard: changes: a standby that lags closes no way | || errors.Is(err, schemas.ErrFeedBehind) ->
		if errors.Is(err, schemas.ErrFeedGone) || errors.Is(err, schemas.ErrFeedBehind) {
			answer, err = err, nil
		}
		return err
	})
	if err == nil {
		err = answer
	}
	return page, err
}

// begin answers with the headers.
func (f *feedClient) begin(w http.ResponseWriter) {
	if f.events {
		beginStream(w, mediaSSE)
	} else {
		beginStream(w, mediaNDJSON)
	}
}

func (f *feedClient) serve(ctx context.Context) {
	_ = f.control.SetReadDeadline(time.Time{})
	if f.events {
		f.buffer = append(f.buffer, "retry: 2000\n\n"...)
	}
	var err error
	if f.follow {
		err = f.position()
	}
	if f.follow && err == nil {
		err = f.followTail(ctx)
	} else if err == nil {
		err = f.sendPages(ctx)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.api.metrics.dropped.Inc()
	}
}

// sendPages sends what there is, up to the limit.
func (f *feedClient) sendPages(ctx context.Context) error {
	for f.left > 0 {
		was := f.at
		newest, err := f.page(ctx)
		if err != nil {
			return err
		}
		if f.at.Seq >= newest {
			break
		}
		// guard: changes: an answer is cut off where nothing came
		if f.at == was {
			return errNothingCame
		}
	}
	return f.position()
}

// followTail sends each change as it comes, until the client is gone or the feed does not go on.
func (f *feedClient) followTail(ctx context.Context) error {
	tail := &f.api.tail
	generation := tail.join(f.at)
	defer tail.leave()
	ping := time.Tick(f.api.cfg.PingEvery)
	for {
		// guard: changes: a client that is behind ends with the streams
		if f.api.hub.isDone() {
			return nil
		}
		entries, moved, where := tail.after(f.at, generation)
		switch where {
		case tailEnded:
			return nil
		case tailBehind:
			was := f.at
			_, err := f.page(ctx)
			if err != nil && (ctx.Err() != nil || !isStoreAway(err)) {
				return err
			}
			// guard: changes: a client does not ask again at once for what did not come | always
			if f.at != was {
				continue
			}
			// guard: changes: a client waits for a store that is unavailable | f.pause(ctx, ping) -> error(nil)
			if err := f.pause(ctx, ping); err != nil {
				return err
			}
			continue
		}
		for _, e := range entries {
			if err := f.send(e); err != nil {
				return err
			}
		}
		if len(entries) > 0 {
			if err := f.flush(); err != nil {
				return err
			}
			continue
		}
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.api.hub.done:
			return nil
		case <-moved:
		case <-ping:
			err = f.keepAlive()
		}
		if err != nil {
			return err
		}
	}
}

// isStoreAway reports whether a page may come later: neither the client nor the feed is at fault.
func isStoreAway(err error) bool {
	return !errors.Is(err, schemas.ErrFeedGone) && !errors.Is(err, os.ErrDeadlineExceeded) &&
		!errors.Is(err, errClientGone)
}

// errNothingCame reports that the store has changes after a place, and did not give them.
var errNothingCame = errors.New("the store did not give what comes next")

var errClientGone = errors.New("the client is gone")

func (f *feedClient) pause(ctx context.Context, ping <-chan time.Time) error {
	t := time.NewTimer(storePause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.api.hub.done:
		return errClientGone
	case <-ping:
		return f.keepAlive()
	case <-t.C:
		return nil
	}
}

func (f *feedClient) keepAlive() error {
	if f.events {
		return f.write([]byte(":\n\n"))
	}
	return f.position()
}

// page reads a page from Postgres and sends it. It returns the newest number of the feed.
func (f *feedClient) page(ctx context.Context) (newest int64, err error) {
	// guard: changes: pages that are being sent are bounded
	if !f.api.takeTurn(ctx, f.from, pageBytes) {
		return 0, errBusy
	}
	defer f.api.giveBack(f.from, pageBytes)
	limit := pageChanges
	if !f.follow {
		limit = min(limit, f.left)
	}
	newest, entries, err := f.load(ctx, limit)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if err := f.send(e); err != nil {
			return 0, err
		}
		f.left--
	}
	return newest, f.flush()
}

// encodePage encodes the first changes of a page, up to pageBytes, and at least one. The next page has the
// rest.
func encodePage(page *schemas.FeedPage) (entries []feedEntry) {
	size, last := 0, 0
	for i := range page.Changes {
		// As much room as the last one took saves most of the copying.
		e := encodeChange(make([]byte, 0, last+last/8), page.Feed, &page.Changes[i])
		last = len(e.frame)
		// guard: changes: a page is bounded in bytes
		if size += len(e.frame); size > pageBytes && i > 0 {
			break
		}
		entries = append(entries, e)
	}
	return entries
}

// load reads a page and encodes it. Its rows are not held while the client reads.
func (f *feedClient) load(ctx context.Context, limit int) (newest int64, entries []feedEntry, err error) {
	err = f.inLine(ctx, func() error {
		newest, entries, err = f.loadInTurn(ctx, limit)
		return err
	})
	return newest, entries, err
}

// loadInTurn computes in a turn, as a request does. Else a client with many connections would take up all
// processors with its pages.
func (f *feedClient) loadInTurn(
	ctx context.Context, limit int,
) (newest int64, entries []feedEntry, err error) {
	turn, err := f.api.cfg.turns.begin(ctx, f.from, ahead)
	if err != nil {
		return 0, nil, err
	}
	defer turn.end()
	var page schemas.FeedPage
	read := func() (err error) {
		page, err = askChanges(ctx, f.api, f.store, &f.at, limit)
		return err
	}
	// guard: changes: pages of one client are read in turn | turn.isCrowded() -> false
	// guard: changes: a page waits for Postgres without a turn | turn.isCrowded() -> true
	if turn.isCrowded() {
		err = read()
	} else {
		turn.leave()
		err = read()
		turn.back(ctx)
	}
	if err != nil {
		return 0, nil, err
	}
	f.at.Feed = page.Feed
	return page.Newest, encodePage(&page), nil
}

// send adds a change to what will be written, and writes when that is enough.
func (f *feedClient) send(e feedEntry) error {
	if f.events {
		f.buffer = append(f.buffer, e.frame...)
	} else {
		f.buffer = append(f.buffer, e.line...)
	}
	// guard: changes: a client gets the feed of its last change | f.at = -> f.at.Seq = e.seq; _ =
	f.at = schemas.FeedID{Feed: e.feed, Seq: e.seq}
	if len(f.buffer) < writeBytes {
		return nil
	}
	return f.flush()
}

func (f *feedClient) flush() error {
	if len(f.buffer) == 0 {
		return nil
	}
	err := f.write(f.buffer)
	if f.buffer = f.buffer[:0]; cap(f.buffer) > 2*writeBytes {
		f.buffer = nil
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%w: %w", errClientGone, err)
	}
	return err
}

// position writes how far the client is.
func (f *feedClient) position() error {
	line, err := json.Marshal(Change{ID: f.at.String(), Seq: f.at.Seq, Kind: "position"})
	if err != nil {
		return err
	}
	if f.events {
		f.buffer = append(append(beginFrame(f.buffer, f.at.String(), "position"), line...), "\n\n"...)
	} else {
		f.buffer = append(append(f.buffer, line...), '\n')
	}
	return f.flush()
}

// feedEntry is an encoded change: an event, and in it the line of NDJSON.
type feedEntry struct {
	feed        string
	seq         int64
	frame, line []byte
}

// encodeChange encodes a change into b, which is empty.
func encodeChange(b []byte, feed string, c *schemas.FeedChange) feedEntry {
	id := schemas.FeedID{Feed: feed, Seq: c.Seq}.String()
	b = beginFrame(b, id, string(c.Kind))
	begin := len(b)
	b = fmt.Appendf(b, `{"id":%q,"seq":%d,"kind":%q,"pitch_id":%q,"committed_at":%q`,
		id, c.Seq, string(c.Kind), c.PitchID.String(),
		c.CommittedAt.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	if c.Old != nil {
		b = c.Old.AppendJSON(append(b, `,"old":`...))
	}
	if c.New != nil {
		b = c.New.AppendJSON(append(b, `,"new":`...))
	}
	b = append(b, "}\n\n"...)
	return feedEntry{feed: feed, seq: c.Seq, frame: b, line: b[begin : len(b)-1 : len(b)-1]}
}
