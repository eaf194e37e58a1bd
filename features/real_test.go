package features

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestEveryRecordedPitchBecomesARow(t *testing.T) {
	swings := 0
	for name, value := range realFiles(t) {
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

// realFiles are the twelve recorded pitches by the names of their files. They are other people's data and
// stand beside the project, if at all: where they are absent the test is skipped (fails under CI).
func realFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Hawkeye(t), "*.jsonl"))
	if err != nil || len(files) != 12 {
		testkit.Unavailable(t, fmt.Sprintf("%d files of real records, want 12: %v", len(files), err))
	}
	records := map[string][]byte{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		records[filepath.Base(file)] = b
	}
	return records
}
