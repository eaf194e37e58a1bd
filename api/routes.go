package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

func routes(a *API) (http.Handler, error) {
	mux := http.NewServeMux()
	a.mux, a.streams = mux, map[string]bool{}
	doc := newDocument(a.cfg, mux)
	a.document = doc.OpenAPI()
	register(a, doc, "get-batter", "/v1/batters/{id}", "One batter over all games", getBatter)
	register(a, doc, "get-batter-game", "/v1/batters/{id}/games/{game}", "One batter in one game", getBatterGame)
	register(a, doc, "get-batters", "/v1/batters", "Several batters over all games", getBatters)
	register(a, doc, "get-pitcher", "/v1/pitchers/{id}", "One pitcher over all games", getPitcher)
	register(a, doc, "get-pitcher-game", "/v1/pitchers/{id}/games/{game}",
		"One pitcher in one game", getPitcherGame)
	register(a, doc, "get-pitcher-games", "/v1/pitchers/{id}/games",
		"A pitcher's games, the newest first", getPitcherGames)
	register(a, doc, "get-pitchers", "/v1/pitchers", "Several pitchers over all games", getPitchers)
	register(a, doc, "get-games", "/v1/games", "The games of the newest pitches", getGames)
	register(a, doc, "get-game", "/v1/games/{game}", "One game: its batters and last pitches", getGame)
	register(a, doc, "get-game-pitches", "/v1/games/{game}/pitches",
		"A game's pitches, the newest first", getGamePitches)
	register(a, doc, "get-leaders", "/v1/leaders", "Who leads in a value", getLeaders)
	register(a, doc, "get-pitcher-leaders", "/v1/leaders/pitchers",
		"Which pitchers lead in a value", getPitcherLeaders)
	register(a, doc, "find-players", "/v1/players", "Players by name", searchPlayers)
	register(a, doc, "get-teams", "/v1/teams", "The teams of the list of players", getTeams)
	register(a, doc, "get-pitcher-pitches", "/v1/pitchers/{id}/pitches",
		"A pitcher's pitches, the newest first", getPitcherPitches)
	register(a, doc, "get-batter-pitches", "/v1/batters/{id}/pitches",
		"A batter's pitches, the newest first", getBatterPitches)
	register(a, doc, "get-batter-splits", "/v1/batters/{id}/splits",
		"A batter by season, date, game and more, or over his last pitches", getBatterSplits)
	register(a, doc, "get-pitcher-splits", "/v1/pitchers/{id}/splits",
		"A pitcher by season, date, game and more, or over his last pitches", getPitcherSplits)
	register(a, doc, "find-pitches", "/v1/pitches", "Pitches chosen by filters, the newest first", findPitches)
	register(a, doc, "get-pitch", "/v1/pitches/{id}", "One pitch: its row, and where it comes from", getPitch)
	register(a, doc, "get-batter-swings", "/v1/batters/{id}/swings",
		"A batter's last swings, the newest first", getBatterSwings)
	register(a, doc, "get-swings", "/v1/swings", "The last swings of several batters", getSwings)
	register(a, doc, "get-swing", "/v1/pitches/{id}/swing",
		"A swing to be drawn: the ways of bat and ball", getSwing)
	register(a, doc, "get-letters", "/v1/letters",
		"Dead letters, grouped by what is wrong with them", getLetters)
	register(a, doc, "get-letter", "/v1/letters/{partition}/{offset}",
		"One dead letter, with the place of its fault", getLetter)
	register(a, doc, "get-stream", "/v1/stream", "The stream in one glance", getStream)
	register(a, doc, "get-quality", "/v1/quality", "Whether a day's data is what it should be", getQuality)
	register(a, doc, "get-batter-drift", "/v1/batters/{id}/drift",
		"What changed in a batter's swing", getBatterDrift)
	register(a, doc, "get-pitcher-drift", "/v1/pitchers/{id}/drift",
		"What changed in a pitcher's arm", getPitcherDrift)
	register(a, doc, "get-pitch-scores", "/v1/pitches/{id}/scores",
		"What live models say about a pitch", getPitchScores)
	register(a, doc, "get-batter-archetypes", "/v1/batters/{id}/archetypes",
		"Which groups a batter's swings belong to", getBatterArchetypes)
	register(a, doc, "get-recommendations", "/v1/recommendations",
		"Which pitch to throw to a batter in a count", getRecommendations)
	stream[Batter](a, doc, "stream-batter", "/v1/batters/{id}/stream", "A batter's states as they change",
		func(in *batterStreamIn) following {
			return following{topicKey{player: schemas.PlayerKey{PlayerID: in.ID}}, in.LastEventID, in.Deltas}
		})
	stream[Pitcher](a, doc, "stream-pitcher", "/v1/pitchers/{id}/stream", "A pitcher's states as they change",
		func(in *pitcherStreamIn) following {
			return following{topicKey{player: pitcherKey(in.ID, "")}, in.LastEventID, in.Deltas}
		})
	stream[Game](a, doc, "stream-game", "/v1/games/{game}/stream", "A game's states as they change",
		func(in *gameStreamIn) following {
			return following{topicKey{game: in.Game}, in.LastEventID, in.Deltas}
		})
	stream[BatterDrift](a, doc, "stream-batter-drift", "/v1/batters/{id}/drift/stream",
		"What changed in a batter's swing, as it changes", func(in *batterDriftStreamIn) following {
			player := schemas.PlayerKey{PlayerID: in.ID}
			return following{topicKey{player: player, drift: true}, in.LastEventID, false}
		})
	stream[PitcherDrift](a, doc, "stream-pitcher-drift", "/v1/pitchers/{id}/drift/stream",
		"What changed in a pitcher's arm, as it changes", func(in *pitcherDriftStreamIn) following {
			return following{topicKey{player: pitcherKey(in.ID, ""), drift: true}, in.LastEventID, false}
		})
	stream[Stream](a, doc, "stream-stream", "/v1/stream/events", "The stream in one glance, as it changes",
		func(in *Resuming) following { return following{topicKey{overview: true}, in.LastEventID, false} })
	registerChanges(a, doc)
	if err := describe(doc); err != nil {
		return nil, err
	}
	registerDocs(mux)
	registerSchemas(mux)
	if a.cfg.Pages != nil {
		mux.Handle("GET /{$}", a.cfg.Pages)
		mux.Handle("GET /assets/", a.cfg.Pages)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			const status = http.StatusMethodNotAllowed
			refuse(w, status, problemTypes[status], "this API is for reading: GET")
			return
		}
		refuse(w, http.StatusNotFound, problemNotFound, "there is no such path: see /docs")
	})
	return wrap(a, withPattern(mux)), nil
}

func schemaOf[T any](api huma.API) *huma.Schema {
	return api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}
