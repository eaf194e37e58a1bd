package pgbooks

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// DeadLetters keeps the decisions about dead letters.
type DeadLetters struct{ db *pg.DB }

// NewDeadLetters makes DeadLetters over a pool that its caller closes.
func NewDeadLetters(db *pg.DB) DeadLetters { return DeadLetters{db} }

// identityArrays returns the identities of dead letters as five arrays, in the order of the key of the table.
func identityArrays(ids []schemas.DeadLetterID) []any {
	return []any{
		schemas.Map(ids, func(id schemas.DeadLetterID) string { return id.Origin.Topic }),
		schemas.Map(ids, func(id schemas.DeadLetterID) int32 { return id.Origin.Partition }),
		schemas.Map(ids, func(id schemas.DeadLetterID) int64 { return id.Origin.Offset }),
		schemas.Map(ids, func(id schemas.DeadLetterID) int64 { return id.Origin.TimestampMS }),
		schemas.Map(ids, func(id schemas.DeadLetterID) int32 { return id.Attempts }),
	}
}

// DeadLetterDecisions returns the last decision about each of the dead letters that has one, in no order.
func (b DeadLetters) DeadLetterDecisions(
	ctx context.Context, ids []schemas.DeadLetterID,
) ([]schemas.DeadLetterDecision, error) {
	return b.decisions(ctx, `
		JOIN unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::int[]) AS k(topic, partition, at, ts, attempts)
		ON (d.origin_topic, d.origin_partition, d.origin_offset, d.origin_ts_ms, d.attempts) = (k.topic, k.partition, k.at, k.ts, k.attempts)`,
		identityArrays(ids)...)
}

// DeadLettersSending returns the dead letters that a retry was about to send when it was killed.
func (b DeadLetters) DeadLettersSending(ctx context.Context) ([]schemas.DeadLetterDecision, error) {
	return b.decisions(ctx, `WHERE d.action = 'sending' ORDER BY d.decided_at`)
}

func (b DeadLetters) decisions(
	ctx context.Context, which string, args ...any,
) ([]schemas.DeadLetterDecision, error) {
	found, err := pg.Collect(ctx, b.db, scanDecision, `
		SELECT d.origin_topic, d.origin_partition, d.origin_offset, d.origin_ts_ms, d.attempts,
			d.action, coalesce(d.reason, ''), d.decided_by, d.build, d.decided_at, d.times,
			coalesce(d.raw_topic, ''), coalesce(d.raw_partition, 0), coalesce(d.raw_offset, 0)
		FROM {schema}.letter_decisions d `+which, args...)
	return found, pg.Wrap("decisions about dead letters", err)
}

func scanDecision(row pgx.CollectableRow) (d schemas.DeadLetterDecision, err error) {
	from := &d.ID.Origin
	raw := &d.Raw
	err = row.Scan(&from.Topic, &from.Partition, &from.Offset, &from.TimestampMS, &d.ID.Attempts,
		&d.Action, &d.Reason, &d.By, &d.Build, pg.Time(&d.At), &d.Times, &raw.Topic, &raw.Partition, &raw.Offset)
	return d, err
}

// DecideDeadLetters writes decisions, at most one per dead letter, over earlier ones: all or none. It counts
// Times itself.
func (b DeadLetters) DecideDeadLetters(ctx context.Context, decisions []schemas.DeadLetterDecision) error {
	type decision = schemas.DeadLetterDecision
	args := append(identityArrays(schemas.Map(decisions, func(d decision) schemas.DeadLetterID { return d.ID })),
		schemas.Map(decisions, func(d decision) string { return string(d.Action) }),
		schemas.Map(decisions, func(d decision) string { return d.Reason }),
		schemas.Map(decisions, func(d decision) string { return d.By }),
		schemas.Map(decisions, func(d decision) string { return d.Build }),
		schemas.Map(decisions, func(d decision) time.Time { return d.At.Time() }),
		schemas.Map(decisions, func(d decision) string { return d.Raw.Topic }),
		schemas.Map(decisions, func(d decision) int32 { return d.Raw.Partition }),
		schemas.Map(decisions, func(d decision) int64 { return d.Raw.Offset }))
	_, err := pg.Exec(ctx, b.db, `
		INSERT INTO {schema}.letter_decisions (origin_topic, origin_partition, origin_offset, origin_ts_ms, attempts, action, reason,
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
		    times = letter_decisions.times + CASE WHEN letter_decisions.action = 'sending' THEN 0 ELSE 1 END`, args...)
	return pg.Wrap("decisions about dead letters", err)
}

// LockDeadLetters takes the lock of retry and discard in this schema. ok is false if another program holds
// it. The lock ends with unlock, or with the process.
func (b DeadLetters) LockDeadLetters(ctx context.Context) (unlock func(), ok bool, err error) {
	return b.db.TryLock(ctx, "letters")
}

// RegistersOf returns what Books.RegistersOf returns. It shows whether a newer record has superseded a dead
// letter.
func (b DeadLetters) RegistersOf(
	ctx context.Context, ids []schemas.PitchID,
) ([]schemas.StoredRegisters, error) {
	return New(b.db).RegistersOf(ctx, ids)
}
