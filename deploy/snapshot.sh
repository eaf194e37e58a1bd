#!/bin/sh
# Builds what a release consists of into out/release: for each platform an archive, its list of modules (a CycloneDX
# SBOM), on Linux a Debian package and a container image, and for all the chart and the checksums.
#
#   VERSION      names it (1.2.3): binary, packages, image and chart have it
#   PLATFORMS    chooses: "linux/amd64 darwin/arm64"
#   SIGN_KEY     a key of gpg: the checksums are signed
#   CA_FILE      the certificates that the image trusts (/etc/ssl/certs/ca-certificates.crt)
#
# It runs on Linux, because it wants the tar, date and sha256sum of GNU. The times in all files are those of the last
# commit, so that a second run gives the same packages.
set -eu
cd "$(dirname "$0")/.."
case ${VERSION:-} in
*[!A-Za-z0-9.+~_-]*) echo "VERSION=$VERSION: want letters, digits and . + ~ _ - only" >&2 && exit 2 ;;
esac
if ! { tar --version | grep -q GNU && date -u -d @0 && sha256sum; } </dev/null >/dev/null 2>&1; then
	echo "tar, date or sha256sum is not as that of GNU: build releases on Linux, or with these first in PATH" >&2
	exit 2
fi
version=${VERSION:-0.0.0-snapshot}
authorities=${CA_FILE:-/etc/ssl/certs/ca-certificates.crt}
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
to=$PWD/out/release
rm -rf "$to"
mkdir -p "$to"

# pack prints a tar file of what is in a folder: pack FOLDER NAME...
pack() {
	folder=$1
	shift
	tar -C "$folder" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --mode=u=rwX,go=rX --owner=0 --group=0 --numeric-owner \
		-cf - "$@"
}

# archive makes a compressed tar file of a folder in a folder: archive FOLDER NAME FILE. It uses no pipe, because sh does not
# notice there that tar fails.
archive() {
	pack "$1" "$2" >"$3.tar"
	gzip -n "$3.tar"
	mv "$3.tar.gz" "$3"
}

# blob moves a file to where a container image has it, and prints its digest: blob FOLDER FILE.
blob() {
	digest=$(sha256sum "$2" | cut -d ' ' -f 1)
	mv "$2" "$1/blobs/sha256/$digest"
	echo "$digest"
}

# image makes a container image with the one binary, as deploy/Dockerfile does, without an engine. docker load, podman
# load and skopeo read it: image BINARY ARCHITECTURE FILE.
image() {
	layout=$to/image
	mkdir -p "$layout/blobs/sha256" "$layout/root/etc/ssl/certs"
	cp "$1" "$layout/root/pitchstream"
	cp "$authorities" "$layout/root/etc/ssl/certs/ca-certificates.crt"
	pack "$layout/root" etc pitchstream >"$layout/layer.tar"
	content=$(sha256sum "$layout/layer.tar" | cut -d ' ' -f 1)
	gzip -n "$layout/layer.tar"
	layer_size=$(wc -c <"$layout/layer.tar.gz")
	layer=$(blob "$layout" "$layout/layer.tar.gz")
	cat >"$layout/config" <<-END
		{"architecture": "$2", "os": "linux", "created": "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)",
		"config": {"User": "65532:65532", "Entrypoint": ["/pitchstream"], "Cmd": ["run"],
		"ExposedPorts": {"8080/tcp": {}, "9090/tcp": {}, "9091/tcp": {}},
		"Labels": {"org.opencontainers.image.title": "pitchstream", "org.opencontainers.image.version": "$version",
		"org.opencontainers.image.licenses": "Apache-2.0"}},
		"rootfs": {"type": "layers", "diff_ids": ["sha256:$content"]}}
	END
	config_size=$(wc -c <"$layout/config")
	config=$(blob "$layout" "$layout/config")
	oci=application/vnd.oci.image
	cat >"$layout/manifest" <<-END
		{"schemaVersion": 2, "mediaType": "$oci.manifest.v1+json",
		"config": {"mediaType": "$oci.config.v1+json", "digest": "sha256:$config", "size": $config_size},
		"layers": [{"mediaType": "$oci.layer.v1.tar+gzip", "digest": "sha256:$layer", "size": $layer_size}]}
	END
	size=$(wc -c <"$layout/manifest")
	manifest=$(blob "$layout" "$layout/manifest")
	cat >"$layout/index.json" <<-END
		{"schemaVersion": 2, "mediaType": "$oci.index.v1+json", "manifests": [
		{"mediaType": "$oci.manifest.v1+json", "digest": "sha256:$manifest", "size": $size,
		"platform": {"architecture": "$2", "os": "linux"}, "annotations": {
		"io.containerd.image.name": "docker.io/library/pitchstream:$version",
		"org.opencontainers.image.ref.name": "$version"}}]}
	END
	echo '{"imageLayoutVersion": "1.0.0"}' >"$layout/oci-layout"
	# Engines before Docker 25 read this list.
	cat >"$layout/manifest.json" <<-END
		[{"Config": "blobs/sha256/$config", "RepoTags": ["pitchstream:$version"], "Layers": ["blobs/sha256/$layer"]}]
	END
	pack "$layout" blobs index.json manifest.json oci-layout >"$3"
	rm -r "$layout"
}

# package makes a Debian package: package FOLDER ARCHITECTURE FILE.
package() {
	root=$1.root
	mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/usr/share/doc/pitchstream"
	cp "$1/pitchstream" "$root/usr/bin"
	cp README.md CHANGELOG.md pitchstream.example.yaml "$root/usr/share/doc/pitchstream"
	cp LICENSE "$root/usr/share/doc/pitchstream/copyright"
	cat >"$root/DEBIAN/control" <<-END
		Package: pitchstream
		Version: $version
		Architecture: $2
		Maintainer: the maintainers of pitchstream
		Section: database
		Priority: optional
		Description: tracked pitches from Kafka into Postgres and Redis
	END
	chmod -R u=rwX,go=rX "$root"
	dpkg-deb --root-owner-group -Zgzip -b "$root" "$3" >/dev/null
	rm -r "$root"
}

for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}; do
	os=${platform%/*} arch=${platform#*/}
	name=pitchstream_${version}_${os}_$arch
	dir=$to/$name
	mkdir -p "$dir"
	GOOS=$os GOARCH=$arch VERSION=$version OUT=$dir/pitchstream deploy/build.sh
	cp README.md LICENSE CHANGELOG.md pitchstream.example.yaml "$dir"
	GOOS='' GOARCH='' go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0 bin -json -noserial \
		-version "$version" -output "$to/$name.sbom.json" "$dir/pitchstream"
	archive "$to" "$name" "$to/$name.tar.gz"
	if [ "$os" = linux ]; then
		image "$dir/pitchstream" "$arch" "$to/${name}_image.tar"
		! command -v dpkg-deb >/dev/null || package "$dir" "$arch" "$to/$name.deb"
	fi
	rm -r "$dir"
done

# The chart has the version of the binary, which is the tag of its image.
mkdir "$to/chart"
cp -r deploy/helm/pitchstream "$to/chart"
sed -i.old -e "s/^version:.*/version: $version/" -e "s/^appVersion:.*/appVersion: \"$version\"/" \
	"$to/chart/pitchstream/Chart.yaml"
rm "$to/chart/pitchstream/Chart.yaml.old"
archive "$to/chart" pitchstream "$to/pitchstream-chart-$version.tgz"
rm -r "$to/chart"

cd "$to"
sha256sum -- * >checksums.txt
[ -z "${SIGN_KEY:-}" ] || gpg --batch --local-user "$SIGN_KEY" --armor --detach-sign checksums.txt
ls -l
