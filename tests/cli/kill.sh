#!/usr/bin/env bash
# The program itself, killed (SIGKILL) while it backs up, forgets and prunes: what it acknowledged is there, what it did not
# does no harm, and the next command works with no manual step. KILLS says how often.
source "$(dirname "$0")/harness.bash"
kills=${KILLS:-20}
seed=${SEED:-$SRANDOM}
RANDOM=$seed
echo "seed $seed"  # the times at which it dies are another matter
make_repository
ok qcbak snapshots --json
mkdir states
cp -a source "states/$(json 'd[0]["id"]')"

edit() {
  local i
  for ((i = 0; i < 5; ++i)); do
    local file=source/folder/$((RANDOM % 40))
    case $((RANDOM % 4)) in
      0) rm -f "$file" ;;
      1) head -c $((RANDOM * 100)) /dev/urandom >"$file" ;;
      *) head -c $((RANDOM)) /dev/urandom >"$file" ;;
    esac
  done
}
# Runs a command and kills it before long: $code is 137 when it was still there. How long it is given follows from how
# long they turn out to live here.
longest_us=100000
killed() {
  code=0
  "$QCBAK" "$@" >.out 2>.err </dev/null &
  local pid=$!
  sleep "$(printf '0.%06d' $(((RANDOM * 32768 + RANDOM) % longest_us)))"
  kill -KILL "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null || code=$?
  case $code in
    0) longest_us=$((longest_us * 9 / 10 + 1000)) ;;
    137) longest_us=$((longest_us * 11 / 10)) && ((++died)) ;;
    *) fail "\"$*\" ended with $code" ;;
  esac
}
same_as_state() {  # ID DIRECTORY
  local difference
  difference=$(rsync -aHAXSn --checksum --itemize-changes --delete "states/$1/" "$2/") || fail "rsync"
  [[ -z $difference ]] || fail "snapshot $1 differs from what was backed up: $difference"
}

ls states >acknowledged
died=0
while ((died < kills)); do
  sure='cat'  # which of the acknowledged snapshots must be there after this round
  case $((RANDOM % 4)) in
    0)
      killed forget --keep-last 3 --prune
      sure='tail -3'
      ;;
    1) killed prune ;;
    *)
      edit
      rm -rf next
      cp -a source next
      killed backup source --json
      if ((code == 0)); then
        mv next "states/$(json 'd["snapshot"]')"
        json 'd["snapshot"]' >>acknowledged
      fi
      ;;
  esac

  ok qcbak verify --read-data
  ok qcbak snapshots --json
  json '"\n".join(s["id"] for s in d)' >living
  while read -r id; do
    grep -q "$id" living || fail "snapshot $id was acknowledged and is gone"
  done < <($sure acknowledged)
  newest=$(tail -1 living)
  if [[ ! -e states/$newest ]]; then  # committed, and killed before it could say so
    [[ -e next ]] || fail "snapshot $newest comes from nowhere"
    mv next "states/$newest"
  fi
  cp living acknowledged
  id=$(shuf -n 1 living)
  rm -rf restored
  ok qcbak restore "$id" --target restored --verify
  same_as_state "$id" "restored$scratch/source"
done
