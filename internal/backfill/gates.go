package backfill

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/load"
	"github.com/pitchstream/pitchstream/internal/qualityrun"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// load sends the files of a batch to the raw topic. A load that is repeated sends the same pitches again,
// which changes nothing.
func (b *backfill) load(ctx context.Context, i int) error {
	batch := &b.batches[i]
	hash, err := hashFiles(ctx, batch.Source)
	if err != nil {
		return err
	}
	// guard: backfill: files that have changed since the plan are not loaded | hash != batch.SHA256 -> hash == ""
	if hash != batch.SHA256 {
		return fmt.Errorf("batch %d: %s has changed since it was planned", batch.Number, batch.Source)
	}
	o := b.o.Load
	o.Paths = []string{batch.Source}
	o.Timestamp = load.Timestamp{Fixed: b.o.Spec.Timestamp, Text: b.o.Spec.Timestamp.String()}
	o.ProgressTo = io.Discard
	first, err := b.ends(ctx)
	if err != nil {
		return err
	}
	report, err := load.Run(ctx, o)
	if err != nil {
		return fmt.Errorf("batch %d, %s: %w", batch.Number, batch.Name, err)
	}
	if batch.End, err = b.ends(ctx); err != nil {
		return err
	}
	batch.Records = report.Sent
	switch {
	case batch.First != nil: // it is loaded again, and read behind the end that it had
	case i > 0 && b.batches[i-1].End != nil:
		batch.First = b.batches[i-1].End // what another producer has sent meanwhile is read with this batch
	default:
		batch.First = first
	}
	return b.save(ctx, *batch, "loaded", fmt.Sprintf("%d records", report.Sent))
}

func (b *backfill) ends(ctx context.Context) (map[int32]int64, error) {
	bounds, err := kafkaread.Bounds(ctx, b.admin, b.o.Replay.Live.TopicRaw, kgo.ReadCommitted())
	ends := map[int32]int64{}
	for p, span := range bounds {
		ends[p] = span.To
	}
	return ends, err
}

// hashFiles returns the hash of the names and contents of the files that a load of a path reads, so also of
// those behind links. A file in storage counts with its size and time.
func hashFiles(ctx context.Context, path string) (string, error) {
	all := sha256.New()
	files, err := fileinput.Open(ctx, fileinput.Options{Paths: []string{path}})
	if err != nil {
		return "", err
	}
	defer files.Close()
	for _, f := range files.Files() {
		fmt.Fprintln(all, f.Path)
		if blob.IsURL(f.Place()) {
			fmt.Fprintln(all, f.SizeBytes, f.ModTime.UnixNano())
			continue
		}
		in, err := os.Open(f.Path)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(all, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// source returns where the records come from, and the hash of the archive's segments.
func (b *backfill) source(ctx context.Context) (place, hash string, err error) {
	topic := b.o.Replay.Live.TopicRaw
	if b.o.Spec.Archive == "" {
		return "topic " + topic, "", nil
	}
	store, err := blob.Open(b.o.Spec.Archive)
	if err != nil {
		return "", "", err
	}
	contents, err := archive.List(ctx, archive.Selection{Store: store, Topic: topic}, true)
	all := sha256.New()
	for _, c := range contents {
		for _, f := range c.Files {
			fmt.Fprintln(all, c.TopicID, c.Partition, f.First, f.SHA256)
		}
	}
	return blob.Hide(b.o.Spec.Archive), hex.EncodeToString(all.Sum(nil)), err
}

// mostNamed bounds what a gate names.
const mostNamed = 50

func gate(name string, value, limit float64, named []string) schemas.BackfillGate {
	isWithin := value <= limit
	return schemas.BackfillGate{
		Gate: name, Passed: isWithin, Value: value, Limit: limit, Named: named[:min(len(named), mostNamed)],
	}
}

// judge holds a batch to the gates.
func (b *backfill) judge(ctx context.Context, i int) (err error) {
	batch, limits := &b.batches[i], b.o.Spec.Gates
	schema := b.o.Replay.Target.Schema
	c := batch.Counts
	lost := max(batch.Records-c.Records, 0)
	if !c.Balances() {
		lost = max(lost, 1)
	}
	read := fmt.Sprintf("%d of %d records of the source were read", c.Records, batch.Records)
	batch.Gates = []schemas.BackfillGate{
		// guard: backfill: a batch whose records did not all come does not pass | float64(lost) -> 0
		gate("records_missing", float64(lost), 0, []string{read}),
		gate("dead_letters", float64(c.Letters)/float64(max(c.Records, 1)), *limits.DeadLetters,
			[]string{fmt.Sprintf("%d of %d records", c.Letters, c.Records)}),
	}
	from, to := batch.FromDate, batch.ToDate
	if from == "" {
		if from, to, err = b.books.DatesBetween(ctx, schema, batch.First, batch.End); err != nil || from == "" {
			return err
		}
	}
	games := b.o.Spec.expected(from, to)
	found, err := b.books.GamesIn(ctx, schema, games)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(games, func(pk string) bool { return slices.Contains(found, pk) })
	batch.Gates = append(batch.Gates,
		// guard: backfill: missing games stop it | float64(len(missing)) -> 0
		gate("missing_games", float64(len(missing)), *limits.MissingGames, missing))
	if c.Records == 0 {
		return nil
	}
	findings, err := b.findings(ctx, from, to)
	if err != nil {
		return err
	}
	batch.Gates = append(batch.Gates, gate("findings", float64(len(findings)), *limits.Findings, findings))
	shifts, err := b.books.Shifts(ctx, schema, from, to)
	if err != nil {
		return err
	}
	batch.Gates = append(batch.Gates, shiftGates(shifts, *limits.Shift, *limits.MissingValues)...)
	return nil
}

// findings returns what quality finds in the days of a batch, each once.
func (b *backfill) findings(ctx context.Context, from, to string) (found []string, err error) {
	reports, err := qualityrun.Run(ctx, qualityrun.Options{
		Postgres: pgsink.Config{URL: b.o.Replay.Live.Postgres.Address(), Schema: b.o.Replay.Target.Schema},
		Day:      to, Since: from, Busy: func() {},
	})
	for _, r := range reports {
		for _, f := range r.Findings {
			name := strings.TrimSpace(f.Check + " " + f.Item)
			if f.Abnormal && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found, err
}

// leastShift is the number of values from which a distribution is judged.
const leastShift = 200

// shiftGates judge the column that moved most, and name all that are beyond a limit.
func shiftGates(shifts []schemas.ColumnShift, shift, missing float64) []schemas.BackfillGate {
	var mostShift, mostMissing float64
	var shifted, lost []string
	for _, d := range shifts {
		if d.Before < leastShift {
			continue
		}
		if rose := d.MissingShares[1] - d.MissingShares[0]; rose > 0 {
			mostMissing = max(mostMissing, rose)
			if rose > missing {
				lost = append(lost, fmt.Sprintf("%s missing in %.3g %%, %.3g %% before", d.Column,
					100*d.MissingShares[1], 100*d.MissingShares[0]))
			}
		}
		if d.Rows < leastShift {
			continue
		}
		mostShift = max(mostShift, math.Abs(d.Shift))
		if math.Abs(d.Shift) > shift {
			shifted = append(shifted, fmt.Sprintf("%s by %+.2g", d.Column, d.Shift))
		}
	}
	return []schemas.BackfillGate{
		// guard: backfill: a column that moved stops it | mostShift -> 0
		gate("shift", mostShift, shift, shifted),
		gate("missing_values", mostMissing, missing, lost),
	}
}
