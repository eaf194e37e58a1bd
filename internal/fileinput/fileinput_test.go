package fileinput

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// got is what a reader gave of one input or several: the items and the problems, as lines.
type got struct {
	items    []string // values; … behind one that is too large, ✂ behind a torn one
	offsets  []int64
	problems []string // kind: message, ! before a failure
}

// readAll reads to the end, copying what it gets.
func readAll(t *testing.T, o Options) got {
	t.Helper()
	r, err := Open(t.Context(), o)
	require.NoError(t, err)
	defer r.Close()
	var g got
	for {
		item, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		g.items = append(g.items, string(item.Value)+map[bool]string{true: "…"}[item.TooLarge]+map[bool]string{true: "✂"}[item.Torn])
		g.offsets = append(g.offsets, item.ByteOffset)
	}
	g.problems = problemLines(r)
	return g
}

func problemLines(r *Reader) (lines []string) {
	list, _, _ := r.Problems()
	for _, p := range list {
		lines = append(lines, map[bool]string{true: "!"}[p.Failure]+string(p.Kind)+": "+p.Message)
	}
	return lines
}

// readText reads text as one file's content, through standard input, so that no rule about names applies.
func readText(t *testing.T, text string) got {
	t.Helper()
	return readAll(t, Options{Paths: []string{Stdin}, Stdin: strings.NewReader(text)})
}

func TestLayoutsAreDetectedFromContent(t *testing.T) {
	const begins = "byte order mark: begins with " + markPassedOver
	const inside = "byte order mark: record 2 begins with " + markPassedOver
	for _, c := range []struct {
		name, text string
		items      []string
		problems   []string
	}{
		{"lines", "{\"a\":1}\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, nil},
		{"no newline at the end", "{\"a\":1}\n{\"a\":2}", []string{`{"a":1}`, `{"a":2}`}, nil},
		{"blank lines and Windows line ends", "\n\r\n{\"a\":1}\r\n \t\r\n{\"a\":2}\r\n\r\n", []string{`{"a":1}`, `{"a":2}`}, nil},
		{"white space in a line is the record's", " {\"a\":1} \n", []string{` {"a":1} `}, nil},
		{"a broken line is a record", "{\"a\":1}\nnope\n{\"a\":2}\n", []string{`{"a":1}`, `nope`, `{"a":2}`}, nil},
		{"a broken first line", "{\"a\":\n{\"a\":2}\n{\"a\":3}\n", []string{`{"a":`, `{"a":2}`, `{"a":3}`}, nil},
		{"a first line broken within a string", "{\"a\":\"b\n{\"a\":2}\n", []string{`{"a":"b`, `{"a":2}`}, nil},
		{"a first line with something behind its record", "{\"a\":1} x\n{\"a\":2}\n", []string{`{"a":1} x`, `{"a":2}`}, nil},
		{"other JSON on the lines", "1\n\"x\"\n{\"a\":2}\n", []string{`1`, `"x"`, `{"a":2}`}, nil},
		{"one record pretty-printed", "{\n  \"a\": [\n    {\"b\": 1},\n    {\"b\": 2}\n  ]\n}\n", []string{"{\n  \"a\": [\n    {\"b\": 1},\n    {\"b\": 2}\n  ]\n}"}, nil},
		{"inner lines that are whole objects", "{\"a\": [\n{\"b\": 1},\n{\"b\": 2}\n]}\n{\"a\": 2}\n", []string{"{\"a\": [\n{\"b\": 1},\n{\"b\": 2}\n]}", `{"a": 2}`}, nil},
		{"several pretty-printed, one broken", "{\n\"a\": 1\n}\n{\n\"a\": x\n}\n\n{\n\"a\": 3\n}", []string{"{\n\"a\": 1\n}", "{\n\"a\": x\n}", "{\n\"a\": 3\n}"}, nil},
		{"the first of several pretty-printed is broken", "{\n\"a\": x\n}\n{\n\"a\": 1\n}\n", []string{"{\n\"a\": x\n}", "{\n\"a\": 1\n}"}, nil},
		{"values on one line", `{"a":1}{"a":2} {"a":3}`, []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}, nil},
		{"words between values", "{\n\"a\":1\n}\nnope {\n{\"a\":2}", []string{"{\n\"a\":1\n}", `nope {`, `{"a":2}`}, nil},
		{"an array", `[{"a":1}, {"a":2},{"a":[3,"]"]}]`, []string{`{"a":1}`, `{"a":2}`, `{"a":[3,"]"]}`}, nil},
		{"an array over lines", " [\n  {\n    \"a\": 1\n  },\n  {\"a\": 2}\n]\n", []string{"{\n    \"a\": 1\n  }", `{"a": 2}`}, nil},
		{"an array of other things", `[1, "a,]\"[", [2], null , nope, {"a":1}]`, []string{`1`, `"a,]\"["`, `[2]`, `null`, `nope`, `{"a":1}`}, nil},
		{"commas that part nothing", `[{"a":1},, {"a":2} {"a":3}x,]`, []string{`{"a":1}`, `{"a":2}`, `{"a":3}`, `x`}, nil},
		{"words with brackets in an array", `[nope{"a":1,"b":[2]},{"c":3}]`, []string{`nope{"a":1,"b":[2]}`, `{"c":3}`}, nil},
		{"commas where no array is", "{\n\"a\":1\n},\n{\"a\":2}", []string{"{\n\"a\":1\n}", `,`, `{"a":2}`}, nil},
		{"arrays on lines, the first one empty", "[]\n[{\"a\":1}]\n", []string{`{"a":1}`}, nil},
		{"a log", "[x] nope\n[y] nope\n", []string{`[x] nope`, `[y] nope`}, nil},
		{"words behind a broken string", "{\"a\":\"b\nnope\n", []string{`{"a":"b`, `nope`}, nil},
		{"arrays one after the other", "[{\"a\":1}]\n[{\"a\":2}]\n", []string{`{"a":1}`, `{"a":2}`}, nil},
		{"an array, then values", "[{\"a\":1}]\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, nil},
		{"an array, then words", "[{\"a\":1}] nope\n{\"a\":2}\n", []string{`{"a":1}`, `nope`, `{"a":2}`}, nil},
		{"lines of which the first is an array", "[1,2]\n{\"a\":2}\n", []string{`[1,2]`, `{"a":2}`}, nil},
		{"lines of which the first is an empty array", "[]\n{\"a\":2}\n", []string{`[]`, `{"a":2}`}, nil},
		{"words in brackets", "[x] nope\n{\"a\":2}\n", []string{`[x] nope`, `{"a":2}`}, nil},
		{"an empty array", `[]`, nil, []string{"empty: holds no record"}},
		{"nothing", "", nil, []string{"empty: holds no record"}},
		{"white space", " \n\n", nil, []string{"empty: holds no record"}},
		{"a mark before lines", "\ufeff{\"a\":1}\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, []string{begins}},
		{"a mark before values", "\ufeff{\n\"a\":1\n}\n{\"a\":2}", []string{"{\n\"a\":1\n}", `{"a":2}`}, []string{begins}},
		{"a mark before an array", "\ufeff[{\"a\":1}]", []string{`{"a":1}`}, []string{begins}},
		{"two marks", "\ufeff\ufeff{\"a\":1}\n", []string{`{"a":1}`}, []string{begins}},
		{"a mark and white space", "\ufeff\r\n{\"a\":1}\n", []string{`{"a":1}`}, []string{begins}},
		{"nothing but a mark", "\ufeff", nil, []string{begins, "empty: holds no record"}},
		{"lines of two files", "\ufeff{\"a\":1}\r\n\ufeff{\"a\":2}\r\n\ufeff{\"a\":3}\r\n", []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}, []string{begins, inside}},
		{"lines of two files, the first without a line end", "{\"a\":1}\ufeff{\"a\":2}\n{\"a\":3}\n", []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}, []string{inside}},
		{"a marked line that is blank", "{\"a\":1}\n\ufeff\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, []string{inside}},
		{"arrays of two files", "[{\"a\":1}]\n\ufeff[{\"a\":2}]", []string{`{"a":1}`, `{"a":2}`}, []string{inside}},
		{"values of two files", "\ufeff{\n\"a\":1\n}\n\ufeff{\n\"a\":2\n}", []string{"{\n\"a\":1\n}", "{\n\"a\":2\n}"}, []string{begins, inside}},
		{"a mark within a text is the text's", "{\"a\":\"}\ufeff{\"}\n{\"a\":2}\n", []string{"{\"a\":\"}\ufeff{\"}", `{"a":2}`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := readText(t, c.text)
			require.Equal(t, c.items, g.items)
			require.Equal(t, c.problems, g.problems)
		})
	}
}

// Complete records are used; a torn one is one record more, named with its place.
func TestFilesCutShort(t *testing.T) {
	for _, c := range []struct {
		name, text string
		items      []string
		problems   []string
	}{
		{"lines", "{\"a\":1}\n{\"a\":2, \"b", []string{`{"a":1}`, `{"a":2, "b✂`}, []string{"cut short: record 2 is cut short at byte 18, 10 bytes of it are here"}},
		{"a first record", "{\"a\":2, \"b\":\n[1", []string{"{\"a\":2, \"b\":\n[1✂"}, []string{"cut short: record 1 is cut short at byte 15, 15 bytes of it are here"}},
		{"a marked first record", "\ufeff{\"a\":2", []string{"{\"a\":2✂"}, []string{
			"byte order mark: begins with " + markPassedOver,
			"cut short: record 1 is cut short at byte 9, 6 bytes of it are here"}},
		{"values", "{\n\"a\":1\n}\n{\n\"a\":", []string{"{\n\"a\":1\n}", "{\n\"a\":✂"}, []string{"cut short: record 2 is cut short at byte 16, 6 bytes of it are here"}},
		{"an array within a record", `[{"a":1},{"a`, []string{`{"a":1}`, `{"a✂`}, []string{"cut short: record 2 is cut short at byte 12, 3 bytes of it are here"}},
		{"an array within a number", `[{"a":1},17`, []string{`{"a":1}`, `17✂`}, []string{"cut short: record 2 is cut short at byte 11, 2 bytes of it are here"}},
		{"an array between records", `[{"a":1},`, []string{`{"a":1}`}, []string{"cut short: the array is not closed: cut short at byte 9, between two records"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := readText(t, c.text)
			require.Equal(t, c.items, g.items)
			require.Equal(t, c.problems, g.problems)
		})
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func zstded(text string) string {
	var b bytes.Buffer
	w, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestCompressionIsDetectedFromContent(t *testing.T) {
	const text = "{\"a\":1}\n{\"a\":2}\n"
	want := []string{`{"a":1}`, `{"a":2}`}
	skippable := "\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
	for name, content := range map[string]string{
		"gzip": gzipped(text), "zstd": zstded(text), "gzip in gzip": gzipped(gzipped(text)), "zstd in gzip": gzipped(zstded(text)), "a zstd frame to skip": skippable + zstded(text),
		"two gzip members": gzipped(text[:8]) + gzipped(text[8:]), "two zstd frames": zstded(text[:8]) + zstded(text[8:]),
	} {
		g := readText(t, content)
		require.Equal(t, want, g.items, name)
		require.Empty(t, g.problems, name)
	}
}

// manyLines is text that no compressor makes small, so that a cut falls within the data.
func manyLines(n int) string {
	var b strings.Builder
	x := uint64(1)
	for i := range n {
		x = x*6364136223846793005 + 1442695040888963407
		fmt.Fprintf(&b, "{\"n\":%d,\"x\":%d}\n", i, x)
	}
	return b.String()
}

func TestCompressedFilesCutShortOrDamaged(t *testing.T) {
	text := manyLines(30_000)
	for name, packed := range map[string]string{"gzip": gzipped(text), "zstd": zstded(text)} {
		t.Run(name+" cut short", func(t *testing.T) {
			g := readText(t, packed[:len(packed)*3/4])
			require.Greater(t, len(g.items), 1000)
			last := len(g.items) - 1
			torn := strings.HasSuffix(g.items[last], "✂")
			require.Len(t, g.problems, 1)
			require.Contains(t, g.problems[0], "cut short: ")
			require.True(t, strings.HasPrefix(text, strings.TrimSuffix(strings.Join(g.items, "\n"), "✂")), "torn %v", torn)
		})
		t.Run(name+" damaged", func(t *testing.T) {
			broken := []byte(packed)
			for i := len(broken) / 2; i < len(broken)/2+200; i++ {
				broken[i] ^= 0x5a
			}
			g := readText(t, string(broken))
			require.NotEmpty(t, g.problems)
			require.Contains(t, g.problems[len(g.problems)-1], "!unreadable: unreadable from byte ")
		})
		t.Run(name+" cut within its head", func(t *testing.T) {
			g := readText(t, packed[:4])
			require.Empty(t, g.items)
			require.Equal(t, []string{"cut short: the compressed content is cut short at its byte 0"}, g.problems)
		})
	}
}

// guard: files: packed bytes that unpack to nothing are bounded
func TestPackedBytesThatUnpackToNothingAreBounded(t *testing.T) {
	one, zeros := gzipped("{\"a\":1}\n"), strings.Repeat("\x00", maxIdleBytes)
	for name, c := range map[string]struct {
		content string
		ok      bool
	}{
		"as many as may be": {one + zeros[:maxIdleBytes-2*peekBytes] + one, true},
		"more":              {one + zeros + zeros + one, false},
		"empty members":     {one + strings.Repeat(gzipped(""), 2*maxIdleBytes/20) + one, false},
		"skipped frames":    {strings.Repeat("\x50\x2a\x4d\x18\x00\x00\x10\x00"+zeros[:1<<20], 40), false},
	} {
		t.Run(name, func(t *testing.T) {
			g := readText(t, gzipped(c.content))
			if c.ok {
				require.Empty(t, g.problems)
				require.Len(t, g.items, 2)
				return
			}
			require.Len(t, g.problems, 1)
			require.Contains(t, g.problems[0], "packed bytes in a row unpack to nothing")
		})
	}
}

// guard: files: zeros behind a packed content are no content
func TestZerosBehindAGzipContentArePassedOver(t *testing.T) {
	one, two, zeros := gzipped("{\"a\":1}\n"), gzipped("{\"a\":2}\n"), strings.Repeat("\x00", 10_240)
	for name, c := range map[string]struct {
		content string
		items   []string
		problem string
	}{
		"behind":       {one + zeros, []string{`{"a":1}`}, ""},
		"between":      {one + zeros + two, []string{`{"a":1}`, `{"a":2}`}, ""},
		"none between": {one + two, []string{`{"a":1}`, `{"a":2}`}, ""},
		"packed twice": {gzipped(one+zeros) + zeros, []string{`{"a":1}`}, ""},
		"an archive": {gzipped(tarOf(t, part{name: "745804_1.jsonl", text: "{\"a\":1}\n"})) + zeros,
			[]string{`{"a":1}`}, ""},
		"a torn head": {one + two[:5], []string{`{"a":1}`}, "cut short: the compressed content is cut short at its byte 8"},
		"other bytes": {one + zeros + "x", []string{`{"a":1}`}, "bytes follow its gzip content that are no gzip"},
		"few of them": {one + "xyz", []string{`{"a":1}`}, "bytes follow its gzip content that are no gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			g := readText(t, c.content)
			require.Equal(t, c.items, g.items)
			if c.problem == "" {
				require.Empty(t, g.problems)
				return
			}
			require.Len(t, g.problems, 1)
			require.Contains(t, g.problems[0], c.problem)
		})
	}
}

// After a read error the last record may be complete on the disk, so its beginning is not returned as a
// record.
func TestAFragmentBeforeAReadErrorIsNoRecord(t *testing.T) {
	disk := io.MultiReader(strings.NewReader("{\"a\":1}\n{\"a\":2"), iotest.ErrReader(errors.New("the disk is tired")))
	g := readAll(t, Options{Paths: []string{Stdin}, Stdin: disk})
	require.Equal(t, []string{`{"a":1}`}, g.items)
	require.Equal(t, []string{"!unreadable: unreadable from byte 8 on, after record 1: the disk is tired"}, g.problems)
}

func TestWaitingForAPipeEndsWithTheContext(t *testing.T) {
	pipe, feed := io.Pipe()
	defer feed.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	r, err := Open(ctx, Options{Paths: []string{Stdin}, Stdin: pipe})
	require.NoError(t, err)
	defer r.Close()
	go func() {
		_, _ = io.WriteString(feed, "{\"a\":1}\n")
	}()
	item, err := r.Next()
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, string(item.Value), "given before the pipe says more")
	stop := errors.New("stop")
	go cancel(stop)
	_, err = r.Next()
	require.ErrorIs(t, err, stop)
}

// A record beyond the limit is returned with its size and skipped in bounded memory. The others are complete.
func TestTooLarge(t *testing.T) {
	huge := `{"a":"` + strings.Repeat("x", 3<<20) + `"}`
	for name, text := range map[string]string{
		"lines":  "{\"a\":1}\n" + huge + "\n{\"a\":2}\n",
		"values": "{\n\"a\":1}" + huge + "{\"a\":2}",
		"array":  `[{"a":1},` + huge + `,{"a":2}]`,
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Paths: []string{Stdin}, Stdin: strings.NewReader(text), MaxRecordBytes: 1 << 20}
			r, err := Open(t.Context(), o)
			require.NoError(t, err)
			defer r.Close()
			_, err = r.Next()
			require.NoError(t, err)
			item, err := r.Next()
			require.NoError(t, err)
			require.True(t, item.TooLarge)
			require.EqualValues(t, len(huge), item.SizeBytes)
			require.Equal(t, huge[:KeptBytes], string(item.Value))
			require.EqualValues(t, strings.Index(text, huge), item.ByteOffset)
			item, err = r.Next()
			require.NoError(t, err)
			require.Equal(t, `{"a":2}`, string(item.Value))
			_, err = r.Next()
			require.Equal(t, io.EOF, err)
			require.LessOrEqual(t, len(r.split.buf), 1<<20+firstBufferBytes, "memory is bounded")
		})
	}
}

// The limit holds to the byte, also where the record came whole in one piece.
func TestTooLargeToTheByte(t *testing.T) {
	for n, tooLarge := range map[int]bool{99: false, 100: false, 101: true} {
		r, err := Open(t.Context(), Options{Paths: []string{Stdin}, Stdin: strings.NewReader(strings.Repeat("x", n) + "\n{}\n"), MaxRecordBytes: 100})
		require.NoError(t, err)
		defer r.Close()
		item, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, tooLarge, item.TooLarge)
		require.EqualValues(t, n, item.SizeBytes)
		item, err = r.Next()
		require.NoError(t, err)
		require.Equal(t, "{}", string(item.Value))
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestAReaderWithoutProgressIsAnError(t *testing.T) {
	w := window{r: idle{}, limit: 100}
	require.False(t, w.fill())
	require.Equal(t, io.ErrNoProgress, w.err)
}

// The detected layout does not depend on the pieces in which it comes.
func TestLooksLikeJSONInPieces(t *testing.T) {
	for text, want := range map[string]bool{"a word\n{\"a\":1}\n": true, "a word\nanother\n": false, " \n\t\n": true, "a word\n" + strings.Repeat("x", sniffBytes) + "\n{}": false} {
		var s splitter
		s.limit = DefaultMaxRecordBytes
		s.begin(iotest.OneByteReader(strings.NewReader(text)), 0)
		require.Equal(t, want, s.looksLikeJSON(false))
		s.begin(strings.NewReader(text), 0)
		require.Equal(t, want, s.looksLikeJSON(false))
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var ps problems
	for range maxProblems + 5 {
		ps.add(Problem{Failure: true})
	}
	require.Len(t, ps.list, maxProblems)
	require.EqualValues(t, 5, ps.more)
	require.EqualValues(t, maxProblems+5, ps.failures)
}

// repeated gives the same bytes n times, without holding them.
type repeated struct {
	one  []byte
	n    int
	left []byte
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n--
		r.left = r.one
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

func TestMemoryIsFlatOnALongFile(t *testing.T) {
	record := append(sampleRecord("e", 370), '\n')
	r, err := Open(t.Context(), Options{Paths: []string{Stdin}, Stdin: &repeated{one: record, n: 3000}})
	require.NoError(t, err)
	defer r.Close()
	n := 0
	for {
		item, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if n++; !bytes.Equal(item.Value, record[:len(record)-1]) {
			t.Fatalf("record %d differs", n)
		}
	}
	require.Equal(t, 3000, n)
	require.LessOrEqual(t, len(r.split.buf), 2*firstBufferBytes)
}

// The twelve real records, beside a README and two tables that are none.
func TestRealRecords(t *testing.T) {
	r, err := Open(t.Context(), Options{Paths: []string{testkit.Hawkeye(t)}})
	require.NoError(t, err)
	defer r.Close()
	games := map[string]int{}
	for {
		item, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		whole, err := os.ReadFile(item.File.Path)
		require.NoError(t, err)
		require.Equal(t, string(bytes.TrimSpace(whole)), string(item.Value))
		_, ok := EventID(item.Value)
		require.True(t, ok, item.File.Path)
		games[item.File.GamePK]++
	}
	require.Equal(t, map[string]int{"12345634": 7, "12345636": 1, "12345641": 1, "12345645": 3}, games)
	require.Len(t, problemLines(r), 3)
}
