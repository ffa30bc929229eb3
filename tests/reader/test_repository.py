#!/usr/bin/python3
"""Repositories made by the program, read by the reader that was written from docs/format.md alone, compared with what
was backed up by diff and rsync. Run: QCBAK=build/dev/cli/qcbak /usr/bin/python3 tests/reader/test_repository.py"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

READER = Path(__file__).with_name("qcbak_reader.py")
QCBAK = os.environ["QCBAK"]

# More than 32 chunks in a file, more than one leaf in a directory, holes at both ends, and all that has a name of its own.
TREE = r"""
mkdir -p many deep/a/b/c empty "$(printf 'not\377utf8')"
head -c 45000000 /dev/urandom > large
head -c 300000 /dev/zero > zeros
echo hello > small
: > nothing
truncate -s 30M sparse; printf middle | dd of=sparse bs=1 seek=9000000 conv=notrunc 2>/dev/null
ln small deep/a/again; ln -s ../small deep/link; ln -s "$(printf 'to\377')" deep/strange
for i in $(seq 3000); do echo "file $i" > many/$i; done
printf x > "$(printf 'new\nline')"; printf y > "t$(printf '\303\272')n"
setfattr -n user.note -v value small
chmod 2750 deep; chmod 400 nothing
touch -h -d '2001-02-03 04:05:06.123456789' deep/link nothing
touch -d '1960-01-01 00:00:00.25' zeros; touch -d '2200-01-01' small
touch -d '2011-11-11' many deep/a deep empty
"""
CHANGE = r"""
rm many/7 many/8; echo other > many/9; mkdir many/new; echo x > many/new/file
printf inserted | cat - large > larger; mv larger large
rm deep/strange; echo a > deep/strange
"""


class RepositoryTest(unittest.TestCase):
    cipher = "aes-256-gcm"

    def setUp(self) -> None:
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.source, self.out = self.directory / "source", self.directory / "out"
        self.source.mkdir()
        self.password = self.directory / "password"
        self.password.write_text("Gleis 9¾ nach Hogwarts\n")
        self.keys: list[str] = []

    def run_program(self, *command: Any) -> str:
        environment = {"QCBAK_REPO": str(self.directory / "repository"), "QCBAK_PASSWORD_FILE": str(self.password),
                       "HOME": str(self.directory), "XDG_CACHE_HOME": str(self.directory / "cache"),
                       "PATH": os.environ["PATH"]}
        done = subprocess.run([QCBAK, *map(str, command), *self.keys], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def read(self, *command: Any) -> list[Any]:
        arguments = [sys.executable, READER, self.directory / "repository", "--password-file", self.password]
        done = subprocess.run([*arguments, *self.keys, *command], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def shell(self, script: str) -> None:
        subprocess.run(["/bin/sh", "-ec", script], cwd=self.source, check=True)

    def backup(self, *options: str) -> str:
        summary = json.loads(self.run_program("backup", self.source, "--json", *options).splitlines()[-1])
        return str(summary["snapshot"])

    def compare(self, snapshot: str) -> None:
        subprocess.run(["rm", "-rf", self.out], check=True)
        self.read("extract", snapshot, str(self.out))
        found = f"{self.out}{self.source}"
        subprocess.run(["diff", "-r", "--no-dereference", self.source, found], check=True)
        # Owners, attributes and access lists are what `tree` shows, not what `extract` sets.
        differences = subprocess.run(["rsync", "-rlptHSn", "--checksum", "--delete", "--itemize-changes",
                                      f"{self.source}/", f"{found}/"], check=True, capture_output=True)
        self.assertEqual(differences.stdout, b"")

    def check(self, snapshots: int) -> None:
        (summary,) = self.read("check")
        self.assertEqual((summary["problems"], summary["snapshots"], summary["records not opened"],
                          summary["trees not opened"], summary["key objects apart"]), (0, snapshots, 0, 0, 0))

    def test_reads_what_the_program_wrote(self) -> None:
        self.run_program("init", "--cipher", self.cipher)
        self.shell(TREE)
        first = self.backup("--label", "kind=test", "--label", "a=ü")
        self.compare(first)
        self.shell(CHANGE)
        second = self.backup()
        self.compare(second)
        self.check(2)
        listed = {snapshot["id"]: snapshot for snapshot in self.read("list")}
        self.assertEqual(set(listed), {first, second})
        self.assertEqual(listed[first]["labels"], {"a": "ü", "kind": "test"})
        self.assertEqual(listed[first]["paths"], [str(self.source)])
        ours = {snapshot["id"]: snapshot for snapshot in json.loads(self.run_program("snapshots", "--json"))}
        self.assertEqual({i: (s["host"], s["bytes"]) for i, s in ours.items()},
                         {i: (s["host"], s["totals"]["bytes"]) for i, s in listed.items()})
        self.compare_metadata(second)

    def compare_metadata(self, snapshot: str) -> None:
        tree = {bytes.fromhex(entry["path_hex"]): entry for entry in self.read("tree", snapshot)}
        places = [self.source, *self.source.rglob("*")]
        self.assertEqual({path for path in tree if path.startswith(os.fsencode(self.source))},
                         {os.fsencode(place) for place in places})
        for place in places:
            entry, status = tree[os.fsencode(place)], place.lstat()
            self.assertEqual((entry["mode"], entry["uid"], entry["gid"]),
                             (status.st_mode & 0o7777, status.st_uid, status.st_gid), place)
            self.assertEqual(entry["mtime"], list(divmod(status.st_mtime_ns, 10 ** 9)), place)
            self.assertEqual(entry["link"][0] if entry["link"] else 1, 1 if place.is_dir() and not place.is_symlink()
                             else status.st_nlink, place)
        small = tree[os.fsencode(self.source / "small")]
        self.assertEqual(small["attributes"], [[b"user.note".hex(), b"value".hex()]])

    def test_reads_keys_kept_apart(self) -> None:
        self.keys = ["--keys", str(self.directory / "keys")]
        self.run_program("init", "--cipher", self.cipher)
        self.shell("echo x > file")
        self.compare(self.backup())
        self.check(1)


class RepositoryTestXChaCha(RepositoryTest):
    cipher = "xchacha20-poly1305"


if __name__ == "__main__":
    unittest.main()
