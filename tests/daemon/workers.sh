#!/usr/bin/env bash
# Workers with more rights than the daemon, which believe it only which job to run.
((EUID == 0)) || exit 77  # the configuration has to be root's
source "$(dirname "$0")/harness.bash"
make_source
mkdir secret
echo secret >secret/file
make_keys
configure "
[[job]]
name = 'files'
source = { files = ['$scratch/source'] }
schedule = 'never'
retries = 0"
chmod 644 qcbak.toml
systemd-socket-activate --accept -l "$scratch/workers" "$QCBAKD" --worker --config "$scratch/qcbak.toml" 2>workers.log &
workers=$!
within 10 "somebody starts workers" test -S workers
start --workers "$scratch/workers"
ok qcbak job run files --follow
out_has 'outcome  complete'

# A configuration that is not the daemon's, or that others can write, is not worked by.
echo '# edited' >>qcbak.toml
ends 1 qcbak job run files --follow
out_has 'is not what the daemon works by'
kill -HUP "$daemon"
within 10 "it takes the edited one" grep -q 'the configuration was read again' log.new
ok qcbak job run files --follow
chmod 666 qcbak.toml
ends 1 qcbak job run files --follow
out_has "must be a file of root's that nobody else can write"
chmod 644 qcbak.toml

# What else an order says counts for nothing.
cat >order.py <<'EOF'
import array, hashlib, json, os, socket, sys
def ask(order, with_lock=True):
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect("workers")
    line = order if isinstance(order, bytes) else (json.dumps(order) + "\n").encode()
    lock = os.open("/dev/null", os.O_RDONLY)
    s.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [lock]))] if with_lock else [])
    os.close(lock)
    got = b""
    try:
        while (some := s.recv(65536)): got += some
    except ConnectionResetError: pass  # it did not read all of what it refused
    return json.loads(got.decode().splitlines()[-1]) if got else {"outcome": "failed"}
here = os.getcwd()
sha256 = hashlib.sha256(open("qcbak.toml", "rb").read()).hexdigest()
none = dict.fromkeys(["last", "daily", "weekly", "monthly", "yearly", "within_ns", "lock_ns"])
job = dict(name="files", files=[here + "/secret"], exclude=[], one_file_system=False, labels=[], domain="default",
           before="touch " + here + "/owned", after="touch " + here + "/owned", command_limit_ns=10**10, read_limit_bytes_per_s=0, retention=none)
order = dict(kind="back_up", unless_state="", unless_snapshot="", run="f" * 32, reason="request", config_sha256=sha256, job=job,
             config_file=here + "/secret/file", state_dir=here + "/elsewhere",
             vault=dict(location=here + "/elsewhere", credential_file="", password_file="", cache_directory=""))
assert ask(order)["outcome"] == "complete"
assert not os.path.exists("owned") and not os.path.exists("elsewhere")
assert "has no job" in ask(dict(order, job=dict(job, name="other")))["error"]
assert "has no job" in ask(dict(order, kind="keep_state"))["error"]
assert "has no job" in ask(dict(order, job=dict(job, name="qcbak.state")))["error"]
kept = ask(dict(order, run="e" * 32, kind="keep_state", job=dict(job, name="qcbak.state")))
assert kept["outcome"] == "complete", kept
assert not os.path.exists("owned") and not os.path.exists("elsewhere")
assert "not what the daemon works by" in ask(dict(order, config_sha256="0" * 64))["error"]
assert ask(order, with_lock=False)["outcome"] == "failed"
for garbage in (b"\n", b"{}\n", b"nothing\n", b'{"kind":1}\n', json.dumps(dict(order, job=[])).encode() + b"\n"):
    assert ask(garbage)["outcome"] == "failed", garbage
EOF
ok python3 order.py
ok qcbak ls "latest:$scratch" --label "run=$(printf 'f%.0s' {1..32})"
out_has source
out_lacks secret
ok qcbak cat "latest:$scratch/state/kept/state/qcbak.toml" --label "run=$(printf 'e%.0s' {1..32})"
is "$out" "$(cat qcbak.toml)"
stop

# A worker that goes wrong costs its run, and nothing else.
cat >wrong.py <<'EOF'
import os, socket
s = socket.socket(socket.AF_UNIX); s.bind("wrong"); s.listen()
for answer in (b"garbage\n", b'{"type":"result"}\n', b"x" * (5 << 20), b'{"type":"progress","bytes":-1}\n', b"", b'{"type":"result","outcome":"complete'):
    c, _ = s.accept()
    c.recv(65536)
    try: c.sendall(answer)
    except OSError: pass
    c.close()
EOF
python3 wrong.py &
wrong=$!
within 10 "somebody answers" test -S wrong
start --workers "$scratch/wrong"
for _ in {1..6}; do
  ends 1 qcbak job run files --follow
  out_has 'outcome  failed'
done
kill -0 "$daemon" || fail "the daemon ended"
wait "$wrong"
stop
