package config

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARegistryIsAskedWithItsLogin(t *testing.T) {
	seen := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL.Path + " " + r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`["JSON"]`))
	}))
	defer server.Close()
	login := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:p@ss"))
	host := strings.TrimPrefix(server.URL, "http://")
	for _, r := range []SchemaRegistry{
		{URL: SecretURL{"http://me:p%40ss@" + host + "/apis/ccompat/v7"}},
		{URL: SecretURL{"http://me@" + host + "/apis/ccompat/v7"}, Password: Secret{"p@ss"}},
	} {
		require.NoError(t, r.Validate())
		c, err := r.Open()
		require.NoError(t, err)
		require.NoError(t, c.Ping(t.Context()))
		require.Equal(t, "/apis/ccompat/v7/schemas/types "+login, <-seen)
	}
	none, err := SchemaRegistry{}.Open()
	require.NoError(t, err)
	require.Nil(t, none)
}

func TestSettingsOfARegistryThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		r    SchemaRegistry
		want string
	}{
		{SchemaRegistry{URL: SecretURL{"registry:8081"}}, "--schema-registry-url=registry:8081: want http[s]://"},
		{SchemaRegistry{URL: SecretURL{"ftp://u:SECRET@h"}}, "--schema-registry-url=ftp://u:xxxxx@h: want"},
		{SchemaRegistry{URL: SecretURL{"http://u:SECRET@h,http://u:SECRET@"}}, "--schema-registry-url"},
		{SchemaRegistry{URL: SecretURL{"http://u:SECRET@h"}, Password: Secret{"SECRET"}}, "not both"},
		{SchemaRegistry{Password: Secret{"SECRET"}}, "--schema-registry-url is missing"},
		{SchemaRegistry{URL: SecretURL{"http://h"}, TLSCA: "ca.pem"}, "need an https:// URL"},
	} {
		err := test.r.Validate()
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "SECRET")
	}
	closed, err := SchemaRegistry{URL: SecretURL{"http://u:SECRET@127.0.0.1:1"}}.Open()
	require.NoError(t, err)
	require.NotContains(t, closed.Ping(t.Context()).Error(), "SECRET")
}
