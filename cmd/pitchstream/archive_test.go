package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/internal/verify"
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
}
