# Usage: correspondent.py KIND PORT_FILE OUT [CERTIFICATE KEY]
# Plays who is told, on the loopback: a mail server (smtps; smtp, which wants STARTTLS before anything else), a webhook (https), a collector of syslog
# (udp, tcp, tls; deaf: one that reads nothing). Writes its port into PORT_FILE, and takes that again when the file is there; appends what it receives to OUT, a JSON document a line.
import asyncio, base64, email, email.policy, json, os, socket, ssl, sys

kind, port_file, out = sys.argv[1:4]
port = int(open(port_file).read()) if os.path.exists(port_file) else 0
context = None
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[4:6])

def record(document):
    with open(out, "a") as file: file.write(json.dumps(document) + "\n")

async def smtp(reader, writer):
    async def say(line):
        writer.write(line + b"\r\n")
        await writer.drain()
    secure, login, sender, to = kind == "smtps", None, None, []
    await say(b"220 here")
    while line := await reader.readline():
        word = line.split(b" ")[0].strip().upper()
        if word == b"EHLO": await say(b"250-here\r\n250 AUTH PLAIN" if secure else b"250-here\r\n250 STARTTLS")
        elif word == b"STARTTLS" and not secure:
            await say(b"220 go on")
            await writer.start_tls(context)
            secure = True
        elif word == b"QUIT":
            await say(b"221 bye")
            break
        elif not secure: await say(b"530 first STARTTLS")
        elif word == b"AUTH":
            parts = line.split()
            if len(parts) == 2:
                await say(b"334 ")
                parts.append((await reader.readline()).strip())
            login = base64.b64decode(parts[2]).decode().split("\0")[1:]
            await say(b"235 welcome" if login == ["backup", "the password"] else b"535 who are you?")
        elif word == b"MAIL": sender, to = line.decode().split("<")[1].split(">")[0], []; await say(b"250 yes")
        elif word == b"RCPT": to.append(line.decode().split("<")[1].split(">")[0]); await say(b"250 yes")
        elif word == b"DATA":
            await say(b"354 go on")
            data = b""
            while (line := await reader.readline()) not in (b".\r\n", b""): data += line
            if not line: return
            message = email.message_from_bytes(data, policy=email.policy.default)
            record({"from": sender, "to": to, "login": login, "headers": {k: str(v) for k, v in message.items()},
                    "subject": str(message["Subject"]), "text": message.get_content()})
            await say(b"250 taken")
        else: await say(b"250 yes")
    writer.close()

async def http(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    request, *lines = head.split("\r\n")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines if line)}
    body = await reader.readexactly(int(headers["content-length"]))
    if request.split()[1] == "/moved": answer = b"HTTP/1.1 302 Found\r\nLocation: /hook\r\n"
    else:
        record({"request": request, "headers": headers, "body": body.decode(), "json": json.loads(body)})
        answer = b"HTTP/1.1 204 No Content\r\n"
    writer.write(answer + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()

async def octet_counted(reader, writer):
    try:
        while True:
            size = int(await reader.readuntil(b" "))
            record({"message": (await reader.readexactly(size)).decode()})
    except asyncio.IncompleteReadError as end:
        if end.partial: record({"cut_off": end.partial.decode()})
    writer.close()

class Datagrams(asyncio.DatagramProtocol):
    def datagram_received(self, data, source): record({"message": data.decode()})

def be_deaf():  # what was sent, and not read, is answered with a reset
    listener = socket.create_server(("127.0.0.1", port))
    announce(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        connection.recv(1, socket.MSG_PEEK)
        connection.close()

def announce(at):
    with open(port_file + ".new", "w") as file: file.write(str(at))
    os.rename(port_file + ".new", port_file)
    open(port_file + ".ready", "w").close()

async def main():
    global port
    if kind == "deaf": be_deaf()
    if kind == "udp":
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", port))
        port = transport.get_extra_info("sockname")[1]
    else:
        serve = {"smtps": smtp, "smtp": smtp, "https": http, "tcp": octet_counted, "tls": octet_counted}[kind]
        server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context if kind in ("smtps", "https", "tls") else None)
        port = server.sockets[0].getsockname()[1]
    announce(port)
    await asyncio.Event().wait()

asyncio.run(main())
