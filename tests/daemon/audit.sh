#!/usr/bin/env bash
# What the daemon does is in the log, and nobody alters that unnoticed.
source "$(dirname "$0")/harness.bash"
make_source
make_keys
configure "
[[job]]
name = 'files'
source = { files = ['$scratch/source'] }
schedule = 'never'"
start
ok qcbak job run files --follow
sed -i "s/^operator = .*/auditor = ['$user']/" qcbak.toml
kill -HUP "$daemon"
within 10 "it takes the roles" grep -q 'the configuration was read again' log.new
ends 5 qcbak job run files
for _ in {1..30}; do run qcbak job run files; done
echo nonsense >>qcbak.toml
kill -HUP "$daemon"
within 10 "it refuses the configuration" grep -q 'the running configuration stays' log.new
stop

acts() { json "[(e['details']['act'], e['details'].get('outcome'), e['details'].get('by', {}).get('user')) for e in d if e['kind'] == 'audit']"; }
ok qcbak audit show --json
is "$(acts | sed "s/('request.refused', None, '$user'), //g")" "[('daemon.started', None, None), ('request.taken', None, '$user'), ('run.begins', None, None), \
('run.ended', 'complete', None), ('configuration.read', None, None), ('configuration.refused', None, None), ('daemon.stops', None, None)]"
# Asking again and again does not fill the log.
is "$(json "sum(e['details'].get('act') == 'request.refused' for e in d)")" 20
ok qcbak audit show --acts --limit 1
out_has 'act=daemon.stops'
out_lacks 'run.ended'
ok qcbak --credential-file write.credential audit show -q
ok qcbak audit show --act run.ended --json
is "$(json "[e['details']['outcome'] for e in d]")" "['complete']"
ok qcbak audit show --by "$user" --act request.taken --json
is "$(json "len(d)")" 1
ok qcbak audit show --by nobody-at-all --json
is "$(json "d")" "[]"
ok qcbak audit show --until 2000-01-01 --json
is "$(json "d")" "[]"
ok qcbak audit show --since 2000-01-01 --limit 1 --json
is "$(json "d[0]['details']['act']")" daemon.stops
ends 2 qcbak audit show --since yesterday
one_error_line
# Nobody reads it without a key.
ends 1 grep -rlaE 'daemon.started|run.begins' "$QCBAK_REPO"

ok env -u QCBAK_CREDENTIAL_FILE -u QCBAK_PASSWORD_FILE "$QCBAK" audit verify
out_has 'entries are signed, in order, and follow on each other'
ok qcbak audit verify --json
checkpoint=$(json "d['checkpoint']")
last=$(json "d['entries']")
entry() { find "$QCBAK_REPO/log" -type f | sort | sed -n "$1p"; }
cp -a repo kept
restored() { rm -rf repo && cp -a kept repo; }

printf 'x' | dd of="$(entry 5)" bs=1 seek=60 conv=notrunc status=none
ends 4 qcbak audit verify --checkpoint "$checkpoint"
out_has 'entry 5: was altered'
is "$(grep -c '' .out)" 1
restored
rm "$(entry 6)"
ends 4 qcbak audit verify
out_has 'entry 6: is missing'
restored
one=$(entry 4) other=$(entry 7)
mv "$one" x && mv "$other" "$one" && mv x "$other"
ends 4 qcbak audit verify
out_has 'entry 4: is entry 7'
out_has 'entry 7: is entry 4'
restored
rm "$(entry "$last")"
ok qcbak audit verify -q
ends 4 qcbak audit verify --checkpoint "$checkpoint"
out_has "entry $last: is missing: the log ends before this checkpoint"
restored
ok qcbak audit verify --checkpoint "$checkpoint" -q
ends 2 qcbak audit verify --checkpoint "12:abc"
one_error_line
