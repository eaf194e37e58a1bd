package blob

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Bounds of one request. Storage that is slow is waited for as long as bytes arrive.
const (
	attempts     = 6                // of one request or read, before it is an error
	stallTimeout = 30 * time.Second // without an answer, or a byte of it
	partBytes    = 16 << 20         // of a file that is sent in parts
)

// maxListed bounds a list of files in storage, of some 300 bytes each. It is a variable only so that a test
// can reach it.
var maxListed = 2_000_000

// address is what the URL of remote storage says.
type address struct {
	scheme, bucket, prefix string
	endpoint               string // host:port
	region                 string
	isPlain                bool // without TLS
	isPathStyle            bool // the bucket is in the path, not in the host's name
}

// parseRemote reads s3://bucket/prefix?endpoint=…&region=… or gs://bucket/prefix.
func parseRemote(text string) (a address, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return a, errors.New("want a URL as s3://bucket/prefix, gs://bucket/prefix or file:///folder")
	case u.User != nil:
		return a, errors.New("a URL has no user and password: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, " +
			"or a profile of ~/.aws/credentials as AWS_PROFILE")
	case !slices.Contains(schemes, u.Scheme+"://"), u.Scheme == "file":
		return a, fmt.Errorf("%s:// is no storage that can be reached: want s3://bucket/prefix, "+
			"gs://bucket/prefix or file:///folder (Azure: through a gateway that speaks S3)", u.Scheme)
	case u.Host == "":
		return a, fmt.Errorf("the bucket is missing: want %s://bucket/prefix", u.Scheme)
	}
	a = address{scheme: u.Scheme, bucket: u.Host, prefix: strings.Trim(u.Path, "/")}
	query := u.Query()
	for name := range query {
		if name != "endpoint" && name != "region" {
			return a, fmt.Errorf("?%s= is not known: want endpoint and region", name)
		}
	}
	byDefault := "https://s3.amazonaws.com"
	if a.scheme == "gs" {
		byDefault = "https://storage.googleapis.com"
	} else {
		byDefault = cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), byDefault)
	}
	endpoint := cmp.Or(query.Get("endpoint"), byDefault)
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return a, errors.New("endpoint: want https://host:port")
	}
	a.endpoint, a.isPlain = at.Host, at.Scheme == "http"
	a.isPathStyle = !strings.HasSuffix(at.Hostname(), ".amazonaws.com")
	a.region = cmp.Or(query.Get("region"), os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	return a, nil
}

// remote is a Store in storage that speaks S3.
type remote struct {
	at  address
	api minio.Core
}

func openRemote(text string) (Store, error) {
	at, err := parseRemote(text)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(!at.isPlain)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupAuto
	if at.isPathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(at.endpoint, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{},
			&credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
		}),
		Secure: !at.isPlain, Transport: transport, Region: at.region, BucketLookup: lookup, MaxRetries: attempts,
	})
	if err != nil {
		return nil, fmt.Errorf("storage %s: %w", Hide(text), err)
	}
	client.SetAppInfo("pitchstream", "1")
	return &remote{at, minio.Core{Client: client}}, nil
}

// newTransport returns a transport that trusts the authorities of AWS_CA_BUNDLE, as other programs do.
func newTransport(isSecure bool) (*http.Transport, error) {
	t, err := minio.DefaultTransport(isSecure)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	t.ResponseHeaderTimeout = stallTimeout
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	if file := os.Getenv("AWS_CA_BUNDLE"); file != "" && isSecure {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %s has no certificate", file)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return t, nil
}

func (r *remote) URL() string {
	return r.at.scheme + "://" + path.Join(r.at.bucket, r.at.prefix)
}

func (r *remote) key(name string) string { return path.Join(r.at.prefix, name) }

// failed returns an error with the URL of the file and what to do.
func (r *remote) failed(name string, err error) error {
	where := r.URL()
	if name != "" {
		where += "/" + name
	}
	answer := minio.ToErrorResponse(err)
	switch {
	case answer.Code == minio.NoSuchKey, answer.Code == "" && answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("storage %s: %w", where, ErrNotFound)
	case answer.StatusCode == http.StatusPreconditionFailed, answer.StatusCode == http.StatusConflict:
		return fmt.Errorf("storage %s: %w", where, ErrChanged)
	case answer.Code == minio.NoSuchBucket:
		return fmt.Errorf("storage %s: there is no bucket %s: create it", where, r.at.bucket)
	// guard: blob: a wrong region is told from a refusal | isOfRegion(answer) -> false
	case isOfRegion(answer):
		return fmt.Errorf("storage %s: the bucket is not in region %s (%s%s): give its region as ?region=NAME or "+
			"AWS_REGION", where, cmp.Or(r.at.region, "us-east-1"), answer.Code, inRegion(answer.Region))
	// guard: blob: missing credentials are told from refused ones | r.isAnonymous() -> false
	case isRefusal(answer) && r.isAnonymous():
		return fmt.Errorf("storage %s: no credentials were found: give AWS_ACCESS_KEY_ID and "+
			"AWS_SECRET_ACCESS_KEY, a profile of ~/.aws/credentials as AWS_PROFILE, or a role of this machine", where)
	case isRefusal(answer):
		return fmt.Errorf("storage %s: the server refuses these credentials (%s: %s): give valid ones as "+
			"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, AWS_PROFILE, or a role of this machine",
			where, cmp.Or(answer.Code, "403"), strings.TrimSuffix(answer.Message, "."))
	}
	return fmt.Errorf("storage %s: %w", where, err)
}

func isRefusal(answer minio.ErrorResponse) bool {
	return slices.Contains(refusals, answer.Code) || answer.StatusCode == http.StatusForbidden
}

// isOfRegion reports whether a server answers so because the bucket is in another region.
func isOfRegion(answer minio.ErrorResponse) bool {
	return slices.Contains([]string{
		"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "InvalidRegion", "PermanentRedirect",
	}, answer.Code)
}

func inRegion(name string) string {
	if name == "" {
		return ""
	}
	return ": it is in " + name
}

// isAnonymous reports whether requests are not signed, because no credentials were found.
func (r *remote) isAnonymous() bool {
	c, err := r.api.GetCreds()
	return err == nil && c.SignerType.IsAnonymous()
}

// refusals are the codes of credentials that a server does not take.
var refusals = []string{
	"AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch",
	"TokenRefreshRequired",
}

func (r *remote) List(ctx context.Context, prefix string) (found []Object, err error) {
	below := r.key("")
	if below != "" {
		below += "/"
	}
	options := minio.ListObjectsOptions{Prefix: below + prefix, Recursive: true}
	for o := range r.api.Client.ListObjectsIter(ctx, r.at.bucket, options) {
		if o.Err != nil {
			return nil, r.failed(prefix, o.Err)
		}
		// guard: blob: a list is bounded | len(found) == maxListed -> false
		if len(found) == maxListed {
			return nil, fmt.Errorf("storage %s/%s: more than %d files: name a longer prefix", r.URL(), prefix,
				maxListed)
		}
		name := strings.TrimPrefix(o.Key, below)
		tag := strings.Trim(o.ETag, `"`)
		found = append(found, Object{Name: name, Bytes: o.Size, Tag: tag, Modified: o.LastModified})
	}
	return found, nil
}

func (r *remote) Read(ctx context.Context, name string, limit int64) ([]byte, Object, error) {
	in, at, err := r.Open(ctx, name)
	if err != nil {
		return nil, at, err
	}
	defer in.Close()
	// guard: blob: a file that is too large is not read
	if at.Bytes > limit {
		return nil, at, fmt.Errorf("storage %s/%s: %d bytes: %w", r.URL(), name, at.Bytes, ErrTooLarge)
	}
	content := make([]byte, at.Bytes)
	_, err = io.ReadFull(in, content)
	return content, at, err
}

func (r *remote) Open(ctx context.Context, name string) (io.ReadCloser, Object, error) {
	return r.OpenTagged(ctx, name, "")
}

func (r *remote) OpenTagged(ctx context.Context, name, tag string) (io.ReadCloser, Object, error) {
	in := &stream{ctx: ctx, of: r, name: name, at: Object{Tag: tag}}
	if err := in.open(); err != nil {
		return nil, Object{}, err
	}
	return in, in.at, nil
}

// Put has no time limit of its own: the client bounds each attempt, and tries again what may pass.
func (r *remote) Put(ctx context.Context, name string, content []byte, condition string) (string, error) {
	o := minio.PutObjectOptions{DisableMultipart: true}
	switch condition {
	case Always:
	case Absent:
		o.SetMatchETagExcept("*")
	default:
		o.SetMatchETag(condition)
	}
	size := int64(len(content))
	info, err := r.api.Client.PutObject(ctx, r.at.bucket, r.key(name), bytes.NewReader(content), size, o)
	if err != nil {
		return "", r.failed(name, err)
	}
	return info.ETag, nil
}

func (r *remote) PutFile(ctx context.Context, name, path string) error {
	_, err := r.api.FPutObject(ctx, r.at.bucket, r.key(name), path, minio.PutObjectOptions{PartSize: partBytes})
	if err != nil {
		return r.failed(name, err)
	}
	return nil
}

func (r *remote) Delete(ctx context.Context, name string) error {
	err := r.api.RemoveObject(ctx, r.at.bucket, r.key(name), minio.RemoveObjectOptions{})
	if err != nil {
		return r.failed(name, err)
	}
	return nil
}

// stream reads one content of a file. It connects again where a read broke off.
type stream struct {
	ctx    context.Context
	of     *remote
	name   string
	at     Object
	next   int64 // offset of the next byte
	body   io.ReadCloser
	stall  *time.Timer // ends a connection on which nothing arrives
	cancel context.CancelFunc
	failed int // attempts in a row without a byte
}

// open asks for the bytes from next on, of the content that the first answer had.
func (s *stream) open() error {
	ctx, cancel := context.WithCancel(s.ctx)
	o := minio.GetObjectOptions{}
	if s.next > 0 {
		o.Set("Range", "bytes="+strconv.FormatInt(s.next, 10)+"-")
	}
	if s.at.Tag != "" {
		if err := o.SetMatchETag(s.at.Tag); err != nil {
			cancel()
			return s.of.failed(s.name, err)
		}
	}
	body, info, _, err := s.of.api.GetObject(ctx, s.of.at.bucket, s.of.key(s.name), o)
	if err != nil {
		cancel()
		return s.of.failed(s.name, err)
	}
	if s.at.Name == "" {
		s.at = Object{Name: s.name, Bytes: info.Size, Tag: info.ETag, Modified: info.LastModified}
	}
	s.body, s.cancel = body, cancel
	s.stall = time.AfterFunc(stallTimeout, cancel)
	return nil
}

func (s *stream) drop() {
	if s.body != nil {
		s.stall.Stop()
		_ = s.body.Close()
		s.cancel()
		s.body = nil
	}
}

// Read returns io.EOF only where the file ends.
func (s *stream) Read(p []byte) (int, error) {
	pause := backoff.NewExponentialBackOff()
	for {
		var err error
		if s.body == nil {
			err = s.open()
		}
		if err == nil {
			var n int
			s.stall.Reset(stallTimeout)
			n, err = s.body.Read(p)
			s.stall.Stop()
			s.next += int64(n)
			if n > 0 {
				s.failed = 0
				return n, nil
			}
			// guard: blob: an answer that was cut is no end of the file | s.next >= s.at.Bytes -> true
			if err == io.EOF && s.next >= s.at.Bytes {
				return 0, io.EOF
			}
			if err == nil && len(p) == 0 {
				return 0, nil
			}
		}
		s.drop()
		if s.failed++; s.failed >= attempts || s.ctx.Err() != nil ||
			errors.Is(err, ErrChanged) || errors.Is(err, ErrNotFound) {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("storage %s/%s: the answer ends after %d of %d bytes: %w",
					s.of.URL(), s.name, s.next, s.at.Bytes, io.ErrUnexpectedEOF)
			}
			return 0, err
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-s.ctx.Done():
			return 0, context.Cause(s.ctx)
		}
	}
}

func (s *stream) Close() error {
	s.drop()
	return nil
}
