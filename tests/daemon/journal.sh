#!/usr/bin/env bash
# Under systemd the daemon's acts are in the journal, each with its name and the number of its entry.
((EUID == 0)) || exit 77  # a journal of its own needs a mount
[[ -n ${WITH_OWN_MOUNTS-} ]] || exec env WITH_OWN_MOUNTS=1 unshare --mount --propagation private bash "$0" "$@"
mount -t tmpfs none /run && mkdir -p /run/systemd/journal || exit 77
source "$(dirname "$0")/harness.bash"
make_source
make_keys
configure ""
cat >journal.py <<'END'
import json, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
while True:
    fields = dict(line.split("=", 1) for line in s.recv(1 << 20).decode().splitlines() if "=" in line)
    with open("journal", "a") as out: out.write(json.dumps(fields) + "\n")
END
python3 journal.py &
workers=$!
within 20 "somebody takes the journal" test -S /run/systemd/journal/socket
JOURNAL_STREAM=1:1 "$QCBAKD" --config qcbak.toml 2>log.new &
daemon=$!
within 90 "the daemon serves" grep -q '^<6>ready$' log.new
stop
ok qcbak audit show --acts --json
cat >compare.py <<'END'
import json
acts = [e for e in json.load(open(".out"))]
journal = [json.loads(line) for line in open("journal")]
assert [(e["details"]["act"], str(e["number"])) for e in acts] == [(j["QCBAK_ACT"], j["QCBAK_ENTRY"]) for j in journal], (acts, journal)
assert all(json.loads(j["MESSAGE"])["act"] == j["QCBAK_ACT"] for j in journal)
assert {"daemon.started", "daemon.stops"} == {j["QCBAK_ACT"] for j in journal}
END
within 20 "the journal has all acts" python3 compare.py
