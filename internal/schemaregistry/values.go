package schemaregistry

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// prefixBytes is the length of the prefix: a zero byte and the schema's id.
const prefixBytes = 5

// idOf returns the schema id of a value with the prefix. UTF-16 text also begins with a zero byte: where it
// begins as JSON does, it is none, because no registry gives such ids.
func idOf(value []byte) (id int, ok bool) {
	if len(value) < prefixBytes || value[0] != 0 {
		return 0, false
	}
	if strings.IndexByte("{[\" \t\r\n", value[1]) >= 0 && value[2] == 0 {
		return 0, false
	}
	return int(binary.BigEndian.Uint32(value[1:])), true
}

// AppendPrefix appends the prefix of a value with this schema.
func AppendPrefix(b []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(b, 0), uint32(id))
}

// schema is what is known about one id.
type schema struct {
	kind sr.SchemaType
	avro *avroType // of an Avro schema
	// fault says why no value of this schema can be read; "" if they can.
	fault string
	until time.Time // when a fault is asked about again; zero: never
	size  int       // bytes of the text
}

// Transform is features.Transform of a record whose value may have the prefix: the value is read as its
// schema says. A record without the prefix, or whose value does not count (a delete), is as the core sees it.
//
// An error means that the registry did not answer. The record must not be rejected then: try again.
func (c *Client) Transform(
	ctx context.Context, rec schemas.Record, limits features.Limits,
) (schemas.Change, *features.Rejection, error) {
	return c.TransformWith(ctx, rec, limits, features.Transform)
}

// Core is features.Transform, or one that does more with the record.
type Core func(rec schemas.Record, limits features.Limits) (schemas.Change, *features.Rejection)

// TransformWith is Transform with the given core.
func (c *Client) TransformWith(
	ctx context.Context, rec schemas.Record, limits features.Limits, core Core,
) (schemas.Change, *features.Rejection, error) {
	plain, fault, err := c.Plain(ctx, rec, limits)
	if err != nil {
		return schemas.Change{}, nil, err
	}
	change, rejection := core(plain, limits)
	switch {
	case rejection == nil:
	case fault != "" && rejection.Code == schemas.CodeMalformedJSON:
		rejection.Message, rejection.Offset = fault, -1
	// guard: registry: a fault is counted from the value's first byte
	case rejection.Offset >= 0 && len(plain.Value) < len(rec.Value):
		rejection.Offset += prefixBytes
	}
	return change, rejection, nil
}

// Plain returns the record with its value as JSON. fault says why that is not possible, and the record is
// then as it was. A nil Client returns every record as it is.
func (c *Client) Plain(
	ctx context.Context, rec schemas.Record, limits features.Limits,
) (plain schemas.Record, fault string, err error) {
	id, ok := idOf(rec.Value)
	limit := limits.MaxRecordBytes
	if limit <= 0 {
		limit = features.DefaultMaxRecordBytes
	}
	// guard: registry: the registry is not asked about a value that is too large
	if c == nil || !ok || rec.Size() > int64(limit) {
		return rec, "", nil
	}
	s, err := c.schema(ctx, id)
	if err != nil {
		return rec, "", err
	}
	body := rec.Value[prefixBytes:]
	switch {
	case s.fault != "":
		return rec, s.fault, nil
	case s.kind == sr.TypeJSON:
		rec.Value = body
	default:
		text, err := s.avro.appendJSON(nil, body, limit)
		if err != nil {
			fault = fmt.Sprintf("the value is not as its schema %d of the registry says: %v", id, err)
			return rec, bounded(fault), nil
		}
		rec.Value = text
	}
	return rec, "", nil
}

// missingText begins the fault of a value whose schema the registry does not have.
const missingText = "the registry has no schema "

// IsMissing reports whether the message of a dead letter says that the registry did not have the schema of
// the value. It may have it now.
func IsMissing(message string) bool { return strings.Contains(message, missingText) }

// maxFaultBytes keeps a fault below what the message of a rejection may have.
const maxFaultBytes = 400

// bounded returns one line of at most maxFaultBytes.
func bounded(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	if len(text) > maxFaultBytes {
		text = strings.ToValidUTF8(text[:maxFaultBytes], "") + "…"
	}
	return text
}

// schema returns what is known about an id. It asks the registry once about each.
func (c *Client) schema(ctx context.Context, id int) (*schema, error) {
	// Some registries answer such an id as they answer a wrong path, and the value would wait for ever.
	// guard: registry: an id that no registry gives is not asked about | id < 1 -> false
	if id < 1 || id > math.MaxInt32 {
		return &schema{fault: missing(id)}, nil
	}
	if s := c.cache.get(id); s != nil {
		return s, nil
	}
	select {
	case c.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.asking }()
	// guard: registry: many values of one new schema ask once
	if s := c.cache.get(id); s != nil {
		return s, nil
	}
	s, err := c.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	c.cache.add(id, s)
	return s, nil
}

// fetch asks the registry for a schema and those that it refers to.
func (c *Client) fetch(ctx context.Context, id int) (*schema, error) {
	found, err := c.api.SchemaByID(ctx, id)
	until := c.cache.now().Add(missingFor)
	switch {
	// guard: registry: only a schema that is not there is the record's fault | hasCode(err, sr.ErrSchemaNotFound.Code) -> err != nil
	case hasCode(err, sr.ErrSchemaNotFound.Code):
		return &schema{fault: missing(id), until: until}, nil
	// guard: registry: a schema that is too large to read stops nothing
	case errors.Is(err, errTooLong):
		s := &schema{fault: fmt.Sprintf("the value's schema %d cannot be read: %v", id, errTooLong), until: until}
		return s, nil
	case err != nil:
		return nil, named(err)
	}
	s := &schema{kind: found.Type, size: len(found.Schema)}
	switch found.Type {
	case sr.TypeJSON:
	case sr.TypeAvro:
		texts, err := c.references(ctx, found)
		// guard: registry: a reference that is not there stops nothing | isGone(err) -> false
		if isGone(err) {
			s.fault = bounded(fmt.Sprintf("the value's schema %d refers to one that cannot be read: %v", id, err))
			s.until = until
			return s, nil
		}
		if err != nil {
			return nil, named(err)
		}
		for _, text := range texts {
			s.size += len(text)
		}
		if s.avro, err = parseAvro(texts, found.Schema); err != nil {
			s.fault = bounded(fmt.Sprintf("the value's schema %d is no Avro schema that can be read: %v", id, err))
		}
	default:
		s.fault = fmt.Sprintf("the value's schema %d is %v, and raw values are read as JSON Schema or Avro: "+
			"produce one of these", id, found.Type)
	}
	return s, nil
}

// missing is the fault of a value whose schema the registry does not have.
func missing(id int) string {
	return fmt.Sprintf(missingText+"%d, which the value's prefix names", id)
}

// isGone reports whether a schema that another one refers to is not there, or is too large to read.
func isGone(err error) bool {
	return errors.Is(err, errTooLong) || errors.Is(err, errTooMuch) ||
		hasCode(err, sr.ErrSubjectNotFound.Code, sr.ErrVersionNotFound.Code, sr.ErrSchemaNotFound.Code)
}

var errTooMuch = fmt.Errorf("with all that it refers to, it has more than %d bytes", maxSchemaBytes)

// maxReferences bounds the schemas that one schema refers to, also through others.
const maxReferences = 64

// references returns the texts of the schemas that a schema refers to, each behind those that it needs.
func (c *Client) references(ctx context.Context, of sr.Schema) (texts []string, err error) {
	seen := map[string]bool{}
	size := len(of.Schema)
	var visit func(s sr.Schema) error
	visit = func(s sr.Schema) error {
		for _, r := range s.References {
			key := fmt.Sprintf("%s/%d", r.Subject, r.Version)
			if seen[key] || len(seen) == maxReferences {
				continue
			}
			seen[key] = true
			found, err := c.api.SchemaByVersion(ctx, r.Subject, r.Version)
			// guard: registry: the schemas that one refers to are bounded in bytes | size > maxSchemaBytes -> false
			if size += len(found.Schema.Schema); err == nil && size > maxSchemaBytes {
				err = errTooMuch
			}
			if err == nil {
				err = visit(found.Schema)
			}
			if err != nil {
				return err
			}
			texts = append(texts, found.Schema.Schema)
		}
		return nil
	}
	return texts, visit(of)
}
