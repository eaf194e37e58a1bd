package config

import "time"

// Membership says how a processor keeps its place in the group.
type Membership struct {
	SessionTimeout Duration `name:"session-timeout" default:"10s" placeholder:"TIME" help:"How long the group waits for a processor that says nothing before others take its partitions; 6s to 30m. With --instance-id also how long a restart may take that moves none: a rolling restart wants more than its pods take, as 45s. Default: 10s."`
	StatefulSet    string   `name:"stateful-set" placeholder:"NAME" help:"The StatefulSet of which this is a pod (then --instance-id is the pod's name): when it ends and the set was scaled below its number, or deleted, it leaves the group at once; when it is restarted, it keeps its place. Asks Kubernetes as the pod's service account, which must be allowed to get this one StatefulSet. None by default: without it a pod that was scaled in is waited for until --session-timeout."`
}

// Validate says what is wrong and what would be right.
func (m Membership) Validate() error {
	if d := time.Duration(m.SessionTimeout); d < 6*time.Second || d > 30*time.Minute {
		return invalid("session-timeout", m.SessionTimeout.String(), "6s to 30m")
	}
	if !instancePattern.MatchString(m.StatefulSet) {
		return invalid("stateful-set", m.StatefulSet, "the name of a StatefulSet")
	}
	return nil
}
