package chart

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// Manifests are the objects of one rendering, by their kinds.
type Manifests struct {
	StatefulSets    []appsv1.StatefulSet
	Deployments     []appsv1.Deployment
	Jobs            []batchv1.Job
	CronJobs        []batchv1.CronJob
	Services        []corev1.Service
	ServiceAccounts []corev1.ServiceAccount
	Budgets         []policyv1.PodDisruptionBudget
	Scalers         []autoscalingv2.HorizontalPodAutoscaler
	Policies        []networkingv1.NetworkPolicy
	Ingresses       []networkingv1.Ingress
	Roles           []rbacv1.Role
	Bindings        []rbacv1.RoleBinding
	Others          map[string]map[string]any // of resources that others define, by kind
	Notes           string
}

// Render makes the manifests of values, as helm install would, and reads each strictly: a field that
// Kubernetes does not know is an error.
func Render(c *chart.Chart, values map[string]any) (*Manifests, error) {
	full, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "season", Namespace: "league", IsInstall: true}, chartutil.DefaultCapabilities.Copy())
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, full)
	if err != nil {
		return nil, err
	}
	m := &Manifests{Others: map[string]map[string]any{}}
	for name, text := range files {
		switch {
		case path.Base(name) == "NOTES.txt":
			m.Notes = text
		case strings.HasSuffix(name, ".yaml"):
			for _, doc := range strings.Split(text, "\n---") {
				if err := m.add(doc); err != nil {
					return nil, fmt.Errorf("%s: %w\n%s", name, err, doc)
				}
			}
		}
	}
	// The files come in no order.
	slices.SortFunc(m.CronJobs, func(a, b batchv1.CronJob) int { return strings.Compare(a.Name, b.Name) })
	return m, nil
}

func (m *Manifests) add(doc string) error {
	var head struct{ APIVersion, Kind string }
	if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
		return err
	}
	b := []byte(doc)
	switch head.APIVersion + "/" + head.Kind {
	case "/":
		return nil // what was switched off
	case "apps/v1/StatefulSet":
		return strict(b, &m.StatefulSets)
	case "apps/v1/Deployment":
		return strict(b, &m.Deployments)
	case "batch/v1/Job":
		return strict(b, &m.Jobs)
	case "batch/v1/CronJob":
		return strict(b, &m.CronJobs)
	case "v1/Service":
		return strict(b, &m.Services)
	case "v1/ServiceAccount":
		return strict(b, &m.ServiceAccounts)
	case "policy/v1/PodDisruptionBudget":
		return strict(b, &m.Budgets)
	case "autoscaling/v2/HorizontalPodAutoscaler":
		return strict(b, &m.Scalers)
	case "networking.k8s.io/v1/NetworkPolicy":
		return strict(b, &m.Policies)
	case "networking.k8s.io/v1/Ingress":
		return strict(b, &m.Ingresses)
	case "rbac.authorization.k8s.io/v1/Role":
		return strict(b, &m.Roles)
	case "rbac.authorization.k8s.io/v1/RoleBinding":
		return strict(b, &m.Bindings)
	case "keda.sh/v1alpha1/ScaledObject", "monitoring.coreos.com/v1/ServiceMonitor":
		var o map[string]any
		err := yaml.UnmarshalStrict(b, &o)
		m.Others[head.Kind] = o
		return err
	}
	return fmt.Errorf("a %s of %s: nobody checks it", head.Kind, head.APIVersion)
}

func strict[T any](doc []byte, all *[]T) error {
	var o T
	err := yaml.UnmarshalStrict(doc, &o)
	*all = append(*all, o)
	return err
}
