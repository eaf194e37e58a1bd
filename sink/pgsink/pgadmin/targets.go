package pgadmin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Targets keeps, in a schema of its own, the list of the targets beside live, the pointer to the target that
// readers see, and the views of that target.
type Targets struct {
	db            *pg.DB
	serving, live string // names of schemas
}

// OpenTargets makes a pool for the schema serving, beside live's schema. It does not connect.
func OpenTargets(cfg pg.Config, serving string) (*Targets, error) {
	if err := pg.CheckSchema(serving); err != nil {
		return nil, err
	}
	db, err := pg.Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Targets{db: db, serving: serving, live: cfg.Schema}, nil
}

// Close waits for the connections that are in use, and closes the pool.
func (t *Targets) Close() { t.db.Pool.Close() }

// change runs f in one transaction, under a lock that excludes all other changes of the targets. It waits at
// most half a second at a time for readers, because a waiting lock holds up all readers behind it.
func (t *Targets) change(ctx context.Context, what string, f func(*pg.Tx) error) error {
	var err error
	for range 10 {
		err = t.db.InTx(ctx, func(tx *pg.Tx) error {
			if err := tx.Lock(ctx, pg.LockKey(t.serving, "targets")); err != nil {
				return err
			}
			if err := tx.Script(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
				return err
			}
			return f(tx)
		})
		if !pg.HasCode(err, "55P03") { // lock_not_available
			break
		}
	}
	return pg.Wrap(what, err)
}

func (t *Targets) sql(text string) string {
	return strings.NewReplacer("{serving}", pg.Quote(t.serving), "{live}", pg.Quote(t.live)).Replace(text)
}

var (
	sqlTargets    = statement("targets")
	sqlPromotions = statement("promotions")
)

// Ensure makes the list and the pointer to live if they are not there, and lets the roles that may read
// live's schema read the views.
func (t *Targets) Ensure(ctx context.Context) error {
	return t.change(ctx, "targets", func(tx *pg.Tx) error {
		there, err := t.exists(ctx, tx, "pointer")
		if err != nil {
			return err
		}
		listed, err := t.exists(ctx, tx, "promotions") // builds before this one made no such list
		if err != nil || there && listed {
			return err
		}
		if !there {
			if err := tx.Script(ctx, t.sql(sqlTargets)); err != nil {
				return err
			}
		}
		if err := tx.Script(ctx, t.sql(sqlPromotions)); err != nil {
			return err
		}
		if there {
			return copyRights(ctx, tx, t.live, t.serving, true)
		}
		return t.point(ctx, tx, t.live)
	})
}

func (t *Targets) exists(ctx context.Context, tx *pg.Tx, table string) (there bool, err error) {
	err = pg.ScanOne(ctx, tx, []any{&there}, t.sql(`SELECT to_regclass('{serving}.`+table+`') IS NOT NULL`))
	return there, err
}

// Share gives the roles that may use live's schema the rights that they need in the schemas of the targets
// and of the views, if there are any. Call it after Grant.
func (t *Targets) Share(ctx context.Context) error {
	list, err := t.List(ctx)
	if err != nil {
		return err
	}
	return t.change(ctx, "sharing the targets", func(tx *pg.Tx) error {
		if there, err := t.exists(ctx, tx, "pointer"); err != nil || !there {
			return err
		}
		for _, target := range list {
			if err := copyRights(ctx, tx, t.live, target.Schema, false); err != nil {
				return err
			}
		}
		return copyRights(ctx, tx, t.live, t.serving, true)
	})
}

// point makes the views show a schema: each view that it has, and no other. A view on which views of others
// depend cannot be dropped, so it keeps the columns that the schema lacks (see keepColumns). Roles that may
// read the views keep that right.
func (t *Targets) point(ctx context.Context, tx *pg.Tx, schema string) error {
	has, err := viewsOf(ctx, tx, schema)
	if err != nil {
		return err
	}
	had, err := viewsOf(ctx, tx, t.serving)
	if err != nil {
		return err
	}
	for _, view := range had {
		if !slices.Contains(has, view) { // it would go on showing the target before
			name := t.sql("{serving}." + view)
			err := tx.Savepoint(ctx, func() error { return tx.Script(ctx, `DROP VIEW `+name) })
			if pg.HasCode(err, hasDependents) {
				err = keepColumns(ctx, tx, name, "", err)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, view := range has {
		name, from := t.sql("{serving}."+view), pg.Quote(schema)+"."+view
		// A view with other columns cannot be replaced. The savepoint keeps the transaction alive after that
		// error.
		err := tx.Savepoint(ctx, func() error {
			return tx.Script(ctx, `CREATE OR REPLACE VIEW `+name+` AS SELECT * FROM `+from)
		})
		if pg.HasCode(err, otherColumns) {
			err = tx.Savepoint(ctx, func() error { return remakeView(ctx, tx, name, from) })
		}
		// guard: target: views of others survive a rollback | pg.HasCode(err, hasDependents) -> false
		if pg.HasCode(err, hasDependents) {
			err = keepColumns(ctx, tx, name, from, err)
		}
		if err != nil {
			return err
		}
	}
	return copyRights(ctx, tx, t.live, t.serving, true)
}

// The errors of Postgres for views that cannot be replaced or dropped.
const (
	otherColumns  = "42P16" // invalid_table_definition
	hasDependents = "2BP01" // dependent_objects_still_exist
)

// keepColumns makes a view show another one, from, without dropping it. The columns that from lacks stay, and
// are NULL. Without from, "", the view has no rows. Only a column of another type cannot stay; then the error
// names the views that depend on it, which dependents is about.
func keepColumns(ctx context.Context, tx *pg.Tx, name, from string, dependents error) error {
	var columns string
	err := pg.ScanOne(ctx, tx, []any{&columns}, `
		WITH has AS (SELECT * FROM pg_attribute WHERE attrelid = to_regclass(nullif($2, '')) AND attnum > 0 AND NOT attisdropped),
		had AS (SELECT * FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped)
		SELECT string_agg(item, ', ' ORDER BY is_new, place) FROM (
			SELECT false AS is_new, had.attnum AS place, CASE WHEN has.attname IS NULL
				THEN 'NULL::' || format_type(had.atttypid, had.atttypmod) || ' AS ' ELSE '' END || quote_ident(had.attname) AS item
			FROM had LEFT JOIN has USING (attname)
			UNION ALL SELECT true, has.attnum, quote_ident(has.attname) FROM has LEFT JOIN had USING (attname) WHERE had.attname IS NULL
		) AS items`, name, from)
	if err != nil {
		return err
	}
	rows := `FROM ` + from
	if from == "" {
		rows = `WHERE false`
	}
	err = tx.Script(ctx, `CREATE OR REPLACE VIEW `+name+` AS SELECT `+columns+` `+rows)
	if pg.HasCode(err, otherColumns) {
		const text = "%w: drop these views first, and make them again after: %s: %w"
		return fmt.Errorf(text, err, pg.Detail(dependents), dependents)
	}
	return err
}

func viewsOf(ctx context.Context, tx *pg.Tx, schema string) ([]string, error) {
	return pg.Collect(ctx, tx, pgx.RowTo[string],
		`SELECT quote_ident(viewname) FROM pg_views WHERE schemaname = $1 ORDER BY 1`, schema)
}

// remakeView drops and creates a view, and lets the roles that could read it read it again.
func remakeView(ctx context.Context, tx *pg.Tx, name, from string) error {
	readers, err := pg.Collect(ctx, tx, pgx.RowTo[string], `SELECT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
		WHERE c.oid = $1::regclass AND a.privilege_type = 'SELECT' AND r.oid <> c.relowner`, name)
	if err != nil {
		return err
	}
	if err := tx.Script(ctx, `DROP VIEW `+name+`; CREATE VIEW `+name+` AS SELECT * FROM `+from); err != nil {
		return err
	}
	// guard: target: readers of the views keep their rights | range readers -> range readers[:0]
	for _, r := range readers {
		if err := tx.Script(ctx, `GRANT SELECT ON `+name+` TO `+pg.Quote(r)); err != nil {
			return err
		}
	}
	return nil
}

// copyRights gives the roles that may use the schema from the same rights in the schema to. A role that may
// write registers in from may write in to as a processor does. With readOnly no role may write.
func copyRights(ctx context.Context, tx *pg.Tx, from, to string, readOnly bool) error {
	roles, err := pg.CollectMap[string, bool](ctx, tx, `
		SELECT r.rolname, has_table_privilege(r.oid, quote_ident($1) || '.pitch_registers', 'INSERT')
		FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
		WHERE n.nspname = $1 AND a.privilege_type = 'USAGE' AND r.oid <> n.nspowner`, from)
	if err != nil {
		return err
	}
	for role, writes := range roles {
		const sql = `GRANT USAGE ON SCHEMA {to} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {to} TO {role}`
		replace := strings.NewReplacer("{to}", pg.Quote(to), "{role}", pg.Quote(role))
		if err := tx.Script(ctx, replace.Replace(sql)); err != nil {
			return err
		}
		if writes && !readOnly {
			if err := grantWriting(ctx, tx, to, role); err != nil {
				return err
			}
		}
	}
	return nil
}

// Register adds a target, whose schema must be migrated, to the list, and gives its schema the players, the
// facts of games and the rights of live's. A target that is in the list keeps its names.
func (t *Targets) Register(ctx context.Context, target schemas.Target) error {
	return t.change(ctx, "target "+target.Name, func(tx *pg.Tx) error {
		_, err := pg.Exec(ctx, tx, t.sql(`INSERT INTO {serving}.targets (name, postgres_schema, redis_prefix, kafka_group, topic_rows, topic_dead)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING`),
			target.Name, target.Schema, target.Prefix, target.Group, target.Rows, target.Dead)
		if err != nil {
			return err
		}
		for _, table := range []string{"players", "games"} {
			if err := copyTable(ctx, tx, t.live, target.Schema, table); err != nil {
				return err
			}
		}
		return copyRights(ctx, tx, t.live, target.Schema, false)
	})
}

// copyTable adds the rows of a table in the schema from to that in the schema to, with the columns that both
// have. The target of a newer build may be made beside a live schema that is not migrated yet, which may lack
// the table.
func copyTable(ctx context.Context, tx *pg.Tx, from, to, table string) error {
	var columns string
	err := pg.ScanOne(ctx, tx, []any{&columns}, `
		SELECT coalesce(string_agg(quote_ident(f.attname), ', '), '')
		FROM pg_attribute AS f JOIN pg_attribute AS o USING (attname)
		WHERE f.attrelid = to_regclass(quote_ident($1) || '.' || $3) AND f.attnum > 0 AND NOT f.attisdropped
		  AND o.attrelid = to_regclass(quote_ident($2) || '.' || $3) AND o.attnum > 0 AND NOT o.attisdropped`, from, to, table)
	// guard: target: what live does not have yet is not copied | columns == "" -> false
	if err != nil || columns == "" {
		return err
	}
	return tx.Script(ctx, fmt.Sprintf(`INSERT INTO %s.%s (%s) SELECT %[3]s FROM %[4]s.%[2]s ON CONFLICT DO NOTHING`,
		pg.Quote(to), table, columns, pg.Quote(from)))
}

// List returns the targets beside live, sorted by name.
func (t *Targets) List(ctx context.Context) ([]schemas.Target, error) {
	list, err := pg.Collect(ctx, t.db, pgx.RowToStructByPos[schemas.Target], t.sql(
		`SELECT name, postgres_schema, redis_prefix, kafka_group, topic_rows, topic_dead FROM {serving}.targets ORDER BY 1`))
	if pg.IsMissing(err) {
		return nil, nil
	}
	return list, pg.Wrap("targets", err)
}

// Pointer returns the target that readers see.
func (t *Targets) Pointer(ctx context.Context) (schemas.Pointer, error) {
	return pg.ReadPointer(ctx, t.db, t.serving)
}

// Promote moves the pointer and the views to a target, and notes who did so and why, in one transaction. It
// returns the pointer before and after. The caller fills in Kind, By, Forced, Reason and NotReady of note.
func (t *Targets) Promote(
	ctx context.Context, name string, note schemas.Promotion,
) (was, is schemas.Pointer, err error) {
	err = t.change(ctx, "promoting "+name, func(tx *pg.Tx) error {
		before := []any{&was.Target.Name, &was.Previous, &was.Generation}
		err := pg.ScanOne(ctx, tx, before,
			t.sql(`SELECT target, coalesce(previous, ''), generation FROM {serving}.pointer FOR UPDATE`))
		if err != nil {
			return err
		}
		schema := t.live
		if name != pg.LiveName {
			find := t.sql(`SELECT postgres_schema FROM {serving}.targets WHERE name = $1`)
			if err := pg.ScanOne(ctx, tx, []any{&schema}, find, name); err != nil {
				return fmt.Errorf("there is no target %s: %w", name, err)
			}
		}
		if was.Target.Name == name {
			is = was
			return nil
		}
		// guard: target: the views move with the pointer | instead
		if err := t.point(ctx, tx, schema); err != nil {
			return err
		}
		after := []any{&is.Target.Name, &is.Previous, &is.Generation, &is.MovedAt}
		err = pg.ScanOne(ctx, tx, after, t.sql(`UPDATE {serving}.pointer SET previous = target, target = $1, generation = generation + 1, moved_at = clock_timestamp()
			RETURNING target, previous, generation, moved_at`), name)
		if err != nil {
			return err
		}
		// guard: target: who promotes and why is kept
		_, err = pg.Exec(ctx, tx, t.sql(`INSERT INTO {serving}.promotions (generation, kind, from_target, to_target, by, forced, reason, not_ready)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`), is.Generation, note.Kind, is.Previous, name, note.By, note.Forced,
			note.Reason, append([]string{}, note.NotReady...))
		return err
	})
	return was, is, err
}

// Promotions returns the changes of what readers see, the newest first, at most most of them.
func (t *Targets) Promotions(ctx context.Context, most int) ([]schemas.Promotion, error) {
	list, err := pg.Collect(ctx, t.db, pgx.RowToStructByPos[schemas.Promotion], t.sql(`
		SELECT generation, kind, from_target, to_target, at, role, by, forced, reason, not_ready
		FROM {serving}.promotions ORDER BY generation DESC LIMIT $1`), most)
	if pg.IsMissing(err) {
		return nil, nil
	}
	return list, pg.Wrap("promotions", err)
}

// Drop removes a target's schema and its line in the list, and has its backfills begin again. It returns an
// error if readers see the target, or if it is live.
func (t *Targets) Drop(ctx context.Context, target schemas.Target) error {
	return t.change(ctx, "dropping "+target.Name, func(tx *pg.Tx) error {
		forget := t.sql(`UPDATE {serving}.pointer SET previous = NULL WHERE previous = $1`)
		if _, err := pg.Exec(ctx, tx, forget, target.Name); err != nil {
			return err
		}
		gone, err := pg.Exec(ctx, tx, t.sql(`DELETE FROM {serving}.targets WHERE name = $1 AND name <> (SELECT target FROM {serving}.pointer FOR UPDATE)`), target.Name)
		if err != nil {
			return err
		}
		if gone == 0 || target.Schema == t.live || target.Schema == t.serving {
			return errors.New("readers see it, or it is not there")
		}
		// guard: target: what a dropped target had is brought in again | instead
		if err := t.planAgain(ctx, tx, target.Name); err != nil {
			return err
		}
		return tx.Script(ctx, `DROP SCHEMA IF EXISTS `+pg.Quote(target.Schema)+` CASCADE`)
	})
}

// planAgain has the backfills of a target that is dropped bring in every batch again.
func (t *Targets) planAgain(ctx context.Context, tx *pg.Tx, name string) error {
	if there, err := t.exists(ctx, tx, "backfill_audit"); err != nil || !there {
		return err
	}
	_, err := pg.Exec(ctx, tx, t.sql(`WITH again AS (
		UPDATE {serving}.backfill_batches AS b SET state = 'planned', changed_at = clock_timestamp(),
			batch = b.batch || '{"state": "planned", "counts": {}, "gates": null, "seconds": 0, "reason": "", "readings": 0}'
		FROM {serving}.backfills AS f WHERE f.name = b.backfill AND f.target = $1 AND b.state <> 'planned'
		RETURNING f.name, f.sha256)
	INSERT INTO {serving}.backfill_audit (backfill, by, action, batch, source, sha256, detail)
	SELECT name, session_user, 'planned', '', '', sha256,
		format('target %s was dropped: %s batches are brought in again', $1::text, count(*)) FROM again GROUP BY name, sha256`), name)
	return err
}

// Pitches returns the number of current rows in a schema, −1 if it is missing or another build's.
func (t *Targets) Pitches(ctx context.Context, schema string) (int64, error) {
	return t.number(ctx, schema, `SELECT count(*) FROM `+pg.Quote(schema)+`.pitches`)
}

// UnfinishedReplays returns the number of unfinished replays into a schema, −1 if it is missing or another
// build's.
func (t *Targets) UnfinishedReplays(ctx context.Context, schema string) (int64, error) {
	return t.number(ctx, schema, `SELECT count(*) FROM `+pg.Quote(schema)+`.replays WHERE finished_at IS NULL`)
}

// Unread are current pitches of one partition whose records no replay could read.
type Unread struct {
	Partition   int32
	Pitches     int64
	First, Last int64 // offsets of their records
}

// UnreadPitches returns the current pitches of the schema seen that come from records before those that the
// replays into another schema began with, by partition. The replays could not read them, so that the schema
// lacks them.
func (t *Targets) UnreadPitches(ctx context.Context, schema, seen, topic string) ([]Unread, error) {
	sql := `SELECT f.partition, count(*), min(p.source_offset), max(p.source_offset)
	FROM ` + pg.Quote(seen) + `.pitches AS p JOIN (
		SELECT partition, min(first_offset) AS first FROM ` + pg.Quote(schema) + `.replay_progress AS g
		JOIN ` + pg.Quote(schema) + `.replays AS r ON r.id = g.replay_id
		WHERE r.spec::jsonb ->> 'game' IS NULL GROUP BY partition
	) AS f ON p.source_partition = f.partition AND p.source_offset < f.first
	WHERE p.source_topic = $1 AND NOT EXISTS (
		SELECT FROM ` + pg.Quote(schema) + `.pitches AS own WHERE own.pitch_id = p.pitch_id)
	GROUP BY f.partition ORDER BY f.partition`
	found, err := pg.Collect(ctx, t.db, pgx.RowToStructByPos[Unread], sql, topic)
	return found, pg.Wrap(schema, err)
}

func (t *Targets) number(ctx context.Context, schema, sql string) (n int64, err error) {
	err = pg.ScanOne(ctx, t.db, []any{&n}, sql)
	if pg.IsMissing(err) {
		return -1, nil
	}
	return n, pg.Wrap(schema, err)
}
