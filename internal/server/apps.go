package server

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/pitchstream/pitchstream/api"
)

// maxAppsFile is the largest file of applications, in bytes.
const maxAppsFile = 1 << 20

// appEntry is one application in a file. Either Token or TokenSHA256 is given; the second is the SHA-256 of
// the token as 64 hexadecimal digits, so that the file holds no secret.
type appEntry struct {
	App               string  `yaml:"app"`
	Token             string  `yaml:"token"`
	TokenSHA256       string  `yaml:"token_sha256"`
	RequestsPerSecond float64 `yaml:"requests_per_second"`
	Streams           int     `yaml:"streams"`
}

// ReadApps reads the applications of a YAML file, a list of {app, token or token_sha256, requests_per_second,
// streams}. An error names the file and the entry, never a token.
func ReadApps(path string) ([]api.App, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAppsFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxAppsFile {
		return nil, fmt.Errorf("%s: larger than 1 MiB", path)
	}
	var entries []appEntry
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&entries); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: want a list of app, token or token_sha256, requests_per_second, streams%s",
			path, yamlPlace(err))
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: no app in it", path)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: want one list, and nothing behind a line ---", path)
	}
	var apps []api.App
	for i, e := range entries {
		a := api.App{Name: e.App, Token: e.Token, Rate: e.RequestsPerSecond, Streams: e.Streams}
		if (e.Token == "") == (e.TokenSHA256 == "") {
			return nil, fmt.Errorf("%s: entry %d, app %q: want either token or token_sha256", path, i+1, e.App)
		}
		if e.TokenSHA256 != "" {
			digest, err := hex.DecodeString(e.TokenSHA256)
			if err != nil || len(digest) != len(a.Digest) {
				return nil, fmt.Errorf("%s: entry %d, app %q: token_sha256: want 64 hexadecimal digits", path, i+1, e.App)
			}
			copy(a.Digest[:], digest)
		}
		apps = append(apps, a)
	}
	return apps, nil
}

// yamlPlace returns where a YAML file is wrong, without its text, which may be a token.
func yamlPlace(err error) string {
	var wrong *yaml.TypeError
	line := 0
	if errors.As(err, &wrong) && len(wrong.Errors) > 0 {
		_, _ = fmt.Sscanf(wrong.Errors[0], "line %d:", &line)
	} else {
		_, _ = fmt.Sscanf(err.Error(), "yaml: line %d:", &line)
	}
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(": line %d is none of it", line)
}
