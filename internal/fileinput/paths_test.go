package fileinput

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree writes files, path → content, below a new folder and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

// readTree gives "path game value" of each record, paths below dir, and the problems with their paths.
func readTree(t *testing.T, dir string, o Options) (items, problems []string) {
	t.Helper()
	r, err := Open(t.Context(), o)
	require.NoError(t, err)
	defer r.Close()
	for {
		item, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		items = append(items, below(dir, item.File.Path)+" "+item.File.GamePK+" "+string(item.Value))
	}
	list, more, failures := r.Problems()
	require.Zero(t, more)
	for _, p := range list {
		problems = append(problems, below(dir, p.String())+map[bool]string{true: " (failure)"}[p.Failure])
		if p.Failure {
			failures--
		}
	}
	require.Zero(t, failures)
	var total int64
	for _, f := range r.Files() {
		total += f.SizeBytes
	}
	require.Equal(t, total, r.BytesRead(), "progress reaches its end")
	return items, problems
}

func below(dir, path string) string { return strings.TrimPrefix(path, dir+string(filepath.Separator)) }

func TestFoldersAreTakenWithAllBelowThem(t *testing.T) {
	dir := tree(t, map[string]string{
		"777_1020.jsonl": `{"f":1020}`, "777_10136.jsonl": `{"f":10136}`, "777_99.jsonl": "{\"f\":99}\n",
		"b/888_1.json.gz": gzipped(`{"f":1}`), "b/season.jsonl": "{\"f\":2}\n", "a/batch": `[{"f":3},{"f":4}]`,
		"README.md": "# Read me\n\n{\"not\": \"a record\"}\n", "table.csv": "a,b\n1,2\n", "links.md": "[a](b)\n",
		".git/x.json": "{}", "broken.jsonl": "nope\n", "state.json": "{}", "out/rows.jsonl": "{}",
	})
	items, problems := readTree(t, dir, Options{Paths: []string{dir}, Exclude: []string{filepath.Join(dir, "state.json"), filepath.Join(dir, "out")}})
	require.Equal(t, []string{
		`777_99.jsonl 777 {"f":99}`, `777_1020.jsonl 777 {"f":1020}`, `777_10136.jsonl 777 {"f":10136}`,
		`a/batch  {"f":3}`, `a/batch  {"f":4}`, `b/888_1.json.gz 888 {"f":1}`, `b/season.jsonl  {"f":2}`, `broken.jsonl  nope`,
	}, items)
	require.Equal(t, []string{
		"README.md: not read: its content is no JSON (pipe it in to send its lines as they are)",
		"links.md: not read: its content is no JSON (pipe it in to send its lines as they are)",
		"table.csv: not read: its content is no JSON (pipe it in to send its lines as they are)",
	}, problems)
}

func TestNamedFiles(t *testing.T) {
	dir := tree(t, map[string]string{
		"late.txt": "a word first\n{\"a\":1}\n", "README.md": "# Read me\n", "x_1.zip": "PK\x03\x04....", "utf16.json": "\xff\xfe{\x00}\x00",
		"tar": strings.Repeat("x", 257) + "ustar" + strings.Repeat("x", 300), "empty.jsonl": "", "1_2.jsonl": "{}",
	})
	path := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		return paths
	}
	items, problems := readTree(t, dir, Options{Game: "G", Paths: path("late.txt", "README.md", "x_1.zip", "utf16.json", "tar", "empty.jsonl", "1_2.jsonl", "../"+filepath.Base(dir)+"/1_2.jsonl")})
	require.Equal(t, []string{`late.txt G a word first`, `late.txt G {"a":1}`, `1_2.jsonl G {}`}, items)
	for i := range problems {
		problems[i] = strings.Replace(problems[i], "../"+filepath.Base(dir)+"/", "", 1)
	}
	require.Equal(t, []string{
		"1_2.jsonl: named twice, read once",
		"README.md: not read: its content is no JSON (pipe it in to send its lines as they are) (failure)",
		"x_1.zip: it is a zip archive that cannot be read: zip: not a valid zip file (failure)",
		"utf16.json: it is UTF-16 text, which is not read here: give JSON in UTF-8, plain or with gzip or zstd (failure)",
		"tar: the archive is unreadable after 0 files: archive/tar: invalid tar header (failure)",
		"empty.jsonl: holds no record",
	}, problems)
}

func TestGlobs(t *testing.T) {
	dir := tree(t, map[string]string{"a10.json": "{}", "a9.json": "{}", "b.json": "{}", "[x].json": "[{}]"})
	items, problems := readTree(t, dir, Options{Paths: []string{filepath.Join(dir, "a*.json"), filepath.Join(dir, "[x].json")}})
	require.Equal(t, []string{"a9.json  {}", "a10.json  {}", "[x].json  {}"}, items)
	require.Empty(t, problems)
}

// Nothing is begun on a mistyped name, and all of them are named at once.
func TestMissingPathsAreErrors(t *testing.T) {
	dir := tree(t, map[string]string{"a.json": "{}"})
	_, err := Open(t.Context(), Options{Paths: []string{filepath.Join(dir, "a.json"), filepath.Join(dir, "typo"), filepath.Join(dir, "*.gone")}})
	require.ErrorContains(t, err, "typo: no such file or directory")
	require.ErrorContains(t, err, "*.gone: no file matches")
}

// A file that cannot be read is named; the others go on.
func TestUnreadableFilesDoNotStopTheOthers(t *testing.T) {
	dir := tree(t, map[string]string{"a.json": "{}", "b.json": "{}", "c.json": "{}"})
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "d.json")))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "round")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "e.json"), 0o644))
	r, err := Open(t.Context(), Options{Paths: []string{dir}})
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, os.Remove(filepath.Join(dir, "b.json")))
	n := 0
	for {
		if _, err = r.Next(); err != nil {
			break
		}
		n++
	}
	require.Equal(t, io.EOF, err)
	require.Equal(t, 2, n)
	require.Equal(t, []string{
		"!unreadable: stat: no such file or directory", "left out: neither a file nor a folder", "left out: a link to a folder is not followed", "!unreadable: open: no such file or directory",
	}, problemLines(r))
}

func TestSkipAndEnded(t *testing.T) {
	dir := tree(t, map[string]string{"a.json": "{}", "b.json": "{}\n{}\n{", "c.json": gzipped("{}")[:11], "d.json": "{}", "e.json": "\x1f\x8bno gzip at all"})
	ended := map[string]int64{}
	items, _ := readTree(t, dir, Options{
		Paths: []string{dir},
		Skip:  func(f *File) bool { return filepath.Base(f.Path) == "a.json" },
		Ended: func(f *File, n int64) { ended[below(dir, f.Path)] = n },
	})
	require.Equal(t, []string{"b.json  {}", "b.json  {}", "b.json  {", "d.json  {}"}, items)
	require.Equal(t, map[string]int64{"b.json": 3, "c.json": 0, "d.json": 1}, ended)
}

func TestGameFromName(t *testing.T) {
	for name, game := range map[string]string{
		"12345634_10136.jsonl": "12345634", "x/12345634_1.json.gz": "12345634", "1_2.ndjson.zst": "1", "745804_1.JSONL": "745804", "745804_1.jsonl.GZ": "745804",
		"745804_1.Json.Gz.Zst": "745804", "2024_09_01.jsonl": "",
		"12345634.jsonl": "", "a_1.jsonl": "", "1_2.csv": "", "1_a.jsonl": "", strings.Repeat("1", 65) + "_1.json": "",
	} {
		require.Equal(t, game, gameFromName(name), name)
	}
}

func TestCompareNumbered(t *testing.T) {
	names := []string{"a", "a1", "a01", "a2", "a10", "a10b", "b", "b1c2", "b1c10"}
	for i, x := range names {
		for j, y := range names {
			got := compareNumbered(x, y)
			require.Equal(t, i < j, got < 0, "%s %s", x, y)
			require.Equal(t, i == j, got == 0, "%s %s", x, y)
		}
	}
	require.True(t, slices.IsSortedFunc([]string{"99999999999999999999998", "99999999999999999999999"}, compareNumbered))
}
