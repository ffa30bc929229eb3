#!/usr/bin/python3
"""What the last pass of a plan has to leave on a disk, made without the program's own code, and compared with what is there.
Usage: wipe_content.py IMAGE JOURNAL PATTERN|random|complement STEP [OLD_TEXT]
STEP is the number of the last writing step; for the complement of a drawn byte, of the step that draws it. The journal's secret is read from its first record (docs/sanitisation.md)."""

import struct
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def cbor(data: bytes, at: int):
    kind, small = data[at] >> 5, data[at] & 31
    at += 1
    if small < 24:
        value = small
    else:
        size = 1 << (small - 24)
        value = int.from_bytes(data[at : at + size], "big")
        at += size
    if kind == 0:
        return value, at
    if kind == 1:
        return -1 - value, at
    if kind in (2, 3):
        return data[at : at + value], at + value
    if kind == 4:
        items = []
        for _ in range(value):
            item, at = cbor(data, at)
            items.append(item)
        return items, at
    assert kind == 5
    found = {}
    for _ in range(value):
        key, at = cbor(data, at)
        found[key], at = cbor(data, at)
    return found, at


def secret_of(journal: str) -> bytes:
    data = open(journal, "rb").read()
    assert data[:8] == b"qcbakwj1"
    (size,) = struct.unpack_from("<I", data, 8)
    beginning, _ = cbor(data[12 : 12 + size], 0)
    return beginning[6]


def expected(pattern: str, step: int, size: int, secret: bytes) -> bytes:
    if pattern == "complement":
        drawn = HKDF(SHA256(), 1, b"", b"qcbak1 wipe byte" + struct.pack("<I", step)).derive(secret)
        return bytes([drawn[0] ^ 0xFF]) * size
    if pattern != "random":
        unit = bytes.fromhex(pattern)
        return (unit * (size // len(unit) + 1))[:size]
    key = HKDF(SHA256(), 32, b"", b"qcbak1 wipe pass" + struct.pack("<I", step)).derive(secret)
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(size))


def main() -> int:
    image = open(sys.argv[1], "rb").read()
    if image != expected(sys.argv[3], int(sys.argv[4]), len(image), secret_of(sys.argv[2])):
        print("the disk does not hold what the last pass writes")
        return 1
    if len(sys.argv) > 5 and sys.argv[5].encode() in image:
        print("old content is left")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
