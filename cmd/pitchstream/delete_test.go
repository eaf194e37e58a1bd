package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/deletion"
)

// guard: deletion: who deletes is kept before anything is sent
// guard: deletion: an unknown pitch needs force
// guard: deletion: a pitch that is deleted is not deleted again
// guard: deletion: the delete counts over what is stored
func TestADeletedPitchIsGoneAndItsReasonIsKept(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 60)
	stop := w.start(t)
	w.through(t)
	var id, other, game string
	w.exec(t, "UPDATE pitch_registers SET revision = 7 WHERE pitch_id = (SELECT min(pitch_id::text)::uuid FROM pitches)")
	require.NoError(t, w.postgres.QueryRow(t.Context(), "SELECT pitch_id::text, game_pk FROM pitches ORDER BY pitch_id LIMIT 1").Scan(&id, &game))
	require.NoError(t, w.postgres.QueryRow(t.Context(), "SELECT pitch_id::text FROM pitches ORDER BY pitch_id DESC LIMIT 1").Scan(&other))
	del := func(want int, args ...string) (r deletion.Report) {
		t.Helper()
		status, out, errs := runCLI(t, append([]string{"delete", "--json", w.flags[0], w.flags[1]}, args...)...)
		require.Equal(t, want, status, errs)
		if status == exitOK {
			require.NoError(t, json.Unmarshal([]byte(out), &r))
		} else {
			require.Regexp(t, "reason is missing|nothing is deleted: 1 pitch is not known: "+uuid(1), errs)
		}
		return r
	}
	del(exitUsage, id)
	r := del(exitOK, id, "--dry-run")
	require.Len(t, r.Deletions, 1)
	require.EqualValues(t, game, r.Deletions[0].GamePK)
	require.EqualValues(t, 8, r.Deletions[0].Revision)
	require.Zero(t, r.Sent)
	del(exitFailed, id, uuid(1), "--reason=x")
	require.Zero(t, w.rows(t, "SELECT count(*) FROM deletions"))

	list := filepath.Join(t.TempDir(), "pitches.csv")
	require.NoError(t, os.WriteFile(list, []byte("pitch_id,why\n"+id+",a\n"+id+",twice\n"+other+",b\n"), 0o600))
	require.Equal(t, 2, del(exitOK, "--file="+list, "--reason=warm-up").Sent)
	w.through(t)
	require.Zero(t, w.rows(t, "SELECT count(*) FROM pitches WHERE pitch_id IN ($1::uuid, $2::uuid)", id, other))
	require.EqualValues(t, 2, w.rows(t, "SELECT count(*) FROM deletions WHERE reason = 'warm-up' AND by <> '' AND sent_at >= at AND NOT is_forced"))
	r = del(exitOK, id, "--reason=again")
	require.Equal(t, []int{0, 1}, []int{r.Sent, r.Already})
	r = del(exitOK, uuid(1), "--reason=a ghost", "--force")
	require.Equal(t, 1, r.Sent)
	require.EqualValues(t, 1, w.rows(t, "SELECT count(*) FROM deletions WHERE is_forced"))
	stop()
}

func (w *town) rows(t *testing.T, sql string, args ...any) (n int64) {
	t.Helper()
	require.NoError(t, w.postgres.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}
