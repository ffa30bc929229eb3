#!/usr/bin/python3
"""Stands in for the daemon behind the gateway: usage stand_in.py SOCKET GOT
Each connection is a line of JSON in GOT when it has ended: its first line, its requests, how many bytes it was sent, whether it ended well.
Until then GOT.written has how many bytes of a big reply were taken from it so far."""

import asyncio
import json
import os
import sys

SOCKET, GOT = sys.argv[1:]
PIECE = bytes(range(256)) * 256
PASSWORDS = {"lan": "First-password-1"}
TOKENS = {}


def error(status, code, message):
    return status, {"error": {"code": code, "message": message, "hint": ""}}


def answer(method, target, headers, body):
    who = TOKENS.get(headers.get("authorization", "").removeprefix("Bearer "))
    if (method, target) == ("POST", "/v1/session"):
        if body.get("name") not in PASSWORDS or PASSWORDS[body["name"]] != body["password"]:
            return error(401, "refused", "the log-in failed")
        token = f"token-{len(TOKENS)}"
        TOKENS[token] = body["name"]
        must = ["password"] if body["password"].startswith("First") else ["otp"]
        return 200, {"token": token, "name": body["name"], "roles": ["operator", "auditor"], "must": must}
    if who is None:
        return error(401, "refused", "there is no such session")
    if (method, target) == ("POST", "/v1/session/end"):
        TOKENS.clear()
        return 200, {}
    if (method, target) == ("POST", f"/v1/people/{who}/password"):
        PASSWORDS[who] = body["new"]
        TOKENS.clear()
        return 200, {}
    if (method, target) == ("GET", "/v1/status"):
        return 200, {"version": "1", "started": "today", "repository": "/r", "free_bytes": None, "jobs": [], "messages": [], "syslog": None, "alerts": []}
    if (method, target) == ("GET", "/v1/people"):
        return 200, {"repository": "00", "people": []}
    return error(404, "not_found", "there is nothing of this name")


async def big(writer, size):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    for sent in range(0, size, len(PIECE)):
        writer.write(PIECE)
        await writer.drain()
        with open(GOT + ".written", "w") as file:
            file.write(str(sent + len(PIECE)))


async def request(reader, writer, seen):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    seen["requests"].append([method, target, headers.get("authorization"), body.decode()])
    if target.startswith("/big/"):
        await big(writer, int(target.split("/")[2]))
    elif target == "/count":  # what comes until the other side has ended
        writer.write(b"%d bytes and the end" % len(await reader.read()))
        return False
    else:
        status, reply = answer(method, target, headers, json.loads(body or b"{}"))
        text = json.dumps(reply).encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(text)) + text)
    await writer.drain()
    return headers.get("connection") != "close"


async def serve(reader, writer):
    seen = {"first": "", "requests": [], "end": "well"}
    try:
        seen["first"] = (await reader.readuntil(b"\r\n")).decode()
        while await request(reader, writer, seen):
            pass
    except asyncio.IncompleteReadError as gone:
        seen["end"] = "well" if not gone.partial else "cut off"
    except ConnectionError:
        seen["end"] = "broken"
    with open(GOT, "a") as file:
        file.write(json.dumps(seen) + "\n")
    writer.close()


async def main():
    server = await asyncio.start_unix_server(serve, SOCKET)
    open(GOT + ".ready", "w").close()
    async with server:
        await server.serve_forever()


os.path.exists(SOCKET) and os.unlink(SOCKET)
asyncio.run(main())
