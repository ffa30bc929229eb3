#!/usr/bin/env bash
# The configuration, as it is checked and shown.
source "$(dirname "$0")/harness.bash"
cat >good.toml <<'EOF'
[repository]
location = "/srv/repository"
password_file = "/etc/qcbak/password"

[[job]]
name = "etc"
source = { files = ["/etc"] }
schedule = "Sun 02:00"
EOF
ok qcbak config check good.toml
out_has "good.toml is good; jobs: 1"
ok qcbak config check good.toml -q
silent
ok env QCBAK_CONFIG=good.toml "$QCBAK" config show
out_has 'job.etc.schedule = "Sun 02:00"  # good.toml:8'
out_has 'job.etc.retries = 3  # the default'
ok qcbak config show good.toml --json
is "$(json '[(s["value"], s["line"]) for s in d["settings"] if s["setting"] in ("job.etc.schedule", "daemon.role")]')" \
  "[('\"primary\"', None), ('\"Sun 02:00\"', 8)]"

sed 's/schedule/shedule/' good.toml >bad.toml
ends 2 qcbak config check bad.toml
one_error_line
err_has 'bad.toml:8: job.etc.shedule: there is no such setting; did you mean "schedule"?'
ends 1 qcbak config check nowhere.toml
one_error_line
