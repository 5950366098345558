"""The client of samples/nginx/run: plain sockets, so that nothing but the requests is in the recording.

    client.py port                 prints a free port of the loopback
    client.py ready PORT VERSION   waits until the server answers with this version
    client.py requests PORT        makes the requests
    client.py more                 does what the workload never does
"""

import errno
import socket
import sys
import time


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def exchange(connection, method, path, headers="", body=b""):
    """Sends one request and reads the whole answer; returns the status and the body."""
    head = f"{method} {path} HTTP/1.1\r\nHost: sample\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    connection.sendall(head.encode() + body)
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(connection)
    head, data = data.split(b"\r\n\r\n", 1)
    lines = head.decode().lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    if fields.get("transfer-encoding") == "chunked":
        while not data.endswith(b"0\r\n\r\n"):
            data += receive(connection)
    else:
        while len(data) < int(fields["content-length"]):
            data += receive(connection)
    return int(lines[0].split()[1]), data


def receive(connection):
    data = connection.recv(65536)
    if not data:
        sys.exit("the server closed the connection in the middle of an answer")
    return data


def expect(status, answer):
    if answer[0] != status:
        sys.exit(f"expected status {status}, got {answer[0]}: {answer[1][:80]!r}")
    return answer[1]


def ready(port, version):
    for _ in range(300):
        time.sleep(0.02)
        try:
            with connect(port) as connection:
                if expect(200, exchange(connection, "GET", "/version")) == version.encode() + b"\n":
                    return
        except ConnectionRefusedError:
            pass
    sys.exit(f"no server of version {version} within six seconds")


def requests(port):
    for _ in range(2):
        with connect(port) as connection:  # one connection for all of them
            assert expect(200, exchange(connection, "GET", "/")) == b"a page\n"
            expect(200, exchange(connection, "GET", "/long.txt"))
            expect(200, exchange(connection, "GET", "/long.txt", "Accept-Encoding: gzip\r\n"))
            assert expect(206, exchange(connection, "GET", "/long.txt", "Range: bytes=2-5\r\n")) == b"line"
            expect(404, exchange(connection, "GET", "/absent"))
            expect(405, exchange(connection, "POST", "/index.html", "", b"not for a page"))
            expect(200, exchange(connection, "POST", "/upload", "", b"x" * 100_000))


def more():
    try:
        socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0).close()
    except OSError as error:
        # A kernel without this family was asked all the same; a filter's refusal is another error.
        if error.errno != errno.EAFNOSUPPORT:
            sys.exit(str(error))


match sys.argv[1:]:
    case ["port"]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            print(probe.getsockname()[1])
    case ["ready", port, version]:
        ready(int(port), version)
    case ["requests", port]:
        requests(int(port))
    case ["more"]:
        more()
    case other:
        sys.exit(f"unknown: {other}")
