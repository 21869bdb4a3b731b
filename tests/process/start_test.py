"""Starting: what `fluxgate serve` says when it works, when it cannot, and when it can only do so much."""

import json
import re
import socket
import subprocess
import unittest

from support import BINARY, SOON, Serving, Stage, denied_review, recording

BAD_POLICY = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: production
spec:
  match:
    namespaces: [production]
  rules:
  - name: only-git
    lock:
      writers: [fluks]
  - name: limits
    resources:
      limits: [memory]
      surprise: 1
"""


class Starting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)

    def test_it_starts_says_where_it_listens_and_is_ready(self):
        with Serving(self.stage, self.stage.folder("audit")) as serving:
            status, text = serving.readyz()
            self.assertEqual(status, 200)
            for check in ("[+]policies ok: 2 policies, 5 rules, sha256:", "[+]audit ok", "[+]certificate ok: until ", "[+]shutdown ok"):
                self.assertIn(check, text)
            self.assertTrue(text.endswith("readyz check passed\n"))
            self.assertEqual(serving.get(serving.health_port, "/livez"), (200, "ok\n"))
            metrics = serving.metrics()
            self.assertEqual(metrics["fluxgate_audit_available"], 1)
            self.assertEqual(metrics["fluxgate_policy_rules"], 5)
            print(f"\nready after {serving.took_seconds * 1000:.0f} ms (goal: 200 ms), {metrics['process_resident_memory_bytes'] / 1e6:.1f} MB resident")

    def test_it_judges_and_counts(self):
        with Serving(self.stage, self.stage.folder("audit")) as serving:
            caller = serving.caller()
            self.assertTrue(caller.call(recording("flux-applies")).response["allowed"])
            self.assertFalse(caller.call(recording("person-edits-image")).response["allowed"])
            serving.wait_for_metric('fluxgate_admission_reviews_total{class="routine",verdict="allowed"}', 1)
            serving.wait_for_metric('fluxgate_admission_reviews_total{class="exceptional",verdict="denied"}', 1)

    def test_what_it_cannot_start_with_is_said_and_the_exit_code_is_2(self):
        stage = self.stage
        other = stage.play_demo("second")
        missing = stage.root / "missing"
        garbage = stage.write("garbage.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        taken = f"127.0.0.1:{listening.getsockname()[1]}"
        rows = [
            ("no policies folder", {"policies": missing}, [str(missing)]),
            ("a file for the policies folder", {"policies": garbage}, [str(garbage)]),
            ("an empty policies folder", {"policies": stage.folder("empty")}, ["GuardPolicy"]),
            ("no certificate", {"tls_cert": missing}, [str(missing), "cannot read the file"]),
            ("no key", {"tls_key": missing}, [str(missing), "cannot read the file"]),
            ("a folder for the key", {"tls_key": stage.root}, [str(stage.root), "cannot read the file"]),
            ("a certificate that is garbage", {"tls_cert": garbage}, ["invalid_certificate"]),
            ("the key of another certificate", {"tls_key": other / "tls.key"}, ["invalid_certificate"]),
            ("a port in use", {"listen": taken}, [taken]),
            ("a health port in use", {"health_listen": taken}, [taken]),
            ("a metrics port in use", {"metrics_listen": taken}, [taken]),
            ("an address without a port", {"listen": "127.0.0.1"}, ["ADDRESS:PORT"]),
            ("a name for an address", {"listen": "localhost:0"}, ["localhost"]),
            ("a port that is none", {"listen": "127.0.0.1:66000"}, ["ADDRESS:PORT"]),
            ("a missing flag", {"tls_key": None}, ["--tls-key"]),
            ("an unknown flag", {"surprise": "1"}, ["--surprise"]),
            ("a time in minutes", {"drain_time": "5m"}, ["--drain-time", "5m"]),
            ("a time with something behind it", {"drain_time": "10 seconds"}, ["--drain-time"]),
            ("a negative time", {"grace_period": "-1s"}, ["--grace-period"]),
            ("an unknown log level", {"log_level": "loud"}, ["--log-level", "loud"]),
            ("no threads", {"threads": 0}, ["--threads"]),
        ]
        for name, changes, texts in rows:
            with self.subTest(name):
                ran = subprocess.run([BINARY, "serve", *stage.flags(stage.folder("audit"), **changes)], capture_output=True, text=True, timeout=SOON)
                self.assertEqual(ran.returncode, 2, ran.stderr)
                for text in texts:
                    self.assertIn(text, ran.stdout + ran.stderr)
                self.assertNotIn("PRIVATE KEY", ran.stdout + ran.stderr)

    def test_all_problems_of_bad_policies_are_said_with_file_line_and_column(self):
        folder = self.stage.folder("policies")
        (folder / "a.yaml").write_text(BAD_POLICY)
        (folder / "b.yaml").write_text("kind: [\n")
        ran = subprocess.run([BINARY, "serve", *self.stage.flags(self.stage.folder("audit"), policies=folder)], capture_output=True, text=True, timeout=SOON)
        self.assertEqual(ran.returncode, 2)
        for place in (r"/a\.yaml:11:17: ", r"/a\.yaml:15:7: ", r"/b\.yaml:\d+:\d+: "):
            self.assertTrue(re.search("^" + re.escape(str(folder)) + place, ran.stderr, re.MULTILINE), f"no {place} in:\n{ran.stderr}")
        self.assertIn("nothing was loaded", ran.stderr)

    def test_an_audit_folder_of_a_running_server_is_not_shared(self):
        with Serving(self.stage, self.stage.folder("audit")) as serving:
            ran = subprocess.run([BINARY, "serve", *self.stage.flags(serving.audit)], capture_output=True, text=True, timeout=SOON)
            self.assertEqual(ran.returncode, 2)
            self.assertIn(str(serving.audit), ran.stderr)
            self.assertIn("another process", ran.stderr)
            self.assertFalse(serving.caller().call(denied_review("still-there")).response["allowed"])

    def test_an_audit_folder_that_cannot_be_written_is_served_degraded(self):
        rows = [("a file in its place", self.stage.write("file", "")), ("a place nobody can write", "/proc/fluxgate"),
                ("no parent", self.stage.root / "no/such/parent")]
        for name, audit in rows:
            with self.subTest(name), Serving(self.stage, audit, drain_time="0s") as serving:
                status, text = serving.readyz()
                self.assertEqual(status, 200)
                self.assertIn("[+]audit degraded", text)
                self.assertEqual(serving.metrics()["fluxgate_audit_available"], 0)
                self.assertIn(str(audit), serving.wait_for("audit degraded: denials go on unrecorded, exceptional writes are refused")["error"])
                caller = serving.caller()
                denied = caller.call(recording("person-edits-image")).response
                self.assertFalse(denied["allowed"])
                self.assertIn("record-missing", denied["auditAnnotations"])
                self.assertTrue(caller.call(recording("flux-applies")).response["allowed"])
                serving.send_signal(15)
                self.assertEqual(serving.wait(), 0, serving.text())


class TheLog(unittest.TestCase):
    def test_lines_off_a_terminal_are_json_and_hold_no_contents(self):
        stage = Stage()
        self.addCleanup(stage.close)
        secret = json.loads(recording("person-edits-image"))
        for name in ("object", "oldObject"):
            container = secret["request"][name]["spec"]["template"]["spec"]["containers"][0]
            container["env"] = [{"name": "PASSWORD", "value": f"hunter2-{name}"}]
            container["args"] = [f"--password=hunter2-{name}"]
        secret["request"]["uid"] = "with-a-secret"
        unreadable = json.dumps({**secret, "apiVersion": "hunter2/v1"})
        with Serving(stage, stage.folder("audit"), log_level="debug", drain_time="0s") as serving:
            caller = serving.caller()
            self.assertFalse(caller.call(json.dumps(secret)).response["allowed"])
            self.assertFalse(caller.call(unreadable).response["allowed"])
            caller.call('{"hunter2": tru}')
            caller.call("x", "/hunter2-is-a-path-and-is-shown", "GET")
            serving.send_signal(15)
            self.assertEqual(serving.wait(), 0, serving.text())
            for line in serving.lines:
                entry = json.loads(line)
                self.assertLessEqual({"time", "level", "event"}, entry.keys())
            self.assertNotIn("hunter2", serving.text().replace("hunter2-is-a-path-and-is-shown", ""))
            self.assertNotIn("PRIVATE KEY", serving.text())
            records = "".join(path.read_text(errors="replace") for path in serving.audit.rglob("*") if path.is_file())
            self.assertIn("with-a-secret", records)
            self.assertNotIn("hunter2", records)
            for event in ("certificate loaded", "audit log open", "serving", "denied", "draining", "stopped"):
                self.assertTrue(serving.events(event), event)


if __name__ == "__main__":
    unittest.main()
