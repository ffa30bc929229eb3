#!/usr/bin/env bash
# Exit codes 10, 11 and 12, and everything that can be wrong with a password.
source "$(dirname "$0")/harness.bash"

ends 10 qcbak snapshots
one_error_line
ends 2 env -u QCBAK_REPO "$QCBAK" snapshots
mkdir empty
ends 10 qcbak snapshots --repo empty
echo short >short
ends 2 qcbak init --password-file short
err_has "fewer than 8 bytes"
[[ ! -e repo ]] || fail "a refused init leaves something"
: >nothing
ends 12 qcbak init --password-file nothing
ends 1 qcbak init --password-file absent
ends 12 env -u QCBAK_PASSWORD_FILE "$QCBAK" init
err_has "QCBAK_PASSWORD_FILE"

make_repository
export -n QCBAK_CREDENTIAL_FILE
unset QCBAK_CREDENTIAL_FILE
echo 'wrong horse battery staple' >wrong
ends 12 qcbak snapshots --password-file wrong
one_error_line
err_has "wrong password"
ends 12 qcbak snapshots --password-file wrong --json
is "$(sed -n 2p .err | python3 -c 'import json, sys; e = json.load(sys.stdin); print(e["code"], e["exit_code"])')" "wrong_key 12"
ends 12 qcbak snapshots --credential-file wrong
ok qcbak snapshots --password-command 'cat password; echo more'
ends 12 qcbak snapshots --password-command 'echo wrong horse'
ends 12 qcbak snapshots --password-command false
err_has "password command"
ok env -u QCBAK_PASSWORD_FILE QCBAK_PASSWORD_COMMAND='cat password' "$QCBAK" snapshots
printf 'correct horse battery staple\r\nsecond line\n' >dos
ok qcbak snapshots --password-file dos
printf 'correct horse battery staple' >bare
ok qcbak snapshots --password-file bare
ok qcbak snapshots --password-file <(cat password)

# Somebody else writes.
export QCBAK_CREDENTIAL_FILE=$scratch/read.credential
exec 9>>repo/lock
flock -n 9 || fail "the lock is taken"
ends 11 qcbak backup source --wait 0
one_error_line
ends 11 qcbak backup source --wait 1
err_has "waiting for another process"
ok qcbak snapshots  # reading waits for nobody
qcbak backup source -q --wait 600 2>.waiting </dev/null 9>&- &
waiting=$!
until grep -q waiting .waiting; do kill -0 $waiting || fail "it did not wait for the lock"; sleep 0.1; done
exec 9>&-
wait $waiting || fail "it did not go on when the lock was free"

# Output that goes nowhere is an error; a reader that had enough is none.
code=0
qcbak snapshots --json >/dev/full 2>.err || code=$?
is "$code" 1
for i in {1..3000}; do echo "$i" >"source/$i"; done
ok qcbak backup source -q
qcbak ls "latest:$scratch/source" --json 2>.err | head -n 1 >/dev/null
is "${PIPESTATUS[0]}" 0
[[ ! -s .err ]] || fail "a closed pipe is complained of"

# A limit on file sizes is an error, not a death.
mkdir limited
code=0
(ulimit -f 64; exec "$QCBAK" restore "latest:$scratch/source" --target limited) >.out 2>.err || code=$?
is "$code" 3
grep -q 'large: not written' .err || fail "the file that was too large is not named"
