package redissink

import (
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// keys builds the keys under a prefix. All keys of one player have the hash tag {<player_id>}, because one
// script writes them together, which a cluster allows only within one slot.
type keys string

// of returns the key of a player, or of a player in a game.
func (k keys) of(p schemas.PlayerKey) string {
	key := string(k) + playersOf(p.Side) + strconv.FormatInt(p.PlayerID, 10) + "}"
	if p.GamePK != "" {
		key += ":game:" + p.GamePK
	}
	return key
}

// playersOf returns how the keys of a side's players begin, behind the prefix.
func playersOf(side schemas.Side) string { return side.String() + ":{" }

// goneOf returns how the keys of a side's tombstones begin, behind the prefix.
func goneOf(side schemas.Side) string {
	if side == schemas.Pitcher {
		return "gone:pitcher:{"
	}
	return "gone:{"
}

// gone holds the tombstones of a player and of the player's games: the versions at which they lost their last
// row.
func (k keys) gone(side schemas.Side, id int64) string {
	return string(k) + goneOf(side) + strconv.FormatInt(id, 10) + "}"
}

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

// parse reads the key of a player of a side, or of a player in a game.
func (k keys) parse(side schemas.Side, key string) (of schemas.PlayerKey, ok bool) {
	rest, ok := strings.CutPrefix(key, string(k)+playersOf(side))
	if !ok {
		return of, false
	}
	number, rest, ok := strings.Cut(rest, "}")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return of, false
	}
	gamePK, ok := strings.CutPrefix(rest, ":game:")
	of = schemas.PlayerKey{Side: side, PlayerID: id, GamePK: gamePK}
	if rest == "" {
		of.GamePK = ""
		return of, true
	}
	return of, ok && gamePK != ""
}

// parseGone reads the key of the tombstones of a side's player.
func (k keys) parseGone(side schemas.Side, key string) (id int64, ok bool) {
	number, ok := strings.CutPrefix(key, string(k)+goneOf(side))
	id, err := strconv.ParseInt(strings.TrimSuffix(number, "}"), 10, 64)
	return id, ok && err == nil
}

// positionField returns the field of applied for a partition.
func positionField(p schemas.Position) string { return p.Topic + "/" + strconv.Itoa(int(p.Partition)) }
