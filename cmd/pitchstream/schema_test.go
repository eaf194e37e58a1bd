package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestSchemaCommands(t *testing.T) {
	var out, log bytes.Buffer
	ask := func(args ...string) int {
		out.Reset()
		log.Reset()
		return run(t.Context(), append([]string{"schema"}, args...), &stdio{Out: &out, Err: &log})
	}
	require.Equal(t, exitOK, ask("ls"))
	require.Len(t, strings.Split(strings.TrimSpace(out.String()), "\n"), 3)
	for _, s := range schemas.PublishedSchemas() {
		require.Regexp(t, `(?m)^`+s.Name+` +`+s.Version+` `, out.String())
	}
	for _, s := range schemas.PublishedSchemas() {
		require.Equal(t, exitOK, ask("show", s.Name))
		require.Equal(t, string(s.JSON), out.String())
	}
	require.Equal(t, exitFailed, ask("show", "rows"))
	require.Contains(t, log.String(), `there is no schema "rows": want one of record, row, letter`)
	require.Equal(t, exitUsage, ask("show"))
}
