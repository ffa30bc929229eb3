# For the tests that wipe several disks: people with keys of their own, and loop devices that go with the test.
source "$(dirname "${BASH_SOURCE[0]}")/harness.bash"
if ((EUID != 0)) || [[ ! -w /dev/loop-control ]] || ! command -v losetup flock >/dev/null ||
  ! python3 -c 'import cryptography' 2>/dev/null; then
  echo "skipped: it needs root, loop devices, and python3-cryptography"
  exit 77
fi
source "$here/../loops.bash"
processes=()  # to be ended by their ids, whatever happens
end_processes() {
  local pid
  for pid in "${processes[@]}"; do kill -CONT "$pid" 2>/dev/null; kill -KILL "$pid" 2>/dev/null; done
}
clean_up_disks() {
  end_processes
  detach_loops 2>/dev/null
  cleanup
}
trap clean_up_disks EXIT
trap 'exit 1' INT TERM
unset QCBAK_REPO QCBAK_PASSWORD_FILE
export QCBAK_SOCKET=$scratch/no-daemon

old_text="quarterly salaries of the finance unit"
disk() {  # FILE MiB: full of known text, and a loop device over it
  truncate -s "$2M" "$1"
  yes "$old_text" | head -c "$(($2 << 20))" >"$1"
  loop_over "$1"
}
# People, each with a key of their own, made as themselves.
chmod 711 "$scratch"
mkdir -m 755 bin
install -m 755 "$QCBAK" bin/qcbak
for person in daemon games man; do
  install -d -m 700 -o $person "home-$person"
  echo "a passphrase of $person" >"home-$person/passphrase"
  chown $person "home-$person/passphrase"
  ok setpriv --reuid=$person --regid=nogroup --clear-groups env -u XDG_CONFIG_HOME HOME="$scratch/home-$person" \
    QCBAK_SIGN_PASSWORD_FILE="$scratch/home-$person/passphrase" "$scratch/bin/qcbak" user enrol
  cat "home-$person/.config/qcbak/signing.key.pub" >>people.pem
done
requester=daemon approver=games operator=man
as() {  # PERSON wipe-command...: as root on a bench, with that person's key
  local person=$1
  shift
  QCBAK_SIGN_PASSWORD_FILE=${passphrase:-$scratch/home-$person/passphrase} "$QCBAK" wipe "$@" \
    --signing-key "$scratch/home-$person/.config/qcbak/signing.key" --public-key "$scratch/people.pem"
}
approved() {  # NAME PLAN LOOP...: $name.2, of media with the serials HAND-NAME-4701, -4702 ...
  local name=$1 plan=$2 serials=() number=4701
  shift 2
  for _ in "$@"; do serials+=(--serial "HAND-$name-$((number++))"); done
  ok as $requester request "$@" --plan "$plan" --reason disposal "${serials[@]}" -o "$name.1"
  ok as $approver approve "$name.1" -o "$name.2"
}
# What `wipe run` is told of the media of approved(): sets $media.
media_of() {  # NAME LOOP...
  local name=$1 number=4701 serial
  shift
  media=()
  for each in "$@"; do
    serial=HAND-$name-$((number++))
    media+=(--confirm "${serial: -6}" --device "$each")
  done
}
# An expression over the dossier `d`.
dossier() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }
# Waits for what will come; a test that hangs is ended by its time limit.
until_true() { until "$@" 2>/dev/null; do sleep 0.05; done; }

# ---- Four disks in one command.
four_disks() {  # NAME MiB: $name-1.img … and $four
  four=()
  local i
  for i in 1 2 3 4; do
    disk "$1-$i.img" "$2"
    four+=("$loop")
  done
}
gone() { ! kill -0 "$1" 2>/dev/null; }
# In the background, until every disk has a process that has it open and waits for leave: the key's passphrase comes from a
# pipe, so nothing has been written yet. Sets $parent and, by the place in $four, $child.
begin_four() {  # NAME [OPTIONS]
  rm -f secret
  mkfifo secret
  media_of "$1" "${four[@]}"
  passphrase=$scratch/secret as $operator "${verb:-run}" --approval "$1.2" "${media[@]}" -o "$1.3" "${@:2}" >.out 2>.err </dev/null &
  shell=$!
  exec 9<>secret  # so that neither end waits for the other
  child=()
  local i pid
  for i in 0 1 2 3; do
    until [[ -n ${child[i]-} ]]; do
      kill -0 "$shell" || { wait "$shell"; code=$?; fail "it did not begin"; }
      for pid in $(pgrep -f 'qcbak internal wipe' || true); do
        [[ $(readlink /proc/"$pid"/fd/* 2>/dev/null) == *"${four[i]}"* ]] && child[i]=$pid
      done
      sleep 0.05
    done
  done
  processes=("${child[@]}")
  parent=$(ps -o ppid= -p "${child[0]}")
  parent=${parent// /}
}
give_leave() {
  cat "home-$operator/passphrase" >&9
  exec 9>&-
}
runs_of() { dossier "$1" 'len(d["runs"])'; }
has_runs() { [[ -e $1 && $(runs_of "$1") == "$2" ]]; }
ended() {  # sets $code
  code=0
  wait "$shell" || code=$?
  processes=()
  out=$(<.out)
  err=$(<.err)
}
