#!/usr/bin/env bash
# Progress of work that takes more than a second, and stopping it.
source "$(dirname "$0")/harness.bash"
make_repository
# New content that takes some seconds to store: incompressible, and one thread at the highest level.
make_slow() { head -c 60000000 /dev/urandom >source/huge; }
make_slow
slow=("$QCBAK" backup source --threads 1 --compression 19 --force)

code=0
TERM=xterm script -qec "${slow[*]}" /dev/null >.out </dev/null || code=$?
is "$code" 0
grep -q 'Backing up.*/s' .out || fail "a terminal shows no progress"
make_slow
ok "${slow[@]}" --json
is "$(json_lines 'len(d) > 1 and all(l["type"] == "progress" for l in d[:-1]) and d[-1]["type"] == "summary"')" True
is "$(json_lines 'd[0]["bytes_done"] > 0')" True
ok "${slow[@]}" --json --no-progress
is "$(json_lines 'len(d)')" 1
ok "${slow[@]}"
err_lacks "/s"

# The first signal asks, and the command ends by itself.
rm -rf cache
make_slow
"${slow[@]}" --no-cache >.out 2>.err &
pid=$!
sleep 1
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
is "$code" 1
err=$(<.err)
one_error_line
err_has "stopped"
ok qcbak verify -q
ok qcbak backup source -q
