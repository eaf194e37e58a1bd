package pg

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// guard: the URL names the size of the pool
func TestTheURLNamesTheSizeOfThePool(t *testing.T) {
	const url = "postgres://u:p@127.0.0.1:1/d?sslmode=disable"
	for _, c := range []struct {
		parameter      string
		writer, reader int32
	}{
		{"", 4, 8},
		{"&pool_max_conns=7", 7, 7},
		{"&pool_max_conns=20", 20, 20},
		{"&pool_max_conns=1", 4, 4},
	} {
		cfg := Config{URL: url + c.parameter, Schema: "pitchstream"}
		writer, err := Open(cfg)
		require.NoError(t, err)
		defer writer.Pool.Close()
		require.Equal(t, c.writer, writer.Pool.Config().MaxConns, c.parameter)
		reader, err := OpenReader(cfg, "test", 0)
		require.NoError(t, err)
		defer reader.Pool.Close()
		require.Equal(t, c.reader, reader.Pool.Config().MaxConns, c.parameter)
	}
}
