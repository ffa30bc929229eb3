#!/usr/bin/python3
"""Tests of the reader on repositories made by a tiny writer, which is from docs/format.md alone too and shares nothing
with the reader: its own CBOR, HKDF by another library. Run: /usr/bin/python3 tests/reader/test_reader.py"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Callable, Optional

import nacl.bindings as sodium
import nacl.pwhash
import zstandard
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

READER = Path(__file__).with_name("qcbak_reader.py")
NOW = 1_700_000_000_123_456_789
DAY = 86_400 * 10 ** 9
PASSWORD = "Gleis 9¾".encode()


def cbor(value: Any) -> bytes:
    def head(major: int, number: int) -> bytes:
        for extra, limit, form in ((24, 1 << 8, ">B"), (25, 1 << 16, ">H"), (26, 1 << 32, ">I"), (27, 1 << 64, ">Q")):
            if number < 24:
                return bytes([major << 5 | number])
            if number < limit:
                return bytes([major << 5 | extra]) + struct.pack(form, number)
        raise ValueError(number)
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(key) + cbor(value[key]) for key in sorted(value))


def H(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def u32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def hkdf(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


def sign(seed: bytes, message: bytes) -> bytes:
    return sodium.crypto_sign(message, sodium.crypto_sign_seed_keypair(seed)[1])[:64]


def ed_public(seed: bytes) -> bytes:
    return sodium.crypto_sign_seed_keypair(seed)[0]


class Writer:
    """Makes one repository of one domain with a custodian, a writer and an epoch."""

    def __init__(self, path: Path, suite: int, false_root: Optional[bytes] = None) -> None:
        self.false_root = false_root
        self.path, self.suite, self.id, self.domain = path, suite, os.urandom(16), os.urandom(16)
        config = cbor({1: "qcbak", 2: 1, 3: self.id, 4: suite, 5: NOW, 6: ["collect-1"], 7: []})
        self.config = H(config)
        self.seed, self.writer, self.custodian = os.urandom(32), os.urandom(32), os.urandom(16)
        self.id_key, self.map_key, self.secret = os.urandom(32), os.urandom(32), os.urandom(32)
        self.public = sodium.crypto_scalarmult_base(self.secret)
        self.x_secret = hkdf(self.seed, b"", b"qcbak1 custodian box", 32)
        self.root = hkdf(self.seed, b"", b"qcbak1 custodian sign", 32)
        self.head, self.number = self.config, 0
        self.chunks: list[tuple[int, bytes, bytes]] = []  # type, id, plaintext
        self.data_key, self.swapped_reference = os.urandom(32), False
        self.put("config", config)
        self.start()

    def put(self, path: str, data: bytes) -> Path:
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_bytes(data)
        return self.path / path

    def aead(self, key: bytes, number: int, associated: bytes, plaintext: bytes) -> bytes:
        if self.suite == 1:
            return AESGCM(key).encrypt(bytes(4) + number.to_bytes(8, "big"), plaintext, associated)
        nonce = bytes(16) + number.to_bytes(8, "big")
        return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, associated, nonce, key)

    def map(self, purpose: bytes, context: bytes, plaintext: bytes) -> list[Any]:
        salt = os.urandom(32)
        associated = b"qcbak1 map\0" + self.config + self.domain + u32(1, len(purpose)) + purpose + context
        key = hkdf(self.map_key, salt, b"qcbak1 map " + purpose, 32)
        return [1, salt, self.aead(key, 0, associated, plaintext)]

    # Keys and log
    def key_object(self, fields: dict[int, Any], issuer: bytes) -> bytes:
        payload = cbor({2: self.domain, **fields})
        data = cbor([payload, ed_public(issuer), sign(issuer, b"qcbak1 key object\0" + self.config + payload)])
        self.put(f"keys/{H(data).hex()}", data)
        return H(data)

    def log(self, kind: int, details: dict[int, Any], sealed: Optional[dict[int, Any]] = None,
            signer: Optional[bytes] = None, time: int = NOW, forge: bool = False) -> int:
        self.number += 1
        signer = signer or self.root
        fields = {1: self.number, 2: self.head, 3: time, 4: kind, 5: ed_public(signer), 6: self.domain, 7: details}
        if sealed is not None:
            fields[8] = self.map(b"log", struct.pack("<Q", self.number), cbor(sealed))
        payload = cbor(fields)
        data = cbor([payload, bytes(64) if forge else sign(signer, b"qcbak1 log\0" + self.config + payload)])
        self.put(f"log/{self.number:012}", data)
        self.head = H(data)
        return self.number

    def start(self) -> None:
        x_public, root = sodium.crypto_scalarmult_base(self.x_secret), ed_public(self.root)
        salt = os.urandom(16)
        key = nacl.pwhash.argon2id.kdf(32, PASSWORD, salt, opslimit=1, memlimit=8 << 20)
        associated = b"qcbak1 slot" + self.config + self.domain + self.custodian + x_public + root
        check = hkdf(self.map_key, b"", b"qcbak1 map check", 32)
        secrets = cbor({1: root, 2: self.id_key, 3: self.map_key, 4: self.secret})
        vouched = hmac.digest(hkdf(self.seed, b"", b"qcbak1 custodian root", 32),
                              b"qcbak1 root\0" + self.config + self.domain + (self.false_root or root), "sha256")
        names = [self.key_object(fields, issuer) for fields, issuer in (
            ({1: 1, 3: "home", 4: NOW, 5: root, 6: [1 << 18, 20, 1 << 23, 7]}, self.root),
            ({1: 2, 3: self.custodian, 4: "Ann", 5: NOW, 6: x_public, 7: root, 8: 1,
              9: [salt, 1, 8192, self.aead(key, 0, associated, self.seed)], 10: vouched}, self.root),
            ({1: 5, 3: ed_public(self.writer), 4: "host", 5: NOW}, self.root))]
        self.log(1, {1: b"".join(sorted(names)), 2: b""}, {1: "made"})
        names = [self.key_object(fields, self.writer) for fields in (
            {1: 3, 3: 1, 4: NOW, 5: self.public, 6: check},
            {1: 4, 3: 1, 4: self.custodian, 5: sodium.crypto_box_seal(secrets, x_public)})]
        self.log(1, {1: b"".join(sorted(names)), 2: b""}, {1: "made"}, signer=self.writer)

    def credential(self, kind: int) -> bytes:
        epoch = [1, self.map_key, self.id_key, self.public, self.secret if kind == 2 else None]
        domain = {1: self.domain, 2: "home", 3: ed_public(self.root), 4: self.writer, 5: [epoch]}
        data = cbor({1: kind, 2: self.config, 3: [domain], 4: [self.number, self.head]})
        lines = [data[at:at + 32].hex() for at in range(0, len(data), 32)]
        return "\n".join([f"qcbak {('write', 'read')[kind - 1]} credential 1", *lines, H(data).hex(), ""]).encode()

    # Chunks, segments, packs, index
    def chunk(self, kind: int, plaintext: bytes) -> bytes:
        chunk = hmac.digest(self.id_key, bytes([kind]) + H(plaintext), "sha256")
        if all(known != chunk for _, known, _ in self.chunks):
            self.chunks.append((kind, chunk, plaintext))
        return chunk

    def segment(self, kind: int) -> tuple[list[Any], bytes]:
        name, salt = os.urandom(16), os.urandom(32)
        key, info = (self.data_key, b"qcbak1 segment") if kind == 1 else (self.map_key, b"qcbak1 map segment")
        both = hkdf(key, salt, info + self.config + self.domain + name, 64)
        keys = [[self.public, sodium.crypto_box_seal(key, self.public)]] if kind == 1 else []
        return [name, kind, 1, salt, both[32:], keys], both[:32]

    def record(self, segment: list[Any], key: bytes, ordinal: int, kind: int, flags: int, plaintext: bytes,
               chunks: list[tuple[bytes, int]]) -> bytes:
        associated = (b"qcbak1 record" + self.config + self.domain + segment[0] + u32(ordinal) + bytes([kind, flags]) +
                      u32(len(plaintext), len(chunks)) + b"".join(name + u32(length) for name, length in chunks))
        payload = zstandard.ZstdCompressor().compress(plaintext) if flags & 1 else plaintext
        return self.aead(key, ordinal, associated, payload)

    def pack(self, chunks: list[tuple[int, bytes, bytes]], together: int) -> bytes:
        """`together` chunks of one type to a record."""
        segments = [self.segment(1), self.segment(2)]
        records, directory, count = b"", b"", 0
        for kind in (1, 2, 3):
            some = [chunk for chunk in chunks if chunk[0] == kind]
            for at in range(0, len(some), together):
                place, group = kind // 3, some[at:at + together]
                plaintext = b"".join(data for _, _, data in group)
                sizes = [(name, len(data)) for _, name, data in group]
                flags = count % 2
                stored = self.record(*segments[place], count, kind, flags, plaintext, sizes)
                directory += struct.pack("<HBB5I", place, kind, flags, count, 64 + len(records), len(stored),
                                         len(plaintext), len(sizes)) + b"".join(name + u32(n) for name, n in sizes)
                self.indexed += [(name, len(self.packs), 64 + len(records), len(stored), n) for name, n in sizes]
                records, count = records + stored, count + 1
        array = [segment for segment, _ in segments]
        table = cbor([array, self.map(b"directory", H(cbor(array)), u32(count) + directory)])
        least = 128 + len(records) + 2 * len(table)
        e = least.bit_length() - 1
        grain = 1 << (e - (e.bit_length() - 1) - 1)
        length = -(-least // grain) * grain
        header = b"qcbakpk1" + self.domain + u32(1, 64 + len(records), length - 64 - len(table), len(table), length, 0)
        header += H(header)[:16]
        data = header + records + table + bytes(length - least) + table + header
        self.put(f"packs/{H(data).hex()[:2]}/{H(data).hex()}", data)
        self.packs.append((H(data), length))
        return H(data)

    def flush(self) -> bytes:
        """Data to one pack, nodes and references to another; the names joined."""
        self.packs: list[tuple[bytes, int]] = []
        self.indexed: list[tuple[bytes, int, int, int, int]] = []
        names = [self.pack([c for c in self.chunks if (c[0] == 1) == data], 3) for data in (True, False)]
        x = u32(len(self.packs)) + b"".join(name + u32(length) for name, length in self.packs)
        x += u32(len(self.indexed)) + b"".join(name + u32(*rest) for name, *rest in sorted(self.indexed))
        data = b"qcbakix1" + self.domain + cbor(self.map(b"index", b"", x))
        self.put(f"indexes/{H(data).hex()}", data)
        return b"".join(sorted(names))

    # Trees: each node with its reference node, (id, reference)
    def node(self, value: list[Any], data: list[bytes], below: list[bytes]) -> tuple[bytes, bytes]:
        node = self.chunk(2, cbor(value))
        if self.swapped_reference:
            data = data[::-1]
        return node, self.chunk(3, cbor({1: node, 2: b"".join(data), 3: b"".join(below)}))

    def file(self, name: bytes, parts: list[Any], link: Any = None, mode: int = 0o644) -> tuple[list[Any], Any]:
        """`parts`: bytes, or the length of a hole."""
        flat: list[Any] = []
        for part in parts:
            flat += [None, part] if isinstance(part, int) else [self.chunk(1, part), len(part)]
        whole = b"".join(bytes(part) if isinstance(part, int) else part for part in parts)
        details, below = {3: H(whole)}, None
        if len(parts) > 32:
            leaves = [self.node([2, flat[at:at + 40]], [c for c in flat[at:at + 40:2] if c], [])
                      for at in range(0, len(flat), 40)]
            sizes = [sum(flat[at + 1:at + 40:2]) for at in range(0, len(flat), 40)]
            branch = [[leaf[0], size] for leaf, size in zip(leaves, sizes)]
            details[2], below = self.node([3, branch], [], [reference for _, reference in leaves])
        elif parts:
            details[1] = flat
        return [name, [1, mode, 1000, 1000, 1_600_000_000, 5, len(whole), link], details], below

    def other(self, name: bytes, kind: int, details: dict[int, Any], mode: int = 0o777) -> tuple[list[Any], Any]:
        return [name, [kind, mode, 0, 0, -5, 999_999_999, 0, None], details], None

    def directory_node(self, entries: list[tuple[list[Any], Any]], split: bool = False) -> tuple[bytes, bytes]:
        entries = sorted(entries, key=lambda entry: entry[0][0])
        if split:
            halves = [entries[:2], entries[2:]]
            nodes = [self.directory_node(half) for half in halves]
            branch = [[half[0][0][0], node[0], len(half)] for half, node in zip(halves, nodes)]
            return self.node([1, branch], [], [reference for _, reference in nodes])
        data = [chunk for entry, _ in entries for chunk in entry[2].get(1, [])[::2] if chunk]
        return self.node([0, [entry for entry, _ in entries]], data, [below for _, below in entries if below])

    def directory(self, name: bytes, entries: list[tuple[list[Any], Any]], split: bool = False,
                  mode: int = 0o755) -> tuple[list[Any], Any]:
        node, reference = self.directory_node(entries, split)
        entry, _ = self.other(name, 2, {4: node}, mode)
        return entry, reference

    # Snapshot
    def snapshot(self, root: tuple[bytes, bytes], paths: list[bytes], commit: bool = True) -> bytes:
        packs, salt, host, time = self.flush(), os.urandom(32), "rechner", NOW
        name = H(b"qcbak1 snapshot" + salt + self.id + self.domain + cbor([time, host, "files", paths]))
        segment, key = self.segment(1)
        body = self.record(segment, key, 0, 5, 0, cbor({1: name, 2: [[2, 0o755, 0, 0, 9, 0, 0, None], {4: root[0]}],
                                                           3: [[0, b"root"]], 4: [], 5: []}), [])
        h = {1: name, 2: salt, 3: time, 4: host, 5: "files", 6: paths, 7: [["kind", "test"]], 8: [7, 2, 3, 9, 9, 9],
             9: root[1], 10: "test", 11: 0, 12: time + 1}
        header = self.map(b"header", H(packs) + H(cbor(segment)) + H(body), cbor(h))
        data = cbor(["qcbaksn1", self.domain, packs, header, segment, body])
        self.put(f"snapshots/{H(data).hex()}", data)
        if commit:
            self.log(2, {1: H(data), 2: name, 3: self.number}, signer=self.writer)
        return name


def fill(writer: Writer) -> bytes:
    link = [2, 66, 1234]
    ssh = writer.directory(b"ssh", [
        writer.file(b"hello", [b"hello ", b"world\n" * 50], mode=0o600), writer.file(b"empty", []),
        writer.file(b"sparse", [b"a" * 4096, 1 << 20, b"b" * 4096, 5 << 20]),
        writer.file(b"many", [bytes([n]) * 100 for n in range(45)] + [77]),
        writer.file(b"one", [b"two names"], link), writer.file(b"two", [b"two names"], link),
        writer.other(b"link", 3, {5: b"../else\xff"}), writer.other(b"pipe", 4, {}),
        writer.other(b"null", 6, {6: 1 << 32 | 3}), writer.directory(b"void", [], mode=0o500)], split=True)
    hello = next(e for e, _ in [writer.file(b"caf\xe9", [b"hello "])])
    hello[2][8], hello[2][7] = [[b"user.note", b"\x00x"]], 16
    return writer.snapshot(writer.directory_node([writer.directory(b"etc", [ssh, (hello, None)])]), [b"/etc"])


class ReaderTest(unittest.TestCase):
    suite = 1

    def setUp(self) -> None:
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.writer = Writer(self.directory / "repository", self.suite)
        self.password = self.directory / "password"
        self.password.write_bytes(PASSWORD + b"\n")

    def run_reader(self, *command: str, key: Optional[list[Any]] = None) -> tuple[int, list[Any], str]:
        key = key or ["--password-file", self.password]
        arguments = [sys.executable, READER, self.writer.path, *key, *command]
        done = subprocess.run(arguments, capture_output=True, text=True)
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def listed(self) -> list[str]:
        status, lines, errors = self.run_reader("list")
        self.assertEqual((status, errors), (0, ""))
        return [line["id"] for line in lines]

    def refused(self, what: str, command: str = "list", key: Optional[list[Any]] = None) -> None:
        status, lines, errors = self.run_reader(command, key=key)
        self.assertEqual((status, lines), (1, []))
        self.assertIn(what, errors)

    def problems(self, *whats: str) -> str:
        status, lines, errors = self.run_reader("check")
        self.assertEqual(status, 1, errors)
        for what in whats:
            self.assertIn(what, errors)
        self.assertGreaterEqual(lines[-1]["problems"], 1)
        return errors

    def pack_with(self, data: bool) -> Path:
        name = self.writer.packs[0 if data else 1][0].hex()
        return self.writer.path / "packs" / name[:2] / name

    def flip(self, path: Path, place: Callable[[bytes], int]) -> None:
        data = bytearray(path.read_bytes())
        data[place(bytes(data))] ^= 1
        path.write_bytes(data)

    def test_lists_and_checks(self) -> None:
        name = fill(self.writer)
        status, lines, _ = self.run_reader("list")
        self.assertEqual((status, len(lines)), (0, 1))
        self.assertEqual((lines[0]["id"], lines[0]["host"], lines[0]["paths"], lines[0]["labels"]),
                         (name.hex(), "rechner", ["/etc"], {"kind": "test"}))
        status, lines, errors = self.run_reader("check")
        self.assertEqual((status, errors, lines[0]["problems"], lines[0]["trees not opened"]), (0, "", 0, 0))

    def test_shows_the_tree(self) -> None:
        name = fill(self.writer).hex()
        status, lines, _ = self.run_reader("tree", name[:9])
        self.assertEqual(status, 0)
        entries = {line["path"]: line for line in lines}
        self.assertEqual(entries["/etc/caf\\xe9"]["attributes"], [[b"user.note".hex(), "0078"]])
        self.assertEqual(entries["/etc/caf\\xe9"]["flags"], 16)
        self.assertEqual(entries["/etc/ssh/null"]["device"], [1, 3])
        self.assertEqual(entries["/etc/ssh/link"]["target_hex"], b"../else\xff".hex())
        self.assertEqual(entries["/etc/ssh/link"]["mtime"], [-5, 999_999_999])
        self.assertEqual(entries["/etc/ssh/many"]["size"], 4577)

    def test_extracts(self) -> None:
        name = fill(self.writer).hex()
        out = self.directory / "out"
        status, lines, errors = self.run_reader("extract", name, str(out))
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(sorted(line["type"] for line in lines), ["character", "fifo"])
        ssh = out / "etc" / "ssh"
        self.assertEqual((ssh / "hello").read_bytes(), b"hello " + b"world\n" * 50)
        self.assertEqual((ssh / "many").read_bytes(), b"".join(bytes([n]) * 100 for n in range(45)) + bytes(77))
        self.assertEqual((ssh / "empty").read_bytes(), b"")
        sparse = (ssh / "sparse").stat()
        self.assertEqual(sparse.st_size, 8192 + (6 << 20))
        self.assertLess(sparse.st_blocks * 512, 1 << 20)
        self.assertEqual((ssh / "one").stat().st_ino, (ssh / "two").stat().st_ino)
        self.assertEqual(os.readlink(os.fsencode(ssh / "link")), b"../else\xff")
        self.assertEqual(stat.S_IMODE((ssh / "hello").stat().st_mode), 0o600)
        self.assertEqual((ssh / "hello").stat().st_mtime_ns, 1_600_000_000 * 10 ** 9 + 5)
        self.assertEqual(stat.S_IMODE((ssh / "void").stat().st_mode), 0o500)
        self.assertEqual(ssh.lstat().st_mtime_ns, -5 * 10 ** 9 + 999_999_999)

    def test_credentials(self) -> None:
        name = fill(self.writer).hex()
        for kind in (1, 2):
            file = self.directory / "credential"
            file.write_bytes(self.writer.credential(kind))
            key = ["--credential", file]
            self.assertEqual(self.run_reader("list", key=key)[1][0]["id"], name)
            status, lines, errors = self.run_reader("check", key=key)
            self.assertEqual((status, errors, lines[0]["trees not opened"]), (0, "", 2 - kind))
            self.assertEqual(self.run_reader("tree", name, key=key)[0], 2 - kind)
        (self.writer.path / f"log/{self.writer.number:012}").unlink()
        self.refused("not the one that the credential knew", key=key)

    def test_refuses_another_password(self) -> None:
        self.password.write_bytes(PASSWORD + b"\n\n")
        self.refused("opens no slot")

    def test_reads_slots_and_grants_kept_apart(self) -> None:
        fill(self.writer)
        apart = self.directory / "apart"
        apart.mkdir()
        for path in list((self.writer.path / "keys").iterdir()):
            if self.writer.custodian in path.read_bytes():
                path.rename(apart / path.name)
        self.refused("opens no slot")
        self.assertEqual(self.run_reader("check", key=["--password-file", self.password, "--keys", apart])[0], 0)
        file = self.directory / "credential"
        file.write_bytes(self.writer.credential(2))
        status, lines, _ = self.run_reader("check", key=["--credential", file])
        self.assertEqual((status, lines[0]["key objects apart"]), (0, 2))

    def test_finds_a_chunk_of_another_id_and_an_altered_index(self) -> None:
        self.writer.id_key, kept = os.urandom(32), self.writer.id_key
        self.writer.chunk(1, b"of another id key")
        self.writer.id_key = kept
        fill(self.writer)
        self.problems("a chunk has another id")
        index = next((self.writer.path / "indexes").iterdir())
        self.writer.put(f"indexes/{index.name}", index.read_bytes()[:-1] + b"x")
        self.problems("indexes: not what its name says")

    def test_an_indexless_repository_is_whole(self) -> None:
        fill(self.writer)
        for path in (self.writer.path / "indexes").iterdir():
            path.unlink()
        self.assertEqual(self.run_reader("check")[0], 0)

    def test_reads_table_b_when_a_is_damaged(self) -> None:
        name = fill(self.writer).hex()
        for path in (self.pack_with(True), self.pack_with(False)):
            self.flip(path, lambda data: int.from_bytes(data[28:32], "little") + 40)
        self.assertEqual(self.run_reader("extract", name, str(self.directory / "out"))[0], 0)
        self.problems("table A", "not what its name says", "tables differ")

    def test_reads_the_trailer_when_the_header_is_damaged(self) -> None:
        name = fill(self.writer).hex()
        self.flip(self.pack_with(True), lambda data: 30)
        self.assertEqual(self.run_reader("extract", name, str(self.directory / "out"))[0], 0)
        self.problems("table A: pack header damaged", "header and trailer differ")

    def test_reports_a_pack_with_both_tables_damaged(self) -> None:
        fill(self.writer)
        for place in (28, 32):
            self.flip(self.pack_with(True), lambda data: int.from_bytes(data[place:place + 4], "little") + 40)
        self.problems("no table of the pack can be read", "is in no pack")

    def test_finds_altered_bytes_anywhere_in_a_pack(self) -> None:
        name = fill(self.writer).hex()
        self.flip(self.pack_with(True), lambda data: 70)
        self.problems("a seal does not open", "/etc/ssh/", "not what its name says")
        status, _, errors = self.run_reader("extract", name, str(self.directory / "out"))
        self.assertEqual(status, 1)
        self.assertIn("a seal does not open", errors)

    def test_finds_a_reference_tree_that_does_not_mirror(self) -> None:
        self.writer.swapped_reference = True
        fill(self.writer)
        self.problems("does not mirror")

    def test_refuses_log_entries_without_a_right_signature(self) -> None:
        fill(self.writer)
        last = self.writer.log(11, {}, {1: "{}"})
        self.assertEqual(len(self.listed()), 1)
        self.writer.log(11, {}, {1: "{}"}, forge=True)
        self.refused(f"log entry {last + 1}: signature")

    def test_refuses_a_stranger_as_signer(self) -> None:
        name = fill(self.writer)
        self.writer.log(3, {1: name}, signer=os.urandom(32))
        self.refused("its signer may not sign")

    def test_refuses_a_removed_writer_and_keeps_what_it_did(self) -> None:
        fill(self.writer)
        writers = [path.name for path in (self.writer.path / "keys").iterdir()
                   if cbor("host") in path.read_bytes()]
        self.writer.log(1, {1: b"", 2: bytes.fromhex(writers[0])}, {1: "left"})
        self.assertEqual(len(self.listed()), 1)
        self.writer.log(11, {}, {1: "{}"}, signer=self.writer.writer)
        self.refused("its signer may not sign")

    def test_refuses_a_log_with_a_gap_or_another_order(self) -> None:
        fill(self.writer)
        self.writer.log(11, {}, {1: "{}"})
        log = self.writer.path / "log"
        (log / "000000000003").rename(self.directory / "3")
        status, lines, errors = self.run_reader("list")  # only what stands before the gap is said
        self.assertEqual((status, lines), (1, []))
        self.assertIn("missing, though there is entry 4", errors)
        (log / "000000000004").rename(log / "000000000003")
        (self.directory / "3").rename(log / "000000000004")
        self.refused("chain is broken")

    def test_refuses_a_log_that_goes_back_in_time(self) -> None:
        self.writer.log(11, {}, {1: "{}"}, time=NOW + 1)
        self.writer.log(11, {}, {1: "{}"}, time=NOW)
        self.refused("older than the one before")

    def test_refuses_a_root_that_the_slot_does_not_vouch_for(self) -> None:
        self.writer = Writer(self.directory / "forged", self.suite, false_root=os.urandom(32))
        self.refused("does not vouch for the root")

    def test_refuses_key_objects_of_those_who_may_not(self) -> None:
        stranger = os.urandom(32)
        for fields, issuer in (({1: 5, 3: os.urandom(32), 4: "x", 5: NOW}, self.writer.writer),
                               ({1: 3, 3: 2, 4: NOW, 5: os.urandom(32), 6: os.urandom(32)}, stranger),
                               ({1: 1, 3: "b", 4: NOW, 5: ed_public(stranger), 6: [1 << 18, 20, 1 << 23, 7]}, stranger)):
            name = self.writer.key_object(fields, issuer)
            self.assertEqual(self.listed(), [])  # a key object that no event adds does not count
            head, number = self.writer.head, self.writer.number
            self.writer.log(1, {1: name, 2: b""}, {1: "added"})
            self.refused("its issuer may not issue")
            (self.writer.path / f"log/{self.writer.number:012}").unlink()
            self.writer.head, self.writer.number = head, number

    def test_a_key_object_may_be_removed_and_added_again(self) -> None:
        writer = H(next(path.read_bytes() for path in (self.writer.path / "keys").iterdir()
                        if cbor("host") in path.read_bytes()))
        self.writer.log(1, {1: b"", 2: writer}, {1: "left"})
        self.writer.log(1, {1: writer, 2: b""}, {1: "back"})
        fill(self.writer)
        self.assertEqual(len(self.listed()), 1)

    def test_ignores_what_is_no_object(self) -> None:
        fill(self.writer)
        for path in ("keys/README", "packs/README", "packs/00/" + "f" * 64, "tmp/x", "log/note", "snapshots/x"):
            self.writer.put(path, b"?")
        self.assertEqual(self.run_reader("check")[0], 0)

    def test_a_tombstone_before_the_commit_counts_for_nothing(self) -> None:
        root = self.writer.directory_node([self.writer.file(b"x", [b"y"])])
        name = self.writer.snapshot(root, [b"/"], commit=False)
        self.writer.log(3, {1: name}, {1: "early"})
        stored = next((self.writer.path / "snapshots").iterdir())
        self.writer.log(2, {1: bytes.fromhex(stored.name), 2: name, 3: self.writer.number}, signer=self.writer.writer)
        self.assertEqual(self.listed(), [name.hex()])

    def test_an_uncommitted_snapshot_does_not_exist(self) -> None:
        root = self.writer.directory_node([self.writer.file(b"x", [b"y"])])
        self.writer.snapshot(root, [b"/"], commit=False)
        self.assertEqual(self.listed(), [])

    def test_honours_tombstones_holds_locks_and_labels(self) -> None:
        root = self.writer.directory_node([self.writer.file(b"x", [b"y"])])
        name = self.writer.snapshot(root, [b"/"])
        self.writer.log(5, {1: name}, {1: "court"})
        self.writer.log(3, {1: name}, {1: "too early"})
        self.assertEqual(self.listed(), [name.hex()])
        self.writer.log(6, {1: name}, {1: "over"})
        self.writer.log(7, {1: name, 2: NOW + 2 * DAY})
        self.writer.log(7, {1: name, 2: NOW + DAY})
        self.writer.log(3, {1: name}, time=NOW + DAY)
        self.writer.log(4, {1: name}, {1: [["a", "b"]]}, time=NOW + DAY)
        self.assertEqual(self.run_reader("list")[1][0]["labels"], {"a": "b"})
        self.writer.log(3, {1: name}, time=NOW + 3 * DAY)
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.run_reader("check")[0], 0)

    def test_refuses_cbor_that_is_not_deterministic(self) -> None:
        config = self.writer.path / "config"
        data = config.read_bytes()
        config.write_bytes(data.replace(b"\x02\x01\x03", b"\x02\x18\x01\x03", 1))
        self.refused("config: not the CBOR")
        config.write_bytes(data + b"\0")
        self.refused("config: not the CBOR")

    def test_refuses_a_mandatory_flag_it_does_not_know(self) -> None:
        config = self.writer.path / "config"
        config.write_bytes(config.read_bytes().replace(b"collect-1", b"collect-2"))
        self.refused("mandatory flags")


class ReaderTestXChaCha(ReaderTest):
    suite = 2


if __name__ == "__main__":
    unittest.main()
