package schemas

import "encoding/json"

// Opt is a value that may be missing; the zero Opt is missing. Value is the zero value of T whenever Present
// is false, so that two Opts can be compared with ==.
type Opt[T comparable] struct {
	Value   T
	Present bool
}

// Some returns a present value.
func Some[T comparable](v T) Opt[T] { return Opt[T]{Value: v, Present: true} }

// Pointer returns nil for a missing value, else a pointer to a copy of it.
func (o Opt[T]) Pointer() *T {
	if !o.Present {
		return nil
	}
	return &o.Value
}

// Map returns f of each element of a list, never nil.
func Map[E, T any](list []E, f func(E) T) []T {
	all := make([]T, len(list))
	for i, e := range list {
		all[i] = f(e)
	}
	return all
}

// FromPointer returns a missing value for nil, else the value pointed to.
func FromPointer[T comparable](p *T) Opt[T] {
	if p == nil {
		return Opt[T]{}
	}
	return Some(*p)
}

// MarshalJSON writes a missing value as null.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.Present {
		return []byte("null"), nil
	}
	return json.Marshal(o.Value)
}

// UnmarshalJSON reads null as a missing value.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	*o = Opt[T]{}
	var p *T
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*o = FromPointer(p)
	return nil
}

// Text is UTF-8 text in which "" means missing. No column holds empty text, so that a missing value has one
// form only.
type Text string

// MarshalJSON writes a missing text as null.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// UnmarshalJSON reads null as a missing text.
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = ""
	return json.Unmarshal(b, (*string)(t))
}
