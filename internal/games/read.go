package games

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/schemas"
)

// Bounds of what is read. They are variables only so that tests can reach them.
var (
	maxFileBytes int64 = 64 << 20
	maxGames           = 200_000
)

const (
	maxTextBytes = 200
	maxPKBytes   = 64
	timeCode     = "20060102_150405" // of a feed, in UTC
)

// fields are the columns of a CSV file, and the members of a game in JSON.
var fields = []string{
	"game_pk", "game_date", "venue", "home_team", "away_team", "home_team_id", "away_team_id", "starts_at",
	"status",
}

// Read returns the games of a file, each once. The file may be packed. Read takes CSV with the columns of
// fields, JSON objects with these members, or the league's documents feed/live and schedule. Objects stand
// one after the other or in an array. now is the time of facts that have none of their own.
func Read(ctx context.Context, in io.Reader, now time.Time) ([]schemas.GameFacts, error) {
	const want = "CSV in UTF-8 or JSON, plain or with gzip or zstd"
	content, err := fileinput.Unpack(ctx, in, want, maxFileBytes)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	buffered := bufio.NewReader(content)
	head, _ := buffered.Peek(512)
	head = bytes.TrimLeft(head, " \t\r\n")
	list := &list{games: map[schemas.Text]schemas.GameFacts{}, now: schemas.TimeMS(now.UnixMilli())}
	if bytes.HasPrefix(head, []byte("{")) || bytes.HasPrefix(head, []byte("[")) {
		err = list.json(buffered)
	} else {
		err = list.csv(ctx, buffered)
	}
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(list.games), func(a, b schemas.GameFacts) int {
		return cmp.Compare(a.GamePK, b.GamePK)
	}), nil
}

// list collects games.
type list struct {
	games map[schemas.Text]schemas.GameFacts
	now   schemas.TimeMS
}

// add adds facts of a game. Those of the later time count, and of one time those that come later.
func (l *list) add(g schemas.GameFacts) error {
	if g.AsOf == 0 {
		g.AsOf = l.now
	}
	for _, t := range []schemas.Text{g.Venue, g.HomeTeam, g.AwayTeam, g.Status} {
		if len(t) > maxTextBytes || !utf8.ValidString(string(t)) || strings.ContainsRune(string(t), 0) {
			return fmt.Errorf("game %s: %.40q: want a name of at most %d bytes of UTF-8", g.GamePK, string(t),
				maxTextBytes)
		}
	}
	if g.GamePK == "" || len(g.GamePK) > maxPKBytes {
		return fmt.Errorf("a game_pk of %d bytes: want 1 to %d", len(g.GamePK), maxPKBytes)
	}
	if g.GameDate != "" {
		date, err := fileinput.ParseGameDate(string(g.GameDate))
		if err != nil {
			return fmt.Errorf("game %s: %w", g.GamePK, err)
		}
		g.GameDate = schemas.Text(date)
	}
	was, known := l.games[g.GamePK]
	// guard: games: the number of games is bounded | !known && len(l.games) == maxGames -> false
	if !known && len(l.games) == maxGames {
		return fmt.Errorf("more than %d games: split the file", maxGames)
	}
	if known {
		g = merge(was, g)
	}
	l.games[g.GamePK] = g
	return nil
}

// merge returns a game with the facts of another record of it, whose facts are all of one time. Each fact
// keeps its time, because another file may have one between them.
func merge(was, g schemas.GameFacts) schemas.GameFacts {
	m := merged{is: was, g: g, wasAsOf: was.AsOf, wasOf: was.FactsAsOf, times: map[string]schemas.TimeMS{}}
	m.is.AsOf = max(was.AsOf, g.AsOf)
	pick(&m, "game_date", &m.is.GameDate, g.GameDate)
	pick(&m, "venue", &m.is.Venue, g.Venue)
	pick(&m, "home_team", &m.is.HomeTeam, g.HomeTeam)
	pick(&m, "away_team", &m.is.AwayTeam, g.AwayTeam)
	pick(&m, "home_team_id", &m.is.HomeTeamID, g.HomeTeamID)
	pick(&m, "away_team_id", &m.is.AwayTeamID, g.AwayTeamID)
	pick(&m, "starts_at", &m.is.StartsAt, g.StartsAt)
	pick(&m, "status", &m.is.Status, g.Status)
	if m.is.FactsAsOf = nil; len(m.times) > 0 {
		m.is.FactsAsOf = m.times
	}
	return m.is
}

// merged is a game to which the facts of another record of it are added.
type merged struct {
	is, g   schemas.GameFacts
	wasAsOf schemas.TimeMS
	wasOf   map[string]schemas.TimeMS
	times   map[string]schemas.TimeMS // of the facts that are older than the game
}

// pick takes a fact into a game unless it is missing or older than the one that is there, and notes its time.
func pick[T comparable](m *merged, name string, is *T, other T) {
	var missing T
	at, isOlder := m.wasOf[name]
	if !isOlder {
		at = m.wasAsOf
	}
	if other != missing && (*is == missing || at <= m.g.AsOf) {
		*is, at = other, m.g.AsOf
	}
	// guard: games: within a file each fact keeps its time | *is != missing && at != m.is.AsOf -> false
	if *is != missing && at != m.is.AsOf {
		m.times[name] = at
	}
}

func (l *list) csv(ctx context.Context, in io.Reader) error {
	r, err := fileinput.NewTable(ctx, in, "game_pk", maxFileBytes)
	if err != nil {
		return err
	}
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("want a first line with %s: %w", strings.Join(fields, ","), err)
	}
	at := map[string]int{}
	for i, name := range head {
		at[strings.ToLower(strings.TrimSpace(name))] = i
	}
	if _, ok := at["game_pk"]; !ok {
		return fmt.Errorf("want a column game_pk, and some of %s", strings.Join(fields[1:], ", "))
	}
	for {
		line, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err // it names the line
		}
		err = l.fields(func(name string) string {
			i, ok := at[name]
			if !ok || fileinput.IsMissing(strings.TrimSpace(line[i])) {
				return ""
			}
			return strings.TrimSpace(line[i])
		})
		if err != nil {
			n, _ := r.FieldPos(0)
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}

// fields adds a game whose facts are texts.
func (l *list) fields(of func(name string) string) (err error) {
	g := schemas.GameFacts{
		GamePK: schemas.Text(of("game_pk")), GameDate: schemas.Text(of("game_date")),
		Venue: schemas.Text(of("venue")), HomeTeam: schemas.Text(of("home_team")),
		AwayTeam: schemas.Text(of("away_team")), Status: schemas.Text(of("status")),
	}
	pk, err := fileinput.ParseGamePK(string(g.GamePK))
	if err != nil {
		return err
	}
	g.GamePK = schemas.Text(pk)
	for name, into := range map[string]*schemas.Opt[int64]{
		"home_team_id": &g.HomeTeamID, "away_team_id": &g.AwayTeamID,
	} {
		if text := of(name); text != "" {
			n, err := fileinput.ParseIdentifier(text)
			if err != nil {
				return fmt.Errorf("game %s: %s %.40q: want a whole number", g.GamePK, name, text)
			}
			*into = schemas.Some(n)
		}
	}
	if text := of("starts_at"); text != "" {
		if g.StartsAt, err = startOf(text); err != nil {
			return fmt.Errorf("game %s: %w", g.GamePK, err)
		}
	}
	return l.add(g)
}

func startOf(text string) (at schemas.Opt[schemas.TimeMS], err error) {
	t, err := fileinput.ParseTime(text)
	if err != nil {
		return at, fmt.Errorf("starts_at %w", err)
	}
	return schemas.Some(schemas.TimeMS(t.UnixMilli())), nil
}

// document is one of the JSON values that are understood.
type document struct {
	GamePK   int64 `json:"gamePk"` // of a feed
	MetaData struct {
		TimeStamp string `json:"timeStamp"`
	} `json:"metaData"`
	GameData *struct {
		Datetime struct {
			DateTime     string `json:"dateTime"`
			OfficialDate string `json:"officialDate"`
		} `json:"datetime"`
		Teams struct {
			Away team `json:"away"`
			Home team `json:"home"`
		} `json:"teams"`
		Venue  named  `json:"venue"`
		Status status `json:"status"`
	} `json:"gameData"`
	Dates []struct { // of a schedule
		Games []struct {
			GamePK       int64  `json:"gamePk"`
			GameDate     string `json:"gameDate"` // when it begins
			OfficialDate string `json:"officialDate"`
			Teams        struct {
				Away struct {
					Team team `json:"team"`
				} `json:"away"`
				Home struct {
					Team team `json:"team"`
				} `json:"home"`
			} `json:"teams"`
			Venue  named  `json:"venue"`
			Status status `json:"status"`
		} `json:"games"`
	} `json:"dates"`
}

type named struct {
	Name string `json:"name"`
}

type status struct {
	State string `json:"detailedState"`
}

type team struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func (l *list) json(in io.Reader) error {
	for d, n := json.NewDecoder(in), 1; ; n++ {
		var value json.RawMessage
		err := d.Decode(&value)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = l.value(value)
		}
		if err != nil {
			return fmt.Errorf("value %d: %w", n, err)
		}
	}
}

func (l *list) value(value json.RawMessage) error {
	if value[0] == '[' {
		var all []json.RawMessage
		if err := json.Unmarshal(value, &all); err != nil {
			return err
		}
		for _, one := range all {
			if err := l.value(one); err != nil {
				return err
			}
		}
		return nil
	}
	var d document
	if err := json.Unmarshal(value, &d); err != nil {
		return err
	}
	switch {
	case d.GameData != nil:
		return l.feed(&d)
	case d.Dates != nil:
		for _, date := range d.Dates {
			for _, g := range date.Games {
				err := l.facts(g.GamePK, 0, g.OfficialDate, g.GameDate, g.Venue, g.Teams.Home.Team,
					g.Teams.Away.Team, g.Status)
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
	return l.object(value)
}

func (l *list) feed(d *document) error {
	at, err := time.Parse(timeCode, d.MetaData.TimeStamp)
	if err != nil || at.UnixMilli() <= 0 {
		return fmt.Errorf("metaData.timeStamp %.40q: want a time code as 20250928_190500, "+
			"which says which of two feeds is newer", d.MetaData.TimeStamp)
	}
	g := d.GameData
	asOf := schemas.TimeMS(at.UnixMilli())
	return l.facts(d.GamePK, asOf, g.Datetime.OfficialDate, g.Datetime.DateTime, g.Venue, g.Teams.Home,
		g.Teams.Away, g.Status)
}

func (l *list) facts(
	pk int64, asOf schemas.TimeMS, date, start string, venue named, home, away team, status status,
) error {
	if pk <= 0 {
		return errors.New("a game has no gamePk")
	}
	g := schemas.GameFacts{
		GamePK: schemas.Text(strconv.FormatInt(pk, 10)), GameDate: schemas.Text(date),
		Venue: schemas.Text(venue.Name), HomeTeam: schemas.Text(home.Name), AwayTeam: schemas.Text(away.Name),
		HomeTeamID: present(home.ID), AwayTeamID: present(away.ID), AsOf: asOf,
		Status: schemas.Text(status.State),
	}
	g.StartsAt, _ = startOf(start) // a game may have none yet
	return l.add(g)
}

func present(id int64) schemas.Opt[int64] {
	if id <= 0 {
		return schemas.Opt[int64]{}
	}
	return schemas.Some(id)
}

// object adds a game whose members are fields.
func (l *list) object(value json.RawMessage) error {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return fmt.Errorf("want objects with game_pk, a game feed or a schedule: %w", err)
	}
	if _, ok := members["game_pk"]; !ok {
		return errors.New("want objects with game_pk, a game feed (feed/live) or a schedule")
	}
	return l.fields(func(name string) string {
		switch v := members[name].(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
		return ""
	})
}
