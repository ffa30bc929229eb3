#!/usr/bin/env bash
# docs/operations.md, "A new machine in place of a lost one": its commands as they stand there, on a machine that was lost.
source "$(dirname "$0")/harness.bash"
make_source
make_keys
CHECKPOINT= STATE_DIR=$scratch/state TARGET=$scratch/restored CREDENTIAL=$scratch/new.credential
export CHECKPOINT STATE_DIR TARGET CREDENTIAL
configure "
[approval]
signatures = 'optional'
[[job]]
name = 'files'
source = { files = ['$scratch/source'] }
schedule = 'never'"
sed -i "s/^state_dir = .*/&\nstate_backup = '*:*:0\/2'\nlog_backup = '*:*:0\/2'/" qcbak.toml
start
ok qcbak plan submit
ok qcbak job run files --follow
within 60 "its state is backed up" at_least qcbak.state 1
within 60 "the log is backed up" at_least qcbak.log 1
ok qcbak job history files --json
before=$(json '[run["id"] for run in d]')
ok qcbak plan show --json
plan=$(json 'd["waiting"]["id"]')
stop
cp qcbak.toml configuration.before

# The log that was backed up proves itself, with the public key alone.
ok qcbak audit verify --json
CHECKPOINT=$(json 'd["checkpoint"]')
ok qcbak key export --public -o root.pub
ok qcbak restore "latest:$scratch/state/kept/log" --label job=qcbak.log --target log-backup --verify
ok env -u QCBAK_REPO -u QCBAK_CREDENTIAL_FILE -u QCBAK_PASSWORD_FILE "$QCBAK" verify-evidence log-backup/log.jsonl --public-key root.pub
ok qcbak restore "latest:$scratch/state/kept/state" --label job=qcbak.state --target state-backup --verify
python3 -c 'import sqlite3; print(*sqlite3.connect("state-backup/state.db").execute("pragma integrity_check").fetchone())' | grep -qx ok || fail "the database that was backed up is damaged"

# The machine is lost, but for the repository, the password and the checkpoint.
rm -r state write.credential read.credential qcbak.toml
unset QCBAK_CREDENTIAL_FILE
step check
step restore
is "$(cat qcbak.toml)" "$(cat configuration.before)"
step credential
sed -i "s#^credential = .*#credential = \"$CREDENTIAL\"#" qcbak.toml
start
step started
ok qcbak job history files --json
is "$(json '[run["id"] for run in d]')" "$before"
ok qcbak plan show --json
is "$(json 'd["waiting"]["id"]')" "$plan"
ok qcbak job run files --follow
stop
[[ ! -e write.credential ]] || fail "the old credential is back"
