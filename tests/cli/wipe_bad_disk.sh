#!/usr/bin/env bash
# Blocks that cannot be written, cannot be read, or are healed by being written again, through the kernel: a loop device over a
# file that a server answers for, which refuses them.
source "$(dirname "$0")/wipe_setup.bash"
if [[ ! -w /dev/fuse ]] || ! command -v nbdkit nbdfuse mountpoint >/dev/null || ! nbdkit --dump-plugin eval </dev/null >/dev/null 2>&1; then
  echo "skipped: it needs nbdkit, nbdfuse and FUSE"
  exit 77
fi
# Without its mount a server ends by itself.
clean_up_servers() {
  detach_loops 2>/dev/null
  local served attempt
  for served in "$scratch"/served-*/disk; do
    for ((attempt = 0; attempt < 600; ++attempt)); do
      mountpoint -q "$served" || break
      umount "$served" 2>/dev/null || sleep 0.1
    done
  done
  wait
  clean_up_disks
}
trap clean_up_servers EXIT

# NAME MiB: a disk over $name.img. What FAULTS says of a request ($action, $from, $to) is refused: sets $loop.
faulty_disk() {
  truncate -s "$2M" "$1.img"
  yes "$old_text" | head -c "$(($2 << 20))" >"$1.img"
  mkdir "served-$1"
  : >"served-$1/disk"
  nbdkit --unix - --foreground --exit-with-parent eval get_size="stat -c %s $scratch/$1.img" thread_model='echo serialize_all_requests' \
    pread="action=read from=\$4 to=\$((\$4 + \$3)); $3
      dd if=$scratch/$1.img iflag=skip_bytes,count_bytes skip=\$4 count=\$3 status=none" \
    pwrite="action=write from=\$4 to=\$((\$4 + \$3)); $3
      dd of=$scratch/$1.img oflag=seek_bytes conv=notrunc seek=\$4 status=none" \
    can_write='exit 0' can_flush='exit 0' flush='exit 0' \
    --run "exec nbdfuse $scratch/served-$1/disk \"\$uri\"" >"$1.log" 2>&1 </dev/null &
  until_true mountpoint -q "served-$1/disk"
  loop_over "$scratch/served-$1/disk"
}
refused_in() { echo "if [ \$action = $1 ] && [ \$from -lt $(($2 + 4096)) ] && [ \$to -gt $2 ]; then echo EIO >&2; exit 1; fi"; }
block=$((3 << 20))

faulty_disk unwritable 8 "$(refused_in write $block)"
approved unwritable nist-clear "$loop"
ends 6 as $operator run --approval unwritable.2 --confirm e-4701 --device "$loop" -o unwritable.3
out_has "blocks could not be written in the last pass"
is "$(dossier unwritable.3 'd["runs"][0]["steps"][0]["bad"]')" "[[$block, 4096]]"
python3 - unwritable.img $block <<'PYTHON' || fail "something else than the block kept its content"
import sys
disk, at = open(sys.argv[1], "rb").read(), int(sys.argv[2])
old = (b"quarterly salaries of the finance unit\n" * (len(disk) // 39 + 1))[: len(disk)]
assert disk[at : at + 4096] == old[at : at + 4096]
assert not any(disk[:at]) and not any(disk[at + 4096 :])
PYTHON
ok qcbak verify-evidence unwritable.3 --public-key people.pem
detach "$loop"
