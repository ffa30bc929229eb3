#!/usr/bin/env bash
# Messengers with a network that the daemon does not have, which believe it only what to say.
((EUID == 0)) || exit 77  # the configuration has to be root's
first=$(cd "$(dirname "$0")" && pwd)
source "$first/harness.bash"
source "$first/correspondents.bash"
make_source
make_keys
make_certificates
# All but that no plan was approved yet, which is so throughout.
kinds="on = ['failure', 'incomplete', 'missed', 'unwatched', 'space', 'clock', 'undelivered']"
correspond https https
correspond elsewhere https
configure "
[[job]]
name = 'shaky'
source = { files = ['$scratch/source'] }
schedule = 'never'
retries = 0
before = 'test -e $scratch/good'
[[notify]]
$kinds
webhook = 'https://127.0.0.1:$(cat https.port)/hook'
ca_file = '$scratch/ca.pem'
digest = 'never'"
chmod 644 qcbak.toml
chmod 711 .
systemd-socket-activate --accept -l "$scratch/messengers" "$QCBAKD" --messenger --config "$scratch/qcbak.toml" 2>messengers.log &
workers=$!
within 10 "somebody starts messengers" test -S messengers
start --messengers "$scratch/messengers"
ends 1 qcbak job run shaky --follow
within 60 "a webhook" got_is https '[m["json"]["state"] for m in d]' "['raised']"

# A configuration that is not the daemon's is not sent by; after it was read again, what waited goes.
echo '# edited' >>qcbak.toml
touch good
ok qcbak job run shaky --follow
within 60 "it says why" status_is '["is not what the daemon works by" in (m["error"] or "") for m in d["messages"]]' '[True]'
is "$(got https 'len(d)')" 1
try_again
within 60 "a webhook" got_is https '[m["json"]["state"] for m in d]' "['raised', 'cleared']"

# What else an order says counts for nothing, and other users give none.
cat >order.py <<'END'
import hashlib, json, os, socket, sys
def ask(order):
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect("messengers")
    got = b""
    try:
        s.sendall(order if isinstance(order, bytes) else (json.dumps(order) + "\n").encode())
        while (some := s.recv(65536)): got += some
    except (ConnectionResetError, BrokenPipeError): pass  # it did not read what it refused
    return json.loads(got)["error"] if got else "refused"
sha256 = hashlib.sha256(open("qcbak.toml", "rb").read()).hexdigest()
evil = open("qcbak.toml").read().replace(open("https.port").read(), open("elsewhere.port").read())
message = dict(id=1, created_ns=0, subject="x", text="x", json='{"state": "by hand"}')
order = dict(kind="message", config_sha256=sha256, config_file="evil.toml", config_text=evil, notify=0, message=message, entries=[])
if os.geteuid() == 0:
    assert ask(order) == "", ask(order)
    assert "no such table" in ask(dict(order, notify=1))
    assert "no collector" in ask(dict(order, kind="syslog"))
    assert "not what the daemon works by" in ask(dict(order, config_sha256="0" * 64))
    for garbage in (b"\n", b"{}\n", b"nothing\n", b'{"kind":1}\n', b"x" * (5 << 20)): assert ask(garbage) != "", garbage
else:
    answer = ask(order)
    assert "may not give orders" in answer or answer == "refused", answer
    print(answer)
END
ok python3 order.py
is "$(got https 'd[-1]["json"]["state"]')" 'by hand'
is "$(got elsewhere 'len(d)')" 0
count=$(got https 'len(d)')
chmod 666 messengers
chmod 644 https.port elsewhere.port order.py
ok setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 order.py
out_has 'may not give orders'
is "$(got https 'len(d)')" "$count"
stop

# A messenger that goes wrong costs nothing but another try.
cat >wrong.py <<'END'
import socket
s = socket.socket(socket.AF_UNIX); s.bind("wrong"); s.listen()
for answer in (b"garbage\n", b'{"error":1}\n', b"x" * (5 << 20), b"", b'{"error":""'):
    c, _ = s.accept()
    c.recv(65536)
    try: c.sendall(answer)
    except OSError: pass
    c.close()
END
python3 wrong.py &
wrong=$!
correspondents[wrong]=$wrong
within 10 "somebody answers" test -S wrong
start --messengers "$scratch/wrong"
rm good
ends 1 qcbak job run shaky --follow
for count in {1..5}; do
  within 60 "try $count" grep -q "not sent: " log.new
  : >log.new
  try_again
done
wait "$wrong"
kill -0 "$daemon" || fail "the daemon ended"
is "$(got https 'len(d)')" 3
stop
