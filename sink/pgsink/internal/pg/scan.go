package pg

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pitchstream/pitchstream/schemas"
)

// RowColumns are the columns of the view pitches, in the order of ScanRow.
var RowColumns = strings.Join(schemas.Map(schemas.StoredColumns, schemas.ColumnName), ", ")

// Text returns the destination of a text column. NULL is "".
func Text(t *schemas.Text) any { return (*text)(t) }

// Date returns the destination of a date column. NULL is "". It reads a date, because the text of one would
// depend on the DateStyle of the session.
func Date(t *schemas.Text) any { return (*date)(t) }

// Integer returns the destination of an integer column. NULL is a missing value.
func Integer[T int16 | int32 | int64](o *schemas.Opt[T]) any { return (*integer[T])(o) }

// Float returns the destination of a float column. NULL is a missing value.
func Float(o *schemas.Opt[float64]) any { return (*float)(o) }

// Time returns the destination of a timestamp column. NULL is 0.
func Time(t *schemas.TimeMS) any { return (*moment)(t) }

// MaybeTime returns the destination of a timestamp column. NULL is a missing value.
func MaybeTime(t *schemas.Opt[schemas.TimeMS]) any { return (*maybeMoment)(t) }

type (
	text                             schemas.Text
	date                             schemas.Text
	integer[T int16 | int32 | int64] schemas.Opt[T]
	float                            schemas.Opt[float64]
	truth                            schemas.Opt[bool]
	moment                           schemas.TimeMS
	maybeMoment                      schemas.Opt[schemas.TimeMS]
)

func (t *text) ScanText(v pgtype.Text) error {
	*t = text(v.String)
	return nil
}

func (t *date) ScanDate(v pgtype.Date) error {
	*t = ""
	if v.Valid {
		*t = date(v.Time.Format(time.DateOnly))
	}
	return nil
}

func (o *integer[T]) ScanInt64(v pgtype.Int8) error {
	*o = integer[T]{Value: T(v.Int64), Present: v.Valid}
	return nil
}

func (o *float) ScanFloat64(v pgtype.Float8) error {
	*o = float{Value: v.Float64, Present: v.Valid}
	return nil
}

func (o *truth) ScanBool(v pgtype.Bool) error {
	*o = truth{Value: v.Bool, Present: v.Valid}
	return nil
}

func (t *moment) ScanTimestamptz(v pgtype.Timestamptz) error {
	*t = 0
	if v.Valid {
		*t = moment(schemas.TimeMSOf(v.Time))
	}
	return nil
}

func (t *maybeMoment) ScanTimestamptz(v pgtype.Timestamptz) error {
	*t = maybeMoment{Present: v.Valid}
	if v.Valid {
		t.Value = schemas.TimeMSOf(v.Time)
	}
	return nil
}

// ScanRow reads a row with RowColumns.
func ScanRow(row pgx.CollectableRow) (r schemas.StoredRow, err error) { return ScanRowWith(row) }

// ScanRowWith reads a row with RowColumns, and more columns behind them.
func ScanRowWith(row pgx.CollectableRow, more ...any) (r schemas.StoredRow, err error) {
	into := append([]any{(*[16]byte)(&r.PitchID)}, destinations(r.Fields()[1:], &r.Row)...)
	into = append(into, Time(&r.EventTime), &r.Revision, &r.RecordTSMS, &r.SourceTopic, &r.SourcePartition,
		&r.SourceOffset, &r.CoreVersion, &r.Build, Time(&r.ProcessedAt))
	err = row.Scan(append(into, more...)...)
	return r, err
}

// MeasuresInto returns the destinations of the columns behind pitch_id that a record gives.
func MeasuresInto(r *schemas.Row) []any { return destinations(r.MeasuredFields()[1:], r) }

// destinations replaces the fields of a row by their destinations.
func destinations(into []any, r *schemas.Row) []any {
	for i, field := range into {
		switch f := field.(type) {
		case *schemas.Text:
			if into[i] = Text(f); f == &r.GameDate {
				into[i] = Date(f)
			}
		case *schemas.Opt[int16]:
			into[i] = Integer(f)
		case *schemas.Opt[int64]:
			into[i] = Integer(f)
		case *schemas.Opt[float64]:
			into[i] = Float(f)
		case *schemas.Opt[bool]:
			into[i] = (*truth)(f)
		}
	}
	return into
}

// IdentifiersInto returns the destinations of what the identified register names: batter, pitcher and team,
// then the list of columns "at bat".
func IdentifiersInto(ids *schemas.Identifiers) []any {
	return []any{
		Integer(&ids.BatterID), Integer(&ids.PitcherID), Integer(&ids.TeamID),
		Integer(&ids.AtBatNumber), Integer(&ids.PitchNumber), Text(&ids.BatterSide), Text(&ids.PitcherHand),
	}
}

// VersionRow receives the version of a register, which is NULL in a register that nothing was written to.
type VersionRow struct {
	revision, timestampMS, offset schemas.Opt[int64]
	partition                     schemas.Opt[int32]
}

// Into returns the destinations of the four columns of the version.
func (v *VersionRow) Into() []any {
	return []any{Integer(&v.revision), Integer(&v.timestampMS), Integer(&v.offset), Integer(&v.partition)}
}

// Version returns the version that was read.
func (v *VersionRow) Version() schemas.Opt[schemas.Version] {
	if !v.revision.Present {
		return schemas.Opt[schemas.Version]{}
	}
	return schemas.Some(schemas.Version{Revision: v.revision.Value, TimestampMS: v.timestampMS.Value,
		Offset: v.offset.Value, Partition: v.partition.Value})
}
