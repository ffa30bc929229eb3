#!/usr/bin/env bash
# A disk whose process makes no sign any more is given up, and the others come to their end. The limit is two minutes: no disk
# that answers ever comes near it.
source "$(dirname "$0")/wipe_setup.bash"

# Interrupted in the middle, so that there is something to be told of the disk; a machine that is too quick for it gets longer
# work to do.
for megabytes in 32 128 512; do
  four_disks hung$megabytes $megabytes
  name=hung$megabytes
  approved $name schneier "${four[@]}"
  begin_four $name
  give_leave
  until [[ $(stat -c %s $name.3.3.journal 2>/dev/null || echo 0) -gt 1000 ]] || ! kill -0 "$shell" 2>/dev/null; do sleep 0.02; done
  kill -TERM "$parent" 2>/dev/null
  ended
  if ((code == 1)) && [[ ! -e $name.3 ]]; then break; fi
  ((megabytes < 512)) || fail "it cannot be interrupted"
done

verb=resume
begin_four $name --give-up-after 120s
kill -STOP "${child[2]}"
give_leave
ended
is "$code" 1
out_has "the disk did not answer any more, and was given up"
until_true gone "${child[2]}"
is "$(dossier $name.3 '[(r["medium"], r["verdict"], r.get("given_up")) for r in d["runs"]]')" \
  "[(1, 'clear', None), (2, 'clear', None), (3, 'failed', 'hung'), (4, 'clear', None)]"
ok qcbak verify-evidence $name.3 --public-key people.pem
for i in 1 2 4; do
  python3 "$here/wipe_content.py" "$name-$i.img" "$name.3.$i.journal" random 7 "$old_text" || fail "disk $i holds something else"
done
# Looked after, it is wiped by a job of its own.
ok as $operator run --approval $name.3 --confirm "${media[9]}" --device "${four[2]}" -o $name.4
is "$(dossier $name.4 '[r["verdict"] for r in d["runs"]]')" "['clear', 'clear', 'failed', 'clear', 'clear']"
