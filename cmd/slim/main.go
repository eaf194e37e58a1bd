// Command slim writes out/slim/go.mod, with which the binaries that are handed out are built:
//
//	go run ./cmd/slim && go build -modfile=out/slim/go.mod ./cmd/pitchstream
//
// It replaces four of our dependencies by what we need of them, which makes the binary some ten megabytes
// smaller and its build shorter. A plain go build works as well.
//
//   - kong looks up methods by names that are variables. The linker must then keep every method of every type
//     of every package. In our copy the names are constants.
//   - brotli is 2.4 MB of source, which parquet-go imports for a compression that we do not write.
//   - Spans are sent over HTTP, but the messages of OTLP come with a client and a server of gRPC, and the
//     exporter's options name its types. Our copies have the messages, and empty types: 75 packages less.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	folder = "out/slim"
	kong   = "github.com/alecthomas/kong"
	brotli = "github.com/andybalholm/brotli"
	otlp   = "go.opentelemetry.io/proto/otlp"
	grpc   = "google.golang.org/grpc"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "slim:", err)
		os.Exit(1)
	}
}

func write() error {
	if _, err := os.Stat("go.mod"); err != nil {
		return errors.New("no go.mod here: run it in the root of the project")
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := writeKong(folder + "/kong"); err != nil {
		return err
	}
	if err := writeFiles(folder+"/brotli", map[string]string{
		"go.mod": "module " + brotli + "\n\ngo 1.26.0\n", "brotli.go": withoutBrotli,
	}); err != nil {
		return err
	}
	if err := writeMessages(folder + "/otlp"); err != nil {
		return err
	}
	if err := writeFiles(folder+"/grpc", withoutGRPC); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(folder+"/"+name, b, 0o644); err != nil { //nolint:gosec // as go.mod is
			return err
		}
	}
	args := []string{"mod", "edit"}
	for name, module := range map[string]string{"kong": kong, "brotli": brotli, "otlp": otlp, "grpc": grpc} {
		args = append(args, "-replace="+module+"=./"+folder+"/"+name)
	}
	_, err := run("go", append(args, folder+"/go.mod")...)
	return err
}

// writeMessages copies the messages of OTLP from the module cache, without their services.
func writeMessages(to string) error {
	out, err := run("go", "list", "-m", "-f", "{{.Dir}}", otlp)
	if err != nil {
		return err
	}
	dir := strings.TrimSpace(out)
	for _, name := range []string{
		"go.mod", "collector/trace/v1/trace_service.pb.go", "common/v1/common.pb.go",
		"resource/v1/resource.pb.go", "trace/v1/trace.pb.go",
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("%w: adapt cmd/slim to this version", err)
		}
		if err := writeFiles(to, map[string]string{name: string(b)}); err != nil {
			return err
		}
	}
	return nil
}

// writeKong copies the source of kong from the module cache, with what lookups replaces.
func writeKong(to string) error {
	out, err := run("go", "list", "-m", "-f", "{{.Dir}}", kong)
	if err != nil {
		return err
	}
	dir := strings.TrimSpace(out)
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	files := map[string]string{"lookups.go": lookups()}
	for _, path := range append(names, filepath.Join(dir, "go.mod")) {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if name := filepath.Base(path); !strings.HasSuffix(name, "_test.go") {
			files[name] = string(b)
		}
	}
	callbacks, err := replaceAll(files["callbacks.go"], map[string]int{
		"value.Addr().MethodByName(name)": 2, "value.MethodByName(name)": 2, "t.MethodByName(name)": 1,
	})
	if err != nil {
		return fmt.Errorf("callbacks.go of kong: %w", err)
	}
	files["callbacks.go"] = callbacks
	if files["context.go"], err = withoutProviders(files["context.go"]); err != nil {
		return fmt.Errorf("context.go of kong: %w", err)
	}
	return writeFiles(to, files)
}

// replaceAll replaces X.MethodByName(name) by a function of lookups.go. Each must occur as often as given,
// because another version of kong may have a lookup that is not known here.
func replaceAll(text string, lookups map[string]int) (string, error) {
	for lookup, want := range lookups {
		if n := strings.Count(text, lookup); n != want {
			return "", fmt.Errorf("%s occurs %d times, want %d: adapt cmd/slim to this version", lookup, n, want)
		}
	}
	for _, receiver := range []string{"value.Addr()", "value"} {
		text = strings.ReplaceAll(text, receiver+".MethodByName(name)", "methodNamed("+receiver+", name)")
	}
	text = strings.ReplaceAll(text, "t.MethodByName(name)", "methodOfType(t, name)")
	if strings.Contains(text, "MethodByName") {
		return "", errors.New("it has another MethodByName: adapt cmd/slim to this version")
	}
	return text, nil
}

// withoutProviders removes the search for methods named Provide…, of which we have none.
func withoutProviders(text string) (string, error) {
	before, rest, found := strings.Cut(text, "\t\t\t// Try value and pointer to value.\n")
	_, after, found2 := strings.Cut(rest, "\n\t\tif method.IsValid() {\n")
	if !found || !found2 {
		return "", errors.New("the search for Provide methods is not there: adapt cmd/slim to this version")
	}
	text = before + "\t\t}\n\t\tif method.IsValid() {\n" + after
	if strings.Contains(text, ".Method(") {
		return "", errors.New("it has another Method: adapt cmd/slim to this version")
	}
	return text, nil
}

func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as the checkout is
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // too
			return err
		}
	}
	return nil
}

func run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}

// looked are the methods that kong looks up in our types.
var looked = []string{"Run", "BeforeReset", "BeforeResolve", "BeforeApply", "AfterApply", "AfterRun"}

// lookups returns kong's lookups with constants. The linker keeps the methods with these names only.
func lookups() string {
	var b strings.Builder
	b.WriteString("package kong\n\nimport \"reflect\"\n")
	for _, signature := range []string{
		"methodNamed(v reflect.Value, name string) reflect.Value",
		"methodOfType(v reflect.Type, name string) (reflect.Method, bool)",
	} {
		fmt.Fprintf(&b, "\nfunc %s {\n\tswitch name {\n", signature)
		for _, name := range looked {
			fmt.Fprintf(&b, "\tcase %q:\n\t\treturn v.MethodByName(%q)\n", name, name)
		}
		b.WriteString("\t}\n\tpanic(\"cmd/slim has no lookup of the method \" + name)\n}\n")
	}
	return b.String()
}

// withoutBrotli is as much of brotli as parquet-go compiles with.
const withoutBrotli = `// Package brotli has no compression: see cmd/slim.
package brotli

import (
	"errors"
	"io"
)

var errNone = errors.New("this build has no brotli")

type Reader struct{}

func NewReader(io.Reader) *Reader { return &Reader{} }

func (*Reader) Read([]byte) (int, error) { return 0, errNone }

func (*Reader) Reset(io.Reader) error { return errNone }

type WriterOptions struct{ Quality, LGWin int }

type Writer struct{}

func NewWriterOptions(io.Writer, WriterOptions) *Writer { return &Writer{} }

func (*Writer) Write([]byte) (int, error) { return 0, errNone }

func (*Writer) Reset(io.Writer) {}

func (*Writer) Close() error { return errNone }
`

// withoutGRPC is as much of gRPC as the exporter of spans compiles with. It builds options for a connection
// that the exporter over HTTP never makes.
var withoutGRPC = map[string]string{
	"go.mod": "module " + grpc + "\n\ngo 1.26.0\n",
	"grpc.go": `// Package grpc has no connections: see cmd/slim.
package grpc

import (
	"time"

	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
)

type ClientConn struct{}

type DialOption interface{ none() }

type CallOption interface{ none() }

type ConnectParams struct {
	Backoff           backoff.Config
	MinConnectTimeout time.Duration
}

func UseCompressor(string) CallOption { return nil }

func WithConnectParams(ConnectParams) DialOption { return nil }

func WithDefaultCallOptions(...CallOption) DialOption { return nil }

func WithDefaultServiceConfig(string) DialOption { return nil }

func WithTransportCredentials(credentials.TransportCredentials) DialOption { return nil }

func WithUserAgent(string) DialOption { return nil }
`,
	"backoff/backoff.go": `package backoff

type Config struct{}

var DefaultConfig Config
`,
	"credentials/credentials.go": `package credentials

import "crypto/tls"

type TransportCredentials interface{ none() }

func NewTLS(*tls.Config) TransportCredentials { return nil }
`,
	"credentials/insecure/insecure.go": `package insecure

import "google.golang.org/grpc/credentials"

func NewCredentials() credentials.TransportCredentials { return nil }
`,
	"encoding/gzip/gzip.go": `package gzip

const Name = "gzip"
`,
}
