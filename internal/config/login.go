package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// OAuth says where the token of an OAUTHBEARER login comes from: a file, a command, or an endpoint that gives
// one for a client's credentials. It is asked for at each login, so that a token may be short-lived.
type OAuth struct {
	TokenFile    string            `name:"kafka-oauth-token-file" placeholder:"FILE" help:"OAUTHBEARER: file with the token, read again at each login."`
	TokenCommand Command           `name:"kafka-oauth-token-command" placeholder:"COMMAND" help:"OAUTHBEARER: shell command that prints the token, run at each login."`
	TokenURL     string            `name:"kafka-oauth-token-url" placeholder:"URL" help:"OAUTHBEARER: endpoint that gives tokens for client credentials (https://…/oauth2/token)."`
	ClientID     string            `name:"kafka-oauth-client-id" placeholder:"ID" help:"OAUTHBEARER: the client's name at the endpoint."`
	Secret       Secret            `name:"kafka-oauth-client-secret" placeholder:"SECRET" help:"OAUTHBEARER: the client's secret. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	SecretFile   string            `name:"kafka-oauth-client-secret-file" placeholder:"FILE" help:"OAUTHBEARER: file with the client's secret."`
	Scopes       []string          `name:"kafka-oauth-scopes" placeholder:"SCOPE" help:"OAUTHBEARER: scopes to ask for."`
	Extensions   map[string]string `name:"kafka-oauth-extensions" placeholder:"KEY=VALUE" help:"OAUTHBEARER: extensions to send with the token, as logicalCluster=lkc-1;identityPoolId=pool-1, or a YAML list."`
}

// tokenTimeout bounds the wait for a token.
const tokenTimeout = 10 * time.Second

// check returns an error unless exactly one source of tokens is complete.
func (o OAuth) check() error {
	sources := 0
	for _, s := range []string{o.TokenFile, string(o.TokenCommand), o.TokenURL} {
		if s != "" {
			sources++
		}
	}
	return cmp.Or(
		present(sources > 0, "kafka-oauth-token-file",
			"it, --kafka-oauth-token-command, or --kafka-oauth-token-url, to log in with OAUTHBEARER"),
		allowed(sources == 1, "kafka-oauth-token-file", o.TokenFile,
			"one of it, --kafka-oauth-token-command and --kafka-oauth-token-url"),
		present(o.TokenURL == "" || o.ClientID != "", "kafka-oauth-client-id", "the client's name at the endpoint"),
		present(o.TokenURL == "" || o.Secret.Reveal() != "", "kafka-oauth-client-secret", "the client's secret"),
	)
}

func (o OAuth) isSet() bool {
	return o.TokenFile+string(o.TokenCommand)+o.TokenURL+o.ClientID+o.Secret.Reveal() != ""
}

// mechanism returns the login. Its errors contain neither the token nor the secret.
func (o OAuth) mechanism() sasl.Mechanism {
	var endpoint oauth2.TokenSource // keeps a token until it expires
	if o.TokenURL != "" {
		config := clientcredentials.Config{
			ClientID: o.ClientID, ClientSecret: o.Secret.Reveal(), TokenURL: o.TokenURL, Scopes: o.Scopes,
		}
		client := &http.Client{Timeout: tokenTimeout}
		endpoint = config.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, client))
	}
	return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		token, err := o.token(ctx, endpoint)
		if err == nil && token == "" {
			err = errors.New("it is empty")
		}
		if err != nil {
			err = fmt.Errorf("kafka: no token for OAUTHBEARER: %w", err)
		}
		return oauth.Auth{Token: token, Extensions: o.Extensions}, err
	})
}

func (o OAuth) token(ctx context.Context, endpoint oauth2.TokenSource) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	switch {
	case endpoint != nil:
		token, err := endpoint.Token()
		// The text of a refusal has the whole answer.
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil {
			err = fmt.Errorf("%s: %s %s", SecretURL{o.TokenURL}, refused.Response.Status, refused.ErrorCode)
		}
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	case o.TokenFile != "":
		text, err := os.ReadFile(o.TokenFile)
		return strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff")), err
	}
	text, err := exec.CommandContext(ctx, "sh", "-c", string(o.TokenCommand)).Output()
	if err != nil {
		err = fmt.Errorf("--kafka-oauth-token-command: %w", err)
	}
	return strings.TrimSpace(string(text)), err
}

// awsCredentials returns the credentials for AWS_MSK_IAM from the usual variables.
func awsCredentials(context.Context) (aws.Auth, error) {
	a := aws.Auth{
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
	}
	if a.AccessKey == "" || a.SecretKey == "" {
		return a, errors.New("kafka: AWS_MSK_IAM: want credentials in AWS_ACCESS_KEY_ID, " +
			"AWS_SECRET_ACCESS_KEY and, if they are temporary, AWS_SESSION_TOKEN")
	}
	return a, nil
}

// passwordMechanisms log in with a user and a password.
var passwordMechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// checkLogin returns an error unless the login is complete.
func (k Kafka) checkLogin() error {
	byPassword, byToken := slices.Contains(passwordMechanisms, k.SASLMechanism), k.SASLMechanism == "OAUTHBEARER"
	hasUser, hasPassword := k.SASLUser != "", k.SASLPassword.Reveal() != ""
	if byToken {
		if err := k.OAuth.check(); err != nil {
			return err
		}
	}
	if k.SASLMechanism == "AWS_MSK_IAM" {
		if _, err := awsCredentials(context.Background()); err != nil {
			return err
		}
	}
	return cmp.Or(
		present(byPassword || !hasUser && !hasPassword, "kafka-sasl-mechanism",
			"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 to log in with the user and password"),
		present(byToken || !k.OAuth.isSet(), "kafka-sasl-mechanism", "OAUTHBEARER to log in with a token"),
		present(!byPassword || hasUser, "kafka-sasl-user", "the user to log in as by "+k.SASLMechanism),
		present(!byPassword || hasPassword, "kafka-sasl-password",
			"the password to log in with by "+k.SASLMechanism),
	)
}

// mechanism returns the login; nil when there is none.
func (k Kafka) mechanism() sasl.Mechanism {
	user, password := k.SASLUser, k.SASLPassword.Reveal()
	switch k.SASLMechanism {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism()
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	case "OAUTHBEARER":
		return k.OAuth.mechanism()
	case "AWS_MSK_IAM":
		return aws.ManagedStreamingIAM(awsCredentials)
	}
	return nil
}
