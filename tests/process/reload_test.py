"""Policies that change while `fluxgate serve` runs: a good set takes over, a bad one never does, and no call fails meanwhile."""

import base64
import json
import os
import threading
import unittest

from support import SOON, Serving, Stage, denied_review, recording

PROBES = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: {name}
spec:
  match:
    namespaces: [production]
  rules:
  - name: {rule}
    probes: {{all: [startupProbe]}}
"""
DEFAULTS = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: safe-defaults
spec:
  rules:
  - name: safe
    defaults: {podSecurity: restricted}
"""
BROKEN = PROBES.format(name="second", rule="startup").replace("startupProbe", "startProbe")


def created():
    """A Deployment by Flux as new: an update is judged only by what it changes."""
    review = json.loads(recording("flux-applies"))
    review["request"].update({"operation": "CREATE", "oldObject": None})
    return json.dumps(review)


def wait_for_events(serving, name, count):
    with serving.changed:
        serving.changed.wait_for(lambda: serving.ended or len(serving.events(name)) >= count, SOON)
    assert len(serving.events(name)) >= count, serving.text()
    return serving.events(name)[count - 1]


def records(audit):
    return [json.loads(line) for path in sorted(audit.glob("records-*.jsonl")) for line in path.read_text().splitlines()]


class Reloading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)

    def test_a_good_set_takes_over_and_a_bad_one_leaves_the_last_good_in_force(self):
        policies = self.stage.folder("policies")
        (policies / "first.yaml").write_text(PROBES.format(name="first", rule="startup"))
        with Serving(self.stage, self.stage.folder("audit"), policies=policies) as serving:
            caller = serving.caller()
            first = serving.wait_for("serving")["policySet"]
            self.assertIn("first/startup", caller.call(created()).response["status"]["message"])

            (policies / "second.yaml").write_text(BROKEN)
            wait_for_events(serving, "the policy folder does not compile; the last good set stays in force", 1)
            refused = serving.events("policy file refused")[0]["problem"]
            self.assertIn(f"{policies}/second.yaml:10:20: spec.rules[0].probes.all[0]: have \"startProbe\"", refused)
            self.assertIn("did you mean \"startupProbe\"", refused)
            status, text = serving.readyz()
            self.assertEqual(status, 200)
            self.assertIn(f"[+]policies ok: 1 policies, 1 rules, {first}", text)
            self.assertIn(f"[+]policy-folder last good set kept: {policies}/second.yaml:10:20", text)
            metrics = serving.metrics()
            self.assertEqual(metrics["fluxgate_policy_set_current"], 0)
            self.assertEqual(metrics['fluxgate_policy_reloads_total{result="refused"}'], 1)
            self.assertEqual(metrics[f'fluxgate_policy_set_info{{digest="{first}"}}'], 1)
            self.assertIn("first/startup", caller.call(created()).response["status"]["message"])

            (policies / "first.yaml").unlink()
            (policies / "second.yaml").write_text(PROBES.format(name="second", rule="startup"))
            second = wait_for_events(serving, "policies loaded", 1)["policySet"]
            self.assertNotEqual(first, second)
            self.assertIn("second/startup", caller.call(created()).response["status"]["message"])
            self.assertNotIn("policy-folder", serving.readyz()[1])
            metrics = serving.metrics()
            self.assertEqual(metrics["fluxgate_policy_set_current"], 1)
            self.assertEqual(metrics['fluxgate_policy_reloads_total{result="loaded"}'], 1)
            self.assertEqual([name for name in metrics if name.startswith("fluxgate_policy_set_info")], [f'fluxgate_policy_set_info{{digest="{second}"}}'])

            events = [record for record in records(serving.audit) if record.get("event", "").startswith("policy-set-")]
            self.assertEqual([event["event"] for event in events], ["policy-set-refused", "policy-set-loaded"])
            self.assertEqual(events[0]["policySet"], first)
            self.assertIn("second.yaml:10:20", events[0]["details"][0])
            self.assertEqual((events[1]["policySet"], events[1]["details"]), (second, [f"was {first}"]))

            # The folder goes away: no policy is no reason to let everything through.
            for path in policies.iterdir():
                path.unlink()
            policies.rmdir()
            wait_for_events(serving, "the policy folder does not compile; the last good set stays in force", 2)
            self.assertIn("second/startup", caller.call(created()).response["status"]["message"])

    def test_a_mounted_config_map_is_swapped_under_load_and_no_call_fails(self):
        """Kubernetes writes a new folder and renames the link `..data` to it; the names in the mount are links through it."""
        mount = self.stage.folder("mount")

        def publish(version, text):
            folder = mount / f"..{version}"
            folder.mkdir()
            (folder / "policy.yaml").write_text(text)
            (mount / "..data_tmp").symlink_to(folder.name)
            os.rename(mount / "..data_tmp", mount / "..data")

        publish(0, PROBES.format(name="version-0", rule="startup"))
        (mount / "policy.yaml").symlink_to("..data/policy.yaml")
        with Serving(self.stage, self.stage.folder("audit"), policies=mount) as serving:
            stop, answers, failures = threading.Event(), [], []

            def call():
                caller = serving.caller()
                while not stop.is_set():
                    try:
                        message = caller.call(created()).response["status"]["message"]
                        answers.append(message.split("\n")[1])
                    except Exception as error:  # pylint: disable=broad-except
                        failures.append(repr(error))
                        return

            threads = [threading.Thread(target=call) for _ in range(4)]
            for thread in threads:
                thread.start()
            for version in range(1, 6):
                publish(version, BROKEN if version == 3 else PROBES.format(name=f"version-{version}", rule="startup"))
                loaded = version if version < 3 else version - 1
                if version == 3:
                    wait_for_events(serving, "the policy folder does not compile; the last good set stays in force", 1)
                else:
                    wait_for_events(serving, "policies loaded", loaded)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            judged_by = [answer.split("/")[0] for answer in answers]
            self.assertTrue(all(name.startswith("- version-") for name in judged_by), set(judged_by))
            self.assertNotIn("- version-3", judged_by)
            self.assertIn("version-5/startup", serving.caller().call(created()).response["status"]["message"])
            print(f"\n{len(answers)} calls over 5 swaps, none failed")

    def test_mutate_fills_defaults_and_only_them(self):
        policies = self.stage.folder("policies")
        (policies / "defaults.yaml").write_text(DEFAULTS)
        with Serving(self.stage, self.stage.folder("audit"), policies=policies) as serving:
            caller = serving.caller()
            pod = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                "uid": "8b0a", "operation": "CREATE", "namespace": "production", "name": "web",
                "kind": {"group": "", "version": "v1", "kind": "Pod"}, "resource": {"group": "", "version": "v1", "resource": "pods"},
                "userInfo": {"username": "alice@example.com"},
                "object": {"kind": "Pod", "metadata": {"name": "web", "namespace": "production"}, "spec": {"containers": [{"name": "web"}]}}}}
            response = caller.call(json.dumps(pod), target="/mutate?timeout=3s").response
            self.assertTrue(response["allowed"])
            self.assertEqual((response["uid"], response["patchType"]), ("8b0a", "JSONPatch"))
            patch = json.loads(base64.b64decode(response["patch"]))
            self.assertIn({"op": "add", "path": "/spec/securityContext/runAsNonRoot", "value": True}, patch)
            response = caller.call(recording("person-edits-image"), target="/mutate?timeout=3s").response
            self.assertEqual((response["allowed"], "patch" in response), (True, False))
            unreadable = caller.call(b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"x1"}}', target="/mutate").response
            self.assertEqual((unreadable["allowed"], unreadable["status"]["code"]), (False, 400))
            self.assertEqual(caller.call(b"{", target="/mutate").status, 400)
            metrics = serving.metrics()
            self.assertEqual(metrics['fluxgate_admission_mutations_total{result="patched"}'], 1)
            self.assertEqual(metrics['fluxgate_admission_mutations_total{result="unchanged"}'], 1)

    def test_a_config_map_of_policies_is_judged_before_it_is_stored(self):
        policies = self.stage.folder("policies")
        (policies / "first.yaml").write_text(PROBES.format(name="first", rule="startup"))
        review = json.loads(denied_review("4711"))
        review["request"].update({
            "kind": {"group": "", "version": "v1", "kind": "ConfigMap"}, "resource": {"group": "", "version": "v1", "resource": "configmaps"},
            "name": "policies", "namespace": "guard", "operation": "CREATE", "oldObject": None, "dryRun": True,
            "object": {"kind": "ConfigMap", "metadata": {"name": "policies", "namespace": "guard", "labels": {"fluxgate.dev/policies": "true"}},
                       "data": {"second.yaml": BROKEN}}})
        with Serving(self.stage, self.stage.folder("audit"), policies=policies, namespace="guard") as serving:
            response = serving.caller().call(json.dumps(review)).response
            self.assertFalse(response["allowed"])
            self.assertIn("second.yaml:10:20: spec.rules[0].probes.all[0]", response["status"]["message"])


if __name__ == "__main__":
    unittest.main()
