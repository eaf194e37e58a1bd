package features

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Every instant that the standard library writes is read back, cut to milliseconds toward the past.
func TestInstantsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(minTimeMS, maxTimeMS).Draw(t, "ms")
		nanos := rapid.Int64Range(0, 999_999).Draw(t, "nanos")
		zone := time.FixedZone("", 60*rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "zone minutes"))
		at := time.UnixMilli(ms).Add(time.Duration(nanos)).In(zone)
		if at.Year() < 0 || at.Year() > 9999 {
			t.Skip("no year of four digits there")
		}
		text := at.Format(time.RFC3339Nano)
		if got, ok := parseRFC3339([]byte(text)); !ok || got != ms {
			t.Fatalf("%s is %d (%v), want %d", text, got, ok, ms)
		}
	})
}

func TestMalformedTimesAreJudgedByTheGrammarAndTheCalendar(t *testing.T) {
	r := seeded(5)
	read := 0
	for range 50_000 {
		text := []byte(pick(r, append([]string{"2023-02-28T19:59:09.08+11:30", "0001-01-01T00:00:00-00:01"}, nastyTimes...)))
		for range r.IntN(3) {
			spoil(r, text)
		}
		got, ok := parseRFC3339(text)
		want, wanted := plainInstant(string(text))
		if ok != wanted || ok && got != want {
			t.Fatalf("%q is %d (%v), want %d (%v)", text, got, ok, want, wanted)
		}
		if ok {
			read++
		}
	}
	if read < 5_000 {
		t.Errorf("only %d could be read", read)
	}
}

func spoil(r *rand.Rand, text []byte) {
	text[r.IntN(len(text))] = pick(r, []byte("0123456789012345678901234567890123456789+-:.TtZz ,"))
}

// A game date is a day of the calendar since 1800.
func TestGameDates(t *testing.T) {
	for date, want := range map[string]bool{
		"1800-01-01": true, "2024-02-29": true, "2000-02-29": true, "9999-12-31": true, "1799-12-31": false, "1900-02-29": false,
		"2023-02-29": false, "2024-04-31": false, "2024-13-01": false, "2024-00-01": false, "2024-01-00": false, "2024-1-1": false,
		"2024-01-01 ": false, "2024/01/01": false, "28-09-2024": false, "2024-09-28T00:00:00Z": false, "+024-01-01": false, "": false,
	} {
		if got := isGameDate([]byte(date)); got != want {
			t.Errorf("%q: %v, want %v", date, got, want)
		}
	}
}
