package tidy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "../.." // of the project

// debt is how many breaks of a rule were there when the rule came. Repair some and lower the number; never
// raise it.
var debt = map[string]int{}

func TestTheHouse(t *testing.T) {
	files, err := GoFiles(root)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	paths, err := MachinePaths(root)
	require.NoError(t, err)
	comments, err := otherComments(root)
	require.NoError(t, err)
	comments = append(comments, goComments(files)...)
	for rule, broken := range map[string][]string{
		"comments use the field's words":       Words(comments),
		"sentences are short":                  Sentences(comments),
		"lines are short":                      LongLines(files),
		"no struct of consumer embeds another": EmbeddedStructs(files),
		"the command is small":                 LargeCommand(files),
		"methods of a type are together":       ScatteredMethods(files),
		"the core is explained":                ThinlyExplained(files),
		"imports follow the arrows":            Arrows(files),
		"no test sleeps":                       Sleeps(files),
		"CI skips no test":                     Skips(files),
		"no path of one machine":               paths,
	} {
		t.Run(rule, func(t *testing.T) {
			if len(broken) > debt[rule] {
				t.Errorf("%d breaks, %d allowed:\n%s", len(broken), debt[rule], strings.Join(broken, "\n"))
			}
		})
	}
}

// house writes the files of a small project, by their names, and gives its root.
func house(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
	return root
}

func goFiles(t *testing.T, files map[string]string) []*File {
	t.Helper()
	read, err := GoFiles(house(t, files))
	require.NoError(t, err)
	return read
}

func TestArrowsThatTurnBack(t *testing.T) {
	for name, c := range map[string]struct{ file, imported, why string }{
		"schemas import nothing":         {"schemas/a.go", "github.com/google/uuid", "schemas may import the standard library"},
		"schemas know no one":            {"schemas/a.go", Module + "/features", "schemas may import of this project nothing"},
		"features may import uuid":       {"features/a.go", "github.com/google/uuid", ""},
		"features know the schemas":      {"features/a.go", Module + "/schemas", ""},
		"features are pure":              {"features/a.go", "github.com/jackc/pgx/v5", "features talks to no such server"},
		"features import little":         {"features/a.go", "github.com/stretchr/testify", "features may import the standard library and github.com/google/uuid"},
		"the consumer knows no sink":     {"consumer/a.go", Module + "/sink/pgsink", "consumer may import of this project nothing but schemas, features"},
		"its tests know them":            {"consumer/a_test.go", Module + "/sink/memsink", ""},
		"the consumer reads Kafka":       {"consumer/a.go", "github.com/twmb/franz-go/pkg/kgo", ""},
		"but no Postgres":                {"consumer/a.go", "github.com/jackc/pgx/v5", "consumer talks to no such server"},
		"a sink knows no consumer":       {"sink/pgsink/a.go", Module + "/consumer", "nothing but schemas"},
		"nor do its tests":               {"sink/pgsink/a_test.go", Module + "/consumer", "nothing but schemas"},
		"a sink knows no features":       {"sink/redissink/a.go", Module + "/features", "nothing but schemas"},
		"but its tests do":               {"sink/redissink/a_test.go", Module + "/features", ""},
		"a sink knows no other":          {"sink/redissink/a.go", Module + "/sink/pgsink", "nothing but schemas"},
		"a sink knows its own rooms":     {"sink/pgsink/a.go", Module + "/sink/pgsink/migrate", ""},
		"a sink has its own driver":      {"sink/pgsink/a.go", "github.com/jackc/pgx/v5/pgxpool", ""},
		"and no other":                   {"sink/pgsink/a.go", "github.com/redis/go-redis/v9", "no such server"},
		"the twin knows features":        {"sink/memsink/a.go", Module + "/features", ""},
		"the suite knows testkit":        {"sink/sinktest/a.go", Module + "/internal/testkit", ""},
		"nobody else does":               {"cmd/pitchstream/a.go", Module + "/internal/testkit", "internal/testkit is for tests and sink/sinktest"},
		"tests do":                       {"api/a_test.go", Module + "/internal/testkit", ""},
		"the demo has its Postgres":      {"internal/demo/a.go", Module + "/internal/localpg", ""},
		"the API does not":               {"api/a.go", Module + "/internal/localpg", "is for tests and internal/demo, internal/bench, internal/testkit"},
		"the API knows no sink":          {"api/a.go", Module + "/sink/pgsink", "api may import of this project nothing but schemas, web"},
		"internal rooms look not up":     {"internal/obs/a.go", Module + "/consumer", "nothing but schemas, internal"},
		"all meet in main":               {"cmd/pitchstream/a.go", Module + "/consumer", ""},
		"a new room wants a line":        {"attic/a.go", "fmt", "the folder attic is in no room"},
		"names are not prefixes":         {"features/a.go", Module + "/schemasx", "nothing but schemas"},
		"an exception carries a reason":  {"schemas/a.go", "github.com/google/uuid\" // tidy: for a while, \"", ""},
		"an exception without is broken": {"schemas/a.go", "github.com/google/uuid\" // tidy: \"", "standard library"},
	} {
		t.Run(name, func(t *testing.T) {
			source := "package a\n\nimport \"" + c.imported + "\"\n"
			source = strings.Replace(source, "\"\"\n", "\n", 1)
			broken := strings.Join(Arrows(goFiles(t, map[string]string{c.file: source})), "\n")
			if c.why == "" {
				require.Empty(t, broken)
				return
			}
			require.Regexp(t, "^"+c.file+":[13]: ", broken)
			require.Contains(t, broken, c.why)
		})
	}
}

func TestSleepingTestsAreFound(t *testing.T) {
	broken := Sleeps(goFiles(t, map[string]string{
		"a/a_test.go": "package a\nimport \"time\"\nfunc f() {\n\ttime.Sleep(1)\n}\n",
		"a/b_test.go": "package a\nimport clock \"time\"\nvar nap = clock.Sleep\n",
		"a/c_test.go": "package a\nimport \"time\"\nfunc g() {\n\ttime.Sleep(1) // tidy: the kernel gives no event\n}\n",
		"a/e_test.go": "package a\nimport (\n\"testing/synctest\"\n\"time\"\n)\nfunc j() { synctest.Test(nil, func() { time.Sleep(1) }) }\n" +
			"func k() { time.Sleep(1); synctest.Wait() }\n",
		"a/f_test.go": "package a\nimport \"time\"\nfunc l() {\n\t<-time.After(1)\n}\n",
		"a/h_test.go": "package a\nimport \"time\"\nfunc m(c chan int) {\n\tselect {\n\tcase <-c:\n\tcase <-time.After(1):\n\t}\n}\n",
		"a/d_test.go": "package a\nfunc h(time interface{ Sleep(int) }) { time.Sleep(1) }\n",
		"a/a.go":      "package a\nimport \"time\"\nfunc i() { time.Sleep(1) }\n",
	}))
	require.Equal(t, []string{
		"a/a_test.go:4: time.Sleep in a test: wait for what it waits for",
		"a/b_test.go:3: time.Sleep in a test: wait for what it waits for",
		"a/f_test.go:4: time.Sleep in a test: wait for what it waits for",
	}, broken)
}

// guard: a test that is skipped also under CI is found
func TestSkipsUnderCIAreFound(t *testing.T) {
	const head = "package a\nimport (\n\"os\"\n\"testing\"\n\"pgregory.net/rapid\"\n)\n"
	broken := Skips(goFiles(t, map[string]string{
		"a/a_test.go":           head + "func f(t *testing.T) { t.Skip() }\n",
		"a/b_test.go":           head + "func f(b *testing.B) { if _, err := os.Stat(\"x\"); err != nil {\nb.Skipf(\"%v\", err)\n} }\n",
		"a/c_test.go":           head + "func f(t *testing.T) { if testing.Short() { t.Skip(1) }\nt.SkipNow() }\n",
		"a/d_test.go":           head + "func f(t *testing.T) { if os.Getenv(\"LONG\") == \"\" { t.Skip(1) } }\n",
		"a/e_test.go":           head + "func f(t *testing.T) { rapid.Check(t, func(t *rapid.T) { if 1 > 2 { t.Skip(1) } }) }\n",
		"a/f_test.go":           head + "func f(t *testing.T) { t.Skip(1) // tidy: a reason\n}\n",
		"a/h.go":                "package a\nfunc f(d interface{ Skip() }) { d.Skip() }\n",
		"a/g.go":                head + "func Unavailable(t testing.TB) { t.Skip(1) }\n",
		"internal/testkit/a.go": head + "func Unavailable(t testing.TB) { t.Skip(1) }\n",
	}))
	require.Equal(t, []string{
		"a/a_test.go:7: a test is skipped also under CI: testkit.Unavailable fails there",
		"a/b_test.go:8: a test is skipped also under CI: testkit.Unavailable fails there",
		"a/c_test.go:8: a test is skipped also under CI: testkit.Unavailable fails there",
		"a/g.go:7: a test is skipped also under CI: testkit.Unavailable fails there",
	}, broken)
}

func TestPathsOfOneMachineAreFound(t *testing.T) {
	const work, home = "/wo" + "rk/", "/ro" + "ot/"
	broken, err := MachinePaths(house(t, map[string]string{
		"README.md":    "Go to\n" + work + "main.\n",
		"a/Dockerfile": "COPY x " + home + "x\nCOPY y " + home + "y # tidy: the image's own\n",
		"a/fine.go":    "package a // the home" + work + ", https://host" + work + " and ../.." + home + "\n",
		"a/photo.png":  work,
		".git/x.md":    work,
	}))
	require.NoError(t, err)
	require.Equal(t, []string{
		"README.md:2: a path of one machine: " + work + "main.",
		"a/Dockerfile:1: a path of one machine: COPY x " + home + "x",
	}, broken)
}

func TestAFileThatDoesNotParseIsNamed(t *testing.T) {
	_, err := GoFiles(house(t, map[string]string{"a/a.go": "package a\n\nfunc {\n"}))
	require.ErrorContains(t, err, "a/a.go:3:")
}
