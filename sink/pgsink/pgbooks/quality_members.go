package pgbooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// AppendMembers adds a part to the stored profile of its game, day and venue. It leaves out a part whose
// records, or some of them, are in the profile already: those that a processor reads again after a crash.
func (b Quality) AppendMembers(ctx context.Context, part schemas.MemberPart) error {
	key := part.Key
	return pg.Wrap("quality", b.db.InTx(ctx, func(tx *pg.Tx) error {
		_, err := pg.Exec(ctx, tx, `INSERT INTO {schema}.quality_members (game_key, day, venue, updated_at, profile)
			VALUES ($1, $2::text::date, $3, now(), '{"records": 0, "paths": {}}') ON CONFLICT DO NOTHING`,
			key.Game, key.Day, key.Venue)
		if err != nil {
			return err
		}
		var stored schemas.MemberProfile
		err = pg.ScanOne(ctx, tx, []any{&stored}, `SELECT profile FROM {schema}.quality_members
			WHERE game_key = $1 AND day = $2::text::date AND venue = $3 FOR UPDATE`, key.Game, key.Day, key.Venue)
		if err != nil {
			return err
		}
		next, isKnown := stored.Next[key.Partition]
		// guard: members: records that are in a profile do not count twice | part.First < next -> false
		if part.First < next || !isKnown && len(stored.Next) >= schemas.MostMemberPartitions {
			return nil
		}
		body, err := json.Marshal(stored.Append(part.Profile))
		if err != nil {
			return fmt.Errorf("members of game %s: %w", key.Game, err)
		}
		_, err = pg.Exec(ctx, tx, `UPDATE {schema}.quality_members SET profile = $4, updated_at = now()
			WHERE game_key = $1 AND day = $2::text::date AND venue = $3`, key.Game, key.Day, key.Venue, body)
		return err
	}))
}

// IsRefused reports whether an error of AppendMembers is permanent, because the part cannot be stored: also
// where the stored profile cannot be read, as that of a newer build.
func IsRefused(err error) bool {
	_, isNoJSON := errors.AsType[*json.UnsupportedValueError](err)
	_, isOther := errors.AsType[*json.UnmarshalTypeError](err)
	// guard: members: a stored profile that cannot be read stops no others | isOther -> isOther && false
	return isNoJSON || isOther || pg.IsRecordsFault(err)
}

// mostMemberBytes bounds the profiles that are read for a report. A profile has some 7 KB.
const mostMemberBytes = 32 << 20

// attachMembers sets the Members of the facts. A profile whose day or venue differs from that of all facts of
// its game, as where a file says the game's date, is attached to those with most pitches. Without the header
// game_date the records of an evening have the next day of UTC, which may be after all days of the facts.
func (b Quality) attachMembers(ctx context.Context, facts []schemas.QualityFacts) error {
	if len(facts) == 0 {
		return nil
	}
	from, to := facts[0].Day, facts[0].Day
	for _, f := range facts {
		from, to = min(from, f.Day), max(to, f.Day)
	}
	_, err := pg.Collect(ctx, b.db, func(row pgx.CollectableRow) (_ struct{}, err error) {
		var game, day, venue string
		var body []byte
		var profile schemas.MemberProfile
		if err := row.Scan(&game, pg.Date((*schemas.Text)(&day)), &venue, &body); err != nil {
			return struct{}{}, err
		}
		// guard: members: a profile that cannot be read leaves the others judged
		if err := json.Unmarshal(body, &profile); err != nil {
			b.logger().Warn("the members of a game's records are not judged: their profile cannot be read",
				"game", game, "day", day, "venue", venue, "error", err)
			return struct{}{}, nil
		}
		if f := factsAt(facts, game, day, venue); f != nil {
			if f.Members != nil {
				profile = f.Members.Append(profile)
			}
			f.Members = &profile
		}
		return struct{}{}, nil
	}, `SELECT game_key, day, venue, profile FROM (
			SELECT *, sum(octet_length(profile::text)) OVER (ORDER BY day DESC, game_key, venue) AS bytes
			FROM {schema}.quality_members
			-- guard: members: those of the next day of UTC belong to their game | $2::text::date + 2 -> $2::text::date
			WHERE day BETWEEN $1::text::date - 2 AND $2::text::date + 2) AS newest
		WHERE bytes <= $3 ORDER BY day, game_key, venue`, from, to, int64(mostMemberBytes))
	if pg.IsMissing(err) {
		return nil // a schema of an older build
	}
	// guard: members: a role without a right on them judges the rest | pg.HasCode(err, "42501") -> false
	if pg.HasCode(err, "42501") {
		b.logger().Warn(
			"the members of records are not judged: run grant again, so that this role may read quality_members",
			"error", err)
		return nil
	}
	return err
}

func (b Quality) logger() *slog.Logger {
	return cmp.Or(b.db.Config.Log, slog.New(slog.DiscardHandler))
}

// factsAt returns the facts that a profile belongs to, nil if there are none.
func factsAt(facts []schemas.QualityFacts, game, day, venue string) (found *schemas.QualityFacts) {
	for i := range facts {
		f := &facts[i]
		switch {
		case string(f.GamePK) != game || game == "" && f.Day != day:
			continue
		case f.Day == day && string(f.Venue) == venue:
			return f
		case found == nil || f.Pitches > found.Pitches:
			found = f
		}
	}
	return found
}
