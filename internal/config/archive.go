package config

import (
	"fmt"
	"strings"

	"github.com/pitchstream/pitchstream/internal/blob"
)

// Archive holds the place of the raw topic's archive.
type Archive struct {
	URL string `name:"archive" placeholder:"URL" help:"Archive of the raw topic, where a record is read that the topic has no more: a folder, s3://bucket/prefix or gs://bucket/prefix; ?endpoint=https://host:port and ?region= for other servers than Amazon's. Credentials as for the tools of AWS: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of the machine. Default: none."`
}

// Validate checks the form of the URL, not whether the storage is there.
func (a Archive) Validate() error {
	if a.URL == "" {
		return nil
	}
	if err := blob.Check(a.Place()); err != nil {
		return fmt.Errorf("--archive=%s: %w", HideIn(a.URL), err)
	}
	return nil
}

// Place returns the URL or folder; archive:// before a path is the same as file://.
func (a Archive) Place() string {
	if path, ok := strings.CutPrefix(a.URL, "archive://"); ok {
		return "file://" + path
	}
	return a.URL
}
