#!/usr/bin/env bash
# The daemon by itself: by schedule, by change, on request; stopped, started, told to read its configuration again.
source "$(dirname "$0")/harness.bash"
make_source
make_keys
mkdir watched
echo one >watched/file

configure "
[[job]]
name = 'often'
source = { files = ['$scratch/source'] }
schedule = '*:*:0/2'
retention = { last = 3 }
[[job]]
name = 'watched'
source = { files = ['$scratch/watched'], exclude = ['*.tmp'] }
schedule = 'never'
on_change = true
debounce = '1s'
[[job]]
name = 'by-hand'
source = { files = ['$scratch/source', '$scratch/absent'] }
schedule = 'never'
before = 'echo before \$QCBAK_JOB >>$scratch/commands'
after = 'echo after \$QCBAK_OUTCOME >>$scratch/commands'
"
ok "$QCBAKD" --check-config --config qcbak.toml
out_has 'qcbak.toml is good; jobs: 3'
ends 1 qcbak status
err_has 'no qcbakd answers at'
start

# By schedule, more than once.
within 60 "two scheduled snapshots" at_least often 2
# At the start, since nobody knows what changed before; then only after a change.
within 30 "a first snapshot of what is watched" at_least watched 1
sleep 3
is "$(snapshots_of watched)" 1
echo two >watched/file
within 30 "a snapshot after a change" at_least watched 2
touch watched/x.tmp && rm watched/x.tmp
sleep 3
is "$(snapshots_of watched)" 2
ok qcbak cat "latest:$scratch/watched/file" --label job=watched
is "$out" two
# A change that is no change any more leaves nothing to commit.
chmod 700 watched && within 30 "a snapshot of the mode" at_least watched 3
chmod 711 watched && chmod 700 watched
last_is() { [[ $(qcbak job show watched --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["outcome"])') == "$1" ]]; }
within 30 "a run that finds nothing" last_is unchanged
is "$(snapshots_of watched)" 3

# What its retention does not keep is forgotten, and the space is freed.
runs() { python3 -c 'import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone())' state/state.db "$1"; }
has_run() { (($(runs "select count(*) from runs where job = '$1' and outcome is not null") >= $2)); }
within 60 "five runs" has_run often 5
(($(snapshots_of often) <= 4)) || fail "retention forgot nothing"
ok qcbak job run qcbak.collect --follow
out_has 'outcome  complete'

# On request, with commands around it; a path that is not there makes it incomplete.
ends 3 qcbak job run by-hand --follow
out_has 'outcome  incomplete'
out_has "$scratch/absent: No such file or directory"
is "$(cat commands)" "before by-hand
after incomplete"
ok qcbak job show by-hand --json
is "$(json '(d["job"], d["reason"], d["outcome"], d["asked_by"])')" "('by-hand', 'request', 'incomplete', '$user')"
run_id=$(json 'd["id"]')
ok qcbak job show "${run_id:0:8}"
out_has "run      $run_id"
ok qcbak snapshots --label "run=$run_id" --json
is "$(json 'len(d)')" 1
ok qcbak status
out_has 'by-hand'
out_has 'the last run could not back up everything'
ok qcbak job list
out_has '*:*:0/2'
ok qcbak job history often
out_has 'schedule'
ends 1 qcbak job run nothing
one_error_line
err_has 'there is no job "nothing"'

# Nobody else writes to its repository, and there is one daemon.
ends 11 qcbak backup source --wait 0
one_error_line
ends 11 "$QCBAKD" --config qcbak.toml
err_has 'another qcbakd answers at'

# A configuration that is wrong leaves everything as it is; a good one is taken.
cp qcbak.toml good.toml
echo 'nonsense = 1' >>qcbak.toml
kill -HUP "$daemon"
within 10 "it says what is wrong" grep -q 'nonsense.*the running configuration stays' log.new
count=$(runs "select count(*) from runs where job = 'often'")
within 30 "it goes on" has_run often "$((count + 1))"
grep -v "by-hand" good.toml >qcbak.toml
sed -i "s/\[\[job\]\]/&/; /absent/,\$d" qcbak.toml
sed -i '$d' qcbak.toml
kill -HUP "$daemon"
within 10 "it takes a good one" grep -q 'the configuration was read again' log.new
ok qcbak job list
out_lacks by-hand

# Stopped in the middle of a run, it stops that; the next one goes on with what it knew.
stop
ok qcbak verify --read-data -q
is "$(runs 'select count(*) from runs where outcome is null')" 0
before=$(runs 'select count(*) from runs')
start
within 30 "it goes on" has_run often "$(($(runs "select count(*) from runs where job = 'often'") + 1))"
(($(runs 'select count(*) from runs') > before)) || fail "the runs of its earlier life are gone"

# The journal: the source looked at before and after, the snapshot's hash, and whether the copy is what the source is.
ran_on_request() {  # it is refused while the job runs by its schedule
  run qcbak job run often --follow --json
  ((code == 0))
}
within 30 "it runs on request" ran_on_request
is "$(json 'd["summary"]["reconciled"]["agrees"]')" True
is "$(json 'd["summary"]["source_before"][0]["path"]')" "$(json 'd["summary"]["source_after"][0]["path"]')"
[[ -n $(find "$QCBAK_REPO/snapshots" -name "$(json 'd["summary"]["snapshot_sha256"]')") ]] || fail "there is no object of that hash"
is "$(sha256sum "$(find "$QCBAK_REPO/snapshots" -name "$(json 'd["summary"]["snapshot_sha256"]')")" | cut -d' ' -f1)" "$(json 'd["summary"]["snapshot_sha256"]')"
is "$(json 'd["summary"]["copies"]')" "['$QCBAK_REPO']"
run_shown=$(json 'd["id"]')
ok qcbak job show "$run_shown"
out_has "compared with the source: it agrees"
ok qcbak audit show --acts --limit 5 --json
json '[e["details"]["journal"]["reconciled"]["agrees"] for e in d if e["details"].get("run") == "'"$run_shown"'" and e["details"]["act"] == "run.ended"]' | grep -q True ||
  fail "the log has no journal of the run"

# A state database that is damaged is put aside; what the repository knows comes from there.
stop
told() { qcbak job history often --limit 1000 --json | python3 -c 'import json, sys
for run in json.load(sys.stdin):
    if run["outcome"]: print(run["id"], run["reason"], run["slot"], run["try"], run["asked_by"], run["outcome"], run["snapshot"], run["error"])' | sort; }
start
told >before
stop
head -c 20000 /dev/urandom >state/state.db
rm -f state/state.db-*
start
grep -q 'it was put aside as' log.new || fail "nothing is said of the damage"
ok qcbak job history often --json
(($(json 'len(d)') >= 3)) || fail "the runs are not there"
told >after
[[ -z $(comm -23 before after) ]] || fail "these runs are missing, or told otherwise: $(comm -23 before after | head -3)"
stop
