package simulate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheRulesHold umpires 60 games: what every pitch may find, and what it may leave behind.
func TestTheRulesHold(t *testing.T) {
	s, err := New(Options{Seed: 31, Games: 60})
	require.NoError(t, err)
	played := map[*game]int{}
	for g := s.nextGame(); g != nil; g = s.nextGame() {
		played[g]++
		before, half := *g, g.half
		p := g.throw()
		require.True(t, g.balls <= 3 && g.strikes <= 2 && g.outs <= 2, "%d-%d, %d outs", g.balls, g.strikes, g.outs)
		require.True(t, p.play.outs <= 3-g.outs)
		require.Equal(t, g.batting().batters[g.spot[half]].id, p.ids.BatterID.Value)
		if p.call == pickoff {
			require.NotZero(t, g.bases&(onFirst|onSecond))
		}
		g.play()
		requireProgress(t, &before, g, p)
	}
	assert.Len(t, played, 60)
	extra := 0
	for g, n := range played {
		requireFinished(t, g)
		assert.True(t, n > 180 && n < 700, "%d pitches", n)
		if g.inning > regulation {
			extra++
		}
	}
	assert.True(t, extra > 0 && extra < 20, "%d games with extra innings", extra)
}

// requireProgress checks one pitch's way from before to after.
func requireProgress(t *testing.T, before, after *game, p *pitch) {
	t.Helper()
	require.Greater(t, after.clock, before.clock)
	if after.half == before.half && after.inning == before.inning {
		require.GreaterOrEqual(t, after.outs, before.outs)
		if p.play.ends {
			require.Equal(t, [2]int{0, 0}, [2]int{after.balls, after.strikes})
			require.Equal(t, (before.spot[before.half]+1)%battersPerTeam, after.spot[after.half])
		} else {
			require.Equal(t, before.balls+p.play.balls, after.balls)
			require.Equal(t, before.strikes+p.play.strikes, after.strikes)
		}
	} else {
		require.Equal(t, [4]int{0, 0, 0}, [4]int{after.balls, after.strikes, after.outs})
	}
	runs, was := after.score(), before.score()
	require.LessOrEqual(t, runs[0]-was[0]+runs[1]-was[1], 4)
	runners := func(bases uint8) int { return int(bases&1 + bases>>1&1 + bases>>2&1) }
	require.LessOrEqual(t, runners(p.play.bases)+p.play.runs+p.play.outs, runners(before.bases)+1, "no runner comes from nowhere")
}

func requireFinished(t *testing.T, g *game) {
	t.Helper()
	runs := g.score()
	require.True(t, g.over)
	require.Len(t, g.line, g.inning)
	require.GreaterOrEqual(t, g.inning, regulation)
	require.True(t, runs[0] != runs[1] || g.inning == lastInning, "a tie in inning %d", g.inning)
}

func TestAdvance(t *testing.T) {
	for _, c := range []struct {
		name   string
		bases  uint8
		n      int
		after  uint8
		scored int
	}{
		{"single, bases empty", 0, 1, onFirst, 0},
		{"single, bases loaded", onFirst | onSecond | onThird, 1, onFirst | onSecond | onThird, 1},
		{"double, runner on second", onSecond, 2, onSecond, 1},
		{"double, runner on first", onFirst, 2, onSecond | onThird, 0},
		{"triple, bases loaded", 7, 3, onThird, 3},
		{"home run, bases loaded", 7, 4, 0, 4},
	} {
		after, scored := advance(c.bases, c.n)
		assert.Equal(t, c.after, after, c.name)
		assert.Equal(t, c.scored, scored, c.name)
	}
}

func TestWalk(t *testing.T) {
	for bases, want := range map[uint8]uint8{0: 1, onSecond: 3, onThird: 5, onFirst: 3, 3: 7, 5: 7} {
		after, runs := walk(bases)
		assert.Equal(t, want, after)
		assert.Zero(t, runs)
	}
	after, runs := walk(7)
	assert.Equal(t, uint8(7), after)
	assert.Equal(t, 1, runs)
}

func TestTheLeagueIsTheSeeds(t *testing.T) {
	assert.Equal(t, newLeague(9), newLeague(9))
	ids := map[int64]bool{}
	l := newLeague(9)
	for i := range l.teams {
		team := &l.teams[i]
		ids[team.id] = true
		for _, p := range team.batters {
			ids[p.id] = true
		}
		for _, p := range team.pitchers {
			ids[p.id] = true
		}
	}
	assert.Len(t, ids, teamsInLeague*(1+battersPerTeam+starters+relievers))
	for day := range 40 {
		playing := map[*team]bool{}
		for lane := range maxParallel {
			a, b := l.pair(lane, day)
			playing[a], playing[b] = true, true
		}
		assert.Len(t, playing, teamsInLeague, "no team twice on a day")
	}
}
