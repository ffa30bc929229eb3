#!/usr/bin/env bash
# SIGKILL of the daemon at random moments while ten jobs run: no acknowledged snapshot is lost, no job forgotten, no slot
# run twice. KILLS=n; a hundred in the long tests.
source "$(dirname "$0")/harness.bash"
kills=${KILLS:-10}
RANDOM=${SEED:-20261121}
make_keys
jobs=
for i in {1..10}; do
  mkdir "source-$i"
  head -c $((i * 200000)) /dev/urandom >"source-$i/file"
  jobs+="
[[job]]
name = 'job-$i'
source = { files = ['$scratch/source-$i'] }
schedule = '*:*:$((i % 3))/3'
on_change = $( ((i % 2)) && echo true || echo false)
debounce = '1s'
before = 'sleep 0.$((RANDOM % 5))'
after = 'sleep 0.$((RANDOM % 5))'"  # killed before runs, within them, and between their end and what is known of it
done
configure "$jobs"

cat >acknowledged.py <<'EOF'
# Remembers what the daemon said was done: once it is there, it must stay.
import json, sqlite3, sys
db = sqlite3.connect("file:state/state.db?mode=ro", uri=True)
try: known = json.load(open("acknowledged"))
except FileNotFoundError: known = {}
now = {row[0]: row[1] for row in db.execute("select id, snapshot from runs where outcome in ('complete', 'incomplete')")}
for run, snapshot in known.items(): assert now.get(run) == snapshot, (run, snapshot, now.get(run))
json.dump(now, open("acknowledged", "w"))
EOF
for ((n = 1; n <= kills; ++n)); do
  start
  echo "$n $RANDOM" >"source-$((RANDOM % 10 + 1))/changed"
  sleep "$((RANDOM % 4)).$((RANDOM % 10))$((RANDOM % 10))"
  kill_daemon
  ok python3 acknowledged.py
done
start
for i in {1..10}; do
  count=$(snapshots_of "job-$i")
  within 60 "job-$i goes on" at_least "job-$i" "$((count + 1))"
done
stop
ok python3 acknowledged.py
ok qcbak verify --read-data -q
ok qcbak audit verify -q
ok qcbak snapshots --json
cp .out snapshots
ok qcbak audit show --json --limit 1000000
cp .out audit
cat >judge.py <<'EOF'
import collections, json, sqlite3
db = sqlite3.connect("file:state/state.db?mode=ro", uri=True)
snapshots = json.load(open("snapshots"))
ids = {s["id"] for s in snapshots}
by_run = collections.Counter(s["labels"]["run"] for s in snapshots)
assert max(by_run.values()) == 1, by_run.most_common(1)
for run, snapshot in json.load(open("acknowledged")).items(): assert snapshot in ids, (run, snapshot)
slots = collections.Counter()
done = "('complete', 'incomplete', 'unchanged')"
for run, job, slot, outcome in db.execute("select id, job, slot_ns, outcome from runs"):
    assert outcome is not None, run
    assert (run in by_run) == (outcome in ("complete", "incomplete")), (run, outcome)
    if slot is not None and outcome in ("complete", "incomplete", "unchanged"): slots[job, slot] += 1
audit = [e["details"] for e in json.load(open("audit")) if e["kind"] == "audit"]
begun = {e["run"] for e in audit if e["act"] == "run.begins"}
ended = {e["run"] for e in audit if e["act"] == "run.ended"}
assert by_run.keys() <= begun, by_run.keys() - begun
assert begun <= ended, begun - ended
assert max(slots.values()) == 1, slots.most_common(1)
assert len({job for job, _ in slots}) == 10
assert by_run.keys() <= {row[0] for row in db.execute("select id from runs")}
interrupted, = db.execute("select count(*) from runs where outcome = 'interrupted'").fetchone()
retried, = db.execute("select count(*) from runs where tries > 1").fetchone()
print(f"{len(snapshots)} snapshots, {len(slots)} slots, {interrupted} runs interrupted, {retried} taken up again")
EOF
ok python3 judge.py
echo "$kills kills: $out"
