#!/usr/bin/env bash
# Disks side by side, a process each: every one comes to its own end, whatever becomes of the others. KILLS says how often
# something is killed in the last part.
source "$(dirname "$0")/wipe_setup.bash"

# ---- Four disks, each finished, each in the dossier.
four_disks healthy 24
approved healthy hmg-is5-enhanced "${four[@]}"
media_of healthy "${four[@]}"
ends 2 as $operator run --approval healthy.2 "${media[@]}" --journal one.journal -o healthy.3
err_has "--journal names the journal of one medium"
ends 2 as $operator run --approval healthy.2 "${media[@]}" --device "${four[0]}" -o healthy.3
err_has "not as many --device as --confirm"
ends 2 as $operator run --approval healthy.2 "${media[@]}" --confirm "${media[1]}" --device "${four[0]}" -o healthy.3
err_has "was confirmed twice"
ends 5 as $operator resume --approval healthy.2 "${media[@]}" -o healthy.3
err_has "was not begun"
ok as $operator run --approval healthy.2 "${media[@]}" --dry-run --json
is "$(json_lines 'sorted(l["medium"] for l in d)')" "[1, 2, 3, 4]"
for i in 1 2 3 4; do cmp -s <(yes "$old_text" | head -c $((24 << 20))) "healthy-$i.img" || fail "a dry run wrote"; done
ok as $operator run --approval healthy.2 "${media[@]}" -o healthy.3 --json --no-progress
is "$(json '(d["exit_code"], sorted((m["medium"], m["verdict"]) for m in d["media"]))')" \
  "(0, [(1, 'clear'), (2, 'clear'), (3, 'clear'), (4, 'clear')])"
ok qcbak verify-evidence healthy.3 --public-key people.pem
is "$(dossier healthy.3 'all("no-new-privileges" in r["sandbox"] for r in d["runs"])')" True
for i in 1 2 3 4; do
  python3 "$here/wipe_content.py" "healthy-$i.img" "healthy.3.$i.journal" random 3 "$old_text" || fail "disk $i holds something else"
done
ends 2 as $operator run --approval healthy.2 "${media[@]}" -o healthy.3
err_has "exists already"
ends 5 as $operator run --approval healthy.3 "${media[@]}" -o healthy.4
err_has "was dealt with"
for each in "${four[@]}"; do detach "$each"; done

# ---- One is refused, the others are wiped.
four_disks refused 8
approved refused nist-clear "${four[@]}"
media_of refused "${four[@]}"
truncate -s 9M refused-2.img
losetup -c "${four[1]}"
ends 5 as $operator run --approval refused.2 "${media[@]}" -o refused.3
err_has "is not the disk that was approved: its size"
is "$(dossier refused.3 'sorted(r["medium"] for r in d["runs"])')" "[1, 3, 4]"
ok qcbak verify-evidence refused.3 --public-key people.pem
for each in "${four[@]}"; do detach "$each"; done

# ---- One is killed, the others finish; the same command finishes that one.
four_disks killed 16
approved killed nist-clear "${four[@]}"
begin_four killed
kill -STOP "${child[1]}"
give_leave
until_true has_runs killed.3 3
kill -KILL "${child[1]}"
ended
is "$code" 1
err_has "serial HAND-killed-4702: the process that wiped serial HAND-killed-4702 was ended by signal 9"
is "$(dossier killed.3 'sorted(r["medium"] for r in d["runs"])')" "[1, 3, 4]"
ok qcbak verify-evidence killed.3 --public-key people.pem
ok as $operator run --approval killed.2 "${media[@]}" -o killed.3 --json --no-progress
is "$(json 'sorted(m["medium"] for m in d["media"])')" "[1, 2, 3, 4]"
is "$(runs_of killed.3)" 4
ok qcbak verify-evidence killed.3 --public-key people.pem

# ---- Whoever started them is killed before it gave leave: nothing was written, and nobody stays.
approved orphans nist-clear "${four[@]}"
begin_four orphans
kill -KILL "$parent"
for pid in "${child[@]}"; do until_true gone "$pid"; done
ended
[[ ! -e orphans.3 && ! -e orphans.3.1.journal ]] || fail "it began without leave"
# And asked to stop, before and after.
begin_four orphans
kill -TERM "$parent"
ended
is "$code" 1
[[ ! -e orphans.3 && ! -e orphans.3.1.journal ]] || fail "it began without leave"
for each in "${four[@]}"; do detach "$each"; done

# ---- Killed at random, parents and children in turn: in the end every disk holds what its plan says.
kills=${KILLS:-8}
seed=${SEED:-$SRANDOM}
RANDOM=$seed
echo "seed $seed"  # the times at which they die are another matter
four_disks random 48
approved random schneier "${four[@]}"
media_of random "${four[@]}"
number=3
died=0
longest_us=4000000  # how long it is given before something dies; follows from how long it turns out to take here
while ((died < kills)); do
  as $operator run --approval random.2 "${media[@]}" -o random.$number >.out 2>.err </dev/null &
  shell=$!
  given_us=$(((RANDOM * 32768 + RANDOM) % longest_us))
  sleep "$(printf '%d.%06d' $((given_us / 1000000)) $((given_us % 1000000)))"
  parent=$(pgrep -P $shell -f 'qcbak wipe run' | head -1)
  mapfile -t children < <(pgrep -P "${parent:-0}" -f 'qcbak internal wipe')
  case $((died % 2)) in
    0) victim=$parent ;;
    1) victim=${children[RANDOM % (${#children[@]} + 1)]-} ;;
  esac
  if [[ -n $victim ]] && kill -KILL "$victim" 2>/dev/null; then
    ((++died))
    longest_us=$((longest_us * 11 / 10))
  fi
  ended
  # Killed after it had brought the last disk to its end, it leaves nothing to do, and the next one says so.
  case $code in
    0 | 1 | 137) ;;
    2) has_runs random.$number 4 || fail "it ended with 2" ;;
    *) fail "it ended with $code" ;;
  esac
  if ((code == 0 || code == 2)); then
    longest_us=$((longest_us / 2 + 1000))
    ok qcbak verify-evidence random.$number --public-key people.pem
    ((++number))
  fi
done
run as $operator run --approval random.2 "${media[@]}" -o random.$number
[[ $code == 0 || $code == 2 ]] || fail "it cannot be brought to its end"
ok qcbak verify-evidence random.$number --public-key people.pem
is "$(dossier random.$number 'sorted((r["medium"], r["verdict"]) for r in d["runs"])')" \
  "[(1, 'clear'), (2, 'clear'), (3, 'clear'), (4, 'clear')]"
for i in 1 2 3 4; do
  python3 "$here/wipe_content.py" "random-$i.img" "random.$number.$i.journal" random 7 "$old_text" || fail "disk $i holds something else"
done
