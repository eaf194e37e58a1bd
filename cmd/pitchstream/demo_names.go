package main

// Tracking records know batters by ids only. People remember names, so the demo makes them up.

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
