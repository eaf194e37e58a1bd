package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/pitchstream/pitchstream/schemas"
)

// players is the list of players as requests search it. It is never changed.
type players struct {
	byID  map[int64]schemas.Player
	byKey []searched // sorted by name, then by id
}

// searched is a player, with the words of his name as they are compared.
type searched struct {
	schemas.Player
	words string // each word behind a space, without accents, in lower case
}

func newPlayers(listed []schemas.Player) *players {
	known := &players{byID: make(map[int64]schemas.Player, len(listed))}
	for _, p := range listed {
		known.byID[p.ID] = p
		known.byKey = append(known.byKey, searched{Player: p, words: " " + folded(p.Name)})
	}
	slices.SortFunc(known.byKey, func(x, y searched) int {
		return cmp.Or(cmp.Compare(x.words, y.words), cmp.Compare(x.ID, y.ID))
	})
	return known
}

// folded returns text as people type it: "José Ramírez" and "jose  ramirez" are the same.
func folded(text string) string {
	plain := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	if out, _, err := transform.String(plain, text); err == nil {
		text = out
	}
	return strings.Join(strings.Fields(strings.ToLower(text)), " ")
}

// ListedPlayer is a player of the list.
type ListedPlayer struct {
	ID   int64  `json:"id" doc:"As batter_id and pitcher_id elsewhere"`
	Name string `json:"name" doc:"His name"`
	Team string `json:"team,omitempty" doc:"His team; not there where it is not known"`
}

// FoundPlayers are a page of the players that a search finds.
type FoundPlayers struct {
	Players    []ListedPlayer `json:"players" doc:"By name; empty where none is found"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"To be given as cursor, with the same search, for the next page; not there on the last one"`
}

// Team is a team of the list.
type Team struct {
	Team    string `json:"team" doc:"As the list of players has it"`
	Players int64  `json:"players" doc:"How many players of the list are of it"`
}

// Teams are the teams of the list of players.
type Teams struct {
	Teams      []Team `json:"teams" doc:"By name; empty while no list is loaded"`
	NextCursor string `json:"next_cursor,omitempty" doc:"To be given as cursor for the next page; not there on the last one. It says nothing else, and stays good"`
}

type findPlayersIn struct {
	Query  string `query:"q" maxLength:"100" example:"ohta" doc:"Words of the name, or their beginnings, in any order and case; accents do not matter"`
	Team   string `query:"team" minLength:"1" maxLength:"100" example:"SEA" doc:"Only of this team"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most players of a page"`
	Cursor string `query:"cursor" maxLength:"20" pattern:"^(-?[0-9]{1,19})?$" doc:"The next_cursor of the page before, with the same search"`
}

// searchPlayers finds players by name. It reads the list in memory: players load changes it within some
// seconds.
func searchPlayers(_ context.Context, a *API, in *findPlayersIn) (body FoundPlayers, err error) {
	body.Players = []ListedPlayer{}
	known := a.names.known.Load()
	if known == nil {
		return body, nil
	}
	wanted := strings.Fields(folded(in.Query))
	rest, ok := known.from(in.Cursor)
	// guard: api: a search does not end in silence
	if !ok {
		return body, cursorGone("the list of players has changed, and its place is gone")
	}
	for _, p := range rest {
		// guard: api: a search finds players of the team that was asked for
		if in.Team != "" && p.Team != in.Team {
			continue
		}
		hasWord := func(word string) bool { return strings.Contains(p.words, " "+word) }
		if slices.ContainsFunc(wanted, func(word string) bool { return !hasWord(word) }) {
			continue
		}
		if len(body.Players) == in.Limit {
			body.NextCursor = strconv.FormatInt(body.Players[in.Limit-1].ID, 10)
			return body, nil
		}
		body.Players = append(body.Players, ListedPlayer{ID: p.ID, Name: p.Name, Team: p.Team})
	}
	return body, nil
}

// from returns the players behind the one with this id, all for "". If that one is gone since, it returns
// false.
func (k *players) from(cursor string) ([]searched, bool) {
	if cursor == "" {
		return k.byKey, true
	}
	id, _ := strconv.ParseInt(cursor, 10, 64)
	at := slices.IndexFunc(k.byKey, func(p searched) bool { return p.ID == id })
	if at < 0 {
		return nil, false
	}
	return k.byKey[at+1:], true
}

type teamsIn struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"500" doc:"The most teams of a page"`
	Cursor string `query:"cursor" maxLength:"1000" pattern:"^[A-Za-z0-9_-]*$" doc:"The next_cursor of the page before"`
}

// getTeams returns a page of teams. The cursor is the last one of the page before, in base64, so pages go on
// although that team is gone.
func getTeams(_ context.Context, a *API, in *teamsIn) (body Teams, err error) {
	last, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	if err != nil {
		return body, huma.Error422UnprocessableEntity("cursor: want a next_cursor of this API")
	}
	body.Teams = []Team{}
	counts := map[string]int64{}
	if known := a.names.known.Load(); known != nil {
		for _, p := range known.byKey {
			// guard: api: a page of teams begins behind the cursor | string(last) -> string(last[:0])
			if p.Team > string(last) {
				counts[p.Team]++
			}
		}
	}
	for team, n := range counts {
		body.Teams = append(body.Teams, Team{team, n})
	}
	slices.SortFunc(body.Teams, func(x, y Team) int { return cmp.Compare(x.Team, y.Team) })
	if len(body.Teams) > in.Limit {
		body.Teams = body.Teams[:in.Limit]
		body.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(body.Teams[in.Limit-1].Team))
	}
	return body, nil
}
