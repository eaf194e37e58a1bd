package api

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// SwingLine is the numbers of a swing.
type SwingLine struct {
	PitchID         schemas.PitchID      `json:"pitch_id"`
	EventTime       schemas.TimeMS       `json:"event_time"`
	GamePK          schemas.Text         `json:"game_pk"`
	PitchType       schemas.Text         `json:"pitch_type"`
	PitchResult     schemas.Text         `json:"pitch_result"`
	PitchAction     schemas.Text         `json:"pitch_action"`
	IsContact       bool                 `json:"is_contact"`
	IsWhiff         bool                 `json:"is_whiff"`
	SwingConfidence schemas.Text         `json:"swing_confidence"`
	BatSpeedMPH     schemas.Opt[float64] `json:"bat_speed_mph"`
	SpeedConfidence schemas.Text         `json:"speed_confidence"`
	AttackAngleDeg  schemas.Opt[float64] `json:"attack_angle_deg"`
	ExitVelocityMPH schemas.Opt[float64] `json:"exit_velocity_mph"`
	LaunchAngleDeg  schemas.Opt[float64] `json:"launch_angle_deg"`
}

// BatterSwings are a batter's last swings.
type BatterSwings struct {
	BatterID int64       `json:"batter_id" doc:"The batter"`
	Name     string      `json:"name,omitempty" doc:"His name; not there where it is not known"`
	Team     string      `json:"team,omitempty" doc:"His team; not there where it is not known"`
	Swings   []SwingLine `json:"swings" doc:"The newest first"`

	NextCursor string `json:"next_cursor,omitempty" doc:"To be given as cursor to /v1/batters/{id}/swings for the next page of this batter; not there on the last one. It says nothing else, and stays good"`
}

// OneBatterSwings are the last swings of one batter, and how fresh that is.
type OneBatterSwings struct {
	BatterSwings
	Freshness
}

// Swings are the last swings of several batters.
type Swings struct {
	Batters []BatterSwings `json:"batters" doc:"In the order of the ids that were asked for, each once; without swings where none is stored"`
	Freshness
}

type batterSwingsIn struct {
	ID     int64  `path:"id" example:"660271" doc:"The batter"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most swings of a page"`
	Cursor string `query:"cursor" maxLength:"64" pattern:"^(A[Q-Za-f][A-Za-z0-9_-]{32})?$" doc:"The next_cursor of the page before"`
	Waiting
}

type swingsIn struct {
	IDs   []int64 `query:"ids" required:"true" minItems:"1" maxItems:"100" example:"[660271,592450]" doc:"The batters, up to 100, with commas"`
	Limit int     `query:"limit" minimum:"1" maximum:"50" default:"20" doc:"The most swings of a batter"`
	Waiting
}

func getBatterSwings(ctx context.Context, a *API, in *batterSwingsIn) (body OneBatterSwings, err error) {
	read := func(
		ctx context.Context, s Store, after *schemas.PitchCursor, limit int,
	) ([]schemas.StoredRow, error) {
		return s.BatterSwings(ctx, in.ID, after, limit)
	}
	page, err := pageOfRows(ctx, a, fmt.Sprint("batter-swings/", in.ID), in.Cursor, in.Limit, in.AtLeast, read)
	if err == nil && len(page.rows) == 0 && in.Cursor == "" {
		err = huma.Error404NotFound("no swing of this batter is stored")
	}
	body.BatterID, body.Swings = in.ID, []SwingLine{}
	body.Name, body.Team = a.names.of(in.ID)
	body.NextCursor, body.Freshness = page.next, page.Freshness
	for i := range page.rows {
		body.Swings = append(body.Swings, swingLine(&page.rows[i]))
	}
	return body, err
}

func getSwings(ctx context.Context, a *API, in *swingsIn) (Swings, error) {
	return findSwings(ctx, a, once(in.IDs), in.Limit, in.AtLeast)
}

// once drops repeated ids.
func once(ids []int64) (kept []int64) {
	for _, id := range ids {
		if !slices.Contains(kept, id) {
			kept = append(kept, id)
		}
	}
	return kept
}

func findSwings(ctx context.Context, a *API, ids []int64, limit int, need string) (body Swings, err error) {
	key := fmt.Sprintf("swings/%v/%d", ids, limit)
	oneMore := func(ctx context.Context, s Store) ([]schemas.StoredRow, error) {
		return s.Swings(ctx, ids, limit+1)
	}
	rows, condition, err := readStore(ctx, a, key, need, oneMore)
	if err != nil {
		return body, err
	}
	body.Condition = condition
	of := map[int64][]schemas.StoredRow{}
	for i := range rows {
		of[rows[i].BatterID.Value] = append(of[rows[i].BatterID.Value], rows[i])
	}
	var shown []schemas.StoredRow
	for _, id := range ids {
		b := BatterSwings{BatterID: id, Swings: []SwingLine{}}
		b.Name, b.Team = a.names.of(id)
		next, page := cutPage(of[id], limit)
		b.NextCursor = next
		for i := range page {
			b.Swings = append(b.Swings, swingLine(&page[i]))
		}
		shown = append(shown, page...)
		body.Batters = append(body.Batters, b)
	}
	body.coverRows(shown)
	return body, nil
}

func swingLine(row *schemas.StoredRow) SwingLine {
	return SwingLine{
		PitchID: row.PitchID, EventTime: row.EventTime, GamePK: row.GamePK, PitchType: row.PitchType,
		PitchResult: row.PitchResult, PitchAction: row.PitchAction, IsContact: row.IsContact, IsWhiff: row.IsWhiff,
		SwingConfidence: row.SwingConfidence, BatSpeedMPH: row.BatSpeedMPH, SpeedConfidence: row.SpeedConfidence,
		AttackAngleDeg: row.AttackAngleDeg, ExitVelocityMPH: row.ExitVelocityMPH,
		LaunchAngleDeg: row.LaunchAngleDeg,
	}
}

// Swing is a swing to be drawn.
type Swing struct {
	SwingLine
	BatterID      schemas.Opt[int64]   `json:"batter_id"`
	BatterName    string               `json:"batter_name,omitempty" doc:"The batter's name; not there where it is not known"`
	PitchSpeedMPH schemas.Opt[float64] `json:"pitch_speed_mph"`
	SprayAngleDeg schemas.Opt[float64] `json:"spray_angle_deg"`

	Revision        int64  `json:"revision"`
	SourceTopic     string `json:"source_topic"`
	SourcePartition int32  `json:"source_partition"`
	SourceOffset    int64  `json:"source_offset"`

	Bat        []schemas.BatPoint   `json:"bat" doc:"The bat by time, at most 240 points; the speed is null where the track cannot be believed"`
	Pitch      []schemas.BallPoint  `json:"pitch" doc:"The ball on its way to the plate, at most 60 points"`
	Hit        []schemas.BallPoint  `json:"hit" doc:"The ball after the contact, until it is lost or for six seconds, at most 120 points"`
	Contact    *schemas.Contact     `json:"contact,omitempty" doc:"Where ball and bat met, or were nearest; not there where the record does not tell"`
	PeakT      schemas.Opt[float64] `json:"peak_t" doc:"When the bat was fastest, in s; null where no speed can be believed"`
	StrikeZone StrikeZone           `json:"strike_zone" doc:"A strike zone"`
	Sampled    schemas.SampleCounts `json:"sampled" doc:"Samples of the record, of which the points are some"`
	Condition
}

// StrikeZone is the area through which a strike crosses the plate.
type StrikeZone struct {
	Left    float64 `json:"left" doc:"x, in feet"`
	Right   float64 `json:"right" doc:"x, in feet"`
	Bottom  float64 `json:"bottom" doc:"z, in feet"`
	Top     float64 `json:"top" doc:"z, in feet"`
	Y       float64 `json:"y" doc:"The plate's front, in feet"`
	Assumed bool    `json:"assumed" doc:"It is a common one: records do not have the batter's own"`
}

// commonZone is as wide as the plate and a ball, and as high as that of a common batter, because records have
// no batter's own.
var commonZone = StrikeZone{Left: -0.83, Right: 0.83, Bottom: 1.6, Top: 3.4, Y: 17. / 12, Assumed: true}

func getSwing(ctx context.Context, a *API, in *pitchIn) (body Swing, err error) {
	pitch, err := getPitch(ctx, a, in)
	if err != nil {
		return body, err
	}
	row := &pitch.StoredRow
	// guard: api: no record is read without a swing
	if !row.IsSwing {
		return body, huma.Error404NotFound("no swing was tracked of this pitch")
	}
	path, err := a.paths.of(ctx, schemas.Coordinates{
		Topic: row.SourceTopic, Partition: row.SourcePartition, Offset: row.SourceOffset,
		TimestampMS: row.RecordTSMS,
	})
	switch {
	case errors.Is(err, errNoRecords):
		return body, unavailable(problemUnavailable, err.Error())
	case errors.Is(err, errNoPath):
		return body, huma.Error404NotFound(err.Error())
	case errors.Is(err, schemas.ErrUnreadable):
		return body, huma.Error404NotFound("the record of this pitch cannot be read: its batch is broken")
	case errors.Is(err, errPathsBusy), errors.Is(err, schemas.ErrOccupied):
		return body, later(unavailable(problemBusy, err.Error()), "1")
	case err != nil:
		return body, later(unavailable(problemUnavailable, "the record cannot be read from Kafka now"), "1")
	}
	body = Swing{
		SwingLine: swingLine(row), BatterID: row.BatterID, BatterName: pitch.BatterName,
		PitchSpeedMPH: row.PitchSpeedMPH, SprayAngleDeg: row.SprayAngleDeg, Revision: row.Revision,
		SourceTopic: row.SourceTopic, SourcePartition: row.SourcePartition, SourceOffset: row.SourceOffset,
		Bat: notNil(path.Bat), Pitch: notNil(path.Pitch), Hit: notNil(path.Hit), Contact: path.Contact,
		PeakT: path.PeakS, StrikeZone: commonZone, Sampled: path.Sampled, Condition: pitch.Condition,
	}
	// The ball after a miss is what came back from the catcher.
	// guard: api: of a miss nothing was hit
	if !row.IsContact {
		body.Hit = []schemas.BallPoint{}
	}
	return body, nil
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
