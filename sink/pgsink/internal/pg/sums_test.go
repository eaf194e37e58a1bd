package pg

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: a last pitch is not that of the next row
func TestALastPitchIsNotThatOfTheNextRow(t *testing.T) {
	l := lastRow{id: &[16]byte{1}, last: schemas.LastPitch{PitchResult: "Strike"}}
	first := l.pitch()
	l.id, l.last.PitchResult = &[16]byte{2}, "Ball"
	second := l.pitch()
	require.Equal(t, schemas.LastPitch{PitchID: schemas.PitchID{1}, PitchResult: "Strike"}, *first)
	require.Equal(t, schemas.LastPitch{PitchID: schemas.PitchID{2}, PitchResult: "Ball"}, *second)
}
