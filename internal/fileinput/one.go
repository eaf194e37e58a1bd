package fileinput

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// One returns the only record of r, as process and load read it: unpacked, without its line end, taken out of
// an envelope. So the record has the bytes, and without an eventId the pitch_id, that it has there. ok is
// false if there is none. A second record is an error, and so is a record longer than maxBytes. A value with
// the prefix of a schema registry is the record with all its bytes.
func One(ctx context.Context, r io.Reader, maxBytes int) (item Item, ok bool, err error) {
	buffered := bufio.NewReader(&interruptible{ctx: ctx, r: r})
	if head, _ := buffered.Peek(5); len(head) == 5 && (head[0] == 0 && head[1] == 0 || head[0] == 3) {
		value, err := io.ReadAll(io.LimitReader(buffered, int64(maxBytes)+1))
		if err == nil && len(value) > maxBytes {
			err = fmt.Errorf("the record has more than %d bytes", maxBytes)
		}
		return Item{File: &File{Path: Stdin}, Value: value}, true, err
	}
	r = buffered
	in, err := Open(ctx, Options{Paths: []string{Stdin}, Stdin: r, MaxRecordBytes: maxBytes})
	if err != nil {
		return item, false, err
	}
	defer in.Close()
	item, err = in.Next()
	if err == nil && item.TooLarge {
		return item, false, errors.New(item.WhyTooLarge(maxBytes))
	}
	if err == nil {
		ok, item.Value = true, bytes.Clone(item.Value)
		_, err = in.Next()
	}
	if err == nil {
		return item, false, errors.New("standard input has more than one record: give one")
	}
	if err != io.EOF {
		return item, false, err
	}
	for _, p := range in.problems.list {
		if p.Failure {
			return item, false, errors.New(p.String())
		}
	}
	return item, ok, nil
}
