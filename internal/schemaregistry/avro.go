package schemaregistry

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Avro values become JSON in one pass over their bytes. Libraries make a map of each record first, of which a
// few bytes can make gigabytes. Here the text is bounded while it grows, and nothing else is held. Unions are
// written as their value alone, as the core reads JSON; numbers that JSON lacks are null.
//
// Schemas are read here, too, because a library for them is a megabyte of the binary. The tests compare both
// with one.

// avroType is one type of a schema. Types refer to each other, also in circles.
type avroType struct {
	kind  string
	names []string    // of a record's fields, as JSON with the colon; symbols of an enum, as JSON
	parts []*avroType // of a record's fields, a union's branches, or the one of an array or map
	size  int         // of a fixed
}

// parseAvro returns the type of a schema. texts are the schemas that it refers to, in an order in which each
// knows those before it.
func parseAvro(texts []string, main string) (of *avroType, err error) {
	b := avroParser{named: map[string]*avroType{}}
	for _, text := range append(slices.Clip(texts), main) {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, err
		}
		if of, err = b.parse(v, ""); err != nil {
			return nil, err
		}
	}
	return of, nil
}

// avroParser makes the types of some schemas.
type avroParser struct {
	named map[string]*avroType // by full name
}

var avroPrimitives = strings.Fields("null boolean int long float double bytes string")

// parse returns the type that a part of a schema describes, within a namespace.
func (p *avroParser) parse(v any, namespace string) (*avroType, error) {
	switch x := v.(type) {
	case string:
		return p.byName(x, namespace)
	case []any:
		parts, err := p.parseAll(x, namespace)
		return &avroType{kind: "union", parts: parts}, err
	case map[string]any:
		kind, isText := x["type"].(string)
		if isText && slices.Contains(avroComplex, kind) {
			return p.complex(kind, x, namespace)
		}
		return p.parse(x["type"], namespace)
	}
	return nil, fmt.Errorf("%v is no type", v)
}

var avroComplex = strings.Fields("record error enum fixed array map")

func (p *avroParser) parseAll(list []any, namespace string) (parts []*avroType, err error) {
	for _, v := range list {
		part, err := p.parse(v, namespace)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (p *avroParser) byName(name, namespace string) (*avroType, error) {
	if slices.Contains(avroPrimitives, name) {
		return &avroType{kind: name}, nil
	}
	for _, full := range []string{fullName(name, namespace), name} {
		if known := p.named[full]; known != nil {
			return known, nil
		}
	}
	return nil, fmt.Errorf("the type %q is not defined", name)
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

// complex returns a type with parts or a name. It is known by its name before its parts are parsed, because
// they may contain it.
func (p *avroParser) complex(kind string, x map[string]any, namespace string) (t *avroType, err error) {
	t = &avroType{kind: kind}
	switch kind {
	case "array":
		t.parts, err = p.parseAll([]any{x["items"]}, namespace)
		return t, err
	case "map":
		t.parts, err = p.parseAll([]any{x["values"]}, namespace)
		return t, err
	}
	name, _ := x["name"].(string)
	if own, ok := x["namespace"].(string); ok {
		namespace = own
	}
	full := fullName(name, namespace)
	if name == "" || p.named[full] != nil {
		return nil, fmt.Errorf("a %s has no name of its own: %q", kind, full)
	}
	p.named[full] = t
	switch kind {
	case "enum":
		symbols, _ := x["symbols"].([]any)
		for _, s := range symbols {
			text, _ := s.(string)
			t.names = append(t.names, string(appendText(nil, text)))
		}
		return t, nil
	case "fixed":
		size, ok := x["size"].(float64)
		if !ok || size < 0 || size > math.MaxInt32 {
			return nil, fmt.Errorf("the fixed %s has no size", full)
		}
		t.size = int(size)
		return t, nil
	}
	t.kind = "record"
	fields, _ := x["fields"].([]any)
	for _, f := range fields {
		field, _ := f.(map[string]any)
		name, _ := field["name"].(string)
		part, err := p.parse(field["type"], full[:max(0, strings.LastIndexByte(full, '.'))])
		if err != nil {
			return nil, fmt.Errorf("field %s of %s: %w", name, full, err)
		}
		t.parts = append(t.parts, part)
		t.names = append(t.names, string(appendText(nil, name))+":")
	}
	return t, nil
}

// maxAvroDepth bounds how deep a value may nest.
const maxAvroDepth = 64

var (
	errAvroShort = errors.New("it ends too early")
	errAvroDeep  = errors.New("it nests too deep")
	errAvroLong  = errors.New("as JSON it is larger than the limit of a record")
)

// appendJSON appends a value as JSON of at most limit bytes. The value must end where its type ends.
func (t *avroType) appendJSON(out, value []byte, limit int) ([]byte, error) {
	r := avroReader{in: value, out: out, limit: len(out) + limit}
	if err := r.read(t, 0); err != nil {
		return nil, err
	}
	if len(r.in) > 0 {
		return nil, fmt.Errorf("%d bytes follow it", len(r.in))
	}
	return r.out, nil
}

// avroReader reads from in and writes JSON to out.
type avroReader struct {
	in, out []byte
	limit   int // of out
}

func (r *avroReader) read(t *avroType, depth int) error {
	// guard: registry: Avro that nests deep ends
	if depth > maxAvroDepth {
		return errAvroDeep
	}
	// guard: registry: the JSON of a small Avro value is bounded
	if len(r.out) > r.limit {
		return errAvroLong
	}
	switch t.kind {
	case "null":
		r.out = append(r.out, "null"...)
	case "boolean":
		b, err := r.take(1)
		if err != nil {
			return err
		}
		r.out = strconv.AppendBool(r.out, b[0] != 0)
	case "int", "long":
		n, err := r.long()
		if err != nil {
			return err
		}
		r.out = strconv.AppendInt(r.out, n, 10)
	case "float", "double":
		return r.float(t.kind == "double")
	case "string", "bytes":
		return r.text(t.kind == "bytes")
	case "fixed":
		b, err := r.take(t.size)
		if err != nil {
			return err
		}
		r.out = appendBytes(r.out, b)
	case "enum", "union":
		return r.choice(t, depth)
	case "record":
		return r.record(t, depth)
	default:
		return r.blocks(t, depth)
	}
	return nil
}

func (r *avroReader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.in) {
		return nil, errAvroShort
	}
	b := r.in[:n]
	r.in = r.in[n:]
	return b, nil
}

func (r *avroReader) long() (int64, error) {
	n, size := binary.Varint(r.in)
	if size <= 0 {
		return 0, errAvroShort
	}
	r.in = r.in[size:]
	return n, nil
}

func (r *avroReader) float(isDouble bool) error {
	var v float64
	bits := 32
	if isDouble {
		bits = 64
	}
	b, err := r.take(bits / 8)
	if err != nil {
		return err
	}
	if isDouble {
		v = math.Float64frombits(binary.LittleEndian.Uint64(b))
	} else {
		v = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.out = append(r.out, "null"...)
		return nil
	}
	format := byte('f') // as encoding/json: the core reads no identifier with an exponent
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	r.out = strconv.AppendFloat(r.out, v, format, -1, bits)
	return nil
}

func (r *avroReader) text(isBytes bool) error {
	n, err := r.long()
	if err != nil {
		return err
	}
	if n > int64(len(r.in)) {
		return errAvroShort
	}
	b, err := r.take(int(n))
	switch {
	case err != nil:
		return err
	case len(r.out)+len(b) > r.limit:
		return errAvroLong
	case isBytes:
		r.out = appendBytes(r.out, b)
	default:
		r.out = appendText(r.out, string(b))
	}
	return nil
}

// choice reads which symbol of an enum, or which branch of a union.
func (r *avroReader) choice(t *avroType, depth int) error {
	n, err := r.long()
	if err != nil {
		return err
	}
	if t.kind == "enum" {
		if n < 0 || n >= int64(len(t.names)) {
			return fmt.Errorf("an enum has no symbol %d", n)
		}
		r.out = append(r.out, t.names[n]...)
		return nil
	}
	if n < 0 || n >= int64(len(t.parts)) {
		return fmt.Errorf("a union has no branch %d", n)
	}
	return r.read(t.parts[n], depth+1)
}

func (r *avroReader) record(t *avroType, depth int) error {
	r.out = append(r.out, '{')
	for i, part := range t.parts {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, t.names[i]...)
		if err := r.read(part, depth+1); err != nil {
			return err
		}
	}
	r.out = append(r.out, '}')
	return nil
}

// blocks reads an array or a map: blocks of so many elements each, until one has none. A negative count is
// followed by the bytes of the block. Elements that take no byte end at the limit of the JSON.
func (r *avroReader) blocks(t *avroType, depth int) error {
	open, end := byte('['), byte(']')
	if t.kind == "map" {
		open, end = '{', '}'
	}
	r.out = append(r.out, open)
	isFirst := true
	for {
		n, err := r.long()
		if err != nil {
			return err
		}
		if n == 0 {
			r.out = append(r.out, end)
			return nil
		}
		if n < 0 {
			if n == math.MinInt64 {
				return errAvroShort
			}
			n = -n
			if _, err := r.long(); err != nil {
				return err
			}
		}
		for range n {
			if !isFirst {
				r.out = append(r.out, ',')
			}
			isFirst = false
			if t.kind == "map" {
				if err := r.text(false); err != nil {
					return err
				}
				r.out = append(r.out, ':')
			}
			if err := r.read(t.parts[0], depth+1); err != nil {
				return err
			}
		}
	}
}

const hexDigits = "0123456789abcdef"

// appendText appends a text as JSON. Bytes that are no UTF-8 stay as they are: the core refuses them.
func appendText(out []byte, text string) []byte {
	out = append(out, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"', c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// appendBytes appends bytes as Avro's JSON has them: a text with a character for each byte.
func appendBytes(out, b []byte) []byte {
	out = append(out, '"')
	for _, c := range b {
		switch {
		case c == '"', c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			out = utf8.AppendRune(out, rune(c))
		}
	}
	return append(out, '"')
}
