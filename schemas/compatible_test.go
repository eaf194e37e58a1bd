package schemas_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// reader says who reads the values that a schema describes: this program reads records, and others read rows
// and dead letters. A schema of values that this program reads may become less strict, and never stricter. A
// schema of values that it writes may become stricter, and never less strict.
type reader int

const (
	weRead reader = iota
	othersRead
)

// incompatible returns the changes since an older schema that only a new major version may make, each with
// its JSON pointer. If there is none, a reader that knows only the old schema reads every value correctly.
func incompatible(who reader, before, after map[string]any) (broken []string) {
	c := comparison{who: who}
	c.schema("", before, after)
	return c.broken
}

type comparison struct {
	who    reader
	broken []string
}

func (c *comparison) tell(at, format string, args ...any) {
	c.broken = append(c.broken, at+": "+fmt.Sprintf(format, args...))
}

// annotations are for people: no value is valid or not for what they say.
var annotations = []string{"$id", "$comment", "title", "description", "examples", "default", "deprecated"}

// schema compares two schemas that stand at the same place.
func (c *comparison) schema(at string, before, after map[string]any) {
	for _, word := range slices.Sorted(maps.Keys(union(before, after))) {
		a, b, at := before[word], after[word], at+"/"+word
		switch word {
		case "properties", "$defs":
			c.members(at, object(a), object(b))
		case "required":
			c.required(at, words(a), words(b))
		case "type":
			c.types(at, words(a), words(b))
		case "enum":
			c.enum(at, a, b)
		default:
			if !slices.Contains(annotations, word) {
				c.other(at, a, b)
			}
		}
	}
}

// members: none is removed; a new one costs no sender anything, as long as it is not required.
func (c *comparison) members(at string, before, after map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, stays := after[name]; !stays {
			c.tell(at+"/"+name, "was removed")
			continue
		}
		c.other(at+"/"+name, before[name], after[name])
	}
}

func (c *comparison) required(at string, before, after []string) {
	for _, name := range after {
		if !slices.Contains(before, name) {
			c.tell(at, "%s is newly required", name)
		}
	}
	for _, name := range before {
		if !slices.Contains(after, name) && c.who == othersRead {
			c.tell(at, "%s may be absent now", name)
		}
	}
}

// types: the type of a value stays. That it may be null is another thing: of what we read it may come, of
// what others read it may go.
func (c *comparison) types(at string, before, after []string) {
	null := func(types []string) (rest []string, has bool) {
		rest = slices.DeleteFunc(slices.Sorted(slices.Values(types)), func(s string) bool { return s == "null" })
		return rest, slices.Contains(types, "null")
	}
	a, wasNull := null(before)
	b, isNull := null(after)
	switch {
	case !slices.Equal(a, b):
		c.tell(at, "was %s, is %s", strings.Join(before, " or "), strings.Join(after, " or "))
	case isNull && !wasNull && c.who == othersRead:
		c.tell(at, "may be null now")
	case wasNull && !isNull && c.who == weRead:
		c.tell(at, "may not be null any more")
	}
}

// enum compares enumerations: words may be added. A change of null among them is reported by types.
func (c *comparison) enum(at string, before, after any) {
	if before == nil || after == nil {
		c.other(at, before, after)
		return
	}
	for _, word := range list(before) {
		same := func(other any) bool { return reflect.DeepEqual(word, other) }
		if word != nil && !slices.ContainsFunc(list(after), same) {
			c.tell(at, "the word %v was removed", word)
		}
	}
}

// other is whatever has no rule of its own: it stays as it is, save for schemas inside.
func (c *comparison) other(at string, before, after any) {
	if a, ok := before.(map[string]any); ok {
		if b, ok := after.(map[string]any); ok {
			c.schema(at, a, b)
			return
		}
	}
	a, isList := before.([]any)
	b, stays := after.([]any)
	if isList && stays && len(a) == len(b) {
		for i := range a {
			c.other(fmt.Sprintf("%s/%d", at, i), a[i], b[i])
		}
		return
	}
	if !reflect.DeepEqual(before, after) {
		c.tell(at, "was %v, is %v", before, after)
	}
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func object(v any) map[string]any { o, _ := v.(map[string]any); return o }

func list(v any) []any { l, _ := v.([]any); return l }

// words are a text, or a list of texts.
func words(v any) (all []string) {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	for _, w := range list(v) {
		all = append(all, w.(string))
	}
	return all
}
