package chaos

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// disk is a file system in memory with the data of one server. It is full when its size is what it holds, so
// filling it costs no memory, and frees at once.
type disk struct {
	path string
	full chan struct{} // closed when it has room again; nil: it has room
	kept chan struct{} // closed when nobody fills it any more
}

// room is the size of a disk that is not full. No run comes near it.
const room = "4g"

// newDisk mounts a disk until the test ends, or its process dies. owner is who writes to it; nil: this user.
func newDisk(t *testing.T, owner *child.User) *disk {
	t.Helper()
	path, err := os.MkdirTemp("", "pitchstream-disk-")
	require.NoError(t, err)
	line, err := child.Tie(nil, `umount -l "$1" || sudo -n umount -l "$1"; rmdir "$1"`, path)
	require.NoError(t, err)
	d := &disk{path: path}
	t.Cleanup(func() {
		d.free()
		_ = asRoot("umount", "-l", path).Run()
		_ = os.Remove(path)
		_ = line.Cut()
	})
	if owner == nil {
		owner = &child.User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	}
	err = d.mount(fmt.Sprintf("size=%s,mode=0700,uid=%d,gid=%d", room, owner.UID, owner.GID))
	if err != nil {
		testkit.Unavailable(t, fmt.Sprint("full disks want root, or CHAOS_KINDS that has none: ", err))
	}
	return d
}

// asRoot is a command that only root may run.
func asRoot(name string, args ...string) *exec.Cmd {
	if os.Geteuid() == 0 {
		return exec.Command(name, args...)
	}
	return exec.Command("sudo", append([]string{"-n", name}, args...)...)
}

func (d *disk) mount(options string) error {
	out, err := asRoot("mount", "-t", "tmpfs", "-o", options, "pitchstream", d.path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount %s: %w: %s", d.path, err, bytes.TrimSpace(out))
	}
	return nil
}

// fill leaves no room until free, also where the server deletes files meanwhile.
func (d *disk) fill() {
	d.full, d.kept = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(d.kept)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			// It fails where the server has written in between.
			if used, left := d.holds(); left > 0 {
				_ = d.mount(fmt.Sprint("remount,size=", used))
			}
			select {
			case <-d.full:
				return
			case <-tick.C:
			}
		}
	}()
}

// holds returns how many bytes are used, and how many are left.
func (d *disk) holds() (used, left uint64) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.path, &s); err != nil {
		return 0, 0
	}
	return (s.Blocks - s.Bfree) * uint64(s.Bsize), s.Bfree * uint64(s.Bsize)
}

// free gives the room back.
func (d *disk) free() {
	if d.full == nil {
		return
	}
	close(d.full)
	<-d.kept
	d.full = nil
	_ = d.mount("remount,size=" + room)
}

// empty removes what the disk holds.
func (d *disk) empty() error {
	files, err := os.ReadDir(d.path)
	for _, f := range files {
		if err == nil {
			err = os.RemoveAll(d.path + "/" + f.Name())
		}
	}
	return err
}

// noRoom is what every server logs when it could not write.
const noRoom = "No space left on device"

// awaitFull waits until a server has logged that its disk is full: else the fault would be none.
func (c *cluster) awaitFull(name string, from int64, nudge func()) {
	c.t.Helper()
	c.await(name+" meets its full disk", func() bool {
		nudge()
		c.supervise()
		log, _ := os.ReadFile(c.logFile(name))
		return bytes.Contains(log[min(from, int64(len(log))):], []byte(noRoom))
	})
}

// fillDisk leaves a server without room to write.
func (c *cluster) fillDisk(f fault) ongoing {
	c.t.Helper()
	switch f.kind {
	case brokerFull:
		return c.fillBroker(c.choose(f))
	case masterFull:
		return c.fillMaster()
	}
	first := c.primary()
	d, nudge := first.disk, func() {}
	if f.kind == walFull {
		d = first.wal
		nudge = func() { _ = first.do(c.t.Context(), "SELECT pg_switch_wal()") } // to the next file, for which there is no room
	}
	from := size(c.logFile(first.name))
	d.fill()
	c.awaitFull(first.name, from, nudge)
	return ongoing{least: f.hold, after: c.awaitStandby, undo: func() {
		d.free()
		c.await(first.name+" runs again", func() bool {
			if first.server.Ended() {
				first.server.Kill(c.t) // only to collect it
				first.server.Begin(c.t)
			}
			return first.do(c.t.Context(), "SELECT 1") == nil
		})
	}}
}

// fillBroker leaves no room for the logs of a broker, which gives up. Its operator starts it again.
func (c *cluster) fillBroker(b *broker) ongoing {
	c.t.Helper()
	from := size(c.logFile(b.name))
	b.disk.fill()
	c.awaitFull(b.name, from, func() {})
	return ongoing{endures: true, after: c.awaitBrokers, undo: func() {
		b.disk.free()
		b.server.Kill(c.t)
		b.server.Begin(c.t)
	}}
}

// fillMaster has the master keep a log on a disk without room. It refuses writes then, and answers reads.
func (c *cluster) fillMaster() ongoing {
	c.t.Helper()
	m := c.master()
	set := func(value string) bool {
		return c.askRedis(m, "CONFIG", "SET", "appendonly", value) == nil
	}
	c.await("the master keeps a log", func() bool { return set("yes") })
	c.await("the log is begun", func() bool {
		return strings.Contains(c.infoOf(m, "persistence"), "aof_rewrite_in_progress:0")
	})
	from := size(c.logFile(m.name))
	m.disk.fill()
	c.awaitFull(m.name, from, func() {})
	return ongoing{endures: true, undo: m.disk.free, after: func() {
		c.await("the server keeps no log any more", func() bool { return set("no") })
		require.NoError(c.t, m.disk.empty())
		c.awaitReplicas()
	}}
}

// A disk is full, and has room again.
func TestADiskIsFullUntilItIsFreed(t *testing.T) {
	d := newDisk(t, nil)
	file := d.path + "/file"
	require.NoError(t, os.WriteFile(file, make([]byte, 1<<20), 0o600))
	d.fill()
	require.Eventually(t, func() bool {
		_, left := d.holds()
		return left == 0
	}, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, os.WriteFile(d.path+"/other", make([]byte, 1<<20), 0o600), syscall.ENOSPC)
	d.free()
	require.NoError(t, os.WriteFile(d.path+"/other", make([]byte, 1<<20), 0o600))
	require.NoError(t, d.empty())
	used, _ := d.holds()
	require.Zero(t, used)
}
