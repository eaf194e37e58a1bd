// Package chart renders the Helm chart and checks the result against Kubernetes' own types. It is a module of
// its own, so that none of this is a dependency of pitchstream.
package chart
