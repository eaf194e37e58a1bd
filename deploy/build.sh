#!/bin/sh
# Builds out/pitchstream as it is handed out: static, without the paths of this machine, and small (cmd/slim). It says
# what it does meanwhile, because the first build compiles some 600 packages. VERSION names a release; GOOS and GOARCH
# another machine; OUT another file.
set -eu
cd "$(dirname "$0")/.."
out=${OUT:-out/pitchstream}
echo "building $out (the first time this compiles some 600 packages: a minute or two)" >&2
export CGO_ENABLED=0
mkdir -p out
GOOS='' GOARCH='' go run -trimpath ./cmd/slim
flags='-modfile=out/slim/go.mod -trimpath -tags=grpcnotrace'
# Functions are not copied into their callers (-l) in packages where it saves size and no time counts: the servers of the
# demo, the storage's client, what traces are encoded with, and requests to Kafka and Redis: a call more each is nothing
# beside the way to the server.
small=$(printf ' -gcflags=%s=-l' github.com/twmb/franz-go/pkg/kfake 'github.com/alicebob/miniredis/...' \
	'github.com/yuin/gopher-lua/...' 'github.com/minio/...' 'google.golang.org/protobuf/...' \
	github.com/twmb/franz-go/pkg/kmsg github.com/redis/go-redis/v9)
total=$(go list -deps $flags ./cmd/pitchstream | wc -l)
[ -t 2 ] && end='\r' || end='\n'
{
	go build -v $flags $small -ldflags "-s -w -X github.com/pitchstream/pitchstream/internal/obs.buildVersion=${VERSION:-}" \
		-o "$out" ./cmd/pitchstream 2>&1 && echo "built: ok" || echo "built: failed"
} | awk -v total="$total" -v end="$end" '
	/^built: / { ok = $2 == "ok"; next }
	/^[A-Za-z0-9_.\/-]+$/ { # -v: a package that is compiled now
		n++
		if (end != "\n") printf "  %d of at most %d packages  %-50.50s\r", n, total, $0
		else if (n % 25 == 0) printf "  %d of at most %d packages\n", n, total
		fflush()
		next
	}
	{ print }
	END {
		if (n && end != "\n") printf "%80s\r", ""
		exit !ok
	}' >&2
