package lineage

import (
	"time"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

const (
	producer  = "https://github.com/pitchstream/pitchstream"
	spec      = "https://openlineage.io/spec/"
	eventURL  = spec + "2-0-2/OpenLineage.json#/$defs/RunEvent"
	timeStyle = "2006-01-02T15:04:05.000Z"
	// maxMessageBytes bounds the text of an error in an event.
	maxMessageBytes = 4000
)

type object = map[string]any

// facet returns a facet of the standard by its name and the version of its schema.
func facet(name, version string, members object) object {
	members["_producer"] = producer
	members["_schemaURL"] = spec + "facets/" + version + "/" + name + ".json#/$defs/" + name
	return members
}

// event returns an event of the run. err is that of a FAIL or an ABORT.
func (r *Run) event(state string, err error, inputs, outputs []Dataset) object {
	run := object{"processing_engine": facet("ProcessingEngineRunFacet", "1-1-1", object{
		"version": r.e.o.Build, "name": "pitchstream",
	})}
	if r.parent != nil {
		run["parent"] = facet("ParentRunFacet", "1-2-0", object{
			"run": object{"runId": r.parent.Run.String()}, "job": r.parent.job(),
			"root": object{"run": object{"runId": r.root.Run.String()}, "job": r.root.job()},
		})
	}
	if err != nil {
		// guard: lineage: an error is sent without its passwords | r.e.o.Hide(err.Error()) -> err.Error()
		text := r.e.o.Hide(err.Error())
		run["errorMessage"] = facet("ErrorMessageRunFacet", "1-0-1", object{
			"message": cut(text, maxMessageBytes), "programmingLanguage": "Go",
		})
	}
	job := object{"jobType": facet("JobTypeJobFacet", "2-0-4", object{
		"processingType": "BATCH", "integration": "PITCHSTREAM", "jobType": "COMMAND",
	})}
	return object{
		"eventTime": time.Now().UTC().Format(timeStyle), "eventType": state, "producer": producer,
		"schemaURL": eventURL,
		"run":       object{"runId": r.id.String(), "facets": run},
		"job":       object{"namespace": r.e.o.Namespace, "name": r.name, "facets": job},
		"inputs":    events(inputs, "inputFacets", "inputStatistics", "InputStatisticsInputDatasetFacet", "1-0-0"),
		"outputs": events(outputs, "outputFacets", "outputStatistics", "OutputStatisticsOutputDatasetFacet",
			"1-0-2"),
	}
}

func (p *Parent) job() object { return object{"namespace": p.Namespace, "name": p.Job} }

// events returns datasets as they are in an event: as inputs or as outputs.
func events(datasets []Dataset, facets, statistics, schema, version string) []object {
	return schemas.Map(datasets, func(d Dataset) object {
		known := object{}
		for name, n := range map[string]schemas.Opt[int64]{
			"rowCount": d.Rows, "size": d.Bytes, "fileCount": d.Files,
		} {
			if n.Present {
				known[name] = n.Value
			}
		}
		out := object{"namespace": d.Namespace, "name": d.Name, "facets": d.facets(), facets: object{}}
		if len(known) > 0 {
			out[facets] = object{statistics: facet(schema, version, known)}
		}
		return out
	})
}

func (d *Dataset) facets() object {
	f := object{"dataSource": facet("DatasourceDatasetFacet", "1-0-1", object{
		"name": d.Namespace, "uri": d.source,
	})}
	if len(d.Columns) == 0 {
		return f
	}
	fields := make([]object, len(d.Columns))
	for i, c := range d.Columns {
		fields[i] = object{
			"name": c.Name, "type": c.SQL, "description": c.Meaning, "ordinal_position": i + 1,
		}
	}
	f["schema"] = facet("SchemaDatasetFacet", "1-2-0", object{"fields": fields})
	return f
}

// cut returns the first bytes of a text, without a part of a character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
