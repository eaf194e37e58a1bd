package lineage

import (
	"cmp"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/schemas"
)

// Dataset is a topic, a table, or a file or folder. Its functions take no secret from a URL.
type Dataset struct {
	Namespace, Name string
	Columns         []schemas.Column // nil: not known
	// Rows, Bytes and Files are what the run read or wrote; missing: not known.
	Rows, Bytes, Files schemas.Opt[int64]

	source string // URI of what holds it, without login and options
}

// Topic returns a topic of Kafka. It is named by the first of the brokers that the options name.
func Topic(client []kgo.Opt, topic string) Dataset {
	broker := "localhost:9092"
	if c, err := kgo.NewClient(client...); err == nil { // it does not connect before it is used
		if seeds, ok := c.OptValue(kgo.SeedBrokers).([]string); ok && len(seeds) > 0 {
			broker = seeds[0]
		}
		c.Close()
	}
	if _, _, err := net.SplitHostPort(broker); err != nil {
		broker = net.JoinHostPort(strings.Trim(broker, "[]"), "9092")
	}
	namespace := "kafka://" + broker
	return Dataset{Namespace: namespace, Name: topic, source: namespace}
}

// Table returns a table or view of Postgres. address is a URL or words of KEY=VALUE.
func Table(address, schema, table string, columns []schemas.Column) Dataset {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return Dataset{Namespace: "postgres://unknown", Name: schema + "." + table, source: "postgres://unknown"}
	}
	host := c.Host
	if strings.HasPrefix(host, "/") { // the folder of a socket
		host = "localhost"
	}
	namespace := "postgres://" + net.JoinHostPort(host, strconv.Itoa(int(c.Port)))
	return Dataset{
		Namespace: namespace, Name: c.Database + "." + schema + "." + table, Columns: columns,
		source: namespace + "/" + url.PathEscape(c.Database),
	}
}

// Path returns a file or folder of this machine or in storage. A pattern is the folder that it looks in.
func Path(place string) Dataset {
	local, isLocal := blob.LocalPath(place)
	if isLocal {
		if absolute, err := filepath.Abs(local); err == nil {
			local = absolute
		}
		name := filepath.ToSlash(withoutPattern(local))
		return Dataset{Namespace: "file", Name: name, source: (&url.URL{Scheme: "file", Path: name}).String()}
	}
	u, err := url.Parse(place)
	if err != nil {
		return Dataset{Namespace: "unknown", Name: "unknown", source: "unknown:"}
	}
	// guard: lineage: a URL of storage is named without its login | u.Host -> u.User.String() + u.Host
	namespace := u.Scheme + "://" + u.Host
	return Dataset{
		Namespace: namespace, Name: cmp.Or(strings.Trim(withoutPattern(u.Path), "/"), "/"), source: namespace,
	}
}

// withoutPattern returns a path up to the folder before its first wildcard.
func withoutPattern(name string) string {
	if i := strings.IndexAny(name, "*?["); i >= 0 {
		return path.Dir(name[:i] + "x")
	}
	return name
}

// stdin is the place of a command that stands for its standard input.
const stdin = "-"

// maxPaths is how many inputs an event names one by one.
const maxPaths = 50

// Paths returns the files and folders that a command was given, without standard input. More than 50 become
// one folder for each storage, the deepest that holds them.
func Paths(places []string) (all []Dataset) {
	for _, place := range places {
		if place != stdin {
			all = append(all, Path(place))
		}
	}
	order := func(a, b Dataset) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	}
	slices.SortFunc(all, order)
	all = slices.CompactFunc(all, func(a, b Dataset) bool { return order(a, b) == 0 })
	// guard: lineage: an event names so many files and no more
	if len(all) <= maxPaths {
		return all
	}
	var folders []Dataset
	for _, d := range all {
		n := len(folders) - 1
		if n < 0 || folders[n].Namespace != d.Namespace {
			folders = append(folders, d)
			continue
		}
		for !isBelow(d.Name, folders[n].Name) {
			folders[n].Name = path.Dir(folders[n].Name)
		}
		if folders[n].Name == "." { // of storage: the bucket
			folders[n].Name = "/"
		}
		if d.Namespace == "file" {
			folders[n].source = (&url.URL{Scheme: "file", Path: folders[n].Name}).String()
		}
	}
	return folders
}

// Read is how much was read of all inputs together; missing: not known.
type Read struct{ Rows, Bytes, Files schemas.Opt[int64] }

// Inputs returns the files and folders that a command was given, with how much was read if there is only one,
// and its file of ids, "" for none. Standard input is an input, too, although an event cannot name it.
func Inputs(places []string, ids string, read Read) []Dataset {
	in := Paths(places)
	// guard: lineage: the counts of standard input are no file's | && !slices.Contains(places, stdin) -> && places != nil
	if len(in) == 1 && !slices.Contains(places, stdin) {
		in[0].Rows, in[0].Bytes, in[0].Files = read.Rows, read.Bytes, read.Files
	}
	if ids != "" {
		in = append(in, Path(ids))
	}
	return in
}

// isBelow reports whether a name is that of a folder or of something in it.
func isBelow(name, folder string) bool {
	return folder == "/" || folder == "." || name == folder || strings.HasPrefix(name, folder+"/")
}

// Count returns a dataset with a number of rows.
func (d Dataset) Count(rows int64) Dataset {
	d.Rows = schemas.Some(rows)
	return d
}
