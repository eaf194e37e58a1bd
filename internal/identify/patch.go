package identify

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// operation is one change of a document, as RFC 6902 (JSON Patch) has it.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	From  string `json:"from"`
	Value any    `json:"value"`
}

// maxCopied bounds the values that the operations of one answer may copy, because a few operations could
// double a document again and again.
const maxCopied = 200_000

// patcher changes a document in place.
type patcher struct {
	doc    any
	copied int
}

// apply changes the document by one operation. After an error the document is of no use.
func (p *patcher) apply(op operation) (err error) {
	switch op.Op {
	case "add", "replace":
		return p.set(op.Path, op.Op == "add", op.Value)
	case "remove":
		return p.remove(op.Path)
	case "move":
		var value any
		if value, err = p.get(op.From); err == nil {
			err = errors.Join(p.remove(op.From), p.set(op.Path, true, value))
		}
		return err
	case "copy":
		var value any
		if value, err = p.get(op.From); err == nil {
			value, err = p.clone(value)
		}
		if err == nil {
			err = p.set(op.Path, true, value)
		}
		return err
	case "test":
		value, err := p.get(op.Path)
		if err == nil && !reflect.DeepEqual(value, op.Value) {
			err = fmt.Errorf("test of %.100q fails", op.Path)
		}
		return err
	}
	return fmt.Errorf("the operation %.40q is unknown", op.Op)
}

// steps returns the names and indexes of a path.
func steps(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	if path[0] != '/' {
		return nil, fmt.Errorf("the path %.100q does not begin with /", path)
	}
	all := strings.Split(path[1:], "/")
	for i, s := range all {
		all[i] = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	return all, nil
}

func (p *patcher) get(path string) (any, error) {
	all, err := steps(path)
	node := p.doc
	for _, step := range all {
		var ok bool
		switch n := node.(type) {
		case map[string]any:
			node, ok = n[step]
		case []any:
			var i int
			if i, ok = indexOf(step, len(n)); ok {
				node = n[i]
			}
		}
		if !ok {
			return nil, fmt.Errorf("there is no %.100q", path)
		}
	}
	return node, err
}

// indexOf reads the index of an element of a list of n.
func indexOf(step string, n int) (int, bool) {
	i, err := strconv.Atoi(step)
	return i, err == nil && i >= 0 && i < n && strconv.Itoa(i) == step
}

// set writes a value. With insert, a list grows by it.
func (p *patcher) set(path string, insert bool, value any) error {
	return p.edit(path, func(parent any, step string) (any, bool) {
		switch n := parent.(type) {
		case map[string]any:
			_, exists := n[step]
			n[step] = value
			return n, exists || insert
		case []any:
			if insert && step == "-" {
				return append(n, value), true
			}
			room := len(n)
			if insert {
				room++
			}
			i, ok := indexOf(step, room)
			if ok && insert {
				return slices.Insert(n, i, value), true
			}
			if ok {
				n[i] = value
			}
			return n, ok
		}
		return parent, false
	}, value)
}

func (p *patcher) remove(path string) error {
	return p.edit(path, func(parent any, step string) (any, bool) {
		switch n := parent.(type) {
		case map[string]any:
			_, exists := n[step]
			delete(n, step)
			return n, exists
		case []any:
			i, ok := indexOf(step, len(n))
			if ok {
				n = slices.Delete(n, i, i+1)
			}
			return n, ok
		}
		return parent, false
	}, nil)
}

// edit changes what holds the last step of a path. change returns it as it is then, because a list that grows
// is another one. root replaces the whole document where the path is empty.
func (p *patcher) edit(path string, change func(parent any, step string) (any, bool), root any) error {
	all, err := steps(path)
	if err != nil || len(all) == 0 {
		p.doc = root
		return err
	}
	ok := false
	p.doc, ok = editBelow(p.doc, all, change)
	if !ok {
		return fmt.Errorf("there is no %.100q", path)
	}
	return nil
}

func editBelow(node any, all []string, change func(any, string) (any, bool)) (_ any, ok bool) {
	if len(all) == 1 {
		return change(node, all[0])
	}
	switch n := node.(type) {
	case map[string]any:
		child, exists := n[all[0]]
		if exists {
			n[all[0]], ok = editBelow(child, all[1:], change)
		}
	case []any:
		if i, exists := indexOf(all[0], len(n)); exists {
			n[i], ok = editBelow(n[i], all[1:], change)
		}
	}
	return node, ok
}

// clone copies a value, within the bound of the answer.
func (p *patcher) clone(value any) (_ any, err error) {
	// guard: identify: what a patch copies is bounded
	if p.copied++; p.copied > maxCopied {
		return nil, fmt.Errorf("the patch copies more than %d values", maxCopied)
	}
	switch v := value.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for key, child := range v {
			if out[key], err = p.clone(child); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := slices.Clone(v)
		for i, child := range v {
			if out[i], err = p.clone(child); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return value, nil
}

// applyPatches changes a document by the answer of diffPatch: a list of objects with a list of operations.
func applyPatches(doc any, answer []byte) (_ any, operations int, err error) {
	var patches []struct {
		Diff []operation `json:"diff"`
	}
	if err := json.Unmarshal(answer, &patches); err != nil {
		return nil, 0, err
	}
	p := &patcher{doc: doc}
	for _, patch := range patches {
		for _, op := range patch.Diff {
			if err := p.apply(op); err != nil {
				return nil, operations, err
			}
			operations++
		}
	}
	return p.doc, operations, nil
}
