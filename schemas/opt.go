package schemas

import (
	"bytes"
	"encoding/json"
)

// Opt is a value that may be missing. The zero Opt is missing. Value is the zero value whenever Present is false, so
// that two Opts can be compared with ==.
type Opt[T comparable] struct {
	Value   T
	Present bool
}

// Some is a present value.
func Some[T comparable](v T) Opt[T] { return Opt[T]{Value: v, Present: true} }

// Pointer is nil where the value is missing, else a pointer to a copy of it.
func (o Opt[T]) Pointer() *T {
	if !o.Present {
		return nil
	}
	v := o.Value
	return &v
}

// FromPointer is missing for nil, else the value pointed to.
func FromPointer[T comparable](p *T) Opt[T] {
	if p == nil {
		return Opt[T]{}
	}
	return Some(*p)
}

// MarshalJSON gives null for a missing value.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.Present {
		return []byte("null"), nil
	}
	return json.Marshal(o.Value)
}

// UnmarshalJSON reads null as missing.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	*o = Opt[T]{}
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	if err := json.Unmarshal(b, &o.Value); err != nil {
		return err
	}
	o.Present = true
	return nil
}

// Text is UTF-8 text in which "" means missing: no column holds empty text.
type Text string

// MarshalJSON gives null for a missing text.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// UnmarshalJSON reads null as missing.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*t = ""
	if s != nil {
		*t = Text(*s)
	}
	return nil
}
