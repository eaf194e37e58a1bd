package schemas

import "fmt"

// DeadLetterID is a letter's identity: where its record first stood, and how many times it has been rejected.
// Who counts letters counts these.
type DeadLetterID struct {
	Origin   Coordinates
	Attempts int32
}

// String is for people: pitches.raw/3@48213 attempt 2.
func (id DeadLetterID) String() string {
	return fmt.Sprintf("%s/%d@%d attempt %d", id.Origin.Topic, id.Origin.Partition, id.Origin.Offset, id.Attempts)
}

// DeadLetterAction is what was decided about a letter.
type DeadLetterAction string

// What may be decided about a letter. Sending and open are of a retry: it wrote down what it was about to
// send, and Kafka did not take it after all.
const (
	DeadLetterSending   DeadLetterAction = "sending"
	DeadLetterRetried   DeadLetterAction = "retried"
	DeadLetterDiscarded DeadLetterAction = "discarded"
	DeadLetterOpen      DeadLetterAction = "open"
)

// DeadLetterDecision is what stands of one letter: the last decision about it.
type DeadLetterDecision struct {
	ID     DeadLetterID     `json:"-"`
	Action DeadLetterAction `json:"action" enum:"sending,retried,discarded,open" doc:"retried: sent again; discarded: nobody wants it; sending: a retry is about to send it, or was killed there; open: a retry could not send it"`
	Reason string           `json:"reason,omitempty" doc:"Why; not there of a retry that succeeded"`
	By     string           `json:"by" doc:"Who decided, user@host"`
	Build  string           `json:"build" doc:"Of the program that wrote it"`
	At     TimeMS           `json:"at" doc:"When"`
	Times  int32            `json:"times" doc:"How often something was decided about it"`
	// Raw is where a retried record stands now; no topic where it is not known.
	Raw Coordinates `json:"-"`
}
