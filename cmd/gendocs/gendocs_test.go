package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const root = "../.." // the project's root

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	for name := range generated {
		current, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		require.NoError(t, err)
		want, err := generated[name](current)
		require.NoError(t, err, name)
		if !bytes.Equal(current, want) {
			t.Errorf("%s is out of date: go run ./cmd/gendocs", name)
		}
	}
}

func TestRewriteKeepsTheProse(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "docs", "DATA.md")
	require.NoError(t, os.MkdirAll(filepath.Dir(page), 0o755))
	fresh, err := os.ReadFile(filepath.Join(root, "docs", "DATA.md"))
	require.NoError(t, err)
	stale := regexp.MustCompile("(?m)^\\| `inning` .*\n").ReplaceAll(fresh, []byte("| nonsense |\n"))
	require.NotEqual(t, fresh, stale)
	require.NoError(t, os.WriteFile(page, stale, 0o644))

	for _, want := range []bool{true, false} { // the second time nothing changes
		changed, err := rewrite(dir, "docs/DATA.md")
		require.NoError(t, err)
		require.Equal(t, want, changed)
	}
	after, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, string(fresh), string(after))
}

func TestFillPageNeedsEachMarkerOnce(t *testing.T) {
	begin := "<!-- generated: a (go run ./cmd/gendocs) -->\n"
	for name, page := range map[string]string{
		"no marker": "prose\n",
		"no end":    begin + "| old |\n",
		"twice":     begin + endMarker + begin + endMarker,
	} {
		_, err := fillPage([]byte(page), map[string]string{"a": "| new |\n"})
		require.Error(t, err, name)
	}
	filled, err := fillPage([]byte("before\n"+begin+"| old |\n"+endMarker+"after\n"),
		map[string]string{"a": "| new |\n"})
	require.NoError(t, err)
	require.Equal(t, "before\n"+begin+"| new |\n"+endMarker+"after\n", string(filled))
}

func TestLimitsOfAColumn(t *testing.T) {
	for _, c := range []struct{ sql, at, want string }{
		{"float8", "−45–45", `{"minimum":-45,"maximum":45}`},
		{"int", "0 and more", `{"minimum":0,"maximum":2147483647}`},
		{"int", "", `{"minimum":-2147483648,"maximum":2147483647}`},
		{"text", "1–64 bytes", `{"minLength":1,"maxLength":64}`},
		{"text", "reliable, questionable", `{"enum":["reliable","questionable"]}`},
		{"text", "", `{"minLength":1}`},
		{"boolean", "", `{}`},
	} {
		o, err := limitsOf(schemas.Column{SQL: c.sql, Range: c.at})
		require.NoError(t, err, c)
		b, err := json.Marshal(o)
		require.NoError(t, err)
		require.Equal(t, c.want, string(b), c)
	}
	for _, c := range []schemas.Column{
		{SQL: "float8", Range: "some"}, {SQL: "date", Range: "1900-01-01 and later"}, {SQL: "float8",
			Range: "0 and more"},
	} {
		_, err := limitsOf(c)
		require.Error(t, err, "limitsOf must know every way to write a range: %v", c)
	}
}

// The list of issues here explains those of the core, so both must have the same entries.
func TestIssuesEqualThoseOfFeatures(t *testing.T) {
	var explained, columns []string
	for _, i := range issues {
		for column := range strings.FieldsSeq(i.columns) {
			columns = append(columns, column)
			for kind := range strings.SplitSeq(i.kinds, ", ") {
				explained = append(explained, column+":"+kind)
			}
		}
	}
	require.ElementsMatch(t, issuesOfFeatures(t), explained)

	position := func(column string) int {
		return slices.IndexFunc(schemas.StoredColumns, func(c schemas.Column) bool { return c.Name == column })
	}
	for i := 1; i < len(columns); i++ {
		require.Less(t, position(columns[i-1]), position(columns[i]),
			"%s: not in the order of the columns", columns[i])
	}
}

// issuesOfFeatures returns the string literals of features/issues.go that are names of issues.
func issuesOfFeatures(t *testing.T) (names []string) {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "features", "issues.go"), nil,
		parser.SkipObjectResolution)
	require.NoError(t, err)
	isIssue := regexp.MustCompile(`^[a-z_]+:[a-z]+$`)
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil && isIssue.MatchString(s) {
				names = append(names, s)
			}
		}
		return true
	})
	require.NotEmpty(t, names)
	return names
}

func TestEveryDeadLetterCodeIsExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "DATA.md"))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(page), "## What is not a row")
	require.True(t, found)
	var explained []schemas.Code
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` ").FindAllStringSubmatch(after, -1) {
		explained = append(explained, schemas.Code(m[1]))
	}
	require.Equal(t, schemas.Codes, explained)
}

// docs/SCHEMA.md states the version of each schema.
func TestSchemaPageStatesTheVersions(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "SCHEMA.md"))
	require.NoError(t, err)
	for _, name := range []string{schemas.RecordSchema, schemas.RowSchema, schemas.DeadLetterSchema} {
		b, err := schemas.JSONSchemas.ReadFile(name)
		require.NoError(t, err)
		var s struct {
			ID string `json:"$id"`
		}
		require.NoError(t, json.Unmarshal(b, &s))
		version := s.ID[strings.LastIndex(s.ID, ":")+1:]
		require.Regexp(t, `^[0-9]+\.[0-9]+$`, version, name)
		require.Regexp(t, "(?m)^\\| `"+filepath.Base(name)+"` \\|.*\\| "+regexp.QuoteMeta(version)+" \\|$", string(page), name)
	}
}
