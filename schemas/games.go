package schemas

// GameFacts are facts of a game that its records do not have, or that stand above them.
type GameFacts struct {
	GamePK     Text        `json:"game_pk"`
	GameDate   Text        `json:"game_date"`
	Venue      Text        `json:"venue"`
	HomeTeam   Text        `json:"home_team"`
	AwayTeam   Text        `json:"away_team"`
	HomeTeamID Opt[int64]  `json:"home_team_id"`
	AwayTeamID Opt[int64]  `json:"away_team_id"`
	StartsAt   Opt[TimeMS] `json:"starts_at"`
	// Status is what the file says of it, as Final, Scheduled, Postponed or Cancelled.
	Status Text   `json:"status,omitempty"`
	AsOf   TimeMS `json:"-"` // an older fact changes nothing
	// FactsAsOf has the times of the facts that are older than AsOf, by column; nil: none is.
	FactsAsOf map[string]TimeMS `json:"-"`
	// IsDue reports whether pitches of it should be there: it was not called off, and has begun. Only the
	// schedule of the store has it.
	IsDue bool `json:"-"`
}
