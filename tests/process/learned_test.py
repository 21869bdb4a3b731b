"""What a lock learns: the records and events that `serve` writes meanwhile, and what `policy explain --learned` makes of them."""

import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BINARY, SOON, Serving, Stage, recording

LOCK = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {{name: production}}
spec:
  match: {{namespaces: [production]}}
  rules:
  - name: only-git
    lock:
      writers: [{writers}]
{more}"""
LEARNS = "      learnUntil: 2100-01-01T00:00:00Z\n"


def lock(writers="flux", more=""):
    return LOCK.format(writers=writers, more=more)


def run(*words):
    return subprocess.run([BINARY, "policy", *map(str, words)], capture_output=True, text=True, timeout=SOON)


def records(audit):
    return [json.loads(line) for path in sorted(audit.glob("records-*.jsonl")) for line in path.read_text().splitlines()]


class Learning(unittest.TestCase):
    def test_serve_records_the_interval_and_what_it_learned_and_the_proposal_lets_the_same_write_pass(self):
        stage = Stage()
        self.addCleanup(stage.close)
        policies, audit = stage.folder("policies"), stage.folder("audit")
        (policies / "lock.yaml").write_text(lock(more=LEARNS))
        with Serving(stage, audit, policies=policies) as serving:
            caller = serving.caller()
            learned = caller.call(recording("hpa-scales")).response
            self.assertTrue(learned["allowed"])
            self.assertIn("is in no writer profile", learned["warnings"][0])
            self.assertFalse(caller.call(recording("person-edits-image")).response["allowed"])
            self.assertFalse(caller.call(recording("impersonated-flux")).response["allowed"])
            self.assertEqual(serving.metrics()["fluxgate_learning"], 1)
            serving.wait_for_metric("fluxgate_admission_learned_total", 1)
            (policies / "lock.yaml").write_text(lock())
            serving.wait_for("locks have ended to learn who writes")
            self.assertFalse(caller.call(recording("hpa-scales")).response["allowed"])
            self.assertEqual(serving.metrics()["fluxgate_learning"], 0)
            # Five events (started, certificate, begun, loaded, ended) and four reviews: after that all are in the file.
            serving.wait_for_metric('fluxgate_audit_records_total{result="durable"}', 9)
        lines = records(audit)
        events = [(line["event"], line["details"]) for line in lines if line.get("event", "").startswith("learn-")]
        until = ["production/only-git until 2100-01-01T00:00:00.000000Z"]
        self.assertEqual(events, [("learn-begun", until), ("learn-ended", until)])
        self.assertEqual([line["user"]["username"] for line in lines if line.get("learned")],
                         ["system:serviceaccount:kube-system:horizontal-pod-autoscaler"])

        proposed = run("explain", "--learned", audit, "--policies", policies)
        self.assertEqual((proposed.returncode, proposed.stderr), (0, ""))
        (policies / "learned.yaml").write_text(proposed.stdout)
        (policies / "lock.yaml").write_text(lock("flux, learned-kube-system"))
        linted = run("lint", policies)
        self.assertNotEqual(linted.returncode, 2, linted.stdout + linted.stderr)
        with Serving(stage, stage.folder("audit"), policies=policies) as serving:
            answer = serving.caller().call(recording("hpa-scales")).response
            self.assertTrue(answer["allowed"])
            self.assertNotIn("warnings", answer)


class Explaining(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="fluxgate-learned-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def log(self, *lines):
        (self.root / "records-00000000000000000001.jsonl").write_text("".join(line + "\n" for line in lines))
        return self.root

    def test_a_folder_in_which_nothing_was_learned_says_so(self):
        for folder in (self.root, self.log('{"schema":"fluxgate.dev/record/v1","sequence":1,"id":"e","event":"learn-begun"}')):
            told = run("explain", "--learned", folder)
            self.assertEqual((told.returncode, told.stderr), (0, ""))
            self.assertIn("Nothing was learned", told.stdout)
            self.assertEqual(json.loads(run("explain", "--learned", folder, "-o", "json").stdout), {"profiles": [], "locks": [], "leftOut": 0})

    def test_what_cannot_be_read_is_no_answer(self):
        rows = (
            ("no folder", self.root / "none", "cannot list the audit directory"),
            ("no record", self.log('{"schema":"other"}'), "records-00000000000000000001.jsonl:1"),
        )
        for name, folder, expected in rows:
            with self.subTest(name):
                told = run("explain", "--learned", folder)
                self.assertEqual((told.returncode, told.stdout), (2, ""))
                self.assertIn(expected, told.stderr)

    def test_policies_that_do_not_load_are_no_answer(self):
        policies = self.root / "policies"
        policies.mkdir()
        (policies / "lock.yaml").write_text(lock("nobody"))
        self.assertEqual(run("explain", "--learned", self.log(), "--policies", policies).returncode, 2)


if __name__ == "__main__":
    unittest.main()
