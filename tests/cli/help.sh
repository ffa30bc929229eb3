#!/usr/bin/env bash
# Help on every level, with an example; wrong usage is one line and names what comes nearest.
source "$(dirname "$0")/harness.bash"

ok qcbak --version
[[ $out =~ ^qcbak\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "no version"
ok qcbak --help
out_has "Examples:"
ok qcbak internal verbs
verbs=$out
for verb in $verbs; do
  ok qcbak "$verb" --help
  out_has "Examples:"
  out_has "qcbak $verb"
  [[ -z $err ]] || fail "help writes to standard error"
  ok qcbak internal man "$verb"
  for section in NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES "EXIT STATUS" ENVIRONMENT "SEE ALSO"; do
    out_has ".SH $section"
  done
done
for command in list add remove passwd credential export; do
  ok qcbak key "$command" -h
  out_has "Examples:"
done
for verb in init backup snapshots ls find cat diff restore verify repair forget prune tag stats export key audit verify-evidence wipe; do
  grep -qx "$verb" <<<"$verbs" || fail "the verb $verb is missing"
done

ends 2 qcbak
one_error_line
ends 2 qcbak bakup
one_error_line
err_has "did you mean: qcbak backup?"
ends 2 qcbak backup /etc --ecxlude x
err_has "did you mean: --exclude?"
ends 2 qcbak snapshots --latest
err_has "--latest wants a value"
ends 2 qcbak snapshots extra
err_has '"extra"'
ends 2 qcbak backup
ends 2 qcbak key
err_has "passwd"
ends 2 qcbak key ad
err_has "did you mean: qcbak key add?"
ends 2 qcbak snapshots --latest many
ends 2 qcbak restore latest
err_has "--target"
ends 2 qcbak forget
ends 2 qcbak verify --sample 0
ends 2 qcbak tag latest --lock yesterday
for line in wal mount agent report "key rotate" "key share" "backup --postgres host=db1" \
  "restore latest --target x --rehearse" "repair --distrust-since 2026-01-01" "snapshots --repo s3:https://host/bucket"; do
  # shellcheck disable=SC2086  # words
  ends 2 qcbak $line
  err_has "not in this version"
  one_error_line
done

ends 2 qcbak bakup --json
[[ -z $out ]] || fail "an error is not the result"
is "$(sed -n 2p .err | python3 -c 'import json, sys; e = json.load(sys.stdin); print(e["type"], e["code"], e["exit_code"])')" \
  "error usage 2"

ok qcbak internal completion bash
bash -n .out || fail "the completion for bash does not parse"
complete_bash() { bash -c 'source .out; COMP_WORDS=(qcbak "$@"); COMP_CWORD=$#; _qcbak; printf "%s\n" "${COMPREPLY[@]}"' - "$@"; }
[[ $(complete_bash rest) == restore ]] || fail "bash does not complete a verb"
[[ $(complete_bash key cre) == credential ]] || fail "bash does not complete a noun"
[[ $(complete_bash forget --keep-d) == --keep-daily ]] || fail "bash does not complete an option"
for shell in zsh fish; do
  ok qcbak internal completion "$shell"
  if command -v "$shell" >/dev/null; then "$shell" -n .out || fail "the completion for $shell does not parse"; fi
done
if [[ -n $RECOVER ]]; then
  ok "$RECOVER" --help
  out_has "restore"
  ends 2 "$RECOVER" backup /etc
fi
