#!/bin/sh
# Builds what a release consists of into out/release: an archive, its list of modules (a CycloneDX SBOM) and a Debian
# package for each platform, the chart, and their checksums. VERSION names it (1.2.3), PLATFORMS chooses: "linux/amd64 darwin/arm64". With SIGN_KEY, a key of gpg,
# the checksums are signed.
set -eu
cd "$(dirname "$0")/.."
version=${VERSION:-0.0.0-snapshot}
to=$PWD/out/release
rm -rf "$to"
mkdir -p "$to"
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}; do
	os=${platform%/*} arch=${platform#*/}
	name=pitchstream_${version}_${os}_$arch
	dir=out/release/$name
	mkdir -p "$dir"
	GOOS=$os GOARCH=$arch VERSION=$version OUT=$dir/pitchstream deploy/build.sh
	cp README.md LICENSE CHANGELOG.md pitchstream.example.yaml "$dir"
	GOOS='' GOARCH='' go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0 bin -json \
		-version "$version" -output "$to/$name.sbom.json" "$dir/pitchstream"
	tar -C out/release --owner=0 --group=0 --numeric-owner -czf "$to/$name.tar.gz" "$name"
	if [ "$os" = linux ] && command -v dpkg-deb >/dev/null; then
		root=$dir.root
		mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/usr/share/doc/pitchstream"
		cp "$dir/pitchstream" "$root/usr/bin"
		cp README.md CHANGELOG.md pitchstream.example.yaml "$root/usr/share/doc/pitchstream"
		cp LICENSE "$root/usr/share/doc/pitchstream/copyright"
		cat >"$root/DEBIAN/control" <<-END
			Package: pitchstream
			Version: $version
			Architecture: $arch
			Maintainer: the maintainers of pitchstream
			Section: database
			Priority: optional
			Description: tracked pitches from Kafka into Postgres and Redis
		END
		dpkg-deb --root-owner-group -Zgzip -b "$root" "$to/$name.deb" >/dev/null
		rm -r "$root"
	fi
	rm -r "$dir"
done
# The chart has the version of the binary, which is the tag of its image.
mkdir -p out/release/chart
cp -r deploy/helm/pitchstream out/release/chart
sed -i.old -e "s/^version:.*/version: $version/" -e "s/^appVersion:.*/appVersion: \"$version\"/" \
	out/release/chart/pitchstream/Chart.yaml
rm out/release/chart/pitchstream/Chart.yaml.old
tar -C out/release/chart -czf "$to/pitchstream-chart-$version.tgz" pitchstream
rm -r out/release/chart
cd "$to"
sha256sum -- * >checksums.txt
[ -z "${SIGN_KEY:-}" ] || gpg --batch --local-user "$SIGN_KEY" --armor --detach-sign checksums.txt
ls -l
