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

// file is the settings of a YAML file, as text. A nil file has none.
type file struct {
	path   string
	values map[string]string
	lines  map[string]int
}

// readFile reads a file of one flat mapping. Values are taken as they are written, so that 08 stays 08 and no says no.
func readFile(path string) (*file, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := &file{path: path, values: map[string]string{}, lines: map[string]int{}}
	if doc.Kind == 0 {
		return f, nil // an empty file
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want lines of KEY: VALUE", path, root.Line)
	}
	for i := 0; i < len(root.Content); i += 2 {
		if err := f.add(root.Content[i], root.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *file) add(key, value *yaml.Node) error {
	if line, twice := f.lines[key.Value]; twice {
		return fmt.Errorf("%s:%d: %s is given twice, first on line %d", f.path, key.Line, key.Value, line)
	}
	text, ok := scalar(value)
	if value.Kind == yaml.SequenceNode {
		var items []string
		for _, n := range value.Content {
			item, isScalar := scalar(n)
			items, ok = append(items, item), isScalar
			if !ok {
				break
			}
		}
		text = strings.Join(items, ",")
	}
	if !ok {
		return fmt.Errorf("%s:%d: %s: want a value, or a list of values", f.path, key.Line, key.Value)
	}
	f.values[key.Value], f.lines[key.Value] = text, key.Line
	return nil
}

func scalar(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n.Value, n.Kind == yaml.ScalarNode && n.Tag != "!!null"
}

func (f *file) get(key string) (string, bool) {
	if f == nil {
		return "", false
	}
	value, ok := f.values[key]
	return value, ok
}

// checkKeys refuses a key that is no flag of any command: a mistyped setting must not quietly be its default. A key of
// another command is fine, so that one file serves all.
func (f *file) checkKeys(app *kong.Node) error {
	if f == nil {
		return nil
	}
	known := map[string]bool{}
	_ = eachFlag(app, func(flag *kong.Flag) error {
		known[flag.Name] = flag.Name != "config" && flag.Name != "help"
		return nil
	})
	for _, key := range slices.SortedFunc(maps.Keys(f.values), func(a, b string) int { return f.lines[a] - f.lines[b] }) {
		if !known[key] {
			return fmt.Errorf("%s:%d: unknown setting %s%s", f.path, f.lines[key], key, didYouMean(key, known))
		}
	}
	return nil
}

// didYouMean names the known word that is nearest to a mistyped one, if any is near.
func didYouMean(word string, known map[string]bool) string {
	best, bestDistance := "", len(word)/2+1
	for _, candidate := range slices.Sorted(maps.Keys(known)) {
		if d := distance(word, candidate); known[candidate] && d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s?", best)
}

// distance is how many letters must be added, dropped or changed to make b of a (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // row[j]: from the first letters of a to the first j of b
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
