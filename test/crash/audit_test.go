package crash

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// audit reads what triggers in the database record about its changes. They note every version that goes back,
// every register that is removed, and which connection moved a position last.
type audit struct{ pool *pgxpool.Pool }

// moversSQL notes which connection moved a position last.
const moversSQL = `
CREATE TABLE crash_audit.movers (partition int PRIMARY KEY, next_offset bigint NOT NULL, pid int NOT NULL, at timestamptz NOT NULL);
CREATE FUNCTION crash_audit.note_mover() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO crash_audit.movers VALUES (NEW.partition, NEW.next_offset, pg_backend_pid(), clock_timestamp())
  ON CONFLICT (partition) DO UPDATE SET next_offset = excluded.next_offset, pid = excluded.pid, at = excluded.at;
  RETURN NULL;
END $$;
CREATE TRIGGER position_moved AFTER UPDATE ON pitchstream.stream_positions FOR EACH ROW
  WHEN (NEW.updated_at IS DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION crash_audit.note_mover();
`

func newAudit(t *testing.T, url string) *audit {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), stack.AuditSQL+moversSQL)
	require.NoError(t, err)
	return &audit{pool}
}

// moved are the positions that one of these backends moved last, by partition.
func (a *audit) moved(ctx context.Context, pids []int32) (map[int32]int64, error) {
	rows, err := a.pool.Query(ctx, `SELECT partition, next_offset FROM crash_audit.movers WHERE pid = ANY($1) AND at > clock_timestamp() - interval '10 s'`, pids)
	if err != nil {
		return nil, err
	}
	moved := map[int32]int64{}
	var partition int32
	var next int64
	_, err = pgx.ForEachRow(rows, []any{&partition, &next}, func() error { moved[partition] = next; return nil })
	return moved, err
}

// alive says how many of these backends are still at work on what their dead client had sent.
func (a *audit) alive(ctx context.Context, pids []int32) (n int, err error) {
	return n, a.pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)`, pids).Scan(&n)
}

// caught reports whether a processor was killed after Postgres had committed one of its batches and before
// Kafka had. Then a position that it moved last is ahead of the group's committed offset, and stays ahead. A
// kill is not counted if the servers cannot be asked now.
func (a *audit) caught(t *testing.T, w *stack.Stack, p *processor, vanished bool) bool {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	pids := p.postgres.backends()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	was, times := "", 0
	for {
		now := "" // of what is ahead
		n, err := a.alive(ctx, pids)
		if err == nil && (n == 0 || vanished) {
			moved, err1 := a.moved(ctx, pids)
			committed, err2 := w.Admin.FetchOffsets(ctx, w.Name)
			if err1 == nil && err2 == nil {
				now = "settled"
				for partition, next := range moved {
					if at, ok := committed.Lookup(w.Raw(), partition); ok && at.At < next {
						now += fmt.Sprint(" ", partition, ":", at.At, "<", next)
					}
				}
			}
		}
		if now != was || now == "" {
			was, times = now, 0
		}
		if times++; now != "" && times == 3 { // a commit that was on its way to Kafka has arrived by then
			return now != "settled"
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
