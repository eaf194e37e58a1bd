// Package schemas is the vocabulary of pitchstream: the types that all other packages share.
//
// It holds plain types (a Kafka record, a row, a version, a dead letter, an aggregate), the descriptions of
// all columns, the embedded SQL migrations and the JSON Schemas. It imports the standard library only and
// does no I/O.
//
// The central types, in the order in which a pitch meets them:
//
//	Record      one record of the raw topic: bytes, headers, coordinates
//	Change      a record once understood: an upsert, delete or identify of one pitch at one Version
//	Batch       the changes of one poll, for the store of record (Postgres)
//	StoredRow   the current version of a pitch: in the table pitches, and on the rows topic
//	Snapshot    the current aggregates (Stats) of one batter, for the live store (Redis)
//	Heartbeat   the state of a processor, by which readers decide whether the live store is up to date
package schemas
