package schemas

// Deletion is a pitch that a person removes.
type Deletion struct {
	PitchID  PitchID `json:"pitch_id"`
	GamePK   Text    `json:"game_pk"`
	Revision int64   `json:"revision"`  // of the record that deletes it
	IsForced bool    `json:"is_forced"` // the pitch is not known
}
