# For the tests of what people are told, after harness.bash:
#   make_certificates        ca.pem vouches for server.pem and server.key (127.0.0.1); nobody for stranger.pem
#   correspond NAME KIND [stranger]   plays one (correspondent.py); its port is in NAME.port, what it receives in NAME.got
#   hang_up NAME             ends it
#   got NAME EXPRESSION      a Python expression over the list `d` of what it received
#   try_again                what waits for its next try is tried now
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
declare -A correspondents=()
end_correspondents() {
  local name
  for name in "${!correspondents[@]}"; do kill "${correspondents[$name]}" 2>/dev/null; wait "${correspondents[$name]}" 2>/dev/null; done
  finish
}
trap end_correspondents EXIT

make_certificates() {
  local name
  for name in ca stranger; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" -keyout "$name.key" -out "$name.pem" \
      -addext 'subjectAltName=IP:127.0.0.1' 2>>openssl.log || fail "openssl makes no certificate: $(tail -3 openssl.log)"
  done
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr 2>>openssl.log
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -out server.pem -extfile <(echo 'subjectAltName=IP:127.0.0.1') 2>>openssl.log ||
    fail "openssl signs no certificate: $(tail -3 openssl.log)"
}
correspond() {
  local name=$1 kind=$2 certificate=${3:-server}
  rm -f "$name.port.ready"
  touch "$name.got"
  python3 "$tests/correspondent.py" "$kind" "$name.port" "$name.got" "$certificate.pem" "$certificate.key" 2>>correspondents.log &
  correspondents[$name]=$!
  within 20 "$name answers" test -e "$name.port.ready"
}
hang_up() {
  kill "${correspondents[$1]}"
  wait "${correspondents[$1]}" 2>/dev/null
  unset "correspondents[$1]"
}
got() { python3 -c 'import json, sys; d = [json.loads(l) for l in open(sys.argv[1] + ".got")]; print(eval(sys.argv[2]))' "$1" "$2"; }
got_is() { [[ $(got "$1" "$2") == "$3" ]]; }
try_again() { kill -HUP "$daemon"; }
status_is() { [[ $(qcbak status --json | python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1") == "$2" ]]; }
