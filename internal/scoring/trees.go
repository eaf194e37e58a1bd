package scoring

import (
	"errors"

	"github.com/pitchstream/pitchstream/schemas"
)

// Trees are decision trees that another program trained.
type Trees struct{}

var errNoTrees = errors.New("this build reads no trees")

func (t *Trees) check(int) error { return errNoTrees }

func (t *Trees) scorer() (func(*schemas.Row, []value, *schemas.Score), error) { return nil, errNoTrees }
