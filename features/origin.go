package features

import "pitchstream/schemas"

// Origin is where a record first stood: itself, unless it was redriven and all four dlq.origin.* headers can be read.
func Origin(rec schemas.Record) schemas.Coordinates {
	h := readHeaders(rec.Headers)
	return h.origin(rec)
}
