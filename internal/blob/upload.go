package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"
)

// A file that is written as a stream is sent in parts. The server joins them when all have arrived, and shows
// nothing before. Three facts are not obvious. A file of less than a part is sent at once, without parts. The
// parts of a killed program stay in storage, unseen and paid for, so the next Create of the file removes
// them. And the answer to the joining may be lost, so the file has a mark of its upload.
const (
	maxParts     = 10_000 // that S3 takes of a file: 160 GB
	uploadMark   = "Pitchstream-Upload"
	abortTimeout = 30 * time.Second
)

// upload is the Writer of remote storage. Its memory is one part.
type upload struct {
	ctx   context.Context
	of    *remote
	name  string
	mark  string // metadata of the file: no other upload has it
	buf   []byte
	id    string // of the parts; "" while none was sent
	parts []minio.CompletePart
	done  bool
}

func (r *remote) Create(ctx context.Context, name string) (Writer, error) {
	// A server that does not let these credentials list such parts is none that cannot be written to.
	// guard: blob: the parts of a killed program go | r.api.RemoveIncompleteUpload(ctx, r.at.bucket, r.key(name)) -> error(nil)
	if err := r.api.RemoveIncompleteUpload(ctx, r.at.bucket, r.key(name)); err != nil {
		if answer := minio.ToErrorResponse(err); !isRefusal(answer) && answer.Code != "NotImplemented" &&
			answer.Code != minio.NoSuchUpload {
			return nil, r.failed(name, err)
		}
	}
	return &upload{ctx: ctx, of: r, name: name, mark: rand.Text()}, nil
}

func (u *upload) options() minio.PutObjectOptions {
	return minio.PutObjectOptions{
		UserMetadata: map[string]string{uploadMark: u.mark}, DisableMultipart: true,
	}
}

func (u *upload) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if len(u.buf) == partBytes {
			if err := u.send(); err != nil {
				return n, err
			}
		}
		k := min(len(p), partBytes-len(u.buf))
		u.buf = append(u.buf, p[:k]...)
		p, n = p[k:], n+k
	}
	return n, nil
}

// send sends what is buffered as a part.
func (u *upload) send() (err error) {
	r := u.of
	if len(u.parts) == maxParts {
		return fmt.Errorf("storage %s/%s: the file has more than %d parts of %d bytes, which is not written",
			r.URL(), u.name, maxParts, partBytes)
	}
	if u.id == "" {
		if u.id, err = r.api.NewMultipartUpload(u.ctx, r.at.bucket, r.key(u.name), u.options()); err != nil {
			return r.failed(u.name, err)
		}
	}
	part, err := r.api.PutObjectPart(u.ctx, r.at.bucket, r.key(u.name), u.id, len(u.parts)+1,
		bytes.NewReader(u.buf), int64(len(u.buf)), minio.PutObjectPartOptions{})
	if err != nil {
		return r.failed(u.name, err)
	}
	u.parts = append(u.parts, minio.CompletePart{PartNumber: part.PartNumber, ETag: part.ETag})
	u.buf = u.buf[:0]
	return nil
}

func (u *upload) Commit() error {
	r := u.of
	if u.id == "" {
		_, err := r.api.Client.PutObject(u.ctx, r.at.bucket, r.key(u.name), bytes.NewReader(u.buf),
			int64(len(u.buf)), u.options())
		if err != nil {
			return r.failed(u.name, err)
		}
		u.done, u.buf = true, nil
		return nil
	}
	if len(u.buf) > 0 {
		if err := u.send(); err != nil {
			return err
		}
	}
	_, err := r.api.CompleteMultipartUpload(u.ctx, r.at.bucket, r.key(u.name), u.id, u.parts,
		minio.PutObjectOptions{})
	// guard: blob: a file whose last answer was lost is there | u.isThere() -> false
	if err != nil && !u.isThere() {
		return r.failed(u.name, err)
	}
	u.done, u.buf = true, nil
	return nil
}

// isThere reports whether the file is that of this upload.
func (u *upload) isThere() bool {
	info, err := u.of.api.StatObject(u.ctx, u.of.at.bucket, u.of.key(u.name), minio.StatObjectOptions{})
	return err == nil && info.UserMetadata[uploadMark] == u.mark
}

// Abort does not end with the context, because an interrupted program must not leave parts behind.
func (u *upload) Abort() {
	// guard: blob: what was not committed leaves no parts | u.done || u.id == "" -> true
	if u.done || u.id == "" {
		u.buf = nil
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), abortTimeout)
	defer cancel()
	_ = u.of.api.AbortMultipartUpload(ctx, u.of.at.bucket, u.of.key(u.name), u.id) // the next Create removes it
	u.done, u.buf = true, nil
}
