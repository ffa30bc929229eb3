#!/usr/bin/env bash
# The way in from the network: TLS 1.3 outside, the daemon's socket inside, the same bytes on both, and not more of anything than was
# said; then log-ins. A stand-in plays the daemon.
first=$(cd "$(dirname "$0")" && pwd)
source "$first/harness.bash"
source "$first/correspondents.bash"
stand_in=
leave() {
  if [[ -n $stand_in ]]; then kill "$stand_in" 2>/dev/null; wait "$stand_in" 2>/dev/null; fi
  end_correspondents
}
trap leave EXIT
serve_behind() {
  rm -f got.ready
  python3 "$tests/stand_in.py" "$scratch/run/gateway.sock" got 2>>stand_in.log &
  stand_in=$!
  within 20 "the stand-in answers" test -e got.ready
}
leave_behind() { kill "$stand_in"; wait "$stand_in" 2>/dev/null; stand_in=; }
visit() { timeout 300 python3 "$tests/visitor.py" "$port" "${ca:-ca.pem}" "$@" 2>>visitors.log || { tail -3 visitors.log >&2; return 1; }; }
visit_is() { [[ $(visit "$1") == "$2" ]]; }
behind() { python3 -c 'import json, sys; d = [json.loads(l) for l in open("got")]; print(eval(sys.argv[1]))' "$1"; }
behind_is() { [[ $(behind "$1") == "$2" ]]; }
sha256_of_big() { python3 -c 'import hashlib, sys; print(hashlib.sha256((bytes(range(256)) * (int(sys.argv[1]) // 256))).hexdigest())' "$1"; }
new_certificate() {  # NAME DAYS: for server.key
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days "$2" -out "$1.pem" -extfile <(echo 'subjectAltName=IP:127.0.0.1') 2>>openssl.log ||
    fail "openssl signs no certificate: $(tail -3 openssl.log)"
}
serving() {  # CERTIFICATE KEY
  configure "
[serve]
listen = '127.0.0.1:$port'
certificate = '$scratch/$1'
key = '$scratch/$2'
"
}
mkdir run
touch got
make_certificates
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# What is wrong from the start is one line, with what to do.
refuses() {
  ends "$1" "$QCBAKD" --gateway --config qcbak.toml
  [[ $(grep -c '' .err) == 1 ]] || fail "it is not one line"
  err_has "$2"
}
configure ''
refuses 2 'has no listen in [serve]'
serving none.pem server.key
refuses 2 'the certificate: '
err_has 'A certificate for the management address'
serving server.pem none.key
refuses 2 'the key: '
serving server.pem stranger.key
refuses 2 'stranger.key is not the key of '
serving server.key server.key
refuses 2 'is no certificate in PEM'
openssl genrsa 2048 >rsa.key 2>>openssl.log
serving server.pem rsa.key
refuses 2 'rsa.key is not the key of '
openssl pkcs8 -topk8 -in server.key -passout pass:secret -out closed.key
serving server.pem closed.key
refuses 2 'without a passphrase'
new_certificate expired -1
serving expired.pem server.key
start --gateway
grep -q 'expired.pem has expired' log.new || fail "it does not say that the certificate has expired"
ends 1 "$QCBAKD" --gateway --config qcbak.toml
err_has 'Address already in use'
stop

# As docs/operations.md has it made.
export HOST=localhost ADDRESS=127.0.0.1 CERTIFICATE=$scratch/own.pem KEY=$scratch/own.key REQUEST=$scratch/request.csr
step request
openssl req -in request.csr -noout -verify 2>>openssl.log || fail "the request is none"
openssl req -in request.csr -noout -text | grep -q 'DNS:localhost, IP Address:127.0.0.1' || fail "the request does not say for whom it is"
step certificate
is "$(stat -c %a own.key)" 600
serving own.pem own.key
serve_behind
start --gateway
[[ $(ca=own.pem visit body_of /) == 401* ]] || fail "the certificate is of no use"
stop
: >got

serving server.pem server.key
start --gateway

# TLS 1.3, and nothing before it.
is "$(visit version TLSv1_3)" TLSv1.3
[[ $(visit version TLSv1_2) == refused* ]] || fail "TLS 1.2 was taken"
is "$(visit garbage)" closed
within 20 "only who spoke TLS came through" behind_is 'all(c["first"].startswith("PROXY TCP4 127.0.0.1 127.0.0.1 ") for c in d)' True

# The first line says who comes; the reply is whole, and its end is told.
read -r status size hash state from <<<"$(visit get /big/33554432)"
is "$status $size $hash $state" "200 33554432 $(sha256_of_big 33554432) closed"
within 20 "the stand-in has seen it" behind_is '[c["requests"] for c in d if c["requests"]]' "[[['GET', '/big/33554432', None, '']]]"
is "$(behind '[c["first"] for c in d if c["requests"]]')" "['PROXY TCP4 127.0.0.1 127.0.0.1 $from $port\\r\\n']"

# Who does not read stops the daemon, not the gateway's memory; and gets all in the end.
rm -f got.written
is "$(visit slow /big/67108864 got.written)" "200 67108864 $(sha256_of_big 67108864) True"

# Who has said all still hears the answer. Who was cut off has not said all.
is "$(visit half)" '100000 bytes and the end'
: >got
is "$(visit cut)" gone
within 20 "the stand-in has seen the end" behind_is '[c["end"] for c in d]' "['cut off']"

# As many as there may be, and not more.
is "$(visit limits 16 64 | paste -sd,)" 'one too many: True,one too many of all: True,401,401,room again'
visit idle >idle.out &
idler=$!

# Another certificate, and one that is none.
before=$(visit serial)
new_certificate next 3
cp next.pem server.pem
kill -HUP "$daemon"
within 20 "it was read again" grep -q 'configuration and certificate were read again' log.new
after=$(visit serial)
[[ -n $after && $after != "$before" ]] || fail "the certificate is still the old one"
echo rubbish >server.pem
kill -HUP "$daemon"
within 20 "it was refused" grep -q 'is no certificate in PEM.*what was in force stays' log.new
is "$(visit serial)" "$after"
cp next.pem server.pem
cp qcbak.toml good.toml
sed -i "s/:$port'/:1'/" qcbak.toml
kill -HUP "$daemon"
within 20 "another address needs a restart" grep -q 'change at a restart' log.new
cp good.toml qcbak.toml

# Log-ins.
unset QCBAK_SOCKET
export XDG_CONFIG_HOME=$scratch/config
session=$XDG_CONFIG_HOME/qcbak/session
server=https://127.0.0.1:$port
echo First-password-1 >first.password
echo Second-password-2 >second.password
echo wrong >wrong.password
login() { qcbak login --name lan --password-file first.password "$@"; }
ends 1 login "$server"
one_error_line
err_has "the certificate at $server is not trusted"
err_has '--ca-file'
ends 1 login "https://localhost:$port" --ca-file ca.pem
err_has 'is of another host'
ends 1 login "$server" --ca-file stranger.pem
err_has 'is not trusted'
ends 2 login "$server" --ca-file none.pem
err_has 'no certificates can be read from'
ends 2 login "http://127.0.0.1:$port"
ends 2 login "$server/elsewhere"
ends 1 login https://127.0.0.1:1
err_has 'nobody answers at https://127.0.0.1:1'
ends 5 login "$server" --ca-file ca.pem --password-file wrong.password
err_has 'the log-in failed'
ends 12 qcbak login "$server" --ca-file ca.pem --name lan
[[ ! -e $session ]] || fail "a log-in that failed left a session"
ends 5 login "$server" --ca-file ca.pem
err_has 'your password has to be changed before anything else'
err_has '--new-password-file'
: >got
ok login "$server" --ca-file ca.pem --new-password-file second.password --take-over
out_has "logged in at $server as lan; roles: operator, auditor"
out_has 'qcbak user enrol-otp'
is "$(stat -c %a "$session")" 600
token=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["token"])' "$session")
within 20 "the stand-in has seen it" behind_is '[r[:2] for c in d for r in c["requests"]]' \
  "[['POST', '/v1/session'], ['POST', '/v1/people/lan/password'], ['POST', '/v1/session']]"
is "$(behind '[json.loads(c["requests"][0][3]).get("take_over") for c in d]')" "['yes', None, 'yes']"

# Commands go there, unless another daemon is named; whoever is logged in is who signs.
: >got
ok qcbak status
out_has 'qcbakd 1, serving since today'
within 20 "the stand-in has seen it" behind_is '[c["requests"] for c in d]' "[[['GET', '/v1/status', 'Bearer $token', '']]]"
ends 1 env QCBAK_SOCKET="$scratch/run/none" "$QCBAK" status
err_has "no qcbakd answers at $scratch/run/none"
ok qcbak login "$server" --ca-file ca.pem --name lan --password-file second.password --json
is "$(json '(d["server"], d["name"], d["roles"], d["must"])')" "('$server', 'lan', ['operator', 'auditor'], ['otp'])"

# A session that has ended says so; a file that is none, too.
python3 - "$session" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
d["token"] = "of-yesterday"
json.dump(d, open(sys.argv[1], "w"))
END
ends 5 qcbak status
one_error_line
err_has 'your session has ended'
err_has "qcbak login $server"
ok qcbak logout
[[ ! -e $session ]] || fail "the session is still there"
ok qcbak logout
out_has 'not logged in'
echo rubbish >"$session"
ends 1 qcbak status
err_has 'is not what "qcbak login" writes'
ok qcbak logout
ok qcbak login "$server" --ca-file ca.pem --name lan --password-file second.password -q
ok qcbak logout
out_has "logged out of $server"
silent_error=$err
is "$silent_error" ''
ok qcbak login "$server" --ca-file ca.pem --name lan --password-file second.password -q

# Nobody behind the gateway: it says so itself. Nobody at all: the session is forgotten all the same.
wait "$idler" || fail "what was idle was not closed"
is "$(cat idle.out)" closed
leave_behind
[[ $(visit body_of /) == '503 {"error":{"code":"io","message":"no qcbakd answers behind this gateway"'* ]] || fail "there is another reply than 503"
[[ $(visit get /) == 503*closed* ]] || fail "its end is not told"
ends 1 qcbak status
err_has 'no qcbakd answers behind this gateway'
serve_behind
is "$(visit get / | cut -d' ' -f1)" 401
stop
leave_behind
ok qcbak logout
err_has 'was not told, and ends the session by itself'
[[ ! -e $session ]] || fail "the session is still there"
