package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/pitchstream/pitchstream/deploy/prometheus"
)

type alertsCmd struct {
	RunbookBaseURL string `name:"runbook-base-url" placeholder:"URL" help:"Where the pages of docs/runbooks are, for the links in the alerts: a wiki, or a copy that opens without the internet. Default: the repository's."`
	Kubernetes     bool   `env:"-" name:"kubernetes" help:"Print a PrometheusRule of the Prometheus operator instead of a file for Prometheus."`
}

// Help returns the text of alerts --help below its first line.
func (*alertsCmd) Help() string {
	return `
Each alert has a link to its runbook, what is seen and what is usual, and the games that it is about.

  pitchstream alerts > /etc/prometheus/rules/pitchstream.yml
  pitchstream alerts --kubernetes --runbook-base-url=https://wiki.example.org/runbooks/ | kubectl apply -f -`
}

// Validate checks the URL.
func (c *alertsCmd) Validate() error {
	if c.RunbookBaseURL == "" {
		c.RunbookBaseURL = prometheus.Runbooks
	}
	u, err := url.Parse(c.RunbookBaseURL)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		err = errors.New("no http or https URL")
	}
	if err != nil {
		return fmt.Errorf("--runbook-base-url=%s: want a URL as https://wiki.example.org/runbooks/",
			c.RunbookBaseURL)
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
