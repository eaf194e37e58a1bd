package schemas

// Work is what a processor tells of its work, each second, for those who watch the stream. Counts are since Since; rates
// and times are of the last WorkWindowS seconds.
type Work struct {
	At    TimeMS `json:"at"`
	Since TimeMS `json:"since"` // when the processor began
	Build string `json:"build"`

	Records     int64   `json:"records"`
	Rows        int64   `json:"rows"`
	RecordsPerS float64 `json:"records_per_s"`
	BytesPerS   float64 `json:"bytes_per_s"`

	Partitions map[string]PartitionWork `json:"partitions"` // those that it has
	Steps      map[string]StepWork      `json:"steps"`      // those that it made lately
	Letters    map[Code]int64           `json:"letters"`
	Newest     []DeadLetterNote         `json:"newest"` // letters, the newest first, a few
	Faults     []string                 `json:"faults"` // why it is not ready: a line each
	Breaker    string                   `json:"breaker,omitempty"`
}

// WorkWindowS is how many seconds rates and times are of.
const WorkWindowS = 10

// PartitionWork is how far a processor is in a partition.
type PartitionWork struct {
	Next       int64      `json:"next"`        // offset of the next record to be applied
	LagRecords Opt[int64] `json:"lag_records"` // that wait; missing while it is not known
	LagMS      int64      `json:"lag_ms"`      // age of the oldest that waits; 0 where none does
}

// StepWork is the time that a step of the batches took.
type StepWork struct {
	Batches int64   `json:"n"`
	SumMS   float64 `json:"sum_ms"`
	MaxMS   float64 `json:"max_ms"`
}

// DeadLetterNote is a dead letter without its record.
type DeadLetterNote struct {
	Code      Code   `json:"code" doc:"Why it is no row"`
	Message   string `json:"message" doc:"What was wrong and where, for people"` // a little more than MaxNoteBytes at most
	At        TimeMS `json:"at" doc:"When it became a letter"`
	Topic     string `json:"topic" doc:"Where the record stands: its topic"`
	Partition int32  `json:"partition" doc:"Its partition"`
	Offset    int64  `json:"offset" doc:"Its offset"`
}

// MaxNoteBytes is how much of a letter's message is told, and MaxNotes of how many letters.
const (
	MaxNoteBytes = 300
	MaxNotes     = 10
)

// Note is what is told of a letter.
func (l DeadLetter) Note() DeadLetterNote {
	n := DeadLetterNote{Code: l.Code, Message: l.Message, Topic: l.Record.Topic, Partition: l.Record.Partition, Offset: l.Record.Offset}
	if len(n.Message) > MaxNoteBytes {
		end := MaxNoteBytes
		for end > 0 && n.Message[end]&0xC0 == 0x80 { // not within a character
			end--
		}
		n.Message = n.Message[:end] + "…"
	}
	return n
}
