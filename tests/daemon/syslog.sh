#!/usr/bin/env bash
# A collector of syslog has every entry of the log, in order and without gaps, whatever of the two was away meanwhile.
first=$(cd "$(dirname "$0")" && pwd)
source "$first/harness.bash"
source "$first/correspondents.bash"
make_source
make_keys
make_certificates
cat >compare.py <<'END'
import json, re, sys
entries = json.load(open(sys.argv[1]))
messages = [json.loads(line) for line in open(sys.argv[2])]
assert all("message" in m for m in messages), [m for m in messages if "message" not in m]
pattern = re.compile(r'<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ qcbak - (\S+) \[qcbak@32473 entry="(\d+)" hash="([0-9a-f]{64})"\] (.*)', re.S)
seen = 0
for text in (m["message"] for m in messages):
    priority, name, number, digest, said = pattern.fullmatch(text).groups()
    number = int(number)
    assert number <= seen + 1, ("a gap", seen, number)  # one that comes again is none
    seen = max(seen, number)
    if number > len(entries): continue  # put since
    entry = entries[number - 1]
    assert entry["number"] == number and entry["hash"] == digest, (entry, text)
    act = entry["details"].get("act") if entry["kind"] == "audit" else entry["kind"]
    assert name == act, (name, act)
    if entry["kind"] == "audit": assert json.loads(said.lstrip("\ufeff")) == entry["details"]
    failed = entry["details"].get("outcome") == "failed"
    assert int(priority) == 13 * 8 + (3 if failed else 5 if entry["kind"] in ("audit", "key") else 6), text
assert seen >= len(entries), (seen, len(entries))
END
complete() {
  qcbak audit show --json --limit 100000 >entries.json
  python3 compare.py entries.json "$1.got" 2>compare.err
}
for kind in tls tcp udp; do
  correspond $kind $kind
  configure "
[[job]]
name = 'shaky'
source = { files = ['$scratch/source'] }
schedule = 'never'
retries = 0
before = 'test -e $scratch/good'
[audit]
syslog = '$kind://127.0.0.1:$(cat $kind.port)'
syslog_ca_file = '$scratch/ca.pem'
"
  start
  ends 1 qcbak job run shaky --follow
  within 60 "the collector has everything" complete $kind
  # The collector is away, and the daemon has another life meanwhile.
  hang_up $kind
  touch good
  ok qcbak job run shaky --follow
  within 60 "it is behind" status_is 'd["syslog"]["behind"] > 0 and d["syslog"]["error"] is not None' True
  ok qcbak status
  out_has "syslog $kind://127.0.0.1"
  out_has 'entries behind; last error: '
  stop
  start
  rm good
  ends 1 qcbak job run shaky --follow
  if [[ $kind == tls ]]; then
    before=$(got tls 'len(d)')
    correspond tls tls stranger
    try_again
    within 60 "it says why" status_is '"certificate" in (d["syslog"]["error"] or "")' True
    is "$(got tls 'len(d)')" "$before"
    hang_up tls
  fi
  if [[ $kind == tcp ]]; then  # one that takes the connection, and dies without reading
    : >log.new
    correspond tcp deaf
    try_again
    within 60 "it is not taken for sent" grep -q 'syslog tcp.*not sent: .*reset' log.new
    hang_up tcp
  fi
  correspond $kind $kind
  try_again
  within 60 "the collector has everything" complete $kind
  within 60 "it knows" status_is '(d["syslog"]["behind"], d["syslog"]["error"])' '(0, None)'
  stop
  hang_up $kind
done
