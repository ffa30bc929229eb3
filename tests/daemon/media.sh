#!/usr/bin/env bash
# The inventory of media, and wipes through the daemon: from the request to the release, and what is refused on the way.
source "$(dirname "$0")/harness.bash"
if ((EUID != 0)) || [[ ! -w /dev/loop-control ]] || ! command -v losetup setpriv >/dev/null; then
  echo "skipped: it needs root and loop devices"
  exit 77
fi
source "$here/../loops.bash"
clean_up_media() {
  detach_loops
  finish
}
trap clean_up_media EXIT
officer=games approver=daemon operator=man validator=mail other=news
make_source
make_keys
chmod 711 "$scratch"
mkdir -m 711 run
mkdir -m 755 public
install -m 755 "$QCBAK" qcbak-for-all
for person in $officer $approver $operator $validator $other; do
  install -d -m 700 -o $person "home-$person"
  echo "a passphrase of $person" >"home-$person/passphrase"
  chown $person "home-$person/passphrase"
done
as() {  # USER COMMAND...
  local person=$1
  shift
  setpriv --reuid="$person" --regid=nogroup --clear-groups env -u XDG_CONFIG_HOME HOME="$scratch/home-$person" \
    QCBAK_SIGN_PASSWORD_FILE="$scratch/home-$person/passphrase" "$@"
}
q() { local person=$1; shift; as "$person" "$scratch/qcbak-for-all" "$@"; }
bench() {  # PERSON wipe-command...: as root on a bench without a daemon, with that person's key
  local person=$1
  shift
  QCBAK_SOCKET=$scratch/no-daemon QCBAK_SIGN_PASSWORD_FILE=$scratch/home-$person/passphrase "$QCBAK" wipe "$@" \
    --signing-key "$scratch/home-$person/.config/qcbak/signing.key" --public-key "$scratch/people.pem"
}
disk() {  # FILE MiB: sets $loop
  head -c "$2M" /dev/urandom >"$1"
  loop_over "$1"
}
configure ""
sed -i "s/^operator = .*/operator = ['$operator', 'root']\napprover = ['$approver']\nasset-officer = ['$officer', 'root']\nauditor = ['$validator', '$other']/; s/^administrator = .*/administrator = ['root']/" qcbak.toml
start
for person in $officer $approver $operator $validator $other; do
  ok q $person user enrol
  cat "home-$person/.config/qcbak/signing.key.pub" >>people.pem
done
stands() {
  ok q $other wipe media show "$1" --json
  is "$(json 'd["step"]')" "$2"
}

# ---- The inventory.
cat >public/media.csv <<'CSV'
serial,asset,model,size_bytes,unit,classification,state
HAND-0001-4711,TS-1,,16777216,"finance, salaries",sensitive,in-use
HAND-0002-4711,TS-2,,16777216,=cmd(),ordinary,
HAND-0003-4711,TS 3/2026,,16777216,archive,state-secret,broken
CSV
ends 5 q $operator wipe media import public/media.csv
err_has "does not have the role asset-officer"
sed 's/,ordinary,$/,odinary,/' public/media.csv >public/wrong.csv
ends 2 q $officer wipe media import public/wrong.csv
err_has "line 3, column 6 (classification)"
one_error_line
ok q $officer wipe media list --json
is "$(json 'd')" "[]"
ok q $officer wipe media import public/media.csv
out_has "registered or corrected: 3; known already: 0"
ok q $officer wipe media import public/media.csv
out_has "registered or corrected: 0; known already: 3"
ok q $other wipe media list --list in-use --json
is "$(json '[m["asset"] for m in d]')" "['TS-1', 'TS-2']"
ok q $other wipe media list --list broken
out_has "TS 3/2026"
ok q $other wipe media list --format csv
out_has "'=cmd()"
out_has '"finance, salaries"'
ends 1 q $other wipe media show TS-9
ends 2 q $other wipe media list --list lost
ends 5 q $officer wipe media release TS-1
err_has "cannot follow on that"

# ---- From the request to the release, through the daemon; the disk is wiped on a bench and brought.
disk one.img 16
first=$loop
sum=$(sha256sum <one.img)
unchanged() { is "$(sha256sum <one.img)" "$sum"; }
ends 5 q $operator wipe request TS-1 --plan nist-clear --reason disposal
err_has "does not have the role asset-officer"
stands TS-1 registered
ok q $officer wipe request TS-1 --plan nist-clear --reason disposal --json
id=$(json 'd["id"]')
stands TS-1 listed
ends 5 q $officer wipe request TS-1 --plan nist-clear --reason disposal
err_has "has not expired"
ends 5 q $officer wipe approve "$id"
err_has "does not have the role approver"
ends 5 q $operator wipe approve "$id"
stands TS-1 listed
ok q $approver wipe reject "$id" "which disk is that?"
stands TS-1 registered
ends 5 q $approver wipe approve "$id"
ok q $officer wipe request TS-1 --plan nist-clear --reason disposal --json
id=$(json 'd["id"]')
ok q $approver wipe approve "${id:0:8}"
stands TS-1 approved
ends 5 q $validator wipe validate "$id" --accept
stands TS-1 approved
ok q $operator wipe export "$id" -o "home-$operator/2.json"
ok bench $operator run --approval "home-$operator/2.json" --device "$first" --confirm 1-4711 -o 3.json
stands TS-1 approved
install -m 644 3.json public/3.json
sed 's/TS-1/TS-9/' 3.json >public/altered.json
ends 5 q $operator wipe import public/altered.json
err_has "altered or not in order"
ends 5 q $other wipe import public/3.json
err_has "does not have the role"
stands TS-1 approved
ok q $operator wipe import public/3.json
stands TS-1 assessed
ok q $operator wipe import public/3.json
err_has "here already"
ok q $other wipe status "$id" --json
document=$(json 'd["document"]')
is "$document" "$(cat 3.json)"
ends 5 q $operator wipe validate "$id" --accept
err_has "validated it"
ends 5 q $officer wipe media release TS-1
ends 5 q $other wipe certificate "$id"
ok q $validator wipe validate "$id" --accept
stands TS-1 validated
ends 5 q $officer wipe confirm "$id"
err_has "nothing of it is certified yet"
ok q $other wipe certificate "$id" --format html -o "home-$other/certificate.html"
grep -q "in the audit log" "home-$other/certificate.html" || fail "the certificate does not name the log"
stands TS-1 certified
ok q $other wipe certificate "$id" -o "home-$other/certificate.json"
ok qcbak verify-evidence "home-$other/certificate.json" --public-key people.pem
range=$(python3 -c 'import json, sys; l = json.load(open(sys.argv[1]))["log"]; print(l["first"], l["last"], l["head_number"])' "home-$other/certificate.json")
sed 's/TS-1/TS-9/' "home-$other/certificate.json" >altered
ends 4 qcbak verify-evidence altered --public-key people.pem
ends 5 q $operator wipe confirm "$id"
err_has "operator confirmed it"
ok q $officer wipe confirm "$id"
stands TS-1 confirmed
ends 5 q $other wipe media release TS-1
ok q $officer wipe media release TS-1
stands TS-1 released
ok q $other wipe media list --list disposed --json
is "$(json '[m["asset"] for m in d]')" "['TS-1']"

# What the certificate names is what the export has about this wipe.
ok qcbak audit export -o log.jsonl -q
python3 - "$id" $range <<'PY' || fail "the range of the log is another"
import json, sys
entries = [json.loads(line) for line in open("log.jsonl")]
about = [e["entry"] for e in entries if e.get("kind") == "audit" and e["details"].get("dossier") == sys.argv[1]]
acts = [e["details"]["act"] for e in entries if e.get("kind") == "audit" and e["details"].get("dossier") == sys.argv[1]]
certified = acts.index("wipe.certified")
assert acts == ["wipe.requested", "wipe.approved", "wipe.inspected", "wipe.cleared", "wipe.sanitising", "wipe.verifying", "wipe.assessed",
                "wipe.validated", "wipe.certified", "wipe.confirmed"], acts
assert [about[0], about[certified - 1]] == [int(sys.argv[2]), int(sys.argv[3])], (about, sys.argv)
assert int(sys.argv[4]) < about[certified]
PY

# ---- Lost and made anew: the same media, the same dossiers.
everything() { ok q $other wipe media list --json; printf '%s' "$out"; ok q $other wipe status --json; printf '%s' "$out"; ok q $other wipe status "$id" --json; printf '%s' "$out"; }
before=$(everything)
kill_daemon
start
is "$(everything)" "$before"
stop
rm state/state.db*
start
is "$(everything)" "$before"

# ---- Refused: the state secret, the expired, the key of somebody else, a statement about something else.
ends 5 q $officer wipe request "TS 3/2026" --plan nist-clear --reason disposal
err_has "state-secret"
stands "TS 3/2026" registered
# It is destroyed, and that has a certificate of its own.
ok q $officer wipe request "TS 3/2026" --plan destroy --reason disposal --json
secret=$(json 'd["id"]')
ends 5 q $officer wipe destroyed "$secret" --method shred --particle-size 2mm --witness "Tran Thi B"
ok q $approver wipe approve "$secret"
echo shreds >public/shreds.jpg
ends 5 q $operator wipe destroyed "$secret" --method shred --particle-size 2mm --witness "Tran Thi B"
err_has "does not have the role asset-officer"
stands "TS 3/2026" approved
ok q $officer wipe destroyed "$secret" --method shred --particle-size 2mm --witness "Tran Thi B" --photograph public/shreds.jpg
stands "TS 3/2026" destroyed
ends 5 q $officer wipe validate "$secret" --accept
ok q $validator wipe validate "$secret" --accept
ok q $other wipe certificate "$secret" --format html -o "home-$other/destroyed.html"
grep -q "Certificate of media destruction" "home-$other/destroyed.html" || fail "there is no certificate of destruction"
grep -q "in the audit log" "home-$other/destroyed.html" || fail "it does not name the log"
ok q $other wipe confirm "$secret"
stands "TS 3/2026" destroyed
ends 5 q $officer wipe request "TS 3/2026" --plan destroy --reason disposal
ok q $officer wipe media quarantine TS-2 --reason "the label is torn off"
stands TS-2 quarantine
ok q $other wipe media list --list awaiting-disposal --json
is "$(json '[m["asset"] for m in d]')" "['TS-2']"
for term in 3 30 120; do  # long enough for the request to arrive, however slow the machine is
  soon=$(date -u -d "+$term seconds" +%Y-%m-%dT%H:%M:%SZ)
  run q $officer wipe request TS-2 --plan nist-clear --reason reuse --expires "$soon" --json
  ((code == 0)) && break
done
is "$code" 0
late=$(json 'd["id"]')
while [[ ! $(date -u +%Y-%m-%dT%H:%M:%SZ) > $soon ]]; do sleep 0.2; done
sleep 1.1
ends 5 q $approver wipe approve "$late"
stands TS-2 listed
ok q $officer wipe request TS-2 --plan nist-clear --reason reuse --json
second=$(json 'd["id"]')
install -m 600 -o $approver "home-$validator/.config/qcbak/signing.key" "home-$approver/stolen"
install -m 600 -o $approver "home-$validator/passphrase" "home-$approver/stolen-passphrase"
ends 5 as $approver env QCBAK_SIGN_PASSWORD_FILE="$scratch/home-$approver/stolen-passphrase" "$scratch/qcbak-for-all" wipe approve "$second" --signing-key "$scratch/home-$approver/stolen"
err_has "signed in the name of"
stands TS-2 listed
ok q $approver wipe approve "$second"
stands TS-2 approved

# ---- Run by id, on this machine: the daemon hears of each state, and gets the run.
by_id() { QCBAK_SIGN_PASSWORD_FILE=$scratch/home-$operator/passphrase "$QCBAK" wipe "$@" --signing-key "$scratch/home-$operator/.config/qcbak/signing.key"; }
approved_disk() {  # ASSET SERIAL MiB PLAN: sets $loop and $wipe
  disk "$1.img" "$3"
  printf 'asset,serial,size_bytes\n%s,%s,%s\n' "$1" "$2" $(($3 * 1048576)) >public/one.csv
  ok q $officer wipe media import public/one.csv
  ok q $officer wipe request "$1" --plan "$4" --reason disposal --json
  wipe=$(json 'd["id"]')
  ok q $approver wipe approve "$wipe"
}
acts_of() {  # ID: the acts of the log about it
  ok qcbak audit show --acts --json
  python3 -c 'import json, sys; print(*[e["details"]["act"] for e in json.load(open(sys.argv[1])) if e["details"].get("dossier") == sys.argv[2]])' "$scratch/.out" "$1"
}
approved_disk TS-10 HAND-0010-4711 16 nist-clear
sum=$(sha256sum <TS-10.img)
ends 5 by_id run "$wipe" --device "$loop" --confirm 0-4712 -o TS-10.json
is "$(sha256sum <TS-10.img)" "$sum"
ok by_id run "$wipe" --device "$loop" --confirm 0-4711 -o TS-10.json --dry-run
stands TS-10 inspected
ok by_id run "$wipe" --device "$loop" --confirm 0-4711 -o TS-10.json
stands TS-10 assessed
ends 5 q $operator wipe validate "$wipe" --accept
ok q $validator wipe validate "$wipe" --accept

# Begins to wipe a disk, and does something in the middle. On a machine that is through with it by then, once more with a larger disk.
in_the_middle() {  # NAME ACTION DONE: sets $asset, $loop, $wipe
  local n
  for ((n = 0; n < 6; ++n)); do
    asset=$1-$n
    approved_disk "$asset" "HAND-$asset-4711" $((64 << n)) schneier
    by_id run "$wipe" --device "$loop" --confirm "${asset: -1}-4711" -o "$asset.json" >run.out 2>run.err </dev/null &
    shell=$!
    while [[ ! -s $asset.json.1.journal ]] && kill -0 $shell 2>/dev/null; do sleep 0.05; done
    "$2"
    code=0
    wait $shell || code=$?
    [[ ! -e $asset.json.1.journal ]] || until flock --nonblock "$asset.json.1.journal" true; do sleep 0.05; done
    if "$3"; then return; fi
    rm "$asset.img"
  done
  fail "each wipe came to its end too early: $(cat run.err)"
}

# Killed: the daemon hears of it from who goes on.
kill_wipe() {
  mapfile -t children < <(pgrep -P $shell)
  kill -KILL "${children[@]}" 2>/dev/null
}
is_sanitising() {
  ok q $other wipe media show "$asset" --json
  [[ $(json 'd["step"]') == sanitising ]]
}
was_killed() { [[ ! -e $asset.json && -s $asset.json.1.journal ]] && is_sanitising; }
in_the_middle TS-11 kill_wipe was_killed
stands "$asset" sanitising
ends 5 q $officer wipe media quarantine "$asset" --reason "it is in use"
ok by_id resume "$wipe" --device "$loop" -o "$asset.json"
stands "$asset" assessed
[[ $(acts_of "$wipe") == *"wipe.sanitising wipe.interrupted wipe.resumed wipe.verifying wipe.assessed" ]] || fail "the log has other acts: $(acts_of "$wipe")"

# The daemon is killed: the wipe goes on, its run is kept, and brought.
went_on() { start; grep -q "is kept" run.err && is_sanitising; }
in_the_middle TS-12 kill_daemon went_on
is "$code" 0
stands "$asset" sanitising
install -m 644 "$asset.json" public/brought.json
ok q $operator wipe import public/brought.json
stands "$asset" assessed
[[ $(acts_of "$wipe") == *"wipe.sanitising wipe.verifying wipe.assessed" ]] || fail "the log has other acts: $(acts_of "$wipe")"
before=$(everything)
stop
rm state/state.db*
start
is "$(everything)" "$before"

stop
ok qcbak audit verify
ok qcbak audit show --acts
out_has "request.refused"
echo "all is as it should be"
