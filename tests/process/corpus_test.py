"""Never break the cluster: what a cluster's own programs write, and what those write that people add to it, passes a lock.

tests/corpus/control-plane.jsonl holds real reviews, recorded by `tests/cluster/record --corpus`: one of each sort that the built-in controllers,
a kubelet, a scheduler, the API server itself, kustomize-controller and Helm under helm-controller's account sent in a scripted life, from
first boot to the end of a namespace. Programs that do not run there stand in the table below.
"""

import json
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path

from support import BINARY, ROOT, SOON

CORPUS = ROOT / "tests/corpus/control-plane.jsonl"

POLICIES = """apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {name: locked}
spec:
  match: {namespaces: [production, staging]}
  rules:
  - name: only-git
    lock: {writers: [%s], scope: %s}
"""
ALL_WRITERS = "flux, kubernetes, aks, cert-manager, flagger, keda"

# Storage drivers have no built-in profile: under which names their controllers write differs from cluster to cluster.
CSI = """---
apiVersion: fluxgate.dev/v1alpha1
kind: WriterProfile
metadata: {name: csi}
spec:
  identities:
  - serviceAccount: {namespace: kube-system, name: csi-azuredisk-controller-sa}
    assurance: pod-bound
    may:
    - {apiGroups: [""], resources: [persistentvolumeclaims, persistentvolumeclaims/status], operations: [UPDATE]}
    - {apiGroups: [snapshot.storage.k8s.io], resources: [volumesnapshots, volumesnapshots/status], operations: [UPDATE]}
"""


def account(namespace, name):
    """A program with the token of its Pod."""
    return {
        "username": f"system:serviceaccount:{namespace}:{name}",
        "uid": "11111111-2222-3333-4444-555555555555",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
        "extra": {
            "authentication.kubernetes.io/credential-id": ["JTI=7e4bb1a5-0000-4000-8000-000000000001"],
            "authentication.kubernetes.io/node-name": ["node-1"],
            "authentication.kubernetes.io/node-uid": ["7e4bb1a5-0000-4000-8000-000000000002"],
            "authentication.kubernetes.io/pod-name": [f"{name}-5d8c7b6f49-k7n2w"],
            "authentication.kubernetes.io/pod-uid": ["7e4bb1a5-0000-4000-8000-000000000003"],
        },
    }


def user(name, *groups):
    """Somebody with a client certificate."""
    return {
        "username": name,
        "groups": [*groups, "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=" + "a" * 64]},
    }


CERT_MANAGER = account("cert-manager", "cert-manager")
FLAGGER = account("flagger-system", "flagger")
KEDA = account("kube-system", "keda-operator")
AKS = user("aksService", "system:masters")
CSI_CONTROLLER = account("kube-system", "csi-azuredisk-controller-sa")

CANARY = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "web", "controller": True}
CERTIFICATE = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": "web-tls", "controller": True}
ORDER = {"apiVersion": "acme.cert-manager.io/v1", "kind": "Order", "name": "web-tls-1", "controller": True}
CHALLENGE = {"apiVersion": "acme.cert-manager.io/v1", "kind": "Challenge", "name": "web-tls-1-1", "controller": True}
SCALED_OBJECT = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "web", "controller": True}
SCALED_JOB = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "name": "queue", "controller": True}

# what it is, who, operation, group/resource[/subresource], kind, owner
ADD_ONS = [
    ("AKS drains a node: an eviction", AKS, "CREATE", "/pods/eviction", "Eviction", None),
    ("AKS drains a node: a Pod is deleted", AKS, "DELETE", "/pods", "Pod", None),
    ("the older user of AKS evicts", user("acsService", "system:masters"), "CREATE", "/pods/eviction", "Eviction", None),
    ("the vertical autoscaler of AKS evicts", account("kube-system", "vpa-updater"), "CREATE", "/pods/eviction", "Eviction", None),
    ("the vertical autoscaler of AKS resizes a Pod", account("kube-system", "vpa-updater"), "UPDATE", "/pods/resize", "Pod", None),
    ("the vertical autoscaler of AKS recommends", account("kube-system", "vpa-recommender"), "UPDATE",
     "autoscaling.k8s.io/verticalpodautoscalers/status", "VerticalPodAutoscaler", None),
    ("the vertical autoscaler of AKS keeps what it learned", account("kube-system", "vpa-recommender"), "CREATE",
     "autoscaling.k8s.io/verticalpodautoscalercheckpoints", "VerticalPodAutoscalerCheckpoint", None),
    ("cert-manager writes a certificate's Secret", CERT_MANAGER, "CREATE", "/secrets", "Secret", None),
    ("cert-manager renews it", CERT_MANAGER, "UPDATE", "/secrets", "Secret", None),
    ("cert-manager requests", CERT_MANAGER, "CREATE", "cert-manager.io/certificaterequests", "CertificateRequest", CERTIFICATE),
    ("cert-manager tells how a Certificate is", CERT_MANAGER, "UPDATE", "cert-manager.io/certificates/status", "Certificate", None),
    ("cert-manager orders", CERT_MANAGER, "CREATE", "acme.cert-manager.io/orders", "Order", CERTIFICATE),
    ("cert-manager is challenged", CERT_MANAGER, "CREATE", "acme.cert-manager.io/challenges", "Challenge", ORDER),
    ("cert-manager solves it: a Pod", CERT_MANAGER, "CREATE", "/pods", "Pod", CHALLENGE),
    ("cert-manager solves it: a Service", CERT_MANAGER, "CREATE", "/services", "Service", CHALLENGE),
    ("cert-manager solves it: an Ingress", CERT_MANAGER, "CREATE", "networking.k8s.io/ingresses", "Ingress", CHALLENGE),
    ("cert-manager tidies up: the Ingress", CERT_MANAGER, "DELETE", "networking.k8s.io/ingresses", "Ingress", CHALLENGE),
    ("cert-manager tidies up: the Pod", CERT_MANAGER, "DELETE", "/pods", "Pod", CHALLENGE),
    ("Flagger makes the primary Deployment", FLAGGER, "CREATE", "apps/deployments", "Deployment", CANARY),
    ("Flagger promotes: the primary gets the new image", FLAGGER, "UPDATE", "apps/deployments", "Deployment", CANARY),
    ("Flagger scales the canary to zero", FLAGGER, "UPDATE", "apps/deployments", "Deployment", None),
    ("Flagger makes the Services", FLAGGER, "CREATE", "/services", "Service", CANARY),
    ("Flagger copies a ConfigMap", FLAGGER, "CREATE", "/configmaps", "ConfigMap", CANARY),
    ("Flagger copies a Secret", FLAGGER, "UPDATE", "/secrets", "Secret", CANARY),
    ("Flagger makes the primary's autoscaler", FLAGGER, "CREATE", "autoscaling/horizontalpodautoscalers", "HorizontalPodAutoscaler", CANARY),
    ("Flagger moves traffic by an Ingress", FLAGGER, "UPDATE", "networking.k8s.io/ingresses", "Ingress", CANARY),
    ("Flagger tells how a Canary is", FLAGGER, "UPDATE", "flagger.app/canaries/status", "Canary", None),
    ("KEDA makes an autoscaler", KEDA, "CREATE", "autoscaling/horizontalpodautoscalers", "HorizontalPodAutoscaler", SCALED_OBJECT),
    ("KEDA changes it", KEDA, "UPDATE", "autoscaling/horizontalpodautoscalers", "HorizontalPodAutoscaler", SCALED_OBJECT),
    ("KEDA scales from zero", KEDA, "UPDATE", "apps/deployments/scale", "Scale", None),
    ("KEDA starts a Job", KEDA, "CREATE", "batch/jobs", "Job", SCALED_JOB),
    ("KEDA removes an old Job", KEDA, "DELETE", "batch/jobs", "Job", SCALED_JOB),
    ("KEDA tells how a ScaledObject is", KEDA, "UPDATE", "keda.sh/scaledobjects/status", "ScaledObject", None),
    ("KEDA in its own namespace scales", account("keda", "keda-operator"), "UPDATE", "apps/deployments/scale", "Scale", None),
    ("a storage driver has resized a claim", CSI_CONTROLLER, "UPDATE", "/persistentvolumeclaims/status", "PersistentVolumeClaim", None),
    ("a storage driver gives a claim another node", CSI_CONTROLLER, "UPDATE", "/persistentvolumeclaims", "PersistentVolumeClaim", None),
    ("a storage driver has taken a snapshot", CSI_CONTROLLER, "UPDATE", "snapshot.storage.k8s.io/volumesnapshots/status", "VolumeSnapshot", None),
]

# The same programs do not get more than their work needs.
TOO_MUCH = [
    ("AKS changes a Deployment", AKS, "UPDATE", "apps/deployments", "Deployment", None),
    ("cert-manager makes a Deployment", CERT_MANAGER, "CREATE", "apps/deployments", "Deployment", None),
    ("cert-manager makes a Pod that nothing owns", CERT_MANAGER, "CREATE", "/pods", "Pod", None),
    ("Flagger makes a Service that no Canary owns", FLAGGER, "CREATE", "/services", "Service", None),
    ("Flagger makes a RoleBinding", FLAGGER, "CREATE", "rbac.authorization.k8s.io/rolebindings", "RoleBinding", CANARY),
    ("KEDA makes a Job that nothing owns", KEDA, "CREATE", "batch/jobs", "Job", None),
    ("KEDA changes a Secret", KEDA, "UPDATE", "/secrets", "Secret", None),
    ("a storage driver deletes a claim", CSI_CONTROLLER, "DELETE", "/persistentvolumeclaims", "PersistentVolumeClaim", None),
    ("somebody with a certificate in cert-manager's name", user("system:serviceaccount:cert-manager:cert-manager", "system:serviceaccounts"),
     "UPDATE", "/secrets", "Secret", None),
]


def review(who, operation, resource, kind, owner):
    group, name, *sub = resource.split("/")
    version = "v1"
    api_version = f"{group}/{version}" if group else version
    metadata = {"name": "web-x7k2p", "namespace": "production", "uid": "99999999-8888-7777-6666-555555555555"}
    if owner:
        metadata["ownerReferences"] = [dict(owner, uid="12121212-3434-5656-7878-909090909090", blockOwnerDeletion=True)]
    state = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    before = None if operation == "CREATE" else state
    after = None if operation == "DELETE" else state
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": {"group": group, "version": version, "kind": kind},
            "resource": {"group": group, "version": version, "resource": name},
            **({"subResource": sub[0]} if sub else {}),
            "name": metadata["name"],
            "namespace": "production",
            "operation": operation,
            "userInfo": who,
            "object": after,
            "oldObject": before,
            "dryRun": False,
            "options": None,
        },
    }


class Corpus(unittest.TestCase):
    def verdicts(self, lines, policies):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "policy.yaml").write_text(policies)
            result = subprocess.run([BINARY, "check", "--policies", folder, "--reviews", "-", "-o", "jsonl"],
                                    input="".join(lines), capture_output=True, text=True, timeout=SOON)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        verdicts = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(len(verdicts), len(lines))
        return verdicts

    def recorded(self):
        return CORPUS.read_text().splitlines(keepends=True)

    def test_nothing_that_a_control_plane_writes_is_refused(self):
        lines = self.recorded()
        for scope in ("object", "fields"):
            for line, verdict in zip(lines, self.verdicts(lines, POLICIES % (ALL_WRITERS, scope))):
                request = json.loads(line)["request"]
                with self.subTest(scope=scope, user=request["userInfo"]["username"], operation=request["operation"],
                                  resource=request["resource"]["resource"], sub=request.get("subResource"), name=request.get("name")):
                    self.assertTrue(verdict["allowed"], verdict["violations"])

    def test_the_corpus_is_judged_at_all(self):
        """Most of it happens in the locked namespaces: with Flux as the only writer the controllers are refused."""
        lines = self.recorded()
        self.assertGreater(len(lines), 150)
        refused = [
            json.loads(line)["request"]["userInfo"]["username"]
            for line, verdict in zip(lines, self.verdicts(lines, POLICIES % ("flux", "object")))
            if not verdict["allowed"]
        ]
        self.assertGreater(len(refused), 60)
        self.assertGreater(len(set(refused)), 20, sorted(set(refused)))

    def test_nothing_that_known_add_ons_write_is_refused(self):
        lines = [json.dumps(review(*row[1:])) + "\n" for row in ADD_ONS]
        policies = POLICIES % (ALL_WRITERS + ", csi", "fields") + CSI
        for row, verdict in zip(ADD_ONS, self.verdicts(lines, policies)):
            with self.subTest(row[0]):
                self.assertTrue(verdict["allowed"], verdict["violations"])

    def test_add_ons_may_not_do_more_than_their_work(self):
        lines = [json.dumps(review(*row[1:])) + "\n" for row in TOO_MUCH]
        policies = POLICIES % (ALL_WRITERS + ", csi", "fields") + CSI
        for row, verdict in zip(TOO_MUCH, self.verdicts(lines, policies)):
            with self.subTest(row[0]):
                # An UPDATE that changes nothing touches nothing that Git declares, but an object that Git does not declare is locked as a whole.
                self.assertFalse(verdict["allowed"])


if __name__ == "__main__":
    unittest.main()
