"""A small web application: notes in SQLite, a page for each, and a backup that another program compresses."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Notes:
    def __init__(self, path):
        self.path = path
        with self.open() as database:
            database.execute("create table if not exists note (id integer primary key, text text not null)")

    def open(self):
        return sqlite3.connect(self.path)

    def add(self, text):
        with self.open() as database:
            return database.execute("insert into note (text) values (?)", (text,)).lastrowid

    def all(self):
        with self.open() as database:
            return [{"id": id, "text": text} for id, text in database.execute("select id, text from note order by id")]

    def backup(self):
        with tempfile.NamedTemporaryFile() as copy:
            with self.open() as database, sqlite3.connect(copy.name) as target:
                database.backup(target)
            return subprocess.run(["gzip", "--stdout", copy.name], check=True, capture_output=True).stdout


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        match self.path:
            case "/notes":
                self.answer(200, json.dumps(self.server.notes.all()).encode())
            case "/backup":
                self.answer(200, self.server.notes.backup(), "application/gzip")
            case _:
                self.answer(404, b"{}")

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(201, json.dumps({"id": self.server.notes.add(text)}).encode())

    def log_message(self, format, *arguments):
        pass


def serve(port, path):
    server = ThreadingHTTPServer(("", port), Handler)
    server.notes = Notes(path)
    return server


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(int(os.environ.get("PORT", "8080")), os.environ.get("NOTES", "/tmp/notes.db")).serve_forever()
