package main

import (
	"testing"

	"pitchstream/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
