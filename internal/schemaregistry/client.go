// Package schemaregistry reads and writes values in the wire format of Confluent's Schema Registry: a zero
// byte, the id of the value's schema in four bytes, and the value.
//
//	client.go   asks the registry: bounded answers, which errors are permanent
//	values.go   raw values with the prefix, as the JSON that the core reads
//	avro.go     Avro to JSON, bounded in bytes
//	subject.go  the schema of a topic's values: check, register, look up
//	rows.go     rows as JSON Schema, Avro or Protobuf
//
// A registry that does not answer is never the fault of a record. Only these answers about a value are
// permanent: the registry does not have its schema (40403), or one that it refers to. The schema is larger
// than we read, or it cannot read the value. Every other error is returned, and the caller tries again.
package schemaregistry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/twmb/franz-go/pkg/sr"
)

// Limits of what a registry answers and of what is kept of it.
const (
	// maxAnswerBytes bounds one answer, so that a schema has less.
	maxAnswerBytes = 1 << 20
	// maxKeptBytes and maxKept bound the schemas that are kept, by the bytes of their texts and by number.
	maxKeptBytes = 8 << 20
	maxKept      = 1000
	// maxSchemaBytes bounds a schema with all that it refers to.
	maxSchemaBytes = 4 << 20
	// requestTimeout bounds one request, with its answer.
	requestTimeout = 10 * time.Second
	// missingFor is how long an id that the registry does not have is not asked for again.
	missingFor = 30 * time.Second
)

// Options say how to reach a registry.
type Options struct {
	URLs     []string // http:// or https://, tried in this order; with a path where the registry has one
	User     string   // "": no login
	Password string
	TLS      *tls.Config // nil: the system's authorities
}

// Client asks one registry. It is safe for concurrent use. A nil *Client stands for no registry: Transform is
// then that of the core.
type Client struct {
	api *sr.Client

	// asking has a place for one request about a schema, so that many goroutines with values of one new schema
	// ask once.
	asking chan struct{}

	pauses func() backoff.BackOff // between the attempts of Rows

	cache cache
}

// Open returns a client. It does not connect yet.
func Open(o Options) (*Client, error) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("schema registry: the default transport of HTTP was replaced")
	}
	transport = transport.Clone()
	if o.TLS != nil {
		transport.TLSClientConfig = o.TLS
	}
	options := []sr.ClientOpt{
		sr.URLs(o.URLs...), sr.UserAgent("pitchstream"),
		sr.HTTPClient(&http.Client{Timeout: requestTimeout, Transport: boundedTransport{transport}}),
	}
	if o.User != "" || o.Password != "" {
		options = append(options, sr.BasicAuth(o.User, o.Password))
	}
	api, err := sr.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	c := &Client{
		api: api, asking: make(chan struct{}, 1), cache: cache{now: time.Now},
		pauses: func() backoff.BackOff { return backoff.NewExponentialBackOff() },
	}
	c.cache.kept, err = simplelru.NewLRU(maxKept, func(_ int, s *schema) { c.cache.size -= s.size })
	return c, err
}

// cache keeps what is known about the ids that were used last. It is safe for concurrent use.
type cache struct {
	now func() time.Time

	mu   sync.Mutex
	kept *simplelru.LRU[int, *schema] // by id; guarded by mu
	size int                          // bytes of the texts of kept; guarded by mu
}

// get returns nil for an id that is not known, or must be asked about again.
func (c *cache) get(id int) *schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.kept.Get(id)
	if !ok || !s.until.IsZero() && !c.now().Before(s.until) {
		return nil
	}
	return s
}

func (c *cache) add(id int, s *schema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Remove(id)
	c.size += s.size
	c.kept.Add(id, s)
	// guard: registry: the schemas that are kept are bounded in bytes
	for c.size > maxKeptBytes && c.kept.Len() > 1 {
		c.kept.RemoveOldest()
	}
}

// boundedTransport refuses answers of more than maxAnswerBytes.
type boundedTransport struct{ of http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.of.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// A page of a proxy is no answer of the registry, whose answers are JSON.
	tooLong := errLongPage
	if resp.StatusCode < 300 && strings.Contains(resp.Header.Get("Content-Type"), "json") {
		tooLong = errTooLong
	}
	// guard: registry: an answer is bounded
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxAnswerBytes, tooLong: tooLong}
	return resp, nil
}

// Errors of an answer that is too long. errTooLong says that a schema is.
var (
	errTooLong  = fmt.Errorf("the answer has more than %d bytes", maxAnswerBytes)
	errLongPage = fmt.Errorf("the answer has more than %d bytes, and is not that of a registry", maxAnswerBytes)
)

// boundedBody fails with tooLong once more than left bytes were read.
type boundedBody struct {
	io.ReadCloser
	left    int
	tooLong error
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, b.tooLong
	}
	return n, err
}

// Ping asks the registry which types of schemas it has.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.api.SupportedTypes(ctx)
	return named(err)
}

// named returns an error of the client that names the registry.
func named(err error) error {
	if err == nil {
		return nil
	}
	var refused *sr.ResponseError
	if errors.As(err, &refused) {
		return fmt.Errorf("schema registry: HTTP status %d: %w", refused.StatusCode, err)
	}
	return fmt.Errorf("schema registry: %w", err)
}

// hasCode reports whether the registry has answered with one of these error codes.
func hasCode(err error, codes ...int) bool {
	var refused *sr.ResponseError
	if !errors.As(err, &refused) {
		return false
	}
	for _, code := range codes {
		if refused.ErrorCode == code {
			return true
		}
	}
	return false
}

// IsPermanent reports whether the registry has refused a request, so that asking again does not help: it is
// not allowed, not valid, or not there.
func IsPermanent(err error) bool {
	if errors.As(err, new(*RefusedError)) {
		return true
	}
	var refused *sr.ResponseError
	if !errors.As(err, &refused) {
		return false
	}
	s := refused.StatusCode
	return s >= 400 && s < 500 && s != http.StatusRequestTimeout && s != http.StatusTooManyRequests
}
