"""Marks each test as a unit for `learn record`: pytest -p learn_units, with this file's directory in PYTHONPATH.

Does nothing where LEARN_SOCKET is not set. Tests that run at the same time (pytest-xdist) can not be told apart.
"""

import json
import os
import socket
import zlib


def mark(**what):
    """Tells the recorder that a unit or a phase begins, and returns when that is in effect."""
    path = os.environ.get("LEARN_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as recorder:
        recorder.connect(path)
        recorder.sendall(json.dumps(what).encode() + b"\n")
        answer = recorder.makefile().readline().strip()
    if answer != "ok":
        raise RuntimeError(f"learn: {answer or 'the recording has ended'}")


def short(name):
    """A name that a recorder takes: a long one is cut, and told from others that begin alike."""
    raw = name.encode(errors="replace")
    if len(raw) <= 1000:
        return raw.decode()
    return f"{raw[:900].decode(errors='ignore')} {zlib.crc32(raw):08x}"


def pytest_runtest_logstart(nodeid):
    """Before a test's fixtures are made."""
    mark(unit=short(nodeid))
