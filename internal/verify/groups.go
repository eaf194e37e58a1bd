package verify

import (
	"maps"
	"slices"
	"strconv"
)

// topicGroups counts the standing pitches of the topic by game and by batter.
func (v *comparison) topicGroups() (games, batters map[string]*Group) {
	games, batters = map[string]*Group{}, map[string]*Group{}
	for id := range v.pitches.measured {
		batter, game, stands := v.pitches.of(id)
		if !stands {
			continue
		}
		v.report.Topic++
		count(games, game, func(g *Group) { g.Topic++ })
		if batter.Present {
			count(batters, strconv.FormatInt(batter.Value, 10), func(g *Group) { g.Topic++ })
		}
	}
	return games, batters
}

func count(groups map[string]*Group, name string, add func(*Group)) {
	g := groups[name]
	if g == nil {
		g = &Group{Name: name}
		groups[name] = g
	}
	add(g)
}

func differing(groups map[string]*Group) (out []Group) {
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if g := groups[name]; g.Differ > 0 {
			out = append(out, *g)
		}
	}
	return out
}
