package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A record in a test is a tree of these, so that it can be written in any style and order.
type (
	obj []member // members in order; names may repeat
	arr []any
	raw string // JSON as it is
)

type member struct {
	name  string
	value any
}

// style is how a tree is written.
type style struct {
	comma, colon string
	shuffle      *rand.Rand // where not nil: members in any order
}

var (
	asPython  = style{comma: ", ", colon: ": "} // what the real records look like
	asCompact = style{comma: ",", colon: ":"}
	asPretty  = style{comma: ",\n    ", colon: ":\t"}
)

func (s style) bytes(v any) []byte { return s.append(nil, v) }

func (s style) append(b []byte, v any) []byte {
	switch v := v.(type) {
	case obj:
		return s.appendObject(b, v)
	case arr:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, s.comma...)
			}
			b = s.append(b, e)
		}
		return append(b, ']')
	case raw:
		return append(b, v...)
	case string:
		return append(append(append(b, '"'), v...), '"') // as it stands between the quotes
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case nil:
		return append(b, "null"...)
	}
	return fmt.Append(b, v) // integers and booleans
}

func (s style) appendObject(b []byte, o obj) []byte {
	order := make([]int, len(o))
	for i := range order {
		order[i] = i
	}
	if s.shuffle != nil {
		s.shuffle.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	b = append(b, '{')
	for i, at := range order {
		if i > 0 {
			b = append(b, s.comma...)
		}
		b = append(append(append(append(b, '"'), o[at].name...), '"'), s.colon...)
		b = s.append(b, o[at].value)
	}
	return append(b, '}')
}

// set gives a copy of the tree with the value at a path (summary_acts.pitch.type, samples_bat.3.time)
// replaced, or added.
func (o obj) set(path string, v any) obj {
	name, rest, deep := strings.Cut(path, ".")
	out := append(obj(nil), o...)
	for i := range out {
		if out[i].name == name {
			if deep {
				v = setIn(out[i].value, rest, v)
			}
			out[i].value = v
			return out
		}
	}
	if deep {
		v = obj{}.set(rest, v)
	}
	return append(out, member{name, v})
}

func setIn(in any, path string, v any) any {
	switch in := in.(type) {
	case obj:
		return in.set(path, v)
	case arr:
		index, rest, deep := strings.Cut(path, ".")
		i, _ := strconv.Atoi(index)
		out := append(arr(nil), in...)
		if deep {
			v = setIn(in[i], rest, v)
		}
		out[i] = v
		return out
	}
	return obj{}.set(path, v)
}

// without gives a copy without a member of the top.
func (o obj) without(name string) (out obj) {
	for _, m := range o {
		if m.name != name {
			out = append(out, m)
		}
	}
	return out
}

const testEventID = "54e48da8-67a0-46a4-bf51-c75170a07411"

// take is a called pitch: no swing, no hit.
func take(r *rand.Rand) obj { return pitchRecord(r, 50, arr{obj{{"event", "No"}}}) }

// swingAndMiss is a swing without contact, tracked for 370 frames, of the size of real ones.
func swingAndMiss(r *rand.Rand) obj { return pitchRecord(r, 180, batSamples(r, 370)) }

func pitchRecord(r *rand.Rand, ballSamples int, bat arr) obj {
	return obj{
		{"units", obj{{"length", "foot"}, {"velocity", "mph"}, {"acceleration", "mph/s"}, {"angle", "degree"}}},
		{"summary_acts", obj{
			{"pitch", obj{
				{"eventId", testEventID}, {"type", "Sinker"}, {"result", "Strike"}, {"action", "Swinging"},
				{"speed", obj{{"mph", 93.0}, {"kph", 150.0}, {"mps", 42.0}}}, {"spin", obj{{"rpm", 2280}}},
			}},
			{"hit", obj{
				{"eventId", obj{}}, {"speed", obj{{"mph", nil}, {"kph", nil}, {"mps", nil}}}, {"spin", obj{{"rpm", nil}}},
			}},
			{"stroke", obj{{"type", obj{}}, {"attempt", obj{}}}},
		}},
		{"summary_score", obj{
			{"runs", obj{
				{"game", obj{{"team1", 2}, {"team2", 0}}},
				{"innings", arr{obj{{"team1", 0}, {"team2", 0}}, obj{{"team1", 2}, {"team2", 0}}}}, {"play", 0},
			}},
			{"outs", obj{{"inning", 2}, {"play", 0}}},
			{"count", obj{
				{"balls", obj{{"plateAppearance", 1}, {"play", 0}}}, {"strikes", obj{{"plateAppearance", 2}, {"play", 1}}},
			}},
		}},
		{"events", arr{}},
		{"samples_ball", ballTrackSamples(r, ballSamples)},
		{"samples_bat", bat},
	}
}

// battedEvent is an element of events.
func battedEvent() obj {
	return obj{
		{"start", obj{{"angle", arr{-21.807822055315874, 12.7485148273494545}}}}, {"type", "Hit"},
		{"teamId", obj{{"mlbId", 63813}}}, {"personId", obj{{"mlbId", 174158975}}}, {"eventId", testEventID},
	}
}

func ballTrackSamples(r *rand.Rand, n int) (samples arr) {
	noise := func() float64 { return r.NormFloat64() * 0.01 }
	for i := range n {
		t := 0.0206462 + float64(i)/30
		samples = append(samples, obj{
			{"time", round7(t)},
			{"pos", arr{-2.78 + 0.4*t + noise(), 51.3 - 130*t + noise(), 4.9 - 0.4*t + noise()}},
			{"vel", arr{6.4 + noise(), -92.5 + 20*t + noise(), -3.5 + noise()}},
			{"acc", arr{-12.653071666830447, 20.46099321585854, -9.619238016897617}},
		})
	}
	if n > 1 {
		// real tracks begin with the same sample, repeated
		samples = append(arr{samples[0], samples[0]}, samples...)
	}
	return samples
}

// batSamples is a bat that turns about a point, with the noise of a tracking system.
func batSamples(r *rand.Rand, n int) (samples arr) {
	noise := func() float64 { return r.NormFloat64() * 0.002 }
	for i := range n {
		t := -0.41 + float64(i)/300
		turn := 0.8 + 9*math.Exp(-40*t*t)*t
		s := obj{
			{"time", round7(t)},
			{"head", obj{{"pos", arr{
				-1.2 + 3.1*math.Cos(turn) + noise(), 0.4 + 3.1*math.Sin(turn) + noise(), 3.2 - 0.4*turn + noise(),
			}}}},
			{"handle", obj{{"pos", arr{
				-1.2 + 0.6*math.Cos(turn) + noise(), 0.4 + 0.6*math.Sin(turn) + noise(), 3.4 - 0.1*turn + noise(),
			}}}},
		}
		switch i {
		case 0:
			s = append(obj{{"event", "First"}}, s...)
		case n - 1:
			s = append(obj{{"event", "Last"}}, s...)
		}
		samples = append(samples, s)
	}
	return samples
}

func round7(v float64) float64 { return math.Round(v*1e7) / 1e7 }

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }
