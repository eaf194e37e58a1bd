package chart

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// secretURL is a connection that may hold a password.
var secretURL = regexp.MustCompile(`(postgres|postgresql|redis|rediss)://`)

// workload is what has pods.
type workload struct {
	name     string
	template corev1.PodTemplateSpec
}

func (m *Manifests) workloads() (all []workload) {
	for _, s := range m.StatefulSets {
		all = append(all, workload{s.Name, s.Spec.Template})
	}
	for _, d := range m.Deployments {
		all = append(all, workload{d.Name, d.Spec.Template})
	}
	for _, j := range m.Jobs {
		all = append(all, workload{j.Name, j.Spec.Template})
	}
	for _, j := range m.CronJobs {
		all = append(all, workload{j.Name, j.Spec.JobTemplate.Spec.Template})
	}
	return all
}

// Check returns what does not fit together: selectors without pods, ports that no container opens, files that
// no pod mounts, and pods with more rights than they need.
func (m *Manifests) Check(secrets ...string) (wrong []string) {
	tell := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, s := range m.StatefulSets {
		if !matches(*s.Spec.Selector, s.Spec.Template.Labels) {
			tell("StatefulSet %s selects other pods than its own", s.Name)
		}
		if !slices.ContainsFunc(m.Services, func(x corev1.Service) bool { return x.Name == s.Spec.ServiceName && x.Spec.ClusterIP == "None" }) {
			tell("StatefulSet %s: no headless service %s", s.Name, s.Spec.ServiceName)
		}
	}
	for _, d := range m.Deployments {
		if !matches(*d.Spec.Selector, d.Spec.Template.Labels) {
			tell("Deployment %s selects other pods than its own", d.Name)
		}
	}
	for _, s := range m.Services {
		pods := m.selected(metav1.LabelSelector{MatchLabels: s.Spec.Selector})
		if len(pods) != 1 {
			tell("Service %s selects the pods of %d workloads", s.Name, len(pods))
			continue
		}
		for _, p := range s.Spec.Ports {
			if !hasPort(pods[0], p.TargetPort.StrVal) {
				tell("Service %s: its pods have no port %s", s.Name, p.TargetPort.StrVal)
			}
		}
	}
	for _, b := range m.Budgets {
		if len(m.selected(*b.Spec.Selector)) != 1 {
			tell("PodDisruptionBudget %s selects the pods of no one workload", b.Name)
		}
		if b.Spec.MaxUnavailable == nil || b.Spec.MaxUnavailable.IntValue() < 1 {
			tell("PodDisruptionBudget %s lets no node be drained", b.Name)
		}
	}
	for _, p := range m.Policies {
		pods := m.selected(p.Spec.PodSelector)
		isOfJobs := len(pods) > 1 && p.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"] == "refit"
		if len(pods) != 1 && !isOfJobs {
			tell("NetworkPolicy %s selects the pods of %d workloads", p.Name, len(pods))
			continue
		}
		for _, rule := range p.Spec.Ingress {
			for _, port := range rule.Ports {
				if !hasPort(pods[0], port.Port.StrVal) {
					tell("NetworkPolicy %s: its pods have no port %s", p.Name, port.Port.StrVal)
				}
			}
		}
	}
	for _, h := range m.Scalers {
		if !slices.ContainsFunc(m.workloads(), func(w workload) bool {
			return w.name == h.Spec.ScaleTargetRef.Name
		}) {
			tell("HorizontalPodAutoscaler %s scales %s, which is not there", h.Name, h.Spec.ScaleTargetRef.Name)
		}
	}
	for _, i := range m.Ingresses {
		b := i.Spec.Rules[0].HTTP.Paths[0].Backend.Service
		if !slices.ContainsFunc(m.Services, func(s corev1.Service) bool {
			return s.Name == b.Name && slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool {
				return p.Name == b.Port.Name
			})
		}) {
			tell("Ingress %s: no service %s with a port %s", i.Name, b.Name, b.Port.Name)
		}
	}
	for _, w := range m.workloads() {
		for _, problem := range w.check(secrets) {
			tell("%s: %s", w.name, problem)
		}
	}
	return wrong
}

func matches(s metav1.LabelSelector, labels map[string]string) bool {
	for name, value := range s.MatchLabels {
		if labels[name] != value {
			return false
		}
	}
	return len(s.MatchLabels) > 0
}

func (m *Manifests) selected(s metav1.LabelSelector) (found []workload) {
	for _, w := range m.workloads() {
		if matches(s, w.template.Labels) {
			found = append(found, w)
		}
	}
	return found
}

func hasPort(w workload, name string) bool {
	return slices.ContainsFunc(w.template.Spec.Containers[0].Ports,
		func(p corev1.ContainerPort) bool { return p.Name == name })
}

// check looks at the pods of one workload.
func (w workload) check(secrets []string) (wrong []string) {
	tell := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	pod := w.template.Spec
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot ||
		s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		tell("may run as root, or without a seccomp profile")
	}
	volumes := map[string]*corev1.SecretVolumeSource{}
	for _, v := range pod.Volumes {
		if v.Secret == nil {
			tell("volume %s is no Secret", v.Name)
			continue
		}
		if !slices.Contains(secrets, v.Secret.SecretName) {
			tell("Secret %s is none that was named", v.Secret.SecretName)
		}
		volumes[v.Name] = v.Secret
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
			s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			tell("container %s has rights that it does not need", c.Name)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
			tell("container %s has no resources", c.Name)
		}
		for name, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
			if len(c.Ports) > 0 &&
				(probe == nil || probe.HTTPGet.Path != name || !hasPort(w, probe.HTTPGet.Port.StrVal)) {
				tell("container %s is not asked %s", c.Name, name)
			}
		}
		files := map[string]bool{}
		for _, mount := range c.VolumeMounts {
			source := volumes[mount.Name]
			if source == nil || !mount.ReadOnly {
				tell("container %s mounts %s, which is not there or can be written", c.Name, mount.Name)
				continue
			}
			for _, item := range source.Items {
				files[mount.MountPath+"/"+item.Path] = true
			}
		}
		for _, e := range c.Env {
			if strings.HasSuffix(e.Name, "_FILE") && !files[e.Value] {
				tell("container %s: %s names %s, and mounts %v", c.Name, e.Name, e.Value, slices.Sorted(maps.Keys(files)))
			}
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil || secretURL.MatchString(e.Value) {
				tell("container %s: %s has a secret in a variable", c.Name, e.Name)
			}
		}
	}
	return wrong
}
