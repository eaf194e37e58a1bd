package pgsink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// While both versions of the core run, a processor of the first writes with a statement that does not know
// the columns of the second. A newer record must not appear with an older record's contact.
func TestARowOfTheFirstCoreKeepsNoColumnsOfTheSecond(t *testing.T) {
	s := open(t)
	s.cfg.CoreVersion = 2
	change := sinktest.NewGenerator(1, 1).Upsert(0, 1)
	change.Row.ContactBatSpeedMPH, change.Row.InZone = schemas.Some(71.5), schemas.Some(true)
	change.Row.ContactConfidence, change.Row.ContactDoubts = schemas.SpeedReliable, []string{}
	_, err := s.EnsurePositions(t.Context(), []schemas.Position{{Topic: "t"}})
	require.NoError(t, err)
	_, err = s.Apply(t.Context(), sinktest.BatchOf(change))
	require.NoError(t, err)
	stored := func() schemas.StoredRow {
		rows, err := pgbooks.New(s.DB()).Rows(t.Context())
		require.NoError(t, err)
		require.Len(t, rows, 1)
		return rows[0]
	}
	before := stored()
	require.Equal(t, *change.Row, before.Row)

	_, err = raw(t, s).Exec(t.Context(), `UPDATE pitch_registers SET revision = revision + 1, core_version = 1, balls = 2`)
	require.NoError(t, err)
	after := stored()
	require.Equal(t, int32(1), after.CoreVersion)
	require.Equal(t, before.PitchResult, after.PitchResult)
	fields := after.Fields()
	for i, c := range schemas.RowColumns {
		if c.Name == "release_speed_mph" {
			fields = fields[i:]
		}
	}
	for _, f := range fields {
		switch f := f.(type) {
		case *schemas.Opt[float64]:
			require.False(t, f.Present)
		case *schemas.Opt[bool]:
			require.False(t, f.Present)
		case *schemas.Text:
			require.Empty(t, *f)
		case *[]string:
			require.Nil(t, *f)
		}
	}
}

// While older builds run beside this one, they write the identified register without at-bat and hands. Those
// of an older version must not stand beside the newer names.
func TestAnIdentifyOfAnOlderBuildKeepsNoAtBat(t *testing.T) {
	s := open(t)
	_, err := s.EnsurePositions(t.Context(), []schemas.Position{{Topic: "t"}})
	require.NoError(t, err)
	measured := sinktest.NewGenerator(1, 1).Upsert(0, 1)
	named := schemas.Change{
		Op: schemas.OpIdentify, PitchID: measured.PitchID, Version: schemas.Version{Offset: 7},
		IDs: schemas.Identifiers{
			BatterID:    schemas.Some[int64](7),
			AtBatNumber: schemas.Some[int16](12), PitchNumber: schemas.Some[int16](3),
			BatterSide: schemas.BatsLeft, PitcherHand: schemas.ThrowsRight,
		},
	}
	_, err = s.Apply(t.Context(), sinktest.BatchOf(measured, named))
	require.NoError(t, err)
	books := pgbooks.New(s.DB())
	requireNames := func(want schemas.Identifiers) {
		t.Helper()
		rows, err := books.Rows(t.Context())
		require.NoError(t, err)
		row := *measured.Row
		want.NameIn(&row)
		require.Equal(t, row, rows[0].Row, "the view")
		registers, err := books.RegistersOf(t.Context(), []schemas.PitchID{measured.PitchID})
		require.NoError(t, err)
		require.Equal(t, want, registers[0].Identified.IDs, "the register")
		measured.Version.Revision++
		out, err := s.Apply(t.Context(), sinktest.BatchOf(measured))
		require.NoError(t, err)
		require.Equal(t, row, out.Published[0].Row.Row, "the rows topic")
	}
	requireNames(named.IDs)
	_, err = raw(t, s).Exec(t.Context(), `UPDATE pitch_registers SET identified_source_offset = 8, identified_batter_id = 9`)
	require.NoError(t, err)
	requireNames(schemas.Identifiers{BatterID: schemas.Some[int64](9)})

	named.Version.Offset = 9
	_, err = s.Apply(t.Context(), sinktest.BatchOf(named))
	require.NoError(t, err)
	requireNames(named.IDs)
}
