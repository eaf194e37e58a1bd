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

// Command is a shell command. It prints as its first word, because the others may have a secret.
type Command string

func (c Command) String() string {
	name, rest, _ := strings.Cut(strings.TrimSpace(string(c)), " ")
	switch {
	case strings.Contains(name, "="): // a variable before the command
		return hidden
	// guard: config: the words of a command are hidden | rest != "" -> rest == " "
	case rest != "":
		return name + " " + hidden
	}
	return name
}

// SecretURL is a URL, a list of URLs, or words of KEY=VALUE. Its passwords are hidden wherever a Secret is.
type SecretURL struct{ value string }

// Reveal returns the URL with its passwords.
func (s SecretURL) Reveal() string { return s.value }

// UnmarshalText accepts any text.
func (s *SecretURL) UnmarshalText(text []byte) error { s.value = string(text); return nil }

// secretWord matches the start of a secret in KEY=VALUE words and in the query of a URL. nextWord matches the
// start of the word behind it, because a secret that was not quoted or escaped may contain any character.
var (
	secretWord = regexp.MustCompile(`(?i)\w*(?:password|passwd|pwd|passphrase|secret|token)\s*=\s*`)
	nextWord   = regexp.MustCompile(`[\s&]\w+\s*=`)
	schemeWord = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://`)
	portOnly   = regexp.MustCompile(`^(\[[^\]]*\]|[^:\[\]]*)(:[0-9]+)?$`)
)

// String hides each password, also of a text that is no URL: a mistyped one is printed in errors.
func (s SecretURL) String() string { return hideWords(hideUser(s.value)) }

// hideUser hides the password before a host. It hides everything from the first colon to the last @, because
// a password that was not escaped may contain any character. Without @, it hides what cannot be a port.
func hideUser(text string) string {
	scheme := schemeWord.FindString(text)
	rest := text[len(scheme):]
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		switch user, _, hasPassword := strings.Cut(rest[:at], ":"); {
		case hasPassword:
			return scheme + user + ":" + hidden + rest[at:]
		case scheme == "" && strings.Contains(user, "="): // words of KEY=VALUE
			return text
		case scheme == "", strings.HasPrefix(scheme, "redis"): // the name may be a password without its colon
			return scheme + hidden + rest[at:]
		}
		return text
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		end = i
	}
	if strings.Contains(rest[:end], "=") { // words of KEY=VALUE
		return text
	}
	hosts := strings.Split(rest[:end], ",")
	for i, host := range hosts {
		if name, _, _ := strings.Cut(host, ":"); !portOnly.MatchString(host) || host != "" && name == "" {
			return scheme + strings.Join(append(hosts[:i], name+":"+hidden), ",")
		}
	}
	return text
}

// hideWords hides the values of words such as password=secret.
func hideWords(text string) string {
	var out strings.Builder
	for {
		at := secretWord.FindStringIndex(text)
		if at == nil {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:at[1]])
		value := text[at[1]:]
		end := len(value)
		if next := nextWord.FindStringIndex(value); next != nil {
			end = next[0]
		}
		if value[:end] != "" {
			out.WriteString(hidden)
		}
		text = value[end:]
	}
}

// loginWord matches what may be a URL, and secretValue the value of a secret, within any text.
var (
	loginWord   = regexp.MustCompile(`[a-zA-Z0-9+.-]*(://[^\s"']|:[^\s"'@]*@)[^\s"']*`)
	secretValue = regexp.MustCompile(`(?i)(\w*(?:password|passwd|pwd|passphrase|secret|token)=)[^\s&"']+`)
)

// HideIn hides the passwords in a text that may quote a URL, as the errors of others do.
func HideIn(text string) string {
	text = loginWord.ReplaceAllStringFunc(text, func(word string) string {
		if strings.Contains(word, "user:password@") { // says how to write a URL
			return word
		}
		url := strings.TrimSuffix(word, ":") // an error goes on after what it quotes
		return SecretURL{url}.String() + word[len(url):]
	})
	return secretValue.ReplaceAllString(text, "${1}"+hidden)
}

// GoString hides the passwords from the verb %#v.
func (s SecretURL) GoString() string { return s.String() }

// MarshalText hides the passwords from JSON and logs.
func (s SecretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
