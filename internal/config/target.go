package config

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// Live is the name of the target that the settings describe.
const Live = "live"

// TargetName holds the target of a command that works on live unless it is given another.
type TargetName struct {
	Target string `name:"target" default:"live" placeholder:"NAME" help:"Target to work on: live is what the settings say; NAME has the schema, prefix, group and topics that pitchstream replay --into NAME made. Default: live. DANGER: what it is for this processor it must stay."`
}

// Validate checks the name's form, not whether the target exists.
func (t TargetName) Validate() error {
	if t.Target == Live || t.Target == "" {
		return nil
	}
	return CheckTarget("target", t.Target)
}

var targetPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// serving ends the name of the schema that readers of the promoted target use, so no target may have this
// name.
const serving = "serving"

// CheckTarget returns an error unless name is a good name for a target beside live. flag is named in the
// error.
func CheckTarget(flag, name string) error {
	return allowed(targetPattern.MatchString(name) && name != Live && name != serving, flag, name,
		"1 to 31 small letters, digits and underscores, the first a letter; not live, not serving")
}

// Targets points to the settings of live, from which the names of every target follow. nil: the command has
// no such settings, and those names are empty.
type Targets struct {
	Kafka    *Kafka
	Topics   *Topics
	Postgres *Postgres
	Redis    *Redis
}

// orNew returns the value that p points to, else a new one.
func orNew[T any](p *T) *T { return cmp.Or(p, new(T)) }

// Names returns the names of a target. Those of live are the settings. The target NAME has the schema
// SCHEMA_NAME, the group GROUP.NAME and the topics TOPIC.NAME. Its prefix is ps:NAME: when live has ps:live:,
// else live's and NAME:.
func (s Targets) Names(name string) (schemas.Target, error) {
	topics := orNew(s.Topics)
	t := schemas.Target{
		Name: Live, Schema: orNew(s.Postgres).Schema, Group: orNew(s.Kafka).Group,
		Rows: topics.TopicRows, Dead: topics.TopicDead, Prefix: orNew(s.Redis).Prefix,
	}
	if name == Live || name == "" {
		return t, nil
	}
	if err := CheckTarget("target", name); err != nil {
		return schemas.Target{}, err
	}
	t.Name = name
	for text, separator := range map[*string]string{&t.Schema: "_", &t.Group: ".", &t.Rows: ".", &t.Dead: "."} {
		if *text != "" {
			*text += separator + name
		}
	}
	if t.Prefix = strings.TrimSuffix(t.Prefix, Live+":"); t.Prefix != "" {
		t.Prefix += name + ":"
	}
	if t.Schema != "" && !schemaPattern.MatchString(t.Schema) {
		return schemas.Target{}, fmt.Errorf("--target=%s: the schema %s is longer than 63 letters", name, t.Schema)
	}
	return t, nil
}

// Use changes the settings into those of a target, and returns its names.
func (s Targets) Use(name string) (schemas.Target, error) {
	t, err := s.Names(name)
	if err != nil {
		return t, err
	}
	topics := orNew(s.Topics)
	topics.TopicRows, topics.TopicDead = t.Rows, t.Dead
	orNew(s.Kafka).Group = t.Group
	orNew(s.Postgres).Schema = t.Schema
	orNew(s.Redis).Prefix = t.Prefix
	return t, nil
}

// ServingSchema returns the schema with the pointer to the target that readers see, and with that target's
// views.
func (p Postgres) ServingSchema() string { return p.Schema + "_" + serving }
