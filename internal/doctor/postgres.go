package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
)

// oldestPostgres is the oldest major version that is tested.
const oldestPostgres = 14

// position is how far a partition of the raw topic is in Postgres.
type position struct {
	Partition int32
	Next      int64
	TopicID   string // of the topic that was read, in the form of kafka-topics.sh --describe; "": not known
	Gap       string // why reading stopped there; "": nothing is missing
}

const reload = "; SELECT pg_reload_conf();"

// postgresRules are about the settings of a session, so that those of the role, the database and the URL
// count.
var postgresRules = []rule{
	{"fsync", is("off"), Error, "a crash of the machine can destroy the database",
		"ALTER SYSTEM SET fsync = on" + reload},
	{"full_page_writes", is("off"), Error, "a crash while a page is written can destroy it",
		"ALTER SYSTEM SET full_page_writes = on" + reload},
	{"synchronous_commit", is("off"), Error,
		"rows can be lost in a crash whose offsets are committed in Kafka already",
		"ALTER SYSTEM SET synchronous_commit = on" + reload +
			" -- or ALTER ROLE, ALTER DATABASE, where it was set"},
	{"server_encoding", isNot("UTF8"), Error, "texts of records cannot be stored as they are",
		"CREATE DATABASE pitchstream ENCODING 'UTF8' TEMPLATE template0; then pitchstream migrate there"},
	{"zero_damaged_pages", is("on"), Error, "damaged pages are emptied without an error",
		"ALTER SYSTEM SET zero_damaged_pages = off" + reload},
	{"ignore_checksum_failure", is("on"), Error, "damaged pages are read as if they were right",
		"ALTER SYSTEM SET ignore_checksum_failure = off" + reload},
	{"session_replication_role", isNot("origin"), Error, "triggers and foreign keys are not run",
		"ALTER ROLE CURRENT_USER RESET session_replication_role;"},
	{"autovacuum", is("off"), Warning,
		"tables grow and get slow, until the server stops to prevent a wraparound",
		"ALTER SYSTEM SET autovacuum = on" + reload},
	{"track_counts", is("off"), Warning, "autovacuum does not know what to clean: tables grow and get slow",
		"ALTER SYSTEM SET track_counts = on" + reload},
	{"restart_after_crash", is("off"), Warning, "after the crash of one session the server stays down",
		"ALTER SYSTEM SET restart_after_crash = on" + reload},
	{"statement_timeout", within(1, 30_000), Warning, "a batch on a slow disk is cut off and tried again",
		"ALTER ROLE CURRENT_USER SET statement_timeout = 0;"},
	{"lock_timeout", within(1, 15_000), Warning, "a batch that waits for another processor's rows is cut off",
		"ALTER ROLE CURRENT_USER SET lock_timeout = 0;"},
	{"idle_in_transaction_session_timeout", within(1, 5_000), Warning,
		"a transaction whose client is busy for a moment is ended",
		"ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = '15s';"},
	{"transaction_timeout", within(1, 30_000), Warning, "a batch on a slow disk is cut off and tried again",
		"ALTER ROLE CURRENT_USER SET transaction_timeout = 0;"},
	{"idle_session_timeout", within(1, 60_000), Warning,
		"quiet connections are closed, and the next batch waits",
		"ALTER ROLE CURRENT_USER SET idle_session_timeout = 0;"},
	{"default_transaction_isolation", isNot("read committed"), Warning,
		"two processors that write one batter refuse each other",
		"ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'read committed';"},
	{"default_transaction_deferrable", is("on"), Note, "only serializable transactions are concerned",
		"ALTER ROLE CURRENT_USER SET default_transaction_deferrable = off;"},
	{"temp_file_limit", within(0, 64<<10), Warning, "a comparison or an export of many rows is refused",
		"ALTER SYSTEM SET temp_file_limit = -1" + reload},
}

// writerRules are about settings that only commands that write depend on.
var writerRules = []rule{
	{"default_transaction_read_only", is("on"), Warning,
		"pitchstream writes all the same, because its transactions say so; other programs of this role cannot",
		"ALTER ROLE CURRENT_USER SET default_transaction_read_only = off;"},
	{"in_hot_standby", is("on"), Error, "the server is a standby: every write is refused",
		"give the address of the primary, or all addresses and target_session_attrs=read-write"},
}

// postgresExam checks the server over one connection.
type postgresExam struct {
	*exam
	l    *list
	conn *pgx.Conn
}

func examinePostgres(ctx context.Context, x *exam) error {
	if x.o.PostgresURL == "" {
		return nil
	}
	// guard: doctor: the URL may name the size of the pool | pgxpool.ParseConfig(x.o.PostgresURL) -> (func() (*pgxpool.Config, error) { c, err := pgx.ParseConfig(x.o.PostgresURL); return &pgxpool.Config{ConnConfig: c}, err })()
	pool, err := pgxpool.ParseConfig(x.o.PostgresURL)
	if err != nil {
		return errors.New("postgres: its URL cannot be read") // the driver's error would show a part of it
	}
	conn, err := x.connect(ctx, pool.ConnConfig)
	if err != nil {
		x.unreachable(&x.postgres, Postgres, err, "no row can be written or read")
		return nil
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing is lost with it
	p := &postgresExam{exam: x, l: &x.postgres, conn: conn}
	for _, c := range []struct {
		name  string
		check func(context.Context) error
	}{
		{"postgres.settings", p.settings}, {"postgres.pooler", p.pooler}, {"postgres.clock", p.clock},
		{"postgres.max_connections", p.connections}, {"postgres.wraparound", p.wraparound},
		{"postgres.replication", p.replication}, {"postgres.schema", p.schema},
	} {
		if err := c.check(ctx); err != nil {
			p.l.skip(c.name, err)
		}
	}
	return nil
}

// connect connects as the command does that is checked. A command that writes looks for the primary where the
// URL names several servers and says nothing else. If there is none, any server will do: the rules say what
// is wrong with it.
func (x *exam) connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	config.RuntimeParams["application_name"] = "pitchstream doctor"
	if !strings.Contains(x.o.PostgresURL, "default_query_exec_mode") {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec // some poolers lose prepared statements
	}
	namesSeveral := slices.ContainsFunc(config.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != config.Host || f.Port != config.Port
	})
	isSaid := strings.Contains(x.o.PostgresURL, "target_session_attrs") ||
		os.Getenv("PGTARGETSESSIONATTRS") != ""
	// guard: doctor: a writer among several servers is the primary | namesSeveral && -> false && namesSeveral &&
	if namesSeveral && !isSaid && x.o.For != ForServe {
		primary := config.Copy()
		primary.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
		if conn, err := pgx.ConnectConfig(ctx, primary); err == nil {
			return conn, nil
		}
	}
	return pgx.ConnectConfig(ctx, config)
}

func (p *postgresExam) settings(ctx context.Context) error {
	rows, err := p.conn.Query(ctx, `SELECT name, setting FROM pg_settings`)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error { settings[name] = value; return nil })
	if err != nil {
		return err
	}
	rules := postgresRules
	if p.o.For != ForServe {
		rules = slices.Concat(writerRules, rules)
	}
	p.l.apply("postgres.", "", settings, rulesFor(settings, rules))
	p.l.check(settings["synchronous_commit"] == "local" && settings["synchronous_standby_names"] != "",
		Finding{
			"postgres.synchronous_commit", Warning,
			"synchronous_commit = local, although there are synchronous standbys",
			"a failover can lose rows whose offsets are committed in Kafka already",
			"ALTER SYSTEM SET synchronous_commit = on" + reload,
		})
	version, _ := strconv.Atoi(settings["server_version_num"])
	p.l.check(version < oldestPostgres*10_000, Finding{
		"postgres.version", Warning, "the server is PostgreSQL " + settings["server_version"],
		fmt.Sprintf("PostgreSQL %d and newer are tested", oldestPostgres), "pg_upgrade to a newer version",
	})
	return nil
}

// rulesFor returns the rules that are about a server with these settings.
func rulesFor(settings map[string]string, rules []rule) (all []rule) {
	ofService := false // Neon and Aurora write their pages in a storage service, and nothing to a disk here
	for name := range settings {
		ofService = ofService || strings.HasPrefix(name, "neon.") || strings.HasPrefix(name, "aurora_") ||
			strings.HasPrefix(name, "apg_")
	}
	for _, r := range rules {
		_, known := settings[r.setting]
		if !known && r.setting == "transaction_timeout" { // Postgres 17 brought it
			continue
		}
		// guard: doctor: a service that keeps pages elsewhere needs no fsync | ofService && -> false && ofService &&
		if ofService && (r.setting == "fsync" || r.setting == "full_page_writes") {
			r.severity = Note
			r.why = "right where a service keeps the pages elsewhere, as Neon and Aurora do"
		}
		all = append(all, r)
	}
	return all
}

// pooler detects a pooler in between: the process that answers is not the one that the login named.
func (p *postgresExam) pooler(ctx context.Context) error {
	var pid uint32
	if err := p.conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		return err
	}
	p.l.check(pid != p.conn.PgConn().PID(), Finding{
		"postgres.pooler", Note, "a pooler, such as PgBouncer, is between this machine and Postgres",
		"it adds a wait to each batch, and its pool must have a connection for each processor",
		"SHOW POOLS in the pooler; or give the address of Postgres itself",
	})
	return nil
}

func (p *postgresExam) clock(ctx context.Context) error {
	return p.measure("postgres", func() (theirs time.Time, err error) {
		err = p.conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs)
		return theirs, err
	}, p.l)
}

func (p *postgresExam) connections(ctx context.Context) error {
	var used, most int
	// An ordinary role does not see the type of the sessions of others.
	// guard: doctor: the connections of others count | coalesce(backend_type, 'client backend') -> backend_type
	err := p.conn.QueryRow(ctx, `SELECT count(*), current_setting('max_connections')::int
		- current_setting('superuser_reserved_connections')::int
		- coalesce(current_setting('reserved_connections', true)::int, 0) FROM pg_stat_activity
		WHERE coalesce(backend_type, 'client backend') = 'client backend' AND datid IS NOT NULL AND usesysid IS NOT NULL`).
		Scan(&used, &most)
	if err != nil {
		return err
	}
	p.l.check(used*10 > most*8, Finding{
		"postgres.max_connections", Warning, fmt.Sprintf("%d of %d connections are in use", used, most),
		"the next processor or reader is refused (53300)",
		fmt.Sprintf("ALTER SYSTEM SET max_connections = %d; then restart the server. Or add "+
			"pool_max_conns=4 to the URL", 2*most),
	})
	var limit, own int
	err = p.conn.QueryRow(ctx, `SELECT r.rolconnlimit, (SELECT count(*) FROM pg_stat_activity a
		WHERE a.usesysid = r.oid) FROM pg_roles r WHERE r.rolname = current_user`).Scan(&limit, &own)
	if err != nil {
		return err
	}
	p.l.check(limit >= 0 && limit < own+8, Finding{
		"postgres.connection_limit", Warning, fmt.Sprintf("the role may have %d connections, and has %d",
			limit, own),
		"a processor uses 4 connections, and a server for the API 8",
		"ALTER ROLE CURRENT_USER CONNECTION LIMIT -1;",
	})
	return nil
}

func (p *postgresExam) wraparound(ctx context.Context) error {
	var age int64
	err := p.conn.QueryRow(ctx, `SELECT max(age(datfrozenxid)) FROM pg_database`).Scan(&age)
	p.l.check(age > 1_500_000_000, Finding{
		"postgres.wraparound", Error, fmt.Sprintf("the oldest transaction is %d transactions old", age),
		"at 2,146 million the server takes no more writes", "VACUUM FREEZE; and look why autovacuum does not",
	})
	return err
}

// replication checks standbys that commits wait for, and how far standbys are behind.
func (p *postgresExam) replication(ctx context.Context) error {
	var names, waits string
	var synchronous, hidden int
	var behind *float64 // seconds
	var standby bool
	err := p.conn.QueryRow(ctx, `SELECT pg_is_in_recovery(), current_setting('synchronous_standby_names'),
		current_setting('synchronous_commit'),
		(SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')),
		(SELECT count(*) FROM pg_stat_replication WHERE sync_state IS NULL),
		CASE WHEN NOT pg_is_in_recovery() THEN (SELECT extract(epoch FROM max(replay_lag)) FROM pg_stat_replication)
			WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
			ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8`).
		Scan(&standby, &names, &waits, &synchronous, &hidden, &behind)
	if err != nil {
		return err
	}
	// guard: doctor: a standby that this role may not see is not missing | hidden > 0 -> false
	if hidden > 0 {
		return errors.New("this role does not see how far the standbys are: GRANT pg_monitor TO it")
	}
	isWaiting := names != "" && waits != "off" && waits != "local"
	p.l.check(isWaiting && synchronous == 0 && !standby, Finding{
		"postgres.synchronous_standby_names", Error,
		fmt.Sprintf("synchronous_standby_names = %s, and no such standby is connected", names),
		"every commit waits for ever",
		"start the standby, or ALTER SYSTEM SET synchronous_standby_names = ''" + reload,
	})
	behind = cmp.Or(behind, new(float64))
	p.l.check(*behind > 10, Finding{
		"postgres.replication_lag", Warning, fmt.Sprintf("a standby is %.0f s behind", *behind),
		"a failover now would lose that much, or the API answers that late",
		"look at the standby's disk and network",
	})
	return nil
}

// schema checks that the schema is there, its migrations, and the rights on its tables. It reads what the
// checks between servers need.
func (p *postgresExam) schema(ctx context.Context) error {
	var found, create bool
	err := p.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
		has_database_privilege(current_database(), 'CREATE')`, p.o.Schema).Scan(&found, &create)
	if err != nil {
		return err
	}
	p.l.check(!found && !create && p.o.For == ForMigrate, Finding{
		"postgres.rights", Error, "this role may not create a schema in the database",
		"pitchstream migrate is refused", "GRANT CREATE ON DATABASE NAME TO ROLE; as the database's owner",
	})
	p.l.check(!found, Finding{
		"postgres.schema", Error, "there is no schema " + p.o.Schema,
		"processors and readers wait until it is there", "pitchstream migrate",
	})
	if !found {
		return nil
	}
	if err := p.rights(ctx); err != nil {
		return err
	}
	if err := p.migrations(ctx); err != nil {
		return err
	}
	return p.evidence(ctx)
}

// rights checks the role's rights on each table.
func (p *postgresExam) rights(ctx context.Context) error {
	query, fix := `NOT has_table_privilege(c.oid, 'SELECT') OR c.relkind IN ('r', 'p') AND c.relname <> 'schema_migrations'
		AND NOT (has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE'))`,
		"pitchstream migrate --writer-role ROLE, as the owner of the schema"
	switch p.o.For {
	case ForServe:
		query, fix = `NOT has_table_privilege(c.oid, 'SELECT')`,
			"pitchstream migrate --reader-role ROLE, as the owner of the schema"
	case ForMigrate:
		query, fix = `NOT pg_has_role(c.relowner, 'USAGE')`, "run it as the role that owns the schema"
	}
	rows, err := p.conn.Query(ctx, `SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v') AND (NOT has_schema_privilege(n.oid, 'USAGE') OR `+query+`)
		ORDER BY 1`, p.o.Schema)
	if err != nil {
		return err
	}
	lacking, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	p.l.check(len(lacking) > 0, Finding{
		"postgres.rights", Error, fmt.Sprintf("this role lacks rights on %s that pitchstream %s needs",
			strings.Join(lacking[:min(len(lacking), 5)], ", "), p.o.For),
		"the statements are refused (42501), and tried again for ever", fix,
	})
	return nil
}

// migrations compares the applied migrations with those of this build.
func (p *postgresExam) migrations(ctx context.Context) error {
	table := pgx.Identifier{p.o.Schema, "schema_migrations"}.Sanitize()
	applied, version, name := map[int]string{}, 0, ""
	rows, err := p.conn.Query(ctx, `SELECT version, name FROM `+table)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&version, &name}, func() error { applied[version] = name; return nil })
	if code := (*pgconn.PgError)(nil); err != nil && !(errors.As(err, &code) && code.Code == "42P01") {
		return err
	}
	missing, unknown := schemas.CompareMigrations(applied)
	p.l.check(len(missing) > 0, Finding{
		"postgres.migrations", Error, "migrations are missing: " + schemas.NamesOf(missing),
		"statements of this build fail, because tables or columns are missing", "pitchstream migrate",
	})
	isBreaking := slices.ContainsFunc(unknown, schemas.Migration.IsBreaking)
	p.l.check(isBreaking, Finding{
		"postgres.migrations", Error,
		"this build cannot work with the applied migrations " + schemas.NamesOf(unknown),
		"a newer build changed what this build reads and writes", "use the build that applied them",
	})
	p.l.check(!isBreaking && len(unknown) > 0, Finding{
		"postgres.migrations", Warning,
		"this build does not know the applied migrations " + schemas.NamesOf(unknown),
		"it leaves what they added empty", "finish the upgrade: use the build that applied them",
	})
	return nil
}

// evidence reads positions and counts for the checks between servers.
func (p *postgresExam) evidence(ctx context.Context) error {
	in := func(table string) string { return pgx.Identifier{p.o.Schema, table}.Sanitize() }
	rows, err := p.conn.Query(ctx, `SELECT partition, next_offset AS next,
		coalesce(to_jsonb(s)->>'topic_id', '') AS topic_id, coalesce(to_jsonb(s)->>'gap', '') AS gap
		FROM `+in("stream_positions")+` s WHERE consumer_group = $1 AND topic = $2 ORDER BY 1`, p.o.Group, p.o.RawTopic)
	if err != nil {
		return err
	}
	if p.seen.positions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[position]); err != nil {
		return err
	}
	rows, err = p.conn.Query(ctx,
		`SELECT topic, topic_id FROM `+in("stream_topics")+` WHERE consumer_group = $1`, p.o.Group)
	if err != nil {
		return err
	}
	p.seen.sent = map[string]string{}
	var topic, id string
	if _, err = pgx.ForEachRow(rows, []any{&topic, &id},
		func() error { p.seen.sent[topic] = id; return nil }); err != nil {
		return err
	}
	var batters, games float64
	err = p.conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM `+in("batter_totals")+`),
		(SELECT count(*) FROM `+in("batter_game_totals")+`)`).Scan(&batters, &games)
	p.seen.batters, p.seen.games = int64(math.Round(batters)), int64(math.Round(games))
	return err
}
