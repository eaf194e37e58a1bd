package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/pitchstream/pitchstream/deploy/prometheus"
)

type alertsCmd struct {
	RunbookBaseURL string `name:"runbook-base-url" placeholder:"URL" help:"Link the alerts to the runbooks below this URL: a wiki, or a copy of docs/runbooks that opens without the internet. Default: the repository's."`
	Kubernetes     bool   `env:"-" name:"kubernetes" help:"Print a PrometheusRule of the Prometheus operator instead of a file for Prometheus."`
}

// Help returns the text of alerts --help below its first line.
func (*alertsCmd) Help() string {
	return `
Each alert has a link to its runbook, the current value and the usual one, and the games concerned. A PrometheusRule has no labels:
where the operator selects rules by labels, add them, for example with kubectl label.

  pitchstream alerts > /etc/prometheus/rules/pitchstream.yml
  pitchstream alerts --kubernetes --runbook-base-url=https://wiki.example.org/runbooks/ | kubectl apply -f -`
}

// Validate checks the URL, and sets the default.
func (c *alertsCmd) Validate() error {
	if c.RunbookBaseURL == "" {
		c.RunbookBaseURL = prometheus.Runbooks
	}
	u, err := url.Parse(c.RunbookBaseURL)
	isBase := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		u.RawQuery == "" && u.Fragment == "" && !strings.ContainsAny(c.RunbookBaseURL, " \t\n?#{}")
	if !isBase {
		return fmt.Errorf("--runbook-base-url=%s: want an http or https URL that pages are named behind, "+
			"for example https://wiki.example.org/runbooks/", c.RunbookBaseURL)
	}
	return nil
}

// Run prints the rules.
func (c *alertsCmd) Run(std *stdio) error {
	form := prometheus.RuleFile
	if c.Kubernetes {
		form = prometheus.PrometheusRule
	}
	text, err := prometheus.Rules(form, c.RunbookBaseURL)
	if err != nil {
		return err
	}
	_, err = std.Out.Write(text)
	return err
}
