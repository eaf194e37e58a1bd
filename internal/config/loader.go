// Package config holds the settings of pitchstream: their names, meanings and sources, and the checks of
// their values.
//
// A setting is a flag (--kafka-brokers), an environment variable (PITCHSTREAM_KAFKA_BROKERS) and a key of a
// YAML file (kafka-brokers). The first of them that is given wins, else the default applies. A secret may
// also be in a file of its own (--postgres-url-file, PITCHSTREAM_POSTGRES_URL_FILE, postgres-url-file). An
// empty variable counts as not given.
//
// A command embeds the groups that it needs:
//
//	type runCmd struct {
//		Kafka    config.Kafka    `embed:"" group:"Kafka"`
//		Postgres config.Postgres `embed:"" group:"Postgres"`
//	}
//
// and the root embeds File. Kong parses them with the Option of a Loader, and passes the Loader to the
// command's Run. There, config.Print(w, loader.Settings(parsed)...) prints each setting with its source.
package config

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// EnvPrefix begins the name of every environment variable.
const EnvPrefix = "PITCHSTREAM"

// File is the flag that names the settings' file.
type File struct {
	Config string `name:"config" placeholder:"FILE" help:"YAML file of settings: a key is a flag's name without the dashes (kafka-brokers), a list is a YAML list or has commas. Flags and environment variables win over it. None unless given."`
}

// Loader finds the value of each setting for one parser.
type Loader struct {
	file    file
	loaded  bool
	secrets map[string]string // flag → the file that its value was read from, for Settings
	ignored map[string]string // flag → why an inherited variable is ignored, for Warnings
}

// NewLoader returns a loader for one kong parser.
func NewLoader() *Loader {
	return &Loader{secrets: map[string]string{}, ignored: map[string]string{}}
}

// Option makes kong use the loader, and pass it to each method that has a *Loader as parameter. It is needed
// because kong alone would let the file win over the environment: it asks resolvers after it has set
// variables, so that a resolver's value overwrites a variable. resolve looks at the variable first.
func (l *Loader) Option() kong.Option {
	options := []kong.Option{
		kong.DefaultEnvars(EnvPrefix), kong.PostBuild(l.ignoreEnv), kong.WithBeforeResolve(l.load),
		kong.Resolvers(kong.ResolverFunc(l.resolve)), kong.Bind(l),
	}
	return kong.OptionFunc(func(k *kong.Kong) error {
		for _, o := range options {
			if err := o.Apply(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// ignoreEnv makes kong ignore empty variables, because compose files set each unset variable to an empty
// text. It also ignores variables of other tools with a value of no use here, because no command may fail for
// what it inherited.
func (l *Loader) ignoreEnv(k *kong.Kong) error {
	for _, f := range allFlags(k.Model.Node) {
		// kong copies them to f.Envs later
		f.Tag.Envs = slices.DeleteFunc(f.Tag.Envs, func(name string) bool {
			value, isSet := os.LookupEnv(name)
			check, isInherited := inherited[name]
			// guard: config: an inherited variable of no use is ignored | value != "" -> false
			if isInherited && value != "" && !check.fits(value) {
				l.ignored[f.Name] = fmt.Sprintf("%s=%s is ignored: want %s", name, HideIn(value), check.want)
				return true
			}
			return isSet && value == ""
		})
	}
	return nil
}

// load reads the file that --config or its variable names. Kong calls it before it resolves the first flag,
// and again for each part of the command. It refuses a secret and its file together on the command line,
// because kong asks resolve only for flags that are not there.
func (l *Loader) load(ctx *kong.Context) (err error) {
	if l.loaded {
		return nil
	}
	l.loaded = true
	for _, f := range ctx.Flags() {
		if path, _ := ctx.FlagValue(f).(string); f.Name == "config" && path != "" {
			if l.file, err = readFile(path); err != nil {
				return err
			}
		}
		if secretFile := secretFileFlag(ctx, f); secretFile != nil && given(ctx, f) && given(ctx, secretFile) {
			return fmt.Errorf("give --%s or --%s, not both", secretFile.Name, f.Name)
		}
	}
	return l.file.checkKeys(ctx.Model.Node)
}

// resolve returns the value that the settings' file has for a flag that is not on the command line. It
// returns nil when the variable or the default applies, which kong sets itself.
func (l *Loader) resolve(ctx *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	if secretFile := secretFileFlag(ctx, f); secretFile != nil {
		return l.resolveSecret(ctx, f, secretFile)
	}
	value, ok := l.file.values[f.Name]
	if !ok || env(f) != "" {
		return nil, nil
	}
	// guard: config: a list of pairs has each of them | f.IsMap() -> false
	if items := l.file.lists[f.Name]; items != nil && f.IsMap() {
		return strings.Join(items, string(f.Tag.MapSep)), nil
	}
	return value, nil
}

// resolveSecret returns the value of a secret, which may be in the file that the flag secretFile names. Flags
// win over variables, and these over the settings' file. It is an error if both are given in the same place;
// load has checked the command line. A variable of another tool is a place of its own, behind our variables.
func (l *Loader) resolveSecret(ctx *kong.Context, f, secretFile *kong.Flag) (any, error) {
	if given(ctx, secretFile) {
		path, _ := ctx.FlagValue(secretFile).(string)
		return l.readSecret(f, path)
	}
	switch value, path := env(f), env(secretFile); {
	// guard: config: a file that our variable names wins over another tool's variable | path != "" -> false
	case path != "" && !strings.HasPrefix(variable(f), EnvPrefix+"_"):
		return l.readSecret(f, path)
	case value != "" && path != "":
		return nil, fmt.Errorf("give %s or %s, not both", variable(secretFile), variable(f))
	case value != "":
		return nil, nil
	}
	value, hasValue := l.file.values[f.Name]
	path, hasPath := l.file.values[secretFile.Name]
	switch {
	case hasValue && hasPath:
		return nil, fmt.Errorf("%s: give %s or %s, not both", l.file.path, secretFile.Name, f.Name)
	case hasValue:
		return value, nil
	case hasPath:
		return l.readSecret(f, path)
	}
	return nil, nil
}

// readSecret returns the content of a file, without the line end and the byte order mark that editors write
// there.
func (l *Loader) readSecret(f *kong.Flag, path string) (any, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	// guard: config: a byte order mark is no part of a secret | strings.TrimPrefix(string(b), "\ufeff") -> string(b)
	secret := strings.TrimRight(strings.TrimPrefix(string(b), "\ufeff"), "\r\n")
	// guard: config: a secret in UTF-16 is refused | strings.ContainsRune(secret, 0) -> false
	if strings.ContainsRune(secret, 0) {
		return nil, fmt.Errorf("%s is no text in UTF-8 (PowerShell writes UTF-16): save it as UTF-8", path)
	}
	if secret == "" {
		return nil, fmt.Errorf("%s is empty", path)
	}
	l.secrets[f.Name] = path
	return secret, nil
}

// given reports whether a flag is on the command line. Kong appends the flags that it resolved to the path,
// too.
func given(ctx *kong.Context, f *kong.Flag) bool {
	return slices.ContainsFunc(ctx.Path, func(p *kong.Path) bool { return p.Flag == f && !p.Resolved })
}

// secretFileFlag returns the flag that names the file with the value of a secret; nil for flags that are no
// secrets.
func secretFileFlag(ctx *kong.Context, f *kong.Flag) *kong.Flag {
	if f.Target.Type() != reflect.TypeFor[Secret]() && f.Target.Type() != reflect.TypeFor[SecretURL]() {
		return nil
	}
	for _, other := range ctx.Flags() {
		if other.Name == f.Name+"-file" {
			return other
		}
	}
	return nil
}

// env returns the value of a flag's variable; "" when it has none.
func env(f *kong.Flag) string { return os.Getenv(variable(f)) }

// variable returns the name of the first variable of a flag that has a value; "" when none has.
func variable(f *kong.Flag) string {
	for _, name := range f.Envs {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

// allFlags returns the flags of a node and of all commands below it.
func allFlags(n *kong.Node) []*kong.Flag {
	flags := slices.Clone(n.Flags)
	for _, child := range n.Children {
		flags = append(flags, allFlags(child)...)
	}
	return flags
}
