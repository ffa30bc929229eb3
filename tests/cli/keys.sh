#!/usr/bin/env bash
# Who may do what: passwords, custodians, credentials.
source "$(dirname "$0")/harness.bash"
make_repository
ok qcbak key credential write -o write.credential --name machine
is "$(stat -c %a write.credential)" 600
ends 2 qcbak key credential write -o write.credential
ends 2 qcbak key credential both -o x
[[ ! -e x ]] || fail "a refused credential leaves a file"
ends 2 qcbak key credential read

export QCBAK_CREDENTIAL_FILE=$scratch/write.credential
ok qcbak backup source -q
ok qcbak snapshots
ok qcbak verify
ok qcbak stats
ok qcbak tag latest --label a=b
ok qcbak forget --keep-last 5 --prune
ok qcbak prune
for line in "ls latest" "cat latest:/x" "find x" "diff latest latest" "diff latest --live" "restore latest --target x" "export latest -o x.tar" \
  "verify --read-data"; do
  # shellcheck disable=SC2086  # words
  ends 12 qcbak $line
  one_error_line
done
[[ ! -e x && ! -e x.tar ]] || fail "a refused command leaves something"
# Keys are a custodian's business, whatever credential lies around.
ok qcbak key list
out_has machine
ends 12 env -u QCBAK_PASSWORD_FILE "$QCBAK" key credential read -o y
[[ ! -e y ]] || fail "a refused credential leaves a file"

unset QCBAK_CREDENTIAL_FILE
echo 'another horse battery staple' >second
ends 12 qcbak key add --name second
ok qcbak key add --name second --new-password-file second
ends 1 qcbak key add --name second --new-password-file second
ok qcbak snapshots --password-file second
ok qcbak backup source -q --password-file second
echo 'yet another battery staple' >third
ok env QCBAK_NEW_PASSWORD_FILE=third "$QCBAK" key passwd --password-file second
ends 12 qcbak snapshots --password-file second
ok qcbak backup source -q --password-file third
ok qcbak key list --json
is "$(json 'sorted(k["name"] for k in d if k["kind"] == "custodian"), sorted(k["name"] for k in d if k["kind"] == "writer")')" \
  "(['default', 'second'], ['machine', 'reader'])"
ends 5 qcbak key remove second
ends 1 qcbak key remove nobody --yes
ok qcbak key remove second --yes
ends 12 qcbak snapshots --password-file third
ends 5 qcbak key remove default --yes
err_has "last custodian"
ok qcbak key remove machine --yes
ends 12 qcbak snapshots --credential-file write.credential
err_has "revoked"
# Whatever was signed by those who are gone stays provable, with no cache to help.
ok qcbak verify --read-data --no-cache
ok qcbak restore latest --target all --verify --no-cache
ok qcbak key passwd --new-password-file third
ends 12 qcbak snapshots
ok qcbak snapshots --password-file third --no-cache

# Keys that lie apart: without them the password opens nothing.
export QCBAK_REPO=$scratch/other
ok qcbak init --keys keys -q
[[ -n $(ls keys) ]] || fail "no keys lie apart"
ends 12 qcbak snapshots
ok qcbak snapshots --keys keys
ok env QCBAK_KEYS_DIR=keys "$QCBAK" backup source -q
ok qcbak verify --keyless

# Domains.
export QCBAK_REPO=$scratch/domains
ok qcbak init --domain system --domain business -q
ends 2 qcbak backup source
err_has "--domain"
ok qcbak backup source -q --domain business
ok qcbak snapshots --domain business --json
is "$(json '[s["domain"] for s in d]')" "['business']"
ok qcbak key credential write -o system.credential --domain system
ok qcbak snapshots --credential-file system.credential --json
is "$(json 'd')" "[]"
ends 12 qcbak backup source --domain business --credential-file system.credential
