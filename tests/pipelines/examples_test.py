"""The example repository and the starter policies through `fluxgate check`, and the pipelines' script around it.

What the overlays build to is kept in rendered/, so that these tests need neither Go nor kustomize; tests/pipelines/run builds them
with the real kustomize and compares. With KUSTOMIZE=PROGRAM the tests use that program instead of rendered/. Standard library only.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = str(Path(os.environ.get("FLUXGATE", ROOT / "build/release/fluxgate")).resolve())
KUSTOMIZE = os.environ.get("KUSTOMIZE", "")
POLICIES = ROOT / "deploy/policies"
EXAMPLE = ROOT / "deploy/examples/flux-repository"
RENDERED = ROOT / "tests/pipelines/rendered"
SCRIPT = ROOT / "deploy/actions/check/check.sh"
SOON = 60  # seconds; generous for sanitizers on a busy machine


def built(overlay):
    """What Flux would apply of an overlay."""
    if KUSTOMIZE:
        return subprocess.run([KUSTOMIZE, "build", str(EXAMPLE / overlay)], capture_output=True, text=True, check=True, timeout=SOON).stdout
    return (RENDERED / f"{overlay}.yaml").read_text()


def check(*arguments, text=None, policies=POLICIES):
    """The exit code, and the document that `-o json` printed."""
    done = subprocess.run([BINARY, "check", "--policies", str(policies), "-o", "json", *arguments], input=text, capture_output=True, text=True, timeout=SOON)
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        raise AssertionError(f"exit code {done.returncode}, no JSON: {done.stdout}{done.stderr}") from None


def findings(document):
    """As lines of an expected-findings.txt."""
    return sorted(f"{o['kind']} {o['namespace']}/{o['name']} {v['policy']}/{v['rule']} {v['path']}"
                  for result in document["results"] for o in [result["object"]] for v in result["violations"])


def expected(folder):
    return (EXAMPLE / folder / "expected-findings.txt").read_text().splitlines()


class Overlays(unittest.TestCase):
    maxDiff = None

    def test_what_ships_to_production_is_clean_in_every_environment(self):
        for overlay, objects in (("apps/production", 17), ("apps/staging", 16), ("apps/dev", 16)):
            with self.subTest(overlay):
                code, document = check("--strict", "-", text=built(overlay))
                self.assertEqual(findings(document), [])
                self.assertEqual((code, document["summary"]["objects"]), (0, objects))

    def test_the_dev_overlay_would_not_pass_in_production(self):
        """Else dev passing would prove nothing."""
        moved = built("apps/dev").replace("namespace: dev\n", "namespace: prod-dev\n")
        code, document = check("-", text=moved)
        rules = {line.split(" ")[2] for line in findings(document)}
        self.assertEqual(code, 1)
        self.assertLessEqual({"images/fixed-version", "replicas/at-least-two", "network/no-side-door"}, rules)

    def test_a_person_may_not_apply_what_flux_may(self):
        code, document = check("--as", "alice@example.com", "-", text=built("apps/production"))
        self.assertEqual(code, 1)
        self.assertTrue(all(line.endswith(" production-lock/only-git .") for line in findings(document)), findings(document))
        self.assertEqual(document["summary"]["denied"], document["summary"]["objects"])

    def test_a_change_in_a_hurry_is_refused_with_everything_that_is_wrong(self):
        code, document = check("-", text=built("broken"))
        self.assertEqual(findings(document), expected("broken"))
        self.assertEqual(code, 1)

    def test_who_only_wants_to_look_gets_the_findings_and_no_failure(self):
        code, document = check("--fail-on", "none", "-", text=built("broken"))
        self.assertEqual(findings(document), expected("broken"))
        self.assertEqual(code, 0)

    def test_flux_s_own_objects_pass_flux_s_own_lock(self):
        for cluster in ("production", "staging"):
            with self.subTest(cluster):
                code, document = check(str(EXAMPLE / "clusters" / cluster))
                self.assertEqual((code, findings(document)), (0, []))

    def test_a_helm_release_is_said_to_be_not_judged(self):
        text = built("infrastructure/production")
        code, document = check("-", text=text)
        said = [problem["level"] for result in document["results"] for problem in result["problems"]]
        self.assertEqual((code, document["summary"]["notJudged"], said), (0, 1, ["not-judged"]))
        code, _ = check("--strict", "-", text=text)
        self.assertEqual(code, 2)

    def test_what_helm_prints_is_judged_as_it_comes(self):
        code, document = check(str(EXAMPLE / "rendered/session-cache.yaml"))
        self.assertEqual(findings(document), expected("rendered"))
        self.assertEqual((code, document["summary"]["errors"], document["summary"]["objects"]), (1, 0, 6))

    def test_findings_point_at_lines_of_the_file(self):
        path = EXAMPLE / "rendered/session-cache.yaml"
        lines = path.read_text().splitlines()
        _, document = check(str(path))
        for violation in (v for result in document["results"] for v in result["violations"]):
            self.assertGreater(violation["line"], lines.index("# Source: session-cache/templates/tests/ping.yaml"), violation)
            self.assertLessEqual(violation["line"], len(lines), violation)

    def test_the_optional_defaults_load_beside_the_others(self):
        with tempfile.TemporaryDirectory() as folder:
            for file in (*POLICIES.glob("*.yaml"), *(POLICIES / "optional").glob("*.yaml")):
                shutil.copy(file, folder)
            code, document = check("-", text=built("apps/production"), policies=folder)
        self.assertEqual((code, findings(document)), (0, []))


class StarterPolicies(unittest.TestCase):
    def test_their_own_tests_pass_and_leave_no_rule_out(self):
        for folder, minimum in (("tests", "100"), ("optional/tests", "1")):
            with self.subTest(folder):
                done = subprocess.run([BINARY, "test", "--coverage-min", minimum, str(POLICIES / folder)], capture_output=True, text=True, timeout=SOON)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_copy_of_the_folder_still_passes_its_tests(self):
        """As people take it: `cp -r deploy/policies policies`, into a repository that has nothing else of ours."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(POLICIES, Path(folder) / "policies")
            done = subprocess.run([BINARY, "test", "policies"], cwd=folder, capture_output=True, text=True, timeout=SOON)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_their_recorded_reviews_are_recordings(self):
        """Copies, because people copy the folder. After tests/cluster/record copy them again."""
        copies = sorted((POLICIES / "tests/objects/recorded").iterdir())
        self.assertTrue(copies)
        for copy in copies:
            with self.subTest(copy.name):
                self.assertEqual(copy.read_bytes(), (ROOT / "cli/demo/recordings" / copy.name).read_bytes())

    def test_they_match_every_production_namespace_and_no_other(self):
        """So that a policy that is added is not forgotten: a bad Deployment, in namespaces that differ only by name."""
        text = (RENDERED / "broken.yaml").read_text()
        for namespace, code in (("production", 1), ("prod-eu", 1), ("preprod-eu", 0), ("production-test", 0), ("staging", 0), ("default", 0)):
            with self.subTest(namespace):
                self.assertEqual(check("-", text=text.replace("namespace: production", f"namespace: {namespace}"))[0], code)

    def test_each_says_what_to_do_and_which_criteria_it_serves(self):
        index = (POLICIES / "README.md").read_text()
        for file in (*POLICIES.glob("*.yaml"), *(POLICIES / "optional").glob("*.yaml")):
            for policy in file.read_text().split("\n---\n"):
                name = re.search(r"^metadata:\n  name: (.*)$", policy, re.MULTILINE)[1]
                with self.subTest(name):
                    criteria = re.findall(r'"(PCI-DSS 4\.0|SOC 2) ([A-Z0-9.]+)"', policy)
                    self.assertTrue(criteria)
                    self.assertIn("  description: ", policy)
                    self.assertTrue("  guidance: " in policy or name == "safe-defaults")  # which refuses nothing
                    self.assertIn(f"`{name}`", index)
                    for standard, number in criteria:
                        self.assertRegex(index, rf"(?m)^\| {'PCI-DSS' if standard.startswith('PCI') else 'SOC 2'} {re.escape(number)} \|")

    def test_a_rule_of_each_policy_has_a_row_of_criteria(self):
        table = (POLICIES / "README.md").read_text()
        for file in POLICIES.glob("*.yaml"):
            for rule in re.findall(r"^  - name: (.*)$", file.read_text(), re.MULTILINE):
                self.assertRegex(table, rf"(?m)^\|.*`{re.escape(rule)}`.*\|.*\|", rule)


class Script(unittest.TestCase):
    """deploy/actions/check/check.sh, with its inputs as the action and the template give them."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fluxgate-pipelines-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.repository = self.folder / "fleet"
        shutil.copytree(EXAMPLE, self.repository)
        shutil.copytree(POLICIES, self.repository / "policies")
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        if KUSTOMIZE:
            (self.programs / "kustomize").symlink_to(KUSTOMIZE)
        else:
            self.program("kustomize", f'#!/bin/sh\n[ "$1" = build ] && exec cat "{RENDERED}/$2.yaml"\n')

    def program(self, name, text):
        path = self.programs / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def run_script(self, script=SCRIPT, workspace="", **inputs):
        names = {"policies": "policies", "binary": BINARY, "format": "github", **inputs}
        environment = {"PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(self.folder), **{f"FLUXGATE_{k.upper()}": v for k, v in names.items()}}
        if workspace:
            environment["GITHUB_WORKSPACE"] = workspace
        return subprocess.run([str(script)], cwd=self.repository, env=environment, capture_output=True, text=True, timeout=SOON)

    def sarif_results(self, name="out/fluxgate.sarif"):
        return json.loads((self.repository / name).read_text())["runs"][0]["results"]

    def test_a_good_change_passes_and_leaves_an_empty_sarif(self):
        done = self.run_script(kustomize="apps/production\n\n  apps/staging  \r\n", paths="clusters/production", sarif="out/fluxgate.sarif")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.sarif_results(), [])

    def test_a_bad_change_fails_with_an_annotation_and_a_result_for_each_finding(self):
        done = self.run_script(kustomize="broken", sarif="out/fluxgate.sarif", junit="out/fluxgate.xml", markdown="out/fluxgate.md")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        annotations = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
        self.assertEqual(len(annotations), len(expected("broken")), done.stdout)
        self.assertTrue(all("file=.fluxgate/rendered/broken.yaml,line=" in line for line in annotations), annotations)
        self.assertEqual(len(self.sarif_results()), len(expected("broken")))
        self.assertIn("<testsuite", (self.repository / "out/fluxgate.xml").read_text())
        self.assertIn("production", (self.repository / "out/fluxgate.md").read_text())

    def test_azure_pipelines_gets_its_own_words(self):
        done = self.run_script(kustomize="broken", format="azuredevops")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(sum(line.startswith("##vso[task.logissue type=error") for line in done.stdout.splitlines()), len(expected("broken")), done.stdout)

    def test_strict_in_either_spelling_fails_for_what_is_not_judged(self):
        for strict, code in (("false", 0), ("False", 0), ("true", 2), ("True", 2)):
            with self.subTest(strict):
                self.assertEqual(self.run_script(kustomize="infrastructure/production", strict=strict).returncode, code)

    def test_fail_on_none_only_shows(self):
        done = self.run_script(kustomize="broken", fail_on="none")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("::", done.stdout)

    def test_what_cannot_be_judged_is_exit_code_2_and_says_why(self):
        (self.repository / "plain").mkdir()
        for inputs, reason in (
                ({}, "nothing to check"),
                ({"paths": " \n\t\n"}, "nothing to check"),
                ({"paths": "apps", "policies": ""}, "no policies"),
                ({"paths": "apps", "policies": "no-such-folder"}, "no-such-folder"),
                ({"paths": "no-such-folder"}, "no-such-folder"),
                ({"paths": "apps", "strict": "maybe"}, "strict is true or false"),
                ({"kustomize": "no-such-overlay"}, "there is no folder no-such-overlay"),
                ({"kustomize": "plain"}, "plain does not build"),
                ({"kustomize": "../fleet/broken"}, "without '..'"),
                ({"kustomize": str(self.repository / "broken")}, "from the top of the repository"),
                ({"paths": "apps", "binary": "no-such-program"}, "there is no program 'no-such-program'"),
                ({"paths": "apps", "binary": "", "binary_sha256": "00"}, "a checksum without a binary")):
            with self.subTest(reason=reason, **inputs):
                done = self.run_script(**inputs)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertIn(reason, done.stdout + done.stderr)

    def test_a_binary_with_another_checksum_does_not_run(self):
        binary = self.program("pretended", f'#!/bin/sh\ntouch "{self.folder}/ran"\n')
        done = self.run_script(paths="clusters", binary=str(binary), binary_sha256="0" * 64)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertFalse((self.folder / "ran").exists())
        right = subprocess.run(["sha256sum", str(binary)], capture_output=True, text=True, check=True).stdout.split()[0]
        self.assertEqual(self.run_script(paths="clusters", binary=str(binary), binary_sha256=right.upper()).returncode, 0)
        self.assertTrue((self.folder / "ran").exists())

    def test_inputs_are_never_read_as_shell_or_as_options(self):
        """A binary that writes down what it was called with shows what the script made of hostile names."""
        binary = self.program("spy", f'#!/bin/sh\nprintf "%s\\n" "$@" >"{self.folder}/called"\n')
        hostile = ["$(touch pwned)", "`touch pwned`", "; touch pwned", "a'b\"c", "*", "--as=root"]
        done = self.run_script(paths="\n".join(hostile), binary=str(binary), fail_on="deny; touch pwned", **{"as": "$(touch pwned)"}, sarif="$(touch pwned)/x")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list(self.folder.rglob("pwned")), [])
        called = (self.folder / "called").read_text().splitlines()
        self.assertEqual(called, ["check", "--policies", "policies", "--as", "$(touch pwned)", "--fail-on", "deny; touch pwned", "-o", "github",
                                  "--output-file", "sarif=$(touch pwned)/x", *hostile[:-1], "./--as=root"])

    def test_without_a_binary_it_is_built_from_the_source_beside_the_script_as_it_is_now(self):
        """Every time: an agent that keeps its checkout, and build/ in it, must not judge with the version of yesterday's ref."""
        source = self.folder / "source"
        shutil.copytree(SCRIPT.parent, source / "deploy/actions/check")
        self.program("make", f"""#!/bin/sh
            echo "$@" >>"{self.folder}/made"
            mkdir -p "$2/build/release"
            printf '#!/bin/sh\\necho judged by %s\\n' "$(cat "$2/version")" >"$2/build/release/fluxgate"
            chmod +x "$2/build/release/fluxgate"
            echo built""")
        for version in ("one", "two"):
            (source / "version").write_text(version)
            done = self.run_script(paths="clusters", binary="", script=source / "deploy/actions/check/check.sh")
            self.assertEqual((done.returncode, done.stdout), (0, f"judged by {version}\n"), done.stderr)
        self.assertEqual((self.folder / "made").read_text(), f"-C {source} build\n" * 2)

    def test_a_build_that_fails_judges_with_nothing_older(self):
        source = self.folder / "source"
        shutil.copytree(SCRIPT.parent, source / "deploy/actions/check")
        self.program("make", "#!/bin/sh\nexit 1\n")
        older = source / "build/release/fluxgate"
        older.parent.mkdir(parents=True)
        older.symlink_to(self.program("older", f'#!/bin/sh\ntouch "{self.folder}/ran"\n'))
        self.assertEqual(self.run_script(paths="clusters", binary="", script=source / "deploy/actions/check/check.sh").returncode, 2)
        self.assertFalse((self.folder / "ran").exists())

    def test_policy_tests_that_fail_fail_the_run_and_manifests_are_judged_all_the_same(self):
        for tests, check_code, code in ((0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (2, 0, 2), (2, 1, 2), (1, 2, 2), (0, 2, 2)):
            with self.subTest(tests=tests, check=check_code):
                binary = self.program("spy", f'#!/bin/sh\necho "$1" >>"{self.folder}/called"\n[ "$1" = check ] && exit {check_code}\nexit {tests}\n')
                self.assertEqual(self.run_script(paths="clusters", tests="policies/tests", binary=str(binary)).returncode, code)
                self.assertEqual((self.folder / "called").read_text(), "test\ncheck\n")
                (self.folder / "called").unlink()

    def test_policy_tests_run_and_their_failure_leaves_the_findings_whole(self):
        (self.repository / "policies/tests/images.yaml").write_text((POLICIES / "tests/images.yaml").read_text().replace("allowed: true", "allowed: false"))
        done = self.run_script(paths="clusters/production", tests="policies/tests", sarif="out/fluxgate.sarif")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(self.sarif_results(), [])

    def plant(self, link):
        """A symbolic link in the repository to something outside of it: a file for a file, a folder for a folder."""
        outside = self.folder / "outside"
        outside.mkdir(exist_ok=True)
        path = self.repository / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(outside / "file" if path.suffix else outside)
        (outside / "file").write_text("kept")
        return outside

    def test_overlays_are_built_into_a_folder_of_the_script_s_own(self):
        """What a pull request committed there is gone, links and all; what links point at is not touched."""
        for link in (".fluxgate/rendered/apps/production.yaml", ".fluxgate/rendered/apps", ".fluxgate/rendered", ".fluxgate"):
            with self.subTest(link):
                outside = self.plant(link)
                done = self.run_script(kustomize="apps/production")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertEqual([(path.name, path.read_text()) for path in outside.iterdir()], [("file", "kept")])
                self.assertFalse((self.repository / link).is_symlink())
                self.assertTrue((self.repository / ".fluxgate/rendered/apps/production.yaml").is_file())
                shutil.rmtree(self.repository / ".fluxgate")

    def test_no_file_is_written_through_a_link_that_a_pull_request_planted(self):
        here = str(self.repository)
        alias = self.folder / "agent/work"  # the checkout by another name
        alias.parent.mkdir()
        alias.symlink_to(self.repository)
        for link, inputs in (
                ("fluxgate.sarif", {"sarif": "fluxgate.sarif"}),
                ("fluxgate.sarif", {"sarif": "./fluxgate.sarif"}),
                ("fluxgate.sarif", {"sarif": f"{here}/fluxgate.sarif"}),
                ("fluxgate.sarif", {"sarif": f"{here}/apps/../fluxgate.sarif"}),
                ("out", {"sarif": "out/fluxgate.sarif"}),
                ("out", {"sarif": f"{alias}/out/fluxgate.sarif", "workspace": str(alias)}),
                ("out", {"sarif": "out/deeper/fluxgate.sarif"}),
                ("out/deeper", {"junit": "out/deeper/fluxgate.xml"}),
                ("out/deeper", {"junit": f"{here}/out/deeper/fluxgate.xml"}),
                ("out/deeper", {"markdown": "out//deeper/../comment.md"}),
                ("out/comment.md", {"markdown": "out/comment.md"}),
                ("-out", {"markdown": "-out/comment.md"}),
                ("built", {"rendered": "built"}),
                ("built/apps", {"rendered": "built"}),
                ("built/apps/production.yaml", {"rendered": "built"})):
            with self.subTest(link=link, **inputs):
                outside = self.plant(link)
                done = self.run_script(kustomize="apps/production", **inputs)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertIn("nothing is written through links", done.stderr)
                self.assertEqual([(path.name, path.read_text()) for path in outside.iterdir()], [("file", "kept")])
                (self.repository / link).unlink()

    def test_links_of_the_machine_above_an_absolute_path_are_no_concern(self):
        (self.folder / "temporary").mkdir()
        (self.folder / "link").symlink_to(self.folder / "temporary")
        done = self.run_script(paths="clusters/production", sarif=f"{self.folder}/link/reports/fluxgate.sarif")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue((self.folder / "temporary/reports/fluxgate.sarif").is_file())


class Definitions(unittest.TestCase):
    """action.yml and the Azure template, as far as they can be read without the services."""

    ACTION = (ROOT / "deploy/actions/check/action.yml").read_text()
    TEMPLATE = (ROOT / "deploy/azure-pipelines/check.yml").read_text()
    KNOWN = set(re.findall(r"\$\{(FLUXGATE_[A-Z0-9_]+)", SCRIPT.read_text() + (SCRIPT.parent / "obtain.sh").read_text()))

    def test_no_expression_stands_in_the_text_of_a_script(self):
        for name, text in (("action", self.ACTION), ("template", self.TEMPLATE)):
            with self.subTest(name):
                scripts = re.findall(r"^\s*(?:- )?(?:run|bash|script|pwsh): *(.*)$", text, re.MULTILINE)
                self.assertEqual(len(scripts), 1)
                self.assertRegex(scripts[0], r"""^'"\$[A-Z_]+/(deploy/actions/check/)?check\.sh"'$""")

    def test_every_input_reaches_the_script_and_every_variable_is_one_it_reads(self):
        head, _, steps = self.ACTION.partition("runs:\n")
        declared = set(re.findall(r"^  ([a-z0-9-]+):$", head.partition("inputs:\n")[2], re.MULTILINE))
        self.assertEqual(declared, set(re.findall(r"\$\{\{ inputs\.([a-z0-9-]+) \}\}", steps)))
        declared = set(re.findall(r"^- \{name: (\w+),", self.TEMPLATE, re.MULTILINE))
        self.assertEqual(declared, set(re.findall(r"\$\{\{ parameters\.(\w+) \}\}", self.TEMPLATE)))
        for name, text in (("action", self.ACTION), ("template", self.TEMPLATE)):
            with self.subTest(name):
                given = set(re.findall(r"^\s+(FLUXGATE_[A-Z0-9_]+):", text, re.MULTILINE)) - {"FLUXGATE_SOURCE"}
                self.assertLessEqual(given, self.KNOWN | {"FLUXGATE_SARIF", "FLUXGATE_JUNIT", "FLUXGATE_MARKDOWN"})

    def test_hooks_call_commands_that_exist(self):
        hooks = (ROOT / ".pre-commit-hooks.yaml").read_text()
        self.assertEqual(re.findall(r"^- id: (.*)$", hooks, re.MULTILINE), ["fluxgate-check", "fluxgate-test"])
        for command in re.findall(r"^  entry: fluxgate (.*)$", hooks, re.MULTILINE):
            done = subprocess.run([BINARY, command, "--help"], capture_output=True, text=True, timeout=SOON)
            self.assertIn(f"Usage: fluxgate {command} ", done.stdout, done.stderr)

    def test_the_hook_judges_a_part_of_what_is_deployed_and_takes_any_file_name(self):
        hooks = (ROOT / ".pre-commit-hooks.yaml").read_text()
        entry = re.search(r"^- id: fluxgate-check\n(?:  .*\n)*?  entry: fluxgate (.*)\n(?:  .*\n)*?  args: \[(.*)\]$", hooks, re.MULTILINE)
        command = [BINARY, *entry[1].split(), *entry[2].split(", ")]
        web = next(document for document in built("apps/production").split("---\n") if "kind: Deployment" in document)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(POLICIES, Path(folder) / "policies")
            for name, text, code in (("web.yaml", web, 0), ("--as=alice@example.com.yaml", web, 0), ("--help.yaml", web.replace("runAsNonRoot: true", "runAsNonRoot: false"), 1)):
                with self.subTest(name):
                    (Path(folder) / name).write_text(text)
                    done = subprocess.run([*command, name], cwd=folder, capture_output=True, text=True, timeout=SOON)
                    self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                    self.assertIn("1 object in 1 file", done.stdout)

    def test_examples_install_the_kustomize_that_the_tests_build_by_one_checksum(self):
        version = re.search(r"^kustomize_version=v(.*)$", (ROOT / "tests/pipelines/run").read_text(), re.MULTILINE)[1]
        guide = (ROOT / "docs/how-to/check-before-the-merge.md").read_text()
        texts = ((EXAMPLE / ".github/workflows/fluxgate.yaml").read_text(), (EXAMPLE / "azure-pipelines.yml").read_text(), *guide.split("\n## 4. "))
        checksums = set()
        for text in texts:
            self.assertEqual(re.findall(r"KUSTOMIZE_VERSION: (.*)", text), [version])
            checksums.update(re.findall(r"KUSTOMIZE_SHA256: ([0-9a-f]{64})\b", text))
            self.assertIn('echo "$KUSTOMIZE_SHA256  $file" | sha256sum --check', text)
        self.assertEqual(len(checksums), 1)

    def test_the_guide_shows_the_install_step_of_the_azure_example(self):
        step = re.search(r"^  - bash: \|\n(?:    .*\n)+", (EXAMPLE / "azure-pipelines.yml").read_text(), re.MULTILINE)[0]
        self.assertIn(step, (ROOT / "docs/how-to/check-before-the-merge.md").read_text())

    def test_the_install_step_enters_the_container_as_root_with_all_that_the_build_needs(self):
        step = re.search(r"^  - bash: \|\n((?:      .*\n)+)", (EXAMPLE / "azure-pipelines.yml").read_text(), re.MULTILINE)[1]
        needed = subprocess.run([str(ROOT / "tools/install-packages"), "--list", "build"], capture_output=True, text=True, check=True).stdout.split()
        with tempfile.TemporaryDirectory() as folder:
            docker = Path(folder) / "docker"
            docker.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{folder}/called"\n')
            docker.chmod(0o755)
            (Path(folder) / "fluxgate").symlink_to(ROOT)
            text = "".join(line[6:] for line in step.splitlines(keepends=True)).replace("$(Build.SourcesDirectory)", folder)
            subprocess.run(["bash", "-c", text], env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, check=True, timeout=SOON)
            called = (Path(folder) / "called").read_text()
        self.assertEqual(called.count("exec\n--user\n0\n"), 2)
        self.assertLessEqual({"git", "make", "curl", "g++", *needed}, set(called.split("\n")))


if __name__ == "__main__":
    unittest.main()
