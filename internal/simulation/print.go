package simulation

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
)

// Print prints how many records were sent, and how many rows and dead letters should come of them.
func Print(w io.Writer, t simulate.Tally, took time.Duration) {
	count := func(k simulate.Kind) string { return terminal.Count(t.Records[k]) }
	pitches, poison := count(simulate.KindPitch), count(simulate.KindPoison)
	fmt.Fprintf(w, "games     %s\n", terminal.Count(int64(t.Games)))
	fmt.Fprintf(w,
		"records   %s = pitches %s + duplicates %s + corrections %s + deletes %s + identifies %s + poison %s\n",
		terminal.Count(t.Total()), pitches, count(simulate.KindDuplicate), count(simulate.KindCorrection),
		count(simulate.KindDelete), count(simulate.KindIdentify), poison)
	fmt.Fprintf(w, "pitches   %s = current rows %s + deleted %s\n",
		pitches, terminal.Count(t.Standing), terminal.Count(t.Gone))
	fmt.Fprintf(w, "letters   %s", poison)
	before := " = "
	for _, code := range slices.Sorted(maps.Keys(t.Letters)) {
		fmt.Fprintf(w, "%s%s %s", before, code, terminal.Count(t.Letters[code]))
		before = " + "
	}
	perSecond := int64(float64(t.Bytes) / max(took.Seconds(), 1e-3))
	fmt.Fprintf(w, "\nvalues    %s in %.1fs (%s/s)\n",
		terminal.Bytes(t.Bytes), took.Seconds(), terminal.Bytes(perSecond))
}
