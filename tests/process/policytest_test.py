"""`fluxgate test`: passes, fails with a readable difference, updates in place, and says what it cannot run."""

import json
import os
import resource
import signal
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from support import BINARY, SOON

POLICIES = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {name: workloads}
spec:
  guidance: Change it in Git.
  match: {namespaces: [production]}
  rules:
  - name: limits
    resources: {limits: [memory]}
  - name: probes
    probes: {all: [readinessProbe]}
  - name: network
    services: {denyTypes: [NodePort]}
---
apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {name: lock}
spec:
  match: {namespaces: [production]}
  rules:
  - {name: only-git, lock: {writers: [flux, kubernetes]}}
"""

HEAD = """# yaml-language-server: $schema=schema.json
apiVersion: fluxgate.dev/v1alpha1
kind: PolicyTest
metadata: {name: workloads}
spec:
  policies: [../policies.yaml]
  cases:
"""

PASSING = HEAD + """  - name: a pod without anything
    object:
      apiVersion: v1
      kind: Pod
      metadata: {name: web, namespace: production}
      spec: {containers: [{name: web, image: nginx}]}
    expect: {allowed: false, violations: [{rule: limits}, {rule: probes}], message: Change it in Git.}
  - name: a person edits
    operation: UPDATE
    user: {username: alice@example.com, groups: [devs]}
    object: edited.yaml
    oldObject: config.yaml
    expect:
      allowed: false
      violations: [{policy: lock, rule: only-git, path: .data.a}]
  - {name: flux edits, operation: UPDATE, object: edited.yaml, oldObject: config.yaml, expect: {allowed: true, violations: []}}
  - {name: flux prunes, operation: DELETE, oldObject: config.yaml, expect: {allowed: true}}
  - name: a person's dry run
    as: alice@example.com
    dryRun: true
    object: config.yaml
    expect: {allowed: true, warnings: ["Fluxgate would deny: lock/only-git"]}
  - {name: as it was recorded, review: recorded.json, expect: {allowed: false, violations: [{rule: only-git}]}}
"""

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: production}\ndata: {a: %s}\n"

FAILING = HEAD + """  # before
  - name: wrong verdict
    object: config.yaml
    expect: {allowed: false}   # why
  - name: in a block   # stays a block

    object: config.yaml
    as: alice@example.com
    expect:
      allowed: false
      # lost
      violations:
      - rule: limits
        path: .spec
      message: |
        Ask us

    # after
  - {name: "in {} with ' and \\"", as: bob, object: config.yaml, expect: {message: "it's }", allowed: false, violations: []}, dryRun: false}
"""


class Case(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.root = Path(held.name)
        self.write("policies.yaml", POLICIES)
        self.write("tests/config.yaml", CONFIG % "b")
        self.write("tests/edited.yaml", CONFIG % "c")
        recorded = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "recorded-1",
                "kind": {"group": "", "version": "v1", "kind": "PodExecOptions"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "subResource": "exec",
                "name": "web",
                "namespace": "production",
                "operation": "CONNECT",
                "userInfo": {"username": "alice"},
                "object": {"kind": "PodExecOptions", "apiVersion": "v1"},
            },
        }
        self.write("tests/recorded.json", json.dumps(recorded, indent=2))

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def run_tests(self, *flags, code=0):
        ran = subprocess.run([BINARY, "test", *flags], cwd=self.root, capture_output=True, text=True, timeout=SOON)
        self.assertEqual(ran.returncode, code, ran.stdout + ran.stderr)
        return ran


class Running(Case):
    def test_all_pass(self):
        self.write("tests/a.yaml", PASSING)
        self.write("chart/templates/x.yaml", "{{ if .Values.x }}\nkind: Pod\n")  # not ours, not YAML
        self.write(".git/x.yaml", FAILING)
        for words in ([], ["tests"], ["tests/a.yaml"], ["."]):
            with self.subTest(words):
                out = self.run_tests(*words).stdout
                self.assertRegex(out, r"ok +workloads  6 cases  tests/a\.yaml\n6 cases in 1 file: 6 passed\n")
                self.assertNotIn("\x1b", out)

    def test_what_differs_is_shown_where_it_stands(self):
        self.write("tests/a.yaml", FAILING)
        out = self.run_tests(code=1).stdout
        self.assertIn("FAIL  workloads  3 cases  tests/a.yaml\n", out)
        self.assertIn("  tests/a.yaml:11:5: wrong verdict\n    - allowed: false\n    + allowed: true\n", out)
        self.assertIn("    - - {rule: limits, path: .spec}\n    + - {rule: only-git}  # have CREATE by alice@example.com", out)
        self.assertIn("3 cases in 1 file: 0 passed, 3 failed", out)

    def test_a_filter(self):
        self.write("tests/a.yaml", PASSING)
        self.assertIn("2 cases in 1 file: 2 passed", self.run_tests("--filter", "edits").stdout)
        self.assertIn('no case has "nobody" in its name', self.run_tests("--filter", "nobody", code=2).stderr)

    def test_other_policies_in_place_of_the_named_ones(self):
        self.write("tests/a.yaml", PASSING)
        self.write("other/p.yaml", POLICIES.replace("lock: {writers: [flux, kubernetes]}", "lock: {writers: [kubernetes]}"))
        out = self.run_tests("--policies", "other", code=1).stdout
        self.assertIn("flux edits", out)

    def test_coverage(self):
        self.write("tests/a.yaml", PASSING)
        out = self.run_tests("--coverage").stdout
        self.assertIn("3 of 4 rules exercised (75 %)\n  rule network of policy workloads is never exercised\n", out)
        self.run_tests("--coverage-min", "75")
        self.assertIn("--coverage-min asks for 76 %", self.run_tests("--coverage-min", "76", code=1).stderr)
        self.write("tests/b.yaml", HEAD + "  - name: quiet\n    object: {apiVersion: v1, kind: Service, metadata: {name: s, namespace: production}}\n"
                                          "    expect: {allowed: true}\n")
        self.assertIn("  rule network of policy workloads finds nothing in any case\n", self.run_tests("--coverage").stdout)

    def test_coverage_counts_what_an_exception_takes_back_and_what_defaults_fill(self):
        self.write("policies.yaml", POLICIES.split("---")[0] + "  - name: fill\n    defaults: {resources: {limits: {memory: 1Gi}}}\n" + """---
apiVersion: fluxgate.dev/v1alpha1
kind: GuardException
metadata: {name: e}
spec:
  policies: [{name: workloads, rules: [probes]}]
  match: {namespaces: [production]}
  reason: r
  ticket: t
  expiresAt: 2026-02-01T00:00:00Z
""")
        self.write("tests/a.yaml", HEAD + "  - name: excused and filled\n    time: 2026-01-01T00:00:00Z\n"
                                          "    object: {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: production}, spec: {containers: [{name: c}]}}\n"
                                          "    expect: {allowed: true, violations: []}\n")
        out = self.run_tests("--coverage").stdout
        self.assertNotIn("rule probes", out)
        self.assertNotIn("rule fill", out)
        self.assertIn("rule limits of policy workloads finds nothing in any case", out)
        # The day after its end the exception takes nothing back.
        self.write("tests/a.yaml", (self.root / "tests/a.yaml").read_text().replace("2026-01-01", "2026-02-01"))
        self.assertIn("{rule: probes", self.run_tests(code=1).stdout)

    def test_json(self):
        self.write("tests/a.yaml", FAILING)
        out = json.loads(self.run_tests("-o", "json", "--coverage", code=1).stdout)
        self.assertEqual(out["summary"], {"cases": 3, "passed": 0, "failed": 3, "errors": 0})
        self.assertEqual(out["cases"][0]["differences"], ["- allowed: false", "+ allowed: true"])
        self.assertEqual(out["coverage"]["percent"], 25)

    def test_junit(self):
        self.write("tests/a.yaml", FAILING)
        self.write("tests/b.yaml", PASSING)
        for flags in (["-o", "junit"], ["--junit-file", "out.xml"]):
            with self.subTest(flags):
                out = self.run_tests(*flags, code=1).stdout
                suites = ElementTree.fromstring(out if "-o" in flags else (self.root / "out.xml").read_text())
                cases = suites.findall(".//testcase")
                self.assertEqual(len(cases), 9)
                self.assertEqual(sum(case.find("failure") is not None for case in cases), 3)
                self.assertEqual("tests/a.yaml: workloads", suites.find("testsuite").get("name"))
                self.assertEqual("wrong verdict", cases[0].get("name"))
                self.assertEqual("not as expected", cases[0].find("failure").get("message"))
                self.assertIn("tests/a.yaml:11:5: ", cases[0].find("failure").text)
                self.assertIn("\n- allowed: false\n+ allowed: true\n", cases[0].find("failure").text)

    def test_reviews_are_printed_for_whoever_replays_them(self):
        self.write("tests/a.yaml", PASSING)
        first = self.run_tests("--reviews").stdout
        self.assertEqual(first, self.run_tests("--reviews").stdout, "the same uids each time")
        reviews = [json.loads(line) for line in first.splitlines()]
        self.assertEqual(len({review["request"]["uid"] for review in reviews}), 6)
        self.assertEqual(reviews[-1]["request"]["uid"], "recorded-1")
        judged = subprocess.run([BINARY, "check", "--policies", self.root, "--reviews", "-", "-o", "jsonl"],
                                input=first, capture_output=True, text=True, timeout=SOON)
        verdicts = [json.loads(line)["allowed"] for line in judged.stdout.splitlines()]
        self.assertEqual(verdicts, [False, False, True, True, True, False], judged.stderr)


class Hostile(Case):
    """Names and texts of a pull request, where a terminal and the pipelines of Azure and GitHub look for commands."""

    NAME = "c\\n##vso[task.setvariable variable=B]1\\n::warning::hi\\e[31m"
    CASES = f"""  - {{name: "{NAME}", object: config.yaml, expect: {{allowed: false, message: "{NAME}"}}}}
  - {{name: "{NAME} no file", object: "::error::\\n##[error]no.yaml", expect: {{allowed: true}}}}
"""

    def assert_harmless(self, text):
        self.assertNotRegex(text, r"(?m)##vso\[|##\[|^\s*::|\x1b")

    def test_no_output_holds_a_command(self):
        self.write("tests/a.yaml", HEAD.replace("name: workloads", 'name: "##vso[x]\\n::y"') + self.CASES)
        for flags in ([], ["--coverage"], ["-o", "json"], ["-o", "junit"], ["--reviews"], ["--filter", "\n::z\n##vso[z]"],
                      ["--policies", "##vso[p]\n::p"], ["##vso[q]\n::q"], ["::q"], ["-o", "##vso[o]\n::o"], ["--##vso[f]\n::f"], ["--update"]):
            with self.subTest(flags):
                ran = self.run_tests(*flags, code=2)
                self.assert_harmless(ran.stdout)
                self.assert_harmless(ran.stderr)

    def test_names_of_files_and_problems_in_them(self):
        self.write("::error::##vso[a].yaml", HEAD + "  - {name: a, objct: o.yaml, expect: {allowed: true}}\n")
        self.write("::warning::b.yaml", FAILING.replace("../policies.yaml", "policies.yaml").replace("object: ", "object: tests/"))
        ran = self.run_tests(".", code=2)
        self.assertIn("error::", ran.stderr)
        self.assertIn("warning::b.yaml:11:5", ran.stdout)
        self.assert_harmless(ran.stderr + ran.stdout)

    def test_json_says_what_the_file_says(self):
        self.write("tests/a.yaml", HEAD + self.CASES)
        out = json.loads(self.run_tests("-o", "json", code=2).stdout)
        self.assertEqual("c\n##vso[task.setvariable variable=B]1\n::warning::hi\x1b[31m", out["cases"][0]["case"])


class Updating(Case):
    def test_only_expectations_that_failed_change(self):
        path = self.write("tests/a.yaml", FAILING)
        os.chmod(path, 0o640)
        out = self.run_tests("--update").stdout
        self.assertIn("3 expectations updated", out)
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
        self.assertEqual(sorted(p.name for p in path.parent.iterdir()), ["a.yaml", "config.yaml", "edited.yaml", "recorded.json"])
        expected = FAILING.replace("expect: {allowed: false}   # why", "expect: {allowed: true}   # why")
        expected = expected.replace(
            "      # lost\n      violations:\n      - rule: limits\n        path: .spec\n      message: |\n        Ask us\n",
            "      violations:\n      - {rule: only-git}\n      message: Owner: none (no labels of Flux)\n".replace(
                "Owner: none (no labels of Flux)", '"Owner: none (no labels of Flux)"'),
        )
        expected = expected.replace('{message: "it\'s }", allowed: false, violations: []}',
                                    '{allowed: false, violations: [{rule: only-git}], message: "Owner: none (no labels of Flux)"}')
        self.assertEqual(path.read_text(), expected)
        self.assertIn("3 passed", self.run_tests().stdout)
        self.assertIn("0 expectations updated", self.run_tests("--update").stdout)
        self.assertEqual(path.read_text(), expected)

    def test_neighbouring_cases_stay_whatever_an_expectation_says(self):
        last = "  - {name: last, object: config.yaml, expect: {allowed: true}}\n"
        rows = [
            ("a quote in a plain text", '{allowed: false, message: 12" pipe}'),
            ("a bracket after a quoted key", "{allowed: false, \"message\":'a } b'}"),
            ("an apostrophe", "{allowed: false, message: it is Bob's}"),
            ("a comment", "{allowed: false, # it's \" }\n      violations: [{rule: limits}]}"),
        ]
        for name, expect in rows:
            with self.subTest(name):
                before = HEAD + "  - name: first\n    object: config.yaml\n    expect: "
                path = self.write("tests/a.yaml", before + expect + "   # why\n" + last)
                self.assertIn("1 expectation updated", self.run_tests("--update").stdout)
                after = path.read_text()
                self.assertTrue(after.startswith(before + "{allowed: true"), after)
                self.assertTrue(after.endswith("}   # why\n" + last), after)
                self.assertIn("2 passed", self.run_tests().stdout)

    def test_line_ends_and_json_stay(self):
        crlf = self.write("tests/a.yaml", FAILING.replace("\n", "\r\n"))
        document = {"apiVersion": "fluxgate.dev/v1alpha1", "kind": "PolicyTest", "metadata": {"name": "j"},
                    "spec": {"policies": ["../policies.yaml"],
                             "cases": [{"name": "a", "as": "alice", "object": "config.yaml", "expect": {"allowed": True, "violations": []}}]}}
        as_json = self.write("tests/b.json", json.dumps(document, indent=2))
        self.run_tests("--update")
        self.assertNotIn("\n", crlf.read_bytes().decode().replace("\r\n", ""))
        document["spec"]["cases"][0]["expect"] = {"allowed": False, "violations": [{"rule": "only-git"}]}
        self.assertEqual(json.loads(as_json.read_text()), document)
        self.run_tests()

    def test_a_long_one_becomes_a_block(self):
        path = self.write("tests/a.yaml", HEAD + "  - name: long\n    object:\n      apiVersion: v1\n      kind: Pod\n"
                          "      metadata: {name: web, namespace: production}\n"
                          "      spec: {containers: [{name: a-long-name-for-a-container}, {name: another-long-name-for-a-container}]}\n"
                          "    expect: {allowed: true} # why\n  - {name: last, object: config.yaml, expect: {allowed: true}}\n")
        self.run_tests("--update")
        self.assertIn("    expect:\n      allowed: false\n      violations:\n      - {rule: limits, path: '.spec.containers", path.read_text())
        self.assertIn("  - {name: last, object: config.yaml, expect: {allowed: true}}\n", path.read_text())
        self.run_tests()


class Broken(Case):
    def test_what_cannot_run_is_said_and_the_rest_runs(self):
        self.write("tests/good.yaml", PASSING)
        rows = [
            ("unknown field", HEAD + "  - {name: a, objct: config.yaml, expect: {allowed: true}}\n", 'tests/bad.yaml:8:15: spec.cases[0].objct: unknown field (did you mean "object"?)'),
            ("broken YAML", HEAD + "  - {name: a\n", "tests/bad.yaml:"),
            ("no such object", HEAD + "  - {name: a, object: no.yaml, expect: {allowed: true}}\n", "tests/no.yaml: cannot read the file: No such file"),
            ("two objects", HEAD + "  - {name: a, object: two.yaml, expect: {allowed: true}}\n", "tests/two.yaml: holds 2 objects"),
            ("no kind", HEAD + "  - {name: a, object: {a: b}, expect: {allowed: true}}\n", "has no apiVersion"),
            ("no such policies", HEAD.replace("policies.yaml", "no.yaml") + "  - {name: a, object: config.yaml, expect: {allowed: true}}\n", "tests/bad.yaml:6:14: no.yaml: cannot read the file"),
            ("policies that do not compile", HEAD.replace("policies.yaml", "wrong.yaml") + "  - {name: a, object: config.yaml, expect: {allowed: true}}\n", "wrong.yaml:5:3: spec.rule: unknown field"),
            ("a recording of nothing", HEAD + "  - {name: a, review: config.yaml, expect: {allowed: true}}\n", "tests/config.yaml"),
            ("a review that is none", HEAD + "  - {name: a, review: none.json, expect: {allowed: true}}\n", "the review cannot be read"),
            ("a newer version", HEAD.replace("v1alpha1", "v2") + "  - {name: a}\n", "apiVersion: expected fluxgate.dev/v1alpha1"),
        ]
        self.write("tests/two.yaml", CONFIG % "a" + "---\n" + CONFIG % "b")
        self.write("tests/none.json", '{"kind": "Nothing"}')
        self.write("wrong.yaml", "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: w}\nspec:\n  rule: []\n  rules: [{name: r, probes: {all: [readinessProbe]}}]\n")
        for name, text, message in rows:
            with self.subTest(name):
                self.write("tests/bad.yaml", text)
                ran = self.run_tests(code=2)
                self.assertIn(message, ran.stderr + ran.stdout)
                self.assertIn("ok    workloads  6 cases  tests/good.yaml", ran.stdout)

    def test_nothing_to_run(self):
        self.assertIn("no PolicyTest found in .", self.run_tests(code=2).stderr)
        self.assertIn("policies.yaml: holds no PolicyTest", self.run_tests("policies.yaml", code=2).stderr)
        self.assertIn("No such file", self.run_tests("nowhere", code=2).stderr)

    def test_a_file_that_cannot_be_written_stays(self):
        self.write("tests/a.yaml", FAILING)
        before = sorted(self.root.rglob("*"))

        def no_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))

        for flags in (["--update"], ["--junit-file", "out.xml"]):
            with self.subTest(flags):
                ran = subprocess.run([BINARY, "test", *flags], cwd=self.root, capture_output=True, text=True, timeout=SOON, preexec_fn=no_room)
                self.assertEqual(2, ran.returncode, ran.stderr)
                self.assertIn("cannot write the file", ran.stderr)
                self.assertEqual((self.root / "tests/a.yaml").read_text(), FAILING)
                self.assertEqual(before, sorted(self.root.rglob("*")))

    def test_an_update_goes_through_a_link_and_through_no_planted_one(self):
        target = self.write("elsewhere/a.yaml", FAILING.replace("object: ", "object: ../tests/"))
        precious = self.write("precious", "precious")
        (self.root / "tests/a.yaml").symlink_to("../elsewhere/a.yaml")
        for name in ("tests/a.yaml.new", "elsewhere/a.yaml.new"):
            (self.root / name).symlink_to(precious)
        self.write("tests/a.yaml", FAILING)
        self.run_tests("tests/a.yaml", "--update")
        self.assertTrue((self.root / "tests/a.yaml").is_symlink())
        self.assertIn("expect: {allowed: true}   # why", target.read_text())
        self.assertEqual("precious", precious.read_text())

    def test_a_file_without_an_end_is_refused(self):
        os.mkfifo(self.root / "tests/pipe")
        for name, message in (("/dev/zero", "no regular file"), ("pipe", "no regular file"), (".", "Is a directory")):
            for field in ("object", "review"):
                with self.subTest(f"{field}: {name}"):
                    self.write("tests/a.yaml", HEAD + f"  - {{name: a, {field}: {name}, expect: {{allowed: true}}}}\n")
                    self.assertIn(message, self.run_tests(code=2).stdout)
        self.write("tests/a.yaml", PASSING.replace("../policies.yaml", "/dev/zero"))
        self.assertIn("no regular file", self.run_tests(code=2).stderr)

    def test_an_output_that_is_a_test_is_refused(self):
        path = self.write("tests/a.yaml", PASSING)
        self.assertIn("it is among what is judged", self.run_tests("tests", "--junit-file", "tests/../tests/a.yaml", code=2).stderr)
        self.assertEqual(PASSING, path.read_text())

    def test_a_full_disk_is_no_success(self):
        self.write("tests/a.yaml", PASSING)
        (self.root / "p").mkdir()
        self.write("p/p.yaml", POLICIES)
        for words in (["test"], ["test", "-o", "json"], ["test", "--reviews"], ["completion", "bash"], ["policy", "schema"], ["policy", "schema", "--list"],
                      ["policy", "explain", "--writers"], ["policy", "lint", "p"], ["policy", "diff", "p", "p"], ["--help"]):
            with self.subTest(words), open("/dev/full", "w") as full:
                ran = subprocess.run([BINARY, *words], cwd=self.root, stdout=full, stderr=subprocess.PIPE, text=True, timeout=SOON)
                self.assertEqual(2, ran.returncode)
                self.assertIn("standard output cannot be written", ran.stderr)


if __name__ == "__main__":
    unittest.main()
