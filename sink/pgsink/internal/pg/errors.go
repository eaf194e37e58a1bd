package pg

import (
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// IsRecordsFault tells a row that Postgres will never take from everything else, which is ours and may pass: bad data
// (22), a violated constraint (23), a limit of the program (54000), a trigger that raised (P0001), and what the driver
// could not encode.
func IsRecordsFault(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return strings.Contains(err.Error(), "failed to encode")
	}
	return strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23") || pg.Code == "54000" || pg.Code == "P0001"
}

// IsContended is a transaction that lost against another one and will do when tried again.
func IsContended(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001")
}

// Reason is one line about why Postgres refused a row.
func Reason(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return oneLine(err.Error())
	}
	text := "postgres " + pg.Code + ": " + pg.Message
	if pg.ConstraintName != "" {
		text += " (constraint " + pg.ConstraintName + ")"
	}
	return oneLine(text)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

var passwordInURL = regexp.MustCompile(`(://[^:/@\s]*:)[^@\s]*@`)

// HideSecret takes passwords out of an error that may quote the URL.
func HideSecret(err error) error {
	if text := err.Error(); passwordInURL.MatchString(text) {
		return errors.New(passwordInURL.ReplaceAllString(text, "${1}xxxxx@"))
	}
	return err
}

// IsMissing is a table or a schema that is not there.
func IsMissing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000")
}
