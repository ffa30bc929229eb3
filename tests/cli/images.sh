#!/usr/bin/env bash
# Devices and image files: what is kept, what is left out, what comes back, and what is refused.
source "$(dirname "$0")/harness.bash"
missing=
for tool in losetup mkfs.ext4 dumpe2fs debugfs e2fsck sfdisk unshare; do command -v $tool >/dev/null || missing=$tool; done
if ((EUID != 0)) || [[ ! -w /dev/loop-control || -n $missing ]]; then
  echo "skipped: it needs root, loop devices, e2fsprogs and sfdisk"
  exit 77
fi
# Mounts of this test lie in a mount namespace of its own, and go with it, whatever happens.
if [[ -z ${IMAGES_TEST_NAMESPACE-} ]]; then
  cd / && rm -rf -- "$scratch"
  exec env IMAGES_TEST_NAMESPACE=1 unshare --mount --propagation private -- bash "$here/images.sh" "$QCBAK"
fi
source "$here/../loops.bash"
clean_up() {
  umount "$scratch/mnt" "$scratch/small" 2>/dev/null
  detach_loops
  cleanup
}
trap clean_up EXIT
ok qcbak init -q
ok qcbak key credential read -o read.credential --name reader -q
export QCBAK_CREDENTIAL_FILE=$scratch/read.credential
mkdir mnt small
snapshots() { qcbak snapshots --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'; }
sum_of() { sha256sum <"$1"; }

# Compares a copy with an ext4 image block by block: in use, as it was; free, zeros. Says how much was free.
cat >compare.py <<'END'
import re, subprocess, sys
image, copy = (open(name, "rb").read() for name in sys.argv[1:3])
text = subprocess.run(["dumpe2fs", sys.argv[1]], capture_output=True, text=True, check=True).stdout
block = int(re.search(r"^Block size: +(\d+)", text, re.M)[1])
free = set()
for line in re.findall(r"^  Free blocks: (.+)$", text, re.M):
    for part in line.split(", "):
        first, _, last = part.partition("-")
        free.update(range(int(first), int(last or first) + 1))
assert len(image) == len(copy), (len(image), len(copy))
for at in range(0, len(image), block):
    wanted = bytes(block)[: len(image) - at] if at // block in free else image[at : at + block]
    assert copy[at : at + block] == wanted, f"block {at // block} differs"
print(len(free) * block)
END

# ---- An ext4 with files in it, and with what was deleted from it still on the disk.
for features in "-b 4096" "-b 1024 -O ^has_journal" "-b 4096 -O ^metadata_csum,^64bit"; do
  truncate -s 96M disk
  # shellcheck disable=SC2086  # words
  mkfs.ext4 -q -F $features disk
  loop_over disk
  mount "$loop" mnt
  cp -a /usr/share/common-licenses mnt/
  head -c 12000000 /dev/urandom >mnt/kept
  head -c 40000000 /dev/urandom >mnt/deleted
  sync -f mnt
  # Held for writing: it could change while it is read.
  before=$(snapshots)
  ends 5 qcbak backup --image "$loop" -q
  one_error_line
  err_has "it is mounted at $scratch/mnt"
  err_has "--while-mounted"
  ends 5 qcbak backup --image disk -q  # nor through the file below the device
  is "$(snapshots)" "$before"
  ok qcbak backup --image "$loop" --while-mounted crash-consistent --json
  is "$(json_lines 'd[-1]["bytes_read"] > 50000000')" True  # all of it, free or not
  rm mnt/deleted
  sync -f mnt
  # Read-only, it stays as it is.
  mount -o remount,ro mnt
  ok qcbak backup --image "$loop" --json --label features="$features"
  is "$(json_lines 'd[-1]["errors"], d[-1]["files_new"], d[-1]["bytes_read"] < 40000000')" "([], 1, True)"
  umount mnt
  ok qcbak ls --long "latest:$(dirname "$loop")" --json
  is "$(json 'len(d), d[0]["type"], d[0]["size"]')" "(1, 'file', $((96 << 20)))"
  ok qcbak snapshots --latest 1 --json
  is "$(json 'd[0]["source"], d[0]["paths"]')" "('image', ['$loop'])"
  # Into a file that has other content.
  truncate -s 20M copy
  head -c 20000000 /dev/urandom | dd of=copy conv=notrunc status=none
  ends 5 qcbak restore "latest:$loop" --target copy -q
  err_has "--yes"
  ok qcbak restore "latest:$loop" --target copy --yes --verify --json
  is "$(json 'd["verified"], d["bytes"], d["errors"]')" "(True, $((96 << 20)), [])"
  free=$(python3 compare.py disk copy) || fail "the copy is not what was in use"
  ((free > 50000000)) || fail "nothing was free"
  (($(stat -c %b copy) * 512 < 60000000)) || fail "the copy has no holes"
  e2fsck -fn copy >/dev/null 2>.err || fail "the copy has errors"
  qcbak cat "latest:$loop" | cmp - copy || fail "cat gives something else"
  kept=$(mount -o ro "$loop" mnt && sum_of mnt/kept && umount mnt)
  first=$loop
  # Onto a device that is larger and full of other bytes; again, nothing is written.
  rm -f target && truncate -s 100M target
  head -c 100000000 /dev/urandom | dd of=target conv=notrunc status=none
  tail -c $((4 << 20)) target >behind
  loop_over target
  ok qcbak restore "latest:$first" --target "$loop" --yes --verify -q
  cmp <(head -c $((96 << 20)) "$loop") copy || fail "the device has something else"
  cmp <(tail -c $((4 << 20)) target) behind || fail "what lies behind the image was changed"
  ok qcbak restore "latest:$first" --target "$loop" --yes --json
  is "$(json 'd["bytes_written"]')" 0
  mount "$loop" mnt
  is "$(sum_of mnt/kept)" "$kept"
  diff -r /usr/share/common-licenses mnt/common-licenses || fail "files differ"
  ends 5 qcbak restore "latest:$first" --target "$loop" --yes -q
  one_error_line
  err_has "it is mounted at $scratch/mnt"
  ends 5 qcbak restore "latest:$first" --target target --yes -q
  umount mnt
  detach "$loop"
  truncate -s 95M target
  loop_over target
  ends 2 qcbak restore "latest:$first" --target "$loop" --yes -q
  err_has "or larger is needed"
  detach "$loop"
  detach "$first"
done
ok qcbak verify --read-data -q

# ---- A file system whose journal is not played back is read whole: what it says of free blocks may be old.
truncate -s 48M disk
mkfs.ext4 -q -F disk
debugfs -w -R "feature needs_recovery" disk 2>/dev/null >.out
head -c 4000000 /dev/urandom | dd of=disk bs=1M seek=40 conv=notrunc status=none
ok qcbak backup --image disk --json
is "$(json_lines 'd[-1]["bytes_read"] > 4000000')" True
: >copy
ok qcbak restore "latest:$scratch/disk" --target copy --yes --verify -q
cmp disk copy || fail "not all of it came back"

# ---- Any bytes at all: a partition table, gaps, a size that is no multiple of anything.
rm disk copy
truncate -s $(((64 << 20) + 512 * 3)) disk
sfdisk -q disk <<'END'
label: gpt
start=2048, size=20480, name="first"
start=40960, size=30720, name="second"
END
head -c 10000000 /dev/urandom | dd of=disk bs=1M seek=1 conv=notrunc status=none
ok qcbak backup --image disk --json
is "$(json_lines 'd[-1]["bytes_read"] < 12000000')" True
rm -f target && truncate -s $(((64 << 20) + 512 * 3)) target
loop_over target
ok qcbak restore "latest:$scratch/disk" --target "$loop" --yes --verify -q
cmp disk "$loop" || fail "the device has something else"
is "$(sfdisk -d "$loop" | sed "s|$loop||; /^device/d; s|^p||")" "$(sfdisk -d disk | sed "/^device/d; s|^disk||")"
detach "$loop"
# In a folder, as any file of a snapshot.
ok qcbak restore "latest:$scratch/disk" --target folder --verify -q
cmp disk folder/disk || fail "the file is another"
# Never in the place of a device.
rm folder/disk
mknod folder/disk b 7 250
ends 3 qcbak restore "latest:$scratch" --target folder --include disk -q
err_has "it is a device"
[[ -b folder/disk ]] || fail "a file is where the device was"
rm folder/disk
# One without a byte but zeros, and an empty one, beside each other.
truncate -s 5M zeros
: >empty
ok qcbak backup --image zeros empty --json
is "$(json_lines 'd[-1]["files_new"], d[-1]["bytes_read"]')" "(2, 0)"
ok qcbak restore "latest:$scratch" --target both --verify -q
cmp zeros both/zeros && cmp empty both/empty || fail "zeros are not zeros"

# ---- Only what changed is stored, in whole chunks, which have 8 MiB at most. Where chunks fall behind a change is chance, so
# little is behind this one.
head -c 64000000 /dev/urandom >disk
ok qcbak backup --image disk -q
head -c 1920000 /dev/urandom | dd of=disk bs=1000 seek=62000 conv=notrunc status=none
ok qcbak backup --image disk --json
is "$(json_lines 'd[-1]["bytes_read"], 1900000 < d[-1]["bytes_added"] < 11000000')" "(64000000, True)"
: >copy
ok qcbak restore "latest:$scratch/disk" --target copy --yes --verify -q
cmp disk copy || fail "the copy is another"

# ---- A repository that is full half-way: no snapshot.
mount -t tmpfs -o size=60m none small
ok env -u QCBAK_CREDENTIAL_FILE "$QCBAK" init -q --repo small/repo
ends 1 env -u QCBAK_CREDENTIAL_FILE "$QCBAK" backup --repo small/repo --image disk -q
one_error_line
err_has "MiB left"
ok env -u QCBAK_CREDENTIAL_FILE "$QCBAK" snapshots --repo small/repo --json
is "$(json 'len(d)')" 0
umount small

# ---- Wrong usage.
for line in "--image" "--image . --exclude x" "disk --while-mounted crash-consistent" "--image disk --while-mounted never" \
  "--image --stdin --name x" "--image mnt" "--image /"; do
  # shellcheck disable=SC2086  # words
  ends 2 qcbak backup $line
  one_error_line
done
ends 1 qcbak backup --image nothing-there
ends 2 qcbak restore "latest:$scratch" --target copy --yes
one_error_line
ends 2 qcbak restore "latest:$scratch/disk" --target copy --yes --overwrite never
ends 2 qcbak restore "latest:$scratch/disk" --target copy --yes --delete
