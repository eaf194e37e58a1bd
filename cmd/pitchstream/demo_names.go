package main

import (
	"context"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// Tracking records know batters by ids only. People remember names, so the demo makes them up.

// addDemoNames gives the API the names of all who play.
func addDemoNames(ctx context.Context, pg config.Postgres, league []simulate.Player) error {
	store, err := openStore(pg, "", nil)
	if err != nil {
		return err
	}
	defer store.Close()
	players := make([]schemas.Player, len(league))
	for i, p := range league {
		players[i] = schemas.Player{ID: p.ID, Name: demoName(p.ID), Team: demoTeams[p.Team%len(demoTeams)]}
	}
	_, err = store.SetPlayers(ctx, players)
	return err
}

var demoTeams = []string{
	"Bears", "Bison", "Colts", "Comets", "Cranes", "Eagles", "Falcons", "Foxes", "Giants", "Grizzlies", "Hawks", "Herons", "Hornets",
	"Jays", "Kings", "Lions", "Lynx", "Mariners", "Moose", "Otters", "Owls", "Pilots", "Ravens", "Rockets", "Sharks", "Stags", "Swans",
	"Terns", "Tigers", "Wolves",
}

var demoSurnames = []string{
	"Abbott", "Alvarez", "Baker", "Bianchi", "Castillo", "Chen", "Cruz", "Dalton", "Diaz", "Ellis", "Endo", "Fischer",
	"Flores", "Garcia", "Grant", "Hayes", "Herrera", "Ito", "Jansen", "Jimenez", "Kim", "Kowalski", "Lindqvist", "Lopez",
	"Marsh", "Medina", "Mori", "Nakamura", "Navarro", "Novak", "Okafor", "Ortega", "Park", "Peralta", "Quinn", "Ramos",
	"Reyes", "Rossi", "Santos", "Sato", "Silva", "Tanaka", "Torres", "Ueda", "Vargas", "Walsh", "Yoshida",
}

// demoName makes up a name, always the same for an id. The simulator counts batters up by one within a team and teams by a
// thousand: those of one league get names of their own.
func demoName(id int64) string {
	n := uint64(id/1000*9 + id%1000)
	surnames := uint64(len(demoSurnames))
	initial := 'A' + rune((n%surnames*7+n/surnames*5)%26)
	return string(initial) + ". " + demoSurnames[n%surnames]
}
