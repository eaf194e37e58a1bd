package tidy

import (
	"fmt"
	"slices"
	"strings"
)

// Module is this project's import path.
const Module = "github.com/pitchstream/pitchstream"

// room is a folder and what is below it. Among themselves its packages may import each other.
type room struct {
	path    string
	inside  []string // rooms that it may import, with what is below them; "*": all
	outside []string // modules beyond the standard library that it may import; "*": all but the drivers
	drivers []string // of the drivers, those that it may import
}

// The clients of the three servers: who imports one can talk to it.
const (
	kafka    = "github.com/twmb/franz-go"
	postgres = "github.com/jackc/pgx"
	redis    = "github.com/redis/go-redis"
)

var (
	drivers = []string{kafka, postgres, redis}
	all     = []string{"*"}
)

// rooms are the arrows: schemas ← features ← consumer, schemas ← sink/*, schemas ← api. They meet in the
// engines below internal and in cmd.
var rooms = []room{
	{path: "schemas"},
	{path: "features", inside: []string{"schemas"}, outside: []string{"github.com/google/uuid"}},
	{path: "consumer", inside: []string{"schemas", "features", "internal/kafkaread"}, outside: all, drivers: []string{kafka}},
	{path: "sink/pgsink", inside: []string{"schemas"}, outside: all, drivers: []string{postgres}},
	{path: "sink/redissink", inside: []string{"schemas", "internal/redisurl"}, outside: all, drivers: []string{redis}},
	{path: "sink/kafkasink", inside: []string{"schemas", "features", "internal/kafkaread"}, outside: all, drivers: []string{kafka}},
	{path: "sink/memsink", inside: []string{"schemas", "features"}, outside: all},
	{path: "sink/sinktest", inside: []string{"schemas", "features", "sink/memsink", "internal/testkit"}, outside: all, drivers: drivers},
	{path: "api", inside: []string{"schemas", "web"}, outside: all},
	{path: "web", inside: []string{"schemas"}, outside: all},
	{path: "deploy/prometheus", outside: all},
	{path: "simulate", inside: []string{"schemas"}, outside: all},
	{path: "internal/testkit/vectors", inside: []string{"schemas", "features", "internal/testkit"}, outside: all},
	{
		path: "internal/verify", inside: []string{"schemas", "features", "sink", "internal/archive", "internal/kafkaread", "internal/deadletter", "internal/lifecycle", "internal/schemaregistry", "internal/terminal"},
		outside: all, drivers: []string{kafka},
	},
	{path: "internal/schemaregistry", inside: []string{"schemas", "features"}, outside: all, drivers: []string{kafka}},
	{path: "internal/deadletter", inside: []string{"schemas", "features", "internal/archive", "internal/kafkaread", "internal/schemaregistry", "internal/terminal", "sink/kafkasink"}, outside: all, drivers: []string{kafka}},
	{path: "internal/qualityrun", inside: []string{"schemas", "internal/quality", "internal/terminal", "sink/pgsink"}, outside: all},
	{path: "internal/memberprofile", inside: []string{"schemas", "features"}},
	{path: "internal/scoring", inside: []string{"schemas"}, outside: all},
	{path: "internal/recommend", inside: []string{"schemas"}},
	{path: "internal/drift", inside: []string{"schemas"}},
	{path: "internal/models", inside: []string{"schemas", "sink/pgsink", "internal/replay", "internal/scoring", "internal/terminal"}, outside: all},
	{path: "internal/deletion", inside: []string{"schemas", "internal/fileinput", "internal/terminal", "sink/pgsink"}, outside: all, drivers: []string{kafka}},
	{path: "internal/games", inside: []string{"schemas", "internal/fileinput", "internal/lineage", "internal/terminal", "sink/pgsink"}, outside: all},
	{path: "internal/players", inside: []string{"schemas", "internal/fileinput", "sink/pgsink"}, outside: all},
	{path: "internal/compare", inside: []string{"schemas", "internal/fileinput", "internal/identify"}, outside: all},
	{
		path: "internal/identify", inside: []string{"schemas", "features", "internal/fileinput", "internal/kafkaread", "internal/lifecycle", "internal/terminal", "sink/pgsink"},
		outside: all, drivers: []string{kafka},
	},
	{path: "internal/doctor", inside: []string{"schemas", "sink"}, outside: all, drivers: drivers},
	{path: "internal/explain", inside: []string{"schemas", "features", "internal/archive", "internal/kafkaread", "sink", "internal/deadletter", "internal/schemaregistry", "internal/terminal"}, outside: all, drivers: []string{kafka}},
	{path: "internal/kafkaread", inside: []string{"schemas"}, outside: all, drivers: []string{kafka}},
	{path: "internal/demo", inside: []string{"schemas", "simulate", "sink", "internal"}, outside: all, drivers: drivers},
	{path: "internal/bench", inside: []string{"schemas", "features", "consumer", "simulate", "sink", "internal"},
		outside: all, drivers: drivers},
	{path: "internal/processor", inside: []string{"schemas", "features", "consumer", "sink", "internal"}, outside: all, drivers: drivers},
	{path: "internal/server", inside: []string{"schemas", "features", "api", "web", "sink", "internal"}, outside: all, drivers: drivers},
	{path: "internal/fileinput", inside: []string{"schemas", "features", "internal"}, outside: all},
	{path: "internal/fileprocess", inside: []string{"schemas", "features", "internal"}, outside: all},
	{path: "internal/export", inside: []string{"schemas", "features", "internal", "sink/pgsink"}, outside: all},
	{
		path: "internal/load", inside: []string{"schemas", "features", "internal", "sink/kafkasink"},
		outside: all, drivers: []string{kafka},
	},
	{
		path: "internal/simulation", inside: []string{"schemas", "simulate", "internal/terminal", "sink/kafkasink"},
		outside: all, drivers: []string{kafka},
	},
	{path: "internal", inside: []string{"schemas", "internal"}, outside: all, drivers: drivers},
	{path: "cmd", inside: all, outside: all, drivers: drivers},
	{path: "test", inside: all, outside: all, drivers: drivers},
	{path: ".", inside: all, outside: all, drivers: drivers}, // the tests of the README
	{
		path:    "internal/target",
		inside:  []string{"schemas", "sink", "internal/config", "internal/qualityrun", "internal/terminal"},
		outside: all, drivers: []string{kafka},
	},
	{
		path: "internal/backfill", inside: []string{"schemas", "sink", "internal"},
		outside: all, drivers: []string{kafka},
	},
	{
		path: "internal/replay", inside: []string{"schemas", "consumer", "sink", "internal"},
		outside: all, drivers: []string{kafka},
	},
}

// inTests are the rooms that every room's tests may import too: real servers, twins, made-up games. Not those
// above: a test that needs the whole is in test/.
var inTests = []string{"schemas", "features", "simulate", "sink", "internal"}

// onlyFor are the rooms that hold for tests alone, and the exceptions.
var onlyFor = map[string][]string{
	"internal/testkit": {"sink/sinktest", "test/internal"},
	"internal/tidy":    nil,
	"internal/localpg": {"internal/demo", "internal/bench", "internal/testkit"}, // the demo has its own Postgres
	"sink/sinktest":    nil,
}

// Arrows are the imports that the table forbids.
func Arrows(files []*File) (broken []string) {
	for _, f := range files {
		r := roomOf(f.Dir)
		if r == nil {
			broken = append(broken, fmt.Sprintf("%s:1: the folder %s is in no room of internal/tidy's table", f.Path, f.Dir))
			continue
		}
		for _, i := range f.Imports {
			if why := r.forbids(f, i.Path); why != "" && !f.excused(i.Line) {
				broken = append(broken, fmt.Sprintf("%s:%d: imports %s: %s", f.Path, i.Line, i.Path, why))
			}
		}
	}
	return broken
}

// forbids says why a file of the room may not import path; empty when it may.
func (r *room) forbids(f *File, path string) string {
	if inside, ok := strings.CutPrefix(path, Module+"/"); ok {
		return r.forbidsInside(f, inside)
	}
	first, _, _ := strings.Cut(path, "/")
	if !strings.Contains(first, ".") || f.Test {
		return "" // the standard library; and tests may use what they like
	}
	isOf := func(module string) bool { return within(path, module) }
	if slices.ContainsFunc(drivers, isOf) {
		if !slices.ContainsFunc(r.drivers, isOf) {
			return r.path + " talks to no such server"
		}
		return ""
	}
	if !slices.Contains(r.outside, "*") && !slices.ContainsFunc(r.outside, isOf) {
		return r.path + " may import the standard library" + and(r.outside)
	}
	return ""
}

func (r *room) forbidsInside(f *File, path string) string {
	for guarded, users := range onlyFor {
		mayUse := func(u string) bool { return within(f.Dir, u) }
		if within(path, guarded) && !f.Test && !within(f.Dir, guarded) && !slices.ContainsFunc(users, mayUse) {
			return guarded + " is for tests" + and(users)
		}
	}
	allowed := append([]string{r.path}, r.inside...)
	if f.Test {
		allowed = append(allowed, inTests...)
	}
	if slices.Contains(allowed, "*") || slices.ContainsFunc(allowed, func(a string) bool { return within(path, a) }) {
		return ""
	}
	return r.path + " may import of this project nothing" + strings.Replace(and(r.inside), " and ", " but ", 1)
}

// roomOf is the innermost room of a folder; nil: none.
func roomOf(dir string) (best *room) {
	for i, r := range rooms {
		if (within(dir, r.path) && r.path != "." || dir == r.path) && (best == nil || len(r.path) > len(best.path)) {
			best = &rooms[i]
		}
	}
	return best
}

// within reports whether a slash-separated path is base or below it.
func within(path, base string) bool {
	return path == base || strings.HasPrefix(path, base+"/")
}

func and(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " and " + strings.Join(words, ", ")
}
