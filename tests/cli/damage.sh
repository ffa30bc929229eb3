#!/usr/bin/env bash
# Damage is found, named, and ends with 4; repair saves what is good.
source "$(dirname "$0")/harness.bash"
make_repository
ok qcbak verify
ok qcbak verify --read-data
ok qcbak verify --json
is "$(json_lines 'd[-1]["clean"], d[-1]["keys"], d[-1]["findings"]')" "(True, 'read', [])"
ok env -u QCBAK_CREDENTIAL_FILE -u QCBAK_PASSWORD_FILE "$QCBAK" verify --json
is "$(json_lines 'd[-1]["keys"]')" none
ends 2 qcbak verify --keyless latest
ok qcbak verify --keyless "$(qcbak snapshots --json | grep -o '"id":"[0-9a-f]\{12\}' | cut -c 7-)"
ok qcbak verify --sample 50%
cp -r repo copy

id=$(qcbak snapshots --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')
pack=$(find repo/packs -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
chmod u+w "$pack"
printf '\xff\x00\xff' | dd of="$pack" bs=1 seek=$(($(stat -c %s "$pack") / 2)) conv=notrunc status=none

ends 4 qcbak verify
out_has "${pack##*/}"
out_has "${id:0:16}"
ends 4 qcbak verify -q
out_has "${pack##*/}"
ends 4 qcbak verify --read-data --json
is "$(json_lines '"'"${pack##*/}"'" in d[-1]["findings"][0]["object"], d[-1]["findings"][0]["snapshots"] == ["'"$id"'"], d[-1]["findings"][0]["files_affected"]')" "(True, True, 1)"
ends 4 qcbak restore "latest:$scratch/source" --target restored --verify
err_has "large: damaged in the repository"
is "$(cat restored/folder/file)" hello
ends 4 qcbak restore "latest:$scratch/source/large" --target restored2 --json
is "$(json_lines '[e["kind"] for e in d[-1]["errors"]]')" "['damaged']"
ends 4 qcbak cat "latest:$scratch/source/large"

ends 5 qcbak repair
one_error_line
ends 4 qcbak repair --dry-run
out_has "large"
ok qcbak repair --from copy --yes
out_has "healed"
ok qcbak verify --read-data
ok qcbak restore "latest:$scratch/source" --target healed --verify

# A log entry that is gone makes it another repository than the one this machine knows.
chmod -R u+w repo
mv "$(find repo/log -type f | sort | tail -n 1)" last
ends 4 qcbak snapshots
err_has "rolled back"
err_has "--accept-rollback"
ok qcbak snapshots --accept-rollback
