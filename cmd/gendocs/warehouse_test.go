package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// The dbt source parses, and lists the same tables, columns and types as the database.
func TestDBTSourcesEqualTheDatabase(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs", "warehouse", "models", "sources.yml"))
	require.NoError(t, err)
	var doc struct {
		Version int
		Sources []struct {
			Name, Schema string
			Tables       []struct {
				Name, Description string
				Columns           []struct {
					Name, Description string
					DataType          string `yaml:"data_type"`
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(b, &doc))
	require.Equal(t, 2, doc.Version)
	require.Len(t, doc.Sources, 1)
	require.Len(t, doc.Sources[0].Tables, len(warehouse))
	long := map[string]string{"float8": "double precision", "int": "integer",
		"timestamptz": "timestamp with time zone"}
	conn := migrated(t, nil)
	for _, table := range doc.Sources[0].Tables {
		var listed [][3]string
		for _, c := range table.Columns {
			kind := c.DataType
			if long[kind] != "" {
				kind = long[kind]
			}
			listed = append(listed, [3]string{c.Name, kind, c.Description})
		}
		rows, err := conn.Query(t.Context(), `SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)
			FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`, "pitchstream."+table.Name)
		require.NoError(t, err)
		stored, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c [3]string, err error) {
			return c, row.Scan(&c[0], &c[1], &c[2])
		})
		require.NoError(t, err)
		require.ElementsMatch(t, stored, listed, table.Name)
		require.NotEmpty(t, table.Description)
	}
}

func TestAirflowExampleParses(t *testing.T) {
	python := testkit.Python(t, "ast")
	out, err := exec.CommandContext(t.Context(), python, "-c",
		"import ast, sys; ast.parse(open(sys.argv[1]).read())",
		filepath.Join(root, "docs", "warehouse", "pitchstream_dag.py")).CombinedOutput()
	require.NoError(t, err, string(out))
}
