#!/usr/bin/env bash
# What only a terminal gets: colour, progress, questions.
source "$(dirname "$0")/harness.bash"
command -v script >/dev/null || { echo "script(1) is missing"; exit 1; }
make_repository
# in_terminal INPUT COMMAND: what a terminal shows, in $out. Lines are typed slowly: what comes before a question is
# thrown away.
in_terminal() {
  local input=$1
  shift
  code=0
  printf '%b' "$input" | while read -r line; do sleep 1; echo "$line"; done | TERM=xterm script -qec "$*" /dev/null >.out 2>.err || code=$?
  out=$(tr -d '\0' <.out)
}

in_terminal '' "$QCBAK snapshots"
out_has $'\x1b[1m'
NO_COLOR=1 in_terminal '' "$QCBAK snapshots"
out_lacks $'\x1b['
in_terminal '' "$QCBAK snapshots --json"
out_lacks $'\x1b['
ok qcbak snapshots
out_lacks $'\x1b['

# Nothing of progress without a terminal, or when it is over in a moment, or unwanted.
in_terminal '' "$QCBAK verify"
out_lacks "/s"

# Passwords are asked for without echo, and twice for a new one.
unset QCBAK_CREDENTIAL_FILE QCBAK_PASSWORD_FILE
in_terminal 'correct horse battery staple\n' "$QCBAK snapshots"
is "$code" 0
out_has "Password of the repository:"
in_terminal 'a wrong password\n' "$QCBAK snapshots"
is "$code" 12
in_terminal 'new password 1\nnew password 2\n' "$QCBAK init --repo new"
is "$code" 2
[[ ! -e new/config ]] || fail "made a repository with a password that was mistyped"
in_terminal 'new password 1\nnew password 1\n' "$QCBAK init --repo new"
is "$code" 0
out_has "made repository"

# Questions.
export QCBAK_PASSWORD_FILE=$scratch/password
in_terminal 'n\n' "$QCBAK key remove reader"
is "$code" 5
in_terminal 'y\n' "$QCBAK key remove reader"
is "$code" 0
