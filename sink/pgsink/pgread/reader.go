// Package pgread reads what the API serves, over connections that cannot write.
package pgread

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Errors of a database that this build must not read. Waiting helps only where ErrNotMigrated says so.
var (
	ErrEncoding    = pg.ErrEncoding
	ErrNewerSchema = pg.ErrNewerSchema
	ErrNotMigrated = pg.ErrNotMigrated
)

// Config names the database and the schema.
type Config = pg.Config

// Reader reads the views. No query takes longer than statementTimeout. It is safe for use by several
// goroutines.
type Reader struct{ db *pg.DB }

// statementTimeout is shorter than the patience of callers. A slow statement then ends with an answer, and is
// not taken for a server that does not answer.
const statementTimeout = 4 * time.Second

// Open makes a Reader. It does not connect.
func Open(cfg Config) (*Reader, error) {
	db, err := pg.OpenReader(cfg, "pitchstream serve", statementTimeout)
	if err != nil {
		return nil, err
	}
	return &Reader{db}, nil
}

// OpenPrimary is Open for a server of many answers, of which a later one must not be older. It refuses a
// standby where the URL names several servers, unless the URL has target_session_attrs.
func OpenPrimary(cfg Config) (*Reader, error) {
	db, err := pg.OpenPrimaryReader(cfg, "pitchstream serve", statementTimeout)
	if err != nil {
		return nil, err
	}
	return &Reader{db}, nil
}

// Reach is Open for a database that must answer now: it returns Ping's error.
func Reach(ctx context.Context, cfg Config) (*Reader, error) {
	r, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	if err := r.Ping(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// DB returns the pool, for the types of pgbooks. It is closed with the Reader.
func (r *Reader) DB() *pg.DB { return r.db }

// Close waits for the connections that are in use, and closes the pool.
func (r *Reader) Close() { r.db.Pool.Close() }

// Ping returns an error if the database is unreachable or its schema is not one that this build can read.
func (r *Reader) Ping(ctx context.Context) error {
	_, err := r.db.CheckMigrations(ctx)
	return err
}

// Pulse returns how far the stream is, and the heartbeats of the processors. It leaves out the epoch, because
// only Redis has it.
func (r *Reader) Pulse(ctx context.Context) (schemas.Pulse, error) {
	p := schemas.Pulse{Heartbeats: map[string]schemas.Heartbeat{}, Applied: map[string]int64{}}
	b := &pgx.Batch{}
	b.Queue(`SELECT topic, partition, next_offset FROM {schema}.stream_positions WHERE consumer_group = $1`, r.db.Config.Group).
		Query(func(rows pgx.Rows) error {
			var at schemas.Position
			_, err := pgx.ForEachRow(rows, []any{&at.Topic, &at.Partition, &at.NextOffset}, func() error {
				p.Applied[at.Topic+"/"+strconv.Itoa(int(at.Partition))] = at.NextOffset
				return nil
			})
			return err
		})
	var age int64 // of a heartbeat, ms by the clock of Postgres
	b.Queue(`SELECT instance, beat - 'work', (extract(epoch FROM clock_timestamp() - at) * 1000)::bigint
		FROM {schema}.heartbeats WHERE beat IS NOT NULL AND at > now() - interval '1 hour'`).
		Query(func(rows pgx.Rows) error {
			return decode(rows, func(name string, h schemas.Heartbeat) {
				// guard: api: a heartbeat in Postgres is dated by Postgres
				h.At = schemas.TimeMSOf(time.Now()) - schemas.TimeMS(max(age, 0))
				p.Heartbeats[name] = h
			}, &age)
		})
	return p, pg.Wrap("positions", r.db.Run(ctx, b))
}

// Works returns by instance the work that the processors reported, of a stopped one the last report within an
// hour.
func (r *Reader) Works(ctx context.Context) (map[string]schemas.Work, error) {
	works := map[string]schemas.Work{}
	b := &pgx.Batch{}
	b.Queue(`SELECT instance, beat->'work' FROM {schema}.heartbeats WHERE beat->'work' IS NOT NULL AND at > now() - interval '1 hour'`).
		Query(func(rows pgx.Rows) error {
			return decode(rows, func(name string, w schemas.Work) { works[name] = w })
		})
	return works, pg.Wrap("work", r.db.Run(ctx, b))
}

// decode calls add with the name and the JSON value of each row, when the other columns are in more. It
// leaves out values that another build wrote in another form.
func decode[T any](rows pgx.Rows, add func(name string, v T), more ...any) error {
	var name string
	var text []byte
	_, err := pgx.ForEachRow(rows, append([]any{&name, &text}, more...), func() error {
		var v T
		if json.Unmarshal(text, &v) == nil {
			add(name, v)
		}
		return nil
	})
	return err
}

// statsColumns returns those of a side's views that scanState reads behind the game.
func statsColumns(side schemas.Side) string {
	names := append([]string{side.String() + "_id"}, schemas.Map(side.Columns(), schemas.ColumnName)...)
	return strings.Join(append(names, "updated_at", "seq"), ", ")
}

// ofSide fills the holes for the names of a side.
func ofSide(side schemas.Side, sql string) string {
	return strings.NewReplacer("{side}", side.String(), "{stats columns}", statsColumns(side)).Replace(sql)
}

// byKey begins a batch of statements that find rows by a list of keys, each with an index. Postgres keeps the
// plan of such a statement. Else it would plan anew for each list, because a short list seems cheap. That
// takes 1.8 ms for a view of players, and the read 0.03 ms.
func byKey() *pgx.Batch {
	b := &pgx.Batch{}
	// guard: pgread: rows by key are not planned anew
	b.Queue(`SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)`)
	return b
}

// States returns the state of each key in the order of the keys, nil where no row is current.
func (r *Reader) States(ctx context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, error) {
	found := map[schemas.PlayerKey]*schemas.PlayerState{}
	b := byKey()
	for _, side := range schemas.Sides {
		queueStates(b, side, keys, found)
	}
	if err := r.db.Run(ctx, b); err != nil {
		return nil, pg.Wrap("players", err)
	}
	return schemas.Map(keys, func(k schemas.PlayerKey) *schemas.PlayerState { return found[k] }), nil
}

// queueStates reads the keys of one side into found.
func queueStates(
	b *pgx.Batch, side schemas.Side, keys []schemas.PlayerKey, found map[schemas.PlayerKey]*schemas.PlayerState,
) {
	var ids, gameIDs []int64
	var games []string
	for _, k := range keys {
		switch {
		case k.Side != side:
		case k.GamePK == "":
			ids = append(ids, k.PlayerID)
		default:
			gameIDs = append(gameIDs, k.PlayerID)
			games = append(games, k.GamePK)
		}
	}
	note := func(rows pgx.Rows) error {
		states, err := pgx.CollectRows(rows, scanState(side))
		for i := range states {
			found[states[i].PlayerKey] = &states[i]
		}
		return err
	}
	if len(ids) > 0 {
		b.Queue(ofSide(side, `SELECT '', {stats columns} FROM {schema}.{side}_stats WHERE {side}_id = ANY($1)`), ids).Query(note)
	}
	if len(games) > 0 {
		b.Queue(ofSide(side, `SELECT game_pk, {stats columns} FROM {schema}.{side}_game_stats
			WHERE ({side}_id, game_pk) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))`), gameIDs, games).Query(note)
	}
}

// PlayerGames returns a player's games, by the last pitch, the newest first, from behind the cursor on; nil:
// from the newest.
func (r *Reader) PlayerGames(
	ctx context.Context, key schemas.PlayerKey, after *schemas.SplitCursor, limit int,
) ([]schemas.PlayerState, error) {
	where, args := `WHERE {side}_id = $1`, []any{key.PlayerID, limit}
	if after != nil {
		// guard: api: a page of games begins behind the cursor
		where += ` AND ((last_pitch->>'event_time')::timestamptz, game_pk) < ($3, $4)`
		args = append(args, after.Newest.Time(), string(after.Key))
	}
	return collect(ctx, r, "games of a player", scanState(key.Side), ofSide(key.Side, `
		SELECT game_pk, {stats columns} FROM {schema}.{side}_game_stats `+where+`
		ORDER BY (last_pitch->>'event_time')::timestamptz DESC, game_pk DESC LIMIT $2`), args...)
}

// Leaders returns the players that the filter chooses with the highest values of its statistic, then by id
// and game. A batter counts with at least so many swings, a pitcher with so many pitches. Players without a
// value are left out. With a game or a date, each is a player in one game, of two games of a date the better
// one.
func (r *Reader) Leaders(
	ctx context.Context, f schemas.LeaderFilter, limit int,
) ([]schemas.PlayerState, error) {
	column, bound := pgx.Identifier{f.Stat}.Sanitize(), "swing_count"
	if f.Side == schemas.Pitcher {
		bound = "pitches"
	}
	args := []any{f.AtLeast, limit}
	where := `WHERE ` + bound + ` >= $1 AND ` + column + ` IS NOT NULL`
	and := func(condition string, arg any) {
		args = append(args, arg)
		where += ` AND ` + strings.ReplaceAll(condition, "$", "$"+strconv.Itoa(len(args)))
	}
	if f.GamePK != "" {
		and(`game_pk = $`, string(f.GamePK))
	}
	if f.Date != "" {
		// Indexes find games of a date in two ways: by pitches about that time, and, because history that is
		// loaded may have another time, by what quality has found out.
		and(`game_pk IN (SELECT p.game_pk FROM {schema}.pitches p WHERE p.game_date = $::text::date
			AND p.event_time >= $::text::date - interval '2 days' AND p.event_time < $::text::date + interval '3 days'
			UNION ALL SELECT q.game_pk FROM {schema}.quality q WHERE q.day = $::text::date AND q.pitches > 0)`, string(f.Date))
	}
	if f.Players != nil {
		and(`{side}_id = ANY ($::bigint[])`, f.Players)
	}
	// The condition is about players that are chosen already: of two games of a date, the better one counts.
	behind := ""
	if f.After != nil {
		args = append(args, f.After.Value, f.After.PlayerID)
		value, id := "$"+strconv.Itoa(len(args)-1)+"::float8", "$"+strconv.Itoa(len(args))
		// guard: api: a page of leaders begins behind the cursor
		behind = `(` + column + ` < ` + value + ` OR ` + column + ` = ` + value + ` AND {side}_id > ` + id + `)`
	}
	if f.GamePK == "" && f.Date == "" {
		if behind != "" {
			where += ` AND ` + behind
		}
		return collect(ctx, r, f.Side.String()+"s", scanState(f.Side), ofSide(f.Side, `SELECT '', {stats columns} FROM {schema}.{side}_stats
			`+where+` ORDER BY `+column+` DESC, {side}_id LIMIT $2`), args...)
	}
	// guard: pgread: a player leads once | DISTINCT ON ({side}_id) ->
	best := `SELECT DISTINCT ON ({side}_id) * FROM {schema}.{side}_game_stats ` + where + ` ORDER BY {side}_id, ` + column + ` DESC, game_pk`
	if behind != "" {
		behind = `WHERE ` + behind
	}
	return collect(ctx, r, f.Side.String()+"s", scanState(f.Side), ofSide(f.Side, `SELECT game_pk, {stats columns} FROM (`+
		best+`) AS best `+behind+` ORDER BY `+column+` DESC, {side}_id LIMIT $2`), args...)
}

func collect[T any](
	ctx context.Context, r *Reader, what string, scan pgx.RowToFunc[T], sql string, args ...any,
) ([]T, error) {
	found, err := pg.Collect(ctx, r.db, scan, sql, args...)
	return found, pg.Wrap(what, err)
}

// scanState reads the game, then statsColumns.
func scanState(side schemas.Side) pgx.RowToFunc[schemas.PlayerState] {
	return func(row pgx.CollectableRow) (s schemas.PlayerState, err error) {
		s.Side = side
		into := []any{&s.GamePK, &s.PlayerID}
		for _, field := range s.Fields() {
			if number, ok := field.(*schemas.Opt[float64]); ok {
				field = pg.Float(number)
			}
			into = append(into, field)
		}
		err = row.Scan(append(into, pg.Time(&s.UpdatedAt), &s.Seq)...)
		return s, err
	}
}
