package schemas

import (
	"errors"
	"strconv"
	"strings"
)

// FeedID names a place in the feed of changes: a reader there has seen the changes up to Seq. Its next one is
// Seq + 1. Feed is the stretch of numbers that the reader knows; "": whichever is current.
type FeedID struct {
	Feed string
	Seq  int64
}

// String returns FEED:SEQ, as clients keep it.
func (id FeedID) String() string { return id.Feed + ":" + strconv.FormatInt(id.Seq, 10) }

// ParseFeedID reads FEED:SEQ, or SEQ alone.
func ParseFeedID(text string) (id FeedID, err error) {
	feed, seq, ok := strings.Cut(text, ":")
	if !ok {
		feed, seq = "", text
	}
	id.Feed = feed
	id.Seq, err = strconv.ParseInt(seq, 10, 64)
	if err != nil || id.Seq < 0 || ok && feed == "" {
		return FeedID{}, errors.New("want FEED:SEQ, the id of a change, or its number")
	}
	return id, nil
}

// FeedKind says what became of a pitch.
type FeedKind string

// The kinds of changes. A pitch that is deleted and measured again is inserted again.
const (
	FeedInserted   FeedKind = "inserted"
	FeedCorrected  FeedKind = "corrected"
	FeedDeleted    FeedKind = "deleted"
	FeedReassigned FeedKind = "reassigned" // to another batter, or to none
)

// FeedChange is one change of a current row. Old is nil of an inserted pitch, New of a deleted one.
type FeedChange struct {
	Seq         int64
	Kind        FeedKind
	PitchID     PitchID
	CommittedAt TimeMS
	Old, New    *StoredRow
}

// FeedPage is a part of the feed: the changes after the place that was asked for, in their order and without
// a gap. Newest is the last number that is given, Oldest the place before the oldest change that is kept.
type FeedPage struct {
	Feed           string // the current one, which has all numbers up to Newest
	Oldest, Newest int64
	Changes        []FeedChange
}

// ErrFeedGone means that the changes after a place cannot be given: they are too old, or the place is of
// another store. A reader must load the rows again.
var ErrFeedGone = errors.New("the feed does not go on from there")

// ErrFeedBehind means that the server that was asked is a standby that does not have a place yet. It may have
// it soon, and the primary has it.
var ErrFeedBehind = errors.New("this standby does not have the place yet")
