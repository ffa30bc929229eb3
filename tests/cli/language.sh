#!/usr/bin/env bash
# Vietnamese where the locale says so; JSON is the same for all.
source "$(dirname "$0")/harness.bash"
python3 "$here/catalogue.py" "$here/../../cli" || fail "the catalogue is not complete"
make_repository
ok env LC_ALL=vi_VN.UTF-8 "$QCBAK" snapshots
out_has "BẢN CHỤP"
ok env -u LC_ALL LC_MESSAGES=vi_VN LANG=en_US.UTF-8 "$QCBAK" snapshots
out_has "BẢN CHỤP"
ok env -u LC_ALL LANG=vi_VN.UTF-8 "$QCBAK" backup source
out_has "bản chụp"
ok env LC_ALL=C LANG=vi_VN.UTF-8 "$QCBAK" snapshots
out_has "SNAPSHOT"
unset LC_ALL  # bash would complain of a locale that it does not have
export LANG=vi_VN
ends 2 qcbak bakup
err_has "có phải ý bạn là: qcbak backup?"
ok qcbak restore --help
out_has "Ví dụ:"
ok qcbak snapshots --json
is "$(json '"id" in d[0] and "host" in d[0]')" True
ok qcbak restore latest --target all --verify
out_has "tất cả đúng như đã sao lưu"
unset QCBAK_CREDENTIAL_FILE
echo 'wrong horse battery staple' >wrong
ends 12 qcbak snapshots --password-file wrong
err_has "sai mật khẩu"
ends 10 qcbak snapshots --repo nowhere
err_has "không có kho"
