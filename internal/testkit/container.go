package testkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	dockercontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// containerSpec describes how to run a server in a container.
type containerSpec struct {
	image string
	port  int                                 // that the server listens on, inside
	env   func(addr string) map[string]string // addr is what the tests connect to
	url   func(addr string) string            // nil: none
	cmd   []string
}

// container is a host. Its port on this machine is chosen before it starts, because an engine would choose
// another one at each start. Kafka must know its address beforehand, to advertise it to clients.
type container struct {
	*testcontainers.DockerContainer
	api client.APIClient
}

const labelKey = "pitchstream.testkit"

// label identifies the containers of this process.
var label = uuid.NewString()

// newContainer makes a container and starts it.
func newContainer(ctx context.Context, sp spec) (*Server, error) {
	if sp.container.image == "" {
		return nil, &errUnavailable{sp.name + " runs without a container here"}
	}
	e, err := theEngine()
	if err != nil {
		return nil, &errUnavailable{fmt.Sprintf("%s needs a container engine (Docker): %v", sp.name, err)}
	}
	if err := e.pull(ctx, sp.container.image); err != nil {
		return nil, &errUnavailable{fmt.Sprintf("%s needs the image %s: %v", sp.name, sp.container.image, err)}
	}
	for try := 1; ; try++ {
		addr := net.JoinHostPort(e.hostName, FreePort())
		c, err := runContainer(ctx, sp.container, addr)
		if err == nil {
			s := &Server{Addr: addr, host: &container{c, e.api}}
			if sp.container.url != nil {
				s.URL = sp.container.url(addr)
			}
			return s, nil
		}
		_ = testcontainers.TerminateContainer(c)
		if taken := strings.Contains(err.Error(), "already"); !taken ||
			try == 3 { // "port is already allocated", "already in use"
			return nil, fmt.Errorf("container %s: %w", sp.container.image, err)
		}
	}
}

func runContainer(ctx context.Context, sp containerSpec, addr string) (*testcontainers.DockerContainer,
	error) {
	hostName, hostPort, _ := net.SplitHostPort(addr)
	outside := network.PortBinding{HostPort: hostPort}
	if hostName == "localhost" || hostName == "127.0.0.1" {
		outside.HostIP = netip.AddrFrom4([4]byte{127, 0, 0, 1}) // not reachable from the network
	}
	inside := strconv.Itoa(sp.port) + "/tcp"
	options := []testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(inside),
		testcontainers.WithHostConfigModifier(func(c *dockercontainer.HostConfig) {
			c.PortBindings = network.PortMap{network.MustParsePort(inside): {outside}}
		}),
		testcontainers.WithLabels(map[string]string{labelKey: label}),
		testcontainers.WithCmd(sp.cmd...),
	}
	if sp.env != nil {
		options = append(options, testcontainers.WithEnv(sp.env(addr)))
	}
	return testcontainers.Run(ctx, sp.image, options...)
}

func (c *container) Start(ctx context.Context) error {
	if c.IsRunning() {
		return nil
	}
	return c.DockerContainer.Start(ctx)
}

func (c *container) Stop(ctx context.Context) error {
	patience := 20 * time.Second
	return c.DockerContainer.Stop(ctx, &patience)
}

func (c *container) Kill(ctx context.Context) error {
	if _, err := c.api.ContainerKill(ctx, c.ID, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		return err
	}
	wait := c.api.ContainerWait(ctx, c.ID, client.ContainerWaitOptions{})
	select {
	case <-wait.Result:
	case err := <-wait.Error:
		return err
	}
	none := time.Duration(0)
	return c.DockerContainer.Stop(ctx, &none) // it has stopped; testcontainers records that here
}

func (c *container) Remove(ctx context.Context) error {
	if keepServers() {
		return nil
	}
	_, err := c.api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{RemoveVolumes: true, Force: true})
	return err
}

func (c *container) Logs(ctx context.Context) string {
	r, err := c.DockerContainer.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	all, _ := io.ReadAll(r)
	return string(all[max(0, len(all)-4000):])
}

// engine is the container engine of this machine.
type engine struct {
	api      client.APIClient
	hostName string // where published ports are
}

// theEngine returns the container engine. It looks for it once in a process, for at most two seconds.
var theEngine = sync.OnceValues(findEngine)

func findEngine() (e *engine, err error) {
	if os.Getenv("PITCHSTREAM_TEST_CONTAINERS") == "off" {
		return nil, errors.New("PITCHSTREAM_TEST_CONTAINERS is off")
	}
	tclog.SetDefault(tclog.NewNoopLogger())
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	defer func() { // testcontainers panics where it finds no engine's address
		if r := recover(); r != nil {
			e, err = nil, fmt.Errorf("%v", r)
		}
	}()
	p, err := testcontainers.NewDockerProvider()
	if err != nil {
		return nil, err
	}
	if err := p.Health(ctx); err != nil {
		return nil, err
	}
	name, err := p.DaemonHost(ctx)
	if err != nil {
		return nil, err
	}
	e = &engine{p.Client(), name}
	return e, e.tie()
}

// pull fetches an image unless the engine has it. It tries once, because testcontainers would try for a
// quarter of an hour on a machine without a network.
func (e *engine) pull(ctx context.Context, image string) error {
	if _, err := e.api.ImageInspect(ctx, image); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	r, err := e.api.ImagePull(ctx, image, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	return errors.Join(r.Wait(ctx), r.Close())
}

// whenDone closes what theEngine has opened.
var whenDone = func() error { return nil }

// tie removes the containers of this process when it is killed. The time-out of a test kills it without any
// clean-up, and the reaper of testcontainers is not available everywhere.
func (e *engine) tie() error {
	whenDone = e.api.Close // its idle connections
	docker, err := exec.LookPath("docker")
	if err != nil || keepServers() {
		return nil
	}
	const undo = `export DOCKER_HOST=$2
		for pause in 0 3; do # the second time for one that was just being made
			sleep $pause
			ids=$("$3" ps -aq --filter "label=$1")
			[ -z "$ids" ] || "$3" rm -fv $ids
		done`
	line, err := child.Tie(nil, undo, labelKey+"="+label, e.api.DaemonHost(), docker)
	whenDone = func() error { return errors.Join(e.api.Close(), line.Cut()) }
	return err
}

// image returns the image for a server.
func image(name, otherwise string) string {
	if given := os.Getenv("PITCHSTREAM_TEST_" + name + "_IMAGE"); given != "" {
		return given
	}
	return otherwise
}
