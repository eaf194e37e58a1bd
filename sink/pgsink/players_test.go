package pgsink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// guard: pgread: players of a load that commits late are seen
func TestPlayersOfALoadThatCommitsLateAreSeen(t *testing.T) {
	s := open(t)
	players := pgbooks.NewPlayers(s.DB())
	_, err := players.Set(t.Context(), []schemas.Player{{ID: 1, Name: "One"}, {ID: 2, Name: "Two"}})
	require.NoError(t, err)
	late, err := raw(t, s).Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = late.Rollback(t.Context()) }()
	_, err = late.Exec(t.Context(), `UPDATE players SET name = 'First', updated_at = clock_timestamp() WHERE id = 1`)
	require.NoError(t, err)
	_, err = players.Set(t.Context(), []schemas.Player{{ID: 2, Name: "Second"}})
	require.NoError(t, err)
	reader := openReader(t, s)
	list, version, err := reader.Players(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.NoError(t, late.Commit(t.Context()))
	list, version, err = reader.Players(t.Context(), version)
	require.NoError(t, err)
	require.ElementsMatch(t, []schemas.Player{{ID: 1, Name: "First"}, {ID: 2, Name: "Second"}}, list)
	list, _, err = reader.Players(t.Context(), version)
	require.NoError(t, err)
	require.Nil(t, list, "nothing has changed")
}

// Two loads that wait for each other would end one of them with an error. So a load that waits for a player
// holds none with a greater id.
//
// guard: players are written in one order
func TestALoadOfPlayersLocksThemInOneOrder(t *testing.T) {
	s := open(t)
	players := pgbooks.NewPlayers(s.DB())
	_, err := players.Set(t.Context(), []schemas.Player{{ID: 1, Name: "One"}, {ID: 2, Name: "Two"}})
	require.NoError(t, err)
	db := raw(t, s)
	other, err := db.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(t.Context()) }()
	_, err = other.Exec(t.Context(), `UPDATE players SET name = 'First' WHERE id = 1`)
	require.NoError(t, err)
	var pid int32
	require.NoError(t, other.QueryRow(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid))
	loaded := make(chan error, 1)
	go func() {
		_, err := players.Set(t.Context(), []schemas.Player{{ID: 2, Name: "Second"}, {ID: 1, Name: "Eins"}})
		loaded <- err
	}()
	const waiting = `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND $1 = ANY (pg_blocking_pids(pid)))`
	for isWaiting := false; !isWaiting; {
		require.NoError(t, db.QueryRow(t.Context(), waiting, pid).Scan(&isWaiting))
	}
	_, err = db.Exec(t.Context(), `SELECT FROM players WHERE id = 2 FOR UPDATE NOWAIT`)
	require.NoError(t, err)
	require.NoError(t, other.Commit(t.Context()))
	require.NoError(t, <-loaded)
}
