package simulate

import "github.com/pitchstream/pitchstream/schemas"

// NextRow plays the next pitch without making its record, and returns the row that the core would make of it.
// It is many times as fast as Next, for tests that need rows only. The stress options have no effect. ok is
// false after the last pitch. Do not mix it with Next.
func (s *Simulator) NextRow() (row schemas.StoredRow, ok bool) {
	g := s.nextGame()
	if g == nil {
		return schemas.StoredRow{}, false
	}
	p := g.throw()
	row.Row = *p.row(identity(p, g.pk), g.pk, g, s.o.FeedIDs)
	row.EventTime, row.RecordTSMS = p.at, int64(p.at)+latencyMS
	row.ProcessedAt = p.at + latencyMS
	g.play()
	return row, true
}
