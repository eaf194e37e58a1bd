package tidy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWordsThatTheGlossaryReplacesAreFound(t *testing.T) {
	for text, say := range map[string]string{
		"Read what stands in the store.":         "current",
		"It is mended by the sweep.":             "repair",
		"Redis is away.":                         "unavailable",
		"A batch that comes again is harmless.":  "is redelivered",
		"The caller is told.":                    "report, return",
		"Send the letters.":                      "dead letter",
		"Whoever reads it waits.":                "name who it is",
		"Send the dead letters.":                 "",
		"A dead-letter topic, in lower letters.": "",
		"It walks away from the plate.":          "",
	} {
		broken := Words([]comment{{file: "a.go", line: 3, text: text}})
		if say == "" {
			require.Empty(t, broken, text)
			continue
		}
		require.Len(t, broken, 1, text)
		require.Contains(t, broken[0], say, text)
		require.Contains(t, broken[0], "a.go:3: ")
	}
}

func TestANameMayBeAWordThatTheGlossaryReplaces(t *testing.T) {
	files := goFiles(t, map[string]string{
		"a/a.go": "package a\n\n// Letters reads.\ntype Letters interface {\n\t// Letter returns one.\n\tLetter()\n}\n",
		"a/b.go": "package a\n\n// Letters are many letters.\ntype Letters int\n\n// Letters come.\nvar x = 1\n",
	})
	require.Equal(t, []string{
		`a/b.go:3: "letters": say dead letter`,
		`a/b.go:6: "Letters": say dead letter`,
	}, Words(goComments(files)))
}

func TestLongAndBackwardSentencesAreFound(t *testing.T) {
	find := func(text string) []string { return Sentences([]comment{{file: "a.go", line: 1, text: text}}) }
	long := strings.Repeat("word ", maxSentence)
	require.Empty(t, find(long+"."))
	require.Len(t, find("one "+long+"."), 1)
	require.Empty(t, find(long+". "+long+"."), "two sentences")
	require.Empty(t, find(long+"\n\n"+long), "two paragraphs")
	require.Empty(t, find("See:\n\n\tone "+long), "preformatted")
	require.Len(t, find("Apply writes. What is written stays."), 1)
	require.Len(t, find("Of the rows, the first."), 1)
	require.Empty(t, find("Apply writes what is new."))
}

func TestLongLinesAreFound(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	files := goFiles(t, map[string]string{
		"a/a.go":      "package a\n\nvar " + long + " = 1\n",
		"a/raw.go":    "package a\n\nvar x = `\n" + long + long + "\n`\n",
		"a/tag.go":    "package a\n\ntype t struct {\n\tA int `help:\"" + long + "\"`\n}\n",
		"a/mark.go":   "package a\n\n// guard: " + long + "\nvar y = 1\n",
		"a/a_test.go": "package a\n\nvar z = \"" + long + "\"\n",
	})
	require.Equal(t, []string{"a/a.go:3: 118 characters, not 110"}, LongLines(files))
}

func TestALargeCommandIsFound(t *testing.T) {
	lines := strings.Repeat("\n", maxCommandLines-1)
	files := map[string]string{"cmd/pitchstream/a.go": "package main\n" + lines, "cmd/pitchstream/a_test.go": "package main\n" + lines}
	require.Empty(t, LargeCommand(goFiles(t, files)))
	files["cmd/pitchstream/b.go"] = "package main\n"
	require.Equal(t, []string{"cmd/pitchstream:1: 5501 lines, not 5500"}, LargeCommand(goFiles(t, files)))
}

func TestStructsAreHeldTogether(t *testing.T) {
	files := goFiles(t, map[string]string{
		"consumer/a.go": "package consumer\n\ntype a struct{ n int }\n\ntype b struct {\n\t*a\n\tm int\n}\n",
		"sink/a.go":     "package sink\n\ntype a struct{ int }\n\nfunc (a) One() {}\n",
		"sink/b.go":     "package sink\n\nfunc (*a) Two() {}\n",
		"sink/c.go":     "package sink\n\nfunc (a) Three() {}\n",
		"sink/d.go":     "package sink\n\nfunc (a) Four() {}\n",
	})
	require.Equal(t, []string{"consumer/a.go:6: embeds a type: name the field"}, EmbeddedStructs(files))
	require.Equal(t, []string{"sink.a has methods in 4 files, not 3"}, ScatteredMethods(files))
	require.Empty(t, ScatteredMethods(files[:len(files)-1]))
}

func TestACoreWithFewCommentsIsFound(t *testing.T) {
	thin := map[string]string{"features/a.go": "package a\n\n// One.\nvar a = 1\nvar b = 1\nvar c = 1\n"}
	require.Empty(t, ThinlyExplained(goFiles(t, thin)))
	thin["features/a.go"] += "var d = 1\n"
	require.Len(t, ThinlyExplained(goFiles(t, thin)), 1)
}
