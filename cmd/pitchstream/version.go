package main

import (
	"fmt"

	"github.com/pitchstream/pitchstream/internal/obs"
)

type versionCmd struct{}

// Run prints one line.
func (versionCmd) Run(std *stdio) error {
	_, err := fmt.Fprintln(std.Out, "pitchstream", obs.Build())
	return err
}
