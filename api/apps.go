package api

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// App is an application that reads with a token and limits of its own. They hold for all its clients
// together, beside the limits of each address.
type App struct {
	Name   string // in metrics: lower-case letters, digits, dots and hyphens
	Token  string
	Digest [sha256.Size]byte // of the token, when Token is ""
	// Rate is how many requests a second it may send over some seconds; 0: no limit. Streams is how many
	// streams it may have open; 0: no limit.
	Rate    float64
	Streams int
}

// maxRate is the greatest limit of requests a second.
const maxRate = 1_000_000

// MaxApps is the largest number of applications. Each has series of its own among the metrics.
const MaxApps = 200

var appName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// sharedApp is the name under which requests with Config.Token are counted.
const sharedApp = "shared"

// apps knows applications by the digests of their tokens. Digests have equal lengths, and a lookup by digest
// reveals nothing about a token.
type apps struct {
	byDigest map[[sha256.Size]byte]*app
}

// app is one application, and what it uses now. All its methods may be called concurrently.
type app struct {
	name       string
	limiter    *rate.Limiter // nil: no limit
	maxStreams int64         // 0: no limit
	streams    atomic.Int64  // open ones
}

// newApps returns the applications of a configuration, with the one of the shared token. It has an error for
// a name that is wrong or given twice, a token that two share, a limit below 0, and too many applications.
func newApps(cfg Config) (*apps, error) {
	if len(cfg.Apps) > MaxApps {
		return nil, fmt.Errorf("%d apps: want at most %d", len(cfg.Apps), MaxApps)
	}
	known := &apps{byDigest: map[[sha256.Size]byte]*app{}}
	names := map[string]bool{sharedApp: true}
	if cfg.Token != "" {
		known.byDigest[sha256.Sum256([]byte(cfg.Token))] = &app{name: sharedApp}
	}
	for _, a := range cfg.Apps {
		if !appName.MatchString(a.Name) || names[a.Name] {
			return nil, fmt.Errorf("app %q: want a name of its own, of lower-case letters, digits, dots and "+
				"hyphens, and not %q", a.Name, sharedApp)
		}
		names[a.Name] = true
		digest := a.Digest
		if a.Token != "" {
			digest = sha256.Sum256([]byte(a.Token))
		}
		if digest == ([sha256.Size]byte{}) {
			return nil, fmt.Errorf("app %q has no token", a.Name)
		}
		// guard: api: an app has a token that is not empty
		if digest == sha256.Sum256(nil) {
			return nil, fmt.Errorf("app %q: this is the digest of an empty token, which everybody has: "+
				"take that of the token, printf %%s TOKEN | sha256sum", a.Name)
		}
		if strings.TrimSpace(a.Token) != a.Token {
			return nil, fmt.Errorf("app %q: its token begins or ends with a blank, which no request can send", a.Name)
		}
		if other := known.byDigest[digest]; other != nil {
			return nil, fmt.Errorf("apps %q and %q have the same token", other.name, a.Name)
		}
		if !(a.Rate >= 0 && a.Rate <= maxRate) || a.Streams < 0 {
			return nil, fmt.Errorf("app %q: limits are 0, for none, or more; at most %d requests a second",
				a.Name, maxRate)
		}
		one := &app{name: a.Name, maxStreams: int64(a.Streams)}
		if a.Rate > 0 {
			one.limiter = rate.NewLimiter(rate.Limit(a.Rate), max(1, int(2*a.Rate)))
		}
		known.byDigest[digest] = one
	}
	return known, nil
}

// of returns the application that a token belongs to, nil if there is none.
func (s *apps) of(token string) *app { return s.byDigest[sha256.Sum256([]byte(token))] }

// open counts a stream until the application's streams are reduced by one. It returns false, and counts
// nothing, if the application has as many as it may have.
func (a *app) open() bool {
	// guard: api: an app's streams are limited
	if n := a.streams.Add(1); a.maxStreams > 0 && n > a.maxStreams {
		a.streams.Add(-1)
		return false
	}
	return true
}

// serve passes a request of this application on, or answers 429 when it has used its share.
func (a *app) serve(m *metrics, w http.ResponseWriter, r *http.Request, next http.Handler) {
	if at, ok := r.Context().Value(matchedKey{}).(*matched); ok {
		at.app = a.name
	}
	// guard: api: an app's requests are limited
	if a.limiter != nil && !a.limiter.Allow() {
		refuseLater(w, secondsFor(a.limiter.Limit()), "the app "+a.name+
			" sends more requests than its share: "+strconv.FormatFloat(float64(a.limiter.Limit()), 'f', -1, 64)+
			" a second")
		return
	}
	if isStream(r) {
		if !a.open() {
			refuseLater(w, 5, "the app "+a.name+" has as many streams as it may have: "+
				strconv.FormatInt(a.maxStreams, 10))
			return
		}
		m.appStreams.WithLabelValues(a.name).Inc()
		defer func() {
			a.streams.Add(-1)
			m.appStreams.WithLabelValues(a.name).Dec()
		}()
	}
	next.ServeHTTP(w, r)
}
