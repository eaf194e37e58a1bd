package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/simulate"
)

// biasFlag is one --bias.
type biasFlag simulate.Bias

// UnmarshalText reads venue=NAME,mph=X,from=DATE, the date left out where the bias is from the beginning.
func (b *biasFlag) UnmarshalText(text []byte) (err error) {
	*b = biasFlag{}
	for _, part := range strings.Split(string(text), ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "venue":
			b.Venue = value
		case "mph":
			if b.MPH, err = strconv.ParseFloat(value, 64); err != nil {
				return fmt.Errorf("mph=%s: want a number", value)
			}
		case "from":
			if _, err = time.Parse(time.DateOnly, value); err != nil {
				return fmt.Errorf("from=%s: want a date as 2025-04-07", value)
			}
			b.From = value
		default:
			return fmt.Errorf("%q: want venue=NAME,mph=X, and from=DATE if it begins later", part)
		}
	}
	if known := simulate.Venues(); !slices.Contains(known, b.Venue) {
		return fmt.Errorf("venue %q: want one of %s", b.Venue, strings.Join(known, ", "))
	}
	return nil
}
