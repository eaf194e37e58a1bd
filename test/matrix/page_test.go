package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAResultReplacesTheLineOfItsServer(t *testing.T) {
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	old := "x\n" + begin + "| a | 1 | fails | T | 2026-01-01 |\n| a | 10 | passes | T | 2026-01-01 |\n" + end + "y\n"
	got, err := withResult(old, row{server: "a", version: "1"}, "passes", "T", day)
	require.NoError(t, err)
	got, err = withResult(got, row{server: "b", version: "2"}, "passes", "U", day)
	require.NoError(t, err)
	require.Equal(t, "x\n"+begin+"| a | 1 | passes | T | 2026-05-04 |\n| a | 10 | passes | T | 2026-01-01 |\n"+
		"| b | 2 | passes | U | 2026-05-04 |\n"+end+"y\n", got)
	_, err = withResult("no table", row{}, "", "", day)
	require.ErrorContains(t, err, page)
}
