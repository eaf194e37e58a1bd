package server

import (
	"testing"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
