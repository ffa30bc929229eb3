#!/usr/bin/python3
"""Comes to the gateway as a client: usage visitor.py PORT CA WHAT [ARGUMENT...]; says on standard output what it saw."""

import hashlib
import os
import socket
import ssl
import sys
import time

PORT, CA = int(sys.argv[1]), sys.argv[2]
LIMIT_S = 120  # of patience, for a test that would hang


def context(version=ssl.TLSVersion.TLSv1_3):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = version
    if version != ssl.TLSVersion.TLSv1_3:
        made.set_ciphers("ALL:@SECLEVEL=0")
    made.load_verify_locations(CA)
    return made


def reach(source="127.0.0.1", receive_bytes=0):
    plain = socket.socket()
    if receive_bytes:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    plain.bind((source, 0))
    plain.settimeout(LIMIT_S)
    plain.connect(("127.0.0.1", PORT))
    return plain


def open_tls(source="127.0.0.1", **more):
    return context().wrap_socket(reach(source, **more), server_hostname="127.0.0.1", suppress_ragged_eofs=False)


def ask(tls, target, close=True):
    tls.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n{'Connection: close' if close else 'X: y'}\r\n\r\n".encode())


def read_reply(tls):
    got = bytearray()
    while b"\r\n\r\n" not in got:
        got += tls.recv(65536)
    head, body = got.split(b"\r\n\r\n", 1)
    size = int(next(l for l in head.split(b"\r\n") if l.lower().startswith(b"content-length")).split(b":")[1])
    while len(body) < size:
        piece = tls.recv(65536)
        if not piece:
            break
        body += piece
    return head.split(b" ")[1].decode(), bytes(body)


def is_closed(tls):
    """The other side has ended: with its notice, as the library would complain about otherwise."""
    return tls.recv(1) == b""


def refused(source):
    try:
        with open_tls(source) as tls:
            ask(tls, "/")
            return tls.recv(1) == b""
    except (ConnectionError, ssl.SSLError, OSError):
        return True


def version(name):
    try:
        plain = reach()
        with context(getattr(ssl.TLSVersion, name)).wrap_socket(plain, server_hostname="127.0.0.1") as tls:
            print(tls.version())
    except ssl.SSLError as error:
        print("refused", error.reason)


def get(target):
    with open_tls() as tls:
        here = tls.getsockname()
        ask(tls, target)
        status, body = read_reply(tls)
        closed = is_closed(tls)
    print(status, len(body), hashlib.sha256(body).hexdigest(), "closed" if closed else "open", here[1])


def body_of(target):
    with open_tls() as tls:
        ask(tls, target)
        print(*(part if isinstance(part, str) else part.decode() for part in read_reply(tls)))


def slow(target, written):
    """Does not read until nothing more is taken from the daemon."""
    with open_tls(receive_bytes=65536) as tls:
        ask(tls, target)
        before, now = None, ""
        while now != before or not now:
            before = now
            time.sleep(1)
            now = open(written).read() if os.path.exists(written) else ""
        status, body = read_reply(tls)
    print(status, len(body), hashlib.sha256(body).hexdigest(), int(now) < len(body))


def half():
    """Ends its own side, and still gets the reply."""
    plain = reach()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")

    def until(step):
        while True:
            try:
                result = step()
                plain.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536)) or incoming.write_eof()

    until(tls.do_handshake)
    tls.write(b"GET /count HTTP/1.1\r\n\r\n" + b"x" * 100000)
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        pass
    plain.sendall(outgoing.read())
    got = b""
    try:
        while piece := until(lambda: tls.read(65536)):
            got += piece
    except ssl.SSLZeroReturnError:
        print(got.decode())


def cut():
    """Goes without a notice of its end, in the middle of a request."""
    tls = open_tls()
    tls.sendall(b"POST /v1/session HTTP/1.1\r\nContent-Length: 5\r\n\r\n{}")
    socket.socket(fileno=tls.detach()).close()
    print("gone")


def garbage():
    with reach() as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            while plain.recv(4096):
                pass
        except ConnectionError:
            pass
    print("closed")


def idle():
    """Once before TLS, and once behind it."""
    plain, tls = reach("127.0.0.9"), open_tls("127.0.0.9")
    for each in (plain, tls):
        try:
            while each.recv(4096):
                pass
        except (ConnectionError, ssl.SSLEOFError):
            pass
    print("closed")


def open_when_there_is_room(source):
    """Who was here before may be leaving still."""
    while True:
        try:
            return open_tls(source)
        except (ConnectionError, ssl.SSLError):
            time.sleep(0.1)


def limits(of_one, of_all):
    of_one, of_all = int(of_one), int(of_all)
    guests = [open_when_there_is_room("127.0.0.1") for _ in range(of_one)]
    print("one too many:", refused("127.0.0.1"))
    guests += [open_tls(f"127.0.0.{2 + i // of_one}") for i in range(of_all - of_one)]
    print("one too many of all:", refused("127.0.0.100"))
    for tls in (guests[0], guests[-1]):
        ask(tls, "/", close=False)
        print(read_reply(tls)[0])
    guests.pop(0).unwrap()
    while refused("127.0.0.1"):
        time.sleep(0.1)
    print("room again")


def serial():
    with open_tls() as tls:
        print(tls.getpeercert()["serialNumber"])


globals()[sys.argv[3]](*sys.argv[4:])
