package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/verify"
	"github.com/pitchstream/pitchstream/schemas"
)

// emptyTopic deletes all records of the raw topic, as retention does.
func (w *town) emptyTopic(t *testing.T) {
	t.Helper()
	ends, err := w.admin.ListEndOffsets(t.Context(), rawTopic)
	require.NoError(t, err)
	gone := kadm.Offsets{}
	ends.Each(func(end kadm.ListedOffset) { gone.AddOffset(rawTopic, end.Partition, end.Offset, -1) })
	deleted, err := w.admin.DeleteRecords(t.Context(), gone)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
}

// guard: archive: what the topic has no more is read from the archive
// guard: archive: records and offsets are committed together
func TestATopicEmptiedBehindItsArchiveIsStillAllThere(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 300)
	stop := w.start(t)
	w.through(t)
	stop()
	place := t.TempDir()
	run := func(want int, args ...string) string {
		t.Helper()
		status, stdout, stderr := runCLI(t, append(args, w.flags...)...)
		require.Equal(t, want, status, "%s\n%s", stdout, stderr)
		return stdout
	}
	status, stdout, stderr := runCLI(t, "archive", "--once", "--archive="+place, "--archive-segment-bytes=64KiB",
		"--kafka-brokers="+w.brokers, "--kafka-group="+w.group)
	require.Equal(t, exitOK, status, "%s\n%s", stdout, stderr)
	w.emptyTopic(t)

	var without, with verify.Report
	require.NoError(t, json.Unmarshal([]byte(run(exitOK, "verify", "topic", "--json")), &without))
	require.Positive(t, without.Topic.NotCheckable)
	require.NoError(t, json.Unmarshal([]byte(run(exitOK, "verify", "topic", "--json", "--archive="+place)), &with))
	require.Zero(t, with.Topic.NotCheckable)
	require.Equal(t, without.Topic.Postgres, with.Topic.Topic)

	r := w.replay(t, "--into=better", "--archive="+place, "--parallel=2")
	require.Empty(t, r.Missing)
	require.Equal(t, with.Topic.Records, r.Counts.Records)
	require.Equal(t, w.standing(t, "pitchstream"), w.standing(t, "pitchstream_better"))
	require.Equal(t, w.count(t, w.dead), w.count(t, w.dead+".better"), "each dead letter once")

	id := w.table(t, `SELECT pitch_id::text FROM pitchstream.pitches ORDER BY 1 LIMIT 1`)[0]
	explain := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := runCLI(t, append(append([]string{"explain", id}, w.flags[:2]...), args...)...)
		require.Equal(t, exitOK, status, "%s\n%s", stdout, stderr)
		return stdout
	}
	require.NotContains(t, explain(), "versions: 1 record")
	require.Contains(t, explain("--archive="+place), "versions: 1 record")

	// The server reads single records, to draw a swing, with such a reader.
	reader := kafkaread.NewReader(kgo.SeedBrokers(w.brokers))
	defer reader.Close()
	at := schemas.Coordinates{Topic: w.raw}
	for _, p := range with.Topic.Partitions {
		if p.From < p.To {
			at.Partition = p.Partition
		}
	}
	_, err := reader.Value(t.Context(), at)
	require.ErrorIs(t, err, kafkaread.ErrGone)
	reader.ReadBeyond(archive.Beyond(place))
	value, err := reader.Value(t.Context(), at)
	require.NoError(t, err)
	require.NotEmpty(t, value)

	// A replay names a damaged segment.
	segments, err := filepath.Glob(filepath.Join(place, "*", "*", "*", "*.zst"))
	require.NoError(t, err)
	content, err := os.ReadFile(segments[0])
	require.NoError(t, err)
	content[len(content)/2] ^= 1
	require.NoError(t, os.WriteFile(segments[0], content, 0o600))
	status, _, stderr = runCLI(t, append([]string{"replay", "--into=other", "--archive=" + place}, w.flags...)...)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, filepath.Base(segments[0])+" is damaged")
	status, stdout, _ = runCLI(t, "archive", "verify", "--archive="+place)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stdout, "1 segment is wrong")
}
