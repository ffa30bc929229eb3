#!/usr/bin/env bash
# qcbak-recover, alone with the repository in an empty root: no libraries, no /proc, no /etc, no cache.
source "$(dirname "$0")/harness.bash"
[[ -n $RECOVER ]] || { echo "there is no qcbak-recover in this build"; exit 77; }
((EUID == 0)) || { echo "needs root"; exit 77; }
mkdir root source
mkfifo -m 606 source/pipe
touch -d 2001-02-03 source/pipe
make_repository
cp -r repo password read.credential "$RECOVER" root/
unset QCBAK_CREDENTIAL_FILE QCBAK_PASSWORD_FILE QCBAK_REPO XDG_CACHE_HOME
readelf -l root/qcbak-recover | grep -q INTERP && fail "it needs a dynamic loader"

inside() { chroot root /qcbak-recover "$@"; }
ok inside restore latest --repo /repo --password-file /password --target /out --verify
out_has "everything is as backed up"
diff -r --no-dereference source/folder "root/out$scratch/source/folder" || fail "restored other bytes"
is "$(stat -c '%a %y' "root/out$scratch/source/pipe")" "$(stat -c '%a %y' source/pipe)"
ok inside snapshots --repo /repo --credential-file /read.credential --json
ok inside ls "latest:$scratch/source" --repo /repo --credential-file /read.credential --hash
ok inside verify --repo /repo
ok inside verify --repo /repo --credential-file /read.credential --read-data
ends 12 inside snapshots --repo /repo
is "$(cd root && ls -A | sort | tr '\n' ' ')" "out password qcbak-recover read.credential repo "
# From a medium that cannot be written to.
mount --bind root/repo root/repo 2>/dev/null && {
  mount -o remount,bind,ro root/repo
  ok inside restore latest --repo /repo --password-file /password --target /out2 --verify
  umount root/repo
}
exit 0
