package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// Types of problems (RFC 9457). A client may rely on them, so that of problemUnavailable keeps its old name.
// problemBusy means that the servers answer, and that this request must wait for others or ask for less. A
// client that sends too many requests gets the type of status 429 instead.
const (
	problemNotApplied   = "urn:pitchstream:problem:not-applied-yet"
	problemUnavailable  = "urn:pitchstream:problem:away"
	problemNotFound     = "urn:pitchstream:problem:not-found"
	problemInvalid      = "urn:pitchstream:problem:invalid"
	problemUnauthorized = "urn:pitchstream:problem:unauthorized"
	problemTooLarge     = "urn:pitchstream:problem:too-large"
	problemBusy         = "urn:pitchstream:problem:busy"
	problemUnsupported  = "urn:pitchstream:problem:unsupported"
	problemGone         = "urn:pitchstream:problem:gone"
	problemInternal     = "urn:pitchstream:problem:internal"
)

// problemTypes are the types by status, for problems that give none.
var problemTypes = map[int]string{
	http.StatusBadRequest:            problemInvalid,
	http.StatusUnauthorized:          problemUnauthorized,
	http.StatusNotFound:              problemNotFound,
	http.StatusGone:                  problemGone,
	http.StatusMethodNotAllowed:      "urn:pitchstream:problem:method",
	http.StatusRequestEntityTooLarge: problemTooLarge,
	http.StatusUnprocessableEntity:   problemInvalid,
	http.StatusInternalServerError:   problemInternal,
	http.StatusServiceUnavailable:    problemUnavailable,
	http.StatusTooManyRequests:       "urn:pitchstream:problem:too-many-requests",

	http.StatusRequestHeaderFieldsTooLarge: problemTooLarge,
	http.StatusExpectationFailed:           problemUnsupported,
	http.StatusNotImplemented:              problemUnsupported,
	http.StatusHTTPVersionNotSupported:     problemUnsupported,
}

// huma makes problems itself, as for a parameter that is out of range, and gives them no type.
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

// problemOf returns the problem that a client sees for an error, which may be one already. It is a 422 where
// the store refused a value, else a 503 for any error.
func problemOf(err error) error {
	if known := huma.StatusError(nil); errors.As(err, &known) {
		return err
	}
	if isDataError(err) {
		return huma.Error422UnprocessableEntity("the store refuses a value of this request")
	}
	problemType, detail := problemUnavailable, ""
	var late *notApplied
	switch {
	case errors.As(err, &late):
		problemType, detail = problemNotApplied, late.Error()
	case errors.Is(err, schemas.ErrOccupied):
		problemType, detail = problemBusy, schemas.ErrOccupied.Error()+": try again"
	// guard: api: a slow query is no outage of its store
	case isTooSlow(err):
		problemType, detail = problemBusy, "Postgres took too long for this: ask for less, as with more filters"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		detail = "no answer in time"
	// guard: api: a problem names the server that is missing | errors.Is(err, errStoreUnavailable) -> false
	case errors.Is(err, errStoreUnavailable):
		detail = errStoreUnavailable.Error()
	// guard: api: dead letters that cannot be read are Kafka's | errors.Is(err, errLettersUnavailable) -> false
	case errors.Is(err, errLettersUnavailable):
		detail = errLettersUnavailable.Error()
	default: // without the reason, because it names servers
		detail = errUnavailable.Error()
	}
	return later(unavailable(problemType, detail), "1")
}

func problem(status int, problemType, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Type: problemType, Detail: detail}
}

// unavailable returns a 503 of any type.
func unavailable(problemType, detail string) *huma.ErrorModel {
	return problem(http.StatusServiceUnavailable, problemType, detail)
}

// later returns a problem with the header Retry-After, because it may be over in that many seconds.
func later(p *huma.ErrorModel, seconds string) error {
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {seconds}})
}

// refuse answers a request with a problem where no operation of huma does: in middleware, and for paths and
// methods that have no operation.
func refuse(w http.ResponseWriter, status int, problemType, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem(status, problemType, detail))
}
