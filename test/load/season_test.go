package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/backfill"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/redissink"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

const (
	seasonKills  = 5
	seasonPoison = 0.01
	pitchesAGame = 310 // about
)

// A season that only an archive on an S3 server has is brought into a target while a live game is played. The
// command is killed five times. One record in a hundred is bad, and two games of the schedule never came: a
// gate names them. In the end the books balance, readers see the target, and go back. The same records are
// brought in by load and replay, for comparison. PITCHSTREAM_SEASON_PITCHES is the size of the season.
func TestASeasonFromTheArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("brings in a season")
	}
	pitches := 2500
	if text := os.Getenv("PITCHSTREAM_SEASON_PITCHES"); text != "" {
		var err error
		pitches, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	place := testkit.S3(t)
	w := stack.New(t)
	w.Patience = 10 * time.Minute
	w.Env = append(w.Env, "PITCHSTREAM_ARCHIVE="+place)
	s := &season{t: t, w: w, place: place, dir: t.TempDir()}
	s.produce(pitches)
	s.keepOnlyInTheArchive()

	w.Start()
	live := s.liveGame()
	idle := live.timed()
	began := time.Now()
	done := make(chan used, 1)
	go func() { done <- s.backfill() }()
	var beside []latency
	var cost used
	for cost.runs == 0 {
		beside = append(beside, live.timed())
		select {
		case cost = <-done:
		default:
		}
	}
	require.False(t, t.Failed(), "the backfill failed")
	t.Logf("backfill: %v for %d records, %.0f/s; %v", time.Since(began).Round(time.Second), s.records,
		float64(s.records)/cost.took.Seconds(), cost)
	t.Logf("live game: idle %v", idle)
	for _, l := range beside {
		t.Logf("live game: beside the backfill %v", l)
	}
	require.GreaterOrEqual(t, cost.killed, min(seasonKills, 1+pitches/10_000)) // a short one may end before

	w.Start("--target=history")
	all := s.standing + live.sent
	w.WaitFor("the target has tonight's game", func() bool { return s.count("pitchstream_history") == all })
	require.EqualValues(t, live.sent, s.count("pitchstream"))
	verified := s.run("verify", "--target=history")
	require.NoError(t, verified.err, verified.errs)
	t.Logf("verify of the target: %v", verified)
	require.Equal(t, s.poison, s.deadLetters(), "each bad record is one dead letter")
	for _, command := range []string{"promote history", "rollback"} {
		args := append([]string{"target"}, strings.Fields(command)...)
		w.WaitFor(command, func() bool { return s.run(args...).err == nil })
	}
	s.loadAndReplay()
}

// season is a season in an archive.
type season struct {
	t          *testing.T
	w          *stack.Stack
	place, dir string

	records, standing, poison int64
	dates                     map[string]schemas.Text // by game
	missing                   []string                // games
}

// produce sends the season to the raw topic, without two of its games.
func (s *season) produce(pitches int) {
	games := max(8, pitches/pitchesAGame)
	o := simulate.Options{Seed: 24, Games: games, Poison: seasonPoison, Corrections: 0.01, Duplicates: 0.01}
	if games < 20 {
		o.Parallel = 2 // several days
	}
	sim, err := simulate.New(o)
	require.NoError(s.t, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(s.w.Brokers, ",")...),
		kgo.DefaultProduceTopic(s.w.Raw()), kgo.ProducerBatchMaxBytes(20<<20), kgo.MaxBufferedBytes(64<<20),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.AlwaysRetryEOF())
	require.NoError(s.t, err)
	defer client.Close()
	s.dates = map[string]schemas.Text{}
	began, size := time.Now(), 0
	current := map[schemas.PitchID]bool{}
	for m, ok := sim.Next(); ok; m, ok = sim.Next() {
		game := string(m.Key)
		if m.Want.Row != nil && s.dates[game] == "" {
			s.dates[game] = m.Want.Row.GameDate
			if n := len(s.dates); n == 3 || n == 6 {
				s.missing = append(s.missing, game)
			}
		}
		if slices.Contains(s.missing, game) || s.dates[game] == "" {
			continue
		}
		switch m.Want.Kind {
		case simulate.KindPoison:
			s.poison++
		case simulate.KindPitch, simulate.KindCorrection:
			current[m.Want.PitchID] = true
		}
		r := record(m)
		r.Timestamp = time.UnixMilli(int64(m.EventTime) + 2000)
		client.Produce(s.t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				s.t.Error(err)
			}
		})
		s.records++
		size += len(m.Value)
	}
	require.NoError(s.t, client.Flush(s.t.Context()))
	require.Len(s.t, s.missing, 2)
	s.standing = int64(len(current))
	s.t.Logf("a season: %d games, %d records of %.1f GB, %d of them bad, %d pitches; sent in %v",
		len(s.dates), s.records, float64(size)/1e9, s.poison, s.standing, time.Since(began).Round(time.Second))
}

// keepOnlyInTheArchive archives the topic, and deletes its records as retention does.
func (s *season) keepOnlyInTheArchive() {
	archived := s.run("archive", "--once")
	require.NoError(s.t, archived.err, archived.errs)
	s.t.Logf("archive: %v", archived)
	ends, err := s.w.Admin.ListEndOffsets(s.t.Context(), s.w.Raw())
	require.NoError(s.t, err)
	deleted, err := s.w.Admin.DeleteRecords(s.t.Context(), ends.Offsets())
	require.NoError(s.t, err)
	require.NoError(s.t, deleted.Error())
}

// liveGame is a game of the day after the season.
func (s *season) liveGame() *live {
	last := slices.Max(slices.Collect(maps.Values(s.dates)))
	day, err := time.Parse(time.DateOnly, string(last))
	require.NoError(s.t, err)
	pitches, err := simulate.New(simulate.Options{
		Seed: 7, Pitches: 200_000, FirstGamePK: 990_001, Start: day.AddDate(0, 0, 1).Add(17 * time.Hour),
	})
	require.NoError(s.t, err)
	l := &live{w: s.w, pitches: pitches, seen: map[string][]time.Time{}, long: 5 * time.Second}
	if s.records > 20_000 {
		l.long = liveFor
	}
	l.reader, err = redissink.OpenReader(redissink.Config{URL: "redis://" + s.w.Redis, Prefix: s.w.Name + ":"})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = l.reader.Close() })
	l.play(livePerSec) // connections, statements, caches
	return l
}

// backfill brings the season in. It kills the command at five places, and accepts a batch without the games
// that never came.
func (s *season) backfill() (total used) {
	schedule := "game_pk,game_date\n"
	for _, game := range slices.Sorted(maps.Keys(s.dates)) {
		schedule += game + "," + string(s.dates[game]) + "\n"
	}
	spec := filepath.Join(s.dir, "season.yaml")
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, "schedule.csv"), []byte(schedule), 0o600))
	require.NoError(s.t, os.WriteFile(spec, fmt.Appendf(nil, "name: season\ntarget: history\nbatches: month\n"+
		"archive: %q\nschedule: %s\n", s.place, filepath.Join(s.dir, "schedule.csv")), 0o600))
	var named, more []string
	for {
		killAt := s.records * int64(total.killed+1) / (seasonKills + 1)
		if total.killed == seasonKills {
			killAt = 0
		}
		u := s.start(append([]string{"backfill", "run", spec}, more...)...).until(func() bool {
			return killAt > 0 && s.status(spec).Done >= killAt
		})
		more = nil
		total.add(u)
		if u.err == nil {
			break
		}
		if u.killed > 0 {
			continue
		}
		batch := refused(s.status(spec))
		if batch == nil {
			s.t.Errorf("backfill: %v\n%s", u.err, u.errs)
			return total
		}
		for _, g := range batch.Gates {
			if !g.Passed {
				named = append(named, g.Named...)
				if g.Gate != "missing_games" {
					s.t.Errorf("gate %s is %v: %v", g.Gate, g.Value, g.Named)
				}
			}
		}
		more = []string{"--accept", strconv.Itoa(batch.Number), "--reason", "called off"}
	}
	for _, game := range s.missing {
		if !slices.ContainsFunc(named, func(n string) bool { return strings.Contains(n, game) }) {
			s.t.Errorf("game %s is missing, and no gate names it: %v", game, named)
		}
	}
	return total
}

func refused(s backfill.Status) *schemas.BackfillBatch {
	for _, b := range s.Batches {
		if b.State == schemas.BatchRefused {
			return &b
		}
	}
	return nil
}

func (s *season) status(spec string) (status backfill.Status) {
	if u := s.run("backfill", "status", "--json", spec); u.err == nil {
		_ = json.Unmarshal(u.out.Bytes(), &status)
	}
	return status
}

// loadAndReplay brings the same records in by the other way that there is.
func (s *season) loadAndReplay() {
	other := stack.New(s.t)
	there := &season{t: s.t, w: other, dir: s.dir}
	loaded := there.run("load", s.place)
	require.NoError(s.t, loaded.err, loaded.errs)
	replayed := there.run("replay", "--into=history", "--no-live-first")
	require.NoError(s.t, replayed.err, replayed.errs)
	require.Equal(s.t, s.standing, there.count("pitchstream_history"))
	s.t.Logf("load: %v", loaded)
	s.t.Logf("replay: %v; together %v", replayed, (loaded.took + replayed.took).Round(time.Second))
}

// count returns the number of pitches in a schema, -1 where there is none.
func (s *season) count(schema string) (n int64) {
	c, err := pgx.Connect(s.t.Context(), s.w.Postgres)
	require.NoError(s.t, err)
	defer c.Close(s.t.Context()) //nolint:errcheck // of a connection that has only read
	if c.QueryRow(s.t.Context(), "SELECT count(*) FROM "+schema+".pitches").Scan(&n) != nil {
		return -1
	}
	return n
}

func (s *season) deadLetters() (n int64) {
	s.w.Each(s.w.Dead()+".history", func(*kgo.Record) { n++ })
	return n
}

// used is what commands took.
type used struct {
	runs, killed int
	took, cpu    time.Duration
	peakKB       int64
	err          error
	out, errs    *bytes.Buffer
}

func (u used) String() string {
	return fmt.Sprintf("%v, %v of CPU, peak %d MB, killed %d times", u.took.Round(100*time.Millisecond),
		u.cpu.Round(100*time.Millisecond), u.peakKB>>10, u.killed)
}

func (u *used) add(v used) {
	u.runs, u.killed = u.runs+v.runs, u.killed+v.killed
	u.took, u.cpu, u.peakKB = u.took+v.took, u.cpu+v.cpu, max(u.peakKB, v.peakKB)
}

// command is one that runs.
type command struct {
	cmd       *exec.Cmd
	out, errs bytes.Buffer
	began     time.Time
}

func (s *season) start(args ...string) *command {
	c := &command{cmd: exec.CommandContext(s.t.Context(), stack.Binary(s.t), args...), began: time.Now()}
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = s.w.Env, &c.out, &c.errs
	require.NoError(s.t, c.cmd.Start())
	return c
}

func (s *season) run(args ...string) used {
	return s.start(args...).until(func() bool { return false })
}

// until waits for the end of the command, and kills it when kill says so.
func (c *command) until(kill func() bool) used {
	u := used{runs: 1, out: &c.out, errs: &c.errs}
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case u.err = <-ended:
			waiting = false
		case <-tick.C:
			u.peakKB = max(u.peakKB, residentKB(c.cmd.Process.Pid))
			if u.killed == 0 && kill() && c.cmd.Process.Signal(syscall.SIGKILL) == nil {
				u.killed = 1
			}
		}
	}
	var exit *exec.ExitError
	if u.killed == 1 && (!errors.As(u.err, &exit) || exit.Exited()) {
		u.killed = 0 // it had ended before
	}
	u.took, u.cpu = time.Since(c.began), c.cmd.ProcessState.UserTime()+c.cmd.ProcessState.SystemTime()
	return u
}

// residentKB returns the most memory that a process has held. At its end the system may tell that of the
// process that started it.
func residentKB(pid int) (kb int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(rest, &kb)
	return kb
}
