package simulate

import "github.com/pitchstream/pitchstream/schemas"

// NextRow plays the next pitch without making its record, and gives the row that the core would make of it: the same
// games, many times as fast, for tests of what is made of rows. The stress options do nothing here. ok is false after
// the last pitch. It is not to be mixed with Next.
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
