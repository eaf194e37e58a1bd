package pgsink

import (
	"context"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// The writer's rights suffice for all that a store does.
// guard: version fence of the measured register
// guard: an older core does not rewrite
// guard: version fence of the identified register
// guard: what a row counted for before is computed again
// guard: players are locked before they are computed
// guard: a position that is behind refuses the batch
// guard: a position never moves back
// guard: the predecessor of a refused version becomes current
// guard: what an older store has only a name of is not published
// guard: a batter whose maximum may be gone is folded from all games
// guard: a batter whose last pitch may be gone is folded from all games
// guard: at once: a position that is behind refuses the batch
// guard: at once: only what this batch wrote has its players computed
// guard: at once: what a row counted for before is computed again
// guard: at once: identifies go in steps
func TestTheWriterKeepsTheContractOfAStore(t *testing.T) {
	sinktest.Exercise(t, func(t *testing.T) sinktest.Fixture {
		owner := open(t)
		writer := role(t, owner)
		require.NoError(t, pgadmin.New(owner.DB()).Grant(t.Context(), pgadmin.Roles{Writer: writer}))
		return sinktest.Fixture{
			Open:        func(t *testing.T, core int32) sinktest.Store { return whole(as(t, owner, writer, core)) },
			Refuse:      func(t *testing.T, venue string) { refuseVenue(t, owner, venue) },
			RefuseNames: func(t *testing.T, batter int64) { refuseNames(t, owner, batter) },
		}
	})
}

func TestTheWriterLocksComparesAndRepairs(t *testing.T) {
	owner, _ := filled(t)
	name := role(t, owner)
	require.NoError(t, pgadmin.New(owner.DB()).Grant(t.Context(), pgadmin.Roles{Writer: name}))
	writer := as(t, owner, name, 1)
	require.NoError(t, writer.Ping(t.Context()))
	release, ok, err := pgbooks.New(writer.DB()).TryLock(t.Context(), "sweep")
	require.NoError(t, err)
	require.True(t, ok)
	release()
	for _, side := range schemas.Sides {
		require.Empty(t, compareAll(t, writer, side).Differences)
	}
}

func TestOnlyTheOwnerChangesTables(t *testing.T) {
	owner, _ := filled(t)
	roles := pgadmin.Roles{Writer: role(t, owner), Reader: role(t, owner)}
	_, err := raw(t, owner).Exec(t.Context(), `GRANT ALL ON ALL TABLES IN SCHEMA pitchstream TO `+pgx.Identifier{roles.Reader}.Sanitize())
	require.NoError(t, err)
	for range 2 { // again changes nothing
		require.NoError(t, pgadmin.New(owner.DB()).Grant(t.Context(), roles))
	}
	for _, name := range []string{roles.Writer, roles.Reader} {
		s := as(t, owner, name, 1)
		for _, sql := range []string{
			`DROP TABLE batter_totals`, `DROP VIEW pitches`, `DROP SCHEMA pitchstream CASCADE`, `TRUNCATE pitch_registers`,
			`ALTER TABLE pitch_registers DISABLE TRIGGER ALL`, `ALTER TABLE batter_totals ADD COLUMN x int`,
			`CREATE TABLE pitchstream.mine (x int)`, `CREATE FUNCTION pitchstream.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
			`CREATE INDEX ON pitch_registers (venue)`, `DELETE FROM pitch_registers`, `DELETE FROM stream_positions`,
			`UPDATE schema_migrations SET checksum = ''`, `INSERT INTO schema_migrations VALUES (999, 'x', 'x')`,
			`COPY pitch_registers TO PROGRAM 'cat'`,
		} {
			requireDenied(t, s, sql)
		}
	}
	require.NoError(t, owner.Ping(t.Context()))
}

func TestTheReaderReadsAll(t *testing.T) {
	owner, _ := filled(t)
	name := role(t, owner)
	require.NoError(t, pgadmin.New(owner.DB()).Grant(t.Context(), pgadmin.Roles{Reader: name}))
	reader := as(t, owner, name, 1)
	require.NoError(t, reader.Ping(t.Context()))
	for _, view := range []string{"pitches", "batter_stats", "batter_game_stats", "pitch_type_breakdown", "dataset_stats"} {
		var n int
		require.NoError(t, raw(t, reader).QueryRow(t.Context(), `SELECT count(*) FROM `+view).Scan(&n), view)
		require.Positive(t, n, view)
	}
	start := schemas.Position{Topic: "raw", NextOffset: 7, TopicID: "a"}
	_, err := owner.EnsurePositions(t.Context(), []schemas.Position{start})
	require.NoError(t, err)
	positions, err := pgbooks.New(reader.DB()).AppliedPositions(t.Context())
	require.NoError(t, err)
	require.Contains(t, positions, start)
	for _, sql := range []string{
		`UPDATE pitch_registers SET venue = 'x'`, `INSERT INTO batter_totals (batter_id, seq, updated_at) VALUES (1, 1, now())`,
		`UPDATE stream_positions SET next_offset = 0`, `UPDATE batter_totals SET pitches = 0`, `SELECT FROM pitch_registers FOR UPDATE`,
	} {
		requireDenied(t, reader, sql)
	}
}

func TestATableOfALaterMigrationIsGrantedToo(t *testing.T) {
	owner := open(t)
	roles := pgadmin.Roles{Writer: role(t, owner), Reader: role(t, owner)}
	require.NoError(t, pgadmin.New(owner.DB()).Grant(t.Context(), roles))
	_, err := raw(t, owner).Exec(t.Context(), `CREATE TABLE later (x int)`)
	require.NoError(t, err)
	require.NoError(t, pgadmin.New(owner.DB()).Grant(t.Context(), roles))
	_, err = raw(t, as(t, owner, roles.Writer, 1)).Exec(t.Context(), `INSERT INTO later VALUES (1)`)
	require.NoError(t, err)
	_, err = raw(t, as(t, owner, roles.Reader, 1)).Exec(t.Context(), `SELECT * FROM later`)
	require.NoError(t, err)
}

func TestARoleThatCannotBeLimitedIsRefused(t *testing.T) {
	owner := open(t)
	good := role(t, owner)
	var self string
	require.NoError(t, raw(t, owner).QueryRow(t.Context(), `SELECT current_user`).Scan(&self))
	ownersOwn, member := role(t, owner), role(t, owner)
	_, err := raw(t, owner).Exec(t.Context(), `
		ALTER SCHEMA pitchstream OWNER TO `+pgx.Identifier{ownersOwn}.Sanitize()+`;
		GRANT `+pgx.Identifier{ownersOwn}.Sanitize()+` TO `+pgx.Identifier{member}.Sanitize())
	require.NoError(t, err)
	for want, roles := range map[string]pgadmin.Roles{
		`there is no role "no such": make it first, CREATE ROLE "no such" LOGIN`: {Writer: good, Reader: "no such"},
		`is a superuser`:                   {Writer: self},
		`role "` + ownersOwn + `" owns`:    {Writer: good, Reader: ownersOwn},
		`role "` + member + `" owns`:       {Writer: member},
		`want another one to read than to`: {Writer: good, Reader: good},
	} {
		require.ErrorContains(t, pgadmin.New(owner.DB()).Grant(t.Context(), roles), want)
	}
	requireDenied(t, as(t, owner, good, 1), `SELECT * FROM pitchstream.pitches`) // nothing was granted
}

const rolesPassword = "hush"

// role makes a role that may log in and has no rights; it goes with the test.
func role(t *testing.T, owner *Sink) string {
	t.Helper()
	name := testkit.Name(t)
	quoted := pgx.Identifier{name}.Sanitize()
	_, err := raw(t, owner).Exec(t.Context(), `CREATE ROLE `+quoted+` LOGIN PASSWORD '`+rolesPassword+`'`)
	require.NoError(t, err)
	admin := owner.cfg.URL
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		c, err := pgx.Connect(ctx, admin)
		require.NoError(t, err)
		defer c.Close(ctx)
		_, err = c.Exec(ctx, `REASSIGN OWNED BY `+quoted+` TO CURRENT_USER; DROP OWNED BY `+quoted+`; DROP ROLE `+quoted)
		require.NoError(t, err)
	})
	return name
}

// as is the owner's database, opened by a role.
func as(t *testing.T, owner *Sink, role string, core int32) *Sink {
	t.Helper()
	u, err := url.Parse(owner.cfg.URL)
	require.NoError(t, err)
	u.User = url.UserPassword(role, rolesPassword)
	cfg := *owner.cfg
	cfg.URL, cfg.CoreVersion = u.String(), core
	s, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func requireDenied(t *testing.T, s *Sink, sql string) {
	t.Helper()
	_, err := raw(t, s).Exec(t.Context(), sql)
	require.ErrorContains(t, err, "SQLSTATE 42501", sql)
}
