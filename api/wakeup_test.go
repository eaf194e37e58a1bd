package api

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// failingOnce fails the next reads, once each, after the changes that they would bring were noticed.
type failingOnce struct {
	*stores
	states, look, game error
}

func take(err *error) error {
	now := *err
	*err = nil
	return now
}

func (f *failingOnce) Look(
	ctx context.Context, keys []schemas.PlayerKey,
) ([]*schemas.PlayerState, schemas.Pulse, error) {
	found, p, err := f.stores.Look(ctx, keys)
	f.mu.Lock()
	defer f.mu.Unlock()
	if failed := take(&f.look); failed != nil {
		err = failed
	}
	return found, p, err
}

// failingStore is its Postgres.
type failingStore struct {
	fakeStore
	f *failingOnce
}

func (s failingStore) States(ctx context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, error) {
	found, err := s.fakeStore.States(ctx, keys)
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed := take(&s.f.states); failed != nil {
		err = failed
	}
	return found, err
}

func (s failingStore) Game(
	ctx context.Context, game string, players, pitches int,
) (*schemas.WholeGame, error) {
	found, err := s.fakeStore.Game(ctx, game, players, pitches)
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed := take(&s.f.game); failed != nil {
		err = failed
	}
	return found, err
}

// failing runs a test of streams with stores of which single reads fail.
func failing(t *testing.T, f func(t *testing.T, s *failingOnce, k *asker)) {
	once := &failingOnce{}
	streaming(t, func(c *Config) {
		once.stores = c.Live.(*stores)
		c.Live, c.Store = once, failingStore{fakeStore{once.stores}, once}
	}, func(t *testing.T, _ *stores, k *asker) { f(t, once, k) })
}

// A stream has the new state although reading it failed, or memory answered, once it was noticed.
//
// guard: api: a stream whose state was not read is read again
// guard: api: a game that memory answered is read again
func TestAChangeThatWasNoticedAndNotReadIsReadAgain(t *testing.T) {
	newest := func(l *listener) map[string]any {
		_, states := l.events()
		return states[len(states)-1]
	}
	t.Run("in Postgres", func(t *testing.T) {
		failing(t, func(t *testing.T, s *failingOnce, k *asker) {
			s.put(state(1, 1))
			l := k.listen(opStream, "/v1/batters/1/stream")
			s.set(func() { s.liveErr = errGone })
			pass(3 * time.Second)
			s.put(state(1, 2))
			s.apply("0", 9)
			s.set(func() { s.states = errGone })
			pass(3 * time.Second)
			require.EqualValues(t, 2, newest(l)["pitches"])
			require.Equal(t, "postgres", newest(l)["source"])
		})
	})
	t.Run("in Redis", func(t *testing.T) {
		failing(t, func(t *testing.T, s *failingOnce, k *asker) {
			s.put(state(1, 1))
			l := k.listen(opStream, "/v1/batters/1/stream")
			pass(time.Second)
			s.set(func() { s.storeErr, s.look = errGone, redisReply("WRONGTYPE Operation against a key") })
			s.put(state(1, 2))
			pass(3 * time.Second)
			require.EqualValues(t, 2, newest(l)["pitches"])
			require.Equal(t, "redis", newest(l)["source"])
		})
	})
	t.Run("a game", func(t *testing.T) {
		failing(t, func(t *testing.T, s *failingOnce, k *asker) {
			s.set(func() { s.games = []schemas.PlayedGame{{GamePK: "g", Pitches: 1}} })
			l := k.listen(opGameStream, "/v1/games/g/stream")
			pass(time.Second)
			s.set(func() { s.games, s.game = []schemas.PlayedGame{{GamePK: "g", Pitches: 2}}, errGone })
			s.apply("0", 2)
			pass(2 * liveEvery)
			require.EqualValues(t, 2, newest(l)["pitches"])
			require.Equal(t, "postgres", newest(l)["source"])
		})
	})
}

// A slow read of a game is dropped, and its version with it: else the next change back to that version would
// not be read.
//
// guard: api: a slow read replaces no newer state
// guard: api: the version of a game is that of its state
func TestADroppedStateOfAGameLeavesItsVersion(t *testing.T) {
	h := &hub{}
	topic := &topic{key: topicKey{game: "g"}, changed: make(chan struct{})}
	slow, quick := h.reads.Add(1), h.reads.Add(1)
	require.NoError(t, topic.publishGame(quick, &Game{GameSummary: GameSummary{Live: true}}, "2"))
	require.NoError(t, topic.publishGame(slow, &Game{}, "1"))
	require.Equal(t, "2", topic.version)
	require.True(t, topic.live)
}
