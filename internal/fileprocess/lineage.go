package fileprocess

import (
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/schemas"
)

// inputs returns what a run reads: the places that it was given, which may be folders.
func (o *Options) inputs(r *Report) []lineage.Dataset {
	if o.Lineage == nil {
		return nil
	}
	var read lineage.Read
	if r != nil {
		read.Rows, read.Bytes = schemas.Some(r.Records.In), schemas.Some(r.Inputs.BytesRead)
		read.Files = schemas.Some(int64(r.Inputs.Files))
	}
	return lineage.Inputs(o.Paths, o.IDsPath, read)
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
