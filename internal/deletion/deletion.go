// Package deletion removes pitches: it sends delete records to the raw topic, and keeps in Postgres who
// removed which pitch, when and why.
//
//	report, err := deletion.Run(ctx, deletion.Options{Pitches: ids, Reason: "a warm-up pitch", By: user, …})
//
// The audit is written first. A run that is killed between the two leaves a line without sent_at, and may be
// repeated, because a pitch that is deleted twice is deleted.
package deletion

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// MaxPitches bounds the pitches of a run.
const MaxPitches = 100_000

const (
	atOnce   = 500 // records that are sent and noted together
	mostShow = 20  // unknown pitches that an error names
)

// Options say what to delete. Pitches, Reason and By are required, and without DryRun Client and Topic.
type Options struct {
	Pitches  []schemas.PitchID
	Reason   string
	By       string
	Force    bool // delete also pitches that are not known
	DryRun   bool
	Client   []kgo.Opt
	Topic    string
	Postgres pgsink.Config
}

// Report says what was, or with DryRun would be, deleted.
type Report struct {
	Deletions []schemas.Deletion `json:"deletions"`
	Sent      int                `json:"sent"`
	Already   int                `json:"deleted_before"`
	DryRun    bool               `json:"dry_run"`
}

// Read reads pitches from a list, one id a line. Further columns and a first line pitch_id are passed over.
func Read(in io.Reader) (ids []schemas.PitchID, err error) {
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "\ufeff"), ",")
		text = strings.Trim(strings.TrimSpace(text), `"`)
		if text == "" || n == 1 && strings.EqualFold(text, "pitch_id") {
			continue
		}
		id, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		// guard: deletion: a list is bounded | len(ids) == MaxPitches -> false
		if len(ids) == MaxPitches {
			return nil, fmt.Errorf("more than %d pitches: split the file", MaxPitches)
		}
		ids = append(ids, id)
	}
	return ids, lines.Err()
}

// maxFileBytes bounds a list, unpacked.
const maxFileBytes = 64 << 20

// ReadFile is Read of a file, which may be packed.
func ReadFile(ctx context.Context, path string) ([]schemas.PitchID, error) {
	in, err := fileinput.OpenFile(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	content, err := fileinput.Unpack(ctx, in, "a list in UTF-8, plain or with gzip or zstd", maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer content.Close()
	ids, err := Read(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ids, nil
}

// Run deletes all pitches, or none if one is not known and Force is not set.
func Run(ctx context.Context, o Options) (r Report, err error) {
	r.DryRun = o.DryRun
	store, err := pgsink.Open(o.Postgres)
	if err != nil {
		return r, err
	}
	defer store.Close()
	if err := r.plan(ctx, o, pgbooks.New(store.DB())); err != nil || o.DryRun || len(r.Deletions) == 0 {
		return r, err
	}
	client, err := kgo.NewClient(append(slices.Clone(o.Client), kgo.DefaultProduceTopic(o.Topic),
		kgo.RequiredAcks(kgo.AllISRAcks()))...)
	if err != nil {
		return r, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	audit := pgbooks.NewDeletions(store.DB())
	for some := range slices.Chunk(r.Deletions, atOnce) {
		lines, err := audit.Plan(ctx, some, o.Reason, o.By)
		// guard: deletion: who deletes is kept before anything is sent
		if err != nil {
			return r, err
		}
		if err := client.ProduceSync(ctx, schemas.Map(some, record)...).FirstErr(); err != nil {
			return r, fmt.Errorf("kafka does not take records: %w (run the same command again)", err)
		}
		r.Sent += len(some)
		if err := audit.Sent(ctx, lines); err != nil {
			return r, err
		}
	}
	return r, nil
}

// plan finds the pitches in Postgres.
func (r *Report) plan(ctx context.Context, o Options, books *pgbooks.Books) error {
	known := map[schemas.PitchID]*schemas.Change{}
	for some := range slices.Chunk(o.Pitches, atOnce) {
		found, err := books.RegistersOf(ctx, some)
		if err != nil {
			return err
		}
		for _, f := range found {
			known[f.PitchID] = f.Measured // nil: only named by a feed
		}
	}
	var unknown []string
	planned := map[schemas.PitchID]bool{}
	for _, id := range o.Pitches {
		d := schemas.Deletion{PitchID: id}
		switch was := known[id]; {
		case planned[id]:
			continue
		// guard: deletion: an unknown pitch needs force | was == nil && !o.Force -> false
		case was == nil && !o.Force:
			unknown = append(unknown, id.String())
			continue
		case was == nil:
			d.IsForced = true
		// guard: deletion: a pitch that is deleted is not deleted again | was.Op == schemas.OpDelete -> false
		case was.Op == schemas.OpDelete:
			r.Already++
			continue
		default:
			// guard: deletion: the delete counts over what is stored | was.Version.Revision + min -> min
			d.Revision = was.Version.Revision + min(1, math.MaxInt64-was.Version.Revision)
			d.GamePK = was.Row.GamePK
		}
		planned[id] = true
		r.Deletions = append(r.Deletions, d)
	}
	if len(unknown) > 0 {
		return fmt.Errorf("nothing is deleted: %s not known: %s (--force deletes them when they come)",
			terminal.Counted(int64(len(unknown)), "pitch is", "pitches are"),
			strings.Join(unknown[:min(len(unknown), mostShow)], ", "))
	}
	return nil
}

// record makes the record that deletes a pitch. It has no value: everything is in the headers.
func record(d schemas.Deletion) *kgo.Record {
	rec := &kgo.Record{Headers: []kgo.RecordHeader{
		{Key: schemas.HeaderOp, Value: []byte(schemas.OpDelete.String())},
		{Key: schemas.HeaderPitchID, Value: []byte(d.PitchID.String())},
		{Key: schemas.HeaderRevision, Value: strconv.AppendInt(nil, d.Revision, 10)},
	}}
	if d.GamePK != "" {
		rec.Key = []byte(d.GamePK)
	}
	return rec
}

// Parse reads pitches from arguments.
func Parse(texts []string) (ids []schemas.PitchID, err error) {
	for _, text := range texts {
		id, err := parse(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func parse(text string) (schemas.PitchID, error) {
	id, ok := schemas.ParsePitchID(text)
	if !ok {
		return id, fmt.Errorf("%.40q: want a pitch_id, as 5d0e2f1c-8a7b-4c3d-9e1f-0a1b2c3d4e5f", text)
	}
	return id, nil
}

// Print writes the report as text.
func (r *Report) Print(out io.Writer) error {
	verb := "deleted"
	if r.DryRun {
		verb = "would be deleted"
		for _, d := range r.Deletions {
			if _, err := fmt.Fprintf(out, "%s  game %s  revision %d\n", d.PitchID, d.GamePK, d.Revision); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(out, "%s %s, %s before\n",
		terminal.Counted(int64(len(r.Deletions)), "pitch", "pitches"), verb, terminal.Count(int64(r.Already)))
	return err
}

// ErrNoReason is the error of a deletion without a reason.
var ErrNoReason = errors.New("--reason is missing: say why, it is kept beside your name")
