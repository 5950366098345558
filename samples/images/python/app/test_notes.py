"""The application's own tests: python3 -m unittest, in the container."""

import gzip
import json
import os
import tempfile
import threading
import unittest
from urllib.error import HTTPError
from urllib.request import urlopen

import notes


class NotesTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.server = notes.serve(0, os.path.join(self.directory.name, "notes.db"))
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.base = f"http://127.0.0.1:{self.server.server_port}"

    def tearDown(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.directory.cleanup()

    def read(self, path, data=None):
        with urlopen(self.base + path, data) as answer:
            return answer.read()

    def test_notes_are_kept(self):
        self.assertEqual(json.loads(self.read("/notes")), [])
        self.assertEqual(json.loads(self.read("/notes", b"first")), {"id": 1})
        self.assertEqual(json.loads(self.read("/notes")), [{"id": 1, "text": "first"}])

    def test_a_backup_is_a_database(self):
        self.read("/notes", b"first")
        self.assertTrue(gzip.decompress(self.read("/backup")).startswith(b"SQLite format 3\0"))

    def test_what_is_not_there(self):
        with self.assertRaises(HTTPError) as refusal:
            self.read("/absent")
        self.assertEqual(refusal.exception.code, 404)
        refusal.exception.close()


if __name__ == "__main__":
    unittest.main()
