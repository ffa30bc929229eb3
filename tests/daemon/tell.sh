#!/usr/bin/env bash
# People are told by mail and webhook when something needs them and when it is over: once, also across ends of the daemon and of the server.
first=$(cd "$(dirname "$0")" && pwd)
source "$first/harness.bash"
source "$first/correspondents.bash"
make_source
make_keys
make_certificates
# All but that no plan was approved yet, which is so throughout.
kinds="on = ['failure', 'incomplete', 'missed', 'unwatched', 'space', 'clock', 'undelivered']"
echo 'the password' >smtp.password
echo 'the key' >hook.secret
for name in smtps smtp https; do correspond $name $name; done
configure "
[[job]]
name = 'shaky'
source = { files = ['$scratch/source'] }
schedule = 'never'
retries = 0
before = 'test -e $scratch/good'
[[notify]]
$kinds
email = ['lan@example.gov.vn', 'hoa@example.gov.vn']
smtp = 'smtps://127.0.0.1:$(cat smtps.port)'
from = 'qcbak@example.gov.vn'
user = 'backup'
password = '$scratch/smtp.password'
ca_file = '$scratch/ca.pem'
digest = 'never'
[[notify]]
$kinds
email = 'nam@example.gov.vn'
smtp = 'smtp://127.0.0.1:$(cat smtp.port)'
from = 'qcbak@example.gov.vn'
ca_file = '$scratch/ca.pem'
digest = 'never'
language = 'vi'
[[notify]]
$kinds
webhook = 'https://127.0.0.1:$(cat https.port)/hook?a=b'
webhook_secret = '$scratch/hook.secret'
ca_file = '$scratch/ca.pem'
digest = 'never'
[[notify]]
webhook = 'https://127.0.0.1:$(cat https.port)/digest'
ca_file = '$scratch/ca.pem'
on = []
digest = '*:*:0/2'
"

# At once, from the command line.
ok "$QCBAKD" --config qcbak.toml --send-test
is "$(grep -c ': sent$' .out)" 4
is "$(got smtps '[m["subject"].split("] ")[1] for m in d]')" "['a test message']"
: >smtps.got; : >smtp.got; : >https.got

# A failure.
start
ends 1 qcbak job run shaky --follow
hook='[m["json"] for m in d if m["request"].startswith("POST /hook?a=b")]'
within 60 "a mail" got_is smtps 'len(d)' 1
within 60 "a mail by STARTTLS" got_is smtp 'len(d)' 1
within 60 "a webhook" got_is https "len($hook)" 1
is "$(got smtps '(d[0]["from"], d[0]["to"], d[0]["login"])')" "('qcbak@example.gov.vn', ['lan@example.gov.vn', 'hoa@example.gov.vn'], ['backup', 'the password'])"
is "$(got smtps 'd[0]["subject"].split("] ")[1]')" 'job shaky failed'
run_id=$(qcbak job show shaky --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"][:8])')
is "$(got smtps "'qcbak job show $run_id' in d[0]['text'] and 'the command before it' in d[0]['text']")" True
is "$(got smtps 'all(h in d[0]["headers"] for h in ("Date", "Message-ID", "MIME-Version"))')" True
is "$(got smtp '(d[0]["subject"].split("] ")[1], d[0]["login"])')" "('công việc shaky thất bại', None)"
is "$(got https "[(m['event'], m['key'], m['job'], m['state']) for m in $hook]")" "[('failure', 'failure:shaky', 'shaky', 'raised')]"
signature=$(got https '[m["headers"]["x-qcbak-signature"] for m in d if "hook" in m["request"]][0]')
is "$signature" "sha256=$(got https '[m["body"] for m in d if "hook" in m["request"]][0]' | tr -d '\n' | openssl dgst -sha256 -hmac 'the key' -r | cut -d' ' -f1)"
ok qcbak status --json
is "$(json '[(a["key"], a["told"] is None) for a in d["alerts"] if a["kind"] != "plan"]')" "[('failure:shaky', False)]"

# A digest, by its calendar; a table with on = [] is told nothing else.
within 60 "a digest" got_is https 'any(m["json"]["state"] == "digest" and "shaky: failed" in m["json"]["what"] for m in d)' True
is "$(got https '{m["json"]["state"] for m in d if "/digest" in m["request"]}')" "{'digest'}"

# Another failure, another life of the daemon: the same alert. Then it is over.
ends 1 qcbak job run shaky --follow
stop
start
touch good
ok qcbak job run shaky --follow
within 60 "that it is over" got_is smtps 'len(d)' 2
within 60 "that it is over" got_is https "len($hook)" 2
is "$(got smtps '[m["subject"].split("] ")[1] for m in d]')" "['job shaky failed', 'over: job shaky failed']"
within 60 "that it is over, in Vietnamese" got_is smtp '[m["subject"].split("] ")[1] for m in d]' "['công việc shaky thất bại', 'đã hết: công việc shaky thất bại']"
is "$(got https "[m['state'] for m in $hook]")" "['raised', 'cleared']"

# The server is not there, and the daemon is killed: what was to be told is told later, in its order.
hang_up smtps
rm good
ends 1 qcbak job run shaky --follow
within 60 "a message waits" status_is '[m["waiting"] for m in d["messages"] if "smtps" in m["channel"]]' '[1]'
within 60 "it says why" status_is '[m["error"] is not None for m in d["messages"] if "smtps" in m["channel"]]' '[True]'
ok qcbak status
out_has 'via smtps://127.0.0.1'
kill_daemon
start
touch good
ok qcbak job run shaky --follow
within 60 "both wait" status_is '[m["waiting"] for m in d["messages"] if "smtps" in m["channel"]]' '[2]'
correspond smtps smtps
try_again
within 90 "both come" got_is smtps 'len(d)' 4
is "$(got smtps '[m["subject"].split("] ")[1] for m in d[2:]]')" "['job shaky failed', 'over: job shaky failed']"
within 60 "nothing waits" status_is 'sum(m["waiting"] for m in d["messages"])' 0

# A server that shows a certificate of somebody else gets nothing, neither by TLS nor by STARTTLS.
for name in smtps smtp; do hang_up $name; correspond $name $name stranger; done
rm good
ends 1 qcbak job run shaky --follow
for name in smtps smtp; do
  within 60 "$name waits" status_is "[m['waiting'] for m in d['messages'] if '$name:' in m['channel']]" '[1]'
  within 60 "$name says why" status_is "['certificate' in (m['error'] or '') for m in d['messages'] if '$name:' in m['channel']]" '[True]'
done
is "$(got smtps 'len(d)')$(got smtp 'len(d)')" 44
# After a day somebody else is told of that.
stop
python3 - <<'END'
import sqlite3
db = sqlite3.connect("state/state.db")
db.execute("update messages set created_ns = created_ns - 2 * 86400 * 1000000000 where channel like '%smtps:%'")
db.commit()
END
start
within 60 "the alert" status_is '[a["key"].split(":")[0] for a in d["alerts"] if a["kind"] == "undelivered"]' "['undelivered']"
within 60 "the webhook" got_is https "[m['state'] for m in $hook if m['event'] == 'undelivered']" "['raised']"
is "$(got smtps 'len(d)')" 4
ends 1 "$QCBAKD" --config qcbak.toml --send-test
is "$(grep -c ': not sent: ' .out)" 2

# A redirect is no delivery, and is not followed.
sed -i 's#/hook?a=b#/moved#' qcbak.toml
ends 1 "$QCBAKD" --config qcbak.toml --send-test
out_has 'not sent: the server answered 302'
stop
