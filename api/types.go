package api

import "github.com/pitchstream/pitchstream/schemas"

// Batter is a batter over all games, or in one game.
type Batter struct {
	BatterID int64  `json:"batter_id" doc:"The batter"`
	Name     string `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team     string `json:"team,omitempty" doc:"His team; not there where it is not known"`
	GamePK   string `json:"game_pk,omitempty" doc:"The game that the values are of; not there over all games"`
	schemas.Stats
	Seq int64 `json:"seq" doc:"Orders the states of one batter: a greater one is newer. It says nothing else"`
	Freshness
}

// findPlayers counts each player itself.
func (Batter) counted() string   { return "" }
func (Batters) counted() string  { return "" }
func (Pitcher) counted() string  { return "" }
func (Pitchers) counted() string { return "" }

// Batters are the batters of several ids.
type Batters struct {
	Batters []Batter `json:"batters" doc:"In the order of the ids that were asked for, each once"`
	Missing []int64  `json:"missing" doc:"The ids of whom no pitch stands; where source is memory, also those who are not remembered"`
	Freshness
}

// GameSummary is a game without its batters.
type GameSummary struct {
	GamePK       string                      `json:"game_pk" doc:"The game"`
	GameDate     schemas.Text                `json:"game_date" doc:"Its calendar date; null where it is not known"`
	Venue        schemas.Text                `json:"venue" doc:"The ballpark; null where it is not known"`
	HomeTeam     schemas.Text                `json:"home_team" doc:"Name of the home team; null where no file has said it (pitchstream games load)"`
	AwayTeam     schemas.Text                `json:"away_team" doc:"Name of the visitors; null where no file has said it"`
	StartsAt     schemas.Opt[schemas.TimeMS] `json:"starts_at" doc:"When it was to begin; null where no file has said it"`
	Pitches      int64                       `json:"pitches" doc:"Pitches that stand, those without a batter too"`
	FirstPitchAt schemas.TimeMS              `json:"first_pitch_at" doc:"Event time of the first pitch"`
	LastPitchAt  schemas.TimeMS              `json:"last_pitch_at" doc:"Event time of the newest pitch"`
	Live         bool                        `json:"live" doc:"A pitch of it was processed within the last 30 minutes, and it is no history: its newest pitch is within 6 hours of the stream's newest"`
}

// Games are the games of the newest pitches.
type Games struct {
	Games      []GameSummary `json:"games" doc:"The game with the newest pitch first"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"To be given as cursor, with the same date and live, for the next page; not there on the last one. It says nothing else, and stays good"`
	Freshness
}

// Game is a game with its batters, its pitchers and its last pitches.
type Game struct {
	GameSummary
	Batters      []GameBatter  `json:"batters" doc:"Each batter's values in this game, by id; at most 100"`
	MoreBatters  bool          `json:"more_batters" doc:"The game has more batters than these; their values are at /v1/batters/{id}/games/{game}"`
	Pitchers     []GamePitcher `json:"pitchers" doc:"Each pitcher's values in this game, by id; at most 100. Those by pitch type are at /v1/pitchers/{id}/games/{game}"`
	MorePitchers bool          `json:"more_pitchers" doc:"The game has more pitchers than these"`
	LastPitches  []Pitch       `json:"last_pitches" doc:"The ten newest pitches, the newest first"`
	Freshness
}

// GamePitcher is a pitcher's line in a game: PitcherStats without what makes it long.
type GamePitcher struct {
	PitcherID         int64                `json:"pitcher_id" doc:"The pitcher"`
	Name              string               `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team              string               `json:"team,omitempty" doc:"His team; not there where it is not known"`
	Pitches           int64                `json:"pitches"`
	SwingCount        int64                `json:"swing_count"`
	WhiffCount        int64                `json:"whiff_count"`
	WhiffRatePct      schemas.Opt[float64] `json:"whiff_rate_pct"`
	ContactCount      int64                `json:"contact_count"`
	HardHitCount      int64                `json:"hard_hit_count"`
	CalledStrikeCount int64                `json:"called_strike_count"`
	CSWRatePct        schemas.Opt[float64] `json:"csw_rate_pct"`
	ZoneRatePct       schemas.Opt[float64] `json:"zone_rate_pct"`
	ChaseRatePct      schemas.Opt[float64] `json:"chase_rate_pct"`
	AvgPitchSpeedMPH  schemas.Opt[float64] `json:"avg_pitch_speed_mph"`
	MaxPitchSpeedMPH  schemas.Opt[float64] `json:"max_pitch_speed_mph"`
	AvgSpinRateRPM    schemas.Opt[float64] `json:"avg_spin_rate_rpm"`
	MaxSpinRateRPM    schemas.Opt[float64] `json:"max_spin_rate_rpm"`
	Seq               int64                `json:"seq" doc:"Orders the states of one pitcher: a greater one is newer. It says nothing else"`
}

// GameBatter is a batter's line in a game.
type GameBatter struct {
	BatterID int64  `json:"batter_id" doc:"The batter"`
	Name     string `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team     string `json:"team,omitempty" doc:"His team; not there where it is not known"`
	schemas.Stats
	Seq int64 `json:"seq" doc:"Orders the states of one batter: a greater one is newer. It says nothing else"`
}

// Leaders are the batters who lead in one value.
type Leaders struct {
	Stat       string   `json:"stat" doc:"The value that they are ordered by"`
	MinSwings  int64    `json:"min_swings" doc:"The least swings of a batter who counts"`
	Leaders    []Leader `json:"leaders" doc:"The greatest value first; of equal ones the lower id"`
	NextCursor string   `json:"next_cursor,omitempty" doc:"To be given as cursor, with the same other parameters, for the next page; not there on the last one. It says nothing else"`
	Freshness
}

// Leader is a place among the leaders.
type Leader struct {
	Rank   int64  `json:"rank" doc:"From 1; equal values have equal ranks"`
	GamePK string `json:"game_pk,omitempty" doc:"The game, where leaders of a game or a date were asked for"`
	GameBatter
}

// Pitch is a current row, with names.
type Pitch struct {
	schemas.StoredRow
	BatterName  string `json:"batter_name,omitempty" doc:"The batter's name; not there where it is not known"`
	PitcherName string `json:"pitcher_name,omitempty" doc:"The pitcher's name; not there where it is not known"`
}

// OnePitch is a row, and how fresh it is.
type OnePitch struct {
	Pitch
	IsSword schemas.Opt[bool] `json:"is_sword" doc:"The swing is cut short, and as slow as the slowest tenth of the swings that its batter has now; null where no end of a swing was tracked"`
	AsOf    schemas.TimeMS    `json:"as_of" doc:"Event time of this pitch"`
	Condition
}

// Pitches are a page of rows.
type Pitches struct {
	BatterID   int64   `json:"batter_id" doc:"The batter"`
	Pitches    []Pitch `json:"pitches" doc:"The newest first"`
	NextCursor string  `json:"next_cursor,omitempty" doc:"To be given as cursor for the next page; not there on the last one. It says nothing else, and stays good"`
	Freshness
}

// Absent reports that there is no state, because there is no current pitch.
type Absent struct {
	BatterID  int64  `json:"batter_id,omitempty" doc:"The batter, of a batter's stream"`
	PitcherID int64  `json:"pitcher_id,omitempty" doc:"The pitcher, of a pitcher's stream"`
	GamePK    string `json:"game_pk,omitempty" doc:"The game, of a game's stream"`
}

func (n *names) line(s *schemas.PlayerState) GameBatter {
	b := GameBatter{BatterID: s.PlayerID, Stats: s.Stats, Seq: s.Seq}
	b.Name, b.Team = n.of(s.PlayerID)
	return b
}

func (n *names) pitcherLine(s *schemas.PlayerState) GamePitcher {
	of := s.Pitching
	p := GamePitcher{
		PitcherID: s.PlayerID, Pitches: of.Pitches, SwingCount: of.SwingCount, WhiffCount: of.WhiffCount,
		WhiffRatePct: of.WhiffRatePct, ContactCount: of.ContactCount, HardHitCount: of.HardHitCount,
		CalledStrikeCount: of.CalledStrikeCount, CSWRatePct: of.CSWRatePct, ZoneRatePct: of.ZoneRatePct,
		ChaseRatePct: of.ChaseRatePct, AvgPitchSpeedMPH: of.AvgPitchSpeedMPH, MaxPitchSpeedMPH: of.MaxPitchSpeedMPH,
		AvgSpinRateRPM: of.AvgSpinRateRPM, MaxSpinRateRPM: of.MaxSpinRateRPM, Seq: s.Seq,
	}
	p.Name, p.Team = n.of(s.PlayerID)
	return p
}

func (n *names) batter(h held) Batter {
	b := Batter{BatterID: h.state.PlayerID, GamePK: h.state.GamePK, Stats: h.state.Stats, Seq: h.state.Seq}
	b.Name, b.Team = n.of(b.BatterID)
	b.Condition = h.Condition
	b.coverState(h.state)
	return b
}

// event returns the event of a player's state, and its name.
func (n *names) event(player schemas.PlayerKey, h held) (name string, state any) {
	switch isPitcher := player.Side == schemas.Pitcher; {
	case h.state == nil && isPitcher:
		return "absent", Absent{PitcherID: player.PlayerID}
	case h.state == nil:
		return "absent", Absent{BatterID: player.PlayerID}
	case isPitcher:
		return "state", n.pitcher(h)
	}
	return "state", n.batter(h)
}

func (n *names) pitch(row schemas.StoredRow) Pitch {
	p := Pitch{StoredRow: row}
	if row.Issues == nil {
		p.Issues = []string{}
	}
	if row.BatterID.Present {
		p.BatterName, _ = n.of(row.BatterID.Value)
	}
	if row.PitcherID.Present {
		p.PitcherName, _ = n.of(row.PitcherID.Value)
	}
	return p
}

func (n *names) pitches(rows []schemas.StoredRow) []Pitch {
	return schemas.Map(rows, n.pitch)
}

// coverState makes an answer as fresh as the newest of its parts.
func (f *Freshness) coverState(s *schemas.PlayerState) {
	if last := s.LastPitch(); last != nil {
		f.cover(last.EventTime, s.UpdatedAt)
	}
}

func (f *Freshness) coverRows(rows []schemas.StoredRow) {
	for i := range rows {
		f.cover(rows[i].EventTime, rows[i].ProcessedAt)
	}
}

func (f *Freshness) cover(event, processed schemas.TimeMS) {
	f.AsOf = schemas.Some(max(event, f.AsOf.Value))
	f.ProcessedAt = schemas.Some(max(processed, f.ProcessedAt.Value))
}

// addCondition merges the condition of one part into that of the whole answer.
func (f *Freshness) addCondition(c Condition) {
	order := map[string]int{"": 0, sourceRedis: 1, sourcePostgres: 2, sourceMemory: 3}
	if order[c.Source] > order[f.Source] {
		f.Source, f.LagMS = c.Source, c.LagMS
	}
	if c.LagMS.Present && f.LagMS.Present {
		f.LagMS.Value = max(f.LagMS.Value, c.LagMS.Value)
	}
	f.Stale, f.AgeMS = f.Stale || c.Stale, max(f.AgeMS, c.AgeMS)
}
