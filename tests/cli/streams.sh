#!/usr/bin/env bash
# What a command prints, and what comes on standard input, as a file of a snapshot: only when it ended well.
source "$(dirname "$0")/harness.bash"
ok qcbak init -q
ok qcbak key credential read -o read.credential --name reader -q
export QCBAK_CREDENTIAL_FILE=$scratch/read.credential
snapshots() { qcbak snapshots --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'; }
# Waits for what is sure to come; only a test that fails waits for so long.
wait_for() {
  local try
  for ((try = 0; try < 1800; ++try)); do
    "$@" && return
    sleep 0.1
  done
  fail "it never came: $*"
}
gone() { ! kill -0 "$1" 2>/dev/null; }

# ---- A stream is a file as any other.
head -c 20000000 /dev/urandom >big
cat >print <<'END'
cat big
echo 'said on standard error' >&2
END
ok qcbak backup --command 'sh print' --name 'a name.dump' --label kind=dump --json
err_has "said on standard error"
is "$(json_lines 'd[-1]["files_new"], d[-1]["bytes_read"], d[-1]["bytes_added"] >= 20000000, d[-1]["errors"]')" "(1, 20000000, True, [])"
ok qcbak snapshots --json
is "$(json 'd[0]["source"], d[0]["paths"], d[0]["files"], d[0]["bytes"]')" "('command', ['/a name.dump'], 1, 20000000)"
ok qcbak ls --long latest:/
out_has "a name.dump"
qcbak cat 'latest:/a name.dump' | cmp - big || fail "cat gives something else"
ok qcbak restore 'latest:/a name.dump' --target restored --verify -q
cmp 'restored/a name.dump' big || fail "restore gives something else"
is "$(stat -c %a 'restored/a name.dump')" 600
ok qcbak verify --read-data -q
# Again, with something put in: what lies before it is not new, but for a chunk, of 8 MiB at most.
{ head -c 18000000 big && echo changed && tail -c +18000001 big; } >bigger
code=0
qcbak backup --stdin --name 'a name.dump' --json <bigger >.out 2>.err || code=$?
is "$code" 0
is "$(json_lines 'd[-1]["bytes_read"], d[-1]["bytes_added"] < 11000000')" "(20000008, True)"
ok qcbak snapshots --json
is "$(json '[s["source"] for s in d]')" "['command', 'stream']"
qcbak cat 'latest:/a name.dump' | cmp - bigger || fail "cat gives something else"
ok qcbak diff "$(json 'd[0]["id"]')" "$(json 'd[1]["id"]')"
out_has "M /a name.dump"
ok qcbak find '*.dump'
out_has "a name.dump"
# A small one; one whose last command sleeps with the output closed; one that a pipe feeds in drops.
ok qcbak backup --command 'printf x' --name small -q
is "$(qcbak cat latest:/small)" x
ok qcbak backup --command 'echo early; exec >&-; sleep 0.1; true' --name early -q
is "$(qcbak cat latest:/early)" early
for i in {1..200}; do echo "$i"; done | qcbak backup --stdin --name drops -q || fail "it fails with a pipe"
is "$(qcbak cat latest:/drops | tail -1)" 200
# No terminal, nothing on its input, no descriptor of ours, signals as usual.
# shellcheck disable=SC2016
ok qcbak backup --command 'cat; ls /proc/self/fd; ps -o tty= -p $$; grep SigBlk /proc/self/status' --name inherited -q 3<big
is "$(qcbak cat latest:/inherited | tr -s ' \t\n' ' ')" "0 1 2 3 ? SigBlk: 0000000000000000 "
# Nothing is stored by a dry run.
before=$(snapshots)
ok qcbak backup --command 'cat big' --name dry --dry-run -q
is "$(snapshots)" "$before"

# ---- A command that does not end well leaves no snapshot.
refused() {  # COMMAND WHAT
  ends 1 qcbak backup --command "$1" --name refused -q
  one_error_line
  err_has "$2"
  err_has "there is no snapshot"
  is "$(snapshots)" "$before"
}
refused 'cat big; exit 3' 'the command "cat big; exit 3" ended with exit status 3'
refused 'exit 3' 'ended with exit status 3'
refused 'cat big; kill -KILL $$' 'was ended by signal 9'
refused 'true' 'printed nothing'
refused ': >&- ; exec >&-' 'printed nothing'
refused 'echo early; exec >&-; exit 4' 'ended with exit status 4'
refused 'echo text; sleep 10000 & exit 5' 'ended with exit status 5'  # nobody waits for what it left behind
refused 'echo one
exit 6' 'the command "echo one\x0aexit 6" ended with exit status 6'
ends 1 qcbak backup --command 'no-such-program-4711' --name refused -q
err_has "no-such-program-4711: not found"
err_has "ended with exit status 127"
ends 1 qcbak backup --command 'exit 3' --name refused --json
is "$(sed -n '$p' .err | python3 -c 'import json, sys; e = json.load(sys.stdin); print(e["type"], e["exit_code"])')" "error 1"
ends 1 qcbak backup --stdin --name refused
one_error_line
err_has "nothing came on the input"
is "$(snapshots)" "$before"

# ---- Its children go with it, in whatever session they are.
cat >family <<'END'
sleep 100000 & echo $! >child
setsid sh -c 'echo $$ >daemon; exec sleep 100000' </dev/null >/dev/null 2>&1 &
setsid sh -c 'trap "" TERM; echo $$ >stubborn; exec sleep 100000' &
while [ ! -s daemon ] || [ ! -s stubborn ]; do sleep 0.1; done
cat big
[ -n "${STAY-}" ] || exit "$STATUS"
touch waiting
sleep 100000
END
family_gone() {
  local member
  for member in child daemon stubborn; do
    wait_for test -s "$member"
    wait_for gone "$(<"$member")"
  done
  rm -f child daemon stubborn waiting
}
STATUS=7 ends 1 qcbak backup --command 'sh family' --name family -q
err_has "ended with exit status 7"
family_gone
for signal in TERM KILL; do
  STAY=1 "$QCBAK" backup --command 'sh family' --name family -q >.out 2>.err </dev/null &
  pid=$!
  wait_for test -e waiting
  kill "-$signal" "$pid"
  code=0
  wait "$pid" 2>/dev/null || code=$?
  [[ $signal == KILL ]] || is "$code" 1
  family_gone
done
is "$(snapshots)" "$before"
# What a command that ends well leaves behind is ended too.
# shellcheck disable=SC2016
ok qcbak backup --command 'sleep 100000 >/dev/null 2>&1 & echo $!' --name left -q
is "$(kill -0 "$(qcbak cat latest:/left)" 2>&1 | grep -c 'No such process')" 1
before=$(snapshots)

# ---- A repository that fails in the middle stops the command.
mkdir -p small
if ((EUID == 0)) && unshare --mount true 2>/dev/null; then
  cat >full <<'END'
mount -t tmpfs -o size=100m none small || exit 77
cp -a repo small/repo || exit 77
QCBAK_REPO=$PWD/small/repo "$QCBAK" backup --command 'echo $$ >endless; exec cat /dev/urandom' --name endless -q </dev/null >.out 2>.err
echo $? >.code
END
  rm -f endless
  unshare --mount --propagation private bash full || fail "the small disk"
  code=$(<.code) err=$(<.err)
  is "$code" 1
  one_error_line
  err_has "MiB left"
  wait_for gone "$(<endless)"
else
  echo "not root: a full disk is not tried"
fi
ok qcbak verify --read-data -q

# ---- Wrong usage.
for line in "--command true" "--stdin" "--command true --name a/b" "--command true --name .." "source --name x" "--name x" \
  "source --stdin --name x" "--command true --stdin --name x" "--command true --name x --exclude y" "--stdin --name x --force"; do
  # shellcheck disable=SC2086  # words
  ends 2 qcbak backup $line
  one_error_line
done
ends 2 qcbak backup --command "" --name x
ends 2 qcbak backup --command true --name ""
code=0
qcbak backup --stdin --name x <&- >.out 2>.err || code=$?
is "$code" 2
is "$(snapshots)" "$before"
