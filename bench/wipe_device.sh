#!/usr/bin/env bash
# Usage: bench/wipe_device.sh BENCH_WIPE_DEVICE [DIRECTORY [MIB [ROUNDS]]]
# Overwrites and reads back a loop device with direct I/O over a file in DIRECTORY (default: /var/tmp, 2048 MiB, 3 rounds), in
# turn with fio at the same block size and with nwipe, and prints MB/s. Ratios within one round count. Exit 77: not root.
set -euo pipefail
program=$(realpath "${1:?$(sed -n 2p "$0")}")
directory=${2-/var/tmp} mib=${3-2048} rounds=${4-3}
((EUID == 0)) && [[ -w /dev/loop-control ]] || { echo "needs root and loop devices" >&2; exit 77; }

file=$(mktemp "$directory/qcbak-bench.XXXXXX")
loop='' child=''
finish() {
  if [[ -n $child ]]; then kill -KILL "$child"; wait "$child" || true; fi
  [[ -z $loop ]] || losetup --detach "$loop"
  rm -f "$file" "$file".*
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
fallocate --length "${mib}MiB" "$file"
loop=$(losetup --find --show --direct-io=on "$file")
[[ $(losetup --noheadings --output DIO "$loop") -eq 1 ]] || echo "without direct I/O: the file system below has none" >&2

fio_rate() {  # RW ENGINE DEPTH JOBS
  fio --name=x --filename="$loop" --rw="$1" --ioengine="$2" --iodepth="$3" --numjobs="$4" --offset_increment="$((100 / $4))%" \
    --size="$((100 / $4))%" --bs=6M --direct=1 --end_fsync=1 --refill_buffers=0 --group_reporting --output-format=json |
    python3 -c 'import json, sys; job = json.load(sys.stdin)["jobs"][0]; print(max(job["read"]["bw_bytes"], job["write"]["bw_bytes"]) // 10**6)'
}
print_nwipe_rate() {
  local start
  start=$(date +%s%N)
  nwipe --autonuke --nogui --noblank --nousb --method=random --verify=last --rounds=1 --logfile="$file.log" "$loop" >/dev/null 2>&1 &
  child=$!
  wait "$child"
  child=
  echo "  nwipe, random and read back, whole: $((mib * 1048576 * 1000 / ($(date +%s%N) - start)))"
}

dd if=/dev/zero of="$loop" bs=1M count="$mib" oflag=direct status=none
for ((round = 1; round <= rounds; ++round)); do
  echo "round $round"
  for rw in write read; do
    echo "  fio $rw psync 1: $(fio_rate $rw psync 1 1), io_uring depth 2: $(fio_rate $rw io_uring 2 1), depth 4: $(fio_rate $rw io_uring 4 1)"
  done
  for requests in 1 2 3; do
    "$program" "$loop" gost-r-50739 $requests | sed "s/^/  qcbak gost-r-50739, $requests at once, /"
  done
  if command -v nwipe >/dev/null; then print_nwipe_rate; fi
done
