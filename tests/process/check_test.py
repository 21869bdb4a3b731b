"""`fluxgate check` as a process: what it is given, what it says, how it ends. Bad input is the larger part."""

import json
import os
import resource
import subprocess
import unittest
from pathlib import Path

from support import BINARY, RECORDINGS, SOON, Stage

POLICIES = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: workloads
spec:
  guidance: Ask the platform team.
  match:
    namespaces: [production, default]
  rules:
  - name: limits
    resources: {limits: [memory]}
  - name: available
    availability: {disruptionBudget: required}
---
apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: of-team-a
spec:
  validationActions: [Warn]
  match:
    namespaceSelector: {matchLabels: {team: a}}
  rules:
  - name: labels
    requiredMetadata: {labels: {owner: ""}, kinds: [ConfigMap]}
---
apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: locked
spec:
  match:
    namespaces: [production]
  rules:
  - name: only-git
    lock: {writers: [flux]}
"""
DEFAULTS = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: defaults
spec:
  rules:
  - name: fill
    defaults: {resources: {limits: {memory: 64Mi}}}
"""


def deployment(name="web", namespace="production", replicas=1, memory="64Mi", extra=""):
    limits = f"        resources: {{limits: {{memory: {memory}}}}}\n" if memory else ""
    place = f"  namespace: {namespace}\n" if namespace else ""
    return (f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n{place}spec:\n  replicas: {replicas}\n  template:\n"
            f"    metadata:\n      labels: {{app: {name}}}\n    spec:\n      containers:\n      - name: main\n        image: nginx\n{limits}{extra}")


def config_map(name="settings", namespace="production", data="a: b"):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\ndata: {{{data}}}\n"


BUDGET = ("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web, namespace: production}\n"
          "spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}\n")


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


class CheckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.policies = cls.stage.folder("policies")
        (cls.policies / "all.yaml").write_text(POLICIES)

    @classmethod
    def tearDownClass(cls):
        cls.stage.close()

    def tree(self, **files):
        root = self.stage.folder("tree")
        for name, text in files.items():
            path = root / name.replace("__", "/").replace("_yaml", ".yaml").replace("_json", ".json")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return root

    def check(self, *words, stdin="", policies=None, cwd=None):
        return subprocess.run([BINARY, "check", "--policies", str(policies or self.policies), *map(str, words)], input=stdin, cwd=cwd,
                              capture_output=True, text=True, timeout=SOON)

    def judged(self, *words, code, **options):
        """What `-o jsonl` says, a value a line."""
        done = self.check(*words, "-o", "jsonl", **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def rules(self, *words, code, level="deny", **options):
        return [f"{violation['policy']}/{violation['rule']}" for line in self.judged(*words, code=code, **options)
                for violation in line.get("violations", []) if violation["level"] == level]

    # --- what it judges --------------------------------------------------------------------------------------------------

    def test_files_folders_and_standard_input_are_judged_alike(self):
        text = deployment(memory=None)
        root = self.tree(app_yaml=text, sub__deep__more_yaml=config_map())
        for words, stdin, file, count in (([root / "app.yaml"], "", str(root / "app.yaml"), 1), ([root], "", str(root / "app.yaml"), 2),
                                          (["-"], text, "<stdin>", 1)):
            with self.subTest(words=words):
                lines = self.judged(*words, code=1, stdin=stdin)
                self.assertEqual(len(lines), count)
                denied = [line for line in lines if not line["allowed"]]
                self.assertEqual(len(denied), 1)
                self.assertEqual(denied[0]["file"], file)
                violation = denied[0]["violations"][0]
                self.assertEqual((violation["rule"], violation["path"]), ("limits", '.spec.template.spec.containers[name="main"].resources.limits.memory'))
                # The container, because there are no resources to point at.
                self.assertEqual((violation["line"], violation["column"]), (13, 9))
                self.assertIn("Ask the platform team.", denied[0]["message"])

    def test_json_lists_and_json_lines(self):
        one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "production"}}
        two = {**one, "metadata": {"name": "b\U0001f600", "namespace": "production"}}
        for what, text in (("a List", json.dumps({"apiVersion": "v1", "kind": "List", "items": [one, two]}, indent=2)),
                           ("a List on one line", json.dumps({"apiVersion": "v1", "kind": "List", "items": [one, two]})),
                           ("JSON Lines", json.dumps(one) + "\n" + json.dumps(two) + "\n"),
                           ("a stream of pretty JSON", json.dumps(one, indent=2) + "\n" + json.dumps(two, indent=2))):
            with self.subTest(what):
                self.assertEqual([line["object"]["name"] for line in self.judged("-", code=0, stdin=text)], ["a", "b\U0001f600"])

    def test_a_recorded_review_among_manifests_keeps_its_lines(self):
        review = json.loads((RECORDINGS / "person-edits-image.json").read_text())
        (line,) = self.judged("-", "-n", "x", code=1, stdin=json.dumps(review))
        self.assertEqual(line["uid"], review["request"]["uid"])
        self.assertEqual({violation["rule"] for violation in line["violations"]}, {"only-git", "limits"} & {v["rule"] for v in line["violations"]})
        done = self.check("-", "-o", "github", stdin=json.dumps(review, indent=2))
        at = [int(word.split("line=")[1].split(",")[0]) for word in done.stdout.splitlines() if "/only-git" in word and "line=" in word]
        self.assertTrue(at and all(number > 3 for number in at), done.stdout)

    def test_who_writes_decides_about_the_lock(self):
        text = config_map()
        self.assertEqual(self.rules("-", code=0, stdin=text), [])
        self.assertEqual(self.rules("-", "--as", "flux/helm-controller", code=0, stdin=text), [])
        self.assertEqual(self.rules("-", "--as", "alice@example.com", "--as-group", "devs", code=1, stdin=text), ["locked/only-git"])
        self.assertEqual(self.rules("-", "--as", "alice@example.com", "--operation", "DELETE", code=1, stdin=text), ["locked/only-git"])
        done = self.check("-", "--as", "flux/nobody", stdin=text)
        self.assertEqual(done.returncode, 2)
        self.assertIn("have no account \"nobody\"", done.stderr)
        # A dry run is let through the lock with a warning, as in the cluster.
        (line,) = self.judged("-", "--as", "alice@example.com", "--dry-run", code=0, stdin=text)
        self.assertTrue(line["warnings"])

    def test_old_manifests_make_updates_of_what_they_hold(self):
        before = deployment(memory=None)
        root = self.tree(old_yaml=before)
        same = before.replace("replicas: 1", "replicas: 1 ")
        self.assertEqual(self.rules("-", "--old", root / "old.yaml", code=0, stdin=same), [])
        changed = before.replace("image: nginx", "image: nginx:2")
        self.assertEqual(self.rules("-", "--old", root / "old.yaml", code=1, stdin=changed), ["workloads/limits"])
        other = deployment("new", memory=None)
        self.assertEqual(self.rules("-", "--old", root / "old.yaml", code=1, stdin=other), ["workloads/limits"])
        self.assertEqual(self.check("-", "--old", root / "absent.yaml", stdin=same).returncode, 2)
        # The namespace that is not written is the one of -n, on both sides.
        self.assertEqual(self.rules("-", "-n", "production", "--old", root / "old.yaml", code=0, stdin=same.replace("  namespace: production\n", "")), [])

    def test_labels_of_namespaces_come_from_anywhere_in_the_input(self):
        namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: %s}}\n"
        text = config_map(namespace="shop")
        for team, rules in (("a", ["of-team-a/labels"]), ("b", [])):
            for order in ([text, namespace % team], [namespace % team, text]):
                with self.subTest(team=team, first=order[0][:30]):
                    self.assertEqual(self.rules("-", code=0, level="warn", stdin="---\n".join(order)), rules)

    def test_a_deployment_without_disruption_budget(self):
        text = deployment(replicas=2)
        self.assertEqual(self.rules("-", code=1, stdin=text), ["workloads/available"])
        self.assertEqual(self.rules("-", code=0, stdin=text + "---\n" + BUDGET), [])
        self.assertEqual(self.rules("-", code=0, stdin=BUDGET + "---\n" + text), [])
        self.assertEqual(self.rules("-", code=1, stdin=BUDGET.replace("app: web", "app: other") + "---\n" + text), ["workloads/available"])
        self.assertEqual(self.rules("-", code=1, stdin=BUDGET.replace("namespace: production", "namespace: x") + "---\n" + text), ["workloads/available"])
        self.assertEqual(self.rules("-", "--without-presence", code=0, stdin=text), [])
        self.assertEqual(self.rules("-", code=0, stdin=deployment(replicas=1)), [])

    def test_custom_resources_are_known_by_their_definition(self):
        policies = self.tree(p_yaml="apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: mice}\nspec:\n  match:\n"
                                    "    resourceRules: [{apiGroups: [example.com], apiVersions: [\"*\"], resources: [mice], operations: [\"*\"]}]\n"
                                    "  rules: [{name: only-git, lock: {writers: [flux]}}]\n")
        mouse = "apiVersion: example.com/v1\nkind: Mouse\nmetadata: {name: m}\n"
        definition = ("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: mice.example.com}\n"
                      "spec: {group: example.com, scope: Cluster, names: {kind: Mouse, plural: mice}}\n")
        words = ("-", "--as", "alice")
        self.assertEqual(self.rules(*words, code=0, stdin=mouse, policies=policies), [])
        self.assertEqual(self.rules(*words, code=1, stdin=mouse + "---\n" + definition, policies=policies), ["mice/only-git"])

    def test_a_namespace_on_what_has_none_is_no_error(self):
        """Charts write it, and the API server takes it away."""
        role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r, namespace: production}\nrules: []\n"
        self.assertEqual(self.rules("-", "--as", "alice", code=0, stdin=role), [])

    def test_pods_are_judged_as_their_defaults_leave_them(self):
        pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: production}\nspec: {containers: [{name: c, image: nginx}]}\n"
        self.assertEqual(self.rules("-", code=1, stdin=pod), ["workloads/limits"])
        policies = self.tree(a_yaml=POLICIES, b_yaml=DEFAULTS)
        self.assertEqual(self.rules("-", code=0, stdin=pod, policies=policies), [])

    def test_time_decides_about_exceptions(self):
        policies = self.tree(a_yaml=POLICIES, b_yaml="apiVersion: fluxgate.dev/v1alpha1\nkind: GuardException\nmetadata: {name: old-web}\nspec:\n"
                             "  policies: [{name: workloads, rules: [limits]}]\n  match: {namespaces: [production], names: [web]}\n"
                             "  reason: r\n  ticket: T-1\n  expiresAt: 2020-02-01T00:00:00Z\n")
        text = deployment(memory=None)
        self.assertEqual(self.rules("-", "--time", "2020-01-31T00:00:00Z", code=0, stdin=text, policies=policies), [])
        self.assertEqual(self.rules("-", "--time", "2020-02-01T00:00:00Z", code=1, stdin=text, policies=policies), ["workloads/limits"])
        self.assertEqual(self.check("-", "--time", "soon", stdin=text).returncode, 2)

    # --- what it cannot judge --------------------------------------------------------------------------------------------

    def test_what_is_not_rendered_is_said_and_strict_fails(self):
        overlay = "resources: [../base]\nnamePrefix: x-\n"
        cases = {
            "an overlay": {"o__kustomization_yaml": overlay, "o__patch_yaml": deployment(memory=None), "ok_yaml": config_map()},
            "a chart": {"c__Chart_yaml": "name: x\n", "c__templates__d_yaml": "kind: {{ .Values.kind }}\n", "ok_yaml": config_map()},
            "a template": {"t_yaml": "metadata:\n  name: {{ .Values.name }}\n  x: {{ if }}\n", "ok_yaml": config_map()},
            "no object": {"values_yaml": "replicas: 3\n", "ok_yaml": config_map()},
            "a HelmRelease": {"h_yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: h, namespace: production}\n"},
            "encrypted as a whole": {"s_yaml": "apiVersion: ENC[AES256_GCM,data:x]\nkind: ENC[AES256_GCM,data:x]\nsops: {}\n", "ok_yaml": config_map()},
        }
        for what, files in cases.items():
            with self.subTest(what):
                root = self.tree(**files)
                done = self.check(root)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertIn("not-judged", done.stdout)
                self.assertEqual(self.check(root, "--strict").returncode, 2)

    def test_a_plain_kustomization_is_no_overlay(self):
        root = self.tree(kustomization_yaml="apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [app.yaml]\n",
                         app_yaml=deployment(memory=None))
        self.assertEqual(self.rules(root, "--strict", code=1), ["workloads/limits"])

    def test_a_secret_encrypted_by_sops_is_an_ordinary_secret(self):
        secret = ("apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: production}\n"
                  "data: {password: 'ENC[AES256_GCM,data:p673w==,iv:x,tag:y,type:str]'}\nsops:\n  azure_kv: []\n  lastmodified: \"2026-01-01T00:00:00Z\"\n")
        self.assertEqual(self.rules("-", "--strict", code=0, stdin=secret), [])

    def test_policy_files_in_the_tree_are_passed_over(self):
        root = self.tree(policies__p_yaml=POLICIES, app_yaml=config_map())
        self.assertEqual(len(self.judged(root, "--strict", code=0)), 1)

    def test_nothing_to_judge_is_an_error_unless_allowed(self):
        done = self.check("-", stdin="# nothing\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--allow-empty", done.stderr)
        self.assertEqual(self.check("-", "--allow-empty", stdin="").returncode, 0)
        self.assertEqual(self.check().returncode, 2)
        self.assertEqual(self.check("-", "--reviews", "-").returncode, 2)

    # --- bad input -------------------------------------------------------------------------------------------------------

    def test_broken_parts_are_reported_and_the_rest_is_judged(self):
        good = config_map("first") + "---\n", "---\n" + deployment("last", memory=None)
        cases = {
            "syntax": ("kind: [x\n", 9, "flow sequence"),
            "no mapping": ("- 1\n- 2\n", 8, "expected a Kubernetes object, have array"),
            "text": ("hello\n", 8, "expected a Kubernetes object, have string"),
            "a key twice": ("apiVersion: v1\nkind: ConfigMap\nkind: Secret\n", 10, "stands twice"),
            "no name": ("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: x}\n", 10, "metadata.name"),
            "an endless alias": ("a: &a\n  b: *a\n", 9, "stands inside of what it repeats"),
            "control characters": ("a: \x01\n", None, "control characters"),
        }
        for what, (broken, line, message) in cases.items():
            with self.subTest(what):
                lines = self.judged("-", code=2, stdin=good[0] + broken + good[1])
                names = {allowed: [entry["object"]["name"] for entry in lines if entry["object"] and entry["allowed"] == allowed] for allowed in (True, False)}
                self.assertEqual(names, {True: ["first"], False: ["last"]})
                (problem,) = [entry for entry in lines if message in json.dumps(entry)]
                if line:
                    self.assertEqual(problem["line"], line, problem)

    def test_files_that_cannot_be_read(self):
        root = self.tree(ok_yaml=config_map(), garbage_yaml=os.urandom(100_000).replace(b"{", b"x") + b"\0")
        (root / "dangling.yaml").symlink_to("nowhere.yaml")
        (root / "loop").symlink_to(".")
        (root / "sub").mkdir()
        (root / "sub" / "up").symlink_to("..")
        (root / "self").symlink_to("self")
        lines = self.judged(root, code=2)
        self.assertEqual(sum(1 for line in lines if line["allowed"] and line["object"]), 1)
        self.assertIn("a link to nowhere", json.dumps(lines))
        self.assertIn("does not exist", json.dumps(self.judged(root / "absent", code=2)))
        # Opens for everybody, also for root, and fails when it is read.
        failing = self.tree(ok_yaml=config_map())
        (failing / "mem.yaml").symlink_to("/proc/self/mem")
        self.assertIn("cannot be read: Input/output error", json.dumps(self.judged(failing, code=2)))
        self.assertEqual(self.check(root, policies=root / "absent").returncode, 2)

    def test_nothing_hides_an_object(self):
        bad = deployment(memory=None)
        inner = "\n".join("    " + line for line in bad.splitlines())
        nested = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  metadata: {name: inner}\n  items:\n  -\n" + inner + "\n"
        merged = "apiVersion: v1\nkind: List\n<<:\n  items:\n  -\n" + inner + "\n"
        self.assertEqual(self.rules("-", code=1, stdin=nested), ["workloads/limits"])
        self.assertEqual(self.rules("-", code=1, stdin=merged), ["workloads/limits"])
        service = "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: production}\nspec: {%s <<: {type: NodePort}}\n"
        policies = self.tree(p_yaml="apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  rules: [{name: s, services: {denyTypes: [NodePort]}}]\n")
        for tag in ("", "!!merge", "!"):
            self.assertEqual(self.rules("-", code=1, stdin=service % tag, policies=policies), ["p/s"], tag)
        # A file beside others is read, whatever it is called and whatever stands beside it.
        root = self.tree(ok_yaml=config_map())
        (root / ".hidden.yaml").write_text(bad)
        self.assertEqual(self.rules(root, code=1), ["workloads/limits"])
        root = self.tree(a_yaml=bad, Chart_yaml="name: x\n", kustomization_yaml="resources: [a.yaml]\n")
        self.assertEqual(self.rules(root, code=1), ["workloads/limits"])

    def test_braces_are_no_excuse(self):
        """What is broken for another reason than a template is an error, whatever its comments hold."""
        for text in ("a: 'x\n# {{ .Values }}\n", "a: 1\na: 2  # {{ }}\n", "{{ .Values.x }}\nb: {{ y }}\n"):
            with self.subTest(text):
                self.assertEqual(self.check("-", stdin=text + "---\n" + config_map()).returncode, 2)
        root = self.tree(a_yaml="a: 'x\n# {{ .Values }}\n", b_yaml=config_map())
        self.assertEqual(self.check(root).returncode, 2)

    def test_streams_that_can_be_read_only_once(self):
        root = self.tree(ok_yaml=config_map())
        fifo = root / "pipe"
        os.mkfifo(fifo)
        with subprocess.Popen([BINARY, "check", "--policies", str(self.policies), "-o", "jsonl", str(root / "ok.yaml"), str(fifo)],
                              stdout=subprocess.PIPE, text=True) as process:
            fifo.write_text(deployment(memory=None))
            output, _ = process.communicate(timeout=SOON)
        self.assertEqual(process.returncode, 1, output)
        self.assertEqual(len(output.splitlines()), 2)
        self.assertEqual(self.check("-", "-", stdin=config_map()).returncode, 2)
        self.assertEqual(self.check("-", "--old", "-", stdin=config_map()).returncode, 2)
        self.assertEqual(self.check("--reviews", root, "--allow-empty").returncode, 2)

    def test_what_readers_take_for_two_things_is_an_error(self):
        for text, message in ((config_map(data="feature: on"), "true to kubectl and text to Flux"),
                              (config_map(namespace="12"), "metadata.namespace is no text"),
                              ("apiVersion: apps/v1\nKind: Deployment\nmetadata: {name: x}\n", "has no kind")):
            with self.subTest(message):
                done = self.check("-", stdin=text)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(message, done.stdout)

    def test_bombs_end_with_an_error(self):
        aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
        for what, text in (("aliases", aliases), ("depth", "[" * 200_000), ("JSON depth", '{"a":' * 100_000), ("braces", "{" * 200_000),
                           ("a scalar repeated", "a: &a \"" + "x" * 1_000_000 + "\"\nb: [" + ",".join(["*a"] * 100) + "]\n")):
            with self.subTest(what):
                done = self.check("-", stdin=text)
                self.assertEqual(done.returncode, 2, done.stdout[:500])
                self.assertIn("more than", done.stdout)

    def test_much_input_takes_little_memory(self):
        """30 MB and 100,000 documents; the peak of all children so far stays far below."""
        text = "---\n".join(config_map(f"c{i}", data="k: " + "x" * 200) for i in range(100_000))
        self.assertGreater(len(text), 20_000_000)
        done = self.check("-", stdin=text)
        self.assertEqual(done.returncode, 0, done.stdout[-500:])
        self.assertIn("100000 objects", done.stdout.replace(",", "").replace(" ", " "))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        if "asan" not in BINARY and "tsan" not in BINARY:
            self.assertLess(peak, 600_000)  # kB; the bombs above are in it

    # --- how it ends -----------------------------------------------------------------------------------------------------

    def test_exit_codes_follow_fail_on(self):
        warned = config_map(namespace="shop") + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: a}}\n"
        for fail_on, code in (("deny", 0), ("warn", 1), ("audit", 1), ("none", 0)):
            self.assertEqual(self.check("-", "--fail-on", fail_on, stdin=warned).returncode, code)
        denied = deployment(memory=None)
        for fail_on, code in (("deny", 1), ("warn", 1), ("audit", 1), ("none", 0)):
            self.assertEqual(self.check("-", "--fail-on", fail_on, stdin=denied).returncode, code)

    def test_reports_into_files(self):
        folder = self.stage.folder("reports")
        done = self.check("-", "-o", "jsonl", "--output-file", f"sarif={folder}/a.sarif", "--output-file", f"junit={folder}/a.xml", stdin=deployment(memory=None))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads((folder / "a.sarif").read_text())["version"], "2.1.0")
        self.assertIn("<testsuite", (folder / "a.xml").read_text())
        self.assertEqual(self.check("-", "--output-file", f"sarif={folder}/absent/a.sarif", stdin=config_map()).returncode, 2)
        self.assertEqual(self.check("-", "--output-file", "pdf=x", stdin=config_map()).returncode, 2)
        with open("/dev/full", "w") as full:
            code = subprocess.run([BINARY, "check", "--policies", str(self.policies), "-"], input=config_map(), stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=SOON).returncode
        self.assertEqual(code, 2)

    def test_an_output_that_is_an_input_is_refused_and_stays(self):
        folder = self.tree(**{"keep.yaml": deployment(), "old.yaml": deployment()})
        policies = Path(folder, "policies")
        policies.mkdir()
        (policies / "all.yaml").write_text(POLICIES)
        (Path(folder) / "link.yaml").symlink_to("keep.yaml")
        (Path(folder) / "reviews.jsonl").write_text("{}\n")
        rows = [
            ("the file named", ["keep.yaml", "--output-file", "sarif=keep.yaml"], "among what is judged"),
            ("by another path", ["./keep.yaml", "--output-file", "sarif=policies/../keep.yaml"], "among what is judged"),
            ("a manifest of a folder", [".", "--output-file", "sarif=keep.yaml"], "among what is judged"),
            ("a link to it", ["keep.yaml", "--output-file", "sarif=link.yaml"], "among what is judged"),
            ("the old manifests", ["keep.yaml", "--old", "old.yaml", "--output-file", "sarif=old.yaml"], "among what is judged"),
            ("the reviews", ["--reviews", "reviews.jsonl", "--output-file", "json=reviews.jsonl"], "among what is judged"),
            ("a policy", ["keep.yaml", "--output-file", "sarif=policies/all.yaml"], "read as a policy"),
            ("what would be a policy", ["keep.yaml", "--output-file", "json=policies/out.json"], "read as a policy"),
            ("twice", ["keep.yaml", "--output-file", "json=out", "--output-file", "sarif=./out"], "two outputs"),
            ("a link to something else", ["keep.yaml", "--output-file", "sarif=dangling"], "is a link"),
            ("a folder", ["keep.yaml", "--output-file", "sarif=policies"], "policy"),
            ("nowhere", ["keep.yaml", "--output-file", "sarif=no/out"], "No such file"),
            ("judging that does not begin", ["keep.yaml", "--time", "nope", "--output-file", "sarif=out"], "--time"),
        ]
        (Path(folder) / "dangling").symlink_to("precious")
        content = lambda: {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
        before, names = content(), sorted(Path(folder).rglob("*"))
        for name, words, message in rows:
            with self.subTest(name):
                ran = self.check(*words, policies=policies, cwd=folder)
                self.assertEqual(2, ran.returncode, ran.stdout)
                self.assertIn(message, ran.stderr)
                self.assertEqual(before, content())
                self.assertEqual(names, sorted(Path(folder).rglob("*")))

    def test_an_output_takes_the_place_of_an_earlier_one_as_a_whole(self):
        folder = self.tree(**{"web.yaml": deployment()})
        out = Path(folder) / "out.sarif"
        out.write_text("x" * 1_000_000)
        self.check("web.yaml", "--output-file", "sarif=out.sarif", "--output-file", "json=/dev/null", "--output-file", "json=/dev/null", cwd=folder)
        json.loads(out.read_text())
        self.assertEqual(0o644 & ~umask(), out.stat().st_mode & 0o777)
        self.assertTrue(Path("/dev/null").is_char_device())

    def test_policies_that_cannot_be_read_are_told_from_those_that_do_not_compile(self):
        folder = self.tree(**{"web.yaml": deployment(), "broken/p.yaml": POLICIES.replace("limits: [memory]", "limit: [memory]")})
        missing = self.check("web.yaml", policies="missing", cwd=folder)
        self.assertEqual(2, missing.returncode)
        self.assertEqual("fluxgate check: missing: cannot read the policy directory: No such file or directory (io)\n", missing.stderr)
        broken = self.check("web.yaml", policies="broken", cwd=folder)
        self.assertEqual(2, broken.returncode)
        self.assertIn("fluxgate check: the policies in broken do not compile: 1 problem; nothing was loaded\n", broken.stderr)

    def test_no_colour_in_a_pipe(self):
        self.assertNotIn("\033", self.check("-", stdin=deployment(memory=None)).stdout)

    def test_reviews_as_before(self):
        reviews = [json.loads(path.read_text()) for path in sorted(RECORDINGS.glob("*.json"))]
        text = "".join(json.dumps(review) + "\n" for review in reviews) + "{broken\n"
        lines = self.judged("--reviews", "-", code=2, stdin=text)
        self.assertEqual([line["uid"] for line in lines[:-1]], [review["request"]["uid"] for review in reviews])
        self.assertTrue(all(list(line)[:4] == ["uid", "allowed", "violations", "warnings"] for line in lines))
        self.assertIn("error", lines[-1])


if __name__ == "__main__":
    unittest.main()
