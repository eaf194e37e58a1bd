package schemas

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Migration is one file of Migrations, or one that another build applied, of which only number and name are
// known.
type Migration struct {
	Version int
	Name    string
	SQL     string
}

// String returns the name of the file without its ending: 0007_warehouse.
func (m Migration) String() string { return fmt.Sprintf("%04d_%s", m.Version, m.Name) }

// Checksum returns what a database keeps of the content.
func (m Migration) Checksum() string {
	sum := sha256.Sum256([]byte(m.SQL))
	return hex.EncodeToString(sum[:])
}

// IsBreaking reports whether builds that lack the migration must not use the schema any more. The end of its
// name says so, because that is all that an older build can read of it. All other migrations only add.
func (m Migration) IsBreaking() bool { return strings.HasSuffix(m.Name, "_breaking") }

// AllMigrations returns the migrations of this build in their order, as a slice that callers share. It panics
// on a file without a number, because the files are part of the binary.
var AllMigrations = sync.OnceValue(func() (all []Migration) {
	files, err := fs.Glob(Migrations, "migrations/*.sql") // sorted
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		b, err := Migrations.ReadFile(file)
		if err != nil {
			panic(err)
		}
		number, name, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			panic(fmt.Sprintf("%s: its name must begin with a number", file))
		}
		all = append(all, Migration{version, name, string(b)})
	}
	return all
})

// NamesOf returns the names of migrations for a message.
func NamesOf(migrations []Migration) string {
	return strings.Join(Map(migrations, Migration.String), ", ")
}

// CompareMigrations returns the migrations of this build that are not applied, and the applied ones that this
// build does not know. applied maps numbers to names.
func CompareMigrations(applied map[int]string) (missing, unknown []Migration) {
	left := maps.Clone(applied)
	for _, m := range AllMigrations() {
		if _, ok := left[m.Version]; !ok {
			missing = append(missing, m)
		}
		delete(left, m.Version)
	}
	for version, name := range left {
		unknown = append(unknown, Migration{Version: version, Name: name})
	}
	slices.SortFunc(unknown, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	return missing, unknown
}
