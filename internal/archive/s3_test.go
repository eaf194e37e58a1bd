package archive

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// An archiver is killed at any write, before or after it reached an S3 server.
func TestAKilledArchiverOnS3ArchivesEachRecordOnce(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	store, err := blob.Open(testkit.S3(t))
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		for p := range int32(3) {
			produce(t, cluster, p, some(random, 40)...)
		}
		dying := &dyingStore{Store: store, left: random.IntN(12), afterwards: random.IntN(2) == 0}
		if _, err := Run(t.Context(), optionsOf(cluster, dying, 64<<10)); err != nil {
			require.ErrorIs(t, err, errKilled)
		}
	}
	archiveOnce(t, cluster, store, 64<<10)
	_, err = Compact(t.Context(), selection(store), 32<<20, false)
	require.NoError(t, err)
	want, got := testkit.RawRecords(t, cluster), archived(t, cluster, store)
	for p := range int32(3) {
		require.Len(t, got[p], len(want[p]))
		for i := range got[p] {
			require.Equal(t, kafkaread.Record(want[p][i]), got[p][i])
		}
	}
	found, err := Verify(t.Context(), selection(store), func(int64, int64) {})
	require.NoError(t, err)
	for _, c := range found {
		require.Empty(t, c.Problems)
		require.Empty(t, c.Gaps)
		require.Empty(t, c.Unlisted)
	}
}
