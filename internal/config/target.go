package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// Live is the target that the settings name.
const Live = "live"

// TargetName picks a target for a command that otherwise works on live.
type TargetName struct {
	Target string `name:"target" default:"live" placeholder:"NAME" help:"Target to work on: live is what the settings say; NAME has the schema, prefix, group and topics that pitchstream replay --into NAME made. Default: live. DANGER: what it is for this processor it must stay."`
}

// Validate says what is wrong and what would be right.
func (t TargetName) Validate() error {
	if t.Target == Live || t.Target == "" {
		return nil
	}
	return CheckTarget("target", t.Target)
}

var targetPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// serving is the end of the name of the schema that readers of the promoted target use.
const serving = "serving"

// CheckTarget says what is wrong with the name of a target that is not live.
func CheckTarget(flag, name string) error {
	if !targetPattern.MatchString(name) || name == Live || name == serving {
		return invalid(flag, name, "1 to 31 small letters, digits and underscores, the first a letter; not live, not serving")
	}
	return nil
}

// Targets are the names of live, from which those of every target follow.
type Targets struct {
	Kafka    *Kafka
	Topics   *Topics
	Postgres *Postgres
	Redis    *Redis
}

// Of gives the target of this name: live as the settings say; NAME with the schema SCHEMA_NAME, the prefix ps:NAME:
// where live's is ps:live: (another prefix gets NAME: behind it), the group GROUP.NAME and the topics TOPIC.NAME. A part
// that is not given is left empty.
func (s Targets) Of(name string) (schemas.Target, error) {
	t := schemas.Target{Name: Live}
	if s.Kafka != nil {
		t.Group = s.Kafka.Group
	}
	if s.Topics != nil {
		t.Rows, t.Dead = s.Topics.TopicRows, s.Topics.TopicDead
	}
	if s.Postgres != nil {
		t.Schema = s.Postgres.Schema
	}
	if s.Redis != nil {
		t.Prefix = s.Redis.Prefix
	}
	if name == Live || name == "" {
		return t, nil
	}
	if err := CheckTarget("target", name); err != nil {
		return schemas.Target{}, err
	}
	behind := func(of, sep string) string {
		if of == "" {
			return ""
		}
		return of + sep + name
	}
	t = schemas.Target{Name: name, Schema: behind(t.Schema, "_"), Group: behind(t.Group, "."), Rows: behind(t.Rows, "."), Dead: behind(t.Dead, "."), Prefix: t.Prefix}
	if base, ok := strings.CutSuffix(t.Prefix, Live+":"); ok {
		t.Prefix = base
	}
	if t.Prefix != "" {
		t.Prefix += name + ":"
	}
	if t.Schema != "" && !schemaPattern.MatchString(t.Schema) {
		return schemas.Target{}, fmt.Errorf("--target=%s: the schema %s would be longer than 63 letters", name, t.Schema)
	}
	return t, nil
}

// Use changes the settings into those of the target.
func (s Targets) Use(name string) (schemas.Target, error) {
	t, err := s.Of(name)
	if err != nil {
		return t, err
	}
	if s.Kafka != nil {
		s.Kafka.Group = t.Group
	}
	if s.Topics != nil {
		s.Topics.TopicRows, s.Topics.TopicDead = t.Rows, t.Dead
	}
	if s.Postgres != nil {
		s.Postgres.Schema = t.Schema
	}
	if s.Redis != nil {
		s.Redis.Prefix = t.Prefix
	}
	return t, nil
}

// ServingSchema is the schema with the pointer to the target that readers see, and its views.
func (p Postgres) ServingSchema() string { return p.Schema + "_" + serving }
