package pgsink

import (
	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

var sqlCountReplay = statement("count_replay")

// queueReplay counts what becomes of the records of a replay, in the transaction of their rows. The positions are locked
// by now, so an attempt of the same batch that nobody has heard of has been counted, or never will be.
func (t *transaction) queueReplay(b *pgx.Batch) {
	r := t.batch.Replay
	if r == nil || len(r.Records) == 0 {
		return
	}
	took, refused := make(map[schemas.Register]bool, len(t.winners)), map[schemas.Register]bool{}
	for _, w := range t.winners {
		took[schemas.RegisterOf(w.change)] = true
	}
	for i := range t.refused {
		refused[schemas.RegisterOf(&t.refused[i].Change)] = true
	}
	n := len(r.Records)
	partitions, offsets, fates := make([]int32, n), make([]int64, n), make([]int16, n)
	for i, fate := range r.Fates(took, refused) {
		partitions[i], offsets[i], fates[i] = r.Records[i].Partition, r.Records[i].Offset, int16(fate)
	}
	b.Queue(sqlCountReplay, r.ID, partitions, offsets, fates)
}
