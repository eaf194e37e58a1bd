package load

import (
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/schemas"
)

// inputs returns what a load reads: the places that it was given, which may be folders.
func (o *Options) inputs(r *Report) []lineage.Dataset {
	if o.Lineage == nil {
		return nil
	}
	var read lineage.Read
	if r != nil {
		read.Rows, read.Bytes = schemas.Some(r.Records), schemas.Some(r.Bytes)
		read.Files = schemas.Some(int64(r.Inputs))
	}
	return lineage.Inputs(o.Paths, o.IDsPath, read)
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
