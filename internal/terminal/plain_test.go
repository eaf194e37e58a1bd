package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// guard: terminal: what a terminal obeys is escaped
func TestATerminalGetsNothingThatItObeys(t *testing.T) {
	for in, want := range map[string]string{
		"Slider, 94.5 mph":          "Slider, 94.5 mph",
		"Añejo ⚾ 東京\u00a0x":         "Añejo ⚾ 東京\u00a0x",
		"a\tb\n":                    "a\tb\n",
		"\x1b]0;title\a\x1b[2J":     `\x1b]0;title\a\x1b[2J`,
		"\u009b2J\u0085\u0090":      `\u009b2J\u0085\u0090`,
		"\x9b2J\xff":                `\x9b2J\xff`,
		"a\rb\b\v\f\x00\x7f":        `a\rb\b\v\f\x00\x7f`,
		"\u202egnp.exe\u2066\u200b": `\u202egnp.exe\u2066\u200b`,
		"\u2028\ufeff\U000e0041":    `\u2028\ufeff\U000e0041`,
		"\ufffd":                    "\ufffd",
	} {
		require.Equal(t, want, Text(in))
		var out bytes.Buffer
		n, err := fmt.Fprint(Plain(&out), in)
		require.NoError(t, err)
		require.Equal(t, len(in), n)
		require.Equal(t, want, out.String())
		require.Equal(t, want == in && in != "a\tb\n", IsText([]byte(in)), in)
		out.Reset()
		require.NoError(t, PrintJSON(&out, in))
		for _, r := range out.String()[:out.Len()-1] {
			require.True(t, unicode.IsGraphic(r), out.String())
		}
		var back string
		require.NoError(t, json.Unmarshal(out.Bytes(), &back))
		require.Equal(t, strings.ToValidUTF8(in, "\ufffd"), back)
	}
}

// guard: terminal: a text of a record makes no line of its own
func TestATextOfARecordMakesNoLineOfItsOwn(t *testing.T) {
	require.Equal(t, `Slider\nrejected     0\x1b`, OneLine("Slider\nrejected     0\x1b"))
	var out strings.Builder
	line := Lines(&out)
	line("pitch types", "%s %d", "A\nB", 5)
	require.Equal(t, "  pitch types  A\\nB 5\n", out.String())
}
