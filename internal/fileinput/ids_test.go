package fileinput

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

const someUUID = "d6cb3f01-ccc2-4619-96a3-eb1f1bfaeaa3"

func loadIDs(t *testing.T, content string) (*IDs, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ids.csv")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	ids, err := LoadIDs(t.Context(), path)
	if err != nil {
		require.ErrorContains(t, err, path)
	}
	return ids, err
}

func headers(id Identity) (text []string) {
	for _, h := range id.Headers() {
		text = append(text, h.Key+"="+string(h.Value))
	}
	return text
}

func TestLoadIDs(t *testing.T) {
	file := "\ufeffteam_id, Batter_ID,notes,event_id,venue,game_date,pitcher_id,game_pk,event_time\r\n" +
		"7,1,x," + strings.ToUpper(someUUID) + ",\"Park, The\",2024-09-28,-3,777,2024-09-28T15:00:00.5-04:00\r\n" +
		",9223372036854775807,,pickoff-1,,,,,\r\n\r\n" +
		",,,bare,,,,,\r\n" +
		",,,bare,,,,,\r\n"
	for name, content := range map[string]string{"plain": file, "gzip": gzipped(file), "zstd": zstded(file)} {
		t.Run(name, func(t *testing.T) {
			ids, err := loadIDs(t, content)
			require.NoError(t, err)
			require.Equal(t, 3, len(ids.byUUID)+len(ids.byText))
			require.Equal(t, []string{`the column "notes" is ignored`}, ids.Notes)
			id, ok := ids.Lookup(someUUID)
			require.True(t, ok)
			require.Equal(t, "777", id.GamePK)
			require.Equal(t, []string{"batter_id=1", "pitcher_id=-3", "team_id=7", "game_date=2024-09-28", "venue=Park, The", "event_time=2024-09-28T19:00:00.500Z"}, headers(id))
			id, ok = ids.Lookup("pickoff-1")
			require.True(t, ok)
			require.Equal(t, schemas.Identifiers{BatterID: schemas.Some[int64](9223372036854775807)}, id.Identifiers)
			id, ok = ids.Lookup("bare")
			require.True(t, ok)
			require.Empty(t, id.Headers())
			_, ok = ids.Lookup("other")
			require.False(t, ok)
		})
	}
}

func TestLoadIDsNamesTheLine(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"empty", "", "is empty: it needs a header line with event_id"},
		{"no event id", "a,b\n", "line 1: no column event_id among a, b"},
		{"a column twice", "event_id,venue,Venue\n", "line 1: the column venue appears twice"},
		{"short line", "event_id,batter_id\ne,1\ne2\n", "line 3: wrong number of fields"},
		{"identifier", "event_id,batter_id\ne,1\ne2,1.5\n", `line 3: "1.5" is no identifier: a whole number within 64 bits`},
		{"identifier beyond 64 bits", "event_id,batter_id\ne,9223372036854775808\n", `line 2: "9223372036854775808" is no identifier`},
		{"date", "event_id,game_date\ne,2024-02-30\n", `line 2: game_date "2024-02-30" is no date`},
		{"date too early", "event_id,game_date\ne,1799-12-31\n", `line 2: game_date "1799-12-31" is no date`},
		{"venue", "event_id,venue\ne," + strings.Repeat("x", 65) + "\n", "line 2: "},
		{"a date of Excel", "event_id,game_date\ne,9/28/2024\n", "line 2: game_date \"9/28/2024\" is no date YYYY-MM-DD from 1800 on: in Excel, give the column the format yyyy-mm-dd"},
		{"a date with another end", "event_id,game_date\ne,2024-09-280\n", "line 2: game_date"},
		{"a date at another time of day", "event_id,game_date\ne,2024-09-28 10:00:00\n", "line 2: game_date"},
		{"an identifier that has lost digits", "event_id,batter_id\ne,9007199254740992.0\n", "line 2: \"9007199254740992.0\" is no identifier: as a number with a point it has lost digits"},
		{"thousands", "event_id,batter_id\ne,\"660,271\"\n", "line 2: \"660,271\" is no identifier"},
		{"thousands of a comma", "event_id;batter_id\ne;660,000\n", "line 2: \"660,000\" is no identifier"},
		{"a time without a zone", "event_id,event_time\ne,2024-09-28 19:05:00\n", "line 2: event_time \"2024-09-28 19:05:00\" is no RFC 3339 time with its zone"},
		{"latin-1", "event_id,venue\ne,Bah\xeda\n", "line 2: \"Bah\\xeda\" is no text of at most 64 bytes of UTF-8 without control characters (in Excel, save as CSV UTF-8)"},
		{"UTF-16", "\xff\xfee\x00v\x00", "it is UTF-16 text, which is not read here: give CSV in UTF-8, plain or with gzip or zstd"},
		{"a workbook", "PK\x03\x04", "it is an archive or a workbook: give the CSV file in it"},
		{"Parquet", "PAR1....", "it is a Parquet file, which is not read here: give CSV"},
		{"no event of R", "event_id,batter_id\nNA,5\n", "line 2: event_id is empty"},
		{"venue with a line break", "event_id,venue\ne,\"a\nb\"\n", "line 2: "},
		{"time", "event_id,event_time\ne,yesterday\n", `line 2: event_time "yesterday" is no RFC 3339 time`},
		{"no event", "event_id,batter_id\n,5\n", "line 2: event_id is empty"},
		{"conflict", "event_id,batter_id\n" + someUUID + ",1\n" + strings.ToUpper(someUUID) + ",2\n", "line 3: event_id " + strings.ToUpper(someUUID) + " is on an earlier line with other values"},
		{"quotes", "event_id,batter_id\ne,\"1\n", "line 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadIDs(t, c.content)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := LoadIDs(t.Context(), filepath.Join(t.TempDir(), "none.csv"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The place in the game and the hands are read for identify. No header of a measured record carries them.
func TestLoadIDsReadsAtBats(t *testing.T) {
	const head = "event_id,at_bat_number,pitch_number,batter_side,pitcher_hand\n"
	ids, err := loadIDs(t, head+someUUID+",12.0,3,L,R\nbare,NA,,,\n")
	require.NoError(t, err)
	require.Empty(t, ids.Notes)
	require.Equal(t, []string{"at_bat_number", "pitch_number", "batter_side", "pitcher_hand"}, ids.atBatColumns)
	id, _ := ids.Lookup(someUUID)
	require.Equal(t, schemas.Identifiers{
		AtBatNumber: schemas.Some[int16](12), PitchNumber: schemas.Some[int16](3), BatterSide: "L", PitcherHand: "R",
	}, id.Identifiers)
	require.Empty(t, id.Headers())
	id, _ = ids.Lookup("bare")
	require.Equal(t, schemas.Identifiers{}, id.Identifiers)
	for cells, want := range map[string]string{
		"0,1,L,R": `line 2: "0" is no number from 1 to 999`, "1,1000,L,R": `"1000" is no number from 1 to 999`,
		"x,1,L,R": `"x" is no number from 1 to 999`, "1,1,S,R": `"S" is neither R nor L`,
		"1,1,L,left": `"left" is neither R nor L`,
	} {
		_, err := loadIDs(t, head+"e,"+cells+"\n")
		require.ErrorContains(t, err, want)
	}
}

// pandas, R, Excel and Postgres write the same table each in its own way.
// guard: files: a table whose lines end with CR alone is read
// guard: files: a table whose lines end with CR may have an LF
func TestLoadIDsReadsWhatProgramsWrite(t *testing.T) {
	const e = someUUID
	for name, content := range map[string]string{
		"plain":           "event_id,batter_id,pitcher_id,game_date,event_time\n" + e + ",660271,,2024-09-28,2024-09-28T19:05:00Z\n",
		"pandas":          ",event_id,batter_id,pitcher_id,game_date,event_time\n0," + e + ",660271.0,,2024-09-28 00:00:00,2024-09-28 19:05:00+00:00\n",
		"pandas with NaN": "event_id,batter_id,pitcher_id,game_date,event_time\n" + e + ",660271.0,NaN,2024-09-28,2024-09-28 15:05:00.000-04:00\n",
		"pandas Int64":    "event_id,batter_id,pitcher_id,game_date,event_time\n" + e + ",660271,<NA>,2024-09-28T00:00:00,2024-09-28T19:05:00Z\n",
		"R":               "\"\",\"event_id\",\"batter_id\",\"pitcher_id\",\"game_date\",\"event_time\"\n\"1\",\"" + e + "\",660271,NA,2024-09-28,2024-09-28 19:05:00 UTC\n",
		"Excel":           "\ufeffevent_id;batter_id;pitcher_id;game_date;event_time\r\n" + e + ";660271;;2024-09-28;2024-09-28T19:05:00Z\r\n",
		"Excel's comma":   "event_id;batter_id;pitcher_id;game_date;event_time\r\n" + e + ";660271,0;;2024-09-28;2024-09-28T19:05:00Z\r\n",
		"Excel's sep":     "sep=;\r\nevent_id;batter_id;pitcher_id;game_date;event_time\r\n" + e + ";660271;;2024-09-28;2024-09-28T19:05:00Z\r\n",
		"CR line ends":    "event_id,batter_id,pitcher_id,game_date,event_time\r" + e + ",660271,,2024-09-28,2024-09-28T19:05:00Z\r",
		"CR, id last":     "batter_id,pitcher_id,game_date,event_time,event_id\r660271,,2024-09-28,2024-09-28T19:05:00Z," + e + "\r",
		"CR, LF at end":   "event_id,batter_id,pitcher_id,game_date,event_time\r" + e + ",660271,,2024-09-28,2024-09-28T19:05:00Z\r\n",
		"CR, LF in cell":  "event_id,batter_id,note,game_date,event_time\r" + e + ",660271,\"a\nb\",2024-09-28,2024-09-28T19:05:00Z\r",
		"CR, sep, LF":     "sep=;\revent_id;batter_id;game_date;event_time\r" + e + ";660271;2024-09-28;2024-09-28T19:05:00Z\r\n",
		"CR in a name":    "event_id,batter_id,\"a\rb\",game_date,event_time\r\n" + e + ",660271,,2024-09-28,2024-09-28T19:05:00Z\r\n",
		"tabs":            "event_id\tbatter_id\tpitcher_id\tgame_date\tevent_time\n" + e + "\t660271\tnull\t2024-09-28\t2024-09-28t19:05:00z\n",
		"bars":            "batter_id|event_id|pitcher_id|game_date|event_time\n660271|" + e + "|None|2024-09-28|2024-09-28 19:05:00+0000\n",
		"Postgres":        "event_id,batter_id,pitcher_id,game_date,event_time\n" + e + ",660271,\\N,2024-09-28,2024-09-28 19:05:00+00\n",
		"packed twice":    gzipped(gzipped("event_id,batter_id,game_date,event_time\n" + e + ",660271,2024-09-28,2024-09-28T19:05:00Z\n")),
	} {
		t.Run(name, func(t *testing.T) {
			ids, err := loadIDs(t, content)
			require.NoError(t, err)
			id, ok := ids.Lookup(e)
			require.True(t, ok)
			require.Equal(t, []string{"batter_id=660271", "game_date=2024-09-28", "event_time=2024-09-28T19:05:00.000Z"}, headers(id))
		})
	}
}

// A game of a float column is the game of its digits. As another text it would be another game, silently.
//
// guard: files: a game with a point is the game without
func TestAGameIsTheSameHoweverAProgramWritesItsNumber(t *testing.T) {
	for cell, want := range map[string]string{
		"745804": "745804", "745804.0": "745804", "745804.00": "745804", "745804.": "745804", "\"745804,0\"": "745804",
		"-5.0": "-5", "007": "007", "2024.5": "2024.5", "NYY-2024.0x": "NYY-2024.0x", "12e4": "12e4",
		"nan": "", "9007199254740991.0": "9007199254740991",
	} {
		ids, err := loadIDs(t, "event_id,game_pk\n"+someUUID+","+cell+"\n")
		require.NoError(t, err, cell)
		id, _ := ids.Lookup(someUUID)
		require.Equal(t, want, id.GamePK, cell)
		item := Item{File: &File{GamePK: "1"}}
		require.Equal(t, cmp.Or(want, "1"), string(item.KafkaRecord("", id).Key), "the key of load")
	}
	for cell, want := range map[string]string{
		"7e+05": "has an exponent", "7.45804E+05": "has an exponent", "9007199254740993.0": "it has lost digits",
		"12345678901234567890.0": "is no identifier",
	} {
		_, err := loadIDs(t, "event_id,game_pk\n"+someUUID+","+cell+"\n")
		require.ErrorContains(t, err, want, cell)
	}
}

func TestAGameOnTheCommandLineIsCheckedAsOneOfAFile(t *testing.T) {
	for _, game := range []string{"", "745804", "NYY 1", "2024.5"} {
		require.NoError(t, CheckGame(game), game)
	}
	for game, want := range map[string]string{
		"745804.0": "--game=\"745804.0\": want 745804,", "7e+05": "has an exponent", "a\tb": "without control characters",
		strings.Repeat("1", 65): "1 to 64 bytes",
	} {
		require.ErrorContains(t, CheckGame(game), want)
	}
}
