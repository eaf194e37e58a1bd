package testkit

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/localpg"
)

// StandbyAndPrimary starts two Postgres servers with one password. The first is in recovery, as a standby is,
// and follows no other. prepare is called with the URL of each while it can be written; nil: not called.
func StandbyAndPrimary(t testing.TB, prepare func(url string)) (standby, primary *localpg.Server) {
	t.Helper()
	var servers [2]*localpg.Server
	for i := range servers {
		s, err := localpg.Start(t.Context(), localpg.Options{Settings: localpg.Throwaway(), Download: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Stop() })
		c, err := pgx.Connect(t.Context(), s.URL)
		require.NoError(t, err)
		_, err = c.Exec(t.Context(), `ALTER ROLE postgres PASSWORD 'hush'`)
		require.NoError(t, err)
		var data string
		require.NoError(t, c.QueryRow(t.Context(), `SHOW data_directory`).Scan(&data))
		require.NoError(t, c.Close(t.Context()))
		u, err := url.Parse(s.URL)
		require.NoError(t, err)
		u.User = url.UserPassword("postgres", "hush")
		s.URL = u.String()
		if prepare != nil {
			prepare(s.URL)
		}
		if i == 0 {
			require.NoError(t, s.Halt())
			require.NoError(t, os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o644))
			require.NoError(t, s.Resume(t.Context()))
		}
		servers[i] = s
	}
	return servers[0], servers[1]
}
