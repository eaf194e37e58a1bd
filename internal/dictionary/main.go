// Command dictionary writes what is made from the tables of columns (in schemas, and of files in internal/tables): the
// tables of docs/DATA.md and docs/WAREHOUSE.md, the dbt source and the JSON Schema of a row. Run it after a change of
// them, from the project's root:
//
//	go run ./internal/dictionary
//
// Only what stands between a pair of marker comments of the page is written anew; the prose around is kept. A test fails
// where a file is not what this would write.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pitchstream/pitchstream/schemas"
)

// made are the files, by their paths from the root, each with what makes its content anew from the present one.
var made = map[string]func(before []byte) ([]byte, error){
	"docs/DATA.md":                 func(before []byte) ([]byte, error) { return fillPage(before, pageTables()) },
	"docs/WAREHOUSE.md":            func(before []byte) ([]byte, error) { return fillPage(before, warehousePageTables()) },
	"docs/warehouse/sources.yml":   func([]byte) ([]byte, error) { return dbtSources(), nil },
	"schemas/" + schemas.RowSchema: func([]byte) ([]byte, error) { return rowSchema(schemas.StoredColumns) },
}

func main() {
	for name := range made {
		switch changed, err := rewrite(".", name); {
		case err != nil:
			fmt.Fprintln(os.Stderr, "dictionary:", err)
			os.Exit(1)
		case changed:
			fmt.Fprintln(os.Stderr, "dictionary: wrote", name)
		}
	}
}

// rewrite makes one file anew; one that is as it should be is left alone.
func rewrite(root, name string) (changed bool, err error) {
	path := filepath.Join(root, filepath.FromSlash(name))
	before, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return false, err
	}
	after, err := made[name](before)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if bytes.Equal(before, after) {
		return false, nil
	}
	return true, os.WriteFile(path, after, 0o644)
}
