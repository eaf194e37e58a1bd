package games

import (
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

var now = time.Date(2024, 10, 1, 12, 0, 0, 0, time.UTC)

func read(t *testing.T, text string) []schemas.GameFacts {
	t.Helper()
	games, err := Read(t.Context(), strings.NewReader(text), now)
	require.NoError(t, err)
	return games
}

func boston(asOf time.Time) schemas.GameFacts {
	return schemas.GameFacts{
		GamePK: "745804", GameDate: "2024-09-28", Venue: "Fenway Park", HomeTeam: "Boston Red Sox",
		AwayTeam: "Tampa Bay Rays", HomeTeamID: schemas.Some(int64(111)), AwayTeamID: schemas.Some(int64(139)),
		StartsAt: schemas.Some(schemas.TimeMS(time.Date(2024, 9, 28, 20, 10, 0, 0, time.UTC).UnixMilli())),
		AsOf:     schemas.TimeMS(asOf.UnixMilli()),
	}
}

const (
	teams = `{"home":{"id":111,"name":"Boston Red Sox"},"away":{"id":139,"name":"Tampa Bay Rays"}}`
	feed  = `{"gamePk":745804,"metaData":{"timeStamp":"%s"},"gameData":{"datetime":{"dateTime":"2024-09-28T20:10:00Z",
		"officialDate":"2024-09-28"},"teams":` + teams + `,"venue":{"id":3,"name":"Fenway Park"}},"liveData":{}}`
	columns = "game_pk,game_date,venue,home_team,away_team,home_team_id,away_team_id,starts_at\n"
	line    = "745804,2024-09-28,Fenway Park,Boston Red Sox,Tampa Bay Rays,111,139,2024-09-28T20:10:00Z\n"
)

// One game in each of the forms in which people have it.
func TestTheSameGameIsReadFromEveryForm(t *testing.T) {
	object := `{"game_pk":745804,"game_date":"2024-09-28","venue":"Fenway Park","home_team":"Boston Red Sox",
		"away_team":"Tampa Bay Rays","home_team_id":111,"away_team_id":"139","starts_at":"2024-09-28T16:10:00-04:00"}`
	game := `{"gamePk":745804,"gameDate":"2024-09-28T20:10:00Z","officialDate":"2024-09-28",
		"teams":{"home":{"team":{"id":111,"name":"Boston Red Sox"}},"away":{"team":{"id":139,"name":"Tampa Bay Rays"}}},
		"venue":{"name":"Fenway Park"}}`
	for name, text := range map[string]string{
		"CSV":           columns + line,
		"Excel's CSV":   "\ufeffsep=;\n" + strings.ReplaceAll(columns+line, ",", ";"),
		"pandas' CSV":   columns + strings.NewReplacer("745804,2024-09-28,", "745804.0,2024-09-28T00:00:00,", "111", "111.0").Replace(line),
		"Postgres' CSV": columns + strings.ReplaceAll(line, "2024-09-28T20:10:00Z", "2024-09-28 20:10:00+00"),
		"pandas' times": columns + strings.ReplaceAll(line, "2024-09-28T20:10:00Z", "2024-09-28 20:10:00+00:00"),
		"R's times":     columns + strings.ReplaceAll(line, "2024-09-28T20:10:00Z", "2024-09-28 20:10:00 UTC"),
		"a float":       strings.Replace(object, "745804", "745804.0", 1),
		"object":        object,
		"array":         "[" + object + "]",
		"lines":         strings.ReplaceAll(object, "\n", "") + "\n",
		"schedule":      `{"dates":[{"date":"2024-09-28","games":[` + game + `]}]}`,
	} {
		require.Equal(t, []schemas.GameFacts{boston(now)}, read(t, text), name)
	}
	at := time.Date(2024, 9, 28, 23, 1, 2, 0, time.UTC)
	require.Equal(t, []schemas.GameFacts{boston(at)}, read(t, fmt.Sprintf(feed, "20240928_230102")))
}

func TestOfTwoFactsTheLaterCountsAndAMissingOneLeavesTheOther(t *testing.T) {
	games := read(t, `[{"game_pk":"1","venue":"A","home_team":"B"},{"game_pk":"1","venue":"C","away_team":"D"}]`)
	require.Equal(t, []schemas.Text{"C", "B", "D"}, []schemas.Text{games[0].Venue, games[0].HomeTeam, games[0].AwayTeam})
	late, early := fmt.Sprintf(feed, "20240928_230102"), strings.ReplaceAll(fmt.Sprintf(feed, "20240927_000000"), "Fenway Park", "?")
	require.EqualValues(t, "Fenway Park", read(t, late+early)[0].Venue, "the time code decides, not the order")
}

// guard: games: within a file each fact keeps its time
func TestWithinAFileEachFactKeepsItsTime(t *testing.T) {
	feed := func(hour, data string) string {
		return `{"gamePk":1,"metaData":{"timeStamp":"20240928_` + hour + `0000"},"gameData":{` + data + `}}`
	}
	at := func(hour int) schemas.TimeMS {
		return schemas.TimeMS(time.Date(2024, 9, 28, hour, 0, 0, 0, time.UTC).UnixMilli())
	}
	parks := []string{
		feed("20", `"venue":{"name":"Oldest"},"status":{"detailedState":"Scheduled"}`),
		feed("21", `"venue":{"name":"Older"},"teams":{"home":{"name":"Home"}}`),
		feed("23", `"status":{"detailedState":"Final"}`),
	}
	want := []schemas.GameFacts{{
		GamePK: "1", Venue: "Older", HomeTeam: "Home", Status: "Final", AsOf: at(23),
		FactsAsOf: map[string]schemas.TimeMS{"venue": at(21), "home_team": at(21)},
	}}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		require.Equal(t, want, read(t, parks[order[0]]+parks[order[1]]+parks[order[2]]), order)
	}
}

// guard: games: the number of games is bounded
func TestAFileOfGamesThatIsWrongIsRefused(t *testing.T) {
	defer func(bytes int64, n int) { maxFileBytes, maxGames = bytes, n }(maxFileBytes, maxGames)
	maxFileBytes, maxGames = 400, 2
	read(t, "game_pk\n1\n2\n")
	for text, want := range map[string]string{
		"game_pk\n1\n2\n3\n":                           "line 4: more than 2 games: split the file",
		"game_pk\n" + strings.Repeat("1\n", 200):       "more than 400 bytes, unpacked: split it",
		"game_pk,game_date\n1,28.9.2024\n":             `line 2: game 1: game_date "28.9.2024" is no date YYYY-MM-DD from 1800 on`,
		"game_pk,game_date\n1,1799-12-31\n":            `game_date "1799-12-31" is no date YYYY-MM-DD from 1800 on`,
		"game_pk,game_date\n1,2024-09-29T01:10:00Z\n":  `game_date "2024-09-29T01:10:00Z" is no date`,
		"game_pk,venue\n6\"6,A\n":                      "line 2",
		"game_pk\n7e+05\n":                             `line 2: game_pk "7e+05" has an exponent`,
		"game_pk,starts_at\n1,noon\n":                  `starts_at "noon" is no RFC 3339 time with its zone`,
		"game_pk,home_team_id\n1,BOS\n":                `home_team_id "BOS": want a whole number`,
		"game_pk,venue\n1," + strings.Repeat("x", 201): "want a name of at most 200 bytes",
		"pk\n1\n":                    "want a column game_pk",
		`{"gamePk":1,"gameData":{}}`: "value 1: metaData.timeStamp",
		`{"records":[]}`:             "want objects with game_pk, a game feed (feed/live) or a schedule",
		`{"game_pk":"` + strings.Repeat("1", 65) + `"}`: "a game_pk of 65 bytes",
	} {
		_, err := Read(t.Context(), strings.NewReader(text), now)
		require.ErrorContains(t, err, want, text)
	}
}

func TestWhatAFileSaysOfAGameIsRead(t *testing.T) {
	for _, text := range []string{
		"game_pk,status\n1,Postponed\n", `{"game_pk":1,"status":"Postponed"}`,
		`{"dates":[{"games":[{"gamePk":1,"status":{"detailedState":"Postponed"}}]}]}`,
	} {
		require.EqualValues(t, "Postponed", read(t, text)[0].Status, text)
	}
}

// guard: files: what a file unpacks to is bounded
func TestAPackedFileOfGamesIsReadAndBounded(t *testing.T) {
	pack := func(text string) string {
		var out strings.Builder
		z := gzip.NewWriter(&out)
		_, err := z.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		return out.String()
	}
	at := time.Date(2024, 9, 28, 23, 1, 2, 0, time.UTC)
	document := fmt.Sprintf(feed, "20240928_230102")
	for _, text := range []string{pack(document), pack("\ufeff" + document), pack(pack(document)), "\ufeff" + document} {
		require.Equal(t, []schemas.GameFacts{boston(at)}, read(t, text))
	}
	require.Equal(t, []schemas.GameFacts{boston(now)}, read(t, pack(columns+line)))
	for text, want := range map[string]string{
		"\xff\xfe{\x00": "it is UTF-16 text, which is not read here: give CSV in UTF-8 or JSON", "PK\x03\x04": "it is an archive",
	} {
		_, err := Read(t.Context(), strings.NewReader(text), now)
		require.ErrorContains(t, err, want)
	}
	defer func(bytes int64) { maxFileBytes = bytes }(maxFileBytes)
	for _, text := range []string{columns + line, document} {
		maxFileBytes = int64(len(text))
		require.Len(t, read(t, pack(text)), 1)
		maxFileBytes--
		_, err := Read(t.Context(), strings.NewReader(pack(text)), now)
		require.ErrorContains(t, err, fmt.Sprintf("it has more than %d bytes, unpacked: split it", maxFileBytes))
	}
}
