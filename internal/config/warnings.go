package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Warnings returns what is probably wrong with the settings, although the command can run. These are
// variables that no command knows, variables of other tools that are ignored, and files with secrets that
// others can read.
func (l *Loader) Warnings(ctx *kong.Context) []string {
	unknown := unknownVariables(ctx.Model.Node, os.Environ())
	return slices.Concat(unknown, l.ignoredVariables(ctx), l.openSecrets(ctx))
}

// ignoredVariables says which inherited variables are ignored, where nothing else won over them.
func (l *Loader) ignoredVariables(ctx *kong.Context) (warnings []string) {
	for _, f := range ctx.Flags() {
		if f.Name == "lineage-disabled" && ctx.FlagValue(f) == true {
			return nil
		}
		if why := l.ignored[f.Name]; why != "" && !given(ctx, f) && env(f) == "" && l.secrets[f.Name] == "" {
			warnings = append(warnings, why)
		}
	}
	return warnings
}

// serviceLink matches the variables that Kubernetes sets for each service of a namespace, which may be called
// pitchstream, too.
var serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT)|_PORT(_[0-9]+_(TCP|UDP).*)?$`)

// unknownVariables names the variables with the prefix that no command reads, because a mistyped setting must
// not silently keep its default. They are no error: others set variables, too.
func unknownVariables(app *kong.Node, environment []string) (warnings []string) {
	known := map[string]bool{}
	for _, f := range allFlags(app) {
		for _, name := range f.Envs {
			known[name] = true
		}
	}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		foreign := !strings.HasPrefix(name, EnvPrefix+"_") || strings.HasPrefix(name, EnvPrefix+"_TEST_") ||
			serviceLink.MatchString(name)
		// guard: config: a mistyped variable is named | !known[name] -> false
		if value != "" && !foreign && !known[name] {
			warnings = append(warnings, fmt.Sprintf("no command has a setting %s%s", name, didYouMean(name, known)))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// openSecrets names the files with secrets that other users of this machine can read.
func (l *Loader) openSecrets(ctx *kong.Context) (warnings []string) {
	var files []string
	for _, f := range ctx.Flags() {
		path, isText := ctx.FlagValue(f).(string)
		isSecret := strings.HasSuffix(f.Name, "-file") || strings.HasSuffix(f.Name, "-tls-key")
		if isText && isSecret && path != "" {
			files = append(files, path)
		}
		isSecret = f.Target.Type() == reflect.TypeFor[Secret]() || f.Target.Type() == reflect.TypeFor[SecretURL]()
		if value := l.file.values[f.Name]; isSecret && value != "" && hasPassword(value) {
			files = append(files, l.file.path)
		}
	}
	slices.Sort(files)
	for _, path := range slices.Compact(files) {
		info, err := os.Stat(path)
		// guard: config: a secret that others can read is named | isOpen(info.Mode(), owner(info)) -> false
		if err == nil && info.Mode().IsRegular() && isOpen(info.Mode(), owner(info)) {
			warnings = append(warnings, fmt.Sprintf("others can read %s (mode %04o), which has a secret: chmod 600 %s",
				path, info.Mode().Perm(), path))
		}
	}
	return warnings
}

// isOpen reports whether others than this user can read a file of an owner. If the file is another user's, as
// a secret that Kubernetes mounts, its group is how this user reads it.
func isOpen(mode os.FileMode, owner int) bool {
	others := os.FileMode(0o077)
	// guard: config: a secret that is mounted for our group is not open | owner != os.Getuid() -> false
	if owner != os.Getuid() {
		others = 0o007
	}
	return mode.Perm()&others != 0
}

// owner returns the number of the user who owns a file, −1 where files have none.
func owner(info os.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}

// hasPassword reports whether a secret's text hides anything when it is printed.
func hasPassword(text string) bool {
	return SecretURL{text}.String() != text || !strings.Contains(text, ":")
}
