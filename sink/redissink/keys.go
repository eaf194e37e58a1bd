package redissink

import (
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// keys names the keys under a prefix. All keys of one batter have the hash tag {<batter_id>}, so that one script may
// write them in a cluster.
type keys string

func (k keys) batter(id int64) string {
	return string(k) + "batter:{" + strconv.FormatInt(id, 10) + "}"
}

func (k keys) game(id int64, gamePK string) string { return k.batter(id) + ":game:" + gamePK }

// gone holds the tombstones of a batter: of himself and of his games, where no row stands.
func (k keys) gone(id int64) string { return string(k) + "gone:{" + strconv.FormatInt(id, 10) + "}" }

func (k keys) applied() string { return string(k) + "applied" }

// epoch holds the name of the data set, made at random when a sweep finds none: it goes when a server loses its data.
// The tag puts it on the node of applied, since one script reads both.
func (k keys) epoch() string { return string(k) + "epoch:{" + k.applied() + "}" }

// heartbeat holds what each processor says of itself.
func (k keys) heartbeat() string { return string(k) + "heartbeat" }

// work holds what each processor tells of its work: beside the heartbeats, which are read with every answer.
func (k keys) work() string { return string(k) + "work" }

// pattern is what SCAN takes for every key of every batter.
func (k keys) pattern() string { return k.below() + "batter:{*" }

// below is the prefix as the start of a pattern.
func (k keys) below() string {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`)
	// guard: what is removed from Redis is below the prefix | escape.Replace(string(k)) -> string(k)
	return escape.Replace(string(k))
}

// parse reads the key of a batter, or of a batter's game, whose name is not empty then.
func (k keys) parse(key string) (id int64, gamePK string, ok bool) {
	rest, ok := strings.CutPrefix(key, string(k)+"batter:{")
	if !ok {
		return 0, "", false
	}
	number, rest, ok := strings.Cut(rest, "}")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return 0, "", false
	}
	gamePK, ok = strings.CutPrefix(rest, ":game:")
	return id, gamePK, rest == "" || ok && gamePK != ""
}

// names reports the key of a batter, or of a batter's game, just as it is written here: {007} is nobody.
func (k keys) names(key string) bool {
	id, gamePK, ok := k.parse(key)
	return ok && (key == k.batter(id) || key == k.game(id, gamePK))
}

// positionField is the field of applied for a partition.
func positionField(p schemas.Position) string { return p.Topic + "/" + strconv.Itoa(int(p.Partition)) }
