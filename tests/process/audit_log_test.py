"""The reader of audit folders that the other tests believe must not believe everything."""

import shutil
import tempfile
import unittest
from pathlib import Path

import audit_log
from audit_log import BUNDLE, SEGMENT_HEADER, bundle_path, crc32c, event, records, tree_root, write


class Reading(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fluxgate-audit-log-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.segment = self.folder / "wal" / f"{1:020}.wal"

    def publish(self, texts, size=None):
        """Bundles and a checkpoint as c2sp.org/tlog-tiles has them."""
        entries = [text.encode() for text in texts]
        for number in range(0, (len(entries) + BUNDLE - 1) // BUNDLE):
            part = entries[number * BUNDLE:(number + 1) * BUNDLE]
            path = self.folder / bundle_path(number, len(part))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(len(entry).to_bytes(2, "big") + entry for entry in part))
        size = len(entries) if size is None else size
        root = audit_log.base64.b64encode(tree_root(entries[:size])).decode()
        (self.folder / "checkpoint").write_text(f"example.com/log\n{size}\n{root}\n\n— example.com/log AAAA\n")

    def test_known_answers(self):
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        roots = {0: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 1: "R/vdgy5QuqCocEhX/0GkCydKohWYekOhSOkUSS4A60I=",
                 3: "bzV0gheMz8C2CNRdAZcrzPFYw+wsS4Es7hbImCUYDMg=", 257: "6b/OTLWnQz5Ojg7C515gv+sgEK7R1IWKShYAknk+Qd4="}
        for size, root in roots.items():
            self.assertEqual(audit_log.base64.b64encode(tree_root(b'{"record":%d}' % i for i in range(size))).decode(), root)
        self.assertEqual(str(bundle_path(1234067, BUNDLE)), "tile/entries/x001/x234/067")

    def test_what_is_written_or_published_is_read_once(self):
        texts = [event("heartbeat", sequence) for sequence in range(1, 301)]
        write(self.folder, texts)
        self.assertEqual(len(records(self.folder)), 300)
        for published in (1, 255, 256, 257, 300):
            self.publish(texts[:published])
            self.assertEqual([record["data"]["sequence"] for record in records(self.folder)], list(range(1, 301)), published)
        shutil.rmtree(self.folder / "wal")
        self.assertEqual(len(records(self.folder)), 300)
        self.publish(texts, size=100)  # of a bundle that is full by now, the checkpoint needs a part
        self.assertEqual(len(records(self.folder)), 100)

    def test_a_torn_tail_is_no_record(self):
        texts = [event("heartbeat", sequence) for sequence in (1, 2)]
        write(self.folder, texts)
        whole = self.segment.read_bytes().rstrip(b"\0")
        self.segment.write_bytes(whole[:-3])
        self.assertEqual(len(records(self.folder)), 1)
        self.segment.write_bytes(whole[:-3] + b"xyz")
        self.assertEqual(len(records(self.folder)), 1)

    def test_damage_is_not_read_over(self):
        texts = [event("heartbeat", sequence) for sequence in (1, 2, 3)]

        def header(data):
            return b"x" + data[1:]

        def other(text):
            write(self.folder, [texts[0], text])

        rows = (
            ("the header of a segment", lambda: self.segment.write_bytes(header(self.segment.read_bytes()))),
            ("a hole in the sequence", lambda: other(texts[2])),
            ("a text that is not canonical", lambda: other(texts[1].replace('","', '", "', 1))),
            ("another schema", lambda: other(texts[1].replace("record/v2", "record/v1"))),
            ("no JSON", lambda: other("{")),
            ("an entry under the checkpoint", lambda: self.damage(bundle_path(0, 3), b"heartbeat-1", b"heartbeat-2")),
            ("the checkpoint", lambda: self.damage("checkpoint", b"\n3\n", b"\n2\n")),
            ("the log and its checkpoint disagree", lambda: write(self.folder, [texts[0], texts[1].replace("heartbeat-1", "heartbeat-9")])),
        )
        for name, break_it in rows:
            with self.subTest(name):
                shutil.rmtree(self.folder)
                self.folder.mkdir()
                write(self.folder, texts)
                if name.startswith(("an entry", "the checkpoint", "the log")):
                    self.publish(texts)
                self.assertEqual(len(records(self.folder)), 3)
                break_it()
                with self.assertRaises((AssertionError, ValueError, OSError)):
                    records(self.folder)

    def damage(self, path, before, after):
        data = (self.folder / path).read_bytes()
        self.assertIn(before, data)
        (self.folder / path).write_bytes(data.replace(before, after, 1))

    def test_the_layout_is_the_documented_one(self):
        self.assertEqual((SEGMENT_HEADER, audit_log.FRAME_HEADER.size), (32, 28))


if __name__ == "__main__":
    unittest.main()
