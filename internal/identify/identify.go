// Package identify turns the league's game feed into identify records, which name batter, pitcher and team of
// pitches that the tracking system measured:
//
//	report, err := identify.Run(ctx, identify.Options{Feed: url, Follow: true, Client: brokers, …})
//
//	feed.go    who stood there at each pitch, substitutions within an at-bat included
//	source.go  the feed by file or HTTP: whole, and what changed since (patch.go)
//	known.go   what earlier runs have sent, from Postgres and the topic behind it
//	sender.go  transactions, one run a game
//	file.go    the same from a file with a line a pitch
//
// A run may be repeated, killed and moved at any time: what is known already is not sent again. The revision
// of a record is the feed's time code, so whatever the order of arrival, the newest state of the feed wins.
package identify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// Options say whom to ask and where to send. One of Feed and File is required.
type Options struct {
	Feed         string // file or URL of feed/live
	Follow       bool   // go on until the game has ended; Feed must be a URL
	MaxFeedBytes int64  // of one answer; 0: DefaultMaxFeedBytes

	File string // CSV with a line a pitch
	Game string // the key of lines of File that name no game

	DryRun bool // send nothing; without Client, everything counts as new
	Client []kgo.Opt
	Topic  string
	// Postgres holds what was processed. Books replaces it in tests.
	Postgres pgread.Config
	Books    Books

	HTTP *http.Client // nil: http.DefaultClient
	Log  *slog.Logger // nil: none
	// pause waits between two requests; nil: lifecycle.Sleep.
	pause func(ctx context.Context, d time.Duration) error
}

// Report says what a run saw and did.
type Report struct {
	Game  string
	State string    // of the game: Preview, Live, Final; "" for a file
	At    time.Time // of the newest feed; zero for a file
	// Pitches counts those of the newest feed, or of the file, that have an id.
	Pitches   int64
	Sent      int64
	Same      int64 // times that a pitch's names were known already
	Older     int64 // times that newer names of a pitch were known
	WithoutID int64 // pitches of the newest feed without a play id
	Nameless  int64 // pitches of the newest feed for which it names no player
	Failures  int64 // requests and transactions that failed and were tried again
	// News are the pitches that a dry run would send.
	News []Play
}

// ErrInterrupted is the error of a run whose context ended.
var ErrInterrupted = errors.New("interrupted: run the same command again to continue")

// Run names the pitches of a game or a file. The report is complete however it ends.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Books == nil && o.Postgres.URL != "" {
		reader, err := pgread.Reach(ctx, o.Postgres)
		if err != nil {
			return &Report{}, err
		}
		defer reader.Close()
		o.Books = pgbooks.New(reader.DB())
	}
	if o.pause == nil {
		o.pause = lifecycle.Sleep
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.File != "" {
		return runFile(ctx, o)
	}
	r := &run{o: o, source: newSource(o)}
	defer r.drop()
	err := r.follow(ctx)
	if err != nil && ctx.Err() != nil {
		err = ErrInterrupted
	}
	return &r.report, err
}

// run follows one feed.
type run struct {
	o      Options
	source *source
	sender *sender // nil: not open
	feed   *feed   // the newest one
	report Report

	isSent      bool // all news of feed are sent
	isConfirmed bool // the end was read in a whole document
	hasBegun    bool // a step has succeeded
}

// follow takes steps until the game has ended, or one without Follow.
func (r *run) follow(ctx context.Context) error {
	failures := 0
	for {
		err := r.step(ctx)
		switch {
		case err == nil && (!r.o.Follow || r.hasEnded()):
			return nil
		case err == nil:
			failures, r.hasBegun = 0, true
		case ctx.Err() != nil || r.isFatal(err):
			return err
		default:
			failures++
			r.report.Failures++
			r.o.Log.Warn("the feed or Kafka failed; it is tried again", "game", r.report.Game, "error", err)
		}
		if err := r.o.pause(ctx, r.waitAfter(err, failures)); err != nil {
			return err
		}
	}
}

// step reads the feed and sends what is new.
func (r *run) step(ctx context.Context) error {
	f, err := r.source.next(ctx)
	if err != nil {
		return err
	}
	if f != nil {
		r.feed, r.isSent = f, false
		r.report.Game, r.report.State, r.report.At = f.game(), f.GameData.Status.State, f.at
	}
	// guard: identify: what could not be sent is sent later | r.feed == nil || r.isSent -> f == nil
	if r.feed == nil || r.isSent {
		return nil
	}
	if err := r.send(ctx); err != nil {
		r.drop() // what is known of what was sent is read again
		return err
	}
	r.isSent = true
	return nil
}

func (r *run) drop() {
	if r.sender != nil {
		r.sender.close()
		r.sender = nil
	}
}

func (r *run) send(ctx context.Context) (err error) {
	game := r.feed.game()
	if r.sender == nil {
		isOurs := func(key []byte, _ schemas.PitchID) bool { return string(key) == game }
		if r.sender, err = openSender(ctx, r.o, game, isOurs); err != nil {
			return err
		}
	}
	plays, withoutID := r.feed.plays()
	items := r.items(plays)
	r.report.Pitches, r.report.WithoutID = int64(len(plays)), withoutID
	r.report.Nameless = int64(len(plays) - len(items))
	news, err := r.sender.news(ctx, items, &r.report)
	if err != nil {
		return err
	}
	if r.o.DryRun {
		r.report.News = ofItems(plays, news)
		return nil
	}
	if err := r.sender.send(ctx, news, &r.report); err != nil {
		return err
	}
	if len(news) > 0 {
		r.o.Log.Info("pitches named", "game", game, "sent", len(news), "feed", r.feed.MetaData.TimeStamp)
	}
	return nil
}

// items returns the pitches for which a player is named.
func (r *run) items(plays []Play) (items []item) {
	for i := range plays {
		// guard: identify: a pitch without any name makes no record | always
		if plays[i].names().NameAny() {
			items = append(items, item{
				key: r.feed.game(), id: plays[i].ID, names: plays[i].names(), revision: r.feed.revision(),
			})
		}
	}
	return items
}

// ofItems returns the plays of the items.
func ofItems(plays []Play, items []item) (out []Play) {
	isNew := map[schemas.PitchID]bool{}
	for _, i := range items {
		isNew[i.id] = true
	}
	for _, p := range plays {
		if isNew[p.ID] {
			out = append(out, p)
		}
	}
	return out
}

// hasEnded reports whether the game has. The first document that says so is read again, whole, because it is
// the last one.
func (r *run) hasEnded() bool {
	if r.feed == nil || r.feed.GameData.Status.State != final {
		return false
	}
	if !r.isConfirmed {
		r.isConfirmed = true
		r.source.forget()
		return false
	}
	return true
}

// isFatal reports whether trying again is of no use: another run took over, or the first step failed in a way
// that time does not change.
func (r *run) isFatal(err error) bool {
	if !r.o.Follow || errors.Is(err, ErrTakenOver) {
		return true
	}
	status, ok := errors.AsType[*StatusError](err)
	return !r.hasBegun && (!ok || !status.isPassing())
}

// waitAfter returns how long to wait after a step. After failures it doubles, up to longestWait.
func (r *run) waitAfter(err error, failures int) time.Duration {
	if err == nil {
		switch wait := time.Duration(r.feed.MetaData.WaitSeconds) * time.Second; {
		case r.feed.GameData.Status.State == final: // it is confirmed at once
			return 0
		case r.feed.GameData.Status.State == "Preview":
			return longestPoll
		case wait <= 0:
			return 10 * time.Second
		default:
			return max(shortestPoll, min(wait, longestPoll))
		}
	}
	wait := min(firstWait<<min(failures-1, 10), longestWait)
	wait += rand.N(wait / 4) // the runs of a day's games do not come back together
	if status, ok := errors.AsType[*StatusError](err); ok {
		wait = max(wait, status.RetryAfter)
	}
	return wait
}

// Plays returns the pitches of one feed as it is now, and its game. It needs no server but the feed's.
func Plays(ctx context.Context, o Options) (game string, plays []Play, err error) {
	f, err := newSource(o).next(ctx)
	if err != nil {
		return "", nil, err
	}
	plays, _ = f.plays()
	return f.game(), plays, nil
}
