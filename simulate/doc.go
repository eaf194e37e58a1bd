// Package simulate plays seeded games of baseball and reports every pitch as a tracking system would: the same JSON
// shape, member order and number style as real Hawk-Eye records, bats and balls that move by physics, results in the
// proportions of real games, and the sensors' real faults at their real rates.
//
// The same Options give the same bytes, whatever the machine is doing. Go may fuse a multiplication and an addition on
// some processors, so that the last digits of positions may differ between architectures (never between runs on one).
//
// How a record comes about, and where:
//
//	game.go    innings, outs, counts, bases, the order at bat     which pitch is thrown next, and what comes of it
//	pitch.go   what the sensors measured of it                    types, speeds, results: figures in figures.go
//	flight.go  the ball: drag, spin, bounces, throws              track.go samples it at 30 Hz
//	swing.go   the bat: hands and a turning bat, at 300 Hz
//	encode.go  the record's JSON
//	truth.go   the row that the core should make of it
//	stress.go  what a stream does to records: repeats, reorders, corrects, deletes, names late, breaks (poison.go)
//
// The figures come from 1,254 real pitches of four games, of which 628 have a tracked swing (Women in Sports Data 2024
// hackathon, anonymised), and from twelve of their records. Only figures are here, none of the data.
package simulate
