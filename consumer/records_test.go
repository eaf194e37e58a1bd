package consumer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

func unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

// scorer makes records of a few pitches, so that versions compete; some are bad. A seed makes the same
// records again.
type scorer struct{ rnd *rand.Rand }

func newScorer(seed uint64) *scorer { return &scorer{rand.New(rand.NewPCG(seed, 2))} }

func (s *scorer) records(n int) []schemas.Record {
	out := make([]schemas.Record, n)
	for i := range out {
		out[i] = s.record()
	}
	return out
}

func (s *scorer) record() schemas.Record {
	game := fmt.Sprint(716400 + s.rnd.IntN(3))
	r := schemas.Record{Key: []byte(game)}
	r.Partition = int32(s.rnd.IntN(partitionCount))
	r.TimestampMS = 1_700_000_000_000 + s.rnd.Int64N(3)
	header := func(k, v string) { r.Headers = append(r.Headers, schemas.Header{Key: k, Value: []byte(v)}) }
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", s.rnd.IntN(40))
	header("revision", fmt.Sprint(s.rnd.IntN(3)))
	switch s.rnd.IntN(12) {
	case 0:
		r.Value = []byte(`{"summary_acts":`)
	case 1:
		header("op", "delete")
		header("pitch_id", id)
	case 2, 3:
		header("op", "identify")
		header("pitch_id", id)
		header("batter_id", fmt.Sprint(600+s.rnd.IntN(5)))
	default:
		if s.rnd.IntN(2) == 0 {
			header("batter_id", fmt.Sprint(600+s.rnd.IntN(5)))
		}
		r.Value = fmt.Appendf(nil, `{"summary_acts":{"pitch":{"eventId":%q,"type":"Slider","result":"Strike","action":"Foul","speed":{"mph":%d}},"hit":{"speed":{"mph":%d}}}}`,
			id, 40+s.rnd.IntN(60), 60+s.rnd.IntN(60))
	}
	return r
}
