package model

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/protocol"
)

// internal/protocol has the model of Stream.tla in Go, with which recordings are compared. It has the same
// states, and the same steps between them.
func TestTheModelInGoIsTheOneInTLA(t *testing.T) {
	for _, c := range []config{
		{model: "Stream", faults: 1},
		{model: "Stream", restores: 1},
	} {
		t.Run(fmt.Sprintf("%d %d", c.faults, c.restores), func(t *testing.T) {
			c.dump = filepath.Join(t.TempDir(), "graph.dot")
			out := explore(t, c)
			require.Contains(t, out, "No error has been found", out)
			want := readGraph(t, c.dump)
			got := map[string]bool{}
			bounds := protocol.Bounds{Procs: 2, Faults: c.faults, Restores: c.restores}
			protocol.Explore(bounds, keyOf, func(e protocol.Edge) {
				got[edgeOf(e.Action, e.From, e.To)] = true
			})
			states := map[string]bool{}
			for e := range want {
				require.True(t, got[e], "a step that is not in Go:\n%s", e)
				states[strings.SplitN(e, "\n", 3)[1]] = true
			}
			for e := range got {
				require.True(t, want[e], "a step that is not in TLA+:\n%s", e)
			}
			t.Logf("%d states with steps, %d steps", len(states), len(want))
			require.Greater(t, len(want), 20_000)
		})
	}
}

func edgeOf(action, from, to string) string { return action + "\n" + from + "\n" + to }

// shared are the variables that the model in Go has. The others do not change without a topic made anew or a
// group set back, but own, which follows group then.
var shared = []string{"group", "owner", "gen", "log", "dead", "row", "pos", "saved", "s", "faults", "restores"}

func keyOf(s protocol.State) string {
	var b strings.Builder
	for _, name := range shared {
		fmt.Fprintf(&b, "%s = %s ", name, text(s[name]))
	}
	return b.String()
}

func text(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+":"+text(v[k]))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case map[any]bool:
		var parts []string
		for k := range v {
			parts = append(parts, text(k))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, " ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, text(e))
		}
		return "<" + strings.Join(parts, " ") + ">"
	}
	return fmt.Sprint(v)
}

var (
	node = regexp.MustCompile(`^(-?\d+) \[label="(.*)"(?:,style = filled)?\];?$`)
	edge = regexp.MustCompile(`^(-?\d+) -> (-?\d+) \[label="(\w+)"`)
)

// readGraph reads the steps that TLC has dumped.
func readGraph(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	states, steps := map[string]string{}, [][3]string{}
	for in := bufio.NewScanner(f); in.Scan(); {
		line := in.Text()
		if m := edge.FindStringSubmatch(line); m != nil {
			steps = append(steps, [3]string(m[1:]))
		} else if m := node.FindStringSubmatch(line); m != nil {
			label := strings.NewReplacer(`\n`, "\n", `\"`, `"`, `\\`, `\`).Replace(m[2])
			states[m[1]] = keyOf(parseState(t, label))
		}
	}
	require.NotEmpty(t, states)
	found := map[string]bool{}
	for _, s := range steps {
		found[edgeOf(s[2], states[s[0]], states[s[1]])] = true
	}
	return found
}

// parseState reads a state as TLC prints it: /\ name = value, one after the other.
func parseState(t *testing.T, label string) protocol.State {
	t.Helper()
	p := &parser{t: t, words: word.FindAllString(label, -1)}
	s := protocol.State{}
	for len(p.words) > 0 {
		p.take(`/\`)
		name := p.next()
		p.take("=")
		s[name] = p.value()
	}
	return s
}

var word = regexp.MustCompile(`/\\|<<|>>|\|->|:>|@@|"[^"]*"|-?\w+|[\[\](){},=]`)

type parser struct {
	t     *testing.T
	words []string
}

func (p *parser) next() string {
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *parser) take(want string) { require.Equal(p.t, want, p.next()) }

// comesNot takes the word, and returns false, if it is the next one.
func (p *parser) comesNot(w string) bool {
	if p.words[0] != w {
		return true
	}
	p.next()
	return false
}

func (p *parser) value() any {
	switch w := p.next(); w {
	case "<<":
		list := []any{}
		for p.comesNot(">>") {
			list = append(list, p.value())
			p.skip(",")
		}
		return list
	case "{":
		elements := map[any]bool{}
		for p.comesNot("}") {
			elements[p.value()] = true
			p.skip(",")
		}
		return elements
	case "[":
		return p.function("]", "|->", ",")
	case "(":
		return p.function(")", ":>", "@@")
	case "TRUE":
		return true
	case "FALSE":
		return false
	default:
		if n, err := strconv.Atoi(w); err == nil {
			return n
		}
		return strings.Trim(w, `"`)
	}
}

func (p *parser) function(end, to, and string) map[string]any {
	f := map[string]any{}
	for p.comesNot(end) {
		k := strings.Trim(p.next(), `"`)
		p.take(to)
		f[k] = p.value()
		p.skip(and)
	}
	return f
}

func (p *parser) skip(w string) {
	if p.words[0] == w {
		p.next()
	}
}
