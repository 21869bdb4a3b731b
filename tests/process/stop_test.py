"""Stopping: asked to, under load, in a hurry, and killed."""

import json
import os
import random
import signal
import time
import unittest

from support import SEED, Load, Serving, Stage, events, recording, verified_ids

KILLS = int(os.environ.get("FLUXGATE_KILLS", "20"))


class Stopping(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)

    def test_asked_to_stop_under_load_no_call_fails_and_no_record_is_lost(self):
        with Serving(self.stage, self.stage.folder("audit"), drain_time="1s", grace_period="20s") as serving:
            load = Load(serving, callers=6, prefix="load")
            load.wait_for_answers(100)
            asked = time.monotonic()
            serving.send_signal(signal.SIGTERM)
            serving.wait_for("draining")
            serving.wait_until_not_ready()
            status, text = serving.readyz()
            self.assertEqual(status, 503)
            self.assertIn("[-]shutdown failed: draining", text)
            load.draining.set()  # from here on every call must be told to close
            load.wait_for_answers(50)
            self.assertEqual(serving.wait(), 0, serving.text())
            took = time.monotonic() - asked
            load.join()
            self.assertEqual(load.failures, [])
            self.assertEqual(load.not_closing, 0)
            self.assertGreaterEqual(took, 1)
            self.assertLess(took, 20)
            self.assertEqual(serving.events("stopped")[0]["requestsCutOff"], "0")
            self.assertEqual(sorted(verified_ids(serving.audit)), sorted(load.acknowledged))
            print(f"\n{load.answers} calls, none failed; stopped after {took:.2f} s with a drain time of 1 s")

    def test_a_client_that_loops_leaves_its_first_denial_and_a_count(self):
        review = json.loads(recording("person-edits-image"))
        with Serving(self.stage, self.stage.folder("audit"), drain_time="0s") as serving:
            caller = serving.caller()
            for number in range(200):
                review["request"]["uid"] = f"loop-{number}"
                answer = caller.call(json.dumps(review).encode())
                self.assertFalse(answer.response["allowed"])
                self.assertEqual(answer.record, "loop-0")
            caller.close()
            serving.send_signal(signal.SIGTERM)
            self.assertEqual(serving.wait(), 0, serving.text())
            self.assertEqual(verified_ids(serving.audit), ["loop-0"])
            names = events(serving.audit)
            self.assertEqual(names[:2] + names[-3:], ["started", "certificate-loaded", "denial-repeated", "heartbeat", "stopped"])

    def test_a_second_signal_hastens(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)):
            with self.subTest(first=first, second=second), Serving(self.stage, self.stage.folder("audit"), drain_time="600s", grace_period="900s") as serving:
                serving.send_signal(first)
                serving.wait_for("draining")
                serving.send_signal(second)
                self.assertEqual(serving.wait(), 0, serving.text())
                self.assertTrue(serving.events("asked again: not waiting for the drain time"))

    def test_a_drain_time_beyond_the_grace_period_does_not_outlive_it(self):
        with Serving(self.stage, self.stage.folder("audit"), drain_time="600s", grace_period="300ms") as serving:
            serving.send_signal(signal.SIGTERM)
            self.assertEqual(serving.wait(), 0, serving.text())

    def test_being_stopped_and_continued_does_not_end_the_drain_time(self):
        with Serving(self.stage, self.stage.folder("audit"), drain_time="600s", grace_period="900s") as serving:
            serving.send_signal(signal.SIGTERM)
            serving.wait_until_not_ready()
            serving.send_signal(signal.SIGSTOP)
            os.waitpid(serving.process.pid, os.WUNTRACED)
            serving.send_signal(signal.SIGCONT)
            self.assertEqual(serving.readyz()[0], 503)
            self.assertFalse(serving.events("stopped"))
            serving.send_signal(signal.SIGTERM)
            self.assertEqual(serving.wait(), 0, serving.text())

    def test_killed_at_any_moment_every_acknowledged_record_is_in_the_log(self):
        chance = random.Random(SEED)
        print(f"\n{KILLS} kills, FLUXGATE_SEED={SEED}", end="")
        audit = self.stage.folder("audit")
        acknowledged = []
        for kill in range(KILLS):
            with Serving(self.stage, audit) as serving:
                load = Load(serving, callers=4, prefix=f"kill-{kill}", killed=True)
                load.wait_for_answers(chance.randrange(1, 120))
                serving.send_signal(signal.SIGKILL)
                self.assertEqual(serving.wait(), -signal.SIGKILL)
                load.join()
                self.assertEqual(load.failures, [])
                acknowledged += load.acknowledged
                missing = set(acknowledged) - set(verified_ids(audit))
                self.assertEqual(missing, set(), f"kill {kill} of FLUXGATE_SEED={SEED}")
        self.assertEqual(len(acknowledged), len(set(acknowledged)))
        print(f": {len(acknowledged)} records acknowledged, {len(verified_ids(audit))} in the log, none lost")


if __name__ == "__main__":
    unittest.main()
