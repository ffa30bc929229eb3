#!/usr/bin/env bash
# ls, find, cat, diff, stats, export.
source "$(dirname "$0")/harness.bash"
mkdir 'source' 'source/[a]'
printf one >'source/[a]/plain name'
printf two >$'source/new\nline'
printf three >$'source/back\\slash'
printf four >$'source/not\xffutf8'
printf five >$'source/tab\tand\x1b[31mred'
make_repository

ok qcbak ls "latest:$scratch/source"
out_has 'new\x0aline'
out_has 'not\xffutf8'
out_lacks $'\x1b'
ok qcbak ls "latest:$scratch/source/folder" --long
out_has "link -> file"
out_has "-rw-r--r--"
ok qcbak ls "latest:$scratch/source" --json
is "$(json 'sorted(e.get("path_hex", "")[-16:] for e in d)[-1]')" "$(printf 'not\xffutf8' | od -An -tx1 | tr -d ' \n')"
ok qcbak ls "latest:$scratch/source" -R --json
is "$(json 'any(e["path"].endswith("/[a]/plain name") for e in d)')" True
ends 1 qcbak ls latest:/nowhere

# What sha256sum says of the restored copy.
ok qcbak restore "latest:$scratch/source" --target restored
qcbak ls "latest:$scratch/source" --hash >sums
(cd restored && sha256sum -c --quiet ../sums) || fail "sha256sum does not read it"
is "$(grep -c '' sums)" 8
(cd restored && find . -type f -printf '%P\0' | xargs -0 sha256sum -- | sort) >sums.theirs
sort sums | diff - sums.theirs || fail "sha256sum writes it otherwise"

ok qcbak find 'plain*'
out_has '[a]/plain name'
ok qcbak find "$scratch/source/folder" --json
is "$(json '[e["type"] for e in d]')" "['directory']"
ends 1 qcbak find nothing-like-it
ok qcbak find file --snapshot latest

qcbak cat "latest:$scratch/source/large" | cmp - source/large || fail "cat gives other bytes"
ends 2 qcbak cat "latest:$scratch/source/folder"
ok qcbak cat "latest:$scratch/source/folder/file" --json
is "$(json '__import__("base64").b64decode(d["content_base64"])')" "b'hello\\n'"

ok qcbak diff latest --live
err_has "no differences"
echo changed >source/folder/file
chmod 600 source/empty
rm source/large
: >source/added
ends 4 qcbak diff latest --live
out_has "M $scratch/source/folder/file (content"
out_has "M $scratch/source/empty (mode 0644 → 0600"
out_has "- $scratch/source/large"
out_has "+ $scratch/source/added"
ends 4 qcbak diff latest --live "$scratch/source/empty" --json
is "$(json '[(e["kind"], e["content"]) for e in d]')" "[('changed', False)]"
first=$(qcbak snapshots --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')
ok qcbak backup source -q
ok qcbak diff "$first" latest
out_has "- $scratch/source/large"
ends 2 qcbak diff latest
ends 2 qcbak diff latest --live relative

ok qcbak stats
out_has "default"
ok qcbak stats --json
is "$(json 'd["snapshots"], d["domains"][0]["snapshots"], d["objects"]["config"]["count"]')" "(2, 2, 1)"

ok qcbak export latest -o all.tar
tar -tf all.tar >/dev/null || fail "tar cannot read it"
ok qcbak export "latest:$scratch/source/folder" --format zip -o - 
python3 -c 'import sys, zipfile; assert any(n.endswith("file") for n in zipfile.ZipFile(sys.argv[1]).namelist())' .out ||
  fail "the archive on standard output is not one"
ends 2 qcbak export latest -o all.rar
ends 2 qcbak export latest
