// Command gendocs writes every generated file: the tables of docs/DATA.md and docs/WAREHOUSE.md, the dbt
// source, the JSON Schema of a row and the API's document. Run it from the project's root after a change of
// schemas/columns.txt or of the API:
//
//	go run ./cmd/gendocs
//
// On a page it replaces only the lines between a pair of marker comments and keeps the prose around them. A
// test of this package fails when a generated file is out of date.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/schemas"
)

// generated maps the path of each file, from the root, to the function that makes its new content from the
// present one.
var generated = map[string]func(before []byte) ([]byte, error){
	"docs/DATA.md":                 fillTables(dataTables),
	"docs/WAREHOUSE.md":            fillTables(warehouseTables),
	"docs/openapi.json":            func([]byte) ([]byte, error) { return api.Document("1") },
	"docs/warehouse/sources.yml":   func([]byte) ([]byte, error) { return dbtSources(), nil },
	"schemas/" + schemas.RowSchema: func([]byte) ([]byte, error) { return rowSchema(schemas.StoredColumns) },
}

func fillTables(tables func() map[string]string) func(page []byte) ([]byte, error) {
	return func(page []byte) ([]byte, error) { return fillPage(page, tables()) }
}

func main() {
	for name := range generated {
		switch changed, err := rewrite(".", name); {
		case err != nil:
			fmt.Fprintln(os.Stderr, "gendocs:", err)
			os.Exit(1)
		case changed:
			fmt.Fprintln(os.Stderr, "gendocs: wrote", name)
		}
	}
}

// rewrite generates one file. It writes nothing when the file is up to date.
func rewrite(root, name string) (changed bool, err error) {
	path := filepath.Join(root, filepath.FromSlash(name))
	before, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return false, err
	}
	after, err := generated[name](before)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if bytes.Equal(before, after) {
		return false, nil
	}
	return true, os.WriteFile(path, after, 0o644)
}
