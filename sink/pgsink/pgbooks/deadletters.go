package pgbooks

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// letterKeys are the identities of letters as arrays.
type letterKeys struct {
	topics              []string
	partitions          []int32
	offsets, timestamps []int64
	attempts            []int32
}

func letterKeysOf(n int, id func(i int) schemas.DeadLetterID) (k letterKeys) {
	for i := range n {
		l := id(i)
		k.topics, k.partitions, k.offsets = append(k.topics, l.Origin.Topic), append(k.partitions, l.Origin.Partition), append(k.offsets, l.Origin.Offset)
		k.timestamps, k.attempts = append(k.timestamps, l.Origin.TimestampMS), append(k.attempts, l.Attempts)
	}
	return k
}

const decisionColumns = `d.origin_topic, d.origin_partition, d.origin_offset, d.origin_ts_ms, d.attempts,
	d.action, coalesce(d.reason, ''), d.decided_by, d.build, d.decided_at, d.times, coalesce(d.raw_topic, ''), coalesce(d.raw_partition, 0), coalesce(d.raw_offset, 0)`

// DeadLetterDecisions answers what was decided about letters, in no order; nothing about one of which nothing was.
func (b *Books) DeadLetterDecisions(ctx context.Context, ids []schemas.DeadLetterID) ([]schemas.DeadLetterDecision, error) {
	return letterDecisions(ctx, b.pool, ids)
}

func letterDecisions(ctx context.Context, pool *pgxpool.Pool, ids []schemas.DeadLetterID) ([]schemas.DeadLetterDecision, error) {
	k := letterKeysOf(len(ids), func(i int) schemas.DeadLetterID { return ids[i] })
	return decisions(ctx, pool, `SELECT `+decisionColumns+`
		FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::int[]) AS k(topic, partition, at, ts, attempts)
		JOIN letter_decisions d ON (d.origin_topic, d.origin_partition, d.origin_offset, d.origin_ts_ms, d.attempts) = (k.topic, k.partition, k.at, k.ts, k.attempts)`,
		k.topics, k.partitions, k.offsets, k.timestamps, k.attempts)
}

// DeadLettersSending answers the letters that a retry was about to send when it ended.
func (b *Books) DeadLettersSending(ctx context.Context) ([]schemas.DeadLetterDecision, error) {
	return decisions(ctx, b.pool, `SELECT `+decisionColumns+` FROM letter_decisions d WHERE d.action = 'sending' ORDER BY d.decided_at`)
}

func decisions(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) ([]schemas.DeadLetterDecision, error) {
	rows, err := pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: decisions about letters: %w", pg.HideSecret(err))
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d schemas.DeadLetterDecision, err error) {
		var at time.Time
		o, r := &d.ID.Origin, &d.Raw
		err = row.Scan(&o.Topic, &o.Partition, &o.Offset, &o.TimestampMS, &d.ID.Attempts,
			&d.Action, &d.Reason, &d.By, &d.Build, &at, &d.Times, &r.Topic, &r.Partition, &r.Offset)
		d.At = schemas.TimeMSOf(at)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: decisions about letters: %w", pg.HideSecret(err))
	}
	return out, nil
}

// DecideDeadLetters writes decisions, each letter once, over those that stood; all or none. Times is counted here.
func (b *Books) DecideDeadLetters(ctx context.Context, decisions []schemas.DeadLetterDecision) error {
	k := letterKeysOf(len(decisions), func(i int) schemas.DeadLetterID { return decisions[i].ID })
	n := len(decisions)
	actions, reasons, by, builds, at := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]time.Time, n)
	topics, partitions, offsets := make([]string, n), make([]int32, n), make([]int64, n)
	for i, d := range decisions {
		actions[i], reasons[i], by[i], builds[i], at[i] = string(d.Action), d.Reason, d.By, d.Build, d.At.Time()
		topics[i], partitions[i], offsets[i] = d.Raw.Topic, d.Raw.Partition, d.Raw.Offset
	}
	_, err := b.pool.Exec(ctx, `
		INSERT INTO letter_decisions (origin_topic, origin_partition, origin_offset, origin_ts_ms, attempts, action, reason,
		                              decided_by, build, decided_at, raw_topic, raw_partition, raw_offset)
		SELECT topic, partition, at, ts, attempts, action, nullif(reason, ''), decided_by, build, decided_at,
		       nullif(raw_topic, ''), CASE WHEN raw_topic <> '' THEN raw_partition END, CASE WHEN raw_topic <> '' THEN raw_offset END
		FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[],
		            $10::timestamptz[], $11::text[], $12::int[], $13::bigint[])
		     AS d(topic, partition, at, ts, attempts, action, reason, decided_by, build, decided_at, raw_topic, raw_partition, raw_offset)
		ON CONFLICT (origin_topic, origin_partition, origin_offset, origin_ts_ms, attempts) DO UPDATE
		SET action = excluded.action, reason = excluded.reason, decided_by = excluded.decided_by, build = excluded.build,
		    decided_at = excluded.decided_at, raw_topic = excluded.raw_topic, raw_partition = excluded.raw_partition,
		    raw_offset = excluded.raw_offset,
		    times = letter_decisions.times + CASE WHEN letter_decisions.action = 'sending' THEN 0 ELSE 1 END`,
		k.topics, k.partitions, k.offsets, k.timestamps, k.attempts, actions, reasons, by, builds, at, topics, partitions, offsets)
	if err != nil {
		return fmt.Errorf("postgres: decisions about letters: %w", pg.HideSecret(err))
	}
	return nil
}

// LockDeadLetters takes the one lock of those who decide about letters in this schema; ok is false where another has it.
// It goes with unlock, with the connection, and so with the process.
func (b *Books) LockDeadLetters(ctx context.Context) (unlock func(), ok bool, err error) {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	key := pg.LockKey(b.cfg.Schema, "letters")
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&ok); err != nil || !ok {
		conn.Release()
		return nil, false, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, key); err != nil {
			_ = conn.Conn().Close(ctx)
		}
		conn.Release()
	}, true, nil
}
