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
from typing import Any, Iterator, NamedTuple, Optional

import cbor2
import nacl.bindings as sodium
import nacl.exceptions
import nacl.pwhash
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KIB, MIB = 1 << 10, 1 << 20
MOST = {"keys": 64 * KIB, "packs": 64 * MIB, "indexes": 1024 * MIB, "snapshots": 256 * MIB, "log": 4 * MIB}
CHUNK_MOST, PAYLOAD_MOST, RECORDS_MOST, DEPTH_MOST, SPLIT_MOST = 8 * MIB, 8 * MIB + 64 * KIB, 1 << 20, 4096, 16
ARGON2_PASSES_MOST, ARGON2_MEMORY_MOST = 1024, 4 * MIB  # memory in KiB: 4 GiB
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
                *({1: {SLOT}, 2: 16, 3: 16, 4: "t", 5: TIME, 6: 32, 7: 32, 8: {kind}, 9: pattern}
                  for kind, pattern in PROTECTION.items()),
                {1: {EPOCH}, 2: 16, 3: "u", 4: TIME, 5: 32, 6: 32},
                {1: {GRANT}, 2: 16, 3: "u", 4: 16, 5: "b"},
                {1: {WRITER}, 2: 16, 3: 32, 4: "t", 5: TIME},
                {1: {DRILL}, 2: 16, 3: 32, 4: "t", 5: TIME})
SECRETS = {1: 32, 2: 32, 3: 32, 4: 32}
CREDENTIAL = {1: {1, 2}, 2: 32, 4: ("u", 32),
              3: [{1: 16, 2: "t", 3: 32, 4: 32, 5: 32, 6: [("u", 32, 32, Or(None, 32))]}]}
KEY_EVENT, COMMIT, TOMBSTONE, LABEL, HOLD, RELEASE, LOCK, CONDEMNATION, COLLECTION, CHECKPOINT, AUDIT = range(1, 12)
OPEN_DETAILS = {KEY_EVENT: {-1: "ids", -2: "ids"}, COMMIT: {1: 32, 2: 32, 3: "u"}, TOMBSTONE: {1: "ids"},
                LABEL: {1: 32}, HOLD: {1: 32}, RELEASE: {1: 32}, LOCK: {1: 32, 2: TIME}, CONDEMNATION: {1: "ids"},
                COLLECTION: {1: "ids"}, CHECKPOINT: {1: "u", 2: 32}, AUDIT: {}}
SEALED_DETAILS = {KEY_EVENT: {-1: "t"}, TOMBSTONE: {-1: "t"}, LABEL: {1: LABELS}, HOLD: {-1: "t"}, RELEASE: {-1: "t"},
                  AUDIT: {1: "t"}}
LOG_PAYLOAD = Or(*({1: "u", 2: 32, 3: TIME, 4: {kind}, 5: 32, 6: 16, 7: pattern, -8: MAP}
                   for kind, pattern in OPEN_DETAILS.items()))
PARTS = [Or(None, 32, "u")]
STATUS = ({1, 2, 3, 4, 5, 6, 7}, "u", "u", "u", "i", "u", "u", Or(None, ("u", "u", "u")))
ENTRY = ("b", STATUS, {-1: PARTS, -2: 32, -3: 32, -4: 32, -5: "b", -6: "u", -7: "u", -8: [("b", "b")]})
TREE_NODE = Or(({0}, [ENTRY]), ({1}, [("b", 32, "u")]), ({2}, PARTS), ({3}, [(32, "u")]))
REFERENCE_NODE = {1: 32, 2: "ids", 3: "ids"}
SNAPSHOT = ("t", 16, "ids", MAP, SEGMENT, "b")
HEADER = {1: 32, 2: 32, 3: TIME, 4: "t", 5: "t", 6: ["b"], 7: LABELS, 8: ("u",) * 6, 9: 32, 10: "t", 11: "u", 12: TIME}
NAMES = [("u", "b")]
SNAPSHOT_BODY = {1: 32, 2: 32, 3: NAMES, 4: NAMES, 5: [("b", "t")]}


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
            require(bool(keys) and keys[0][0] == epoch.public, "a segment not sealed for its epoch")
            if epoch.secret is None:
                raise NoSecret("this credential opens no contents")
            data_key = box_open(epoch.public, epoch.secret, keys[0][1])
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
    return KeyObject(sha256(data), fields[1], fields[2], issuer, fields)


def custodian_secrets(seed: bytes) -> tuple[bytes, bytes]:
    """X25519 secret and Ed25519 seed."""
    return hkdf(seed, b"", b"qcbak1 custodian box", 32), hkdf(seed, b"", b"qcbak1 custodian sign", 32)


def open_password_slot(config: bytes, suite: int, slot: KeyObject, password: bytes) -> Optional[bytes]:
    """The custodian's X25519 secret, or None when the password is another."""
    custodian, x_public, ed_public = (slot.fields[key] for key in (3, 6, 7))
    salt, passes, memory, sealed = slot.fields[9]
    require(1 <= passes <= ARGON2_PASSES_MOST and 8 <= memory <= ARGON2_MEMORY_MOST, "slot: cost of the password")
    key = nacl.pwhash.argon2id.kdf(32, password, salt, opslimit=passes, memlimit=memory * KIB)
    associated = b"qcbak1 slot" + config + slot.domain + custodian + x_public + ed_public
    try:
        seed = aead_open(suite, key, 0, associated, sealed)
    except Refused:
        return None
    x_secret, ed_seed = custodian_secrets(seed)
    require(sodium.crypto_scalarmult_base(x_secret) == x_public and ed25519_public(ed_seed) == ed_public,
            "slot: the seed is not that of its public keys")
    return x_secret


def read_credential(file: Path, config: bytes) -> dict[int, Any]:
    first, *rest = file.read_text("ascii").splitlines()
    match = re.fullmatch("qcbak (write|read) credential 1", first)
    require(match is not None, "credential: first line")
    try:
        data = bytes.fromhex("".join(rest))
    except ValueError as error:
        raise Refused("credential: hexadecimal") from error
    require(sha256(data[:-32]) == data[-32:], "credential: hash")
    credential = uncbor(data[:-32], CREDENTIAL, "credential")
    require(credential[1] == {"write": 1, "read": 2}[match[1]], "credential: kind")  # type: ignore[index]
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
    """What the log says about one domain, from its root on."""
    root: bytes
    counting: dict[bytes, KeyObject] = field(default_factory=dict)
    removed: set[bytes] = field(default_factory=set)
    absent: set[bytes] = field(default_factory=set)
    snapshots: dict[bytes, Committed] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    collected: set[bytes] = field(default_factory=set)

    def public_keys(self, kind: int, place: int) -> set[bytes]:
        return {key.fields[place] for key in self.counting.values() if key.kind == kind}

    def may_sign(self, signer: bytes) -> bool:
        return signer == self.root or signer in self.public_keys(SLOT, 7) | self.public_keys(WRITER, 3)

    def may_count(self, key: KeyObject, domain: bytes) -> bool:
        """Judged when a key event adds the object: who loses his office later leaves valid what he issued before."""
        issued = (key.issuer == self.root or key.issuer in self.public_keys(SLOT, 7) or
                  (key.kind in (EPOCH, GRANT) and key.issuer in self.public_keys(WRITER, 3)))
        if key.kind == DOMAIN:
            issued = issued and key.fields[5] == self.root
        if key.kind == EPOCH:
            issued = issued and key.fields[3] >= 1 and key.fields[3] not in self.public_keys(EPOCH, 3)
        return issued and key.domain == domain and key.name not in self.removed

    def key_event(self, entry: LogEntry, objects: dict[bytes, KeyObject]) -> None:
        waiting = split_ids(entry.open.get(1, b""))
        self.absent |= set(waiting) - set(objects)
        while True:  # the issuer of one may be added by the same event
            added = [name for name in waiting if name in objects and self.may_count(objects[name], entry.domain)]
            self.counting.update((name, objects[name]) for name in added)
            waiting = [name for name in waiting if name not in added]
            if not added:
                break
        for name in split_ids(entry.open.get(2, b"")):
            self.removed.add(name)
            self.counting.pop(name, None)

    def tombstone(self, entry: LogEntry, snapshot: bytes) -> None:
        known = self.snapshots.get(snapshot)
        if known and (known.held or (known.locked_until is not None and entry.time < known.locked_until)):
            return
        self.gone.add(snapshot)

    def apply(self, entry: LogEntry, entries: list[LogEntry], objects: dict[bytes, KeyObject]) -> None:
        require(self.may_sign(entry.signer), f"log entry {entry.number}: its signer may not sign")
        known = self.snapshots.get(entry.open.get(1, b""))
        if entry.kind == KEY_EVENT:
            self.key_event(entry, objects)
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
        elif entry.kind == COLLECTION:
            self.collected |= set(split_ids(entry.open[1]))
        elif entry.kind == CHECKPOINT:
            number = entry.open[1]
            require(1 <= number < entry.number and entries[number - 1].hash == entry.open[2],
                    f"log entry {entry.number}: checkpoint differs")

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
    at = 64
    for record in sorted(records, key=lambda record: record.offset):
        require(record.place < len(segments) and record.offset == at, "directory: place of a record")
        at += record.stored
    require(at == header.table_a, "directory: the records do not fill their part of the pack")
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
        require(ascending(config[6]) and ascending(config[7]), "config: flags not sorted")
        require(set(config[6]) <= MANDATORY_KNOWN, f"config: mandatory flags {config[6]}")
        self.config, self.id, self.suite = sha256(data), config[3], config[4]
        self.key_objects = self.read_keys()
        self.entries = self.read_log()
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

    def read_keys(self) -> dict[bytes, KeyObject]:
        found = {}
        folders = [self.path / "keys"] + ([self.keys_apart] if self.keys_apart else [])
        for path in (path for folder in folders for path in sorted(folder.glob("*"))):
            try:
                require(path.stat().st_size <= MOST["keys"], "too large")
                key = read_key_object(self.config, path.read_bytes())
                require(key.name.hex() == path.name, "not what its name says")
                found[key.name] = key
            except (Refused, OSError) as error:
                self.problem(f"keys/{path.name}", error)
        return found

    def read_log(self) -> list[LogEntry]:
        """The chain and every signature; whether the signer had the right is for `DomainLog`."""
        entries: list[LogEntry] = []
        before = self.config
        for number, path in enumerate(sorted((self.path / "log").iterdir()), 1):
            require(path.name == f"{number:012}", f"log entry {number} is missing: there is {path.name}")
            data = path.read_bytes()
            require(len(data) <= MOST["log"], f"log entry {number}: too large")
            payload, signature = uncbor(data, ("b", 64), f"log entry {number}")
            value = uncbor(payload, LOG_PAYLOAD, f"log entry {number}")
            require(value[1] == number and value[2] == before, f"log entry {number}: the chain is broken")
            require(signature_holds(value[5], signature, b"qcbak1 log\0" + self.config + payload),
                    f"log entry {number}: signature")
            before = sha256(data)
            entries.append(LogEntry(number, before, *(value[key] for key in range(3, 8)), value.get(8)))
        return entries

    # Keys: trust
    def domain_log(self, domain: bytes, root: bytes) -> DomainLog:
        log = DomainLog(root)
        for entry in self.entries:
            if entry.domain == domain:
                log.apply(entry, self.entries, self.key_objects)
        require(any(key.kind == DOMAIN for key in log.counting.values()), "the log does not add the domain")
        return log

    def add_domain(self, domain: bytes, root: bytes, log: DomainLog, epochs: dict[int, Epoch]) -> None:
        objects = {key.fields[3]: key.fields for key in log.counting.values() if key.kind == EPOCH}
        for number, epoch in epochs.items():
            require(number in objects, f"epoch {number}: no object of it counts")
            check = hkdf(epoch.map_key, b"", b"qcbak1 map check", 32)
            require((objects[number][5], objects[number][6]) == (epoch.public, check) and
                    (epoch.secret is None or sodium.crypto_scalarmult_base(epoch.secret) == epoch.public),
                    f"epoch {number}: its keys are not those of its object")
        self.domains[domain] = Domain(self.config, self.suite, domain, root, epochs, log)

    def open_credential(self, file: Path) -> None:
        credential = read_credential(file, self.config)
        number, head = credential[4]
        require(number == 0 or (number <= len(self.entries) and self.entries[number - 1].hash == head),
                "the log is not the one that the credential knew")
        for domain in credential[3]:
            epochs = {epoch: Epoch(map_key, domain[4], public, secret) for epoch, map_key, public, secret in domain[6]}
            self.add_domain(domain[1], domain[3], self.domain_log(domain[1], domain[3]), epochs)

    def open_password(self, password: bytes) -> None:
        opened = []
        for slot in [key for key in self.key_objects.values() if key.kind == SLOT and key.fields[8] == 1]:
            secret = open_password_slot(self.config, self.suite, slot, password)
            if secret is not None:
                opened.append(slot)
                self.open_custodian(slot, secret)
        require(bool(opened), "the password opens no slot")

    def open_custodian(self, slot: KeyObject, x_secret: bytes) -> None:
        """The root is what a grant says: each that a grant names is tried, and one alone may fit log and objects."""
        by_root: dict[bytes, dict[bytes, tuple[int, Epoch]]] = {}
        for key in self.key_objects.values():
            if (key.kind, key.domain) == (GRANT, slot.domain) and key.fields[4] == slot.fields[3]:
                secrets = uncbor(box_open(slot.fields[6], x_secret, key.fields[5]), SECRETS, "grant")
                epoch = Epoch(secrets[3], secrets[2], sodium.crypto_scalarmult_base(secrets[4]), secrets[4])
                by_root.setdefault(secrets[1], {})[key.name] = (key.fields[3], epoch)
        reasons, fitting = [], 0
        for root, grants in by_root.items():
            try:
                log = self.domain_log(slot.domain, root)
                require(slot.name in log.counting, "the custodian's slot does not count")
                epochs = dict(grant for name, grant in grants.items() if name in log.counting)
                require(bool(epochs), "no grant counts")
                self.add_domain(slot.domain, root, log, epochs)
                fitting += 1
            except Refused as error:
                reasons.append(str(error))
        require(fitting == 1, "; ".join(reasons) or "no grant, or grants of several roots")

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
    name, status, details = entry
    require(name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name, f"a name {name!r}")
    allowed = {1: {1, 2, 3}, 2: {4}, 3: {5}, 6: {6}, 7: {6}}.get(entry.type, set()) | {7, 8}
    needed = {1: {3} if entry.size == 0 else {1, 2, 3}, 2: {4}, 3: {5}, 6: {6}, 7: {6}}.get(entry.type, set())
    have = set(details)
    if entry.type == 1 and entry.size:  # one of 1 and 2, not both
        require(len(have & {1, 2}) == 1, f"{name!r}: contents")
        needed = needed - {1, 2}
    require(needed <= have <= allowed and (entry.size > 0 or not have & {1, 2}), f"{name!r}: details of another type")
    require(status[1] < 4096 and max(status[2:4]) < 1 << 32 and status[5] < 10 ** 9, f"{name!r}: status")
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
        stack = [(b"", self.directory(self.body()[2], None))]
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
    for kind in ("packs", "indexes", "snapshots"):
        named = {str(repository.object_path(kind, name)): name for name in repository.names(kind)}
        for path in sorted(p for p in (repository.path / kind).rglob("*") if p.is_file()):
            where = str(path.relative_to(repository.path))
            try:
                require(str(path) in named, "no object can have this path")
                repository.read_object(kind, named[str(path)])
            except (Refused, OSError) as error:
                repository.problem(where, error)


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
            there = {(chunk, r.offset, r.stored, size) for r in records for chunk, size in r.chunks}
            require(repository.object_path("packs", pack).stat().st_size == length, "index: length of a pack")
            require(indexed <= there and {e[0] for e in indexed} == {e[0] for e in there},
                    "index: not what its pack holds")


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
    waiting = [(b"", snapshot.body()[2], snapshot.header[9], 0)]
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
    for name in set(split_ids(snapshot.packs)) - set(repository.packs) - snapshot.domain.log.collected:
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
                      "key objects apart": sum(len(d.log.absent) for d in repository.domains.values()),
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
