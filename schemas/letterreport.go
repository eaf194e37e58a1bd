package schemas

// DeadLetterSums count dead letters, each identity once.
type DeadLetterSums struct {
	Letters     int64 `json:"letters" doc:"Letters, each identity once"`
	Open        int64 `json:"open" doc:"Nobody has decided, and the record has not failed again"`
	Retried     int64 `json:"retried" doc:"Their records were sent again"`
	Discarded   int64 `json:"discarded" doc:"Nobody wants them"`
	FailedAgain int64 `json:"failed_again" doc:"The record has failed again since: a later letter speaks for it"`
	Foreign     int64 `json:"foreign" doc:"Not written by pitchstream, as their headers say"`
}

// DeadLetterGroup is the letters of one code whose messages differ in numbers, identifiers and quoted data
// only.
type DeadLetterGroup struct {
	Code  Code   `json:"code" doc:"Why the records are no rows"`
	Shape string `json:"shape" doc:"The messages without what differs"`
	DeadLetterSums
	Share   float64           `json:"share" doc:"Of all letters, 0 to 1"`
	First   TimeMS            `json:"first" doc:"When the first of them failed"`
	Last    TimeMS            `json:"last" doc:"When the last of them failed"`
	Example DeadLetterExample `json:"example" doc:"One of them"`
}

// DeadLetterExample is one letter of a group, and where it stands in the dead-letter topic.
type DeadLetterExample struct {
	Partition int32  `json:"partition" doc:"In the dead-letter topic"`
	Offset    int64  `json:"offset" doc:"In the dead-letter topic"`
	GamePK    string `json:"game_pk,omitempty" doc:"The game; not there where the record names none"`
	Message   string `json:"message" doc:"What was wrong and where"`
}

// DeadLetterReport is what lies in the dead-letter topic.
type DeadLetterReport struct {
	DeadLetterSums
	Groups []DeadLetterGroup `json:"groups" doc:"The largest first"`
	ReadAt TimeMS            `json:"read_at" doc:"When the topic was read: the letters up to then"`
}

// DeadLetterView is one letter, for a person to look at.
type DeadLetterView struct {
	Partition     int32               `json:"partition" doc:"In the dead-letter topic"`
	Offset        int64               `json:"offset" doc:"In the dead-letter topic"`
	Code          Code                `json:"code" doc:"Why the record is no row"`
	Message       string              `json:"message" doc:"What was wrong and where"`
	GamePK        string              `json:"game_pk,omitempty" doc:"The game; not there where the record names none"`
	Attempts      int32               `json:"attempts" doc:"How many times the record has been rejected"`
	FirstFailedAt TimeMS              `json:"first_failed_at" doc:"When the record was rejected for the first time"`
	FailedAt      TimeMS              `json:"failed_at" doc:"When it was rejected last"`
	Group         string              `json:"group" doc:"The consumer group that rejected it"`
	Build         string              `json:"build" doc:"The build that rejected it"`
	Origin        *DeadLetterPlace    `json:"origin,omitempty" doc:"Where the record first stood; not there of a foreign letter"`
	Failed        *DeadLetterPlace    `json:"failed,omitempty" doc:"The record that failed last"`
	Status        string              `json:"status" enum:"open,retried,discarded,foreign" doc:"Where it stands; whether the record has failed again since is not said here"`
	Decision      *DeadLetterDecision `json:"decision,omitempty" doc:"What was decided; not there where nothing was"`
	Today         string              `json:"today" enum:"passes,superseded,fails,unknown" doc:"What would become of the record if it were sent again now; superseded: what stands is as new or newer"`
	Why           string              `json:"why,omitempty" doc:"It would fail"`
	Key           string              `json:"key,omitempty" doc:"The record's key; what is no UTF-8 is replaced"`
	Headers       []DeadLetterHeader  `json:"headers" doc:"The record's own, in their order; what is no UTF-8 is replaced"`
	Bytes         int                 `json:"bytes" doc:"Of the record's value"`
	SHA256        string              `json:"sha256" doc:"Of the record's value, in hexadecimal digits"`
	Path          string              `json:"path,omitempty" doc:"The JSON path, or the header, that the message names"`
	At            *int                `json:"at,omitempty" doc:"The byte of the value where the fault is, or where what holds it begins"`
	Excerpt       string              `json:"excerpt" doc:"The value around that place, a character for what does not print"`
	MarkFrom      int                 `json:"mark_from" doc:"The first character of the excerpt that is meant; −1: none"`
	MarkTo        int                 `json:"mark_to" doc:"The first one that is not meant any more"`
}

// DeadLetterPlace is where a record stands or stood.
type DeadLetterPlace struct {
	Topic     string `json:"topic" doc:"The topic"`
	Partition int32  `json:"partition" doc:"The partition"`
	Offset    int64  `json:"offset" doc:"The offset"`
	Timestamp TimeMS `json:"timestamp" doc:"The record's timestamp"`
}

// DeadLetterHeader is a record's header as text.
type DeadLetterHeader struct {
	Key   string `json:"key" doc:"Its name"`
	Value string `json:"value" doc:"Its value"`
}
