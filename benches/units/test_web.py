"""More tests of samples/images/python/app: each makes a server and files of its own."""

import gzip
import json
import os
import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import notes
import pytest


@pytest.fixture
def base(tmp_path):
    server = notes.serve(0, os.path.join(tmp_path, "notes.db"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def read(url, data=None):
    with urlopen(url, data) as answer:
        return answer.read()


def test_empty(base):
    assert json.loads(read(base + "/notes")) == []


@pytest.mark.parametrize("text", ["a", "b" * 10_000, "ü", "<b>"])
def test_notes_are_kept(base, text):
    read(base + "/notes", text.encode())
    assert json.loads(read(base + "/notes"))[0]["text"] == text


@pytest.mark.parametrize("count", [1, 5, 20])
def test_many(base, count):
    for n in range(count):
        read(base + "/notes", str(n).encode())
    assert len(json.loads(read(base + "/notes"))) == count


@pytest.mark.parametrize("path", ["/absent", "/notes/7"])
def test_what_is_not_there(base, path):
    with pytest.raises(HTTPError) as refusal:
        read(base + path)
    refusal.value.close()


@pytest.mark.parametrize("count", [0, 3])
def test_backup(base, count):
    for n in range(count):
        read(base + "/notes", str(n).encode())
    assert gzip.decompress(read(base + "/backup")).startswith(b"SQLite format 3\0")
