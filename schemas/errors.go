package schemas

import "errors"

// ErrPositionBehind says that the store of record holds less than this processor wrote there: it came back older
// (restored from a backup, failed over to a lagging copy). Reading must go back to the stored position.
var ErrPositionBehind = errors.New("the stored position is behind what was written: the store came back older")
