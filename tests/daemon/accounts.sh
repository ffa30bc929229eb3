#!/usr/bin/env bash
# Accounts for the network: the daemon, the gateway and the commands, as people on other machines use them.
first=$(cd "$(dirname "$0")" && pwd)
source "$first/harness.bash"
source "$first/correspondents.bash"
((EUID == 0)) || { echo "skipped: it needs several users, which only root can name"; exit 77; }
gateway=
leave() {
  if [[ -n $gateway ]]; then kill "$gateway" 2>/dev/null; wait "$gateway" 2>/dev/null; fi
  end_correspondents
}
trap leave EXIT
make_source
make_keys
make_certificates
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=https://127.0.0.1:$port
echo 'a token for metrics' >metrics.token
chmod 600 metrics.token
configure "
[serve]
listen = '127.0.0.1:$port'
certificate = '$scratch/server.pem'
key = '$scratch/server.key'
metrics_token = '$scratch/metrics.token'
[[job]]
name = 'files'
source = { files = ['$scratch/source'] }
schedule = 'never'"
sed -i "s/^administrator = .*/administrator = ['root', 'man']/; s/^operator = .*/operator = ['daemon']\nauditor = ['games']/" qcbak.toml
start
"$QCBAKD" --gateway --config qcbak.toml 2>gateway.log &
gateway=$!
within 30 "the gateway serves" grep -q '^qcbakd: ready$' gateway.log

# Whoever types somewhere else: another home, and no socket of this machine's.
away() {  # WHO COMMAND...
  local who=$1
  shift
  mkdir -p "home-$who"
  env -u QCBAK_SOCKET -u XDG_CONFIG_HOME HOME="$scratch/home-$who" "$@"
}
q() { local who=$1; shift; away "$who" "$QCBAK" "$@"; }
code() {  # SECRET: the code of this moment, after the one used last
  python3 - "$1" <<'PY'
import base64, hashlib, hmac, pathlib, struct, sys, time
used = pathlib.Path("steps"); last = int(used.read_text()) if used.exists() else 0
# A step early is taken too; each is good once.
while (step := max(last + 1, int(time.time()) // 30 - 1)) > int(time.time()) // 30 + 1: time.sleep(0.5)
used.write_text(str(step))
digest = hmac.new(base64.b32decode(sys.argv[1]), struct.pack(">Q", step), hashlib.sha1).digest()
at = digest[-1] & 15
print("%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF) % 1000000))
PY
}
echo 'Short-1' >short; echo 'First-pass-w0rd' >first; echo 'Another-w0rd!' >own; echo 'Wrong-pass-w0rd' >wrong; echo 'Yet-another-w0rd' >next
login() { local who=$1; shift; q "$who" login "$url" --name "$who" --ca-file ca.pem "$@"; }

# A first password is given by an administrator, and chosen again by whose it is.
ends 2 qcbak user password daemon --new-password-file short
err_has "fewer than 11 characters"
ends 5 login daemon --password-file first
err_has "the log-in failed"
ok qcbak user password daemon --new-password-file first
out_has "chooses another one at the first log-in"
ends 5 login daemon --password-file wrong
err_has "the log-in failed"
ends 5 login daemon --password-file first </dev/null
err_has "has to be changed"
ends 5 q daemon status
err_has "a new password has to be chosen first"
ends 2 login daemon --password-file first --new-password-file first
err_has "the one before"
ok login daemon --password-file first --new-password-file own
out_has "roles: operator"

# From elsewhere, the same commands and the same roles.
ok q daemon status
ok q daemon job run files --follow
ends 5 q daemon user lock games
err_has "does not have the role administrator"
ok qcbak audit show --act request.taken --json
grep -q '"address":"127.0.0.1"' .out || fail "the log does not say where a request came from"

# Administrators have a second factor, or nothing else.
ok qcbak user password root --new-password-file own
ok login root --password-file own
out_has "qcbak user enrol-otp"
ends 5 q root status
err_has "an administrator needs a second factor first"
ok q root user enrol-otp --json
secret=$(json 'd["secret"]')
[[ $(json 'd["uri"]') == "otpauth://totp/qcbak:root?secret=$secret&issuer=qcbak" ]] || fail "the address for apps"
ends 5 q root user enrol-otp --code 000000x
ok q root user enrol-otp --code "$(code "$secret")"
ok q root status
ok q root logout
ends 5 login root --password-file own </dev/null
once=$(code "$secret")
ok login root --password-file own --code "$once"
ends 5 login root --password-file own --code "$once"

# One administrator at a time.
ok qcbak user password man --new-password-file first

ends 11 login man --password-file first --new-password-file own
err_has "administrator root has been logged in since"
ok login man --password-file first --new-password-file own --take-over
ends 5 q root status
err_has "session has ended"
ok q man logout

# A lock ends sessions, and is taken back by somebody else.
ok qcbak user lock daemon
ends 5 q daemon status
ends 5 login daemon --password-file own
ok qcbak user unlock daemon
ok login daemon --password-file own

# Five failures: locked, told, and unlocked by an administrator.
for _ in 1 2 3 4 5; do ends 5 login games --password-file wrong; done
ok qcbak user password games --new-password-file first
ok login games --password-file first --new-password-file own
for _ in 1 2 3 4 5; do ends 5 login games --password-file wrong; done
ends 5 login games --password-file own
ok qcbak status
out_has "the account of user games is locked"
ok qcbak user list
grep -q 'games.*locked' .out || fail "the list does not show the lock"
ok qcbak user unlock games
ok login games --password-file own
ok qcbak status
if grep -q 'is locked' .out; then fail "the alert stays"; fi

# A review by an auditor; metrics for who has their token; nothing for who has none.
ok q games user review
out_has "administrator"
ok q games user review --done --note 'all as it should be'
out_has "by games"
ends 5 q daemon user review --done
fetch() { curl -sS --cacert ca.pem -o page -w '%{http_code}' "$@"; }
[[ $(fetch -H 'Authorization: Bearer a token for metrics' "$url/metrics") == 200 ]] || fail "no metrics"
grep -q '^qcbak_sessions ' page || fail "no sessions in the metrics"
[[ $(fetch -H 'Authorization: Bearer another' "$url/metrics") == 401 ]] || fail "metrics for anybody"
[[ $(fetch -H 'Authorization: Bearer a token for metrics' "$url/v1/status") == 401 ]] || fail "the token of metrics opens more"
[[ $(fetch "$url/v1/status") == 401 ]] || fail "status for anybody"
grep -q 'qcbak login' page || fail "it does not say what to do"

# The socket behind the gateway takes nobody's word but the gateway's.
python3 - run/gateway.sock <<'PY' || fail "the socket behind the gateway"
import os, socket, sys
def ask(first, user=None):
    pid = os.fork()
    if pid: return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if user is not None: os.setuid(user)
    s = socket.socket(socket.AF_UNIX); s.settimeout(20)
    try:
        s.connect(sys.argv[1])
        s.sendall(first + b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        os._exit(1 if s.recv(100) else 0)
    except (ConnectionResetError, BrokenPipeError): os._exit(0)
    except PermissionError: os._exit(0)
assert ask(b"PROXY TCP4 10.0.0.7 10.0.0.5 1 2\r\n") == 1  # root's word
assert ask(b"PROXY TCP4 10.0.0.7 10.0.0.5 1 2\r\n", 65534) == 0
for wrong in (b"", b"PROXY TCP4 10.0.0.7\r\n", b"PROXY " + b"x" * 5000 + b"\r\n", b"\0" * 300 + b"\r\n"): assert ask(wrong) == 0, wrong
PY

# The secrets of all this are not in the log.
ok qcbak audit show --acts --json
for text in 'First-pass' 'Another-w0rd' 'argon2' "$secret"; do
  if grep -qF "$text" .out; then fail "the log has $text"; fi
done
ok qcbak audit verify

# The daemon's end is the sessions' end, and nothing else's.
kill_daemon
ends 1 q daemon status
err_has "no qcbakd answers behind this gateway"
start
ends 5 q daemon status
err_has "session has ended"
ok login daemon --password-file own
stop

# A database that was lost: accounts without passwords, which an administrator gives again.
rm state/state.db*
start
ends 5 login daemon --password-file own
ok qcbak user list
grep -q 'daemon.*no password' .out || fail "the list does not say that passwords were lost"
ok qcbak user password daemon --new-password-file first
ok login daemon --password-file first --new-password-file next
stop
