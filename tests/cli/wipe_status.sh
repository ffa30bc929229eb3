#!/usr/bin/env bash
# One screen for all disks that are being wiped: while it goes on, afterwards, and when whoever did it is gone.
source "$(dirname "$0")/wipe_setup.bash"

# What a run that is in the background is told must not land in the files of run().
look() { "$QCBAK" wipe status "$@" --json </dev/null >.seen 2>.seen_err; }
seen() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' .seen "$1"; }
states_are() { look "$1" && [[ $(seen '" ".join(j["state"] for j in d)') == "$2" ]]; }
stopped() { [[ $(ps -o state= -p "$1") == T* ]]; }
hold() {  # CHILD...
  local pid
  for pid in "$@"; do
    kill -STOP "$pid"
    until_true stopped "$pid"
  done
}

# ---- Where there is none.
mkdir none
for nothing in none none/3.json; do
  ends 1 qcbak wipe status "$nothing"
  err_has "no wipe is known beside or in $nothing; name the file"
  one_error_line
done
# An id is the daemon's, unless there is something of that name.
ends 1 qcbak wipe status cafe
err_has "no qcbakd answers"
mkdir cafe
ends 1 qcbak wipe status cafe
err_has "no wipe is known"
ends 2 qcbak wipe status --watch
err_has "wants a file or folder"

# ---- While they wait, while one of them is at it, and when all have ended.
four_disks seen 8
approved seen nist-clear "${four[@]}"
media_of seen "${four[@]}"
ok as $operator run --approval seen.2 "${media[@]}" --dry-run -o seen.3
[[ -z $(compgen -G 'seen.3*') ]] || fail "a dry run wrote something"
begin_four seen
until_true states_are seen.3 "cleared cleared cleared cleared"
is "$(seen '[(j["medium"], j["serial"]) for j in d]')" \
  "[(1, 'HAND-seen-4701'), (2, 'HAND-seen-4702'), (3, 'HAND-seen-4703'), (4, 'HAND-seen-4704')]"
is "$(seen '[j["device"] for j in d]')" "['${four[0]}', '${four[1]}', '${four[2]}', '${four[3]}']"
is "$(seen 'set((j["plan"], j["step"], j["steps"], j["done_bytes"], j["errors"], j["verdict"], j["from"]) for j in d)')" \
  "{('nist-clear', 0, 2, 0, 0, '', 'status-file')}"
is "$(seen 'd[1]["journal"]')" seen.3.2.journal
is "$(stat -c '%a %F' seen.3.1.journal.status)" "600 regular file"
is "$(dossier seen.3.1.journal.status 'd["pid"]')" "$parent"
[[ $("$QCBAK" wipe status seen.3 | sed -n 2p) =~ ^1\ +${four[0]#/dev/}\ +HAND-seen-4701\ +nist-clear\ +waiting\ +0/2\ +0\ %\ +-\ +-\ +0$ ]] ||
  fail "the table says: $("$QCBAK" wipe status seen.3)"
states_are . "cleared cleared cleared cleared" || fail "of the folder it says something else"
states_are seen.3.2.journal "cleared" || fail "of one journal it says something else"

hold "${child[1]}"
give_leave
until_true states_are seen.3 "ended sanitising ended ended"
is "$(seen '[j["verdict"] for j in d]')" "['clear', '', 'clear', 'clear']"
"$QCBAK" wipe status seen.3 --watch </dev/null >.watched 2>.watch_errors &
watcher=$!
until_true grep -q "^medium 2, .*: sanitising, step 0 of 2" .watched
kill -INT "$watcher"
code=0
wait "$watcher" || code=$?
is "$code" 0
[[ ! -s .watch_errors ]] || fail "who stops looking is told: $(<.watch_errors)"
states_are seen.3 "ended sanitising ended ended" || fail "looking changed something"
stopped "${child[1]}" || fail "looking changed something"
"$QCBAK" wipe status seen.3 --watch --json </dev/null >.watched 2>.watch_errors &
watcher=$!
until_true grep -q '"medium":2,.*"state":"sanitising"' .watched
kill -CONT "${child[1]}"
ended
is "$code" 0
wait "$watcher" || fail "it ended with $?: $(<.watch_errors)"
is "$(python3 -c 'import json; d = [json.loads(l) for l in open(".watched")]; print([(j["state"], j["verdict"]) for j in d if j["medium"] == 2][-1])')" "('ended', 'clear')"
states_are seen.3 "ended ended ended ended" || fail "not all have ended"
is "$(seen 'set((j["verdict"], j["bytes_per_second"], j["seconds_left"]) for j in d)')" "{('clear', 0, None)}"

# Whoever has no status file any more has the journal.
rm seen.3.1.journal.status
ok qcbak wipe status seen.3 --json
is "$(json '[(j["state"], j["from"], j["plan"], j["step"], j["done_bytes"]) for j in d if j["medium"] is None]')" \
  "[('all-steps-done', 'journal', 'nist-clear', 2, $((16 << 20)))]"
err_lacks "qcbak:"
for each in "${four[@]}"; do detach "$each"; done

# ---- Whoever did it is gone.
four_disks gone 8
approved gone nist-clear "${four[@]}"
begin_four gone
until_true states_are gone.3 "cleared cleared cleared cleared"
hold "${child[@]}"
give_leave
until_true states_are gone.3 "sanitising sanitising sanitising sanitising"
kill -KILL "$parent"
for pid in "${child[@]}"; do kill -CONT "$pid"; done
for pid in "${child[@]}"; do until_true gone "$pid"; done
ended
ok qcbak wipe status gone.3 --json
is "$(json '[j["state"] for j in d]')" "['interrupted', 'interrupted', 'interrupted', 'interrupted']"
ok qcbak wipe status gone.3 --watch
out_has "medium 1, ${four[0]#/dev/}, serial HAND-gone-4701: interrupted, step 0 of 2"
ok qcbak wipe status gone.3
out_has "go on with the same command"
LC_ALL=vi_VN.UTF-8 ok qcbak wipe status gone.3
out_has "bị ngắt"
# A status file that is none: said, and the journal has it.
echo '{"format":"qcbak wipe status 1","medium":1}' >gone.3.1.journal.status
ok qcbak wipe status gone.3 --json
err_has "gone.3.1.journal.status: a status file lacks a member"
one_error_line
is "$(json '[(j["state"], j["from"]) for j in d if j["medium"] is None]')" "[('unknown', 'journal')]"
mkdir lone
echo garbage >lone/3.journal.status
mkfifo lone/4.journal.status
ends 1 qcbak wipe status lone
err_has "a status file is no JSON"
err_has "nothing that is there can be read"
# The same command goes on, and says so in their place.
ok as $operator run --approval gone.2 "${media[@]}" -o gone.3
states_are gone.3 "ended ended ended ended" || fail "after the same command it says something else"

# ---- On a terminal: drawn in place, in colour, and no line longer than 80 columns.
for language in C.UTF-8 vi_VN.UTF-8; do
  LC_ALL=$language TERM=xterm script -qec "'$QCBAK' wipe status gone.3 --watch" /dev/null >.drawn </dev/null ||
    fail "on a terminal it ended with $?"
  grep -q $'\x1b\[32m' .drawn || fail "no colour: $(cat -v .drawn)"
  grep -q $'\x1b\[K' .drawn || fail "not drawn in place: $(cat -v .drawn)"
  python3 - <<'PYTHON' || fail "too wide: $(cat -v .drawn)"
import re
lines = re.sub("\x1b\\[[0-9;]*[A-Za-z]", "", open(".drawn", encoding="utf-8").read()).replace("\r", "").split("\n")
assert len(lines) >= 5 and max(map(len, lines)) < 80, lines
PYTHON
done
for each in "${four[@]}"; do detach "$each"; done
