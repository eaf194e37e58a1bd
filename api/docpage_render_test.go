package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"
)

// The page that the server has is that of the document. PITCHSTREAM_UPDATE=1 writes it anew.
func TestThePageIsThatOfTheDocument(t *testing.T) {
	page, err := docPage(newAsker(t, newStores(), nil).document)
	require.NoError(t, err)
	if os.Getenv("PITCHSTREAM_UPDATE") != "" {
		require.NoError(t, os.WriteFile("docs/page.html", page, 0o644))
		return
	}
	require.Equal(t, string(page), string(docsHTML), "PITCHSTREAM_UPDATE=1 go test -run ThePageIsThat ./api")
}

// docPage returns the document as a page of HTML.
func docPage(document *huma.OpenAPI) ([]byte, error) {
	page, err := template.New("docpage.html").Funcs(template.FuncMap{
		"typeOf": typeOf, "limitsOf": limitsOf, "fieldsOf": fieldsOf, "paragraphs": paragraphs, "hint": hintOf,
		"choices": choicesOf, "version": docsVersion, "optional": func(s *huma.Schema) bool { return s.Nullable },
	}).ParseFiles("testdata/docpage.html")
	if err != nil {
		return nil, err
	}
	d, err := docOf(document)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, d)
	return out.Bytes(), err
}

// docsVersion changes with the page's files, so that a browser does not use those of another build.
func docsVersion() string {
	sum := sha256.Sum256(slices.Concat(docsCSS, docsScript))
	return hex.EncodeToString(sum[:6])
}

type (
	docData struct {
		Title, Description string
		Groups             []docGroup
		Errors             []docAnswer // of all operations, each once
		Schemas            []docSchema
	}
	docGroup struct {
		Name, Description string
		Operations        []docOperation
	}
	docOperation struct {
		Operation *huma.Operation

		ID      string   // as other pages link to it: get-/v1/batters/-id-
		Kinds   []string // the media types of 200
		Answers []docAnswer
		Errors  []docAnswer
	}
	docAnswer struct {
		Status, Description string
		Kind                string // the media type; "" without a body
		Schema              *huma.Schema
		Example             string
		Headers             []string
		Data                []docType // what the data of an event may be; none where there are no events
	}
	docSchema struct {
		Name   string
		Schema *huma.Schema
	}
)

// docOf returns the parts of the page, in the order of the page.
func docOf(document *huma.OpenAPI) (d docData, err error) {
	d.Title, d.Description = document.Info.Title, document.Info.Description
	errors := map[string]docAnswer{}
	for _, tag := range document.Tags {
		group := docGroup{Name: tag.Name, Description: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
			operation := document.Paths[path].Get
			if operation == nil || !slices.Contains(operation.Tags, tag.Name) {
				continue
			}
			o := docOperation{Operation: operation, ID: docID(path)}
			for _, status := range slices.Sorted(maps.Keys(operation.Responses)) {
				answers, err := answersOf(status, operation.Responses[status])
				if err != nil {
					return d, fmt.Errorf("%s: %w", path, err)
				}
				if status < "400" {
					o.Answers = append(o.Answers, answers...)
				} else {
					o.Errors = append(o.Errors, answers...)
					errors[status] = answers[0]
				}
			}
			o.Kinds = slices.Sorted(maps.Keys(operation.Responses["200"].Content))
			group.Operations = append(group.Operations, o)
		}
		d.Groups = append(d.Groups, group)
	}
	for _, status := range slices.Sorted(maps.Keys(errors)) {
		d.Errors = append(d.Errors, errors[status])
	}
	all := document.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d.Schemas = append(d.Schemas, docSchema{name, all[name]})
	}
	return d, nil
}

// docID returns the name of an operation in the address of the page.
func docID(path string) string {
	return "get-" + regexp.MustCompile(`[{}]`).ReplaceAllString(path, "-")
}

// answersOf returns an answer for each of its media types, or one without a body.
func answersOf(status string, r *huma.Response) (answers []docAnswer, err error) {
	a := docAnswer{Status: status, Description: r.Description}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		a.Headers = append(a.Headers, name+": "+r.Headers[name].Description)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Content)) {
		content := r.Content[kind]
		a.Kind, a.Schema, a.Data = kind, content.Schema, dataOf(content.Schema)
		if a.Example, err = exampleOf(content.Examples["answer"].Value); err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	if len(answers) == 0 {
		answers = []docAnswer{a}
	}
	return answers, nil
}

// dataOf returns what the data of an event may be, by the schema that eventOf made.
func dataOf(s *huma.Schema) (types []docType) {
	if s.Properties["data"] == nil {
		return nil
	}
	of, ok := s.Properties["data"].Extensions["contentSchema"].(*huma.Schema)
	if !ok {
		return nil
	}
	for _, one := range of.AnyOf {
		if t := typeOf(one); !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	return types
}

// exampleOf returns an example as a reader sees it: JSON indented, a text as it is.
func exampleOf(value any) (string, error) {
	if text, ok := value.(string); ok {
		return strings.TrimSpace(text), nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, b, "", "  ")
	return indented.String(), err
}

// docType is the type of a value in words, with the schema that it names between them.
type docType struct{ Before, Name, After string }

// typeOf returns the type of a value.
func typeOf(s *huma.Schema) docType {
	if s.Ref != "" {
		return docType{Name: s.Ref[strings.LastIndex(s.Ref, "/")+1:]}
	}
	if s.Type == huma.TypeArray && s.Items != nil {
		of := typeOf(s.Items)
		return docType{"array of " + of.Before, of.Name, of.After}
	}
	if of, ok := s.AdditionalProperties.(*huma.Schema); ok {
		value := typeOf(of)
		return docType{"object, any name to " + value.Before, value.Name, value.After}
	}
	switch s.Format {
	case "", "int64", "int32", "double", "float":
		return docType{Before: s.Type}
	}
	return docType{Before: s.Format}
}

// limitsOf returns what a value may be, in words.
func limitsOf(s *huma.Schema) string {
	var limits []string
	add := func(format string, values ...any) { limits = append(limits, fmt.Sprintf(format, values...)) }
	number := func(f *float64) string { return strconv.FormatFloat(*f, 'f', -1, 64) }
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		add("%s to %s", number(s.Minimum), number(s.Maximum))
	case s.Minimum != nil:
		add("at least %s", number(s.Minimum))
	case s.Maximum != nil:
		add("at most %s", number(s.Maximum))
	}
	if s.MaxLength != nil {
		add("at most %d characters", *s.MaxLength)
	}
	switch {
	case s.MinItems != nil && s.MaxItems != nil && *s.MinItems == *s.MaxItems:
		add("%d of them", *s.MinItems)
	case s.MaxItems != nil:
		add("at most %d of them", *s.MaxItems)
	}
	values := s
	if s.Items != nil {
		values = s.Items
	}
	if len(values.Enum) > 0 {
		add("%s", strings.Join(choicesOf(values), " | "))
	}
	if s.Default != nil {
		add("default %v", s.Default)
	}
	return strings.Join(limits, ", ")
}

// choicesOf returns the values that a value may be; none if there are many.
func choicesOf(s *huma.Schema) (choices []string) {
	if s.Type == huma.TypeBoolean {
		return []string{"true", "false"}
	}
	for _, value := range s.Enum {
		if value != nil { // said as "or null"
			choices = append(choices, fmt.Sprint(value))
		}
	}
	return choices
}

// hintOf returns an example of a parameter, or else its default.
func hintOf(s *huma.Schema) string {
	if len(s.Examples) > 0 {
		example := fmt.Sprint(s.Examples[0])
		if s.Type == huma.TypeArray {
			example = strings.Trim(strings.ReplaceAll(example, " ", ","), "[]")
		}
		return example
	}
	if s.Default != nil {
		return fmt.Sprint(s.Default)
	}
	return ""
}

type docField struct {
	Name       string
	Schema     *huma.Schema
	IsRequired bool
}

// fieldsOf returns the fields of an object, those first that are always there.
func fieldsOf(s *huma.Schema) (fields []docField) {
	for name, property := range s.Properties {
		fields = append(fields, docField{name, property, slices.Contains(s.Required, name)})
	}
	slices.SortFunc(fields, func(a, b docField) int {
		if a.IsRequired != b.IsRequired {
			if a.IsRequired {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return fields
}

// paragraphs divides a description at its empty lines.
func paragraphs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n\n")
}
