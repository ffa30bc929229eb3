#!/usr/bin/env bash
# Keep rules, holds, locks, labels.
source "$(dirname "$0")/harness.bash"
make_repository
count() { qcbak snapshots --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'; }
for i in 1 2 3; do
  echo "$i" >source/counter
  ok qcbak backup source -q
done
ok qcbak backup source -q --host other
is "$(count)" 5

ok qcbak forget --keep-last 1 --dry-run
is "$(count)" 5
ok qcbak forget --keep-last 1 --dry-run --json
is "$(json 'sum(s["keep"] for s in d["snapshots"])')" 2
ok qcbak forget --keep-last 1 --dry-run --group-by domain,source --json
is "$(json 'sum(s["keep"] for s in d["snapshots"])')" 1
ends 2 qcbak forget --keep-last 1 --group-by colour
ends 2 qcbak forget --keep-last 1 latest
ends 2 qcbak forget --keep-within soon

first=$(qcbak snapshots --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"][:12])')
ends 2 qcbak tag "$first"
ok qcbak tag "$first" --hold 'incident 7' --label importance=high
ok qcbak snapshots --json
is "$(json 'd[0]["holds"], d[0]["labels"]')" "(['incident 7'], {'importance': 'high'})"
ends 5 qcbak forget "$first"
err_has "incident 7"
ok qcbak tag "$first" --release --reason solved --label importance=
ok qcbak snapshots --json
is "$(json 'd[0]["holds"], d[0]["labels"]')" "([], {})"
ends 1 qcbak tag "$first" --release
ok qcbak tag "$first" --lock 30d
ends 5 qcbak tag "$first" --lock 10d
ok qcbak tag "$first" --lock 60d
ends 5 qcbak forget "$first"
err_has "locked until"

# An explicit rule is itself the confirmation: timers have no terminal.
ok qcbak forget --keep-last 1 --prune
is "$(count)" 3
ok qcbak forget latest --host other -q
silent
is "$(count)" 2
ok qcbak prune --json
is "$(json 'd["dry_run"]')" False
ok qcbak verify --read-data
ok qcbak restore latest --target all --verify
