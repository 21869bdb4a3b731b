"""`fluxgate audit reconcile` as a command: inputs, outputs and exit codes. What is judged how: tests/unit/audit/reconcile_test.cpp."""

import csv
import io
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import audit_log
from support import BINARY, SOON

LOCK = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {name: production}
spec:
  match: {namespaces: [production]}
  rules:
  - name: only-git
    lock: {writers: [flux]}
"""


def api_event(number, minute, review=None, record=None, failed_open=None, code=200, namespace="production", verb="update"):
    """An update of production/web, as kube-apiserver writes it."""
    annotations = {"authorization.k8s.io/decision": "allow"}
    if review:
        annotations["lock.fluxgate.dev/review-id"] = review
    if record:
        annotations["lock.fluxgate.dev/record-id"] = record
    if failed_open:
        annotations["failed-open.validating.webhook.admission.k8s.io/round_0_index_0"] = failed_open
    time = f"2026-11-21T09:{minute:02}:00.000000Z"
    return {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"a-{number}", "stage": "ResponseComplete",
            "requestURI": f"/apis/apps/v1/namespaces/{namespace}/deployments/web", "verb": verb, "user": {"username": "alice"},
            "sourceIPs": ["192.0.2.7"], "userAgent": "kubectl", "objectRef": {"resource": "deployments", "namespace": namespace, "name": "web",
            "apiGroup": "apps", "apiVersion": "v1"}, "responseStatus": {"code": code}, "requestReceivedTimestamp": time, "stageTimestamp": time,
            "annotations": annotations}


def lines(*events):
    return "".join(json.dumps(event) + "\n" for event in events)


FIRST, LAST = api_event(0, 0, verb="get"), api_event(99, 59, verb="get")  # what lies between is covered
DENIED = api_event(1, 10, review="r-1", record="r-1", code=403)
JUDGED = api_event(2, 11, review="r-2")
BYPASSED = api_event(3, 12)
FAILED_OPEN = api_event(4, 13, failed_open="lock.fluxgate.dev")
ALL_WELL = lines(FIRST, DENIED, JUDGED, LAST)


class Reconciling(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="fluxgate-reconcile-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.audit = self.log("audit", [("r-1", "2026-11-21T09:10:00.001000Z")])
        (self.root / "policies").mkdir()
        (self.root / "policies" / "lock.yaml").write_text(LOCK)

    def log(self, name, denials):
        folder = self.root / name
        folder.mkdir()
        audit_log.write(folder, [audit_log.event("started", 1)] + [
            audit_log.denial(identity, sequence, time, "alice", "production", "web") for sequence, (identity, time) in enumerate(denials, 2)])
        return folder

    def reconcile(self, *texts, flags=(), stdin=None, audit=None):
        words = []
        for number, text in enumerate(texts):
            path = self.root / f"api-{number}.log"
            path.write_text(text)
            words += ["--api-audit", str(path)]
        return subprocess.run([BINARY, "audit", "reconcile", "--audit", str(audit or self.audit), *words, *map(str, flags)], capture_output=True,
                              text=True, timeout=SOON, input=stdin)

    def findings(self, done):
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return [(finding["finding"], finding.get("auditID", finding.get("recordId"))) for finding in json.loads(done.stdout)["findings"]]

    def test_exit_codes(self):
        other_id = lines(FIRST, api_event(1, 10, review="r-9", record="r-9", code=403), LAST)
        rows = (
            ("all is well", [ALL_WELL], 0),
            ("a bypass", [lines(FIRST, DENIED, BYPASSED, LAST)], 1),
            ("failed open", [lines(FIRST, DENIED, FAILED_OPEN, LAST)], 1),
            ("a record is missing, another is unknown", [other_id], 1),
            ("the last line is cut", [ALL_WELL + lines(JUDGED)[:50]], 0),
            ("a line in the middle is damaged", [lines(FIRST, DENIED) + "{\n" + lines(JUDGED, LAST)], 2),
            ("a file that is something else", [ALL_WELL, "I1121 started\n"], 2),
            ("no write to what is guarded", [lines(FIRST, api_event(5, 10, namespace="staging"))], 2),
            ("an empty file", [""], 2),
            ("no file", [], 2),
        )
        for name, texts, code in rows:
            with self.subTest(name):
                done = self.reconcile(*texts)
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                self.assertEqual(done.stderr == "", code != 2, done.stderr)
        self.assertEqual(self.reconcile("", flags=["--allow-empty"]).returncode, 0)
        self.assertIn("api-0.log:3", self.reconcile(lines(FIRST, DENIED) + "{\n" + lines(LAST)).stderr)

    def test_what_cannot_be_asked_is_refused(self):
        rows = (
            ("no folder", dict(audit=self.root / "none"), "none"),
            ("no such file", dict(flags=["--api-audit", self.root / "none"]), "none"),
            ("a folder for a file", dict(flags=["--api-audit", self.root]), str(self.root)),
            ("standard input twice", dict(flags=["--api-audit", "-", "--api-audit", "-"]), "standard input"),
            ("a time that is none", dict(flags=["--from", "noon"]), "--from"),
            ("an interval that is none", dict(flags=["--from", "2026-11-21T10:00:00Z", "--to", "2026-11-21T09:00:00Z"]), "--to"),
            ("a clock difference that is none", dict(flags=["--clock-difference", "soon"]), "--clock-difference"),
            ("a namespace that is none", dict(flags=["--namespaces", ""]), "--namespaces"),
            ("policies that are not there", dict(flags=["--policies", self.root / "none"]), "none"),
        )
        for name, more, expected in rows:
            with self.subTest(name):
                done = self.reconcile(ALL_WELL, **more)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stdout)
                self.assertIn(expected, done.stderr)

    def test_every_form_of_input_finds_the_same(self):
        events = [FIRST, DENIED, JUDGED, BYPASSED, FAILED_OPEN, LAST]
        columns = {"auditID": "AuditId", "stage": "Stage", "verb": "Verb", "requestURI": "RequestUri", "user": "User", "objectRef": "ObjectRef",
                   "responseStatus": "ResponseStatus", "annotations": "Annotations", "requestReceivedTimestamp": "RequestReceivedTime"}
        rows = [{column: event[key] if isinstance(event[key], str) else json.dumps(event[key]) for key, column in columns.items()} for event in events]
        table = io.StringIO()
        writer = csv.DictWriter(table, columns.values())
        writer.writeheader()
        writer.writerows(rows)
        forms = (
            ("JSON Lines", [lines(*events)], {}),
            ("several files, in any order", [lines(*events[3:]), lines(*events[:3])], {}),
            ("files that overlap", [lines(*events), lines(*events[2:5])], {}),
            ("standard input", [], dict(flags=["--api-audit", "-"], stdin=lines(*events))),
            ("AKSAudit as JSON", [json.dumps(rows, indent=1)], {}),
            ("AKSAudit as CSV", [table.getvalue()], {}),
            ("AzureDiagnostics", [lines(*({"category": "kube-audit", "properties": {"log": json.dumps(event)}} for event in events))], {}),
        )
        for name, texts, more in forms:
            with self.subTest(name):
                more = {**more, "flags": [*more.get("flags", []), "-o", "json"]}
                self.assertEqual(self.findings(self.reconcile(*texts, **more)), [("bypassed", "a-3"), ("failed-open", "a-4")])

    def test_what_is_guarded(self):
        elsewhere = lines(FIRST, DENIED, api_event(7, 14, namespace="staging"), BYPASSED, LAST)
        rows = (
            ("the namespaces of records", [], [("bypassed", "a-3")]),
            ("the locks of policies", ["--policies", self.root / "policies"], [("bypassed", "a-3")]),
            ("a namespace that was named", ["--namespaces", "sta*"], [("bypassed", "a-7")]),
            ("several", ["--namespaces", "staging", "--namespaces", "production"], [("bypassed", "a-7"), ("bypassed", "a-3")]),
            ("none of both", ["--policies", self.root / "policies", "--namespaces", "staging", "--allow-empty"], []),
        )
        for name, flags, expected in rows:
            with self.subTest(name):
                self.assertEqual(self.findings(self.reconcile(elsewhere, flags=[*flags, "-o", "json"])), expected)

    def test_another_name_of_the_webhook(self):
        renamed = ALL_WELL.replace("lock.fluxgate.dev", "guard.example.com")
        self.assertEqual(self.reconcile(renamed).returncode, 1)
        self.assertEqual(self.reconcile(renamed, flags=["--webhook", "other.example.com", "--webhook", "guard.*"]).returncode, 0)

    def test_several_replicas(self):
        other = self.log("other", [("r-5", "2026-11-21T09:20:00.001000Z")])
        texts = lines(FIRST, DENIED, api_event(5, 20, review="r-5", record="r-5", code=403), LAST)
        self.assertEqual(self.findings(self.reconcile(texts, flags=["-o", "json"])), [("missing", "a-5")])
        self.assertEqual(self.reconcile(texts, flags=["--audit", other]).returncode, 0)

    def test_outputs_agree(self):
        text = lines(FIRST, DENIED, BYPASSED, FAILED_OPEN, LAST)
        whole = json.loads(self.reconcile(text, flags=["-o", "json"]).stdout)
        self.assertEqual(whole["summary"]["writes"], 3)
        self.assertEqual((whole["summary"]["findings"]["bypassed"], whole["summary"]["denied"]), (1, 1))
        as_csv = self.reconcile(text, flags=["-o", "csv"])
        self.assertEqual([row["auditID"] for row in csv.DictReader(io.StringIO(as_csv.stdout))], ["a-3", "a-4"])
        self.assertIn("3 writes: 1 judged (1 of them denied), 1 bypassed, 1 failed open", as_csv.stderr)
        table = self.reconcile(text).stdout
        for part in ("a-3", "a-4", "3 writes: 1 judged (1 of them denied), 1 bypassed, 1 failed open", "for want of --policies: production"):
            self.assertIn(part, table)


if __name__ == "__main__":
    unittest.main()
