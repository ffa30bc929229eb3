#!/usr/bin/env bash
# A disk that becomes hot rests, SIGTERM ends a rest, and the record says how often it rested and how hot it was, over all
# segments. Its sensor is a file: in a mount name space of the test's own, a copy of the loop device's directory in sysfs that
# has one lies over it.
source "$(dirname "$0")/wipe_setup.bash"
unshare --mount true 2>/dev/null || { echo "skipped: no mount name space can be made"; exit 77; }

disk hot.img 16
approved hot nist-clear "$loop"
media_of hot "$loop"

sysfs=/sys/devices/virtual/block/${loop##*/}
cp -r "$sysfs" sysfs 2>/dev/null || true  # what cannot be read of it, nobody asks for
mkdir -p sysfs/device/hwmon/hwmon0
sensor=$scratch/sysfs/device/hwmon/hwmon0/temp1_input
cat >in_name_space <<'END'
#!/usr/bin/env bash
mount --bind "$1" "$2" && shift 2 && exec "$@"
END
chmod 755 in_name_space

begin() {  # [OPTIONS]: in the background, with the sensor; sets $shell
  QCBAK_SIGN_PASSWORD_FILE=$scratch/home-$operator/passphrase unshare --mount ./in_name_space "$scratch/sysfs" "$sysfs" \
    "$QCBAK" wipe "${verb:-run}" --approval hot.2 "${media[@]}" -o hot.3 --signing-key "$scratch/home-$operator/.config/qcbak/signing.key" \
    --public-key "$scratch/people.pem" "$@" >.out 2>.err </dev/null &
  shell=$!
  processes=("$shell")
}
rests() {  # until it says so
  until grep -q "$1" .err; do
    kill -0 "$shell" 2>/dev/null || fail "it ended, and did not rest: $(<.err)"
    sleep 0.05
  done
}

echo 65000 >"$sensor"
begin
rests "is at 65 °C, and rests"
kill -TERM "$shell"
ended
is "$code" 1
[[ ! -e hot.3 ]] || fail "it was interrupted, and has a record"

# Under the limit that is asked for now it does not rest; above it, until it is five degrees cooler.
echo 52000 >"$sensor"
verb=resume
begin --hot-above 50
rests "is at 52 °C, and rests"
echo 45000 >"$sensor"
ended
is "$code" 0
is "$(dossier hot.3 'd["runs"][0]["heat"]')" "{'highest_c': 65, 'rests': 2}"
is "$(dossier hot.3 'd["runs"][0]["health_before"]')" "{'temperature_c': 65}"
is "$(dossier hot.3 'd["runs"][0]["health_after"]')" "{'temperature_c': 45}"
ok qcbak verify-evidence hot.3 --public-key people.pem
python3 "$here/wipe_content.py" hot.img hot.3.journal 00 1 "$old_text" || fail "the disk holds something else"
