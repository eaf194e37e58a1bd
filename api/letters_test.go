package api

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// deadTopic is a dead-letter topic in memory.
type deadTopic struct {
	report schemas.DeadLetterReport
	letter *schemas.DeadLetterView
	err    error
}

func (d *deadTopic) DeadLetterReport(context.Context) (schemas.DeadLetterReport, error) {
	return d.report, d.err
}

func (d *deadTopic) Letter(
	_ context.Context, partition int32, offset int64,
) (*schemas.DeadLetterView, error) {
	if d.letter == nil || d.letter.Partition != partition || d.letter.Offset != offset {
		return nil, d.err
	}
	return d.letter, d.err
}

// guard: api: dead letters that cannot be read are Kafka's
func TestLettersAreShown(t *testing.T) {
	dead := &deadTopic{
		report: schemas.DeadLetterReport{DeadLetterSums: schemas.DeadLetterSums{Letters: 430, Open: 430}, Groups: []schemas.DeadLetterGroup{{Code: schemas.CodeTooLarge, Shape: "too_large: N", Share: 1}}},
		letter: &schemas.DeadLetterView{Partition: 3, Offset: 42, Code: schemas.CodeTooLarge, Status: "open", Today: "passes", MarkFrom: -1, MarkTo: -1},
	}
	k := newAsker(t, newStores(), func(c *Config) { c.Letters = dead })
	body := k.get(200, "/v1/letters", "/v1/letters")
	require.EqualValues(t, 430, body["open"])
	require.Equal(t, "too_large", body["groups"].([]any)[0].(map[string]any)["code"])
	body = k.get(200, "/v1/letters/{partition}/{offset}", "/v1/letters/3/42")
	require.Equal(t, "passes", body["today"])
	require.Equal(t, []any{}, body["headers"])
	require.Equal(t, 404, k.ask("/v1/letters/3/43").Code)
	require.Equal(t, 422, k.ask("/v1/letters/-1/43").Code)
	require.Equal(t, 422, k.ask("/v1/letters/x/43").Code)
	dead.err = errors.New("broker 10.0.0.7 is away")
	w := k.ask("/v1/letters")
	require.Equal(t, 503, w.Code)
	require.NotContains(t, w.Body.String(), "10.0.0.7")
	require.Contains(t, w.Body.String(), errLettersUnavailable.Error(), "Redis may well be read")
	dead.report, dead.err = schemas.DeadLetterReport{}, nil
	require.Equal(t, []any{}, k.get(200, "/v1/letters", "/v1/letters")["groups"])
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/v1/letters").Code)
}

// slowLetters are read one at a time, each for a second.
type slowLetters struct {
	deadTopic
	turn chan struct{}
}

func (l *slowLetters) Letter(
	ctx context.Context, partition int32, offset int64,
) (*schemas.DeadLetterView, error) {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	time.Sleep(time.Second) // tidy: in a bubble of synctest
	return l.deadTopic.Letter(ctx, partition, offset)
}

// guard: api: clients read dead letters in turn
func TestOneWhoReadsManyLettersHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := &slowLetters{turn: make(chan struct{}, 1)}
		k := newAsker(t, newStores(), func(c *Config) { c.Letters = dead })
		for i := range 8 {
			go k.ask(fmt.Sprintf("/v1/letters/0/%d", i))
		}
		synctest.Wait()
		began := time.Now()
		require.Equal(t, 404, k.from("192.0.2.2:1", "/v1/letters/0/9").Code)
		require.LessOrEqual(t, time.Since(began), 3*time.Second)
		time.Sleep(10 * time.Second)
	})
}
