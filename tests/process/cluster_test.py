"""`fluxgate serve` with access to an API server: what it then knows, and that it says when it knows nothing new any more."""

import json
import os
import subprocess
import time
import unittest
import unittest.mock
from pathlib import Path

from apiserver import CRON_JOBS, FLUX, GRANTS, NAMESPACES, SOURCES, ApiServer, an_object
from support import BINARY, SOON, Serving, Stage, denied_review

REPOSITORY = an_object("flux-system/shop", spec={"url": "https://robot:secret@git.example.com/shop"})
SELECTS = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: by-label
spec:
  match:
    namespaceSelector: {matchLabels: {env: production}}
  rules:
  - name: only-git
    lock: {writers: [flux]}
"""


def owner(**spec):
    return an_object("flux-system/apps", spec={"path": "./apps/production", "sourceRef": {"kind": "GitRepository", "name": "shop"}, **spec},
                     status={"lastAppliedRevision": "main@sha1:4f0c57c81a325b7ad6d23ea5a5a1a9b0ac5bd93e"})


def cluster(**changes):
    """Flux is installed, Buckets and the like are not."""
    collections = {
        NAMESPACES: [an_object("kube-system", metadata={"uid": "the-uid-of-this-cluster"}), an_object("production")],
        FLUX: [owner()], SOURCES: [REPOSITORY], CRON_JOBS: [], GRANTS: [],
    }
    collections.update(changes)
    return collections


def until(holds):
    """Nothing of ours tells when another process has seen a change, so this asks until it has."""
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class WithAccess(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)

    def serve(self, kubeconfig, **changes):
        return Serving(self.stage, self.stage.folder("audit"), kubeconfig=kubeconfig, **changes)

    def denial(self, serving, uid):
        return serving.caller().call(denied_review(uid)).response["status"]["message"]

    def test_it_becomes_ready_and_denials_name_the_repository(self):
        with ApiServer(self.stage, cluster()) as api, self.serve(api.kubeconfig(self.stage)) as serving:
            until(lambda: serving.readyz()[0] == 200)
            self.assertIn("[+]snapshots ok: not served by the API server: helmreleases (helm.toolkit.fluxcd.io/v2), ocirepositories (", serving.readyz()[1])
            self.assertEqual(serving.metrics()["fluxgate_snapshot_fresh"], 1)
            self.assertLess(serving.metrics()["fluxgate_snapshot_age_seconds"], 15)
            fresh = serving.wait_for("what is known of the cluster is fresh")
            self.assertEqual((fresh["cluster"], fresh["namespaces"], fresh["owners"]), ("the-uid-of-this-cluster", "2", "1"))

            self.assertIn("\nOwner: Kustomization flux-system/apps (https://git.example.com/shop, ./apps/production at main@sha1:4f0c57c81a32)\n",
                          self.denial(serving, "first"))
            self.assertIn("https://git.example.com/shop (owner: Kustomization flux-system/apps), or", self.denial(serving, "second"))

            api.send(FLUX, "MODIFIED", owner(suspend=True))
            until(lambda: "(suspended: Git changes do not arrive; https://git.example.com/shop, " in self.denial(serving, "third"))
            api.send(FLUX, "DELETED", owner())
            until(lambda: "\nOwner: Kustomization flux-system/apps\n" in self.denial(serving, "fourth"))
            self.assertNotIn("secret", serving.text())

            asked = dict(api.asked)
            self.assertEqual(asked[GRANTS]["labelSelector"], "fluxgate.dev/grant=true")
            self.assertNotIn("/api/v1/secrets", asked)

    def test_it_is_not_ready_when_the_api_server_goes_away(self):
        with ApiServer(self.stage, cluster()) as api, self.serve(api.kubeconfig(self.stage)) as serving:
            until(lambda: serving.readyz()[0] == 200)
            api.stop()
            until(lambda: serving.readyz()[0] == 503)
            self.assertIn("[-]snapshots failed: ", serving.readyz()[1])
            self.assertEqual(serving.metrics()["fluxgate_snapshot_fresh"], 0)
            self.assertGreater(serving.metrics()["fluxgate_snapshot_age_seconds"], 15)
            serving.wait_for("what is known of the cluster is not fresh; not ready")
            # What was known last goes on judging.
            self.assertIn("(https://git.example.com/shop, ", self.denial(serving, "first"))
            serving.send_signal(15)
            self.assertEqual(serving.wait(), 0)

    def test_an_api_server_that_cannot_be_used_makes_no_replica_ready(self):
        with ApiServer(self.stage, cluster()) as api:
            for name, kubeconfig, why in (
                    ("it does not answer", api.kubeconfig(self.stage, port=1), "failing: GET /"),
                    ("it does not know us", api.kubeconfig(self.stage, token="somebody-else"), "who are you?")):
                with self.subTest(name), self.serve(kubeconfig) as serving:
                    until(lambda: why in serving.readyz()[1])
                    status, text = serving.readyz()
                    self.assertEqual(status, 503)
                    self.assertIn("[-]snapshots failed: the watch of ", text)
                    self.assertIn("\nOwner: Kustomization flux-system/apps\n", self.denial(serving, "first"))
                    # All ten collections fail for the same reason, which is one line.
                    until(lambda: serving.metrics()["fluxgate_snapshot_age_seconds"] > 1)
                    self.assertEqual(len(serving.events("the cluster cannot be watched")), 1, serving.text())

    def test_policies_select_namespaces_by_the_labels_of_the_cluster(self):
        policies = self.stage.folder("policies")
        (policies / "by-label.yaml").write_text(SELECTS)
        labelled = an_object("production", metadata={"labels": {"env": "production"}})
        with ApiServer(self.stage, cluster(**{NAMESPACES: [labelled]})) as api, \
                self.serve(api.kubeconfig(self.stage), policies=policies) as serving:
            until(lambda: serving.readyz()[0] == 200)
            self.assertIn("by-label/only-git", self.denial(serving, "first"))
            api.send(NAMESPACES, "MODIFIED", an_object("production", metadata={"labels": {"env": "staging"}}))
            until(lambda: serving.caller().call(denied_review("second")).response["allowed"])

    def hanging_plugin(self, api):
        """A kubeconfig whose plugin never answers, and the file that its process id is written to."""
        pid = self.stage.folder("plugin") / "pid"
        script = self.stage.write("login", f"#!/bin/sh\nsleep 1000 &\necho $! > {pid}.new\nmv {pid}.new {pid}\nwait\n")
        script.chmod(0o700)
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
        return api.kubeconfig(self.stage, exec=plugin), pid

    def test_a_plugin_that_hangs_holds_up_nothing_but_the_snapshots(self):
        policies = self.stage.folder("policies")
        for file in self.stage.policies.iterdir():
            (policies / file.name).write_bytes(file.read_bytes())
        with ApiServer(self.stage, cluster()) as api:
            kubeconfig, pid = self.hanging_plugin(api)
            with self.serve(kubeconfig, policies=policies) as serving:
                until(pid.exists)
                self.assertIn("not listed yet; waiting for the credential plugin /", serving.readyz()[1])
                # A set with another lock lists the CronJobs anew.
                (policies / "more.yaml").write_text(SELECTS.replace("namespaceSelector: {matchLabels: {env: production}}", "namespaces: [more]"))
                serving.wait_for("policies loaded")
                self.assertIn("\nOwner: Kustomization flux-system/apps\n", self.denial(serving, "first"))
                child = int(pid.read_text())
                serving.send_signal(15)
                serving.send_signal(15)
                self.assertEqual(serving.wait(), 0, serving.text())
                self.assertNotIn("giving up", serving.text())
                until(lambda: not is_running(child))

    def test_a_port_in_use_is_said_though_a_plugin_hangs(self):
        with ApiServer(self.stage, cluster()) as api:
            kubeconfig, pid = self.hanging_plugin(api)
            flags = self.stage.flags(self.stage.folder("audit"), kubeconfig=kubeconfig, health_listen=f"127.0.0.1:{api.port}")
            tried = subprocess.run([BINARY, "serve", *flags], capture_output=True, text=True, timeout=SOON)
            self.assertEqual(tried.returncode, 2, tried.stderr)
            self.assertIn("in use", tried.stderr)
            self.assertFalse(pid.exists())  # nobody was asked before the ports were ours

    def test_a_pod_without_a_token_says_so(self):
        with unittest.mock.patch.dict(os.environ, {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}):
            with Serving(self.stage, self.stage.folder("audit")) as serving:
                said = serving.wait_for("nothing is known of the cluster: this Pod has no access to the API server")
                self.assertIn("/var/run/secrets/kubernetes.io/serviceaccount/token", said["why"])

    def test_what_it_cannot_start_with_is_said_and_the_exit_code_is_2(self):
        policies = self.stage.folder("policies")
        (policies / "by-label.yaml").write_text(SELECTS)
        with ApiServer(self.stage, cluster()) as api:
            good = api.kubeconfig(self.stage)
        broken = json.loads(good.read_text())
        broken["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
        pipe = self.stage.folder("pipe") / "kubeconfig"
        os.mkfifo(pipe)
        for name, changes, words in (
                ("no such file", {"kubeconfig": self.stage.root / "missing"}, ["missing", "No such file"]),
                ("a named pipe that nobody writes to", {"kubeconfig": pipe}, ["is no regular file"]),
                ("no such context", {"kubeconfig": good, "context": "other"}, ["other"]),
                ("no check of the certificate", {"kubeconfig": self.stage.write("bad.yaml", json.dumps(broken))}, ["insecure-skip-tls-verify"]),
                ("a context of nothing", {"context": "test"}, ["--kubeconfig"]),
                ("a namespaceSelector without access", {"policies": policies}, ["namespaceSelector"])):
            with self.subTest(name):
                tried = subprocess.run([BINARY, "serve", *self.stage.flags(self.stage.folder("audit"), **changes)], capture_output=True, text=True,
                                       timeout=SOON)
                self.assertEqual(tried.returncode, 2, tried.stderr)
                for word in words:
                    self.assertIn(word, tried.stderr)
