package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// file holds the settings of a YAML file, as text. The zero file has none.
type file struct {
	path   string
	values map[string]string
	lists  map[string][]string // the items of the values that are lists
	lines  map[string]int
}

// readFile reads a file with one flat mapping. It keeps the text of values as written: 08 stays 08, and no
// stays no.
func readFile(path string) (file, error) {
	f := file{path: path, values: map[string]string{}, lists: map[string][]string{}, lines: map[string]int{}}
	b, err := os.ReadFile(path)
	if err != nil {
		return f, fmt.Errorf("--config: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	if doc.Kind == 0 {
		return f, nil // an empty file
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return f, fmt.Errorf("%s:%d: want lines of KEY: VALUE", path, root.Line)
	}
	for pair := range slices.Chunk(root.Content, 2) {
		if err := f.add(pair[0], pair[1]); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f file) add(key, value *yaml.Node) error {
	if line, twice := f.lines[key.Value]; twice {
		return fmt.Errorf("%s:%d: %s is given twice, first on line %d", f.path, key.Line, key.Value, line)
	}
	items := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		items = value.Content
	}
	var texts []string
	for _, n := range items {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			return fmt.Errorf("%s:%d: %s: want a value, or a list of values", f.path, key.Line, key.Value)
		}
		texts = append(texts, n.Value)
	}
	f.values[key.Value], f.lines[key.Value] = strings.Join(texts, ","), key.Line
	if value.Kind == yaml.SequenceNode {
		f.lists[key.Value] = texts
	}
	return nil
}

// checkKeys refuses a key that no command has as a flag, because a mistyped setting must not silently keep
// its default. A key of another command is allowed, so that one file serves all commands.
func (f file) checkKeys(app *kong.Node) error {
	known := map[string]bool{}
	for _, flag := range allFlags(app) {
		known[flag.Name] = flag.Name != "config" && flag.Name != "help"
	}
	inOrder := func(a, b string) int { return f.lines[a] - f.lines[b] }
	for _, key := range slices.SortedFunc(maps.Keys(f.values), inOrder) {
		if !known[key] {
			return fmt.Errorf("%s:%d: unknown setting %s%s", f.path, f.lines[key], key, didYouMean(key, known))
		}
	}
	return nil
}

// didYouMean returns a question with the known word that is most like a mistyped one; "" when none is like
// it. The prefix that all variables have makes no two of them alike.
func didYouMean(word string, known map[string]bool) string {
	// guard: config: a prefix makes no two variables alike | strings.TrimPrefix(word, EnvPrefix+"_") -> word
	best, bestDistance := "", len(strings.TrimPrefix(word, EnvPrefix+"_"))/2+1
	for _, candidate := range slices.Sorted(maps.Keys(known)) {
		if d := distance(word, candidate); known[candidate] && d < bestDistance {
			best, bestDistance = fmt.Sprintf(", did you mean %s?", candidate), d
		}
	}
	return best
}

// distance returns how many characters must be added, removed or changed to turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // row[j]: the distance of the start of a to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
