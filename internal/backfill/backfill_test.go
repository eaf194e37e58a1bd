package backfill

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/replay"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// guard: backfill: a batch of which no record came is empty
func TestABatchBeginsWhereItsRecordsDoAndNotAtAStray(t *testing.T) {
	s := &Spec{Batches: "month", games: []game{{"5", "2024-05-01"}, {"7", "2024-06-30"}}}
	p := newPlanner(s, kafkaread.Spans{0: {From: 100, To: 1700}, 1: {Partition: 1, To: 30}})
	offset := int64(100)
	add := func(n int, pk, date string) {
		for range n {
			require.NoError(t, p.add(0, offset, pk, date))
			offset++
		}
	}
	add(3, "", "") // before any date is known: of the first batch
	add(497, "1", "2024-04-01")
	add(1, "2", "2024-05-02") // a wrong date
	add(299, "1", "2024-04-30")
	add(400, "5", "")         // the schedule has its date
	add(5, "1", "2024-04-30") // late corrections
	add(395, "3", "2024-05-31")
	for i := range int64(30) {
		require.NoError(t, p.add(1, i, "", "2024-05-31"))
	}
	batches := p.batches("here", "hash")
	require.Len(t, batches, 3)
	names := []string{batches[0].Name, batches[1].Name, batches[2].Name}
	require.Equal(t, []string{"2024-04", "2024-05", "2024-06"}, names)
	require.Equal(t, map[int32]int64{0: 100, 1: 0}, batches[0].First)
	require.Equal(t, map[int32]int64{0: 900, 1: 0}, batches[0].End)
	require.Equal(t, map[int32]int64{0: 1700, 1: 30}, batches[1].End)
	require.Equal(t, batches[1].End, batches[2].End, "of June no record came")
	require.Equal(t, []int64{800, 830, 0}, []int64{batches[0].Records, batches[1].Records, batches[2].Records})
	require.Equal(t, "0:900,1:0", place(batches[0].End))
}

// A wrong date that is later than all, or of a batch without other records here, ends no batch.
func TestARecordWithAWrongDateEndsNoBatch(t *testing.T) {
	for _, wrong := range []string{"2024-09-30", "2024-04-03", "2023-01-01"} {
		p := newPlanner(&Spec{Batches: "date"}, kafkaread.Spans{0: {To: 91}})
		offset := int64(0)
		for _, run := range []struct {
			n    int
			date string
		}{{20, "2024-04-01"}, {1, wrong}, {10, "2024-04-01"}, {30, "2024-04-02"}, {30, "2024-04-03"}} {
			for range run.n {
				require.NoError(t, p.add(0, offset, "", run.date))
				offset++
			}
		}
		records := map[string]int64{}
		for _, b := range p.batches("here", "hash") {
			records[b.Name] = b.Records
		}
		want := map[string]int64{"2024-04-01": 31, "2024-04-02": 30, "2024-04-03": 30}
		if records[wrong] == 0 {
			want[wrong] = 0
		}
		require.Equal(t, want, records, wrong)
	}
}

// guard: backfill: a source without dates is an error
func TestASourceWithoutDatesIsAnError(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	brokers := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	b := &backfill{o: Options{Spec: &Spec{Batches: "month"}, Replay: replay.Options{
		Live: target.Options{TopicRaw: testkit.RawTopic}, Processor: processor.Options{Kafka: brokers},
	}}}
	require.NoError(t, b.connect())
	defer b.client.Close()
	plan := func() error {
		_, err := b.plan(t.Context())
		return err
	}
	require.NoError(t, plan(), "an empty topic has no batch")
	for range 100 {
		r := &kgo.Record{Topic: testkit.RawTopic, Key: []byte("7"), Value: []byte("{}")}
		require.NoError(t, b.client.ProduceSync(t.Context(), r).FirstErr())
	}
	require.ErrorContains(t, plan(), "none of the 100 records has a date: send the header game_date")
	b.o.Spec.games = []game{{"7", "2024-04-01"}}
	require.NoError(t, plan())
}

// guard: target: what a dropped target had is brought in again
func TestABackfillOfADroppedTargetBeginsAgain(t *testing.T) {
	cfg := pgsink.Config{URL: testkit.Postgres(t), Schema: "pitchstream"}
	for _, schema := range []string{"pitchstream", "pitchstream_history"} {
		store, err := pgsink.Open(pgsink.Config{URL: cfg.URL, Schema: schema})
		require.NoError(t, err)
		_, err = pgadmin.New(store.DB()).Migrate(t.Context())
		require.NoError(t, err)
		store.Close()
	}
	targets, err := pgadmin.OpenTargets(cfg, "pitchstream_serving")
	require.NoError(t, err)
	defer targets.Close()
	books := pgadmin.NewBackfills(targets)
	require.NoError(t, books.Ensure(t.Context()))
	history := schemas.Target{Name: "history", Schema: "pitchstream_history"}
	require.NoError(t, targets.Register(t.Context(), history))
	counts := schemas.ReplayCounts{Records: 20, Rows: 20}
	offsets := map[int32]int64{0: 20}
	batches := []schemas.BackfillBatch{
		{Number: 1, Name: "2024-04", State: schemas.BatchPassed, End: offsets, Records: 20, Counts: counts, Seconds: 3},
		{Number: 2, Name: "2024-05", State: schemas.BatchAccepted, End: offsets, Records: 20, Reason: "rained out"},
		{Number: 3, Name: "2024-06", State: schemas.BatchPlanned, End: offsets, Records: 20},
	}
	for name, of := range map[string]string{"s": "history", "other": "2023"} {
		f := schemas.Backfill{Name: name, Target: of, SHA256: "abc", By: "me@here"}
		require.NoError(t, books.Begin(t.Context(), f, batches))
	}
	require.NoError(t, targets.Drop(t.Context(), history))
	find := func(name string) []schemas.BackfillBatch {
		_, found, err := books.Find(t.Context(), name)
		require.NoError(t, err)
		return found
	}
	require.Equal(t, batches, find("other"))
	var want []schemas.BackfillBatch
	for _, b := range batches {
		want = append(want, schemas.BackfillBatch{
			Number: b.Number, Name: b.Name, State: schemas.BatchPlanned, End: offsets, Records: 20,
		})
	}
	require.Equal(t, want, find("s"))
	audit, err := books.Audit(t.Context(), "s", 10)
	require.NoError(t, err)
	require.Equal(t, "planned", audit[0].Action)
	require.Equal(t, "target history was dropped: 2 batches are brought in again", audit[0].Detail)
	require.Len(t, audit, 2)
}

// guard: backfill: the runs of a plan are bounded
func TestASourceInNoOrderIsRefused(t *testing.T) {
	p := newPlanner(&Spec{Batches: "date"}, kafkaread.Spans{0: {To: 1 << 30}})
	var err error
	n := int64(0)
	for ; err == nil && n < 2*maxRuns; n++ {
		err = p.add(0, n, "", fmt.Sprintf("2024-04-%02d", n%28+1))
	}
	require.ErrorContains(t, err, "not in the order of its days")
	require.EqualValues(t, maxRuns+1, n)
}

// guard: backfill: what is read before it begins is bounded
func TestAFileOfABackfillIsChecked(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	schedule := write("schedule.csv", "game_date,game_pk,venue\n2024-04-02,8,x\n2024-04-01,7,y\n")
	s, err := ReadSpec(write("good.yaml",
		"name: s24\ntarget: history\nbatches: month\nschedule: "+schedule+"\ngates: {missing_games: 1}\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"7", "8"}, s.expected("2024-04-01", "2024-04-30"))
	g := s.Gates
	require.Equal(t, []float64{1, 0.02, 0.5}, []float64{*g.MissingGames, *g.DeadLetters, *g.Shift})
	_, err = ReadSpec(write("good.json",
		`{"name": "s24", "target": "history", "files": [{"path": "a", "dates": "2024-04-01..2024-04-30"}]}`))
	require.NoError(t, err)
	for text, want := range map[string]string{
		"name: s\ntarget: live\nbatches: month\n":                     "beside live",
		"name: S\ntarget: h\nbatches: month\n":                        "name:",
		"name: s\ntarget: h\nbatches: year\n":                         "want month or date",
		"name: s\ntarget: h\nbatches: month\nbatch: 1\n":              "field batch not found",
		"name: s\ntarget: h\nfiles: [{path: a}]\narchive: s3://b/x\n": "one batch each",
		"name: s\ntarget: h\nbatches: date\narchive: ftp://b/x\n":     "ftp",
		"name: s\ntarget: h\nbatches: date\nschedule: none.csv\n":     "schedule none.csv",
		"name: s\ntarget: h\nfiles: [{path: a, dates: today}]\n":      "want a date or two",
	} {
		_, err := ReadSpec(write("bad.yaml", text))
		require.ErrorContains(t, err, want, text)
	}
	big := write("big.yaml", "")
	require.NoError(t, os.Truncate(big, maxSpecBytes+1))
	_, err = ReadSpec(big)
	require.ErrorContains(t, err, "more than 1048576 bytes")
}

// guard: backfill: files whose records the topic would delete are not planned
func TestFilesWhoseRecordsTheTopicWouldDeleteAreNotPlanned(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	admin := kadm.NewClient(testkit.KafkaClient(t, cluster))
	days := "7776000000"
	configs := []kadm.AlterConfig{{Name: "retention.ms", Value: &days}}
	_, err := admin.AlterTopicConfigs(t.Context(), configs, testkit.RawTopic)
	require.NoError(t, err)
	s := &Spec{Name: "season", Target: "history", Files: []Files{{Path: t.TempDir()}}}
	require.NoError(t, s.check())
	b := &backfill{o: Options{Spec: s}, admin: admin}
	b.o.Replay.Live.TopicRaw = testkit.RawTopic
	_, err = b.plan(t.Context())
	require.ErrorContains(t, err, "keeps records for 2160h0m0s, and would delete those of 2000-01-01T00:00:00Z")
	s.Timestamp = time.Now()
	_, err = b.plan(t.Context())
	require.NoError(t, err)
}

// guard: backfill: files that have changed since the plan are not loaded
func TestFilesThatHaveChangedAreNotLoaded(t *testing.T) {
	folder := t.TempDir()
	game := filepath.Join(folder, "game.jsonl")
	require.NoError(t, os.WriteFile(game, []byte("{}\n"), 0o600))
	admin := kadm.NewClient(testkit.KafkaClient(t, testkit.FakeKafka(t)))
	b := &backfill{o: Options{Spec: &Spec{Files: []Files{{Path: folder}}}}, admin: admin}
	var err error
	b.batches, err = b.plan(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(game, []byte("{ }\n"), 0o600))
	require.ErrorContains(t, b.load(t.Context(), 0), "batch 1: "+folder+" has changed since it was planned")
}

// guard: backfill: a game that is not due is not missing
func TestGamesThatAreNotDueAreNeitherABatchNorMissing(t *testing.T) {
	csv := filepath.Join(t.TempDir(), "games.csv")
	text := "game_pk,game_date\n1,2024-04-01\n2," + time.Now().AddDate(0, 0, 2).Format(time.DateOnly) + "\n"
	require.NoError(t, os.WriteFile(csv, []byte(text), 0o600))
	file := filepath.Join(t.TempDir(), "s.yaml")
	spec := "{name: s, target: better, batches: month, schedule: " + csv + "}"
	require.NoError(t, os.WriteFile(file, []byte(spec), 0o600))
	s, err := ReadSpec(file)
	require.NoError(t, err)
	require.Equal(t, []string{"1"}, s.expected("2024-01-01", "9999-12-31"))
	p := newPlanner(s, kafkaread.Spans{0: {}})
	require.Len(t, p.batches("here", ""), 1)
}

func TestFilesBehindLinksHaveTheHashOfTheirContents(t *testing.T) {
	folder, other := t.TempDir(), t.TempDir()
	game := filepath.Join(other, "game.jsonl")
	link := filepath.Join(t.TempDir(), "season")
	require.NoError(t, os.Symlink(folder, link))
	require.NoError(t, os.Symlink(game, filepath.Join(folder, "game.jsonl")))
	require.NoError(t, os.Symlink(folder, filepath.Join(folder, "loop")))
	hash := func(content string) string {
		require.NoError(t, os.WriteFile(game, []byte(content), 0o600))
		sum, err := hashFiles(t.Context(), link)
		require.NoError(t, err)
		return sum
	}
	first := hash("{}\n")
	require.NotEqual(t, first, hash("{ }\n"))
	require.Equal(t, first, hash("{}\n"))
}

// aMonth fills a schema with 3,000 pitches of a month, of ten games, whose bat speeds are at a mean.
const aMonth = `INSERT INTO pitch_registers (pitch_id, revision, record_ts_ms, source_topic, source_partition, source_offset,
		core_version, event_time, processed_at, game_pk, game_date, venue, is_swing, pitch_result, bat_speed_mph, pitch_speed_mph,
		is_contact, is_whiff, bat_samples, ball_samples, duplicate_samples, issues, build)
	SELECT ('00000000-0000-0000-%04[1]d-' || lpad(n::text, 12, '0'))::uuid, 0, 1, 'pitches.raw', 0, %[1]d * 10000 + n, 1,
		'2024-%02[1]d-01Z'::timestamptz + n / 300 * interval '1 day', now(), (%[1]d000 + n / 300)::text, '2024-%02[1]d-01'::date + n / 300,
		'Park', true, 'Strike', %[2]f + 8 * sin(n * 12.9898), 91 + 4 * sin(n * 1.3),
		false, true, 400, 100, 0, '{}', 'test'
	FROM generate_series(0, 2999) AS n`

// guard: backfill: missing games stop it
// guard: backfill: a column that moved stops it
// guard: backfill: a batch whose records did not all come does not pass
// guard: backfill: a file that has changed is not continued
func TestGatesNameWhatStopsABatch(t *testing.T) {
	url := testkit.Postgres(t)
	var secret config.SecretURL
	require.NoError(t, secret.UnmarshalText([]byte(url)))
	for _, schema := range []string{"pitchstream", "pitchstream_history"} {
		store, err := pgsink.Open(pgsink.Config{URL: url, Schema: schema})
		require.NoError(t, err)
		_, err = pgadmin.New(store.DB()).Migrate(t.Context())
		require.NoError(t, err)
		store.Close()
	}
	db, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	sql := "SET search_path = pitchstream_history; " + fmt.Sprintf(aMonth, 4, 70.0) + ";" + fmt.Sprintf(aMonth, 5, 78.0)
	_, err = db.Exec(t.Context(), sql)
	require.NoError(t, err)
	require.NoError(t, db.Close(t.Context()))
	s := &Spec{Name: "s", Target: "history", Batches: "month", sha256: "abc", games: []game{
		{"4000", "2024-04-01"}, {"4001", "2024-04-02"}, {"4998", "2024-04-05"}, {"4999", "2024-04-30"},
		{"5000", "2024-05-01"}}}
	require.NoError(t, s.check())
	b, err := open(t.Context(), Options{Spec: s, By: "me@here", Log: slog.New(slog.DiscardHandler), Replay: replay.Options{
		Live: target.Options{
			Postgres: config.Postgres{URL: secret, Schema: "pitchstream"}, Group: "g", TopicRaw: "pitches.raw",
		},
		Target: schemas.Target{Name: "history", Schema: "pitchstream_history"},
	}})
	require.NoError(t, err)
	defer b.close()
	require.NoError(t, b.books.Ensure(t.Context()))
	require.NoError(t, b.books.Ensure(t.Context()), "again")
	full := schemas.ReplayCounts{Records: 3000, Rows: 2990, Letters: 10}
	b.batches = []schemas.BackfillBatch{
		{Number: 1, Name: "2024-04", FromDate: "2024-04-01", ToDate: "2024-04-30", Records: 3000, Counts: full},
		{Number: 2, Name: "2024-05", FromDate: "2024-05-01", ToDate: "2024-05-31", Records: 3002, Counts: full},
		{Number: 3, Name: "files", First: map[int32]int64{0: 40000}, End: map[int32]int64{0: 50000}, Records: 3000,
			Counts: full},
	}
	failed := func(i int) map[string][]string {
		require.NoError(t, b.judge(t.Context(), i))
		all := map[string][]string{}
		for _, g := range b.batches[i].Gates {
			if !g.Passed {
				all[g.Gate] = g.Named
			}
		}
		return all
	}
	require.Equal(t, map[string][]string{"missing_games": {"4998", "4999"}}, failed(0))
	second := failed(1)
	require.Contains(t, second, "shift")
	require.Contains(t, second["shift"][0], "bat_speed_mph by +1.4")
	require.Equal(t, []string{"3000 of 3002 records of the source were read"}, second["records_missing"])
	require.NotContains(t, second, "missing_games")
	require.Equal(t, []string{"4998"}, failed(2)["missing_games"], "the dates are those of its rows")

	f := schemas.Backfill{Name: "s", Target: "history", SHA256: "abc", By: "me@here"}
	require.NoError(t, b.books.Begin(t.Context(), f, b.batches))
	b.batches[0].State = schemas.BatchRefused
	require.NoError(t, b.save(t.Context(), b.batches[0], "refused", "a game is missing"))
	b.o.Accept, b.o.Reason = 2, "x"
	require.ErrorContains(t, b.accept(t.Context()), "batch 2 was not refused")
	b.o.Accept, b.o.Reason = 1, "rained out"
	require.NoError(t, b.accept(t.Context()))
	require.NoError(t, b.accept(t.Context()), "as the same command does after a kill")
	status, err := b.status(t.Context())
	require.NoError(t, err)
	require.False(t, status.Finished)
	require.Equal(t, schemas.BatchAccepted, status.Batches[0].State)
	require.Equal(t, "rained out", status.Batches[0].Reason)
	require.Equal(t, full, status.Batches[0].Counts)
	require.Equal(t, []string{"accepted", "refused", "planned"},
		[]string{status.Audit[0].Action, status.Audit[1].Action, status.Audit[2].Action})
	require.Equal(t, "me@here", status.Audit[0].By)
	s.sha256 = "changed"
	require.ErrorContains(t, b.begin(t.Context()), "begun with another file")
}
