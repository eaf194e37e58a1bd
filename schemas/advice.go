package schemas

// A recommendation says which of a pitcher's types is best against a batter in a count. internal/recommend
// computes it from the pitches of the two and of all players, and docs/MODELS.md explains the method.

// AdvicePitch is what a recommendation reads of a pitch. Its type and count are known, because a pitch
// without them cannot be counted.
type AdvicePitch struct {
	BatterID  int64 // 0: not known
	PitcherID int64 // 0: not known
	PitchType string
	Balls     int16
	Strikes   int16
	InZone    Opt[bool]
	Outcome   AdviceOutcome
	EventTime TimeMS
	// ProcessedAt is when the row was written.
	ProcessedAt TimeMS
}

// AdviceOutcome is what a pitch was good for.
type AdviceOutcome int8

// Outcomes of pitches. A pitch has one of them.
const (
	OutcomeOther  AdviceOutcome = iota
	OutcomeStrike               // a called strike or a whiff
	OutcomeHard                 // a ball hit with HardHitMPH or more
)

// AdviceZone chooses pitches by where they crossed the plate. A pitch of which that is not known is only in
// ZoneAny.
type AdviceZone string

// Zones of a recommendation.
const (
	ZoneAny AdviceZone = "any"
	ZoneIn  AdviceZone = "in"
	ZoneOut AdviceZone = "out"
)

// AdviceQuery asks what a pitcher should throw to a batter.
type AdviceQuery struct {
	BatterID  int64
	PitcherID int64
	Balls     int16
	Strikes   int16
	Zone      AdviceZone
}

// Advice ranks the types that a pitcher throws. It has no choices if nothing is known of the pitcher. Types
// without enough data stand behind the others, so that a reader sees what is missing.
type Advice struct {
	IsEnough       bool           `json:"is_enough" doc:"At least one type has enough data to be recommended"`
	Why            string         `json:"why,omitempty" doc:"What is missing, where there is not enough data"`
	Choices        []AdviceChoice `json:"choices" doc:"The types of the pitcher: those with enough data first, the best of them at the top"`
	OwnMix         AdviceEstimate `json:"own_mix" doc:"The advantage of what he throws in this count by himself, over the types with enough data"`
	GainPoints     Opt[float64]   `json:"gain_points" doc:"By how many percentage points the first choice is better than his own mix; null where there is none"`
	BatterPitches  int64          `json:"batter_pitches" doc:"Pitches of a known type and count to the batter that were read, 20,000 at most"`
	PitcherPitches int64          `json:"pitcher_pitches" doc:"Pitches of a known type and count of the pitcher that were read, 20,000 at most"`
	LeaguePitches  int64          `json:"league_pitches" doc:"Pitches of a known type and count of all players that were read, the newest 100,000 at most"`
	LeagueReadAt   TimeMS         `json:"league_read_at" doc:"When the pitches of all players were read; they are kept for ten minutes"`
	AsOf           Opt[TimeMS]    `json:"as_of" doc:"Event time of the newest pitch of the two; null where they have none"`
	ProcessedAt    Opt[TimeMS]    `json:"processed_at" doc:"When the newest row of the two was written; null where they have none"`
}

// AdviceChoice is one type of pitch.
type AdviceChoice struct {
	Rank          Opt[int64]     `json:"rank" doc:"From 1; null without enough data"`
	PitchType     string         `json:"pitch_type" doc:"The type"`
	IsEnough      bool           `json:"is_enough" doc:"There is enough data to recommend it or not"`
	Why           string         `json:"why,omitempty" doc:"What is missing, where there is not enough data"`
	Advantage     AdviceEstimate `json:"advantage" doc:"Called strikes and whiffs less hard contact"`
	Strike        AdviceEstimate `json:"strike" doc:"Called strikes and whiffs"`
	HardContact   AdviceEstimate `json:"hard_contact" doc:"Balls hit with 95 mph or more"`
	SharePct      float64        `json:"share_pct" doc:"How often he throws it in this count, in percent of his pitches"`
	BatterPitches int64          `json:"batter_pitches" doc:"Pitches of this type and count to the batter"`
	BatterType    int64          `json:"batter_type_pitches" doc:"Pitches of this type to the batter, in all counts"`
	PitcherType   int64          `json:"pitcher_type_pitches" doc:"Pitches of this type of the pitcher, in all counts"`
	LeaguePitches int64          `json:"league_pitches" doc:"Pitches of this type and count of all players"`
}

// AdviceEstimate is a share of pitches with its interval, in percent. An advantage is a difference of two
// shares, so that it may be below zero.
type AdviceEstimate struct {
	Pct     float64 `json:"pct" doc:"In percent of the pitches"`
	LowPct  float64 `json:"low_pct" doc:"Nine times of ten the true value is above it and below high_pct"`
	HighPct float64 `json:"high_pct" doc:"The other end of the interval"`
}
