package simulate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options say what to play. A share of zero means none.
type Options struct {
	Seed uint64 // the same seed plays the same games, whatever the stress options are

	Games    int // how many games; 0: as many as Pitches takes
	Pitches  int // how many pitches in all, cutting the games short; 0: whole games
	Parallel int // games played at the same time, 1–15; 0: as many as there are, at most 15 (a full day's slate)

	// BatterSpread is how much of a swing's speed depends on the batter, as a correlation from 0 (all batters
	// are alike) to 1. It is about 0.5 in the major leagues. The distribution of all swings together does not
	// depend on it. 0 means 0.34 with core 2, and that all batters are alike with core 1.
	BatterSpread float64
	Biases       []Bias  // of venues whose cameras are off
	Untracked    float64 // share of swings whose bat was not tracked, beside those of the sensors' own faults

	// Core is the version of the core that the games are made for. 0 and 2: the bat meets the ball as in real
	// games. 1: the bat goes through the ball, and the games are, byte for byte, those of builds before core 2.
	Core int
	// Clean makes tracks of bats as they moved, without the faults of the cameras. Only for core 2.
	Clean bool
	// BatRate is how often a second the bat is sampled, 50 to 1000; 0: 300. Only for core 2.
	BatRate float64

	FeedIDs bool // every pitch carries the game feed's batter_id, pitcher_id and team_id as headers

	// Disorder of the stream, as shares of the pitches from 0 to 1.
	Duplicates float64 // sent again later, byte for byte
	Reorder    float64 // moved up to 20 pitches earlier or later in the stream
	// corrected later, with a greater revision; a third to another batter, a tenth to another game
	Corrections float64
	Deletes     float64 // deleted by the header op, three in ten before the pitch itself comes
	LateIDs     float64 // without the feed's headers, named by an identify before or after, some twice
	Poison      float64 // followed by a record that no row can be made of, each flavour in turn
	// OversizeBytes adds a kind of poison: a record larger than this, 0 for none. The broker must accept such
	// records.
	OversizeBytes int

	Start       time.Time // when the first game begins; zero: 2025-04-01T17:05:00Z
	FirstGamePK int64     // the first game's key, the others count on from it; 0: 778001
}

// maxParallel is the number of games of 30 teams on one day.
const maxParallel = 15

// pitchesPerGame is about how many pitches a game takes (1,254 in the 4 real games).
const pitchesPerGame = 310

// Validate returns an error that names a wrong option, its value and the allowed values.
func (o Options) Validate() error {
	var errs []error
	bad := func(name string, value any, allowed string) {
		errs = append(errs, fmt.Errorf("%s is %v: %s", name, value, allowed))
	}
	if o.Games < 0 {
		bad("Games", o.Games, "allowed is 0 (as many as Pitches takes) or more")
	}
	if o.Pitches < 0 {
		bad("Pitches", o.Pitches, "allowed is 0 (whole games) or more")
	}
	if o.Games == 0 && o.Pitches == 0 {
		bad("Games and Pitches", "0", "one of them must be at least 1, or the games never end")
	}
	if o.Parallel < 0 || o.Parallel > maxParallel {
		bad("Parallel", o.Parallel, "allowed is 1 to 15, or 0 for as many as there are")
	}
	if o.Core < 0 || o.Core > 2 {
		bad("Core", o.Core, "allowed is 1 or 2, or 0 for 2")
	}
	if o.BatRate != 0 && !(o.BatRate >= 50 && o.BatRate <= 1000) {
		bad("BatRate", o.BatRate, "allowed is 50 to 1000, or 0 for 300")
	}
	if o.Core == 1 && (o.Clean || o.BatRate != 0) {
		bad("Core", o.Core, "Clean and BatRate need core 2")
	}
	for _, share := range o.shares() {
		if !(share.value >= 0 && share.value <= 1) { // NaN too
			bad(share.name, share.value, "a share is between 0 and 1")
		}
	}
	for _, b := range o.Biases {
		if b.Venue == "" || !(math.Abs(b.MPH) <= maxBiasMPH) {
			bad("Biases", fmt.Sprintf("%+v", b), "a bias has a venue, and is between −20 and 20 mph")
		}
	}
	if o.OversizeBytes < 0 || o.OversizeBytes > 1<<30 {
		bad("OversizeBytes", o.OversizeBytes, "allowed is 0 (none) to 1 GiB")
	}
	if !o.Start.IsZero() && (o.Start.Year() < 1970 || o.Start.Year() > 2999) {
		bad("Start", o.Start.Format(time.RFC3339), "allowed are the years 1970 to 2999")
	}
	if o.FirstGamePK < 0 || o.FirstGamePK > 1e15 {
		bad("FirstGamePK", o.FirstGamePK, "allowed is 1 to 1e15, or 0 for 778001")
	}
	return errors.Join(errs...)
}

// batStep is the time between two samples of the bat, s.
func (o *Options) batStep() float64 {
	if o.BatRate == 0 {
		return batFrame
	}
	return 1 / o.BatRate
}

type share struct {
	name  string
	value float64
}

func (o Options) shares() []share {
	return []share{
		{"BatterSpread", o.BatterSpread}, {"Untracked", o.Untracked},
		{"Duplicates", o.Duplicates}, {"Reorder", o.Reorder}, {"Corrections", o.Corrections},
		{"Deletes", o.Deletes}, {"LateIDs", o.LateIDs}, {"Poison", o.Poison},
	}
}

func (o Options) withDefaults() Options {
	if o.Parallel == 0 {
		games := o.Games
		if games == 0 {
			games = (o.Pitches + pitchesPerGame - 1) / pitchesPerGame
		}
		o.Parallel = min(games, maxParallel)
	}
	if o.Core == 0 {
		o.Core = 2
	}
	if o.Core == 2 && o.BatterSpread == 0 {
		o.BatterSpread = ownShareOfSwing
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2025, 4, 1, 17, 5, 0, 0, time.UTC)
	}
	if o.FirstGamePK == 0 {
		o.FirstGamePK = 778_001
	}
	return o
}

// Bias is a venue whose cameras measure all bats too fast or too slow, which the data quality report should
// find. Swings and all other measures there are the same as without it.
type Bias struct {
	Venue string // one of Venues
	MPH   float64
	From  string // first game date, YYYY-MM-DD; "": from the beginning
}

// UnmarshalText reads venue=NAME,mph=X[,from=DATE]. Without a date the bias is there from the beginning.
func (b *Bias) UnmarshalText(text []byte) (err error) {
	*b = Bias{}
	for _, part := range strings.Split(string(text), ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "venue":
			b.Venue = value
		case "mph":
			if b.MPH, err = strconv.ParseFloat(value, 64); err != nil {
				return fmt.Errorf("mph=%s: want a number", value)
			}
		case "from":
			if _, err = time.Parse(time.DateOnly, value); err != nil {
				return fmt.Errorf("from=%s: want a date as 2025-04-07", value)
			}
			b.From = value
		default:
			return fmt.Errorf("%q: want venue=NAME,mph=X, and from=DATE if it begins later", part)
		}
	}
	if known := Venues(); !slices.Contains(known, b.Venue) {
		return fmt.Errorf("venue %q: want one of %s", b.Venue, strings.Join(known, ", "))
	}
	return nil
}

const maxBiasMPH = 20

// Venues returns the ballparks of the league. A team plays at home in one of them.
func Venues() []string { return slices.Clone(venues) }
