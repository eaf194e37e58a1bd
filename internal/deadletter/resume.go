package deadletter

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// resume ends what a retry that was killed had begun: of the letters that it wrote down as sending, those whose records
// are in the raw topic were sent, and the others were not. It answers how many were.
func (d *Desk) resume(ctx context.Context) (found int64, err error) {
	sending, err := d.o.Store.DeadLettersSending(ctx)
	if err != nil || len(sending) == 0 {
		return 0, err
	}
	left := make(map[schemas.DeadLetterID]schemas.DeadLetterDecision, len(sending))
	since := sending[0].At
	for _, s := range sending {
		left[s.ID] = s
		since = min(since, s.At)
	}
	parts, err := kafkaread.Bounds(ctx, d.admin, d.o.Raw, kgo.ReadCommitted())
	if err != nil {
		return 0, err
	}
	// A record that is sent again has the time at which it is sent.
	if parts, err = kafkaread.Since(ctx, d.admin, d.o.Raw, parts, since.Time().Add(-clockSlack)); err != nil {
		return 0, err
	}
	var sent []schemas.DeadLetterDecision
	var done int64
	err = kafkaread.Read(ctx, d.o.Client, d.o.Raw, parts, func(batch []*kgo.Record) error {
		for _, r := range batch {
			// What a letter says of its record, its record says too.
			s, ok := left[Read(r).ID]
			if !ok || r.Timestamp.Before(s.At.Time().Add(-clockSlack)) {
				continue
			}
			delete(left, s.ID)
			s.Action, s.Reason = schemas.DeadLetterRetried, ""
			s.Raw = schemas.Coordinates{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
			sent = append(sent, s)
		}
		done += int64(len(batch))
		d.o.Progress(done, parts.Total())
		return nil
	})
	if err != nil {
		return 0, err
	}
	found = int64(len(sent))
	for _, s := range left {
		s.Action, s.Reason, s.At = schemas.DeadLetterOpen, errNotHanded.Error(), schemas.TimeMSOf(d.o.Now().Truncate(time.Millisecond))
		sent = append(sent, s)
	}
	return found, d.o.Store.DecideDeadLetters(ctx, sent)
}
