// Package pgread reads what the API answers, over connections that cannot write.
package pgread

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Reader reads what the views say, for those who only read: it cannot write, and no question takes longer than
// statementTimeout. It is safe for use by several goroutines.
type Reader struct {
	pool *pgxpool.Pool
	cfg  Config
}

// Config says where the database is.
type Config = pg.Config

const statementTimeout = 5 * time.Second

// Open makes a Reader. It does not connect.
func Open(cfg Config) (*Reader, error) {
	pc, err := cfg.PoolConfig("pitchstream serve")
	if err != nil {
		return nil, err
	}
	pc.MaxConns = max(cfg.MaxConns, pc.MaxConns, 8)
	params := pc.ConnConfig.RuntimeParams
	params["default_transaction_read_only"] = "on"
	params["statement_timeout"] = strconv.FormatInt(statementTimeout.Milliseconds(), 10)
	pc.ConnConfig.ConnectTimeout = 2 * time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	return &Reader{pool: pool, cfg: cfg}, nil
}

// DB returns the pool, for the books that are read beside. It is closed with the Reader.
func (r *Reader) DB() *pg.DB { return &pg.DB{Pool: r.pool, Config: r.cfg} }

// Close waits for the connections that are in use, and closes the pool.
func (r *Reader) Close() { r.pool.Close() }

// Ping answers whether the database is reachable and its schema has what this build reads.
func (r *Reader) Ping(ctx context.Context) error {
	var ok bool
	if err := r.pool.QueryRow(ctx, `SELECT to_regclass('players') IS NOT NULL`).Scan(&ok); err != nil {
		return fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	if !ok {
		return errors.New("postgres: the schema is not that of this build: run `pitchstream migrate`")
	}
	return nil
}

// Pulse is how far the stream is, and what the processors say: all but the epoch, which is that of Redis.
func (r *Reader) Pulse(ctx context.Context) (p schemas.Pulse, err error) {
	p = schemas.Pulse{Heartbeats: map[string]schemas.Heartbeat{}, Applied: map[string]int64{}}
	b := &pgx.Batch{}
	b.Queue(`SELECT topic, partition, next_offset FROM stream_positions WHERE consumer_group = $1`, r.cfg.Group).Query(func(rows pgx.Rows) error {
		var at schemas.Position
		_, err := pgx.ForEachRow(rows, []any{&at.Topic, &at.Partition, &at.NextOffset}, func() error {
			p.Applied[at.Topic+"/"+strconv.Itoa(int(at.Partition))] = at.NextOffset
			return nil
		})
		return err
	})
	b.Queue(`SELECT instance, beat - 'work' FROM heartbeats WHERE beat IS NOT NULL AND at > now() - interval '1 hour'`).Query(func(rows pgx.Rows) error {
		var instance string
		var beat []byte
		_, err := pgx.ForEachRow(rows, []any{&instance, &beat}, func() error {
			var h schemas.Heartbeat
			if json.Unmarshal(beat, &h) == nil {
				p.Heartbeats[instance] = h
			}
			return nil
		})
		return err
	})
	if err := r.pool.SendBatch(ctx, b).Close(); err != nil {
		return p, fmt.Errorf("postgres: positions: %w", pg.HideSecret(err))
	}
	return p, nil
}

// Works reads what the processors tell of their work, by instance; of one that died, the last that it said.
func (r *Reader) Works(ctx context.Context) (map[string]schemas.Work, error) {
	rows, err := r.pool.Query(ctx, `SELECT instance, beat->'work' FROM heartbeats WHERE beat->'work' IS NOT NULL AND at > now() - interval '1 hour'`)
	if err != nil {
		return nil, fmt.Errorf("postgres: work: %w", pg.HideSecret(err))
	}
	works := map[string]schemas.Work{}
	var instance string
	var text []byte
	if _, err := pgx.ForEachRow(rows, []any{&instance, &text}, func() error {
		var w schemas.Work
		if json.Unmarshal(text, &w) == nil {
			works[instance] = w
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("postgres: work: %w", pg.HideSecret(err))
	}
	return works, nil
}

const statsColumns = `batter_id, pitches, swing_count, whiff_count, whiff_rate_pct, contact_count, max_exit_velocity_mph, avg_exit_velocity_mph,
	hard_hit_count, max_bat_speed_mph, avg_bat_speed_mph, avg_attack_angle_deg, last_pitch, by_pitch_type, updated_at, seq`

// States reads batters over all games or in games, in the order of the keys; nil where no row stands.
func (r *Reader) States(ctx context.Context, keys []schemas.BatterKey) ([]*schemas.BatterState, error) {
	var ids, gameIDs []int64
	var games []string
	for _, k := range keys {
		if k.GamePK == "" {
			ids = append(ids, k.BatterID)
		} else {
			gameIDs, games = append(gameIDs, k.BatterID), append(games, k.GamePK)
		}
	}
	found := map[schemas.BatterKey]*schemas.BatterState{}
	note := func(rows pgx.Rows) error {
		states, err := scanStates(rows)
		for i := range states {
			found[states[i].BatterKey] = &states[i]
		}
		return err
	}
	b := &pgx.Batch{}
	if len(ids) > 0 {
		b.Queue(`SELECT '', `+statsColumns+` FROM batter_stats WHERE batter_id = ANY($1)`, ids).Query(note)
	}
	if len(games) > 0 {
		b.Queue(`SELECT game_pk, `+statsColumns+` FROM batter_game_stats WHERE (batter_id, game_pk) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))`, gameIDs, games).Query(note)
	}
	if err := r.pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", pg.HideSecret(err))
	}
	states := make([]*schemas.BatterState, len(keys))
	for i, k := range keys {
		states[i] = found[k]
	}
	return states, nil
}

// GameStates reads all batters of a game, by id.
func (r *Reader) GameStates(ctx context.Context, gamePK string) ([]schemas.BatterState, error) {
	return r.states(ctx, `SELECT game_pk, `+statsColumns+` FROM batter_game_stats WHERE game_pk = $1 ORDER BY batter_id LIMIT 500`, gamePK)
}

// Leaders reads the batters with at least so many swings who lead in a value of batter_stats, which must be a column's
// name; those without a value are left out.
func (r *Reader) Leaders(ctx context.Context, stat string, minSwings int64, limit int) ([]schemas.BatterState, error) {
	column := pgx.Identifier{stat}.Sanitize()
	return r.states(ctx, `SELECT '', `+statsColumns+` FROM batter_stats WHERE swing_count >= $1 AND `+column+` IS NOT NULL ORDER BY `+column+` DESC, batter_id LIMIT $2`, minSwings, limit)
}

func (r *Reader) states(ctx context.Context, sql string, args ...any) ([]schemas.BatterState, error) {
	rows, err := r.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", pg.HideSecret(err))
	}
	states, err := scanStates(rows)
	if err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", pg.HideSecret(err))
	}
	return states, nil
}

// scanStates reads the game, then statsColumns.
func scanStates(rows pgx.Rows) (states []schemas.BatterState, err error) {
	defer rows.Close()
	for rows.Next() {
		var s schemas.BatterState
		st := &s.Stats
		var whiffRate, maxExit, avgExit, maxBat, avgBat, attack *float64
		var last, types []byte
		var updated time.Time
		if err := rows.Scan(&s.GamePK, &s.BatterID, &st.Pitches, &st.SwingCount, &st.WhiffCount, &whiffRate, &st.ContactCount, &maxExit, &avgExit,
			&st.HardHitCount, &maxBat, &avgBat, &attack, &last, &types, &updated, &s.Seq); err != nil {
			return nil, err
		}
		st.WhiffRatePct, st.MaxExitVelocityMPH, st.AvgExitVelocityMPH = schemas.FromPointer(whiffRate), schemas.FromPointer(maxExit), schemas.FromPointer(avgExit)
		st.MaxBatSpeedMPH, st.AvgBatSpeedMPH, st.AvgAttackAngleDeg = schemas.FromPointer(maxBat), schemas.FromPointer(avgBat), schemas.FromPointer(attack)
		s.UpdatedAt = schemas.TimeMSOf(updated)
		if err := errors.Join(json.Unmarshal(last, &st.LastPitch), json.Unmarshal(types, &st.ByPitchType)); err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, rows.Err()
}
