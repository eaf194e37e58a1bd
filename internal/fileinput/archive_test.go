package fileinput

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// part is one member of an archive that a test packs.
type part struct{ name, text string }

func tarOf(t *testing.T, parts ...part) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range parts {
		h := &tar.Header{Name: p.name, Mode: 0o644, Size: int64(len(p.text)), ModTime: time.Unix(1_700_000_000, 0)}
		switch {
		case strings.HasSuffix(p.name, "/"):
			h.Typeflag = tar.TypeDir
		case strings.HasPrefix(p.text, "-> "):
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, p.text[3:], 0
		}
		require.NoError(t, w.WriteHeader(h))
		if h.Typeflag == 0 {
			_, err := w.Write([]byte(p.text))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return b.String()
}

func zipOf(t *testing.T, parts ...part) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, p := range parts {
		f, err := w.Create(p.name)
		require.NoError(t, err)
		_, err = f.Write([]byte(p.text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String()
}

// The members of an archive are read like the files of a folder, however it is packed and wherever it is.
func TestArchivesAreReadLikeFolders(t *testing.T) {
	parts := []part{
		{"./season/", ""}, {"./season/745804_1.jsonl", "\ufeff{\"a\":1}\n{\"a\":2}\n"}, {"season/745805_1.json.gz", gzipped(`[{"a":3}]`)},
		{"season/README.md", "# Read me\n"}, {"season/._745804_1.jsonl", "\x00\x05"}, {"__MACOSX/x.jsonl", "{}"}, {".git/x.json", "{}"},
	}
	inTar, inZip := tarOf(t, parts...), zipOf(t, parts...)
	for name, content := range map[string]string{
		"a.tar": inTar, "a.tar.gz": gzipped(inTar), "a.tar.zst": zstded(inTar), "a.zip": inZip, "a.zip.gz": gzipped(inZip),
		"a.tgz": gzipped(gzipped(inTar)), "named wrongly.json": inTar,
		"tar in tar": tarOf(t, part{"inner.tar", inTar}), "zip in tar": gzipped(tarOf(t, part{"inner.zip", inZip})),
		"tar in zip": zipOf(t, part{"inner.tar.gz", gzipped(inTar)}), "zip in zip": zipOf(t, part{"inner.zip", inZip}),
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{name: content})
			items, problems := readTree(t, dir, Options{Paths: []string{filepath.Join(dir, name)}})
			base := name + "/"
			if kind, _, ok := strings.Cut(name, " in "); ok {
				base += map[string]string{"tar in tar": "inner.tar/", "zip in tar": "inner.zip/", "tar in zip": "inner.tar.gz/", "zip in zip": "inner.zip/"}[name]
				require.NotEmpty(t, kind)
			}
			require.Equal(t, []string{
				base + `season/745804_1.jsonl 745804 {"a":1}`, base + `season/745804_1.jsonl 745804 {"a":2}`, base + `season/745805_1.json.gz 745805 {"a":3}`,
			}, items)
			require.Equal(t, []string{
				base + "season/745804_1.jsonl: begins with " + markPassedOver,
				base + "season/README.md: not read: its content is no JSON (pipe it in to send its lines as they are)",
			}, problems)
		})
	}
}

func TestArchivesComeThroughPipes(t *testing.T) {
	for name, content := range map[string]string{"tar": tarOf(t, part{"1_2.jsonl", "{}"}), "zip": zipOf(t, part{"1_2.jsonl", "{}"})} {
		g := readText(t, content)
		require.Equal(t, []string{"{}"}, g.items, name)
		require.Empty(t, g.problems, name)
	}
}

func TestArchivesThatAreNotRead(t *testing.T) {
	long := manyLines(5000)
	deep := tarOf(t, part{"x.jsonl", "{}"})
	for range maxArchives {
		deep = tarOf(t, part{"a.tar", deep})
	}
	packed := "{}"
	for range maxLayers + 1 {
		packed = gzipped(packed)
	}
	encrypted := []byte(zipOf(t, part{"x.jsonl", "{}"}))
	for _, magic := range []string{"PK\x03\x04", "PK\x01\x02"} {
		encrypted[bytes.Index(encrypted, []byte(magic))+map[string]int{"PK\x03\x04": 6, "PK\x01\x02": 8}[magic]] |= 1
	}
	for name, c := range map[string]struct{ content, want string }{
		"nested too deep":       {deep, "!unreadable: archives are nested more than 3 deep"},
		"packed too often":      {packed, "!unreadable: it is compressed more than 4 times"},
		"a tar cut short":       {tarOf(t, part{"x.jsonl", long})[:len(long)/2], "!unreadable: the archive is unreadable after 1 files: unexpected EOF"},
		"an encrypted zip":      {string(encrypted), "!unreadable: it is encrypted"},
		"a damaged zip":         {zipOf(t, part{"x.jsonl", "{}"})[:40], "!unreadable: it is a zip archive that cannot be read: "},
		"a workbook":            {zipOf(t, part{"[Content_Types].xml", "<x/>"}, part{"xl/workbook.xml", "<x/>"}), "!unreadable: it is an Excel workbook"},
		"an archive of folders": {tarOf(t, part{"a/", ""}), "empty: the archive holds no file"},
		"a link":                {tarOf(t, part{"x.jsonl", "-> y"}), "left out: neither a file nor a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, g := range []got{readText(t, c.content), readText(t, gzipped(c.content))} {
				require.NotEmpty(t, g.problems)
				require.True(t, strings.HasPrefix(g.problems[len(g.problems)-1], c.want), g.problems)
			}
		})
	}
}

// Content that is not read is named, also inside of gzip and of an archive: no line of it becomes a record.
func TestForeignContentIsNamedWhereverItIs(t *testing.T) {
	utf16 := "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00"
	for name, content := range map[string]string{
		"UTF-16 text": "\xff\xfe" + utf16, "UTF-16 text, ": utf16, "a 7z archive": "7z\xbc\xaf\x27\x1c......", "compressed with xz": "\xfd7zXZ\x00...",
		"compressed with bzip2": "BZh91AY&SY", "a Parquet file": "PAR1....", "an Avro file": "Obj\x01....", "an old Excel workbook": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1..",
		"a pointer of Git LFS": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
	} {
		for _, wrapped := range []string{content, gzipped(content), tarOf(t, part{"x.jsonl", content}), zipOf(t, part{"x.jsonl", content})} {
			g := readText(t, wrapped)
			require.Empty(t, g.items)
			require.Len(t, g.problems, 1)
			require.Contains(t, g.problems[0], "!unreadable: it is "+strings.TrimSuffix(name, ", "))
		}
	}
}

// guard: files: the copy of a zip archive is bounded
func TestTheCopyOfAZipArchiveIsBounded(t *testing.T) {
	content := zipOf(t, part{"x.jsonl", "{}"})
	for _, over := range []int64{0, 1} {
		defer func(was int64) { maxSpoolBytes = was }(maxSpoolBytes)
		maxSpoolBytes = int64(len(content)) - over
		g := readText(t, content)
		require.Len(t, g.items, int(1-over))
		require.Len(t, g.problems, int(over))
	}
}

// guard: files: the directory of a zip archive is bounded
func TestTheDirectoryOfAZipArchiveIsBounded(t *testing.T) {
	content := zipOf(t, part{"x.jsonl", "{}"}, part{"y.jsonl", "{}"})
	size := directoryBytes(strings.NewReader(content), int64(len(content)))
	require.EqualValues(t, len(content)-22-strings.Index(content, "PK\x01\x02"), size)
	defer func(was uint64) { maxDirectoryBytes = was }(maxDirectoryBytes)
	for _, c := range []struct {
		most  uint64
		items int
	}{{size, 2}, {size - 1, 0}} {
		maxDirectoryBytes = c.most
		require.Len(t, readText(t, content).items, c.items)
	}
}

// A state file remembers the members of an archive, so that the next run continues within it.
func TestMembersOfAnArchiveAreSkippedByName(t *testing.T) {
	dir := tree(t, map[string]string{"a.tar": tarOf(t, part{"1_1.jsonl", "{}"}, part{"1_2.jsonl", "{\"a\":1}"})})
	items, _ := readTree(t, dir, Options{Paths: []string{dir}, Skip: func(f *File) bool { return filepath.Base(f.Path) == "1_1.jsonl" }})
	require.Equal(t, []string{`a.tar/1_2.jsonl 1 {"a":1}`}, items)
}

// A file whose first value holds the records is refused as a whole, with the path to them, whatever the
// members are called. Before, it was one dead letter, or too large.
func TestWrappersAreNamed(t *testing.T) {
	const pitch = `{"summary_acts":{"pitch":{}}}`
	big := `{"plays":[` + strings.Repeat(pitch+",", 1000) + pitch + `]}`
	for text, path := range map[string]string{
		`{"total": 2, "records": [ ` + pitch + `, {}]}`: ".records[]", `{"plays":[` + pitch + `]}`: ".plays[]", big: ".plays[]",
		"{\n \"Records\": [\n" + pitch + "\n]\n}\n": ".Records[]", `{"game":{"pitches":[` + pitch + `]}}`: ".game.pitches[]",
		`{"hits":{"hits":[{"_source":` + pitch + `}]}}`: ".hits.hits[]._source", "{\"_source\":" + pitch + "}\n{\"_source\":" + pitch + "}\n": "._source",
		`[{"_source":` + pitch + `},{}]`: ".[]._source", `[[` + pitch + `]]`: ".[][]", `{"1":` + pitch + `,"2":` + pitch + `}`: ".[]",
		`{"op":"u","before":` + pitch + `,"after":` + pitch + `,"source":{}}`: ".after", `"{\"summary_acts\":{}}"`: ". | fromjson",
		`{"key":{"payload":"1"},"value":{"payload":` + pitch + `,"encoding":"json"},"partitionID":0}`: ".value.payload",
	} {
		for _, pack := range []func(string) string{func(s string) string { return s }, gzipped} {
			in := strings.NewReader(pack(text))
			g := readAll(t, Options{Paths: []string{Stdin}, Stdin: in, MaxRecordBytes: 9_000})
			require.Empty(t, g.items)
			require.Equal(t, []string{fmt.Sprintf("!not records: not read: its records are in %s of its first value: "+
				"take them out, as jq -c '%s' does", path, path)}, g.problems)
		}
	}
	for _, text := range []string{pitch, "[" + pitch + "]", `[[1]]`, `{"plays":[]}`, `{"records":[{"a":1}]}`, `{"key":"1","value":` + pitch + `}`} {
		require.NotEmpty(t, readText(t, text).items, text)
	}
}

func TestLinesOfOtherConsumersAreNamed(t *testing.T) {
	const line = "CreateTime:1727550000123\tPartition:0\t745804\t{\"summary_acts\":{}}\n"
	long := "745804\t{\"x\":\"" + strings.Repeat("x", 200_000) + "\"}\n"
	for text, want := range map[string]string{
		line: "text before their JSON", line + line: "text before their JSON", line + "\n" + long: "text before their JSON",
		long + line: "text before their JSON", "x{}\n{}\n": "", "{}\nx{}\n": "", "x{}\n": "", "x:{}\ny:{}\n": "text before their JSON", "x\n": "",
		`{"key":"1","value":"{}","seen":1}`:                     `the member "seen" is not known here: keep those that are, as jq -c '{key, headers, timestamp, value}'`,
		`[{"key":"1","value":"{}","seen":1},{}]`:                `the member "seen" is not known here`,
		`{"topic":"t","partition":0,"offset":1,"value_size":5}`: `the member "value_size" is not known here`,
	} {
		g := readText(t, text)
		if want == "" {
			require.Empty(t, g.problems, text)
			continue
		}
		require.Len(t, g.problems, 1, text)
		require.Contains(t, g.problems[0], want)
		require.Empty(t, g.items)
	}
}

// The archives of a report stay readable: nothing is left behind in the folder for temporary files.
func TestTheCopyOfAZipArchiveIsRemoved(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	require.Len(t, readText(t, zipOf(t, part{"x.jsonl", "{}"})).items, 1)
	entries, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, entries)
}
