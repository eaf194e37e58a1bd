package main

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// demoLetters reads the dead letters as they come.
type demoLetters struct {
	client *kgo.Client
	done   chan struct{}

	mu    sync.Mutex
	count int64
	last  string          // "code: message" of the newest
	next  map[int32]int64 // by partition; the offset to read next
}

func openDemoLetters(broker, topic string) (*demoLetters, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the marks of ended transactions take offsets too: next must get past them
	)
	if err != nil {
		return nil, err
	}
	l := &demoLetters{client: client, done: make(chan struct{}), next: map[int32]int64{}}
	go l.read()
	return l, nil
}

func (l *demoLetters) read() {
	defer close(l.done)
	for {
		fetches := l.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(l.note)
	}
}

func (l *demoLetters) note(r *kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next[r.Partition] = r.Offset + 1
	if r.Attrs.IsControl() {
		return
	}
	l.count++
	l.last = demoHeader(r, schemas.HeaderDLQMessage)
}

func demoHeader(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// counted are the letters so far and what the newest says.
func (l *demoLetters) counted() (count int64, last string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, l.last
}

// reached says that all letters below these ends were counted.
func (l *demoLetters) reached(ends kadm.ListedOffsets) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := true
	ends.Each(func(end kadm.ListedOffset) { all = all && l.next[end.Partition] >= end.Offset })
	return all
}

func (l *demoLetters) close() {
	if l != nil {
		l.client.Close()
		<-l.done
	}
}
