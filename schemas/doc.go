// Package schemas is the vocabulary of pitchstream: the words that every other room speaks and nobody below defines.
//
// It holds plain types (a Kafka record, a row, a version, a letter, an aggregate), the table of columns that the
// documentation, the database comments and the file writers are made from, the embedded SQL migrations and the JSON
// Schemas. It imports the standard library only and does no I/O.
package schemas
