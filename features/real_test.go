package features

import (
	"os"
	"path/filepath"
	"testing"

	"pitchstream/schemas"
)

// Real records stand beside the project, if at all: they are other people's data.
const realDir = "../../shared/data/hawkeye"

func realFiles() map[string][]byte {
	files, _ := filepath.Glob(filepath.Join(realDir, "*.jsonl"))
	records := map[string][]byte{}
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil {
			records[filepath.Base(file)] = b
		}
	}
	return records
}

// What the sensors really send is a row: nothing in it is a reason to drop a pitch.
func TestRealRecordsAreRows(t *testing.T) {
	records := realFiles()
	if len(records) == 0 {
		absent(t, "no real records in "+realDir)
	}
	if len(records) != 12 {
		t.Errorf("%d real records, want 12", len(records))
	}
	swings := 0
	for name, value := range records {
		change, rej := Transform(schemas.Record{Value: value}, Limits{})
		switch {
		case rej != nil:
			t.Errorf("%s: %v", name, rej)
		case change.Row.IsSwing:
			swings++
		}
	}
	if swings != 9 {
		t.Errorf("%d swings among the real records, want 9", swings)
	}
}
