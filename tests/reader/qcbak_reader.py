#!/usr/bin/python3
"""A reader of qcbak repositories, written from docs/format.md alone: it shares no code and no author's memory with the
program, so what the two agree on is what the page says. The sections below are named like those of the page.

Needs Debian 12's python3-cbor2, python3-nacl, python3-cryptography and python3-zstandard. Indexes are never trusted:
chunks are found through the directories of the packs. Exit status: 0 all well, 1 damage or a refusal, 2 wrong usage."""

from __future__ import annotations

import argparse
import functools
import hashlib
import hmac
import json
import os
import re
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Optional

import cbor2
import nacl.bindings as sodium
import nacl.exceptions
import nacl.pwhash
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KIB, MIB = 1 << 10, 1 << 20
MOST = {"keys": 64 * KIB, "packs": 64 * MIB, "indexes": 1024 * MIB, "snapshots": 256 * MIB, "log": 4 * MIB,
        "config": 64 * KIB}
CHUNK_MOST, PAYLOAD_MOST, RECORDS_MOST, DEPTH_MOST, SPLIT_MOST = 8 * MIB, 8 * MIB + 64 * KIB, 1 << 20, 4096, 16
ARGON2_PASSES, ARGON2_MEMORY_KIB = range(1, 65), range(8 * KIB, MIB + 1)
RECIPIENTS_MOST, LEAF_PARTS_MOST, FLAGS_MOST, NAME_MOST = 64, 1024, 64, 256
MANDATORY_KNOWN = {"collect-1"}
DATA, TREE, REFERENCE, BODY = 1, 2, 3, 5
ZEROS = bytes(MIB)


class Refused(Exception):
    """Something is not as the format says, or its key is not at hand."""


class NoSecret(Refused):
    """Sealed for those who may read contents, which the credential at hand may not."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise Refused(what)


# ---- Conventions: integers, hashes, seals, signatures

def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hmac256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    extracted, block, out = hmac256(salt, key), b"", b""
    for count in range(1, -(-length // 32) + 1):
        block = hmac256(extracted, block + info + bytes([count]))
        out += block
    return out[:length]


def aead_open(suite: int, key: bytes, number: int, associated: bytes, sealed: bytes) -> bytes:
    nonce = struct.pack(">Q", number)
    try:
        if suite == 1:
            return AESGCM(key).decrypt(bytes(4) + nonce, sealed, associated)
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, associated, bytes(16) + nonce, key)
    except (InvalidTag, nacl.exceptions.CryptoError, ValueError) as error:
        raise Refused("a seal does not open") from error


def box_open(public: bytes, secret: bytes, sealed: bytes) -> bytes:
    try:
        return sodium.crypto_box_seal_open(sealed, public, secret)
    except (nacl.exceptions.CryptoError, TypeError, ValueError) as error:
        raise Refused("a box does not open") from error


def signature_holds(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        return sodium.crypto_sign_open(signature + message, public) == message
    except nacl.exceptions.CryptoError:
        return False


def ed25519_public(seed: bytes) -> bytes:
    return sodium.crypto_sign_seed_keypair(seed)[0]


# ---- Conventions: deterministic CBOR, and what an object must look like

class Or:
    """One of several patterns; None stands for null."""

    def __init__(self, *patterns: Any) -> None:
        self.patterns = patterns


def fits(value: Any, pattern: Any) -> bool:
    """Patterns: n = n bytes; {n} = the integer n; (…) = an array of just these; [p] = an array of p; {key: p} = a
    map, a negative key may be missing; "u" unsigned, "i" integer, "b" bytes, "t" text, "ids" joined names or ids."""
    if pattern is None or isinstance(pattern, Or):
        return value is None if pattern is None else any(fits(value, p) for p in pattern.patterns)
    if isinstance(pattern, int):
        return type(value) is bytes and len(value) == pattern
    if isinstance(pattern, set):
        return type(value) is int and value in pattern
    if isinstance(pattern, tuple):
        return type(value) is list and len(value) == len(pattern) and all(map(fits, value, pattern))
    if isinstance(pattern, list):
        return type(value) is list and all(fits(item, pattern[0]) for item in value)
    if isinstance(pattern, dict):
        return (type(value) is dict and all(key in value for key in pattern if key > 0) and
                all(type(key) is int and (key in pattern or -key in pattern) and
                    fits(item, pattern.get(key, pattern.get(-key))) for key, item in value.items()))
    if pattern in ("u", "i"):
        return type(value) is int and (0 if pattern == "u" else -(1 << 64)) <= value < 1 << 64
    if pattern == "ids":
        return type(value) is bytes and len(value) % 32 == 0
    return type(value) is {"b": bytes, "t": str}[pattern]


def cbor(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def uncbor(data: bytes, pattern: Any, what: str) -> Any:
    """Encoding again finds what is not deterministic: long forms, order and doubling of keys, and bytes left over."""
    try:
        value = cbor2.loads(data)
        right = fits(value, pattern) and cbor(value) == data
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, MemoryError, OverflowError) as error:
        raise Refused(f"{what}: no CBOR") from error
    require(right, f"{what}: not the CBOR of the format")
    return value


def split_ids(joined: bytes) -> list[bytes]:
    return [joined[at:at + 32] for at in range(0, len(joined), 32)]


def ascending(items: list[Any]) -> bool:
    return all(a < b for a, b in zip(items, items[1:]))


TIME = "i"
MAP = ("u", 32, "b")
SEGMENT = (16, {1, 2}, "u", 32, 32, [(32, "b")])
LABELS = [("t", "t")]
CONFIG = {1: "t", 2: "u", 3: 16, 4: {1, 2}, 5: TIME, 6: ["t"], 7: ["t"]}
DOMAIN, SLOT, EPOCH, GRANT, WRITER, DRILL = range(1, 7)
PROTECTION = {1: (16, "u", "u", "b"), 2: ("u", "u", 16), 3: ("t",)}
KEY_OBJECT = Or({1: {DOMAIN}, 2: 16, 3: "t", 4: TIME, 5: 32, 6: ("u", "u", "u", "u")},
                *({1: {SLOT}, 2: 16, 3: 16, 4: "t", 5: TIME, 6: 32, 7: 32, 8: {kind}, 9: pattern, 10: 32}
                  for kind, pattern in PROTECTION.items()),
                {1: {EPOCH}, 2: 16, 3: "u", 4: TIME, 5: 32, 6: 32},
                {1: {GRANT}, 2: 16, 3: "u", 4: 16, 5: "b"},
                {1: {WRITER}, 2: 16, 3: 32, 4: "t", 5: TIME},
                {1: {DRILL}, 2: 16, 3: 32, 4: "t", 5: TIME})
SECRETS = {1: 32, 2: 32, 3: 32, 4: 32}
CREDENTIAL = {1: {1, 2}, 2: 32, 4: ("u", 32),
              3: [{1: 16, 2: "t", 3: 32, 4: 32, 5: [("u", 32, 32, 32, Or(None, 32))]}]}
KEY_EVENT, COMMIT, TOMBSTONE, LABEL, HOLD, RELEASE, LOCK, CONDEMNATION, COLLECTION, CHECKPOINT, AUDIT = range(1, 12)
OPEN_DETAILS = {KEY_EVENT: {1: "ids", 2: "ids"}, COMMIT: {1: 32, 2: 32, 3: "u"}, TOMBSTONE: {1: "ids"},
                LABEL: {1: 32}, HOLD: {1: 32}, RELEASE: {1: 32}, LOCK: {1: 32, 2: TIME}, CONDEMNATION: {1: "ids"},
                COLLECTION: {1: "ids"}, CHECKPOINT: {1: "u", 2: 32}, AUDIT: {}}
SEALED_DETAILS = {KEY_EVENT: {1: "t"}, TOMBSTONE: {1: "t"}, LABEL: {1: LABELS}, HOLD: {1: "t"}, RELEASE: {1: "t"},
                  AUDIT: {1: "t"}}
LOG_PAYLOAD = Or(*({1: "u", 2: 32, 3: TIME, 4: {kind}, 5: 32, 6: 16, 7: pattern, -8: MAP}
                   for kind, pattern in OPEN_DETAILS.items()))
PARTS = [Or(None, 32, "u")]
STATUS = ({1, 2, 3, 4, 5, 6, 7}, "u", "u", "u", "i", "u", "u", Or(None, ("u", "u", "u")))
DETAILS = {-1: PARTS, -2: 32, -3: 32, -4: 32, -5: "b", -6: "u", -7: "u", -8: [("b", "b")]}
ENTRY = ("b", STATUS, DETAILS)
TREE_NODE = Or(({0}, [ENTRY]), ({1}, [("b", 32, "u")]), ({2}, PARTS), ({3}, [(32, "u")]))
REFERENCE_NODE = {1: 32, 2: "ids", 3: "ids"}
SNAPSHOT = ("t", 16, "ids", MAP, SEGMENT, "b")
HEADER = {1: 32, 2: 32, 3: TIME, 4: "t", 5: "t", 6: ["b"], 7: LABELS, 8: ("u",) * 6, 9: 32, 10: "t", 11: "u", 12: TIME}
NAMES = [("u", "b")]
SNAPSHOT_BODY = {1: 32, 2: (STATUS, DETAILS), 3: NAMES, 4: NAMES, 5: [("b", "t")]}


# ---- Sealing with the map key, Segments, Records

class Record(NamedTuple):
    place: int
    type: int
    flags: int
    ordinal: int
    offset: int
    stored: int
    length: int
    chunks: tuple[tuple[bytes, int], ...]


@dataclass
class Epoch:
    map_key: bytes
    id_key: bytes
    public: bytes
    secret: Optional[bytes]


@dataclass
class Domain:
    """A domain whose root and keys are at hand."""
    config: bytes  # C
    suite: int
    id: bytes
    root: bytes
    epochs: dict[int, Epoch]
    log: "DomainLog"

    def epoch(self, number: int) -> Epoch:
        require(number in self.epochs, f"no key of epoch {number} at hand")
        return self.epochs[number]

    def map_open(self, purpose: bytes, context: bytes, sealed: list[Any]) -> bytes:
        number, salt, box = sealed
        key = hkdf(self.epoch(number).map_key, salt, b"qcbak1 map " + purpose, 32)
        associated = (b"qcbak1 map\0" + self.config + self.id + u32(number) + u32(len(purpose)) + purpose + context)
        return aead_open(self.suite, key, 0, associated, box)

    def segment_key(self, segment: list[Any]) -> bytes:
        segment_id, kind, number, salt, commitment, keys = segment
        epoch, info = self.epoch(number), b"qcbak1 segment" if kind == 1 else b"qcbak1 map segment"
        if kind == 1:
            require(len(keys) <= RECIPIENTS_MOST, "a segment of too many recipients")
            boxes = [box for recipient, box in keys if recipient == epoch.public]
            require(bool(boxes), "a segment not sealed for its epoch")
            if epoch.secret is None:
                raise NoSecret("this credential opens no contents")
            data_key = box_open(epoch.public, epoch.secret, boxes[0])
            require(len(data_key) == 32, "a data key of another length")
        else:
            require(not keys, "a map segment with keys")
            data_key = epoch.map_key
        both = hkdf(data_key, salt, info + self.config + self.id + segment_id, 64)
        require(hmac.compare_digest(both[32:], commitment), "a segment's commitment differs")
        return both[:32]

    def record_open(self, segment: list[Any], record: Record, stored: bytes) -> bytes:
        kinds = {DATA: 1, TREE: 1, REFERENCE: 2, BODY: 1}
        require(kinds.get(record.type) == segment[1], "a record type that its segment does not hold")
        associated = (b"qcbak1 record" + self.config + self.id + segment[0] + u32(record.ordinal) +
                      bytes([record.type, record.flags]) + u32(record.length) + u32(len(record.chunks)) +
                      b"".join(chunk + u32(length) for chunk, length in record.chunks))
        payload = aead_open(self.suite, self.segment_key(segment), record.ordinal, associated, stored)
        payload = decompressed(payload, record.length) if record.flags & 1 else payload
        require(len(payload) == record.length, "a payload of another length")
        return payload

    def chunk_id(self, epoch: int, kind: int, plaintext: bytes) -> bytes:
        return hmac256(self.epoch(epoch).id_key, bytes([kind]) + sha256(plaintext))


def decompressed(frame: bytes, length: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor().stream_reader(frame) as stream:
            out = stream.read(length + 1)
        require(len(out) == length, "a payload of another length")
        whole = zstandard.ZstdDecompressor().decompressobj()
        require(whole.decompress(frame) == out and not whole.unused_data, "more than one zstd frame")
        return out
    except zstandard.ZstdError as error:
        raise Refused("a payload does not decompress") from error


# ---- Keys

class KeyObject(NamedTuple):
    name: bytes
    kind: int
    domain: bytes
    issuer: bytes
    fields: dict[int, Any]


def read_key_object(config: bytes, data: bytes) -> KeyObject:
    payload, issuer, signature = uncbor(data, ("b", 32, 64), "key object")
    require(signature_holds(issuer, signature, b"qcbak1 key object\0" + config + payload), "key object: signature")
    fields = uncbor(payload, KEY_OBJECT, "key object")
    name = fields.get({DOMAIN: 3, SLOT: 4, WRITER: 4, DRILL: 4}.get(fields[1], 0), "-")
    require(0 < len(name.encode()) <= NAME_MOST, "key object: name")
    require(fields[1] != EPOCH or fields[3] >= 1, "key object: number of an epoch")
    return KeyObject(sha256(data), fields[1], fields[2], issuer, fields)


def custodian_secrets(seed: bytes) -> tuple[bytes, bytes]:
    """X25519 secret and Ed25519 seed."""
    return hkdf(seed, b"", b"qcbak1 custodian box", 32), hkdf(seed, b"", b"qcbak1 custodian sign", 32)


def open_password_slot(config: bytes, suite: int, slot: KeyObject, password: bytes) -> Optional[bytes]:
    """The custodian's seed, or None when the password is another."""
    custodian, x_public, ed_public = (slot.fields[key] for key in (3, 6, 7))
    salt, passes, memory, sealed = slot.fields[9]
    require(passes in ARGON2_PASSES and memory in ARGON2_MEMORY_KIB, "slot: cost of the password")
    key = nacl.pwhash.argon2id.kdf(32, password, salt, opslimit=passes, memlimit=memory * KIB)
    associated = b"qcbak1 slot" + config + slot.domain + custodian + x_public + ed_public
    try:
        return aead_open(suite, key, 0, associated, sealed)
    except Refused:
        return None


def root_check(config: bytes, domain: bytes, seed: bytes, root: bytes) -> bytes:
    return hmac256(hkdf(seed, b"", b"qcbak1 custodian root", 32), b"qcbak1 root\0" + config + domain + root)


def read_credential(file: Path, config: bytes) -> dict[int, Any]:
    form = "qcbak (write|read) credential 1\n((?:[0-9a-f]{64}\n)*[0-9a-f]{2,64}\n)([0-9a-f]{64})\n"
    match = re.fullmatch(form, file.read_bytes().decode("latin-1"))
    require(match is not None, "credential: form of the file")
    kind, lines, digest = match.groups()  # type: ignore[union-attr]
    digits = lines.replace("\n", "")
    require(len(digits) % 2 == 0 and sha256(bytes.fromhex(digits)).hex() == digest, "credential: hash")
    credential = uncbor(bytes.fromhex(digits), CREDENTIAL, "credential")
    require(credential[1] == {"write": 1, "read": 2}[kind], "credential: kind")
    require(all(domain[5] for domain in credential[3]), "credential: a domain without epochs")
    require(credential[2] == config, "credential: of another repository")
    return credential


# ---- Log

class LogEntry(NamedTuple):
    number: int
    hash: bytes
    time: int
    kind: int
    signer: bytes
    domain: bytes
    open: dict[int, Any]
    sealed: Optional[list[Any]]


@dataclass
class Committed:
    id: bytes
    object: bytes
    label: Optional[LogEntry] = None
    held: bool = False
    locked_until: Optional[int] = None


@dataclass
class DomainLog:
    """What the log says about one domain. Whether its root is the right one, only a key can tell."""
    counting: dict[bytes, KeyObject] = field(default_factory=dict)
    absent: set[bytes] = field(default_factory=set)
    snapshots: dict[bytes, Committed] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    packs_gone: set[bytes] = field(default_factory=set)  # condemned, and perhaps removed

    def objects(self, kind: int) -> list[KeyObject]:
        return [key for key in self.counting.values() if key.kind == kind]

    @property
    def root(self) -> Optional[bytes]:
        return next((key.fields[5] for key in self.objects(DOMAIN)), None)

    def public_keys(self, kind: int, place: int) -> set[bytes]:
        return {key.fields[place] for key in self.objects(kind)}

    def may_sign(self, signer: bytes) -> bool:
        return self.root is not None and (signer == self.root or
                                          signer in self.public_keys(SLOT, 7) | self.public_keys(WRITER, 3))

    def may_issue(self, key: KeyObject) -> bool:
        if key.kind == DOMAIN:
            return self.root is None and key.issuer == key.fields[5]
        return self.root is not None and (key.issuer == self.root or key.issuer in self.public_keys(SLOT, 7) or
                                          (key.kind in (EPOCH, GRANT) and key.issuer in self.public_keys(WRITER, 3)))

    def add_keys(self, entry: LogEntry, load: Callable[[bytes], Optional[KeyObject]]) -> None:
        found = []
        for name in split_ids(entry.open[1]):
            key = load(name)
            if key is None:
                self.absent.add(name)
            else:
                require(key.domain == entry.domain, f"log entry {entry.number}: adds a key object of another domain")
                found.append(key)
        for key in sorted(found, key=lambda key: key.kind):  # stable: as given within a kind
            require(self.may_issue(key), f"log entry {entry.number}: adds a key object that its issuer may not issue")
            self.counting[key.name] = key

    def tombstone(self, entry: LogEntry, snapshot: bytes) -> None:
        known = self.snapshots.get(snapshot)
        if known and not known.held and (known.locked_until is None or known.locked_until <= entry.time):
            self.gone.add(snapshot)

    def apply(self, entry: LogEntry, load: Callable[[bytes], Optional[KeyObject]]) -> None:
        if entry.kind == KEY_EVENT:
            self.add_keys(entry, load)
        require(self.may_sign(entry.signer), f"log entry {entry.number}: its signer may not sign")
        known = self.snapshots.get(entry.open.get(1, b""))
        if entry.kind == KEY_EVENT:
            for name in split_ids(entry.open[2]):
                self.counting.pop(name, None)
        elif entry.kind == COMMIT:
            require(entry.open[3] < entry.number, f"log entry {entry.number}: took into account what is not before it")
            again = self.snapshots.setdefault(entry.open[2], Committed(entry.open[2], entry.open[1]))
            again.object = entry.open[1]
        elif entry.kind == TOMBSTONE:
            for snapshot in split_ids(entry.open[1]):
                self.tombstone(entry, snapshot)
        elif entry.kind == LABEL and known:
            known.label = entry
        elif entry.kind in (HOLD, RELEASE) and known:
            known.held = entry.kind == HOLD
        elif entry.kind == LOCK and known:
            known.locked_until = max(entry.open[2], known.locked_until or entry.open[2])
        elif entry.kind in (CONDEMNATION, COLLECTION):
            self.packs_gone |= set(split_ids(entry.open[1]))

    def live(self) -> list[Committed]:
        return [snapshot for snapshot in self.snapshots.values() if snapshot.id not in self.gone]


# ---- Packs

class PackHeader(NamedTuple):
    domain: bytes
    epoch: int
    table_a: int
    table_b: int
    table: int
    length: int


def read_pack_header(data: bytes, size: int) -> PackHeader:
    require(len(data) == 64 and data[:8] == b"qcbakpk1" and sha256(data[:48])[:16] == data[48:], "pack header damaged")
    domain, *numbers, zero = struct.unpack("<16s6I", data[8:48])
    header = PackHeader(domain, *numbers)
    require(zero == 0 and header.length == size <= MOST["packs"], "pack of another length than its header says")
    require(64 <= header.table_a and header.table_a + header.table <= header.table_b and
            header.table_b + header.table + 64 == size, "pack header: places of the tables")
    return header


def read_table(domain: Domain, header: PackHeader, table: bytes) -> tuple[list[Any], list[Record]]:
    segments, sealed = uncbor(table, ([SEGMENT], MAP), "table of a pack")
    require(sealed[0] == header.epoch, "table of another epoch than the header says")
    records = read_directory(domain.map_open(b"directory", sha256(cbor(segments)), sealed))
    free = 64
    for record in records:
        require(record.place < len(segments) and free <= record.offset and
                record.offset + record.stored <= header.table_a, "directory: place of a record")
        free = record.offset + record.stored
    return segments, records


def read_directory(data: bytes) -> list[Record]:
    records, at = [], 4
    try:
        count = struct.unpack_from("<I", data)[0]
        require(count <= RECORDS_MOST, "directory: too many records")
        for _ in range(count):
            *numbers, chunks = struct.unpack_from("<HBB5I", data, at)
            require(0 < chunks <= PAYLOAD_MOST, "directory: count of chunks")
            each = tuple(struct.iter_unpack("<32sI", data[at + 24:at + 24 + 36 * chunks]))
            records.append(Record(*numbers, each))
            at += 24 + 36 * chunks
            check_record(records[-1], chunks)
    except struct.error as error:
        raise Refused("directory: cut off") from error
    require(at == len(data), "directory: of another length")
    return records


def check_record(record: Record, chunks: int) -> None:
    require(len(record.chunks) == chunks, "directory: cut off")
    require(record.type in (DATA, TREE, REFERENCE) and record.flags <= 1, "directory: type or flags of a record")
    require(record.length <= PAYLOAD_MOST and all(length <= CHUNK_MOST for _, length in record.chunks) and
            sum(length for _, length in record.chunks) == record.length, "directory: lengths of a record")


# ---- Objects

class Repository:
    """Reads what lies in a directory; `domains` are those that the password or the credential opens."""

    def __init__(self, path: Path, keys_apart: Optional[Path]) -> None:
        self.path = path
        self.keys_apart = keys_apart
        self.problems: list[str] = []
        data = (path / "config").read_bytes()
        config = uncbor(data, CONFIG, "config")
        require(config[1] == "qcbak" and config[2] == 1, "config: not a repository of version 1")
        require(len(data) <= MOST["config"] and max(len(config[6]), len(config[7])) <= FLAGS_MOST, "config: too large")
        require(ascending(config[6]) and ascending(config[7]), "config: flags not sorted")
        require(set(config[6]) <= MANDATORY_KNOWN, f"config: mandatory flags {config[6]}")
        self.config, self.id, self.suite = sha256(data), config[3], config[4]
        self.entries = self.read_log()
        self.logs: dict[bytes, DomainLog] = {}
        for entry in self.entries:
            self.logs.setdefault(entry.domain, DomainLog()).apply(entry, self.read_key)
        self.domains: dict[bytes, Domain] = {}
        self.places: dict[bytes, list[tuple[bytes, int]]] = {}  # chunk id -> (pack, place of the record)
        self.packs: dict[bytes, tuple[Domain, list[Any], list[Record]]] = {}

    def problem(self, where: str, what: object) -> None:
        self.problems.append(f"{where}: {what}")
        print(json.dumps({"problem": str(what), "where": where}), file=sys.stderr, flush=True)

    def object_path(self, kind: str, name: bytes) -> Path:
        return self.path / kind / (name.hex()[:2] if kind == "packs" else "") / name.hex()

    def read_object(self, kind: str, name: bytes) -> bytes:
        data = self.object_path(kind, name).read_bytes()
        require(len(data) <= MOST[kind], f"{kind}: too large")
        require(sha256(data) == name, f"{kind}: not what its name says")
        return data

    def names(self, kind: str) -> list[bytes]:
        found = (self.path / kind).glob("??/*" if kind == "packs" else "*")
        return sorted(bytes.fromhex(path.name) for path in found if re.fullmatch("[0-9a-f]{64}", path.name)
                      and path == self.object_path(kind, bytes.fromhex(path.name)))

    def read_key(self, name: bytes) -> Optional[KeyObject]:
        """None when it is not there; what is there but damaged makes the log invalid that adds it."""
        for folder in [self.path / "keys"] + ([self.keys_apart] if self.keys_apart else []):
            path = folder / name.hex()
            if path.is_file():
                require(path.stat().st_size <= MOST["keys"], f"keys/{path.name}: too large")
                key = read_key_object(self.config, path.read_bytes())
                require(key.name == name, f"keys/{path.name}: not what its name says")
                return key
        return None

    def read_log(self) -> list[LogEntry]:
        """The chain and every signature; whether the signer had the right is for `DomainLog`."""
        entries: list[LogEntry] = []
        before, time = self.config, None
        numbers = {int(path.name) for path in (self.path / "log").iterdir() if re.fullmatch("[0-9]{12}", path.name)}
        require(1 in numbers, "log entry 1 is missing")
        end = next(number for number in range(1, len(numbers) + 2) if number not in numbers)
        if max(numbers) > end:
            self.problem(f"log/{end:012}", f"missing, though there is entry {max(numbers)}")
        for number in range(1, end):
            data = (self.path / f"log/{number:012}").read_bytes()
            require(len(data) <= MOST["log"], f"log entry {number}: too large")
            payload, signature = uncbor(data, ("b", 64), f"log entry {number}")
            value = uncbor(payload, LOG_PAYLOAD, f"log entry {number}")
            require(value[1] == number and value[2] == before, f"log entry {number}: the chain is broken")
            require(signature_holds(value[5], signature, b"qcbak1 log\0" + self.config + payload),
                    f"log entry {number}: signature")
            require(time is None or value[3] >= time, f"log entry {number}: older than the one before")
            before, time = sha256(data), value[3]
            entries.append(LogEntry(number, before, *(value[key] for key in range(3, 8)), value.get(8)))
        return entries

    # Keys: trust
    def add_domain(self, domain: bytes, root: bytes, epochs: dict[int, Epoch]) -> None:
        log = self.logs[domain]
        for fields in (key.fields for key in log.objects(EPOCH)):
            epoch = epochs.get(fields[3])
            if epoch:
                check = hkdf(epoch.map_key, b"", b"qcbak1 map check", 32)
                require((fields[5], fields[6]) == (epoch.public, check) and
                        (epoch.secret is None or sodium.crypto_scalarmult_base(epoch.secret) == epoch.public),
                        f"epoch {fields[3]}: its keys are not those of its object")
        self.domains[domain] = Domain(self.config, self.suite, domain, root, epochs, log)

    def open_credential(self, file: Path) -> None:
        credential = read_credential(file, self.config)
        number, head = credential[4]
        require(number == 0 or (number <= len(self.entries) and self.entries[number - 1].hash == head),
                "the log is not the one that the credential knew")
        for domain in credential[3]:
            log = self.logs.get(domain[1], DomainLog())
            require(log.root == domain[3], "the root in the log is not the one of the credential")
            require(log.may_sign(ed25519_public(domain[4])), "the credential's writer does not count any more")
            epochs = {epoch: Epoch(map_key, id_key, public, secret)
                      for epoch, map_key, id_key, public, secret in domain[5]}
            self.add_domain(domain[1], domain[3], epochs)

    def open_password(self, password: bytes) -> None:
        for domain, log in self.logs.items():
            for slot in [key for key in log.objects(SLOT) if key.fields[8] == 1]:
                seed = open_password_slot(self.config, self.suite, slot, password)
                if seed is not None and domain not in self.domains:
                    self.open_custodian(domain, slot, seed)
        require(bool(self.domains), "the password opens no slot")

    def open_custodian(self, domain: bytes, slot: KeyObject, seed: bytes) -> None:
        log, (x_secret, ed_seed) = self.logs[domain], custodian_secrets(seed)
        require(sodium.crypto_scalarmult_base(x_secret) == slot.fields[6] and ed25519_public(ed_seed) == slot.fields[7],
                "slot: the seed is not that of its public keys")
        root = log.root or b""
        require(hmac.compare_digest(root_check(self.config, domain, seed, root), slot.fields[10]),
                "slot: it does not vouch for the root in the log")
        epochs = {}
        for grant in log.objects(GRANT):
            if grant.fields[4] == slot.fields[3]:
                secrets = uncbor(box_open(slot.fields[6], x_secret, grant.fields[5]), SECRETS, "grant")
                require(secrets[1] == root, "grant: of another root")
                epochs[grant.fields[3]] = Epoch(secrets[3], secrets[2], sodium.crypto_scalarmult_base(secrets[4]),
                                                secrets[4])
        require(bool(epochs), "no grant for the custodian counts")
        self.add_domain(domain, root, epochs)

    # Packs and chunks
    def read_packs(self) -> None:
        for name in self.names("packs"):
            try:
                found = self.read_pack(name)
            except (Refused, OSError) as error:
                self.problem(f"packs/{name.hex()}", error)
                continue
            if found:
                self.packs[name] = found
                for place, record in enumerate(found[2]):
                    for chunk, _ in record.chunks:
                        self.places.setdefault(chunk, []).append((name, place))

    def read_pack(self, name: bytes) -> Optional[tuple[Domain, list[Any], list[Record]]]:
        """By header and table A, else by table B and trailer; None when the pack is of a domain that is not open."""
        first = None
        for which in ("A", "B"):
            try:
                return self.read_pack_by(name, which)
            except Refused as error:
                first = first or error
        raise Refused(f"no table of the pack can be read: {first}")

    def read_pack_by(self, name: bytes, which: str) -> Optional[tuple[Domain, list[Any], list[Record]]]:
        path = self.object_path("packs", name)
        size = path.stat().st_size
        header = read_pack_header(read_range(path, 0 if which == "A" else max(0, size - 64), 64), size)
        domain = self.domains.get(header.domain)
        if domain is None:
            return None
        table = read_range(path, header.table_a if which == "A" else header.table_b, header.table)
        return (domain, *read_table(domain, header, table))

    @functools.lru_cache(maxsize=24)
    def payload(self, pack: bytes, place: int) -> bytes:
        domain, segments, records = self.packs[pack]
        record = records[place]
        stored = read_range(self.object_path("packs", pack), record.offset, record.stored)
        return domain.record_open(segments[record.place], record, stored)

    def record_chunks(self, pack: bytes, place: int, only: Optional[bytes] = None) -> Iterator[bytes]:
        """The chunks of a record, or the one of an id, each compared with its id."""
        domain, segments, records = self.packs[pack]
        record, payload, at = records[place], self.payload(pack, place), 0
        epoch = segments[record.place][2]
        for chunk, length in record.chunks:
            if only in (None, chunk):
                plaintext = payload[at:at + length]
                require(domain.chunk_id(epoch, record.type, plaintext) == chunk, "a chunk has another id")
                yield plaintext
            at += length

    def chunk(self, domain: Domain, kind: int, chunk: bytes) -> bytes:
        reason: Exception = Refused(f"chunk {chunk.hex()} is in no pack")
        for pack, place in self.places.get(chunk, []):
            if self.packs[pack][0] is domain and self.packs[pack][2][place].type == kind:
                try:
                    return next(self.record_chunks(pack, place, chunk))
                except (Refused, OSError) as error:
                    reason = type(error)(f"chunk {chunk.hex()} in pack {pack.hex()}: {error}")
        raise reason

    def read_snapshot(self, domain: Domain, committed: Committed) -> "Snapshot":
        return Snapshot(self, domain, committed, self.read_object("snapshots", committed.object))


def read_range(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        data = os.pread(file.fileno(), length, offset)
    require(len(data) == length, "cut off")
    return data


# ---- Trees, Reference trees

class TreeEntry(NamedTuple):
    name: bytes
    status: list[Any]
    details: dict[int, Any]

    @property
    def type(self) -> int:
        return self.status[0]

    @property
    def size(self) -> int:
        return self.status[6]


def pairs(parts: list[Any]) -> list[tuple[Optional[bytes], int]]:
    found = list(zip(parts[::2], parts[1::2]))
    require(len(parts) % 2 == 0 and all(type(chunk) is not int and type(length) is int and length > 0
                                        for chunk, length in found), "parts of a file: not pairs")
    return found


def check_entry(entry: TreeEntry) -> TreeEntry:
    name = entry.name
    require(name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name, f"a name {name!r}")
    return check_details(entry)


def check_details(entry: TreeEntry) -> TreeEntry:
    name, status, details = entry
    allowed = {1: {1, 2, 3}, 2: {4}, 3: {5}, 6: {6}, 7: {6}}.get(entry.type, set()) | {7, 8}
    needed = {1: {3}, 2: {4}, 3: {5}}.get(entry.type, set())
    have = set(details)
    if entry.type == 1 and entry.size:  # one of 1 and 2, not both
        require(len(have & {1, 2}) == 1, f"{name!r}: contents")
    require(needed <= have <= allowed and (entry.size > 0 or not have & {1, 2}), f"{name!r}: details of another type")
    require(status[1] < 4096 and max(status[2:4]) < 1 << 32 and -(1 << 63) <= status[4] < 1 << 63 and
            status[5] < 10 ** 9 and status[6] < 1 << 63, f"{name!r}: status")
    require(status[7] is None or status[7][0] >= 2, f"{name!r}: count of links")
    require(details.get(5) != b"" and details.get(6) != 0, f"{name!r}: target or device")
    require((entry.type == 1 or entry.size == 0) and (entry.type != 2 or status[7] is None), f"{name!r}: size or link")
    require(len(details.get(1, [])) <= 64 and details.get(7) != 0, f"{name!r}: parts or flags")
    require(8 not in have or details[8] != [] and ascending([name for name, _ in details[8]]), f"{name!r}: attributes")
    return entry


class Snapshot:
    """A snapshot object and the trees below it. Where a reference node is given, it must mirror the tree node."""

    def __init__(self, repository: Repository, domain: Domain, committed: Committed, data: bytes) -> None:
        self.repository, self.domain, self.committed = repository, domain, committed
        magic, domain_id, self.packs, header, self.segment, self.sealed = uncbor(data, SNAPSHOT, "snapshot")
        require(magic == "qcbaksn1" and domain_id == domain.id, "snapshot: magic or domain")
        require(ascending(split_ids(self.packs)), "snapshot: packs not sorted")
        context = sha256(self.packs) + sha256(cbor(self.segment)) + sha256(self.sealed)
        self.header = h = uncbor(domain.map_open(b"header", context, header), HEADER, "snapshot header")
        made = sha256(b"qcbak1 snapshot" + h[2] + repository.id + domain.id + cbor([h[3], h[4], h[5], h[6]]))
        require(h[1] == made == committed.id, "snapshot: id")
        require(ascending([key for key, _ in h[7]]), "snapshot: labels not sorted")

    def labels(self) -> list[list[str]]:
        entry = self.committed.label
        return sealed_details(self.domain, entry)[1] if entry else self.header[7]

    def body(self) -> dict[int, Any]:
        record = Record(0, BODY, 0, 0, 0, len(self.sealed), len(self.sealed) - 16, ())
        body = uncbor(self.domain.record_open(self.segment, record, self.sealed), SNAPSHOT_BODY, "snapshot body")
        require(body[1] == self.header[1], "snapshot body: of another snapshot")
        return body

    def root(self) -> TreeEntry:
        root = check_details(TreeEntry(b"/", *self.body()[2]))
        require(root.type == 2, "snapshot body: the root is no directory")
        return root

    def reference(self, chunk: bytes) -> dict[int, bytes]:
        return uncbor(self.repository.chunk(self.domain, REFERENCE, chunk), REFERENCE_NODE, "reference node")

    def node(self, chunk: bytes, kinds: tuple[int, int], depth: int) -> tuple[int, list[Any]]:
        require(depth <= SPLIT_MOST, "tree: nodes split too deep")
        kind, items = uncbor(self.repository.chunk(self.domain, TREE, chunk), TREE_NODE, "tree node")
        require(kind in kinds and (depth == 0 or bool(items)), "tree: a node where it cannot be")
        return kind, items

    def mirror(self, reference: Optional[bytes], node: bytes, data: list[bytes],
               children: int) -> list[Optional[bytes]]:
        """The reference nodes of a node's children, after a comparison; None for each when none is given."""
        if reference is None:
            return [None] * children
        found = self.reference(reference)
        require(found[1] == node and found[2] == b"".join(data) and len(found[3]) == 32 * children,
                f"reference node {reference.hex()} does not mirror tree node {node.hex()}")
        return list(split_ids(found[3]))

    def directory_nodes(self, node: bytes, reference: Optional[bytes],
                        depth: int) -> Iterator[tuple[TreeEntry, Optional[bytes]]]:
        kind, items = self.node(node, (0, 1), depth)
        if kind == 0:
            entries = [check_entry(TreeEntry(*item)) for item in items]
            data = [chunk for entry in entries for chunk, _ in pairs(entry.details.get(1, [])) if chunk]
            nested = [2 in entry.details or 4 in entry.details for entry in entries]
            below = iter(self.mirror(reference, node, data, sum(nested)))
            yield from ((entry, next(below) if has else None) for entry, has in zip(entries, nested))
            return
        require(bool(items), "tree: an empty branch")
        for (first, child, count), below in zip(items, self.mirror(reference, node, [], len(items))):
            seen = 0
            for entry, reference_below in self.directory_nodes(child, below, depth + 1):
                require(seen > 0 or entry.name == first, "tree: first name of a branch")
                seen += 1
                yield entry, reference_below
            require(seen == count, "tree: count of a branch")

    def directory(self, node: bytes, reference: Optional[bytes]) -> Iterator[tuple[TreeEntry, Optional[bytes]]]:
        before = b""
        for entry, below in self.directory_nodes(node, reference, 0):
            require(before < entry.name, "tree: names not in ascending order")
            before = entry.name
            yield entry, below

    def content(self, node: bytes, reference: Optional[bytes], depth: int = 0) -> Iterator[tuple[Optional[bytes], int]]:
        kind, items = self.node(node, (2, 3), depth)
        if kind == 2:
            parts = pairs(items)
            require(len(parts) <= LEAF_PARTS_MOST, "tree: too many parts in a leaf")
            self.mirror(reference, node, [chunk for chunk, _ in parts if chunk], 0)
            yield from parts
            return
        require(bool(items), "tree: an empty branch")
        for (child, count), below in zip(items, self.mirror(reference, node, [], len(items))):
            seen = 0
            for chunk, length in self.content(child, below, depth + 1):
                seen += length
                yield chunk, length
            require(seen == count, "tree: bytes of a branch")

    def file(self, entry: TreeEntry, reference: Optional[bytes]) -> Iterator[tuple[Optional[bytes], int]]:
        """The contents in order, as (bytes or None for a hole, length); length and hash are compared at the end."""
        parts = self.content(entry.details[2], reference) if 2 in entry.details else pairs(entry.details.get(1, []))
        whole, size = hashlib.sha256(), 0
        for chunk, length in parts:
            size += length
            require(size <= entry.size, "file: longer than its size")
            data = None if chunk is None else self.repository.chunk(self.domain, DATA, chunk)
            require(data is None or len(data) == length, "file: a chunk of another length")
            for at in range(0, length if data is None else 0, MIB):
                whole.update(ZEROS[:length - at])
            whole.update(data or b"")
            yield data, length
        require(size == entry.size, "file: shorter than its size")
        require(whole.digest() == entry.details[3], "file: its SHA-256 differs")

    def walk(self) -> Iterator[tuple[bytes, TreeEntry]]:
        """All entries, a directory before what it holds."""
        stack = [(b"", self.directory(self.root().details[4], None))]
        while stack:
            path, entries = stack[-1]
            entry, _ = next(entries, (None, None))
            if entry is None:
                stack.pop()
                continue
            yield path + b"/" + entry.name, entry
            if entry.type == 2:
                require(len(stack) < DEPTH_MOST, "tree: too deep")
                stack.append((path + b"/" + entry.name, self.directory(entry.details[4], None)))


def sealed_details(domain: Domain, entry: LogEntry) -> dict[int, Any]:
    require(entry.sealed is not None and entry.kind in SEALED_DETAILS, f"log entry {entry.number}: sealed details")
    data = domain.map_open(b"log", u64(entry.number), entry.sealed or [])
    return uncbor(data, SEALED_DETAILS[entry.kind], f"log entry {entry.number}: sealed details")


# ---- Commands

TYPES = {1: "file", 2: "directory", 3: "symlink", 4: "fifo", 5: "socket", 6: "character", 7: "block"}


def printable(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def live_snapshots(repository: Repository) -> list[Snapshot]:
    found = []
    for domain in repository.domains.values():
        for committed in domain.log.live():
            try:
                found.append(repository.read_snapshot(domain, committed))
            except (Refused, OSError) as error:
                repository.problem(f"snapshots/{committed.object.hex()}", error)
    return found


def find_snapshot(repository: Repository, prefix: str) -> Snapshot:
    found = [(domain, committed) for domain in repository.domains.values() for committed in domain.log.live()
             if committed.id.hex().startswith(prefix)]
    require(len(found) == 1, f"{len(found)} snapshots have an id that begins with {prefix}")
    return repository.read_snapshot(*found[0])


def command_list(repository: Repository) -> None:
    for snapshot in live_snapshots(repository):
        h = snapshot.header
        totals = dict(zip(("files", "directories", "others", "bytes", "bytes_added", "bytes_stored"), h[8]))
        print(json.dumps({"id": h[1].hex(), "time": h[3], "end": h[12], "host": h[4], "source": h[5],
                          "domain": snapshot.domain.id.hex(), "paths": [printable(path) for path in h[6]],
                          "paths_hex": [path.hex() for path in h[6]], "labels": dict(snapshot.labels()),
                          "totals": totals, "findings": h[11], "program": h[10]}))


def describe(path: bytes, entry: TreeEntry) -> dict[str, Any]:
    _, mode, uid, gid, seconds, nanoseconds, size, link = entry.status
    details = entry.details
    target, device = details.get(5), details.get(6)
    return {"path": printable(path), "path_hex": path.hex(), "type": TYPES[entry.type], "mode": mode, "uid": uid,
            "gid": gid, "mtime": [seconds, nanoseconds], "size": size, "link": link,
            "sha256": details[3].hex() if 3 in details else None,
            "target": None if target is None else printable(target),
            "target_hex": None if target is None else target.hex(),
            "attributes": [[name.hex(), value.hex()] for name, value in details.get(8, [])], "flags": details.get(7, 0),
            "device": None if device is None else [device >> 32, device & 0xffffffff]}


def command_tree(repository: Repository, prefix: str) -> None:
    for path, entry in find_snapshot(repository, prefix).walk():
        print(json.dumps(describe(path, entry)))


def write_file(snapshot: Snapshot, entry: TreeEntry, place: bytes) -> None:
    with open(place, "xb") as file:
        for data, length in snapshot.file(entry, None):
            file.seek(length, os.SEEK_CUR) if data is None else file.write(data)
        file.truncate(entry.size)
        os.fchmod(file.fileno(), entry.status[1])


def put_entry(snapshot: Snapshot, entry: TreeEntry, place: bytes, linked: dict[tuple[int, int], bytes]) -> None:
    key = tuple(entry.status[7][1:]) if entry.status[7] else None
    if key in linked:
        os.link(linked[key], place, follow_symlinks=False)
        return
    if entry.type == 1:
        write_file(snapshot, entry, place)
    elif entry.type == 3:
        os.symlink(entry.details[5], place)
    else:
        print(json.dumps({"listed only": printable(place), "type": TYPES[entry.type]}))
        return
    set_mtime(place, entry)
    if key:
        linked[key] = place  # type: ignore[index]


def set_mtime(place: bytes, entry: TreeEntry) -> None:
    time = entry.status[4] * 10 ** 9 + entry.status[5]
    os.utime(place, ns=(time, time), follow_symlinks=False)


def command_extract(repository: Repository, prefix: str, destination: Path) -> None:
    snapshot = find_snapshot(repository, prefix)
    destination.mkdir(parents=True, exist_ok=True)
    require(not any(destination.iterdir()), "the destination is not empty")
    linked: dict[tuple[int, int], bytes] = {}
    directories = []
    for path, entry in snapshot.walk():
        place = os.fsencode(destination) + path
        if entry.type == 2:
            os.mkdir(place, 0o700)
            directories.append((place, entry))
            continue
        try:
            put_entry(snapshot, entry, place, linked)
        except (Refused, OSError) as error:
            repository.problem(printable(path), error)
    for place, entry in reversed(directories):
        os.chmod(place, entry.status[1])
        set_mtime(place, entry)


# ---- check

def check_objects(repository: Repository) -> None:
    """Paths that no object can have are ignored."""
    for kind in ("packs", "indexes", "snapshots"):
        for name in repository.names(kind):
            guarded(repository, str(repository.object_path(kind, name).relative_to(repository.path)),
                    repository.read_object, kind, name)


def check_pack(repository: Repository, name: bytes) -> int:
    """Both tables, padding, every record; returns how many records this credential cannot open."""
    path, closed = repository.object_path("packs", name), 0
    data = path.read_bytes()
    for which in ("A", "B"):
        try:
            repository.read_pack_by(name, which)
        except Refused as error:
            repository.problem(f"packs/{name.hex()}", f"table {which}: {error}")
    if data[:64] != data[-64:]:
        repository.problem(f"packs/{name.hex()}", "header and trailer differ")
    else:
        header = read_pack_header(data[:64], len(data))
        a, b, length = header.table_a, header.table_b, header.table
        if data[a:a + length] != data[b:b + length] or data[a + length:b].strip(b"\0"):
            repository.problem(f"packs/{name.hex()}", "tables differ, or padding is not zero")
    for place in range(len(repository.packs[name][2])):
        try:
            for _ in repository.record_chunks(name, place):
                pass
        except NoSecret:
            closed += 1
        except Refused as error:
            repository.problem(f"packs/{name.hex()}", f"record {place}: {error}")
    return closed


def check_index(repository: Repository, name: bytes) -> None:
    data = repository.read_object("indexes", name)
    require(data[:8] == b"qcbakix1", "index: magic")
    domain = repository.domains.get(data[8:24])
    if domain is None:
        return
    x = domain.map_open(b"index", b"", uncbor(data[24:], MAP, "index"))
    try:
        count = struct.unpack_from("<I", x)[0]
        packs = list(struct.iter_unpack("<32sI", x[4:4 + 36 * count]))
        entries = list(struct.iter_unpack("<32s4I", x[8 + 36 * count:]))
        require(len(packs) == count and struct.unpack_from("<I", x, 4 + 36 * count)[0] == len(entries), "index: counts")
    except struct.error as error:
        raise Refused("index: cut off") from error
    require(ascending([entry[:2] for entry in entries]), "index: entries not in ascending order")
    by_pack: dict[int, set[tuple[bytes, int, int, int]]] = {place: set() for place in range(len(packs))}
    for chunk, place, *rest in entries:
        require(place < len(packs), "index: place of a pack")
        by_pack[place].add((chunk, *rest))
    for (pack, length), indexed in zip(packs, by_pack.values()):
        if pack in repository.packs:
            records = repository.packs[pack][2]
            there = sorted((chunk, r.offset, r.stored, size) for r in records for chunk, size in r.chunks)
            first = {chunk: (chunk, *rest) for chunk, *rest in reversed(there)}  # of a chunk held twice
            require(repository.object_path("packs", pack).stat().st_size == length, "index: length of a pack")
            require(indexed == set(first.values()), "index: not what its pack holds")


def check_references(snapshot: Snapshot) -> None:
    """What one who may not open contents can check: every chunk that the snapshot needs is in a pack."""
    waiting, seen = [snapshot.header[9]], set()
    while waiting:
        reference = waiting.pop()
        if reference not in seen:
            seen.add(reference)
            node = snapshot.reference(reference)
            for chunk in split_ids(node[1] + node[2]):
                require(chunk in snapshot.repository.places, f"chunk {chunk.hex()} is in no pack")
            waiting += split_ids(node[3])


def check_trees(snapshot: Snapshot, seen: set[tuple[bytes, bytes]]) -> None:
    """Tree and reference tree side by side, and every file's contents. `seen`: what other snapshots had already."""
    problem = snapshot.repository.problem
    waiting = [(b"", snapshot.root().details[4], snapshot.header[9], 0)]
    while waiting:
        path, node, reference, depth = waiting.pop()
        if (node, reference) in seen:
            continue
        seen.add((node, reference))
        try:
            require(depth < DEPTH_MOST, "tree: too deep")
            for entry, below in snapshot.directory(node, reference):
                place = path + b"/" + entry.name
                if entry.type == 2:
                    waiting.append((place, entry.details[4], below or b"", depth + 1))
                elif entry.type == 1:
                    check_file(snapshot, entry, below, place)
        except (Refused, OSError) as error:
            problem(f"snapshot {snapshot.header[1].hex()} {printable(path)}/", error)


def check_file(snapshot: Snapshot, entry: TreeEntry, reference: Optional[bytes], path: bytes) -> None:
    try:
        for _ in snapshot.file(entry, reference):
            pass
    except (Refused, OSError) as error:
        snapshot.repository.problem(f"snapshot {snapshot.header[1].hex()} {printable(path)}", error)


def check_snapshot(snapshot: Snapshot, seen: set[tuple[bytes, bytes]]) -> bool:
    """False when only the references could be checked."""
    repository, where = snapshot.repository, f"snapshot {snapshot.header[1].hex()}"
    for name in set(split_ids(snapshot.packs)) - set(repository.packs) - snapshot.domain.log.packs_gone:
        repository.problem(where, f"pack {name.hex()} is missing")
    guarded(repository, where, check_references, snapshot)
    try:
        check_trees(snapshot, seen)
    except NoSecret:
        return False
    return True


def guarded(repository: Repository, where: str, check: Any, *arguments: Any) -> Any:
    try:
        return check(*arguments)
    except (Refused, OSError) as error:
        repository.problem(where, error)
        return None


def command_check(repository: Repository) -> None:
    check_objects(repository)
    for entry in repository.entries:
        if entry.sealed is not None and entry.domain in repository.domains:
            guarded(repository, f"log/{entry.number:012}", sealed_details, repository.domains[entry.domain], entry)
    closed = sum(guarded(repository, f"packs/{name.hex()}", check_pack, repository, name) or 0
                 for name in repository.packs)
    for name in repository.names("indexes"):
        guarded(repository, f"indexes/{name.hex()}", check_index, repository, name)
    seen: set[tuple[bytes, bytes]] = set()
    snapshots = live_snapshots(repository)
    whole = [guarded(repository, f"snapshot {snapshot.header[1].hex()}", check_snapshot, snapshot, seen)
             for snapshot in snapshots]
    print(json.dumps({"entries": len(repository.entries), "packs": len(repository.packs),
                      "chunks": len(repository.places), "snapshots": len(snapshots), "records not opened": closed,
                      "trees not opened": whole.count(False),
                      "key objects apart": sum(len(log.absent) for log in repository.logs.values()),
                      "problems": len(repository.problems)}))


def open_repository(arguments: argparse.Namespace) -> Repository:
    repository = Repository(arguments.repository, arguments.keys)
    if arguments.credential:
        repository.open_credential(arguments.credential)
    else:
        password = arguments.password_file.read_bytes()
        repository.open_password(password[:-1] if password.endswith(b"\n") else password)
    repository.read_packs()
    return repository


def main() -> int:
    parser = argparse.ArgumentParser(description="Reads a qcbak repository, from docs/format.md alone.")
    parser.add_argument("repository", type=Path)
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--password-file", type=Path, help="the password, one newline at its end dropped")
    key.add_argument("--credential", type=Path)
    parser.add_argument("--keys", type=Path, help="where slots and grants lie that are kept apart")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    commands.add_parser("tree").add_argument("snapshot")
    extract = commands.add_parser("extract")
    extract.add_argument("snapshot")
    extract.add_argument("destination", type=Path)
    commands.add_parser("check")
    arguments = parser.parse_args()
    try:
        repository = open_repository(arguments)
        if arguments.command == "list":
            command_list(repository)
        elif arguments.command == "tree":
            command_tree(repository, arguments.snapshot)
        elif arguments.command == "extract":
            command_extract(repository, arguments.snapshot, arguments.destination)
        else:
            command_check(repository)
    except (Refused, OSError) as error:
        print(json.dumps({"refused": str(error)}), file=sys.stderr)
        return 1
    return 1 if repository.problems else 0


if __name__ == "__main__":
    sys.exit(main())
