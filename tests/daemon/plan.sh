#!/usr/bin/env bash
# Plans and who approves them: jobs run only as approved, nobody approves their own, and a signature is told from a forged one.
source "$(dirname "$0")/harness.bash"
((EUID == 0)) || { echo "skipped: it needs several users, which only root can be"; exit 77; }
approver=games operator=daemon other=man
make_source
make_keys
chmod 711 "$scratch"
mkdir -m 711 run
for person in $approver $operator $other; do
  install -d -m 700 -o $person "home-$person"
  echo "a passphrase of $person" >"home-$person/passphrase"
  chown $person "home-$person/passphrase"
done
install -m 755 "$QCBAK" qcbak-for-all
as() {  # USER COMMAND...
  local person=$1
  shift
  setpriv --reuid="$person" --regid=nogroup --clear-groups env -u XDG_CONFIG_HOME HOME="$scratch/home-$person" \
    QCBAK_SIGN_PASSWORD_FILE="$scratch/home-$person/passphrase" "$@"
}
q() { local person=$1; shift; as "$person" "$scratch/qcbak-for-all" "$@"; }
roles() {  # lines of roles, and the jobs
  configure "$2"
  sed -i "s/^operator = .*/$1/; s/^administrator = .*/administrator = ['root']/" qcbak.toml
}
again() {  # takes the configuration
  : >log.new
  kill -HUP "$daemon"
  within 20 "it takes the configuration" grep -q 'the configuration was read again' log.new
}
normal="operator = ['$operator']\napprover = ['$approver']\nauditor = ['$other']"
job="
[[job]]
name = 'files'
source = { files = ['$scratch/source'] }
schedule = 'never'"
roles "$normal" "$job"
start

# Before the first approval jobs run, and the screen says that nobody approved them.
ok q $operator status
out_has "no plan has been approved yet"
ok q $operator job run files --follow
ok q $operator plan show
out_has "no plan has been approved yet"

# Submitted by an operator; not by an approver or auditor.
ends 5 q $approver plan submit
err_has "does not have the role operator or administrator"
ends 5 q $other plan submit
ok q $operator plan submit --json
plan=$(json 'd["id"]')
ok q $operator plan show
out_has "it waits for approval"
out_has "+ job files is new"

# Nobody without a key, nobody without the role, and nobody their own.
ends 5 q $approver plan approve "$plan"
err_has "has no key to sign with"
err_has "qcbak user enrol"
ends 5 q $operator plan approve "$plan"
err_has "does not have the role approver"
ok q $approver user enrol
out_has "fingerprint"
[[ $(stat -c %a "home-$approver/.config/qcbak/signing.key") == 600 ]] || fail "others may read the key"
openssl pkey -pubin -in "home-$approver/.config/qcbak/signing.key.pub" -noout || fail "openssl does not read the public key"
ok q $approver user enrol  # again: the same key
ok q $other user list
out_has "$approver"
echo "something else" >"home-$approver/wrong"
chown $approver "home-$approver/wrong"
ends 12 as $approver env QCBAK_SIGN_PASSWORD_FILE="$scratch/home-$approver/wrong" "$scratch/qcbak-for-all" plan approve "$plan"
one_error_line
err_has "wrong passphrase"
roles "operator = ['$operator']\napprover = ['$operator', '$approver']" "$job"
again
ends 5 q $operator plan approve "$plan"
err_has "at once"
err_has "combined_roles"
roles "operator = ['$operator']\napprover = ['$operator', '$approver']" "
[approval]
combined_roles = 'two people run this site'
$job"
again
ok q $operator user enrol
ends 5 q $operator plan approve "$plan"
err_has "nobody approves their own"
ok qcbak audit show --acts
out_has "nobody approves their own"
roles "$normal" "$job"
again

# A statement that somebody else signed, one about another plan, none at all: by hand, past the command.
cat >post.py <<'PY'
import http.client, json, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(sys.argv[1])
c = Unix("x"); c.request("POST", sys.argv[2], sys.argv[3]); r = c.getresponse(); print(r.status, r.read().decode())
PY
chmod 644 post.py
hex=$(printf '00%.0s' {1..64})
statement="{\\\"act\\\":\\\"plan.approve\\\",\\\"by\\\":\\\"$approver\\\",\\\"object\\\":\\\"$plan\\\",\\\"reason\\\":\\\"\\\",\\\"repository\\\":\\\"0\\\",\\\"sha256\\\":\\\"0\\\",\\\"time\\\":\\\"2026-11-21T09:00:00Z\\\"}"
for body in '' '{}' '{"statement":1}' '[' '{"statement":"x","signature":"00"}' "{\"statement\":\"x\",\"signature\":\"$hex\"}" \
  "{\"statement\":\"$statement\",\"signature\":\"$hex\"}"; do
  ok as $approver python3 post.py "$QCBAK_SOCKET" "/v1/plans/$plan/approve" "$body"
  [[ $out == 40[03]\ * ]] || fail "it took $body: $out"
done
ok q $other plan show --json
is "$(json 'd["in_force"]')" None

# Approved: in force, also after a restart, with a signature that openssl checks.
ok q $approver plan approve "$plan"
out_has "plan $plan is in force"
ends 1 q $approver plan approve "$plan"
err_has "does not wait"
kill_daemon
start
ok q $other plan show "$plan" --json
printf 'qcbak statement 1\n%s' "$(json 'd["statement"]')" >message
python3 -c 'import sys; open("signature", "wb").write(bytes.fromhex(sys.argv[1]))' "$(json 'd["signature"]')"
openssl pkeyutl -verify -pubin -inkey "home-$approver/.config/qcbak/signing.key.pub" -rawin -in message -sigfile signature >/dev/null ||
  fail "openssl does not accept the signature"
ok q $operator job run files --follow
ok q $operator status
[[ $out != *"no plan"* ]] || fail "the status does not know of the plan"
ends 2 q $operator plan submit
err_has "in force already"

# A changed configuration holds what it changed; what is as approved goes on.
changed="
[[job]]
name = 'files'
source = { files = ['$scratch/source'], exclude = ['*.tmp'] }
schedule = 'never'
[[job]]
name = 'more'
source = { files = ['$scratch/source'] }
schedule = '*:*:0/2'"
roles "$normal" "$changed"
again
ok q $operator status
out_has "job files: it is held"
ends 5 q $operator job run files
one_error_line
err_has "the approved plan has it otherwise"
ends 5 q $operator job run more
err_has "the approved plan does not have it"
ok q $operator job list --json
is "$(json '[job["held"] for job in d if job["name"] == "more"]')" "['the approved plan does not have it']"
ok q $operator plan submit
out_has "~ files.source.exclude: [] -> [\"*.tmp\"]"
out_has "~ files.extent: full -> partial"
out_has "+ job more is new"
second=$(head -1 <<<"$out")
ok q $approver plan reject "$second" --reason "what is more?"
ends 5 q $operator job run files
ok q $operator plan show "$second"
out_has "what is more?"
ok q $operator plan submit
third=$(head -1 <<<"$out")
ok q $approver plan approve "${third:0:8}"
within 30 "the job runs by its schedule" at_least more 1
ok q $operator job history more --json
first_try=$(json 'd[-1]["started"]')
ok q $operator plan show "$third" --json
[[ ! $first_try < $(json 'd["decided"]') ]] || fail "the job ran before it was approved"
ok q $operator job run files --follow

# From a file, before the configuration is changed: nothing is ever held.
sed 's/\*\.tmp/*.bak/' qcbak.toml >new.toml
chmod 644 new.toml
ok q $operator plan submit "$scratch/new.toml"
out_has '~ files.source.exclude: ["*.tmp"] -> ["*.bak"]'
ok q $approver plan approve "$(head -1 <<<"$out")"
cp new.toml qcbak.toml
again
ok q $operator job run files --follow
echo "nonsense = 1" >bad.toml
chmod 644 bad.toml
ends 2 q $operator plan submit "$scratch/bad.toml"
err_has "bad.toml:1"

# The page.
ok q $other plan show --format html
out_has "Kế hoạch sao lưu"
out_has "*.bak"
ends 2 q $other plan show --format pdf

# A new key has to be signed by the one before. Who lost theirs gets another from an administrator, which is not good for
# what the same person submitted.
before=$(cat "home-$approver/.config/qcbak/signing.key.pub")
ok q $approver user enrol --replace
[[ $(cat "home-$approver/.config/qcbak/signing.key.pub") != "$before" ]] || fail "it is the same key"
rm -r "home-$approver/.config"
ends 5 q $approver user enrol
err_has "has a key already"
install -m 644 "home-$approver/.config/qcbak/signing.key.pub" handed.pub
ends 5 q $other user add $approver --key handed.pub
ok qcbak user add $approver --key handed.pub
ends 5 q $operator user lock $approver
roles "$normal" "$job"
again
ok qcbak plan submit  # by root, who added the key
fourth=$(head -1 <<<"$out")
ends 5 q $approver plan approve "$fourth"
err_has "was registered by root, who submitted the plan"
ok q $approver user enrol --replace
ok q $approver plan approve "$fourth"

# Locked out, and in again.
ends 5 qcbak user lock root
ends 1 qcbak user add nobody-of-this-name --key handed.pub
ok qcbak user lock $approver
ends 5 q $approver status
err_has "is locked"
ok qcbak user unlock $approver
ok q $approver status

# What people did is made anew from the log when the database is lost, signatures and all.
ok qcbak user list --json
people=$out
ok qcbak plan show --json
plans=$out
stop
rm state/state.db*
start
ok qcbak user list --json
is "$out" "$people"
ok qcbak plan show --json
is "$out" "$plans"
ok q $operator job run files --follow
stop
ok qcbak audit verify

# Where the first plan is waited for, nothing runs before it. A site that says so needs no keys to approve.
export QCBAK_REPO=$scratch/second
unset QCBAK_CREDENTIAL_FILE
rm -r state
make_keys_at_second() {
  ok qcbak init -q
  rm write.credential
  ok qcbak key credential write -o write.credential --name appliance -q
}
make_keys_at_second
roles "$normal" "
[approval]
before_first_plan = 'wait'
signatures = 'optional'
$job"
start
ends 5 q $operator job run files
err_has "no plan has been approved yet"
ok q $operator plan submit
ok q $approver plan approve "$(head -1 <<<"$out")"
ok q $operator plan show
out_has "not signed"
ok q $operator job run files --follow
stop
