# For the tests of the commands: each drives the real programs in a scratch directory of its own.
#   run COMMAND...        runs it with no terminal; fills $code, $out and $err
#   ok COMMAND...         the same, and it must end with 0
#   ends CODE COMMAND...  the same with another exit code
set -uo pipefail
unset "${!QCBAK_@}"  # nothing of the caller's environment counts
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
QCBAK=$(realpath "$1")
RECOVER=${2:+$(realpath "$2")}  # empty: there is none in this build
export QCBAK RECOVER LC_ALL=C.UTF-8 TZ=UTC
unset NO_COLOR LANG LC_MESSAGES HOME

scratch=$(mktemp -d "${TMPDIR:-/tmp}/qcbak-cli.XXXXXX")
cleanup() {
  chmod -R u+w -- "$scratch"
  rm -rf -- "$scratch"
}
trap cleanup EXIT
cd "$scratch"
export QCBAK_REPO=$scratch/repo QCBAK_PASSWORD_FILE=$scratch/password XDG_CACHE_HOME=$scratch/cache
echo 'correct horse battery staple' >password

fail() {
  echo "FAILED: $* (line ${BASH_LINENO[-2]})"
  echo "last command ended with ${code-}; stdout:"; head -c 3000 "$scratch/.out"
  echo "stderr:"; head -c 3000 "$scratch/.err"
  exit 1
}
qcbak() { "$QCBAK" "$@"; }
run() {
  code=0
  "$@" >"$scratch/.out" 2>"$scratch/.err" </dev/null || code=$?
  out=$(tr -d '\0' <"$scratch/.out")
  err=$(tr -d '\0' <"$scratch/.err")
}
ends() {
  local wanted=$1
  shift
  run "$@"
  ((code == wanted)) || fail "\"$*\" ended with $code, expected $wanted"
}
ok() { ends 0 "$@"; }
out_has() { [[ $out == *"$1"* ]] || fail "standard output lacks: $1"; }
err_has() { [[ $err == *"$1"* ]] || fail "standard error lacks: $1"; }
out_lacks() { [[ $out != *"$1"* ]] || fail "standard output has: $1"; }
err_lacks() { [[ $err != *"$1"* ]] || fail "standard error has: $1"; }
silent() { [[ -z $out && -z $err ]] || fail "it was not silent"; }
one_error_line() {
  [[ $(grep -c '' "$scratch/.err") == 1 && $err == "qcbak: "* ]] || fail "standard error is not one line of qcbak's"
}
# The value of a Python expression over the JSON document `d` (or list of lines `d` with json_lines).
json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$scratch/.out" "$1"; }
json_lines() { python3 -c 'import json, sys; d = [json.loads(l) for l in open(sys.argv[1])]; print(eval(sys.argv[2]))' "$scratch/.out" "$1"; }
is() { [[ $1 == "$2" ]] || fail "is \"$1\", expected \"$2\""; }

# A repository with one snapshot of $scratch/source, and credentials, which open it quicker than a password.
make_source() {
  mkdir -p source/folder
  echo hello >source/folder/file
  ln -sf file source/folder/link
  head -c 300000 /dev/urandom >source/large
  : >source/empty
  sleep 1.1  # what was touched within the last second is read again by the next backup
}
make_repository() {
  make_source
  ok qcbak init -q
  ok qcbak key credential read -o read.credential --name reader -q
  export QCBAK_CREDENTIAL_FILE=$scratch/read.credential
  ok qcbak backup source -q
}
