"""Strange callers and failing disks."""

import json
import signal
import socket
import time
import unittest

from support import SOON, Serving, Stage, can_trace, denied_review, recording, verified_ids


def spoken_in_plain(port, text):
    """What the TLS port says to somebody who speaks this, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=SOON) as plain:
        plain.sendall(text)
        said = b""
        try:
            while piece := plain.recv(65536):
                said += piece
        except ConnectionResetError:
            pass
        return said


class StrangeCallers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)

    def test_each_gets_a_clear_status_and_a_log_line_and_an_honest_caller_goes_on(self):
        deep = json.loads(recording("person-edits-image"))
        text = json.dumps(deep).replace('"dryRun": false', '"dryRun": false, "deep": ' + "[" * 300 + "]" * 300)
        misdirected, unjudged = "no review: reviews are sent with POST to /validate or /mutate", "refused what could not be judged"
        rows = [
            ("GET", "GET", "/validate", None, 405, misdirected, "405"),
            ("another path", "POST", "/validat", recording("flux-applies"), 404, misdirected, "404"),
            ("no JSON", "POST", "/validate", b"hello", 400, unjudged, "invalid_json"),
            ("nothing", "POST", "/validate", b"", 400, unjudged, "invalid_json"),
            ("300 levels deep", "POST", "/validate", text.encode(), 400, unjudged, "too_deep"),
            ("17 MiB", "POST", "/validate", b" " * (17 << 20), 413, "request_refused", "413"),
        ]
        with Serving(self.stage, self.stage.folder("audit")) as serving:
            honest = serving.caller()
            for name, method, target, body, status, event, detail in rows:
                with self.subTest(name):
                    seen = len(serving.events(event))
                    stranger = serving.caller()
                    try:
                        answer = stranger.call(body, target, method)
                        self.assertEqual(answer.status, status)
                        self.assertNotIn(b'"allowed":true', answer.body)
                    except (ConnectionError, BrokenPipeError):
                        self.assertEqual(status, 413, "only a body that nobody reads may be cut off")
                    with serving.changed:
                        serving.changed.wait_for(lambda: len(serving.events(event)) > seen, SOON)
                    self.assertIn(detail, json.dumps(serving.events(event)[-1]))
                    self.assertTrue(honest.call(recording("flux-applies")).response["allowed"])

            plain = [
                ("plain HTTP", b"POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 400 "),
                ("noise", bytes(range(256)), b""),
                ("an SSH client", b"SSH-2.0-OpenSSH_9.2\r\n", b""),
            ]
            for name, said, begins in plain:
                with self.subTest(name):
                    seen = len(serving.events("handshake_failed"))
                    answered = spoken_in_plain(serving.port, said)
                    self.assertTrue(answered.startswith(begins), answered)
                    with serving.changed:
                        serving.changed.wait_for(lambda: len(serving.events("handshake_failed")) > seen, SOON)
                    self.assertGreater(len(serving.events("handshake_failed")), seen)
                    self.assertTrue(honest.call(recording("flux-applies")).response["allowed"])
            self.assertEqual(serving.readyz()[0], 200)


@unittest.skipUnless(can_trace()[0], can_trace()[1])
class FailingDisks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)

    def serving(self, injected, **changes):
        call = injected.split(":")[0]
        tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={injected}"]
        return Serving(self.stage, self.stage.folder("audit"), before=tracer, **changes)

    def test_after_the_first_failed_sync_nothing_is_acknowledged_denials_go_on_and_the_process_ends(self):
        with self.serving("fdatasync:error=EIO:when=10", drain_time="1s") as serving:
            caller = serving.caller()
            # The start writes records of its own, some of them in one batch.
            kept, number = [], 0
            while (answer := caller.call(denied_review(f"r{number}"))).record:
                kept.append(answer.record)
                number += 1
                self.assertLess(number, 10)
            self.assertEqual(kept, [f"r{i}" for i in range(number)])
            self.assertGreater(number, 3)
            # The tenth sync fails, and never is there an eleventh that would "succeed".
            for more in range(number + 1, number + 10):
                answer = caller.call(denied_review(f"r{more}"))
                self.assertFalse(answer.response["allowed"])
                self.assertIsNone(answer.record)
                self.assertIn("record-missing", answer.response["auditAnnotations"])
            broke = serving.wait_for("the audit log broke; draining, a restart follows")
            self.assertIn("Input/output error", broke["error"])
            serving.wait_for("draining")
            self.assertTrue(serving.caller().call(recording("flux-applies")).response["allowed"])
            self.assertEqual(serving.readyz()[0], 503)
            self.assertIn("[-]audit failed", serving.readyz()[1])
            self.assertEqual(serving.metrics()["fluxgate_audit_available"], 0)
            self.assertEqual(serving.wait(), 2, serving.text())
            ids = verified_ids(serving.audit)
            self.assertEqual(ids[:number], kept)
            self.assertNotIn(f"r{number + 1}", ids)
        # The next start goes on behind what is there.
        with Serving(self.stage, serving.audit) as again:
            self.assertEqual(again.readyz()[0], 200)
            self.assertEqual(again.caller().call(denied_review("after")).record, "after")
        self.assertEqual(verified_ids(serving.audit)[-1], "after")

    def test_a_full_disk_at_the_start_is_served_degraded(self):
        with self.serving("fsync:error=ENOSPC:when=1+", drain_time="0s") as serving:
            self.assertIn("[+]audit degraded", serving.readyz()[1])
            self.assertIn("No space left", serving.events("audit degraded: denials go on unrecorded, exceptional writes are refused")[0]["error"])
            self.assertIn("record-missing", serving.caller().call(denied_review("r1")).response["auditAnnotations"])

    def test_a_disk_that_hangs_delays_neither_answers_beyond_the_deadline_nor_the_end_beyond_the_grace_period(self):
        with self.serving("fdatasync:delay_enter=8000000:when=8", drain_time="0s", grace_period="1s") as serving:
            caller = serving.caller()
            for number in range(8):  # the start writes records too
                start = time.monotonic()
                answer = caller.call(denied_review(f"r{number}"), "/validate?timeout=1s")
                took = time.monotonic() - start
                if answer.record is None:
                    break
            self.assertLess(took, 1)
            self.assertFalse(answer.response["allowed"])
            self.assertIsNone(answer.record)
            serving.send_signal(signal.SIGTERM)
            serving.wait_for("not ended by the end of the grace period; giving up")
            self.assertEqual(serving.wait(), 2)


if __name__ == "__main__":
    unittest.main()
