package stack

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// AuditSQL makes triggers that note every version that goes back, and every register that is removed.
const AuditSQL = `
CREATE SCHEMA crash_audit;
CREATE TABLE crash_audit.gone_back (what text NOT NULL, was text NOT NULL, became text, at timestamptz DEFAULT clock_timestamp());

CREATE FUNCTION crash_audit.note_gone_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO crash_audit.gone_back VALUES (TG_NAME, OLD::text, NEW::text);
  RETURN NULL;
END $$;

CREATE TRIGGER measured_went_back AFTER UPDATE ON pitchstream.pitch_registers FOR EACH ROW
  WHEN (OLD.revision IS NOT NULL AND (NEW.revision IS NULL OR
    (NEW.revision, NEW.record_ts_ms, NEW.source_offset, NEW.source_partition) < (OLD.revision, OLD.record_ts_ms, OLD.source_offset, OLD.source_partition)))
  EXECUTE FUNCTION crash_audit.note_gone_back();
CREATE TRIGGER identified_went_back AFTER UPDATE ON pitchstream.pitch_registers FOR EACH ROW
  WHEN (OLD.identified_revision IS NOT NULL AND (NEW.identified_revision IS NULL OR
    (NEW.identified_revision, NEW.identified_record_ts_ms, NEW.identified_source_offset, NEW.identified_source_partition) <
    (OLD.identified_revision, OLD.identified_record_ts_ms, OLD.identified_source_offset, OLD.identified_source_partition)))
  EXECUTE FUNCTION crash_audit.note_gone_back();
CREATE TRIGGER register_removed AFTER DELETE ON pitchstream.pitch_registers FOR EACH ROW EXECUTE FUNCTION crash_audit.note_gone_back();
CREATE TRIGGER position_went_back AFTER UPDATE ON pitchstream.stream_positions FOR EACH ROW
  WHEN (NEW.next_offset < OLD.next_offset) EXECUTE FUNCTION crash_audit.note_gone_back();
`

// GoneBack counts what AuditSQL's triggers noted in a database, and shows one of it.
func GoneBack(t *testing.T, pool *pgxpool.Pool) (n int, example string) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `SELECT count(*), coalesce(max(what || ': ' || was || ' became ' || coalesce(became, 'nothing')), '')
		FROM crash_audit.gone_back`).Scan(&n, &example)
	require.NoError(t, err)
	return n, example
}
