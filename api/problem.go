package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// Types of problems (RFC 9457). A client may rely on them; problemUnavailable ends in its old name.
const (
	problemAtLeast     = "urn:pitchstream:problem:not-applied-yet"
	problemUnavailable = "urn:pitchstream:problem:away"
	problemMissing     = "urn:pitchstream:problem:not-found"
	problemInput       = "urn:pitchstream:problem:invalid"
	problemToken       = "urn:pitchstream:problem:unauthorized"
	problemLarge       = "urn:pitchstream:problem:too-large"
	problemBusy        = "urn:pitchstream:problem:busy"
	problemUnsupported = "urn:pitchstream:problem:unsupported"
	problemGone        = "urn:pitchstream:problem:gone"
	problemBug         = "urn:pitchstream:problem:internal"
)

var problemTypes = map[int]string{
	http.StatusBadRequest:            problemInput,
	http.StatusUnauthorized:          problemToken,
	http.StatusNotFound:              problemMissing,
	http.StatusGone:                  problemGone,
	http.StatusMethodNotAllowed:      "urn:pitchstream:problem:method",
	http.StatusRequestEntityTooLarge: problemLarge,
	http.StatusUnprocessableEntity:   problemInput,
	http.StatusInternalServerError:   problemBug,
	http.StatusServiceUnavailable:    problemUnavailable,
	http.StatusTooManyRequests:       "urn:pitchstream:problem:too-many-requests",

	http.StatusRequestHeaderFieldsTooLarge: problemLarge,
	http.StatusExpectationFailed:           problemUnsupported,
	http.StatusNotImplemented:              problemUnsupported,
	http.StatusHTTPVersionNotSupported:     problemUnsupported,
}

func init() {
	plain := huma.NewError
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		err := plain(status, message, errs...)
		if m, ok := err.(*huma.ErrorModel); ok && m.Type == "" {
			// guard: api: a problem has the type of its status
			m.Type = problemTypes[status]
		}
		return err
	}
}

// problemOf returns the problem that a client sees for an error, which may be one already.
func problemOf(err error) error {
	if known := huma.StatusError(nil); errors.As(err, &known) {
		return err
	}
	p := unavailable(problemUnavailable, "")
	var late *notApplied
	switch {
	case isDataError(err):
		return huma.Error422UnprocessableEntity("the store refuses a value of this request")
	case errors.As(err, &late):
		p.Type, p.Detail = problemAtLeast, late.Error()
	case errors.Is(err, schemas.ErrOccupied):
		p.Type, p.Detail = problemBusy, schemas.ErrOccupied.Error()+": try again"
	// guard: api: a slow query is no outage of its store
	case isTooSlow(err):
		p.Type, p.Detail = problemBusy, "Postgres took too long for this: ask for less, as with more filters"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p.Detail = "no answer in time"
	// guard: api: a problem names the server that is missing | errors.Is(err, errStoreUnavailable) -> false
	case errors.Is(err, errStoreUnavailable):
		p.Detail = errStoreUnavailable.Error()
	// guard: api: dead letters that cannot be read are Kafka's | errors.Is(err, errLettersUnavailable) -> false
	case errors.Is(err, errLettersUnavailable):
		p.Detail = errLettersUnavailable.Error()
	default: // without the reason, because it names servers
		p.Detail = errUnavailable.Error()
	}
	return later(p, "1")
}

func problem(status int, problemType, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Type: problemType, Detail: detail}
}

// unavailable returns a 503.
func unavailable(problemType, detail string) *huma.ErrorModel {
	return problem(http.StatusServiceUnavailable, problemType, detail)
}

// later returns a problem that may be over in that many seconds.
func later(p *huma.ErrorModel, seconds string) error {
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {seconds}})
}

// refuse answers outside of an operation.
func refuse(w http.ResponseWriter, status int, problemType, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem(status, problemType, detail))
}
