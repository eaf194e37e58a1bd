package main

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Records that were deleted before a replay are named by it, and its target is not promoted over them.
// guard: replay: records that are gone are named
// guard: target: one that lacks deleted records is not promoted
func TestAReplayNamesTheRecordsThatAreGone(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 300)
	stop := w.start(t)
	w.through(t)
	stop()
	ends, err := w.admin.ListEndOffsets(t.Context(), rawTopic)
	require.NoError(t, err)
	partition := int32(0)
	ends.Each(func(end kadm.ListedOffset) {
		if most, _ := ends.Lookup(rawTopic, partition); end.Offset > most.Offset {
			partition = end.Partition
		}
	})
	gone := kadm.Offsets{}
	gone.AddOffset(rawTopic, partition, 40, -1)
	deleted, err := w.admin.DeleteRecords(t.Context(), gone)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	status, stdout, stderr := runCLI(t, append([]string{"replay", "--into=better"}, w.flags...)...)
	require.Equal(t, exitFailed, status, stdout)
	require.Contains(t, stdout, fmt.Sprintf("missing: 40 records of partition %d, offsets 0 to 39, are no", partition))
	require.Contains(t, stderr, "no longer in the topic")
	defer w.feed(t, "better")()
	_, stderr = w.target(t, exitFailed, "promote", "better")
	require.Regexp(t, fmt.Sprintf(`\d+ pitches that live has come from records that are no longer in the topic: `+
		`\d+ of partition %d, offsets \d+ to \d+ \(--accept-missing=\d+ promotes it without them\)`, partition), stderr)
	missing := regexp.MustCompile(`--accept-missing=(\d+)`).FindStringSubmatch(stderr)
	n, err := strconv.Atoi(missing[1])
	require.NoError(t, err)
	_, stderr = w.target(t, exitFailed, "promote", "better", fmt.Sprintf("--accept-missing=%d", n-1))
	require.Contains(t, stderr, "no longer in the topic")
	w.target(t, 0, "promote", "better", missing[0])
}
