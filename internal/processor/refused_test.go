package processor

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// raising is a trigger that fails every write of a pitch with this SQLSTATE.
func raising(state, text string) string {
	return `CREATE OR REPLACE FUNCTION pitchstream.refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION '` + text + `' USING ERRCODE = '` + state + `'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON pitchstream.pitch_registers FOR EACH ROW EXECUTE FUNCTION pitchstream.refuse()`
}

// Each of these is no record's fault: nothing becomes a dead letter, and the stream goes on by itself.
func TestRunWaitsWhilePostgresRefusesWritesAndSaysWhy(t *testing.T) {
	const end, calm = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'fault_writer'`,
		`DROP TRIGGER refuse ON pitchstream.pitch_registers`
	server := testkit.Postgres(t)
	u, err := url.Parse(server)
	require.NoError(t, err)
	u.User = url.UserPassword("fault_writer", "hush")
	o := runnable(t, u.String())
	owner := o
	owner.Postgres.URL = server
	store, err := owner.OpenStore()
	require.NoError(t, err)
	defer store.Close()
	admin := pgadmin.New(store.DB())
	_, err = admin.Migrate(t.Context())
	require.NoError(t, err)
	exec := func(sql ...string) {
		t.Helper()
		for _, s := range sql {
			_, err := store.DB().Pool.Exec(t.Context(), s)
			require.NoError(t, err, s)
		}
	}
	exec(`DROP ROLE IF EXISTS fault_writer`, `CREATE ROLE fault_writer LOGIN PASSWORD 'hush'`)
	t.Cleanup(func() {
		_, _ = store.DB().Pool.Exec(t.Context(), `DROP OWNED BY fault_writer; DROP ROLE fault_writer`)
	})
	require.NoError(t, admin.Grant(t.Context(), pgadmin.Roles{Writer: "fault_writer"}))

	var log lockedBuffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), o) }()
	t.Cleanup(func() { <-ended }) // before Kafka ends, which the last commit waits for
	says := func(wantStatus int, text string) {
		t.Helper()
		var body string
		require.Eventually(t, func() bool {
			var status int
			status, body = ready(o.AdminAddr)
			return status == wantStatus && strings.Contains(body, text)
		}, time.Minute, 20*time.Millisecond, "%s, want %s", &body, text)
	}
	says(http.StatusOK, "{")

	client, err := kgo.NewClient(append(o.Kafka, kgo.DefaultProduceTopic(o.RawTopic))...)
	require.NoError(t, err)
	defer client.Close()
	sim, err := simulate.New(simulate.Options{Seed: 7, Pitches: 20})
	require.NoError(t, err)
	sent := 0
	next := func() {
		t.Helper()
		m, ok := sim.Next()
		require.True(t, ok)
		r := &kgo.Record{Key: m.Key, Value: m.Value, Headers: headers(m)}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
		sent++
	}
	stored := func() {
		t.Helper()
		var at int
		require.Eventually(t, func() bool {
			err := store.DB().Pool.QueryRow(t.Context(), `SELECT coalesce(sum(next_offset), 0) FROM pitchstream.stream_positions`).Scan(&at)
			return err == nil && at == sent
		}, time.Minute, 50*time.Millisecond, "%d of the records", &at)
		says(http.StatusOK, "{")
	}
	next()
	stored()
	for name, fault := range map[string]struct {
		begin   []string
		reasons []string
		end     []string
	}{
		"disk full":     {[]string{raising("53100", "could not extend file: No space left on device")}, []string{"No space left on device", "53100"}, []string{calm}},
		"out of memory": {[]string{raising("53200", "out of memory")}, []string{"53200"}, []string{calm}},
		"no statement":  {[]string{raising("57014", "canceling statement due to user request")}, []string{"57014"}, []string{calm}},
		"lock refused":  {[]string{raising("55P03", "could not obtain lock")}, []string{"55P03"}, []string{calm}},
		"too many connections": {
			[]string{`ALTER ROLE fault_writer CONNECTION LIMIT 0`, end}, []string{"53300"},
			[]string{`ALTER ROLE fault_writer CONNECTION LIMIT -1`},
		},
		"no login": {[]string{`ALTER ROLE fault_writer NOLOGIN`, end}, []string{"28000"}, []string{`ALTER ROLE fault_writer LOGIN`}},
	} {
		t.Log(name)
		exec(fault.begin...)
		next()
		for _, reason := range fault.reasons {
			says(http.StatusServiceUnavailable, reason)
			require.Contains(t, log.String(), reason, name)
		}
		exec(fault.end...)
		stored()
	}
	for _, limits := range []string{"100ms", "1s"} {
		exec(`ALTER ROLE fault_writer SET lock_timeout = '`+limits+`'`, `ALTER ROLE fault_writer SET idle_in_transaction_session_timeout = '`+limits+`'`,
			`ALTER ROLE fault_writer SET idle_session_timeout = '`+limits+`'`, end)
		next()
		stored()
	}
	require.NotContains(t, log.String(), "dead letter")
}

func headers(m simulate.Message) (all []kgo.RecordHeader) {
	for _, h := range m.Headers {
		all = append(all, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return all
}

// guard: postgres: a server that refuses writes is not ready
func TestAPostgresThatRefusesWritesIsNotReadyBecauseItAnswers(t *testing.T) {
	w := NewObserver(slog.New(slog.DiscardHandler), nil)
	w.Condition("assigned", true, "")
	isReady := func() bool { ready, _ := w.health.Ready(); return ready }
	now := time.Now()
	w.pinged(now, nil)
	require.True(t, isReady())
	w.Condition("postgres", false, "the disk is full")
	w.pinged(now.Add(time.Second), nil)
	require.False(t, isReady())
	w.pinged(now.Add(time.Second), errors.New("gone"))
	w.pinged(now.Add(2*time.Second), nil)
	require.False(t, isReady())
	w.pinged(now.Add(2*refusedFor), nil)
	require.True(t, isReady(), "the partition may be another processor's")
	w.Condition("postgres", false, "the disk is full")
	w.Condition("postgres", true, "")
	require.True(t, isReady())
}

// A processor that starts with a wrong password writes nothing, so no attempt of the stream says why.
//
// A check fails each second, with one of two reasons, and later with a text of its own each time.
// guard: the log of an absence is bounded
func TestTheLogOfAnAbsenceIsBounded(t *testing.T) {
	var log lockedBuffer
	w := NewObserver(slog.New(slog.NewTextHandler(&log, nil)), nil)
	at := time.Unix(1_700_000_000, 0)
	for range 100 {
		w.pinged(at, errors.New("connection refused"))
		w.pinged(at, errors.New("no such host"))
	}
	const line = "Postgres cannot be used"
	require.Equal(t, 2, strings.Count(log.String(), line))
	for i := range 240 {
		at = at.Add(time.Second)
		w.pinged(at, fmt.Errorf("read from port %d: reset", i))
	}
	require.Equal(t, absenceTexts+3, strings.Count(log.String(), line))
	w.pinged(at, nil)
	w.pinged(at, errors.New("connection refused"))
	require.Equal(t, absenceTexts+4, strings.Count(log.String(), line), "another absence")
}

// guard: a processor that waits for Postgres logs why
func TestTheLogSaysWhyPostgresCannotBeUsed(t *testing.T) {
	var log lockedBuffer
	w := NewObserver(slog.New(slog.NewTextHandler(&log, nil)), nil)
	for range 3 {
		w.pinged(time.Now(), errors.New("password authentication failed"))
	}
	w.pinged(time.Now(), nil)
	w.pinged(time.Now(), nil)
	require.Equal(t, 1, strings.Count(log.String(), "password authentication failed"), "once, not each second")
	require.Equal(t, 1, strings.Count(log.String(), "Postgres can be used again"))
}
