package verify

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// In any order, what is kept says of every pitch what the plain model says: whether it stands, where, of
// whom.
func TestResolvedAgreesWithTheReference(t *testing.T) {
	w := sinktest.NewGenerator(3, 50)
	changes := w.Changes(600)
	r := newResolved()
	for _, c := range w.Shuffled(changes) {
		r.add(&c)
	}
	stand := 0
	for _, row := range reference.Resolve(changes) {
		batter, game, stands := r.of(row.PitchID)
		require.True(t, stands)
		require.Equal(t, row.BatterID, batter)
		require.Equal(t, string(row.GamePK), game)
		require.Equal(t, row.Version(), r.measured[row.PitchID].version)
		stand++
	}
	for _, held := range r.measured {
		if held.upsert {
			stand--
		}
	}
	require.Zero(t, stand)
}

// No field of a row can change without the digest; who wrote it and when are no part of it.
func TestADigestSaysEveryField(t *testing.T) {
	base := schemas.Change{Row: &schemas.Row{}, EventTime: 1, Origin: schemas.Coordinates{Topic: "t"}}
	seen := map[digest]string{digestOf(&base): "nothing"}
	for i := range reflect.TypeFor[schemas.Row]().NumField() {
		c, row := base, schemas.Row{}
		set(reflect.ValueOf(&row).Elem().Field(i))
		c.Row = &row
		name := reflect.TypeFor[schemas.Row]().Field(i).Name
		require.Empty(t, seen[digestOf(&c)], name)
		seen[digestOf(&c)] = name
	}
	moved := base
	moved.Version, moved.Origin.Offset = schemas.Version{Revision: 1}, 5
	require.Equal(t, digestOf(&base), digestOf(&moved), "the version is compared by itself")
	deleted := base
	deleted.Op, deleted.Row = schemas.OpDelete, nil
	require.Empty(t, seen[digestOf(&deleted)])
}

// set makes a value another one than its zero.
func set(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Slice:
		v.Set(reflect.ValueOf([]string{"x"}))
	case reflect.Array:
		v.Index(0).SetUint(1)
	case reflect.Struct: // an Opt: present
		v.FieldByName("Present").SetBool(true)
	default:
		v.SetInt(7)
	}
}
