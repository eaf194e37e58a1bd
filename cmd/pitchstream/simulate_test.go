package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/simulate"
)

// simulated parses the flags and runs the command, as main does.
func simulated(t *testing.T, flags ...string) (out, log string, err error) {
	t.Helper()
	var cli struct {
		Simulate simulateCmd `cmd:""`
	}
	parser, err := kong.New(&cli, config.NewLoader().Option())
	require.NoError(t, err)
	parsed, err := parser.Parse(append([]string{"simulate"}, flags...))
	if err != nil {
		return "", "", err
	}
	var o, e bytes.Buffer
	parsed.BindTo(t.Context(), (*context.Context)(nil))
	err = parsed.Run(&stdio{Out: &o, Err: &e})
	return o.String(), e.String(), err
}

func TestSimulateWritesRecordsToStdout(t *testing.T) {
	out, log, err := simulated(t, "--pitches=20", "--seed=7")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	require.Len(t, lines, 20)
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)))
	}
	assert.Contains(t, log, "pitches   20 = current rows 20 + deleted 0")
	again, _, err := simulated(t, "--pitches=20", "--seed=7", "-o", "-")
	require.NoError(t, err)
	assert.Equal(t, out, again)
}

// TestSimulateWritesTheTruthOfEveryMeasuredRecord compares it with what the core makes of the records.
func TestSimulateWritesTheTruthOfEveryMeasuredRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	_, _, err := simulated(t, "--pitches=80", "--clean", "--envelope", "--corrections=0.2", "--poison=0.1",
		"-o", filepath.Join(t.TempDir(), "records.jsonl"), "--truth", path)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	of := map[string]map[string]any{}
	for line := range bytes.Lines(text) {
		var truth map[string]any
		require.NoError(t, json.Unmarshal(line, &truth))
		of[fmt.Sprint(truth["pitch_id"], " ", truth["revision"])] = truth
	}
	s, err := simulate.New(simulate.Options{
		Seed: 1, Pitches: 80, Clean: true, Corrections: 0.2, Poison: 0.1,
	})
	require.NoError(t, err)
	measured, swings := 0, 0
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		if m.Want.Row == nil {
			continue
		}
		measured++
		truth := of[fmt.Sprint(m.Want.PitchID, " ", m.Want.Revision)]
		require.Len(t, truth, 3+31)
		if truth["contact_bat_speed_mph"] != nil {
			swings++
			require.Equal(t, m.Want.Row.ContactBatSpeedMPH.Value, truth["contact_bat_speed_mph"])
		}
		require.NotContains(t, truth, "contact_confidence")
	}
	require.Len(t, of, measured)
	require.Greater(t, swings, 20)
}

func TestSimulateWritesAFileAGame(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "games") + "/"
	out, _, err := simulated(t, "--games=2", "--pitches=60", "-o", folder)
	require.NoError(t, err)
	assert.Contains(t, out, "games     2\n")
	lines := 0
	for _, game := range []string{"778001", "778002"} {
		text, err := os.ReadFile(filepath.Join(folder, game+"_0.jsonl"))
		require.NoError(t, err)
		lines += bytes.Count(text, []byte("\n"))
	}
	assert.Equal(t, 60, lines)
}

func TestSimulateWritesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.jsonl")
	_, _, err := simulated(t, "--pitches=5", "-o", path)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 5, bytes.Count(text, []byte("\n")))
}

// An envelope holds all that a record is: reading it back gives the stream.
func TestSimulateEnvelopesReadBack(t *testing.T) {
	out, _, err := simulated(t, "--pitches=60", "--envelope", "--feed-ids", "--duplicates=.1", "--corrections=.2",
		"--deletes=.1", "--late-ids=.2", "--poison=.5", "--oversize-bytes=200KiB")
	require.NoError(t, err)
	s, err := simulate.New(simulate.Options{
		Seed: 1, Pitches: 60, FeedIDs: true, Duplicates: .1, Corrections: .2, Deletes: .1, LateIDs: .2,
		Poison: .5, OversizeBytes: 200 << 10,
	})
	require.NoError(t, err)
	d := json.NewDecoder(strings.NewReader(out))
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		var line struct {
			Key         string
			Headers     map[string]string
			TimestampMS int64   `json:"timestamp_ms"`
			Value       *string `json:"value"`
			ValueBase64 []byte  `json:"value_base64"`
		}
		require.NoError(t, d.Decode(&line))
		require.Equal(t, string(m.Key), line.Key)
		require.EqualValues(t, m.Timestamp, line.TimestampMS)
		require.Len(t, line.Headers, len(m.Headers))
		for _, h := range m.Headers {
			require.Equal(t, string(h.Value), line.Headers[h.Key])
		}
		if line.Value != nil {
			line.ValueBase64 = []byte(*line.Value)
		}
		require.Equal(t, string(m.Value), string(line.ValueBase64))
	}
	require.False(t, d.More())
}

func TestSimulateNamesWrongUsage(t *testing.T) {
	for flags, want := range map[string]string{
		"--poison=1.5":                         "--poison is 1.5: a share is between 0 and 1",
		"--parallel=99":                        "--parallel is 99",
		"--games=-1":                           "--games is -1",
		"--rate=-1":                            "--rate=-1: want",
		"--rate=1 --realtime":                  "not both",
		"--speedup=2":                          "--speedup needs --realtime",
		"--feed-ids":                           "--feed-ids needs keys and headers, which plain lines do not have",
		"--produce":                            "--kafka-brokers is missing",
		"--produce --kafka-brokers=b:1 -o x":   "give --produce or an output, not both",
		"--produce --envelope":                 "--envelope is for files",
		"--produce --kafka-brokers=kafka://b":  "want host:port",
		"--start=yesterday":                    "--start",
		"--first-game-pk=-3":                   "--first-game-pk is -3",
		"--oversize-bytes=1GB --poison=-0.001": "--poison is -0.001",
	} {
		_, _, err := simulated(t, strings.Fields(flags)...)
		assert.ErrorContains(t, err, want, flags)
	}
}

func TestSimulateProduces(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "pitches.raw"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	out, _, err := simulated(t, "--produce", "--kafka-brokers", strings.Join(cluster.ListenAddrs(), ","),
		"--games=3", "--pitches=90", "--feed-ids", "--poison=.1")
	require.NoError(t, err)
	assert.Contains(t, out, "pitches   90 = current rows 90 + deleted 0")

	s, err := simulate.New(simulate.Options{Seed: 1, Games: 3, Pitches: 90, FeedIDs: true, Poison: .1})
	require.NoError(t, err)
	want := map[string][]string{} // by key
	total := 0
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		want[string(m.Key)] = append(want[string(m.Key)], fmt.Sprint(m.Headers, string(m.Value)))
		total++
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("pitches.raw"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	partition := map[string]int32{}
	for read := 0; read < total; {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			key := string(r.Key)
			if on, known := partition[key]; known {
				assert.Equal(t, on, r.Partition, "a game stays on one partition")
			}
			partition[key] = r.Partition
			require.NotEmpty(t, want[key])
			assert.True(t, strings.HasSuffix(want[key][0], string(r.Value)), "in order")
			want[key] = want[key][1:]
			read++
		})
	}
}

func TestSimulateNeedsItsTopic(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	_, _, err = simulated(t, "--produce", "--kafka-brokers", strings.Join(cluster.ListenAddrs(), ","), "--pitches=1")
	assert.ErrorContains(t, err, "the topic pitches.raw does not exist")
}

func TestSimulateStopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := simulateCmd{Seed: 1, Games: 1, Output: filepath.Join(t.TempDir(), "x.jsonl")}
	var out, log bytes.Buffer
	err := c.Run(ctx, &stdio{Out: &out, Err: &log})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, out.String(), "records   0")
}
