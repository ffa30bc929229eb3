#!/usr/bin/env bash
# Usage: package_test.sh BUILD_DIR
# Makes the .deb, installs it with dpkg below a scratch root, looks at what came, removes it, and finds nothing left.
set -euo pipefail
build=$(realpath "$1")
# Without root, dpkg needs the pretence of it to own what it unpacks.
((EUID == 0)) || exec fakeroot "$0" "$build"

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
fail() { echo "package_test: $*" >&2; exit 1; }
export PATH=$PATH:/usr/sbin:/sbin

(cd "$build" && cpack -G DEB -B "$scratch/package") >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "cpack failed"; }
deb=$(echo "$scratch"/package/*.deb)
[[ -f $deb ]] || fail "no package was made"

depends=$(dpkg-deb --field "$deb" Depends)
echo "$(basename "$deb"), depends: $depends"
for library in libc6 libzstd1 libsodium23 libssl3 libsqlite3-0 libsystemd0 libcurl4; do
  [[ $depends == *"$library"* ]] || fail "$library is missing among the dependencies"
done

root=$scratch/root
mkdir -p "$root"/var/lib/dpkg/{info,updates,triggers}
touch "$root"/var/lib/dpkg/{status,available}
# The libraries are not in the scratch root, hence --force-depends.
package_tool() { dpkg --root="$root" --log="$scratch/dpkg.log" --force-depends --force-script-chrootless "$@"; }
package_tool --install "$deb" >"$scratch/log" 2>&1 || { cat "$scratch/log"; fail "dpkg --install failed"; }

for file in bin/qcbak bin/qcbak-recover share/man/man1/qcbak.1.gz share/man/man1/qcbak-restore.1.gz share/man/man8/qcbakd.8.gz share/man/man5/qcbak.toml.5.gz \
  share/bash-completion/completions/qcbak share/zsh/vendor-completions/_qcbak \
  share/fish/vendor_completions.d/qcbak.fish share/doc/qcbak/copyright share/doc/qcbak/README.md \
  share/doc/qcbak/format.md share/doc/qcbak/daemon.md share/doc/qcbak/examples/qcbak.toml sbin/qcbakd \
  lib/systemd/system/qcbakd.service lib/systemd/system/qcbak-worker.socket lib/systemd/system/qcbak-worker@.service \
  lib/systemd/system/qcbak-gateway.service lib/systemd/system/qcbak-messenger.socket lib/systemd/system/qcbak-messenger@.service \
  lib/sysusers.d/qcbak.conf lib/tmpfiles.d/qcbak.conf; do
  [[ -s $root/usr/$file ]] || fail "/usr/$file was not installed"
done
while read -r path; do
  [[ -e $root$path ]] || fail "the package lists $path, which is not there"
  [[ $(stat -c %u:%g "$root$path") == 0:0 ]] || fail "$path does not belong to root"
done < <(package_tool --listfiles qcbak | grep -vx /.)
[[ -z $(find "$root/usr" -perm /6022 ! -type l) ]] || fail "something installed is set-id, or writable by others"
"$root/usr/bin/qcbak" --version
"$root/usr/sbin/qcbakd" --version
"$root/usr/bin/qcbak" config check "$root/usr/share/doc/qcbak/examples/qcbak.toml" || fail "the example is wrong"
bash -n "$root/usr/share/bash-completion/completions/qcbak" || fail "the completion for bash does not parse"

package_tool --remove qcbak >>"$scratch/log"
package_tool --purge qcbak >>"$scratch/log" 2>&1
left=$(find "$root" -mindepth 1 -path "$root/var" -prune -o -mindepth 1 -print)
[[ -z $left ]] || fail "left behind: $left"
left=$(find "$root/var" ! -path "$root/var/lib/dpkg*" -type f)
[[ -z $left ]] || fail "left behind: $left"
[[ -z $(find "$root/var/lib/dpkg/info" -name 'qcbak*') ]] || fail "dpkg still knows qcbak"
