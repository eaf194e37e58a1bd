package pg

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// notesChanges finds the functions of our triggers in the context of an error.
var notesChanges = regexp.MustCompile(
	`function (\S+\.)?(note_(inserted|updated|removed)_pitches|next_pitch_change_block|number_pitch_changes)\(`)

// IsRecordsFault reports whether an error is permanent, because Postgres will never store this row. Such are
// bad data (class 22), a violated constraint (23), a program limit (54000), a trigger that raised an
// exception (P0001), and a value that the driver could not encode. All other errors are retryable. Among them
// are those of our own triggers, which note changes: their tables take the changes of every good record.
func IsRecordsFault(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return strings.Contains(err.Error(), "failed to encode")
	}
	// guard: a change that cannot be noted is no record's fault
	if notesChanges.MatchString(pg.Where) {
		return false
	}
	return strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23") ||
		pg.Code == "54000" || pg.Code == "P0001"
}

// IsContended reports whether a transaction failed by a deadlock or a conflict with another one. It will
// succeed when it is tried again.
func IsContended(err error) bool { return HasCode(err, "40P01", "40001") }

// IsMissing reports whether a table or a schema is not there.
func IsMissing(err error) bool { return HasCode(err, "42P01", "3F000") }

// HasCode reports whether Postgres returned one of these SQLSTATE codes.
func HasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains(codes, pg.Code)
}

// Detail returns in one line what Postgres adds to an error, such as the objects that depend on one.
func Detail(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.Join(strings.Fields(pg.Detail), " ")
	}
	return ""
}

// Reason returns in one line why Postgres refused a row.
func Reason(err error) string {
	text := err.Error()
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		text = "postgres " + pg.Code + ": " + pg.Message
		if pg.ConstraintName != "" {
			text += " (constraint " + pg.ConstraintName + ")"
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

var passwordInURL = regexp.MustCompile(`(://[^:/@\s]*:)[^@\s]*@`)

// HideSecret replaces the password in an error that quotes the URL.
func HideSecret(err error) error {
	if text := err.Error(); passwordInURL.MatchString(text) {
		return errors.New(passwordInURL.ReplaceAllString(text, "${1}xxxxx@"))
	}
	return err
}
