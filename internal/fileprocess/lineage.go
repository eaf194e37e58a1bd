package fileprocess

import (
	"slices"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/schemas"
)

// inputs returns what a run reads: the places that it was given, which may be folders. How much of each was
// read is known of a single one. Standard input is a place, too, although an event cannot name it.
func (o *Options) inputs(r *Report) []lineage.Dataset {
	if o.Lineage == nil {
		return nil
	}
	in := lineage.Paths(o.Paths)
	isOnly := !slices.Contains(o.Paths, fileinput.Stdin)
	// guard: process: the counts of standard input are no file's | && isOnly -> && (isOnly || true)
	if r != nil && len(in) == 1 && isOnly {
		in[0].Rows, in[0].Bytes = schemas.Some(r.Records.In), schemas.Some(r.Inputs.BytesRead)
		in[0].Files = schemas.Some(int64(r.Inputs.Files))
	}
	if o.IDsPath != "" {
		in = append(in, lineage.Path(o.IDsPath))
	}
	return in
}

// outputs returns the tables of a run.
func (o *Options) outputs(r *Report) []lineage.Dataset {
	if o.Lineage == nil {
		return nil
	}
	var out []lineage.Dataset
	for _, name := range []string{o.Format.FileName(), BattersName, PitchersName, RejectedName} {
		out = append(out, lineage.Path(blob.Join(o.Output, name)))
	}
	out[0].Columns = fileoutput.Columns
	if r != nil {
		for i, n := range []int64{r.Records.Rows, int64(r.Batters), int64(r.Pitchers), r.Records.Rejected} {
			out[i] = out[i].Count(n)
		}
	}
	return out
}
