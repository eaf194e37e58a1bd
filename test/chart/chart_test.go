package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const folder = "../../deploy/helm/pitchstream"

func loaded(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(folder)
	require.NoError(t, err)
	require.NoError(t, c.Validate())
	return c
}

func valuesOf(t *testing.T, name string) (values map[string]any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, "ci", name+"-values.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(b, &values))
	return values
}

func rendered(t *testing.T, name string) *Manifests {
	t.Helper()
	m, err := Render(loaded(t), valuesOf(t, name))
	require.NoError(t, err)
	return m
}

var secrets = []string{"pitchstream", "league-connections", "league-tls"}

func TestManifestsFitTogether(t *testing.T) {
	for _, name := range []string{"default", "minimal", "all", "keda"} {
		t.Run(name, func(t *testing.T) {
			m := rendered(t, name)
			require.Empty(t, m.Check(secrets...))
			require.Contains(t, m.Notes, "pitchstream")
			require.NotContains(t, fmt.Sprint(m), "<no value>")
		})
	}
}

func TestWhatIsThere(t *testing.T) {
	count := func(m *Manifests) []int {
		return []int{
			len(m.StatefulSets), len(m.Deployments), len(m.Jobs), len(m.Services), len(m.Budgets), len(m.Policies),
			len(m.Scalers), len(m.Ingresses), len(m.Roles), len(m.ServiceAccounts), len(m.Others), len(m.CronJobs),
		}
	}
	require.Equal(t, []int{1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, count(rendered(t, "minimal")))
	require.Equal(t, []int{1, 1, 1, 2, 2, 3, 0, 0, 1, 1, 0, 0}, count(rendered(t, "default")))
	require.Equal(t, []int{1, 1, 1, 3, 2, 5, 2, 1, 1, 1, 1, 3}, count(rendered(t, "all")))
	require.Equal(t, []int{1, 1, 1, 3, 2, 3, 1, 1, 1, 1, 2, 0}, count(rendered(t, "keda")))
}

// A pod that is restarted is who it was, and knows when it is not wanted any more.
func TestProcessorsKeepTheirNames(t *testing.T) {
	m := rendered(t, "all")
	set := m.StatefulSets[0]
	env := map[string]string{}
	for _, e := range set.Spec.Template.Spec.Containers[0].Env {
		env[e.Name] = e.Value
		if e.ValueFrom != nil {
			env[e.Name] = e.ValueFrom.FieldRef.FieldPath
		}
	}
	require.Equal(t, "metadata.name", env["PITCHSTREAM_INSTANCE_ID"])
	require.Equal(t, set.Name, env["PITCHSTREAM_STATEFUL_SET"])
	require.Equal(t, "45s", env["PITCHSTREAM_SESSION_TIMEOUT"])
	require.Nil(t, set.Spec.Replicas, "the autoscaler says how many")
	require.True(t, *set.Spec.Template.Spec.AutomountServiceAccountToken)
	rule := m.Roles[0].Rules[0]
	require.Equal(t, []any{[]string{"get"}, []string{"statefulsets"}, []string{set.Name}}, []any{rule.Verbs, rule.Resources, rule.ResourceNames})
	require.Equal(t, m.Roles[0].Name, m.Bindings[0].RoleRef.Name)
	require.Equal(t, set.Spec.Template.Spec.ServiceAccountName, m.Bindings[0].Subjects[0].Name)
	require.EqualValues(t, 2, *rendered(t, "default").StatefulSets[0].Spec.Replicas)
	require.False(t, *rendered(t, "minimal").StatefulSets[0].Spec.Template.Spec.AutomountServiceAccountToken)
}

func TestProcessorsReachTheSchemaRegistry(t *testing.T) {
	pod := rendered(t, "all").StatefulSets[0].Spec.Template.Spec
	env := map[string]string{}
	for _, e := range pod.Containers[0].Env {
		env[e.Name] = e.Value
	}
	require.Equal(t, "https://pitchstream@registry:8081", env["PITCHSTREAM_SCHEMA_REGISTRY_URL"])
	require.Equal(t, "/etc/pitchstream/secrets/schema-registry-password", env["PITCHSTREAM_SCHEMA_REGISTRY_PASSWORD_FILE"])
	require.Equal(t, "false", env["PITCHSTREAM_SCHEMA_REGISTRY_AUTO_REGISTER"])
	require.Equal(t, "avro", env["PITCHSTREAM_ROWS_FORMAT"])
	keys := map[string]bool{}
	for _, item := range pod.Volumes[0].Secret.Items {
		keys[item.Key] = true
	}
	require.True(t, keys["schema-registry-password"])
	for _, e := range rendered(t, "default").StatefulSets[0].Spec.Template.Spec.Containers[0].Env {
		require.NotContains(t, e.Name, "SCHEMA_REGISTRY")
	}
}

// A pod of the API gets the name of every topic and stays below its memory limit. It ends without an error
// for any client, and is not beside its like where that can be avoided.
func TestPodsOfTheAPI(t *testing.T) {
	m := rendered(t, "all")
	pod := m.Deployments[0].Spec.Template.Spec
	env := map[string]string{}
	for _, e := range pod.Containers[0].Env {
		env[e.Name] = e.Value
	}
	for _, name := range []string{"RAW", "ROWS", "DEAD"} {
		require.NotEmpty(t, env["PITCHSTREAM_TOPIC_"+name], name)
	}
	require.NotEmpty(t, env["PITCHSTREAM_MEMORY_LIMIT"])
	require.Equal(t, "5s", env["PITCHSTREAM_DRAIN_WAIT"])
	require.EqualValues(t, 5, pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds)
	require.Greater(t, *pod.TerminationGracePeriodSeconds, int64(5+5+10), "preStop, drain, the last requests")
	for _, spread := range [][]corev1.TopologySpreadConstraint{
		rendered(t, "default").Deployments[0].Spec.Template.Spec.TopologySpreadConstraints,
		rendered(t, "default").StatefulSets[0].Spec.Template.Spec.TopologySpreadConstraints,
	} {
		require.Len(t, spread, 2)
		require.Equal(t, "kubernetes.io/hostname", spread[1].TopologyKey)
		require.NotEmpty(t, spread[1].LabelSelector.MatchLabels["app.kubernetes.io/component"])
	}
}

// Migrations come before what needs them, and need nothing of the chart that is not there yet.
func TestTheHookComesFirst(t *testing.T) {
	job := rendered(t, "all").Jobs[0]
	require.Equal(t, "pre-install,pre-upgrade", job.Annotations["helm.sh/hook"])
	require.Contains(t, job.Annotations["helm.sh/hook-delete-policy"], "before-hook-creation")
	require.Empty(t, job.Spec.Template.Spec.ServiceAccountName)
	spec := job.Spec.Template.Spec
	for _, c := range []corev1.Container{spec.InitContainers[0], spec.Containers[0]} {
		require.Contains(t, c.Env, corev1.EnvVar{Name: "PITCHSTREAM_KAFKA_TLS_CA", Value: "/etc/pitchstream/tls/ca.crt"})
	}
	require.Equal(t, []string{"topics", "--topic-partitions=6", "--topic-replication=3"}, job.Spec.Template.Spec.InitContainers[0].Args)
	require.Equal(t, []string{"migrate", "--writer-role=pitchstream_writer", "--reader-role=pitchstream_reader"}, job.Spec.Template.Spec.Containers[0].Args)
}

// A night trains each model once, with the limits of the values and the rights of a processor.
func TestNightsOfRefits(t *testing.T) {
	jobs := rendered(t, "all").CronJobs[1:]
	require.Equal(t, "league-refit-archetypes", jobs[0].Name)
	require.Equal(t, "league-refit-self-pitcher", jobs[1].Name)
	for i, model := range []string{"archetypes", "self-pitcher"} {
		require.Equal(t, "0 10 * * *", jobs[i].Spec.Schedule)
		require.Equal(t, "Etc/UTC", *jobs[i].Spec.TimeZone)
		require.EqualValues(t, "Forbid", jobs[i].Spec.ConcurrencyPolicy)
		pod := jobs[i].Spec.JobTemplate.Spec.Template.Spec
		require.Equal(t, corev1.RestartPolicyNever, pod.RestartPolicy)
		require.False(t, *pod.AutomountServiceAccountToken)
		require.Equal(t, []string{
			"model", "refit", model, "--days=90", "--min-agreement=0.9", "--max-psi=0.2", "--max-calibration-error=0.03", "--promote-first",
		}, pod.Containers[0].Args)
		require.Equal(t, "/etc/pitchstream/secrets/postgres-writer-url", pod.Containers[0].Env[0].Value)
	}
	values := valuesOf(t, "all")
	values["fullnameOverride"] = strings.Repeat("a", 40)
	values["refit"] = map[string]any{"enabled": true, "models": []any{
		strings.Repeat("m", 40), strings.Repeat("m", 39) + "n", "self-batter-left-handed-2025", "self-batter-left-handed-2026",
	}}
	m, err := Render(loaded(t), values)
	require.NoError(t, err)
	names := map[string]bool{}
	for _, job := range m.CronJobs {
		require.LessOrEqual(t, len(job.Name), 52, "Kubernetes adds 11 characters to a job's name")
		names[job.Name] = true
	}
	require.Len(t, names, len(m.CronJobs), "each model has a job")
	require.Empty(t, m.Check(secrets...))
}

// KEDA asks brokers that encrypt or want a login with an authentication of the user. It reads a large number.
func TestKEDAReachesBrokersThatWantALogin(t *testing.T) {
	spec := rendered(t, "keda").Others["ScaledObject"]["spec"].(map[string]any)
	trigger := spec["triggers"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{"name": "league-kafka"}, trigger["authenticationRef"])
	require.Equal(t, "2000000", trigger["metadata"].(map[string]any)["lagThreshold"])
}

// The archive is written by a job that gets its storage, its credentials and no more.
func TestTheArchiveIsAJob(t *testing.T) {
	job := rendered(t, "all").CronJobs[0]
	require.Equal(t, "league-archive", job.Name)
	require.EqualValues(t, "Forbid", job.Spec.ConcurrencyPolicy)
	pod := job.Spec.JobTemplate.Spec.Template.Spec
	require.Equal(t, []string{"archive", "--once"}, pod.Containers[0].Args)
	require.Equal(t, "league-connections", pod.Containers[0].EnvFrom[0].SecretRef.Name)
	env := map[string]string{}
	for _, e := range pod.Containers[0].Env {
		env[e.Name] = e.Value
	}
	require.Equal(t, "s3://league/raw?region=us-east-2", env["PITCHSTREAM_ARCHIVE"])
	for _, v := range pod.Volumes {
		if v.Secret != nil && v.Name == "secrets" {
			require.Len(t, v.Secret.Items, 1, "no connection of Postgres or Redis")
		}
	}
	values := valuesOf(t, "default")
	values["archive"] = map[string]any{"enabled": true, "url": "gs://league/raw"}
	m, err := Render(loaded(t), values)
	require.NoError(t, err)
	require.Empty(t, m.Check(secrets...))
	require.Empty(t, m.CronJobs[0].Spec.JobTemplate.Spec.Template.Spec.Containers[0].EnvFrom)
}

func TestValuesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ values, says string }{
		"misspelt":          {"processor: {replica: 3}", "replica"},
		"of another type":   {"processor: {replicas: many}", "replicas"},
		"no such word":      {"log: {level: loud}", "level"},
		"no Secret":         {"secrets: {existingSecret: \"\"}", "secrets.existingSecret"},
		"a time span":       {"processor: {sessionTimeout: \"45\"}", "sessionTimeout"},
		"a schedule":        {"refit: {schedule: nightly}", "schedule"},
		"no storage":        {"archive: {enabled: true}", "archive.url"},
		"a password":        {"archive: {url: \"s3://key:secret@bucket\"}", "url"},
		"a model's name":    {"refit: {models: [\"x y\"]}", "models"},
		"a share":           {"refit: {minAgreement: 2}", "minAgreement"},
		"an ingress's host": {"api: {ingress: {enabled: true}}", "api.ingress.host"},
	} {
		t.Run(name, func(t *testing.T) {
			values := valuesOf(t, "default")
			var change map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(c.values), &change))
			for k, v := range change {
				values[k] = v
			}
			_, err := Render(loaded(t), values)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// Check reports each fault: each of these manifests has one.
func TestFaultsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Manifests)
		says  string
	}{
		"a selector":     {func(m *Manifests) { m.StatefulSets[0].Spec.Template.Labels = map[string]string{"a": "b"} }, "selects other pods"},
		"a port":         {func(m *Manifests) { m.Deployments[0].Spec.Template.Spec.Containers[0].Ports[0].Name = "web" }, "have no port http"},
		"a budget":       {func(m *Manifests) { m.Budgets[0].Spec.MaxUnavailable.IntVal = 0 }, "lets no node be drained"},
		"a probe":        {func(m *Manifests) { m.Deployments[0].Spec.Template.Spec.Containers[0].ReadinessProbe = nil }, "is not asked /readyz"},
		"a right":        {func(m *Manifests) { m.Jobs[0].Spec.Template.Spec.Containers[0].SecurityContext.Capabilities = nil }, "rights that it does not need"},
		"root":           {func(m *Manifests) { m.Jobs[0].Spec.Template.Spec.SecurityContext = nil }, "may run as root"},
		"a file":         {func(m *Manifests) { m.StatefulSets[0].Spec.Template.Spec.Volumes[0].Secret.Items = nil }, "POSTGRES_URL_FILE names"},
		"another Secret": {func(m *Manifests) { m.StatefulSets[0].Spec.Template.Spec.Volumes[0].Secret.SecretName = "x" }, "Secret x is none"},
		"a scaler":       {func(m *Manifests) { m.Scalers[0].Spec.ScaleTargetRef.Name = "x" }, "scales x"},
	} {
		t.Run(name, func(t *testing.T) {
			m := rendered(t, "all")
			c.spoil(m)
			require.Contains(t, strings.Join(m.Check(secrets...), "\n"), c.says)
		})
	}
	_, err := Render(&chart.Chart{Metadata: loaded(t).Metadata, Templates: []*chart.File{{Name: "templates/x.yaml",
		Data: []byte("apiVersion: v1\nkind: Service\nspec: {prots: []}")}}}, nil)
	require.ErrorContains(t, err, "prots")
}

// Every value is explained, and no other.
func TestReadmeHasEveryValue(t *testing.T) {
	var paths []string
	var walk func(at string, schema map[string]any)
	walk = func(at string, schema map[string]any) {
		properties, _ := schema["properties"].(map[string]any)
		for name, inner := range properties {
			walk(strings.TrimPrefix(at+"."+name, "."), inner.(map[string]any))
		}
		if properties == nil && at != "global" {
			paths = append(paths, at)
		}
	}
	c := loaded(t)
	var schema map[string]any
	require.NoError(t, yaml.Unmarshal(c.Schema, &schema))
	walk("", schema)
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	require.NoError(t, err)
	var told []string
	for _, line := range regexp.MustCompile("(?m)^\\| `([a-zA-Z.]+)` \\|").FindAllStringSubmatch(string(readme), -1) {
		told = append(told, line[1])
	}
	slices.Sort(paths)
	slices.Sort(told)
	require.Equal(t, paths, told)
}
