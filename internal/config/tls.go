package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// certificates holds the paths of the PEM files for one server. flags is the start of their settings' names
// ("kafka").
type certificates struct{ flags, ca, cert, key string }

// check refuses files for a connection that is not encrypted, and a certificate without its key. need names
// the setting that turns encryption on.
func (c certificates) check(on bool, need string) error {
	if !on && c.ca+c.cert+c.key != "" {
		return fmt.Errorf("--%[1]s-tls-ca, --%[1]s-tls-cert and --%[1]s-tls-key need %s", c.flags, need)
	}
	if (c.cert == "") != (c.key == "") {
		return fmt.Errorf("--%[1]s-tls-cert and --%[1]s-tls-key need each other", c.flags)
	}
	return nil
}

// config reads the files. Each client reads them again, so a restart is enough after a certificate was
// renewed.
func (c certificates) config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, fmt.Errorf("--%s-tls-ca: %w", c.flags, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--%s-tls-ca=%s: there is no PEM certificate in it", c.flags, c.ca)
		}
	}
	if c.cert != "" {
		cert, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("--%[1]s-tls-cert, --%[1]s-tls-key: %w", c.flags, err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}
