package blob_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// large is more than two parts of an upload.
func large() []byte {
	content := make([]byte, 40<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content)
	return content
}

// send writes a file in pieces, as a table is written.
func send(t *testing.T, store blob.Store, name string, content []byte) blob.Writer {
	t.Helper()
	out, err := store.Create(t.Context(), name)
	require.NoError(t, err)
	for len(content) > 0 {
		n := min(len(content), 300_000)
		_, err = out.Write(content[:n])
		require.NoError(t, err)
		content = content[n:]
	}
	return out
}

func requireContent(t *testing.T, store blob.Store, name string, want []byte) {
	t.Helper()
	got, _, err := store.Read(t.Context(), name, 1<<30)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "%d bytes of %d", len(got), len(want))
}

// guard: blob: what was not committed leaves no parts
func TestAFileThatIsWrittenAsAStreamAppearsWhole(t *testing.T) {
	server := testkit.S3(t)
	content := large()
	for name, place := range map[string]string{"folder": t.TempDir(), "S3": testkit.Below(server, "a")} {
		t.Run(name, func(t *testing.T) {
			store, err := blob.Open(place)
			require.NoError(t, err)
			out := send(t, store, "x/y", content)
			_, _, err = store.Read(t.Context(), "x/y", 1<<30)
			require.ErrorIs(t, err, blob.ErrNotFound)
			require.NoError(t, out.Commit())
			out.Abort()
			requireContent(t, store, "x/y", content)
			send(t, store, "x/y", content[5:]).Abort()
			requireContent(t, store, "x/y", content)
			for _, size := range []int{0, 1, 16 << 20} { // nothing, no part, one part
				out := send(t, store, "small", content[:size])
				require.NoError(t, out.Commit())
				requireContent(t, store, "small", content[:size])
			}
			found, err := store.List(t.Context(), "")
			require.NoError(t, err)
			require.Len(t, found, 2)
			require.Zero(t, testkit.S3Uploads(t, server))
		})
	}
}

// guard: blob: the parts of a killed program go
func TestThePartsOfAKilledProgramAreRemovedByTheNextRun(t *testing.T) {
	server := testkit.S3(t)
	store, err := blob.Open(server)
	require.NoError(t, err)
	content := large()
	send(t, store, "x", content)
	require.Equal(t, 1, testkit.S3Uploads(t, server))
	require.NoError(t, send(t, store, "x", content[:10]).Commit())
	require.Zero(t, testkit.S3Uploads(t, server))
	requireContent(t, store, "x", content[:10])
}

// guard: blob: a file whose last answer was lost is there
func TestAnUploadSurvivesTheFaultsOfAServer(t *testing.T) {
	server := testkit.S3(t)
	content := large()
	isJoining := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }
	for name, fault := range map[string]testkit.Fault{
		"503": func(n int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			if n%2 == 0 {
				testkit.RefuseS3(w, http.StatusServiceUnavailable, "SlowDown", "Slow down.", "")
			}
			return n%2 == 0
		},
		"breaks": func(n int64, _ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if n%3 == 0 {
				_, _ = io.CopyN(io.Discard, r.Body, 100_000)
				panic(http.ErrAbortHandler)
			}
			return false
		},
		"lost-answer": func(_ int64, _ http.ResponseWriter, r *http.Request, pass http.Handler) bool {
			if isJoining(r) {
				pass.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := blob.Open(testkit.FaultyS3(t, server, fault))
			require.NoError(t, err)
			require.NoError(t, send(t, store, name, content).Commit())
			requireContent(t, store, name, content)
		})
	}
	require.Zero(t, testkit.S3Uploads(t, server))
}

// guard: blob: a wrong region is told from a refusal
// guard: blob: missing credentials are told from refused ones
func TestAnErrorOfStorageSaysWhatToGive(t *testing.T) {
	server := testkit.S3(t)
	refuse := func(status int, code, more string) testkit.Fault {
		return func(_ int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			testkit.RefuseS3(w, status, code, "No.", more)
			return true
		}
	}
	wrong := refuse(http.StatusBadRequest, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")
	for _, test := range []struct {
		place string
		want  string
	}{
		{testkit.FaultyS3(t, server, wrong), "not in region us-east-1 (AuthorizationHeaderMalformed: it is in eu-west-1)"},
		{testkit.FaultyS3(t, server, refuse(http.StatusForbidden, "AccessDenied", "")), "refuses these credentials"},
		{"s3://nowhere?" + server[len("s3://archive?"):], "there is no bucket nowhere: create it"},
	} {
		store, err := blob.Open(test.place)
		require.NoError(t, err)
		out, err := store.Create(t.Context(), "x")
		if err == nil {
			err = out.Commit()
		}
		require.ErrorContains(t, err, test.want)
		_, err = store.List(t.Context(), "x")
		require.ErrorContains(t, err, test.want)
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	none := httptest.NewServer(http.NotFoundHandler()) // a machine without a role
	t.Cleanup(none.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", none.URL)
	store, err := blob.Open(testkit.FaultyS3(t, server, refuse(http.StatusForbidden, "AccessDenied", "")))
	require.NoError(t, err)
	_, err = store.List(t.Context(), "x")
	require.ErrorContains(t, err, "no credentials were found: give AWS_ACCESS_KEY_ID")
}

// guard: blob: a list is bounded
func TestAListOfStorageIsBounded(t *testing.T) {
	store, err := blob.Open(testkit.S3(t))
	require.NoError(t, err)
	defer blob.LimitList(2)()
	for _, name := range []string{"a", "b", "c"} {
		found, err := store.List(t.Context(), "")
		require.NoError(t, err)
		require.LessOrEqual(t, len(found), 2)
		_, err = store.Put(t.Context(), name, nil, blob.Always)
		require.NoError(t, err)
	}
	_, err = store.List(t.Context(), "")
	require.ErrorContains(t, err, "more than 2 files: name a longer prefix")
}
