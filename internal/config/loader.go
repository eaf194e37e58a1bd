// Package config is pitchstream's settings: what they are called, what they mean, where they come from, and what is
// wrong with them.
//
// A setting is a flag (--kafka-brokers), an environment variable (PITCHSTREAM_KAFKA_BROKERS) and a key of a YAML file
// (kafka-brokers), the first that is given wins, else its default holds. A secret may also stand in a file of its own
// (--postgres-url-file, PITCHSTREAM_POSTGRES_URL_FILE, postgres-url-file). An empty variable counts as none.
//
// A command embeds the groups that it needs:
//
//	type runCmd struct {
//		Kafka    config.Kafka    `embed:"" group:"Kafka"`
//		Postgres config.Postgres `embed:"" group:"Postgres"`
//	}
//
// and the root embeds File. Kong parses them with the options of a Loader, which it also hands to the command's Run:
// config.Print(w, loader.Settings(kctx)...) says what holds, and why.
package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// EnvPrefix begins the name of every environment variable.
const EnvPrefix = "PITCHSTREAM"

// File is the flag that names the settings' file.
type File struct {
	Config string `name:"config" placeholder:"FILE" help:"YAML file of settings: a key is a flag's name without the dashes (kafka-brokers), a list is a YAML list or has commas. Flags and environment variables win over it. None unless given."`
}

// Loader finds the value of each setting, for one parse.
type Loader struct {
	file    *file // nil: none was named
	loaded  bool
	secrets map[string]string // flag → the file that its value was read from
}

// NewLoader gives a loader for one kong parser.
func NewLoader() *Loader { return &Loader{secrets: map[string]string{}} }

// Option makes kong use the loader, and hand it to those who ask for it.
//
// Kong by itself would let the file win over the environment: it sets variables as defaults, and then asks resolvers.
func (l *Loader) Option() kong.Option {
	options := []kong.Option{
		kong.DefaultEnvars(EnvPrefix),
		kong.PostBuild(func(k *kong.Kong) error { return eachFlag(k.Model.Node, forgetEmptyEnv) }),
		kong.WithBeforeResolve(l.load),
		kong.Resolvers(kong.ResolverFunc(l.resolve)),
		kong.Bind(l),
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

// forgetEmptyEnv makes kong pass over an empty variable, which is what an unset one becomes in compose files.
func forgetEmptyEnv(f *kong.Flag) error {
	for _, name := range f.Tag.Envs {
		if value, set := os.LookupEnv(name); set && value == "" {
			f.Tag.Envs = nil // of which Kong makes f.Envs, later
		}
	}
	return nil
}

// load reads the file that --config or its variable names, before any setting is looked for in it. Kong calls it for
// every part of the command line.
func (l *Loader) load(ctx *kong.Context) error {
	if l.loaded {
		return nil
	}
	l.loaded = true
	path := ""
	for _, f := range ctx.Flags() {
		if f.Name == "config" {
			path, _ = ctx.FlagValue(f).(string)
		}
	}
	if path != "" {
		var err error
		if l.file, err = readFile(path); err != nil {
			return err
		}
	}
	return errors.Join(l.file.checkKeys(ctx.Model.Node), onlyOneOf(ctx))
}

// resolve gives the value of a flag that is not on the command line, nil for kong's own: the variable, else the default.
func (l *Loader) resolve(ctx *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	if beside := fileFlag(ctx, f); beside != nil {
		return l.resolveSecret(ctx, f, beside)
	}
	if value, ok := l.file.get(f.Name); ok && env(f) == "" {
		return value, nil
	}
	return nil, nil
}

// resolveSecret is resolve for a flag that has another beside it, which names the file with its value. Of two places
// for the same thing the one higher up wins (flag, variable, file); both at the same height are an error.
func (l *Loader) resolveSecret(ctx *kong.Context, f, beside *kong.Flag) (any, error) {
	if given(ctx, beside) {
		path, _ := ctx.FlagValue(beside).(string)
		return l.readSecret(f, path)
	}
	switch value, path := env(f), env(beside); {
	case value != "" && path != "":
		return nil, fmt.Errorf("give %s or %s, not both", beside.Envs[0], f.Envs[0])
	case value != "":
		return nil, nil
	case path != "":
		return l.readSecret(f, path)
	}
	value, hasValue := l.file.get(f.Name)
	path, hasPath := l.file.get(beside.Name)
	switch {
	case hasValue && hasPath:
		return nil, fmt.Errorf("%s: give %s or %s, not both", l.file.path, beside.Name, f.Name)
	case hasValue:
		return value, nil
	case hasPath:
		return l.readSecret(f, path)
	}
	return nil, nil
}

// readSecret is the content of a file, without the line's end that editors leave there.
func (l *Loader) readSecret(f *kong.Flag, path string) (any, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	secret := strings.TrimRight(string(b), "\r\n")
	if secret == "" {
		return nil, fmt.Errorf("%s is empty", path)
	}
	l.secrets[f.Name] = path
	return secret, nil
}

// onlyOneOf refuses a secret and its file together on the command line.
func onlyOneOf(ctx *kong.Context) error {
	for _, f := range ctx.Flags() {
		if beside := fileFlag(ctx, f); beside != nil && given(ctx, f) && given(ctx, beside) {
			return fmt.Errorf("give --%s or --%s, not both", beside.Name, f.Name)
		}
	}
	return nil
}

// given tells whether a flag is on the command line.
func given(ctx *kong.Context, f *kong.Flag) bool {
	for _, p := range ctx.Path {
		if p.Flag == f && !p.Resolved {
			return true
		}
	}
	return false
}

// fileFlag is the flag beside a secret that names the file with its value; nil for other flags.
func fileFlag(ctx *kong.Context, f *kong.Flag) *kong.Flag {
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

// env is the value of a flag's variable; empty counts as none.
func env(f *kong.Flag) string {
	for _, name := range f.Envs {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// eachFlag visits the flags of a node and of all its commands.
func eachFlag(n *kong.Node, visit func(*kong.Flag) error) error {
	for _, f := range n.Flags {
		if err := visit(f); err != nil {
			return err
		}
	}
	for _, child := range n.Children {
		if err := eachFlag(child, visit); err != nil {
			return err
		}
	}
	return nil
}
