#!/usr/bin/env bash
# A disk from the request to the owner's confirmation, by files alone: what is wiped, what is refused, what is certified.
source "$(dirname "$0")/harness.bash"
if ((EUID != 0)) || [[ ! -w /dev/loop-control ]] || ! command -v losetup mkfs.ext4 unshare setpriv >/dev/null ||
  ! python3 -c 'import cryptography' 2>/dev/null; then
  echo "skipped: it needs root, loop devices, e2fsprogs and python3-cryptography"
  exit 77
fi
# Mounts of this test lie in a mount namespace of its own, and go with it, whatever happens.
if [[ -z ${WIPE_TEST_NAMESPACE-} ]]; then
  cd / && rm -rf -- "$scratch"
  exec env WIPE_TEST_NAMESPACE=1 unshare --mount --propagation private -- bash "$here/wipe.sh" "$QCBAK"
fi
source "$here/../loops.bash"
clean_up_loops() {
  swapoff "$scratch/none" 2>/dev/null
  detach_loops
  umount "$scratch/full" 2>/dev/null
  cleanup
}
trap clean_up_loops EXIT
unset QCBAK_REPO QCBAK_PASSWORD_FILE
export QCBAK_SOCKET=$scratch/no-daemon
old_text="quarterly salaries of the finance unit"

disk() {  # FILE MiB: a file, a file system with known text in it, a loop device
  truncate -s "$2M" "$1"
  mkfs.ext4 -q -F "$1"
  loop_over "$1"
  mkdir -p mnt
  mount "$loop" mnt
  yes "$old_text" | head -c 6000000 >mnt/salaries
  umount mnt
  grep -q "$old_text" "$1" || fail "the text is not on the disk"
}

# People, each with a key of their own, made as themselves.
chmod 711 "$scratch"
mkdir -m 755 bin
install -m 755 "$QCBAK" bin/qcbak
for person in daemon games man mail; do
  install -d -m 700 -o $person "home-$person"
  echo "a passphrase of $person" >"home-$person/passphrase"
  chown $person "home-$person/passphrase"
  ok setpriv --reuid=$person --regid=nogroup --clear-groups env -u XDG_CONFIG_HOME HOME="$scratch/home-$person" \
    QCBAK_SIGN_PASSWORD_FILE="$scratch/home-$person/passphrase" "$scratch/bin/qcbak" user enrol
  err_has "no daemon was told"
  cat "home-$person/.config/qcbak/signing.key.pub" >>people.pem
done
as() {  # PERSON wipe-command...: as root on a bench, with that person's key
  local person=$1
  shift
  QCBAK_SIGN_PASSWORD_FILE=$scratch/home-$person/passphrase "$QCBAK" wipe "$@" \
    --signing-key "$scratch/home-$person/.config/qcbak/signing.key" --public-key "$scratch/people.pem"
}
requester=daemon approver=games operator=man validator=mail

ok qcbak wipe plans
out_has "hmg-is5-enhanced"
ok qcbak wipe plans navso-mfm
out_has "7fffffff"
ok qcbak wipe plans --json
is "$(json 'len(d) >= 19 and all(len(p["sha256"]) == 64 for p in d)')" True

# ---- From the request to the confirmation, by several plans.
approved() {  # NAME PLAN LOOP [OPTIONS]: $name.1 and $name.2
  local name=$1 plan=$2 on=$3
  shift 3
  ok as $requester request "$on" --plan "$plan" --reason disposal --serial "HAND-$name-4711" --asset "TS-$name" -o "$name.1" "$@"
  ok as $approver approve "$name.1" -o "$name.2"
}
for each in nist-clear:00:1 hmg-is5-enhanced:random:3 dod-3pass:random:3 navso-mfm:random:3 schneier:random:7 bsi-vsitr:aa:7; do
  IFS=: read -r plan pattern step <<<"$each"
  disk "$plan.img" 24
  approved "$plan" "$plan" "$loop"
  last=$(printf %s "HAND-$plan-4711" | tail -c 6)
  sum=$(sha256sum <"$plan.img")
  ok as $operator run --approval "$plan.2" --device "$loop" --confirm "$last" --dry-run
  out_has "would be wiped by $plan"
  is "$(sha256sum <"$plan.img")" "$sum"
  [[ ! -e $plan.3 && ! -e $plan.3.journal ]] || fail "a dry run leaves files"
  ok as $operator run --approval "$plan.2" --device "$loop" --confirm "$last" -o "$plan.3"
  out_has "clear, everything was written and read back"
  out_has "the serial was entered by hand"
  detach "$loop"
  python3 "$here/wipe_content.py" "$plan.img" "$plan.3.journal" "$pattern" "$step" "$old_text" || fail "$plan left something else"
  ends 5 qcbak wipe certificate "$plan.3" --format html --public-key people.pem -o "$plan.none.html"
  grep -q "Không phải giấy chứng nhận" "$plan.none.html" || fail "a page without validation is a certificate"
  ok as $validator validate "$plan.3" --accept -o "$plan.4"
  ok qcbak wipe certificate "$plan.4" --format html --public-key people.pem -o "$plan.html"
  ok as $requester confirm "$plan.4" -o "$plan.5"
  ok qcbak verify-evidence "$plan.5" --public-key people.pem
  out_has "the dossier is as it was signed, and in order"
  rm "$plan.img"
done
ok qcbak wipe certificate nist-clear.5 --public-key people.pem
cmp -s .out nist-clear.5 || fail "the certificate as JSON is not the dossier"
grep -qi -e "unrecoverable" -e "không thể khôi phục" ./*.html && fail "a certificate promises too much"
grep -q "TS-nist-clear" nist-clear.html || fail "the certificate lacks the asset"
ok qcbak verify-evidence nist-clear.5 --public-key people.pem --json
is "$(json "(d['kind'], d['findings'], [m['by'] for m in d['signed']])")" \
  "('dossier', [], ['daemon', 'games', 'man', 'mail', 'daemon'])"

# ---- Plans by firmware, of one's own, and with a sample.
disk firmware.img 24
for plan in bsi-gs purge-auto nvme-format-user; do
  approved "$plan" "$plan" "$loop"
  sum=$(sha256sum <firmware.img)
  ends 5 as $operator run --approval "$plan.2" --device "$loop" --confirm "$(printf %s "HAND-$plan-4711" | tail -c 6)" -o "$plan.3"
  err_has "its firmware's commands cannot be reached"
  is "$(sha256sum <firmware.img)" "$sum"
  [[ ! -e $plan.3 ]] || fail "a disk that was refused has a record"
done
cat >site.toml <<'TOML'
name = "site-wipe"
title = "Two passes"
source = "Decision 12/2026"

[[step]]
kind = "fixed"
pattern = "A5"

[[step]]
kind = "random"

[[step]]
kind = "read-back"

[[step]]
kind = "discard"
TOML
ok qcbak wipe plans ./site.toml
out_has "fixed a5"
ok as $requester request "$loop" --plan-file site.toml --sample --reason disposal --serial HAND-site-4711 -o site.1
ok as $approver approve site.1 -o site.2
ok as $operator run --approval site.2 --device "$loop" --confirm e-4711 -o site.3
out_has "clear, everything was written, and a sample of it was read back"
ok as $validator validate site.3 --accept -o site.4
ok qcbak wipe certificate site.4 --format html --public-key people.pem -o site.html
grep -q "no erasure, and no part of the category" site.html || fail "the certificate does not say what discarding is"
is "$(python3 -c 'import json; d = json.load(open("site.4")); print(json.loads(d["request"]["plans"][0])["name"])')" site-wipe-sampled
grep -q "$old_text" firmware.img && fail "a plan of one's own left the text"
detach "$loop"
rm firmware.img
sed 's/"random"/"randon"/' site.toml >wrong.toml
ends 2 qcbak wipe plans ./wrong.toml
one_error_line
err_has "wrong.toml:9: no step is called randon"
sed 's/site-wipe/gutmann/' site.toml >wrong.toml
ends 2 as $requester request /dev/null --plan-file wrong.toml --reason disposal --serial X -o x.1
err_has "bears the name of one that comes with the program"
ends 2 as $requester request /dev/null --plan nist-clear --plan-file site.toml --reason disposal --serial X -o x.1
err_has "one of them"
ends 2 as $requester request /dev/null --plan purge-auto --sample --reason disposal --serial X -o x.1
err_has "reads nothing back"

# The keys: none given, others than those who signed, and none asked for.
ends 2 qcbak verify-evidence nist-clear.5
one_error_line
ends 4 qcbak verify-evidence nist-clear.5 --public-key home-daemon/.config/qcbak/signing.key.pub
out_has "signed with a key that is not among those given"
ok qcbak verify-evidence nist-clear.5 --integrity
# Signatures by openssl alone, as docs/people.md says.
python3 - nist-clear.5 <<'PYTHON'
import json, sys
from hashlib import sha256
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
dossier = json.load(open(sys.argv[1]))
canonical = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
so_far = {"format": dossier["format"]}
def check(member, covered):
    unsigned = {k: v for k, v in member.items() if k not in ("statement", "signature")}
    assert json.loads(member["statement"])["sha256"] == sha256(canonical(covered(unsigned))).hexdigest()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(member["public_key"])).verify(
        bytes.fromhex(member["signature"]), b"qcbak statement 1\n" + member["statement"].encode())
def check_next(name):
    check(dossier[name], lambda m: {**so_far, name: m})
    so_far[name] = dossier[name]
check_next("request")
check_next("approval")
approved = dict(so_far)
for i, run in enumerate(dossier["runs"]):
    earlier = [r for r in dossier["runs"][:i] if r["medium"] == run["medium"]]
    check(run, lambda m: {**approved, "runs": earlier + [m]})
so_far["runs"] = dossier["runs"]
check_next("validation")
check_next("confirmation")
assert canonical(so_far) + b"\n" == open(sys.argv[1], "rb").read()
PYTHON
(($? == 0)) || fail "another program does not find the signatures right"

# ---- One byte changed anywhere, and blanks that JSON allows.
size=$(stat -c %s nist-clear.5)
for ((at = 0; at < size; at += size / 60)); do
  python3 -c 'import sys; d = bytearray(open(sys.argv[1], "rb").read()); d[int(sys.argv[2])] ^= 1; open("altered", "wb").write(d)' nist-clear.5 $at
  ends 4 qcbak verify-evidence altered --public-key people.pem
done
sed 's/,"request"/, "request"/' nist-clear.5 >altered
ends 4 qcbak verify-evidence altered --public-key people.pem
(cat nist-clear.5; echo) >altered
ends 4 qcbak verify-evidence altered --public-key people.pem
tr -d '\n' <nist-clear.5 >altered
ends 4 qcbak verify-evidence altered --public-key people.pem
ends 4 qcbak wipe certificate altered --public-key people.pem
one_error_line
ends 2 qcbak wipe certificate people.pem --public-key people.pem

# ---- Refusals: exit code 5, one sentence, and the disk as it was.
disk refused.img 16
refused_loop=$loop
sum=$(sha256sum <refused.img)
unchanged() {
  [[ $(grep -c '' .err) == 1 && $err == "qcbak: "* ]] || fail "it is not one sentence"
  is "$(sha256sum <refused.img)" "$sum"
}
approved refused nist-clear "$refused_loop"
attempt() { as $operator run --device "$refused_loop" --confirm d-4711 -o refused.3 "$@"; }
ends 5 as $operator run --device "$refused_loop" --approval refused.2 --confirm d-4712 -o refused.3
err_has "what was typed is not the end of the serial"
unchanged
ends 5 attempt --approval refused.1
err_has "nobody has approved this request"
unchanged
mount "$refused_loop" mnt
sync
sum_mounted=$(sha256sum <refused.img)
ends 5 attempt --approval refused.2
err_has "is mounted"
one_error_line
is "$(sha256sum <refused.img)" "$sum_mounted"
umount mnt
sum=$(sha256sum <refused.img)
sed 's/TS-refused/TS-refusee/' refused.2 >altered
ends 5 attempt --approval altered
err_has "altered or not in order"
unchanged
truncate -s 15M other.img
loop_over other.img
ends 5 as $operator run --device "$loop" --approval refused.2 --confirm d-4711 -o refused.3
err_has "is not the disk that was approved: its size"
unchanged
ends 5 as $requester approve refused.1 -o own.2
err_has "who requested it approved it"
unchanged
ends 5 as $requester request "$refused_loop" --plan nist-clear --reason disposal --serial X --classification state-secret -o secret.1
err_has "state-secret"
unchanged
for term in 4 30 120; do  # long enough for the approval, however slow the machine is
  ok as $requester request "$refused_loop" --plan nist-clear --reason reuse --serial short-4711 --expires "$(date -u -d "+$term seconds" +%Y-%m-%dT%H:%M:%SZ)" -o short.1
  expires=$(($(date +%s) + term))
  as $approver approve short.1 -o short.2 >/dev/null 2>&1 && break
  rm short.1
done
while (($(date +%s) <= expires)); do sleep 0.5; done
ends 5 as $operator run --device "$refused_loop" --approval short.2 --confirm t-4711 -o short.3
err_has "the approval expired"
unchanged
mkswap -q "$refused_loop" 2>/dev/null
if swapon "$refused_loop" 2>/dev/null; then
  sum=$(sha256sum <refused.img)
  ends 5 attempt --approval refused.2
  err_has "swap"
  unchanged
  swapoff "$refused_loop"
fi
# By id it is the daemon's, and here is none; and never over a file.
ends 1 as $operator run 4f0c91aa --confirm d-4711
err_has "no qcbakd answers at"
ends 1 as $approver approve 4f0c91aa
err_has "no qcbakd answers at"
ends 1 as $requester request "$refused_loop" --plan nist-clear --reason disposal --serial X --asset TS-X
err_has "no qcbakd answers at"
ends 2 as $approver approve refused.1 -o refused.2
err_has "exists already"
ends 2 as $requester request "$refused_loop" --plan nist-clear --reason disposal -o x.1
err_has "reports no serial"
ends 2 as $operator run --approval refused.2 --confirm d-4711 -o refused.3
err_has "name the disk with --device"
ok attempt --approval refused.2
ends 5 as $operator validate refused.3 --accept -o own.4
err_has "an operator validated it"
ends 5 as $operator run --device "$refused_loop" --approval refused.3 --confirm d-4711 -o again.3
err_has "was dealt with"
ok as $validator validate refused.3 --reject "wrong shelf" -o refused.4
ends 5 qcbak wipe certificate refused.4 --public-key people.pem
ends 5 as $requester confirm refused.4 -o refused.5
err_has "what nobody accepted"
detach "$refused_loop"

# ---- Killed in the middle, several times, and asked to stop once: it goes on, and the end is as planned.
killed_run() { as $operator run --device "$loop" --approval killed.2 --confirm d-4711 -o killed.3; }
# In the background, until it works on the disk: then its journal has grown.
begin_run() {
  local size
  size=$(stat -c %s killed.3.journal 2>/dev/null || echo 0)
  killed_run >.out 2>.err </dev/null &
  shell=$!
  while (($(stat -c %s killed.3.journal 2>/dev/null || echo 0) <= size)) && kill -0 $shell 2>/dev/null; do sleep 0.02; done
}
# Nobody works on the job any more: the disk's own process stops once it has lost whoever started it.
stopped() { until flock --nonblock killed.3.journal true; do sleep 0.02; done; }
send() {  # SIGNAL: false when the run has come to its end before. Sets $code and $err
  local children
  mapfile -t children < <(pgrep -P $shell)
  kill -"$1" "${children[@]}" 2>/dev/null
  code=0
  wait $shell 2>/dev/null || code=$?
  stopped
  err=$(<.err)
  [[ ! -e killed.3 ]]
}
interrupted_often() {
  local i
  for i in 1 2 3 4 5; do begin_run; send KILL || return; done
  begin_run
  send TERM
}
# On a machine that is through with it too early, once more with a larger disk.
for megabytes in 192 768 3072; do
  disk killed.img $megabytes
  approved killed schneier "$loop"
  interrupted_often && break
  ((megabytes < 3072)) || fail "each run came to its end before it was interrupted"
  detach "$loop"
  rm killed.*
done
is "$code" 1
err_has "go on with the same command"
ok killed_run
ok qcbak verify-evidence killed.3 --public-key people.pem
segments=$(python3 -c 'import json; print(len(json.load(open("killed.3"))["runs"][0]["segments"]))')
((segments == 7)) || fail "there are $segments segments"
python3 "$here/wipe_content.py" killed.img killed.3.journal random 7 "$old_text" || fail "resuming left something else"
# Its journal serves no other job.
detach "$loop"
loop_over killed.img
approved other schneier "$loop"
ends 5 as $operator run --device "$loop" --approval other.2 --confirm r-4711 --journal killed.3.journal -o other.3
err_has "is the journal of another job"
detach "$loop"

# ---- Blocks that cannot be written: to be destroyed, and no certificate.
mkdir full
mount -t tmpfs -o size=24m none full
truncate -s 32M full/disk.img
loop_over full/disk.img
approved full nist-clear "$loop"
ends 6 as $operator run --device "$loop" --approval full.2 --confirm l-4711 -o full.3
out_has "destroy"
ok qcbak verify-evidence full.3 --public-key people.pem
ok as $validator validate full.3 --accept -o full.4
ends 6 qcbak wipe certificate full.4 --public-key people.pem
[[ -z $out ]] || fail "there is a certificate"
ends 6 qcbak wipe certificate full.4 --format html --public-key people.pem
out_has "Phải tiêu hủy vật lý"
ends 5 as $operator destroyed full.4 --method melt --witness "Tran Thi B" -o full.destroyed.1
err_has "validated already"
detach "$loop"

# ---- Destroyed: what failed to be cleared, and what no machine can see any more.
echo "a picture" >left.jpg
ok as $operator destroyed full.3 --method shred --particle-size 1.5mm --witness "Tran Thi B" --place "sân sau" --photograph left.jpg -o full.destroyed.1
ends 5 as $operator validate full.destroyed.1 --accept -o own.2
err_has "an operator validated it"
ok as $validator validate full.destroyed.1 --accept -o full.destroyed.2
ok qcbak wipe certificate full.destroyed.2 --format html --public-key people.pem -o destroyed.html
grep -q "Giấy chứng nhận tiêu hủy" destroyed.html || fail "the page is no certificate of destruction"
grep -q "$(sha256sum <left.jpg | cut -d ' ' -f 1)" destroyed.html || fail "the photograph is not on it"
grep -q "1,5 mm" destroyed.html || fail "the size of the particles is not on it"
ends 2 as $requester request --plan nist-clear --reason disposal --asset A -o broken.1
one_error_line
ok as $requester request --plan destroy --reason disposal --classification state-secret --asset TS-7 --asset TS-8 --model "Disk 7" --model "Disk 8" -o broken.1
ok as $approver approve broken.1 -o broken.2
out_has "qcbak wipe destroyed"
ends 5 as $operator run --approval broken.2 --device "$refused_loop" --confirm 123456 -o broken.3
one_error_line
ends 2 as $operator destroyed broken.2 --method incinerate --witness "Tran Thi B" -o broken.3
err_has "several media"
ends 2 as $operator destroyed broken.2 --medium 2 --method incinerate --particle-size 2mm --witness "Tran Thi B" -o broken.3
err_has "leaves no particles"
ends 2 as $operator destroyed broken.2 --medium 2 --method shred --witness "Tran Thi B" -o broken.3
ends 2 as $operator destroyed broken.2 --medium 2 --method incinerate -o broken.3
err_has "somebody else"
ends 5 as $operator destroyed broken.2 --medium 2 --method incinerate --witness "$operator" -o broken.3
err_has "nobody else witnessed it"
ok as $operator destroyed broken.2 --medium 2 --method incinerate --witness "Tran Thi B" -o broken.3
ends 5 as $operator destroyed broken.3 --medium 2 --method incinerate --witness "Tran Thi B" -o broken.4
ok as $operator destroyed broken.3 --method incinerate --witness "Tran Thi B" -o broken.4
ok as $validator validate broken.4 --accept -o broken.5
ok qcbak wipe certificate broken.5 --public-key people.pem
ok qcbak verify-evidence broken.5 --public-key people.pem

ok qcbak wipe list
ok qcbak wipe list --json
loop_over refused.img
ok qcbak wipe inspect "$loop" --json
is "$(json "(d['size_bytes'], d['serial'], d['refusals'])")" "(16777216, '', [])"
ok env LC_ALL=vi_VN.UTF-8 "$QCBAK" wipe inspect "$loop"
ends 5 qcbak wipe inspect /dev/null
