#!/usr/bin/env bash
# Who may do what, and what the socket stands.
source "$(dirname "$0")/harness.bash"
make_source
make_keys
job="
[[job]]
name = 'files'
source = { files = ['$scratch/source'] }
schedule = 'never'"
configure "$job"
start
ok qcbak job run files --follow

# An asset officer may look, and run nothing.
sed -i "s/^operator = .*/asset-officer = ['$user']/" qcbak.toml
kill -HUP "$daemon"
within 10 "it takes the roles" grep -q 'the configuration was read again' log.new
ok qcbak status
ends 5 qcbak job run files
one_error_line
err_has "user $user does not have the role operator or administrator"
grep -q "refused: POST /v1/jobs/files/run: user $user" log.new || fail "the refusal is not in the log"
ends 5 qcbak job cancel "$(qcbak job history files --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')"

# Somebody without a role gets nothing.
: >log.new
sed -i "s/^asset-officer = .*/auditor = ['nobody-of-this-name', '@no-such-group']/" qcbak.toml
kill -HUP "$daemon"
within 10 "it takes the roles" grep -q 'the configuration was read again' log.new
ends 5 qcbak status
err_has "user $user has no role here"
sed -i "s/^auditor = .*/operator = ['@$(id -gn)']/" qcbak.toml
: >log.new
kill -HUP "$daemon"
within 10 "it takes the roles" grep -q 'the configuration was read again' log.new
ok qcbak status

# A crowd, garbage, and clients that stop in the middle or never read: others are served all the same.
cat >crowd.py <<'EOF'
import os, socket, sys
path = sys.argv[1]
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(path); return s
def ask(s, target=b"/v1/status"):
    s.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    got = b""
    while True:
        some = s.recv(65536)
        if not some: return got
        got += some
def status(reply): return reply.split(b"\r\n", 1)[0]
crowd = [connect() for _ in range(100)]
for s in crowd: s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
for s in crowd:
    got = b""
    while (some := s.recv(65536)): got += some
    assert status(got) == b"HTTP/1.1 200 OK", got[:100]
for garbage in (os.urandom(5000), b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/jobs/files/run HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n"):
    s = connect()
    try:
        s.sendall(garbage)
        s.shutdown(socket.SHUT_WR)
        got = s.recv(65536)
        assert not got.startswith(b"HTTP/1.1 2"), (garbage[:50], got[:100])
    except (BrokenPipeError, ConnectionResetError): pass
for target, expected in ((b"/", b"400"), (b"/v1", b"400"), (b"/v1/jobs/../../etc", b"404"), (b"/v1/jobs/files/runs?limit=0", b"400"),
                         (b"/v1/jobs/files/runs?limit=1;drop", b"400"), (b"/v1/jobs/'/runs", b"404"), (b"/v1/runs/'''''''''", b"404"),
                         (b"/v1/runs/%00%00%00%00", b"404"), (b"/v2/status", b"400"), (b"//v1/status", b"400")):
    assert status(ask(connect(), target)).split()[1] == expected, (target, ask(connect(), target))
idle = [connect() for _ in range(50)]
for s in idle[:25]: s.sendall(b"GET /v1/sta")
deaf = [connect() for _ in range(20)]
for s in deaf:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    s.setblocking(False)
    try:
        for _ in range(200): s.send(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    except BlockingIOError: pass
assert status(ask(connect())) == b"HTTP/1.1 200 OK"
# Slowly, a byte at a time.
s = connect()
for c in b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": s.sendall(bytes([c]))
assert status(s.recv(65536)) == b"HTTP/1.1 200 OK"
EOF
ok python3 crowd.py "$QCBAK_SOCKET"

# Metrics, as Prometheus reads them.
cat >metrics.py <<'EOF'
import re, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
got = b""
while (some := s.recv(65536)): got += some
head, body = got.decode().split("\r\n\r\n", 1)
assert "200 OK" in head and "text/plain; version=0.0.4" in head, head
typed, values = set(), {}
for line in body.splitlines():
    if line.startswith("# TYPE "): typed.add(line.split()[2]); continue
    if line.startswith("# HELP "): continue
    match = re.fullmatch(r'([a-z_]+)(\{job="[A-Za-z0-9_.-]+"\})? (-?[0-9.e+]+)', line)
    assert match and match[1] in typed, line
    values[match[1] + (match[2] or "")] = float(match[3])
assert values['qcbak_job_last_failed{job="files"}'] == 0
assert values['qcbak_job_last_success_seconds{job="files"}'] > 1.7e9
assert values["qcbak_repository_free_bytes"] > 0
assert values["qcbak_messages_waiting"] == 0
EOF
ok python3 metrics.py "$QCBAK_SOCKET"
ok qcbak job run files --follow
resident=$(awk '/VmRSS/ { print $2 }' "/proc/$daemon/status")
# (A sanitizer keeps what was freed.)
ldd "$QCBAKD" | grep -q 'lib[at]san' || ((resident < 64 * 1024)) || fail "the daemon has grown to $resident KiB"
echo "resident after the crowd: $resident KiB"
stop
