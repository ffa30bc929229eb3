#!/usr/bin/env bash
# From init to a restore that is proven.
source "$(dirname "$0")/harness.bash"
make_source

ok qcbak init --json
is "$(json 'len(d["id"]), d["domains"]')" "(32, ['default'])"
ends 1 qcbak init
one_error_line

ok qcbak backup source --label kind=test --label b=c --host db1
out_has "3 new"
[[ -z $err ]] || fail "it complains"
ok qcbak backup source --json --label kind=test
is "$(json_lines 'd[-1]["type"], d[-1]["files_new"], d[-1]["files_unmodified"], d[-1]["errors"], len(d[-1]["snapshot"])')" \
  "('summary', 0, 3, [], 64)"
is "$(json_lines 'sorted(d[-1]) == sorted(set(d[-1])) and all(k in d[-1] for k in ["files_changed", "bytes_read", "bytes_added", "bytes_stored", "duration_s"])')" True
ok qcbak backup source -q --dry-run
silent
ok qcbak backup source --dry-run
out_has "nothing was stored"
ok qcbak backup source --force --json
is "$(json_lines 'd[-1]["bytes_read"] > 300000')" True

# What is not there is named; the rest is saved, and the exit code says it.
ends 3 qcbak backup source nowhere --json
is "$(json_lines '[e["path"].split("/")[-1] for e in d[-1]["errors"]]')" "['nowhere']"
err_has "nowhere"
ends 1 qcbak backup nowhere
ends 2 qcbak backup source --label novalue
ends 2 qcbak backup source --label a=1 --label a=2

ok qcbak snapshots --json
is "$(json '[sorted(s["labels"].items()) for s in d][0], d[0]["host"], d[0]["copies"], d[0]["holds"], d[0]["files"]')" \
  "([('b', 'c'), ('kind', 'test')], 'db1', 1, [], 3)"
is "$(json 'all(k in s for s in d for k in ["id", "time", "host", "domain", "labels", "paths", "source", "bytes", "files", "holds", "copies"])')" True
is "$(json 'd[0]["paths"]')" "['$scratch/source']"
is "$(json '[s["time"] for s in d] == sorted(s["time"] for s in d)')" True
id=$(json 'd[0]["id"]')
ok qcbak snapshots --latest 1 --json
is "$(json 'len(d)')" 1
ok qcbak snapshots --host db1 --json
is "$(json 'len(d)')" 1
ok qcbak snapshots --label kind=test --json
is "$(json 'len(d)')" 2

ok qcbak restore "${id:0:8}" --target all --verify
out_has "everything is as backed up"
diff -r source "all$scratch/source" || fail "restored other bytes"
ok qcbak restore "latest:$scratch/source/folder" --target part
is "$(cat part/file)" hello
ok qcbak restore "latest:$scratch/source" --target dry --dry-run
[[ ! -e dry ]] || fail "a dry run wrote"
echo other >part/file
ok qcbak restore "latest:$scratch/source/folder" --target part --overwrite never
is "$(cat part/file)" other
ok qcbak restore "latest:$scratch/source" --target some --include 'l*' --verify --json
is "$(json_lines 'd[-1]["verified"], d[-1]["files"]')" "(True, 1)"
[[ -e some/large && ! -e some/empty ]] || fail "--include takes others"
: >all/extra
ends 5 qcbak restore "${id:0:8}" --target all --delete
[[ -e all/extra ]] || fail "removed without confirmation"
ok qcbak restore "${id:0:8}" --target all --delete --yes
[[ ! -e all/extra ]] || fail "--delete keeps"
ends 1 qcbak restore latest:/nowhere --target x
ends 1 qcbak restore ffffffff --target x
ends 2 qcbak restore fff --target x

# Paths relative, with a trailing slash, and through a link are one source.
ln -s source alias
(cd source && ok qcbak backup . -q) || exit 1
ok qcbak backup source/ -q
ok qcbak backup alias/ -q
ok qcbak snapshots --latest 3 --json
is "$(json 'set(map(tuple, (s["paths"] for s in d))) <= {("'"$scratch"'/source",), ("'"$scratch"'/alias",)}')" True
