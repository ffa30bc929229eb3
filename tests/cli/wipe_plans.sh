#!/usr/bin/env bash
# Each plan that only overwrites, on a disk full of known text: another program makes what its last pass has to leave, and
# compares all of it.
source "$(dirname "$0")/wipe_setup.bash"

# The last pass of each: bytes in hexadecimal, random, or the complement of the byte that was drawn; and the number of its step.
declare -A last_pass=(
  [nist-clear]=00:1 [dod-3pass]=random:3 [dod-ece]=random:7 [hmg-is5-baseline]=00:1 [hmg-is5-enhanced]=random:3
  [bsi-vsitr]=aa:7 [gost-r-50739]=random:2 [ops-ii]=random:7 [itsg-06]=random:3 [ar-380-19]=complement:2
  [afssi-5020]=random:3 [navso-mfm]=random:3 [navso-rll]=random:3 [nnsa]=00:3 [schneier]=random:7 [gutmann]=random:35
  [bmb21-2019]=00:7)
ok qcbak wipe plans --json
for plan in $(json '" ".join(p["name"] for p in d if p["category"] == "clear")'); do
  [[ -n ${last_pass[$plan]-} ]] || fail "nobody says here what $plan has to leave"
done
for plan in "${!last_pass[@]}"; do
  IFS=: read -r content step <<<"${last_pass[$plan]}"
  disk "$plan.img" 7
  approved "$plan" "$plan" "$loop"
  media_of "$plan" "$loop"
  ok as $operator run --approval "$plan.2" "${media[@]}" -o "$plan.3"
  out_has "clear, everything was written and read back"
  detach "$loop"
  python3 "$here/wipe_content.py" "$plan.img" "$plan.3.journal" "$content" "$step" "$old_text" || fail "$plan left something else"
  rm "$plan.img"
done
