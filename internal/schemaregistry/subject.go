package schemaregistry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/sr"
)

// Subject returns the subject of a topic's values, by Confluent's TopicNameStrategy.
func Subject(topic string) string { return topic + "-value" }

// RefusedError says that the registry cannot take our schema of a subject, and why. A person must act.
type RefusedError struct {
	Subject string
	Reason  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("schema registry: subject %s: %s", e.Subject, e.Reason)
}

// Status is how a schema stands beside what a subject has.
type Status struct {
	Subject      string   `json:"subject"`
	IsRegistered bool     `json:"registered"` // the subject has this very schema
	ID           int      `json:"id,omitempty"`
	Version      int      `json:"version,omitempty"`
	IsNew        bool     `json:"new"`        // the subject has no schema yet
	IsCompatible bool     `json:"compatible"` // by the rule of the subject; true if it is new
	Messages     []string `json:"messages,omitempty"`
}

// ofRule stands for the versions of a subject that its rule compares: the latest, or with a level that ends
// in TRANSITIVE all. latest is for registries that know only single versions.
const (
	ofRule = -2
	latest = -1
)

// Check compares a schema with its subject. It changes nothing.
func (c *Client) Check(ctx context.Context, subject string, s sr.Schema) (Status, error) {
	status := Status{Subject: subject}
	found, err := c.api.LookupSchema(ctx, subject, s)
	switch {
	case err == nil:
		status.IsRegistered, status.IsCompatible = true, true
		status.ID, status.Version = found.ID, found.Version
		return status, nil
	case !hasCode(err, sr.ErrSubjectNotFound.Code, sr.ErrSchemaNotFound.Code):
		return status, named(err)
	}
	isNew := hasCode(err, sr.ErrSubjectNotFound.Code) // a check against no version at all would pass
	// guard: registry: a schema is compared with all versions that the rule asks for | ofRule -> latest
	result, err := c.compatibility(ctx, subject, ofRule, s)
	if isWithoutPath(err) {
		result, err = c.compatibility(ctx, subject, latest, s)
	}
	switch {
	case err == nil && isNew, hasCode(err, sr.ErrSubjectNotFound.Code, sr.ErrVersionNotFound.Code):
		status.IsNew, status.IsCompatible = true, true
		return status, nil
	case err != nil:
		return status, named(err)
	}
	status.IsCompatible, status.Messages = result.Is, result.Messages
	return status, nil
}

func (c *Client) compatibility(
	ctx context.Context, subject string, version int, s sr.Schema,
) (sr.CheckCompatibilityResult, error) {
	return c.api.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), subject, version, s)
}

// isWithoutPath reports whether the registry does not know what it was asked for, as an old one.
func isWithoutPath(err error) bool {
	var refused *sr.ResponseError
	if !errors.As(err, &refused) {
		return false
	}
	isUnknown := refused.StatusCode == http.StatusNotFound || refused.StatusCode == http.StatusMethodNotAllowed
	return isUnknown && !hasCode(err, sr.ErrSubjectNotFound.Code, sr.ErrVersionNotFound.Code)
}

// schemaID returns the id of a schema in its subject. If the subject lacks the schema, schemaID registers it,
// or with mustExist fails. A *RefusedError says that the registry does not take the schema, or does not have
// it.
func (c *Client) schemaID(ctx context.Context, subject string, s sr.Schema, mustExist bool) (int, error) {
	status, err := c.Check(ctx, subject, s)
	switch {
	case err != nil:
		return 0, err
	case status.IsRegistered:
		return status.ID, nil
	// guard: registry: an incompatible schema is not registered
	case !status.IsCompatible:
		return 0, incompatible(subject, status.Messages)
	case mustExist:
		return 0, &RefusedError{subject, "it does not have the schema of this build: " +
			"run pitchstream schema register, or let processors do it (--schema-registry-auto-register)"}
	}
	return c.register(ctx, subject, s)
}

// register adds a schema to a subject that lacks it, and returns its id.
func (c *Client) register(ctx context.Context, subject string, s sr.Schema) (int, error) {
	id, err := c.api.RegisterSchema(ctx, subject, s, -1, -1)
	var refused *sr.ResponseError
	if errors.As(err, &refused) && refused.StatusCode == http.StatusConflict {
		return 0, incompatible(subject, []string{refused.Message})
	}
	return id, named(err)
}

// Bounds of Rows while the registry does not answer.
const (
	rowsTries = 6
	rowsTime  = 30 * time.Second
)

// Rows compares the schema of the rows of a topic with its subject, and registers it if asked to and it is
// compatible. A registry that does not answer is asked again for some seconds, rowsTries times at most.
func (c *Client) Rows(ctx context.Context, topic string, f Format, register bool) (Status, error) {
	s, err := RowSchema(f)
	if err != nil {
		return Status{}, err
	}
	// guard: registry: a registry that is down for a moment is asked again | rowsTries -> 1
	tries := backoff.WithMaxTries(rowsTries)
	return backoff.Retry(ctx, func() (Status, error) {
		status, err := c.rows(ctx, topic, s, register)
		// guard: registry: what the registry refuses is not asked again | IsPermanent(err) -> false
		if err != nil && IsPermanent(err) {
			err = backoff.Permanent(err)
		}
		return status, err
	}, tries, backoff.WithBackOff(c.pauses()), backoff.WithMaxElapsedTime(rowsTime))
}

func (c *Client) rows(ctx context.Context, topic string, s sr.Schema, register bool) (Status, error) {
	status, err := c.Check(ctx, Subject(topic), s)
	if err != nil || !register || status.IsRegistered || !status.IsCompatible {
		return status, err
	}
	if _, err := c.register(ctx, Subject(topic), s); err != nil {
		return Status{}, err
	}
	return c.Check(ctx, Subject(topic), s)
}

// RowWriter returns the encoder of rows of a topic, whose schema it registers, or looks up if mustExist is
// set. It returns nil for plain JSON. A *RefusedError says that the registry does not take the schema.
func (c *Client) RowWriter(ctx context.Context, topic string, f Format, mustExist bool) (AppendRow, error) {
	if f == JSON || f == "" || topic == "" {
		return nil, nil
	}
	s, err := RowSchema(f)
	if err != nil {
		return nil, err
	}
	id, err := c.schemaID(ctx, Subject(topic), s, mustExist)
	if err != nil {
		return nil, err
	}
	return appendRow(f, id), nil
}

// Print writes one line, and one for each reason why the schema is not compatible.
func (s Status) Print(w io.Writer) error {
	text := "compatible with what is there, not registered yet"
	switch {
	case s.IsRegistered:
		text = fmt.Sprintf("registered as version %d, id %d", s.Version, s.ID)
	case s.IsNew:
		text = "the subject has no schema yet"
	case !s.IsCompatible:
		text = "NOT COMPATIBLE with what is there"
	}
	lines := append([]string{s.Subject + ": " + text}, s.Messages...)
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n  "))
	return err
}

func incompatible(subject string, messages []string) error {
	reason := "the schema of this build is not compatible with what the subject has"
	if why := bounded(strings.Join(messages, "; ")); why != "" {
		reason += ": " + why
	}
	return &RefusedError{subject, reason + ": change the compatibility of the subject, or name another topic"}
}
