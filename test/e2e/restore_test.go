package e2e

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// The binary has what the tests of consumer lack: a client that counts, and a second one for the refill.
func TestARestoredPostgresIsFilledAgainByTheBinary(t *testing.T) {
	w := stack.New(t)
	stress(w, 8, 100)
	p := w.Start()
	w.WaitCaughtUp()
	p.Halt()

	db, err := pgx.Connect(t.Context(), w.Postgres)
	require.NoError(t, err)
	defer db.Close(t.Context())
	_, err = db.Exec(t.Context(), "DROP SCHEMA pitchstream CASCADE; DROP SCHEMA IF EXISTS pitchstream_serving CASCADE")
	require.NoError(t, err)
	w.Output("migrate")

	p = w.Start()
	// The group had committed all before, so that only the positions of Postgres say what was read again.
	require.Regexp(t, `"behind": ?0\b`, w.Output("verify", "--wait", "1m", "--json"))
	p.Halt()
	requireBooks(w, 1)
}
