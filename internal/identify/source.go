package identify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/fileinput"
)

// DefaultMaxFeedBytes bounds one answer of the feed. A whole game of the league has about 4 MiB.
const DefaultMaxFeedBytes = 32 << 20

const (
	requestTimeout = 30 * time.Second
	// wholeEvery is how often the whole document is read although changes are to be had, so that a change that
	// was wrong does not last.
	wholeEvery = 5 * time.Minute
	// firstWait and longestWait bound the time between two requests that failed.
	firstWait   = 2 * time.Second
	longestWait = 2 * time.Minute
	// shortestPoll and longestPoll bound the time between two requests that did not. The feed asks for 10 s.
	shortestPoll, longestPoll = time.Second, time.Minute
)

// source reads one feed, from a file or by HTTP. After the first document it asks for what changed since.
type source struct {
	place    string
	maxBytes int64
	client   *http.Client
	now      func() time.Time

	doc     any   // the whole document; nil: the next request is for all of it
	feed    *feed // of doc, or of the last whole document
	wholeAt time.Time
	changed int64 // bytes of the changes since then

	etag, modified string // of the last whole document
}

// StatusError is an answer that is no document.
type StatusError struct {
	Place      string
	Status     int
	RetryAfter time.Duration // 0: the server did not say
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the server answers %d %s", e.Place, e.Status, http.StatusText(e.Status))
}

// isPassing reports whether the same request may succeed later.
func (e *StatusError) isPassing() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout
}

// IsURL reports whether a place is read by HTTP.
func IsURL(place string) bool {
	return strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://")
}

func newSource(o Options) *source {
	return &source{
		place: o.Feed, maxBytes: cmp.Or(o.MaxFeedBytes, DefaultMaxFeedBytes),
		client: cmp.Or(o.HTTP, http.DefaultClient), now: time.Now,
	}
}

// next returns the newest state of the feed, nil if it is the one that was returned before.
func (s *source) next(ctx context.Context) (*feed, error) {
	if !IsURL(s.place) {
		return s.file(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout,
		fmt.Errorf("%s: no answer within %v", s.place, requestTimeout))
	defer cancel()
	diff := s.diffURL()
	// guard: identify: what patches add up to is bounded | s.changed > s.maxBytes -> false
	isDue := s.changed > s.maxBytes || s.now().Sub(s.wholeAt) >= wholeEvery
	if diff == "" || s.doc == nil || isDue {
		return s.whole(ctx)
	}
	f, err := s.patched(ctx, diff)
	if _, failed := errors.AsType[*patchError](err); failed {
		s.forget() // what is left of the document is of no use
		return s.whole(ctx)
	}
	return f, err
}

func (s *source) file(ctx context.Context) (*feed, error) {
	file, err := fileinput.OpenFile(ctx, s.place, nil)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	document, err := s.read(ctx, file)
	if err != nil {
		return nil, err
	}
	s.feed, err = parseFeed(document)
	return s.feed, err
}

// read reads an answer, which may be packed. Unpacked it may not be larger than the bound, whatever its
// length says.
func (s *source) read(ctx context.Context, r io.Reader) ([]byte, error) {
	const want = "the JSON of feed/live in UTF-8, plain or with gzip or zstd"
	content, err := fileinput.Unpack(ctx, r, want, s.maxBytes+1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.place, err)
	}
	defer content.Close()
	document, err := io.ReadAll(io.LimitReader(content, s.maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.place, err)
	}
	// guard: identify: an answer is bounded
	if int64(len(document)) > s.maxBytes {
		return nil, fmt.Errorf("%s: more than %d bytes: raise --max-feed-bytes, if this is a game's feed",
			s.place, s.maxBytes)
	}
	return document, nil
}

// forget has the next request be for the whole document, whether it changed or not.
func (s *source) forget() { s.doc, s.etag, s.modified = nil, "", "" }

// diffURL returns where changes are to be had, "" if the place is no feed/live.
func (s *source) diffURL() string {
	u, err := url.Parse(s.place)
	if err != nil || s.feed == nil || !strings.HasSuffix(u.Path, "/feed/live") {
		return ""
	}
	u.Path += "/diffPatch"
	q := u.Query()
	q.Set("startTimecode", s.feed.MetaData.TimeStamp)
	u.RawQuery = q.Encode()
	return u.String()
}

// get asks for a document; nil if it has not changed.
func (s *source) get(
	ctx context.Context, place string, ifChanged bool,
) (document []byte, _ http.Header, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "pitchstream")
	if ifChanged && s.etag != "" {
		req.Header.Set("If-None-Match", s.etag)
	} else if ifChanged && s.modified != "" {
		req.Header.Set("If-Modified-Since", s.modified)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		document, err = s.read(ctx, resp.Body)
		return document, resp.Header, err
	case http.StatusNotModified:
		return nil, resp.Header, nil
	}
	return nil, nil, &StatusError{s.place, resp.StatusCode, retryAfter(resp.Header)}
}

// retryAfter reads the seconds of Retry-After. Its other form, a date, is not used by the league.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, longestWait)
}

func (s *source) whole(ctx context.Context) (*feed, error) {
	document, headers, err := s.get(ctx, s.place, s.feed != nil)
	if err != nil {
		return nil, err
	}
	s.wholeAt, s.changed = s.now(), 0
	switch {
	case document == nil && s.feed == nil:
		return nil, fmt.Errorf("%s: the server answers the first request with Not Modified", s.place)
	case document == nil:
		return nil, nil
	}
	f, err := s.accept(document)
	if err == nil {
		s.etag, s.modified = headers.Get("ETag"), headers.Get("Last-Modified")
	}
	return f, err
}

// accept takes a whole document as the present one, nil if it is older than the one that was accepted before.
func (s *source) accept(document []byte) (*feed, error) {
	f, err := parseFeed(document)
	if err != nil {
		return nil, err
	}
	if err := s.check(f); err != nil {
		return nil, err
	}
	var doc any
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, err
	}
	// guard: identify: an older copy from a cache changes nothing
	if s.feed != nil && f.at.Before(s.feed.at) {
		return nil, nil
	}
	s.doc, s.feed = doc, f
	return f, nil
}

// check refuses the document of another game under the same address.
func (s *source) check(f *feed) error {
	if s.feed != nil && f.GamePK != s.feed.GamePK {
		return fmt.Errorf("%s: was game %d, and is game %d now", s.place, s.feed.GamePK, f.GamePK)
	}
	return nil
}

// patchError says that changes do not fit the document, so that all of it must be read again.
type patchError struct{ error }

// patched asks what changed since the present document. The server answers with a list of patches, empty if
// nothing did, or with a whole document if too much did.
func (s *source) patched(ctx context.Context, diff string) (*feed, error) {
	answer, _, err := s.get(ctx, diff, false)
	if status, ok := errors.AsType[*StatusError](err); ok && !status.isPassing() {
		return nil, &patchError{err}
	}
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(answer), []byte("{")) {
		return s.accept(answer)
	}
	doc, operations, err := applyPatches(s.doc, answer)
	if err != nil {
		return nil, &patchError{err}
	}
	s.changed += int64(len(answer))
	if operations == 0 {
		return nil, nil
	}
	document, err := json.Marshal(doc)
	if err != nil {
		return nil, &patchError{err}
	}
	f, err := parseFeed(document)
	if err == nil {
		err = s.check(f)
	}
	// guard: identify: a patch that does not move the time code would be applied twice
	if err == nil && !f.at.After(s.feed.at) {
		err = errors.New("the changes do not move the time code")
	}
	if err != nil {
		return nil, &patchError{err}
	}
	s.doc, s.feed = doc, f
	return f, nil
}
