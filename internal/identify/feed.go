package identify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// Play is what the game feed says about one pitch.
type Play struct {
	ID        schemas.PitchID    `json:"pitch_id"`
	BatterID  schemas.Opt[int64] `json:"batter_id"`
	PitcherID schemas.Opt[int64] `json:"pitcher_id"`
	TeamID    schemas.Opt[int64] `json:"team_id"` // the batter's

	AtBat     int64  `json:"at_bat_number,omitempty"` // counts from 1 within the game
	Pitch     int64  `json:"pitch_number,omitempty"`  // counts from 1 within the at-bat
	BatSide   string `json:"bat_side,omitempty"`      // R or L
	PitchHand string `json:"pitch_hand,omitempty"`    // R or L
}

func (p *Play) names() schemas.Identifiers {
	return schemas.Identifiers{
		BatterID: p.BatterID, PitcherID: p.PitcherID, TeamID: p.TeamID,
		AtBatNumber: ordinal(p.AtBat, schemas.MaxAtBatNumber),
		PitchNumber: ordinal(p.Pitch, schemas.MaxPitchNumber),
		BatterSide:  schemas.Text(p.BatSide), PitcherHand: schemas.Text(p.PitchHand),
	}
}

// ordinal returns a number from 1 to most; any other is missing, as the core reads it.
func ordinal(n, most int64) schemas.Opt[int16] {
	if n < 1 || n > most {
		return schemas.Opt[int16]{}
	}
	return schemas.Some(int16(n))
}

// feed is the part of the league's document feed/live that is read. Everything else in it may be anything.
type feed struct {
	GamePK   int64 `json:"gamePk"`
	MetaData struct {
		WaitSeconds int64  `json:"wait"`
		TimeStamp   string `json:"timeStamp"`
	} `json:"metaData"`
	GameData struct {
		Status struct {
			State string `json:"abstractGameState"`
		} `json:"status"`
		Teams struct {
			Away person `json:"away"`
			Home person `json:"home"`
		} `json:"teams"`
		Players map[string]player `json:"players"` // by "ID" and the number
	} `json:"gameData"`
	LiveData struct {
		Plays struct {
			All []atBat `json:"allPlays"`
		} `json:"plays"`
	} `json:"liveData"`

	at time.Time // of MetaData.TimeStamp
}

type person struct {
	ID int64 `json:"id"`
}

type coded struct {
	Code string `json:"code"`
}

type player struct {
	BatSide   coded `json:"batSide"`
	PitchHand coded `json:"pitchHand"`
}

type atBat struct {
	About struct {
		Index      *int64 `json:"atBatIndex"`
		HalfInning string `json:"halfInning"`
	} `json:"about"`
	Matchup struct {
		Batter    person `json:"batter"`
		BatSide   coded  `json:"batSide"`
		Pitcher   person `json:"pitcher"`
		PitchHand coded  `json:"pitchHand"`
	} `json:"matchup"`
	Events []playEvent `json:"playEvents"`
}

type playEvent struct {
	Type        string `json:"type"`
	PlayID      string `json:"playId"`
	PitchNumber int64  `json:"pitchNumber"`
	Details     struct {
		EventType string `json:"eventType"`
	} `json:"details"`
	// A substitution says who comes, for whom, and as what.
	Player   person `json:"player"`
	Replaced person `json:"replacedPlayer"`
	Position coded  `json:"position"`
	// Who stood there at this event, where the feed says so.
	Offense struct {
		Batter person `json:"batter"`
	} `json:"offense"`
	Defense struct {
		Pitcher person `json:"pitcher"`
	} `json:"defense"`
}

// pinchHitter is the code of the position of a player who comes in to bat. A pinch runner's is 12.
const pinchHitter = "11"

func (e *playEvent) bringsBatter() bool {
	return e.Details.EventType == "offensive_substitution" && e.Position.Code == pinchHitter && e.Player.ID > 0
}

func (e *playEvent) bringsPitcher() bool {
	return e.Details.EventType == "pitching_substitution" && e.Player.ID > 0
}

// timeCode is the layout of the feed's time codes. They are in UTC.
const timeCode = "20060102_150405"

// final is the state of a game that has ended, or that will not be played.
const final = "Final"

// parseFeed reads a whole document.
func parseFeed(document []byte) (*feed, error) {
	f := &feed{}
	if err := json.Unmarshal(document, f); err != nil {
		return nil, fmt.Errorf("the feed is not as feed/live: %w", err)
	}
	if f.GamePK <= 0 {
		return nil, errors.New("the feed has no gamePk: want the league's feed/live of one game")
	}
	at, err := time.Parse(timeCode, f.MetaData.TimeStamp)
	if err != nil || at.UnixMilli() <= 0 {
		return nil, fmt.Errorf("metaData.timeStamp %.40q: want a time code as 20250928_190500, "+
			"which says which of two feeds is newer", f.MetaData.TimeStamp)
	}
	f.at = at
	return f, nil
}

func (f *feed) game() string { return strconv.FormatInt(f.GamePK, 10) }

// revision orders the names of two states of a feed: Unix milliseconds of its time code.
func (f *feed) revision() int64 { return f.at.UnixMilli() }

// plays returns the pitches and pick-offs with a play id, in the feed's order, each once. withoutID counts
// the pitches that have none.
func (f *feed) plays() (plays []Play, withoutID int64) {
	index := map[schemas.PitchID]int{}
	last := map[string]int64{} // the last pitcher by half inning, which is by the team in the field
	for i := range f.LiveData.Plays.All {
		b := &f.LiveData.Plays.All[i]
		batter, pitcher := b.begin(last[b.About.HalfInning])
		for k := range b.Events {
			e := &b.Events[k]
			if e.bringsBatter() {
				batter = e.Player.ID
			}
			if e.bringsPitcher() {
				pitcher = e.Player.ID
			}
			if e.Type == "action" {
				continue
			}
			id, ok := schemas.ParsePitchID(e.PlayID)
			if !ok {
				if e.Type == "pitch" {
					withoutID++
				}
				continue
			}
			p := f.play(b, e, batter, pitcher)
			p.ID = id
			if at, again := index[id]; again {
				plays[at] = p
				continue
			}
			index[id] = len(plays)
			plays = append(plays, p)
		}
		last[b.About.HalfInning] = pitcher
	}
	return plays, withoutID
}

// begin returns batter and pitcher at the start of the at-bat, 0 where the feed does not say. The matchup
// names those at its end, because the feed changes it at a substitution.
func (b *atBat) begin(pitcherBefore int64) (batter, pitcher int64) {
	batter, pitcher = b.Matchup.Batter.ID, b.Matchup.Pitcher.ID
	for i := len(b.Events) - 1; i >= 0; i-- {
		// guard: identify: who was replaced within an at-bat keeps the pitches before
		if e := &b.Events[i]; e.bringsBatter() {
			batter = e.Replaced.ID
		}
		// guard: identify: a pitcher who was replaced within an at-bat keeps the pitches before
		if e := &b.Events[i]; e.bringsPitcher() {
			pitcher = e.Replaced.ID
			if pitcher == 0 {
				pitcher = pitcherBefore
			}
		}
	}
	return batter, pitcher
}

// play names one event. The event's own batter and pitcher count more than the substitutions.
func (f *feed) play(b *atBat, e *playEvent, batter, pitcher int64) Play {
	if e.Offense.Batter.ID > 0 {
		batter = e.Offense.Batter.ID
	}
	// guard: identify: the event's own pitcher counts
	if e.Defense.Pitcher.ID > 0 {
		pitcher = e.Defense.Pitcher.ID
	}
	p := Play{
		BatterID: present(batter), PitcherID: present(pitcher), TeamID: f.battingTeam(b.About.HalfInning),
		Pitch: e.PitchNumber,
	}
	if b.About.Index != nil {
		p.AtBat = *b.About.Index + 1
	}
	p.PitchHand = f.pitchHand(b, pitcher)
	p.BatSide = f.batSide(b, batter, pitcher, p.PitchHand)
	return p
}

func present(id int64) schemas.Opt[int64] {
	if id <= 0 {
		return schemas.Opt[int64]{}
	}
	return schemas.Some(id)
}

func (f *feed) battingTeam(half string) schemas.Opt[int64] {
	switch half {
	case "top":
		return present(f.GameData.Teams.Away.ID)
	case "bottom":
		return present(f.GameData.Teams.Home.ID)
	}
	return schemas.Opt[int64]{}
}

func (f *feed) player(id int64) player { return f.GameData.Players["ID"+strconv.FormatInt(id, 10)] }

func (f *feed) pitchHand(b *atBat, pitcher int64) string {
	if pitcher == b.Matchup.Pitcher.ID {
		return hand(b.Matchup.PitchHand)
	}
	return hand(f.player(pitcher).PitchHand)
}

// batSide returns the side of the plate, "" if it is not known. Who hits from both stands opposite the
// pitcher's hand.
func (f *feed) batSide(b *atBat, batter, pitcher int64, pitchHand string) string {
	if batter == b.Matchup.Batter.ID && pitcher == b.Matchup.Pitcher.ID {
		return hand(b.Matchup.BatSide)
	}
	switch side := f.player(batter).BatSide; {
	case side.Code == "S" && pitchHand == "R":
		return "L"
	case side.Code == "S" && pitchHand == "L":
		return "R"
	default:
		return hand(side)
	}
}

func hand(c coded) string {
	if c.Code == "R" || c.Code == "L" {
		return c.Code
	}
	return ""
}
