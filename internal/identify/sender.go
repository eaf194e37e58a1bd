package identify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// item is one pitch to name: its key in the topic, and the least revision that its record may have.
type item struct {
	key      string
	id       schemas.PitchID
	names    schemas.Identifiers
	revision int64
	// wins reports that the names count although newer ones are known: a person gave them just now.
	wins bool
}

// sender sends what is not known yet. Its transactional id is that of the game, so a second run for the same
// game fences the first. Nothing that the first has not committed by then can arrive later. The topic is read
// after that, so nothing is sent twice.
type sender struct {
	client *kgo.Client // nil: nothing is sent
	known  *known
}

// atOnce bounds the records of a transaction.
const atOnce = 500

// ErrTakenOver is the error of a run that another run for the same game has replaced.
var ErrTakenOver = errors.New("another run names this game's pitches now, and has taken over")

// openSender fences earlier runs of the same scope, and reads what they have sent.
func openSender(
	ctx context.Context, o Options, scope string, wants func([]byte, schemas.PitchID) bool,
) (_ *sender, err error) {
	s := &sender{known: newKnown(o.Books, wants)}
	if len(o.Client) == 0 { // a dry run without servers
		return s, nil
	}
	more := []kgo.Opt{kgo.DefaultProduceTopic(o.Topic)}
	if !o.DryRun {
		more = append(more, kgo.TransactionalID("pitchstream-identify/"+o.Topic+"/"+scope),
			kgo.TransactionTimeout(30*time.Second), kgo.RequiredAcks(kgo.AllISRAcks()),
			kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, o.Client...), more...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	s.client = client
	if !o.DryRun {
		// guard: identify: an earlier run is fenced before it is read what it sent
		_, _, err = client.ProducerID(ctx)
		if err != nil {
			client.Close()
			return nil, fmt.Errorf("kafka: the transactional id of game %s: %w", scope, err)
		}
	}
	if err = s.known.readTail(ctx, client, o); err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

func (s *sender) close() {
	if s.client != nil {
		s.client.Close()
	}
}

// news returns those of the items whose names are not the newest ones known, each with its revision.
func (s *sender) news(ctx context.Context, items []item, r *Report) (news []item, err error) {
	if err := s.known.ask(ctx, schemas.Map(items, func(i item) schemas.PitchID { return i.id })); err != nil {
		return nil, err
	}
	for _, i := range items {
		has, isKnown := s.known.names[i.id]
		switch {
		// guard: identify: what is known is not sent again
		case isKnown && has.names == i.names:
			r.Same++
		// guard: identify: older names do not replace newer ones
		case isKnown && has.version.Revision > i.revision && !i.wins:
			r.Older++
		default:
			if isKnown && i.wins {
				i.revision = max(i.revision, has.version.Revision+1)
			}
			news = append(news, i)
		}
	}
	return news, nil
}

// send sends the items, each transaction as a whole or not at all.
func (s *sender) send(ctx context.Context, items []item, r *Report) error {
	for len(items) > 0 {
		n := min(atOnce, len(items))
		if err := s.transact(ctx, items[:n]); err != nil {
			return err
		}
		for _, i := range items[:n] {
			s.known.names[i.id] = named{i.names, schemas.Version{Revision: i.revision}}
		}
		r.Sent += int64(n)
		items = items[n:]
	}
	return nil
}

func (s *sender) transact(ctx context.Context, items []item) error {
	if err := s.client.BeginTransaction(); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	err := s.client.ProduceSync(ctx, schemas.Map(items, item.record)...).FirstErr()
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = s.client.EndTransaction(undo, kgo.TryAbort) // an error of it is that of the connection, too
	} else {
		err = s.client.EndTransaction(ctx, kgo.TryCommit)
	}
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
		return ErrTakenOver
	case err != nil:
		return fmt.Errorf("kafka does not take records: %w", err)
	}
	return nil
}

// record makes the record of an identify. It has no value: everything is in the headers.
func (i item) record() *kgo.Record {
	rec := &kgo.Record{Headers: []kgo.RecordHeader{
		{Key: schemas.HeaderOp, Value: []byte(schemas.OpIdentify.String())},
		{Key: schemas.HeaderPitchID, Value: []byte(i.id.String())},
		{Key: schemas.HeaderRevision, Value: strconv.AppendInt(nil, i.revision, 10)},
	}}
	if i.key != "" {
		rec.Key = []byte(i.key)
	}
	for _, h := range []struct {
		key   string
		value schemas.Opt[int64]
	}{
		{schemas.HeaderBatterID, i.names.BatterID}, {schemas.HeaderPitcherID, i.names.PitcherID},
		{schemas.HeaderTeamID, i.names.TeamID},
	} {
		if h.value.Present {
			value := strconv.AppendInt(nil, h.value.Value, 10)
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.key, Value: value})
		}
	}
	for _, h := range []kgo.RecordHeader{
		{Key: schemas.HeaderAtBatNumber, Value: digits(i.names.AtBatNumber)},
		{Key: schemas.HeaderPitchNumber, Value: digits(i.names.PitchNumber)},
		{Key: schemas.HeaderBatterSide, Value: []byte(i.names.BatterSide)},
		{Key: schemas.HeaderPitcherHand, Value: []byte(i.names.PitcherHand)},
	} {
		if len(h.Value) > 0 {
			rec.Headers = append(rec.Headers, h)
		}
	}
	return rec
}

// digits returns a number in decimal digits, nothing for a missing one.
func digits(n schemas.Opt[int16]) []byte {
	if !n.Present {
		return nil
	}
	return strconv.AppendInt(nil, int64(n.Value), 10)
}
