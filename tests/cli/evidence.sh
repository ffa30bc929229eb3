#!/usr/bin/env bash
# The log as evidence: exported, carried away, and checked with the public keys alone.
source "$(dirname "$0")/harness.bash"
make_repository
echo 'another horse battery staple' >second
ok qcbak key add --name second --new-password-file second --password-file password -q
ok qcbak key credential write -o write.credential --name daemon --password-file second -q
export QCBAK_CREDENTIAL_FILE=$scratch/write.credential
ok qcbak tag latest --hold 'kiểm toán'
ok qcbak tag latest --release
ok qcbak tag latest --label unit=finance
ok qcbak tag latest --lock 1d
ok qcbak audit export -o log.jsonl
out_has "exported 9 entries"
ok qcbak audit export -o - -q
is "$(head -n -1 .out | sha256sum)" "$(head -n -1 log.jsonl | sha256sum)"
ok qcbak audit export --checkpoint -o checkpoint.json
ok qcbak audit export --checkpoint --format text
out_has "qcbak audit verify --checkpoint 9:"
ok env -u QCBAK_CREDENTIAL_FILE -u QCBAK_PASSWORD_FILE "$QCBAK" key export --public -o site.pem
fingerprint=$(sed -n 2p .out | tr -d ' ')
openssl pkey -pubin -in site.pem -text -noout | grep -q 'ED25519 Public-Key' || fail "openssl does not read the public key"
is "$(openssl pkey -pubin -in site.pem -outform DER | tail -c 32 | sha256sum | cut -d' ' -f1)" "$fingerprint"
# One entry by hand, as docs/evidence.md says.
is "$(grep '^{"entry":5,' log.jsonl | sed 's/.*"stored":"\([^"]*\)".*/\1/' | base64 -d | sha256sum | cut -d' ' -f1)" \
  "$(grep '^{"entry":6,' log.jsonl | sed 's/.*"previous":"\([^"]*\)".*/\1/')"

mkdir auditor
mv log.jsonl checkpoint.json site.pem auditor
mkdir elsewhere && (
  export QCBAK_REPO=$scratch/other
  unset QCBAK_CREDENTIAL_FILE
  qcbak init -q && qcbak key export --public -o auditor/other.pem -q && qcbak audit export -o auditor/other.jsonl -q
) || fail "no other repository"
repo=$QCBAK_REPO
unset QCBAK_REPO QCBAK_CREDENTIAL_FILE QCBAK_PASSWORD_FILE
cd auditor || exit 1
ok qcbak verify-evidence log.jsonl --public-key site.pem
out_has "all 9 entries are signed, in order, and follow on each other"
out_has "details: 7 opened and as they were sealed, 0 not opened"
ok qcbak audit verify --log log.jsonl --public-key site.pem --checkpoint checkpoint.json --json
is "$(json "(d['entries'], d['findings'])")" "(9, [])"
ok qcbak verify-evidence checkpoint.json --public-key site.pem
ok qcbak verify-evidence log.jsonl --repo "$repo"
ok qcbak audit verify --repo "$repo" --checkpoint checkpoint.json
ends 4 qcbak audit verify --repo "$scratch/other" --checkpoint checkpoint.json
ends 4 qcbak audit verify --log other.jsonl --public-key other.pem --checkpoint "$(sed 's/.*"entry":\([0-9]*\),"hash":"\([0-9a-f]*\)".*/\1:\2/' checkpoint.json)"
out_has "entry 9: is missing"
ends 2 qcbak verify-evidence log.jsonl
err_has "no public key was given"
one_error_line

altered() { ends 4 qcbak verify-evidence altered.jsonl --public-key site.pem; }
sed 's/kiểm toán/kiểm tra!/' log.jsonl >altered.jsonl
altered
out_has "entry 6: says something else than is shown of it"
sed '/^{"entry":5,/d' log.jsonl >altered.jsonl
altered
out_has "entry 5: is missing"
head -n -1 log.jsonl >altered.jsonl
altered
out_has "altered.jsonl: was cut off"
(head -n -1 log.jsonl; tail -n 1 other.jsonl) >altered.jsonl
altered
ends 4 qcbak verify-evidence log.jsonl --public-key other.pem
out_has "entry 1: makes the domain \"default\""
sed 's/"made":"20/"made":"21/' checkpoint.json >altered.json
ends 4 qcbak verify-evidence altered.json --public-key site.pem
one_error_line
ends 4 qcbak verify-evidence checkpoint.json --public-key other.pem
err_has "not among the public keys given"

: >empty
head -c 100000 /dev/urandom >garbage
head -c 20000000 /dev/zero | tr '\0' x >huge
echo '{"format":"qcbak certificate 1"}' >certificate
for file in empty garbage huge certificate; do
  ends 2 qcbak verify-evidence $file --public-key site.pem
  err_has "this is no evidence that qcbak made"
  one_error_line
done
ends 2 qcbak verify-evidence log.jsonl --public-key certificate
err_has "this is no file of Ed25519 public keys"
ends 1 qcbak verify-evidence nowhere --public-key site.pem
# A line longer than any may be, in no more memory than such a line takes.
(head -n 3 log.jsonl; head -c 400000000 /dev/zero | tr '\0' x) >altered.jsonl
run bash -c 'ulimit -v 1000000; exec "$@"' - "$QCBAK" verify-evidence altered.jsonl --public-key site.pem
is "$code" 4
out_has "a line is too long"
rm altered.jsonl

# Details of a window alone.
export QCBAK_REPO=$repo QCBAK_CREDENTIAL_FILE=$scratch/write.credential
ok qcbak audit export --since 2000-01-01 --until 2000-02-01 -o window.jsonl
out_has "details: 0 opened, 7 left sealed"
ok qcbak verify-evidence window.jsonl --public-key site.pem
[[ $(<window.jsonl) != *"kiểm toán"* ]] || fail "details outside the window are shown"
ends 2 qcbak audit export --since yesterday -o x
ends 2 qcbak audit export -o window.jsonl
err_has "exists already"
ends 2 qcbak audit export --json
ends 2 qcbak key export -o x
err_has "not in this version"

# What the key at hand does not open stays sealed, and is checked all the same.
unset QCBAK_CREDENTIAL_FILE
export QCBAK_REPO=$scratch/domains QCBAK_PASSWORD_FILE=$scratch/password
ok qcbak init --domain one --domain two -q
ok qcbak key credential write --domain one -o one.credential -q
ok qcbak key export --public -o domains.pem --json
is "$(json "[k['domain'] for k in d['keys']]")" "$(ok qcbak key list --json; json "[k['domain'] for k in d if k['kind'] == 'epoch']")"
ok qcbak --credential-file one.credential audit export -o domains.jsonl
ok qcbak verify-evidence domains.jsonl --public-key domains.pem --json
is "$(json "(d['opened'], d['sealed'], d['findings'])")" "(2, 1, [])"
head -n 3 domains.pem >one.pem
ends 4 qcbak verify-evidence domains.jsonl --public-key one.pem
ends 4 env LC_ALL=vi_VN.UTF-8 "$QCBAK" verify-evidence domains.jsonl --public-key one.pem
out_has "không có trong các khóa công khai được đưa"
