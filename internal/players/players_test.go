package players

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestPlayersAreReadFromCSV(t *testing.T) {
	got, err := read(t.Context(), strings.NewReader("\ufeffName, ID ,Team,born\r\n\"Ohtani, Shohei\",660271,LAD,1994\r\nJosé Ramírez ,608070,,\r\n"), "f.csv")
	require.NoError(t, err)
	require.Equal(t, []schemas.Player{{ID: 660271, Name: "Ohtani, Shohei", Team: "LAD"}, {ID: 608070, Name: "José Ramírez"}}, got)
	got, err = read(t.Context(), strings.NewReader("id,name\n"), "f.csv")
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestErrorNamesTheLinesOfWrongPlayers(t *testing.T) {
	for name, c := range map[string]struct{ file, says string }{
		"empty":                {"", "f.csv: want a first line id,name,team"},
		"no names":             {"id,team\n1,A\n", "f.csv:1: want the columns id, name and team, not id,team"},
		"no number":            {"id,name\n1,A\nx,B\n", `f.csv:3: id "x": want a whole number`},
		"no name":              {"id,name\n1, \n", "f.csv:2: id 1 has no name"},
		"too few fields":       {"id,name\n1,A\n2\n3,C\n", "f.csv:3: wrong number of fields"},
		"twice":                {"id,name\n1,A\n2,B\n1,C\n", "f.csv:4: id 1 is in line 2 too"},
		"a quote that is open": {"id,name\n1,\"A\n2,B\n", "f.csv:3: "},
		"a quote in the id":    {"id,name\n6\"6,A\n", "f.csv:2: "},
		"an id that is open":   {"id,name\n1,A\n\"2\n", "f.csv:3: "},
		"not UTF-8":            {"id,name\n1,\xff\n", "f.csv:2: id 1: "},
		"after a long field":   {"id,name\n1,\"A\nB\"\n2,\n", "f.csv:4: id 2 has no name"},
		"all of them":          {"id,name\nx,A\ny,B\n", "f.csv:3: "},
		"a very long name":     {"id,name\n1," + strings.Repeat("x", 201) + "\n", "f.csv:2: id 1: a name of 201 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t.Context(), strings.NewReader(c.file), "f.csv")
			require.ErrorContains(t, err, c.says)
		})
	}
	_, err := read(t.Context(), strings.NewReader("id,name\n"+strings.Repeat("x,\n", 1000)), "f.csv")
	require.Len(t, strings.Split(err.Error(), "\n"), maxFaults, "not more than one can read")
}

// guard: players: the players in memory are bounded
func TestAFileOfPlayersIsBounded(t *testing.T) {
	defer func(bytes int64, n int) { maxFileBytes, maxPlayers = bytes, n }(maxFileBytes, maxPlayers)
	const text = "id,name\n1,A\n2,B\n"
	maxFileBytes, maxPlayers = int64(len(text)), 2
	_, err := read(t.Context(), strings.NewReader(text), "f.csv")
	require.NoError(t, err)
	maxFileBytes--
	_, err = read(t.Context(), strings.NewReader(text), "f.csv")
	require.ErrorContains(t, err, "f.csv: it has more than 15 bytes, unpacked: split it")
	maxFileBytes, maxPlayers = 1000, 1
	_, err = read(t.Context(), strings.NewReader(text), "f.csv")
	require.ErrorContains(t, err, "f.csv: more than 1 players: split the file")
}
