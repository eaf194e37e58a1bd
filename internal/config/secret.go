package config

import (
	"regexp"
	"strings"
)

// hidden is printed instead of a secret.
const hidden = "xxxxx"

// Secret is a password or token. It prints as xxxxx with every verb, in JSON and in logs. Reading one never
// fails, because the error would show it.
type Secret struct{ value string }

// Reveal returns the secret, to connect with it.
func (s Secret) Reveal() string { return s.value }

// UnmarshalText accepts any text.
func (s *Secret) UnmarshalText(text []byte) error { s.value = string(text); return nil }

func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from the verb %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret from JSON and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SecretURL is a URL, a list of URLs, or words of KEY=VALUE. Its passwords are hidden wherever a Secret is.
type SecretURL struct{ value string }

// Reveal returns the URL with its passwords.
func (s SecretURL) Reveal() string { return s.value }

// UnmarshalText accepts any text.
func (s *SecretURL) UnmarshalText(text []byte) error { s.value = string(text); return nil }

var passwordWord = regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token)\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)`)

// String hides everything from the first colon behind :// to the last @, because a password that was not
// escaped may contain any character. A text before @ without a colon is hidden too where the scheme is that of
// Redis, or none, because people write a password there.
func (s SecretURL) String() string {
	text := passwordWord.ReplaceAllString(s.value, "${1}"+hidden)
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "", text
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return text
	}
	user, _, hasPassword := strings.Cut(rest[:at], ":")
	if hasPassword {
		user += ":" + hidden
	} else if strings.HasPrefix(scheme, "redis") || !ok && !strings.Contains(rest, "=") {
		user = hidden
	}
	return strings.TrimSuffix(text, rest) + user + rest[at:]
}

// GoString hides the passwords from the verb %#v.
func (s SecretURL) GoString() string { return s.String() }

// MarshalText hides the passwords from JSON and logs.
func (s SecretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
