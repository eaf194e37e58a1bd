package load

import (
	"slices"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/schemas"
)

// inputs returns what a load reads: the places that it was given, which may be folders. How much of each was
// read is known of a single one. Standard input is a place, too, although an event cannot name it.
func (o *Options) inputs(r *Report) []lineage.Dataset {
	if o.Lineage == nil {
		return nil
	}
	in := lineage.Paths(o.Paths)
	isOnly := !slices.Contains(o.Paths, fileinput.Stdin)
	// guard: load: the counts of standard input are no file's | && isOnly -> && (isOnly || true)
	if r != nil && len(in) == 1 && isOnly {
		in[0].Rows, in[0].Bytes = schemas.Some(r.Records), schemas.Some(r.Bytes)
		in[0].Files = schemas.Some(int64(r.Inputs))
	}
	if o.IDsPath != "" {
		in = append(in, lineage.Path(o.IDsPath))
	}
	return in
}

func (o *Options) outputs(r *Report) []lineage.Dataset {
	if o.Lineage == nil {
		return nil
	}
	out := lineage.Topic(o.Client, o.Topic)
	if r != nil {
		out = out.Count(r.Sent)
	}
	return []lineage.Dataset{out}
}
