package config

import (
	"log/slog"
	"regexp"
	"strings"
)

// hidden stands for a secret wherever one would be printed.
const hidden = "xxxxx"

// Secret is a word that must not be seen: it prints as xxxxx, whoever prints it. Reading one never fails: the message
// would show it.
type Secret struct{ value string }

// NewSecret hides a word.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal is the word itself, for the one who connects with it.
func (s Secret) Reveal() string { return s.value }

// UnmarshalText takes any text.
func (s *Secret) UnmarshalText(text []byte) error { s.value = string(text); return nil }

func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return hidden
}

// GoString, MarshalText and LogValue hide the word from %#v, JSON and logs.
func (s Secret) GoString() string             { return s.String() }
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(s.String()) }

// SecretURL is a URL, or a list of them, or words of KEY=VALUE, in which passwords are hidden when it is printed.
type SecretURL struct{ value string }

// NewSecretURL hides the passwords of a URL.
func NewSecretURL(value string) SecretURL { return SecretURL{value} }

// Reveal is the URL with its passwords.
func (s SecretURL) Reveal() string { return s.value }

// UnmarshalText takes any text.
func (s *SecretURL) UnmarshalText(text []byte) error { s.value = string(text); return nil }

var passwordWord = regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token)\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)`)

// String hides more rather than less: a password may hold any character where somebody forgot to escape it, so all is
// hidden from the first colon behind :// to the last @.
func (s SecretURL) String() string {
	text := passwordWord.ReplaceAllString(s.value, "${1}"+hidden)
	scheme, rest, ok := strings.Cut(text, "://")
	at := strings.LastIndex(rest, "@")
	if !ok || at < 0 {
		return text
	}
	user, _, hasPassword := strings.Cut(rest[:at], ":")
	if hasPassword {
		user += ":" + hidden
	}
	return scheme + "://" + user + rest[at:]
}

// GoString, MarshalText and LogValue hide the passwords from %#v, JSON and logs.
func (s SecretURL) GoString() string             { return s.String() }
func (s SecretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
func (s SecretURL) LogValue() slog.Value         { return slog.StringValue(s.String()) }
