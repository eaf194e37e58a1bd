package processor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// leaves returns a function that reports whether this pod of a StatefulSet was scaled in; nil without a
// StatefulSet.
func (o Options) leaves() func(context.Context) bool {
	if o.StatefulSet == "" {
		return nil
	}
	k := kubernetes{
		base: "https://" + net.JoinHostPort(
			os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")),
		account: "/var/run/secrets/kubernetes.io/serviceaccount",
	}
	return func(ctx context.Context) bool {
		gone, err := k.scaledIn(ctx, o.StatefulSet, o.InstanceID)
		if err != nil { // staying by mistake costs a session timeout, leaving moves partitions twice
			o.Log.Warn("cannot ask Kubernetes whether this pod is started again, so it stays in the group",
				"error", err)
		}
		return gone
	}
}

// kubernetes is a client of the Kubernetes API with the rights of the pod's service account. One GET does not
// justify a dependency on client-go.
type kubernetes struct {
	base    string
	account string // folder with token, ca.crt and namespace
}

// scaledIn reports whether the number of a pod is beyond the replicas of its set, or the set is deleted.
func (k kubernetes) scaledIn(ctx context.Context, set, pod string) (bool, error) {
	number, err := strconv.Atoi(strings.TrimPrefix(pod, set+"-"))
	if err != nil || !strings.HasPrefix(pod, set+"-") {
		return false, fmt.Errorf("instance %q is no pod of the StatefulSet %q", pod, set)
	}
	var found struct {
		Metadata struct {
			DeletionTimestamp *string `json:"deletionTimestamp"`
		} `json:"metadata"`
		Spec struct {
			Replicas *int `json:"replicas"`
			Ordinals struct {
				Start int `json:"start"`
			} `json:"ordinals"`
		} `json:"spec"`
	}
	status, err := k.get(ctx, "statefulsets/"+set, &found)
	switch {
	case err != nil:
		return false, err
	case status == http.StatusNotFound, found.Metadata.DeletionTimestamp != nil:
		return true, nil
	case status != http.StatusOK || found.Spec.Replicas == nil:
		return false, fmt.Errorf("kubernetes: get StatefulSet %s: status %d", set, status)
	}
	// guard: deploy: only a pod beyond the number leaves | found.Spec.Ordinals.Start+*found.Spec.Replicas -> *found.Spec.Replicas
	return number >= found.Spec.Ordinals.Start+*found.Spec.Replicas, nil
}

// get reads an object of apps/v1 in the pod's namespace into the value. With a status other than 200 the
// value stays as it is.
func (k kubernetes) get(ctx context.Context, path string, into any) (status int, err error) {
	read := func(name string) string {
		b, e := os.ReadFile(filepath.Join(k.account, name))
		err = errors.Join(err, e)
		return strings.TrimSpace(string(b))
	}
	token, authority, namespace := read("token"), read("ca.crt"), read("namespace")
	if err != nil {
		return 0, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(authority))
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	url := k.base + "/apis/apps/v1/namespaces/" + namespace + "/" + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(into)
}
