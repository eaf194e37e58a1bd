// Package simulate plays seeded games of baseball and reports every pitch as a tracking system would. The
// records have the JSON shape, member order and number style of real Hawk-Eye records. Bats and balls move by
// physics, results have the proportions of real games, and the sensors' faults occur at their real rates.
//
// The same Options give the same bytes, because nothing depends on time or scheduling. Only the last digits
// of positions may differ between processor architectures, because Go may fuse a multiplication and an
// addition.
//
// The steps of a record, and their files:
//
//	game.go    innings, outs, counts, bases, the batting order    next pitch, and its result
//	pitch.go   what the sensors measured                          types, speeds, results: figures.go
//	flight.go  the ball: drag, spin, bounces, throws              track.go samples it at 30 Hz
//	swing.go   the bat, sampled at 300 Hz
//	           core 1: batpath.go
//	           core 2: meeting.go at contact, turnpath.go its motion, cameras.go its track
//	encode.go  the record's JSON
//	truth.go   the row that the core should make of it, and what ball and bat did
//	stress.go  what a stream does to records: repeats, reorders, corrects, deletes, names late,
//	           breaks (poison.go)
//
// The constants come from 1,254 real pitches of four games, of which 628 have a tracked swing (Women in
// Sports Data 2024 hackathon, anonymised), and from twelve of their records. None of the data itself is in
// this package. The bats at contact have the league's figures of 2025. With Options.Core 1 they are as they
// were before, byte for byte.
package simulate
