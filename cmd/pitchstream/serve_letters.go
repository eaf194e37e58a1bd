package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// servedLetters are the dead letters as the API shows them. The topic is read as a whole for its groups: once for all who
// ask, and not again before ten times as long has passed.
type servedLetters struct {
	o     deadletter.Options
	store *pgsink.Reader
	run   context.Context
	stop  context.CancelFunc
	work  sync.WaitGroup

	mu      sync.Mutex
	report  *schemas.DeadLetterReport // the last one; nil: none yet
	next    time.Time                 // when it may be read again
	reading chan struct{}             // closed at the end of the reading under way; nil: there is none
	err     error                     // of the last reading
}

const (
	lettersEvery   = 10 * time.Second
	lettersTimeout = 5 * time.Minute // of one reading
	excerptAround  = 400             // bytes
)

// letters are nil where no broker is named.
func (c *serveCmd) letters() (api.Letters, func(), error) {
	if len(c.Kafka.Brokers) == 0 {
		return nil, func() {}, nil
	}
	opts, err := c.Kafka.Options()
	if err != nil {
		return nil, nil, err
	}
	store, err := pgsink.OpenReader(pgsink.Config{URL: c.Postgres.URL.Reveal(), Schema: c.Postgres.Schema, Group: c.Kafka.Group})
	if err != nil {
		return nil, nil, err
	}
	s := &servedLetters{store: store, o: deadletter.Options{
		Client: append(opts, kgo.ClientID("pitchstream serve")), Raw: c.TopicRaw, Dead: c.TopicDead, Known: store, CoreOnly: true,
	}}
	s.run, s.stop = context.WithCancel(context.Background())
	return s, s.close, nil
}

func (s *servedLetters) close() {
	s.stop()
	s.work.Wait()
	s.store.Close()
}

// DeadLetterReport answers the last reading, and begins another one where that is old; who finds none waits for it.
func (s *servedLetters) DeadLetterReport(ctx context.Context) (schemas.DeadLetterReport, error) {
	reading := s.begin()
	if report := s.last(); report != nil {
		return *report, nil
	}
	select {
	case <-reading:
	case <-ctx.Done():
		return schemas.DeadLetterReport{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.report == nil {
		return schemas.DeadLetterReport{}, s.err
	}
	return *s.report, nil
}

func (s *servedLetters) last() *schemas.DeadLetterReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

// begin reads in the background, unless somebody does, or the last report will do.
func (s *servedLetters) begin() (reading chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading != nil || time.Now().Before(s.next) || s.run.Err() != nil {
		return s.reading
	}
	reading = make(chan struct{})
	s.reading = reading
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(s.run, lettersTimeout)
		defer cancel()
		began := time.Now()
		report, err := s.survey(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err = err; err == nil {
			report.ReadAt = schemas.TimeMSOf(began)
			s.report, s.next = &report, time.Now().Add(max(lettersEvery, 10*time.Since(began)))
		}
		s.reading = nil
		close(reading)
	})
	return reading
}

func (s *servedLetters) survey(ctx context.Context) (report schemas.DeadLetterReport, err error) {
	desk, err := deadletter.Open(ctx, s.o)
	if err != nil {
		return report, err
	}
	defer desk.Close()
	found, err := desk.Survey(ctx, deadletter.Question{})
	report.DeadLetterSums = found.DeadLetterSums
	for _, g := range found.Groups {
		report.Groups = append(report.Groups, schemas.DeadLetterGroup{
			Code: g.Code, Shape: g.Shape, DeadLetterSums: g.DeadLetterSums, Share: g.Share, First: g.First, Last: g.Last, Example: g.Example,
		})
	}
	return report, err
}

// Letter reads one record of the topic.
func (s *servedLetters) Letter(ctx context.Context, partition int32, offset int64) (out *schemas.DeadLetterView, err error) {
	desk, err := deadletter.Open(ctx, s.o)
	if err != nil {
		return nil, err
	}
	defer desk.Close()
	at := schemas.Coordinates{Partition: partition, Offset: offset}
	if !desk.Has(at) {
		return nil, nil
	}
	err = desk.Each(ctx, deadletter.Filter{At: []schemas.Coordinates{at}}, func(l *deadletter.Letter) (bool, error) {
		judged, err := desk.Judge(ctx, l)
		if err == nil {
			out = s.shown(l, &judged)
		}
		return false, err
	})
	return out, err
}

func (s *servedLetters) shown(l *deadletter.Letter, j *deadletter.Judgement) *schemas.DeadLetterView {
	sum := sha256.Sum256(l.Value)
	d := &schemas.DeadLetterView{
		Partition: l.At.Partition, Offset: l.At.Offset, Code: l.Code, Message: l.Message, GamePK: l.GamePK, Attempts: l.ID.Attempts,
		FirstFailedAt: l.FirstFailedAt, FailedAt: l.FailedAt, Group: l.Group, Build: l.Build, Status: j.Status.String(), Decision: j.Decision,
		Today: j.Outcome.String(), Why: j.Why, Key: strings.ToValidUTF8(string(l.Key), "\uFFFD"), Bytes: len(l.Value), SHA256: hex.EncodeToString(sum[:]),
	}
	if l.Ours {
		d.Origin = letterPlace(l.ID.Origin)
	}
	if l.Failed.Topic != "" {
		d.Failed = letterPlace(l.Failed)
	}
	for _, h := range l.Own() {
		d.Headers = append(d.Headers, schemas.DeadLetterHeader{Key: strings.ToValidUTF8(h.Key, "\uFFFD"), Value: strings.ToValidUTF8(string(h.Value), "\uFFFD")})
	}
	place := l.Fault(s.o.Limits)
	if d.Path = place.Path; place.From >= 0 {
		d.At = &place.From
	}
	d.Excerpt, d.MarkFrom, d.MarkTo = l.Shown(place, excerptAround)
	return d
}

func letterPlace(c schemas.Coordinates) *schemas.DeadLetterPlace {
	return &schemas.DeadLetterPlace{Topic: c.Topic, Partition: c.Partition, Offset: c.Offset, Timestamp: schemas.TimeMS(c.TimestampMS)}
}
