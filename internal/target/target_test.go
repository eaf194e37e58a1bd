package target

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestOnlyProcessorsWithAFreshHeartbeatFeedATarget(t *testing.T) {
	now := time.Now()
	f := feedingIn(schemas.Pulse{
		Heartbeats: map[string]schemas.Heartbeat{
			"a": {At: schemas.TimeMSOf(now.Add(-time.Second)), LagMS: 5},
			"b": {At: schemas.TimeMSOf(now.Add(10*time.Millisecond - AliveFor)), LagMS: 7},
			"c": {At: schemas.TimeMSOf(now.Add(-AliveFor - time.Second)), LagMS: 9},
		},
		Applied: map[string]int64{"raw/0": 10, "raw/1": 20, "raw.other/0": 30},
	}, "raw", now)
	require.Equal(t, Feeding{Processors: 2, LagMS: 7, Positions: map[string]int64{"0": 10, "1": 20}}, f)
}

func TestATargetIsPromotedOnlyWhenFedAndCaughtUp(t *testing.T) {
	seen := Feeding{Processors: 1, Positions: map[string]int64{"0": 5, "1": 5}}
	both := seen.Positions
	for name, c := range map[string]struct {
		is   Feeding
		want []string
	}{
		"ready":         {Feeding{Processors: 1, LagMS: 1000, Positions: both}, nil},
		"late":          {Feeding{Processors: 1, LagMS: 1001, Positions: both}, []string{"a record has waited for 1.001s"}},
		"fed by nobody": {Feeding{LagMS: 9, Positions: both}, []string{"no processor feeds it (pitchstream run --target x)"}},
		"a partition less": {
			Feeding{Processors: 1, Positions: map[string]int64{"1": 5}},
			[]string{"it has read nothing of 1 partitions that live has"},
		},
	} {
		require.Equal(t, c.want, lacking("x", c.is, "live", seen, time.Second), name)
	}
}

func TestBehindCountsWhatTheFurthestTargetHasRead(t *testing.T) {
	at := func(zero, one int64) Feeding { return Feeding{Positions: map[string]int64{"0": zero, "1": one}} }
	list := []Status{{Feeding: at(10, 1)}, {Feeding: at(4, 9)}, {}}
	countBehind(list)
	require.Equal(t, []int64{8, 6, 19}, []int64{list[0].Behind, list[1].Behind, list[2].Behind})
}

// guard: target: one that lacks pitches is not promoted
// guard: target: one that lacks batters is not promoted
// guard: target: one in which too much changed is not promoted
func TestEachLimitOfAPromoteNamesItself(t *testing.T) {
	l := schemas.TargetLoss{Both: 100, Changed: 5, Pitches: 2, PitchExamples: []string{"a", "b"}, Batters: 1,
		BatterExamples: []string{"7"}}
	atLimit := PromoteOptions{AcceptMissing: 2, AcceptMissingBatters: 1, MaxChanged: 0.05}
	require.Empty(t, lossReasons(l, "live", atLimit))
	for want, change := range map[string]func(*PromoteOptions){
		"it lacks 2 pitches that live has, as a, b (--accept-missing=2 promotes it without them)": func(o *PromoteOptions) { o.AcceptMissing-- },
		"it lacks 1 batters that live has, as 7 (--accept-missing-batters=1 promotes it without them)": func(o *PromoteOptions) {
			o.AcceptMissingBatters--
		},
		"5 of 100 pitches have other values than in live, 5 %; the limit is 4 % (see pitchstream target diff; --promote-max-changed)": func(o *PromoteOptions) {
			o.MaxChanged = 0.04
		},
	} {
		o := atLimit
		change(&o)
		require.Equal(t, []string{want}, lossReasons(l, "live", o))
	}
	require.Empty(t, lossReasons(schemas.TargetLoss{}, "live", PromoteOptions{}), "an empty target has no share")
}

// A target's life without a processor: created twice, listed, refused, promoted, rolled back, dropped.
func TestLifeOfATarget(t *testing.T) {
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "pitches.raw"))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	o := DropOptions{
		Kafka:    config.Kafka{Brokers: kafka.ListenAddrs(), Group: "pitchstream"},
		Postgres: config.Postgres{URL: secret(t, testkit.Postgres(t)), Schema: "pitchstream"},
		Redis:    config.Redis{URL: secret(t, "redis://"+testkit.Redis(t)), Prefix: testkit.Name(t) + ":"},
		Name:     "better",
	}
	topics := config.Topics{TopicRaw: "pitches.raw", TopicRows: "pitches.rows", TopicDead: "pitches.dead"}
	settings := config.Targets{Kafka: &o.Kafka, Topics: &topics, Postgres: &o.Postgres, Redis: &o.Redis}
	live := Options{Postgres: o.Postgres, Group: "pitchstream", TopicRaw: "pitches.raw"}
	migrate(t, o.Postgres)
	client, err := kgo.NewClient(kgo.SeedBrokers(o.Kafka.Brokers...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)

	_, err = Diff(t.Context(), live, "live", "better")
	require.ErrorContains(t, err, "there is no target better: give one of live")
	names, err := settings.Names("better")
	require.NoError(t, err)
	for range 2 {
		create := CreateOptions{Live: live, Admin: admin, Target: names, Log: slog.New(slog.DiscardHandler)}
		require.NoError(t, Create(t.Context(), create))
	}
	list, err := List(t.Context(), live)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, names, list[1].Target)
	require.True(t, list[0].Serving)
	made, err := admin.ListTopics(t.Context(), names.Rows, names.Dead)
	require.NoError(t, err)
	require.Len(t, made[names.Rows].Partitions, 3)
	d, err := Diff(t.Context(), live, "live", "better")
	require.NoError(t, err)
	require.False(t, d.Different())

	promote := PromoteOptions{Live: live, Name: "better", MaxLag: time.Second}
	var refused *NotReadyError
	_, err = Promote(t.Context(), promote)
	require.ErrorAs(t, err, &refused)
	promote.Force, promote.By, promote.Reason = true, "me@here", "nobody feeds it yet"
	m, err := Promote(t.Context(), promote)
	require.NoError(t, err)
	require.Equal(t, []string{"live", "better"}, []string{m.From, m.To})
	_, err = Drop(t.Context(), o)
	require.ErrorContains(t, err, "readers see better")
	m, err = Rollback(t.Context(), live, "me@here")
	require.NoError(t, err)
	require.Equal(t, []string{"better", "live"}, []string{m.From, m.To})
	require.NotEmpty(t, m.NotReady, "going back is not refused")
	moves, err := History(t.Context(), live)
	require.NoError(t, err)
	require.Len(t, moves, 2)
	require.Equal(t, []string{"rollback", "promote"}, []string{moves[0].Kind, moves[1].Kind})
	require.Equal(t, "nobody feeds it yet", moves[1].Reason)
	require.True(t, moves[1].Forced)
	require.Contains(t, moves[1].NotReady[0], "no processor feeds it")
	dropped, err := Drop(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, names, dropped.Target)
	_, err = Drop(t.Context(), o)
	require.ErrorContains(t, err, "there is no target better")
}

func secret(t *testing.T, url string) (s config.SecretURL) {
	t.Helper()
	require.NoError(t, s.UnmarshalText([]byte(url)))
	return s
}

func migrate(t *testing.T, p config.Postgres) {
	t.Helper()
	store, err := pgsink.Open(pgsink.Config{URL: p.URL.Reveal(), Schema: p.Schema})
	require.NoError(t, err)
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(context.Background())
	require.NoError(t, err)
}
