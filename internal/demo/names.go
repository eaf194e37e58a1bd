package demo

import (
	"context"

	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// addNames stores a name and a team for every player, because tracking records have ids only. The names are
// made up.
func addNames(ctx context.Context, settings *processor.Options, league []simulate.Player) error {
	store, err := settings.OpenStore()
	if err != nil {
		return err
	}
	defer store.Close()
	players := schemas.Map(league, func(p simulate.Player) schemas.Player {
		return schemas.Player{ID: p.ID, Name: playerName(p.ID), Team: teams[p.Team%len(teams)]}
	})
	_, err = pgbooks.NewPlayers(store.DB()).Set(ctx, players)
	return err
}

var teams = []string{
	"Bears", "Bison", "Colts", "Comets", "Cranes", "Eagles", "Falcons", "Foxes", "Giants", "Grizzlies",
	"Hawks", "Herons", "Hornets", "Jays", "Kings", "Lions", "Lynx", "Mariners", "Moose", "Otters", "Owls",
	"Pilots", "Ravens", "Rockets", "Sharks", "Stags", "Swans", "Terns", "Tigers", "Wolves",
}

var surnames = []string{
	"Abbott", "Alvarez", "Baker", "Bianchi", "Castillo", "Chen", "Cruz", "Dalton", "Diaz", "Ellis", "Endo",
	"Fischer", "Flores", "Garcia", "Grant", "Hayes", "Herrera", "Ito", "Jansen", "Jimenez", "Kim",
	"Kowalski", "Lindqvist", "Lopez", "Marsh", "Medina", "Mori", "Nakamura", "Navarro", "Novak", "Okafor",
	"Ortega", "Park", "Peralta", "Quinn", "Ramos", "Reyes", "Rossi", "Santos", "Sato", "Silva", "Tanaka",
	"Torres", "Ueda", "Vargas", "Walsh", "Yoshida",
}

// playerName makes up a name, always the same one for an id. In one league no two names are equal, because
// the simulator numbers players by one within a team and teams by a thousand.
func playerName(id int64) string {
	n := uint64(id/1000*9 + id%1000)
	count := uint64(len(surnames))
	initial := 'A' + rune((n%count*7+n/count*5)%26)
	return string(initial) + ". " + surnames[n%count]
}
