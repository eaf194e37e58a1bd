package schemas

// Work describes what a processor is doing, once a second, for the pages that show the stream. Counts are
// since Since; rates and times are over the last WorkWindowS seconds.
type Work struct {
	At    TimeMS `json:"at"`
	Since TimeMS `json:"since"` // when the processor started
	Build string `json:"build"`

	Records     int64   `json:"records"`
	Rows        int64   `json:"rows"`
	RecordsPerS float64 `json:"records_per_s"`
	BytesPerS   float64 `json:"bytes_per_s"`

	// Partitions are those assigned to this processor, by their number.
	Partitions map[string]PartitionWork `json:"partitions"`
	// Steps are those of the window, by name: decode, postgres, redis, produce, commit.
	Steps map[string]StepWork `json:"steps"`
	// The number of dead letters, by code.
	Letters map[Code]int64 `json:"letters"`
	// Newest are the newest dead letters, at most MaxNotes, the newest last.
	Newest []DeadLetterNote `json:"newest"`
	// Faults are the reasons why the processor is not ready, one line each.
	Faults []string `json:"faults"`
	// Breaker is the reason why the breaker is open; "" while it is closed.
	Breaker string `json:"breaker,omitempty"`
}

// WorkWindowS is the window of rates and times, in seconds.
const WorkWindowS = 10

// PartitionWork is the progress of a processor in a partition.
type PartitionWork struct {
	Next       int64      `json:"next"`        // the offset below which readers of Redis see every record
	LagRecords Opt[int64] `json:"lag_records"` // the number of records that wait; missing while unknown
	LagMS      int64      `json:"lag_ms"`      // the age of the oldest record that waits; 0 if none does
}

// StepWork is the time that one step took within the window.
type StepWork struct {
	Count int64   `json:"n"` // how often the step was made, which can be several times a batch
	SumMS float64 `json:"sum_ms"`
	MaxMS float64 `json:"max_ms"`
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

// MaxNoteBytes bounds the message of a note, MaxNotes the number of notes that a processor reports.
const (
	MaxNoteBytes = 300
	MaxNotes     = 10
)

// Note returns the dead letter without its record.
func (l DeadLetter) Note() DeadLetterNote {
	n := DeadLetterNote{
		Code: l.Code, Message: l.Message,
		Topic: l.Record.Topic, Partition: l.Record.Partition, Offset: l.Record.Offset,
	}
	if len(n.Message) > MaxNoteBytes {
		end := MaxNoteBytes
		for end > 0 && n.Message[end]&0xC0 == 0x80 { // not within a character
			end--
		}
		n.Message = n.Message[:end] + "…"
	}
	return n
}
