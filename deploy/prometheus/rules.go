// Package prometheus holds the recording rules and alerts, for the command that prints them.
package prometheus

import (
	"bytes"
	"embed"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed rules/*.yml
var files embed.FS

// Runbooks is where the links of the alerts lead unless another place is given.
const Runbooks = "https://github.com/pitchstream/pitchstream/blob/main/docs/runbooks/"

// Form says what the rules are wrapped in.
type Form int

// The forms of the rules: a file for Prometheus, or a PrometheusRule of the Prometheus operator.
const (
	RuleFile Form = iota
	PrometheusRule
)

// Rules returns all rules as one YAML document, with the links to runbooks below base. A base without a slash
// at its end gets one. The marks of guards, which are for our own tests, are left out.
func Rules(form Form, base string) ([]byte, error) {
	entries, err := files.ReadDir("rules")
	if err != nil {
		return nil, err
	}
	groups := &yaml.Node{Kind: yaml.SequenceNode}
	base = strings.TrimSuffix(base, "/") + "/"
	for _, entry := range entries {
		text, err := files.ReadFile("rules/" + entry.Name())
		if err != nil {
			return nil, err
		}
		var file struct {
			Groups yaml.Node `yaml:"groups"`
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		publish(&file.Groups, base)
		groups.Content = append(groups.Content, file.Groups.Content...)
	}
	type rules struct {
		Groups *yaml.Node `yaml:"groups"`
	}
	var document any = rules{groups}
	if form == PrometheusRule {
		document = struct {
			APIVersion string            `yaml:"apiVersion"`
			Kind       string            `yaml:"kind"`
			Metadata   map[string]string `yaml:"metadata"`
			Spec       rules             `yaml:"spec"`
		}{"monitoring.coreos.com/v1", "PrometheusRule", map[string]string{"name": "pitchstream"}, rules{groups}}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// publish puts base in the place of Runbooks, and removes the marks of guards, in a node and all below it.
func publish(n *yaml.Node, base string) {
	if page, ok := strings.CutPrefix(n.Value, Runbooks); ok {
		n.SetString(base + page)
	}
	for _, text := range []*string{&n.Value, &n.HeadComment, &n.LineComment, &n.FootComment} {
		*text = guardMarks.ReplaceAllString(*text, "")
	}
	for _, child := range n.Content {
		publish(child, base)
	}
}

// guardMarks are lines of PromQL or YAML that mark a guard for test/mutants.
var guardMarks = regexp.MustCompile(`(?m)^[ \t]*# guard:.*\n?`)
