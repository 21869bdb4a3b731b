"""Break-glass: the command `grant` from the key to the end, what a grant lets pass, and that a restart forgets no use."""

import json
import os
import signal
import stat
import subprocess
import unittest

import audit_log
from support import BINARY, SOON, Serving, Stage, recording

KEY = "bob@example.com"
POLICY = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {name: production}
spec:
  match: {namespaces: [production]}
  rules:
  - name: only-git
    lock:
      writers: [flux, kubernetes]
      breakGlass: {maxDuration: 4h, approverKeys: ["%s"]}
"""


def run(*words):
    return subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, timeout=SOON)


class Grants(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.folder = cls.stage.folder("grants")
        cls.key = cls.folder / "bob.key"
        made = run("grant", "keygen", "--name", KEY, "--out", cls.key)
        assert made.returncode == 0, made.stderr
        cls.verifier = made.stdout.strip()

    def new(self, name="inc-4711", *more, out=None, approver=KEY):
        path = out or self.folder / f"{name}.yaml"
        made = run("grant", "new", name, "--user", "alice@example.com", "--namespace", "production", "--name", "web*", "--resource", "deployments.apps",
                   "--resource", "deployments.apps/scale", "--ticket", "INC-4711", "--reason", "Payment: \"time-outs\"", "--requested-by", "alice@example.com",
                   "--approved-by", approver, "--out", path, *more)
        return made, path

    def policies(self, *grants):
        folder = self.stage.folder("policies")
        (folder / "production.yaml").write_text(POLICY % self.verifier)
        for grant in grants:
            (folder / grant.name).write_text(grant.read_text())
        return folder

    def test_a_key_is_a_secret_file_and_none_is_written_over(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.key).st_mode), 0o600)
        self.assertTrue(self.key.read_text().startswith(f"PRIVATE+KEY+{KEY}+"))
        self.assertTrue(self.verifier.startswith(f"{KEY}+"))
        before = self.key.read_text()
        again = run("grant", "keygen", "--name", KEY, "--out", self.key)
        self.assertEqual(again.returncode, 2)
        self.assertEqual(self.key.read_text(), before)
        self.assertEqual(run("grant", "keygen", "--name", "bob+1@example.com", "--out", self.folder / "x.key").returncode, 2)

    def test_from_new_to_the_end(self):
        made, path = self.new("inc-1", "--cluster", "prod-1", "--for", "2h", "--from", "2126-12-05T02:10:00Z", "--max-uses", "3")
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        policies = self.policies()
        signed = self.folder / "signed.yaml"
        self.assertEqual(run("grant", "sign", path, "--key", self.key, "--out", signed).returncode, 0)
        within = ("grant", "status", "--policies", policies, "--time", "2126-12-05T03:00:00Z", "-o", "json", "--config-map")
        active = run(*within, signed)
        self.assertEqual(active.returncode, 0, active.stdout + active.stderr)
        grant = json.loads(active.stdout)["grants"][0]
        self.assertEqual((grant["name"], grant["state"], grant["until"], grant["vouchedBy"]), ("inc-1", "active", "2126-12-05T04:10:00Z", KEY))
        self.assertIn("inc-1  ended", run("grant", "status", "--policies", policies, "--config-map", signed, "--time", "2126-12-05T04:10:00Z").stdout)
        # Whatever was kept of it, it can be ended.
        for kept in (path, signed):
            with self.subTest(kept=kept.name):
                ended = self.folder / "ended.yaml"
                self.assertEqual(run("grant", "end", kept, "--key", self.key, "--out", ended).returncode, 0)
                listed = self.folder / "list.yaml"
                listed.write_text(json.dumps({"kind": "List", "items": []}))
                after = json.loads(run(*within, signed, "--config-map", ended, "--config-map", listed).stdout)
                self.assertEqual([(entry["name"], entry["endsSomething"]) for entry in after["revocations"]], [("inc-1", True)])
                self.assertEqual([grant["state"] for grant in after["grants"]], ["ended before its time"])
        edited = self.folder / "edited.yaml"
        edited.write_text(signed.read_text().replace("production", "payments"))
        broken = run(*within, edited)
        self.assertEqual(broken.returncode, 1)
        self.assertIn("does not fit the text", json.loads(broken.stdout)["problems"][0])

    def test_what_is_no_grant_is_not_written_and_not_signed(self):
        rows = [
            ("approved by who asked", ["--cluster", "c"], {"approver": "alice@example.com"}, "asked for it and cannot approve it"),
            ("too long", ["--for", "25h"], {}, "no lock accepts a grant of more than 24h"),
            ("no duration", ["--for", "soon"], {}, "is no duration"),
            ("no time", ["--from", "soon"], {}, "--from: "),
            ("ended already", ["--from", "2020-12-05T02:10:00Z"], {}, "--from: the grant would have ended at 2020-12-05T03:10:00Z"),
            ("everybody", ["--group", "system:authenticated"], {}, "means everybody"),
        ]
        for name, flags, more, says in rows:
            with self.subTest(name):
                made, path = self.new("inc-2", *flags, out=self.folder / "never.yaml", **more)
                self.assertEqual(made.returncode, 2)
                self.assertIn(says, made.stderr)
                self.assertIn("\nfluxgate grant new: ", "\n" + made.stderr)
                self.assertFalse(path.exists())
        _, without_cluster = self.new("inc-3")
        refused = run("grant", "sign", without_cluster, "--key", self.key)
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))
        self.assertIn("spec.cluster is missing", refused.stderr)
        _, by_carol = self.new("inc-4", "--cluster", "c", approver="carol@example.com")
        refused = run("grant", "sign", by_carol, "--key", self.key)
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))
        self.assertIn("the name of the key is expected", refused.stderr)

    def test_every_error_says_which_command_it_is_of(self):
        missing = self.folder / "missing"
        rows = [
            ("keygen", ["--name", "a b", "--out", missing]),
            ("new", ["inc-8", "--user", "alice", "--namespace", "a", "--resource", "pods", "--ticket", "T", "--reason", "r", "--requested-by", "alice",
                     "--approved-by", "bob", "--for", "soon"]),
            ("sign", [missing, "--key", self.key]),
            ("status", ["--policies", self.policies(), "--config-map", missing]),
            ("end", [missing, "--key", self.key]),
        ]
        for command, words in rows:
            with self.subTest(command):
                ran = run("grant", command, *words)
                self.assertEqual((ran.returncode, ran.stdout), (2, ""))
                self.assertTrue(ran.stderr.startswith(f"fluxgate grant {command}: "), ran.stderr)

    def test_the_operation_of_a_subresource_is_the_one_that_it_has(self):
        rows = [
            ("pods", [], "UPDATE pods"),
            ("deployments.apps/scale", [], "UPDATE deployments.apps/scale"),
            ("pods/exec", [], "CONNECT pods/exec"),
            ("pods/attach", [], "CONNECT pods/attach"),
            ("pods/portforward", [], "CONNECT pods/portforward"),
            ("services/proxy", [], "CONNECT services/proxy"),
            ("pods/eviction", [], "CREATE pods/eviction"),
            ("pods/binding", [], "CREATE pods/binding"),
            ("serviceaccounts/token", [], "CREATE serviceaccounts/token"),
            ("pods/ephemeralcontainers", [], "UPDATE pods/ephemeralcontainers"),
            ("pods", ["--operation", "CREATE", "--operation", "DELETE"], "CREATE/DELETE pods"),
            ("pods/exec", ["--operation", "*"], "CREATE/UPDATE/DELETE/CONNECT pods/exec"),
        ]
        for resource, flags, says in rows:
            with self.subTest(says):
                path = self.folder / "operation.yaml"
                made = run("grant", "new", "inc-9", "--user", "alice@example.com", "--namespace", "production", "--resource", resource, "--ticket", "T",
                           "--reason", "r", "--requested-by", "alice@example.com", "--approved-by", KEY, *flags, "--out", path)
                self.assertEqual(made.returncode, 0, made.stderr)
                listed = run("grant", "status", "--policies", self.policies(path), "-o", "json")
                self.assertEqual(json.loads(listed.stdout)["grants"][0]["what"], [says])

    def test_status_says_all_that_a_grant_says(self):
        _, path = self.new("inc-10", "--cluster", "prod-1", "--for", "2h", "--from", "2126-12-05T02:10:00Z", "--max-uses", "3")
        listed = run("grant", "status", "--policies", self.policies(path), "--time", "2126-12-05T03:00:00Z")
        self.assertEqual((listed.returncode, listed.stderr), (0, ""))
        self.assertEqual(listed.stdout, "inc-10  active\n"
                         "    alice@example.com may UPDATE deployments.apps; UPDATE deployments.apps/scale named web* in production of cluster prod-1\n"
                         "    from 2126-12-05T02:10:00Z until 2126-12-05T04:10:00Z, at most 3 times with each replica\n"
                         f"    ticket INC-4711, approved by {KEY}, vouched for by git\n")

    def test_status_judges_grants_for_a_cluster(self):
        _, path = self.new("inc-11", "--cluster", "prod-1")
        signed = self.folder / "for-a-cluster.yaml"
        self.assertEqual(run("grant", "sign", path, "--key", self.key, "--out", signed).returncode, 0)
        policies = self.policies()
        rows = [("from Git, for it", self.policies(path), [], "prod-1", "active", 0), ("from Git, for another", self.policies(path), [], "prod-2", "for another cluster", 0),
                ("signed, for it", policies, ["--config-map", signed], "prod-1", "active", 0),
                ("signed, for another", policies, ["--config-map", signed], "prod-2", "for another cluster", 1)]
        for name, folder, more, cluster, state, code in rows:
            with self.subTest(name):
                listed = run("grant", "status", "--policies", folder, "--cluster", cluster, "-o", "json", *more)
                self.assertEqual((json.loads(listed.stdout)["grants"][0]["state"], listed.returncode), (state, code), listed.stderr)

    def test_an_end_ends_what_lies_in_git_too(self):
        _, path = self.new("inc-12")
        policies, end = self.policies(path), self.folder / "end-of-git.yaml"
        _, other = self.new("inc-12", "--name", "api*", out=self.folder / "other.yaml")
        alone = self.policies()
        rows = [("the grant", path, policies, "ended before its time", True, 0), ("another one of its name", other, policies, "active", False, 1),
                ("one that is not here any more", other, alone, None, False, 0)]
        for name, file, folder, state, ends, code in rows:
            with self.subTest(name):
                self.assertEqual(run("grant", "end", file, "--key", self.key, "--out", end).returncode, 0)
                listed = run("grant", "status", "--policies", folder, "--config-map", end, "-o", "json")
                found = json.loads(listed.stdout)
                self.assertEqual([grant["state"] for grant in found["grants"]], [state] if state else [])
                self.assertEqual([entry["endsSomething"] for entry in found["revocations"]], [ends])
                self.assertEqual(listed.returncode, code)

    def test_what_is_no_config_map_is_an_error(self):
        _, grant = self.new("inc-13", "--cluster", "c")
        rows = [
            ("a grant", grant.read_text(), ":1:1: expected a ConfigMap"),
            ("nothing", "", "the file is empty"),
            ("a list of something else", json.dumps({"kind": "List", "items": [{"kind": "Secret"}]}), "expected a ConfigMap"),
            ("a list without items", json.dumps({"kind": "List"}), "expected a ConfigMap"),
            ("a text", "hello", "expected"),
            ("a ConfigMap of the API server's list", json.dumps({"kind": "ConfigMapList", "items": [{"metadata": {"name": "a"}}]}), None),
            ("a list of none", json.dumps({"kind": "List", "items": []}), None),
        ]
        policies, file = self.policies(), self.folder / "no-config-map.yaml"
        for name, text, says in rows:
            with self.subTest(name):
                file.write_text(text)
                listed = run("grant", "status", "--policies", policies, "--config-map", file)
                self.assertEqual(listed.returncode, 2 if says else 0, listed.stdout + listed.stderr)
                if says:
                    self.assertIn(f"fluxgate grant status: {file}", listed.stderr)
                    self.assertIn(says, listed.stderr)

    def test_check_lets_pass_what_a_grant_from_git_covers(self):
        _, path = self.new("inc-5", "--from", "2126-12-05T02:10:00Z")
        policies = self.policies(path)
        review = json.loads(recording("person-edits-image"))
        reviews = self.folder / "reviews.jsonl"
        other = json.loads(json.dumps(review).replace('"name": "web"', '"name": "api"'))
        reviews.write_text(json.dumps(review) + "\n" + json.dumps(other) + "\n")
        for time, allowed in (("2126-12-05T02:30:00Z", [True, False]), ("2126-12-05T03:10:00Z", [False, False]), ("2126-12-05T02:09:59Z", [False, False])):
            with self.subTest(time):
                judged = run("check", "--policies", policies, "--reviews", reviews, "-o", "jsonl", "--time", time)
                lines = [json.loads(line) for line in judged.stdout.splitlines()]
                self.assertEqual([line["allowed"] for line in lines], allowed, judged.stdout + judged.stderr)

    def test_a_policy_test_asks_at_the_time_of_a_grant(self):
        _, path = self.new("inc-7", "--from", "2126-12-05T02:10:00Z")
        policies = self.policies(path)
        old, new = ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "production"}, "spec": {"replicas": n}} for n in (2, 5))
        cases = [
            {"name": time, "operation": "UPDATE", "user": {"username": "alice@example.com"}, "object": new, "oldObject": old, "time": time,
             "expect": {"allowed": allowed, **more}}
            for time, allowed, more in (("2126-12-05T02:30:00Z", True, {"warnings": ["break-glass inc-7 (INC-4711) until 2126-12-05T03:10:00Z"]}),
                                        ("2126-12-05T03:10:00Z", False, {"message": "Break-glass inc-7 ended at 2126-12-05T03:10:00Z."}))
        ]
        test = {"apiVersion": "fluxgate.dev/v1alpha1", "kind": "PolicyTest", "metadata": {"name": "grant"},
                "spec": {"policies": [str(policies.name)], "cases": cases}}
        file = policies.parent / "grant-test.yaml"
        file.write_text(json.dumps(test))
        tested = run("test", file)
        self.assertEqual(tested.returncode, 0, tested.stdout + tested.stderr)

    def test_a_restart_forgets_no_use(self):
        made, path = self.new("inc-6", "--max-uses", "2")
        self.assertEqual(made.returncode, 0, made.stderr)
        policies, audit = self.policies(path), self.stage.folder("audit")

        def ask(serving, uid):
            review = json.loads(recording("person-edits-image"))
            review["request"]["uid"] = uid
            return serving.caller().call(json.dumps(review).encode()).response

        with Serving(self.stage, audit, policies=policies) as serving:
            first = ask(serving, "use-1")
            self.assertTrue(first["allowed"], first)
            self.assertIn("break-glass inc-6 (INC-4711) until ", first["warnings"][0])
            serving.send_signal(signal.SIGKILL)
            serving.wait()
        with Serving(self.stage, audit, policies=policies) as serving:
            self.assertTrue(ask(serving, "use-2")["allowed"])
            third = ask(serving, "use-3")
            self.assertFalse(third["allowed"])
            self.assertIn("has been used 2 times", third["status"]["message"])
        with Serving(self.stage, audit, policies=policies) as serving:
            self.assertFalse(ask(serving, "use-4")["allowed"])
        used = {record["id"]: record["data"]["grants"] for record in audit_log.reviews(audit) if record["data"].get("grants")}
        self.assertEqual(sorted(used), ["use-1", "use-2"])
        self.assertEqual({(grant["name"], grant["ticket"], grant["approvedBy"], grant["vouchedBy"]) for grants in used.values() for grant in grants},
                         {("inc-6", "INC-4711", KEY, "git")})


if __name__ == "__main__":
    unittest.main()
