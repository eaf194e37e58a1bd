// Package pgbooks reads and writes the tables beside the rows, by one small type per subject: dead letters,
// replays, quality, heartbeats and players. Books reads the state that Redis and `verify` are compared with.
// All work over the pool of a pgsink.Sink, or, to read only, of a pgread.Reader. They are safe for use by
// several goroutines.
package pgbooks

import (
	"context"
	"embed"
	"encoding/json"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

//go:embed sql/*.sql
var files embed.FS

var statement = pg.Statements(files)

// Books reads the registers, rows, aggregates and positions.
type Books struct{ db *pg.DB }

// New makes Books over a pool that its caller closes.
func New(db *pg.DB) *Books { return &Books{db} }

// Pointer returns the target that readers see, from the schema serving.
func (b *Books) Pointer(ctx context.Context, serving string) (schemas.Pointer, error) {
	return pg.ReadPointer(ctx, b.db, serving)
}

// TryLock takes the named advisory lock of this schema on a connection of its own. ok is false while another
// process has it. The lock ends with release, or with the connection.
func (b *Books) TryLock(ctx context.Context, name string) (release func(), ok bool, err error) {
	return b.db.TryLock(ctx, name)
}

// AppliedPositions returns the stored positions of the group, sorted by topic and partition.
func (b *Books) AppliedPositions(ctx context.Context) ([]schemas.Position, error) {
	positions, err := pg.Collect(ctx, b.db, pgx.RowToStructByPos[schemas.Position],
		`SELECT topic, partition, next_offset, coalesce(topic_id, ''), coalesce(gap, ''), coalesce(former_next_offset, 0),
			coalesce(dead_letters_from, 0), coalesce(dead_letters_below, 0)
		FROM {schema}.stream_positions WHERE consumer_group = $1 ORDER BY 1, 2`, b.db.Config.Group)
	return positions, pg.Wrap("positions", err)
}

// Rows returns every current row, sorted by pitch. It holds them all in memory, which suits tests and small
// schemas.
func (b *Books) Rows(ctx context.Context) ([]schemas.StoredRow, error) {
	rows, err := pg.Collect(ctx, b.db, pg.ScanRow, `SELECT `+pg.RowColumns+` FROM {schema}.pitches ORDER BY pitch_id`)
	return rows, pg.Wrap("rows", err)
}

// PlayerSeqs returns every player of a side ever seen, sorted by id, with the current sequence number.
func (b *Books) PlayerSeqs(ctx context.Context, side schemas.Side) ([]schemas.PlayerSeq, error) {
	seqs, err := pg.Collect(ctx, b.db, pgx.RowToStructByPos[schemas.PlayerSeq],
		ofSide(side, `SELECT {side}_id, seq, pitches > 0 FROM {schema}.{side}_totals ORDER BY 1`))
	return seqs, pg.Wrap(side.String()+"s", err)
}

// ofSide fills the holes {side} of a statement.
func ofSide(side schemas.Side, sql string) string {
	return strings.ReplaceAll(sql, "{side}", side.String())
}

// PlayerSnapshots returns the whole state of some players of a side with all their games, as of one moment. A
// game without current rows has no aggregates. PrevSeq is 0, because such a snapshot replaces everything.
func (b *Books) PlayerSnapshots(
	ctx context.Context, side schemas.Side, ids []int64,
) ([]schemas.Snapshot, error) {
	var out []schemas.Snapshot
	at := map[int64]int{}
	batch := &pgx.Batch{}
	batch.Queue(ofSide(side, `SELECT {side}_id, seq, updated_at, `+pg.SumColumns(side)+`
		FROM {schema}.{side}_totals WHERE {side}_id = ANY ($1::bigint[]) ORDER BY 1`), ids).Query(func(rows pgx.Rows) error {
		return pg.Each(rows, func() error {
			snap := schemas.Snapshot{Side: side}
			sums := pg.NewSums(side)
			err := rows.Scan(sums.Into(&snap.PlayerID, &snap.Seq, pg.Time(&snap.UpdatedAt))...)
			var overall schemas.GameStats
			sums.Fill(&overall)
			snap.Stats, snap.Pitching = overall.Stats, overall.Pitching
			at[snap.PlayerID] = len(out)
			out = append(out, snap)
			return err
		})
	})
	batch.Queue(ofSide(side, `SELECT {side}_id, game_key, seq, `+pg.GameSumColumns(side)+`
		FROM {schema}.{side}_game_totals WHERE {side}_id = ANY ($1::bigint[]) AND game_key <> '' ORDER BY 1, 2`), ids).
		Query(func(rows pgx.Rows) error {
			return pg.EachGame(side, rows, func(player int64, g schemas.GameStats) {
				snap := &out[at[player]]
				snap.Games = append(snap.Games, g)
			})
		})
	scores := map[schemas.PitchID][]schemas.Score{}
	pg.QueueLastScores(batch, scores, ofSide(side, `
		SELECT last_pitch_id FROM {schema}.{side}_totals WHERE {side}_id = ANY ($1::bigint[])
		UNION SELECT last_pitch_id FROM {schema}.{side}_game_totals WHERE {side}_id = ANY ($1::bigint[])`), ids)
	err := b.db.InSnapshot(ctx, func(tx *pg.Tx) error { return tx.Run(ctx, batch) })
	if err != nil {
		return nil, pg.Wrap("snapshots", err)
	}
	for i := range out {
		out[i].ShowScores(scores)
	}
	return out, nil
}

var (
	sqlRegisters = statement("registers") + `WHERE pitch_id >= $1::uuid
		AND (pitch_id > $1::uuid OR $1::uuid = '00000000-0000-0000-0000-000000000000') ORDER BY pitch_id LIMIT $2`
	sqlRegistersOf = statement("registers") + `WHERE pitch_id = ANY ($1::uuid[]) ORDER BY pitch_id`
)

// Registers returns both registers of the next limit pitches after a pitch, sorted by pitch; fewer at the
// end. The first call passes the zero pitch, and gets it too if it exists: limit must be 2 or more. Each call
// reads at a moment of its own.
func (b *Books) Registers(
	ctx context.Context, after schemas.PitchID, limit int,
) ([]schemas.StoredRegisters, error) {
	return b.registers(ctx, sqlRegisters, [16]byte(after), limit)
}

// RegistersOf returns both registers of some pitches, sorted by pitch. It leaves out pitches that were never
// seen.
func (b *Books) RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error) {
	raw := schemas.Map(ids, func(id schemas.PitchID) [16]byte { return id })
	return b.registers(ctx, sqlRegistersOf, raw)
}

func (b *Books) registers(ctx context.Context, sql string, args ...any) ([]schemas.StoredRegisters, error) {
	found, err := pg.Collect(ctx, b.db, scanRegisters, sql, args...)
	return found, pg.Wrap("registers", err)
}

func scanRegisters(row pgx.CollectableRow) (r schemas.StoredRegisters, err error) {
	var measured, identified pg.VersionRow
	var topic schemas.Text
	var core schemas.Opt[int32]
	var ids schemas.Identifiers
	m := schemas.Change{Op: schemas.OpUpsert, Row: &schemas.Row{}}
	deleted := false
	into := append([]any{(*[16]byte)(&r.PitchID)}, measured.Into()...)
	into = append(into, pg.Text(&topic), pg.Time(&m.EventTime), &deleted, pg.Integer(&core))
	into = append(into, pg.MeasuresInto(m.Row)...)
	into = append(into, identified.Into()...)
	if err := row.Scan(append(into, pg.IdentifiersInto(&ids)...)...); err != nil {
		return r, err
	}
	if v := identified.Version(); v.Present {
		r.Identified = &schemas.Change{Op: schemas.OpIdentify, PitchID: r.PitchID, Version: v.Value, IDs: ids}
	}
	v := measured.Version()
	if !v.Present {
		return r, nil
	}
	r.CoreVersion = core.Value
	m.PitchID = r.PitchID
	m.Version = v.Value
	m.Origin = schemas.Coordinates{
		Topic: string(topic), Partition: v.Value.Partition, Offset: v.Value.Offset,
		TimestampMS: v.Value.TimestampMS,
	}
	m.Row.PitchID = r.PitchID
	if deleted {
		m.Op = schemas.OpDelete
		m.Row = nil
	}
	r.Measured = &m
	return r, nil
}

// Heartbeats writes the heartbeats of processors, for readers that have no Redis.
type Heartbeats struct{ db *pg.DB }

// NewHeartbeats makes Heartbeats over a pool that its caller closes.
func NewHeartbeats(db *pg.DB) Heartbeats { return Heartbeats{db} }

// Beat writes the heartbeat of a processor. It does not wait for the disk. It returns a number that goes up
// where scores of last pitches have changed without a batch.
func (b Heartbeats) Beat(
	ctx context.Context, instance string, h schemas.Heartbeat,
) (rescored int64, err error) {
	text, err := json.Marshal(h)
	if err != nil {
		return 0, pg.Wrap("heartbeat", err)
	}
	return b.write(ctx, instance, text)
}

// Rest records that a processor stopped in an orderly way.
func (b Heartbeats) Rest(ctx context.Context, instance string) error {
	_, err := b.write(ctx, instance, nil)
	return err
}

// write writes a heartbeat with the time of Postgres, because the clock of a processor may be wrong.
func (b Heartbeats) write(ctx context.Context, instance string, beat []byte) (rescored int64, err error) {
	err = pg.ScanOne(ctx, b.db, []any{&rescored}, `
		INSERT INTO {schema}.heartbeats (instance, at, beat) SELECT $1, clock_timestamp(), $2
		FROM set_config('synchronous_commit', 'off', true)
		ON CONFLICT (instance) DO UPDATE SET at = excluded.at, beat = excluded.beat
		RETURNING (SELECT rescored FROM {schema}.model_generation)`, instance, beat)
	return rescored, pg.Wrap("heartbeat", err)
}

// Players keeps the names of the players.
type Players struct{ db *pg.DB }

// NewPlayers makes Players over a pool that its caller closes.
func NewPlayers(db *pg.DB) Players { return Players{db} }

// Set adds players, and changes those that have another name or team, all in one transaction. It returns how
// many it added or changed. The list must hold each player once.
func (b Players) Set(ctx context.Context, players []schemas.Player) (changed int64, err error) {
	changed, err = pg.Exec(ctx, b.db, `
		INSERT INTO {schema}.players (id, name, team)
		SELECT id, name, nullif(team, '') FROM unnest($1::bigint[], $2::text[], $3::text[]) AS p(id, name, team)
		-- guard: players are written in one order | ORDER BY id ->
		ORDER BY id
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, team = excluded.team, updated_at = clock_timestamp()
		WHERE (players.name, players.team) IS DISTINCT FROM (excluded.name, excluded.team)`,
		schemas.Map(players, func(p schemas.Player) int64 { return p.ID }),
		schemas.Map(players, func(p schemas.Player) string { return p.Name }),
		schemas.Map(players, func(p schemas.Player) string { return p.Team }))
	return changed, pg.Wrap("players", err)
}

// IDs returns the ids of all players, each with true; none if no list was loaded.
func (b Players) IDs(ctx context.Context) (map[int64]bool, error) {
	ids, err := pg.CollectMap[int64, bool](ctx, b.db, `SELECT id, true FROM {schema}.players`)
	return ids, pg.Wrap("players", err)
}
