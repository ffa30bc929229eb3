# For the tests of the daemon: qcbakd in the foreground with everything in a scratch directory, as its user would run it.
#   configure TEXT      writes qcbak.toml: the tables that every test needs, and TEXT
#   start [OPTION...]   starts it and waits until it serves; its log goes to the file "log"
#   stop                stops it; it must end with 0
#   kill_daemon         SIGKILL
#   step NAME           runs the block of this name in docs/operations.md
#   within SECONDS WHAT COMMAND...   repeats it until it succeeds; on a machine that is busy, for ten times as long
QCBAKD=$(realpath "$3")
source "$(dirname "${BASH_SOURCE[0]}")/../cli/harness.bash"
export QCBAK_CONFIG=$scratch/qcbak.toml QCBAK_SOCKET=$scratch/run/socket
user=$(id -un)
daemon=

workers=  # the process that starts workers in systemd's stead
finish() {
  if [[ -n $workers ]]; then kill -TERM "$workers" 2>/dev/null; wait "$workers" 2>/dev/null; fi
  if [[ -n $daemon ]]; then kill -KILL "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null; fi
  # Workers stop by themselves when their daemon is gone, and hold the lock until then.
  [[ -e $QCBAK_REPO/lock ]] && flock -w 60 "$QCBAK_REPO/lock" true
  cleanup
}
trap finish EXIT

configure() {
  cat >qcbak.toml <<EOF
[daemon]
state_dir = "$scratch/state"
socket = "$QCBAK_SOCKET"
[repository]
location = "$QCBAK_REPO"
credential = "$scratch/write.credential"
[roles]
administrator = []
operator = ["$user"]
$1
EOF
}
make_keys() {
  ok qcbak init -q
  ok qcbak key credential write -o write.credential --name appliance -q
  ok qcbak key credential read -o read.credential --name reader -q
  export QCBAK_CREDENTIAL_FILE=$scratch/read.credential
}
start() {
  : >log.new
  "$QCBAKD" --config qcbak.toml "$@" 2>log.new &
  daemon=$!
  within 90 "the daemon serves" grep -q '^qcbakd: ready$' log.new
  cat log.new >>log
}
stop() {
  kill -TERM "$daemon"
  local code=0
  wait "$daemon" || code=$?
  daemon=
  ((code == 0)) || fail "the daemon ended with $code: $(tail -3 log.new)"
}
kill_daemon() {
  kill -KILL "$daemon"
  wait "$daemon" 2>/dev/null
  daemon=
}
within() {
  local seconds=$1 what=$2 tries
  shift 2
  for ((tries = 0; tries < seconds * 100; ++tries)); do
    "$@" && return
    if [[ -n $daemon ]] && ! kill -0 "$daemon" 2>/dev/null; then fail "the daemon ended: $(tail -3 log.new)"; fi
    sleep 0.1
  done
  fail "not within $seconds s: $what; the log ends with: $(tail -5 log.new)"
}
# The commands of a block of docs/operations.md, each of which has to succeed.
step() {
  local line lines=0 page=$here/../../docs/operations.md
  while IFS= read -r line; do
    ((++lines))
    run bash -c "qcbak() { \"$QCBAK\" \"\$@\"; }; $line"
    ((code == 0)) || fail "the page says: $line"
  done < <(awk -v mark="<!-- run: $1 -->" '$0 == mark { on = 1; next } on && /^    / { sub(/^ +/, ""); print; next } on { exit }' "$page")
  ((lines > 0)) || fail "the page has no block \"$1\""
}
# How many snapshots a job has.
snapshots_of() { qcbak snapshots --label "job=$1" --json 2>/dev/null | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'; }
at_least() { (($(snapshots_of "$1") >= $2)); }
