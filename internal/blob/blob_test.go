package blob_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// guard: blob: a content that another process has written is not replaced
// guard: blob: a file that is too large is not read
func TestAFolderAndAnS3ServerKeepTheSamePromises(t *testing.T) {
	for name, place := range map[string]string{
		"folder": t.TempDir(), "URL of a folder": "file://" + t.TempDir(),
		"S3": testkit.Below(testkit.S3(t), "a/b"), "S3 without a prefix": testkit.S3(t),
	} {
		t.Run(name, func(t *testing.T) {
			store, err := blob.Open(place)
			require.NoError(t, err)
			ctx := t.Context()
			_, _, err = store.Read(ctx, "x/y", 10)
			require.ErrorIs(t, err, blob.ErrNotFound)
			first, err := store.Put(ctx, "x/y", []byte("one"), blob.Absent)
			require.NoError(t, err)
			_, err = store.Put(ctx, "x/y", []byte("other"), blob.Absent)
			require.ErrorIs(t, err, blob.ErrChanged)
			content, at, err := store.Read(ctx, "x/y", 3)
			require.NoError(t, err)
			require.Equal(t, "one", string(content))
			require.Equal(t, first, at.Tag)
			second, err := store.Put(ctx, "x/y", []byte("three"), first)
			require.NoError(t, err)
			_, err = store.Put(ctx, "x/y", []byte("lost"), first)
			require.ErrorIs(t, err, blob.ErrChanged)
			require.NotEqual(t, first, second)
			_, _, err = store.Read(ctx, "x/y", 4)
			require.ErrorIs(t, err, blob.ErrTooLarge)

			file := filepath.Join(t.TempDir(), "f")
			require.NoError(t, os.WriteFile(file, bytes.Repeat([]byte("z"), 100_000), 0o600))
			require.NoError(t, store.PutFile(ctx, "x/z", file))
			require.NoError(t, store.PutFile(ctx, "xx", file))
			in, _, err := store.Open(ctx, "x/z")
			require.NoError(t, err)
			all, err := io.ReadAll(in)
			require.NoError(t, err)
			require.Len(t, all, 100_000)
			require.NoError(t, in.Close())
			found, err := store.List(ctx, "x/")
			require.NoError(t, err)
			require.Len(t, found, 2)
			require.Equal(t, "x/y", found[0].Name)
			require.EqualValues(t, 100_000, found[1].Bytes)
			require.NoError(t, store.Delete(ctx, "x/y"))
			require.NoError(t, store.Delete(ctx, "x/y"))
			_, _, err = store.Read(ctx, "x/y", 10)
			require.ErrorIs(t, err, blob.ErrNotFound)
		})
	}
}

// shorter cuts the answer for a whole file. For a range it gives its first bytes only, and the length of
// these, as a cache may do.
func shorter(_ int64, w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
	switch {
	case r.Method != http.MethodGet:
		return false
	case r.Header.Get("Range") == "":
		pass.ServeHTTP(testkit.CutAfter(w, 70_000), r)
		return true
	}
	whole := httptest.NewRecorder()
	pass.ServeHTTP(whole, r)
	part := whole.Body.Bytes()
	part = part[:min(len(part), 90_000)]
	maps.Copy(w.Header(), whole.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(part)))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(part)
	return true
}

// guard: blob: an answer that was cut is no end of the file
func TestAnS3ServerWithFaultsLosesNothing(t *testing.T) {
	place := testkit.S3(t)
	content := make([]byte, 300_000)
	for i := range content {
		content[i] = byte(i % 251)
	}
	for name, fault := range map[string]testkit.Fault{
		"every second answer is 503": func(n int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			if n%2 == 1 {
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = w.Write([]byte("<Error><Code>SlowDown</Code><Message>Slow down.</Message></Error>"))
			}
			return n%2 == 1
		},
		"answers are cut": func(n int64, w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
			if r.Method != http.MethodGet || n%5 == 0 {
				return false
			}
			pass.ServeHTTP(testkit.CutAfter(w, 70_000), r)
			return true
		},
		"an answer is cut, and the next ones are shorter than asked": shorter,
		"every second connection breaks": func(n int64, _ http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			if n%2 == 1 {
				panic(http.ErrAbortHandler)
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := blob.Open(testkit.FaultyS3(t, place, fault))
			require.NoError(t, err)
			file := strings.ReplaceAll(name, " ", "-")
			_, err = store.Put(t.Context(), file, content, blob.Always)
			require.NoError(t, err)
			got, _, err := store.Read(t.Context(), file, 1<<20)
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, got))
		})
	}
}

func TestExpiredCredentialsAreAnErrorThatSaysWhatToDo(t *testing.T) {
	expired := func(_ int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		const text = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
		_, _ = w.Write([]byte(text))
		return true
	}
	store, err := blob.Open(testkit.FaultyS3(t, testkit.S3(t), expired))
	require.NoError(t, err)
	_, err = store.Put(t.Context(), "x", []byte("x"), blob.Always)
	require.ErrorContains(t, err, "refuses these credentials (ExpiredToken: The provided token has expired)")
	require.ErrorContains(t, err, "AWS_SESSION_TOKEN")
	_, err = store.List(t.Context(), "")
	require.ErrorContains(t, err, "ExpiredToken")
}

func TestAWrongPlaceSaysWhatIsWanted(t *testing.T) {
	for place, want := range map[string]string{
		"":                        "want a folder",
		"az://container/x":        "want s3://bucket/prefix",
		"https://host/x":          "want s3://bucket/prefix",
		"s3:///x":                 "the bucket is missing",
		"s3://key:secret@b/x":     "AWS_ACCESS_KEY_ID",
		"s3://b/x?endpont=y":      "?endpont= is not known",
		"s3://b?endpoint=ftp://h": "https://host:port",
	} {
		_, err := blob.Open(place)
		require.ErrorContains(t, err, want, place)
		require.NotContains(t, err.Error(), "secret")
	}
	store, err := blob.Open(testkit.S3(t))
	require.NoError(t, err)
	require.NotContains(t, store.URL(), "?")
}

// guard: blob: the conditions of a folder hold among processes
func TestTheConditionsOfAFolderHoldAmongProcesses(t *testing.T) {
	dir := t.TempDir()
	add := func() error { // as a process does that has the folder open for itself
		store, err := blob.Open(dir)
		if err != nil {
			return err
		}
		for done := 0; done < 50; {
			content, at, err := store.Read(t.Context(), "n", 100)
			condition, n := at.Tag, 0
			if errors.Is(err, blob.ErrNotFound) {
				condition = blob.Absent
			} else if n, err = strconv.Atoi(string(content)); err != nil {
				return err
			}
			_, err = store.Put(t.Context(), "n", []byte(strconv.Itoa(n+1)), condition)
			if err == nil {
				done++
			} else if !errors.Is(err, blob.ErrChanged) {
				return err
			}
		}
		return nil
	}
	var group errgroup.Group
	for range 4 {
		group.Go(add)
	}
	require.NoError(t, group.Wait())
	content, err := os.ReadFile(filepath.Join(dir, "n"))
	require.NoError(t, err)
	require.Equal(t, "200", string(content))
	store, err := blob.Open(dir)
	require.NoError(t, err)
	found, err := store.List(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, found, 1, "the lock is not listed")
}
