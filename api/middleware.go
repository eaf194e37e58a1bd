package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"
)

// maxBody is the largest body of a request. No operation needs one.
const maxBody = 64 << 10

// wrap puts the middleware around the operations. From the outside in:
//
//   - observed, so that every answer is counted, the refusals of the others too, and a panic is answered.
//   - identified, so that every answer has an X-Request-Id.
//   - withCORS before the token, because a browser asks first, without one (a preflight), what it may send.
//   - fair, the limits of each client, before the token, so that guessing tokens costs, too.
//   - bounded, then authorized, with the limits of the application whose token it is.
//   - limited, so that waiting for a turn counts, then inTurn, which shares the processors among clients.
//   - compression outside the ETag, which is that of the plain bytes. A stream skips all four: it has no end,
//     and each of its events is compressed and timed by itself.
func wrap(a *API, operations http.Handler) http.Handler {
	plain := limited(a.cfg, inTurn(a.cfg.turns, gzhttp.GzipHandler(withETag(a, operations))))
	routed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isStream(r) {
			operations.ServeHTTP(w, r)
		} else {
			plain.ServeHTTP(w, r)
		}
	})
	admitted := a.clients.fair(bounded(authorized(a.apps, a.metrics, routed)))
	return observed(a, identified(withCORS(a.cfg.CORSOrigins, admitted)))
}

// isStream reports whether a request is for a stream, as observed found out. /v1/stream is none: it is the
// state of the processors, and its stream is /v1/stream/events.
func isStream(r *http.Request) bool {
	at, ok := r.Context().Value(matchedKey{}).(*matched)
	return ok && at.isStream
}

// opensStream reports whether the mux gives a request to a stream. The path alone does not tell, because a
// game may be named "stream", and one named "a/stream" is written a%2Fstream.
func (a *API) opensStream(r *http.Request) bool {
	_, pattern := a.mux.Handler(r)
	// guard: api: a game named stream is no stream | a.streams[pattern] -> pattern != "" && strings.HasSuffix(r.URL.Path, "/stream")
	return a.streams[pattern]
}

// observed counts requests, and answers 500 for a request that panics.
func observed(a *API, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &statusWriter{ResponseWriter: w}
		at := &matched{isStream: a.opensStream(r)}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				a.cfg.Log.Error("a request panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				// guard: api: a client sees that an answer was broken off | seen.status != 0 -> false
				if seen.status != 0 {
					defer panic(http.ErrAbortHandler) // ends the connection
				} else {
					refuse(seen, http.StatusInternalServerError, problemInternal, "this is our fault")
				}
			}
			a.metrics.observe(*at, max(seen.status, http.StatusOK), time.Since(began), at.isStream)
		}()
		next.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), matchedKey{}, at)))
	})
}

// matched carries what inner handlers find out about a request to the middleware around them.
type matched struct {
	pattern string // of the mux
	app     string // whose token it has; "": none was asked for, or it has none
	client  netip.Prefix

	isStream bool // the mux gives it to a stream
}

type matchedKey struct{}

// withPattern is the mux, and records which pattern a request matched. The mux sets Pattern in this copy of
// the request only, which observed does not have.
func withPattern(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at, ok := r.Context().Value(matchedKey{}).(*matched); ok {
			defer func() { at.pattern = r.Pattern }() // of a request that panics, too
		}
		mux.ServeHTTP(w, r)
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

var requestID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// identified sets X-Request-Id on each answer: the request's own, or a fresh one.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !requestID.MatchString(id) {
			id = rand.Text()
		}
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// withCORS allows web pages of the configured origins to read (CORS).
func withCORS(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	all := slices.Contains(origins, "*")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, origin := w.Header(), r.Header.Get("Origin")
		h.Add("Vary", "Origin")
		if origin != "" && (all || slices.Contains(origins, origin)) {
			if all {
				origin = "*"
			}
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id, "+HeaderTarget)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h.Set("Access-Control-Allow-Methods", "GET, HEAD")
				h.Set("Access-Control-Allow-Headers", "Authorization, If-None-Match, Last-Event-ID, X-Request-Id")
				h.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// bounded refuses requests with a large body, and stops reading at the limit.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxBody {
			refuse(w, http.StatusRequestEntityTooLarge, problemTooLarge, "no operation here takes a body")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// authorized requires a token, if there is any, for everything below /v1, and holds an application to its
// limits. Public are the documents (/docs, /openapi.json), and the pages of the dashboard, which ask for the
// token themselves.
func authorized(known *apps, m *metrics, next http.Handler) http.Handler {
	if len(known.byDigest) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1") {
			next.ServeHTTP(w, r)
			return
		}
		scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		from := known.of(strings.TrimSpace(sent))
		// guard: api: the token is asked for | from == nil -> false
		if from == nil || !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="pitchstream"`)
			refuse(w, http.StatusUnauthorized, problemUnauthorized, "want the header Authorization: Bearer TOKEN")
			return
		}
		from.serve(m, w, r, next)
	})
}

// limited ends a request after its timeout. The answer may take WriteLimit more; withETag begins that time
// anew when the answer is ready.
func limited(cfg Config, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), cfg.Timeout)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(cfg.Timeout + cfg.WriteLimit))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Answers above largeAnswer share largeBytes while they are sent. A client that reads slowly holds its
// answer, and many such clients would hold more memory than there is. So those of one client, with those that
// wait, are at most largeShare: else its slow reading would stop the answers to all others. Small answers
// never wait.
const (
	largeAnswer = 32 << 10
	largeBytes  = 64 << 20
	largeShare  = largeBytes / 2
)

// withETag sets the ETag of an answer, and answers 304 if the client has that state already. An error in
// plain text, as of a path that is not there, becomes a problem document (RFC 9457).
func withETag(a *API, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held := &heldWriter{header: w.Header(), status: http.StatusOK}
		next.ServeHTTP(held, r)
		if held.status == http.StatusOK {
			id, since := digest(held.body.Bytes()), deltaSince(r)
			tag := `W/"` + id + `"`
			w.Header().Set("ETag", tag)
			if w.Header().Get("Cache-Control") == "" {
				w.Header().Set("Cache-Control", caching(held.body.Bytes()))
			}
			if matches(strings.Join(r.Header.Values("If-None-Match"), ","), tag) || since == id {
				w.Header().Del("Content-Type")
				w.Header().Del("Content-Length")
				w.WriteHeader(http.StatusNotModified)
				return
			}
			if since != "" {
				if patch, _, err := a.deltas.from(since, held.body.Bytes(), id); err == nil && patch != nil {
					held.body, held.status = *bytes.NewBuffer(patch), http.StatusIMUsed
					w.Header().Del("Content-Length")
					w.Header().Set("Content-Type", mediaPatch)
				}
			}
		} else {
			w.Header().Set("Cache-Control", "no-store")
			if strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
				refuse(w, held.status, problemTypes[held.status], strings.TrimSpace(held.body.String()))
				return
			}
		}
		// a reservation above largeBytes would never be granted
		if size := int64(min(held.body.Len(), largeBytes)); size > largeAnswer {
			if !a.takeTurn(r.Context(), requesterOf(r), size) {
				w.Header().Set("Retry-After", "1")
				refuse(w, http.StatusServiceUnavailable, problemBusy, "too many large answers are being sent")
				return
			}
			defer a.giveBack(requesterOf(r), size)
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(a.cfg.WriteLimit))
		w.WriteHeader(held.status)
		_, _ = w.Write(held.body.Bytes())
	})
}

// takeTurn reserves the bytes of a large answer, until giveBack. While others are sent it waits, but of all
// answers together at most largeBytes wait: beyond that, and beyond the client's share, it returns false at
// once.
func (a *API) takeTurn(ctx context.Context, client requester, size int64) bool {
	// guard: api: a client's large answers leave room for others
	if !a.shares.take(client, size) {
		return false
	}
	if a.large.TryAcquire(size) {
		return true
	}
	// guard: api: few large answers wait
	if !a.waiting.TryAcquire(size) {
		a.shares.give(client, size)
		return false
	}
	defer a.waiting.Release(size)
	defer stepAside(ctx)()
	if a.large.Acquire(ctx, size) != nil {
		a.shares.give(client, size)
		return false
	}
	return true
}

// giveBack ends what takeTurn began.
func (a *API) giveBack(client requester, size int64) {
	a.large.Release(size)
	a.shares.give(client, size)
}

// shares counts the bytes of the large answers of each client.
type shares struct {
	mu   sync.Mutex
	used map[requester]int64 // without those that have none
}

// take counts an answer, and returns false if the client has its share already. One answer is always allowed.
func (s *shares) take(client requester, size int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.used[client]
	if used > 0 && used+size > largeShare {
		return false
	}
	if s.used == nil {
		s.used = map[requester]int64{}
	}
	s.used[client] = used + size
	return true
}

func (s *shares) give(client requester, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[client] -= size; s.used[client] <= 0 {
		delete(s.used, client)
	}
}

func matches(header, tag string) bool {
	for given := range strings.SplitSeq(header, ",") {
		given = strings.TrimSpace(given)
		if given == "*" || strings.TrimPrefix(given, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// caching returns the Cache-Control of an answer. no-cache allows a client to keep it, if it asks each time
// whether it still holds. A browser would so keep an answer from memory with its first age_ms, even over a
// reload, because the ETag leaves out the age: it must not keep that one.
func caching(body []byte) string {
	// guard: api: a browser keeps no answer from memory | bytes.Contains -> false && bytes.Contains
	if bytes.Contains(body, []byte(`"source":"memory"`)) { // in a text the quotes would be escaped
		return "no-store"
	}
	return "no-cache"
}

// heldWriter keeps a whole answer. It shares the headers of the writer behind it.
type heldWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *heldWriter) Header() http.Header         { return w.header }
func (w *heldWriter) Write(b []byte) (int, error) { return w.body.Write(b) }
func (w *heldWriter) WriteHeader(status int)      { w.status = status }

// digest names a state: equal states have equal digests. It leaves out the members lag_ms and age_ms, name
// and value, which change although nothing has happened: {"a":1,"lag_ms":20} and {"a":1,"lag_ms":35} are one
// state. The JSON must have no spaces. Clients keep digests, as ETags and as the ids of events
// (Last-Event-ID), so a change here makes each of them load its state once more.
func digest(body []byte) string {
	sum := sha256.New()
	for {
		at := bytes.Index(body, []byte(`_ms":`))
		if at < 0 {
			break
		}
		end := at + len(`_ms":`)
		// guard: api: an ETag is the state's | n > 0 -> n > 1<<30
		if n := numberOrNull(body[end:]); n > 0 &&
			(bytes.HasSuffix(body[:at], []byte(`"lag`)) || bytes.HasSuffix(body[:at], []byte(`"age`))) {
			sum.Write(body[:at-len(`"lag`)])
			end += n
		} else {
			sum.Write(body[:end])
		}
		body = body[end:]
	}
	sum.Write(body)
	return hex.EncodeToString(sum.Sum(nil)[:12])
}

// numberOrNull returns the length of the null or the whole number at the beginning of b, 0 if there is
// neither.
func numberOrNull(b []byte) (n int) {
	if bytes.HasPrefix(b, []byte("null")) {
		return len("null")
	}
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}
