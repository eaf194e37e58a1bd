package redissink

import (
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// keys builds the keys under a prefix. All keys of one batter have the hash tag {<batter_id>}, because one
// script writes them together, which a cluster allows only within one slot.
type keys string

func (k keys) batter(id int64) string {
	return string(k) + "batter:{" + strconv.FormatInt(id, 10) + "}"
}

func (k keys) game(id int64, gamePK string) string { return k.batter(id) + ":game:" + gamePK }

// of returns the key of a batter, or of a batter in a game.
func (k keys) of(b schemas.PlayerKey) string {
	if b.GamePK == "" {
		return k.batter(b.PlayerID)
	}
	return k.game(b.PlayerID, b.GamePK)
}

// gone holds the tombstones of a batter and of the batter's games: the versions at which they lost their last
// row.
func (k keys) gone(id int64) string { return string(k) + "gone:{" + strconv.FormatInt(id, 10) + "}" }

func (k keys) applied() string { return string(k) + "applied" }

// epoch holds the random name of the data set, which vanishes when a server loses its data. The hash tag puts
// it on the node of applied, because one script reads both.
func (k keys) epoch() string { return string(k) + "epoch:{" + k.applied() + "}" }

// heartbeat holds the heartbeat of each processor.
func (k keys) heartbeat() string { return string(k) + "heartbeat" }

// work holds the work of each processor. It is apart from the heartbeats, because those are read with every
// answer.
func (k keys) work() string { return string(k) + "work" }

// pointer holds which target readers see, as a processor last read it in Postgres. Only the prefix of live
// has one.
func (k keys) pointer() string { return string(k) + "pointer" }

// below returns the pattern for all keys that begin with the prefix and with start.
func (k keys) below(start string) string {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`)
	// guard: what is removed from Redis is below the prefix | escape.Replace(string(k)) -> escape.Replace("") + string(k)
	return escape.Replace(string(k)) + start + "*"
}

// parse reads the key of a batter, or of a batter in a game. gamePK is "" for the former.
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

// parseGone reads the key of a batter's tombstones.
func (k keys) parseGone(key string) (id int64, ok bool) {
	number, ok := strings.CutPrefix(key, string(k)+"gone:{")
	id, err := strconv.ParseInt(strings.TrimSuffix(number, "}"), 10, 64)
	return id, ok && err == nil
}

// positionField returns the field of applied for a partition.
func positionField(p schemas.Position) string { return p.Topic + "/" + strconv.Itoa(int(p.Partition)) }
