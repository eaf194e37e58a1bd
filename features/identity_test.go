package features

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// Which game a pitch is of: the header's, else the key's; what is there and cannot be read is an issue.
func TestGamePK(t *testing.T) {
	for _, story := range []struct {
		moral, header, key, want string
		issue                    bool
	}{
		{"the header counts", "777", "745612", "777", false},
		{"whatever the key is", "777", "a\tb", "777", false},
		{"else the key", "", "745612", "745612", false},
		{"an unreadable header is an issue, and the key serves", "a\x7f", "745612", "745612", true},
		{"if it can", "a\x00", "\xff", "", true},
		{"there may be none", "", "", "", false},
		{"a key may be unreadable", "", "a\nb", "", true},
		{"64 bytes are enough", strings.Repeat("x", 64), "", strings.Repeat("x", 64), false},
		{"65 are not", strings.Repeat("x", 65), "1", "1", true},
		{"bytes, not letters", "", strings.Repeat("é", 33), "", true},
		{"blanks and letters of all kinds are text", " Ü\u0085", "", " Ü\u0085", false},
	} {
		rec := recordOf(aPitch(), "game_pk="+story.header)
		rec.Key = []byte(story.key)
		row := rowOf(t, rec)
		if string(row.GamePK) != story.want || slices.Contains(row.Issues, "game_pk:type") != story.issue {
			t.Errorf("%s: %q %v", story.moral, row.GamePK, row.Issues)
		}
	}
}

// Which pitch it is: the header's, else the event id, else one made of the game and the event id or the very
// bytes.
func TestPitchID(t *testing.T) {
	space := uuid.MustParse("6f1d3b52-5a0e-5c7e-9b7a-2f6f0b6c9d11")
	made := func(name string) string { return uuid.NewSHA1(space, []byte(name)).String() }
	hash := func(value []byte) string { return fmt.Sprintf("%x", sha256.Sum256(value)) }
	for _, story := range []struct {
		moral, header, key string
		eventID            any
		want               string // "" is made of the bytes
		issue              bool
	}{
		{"the header counts, in lower case", strings.ToUpper(otherUUID), "1", testEventID, otherUUID, false},
		{"whatever the event id is", otherUUID, "1", 5, otherUUID, false},
		{"else the event id", "", "1", strings.ToUpper(testEventID), testEventID, false},
		{"however it is written", "", "1", `\u0035` + testEventID[1:], testEventID, false},
		{"an unreadable header is an issue", "nope", "1", testEventID, testEventID, true},
		{"braces are not UUID text", "{" + otherUUID[1:35] + "}", "1", testEventID, testEventID, true},
		{"another event id names the pitch within its game", "", "745612", "play 7", made("745612\nplay 7"), false},
		{"however long", "", "745612", strings.Repeat("é", 300), made("745612\n" + strings.Repeat("é", 300)), false},
		{"as it is, not in lower case", "", "745612", "PLAY", made("745612\nPLAY"), false},
		{"hex without dashes is not UUID text", "", "1", strings.ReplaceAll(testEventID, "-", ""), made("1\n" + strings.ReplaceAll(testEventID, "-", "")), false},
		{"a missing game is empty there", "", "", "7", made("\n7"), false},
		{"without an event id the bytes are the name", "", "745612", obj{}, "", false},
		{"as without any", "", "745612", "", "", false},
		{"a number is none", "", "745612", 5, "", true},
		{"nor is half a letter", "", "745612", `\ud800x`, "", true},
		{"nor what no store takes", "", "745612", `a\u0000`, "", true},
	} {
		rec := recordOf(aPitch().set("summary_acts.pitch.eventId", story.eventID), "pitch_id="+story.header)
		rec.Key = []byte(story.key)
		if story.want == "" {
			story.want = made(story.key + "\n" + hash(rec.Value))
		}
		row := rowOf(t, rec)
		if row.PitchID.String() != story.want || slices.Contains(row.Issues, "pitch_id:type") != story.issue {
			t.Errorf("%s: %v %v, want %s", story.moral, row.PitchID, row.Issues, story.want)
		}
	}
}
