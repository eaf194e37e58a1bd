#!/bin/sh
# Builds out/pitchstream as it is handed out: static, without the paths of this machine, and small (cmd/slim). It says
# what it does meanwhile, because the first build compiles some 600 packages. VERSION names a release; GOOS and GOARCH
# another machine; OUT another file.
set -eu
cd "$(dirname "$0")/.."
case ${VERSION:-} in
*[!A-Za-z0-9.+~_-]*) echo "VERSION=$VERSION: want letters, digits and . + ~ _ - only" >&2 && exit 2 ;;
esac
out=${OUT:-out/pitchstream}
echo "building $out (the first time this compiles some 600 packages: a minute or two)" >&2
export CGO_ENABLED=0
# A compiler lives for seconds: it need not collect garbage before its heap is large. That is a third of its time. Each
# processor has a compiler, so up to four of them stay below some 3 GiB; on more, each collects at four times its heap.
if [ -z "${GOGC:-}${GOMEMLIMIT:-}" ]; then
	if [ "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 8)" -le 4 ]; then
		export GOGC=off GOMEMLIMIT=768MiB
	else
		export GOGC=400
	fi
fi
mkdir -p out
# The linker removes what debuggers read (-s -w), so the compilers write none.
all=-gcflags=all=-dwarf=false
flags='-modfile=out/slim/go.mod -trimpath'
module=github.com/pitchstream/pitchstream
# Functions are not copied into their callers (-l) in packages where it saves size and time of the build, and no time
# counts: the servers of the demo, the storage's client, requests to Kafka and Redis, traces, the command line. A call
# more each is nothing beside the way to the server.
set --
for packages in github.com/twmb/franz-go/pkg/kfake 'github.com/alicebob/miniredis/...' 'github.com/yuin/gopher-lua/...' \
	'github.com/minio/...' 'google.golang.org/protobuf/...' github.com/twmb/franz-go/pkg/kmsg \
	github.com/twmb/franz-go/pkg/kadm github.com/redis/go-redis/v9 'go.opentelemetry.io/...' \
	github.com/prometheus/procfs github.com/alecthomas/kong \
	$module/cmd/pitchstream $module/internal/bench $module/internal/config $module/internal/demo \
	$module/internal/doctor $module/internal/explain; do
	set -- "$@" "-gcflags=$packages=-dwarf=false -l"
done

# build compiles cmd/slim, runs it, and compiles the binary. It names each package that it compiles; those that are in
# the build cache already are not named.
build() {
	GOOS='' GOARCH='' go run -v -trimpath $all ./cmd/slim || return
	echo "total: $(go list -deps $flags ./cmd/pitchstream | wc -l)"
	# The binary knows its commit, whatever GOFLAGS says (-buildvcs=false).
	go build -v $flags -buildvcs=auto $all "$@" -ldflags "-s -w -X $module/internal/obs.buildVersion=${VERSION:-}" \
		-o "$out" ./cmd/pitchstream
}

# The shell reads a line as soon as it comes. An awk may read blocks: then nothing moves for half a minute.
began=$(date +%s)
[ -t 2 ] && terminal=yes || terminal=
{
	while kill -0 $$ 2>/dev/null && sleep 1; do echo "now: $(date +%s)"; done 2>/dev/null &
	clock=$!
	status=0
	build "$@" 2>&1 || status=$?
	kill $clock 2>/dev/null || :
	echo "built: $status"
} | {
	n=0 total=600 seconds=0 package='looking for packages to compile' status=1
	while IFS= read -r line; do
		case $line in
		"built: "*) status=${line#built: } && break ;;
		"total: "*) total=${line#total: } ;;
		"now: "*) seconds=$((${line#now: } - began)) ;;
		*[!A-Za-z0-9_./-]* | '') # no package: an error, or a module that is downloaded
			[ -z "$terminal" ] || printf '%-100s\r' '' >&2
			printf '%s\n' "$line" >&2
			;;
		*) n=$((n + 1)) package=$line ;;
		esac
		if [ -n "$terminal" ]; then
			printf '  %3d s  %d packages as needed (all: %d)  %-40.40s\r' $seconds $n "$total" "$package" >&2
		elif [ "${line%%:*}" = now ] && [ $((seconds % 10)) = 0 ]; then
			echo "  $seconds s  $n packages compiled, as needed (all: $total); now: $package" >&2
		fi
	done
	[ -z "$terminal" ] || printf '%-100s\r' '' >&2
	exit "$status"
}
