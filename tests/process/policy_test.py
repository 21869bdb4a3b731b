"""`fluxgate policy lint`, `explain` and `diff` as a process: what they print, where they point, and how they exit."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BINARY, RECORDINGS, ROOT, SOON

POLICY = """\
apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: production
spec:
  guidance: Ask the platform team.
  match:
    namespaces: [production]
  rules:
  - name: only-git
    lock: {writers: [flux, kubernetes]}
  - name: limits
    resources: {limits: [memory]}
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: production
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
"""

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: production}
data: {a: b}
"""

GOOD = DEPLOYMENT + "        resources: {limits: {memory: 1Gi}}\n"


class PolicyCommands(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="fluxgate-policy-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def policies(self, name, *texts):
        folder = self.root / name
        folder.mkdir()
        for number, text in enumerate(texts):
            (folder / f"p{number}.yaml").write_text(text)
        return folder

    def manifest(self, text, name="apps.yaml"):
        path = self.root / name
        path.write_text(text)
        return path

    def run_policy(self, *words, stdin=None):
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        return subprocess.run([BINARY, "policy", *map(str, words)], capture_output=True, text=True, timeout=SOON, input=stdin, env=environment,
                              stdin=None if stdin is not None else subprocess.DEVNULL)

    def expect(self, code, *words, stdin=None):
        ran = self.run_policy(*words, stdin=stdin)
        self.assertEqual(ran.returncode, code, ran.stdout + ran.stderr)
        self.assertNotIn("\x1b", ran.stdout, "colour without a terminal")
        return ran

    # --- lint ---------------------------------------------------------------------------------------------------------
    def test_lint_is_silent_about_a_sound_set(self):
        ran = self.expect(0, "lint", self.policies("sound", POLICY))
        self.assertEqual(ran.stdout, "1 policy and 0 exceptions in 1 file: nothing to say\n")
        self.assertEqual(json.loads(self.expect(0, "lint", self.root / "sound", "-o", "json").stdout),
                         {"lints": [], "summary": {"errors": 0, "warnings": 0, "notes": 0}})

    def test_lint_has_no_warning_for_the_policies_that_are_shipped(self):
        for folder in ("deploy/policies", "deploy/policies/optional", "cli/demo/policies"):
            with self.subTest(folder=folder):
                self.assertIn("0 warnings" if "deploy" in folder else "nothing to say", self.expect(0, "lint", ROOT / folder).stdout)

    def test_lint_names_the_line_the_id_and_the_fix(self):
        folder = self.policies("odd", POLICY.replace("[flux, kubernetes]", "[kubernetes]"))
        ran = self.expect(1, "lint", folder)
        self.assertIn(f"{folder}/p0.yaml:11:12: error: production/only-git: no writer of this lock may apply what Git says: "
                      "Flux itself would be refused [lock-without-flux]\n    add flux to writers\n", ran.stdout)
        [lint] = json.loads(self.expect(1, "lint", folder, "-o", "json").stdout)["lints"]
        self.assertEqual((lint["id"], lint["severity"], lint["file"], lint["line"], lint["column"]),
                         ("lock-without-flux", "error", f"{folder}/p0.yaml", 11, 12))
        github = self.expect(1, "lint", folder, "-o", "github").stdout.splitlines()
        self.assertTrue(github[0].startswith("::error file="), github)
        self.assertIn("line=11,col=12", github[0])
        sarif = json.loads(self.expect(1, "lint", folder, "-o", "sarif").stdout)
        [result] = sarif["runs"][0]["results"]
        self.assertEqual((result["ruleId"], result["level"]), ("lint/lock-without-flux", "error"))

    def test_lint_fails_on_what_is_asked(self):
        noted = self.policies("noted", POLICY.replace("  guidance: Ask the platform team.\n", ""))
        for code, fail_on in ((0, "error"), (0, "warning"), (1, "note"), (0, "none")):
            with self.subTest(fail_on=fail_on):
                self.assertIn("[deny-without-guidance]", self.expect(code, "lint", noted, "--fail-on", fail_on).stdout)
        warned = self.policies("warned", POLICY.replace("[flux, kubernetes]", "[flux]"))
        for code, fail_on in ((0, "error"), (1, "warning"), (1, "note"), (0, "none")):
            with self.subTest(fail_on=fail_on):
                self.assertIn("[lock-without-kubernetes]", self.expect(code, "lint", warned, "--fail-on", fail_on).stdout)

    def test_lint_reports_what_does_not_compile(self):
        folder = self.policies("broken", POLICY.replace("limits: [memory]", "limit: [memory]"))
        for output in ("text", "json", "sarif", "github"):
            with self.subTest(output=output):
                self.assertIn("does-not-compile", self.expect(2, "lint", folder, "-o", output).stdout)
        self.assertIn(f"{folder}/p0.yaml:13:17", self.expect(2, "lint", folder).stdout)
        self.expect(2, "lint", self.root / "missing")
        self.expect(2, "lint", folder, "--time", "tomorrow")

    def test_lint_tries_patterns_on_manifests(self):
        folder = self.policies("patterns", POLICY.replace("[production]", '[production, shop, "prod-*"]'))
        self.expect(0, "lint", folder)
        ran = self.expect(0, "lint", folder, self.manifest(DEPLOYMENT))
        self.assertIn("if it is right, nothing is to do", ran.stdout)
        self.assertIn('p0.yaml:8:30: note: production: "shop" matches no namespace', ran.stdout)
        self.assertIn('p0.yaml:8:36: note: production: "prod-*" matches no namespace', ran.stdout)
        elsewhere = [DEPLOYMENT.replace("namespace: production", f"namespace: {name}") for name in ("prod-a", "shop")]
        self.assertNotIn("matches no", self.expect(0, "lint", folder, "-", stdin="---\n".join([DEPLOYMENT, *elsewhere])).stdout)
        self.expect(2, "lint", folder, self.manifest("a: [", "broken.yaml"))

    def test_lint_goes_by_the_time_it_is_given(self):
        exception = ("apiVersion: fluxgate.dev/v1alpha1\nkind: GuardException\nmetadata: {name: legacy}\nspec:\n"
                     "  policies: [{name: production, rules: [limits]}]\n  match: {namespaces: [production]}\n"
                     "  reason: measured\n  ticket: OPS-1\n  expiresAt: 2027-03-31T00:00:00Z\n")
        folder = self.policies("dated", POLICY, exception)
        self.expect(0, "lint", folder, "--time", "2027-03-01T00:00:00Z")
        self.assertIn("in 9 days (OPS-1)", self.expect(1, "lint", folder, "--time", "2027-03-22T00:00:00Z").stdout)
        self.assertIn("[exception-expired]", self.expect(1, "lint", folder, "--time", "2027-04-01T00:00:00Z").stdout)

    # --- explain ------------------------------------------------------------------------------------------------------
    def test_explain_tells_each_rule_of_each_policy(self):
        folder = self.policies("two", POLICY, POLICY.replace("name: production", "name: staging").replace("[production]", "[staging]"))
        ran = self.expect(1, "explain", "--policies", folder, self.manifest(DEPLOYMENT))
        self.assertEqual(ran.stdout, f"""\
denied  Deployment production/web  {self.root}/apps.yaml:1:1
  CREATE deployments.apps by system:serviceaccount:flux-system:kustomize-controller
  policy production matches: Deny by validationActions
    passes     only-git (lock): written by a writer: flux (proof pod-bound)
    violated   limits (resources): 1 violation
        .spec.template.spec.containers[name="web"].resources.limits.memory: have (absent), want a memory limit
  policy staging does not match (namespaces): namespace "production" is none of staging
  Ask the platform team.

""")

    def test_explain_as_json_has_the_same(self):
        folder = self.policies("one", POLICY)
        [told] = json.loads(self.expect(1, "explain", "--policies", folder, "-o", "json", "-", stdin=DEPLOYMENT).stdout)["objects"]
        self.assertFalse(told["allowed"])
        self.assertEqual([rule["outcome"] for rule in told["policies"][0]["rules"]], ["passes", "violated"])
        self.assertIn("Ask the platform team.", told["message"])
        [told] = json.loads(self.expect(0, "explain", "--policies", folder, "-o", "json", "-", stdin=GOOD).stdout)["objects"]
        self.assertTrue(told["allowed"])

    def test_explain_knows_who_asks_and_for_what(self):
        folder = self.policies("who", POLICY)
        both = self.manifest(GOOD + "---\n" + CONFIG_MAP)
        ran = self.expect(1, "explain", "--policies", folder, both, "--as", "alice@example.com", "--object", "configmap/settings")
        self.assertIn("CREATE configmaps by alice@example.com", ran.stdout)
        self.assertIn("not asked  limits (resources): has no word about configmaps", ran.stdout)
        self.assertNotIn("Deployment", ran.stdout)
        self.expect(0, "explain", "--policies", folder, both, "--object", "Deployment/production/web")
        self.assertIn("no Deployment/api in the input", self.expect(2, "explain", "--policies", folder, both, "--object", "Deployment/api").stderr)

    def test_explain_and_check_agree_on_every_recording(self):
        reviews = self.root / "reviews.jsonl"
        reviews.write_text("".join(json.dumps(json.loads(path.read_text())) + "\n" for path in sorted(RECORDINGS.glob("*.json"))))
        demo = ROOT / "cli/demo/policies"
        told = json.loads(self.expect(1, "explain", "--policies", demo, "--reviews", reviews, "-o", "json").stdout)["objects"]
        checked = subprocess.run([BINARY, "check", "--policies", str(demo), "--reviews", str(reviews), "-o", "jsonl"], capture_output=True,
                                 text=True, timeout=SOON, check=False)
        verdicts = [json.loads(line) for line in checked.stdout.splitlines() if '"uid"' in line]
        self.assertGreater(len(told), 20)
        self.assertEqual(len(told), len(verdicts))
        for object_told, verdict in zip(told, verdicts):
            self.assertEqual(object_told["allowed"], verdict["allowed"])
            found = [violation["path"] for policy in object_told["policies"] for rule in policy.get("rules", ())
                     for violation in rule["violations"] if violation["action"] == "Deny"]
            self.assertEqual(found, [violation["path"] for violation in verdict["violations"]])

    def test_explain_says_what_cannot_be_read(self):
        folder = self.policies("unread", POLICY)
        self.expect(2, "explain", "--policies", folder, "-", stdin="a: [")
        self.expect(2, "explain", "--policies", folder, "-", stdin="")
        self.expect(2, "explain", "--policies", folder)
        self.expect(2, "explain", self.manifest(DEPLOYMENT))
        self.expect(2, "explain", "--policies", self.root / "missing", self.manifest(DEPLOYMENT))

    def test_writers_are_printed_as_yaml(self):
        everything = self.expect(0, "explain", "--writers").stdout
        self.assertIn("kind: WriterProfile\nmetadata:\n  name: flux\n", everything)
        self.assertIn("serviceAccount: {namespace: flux-system, name: kustomize-controller}\n    assurance: pod-bound\n", everything)
        self.assertEqual(everything.count("kind: WriterProfile"), 10)
        again = self.policies("again", POLICY, everything.replace("metadata:\n  name: ", "metadata:\n  name: copy-of-"))
        self.expect(0, "explain", "--writers", "--policies", again)
        used = self.expect(0, "explain", "--writers", "--policies", self.policies("flux", POLICY.replace("[flux, kubernetes]", "[flux]"))).stdout
        self.assertEqual(used.count("kind: WriterProfile"), 1)
        own = everything.split("---\n")[0].replace("metadata:\n  name: flux\n", "metadata:\n  name: own\n")
        named = POLICY.replace("[flux, kubernetes]", "[own, {name: aks-flux, serviceAccounts: [cluster-config/flux-applier]}]")
        used = self.expect(0, "explain", "--writers", "--policies", self.policies("own", named, own)).stdout
        self.assertTrue(used.startswith(own + "---\n"))
        self.assertIn("serviceAccount: {namespace: cluster-config, name: flux-applier}\n    assurance: impersonated\n", used)

    # --- diff ---------------------------------------------------------------------------------------------------------
    def test_diff_of_policies_goes_by_meaning(self):
        old = self.policies("old", POLICY)
        same = self.policies("same", "# A comment.\n" + POLICY.replace("spec:\n", "spec:\n  validationActions: [Deny]\n"))
        self.assertEqual(self.expect(0, "diff", old, same).stdout, "nothing changes\n")
        new = self.policies("new", POLICY.replace("limits: [memory]", "limits: [memory, cpu]") + "  - name: probes\n    probes: {all: [readinessProbe]}\n")
        self.assertEqual(self.expect(1, "diff", old, new).stdout, f"""\
changed  rule production/limits  {new}/p0.yaml:12:5
    .resources.limits: ["memory"] -> ["memory","cpu"]
added  rule production/probes  {new}/p0.yaml:14:5
2 changes
""")

    def test_diff_shows_what_becomes_of_manifests(self):
        old = self.policies("old", POLICY)
        new = self.policies("new", POLICY.replace("limits: [memory]", "requests: [cpu]"))
        manifests = self.manifest(GOOD + "---\n" + DEPLOYMENT.replace("name: web\n", "name: bad\n", 1) + "---\n" + CONFIG_MAP)
        ran = self.expect(1, "diff", old, new, manifests)
        self.assertIn(f"becomes denied  Deployment production/web  {manifests}:1:1\n", ran.stdout)
        self.assertIn('  + Deny production/limits .spec.template.spec.containers[name="web"].resources.requests.cpu: have (absent)', ran.stdout)
        self.assertIn("stays denied  Deployment production/bad", ran.stdout)
        self.assertIn("  - Deny production/limits", ran.stdout)
        self.assertIn("objects judged: 3; become denied: 1, become allowed: 0, have other findings: 1, stay as they are: 1\n", ran.stdout)
        back = json.loads(self.expect(1, "diff", new, old, manifests, "-o", "json").stdout)
        self.assertEqual(back["summary"], {"judged": 3, "denied": 0, "allowed": 1, "findings": 1})
        self.assertEqual(back["objects"][0]["outcome"], "allowed")
        self.assertEqual([change["name"] for change in back["policies"]], ["production/limits"])
        self.expect(0, "diff", old, new, self.manifest(CONFIG_MAP, "config.yaml"))

    def test_diff_as_markdown_lets_no_manifest_out_of_its_cell(self):
        old = self.policies("old", POLICY)
        new = self.policies("new", POLICY.replace("limits: [memory]", "requests: [cpu]"))
        odd = GOOD.replace("name: web\n        image", 'name: "a`|@all"\n        image')
        ran = self.expect(1, "diff", old, new, "-", "-o", "markdown", stdin=odd)
        self.assertIn("| becomes denied |", ran.stdout)
        self.assertNotIn("`|@all", ran.stdout)

    def test_diff_says_what_cannot_be_evaluated(self):
        old = self.policies("old", POLICY)
        broken = self.policies("broken", POLICY.replace("rules:", "rule:"))
        self.assertIn(f"{broken}/p0.yaml:", self.expect(2, "diff", old, broken).stderr)
        self.expect(2, "diff", broken, old)
        self.expect(2, "diff", old, old, "-", stdin="a: [")
        self.expect(2, "diff", old, old, "-", stdin="")
        self.expect(2, "diff", old)

    def test_help_says_what_it_does_shows_an_example_and_the_exit_codes(self):
        for command in ("lint", "explain", "diff"):
            with self.subTest(command=command):
                text = self.expect(0, command, "--help").stdout
                self.assertIn(f"fluxgate policy {command} ", text)
                self.assertIn("Exits 0", text)


if __name__ == "__main__":
    unittest.main()
