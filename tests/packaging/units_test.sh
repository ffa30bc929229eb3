#!/usr/bin/env bash
# The units are what systemd understands, and as closed as docs/daemon.md says.
set -euo pipefail
units=$(realpath "$1")
fail() { echo "units_test: $*" >&2; exit 1; }
# Only what is in the build folder is there to be run.
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
for unit in qcbakd.service qcbak-gateway.service qcbak-worker.socket qcbak-worker@.service qcbak-messenger.socket qcbak-messenger@.service; do
  sed "s#/usr/sbin/qcbakd#/bin/true#; /^Documentation=/d" "$units/$unit" >"$scratch/$unit"
done
cd "$scratch"
SYSTEMD_UNIT_PATH=$scratch: systemd-analyze verify --recursive-errors=one ./qcbakd.service ./qcbak-gateway.service ./qcbak-worker.socket ./qcbak-worker@.service \
  ./qcbak-messenger.socket ./qcbak-messenger@.service >log 2>&1 ||
  { cat log; fail "systemd finds something wrong"; }
[[ ! -s log ]] || { cat log; fail "systemd warns"; }
for unit in qcbakd.service qcbak-gateway.service qcbak-worker@.service qcbak-messenger@.service; do
  systemd-analyze security --offline=true --threshold=20 "./$unit" >"log" 2>&1 || { cat log; fail "$unit is more open than 2.0"; }
done
